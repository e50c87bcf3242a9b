"""Time sync: the one that is ahead ticks a little slower, by 1.6 %, or by 5 % when it is far ahead."""

from __future__ import annotations

import random

import pytest

from pycore.session.timesync import CAUGHT_UP, FAR, NEAR, PATIENCE, SILENT, SWAY, TURNING, TimeSync
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk


def ahead(sync: TimeSync, offset: float, peer: int = 1, now: float = 0.0) -> None:
    """We are so far ahead of a peer, and have been for long."""
    for _ in range(1200):
        sync.observe(peer, offset, -offset, now)


def _at(offset: float) -> float:
    sync = TimeSync()
    ahead(sync, offset)
    return sync.factor()


@pytest.mark.parametrize(
    ("offset", "factor"),
    [(0, 1), (0.125, 1), (-0.125, 1), (0.5, 1.004),
     (1, 1.008), (-1, 0.992), (2, 1.016), (-2, 0.984), (3, 1.026), (5.4, 1.05), (90, 1.05),
     (-90, 0.95)],
)  # fmt: skip
def test_the_tick_is_nudged_by_the_offset(offset: float, factor: float) -> None:
    """An eighth of a frame is left alone; up to two frames at most 1.6 %, beyond at most 5 %."""
    assert _at(offset) == pytest.approx(factor)


def test_travel_time_cancels_out() -> None:
    """Both see an advantage of 5 because packets travel 5 frames: nobody is ahead."""
    sync = TimeSync()
    for _ in range(100):
        sync.observe(1, 5, 5, 0.0)
    assert sync.offset == 0.0


def test_the_offset_is_half_the_difference_smoothed() -> None:
    """One observation moves it by a sixteenth; many settle it."""
    sync = TimeSync()
    sync.observe(1, 8, 0, 0.0)
    assert sync.offset == 0.25
    for _ in range(200):
        sync.observe(1, 8, 0, 0.0)
    assert sync.offset == pytest.approx(4.0, abs=1e-3)


