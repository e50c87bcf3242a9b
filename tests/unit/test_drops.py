"""Who is gone of three and more: who decides it, how the others settle, and what follows, in each phase."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from core_support import Table, settings, tag_of, visible
from hypothesis import given
from hypothesis import strategies as st

from pycore.duties import CHANNEL_CLOSED, EMIT, P2P, SOCKETIO
from pycore.events import EpisodeEnded, PeerStatus, PlayerGone, SessionEnded
from pycore.session.membership import UNDECIDED
from pycore.session.parts import STILL
from pycore.session.phases import BETWEEN, CONNECTING, DONE, FAILED, HOLDING, PLAYING, READYING
from pycore.session.topics.topic import END, GONE, OVER
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Page, Walk, Watcher
from pycore.wire import datagram
from pycore.wire.probe import PROBE, PROBE_ANSWER, encode_probe
from pycore.wire.stream import CHUNK, encode_chunk

SLOW = pytest.mark.slow
BOTH = pytest.mark.parametrize("on_drop", ["end", "default_action"])


def keys(seats: int, tick: int) -> list[int]:
    """Actions that change all the time, and are never the default one."""
    return [1 + (tick * 3 + seat * 2) % 5 for seat in range(seats)]


def playing(seats: int = 3, of: Settings | None = None, **more: Any) -> Table:
    """Everybody plays, and presses keys, for a moment already."""
    table = Table(seats, of or settings(max_steps=150, dropped_after=4.0), **more).start()
    press(table, 40)
    return table


def press(table: Table, ticks: int) -> None:
    """Some ticks with keys."""
    for tick in range(ticks):
        table.tick(*keys(len(table.sessions), tick))


def only(*ways: tuple[int, int], of: Sequence[int]) -> Callable[[int, int, Any], bool]:
    """What these peers send reaches nobody but by these ways, and nothing reaches them."""
    return lambda sender, to, what: (sender, to) in ways if sender in of else to not in of


def over(table: Table, peers: Sequence[int], most: int = 1200) -> None:
    """Tick until the sessions of these are over."""
    for tick in range(most):
        if all(table[peer].phase >= DONE for peer in peers):
            return
        table.tick(*keys(len(table.sessions), tick))
    raise AssertionError(f"not over: {[(table[peer].phase, table[peer].frame) for peer in peers]}")


def given_by(table: Table, seat: int) -> dict[int, bytes]:
    """What a page fixed of its seat, as it published or still holds it."""
    timeline = table[seat].timeline
    ring = timeline.frames
    return {
        frame: ring.encoded[frame & ring.mask][seat]
        for frame in range(max(0, timeline.frames.held[seat] - ring.size + 1), timeline.frames.held[seat] + 1)
    }


def rows(table: Table, peer: int, episode: int = 0) -> list[tuple[bytes, ...]]:
    """What a peer published of an episode."""
    return [actions for of, _frame, actions, _digest in table.published[peer] if of == episode and actions]


def ends(table: Table, peer: int) -> list[tuple[int, int]]:
    """Episodes and frames of the ends that a peer published."""
    return [(of, frame) for of, frame, actions, _digest in table.published[peer] if not actions]


# -- the last input that any of them holds --------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("seats", "last"),
    [
        *[(3, last) for last in range(9)],
        *[pytest.param(seats, last, marks=SLOW) for seats in (4, 5, 6) for last in range(9)],
    ],
)
def test_the_last_inputs_of_who_is_gone_count_though_they_reached_one_survivor_alone(
    seats: int, last: int, on_drop: str
) -> None:
    """All end, or go on, from the last of them; not one is lost, and nobody differs."""
    table = playing(seats, settings(max_steps=150, on_drop=on_drop))
    gone = seats - 1
    stay = range(gone)
    table.passes = only((gone, 0), of=[gone])
    press(table, last)
    held = table[0].timeline.frames.held[gone]
    assert held - table[1].timeline.frames.held[gone] == last
    true = given_by(table, gone)
    table.passes = only(of=[gone])
    table[1].player_left(gone, table.now, certain=True)
    over(table, stay)
    frames = held + 1 if on_drop == "end" else 150
    assert [ends(table, peer) for peer in stay] == [[(0, frames)]] * gone
    assert all(table.published[peer] == table.published[0] for peer in stay)
    default = table[0].seats[gone].default
    for frame, row in enumerate(rows(table, 0)):
        if frame in true or frame > held:
            assert row[gone] == (true[frame] if frame <= held else default)
    told = PlayerGone(seat=gone, episode=0, frame=held, cause="left", on_drop=on_drop)
    assert [table.events(peer, PlayerGone) for peer in stay] == [[told]] * gone
    reason = "player_left" if on_drop == "end" else "complete"
    assert {table[peer].reason for peer in stay} == {reason}
    assert sum(session.malformed + session.contradictions for session in table.sessions) == 0
    assert [table[peer].gone[gone].backfilled for peer in stay] == [0, *[last] * (gone - 1)]


@BOTH
@pytest.mark.parametrize("burst", [1, 9, 25, 60])
def test_while_packets_between_survivors_are_lost_they_settle_later_and_alike(burst: int, on_drop: str) -> None:
    """Sixty packets in a row: words and what is passed on come again."""
    table = playing(4, settings(max_steps=150, on_drop=on_drop))
    table.passes = only((3, 0), of=[3])
    press(table, 5)
    held = table[0].timeline.frames.held[3]
    table.passes = lambda sender, to, what: False
    for peer in range(3):
        table[peer].player_left(3, table.now, certain=True)
    press(table, burst)
    assert not any(table.events(peer, PlayerGone) for peer in range(3))
    table.passes = only(of=[3])
    over(table, range(3))
    assert all(table.published[peer] == table.published[0] for peer in range(3))
    assert ends(table, 0) == [(0, held + 1 if on_drop == "end" else 150)]
    assert [event.frame for peer in range(3) for event in table.events(peer, PlayerGone)] == [held] * 3


def test_what_was_passed_on_by_a_way_that_died_is_passed_on_by_the_next_one_at_once() -> None:
    """However long a round trip was on the dead one."""
    table = playing(3, settings(max_steps=150, on_drop="default_action"))
    table.passes = only((2, 0), of=[2])
    press(table, 5)
    held = table[0].timeline.frames.held[2]
    table[0].link_to(1).paths.wire.rtt = 9.0
    # Words get through, and what is passed on does not.
    table.passes = lambda sender, to, what: 2 not in (sender, to) and not (
        (sender, to) == (0, 1) and _is_datagram(what) and what[11] & datagram.RUNS
    )
    table[1].player_left(2, table.now, certain=True)
    press(table, 8)
    assert table[1].timeline.frames.held[2] < held
    table.channels[0][0] = table.channels[1][0] = -1
    press(table, 8)
    assert table[1].gone[2].frames == {2: held}


def test_what_was_passed_on_in_vain_is_passed_on_again_within_a_second() -> None:
    """Though the round trip that was measured last was that of an outage."""
    table = playing(3, settings(max_steps=150, on_drop="default_action"))
    table.passes = only((2, 0), of=[2])
    press(table, 5)
    held = table[0].timeline.frames.held[2]
    table[0].link_to(1).paths.wire.rtt = 9.0
    lost = []

    def passes(sender: int, to: int, what: Any) -> bool:
        if (sender, to) == (0, 1) and not lost and _is_datagram(what) and what[11] & datagram.RUNS:
            lost.append(what)
            return False
        return 2 not in (sender, to)

    table.passes = passes
    table[1].player_left(2, table.now, certain=True)
    press(table, 4)
    assert lost
    assert table[1].timeline.frames.held[2] < held
    press(table, 36)
    assert table[1].gone[2].frames == {2: held}


@BOTH
def test_inputs_that_two_survivors_hold_in_turns_are_put_together(on_drop: str) -> None:
    """One lacks every other frame, the other one the rest: together they hold an unbroken run."""
    table = playing(3, settings(max_steps=150, on_drop=on_drop))
    first = table[0].timeline.frames.held[2] + 1
    for peer, frames in ((0, (first, first + 2)), (1, (first + 1, first + 3))):
        for frame in frames:
            assert table[peer].store_remote_input(2, 1 + frame % 5, frame, table.now)
    table.passes = only(of=[2])
    table[0].player_left(2, table.now, certain=True)
    over(table, (0, 1))
    assert [row[2] for row in rows(table, 0)[first : first + 4]] == [
        bytes((1 + frame % 5,)) for frame in range(first, first + 4)
    ]
    assert table.events(0, PlayerGone)[0].frame == first + 3
    assert table.published[0] == table.published[1]


@BOTH
def test_an_input_behind_a_hole_that_nobody_can_fill_is_played_by_nobody(on_drop: str) -> None:
    """The run ends before the hole; behind it stands the default action, also where something was held."""
    table = playing(3, settings(max_steps=150, on_drop=on_drop))
    held = table[0].timeline.frames.held[2]
    assert table[0].store_remote_input(2, 5, held + 2, table.now)
    table.passes = only(of=[2])
    table[0].player_left(2, table.now, certain=True)
    over(table, (0, 1))
    assert [event.frame for event in table.events(0, PlayerGone)] == [held]
    assert table.published[0] == table.published[1]
    if on_drop == "default_action":
        assert {row[2] for row in rows(table, 1)[held + 1 :]} == {b"\0"}


# -- two of them ----------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("seats", [3, 4, 5])
def test_two_at_once_are_settled_each_at_its_own_last_input(seats: int, on_drop: str) -> None:
    """Where it ends for them it ends with the last action that either of them did."""
    table = playing(seats, settings(max_steps=150, on_drop=on_drop))
    one, two = seats - 2, seats - 1
    stay = range(one)
    table.passes = lambda sender, to, what: {one: to == 0, two: False}.get(sender, to < one)
    press(table, 4)
    held = [table[0].timeline.frames.held[seat] for seat in (one, two)]
    assert held[0] - held[1] == 4
    table.passes = only(of=[one, two])
    table[0].players_gone([one, two], table.now)
    over(table, stay)
    # Who is left alone has nobody to play on with.
    frames = held[0] + 1 if on_drop == "end" or seats == 3 else 150
    assert [ends(table, peer) for peer in stay] == [[(0, frames)]] * one
    assert [[event.frame for event in table.events(peer, PlayerGone)] for peer in stay] == [held] * one
    assert all(table.published[peer] == table.published[0] for peer in stay)
    assert {row[two] for row in rows(table, 0)[held[1] + 1 :]} == {b"\0"}


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("ticks", [0, 2, 3, pytest.param(1, marks=SLOW), pytest.param(10, marks=SLOW)])
def test_who_goes_while_others_settle_is_settled_with_them(ticks: int, on_drop: str) -> None:
    """At whatever moment: the survivors of both are alike, and no input that any of them held is lost."""
    table = playing(5, settings(max_steps=150, on_drop=on_drop))
    table.passes = only((4, 3), of=[4])
    press(table, 4)
    held = table[3].timeline.frames.held[4]
    table.passes = only(of=[4])
    table[3].player_left(4, table.now, certain=True)
    press(table, ticks)
    # What 3 alone has of 4, and of itself, may have reached 0 by now, or go with it.
    reached = max(table[peer].timeline.frames.held[3] for peer in range(3))
    table.passes = only(of=[3, 4])
    for peer in range(3):
        table[peer].player_left(3, table.now, certain=True)
    over(table, range(3))
    assert all(table.published[peer] == table.published[0] for peer in range(3))
    settled = {event.seat: event.frame for event in table.events(0, PlayerGone)}
    assert settled[4] == held if ticks > 2 else settled[4] in (held - 4, held)
    # Where it ends for the first one, it may be over before the second goes.
    assert settled.get(3, reached) >= reached or on_drop == "end"
    assert all({event.seat: event.frame for event in table.events(peer, PlayerGone)} == settled for peer in range(3))


def test_a_later_one_who_gave_more_moves_an_end_that_was_held_at() -> None:
    """All had come to the end of the first round, and published it; nobody had left it."""
    table = playing(4, settings(max_steps=150))
    table.passes = only((2, 0), (2, 1), (0, 1), (1, 0), of=[2, 3])
    table[0].player_left(3, table.now, certain=True)
    # What 2 is told is lost, so it plays on until its window is full, and never settles.
    press(table, 60)
    first = table[0]._parts.drops._own().held[3].mark
    assert table[0]._parts.drops.end_frame is None, "one survivor has not said what it holds"
    held = table[0].timeline.frames.held[2]
    assert held > first
    table[0].player_left(2, table.now, certain=True)
    over(table, (0, 1))
    assert ends(table, 0) == ends(table, 1) == [(0, held + 1)]


# -- who decides ------------------------------------------------------------------------------------------------------


def complaints(table: Table, peer: int) -> list[Any]:
    """Whom a peer told the server that it does not hear."""
    return [
        payload[1] for duty, _to, _seq, payload in table.sent[peer] if duty == EMIT and payload[0] == "player_silent"
    ]


def test_a_silent_one_is_dropped_when_most_do_not_hear_it() -> None:
    """After `dropped_after` of silence on every path each says so to the server and to the others."""
    table = playing()
    table.passes = only(of=[2])
    press(table, 32 * 4 - 16)
    assert complaints(table, 0) == []
    over(table, (0, 1), most=64)
    assert {"game_id": "table", "player_id": 2} in complaints(table, 0)
    assert table.events(0, PlayerGone)[0].cause == table.events(1, PlayerGone)[0].cause == "silent"
    assert [event.status for event in table.events(0, PeerStatus)] == ["interrupted", "gone"]


def test_one_of_three_who_does_not_hear_another_decides_nothing_alone() -> None:
    """Nor do two of four: it may be they who are cut off. After some seconds it is a partition for them."""
    table = playing(4)
    before = table.now
    table.passes = lambda sender, to, what: (sender < 2) == (to < 2)
    over(table, range(4))
    assert [session.reason for session in table.sessions] == ["partition"] * 4
    assert table.now - before == pytest.approx(4.0 + UNDECIDED, abs=1.0)
    shortest = min(len(rows(table, peer)) for peer in range(4))
    assert all(rows(table, peer)[:shortest] == rows(table, 0)[:shortest] for peer in range(4))


@pytest.mark.slow
def test_who_is_cut_off_from_two_ends_as_a_partition_and_the_two_go_on() -> None:
    """It hears neither them nor the server."""
    table = playing(3, settings(max_steps=500, dropped_after=4.0, on_drop="default_action"))
    table.passes = only(of=[2])
    over(table, range(3))
    assert [session.reason for session in table.sessions] == ["complete", "complete", "partition"]
    assert table.published[0] == table.published[1]
    assert rows(table, 2) == rows(table, 0)[: len(rows(table, 2))]


@pytest.mark.slow
def test_who_is_heard_again_before_it_is_decided_is_not_dropped() -> None:
    """A partition that heals in time leaves no trace but the notice."""
    table = playing(4, settings(max_steps=600, dropped_after=4.0))
    table.passes = lambda sender, to, what: (sender < 2) == (to < 2)
    press(table, 32 * 6)
    assert complaints(table, 0)
    table.passes = lambda sender, to, what: True
    over(table, range(4))
    assert [session.reason for session in table.sessions] == ["complete"] * 4
    assert all(table.published[peer] == table.published[0] for peer in range(4))
    assert not any(table.events(peer, PlayerGone) for peer in range(4))


@pytest.mark.slow
def test_the_relays_word_binds_those_who_still_hear_the_peer_and_reaches_all_by_one() -> None:
    """It is passed on in packets; the dropped one is told by whoever it still speaks to, and ends."""
    table = playing(4, settings(max_steps=300, on_drop="default_action"))
    table[1].players_gone([3], table.now)
    over(table, range(4))
    assert [session.reason for session in table.sessions] == ["complete"] * 3 + ["dropped"]
    assert [table.events(peer, PlayerGone)[0].cause for peer in range(3)] == ["silent"] * 3
    settled = table.events(0, PlayerGone)[0].frame
    assert all(table.published[peer] == table.published[0] for peer in range(3))
    assert len(rows(table, 3)) <= settled + 1
    assert rows(table, 3) == rows(table, 0)[: len(rows(table, 3))]


def test_who_learns_from_another_that_somebody_is_gone_has_time_to_settle() -> None:
    """It has stood for long, as long as it was known why; what kept it from going on is gone now, and not at once."""
    table = playing(3, settings(max_steps=150, dropped_after=4.0, on_drop="default_action"))
    table.passes = lambda sender, to, what: {sender, to} != {0, 2}
    press(table, 16)
    # The last word of 2 that gets through: from here on nothing moves.
    table[0].acknowledge(2, table[0].dispatched)
    press(table, round(32 * (4.0 + STILL)))
    assert complaints(table, 0)
    table[1].players_gone([2], table.now)
    while not table[0].gone:
        table.tick()
    table.passes = lambda sender, to, what: False
    press(table, 16)
    assert table[0].phase == PLAYING
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    over(table, (0, 1))
    assert [table[0].reason, table[1].reason] == ["complete"] * 2
    assert table.published[0] == table.published[1]


def test_whom_the_relay_calls_gone_and_it_is_we_ends_as_dropped() -> None:
    """The server may still have a way to us."""
    table = playing()
    table[2].players_gone([2], table.now)
    assert table[2].reason == "dropped"
    (ended,) = [event for event in table[2].news() if isinstance(event, SessionEnded)]
    assert ended.text == "the server says that this page was not heard of any more"


def test_who_says_that_it_leaves_is_gone_at_once() -> None:
    """By its own word, whatever the reason; an error is named."""
    for reason, cause in (("aborted", "left"), ("error", "error")):
        table = playing(3, settings(max_steps=150, on_drop="default_action"))
        table[2].abort(table.now, reason, "it broke")
        over(table, (0, 1))
        assert table[2].reason == reason
        assert [table[peer].reason for peer in (0, 1)] == ["complete", "complete"]
        assert table.events(0, PlayerGone)[0].cause == table.events(1, PlayerGone)[0].cause == cause
        assert table.published[0] == table.published[1]


def test_a_page_that_is_loaded_again_is_gone_as_it_was_and_told_that_it_is_another() -> None:
    """What it did before counts; as another load it plays no part."""
    table = playing(3, settings(max_steps=150, on_drop="default_action"))
    anew = Table(3, table.settings, now=table.now)
    table.sessions[2] = anew.sessions[2]
    over(table, range(3))
    assert [session.reason for session in table.sessions] == ["complete", "complete", "returned"]
    assert table.events(0, PlayerGone)[0].cause == "returned"
    assert table.published[0] == table.published[1]


def test_who_goes_within_a_poll_takes_nobody_elses_channel_along() -> None:
    """The states of the channels are by link, and one of them is not there any more: the others are not read one place
    off. Two of four go, one after the other, and hang up at once."""
    table = playing(4, settings(max_steps=400, on_drop="default_action"))
    for gone in (1, 2):
        table[gone].abort(table.now, "aborted", "it broke")
        table.poll(gone)
        table.deliver()
        for other in (0, 3):
            assert gone not in table[other].gone
            table.channels[other][gone if gone < other else gone - 1] = CHANNEL_CLOSED
        press(table, 40)
    for peer in (0, 3):
        assert list(table[peer].gone) == [1, 2]
        assert [line for line in table.logs(peer) if "buffer full" in line] == []
        (link,) = table[peer].there
        assert link.counts.sent_via_socketio == 0


def test_a_pair_that_is_left_of_three_ends_as_a_pair_does() -> None:
    """Two never drop each other."""
    table = playing(3, settings(max_steps=3000, dropped_after=4.0, on_drop="default_action"))
    table[0].player_left(2, table.now, certain=True)
    table.passes = only(of=[2])
    press(table, 40)
    table.passes = only(of=[1, 2])
    over(table, [0], most=200)
    assert table[0].reason == "player_left"
    assert set(table[0].gone) == {2}
    assert ends(table, 0) == []


# -- in each phase ----------------------------------------------------------------------------------------------------


EPISODES = settings(max_steps=40, num_episodes=2, episode_pause=1.0, p2p_wait=1.0, dropped_after=4.0, ready_timeout=8.0)


@BOTH
@pytest.mark.parametrize("phase", [CONNECTING, READYING, PLAYING, HOLDING, BETWEEN])
@pytest.mark.parametrize("channel", [0, -1], ids=["p2p", "by the server"])
def test_whoever_goes_in_whatever_phase_the_others_are_alike(phase: int, channel: int, on_drop: str) -> None:
    """By the server's word to one of them."""
    table = Table(3, EPISODES.replace(on_drop=on_drop), channel=channel)
    stop = phase in (READYING, HOLDING)
    for tick in range(400):
        if any(session.phase == phase for session in table.sessions[:2]):
            break
        if stop and table[0].phase == (CONNECTING if phase == READYING else PLAYING):
            # Who goes is not ready, or lacks the last inputs.
            near = phase == READYING or table[0].frame > 30
            table.passes = only(of=[2]) if near else table.passes
        table.tick(*keys(3, tick))
    assert any(session.phase == phase for session in table.sessions[:2])
    table.passes = only(of=[2])
    table[0].player_left(2, table.now, certain=True)
    over(table, (0, 1))
    assert table.published[0] == table.published[1]
    assert [table[peer].reason for peer in (0, 1)] == ["player_left" if on_drop == "end" else "complete"] * 2
    ended = [
        [(event.episode, event.frames, event.reason) for event in table.events(peer, EpisodeEnded)] for peer in (0, 1)
    ]
    assert ended[0] == ended[1]
    if on_drop == "default_action":
        assert [(episode, frames) for episode, frames, _ in ended[0]] == [(0, 40), (1, 40)]
    elif phase in (CONNECTING, READYING):
        assert ended[0] == []
    elif phase == BETWEEN:
        assert [(episode, frames) for episode, frames, _ in ended[0]] == [(0, 40)]
    else:
        assert [episode for episode, *_ in ended[0]] == [0]
        assert (30 if phase == HOLDING else 1) <= ended[0][0][1] <= 40


