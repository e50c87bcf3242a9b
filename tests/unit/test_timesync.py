"""Time sync: the one that is ahead ticks a little slower, by 1.6 %, or by 5 % when it is far ahead."""

from __future__ import annotations

import pytest

from pycore.session.timesync import CAUGHT_UP, FAR, NEAR, PATIENCE, SWAY, TimeSync
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk


def _at(offset: float) -> float:
    sync = TimeSync()
    sync.offset = offset
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
        sync.observe(5, 5)
    assert sync.offset == 0.0


def test_the_offset_is_half_the_difference_smoothed() -> None:
    """One observation moves it by a sixteenth; many settle it."""
    sync = TimeSync()
    sync.observe(8, 0)
    assert sync.offset == 0.25
    for _ in range(200):
        sync.observe(8, 0)
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
    sync.offset = FAR + 0.5
    waits = [sync.waits() for _ in range(PATIENCE + 3)]
    assert waits == [False] * (PATIENCE - 1) + [True, True, False, False]
    assert sync.following
    assert sync.offset == FAR + 0.5 - 2
    assert sync.factor() == 1.0, "what the standing evens out is not nudged as well"


@pytest.mark.parametrize("offset", [FAR, -FAR - 5.0])
def test_who_is_not_far_ahead_follows_nobody(offset: float) -> None:
    """And of whoever is behind, the other one follows."""
    sync = TimeSync()
    sync.offset = offset
    assert not any(sync.waits() for _ in range(5 * PATIENCE))
    assert not sync.following


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_an_offset_that_grows_all_the_time_is_kept_near_zero(rate: float) -> None:
    """The rate at which we get ahead is learnt: a mean alone would lag behind it by frames."""
    sync = TimeSync()
    true = 0.0
    worst = []
    for tick in range(900):
        true += rate - (1.0 if sync.waits() else 0.0)
        sync.observe(2 * true, 0.0)
        if tick > 400:
            worst.append(true)
    assert sync.following
    assert max(map(abs, worst)) <= 0.5 + SWAY / 2
    assert abs(sum(worst) / len(worst)) < 0.5


def test_a_hiccup_is_not_followed() -> None:
    """The patience begins anew when the offset has come back."""
    sync = TimeSync()
    for _ in range(10):
        sync.offset = FAR + 1.0
        assert not any(sync.waits() for _ in range(PATIENCE - 1))
        sync.offset = 0.0
        assert not sync.waits()


def test_a_peer_that_has_caught_up_is_no_longer_followed() -> None:
    """After as many ticks without having to stand; and then there is patience again."""
    sync = TimeSync()
    sync.offset = FAR + 0.5
    while not sync.following:
        sync.waits()
    sync.offset = -NEAR - SWAY
    assert [sync.waits() for _ in range(CAUGHT_UP)] == [False] * CAUGHT_UP
    assert sync.following
    sync.waits()
    assert not sync.following
    sync.offset = FAR + 0.5
    assert not sync.waits()


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