def _drifting(drift: float) -> tuple[int, list[int]]:
    """How far apart two peers got in 40 s, and how many mispredictions each saw in a minute."""
    mesh = Mesh(
        2, Settings(max_steps=3000, action_space={"type": "discrete", "n": 6}), lambda seat: Walk(2, seed=1),
        lambda seat: lambda episode, frame: (frame // 5 + seat) % 6, Conditions(delay=0.06, drift=drift), seed=4,
    )  # fmt: skip
    apart = 0
    for second in range(20, 61):
        mesh.run(float(second))
        a, b = (peer.session.frame for peer in mesh.peers)
        apart = max(apart, abs(a - b))
    return apart, [peer.session.timeline.events.count for peer in mesh.peers]


@pytest.mark.parametrize("drift", [0.0, 0.005, pytest.param(-0.005, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_mispredictions_are_shared_fairly_between_unequal_clocks(drift: float) -> None:
    """Not one player rolls back all the time while the other sees nothing."""
    apart, counts = _drifting(drift)
    assert apart <= 2
    assert min(counts) > 50
    assert max(counts) <= 2 * min(counts)


@pytest.mark.slow
@pytest.mark.parametrize("drift", [0.0, 0.005])
def test_peers_meet_within_a_third_of_a_frame(drift: float) -> None:
    """Quarters of a frame are measured; whole ones would leave one peer half a frame ahead for the whole session."""
    settings = Settings(max_steps=3000, action_space={"type": "discrete", "n": 6})
    mesh = Mesh(
        2, settings, lambda seat: Walk(2, seed=1), lambda seat: lambda episode, frame: frame % 6,
        Conditions(delay=0.05, drift=drift), seed=4,
    )  # fmt: skip
    apart = []
    for tenth in range(200, 600):
        mesh.run(tenth / 10)
        places = [
            peer.session.frame + min(1.0, (mesh.clock(peer.seat) - peer.session._intake._stepped_at) * settings.fps)
            for peer in mesh.peers
        ]
        apart.append(abs(places[0] - places[1]))
    assert max(apart) < 0.4


@pytest.mark.parametrize("drift", [0.03, -0.03])
@pytest.mark.slow
def test_a_clock_that_runs_3_percent_fast_does_not_run_away(drift: float) -> None:
    """Without sync it would be 54 frames ahead after a minute; the window alone would stop it at 12."""
    assert _drifting(drift)[0] <= 4


# -- a peer that is too slow to be followed by nudging ----------------------------------------------------------


def test_who_is_far_ahead_for_long_stands_for_single_ticks() -> None:
    """Not for a hiccup: a second and a half of it; then as often as it takes, one frame for each."""
    sync = TimeSync()
    ahead(sync, FAR + 0.5)
    waits = [sync.waits(0.0) for _ in range(PATIENCE + 3)]
    assert waits == [False] * (PATIENCE - 1) + [True, True, False, False]
    assert sync.following
    assert sync.offset == pytest.approx(FAR + 0.5 - 2)
    assert sync.factor() == 1.0, "what the standing evens out is not nudged as well"


@pytest.mark.parametrize("offset", [FAR, -FAR - 5.0])
def test_who_is_not_far_ahead_follows_nobody(offset: float) -> None:
    """And of whoever is behind, the other one follows."""
    sync = TimeSync()
    ahead(sync, min(offset, FAR - 1e-6))
    assert not any(sync.waits(0.0) for _ in range(5 * PATIENCE))
    assert not sync.following


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_an_offset_that_grows_all_the_time_is_kept_near_zero(rate: float) -> None:
    """The rate at which we get ahead is learnt: a mean alone would lag behind it by frames."""
    sync = TimeSync()
    true = 0.0
    worst = []
    for tick in range(900):
        true += rate - (1.0 if sync.waits(tick / 30) else 0.0)
        sync.observe(1, 2 * true, 0.0, tick / 30)
        if tick > 400:
            worst.append(true)
    assert sync.following
    assert max(map(abs, worst)) <= 0.5 + SWAY / 2
    assert abs(sum(worst) / len(worst)) < 0.5


def test_a_hiccup_is_not_followed() -> None:
    """The patience begins anew when the offset has come back."""
    sync = TimeSync()
    for _ in range(10):
        ahead(sync, FAR + 1.0)
        assert not any(sync.waits(0.0) for _ in range(PATIENCE - 1))
        ahead(sync, 0.0)
        assert not sync.waits(0.0)


def test_a_peer_that_has_caught_up_is_no_longer_followed() -> None:
    """After as many ticks without having to stand; and then there is patience again."""
    sync = TimeSync()
    ahead(sync, FAR + 0.5)
    while not sync.following:
        sync.waits(0.0)
    ahead(sync, -NEAR - SWAY - 2.0)
    assert [sync.waits(0.0) for _ in range(CAUGHT_UP)] == [False] * CAUGHT_UP
    assert sync.following
    sync.waits(0.0)
    assert not sync.following
    ahead(sync, FAR + 0.5)
    assert not sync.waits(0.0)


def test_of_several_the_one_that_is_furthest_behind_counts() -> None:
    """Whoever is ahead of anybody slows down; only the last one goes quicker."""
    sync = TimeSync()
    ahead(sync, 1.0, peer=1)
    ahead(sync, -3.0, peer=2)
    assert (sync.offset, sync.factor()) == (pytest.approx(1.0), pytest.approx(1.008))
    ahead(sync, -1.0, peer=1)
    assert sync.factor() == pytest.approx(0.992)


def test_one_is_followed_and_those_who_follow_it_too_tick_at_periods_of_their_own() -> None:
    """Two fast ones that followed each other would both stand; with equal periods they would keep a fixed step."""
    sync = TimeSync(2)
    ahead(sync, FAR + 1.0, peer=0)
    ahead(sync, 1.0, peer=1)
    while not sync.following:
        sync.waits(0.0)
    stood = sum(sync.waits(0.0) for _ in range(10))
    assert stood == 2
    assert sync.offset == pytest.approx(FAR + 1.0 - 3)
    ahead(sync, 1.4, peer=1)
    assert not any(sync.waits(0.0) for _ in range(10)), "it is not the one that is followed"
    assert sync.factor() == 1.0 + 2 * TURNING


def test_who_says_nothing_is_followed_no_longer() -> None:
    """It may be gone: the others do not go on at its pace."""
    sync = TimeSync()
    ahead(sync, FAR + 1.0, peer=0, now=10.0)
    ahead(sync, 0.5, peer=1, now=10.0)
    while not sync.following:
        sync.waits(10.0)
    sync.observe(1, 0.5, -0.5, 10.0 + SILENT)
    sync.waits(10.0 + SILENT)
    assert sync.following
    sync.waits(10.1 + SILENT)
    assert not sync.following
    assert sync.offset == pytest.approx(0.5)


def test_who_says_nothing_slows_nobody_down() -> None:
    """What it said last says nothing of now."""
    sync = TimeSync()
    ahead(sync, 1.9, peer=0, now=10.0)
    ahead(sync, 0.5, peer=1, now=10.0)
    ahead(sync, 0.5, peer=1, now=10.1 + SILENT)
    assert sync.offset == pytest.approx(0.5)


def test_where_nobody_says_anything_nobody_is_followed() -> None:
    """A peer that falls silent while it is far behind: a large window is stepped into alone, at the own pace."""
    sync = TimeSync()
    ahead(sync, FAR + 1.0, now=10.0)
    for _ in range(PATIENCE - 1):
        assert not sync.waits(10.0)
    assert not any(sync.waits(10.1 + SILENT) for _ in range(2 * PATIENCE))
    assert not sync.following
    assert (sync.offset, sync.factor()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("delay", "jitter", "loss"),
    [(0.06, 0.0, 0.0), pytest.param(0.1, 0.0, 0.0, marks=pytest.mark.slow), (0.08, 0.04, 0.05)],
)
@pytest.mark.slow
def test_mispredictions_are_shared_with_a_peer_at_25_of_30_frames_per_second(
    delay: float, jitter: float, loss: float
) -> None:
    """By nudging alone the fast one would fill its window and have every misprediction: a confound in a study."""
    mesh = Mesh(
        2, Settings(max_steps=3000, action_space={"type": "discrete", "n": 6}), lambda seat: Walk(2, seed=1),
        lambda seat: lambda episode, frame: (frame // 5 + seat) % 6,
        Conditions(delay=delay, jitter=jitter, loss=loss, drift=0.2), seed=4,
    )  # fmt: skip
    mesh.run(20.0)
    slow, fast = (peer.session for peer in mesh.peers)
    before = [session.timeline.events.count for session in (slow, fast)], slow.frame
    apart = 0
    for second in range(20, 80):
        mesh.run(float(second))
        apart = max(apart, abs(slow.frame - fast.frame))
    counts = [session.timeline.events.count - of for session, of in zip((slow, fast), before[0], strict=True)]
    assert apart <= 2
    assert min(counts) > 50
    assert max(counts) <= 1.5 * min(counts)
    # The slow one ticks 30 times a second of its own clock, and is held up by nobody.
    assert slow.frame - before[1] >= 59 * 30 * 0.97


def _burdens(seats: int, delay: float, seconds: float) -> tuple[list[int], int]:
    """What each re-simulates in so many seconds beside one who makes 25 of 30 frames, and the frames played."""
    rng = random.Random(7)
    keys = [[key for _ in range(400) for key in [rng.randrange(6)] * rng.randrange(3, 12)] for _ in range(seats)]
    mesh = Mesh(
        seats, Settings(max_steps=10_000, action_space={"type": "discrete", "n": 6}), lambda seat: Walk(seats, seed=1),
        lambda seat: lambda episode, frame: keys[seat][frame % 1200], Conditions(delay=delay), seed=11,
    )  # fmt: skip
    mesh.peers[0].ticks_per_second = 25.0
    mesh.run(20.0)
    before = [page.session.timeline.resimulated for page in mesh.peers], mesh.peers[0].session.frame
    mesh.run(20.0 + seconds)
    found = [page.session.timeline.resimulated - of for page, of in zip(mesh.peers, before[0], strict=True)]
    return found, mesh.peers[0].session.frame - before[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seats", "delay"),
    [
        (2, 0.075),
        (3, 0.05),
        (4, 0.025),
        *(pytest.param(*more, marks=pytest.mark.long)
          for more in [(2, 0.025), (3, 0.025), (3, 0.075), (4, 0.05), (4, 0.075)]),
    ],
)
def test_the_burden_of_a_slow_one_is_shared_by_all(seats: int, delay: float) -> None:
    """What each re-simulates is within a fifth of what they do on average, at round trips of 50 to 150 ms; and the slow
    one plays as fast as it can."""
    found, frames = _burdens(seats, delay, 100.0)
    mean = sum(found) / seats
    assert mean > 50
    assert max(abs(burden / mean - 1) for burden in found) < 0.2, found
    assert frames == pytest.approx(2500, abs=3)