@BOTH
def test_a_ready_that_one_survivor_has_counts_for_all(on_drop: str) -> None:
    """It goes to the one who lacks it, so that both begin alike: who is gone was ready for it."""
    of = settings(max_steps=40, num_episodes=3, dropped_after=4.0, episode_pause=0.5, on_drop=on_drop)
    table = Table(3, of).start()
    table.until(lambda: table[0].phase == BETWEEN)
    table[2].propose_input_delay(4)
    # Its READY, with the proposal, reaches player 0 alone.
    table.passes = lambda sender, to, what: (sender, to) != (2, 1)
    table.until(lambda: table[0].phase > BETWEEN or 1 in table[0].link_to(2).peer.ready)
    assert 1 not in table[1].link_to(2).peer.ready
    table.passes = only(of=[2])
    table[0].player_left(2, table.now, certain=True)
    over(table, (0, 1))
    assert table[1].link_to(2).peer.ready[1] == table[0].link_to(2).peer.ready[1]
    assert table.published[0] == table.published[1]
    if on_drop == "default_action":
        assert table[0].pacing.delays == table[1].pacing.delays == [(1, 1, 1), (1, 1, 1), (4, 4, 4)]


def test_who_is_behind_in_an_episode_that_the_others_finished_ends_it_and_settles_in_the_next() -> None:
    """One survivor is ready for the next episode when it hears who went; the other still holds at the end of this."""
    table = Table(3, EPISODES.replace(on_drop="default_action")).start()

    def passes(sender: int, to: int, what: Any) -> bool:
        # 1 has every input of 2, but not its end; and a packet of the next episode would say that all of this is done.
        late = sender == 2 and table[1].timeline.frames.held[2] >= 40
        return to != 1 or not (late or (_is_datagram(what) and what[4] == 1))

    table.passes = passes
    table.until(lambda: table[0].episode == 1, most=200)
    assert (table[1].phase, table[1].episode) == (HOLDING, 0)
    table.passes = only(of=[2])
    table[0].player_left(2, table.now, certain=True)
    over(table, (0, 1))
    assert table.published[0] == table.published[1]
    assert [departure.episode for peer in (0, 1) for departure in table[peer].gone.values()] == [1, 1]
    assert [departure.frames for peer in (0, 1) for departure in table[peer].gone.values()] == [{2: -1}, {2: -1}]


# -- gone is final ----------------------------------------------------------------------------------------------------


def test_what_who_is_gone_still_says_moves_nothing_and_is_answered() -> None:
    """Its inputs, by packets and by the server; at most four answers a second."""
    table = playing(3, settings(max_steps=900, on_drop="default_action"))
    table[0].players_gone([2], table.now)
    session = table[0]
    held = list(session.timeline.frames.held)
    data = table.forged(2, first=held[2] + 1, inputs=[b"\5"] * 3, receipts=[90, 90])
    table.held = True
    for _ in range(16):
        session.receive(2, data, table.now)
        assert not session.receive_action(2, 5, session.timeline.frames.opened, 0, table.now)
        assert not session.store_remote_input(2, 5, session.timeline.frames.opened, table.now)
        table.tick(*keys(3, 1))
    answers = [payload for _duty, to, _seq, payload in table.sent[0][-400:] if to == 2 and _is_datagram(payload)]
    said = [table_open(table, answer).blocks for answer in answers if answer[11] & datagram.BLOCKS]
    assert [block for blocks in said for block in blocks if block[0] == OVER] == [(OVER, b"\0\5")] * 2
    assert session.timeline.frames.held[2] == held[2]


@pytest.mark.parametrize("path", [P2P, SOCKETIO])
@pytest.mark.parametrize("kind", [datagram.KIND, PROBE, PROBE_ANSWER, CHUNK])
def test_what_cannot_be_read_of_who_is_gone_is_refused_and_not_answered(kind: int, path: str) -> None:
    """As from anybody else: it moves nothing but the count of what was refused. The same packet, whole, is answered."""
    table = playing(3, settings(max_steps=900, on_drop="default_action"))
    session = table[0]
    session.players_gone([2], table.now)
    table.held = True
    low, own = session.link_to(2).peer.low, table[2].link_to(0).peer.low
    assert low is not None
    assert own is not None
    if kind == datagram.KIND:
        whole = table.forged(2, first=session.timeline.frames.held[2] + 1, inputs=[b"\5"] * 3, receipts=[90, 90])
    elif kind == CHUNK:
        whole = encode_chunk(tag_of(session), low, own, 0, 0, b"more")
    else:
        whole = encode_probe(kind, tag_of(session), low, 7)
    session.receive(2, whole, table.now, path)
    table.ticks(30, *keys(3, 1))
    for data in (whole[:-1], whole + b"\0", whole[:8] + b"\0"):
        before = visible(session)
        refused = session.malformed + session.journal.foreign
        session.receive(2, data, table.now, path)
        assert visible(session) == before
        assert session.malformed + session.journal.foreign == refused + 1
    before = visible(session)
    session.receive(2, whole, table.now, path)
    assert visible(session) != before


def test_who_is_dropped_while_it_holds_at_the_end_of_another_has_no_end() -> None:
    """It settled, and was not heard of meanwhile: the last one ends alone, and later, with what it held of both."""
    table = playing()
    table.passes = only(of=[1])
    press(table, 4)
    # The first drop is settled at once where the words of both come.
    table.passes = lambda sender, to, what: (sender, to) == (0, 2)
    for peer in (0, 2):
        table[peer].player_left(1, table.now, certain=True)
    press(table, 4)
    assert (table[2].phase, len(ends(table, 2))) == (HOLDING, 1)
    table[0].player_left(2, table.now, certain=True)
    over(table, [0])
    table.passes = lambda sender, to, what: True
    over(table, [2])
    assert (table[0].reason, table[2].reason) == ("player_left", "dropped")
    assert len(rows(table, 2)) < len(rows(table, 0))
    assert rows(table, 2) == rows(table, 0)[: len(rows(table, 2))]
    assert (ends(table, 0), ends(table, 2)) == ([(0, len(rows(table, 0)))], [])
    assert table.events(2, EpisodeEnded) == [EpisodeEnded(episode=0, frames=len(rows(table, 2)), reason="dropped")]


@pytest.mark.parametrize("size", range(8))
def test_of_who_is_gone_even_the_shortest_packet_is_garbage_or_answered(size: int) -> None:
    """Nothing but an answer comes of it, by whatever way."""
    table = playing(3, settings(max_steps=900, on_drop="default_action"))
    table[0].players_gone([2], table.now)
    data = table.forged(2)[:size]
    table[0].receive(2, data, table.now)
    table[0].receive_signal(2, base64.b64encode(data).decode(), table.now)
    assert table[0].phase == PLAYING


def test_who_is_gone_for_two_reasons_at_once_is_gone_once() -> None:
    """Its page was loaded again, and the server says that it left."""
    table = playing(3, settings(max_steps=150, on_drop="default_action"))
    for seq in range(3):
        table[0].receive(2, table.forged(2, incarnation=table[2].incarnation ^ 1, seq=seq), table.now)
    table[0].player_left(2, table.now, certain=True)
    table.passes = only(of=[2])
    over(table, (0, 1))
    assert [event.cause for event in table.events(0, PlayerGone)] == ["returned"]
    assert table.published[0] == table.published[1]


@pytest.mark.parametrize("later", [False, True], ids=["in this episode", "in the next one"])
def test_what_a_dropped_one_did_alone_is_never_confirmed(later: bool) -> None:
    """Neither by what the others hold of a seat that nobody plays, nor because they are in the next episode."""
    table = playing(3, EPISODES.replace(on_drop="default_action", max_steps=90))
    table.passes = lambda sender, to, what: sender != 2
    press(table, 6)
    table.passes = only(of=[2])
    table[0].players_gone([2], table.now)
    table.until(lambda: table[0].episode == table[1].episode == later and table[0].frame > 20 * (not later))
    assert table[2].phase == PLAYING
    press(table, 8)
    table.passes = lambda sender, to, what: True
    over(table, [2])
    assert table[2].reason == "dropped"
    assert rows(table, 2) == rows(table, 0)[: len(rows(table, 2))]


def test_a_dropped_one_that_lacks_but_the_last_words_of_an_episode_ends_it() -> None:
    """The others had everything of it, and settled in the next one: that is the last word of this one, too."""
    table = Table(3, EPISODES.replace(on_drop="default_action")).start()

    def passes(sender: int, to: int, what: Any) -> bool:
        # 2 has their hashes of the end, and hears neither that they hold at it as well, nor that they are beyond.
        if to != 2:
            return True
        blocks = dict(table_open(table, what).blocks) if _is_datagram(what) and what[4] == 0 else {END: b""}
        if END in blocks and len(blocks) > 1:
            table[2].receive(sender, what.replace(datagram.encode_block(END, blocks[END]), b""), table.now)
        return END not in blocks

    table.passes = passes
    table.until(lambda: table[0].episode == table[1].episode == 1, most=200)
    assert (table[2].phase, table[2].episode) == (HOLDING, 0)
    table[0].players_gone([2], table.now)
    table.until(lambda: table[0].phase == table[1].phase == PLAYING)
    table.passes = lambda sender, to, what: True
    over(table, [2])
    assert [event.reason for event in table.events(2, EpisodeEnded)] == ["max_steps"]
    assert rows(table, 2) == rows(table, 0)
    assert ends(table, 2) == [(0, 40)]


def _is_datagram(payload: Any) -> bool:
    return isinstance(payload, bytes) and payload[0] == datagram.KIND


def table_open(table: Table, data: bytes) -> datagram.Datagram:
    """A packet of player 0, as player 2 reads it."""
    codecs = [seat.codec for seat in table[2].seats]
    return datagram.decode(data, codecs, 0, 2, table[2].frame, 0, 0)


def test_inputs_of_a_seat_are_taken_from_another_only_when_its_player_is_gone() -> None:
    """Before that they are garbage, and the whole packet moves nothing."""
    table = playing()
    session = table[1]
    held = session.timeline.frames.held[2]
    run = datagram.Run(2, held + 1, [b"\4"])
    session.receive(0, table.forged(0, runs=[run], first=table[0].dispatched + 1), table.now)
    assert session.malformed == 1
    assert session.timeline.frames.held[2] == held
    session.players_gone([2], table.now)
    session.receive(0, table.forged(0, runs=[run], first=table[0].dispatched + 1, seq=10_000), table.now)
    assert (session.malformed, session.timeline.frames.held[2]) == (1, held + 1)
    assert session.gone[2].backfilled == 1


WORD = bytes((0, 0, 0)) + b"\0\0" + b"\0\4" + b"\0\4" + b"\1"
"""Peer 2 is gone, silent, was ready; its one seat follows."""
SEAT = (40).to_bytes(4, "big") + b"\0"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\2",
        WORD[:8],
        WORD,
        WORD + SEAT[:-1],
        WORD + SEAT + b"\0",
        WORD + (5000).to_bytes(4, "big") + b"\0",
        WORD + (40).to_bytes(4, "big") + b"\x20" + b"\0" * 31 + b"\1",
        WORD + (-2).to_bytes(4, "big", signed=True) + b"\0",
        WORD + (40).to_bytes(4, "big") + b"\xff" + b"\0" * 255,
        bytes((0, 0, 0)) + b"\0\x10" + b"\0\0" + b"\0\0",
        bytes((0, 0, 0)) + b"\0\0" + b"\0\0" + b"\0\4",
        b"\1",
        b"\1\0\2",
        b"\1\0\7" + b"\2" * 30,
        b"\1\0\2\1" + b"\0" * 30,
    ],
)
def test_a_block_about_who_is_gone_that_is_garbage_moves_nothing(payload: bytes) -> None:
    """One error type, and neither round nor frames have changed; the same block, whole, would have dropped somebody."""
    table = playing()
    session = table[0]
    held = list(session.timeline.frames.held)
    session.receive(1, table.forged(1, blocks=[(GONE, payload)]), table.now)
    assert session.malformed == 1
    assert session.gone == {}
    assert session.timeline.frames.held == held
    session.receive(1, table.forged(1, blocks=[(GONE, WORD + SEAT)], seq=10_000), table.now)
    assert session.malformed == 1
    assert set(session.gone) == {2}


@pytest.mark.slow
@given(data=st.data())
def test_whatever_stands_in_such_a_block_one_error_refuses_it_or_it_is_a_word(data: st.DataObject) -> None:
    """Bytes at random, and words with some bytes changed, before and after somebody is gone: nothing raises, and what
    is refused has moved nothing."""
    table = playing(3, settings(max_steps=600, on_drop=data.draw(st.sampled_from(["end", "default_action"]))))
    session = table[0]
    if data.draw(st.booleans()):
        table.passes = only(of=[2])
        session.players_gone([2], table.now)
    seq = 5000
    for _ in range(data.draw(st.integers(1, 6))):
        payload = bytearray(data.draw(st.sampled_from([WORD + SEAT, b"\1\0\2\2" + b"\0" * 20])))
        for place, value in data.draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 255)), max_size=3)):
            payload[place % len(payload)] = value
        if data.draw(st.integers(0, 3)) == 0:
            payload = bytearray(data.draw(st.binary(max_size=40)))
        first, count = data.draw(st.integers(0, 90)), data.draw(st.integers(1, 4))
        run = datagram.Run(data.draw(st.integers(0, 2)), first, [b"\3"] * count)
        seq += 1
        runs = [run] * data.draw(st.integers(0, 1))
        packet = table.forged(
            1, blocks=[(GONE, bytes(payload))], runs=runs, seq=seq,
            first=table[1].dispatched + 1,
        )  # fmt: skip
        before = session.malformed, set(session.gone), list(session.timeline.frames.held), session.timeline.pending
        session.receive(1, packet, table.now)
        # An input that is out of reach, or another one, is refused by itself.
        if session.malformed > before[0] and not runs:
            assert before[1:] == (set(session.gone), list(session.timeline.frames.held), session.timeline.pending)
    press(table, 30)


@pytest.mark.parametrize("episode", [0, 1, 7, 255])
def test_a_word_of_frames_that_nobody_has_holds_nobody_up(episode: int) -> None:
    """Whatever episode it names, in whatever packet: nothing is searched for up to there, and all settle."""
    table = playing(4, settings(max_steps=150, on_drop="default_action"))
    table.passes = only(of=[3])
    table[0].player_left(3, table.now, certain=True)
    word = bytes((0, 0, episode)) + b"\0\0" + b"\0\10" + b"\0\10" + b"\1" + (50_000).to_bytes(4, "big") + b"\0"
    for seq in range(2):
        table[0].receive(2, table.forged(2, seq=9000 + seq, blocks=[(GONE, word)]), table.now)
    press(table, 16)
    assert [len(table.events(peer, PlayerGone)) for peer in range(3)] == [1] * 3


def test_what_a_survivor_says_of_who_is_gone_stops_when_both_know_it_of_each_other() -> None:
    """From then on a packet is as small as ever."""
    table = playing(3, settings(max_steps=600, on_drop="default_action"))
    table[0].player_left(2, table.now, certain=True)
    table.passes = only(of=[2])
    press(table, 20)
    start = [len(sent) for sent in table.sent]
    press(table, 40)
    for peer in (0, 1):
        blocks = [
            kind
            for _duty, to, _seq, payload in table.sent[peer][start[peer] :]
            if _is_datagram(payload) and to != 2
            for kind, _ in datagram.decode(
                payload, [seat.codec for seat in table[0].seats], peer, 2, table[0].frame, 0, 0
            ).blocks
        ]
        assert GONE not in blocks


def test_a_poll_takes_the_channels_of_all_or_of_those_who_are_there() -> None:
    """A page need not know who is gone."""
    table = playing(3, settings(max_steps=600, on_drop="default_action"))
    table[0].players_gone([1], table.now)
    assert [link.seat for link in table[0].there] == [2]
    table[0].poll(table.now, 0, [0, 0])
    table[0].poll(table.now, 0, [0])
    with pytest.raises(Exception, match="3 channel states for 2 links"):
        table[0].poll(table.now, 0, [0, 0, 0])


def test_where_a_policy_plays_beside_the_players_it_goes_on_beside_who_is_left() -> None:
    """A seat that nobody owned before is none of anybody's."""
    table = Table(4, settings(max_steps=120, on_drop="default_action"), peers=[[0], [1], [2]])
    table.start()
    table.ticks(30, 2, 3, 4)
    table[0].player_left(2, table.now, certain=True)
    table.passes = only(of=[2])
    for _ in range(200):
        table.tick(2, 3, 4)
    assert [table[peer].reason for peer in (0, 1)] == ["complete"] * 2
    assert table.published[0] == table.published[1]


def test_a_setting_that_is_no_way_to_go_on_is_refused() -> None:
    """By name, with what there is."""
    with pytest.raises(Exception, match="on_drop is 'wait'; it must be 'end', 'default_action' or 'policy'"):
        settings(on_drop="wait")


def test_players_whose_study_differs_in_what_follows_a_drop_do_not_play() -> None:
    """It is part of what all must agree on."""
    table = Table(2, each=[{"settings": settings()}, {"settings": settings(on_drop="default_action")}])
    table.until(lambda: table[0].phase == FAILED)
    assert table[0].reason == "config"
    assert "on_drop differs" in table.events(0, SessionEnded)[0].text


class GoesAtTheBeginning(Watcher):
    """Page 0 hears late of the others, and is gone once they play: they have its READY, and none of its inputs."""

    mesh: Mesh

    def __init__(self, loss: float) -> None:
        self.loss = loss

    def waking(self, page: Page) -> None:
        one, *others = [of.session.phase for of in self.mesh.peers]
        if page.seat == 0 and one == READYING and others == [PLAYING] * len(others):
            page.vanish()
            self.mesh.conditions = Conditions(delay=0.05, loss=self.loss)


@pytest.mark.parametrize(("seats", "loss", "seed"), [(3, 0.0, 0), (4, 0.6, 6), (5, 0.6, 2)])
def test_who_goes_before_its_first_input_of_an_episode_ends_it_before_its_first_frame(
    seats: int, loss: float, seed: int
) -> None:
    """For all alike, whatever is lost: until each looked around, frames were played and recorded that have no input of
    who is gone; and who ended first was taken for one who had gone as well, and had given more."""
    goes = GoesAtTheBeginning(loss)
    mesh = goes.mesh = Mesh(
        seats, settings(input_delay=0, max_steps=150, dropped_after=4.0), lambda seat: Walk(seats),
        lambda seat: lambda episode, frame: 1 + (3 * frame + 2 * seat) % 5, Conditions(delay=0.05), seed=seed,
        watchers=[goes],
    )  # fmt: skip
    for seat in range(1, seats):
        mesh.way(seat, 0).delay = 1.0
    mesh.run(60.0)
    for page in mesh.peers[1:]:
        assert page.session.reason == "player_left"
        assert page.session.ended == [EpisodeEnded(episode=0, frames=0, reason="player_left")], page.seat
        assert [event.frame for event in page.events(PlayerGone)] == [-1]
        assert not any(page.rows)
