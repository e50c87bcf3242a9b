"""Who is in the session: silence and what of it is excused, the server's word, a page that came back, an end."""

from __future__ import annotations

import math
from typing import Any

import pytest
from core_support import PERIOD, Table, settings, tag_of

from pycore.duties import CHANNEL_CLOSED, EMIT, SOCKETIO
from pycore.errors import UsageError
from pycore.events import EpisodeEnded, PathChanged, PeerStatus, SessionEnded
from pycore.link.link import HICCUPS_MOST
from pycore.session.membership import WORD_BELIEVED
from pycore.session.moments import LATE_TICKS
from pycore.session.phases import BETWEEN, CONNECTING, DONE, HOLDING, PLAYING, READYING
from pycore.session.session import Session
from pycore.session.vigil import Vigil
from pycore.testing import Walk
from pycore.wire import probe

LONG = settings(max_steps=5000)


def playing(seats: int = 2, of: Any = LONG, **more: Any) -> Table:
    """Everybody plays, for a moment already."""
    table = Table(seats, of, **more).start()
    table.ticks(20)
    return table


def cut_off(table: Table, *peers: int) -> None:
    """Nothing comes of these any more, on any path."""
    table.passes = lambda sender, to, what: sender not in peers


def statuses(table: Table, peer: int) -> list[tuple[int, str]]:
    """What one peer told of the others' presence."""
    return [(event.seat, event.status) for event in table.events(peer, PeerStatus)]


def causes(table: Table, peer: int) -> list[str]:
    """The causes of one peer's changes of path."""
    return [event.cause for event in table.events(peer, PathChanged)]


def only_0(table: Table, seconds: float, gap: float) -> float | None:
    """Only seat 0 ticks, once every `gap` seconds, for so long; returns after how many seconds it was over."""
    start = table.now
    while table.now - start < seconds:
        table.now += gap
        table.poll(0)
        table.advance(0)
        if table[0].phase == DONE:
            return table.now - start
    return None


@pytest.mark.parametrize(("fps", "looks"), [(8, 1), (16, 2), (32, 4), (64, 4), (128, 4)])
def test_nobody_looks_around_more_often_than_four_times_a_second(
    fps: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every eighth tick; with more frames a second than 32 it is no more often for that."""
    table = playing(of=settings(max_steps=5000, fps=fps))
    seen = []
    monkeypatch.setattr(Vigil, "look", lambda vigil, now, confirmed: seen.append(now))
    for _ in range(4 * fps):
        table.now += 1 / fps
        table.poll(0)
    assert len(seen) == 4 * looks


# -- silence and its excuse ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hidden", "least"), [(False, 0.5), (True, 1.5)])
def test_silence_is_longer_for_a_page_that_is_hidden(hidden: bool, least: float) -> None:
    """Half a second; a hidden page ticks once a second, so for it one and a half."""
    table = playing()
    table.hidden[1] = hidden
    table.ticks(8)
    assert table[0].links[0].hidden is hidden
    cut_off(table, 1)
    since = table.now
    table.until(lambda: table[0].links[0].fallback is not None)
    assert table[0].links[0].fallback == "silence"
    assert least < table.now - since <= least + 3 * PERIOD


def test_inputs_that_stay_unacknowledged_are_unheard_after_1_75_s() -> None:
    """The peer is heard and tells nothing of ours: whatever it is, ours go the other way."""
    table = playing()

    def deafen(sender: int, to: int, what: Any) -> bool:
        if to == 0 and isinstance(what, bytes):
            table[0].receive(1, table.forged(1, seq=20_000 + int(table.now / PERIOD)), table.now)
        return to == 1

    table.passes = deafen
    since = table.now
    table.until(lambda: table[0].links[0].fallback is not None)
    assert table[0].links[0].fallback == "unheard"
    assert 1.75 < table.now - since <= 1.75 + 3 * PERIOD


@pytest.mark.parametrize("pause", [0.25, 3.0, 19.9, 3600.0])
def test_of_a_pause_of_our_own_only_the_excess_is_excused(pause: float) -> None:
    """Six ticks count as silence, what is longer is ours: a page that slept for an hour drops nobody for it."""
    table = playing()
    heard = table.now
    table.now += pause
    table.poll(0)
    assert table[0].phase == PLAYING
    assert statuses(table, 0) == []
    assert table[0].links[0].fallback is None
    cut_off(table, 1)
    quiet = LATE_TICKS * PERIOD
    table.until(lambda: table[0].links[0].fallback is not None)
    # From here on every tick is counted.
    assert table.now - heard - pause == pytest.approx(0.5 - quiet, abs=2 * PERIOD)


def test_a_page_that_hiccups_again_and_again_still_notices_that_its_partner_is_gone() -> None:
    """Pauses of 0.4 s are excused but for six ticks, five seconds in all: else it would last twice as long."""
    table = playing()
    cut_off(table, 1)
    over = only_0(table, 60.0, 0.4)
    assert over == pytest.approx(20.0 + HICCUPS_MOST, abs=0.6)
    assert table[0].reason == "player_left"
    assert statuses(table, 0) == [(1, "interrupted")]
    assert causes(table, 0)[0] == "silence"


def test_a_slow_page_notices_as_fast_as_a_quick_one() -> None:
    """Ticks that are up to six periods apart are no pause: nothing of them is excused."""
    table = playing()
    cut_off(table, 1)
    assert only_0(table, 60.0, LATE_TICKS * PERIOD) == pytest.approx(20.0, abs=9 * LATE_TICKS * PERIOD)


def test_a_clock_that_is_set_back_takes_no_time_away() -> None:
    """An hour back: nobody is waited for an hour longer, and what was measured stays true."""
    table = playing()
    for back in (3600.0, 30.0):
        table.now -= back
        table.ticks(20)
        assert [session.phase for session in table.sessions] == [PLAYING, PLAYING]
        assert [session.stalled for session in table.sessions] == [False, False]
    cut_off(table, 1)
    since = table.now
    table.until(lambda: table[0].phase == DONE)
    assert 20.0 <= table.now - since <= 20.5
    assert 0.0 <= (table[0].links[0].rtt or 0.0) < 0.2


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
def test_what_is_no_time_is_refused_and_moves_nothing(time: float) -> None:
    """Once handed in, no later moment came after it: every poll raised, elsewhere, and the session never ended."""
    table = playing()
    one = table[0]
    begun: dict[str, Any] = {
        "simulation": Walk(2), "settings": settings(), "game_id": "g", "players": [1, 2], "me": 0, "now": 0.0,
        "wall_ms": 0.0,
    }  # fmt: skip
    for call in (
        lambda: one.poll(time, 0, [0]), lambda: one.advance(time), lambda: one.receive(1, b"", time),
        lambda: one.player_left(1, time), lambda: one.request_stop(time), lambda: one.abort(time, "error", "it broke"),
        lambda: one.player_back(1, time), lambda: Session(**{**begun, "now": time}),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=r"the time is -?(nan|inf); it must be a number of seconds"):
            call()
    for call in (lambda: one.set_wall_ms(table.now, time), lambda: Session(**{**begun, "wall_ms": time})):
        with pytest.raises(UsageError, match=r"the wall time is -?(nan|inf); it must be a number of milliseconds"):
            call()
    table.ticks(20)
    assert [session.phase for session in table.sessions] == [PLAYING, PLAYING]
    assert [session.stalled for session in table.sessions] == [False, False]
    cut_off(table, 1)
    table.until(lambda: one.phase == DONE)


def test_who_is_interrupted_is_back_when_heard_on_any_path() -> None:
    """By the server alone is enough: both paths are listened to."""
    table = playing()
    cut_off(table, 1)
    table.until(lambda: statuses(table, 0) == [(1, "interrupted")])
    assert table[0].is_interrupted(1)
    table.passes = lambda sender, to, what: sender == 0 or not isinstance(what, bytes)
    table.ticks(40)
    assert statuses(table, 0) == [(1, "interrupted"), (1, "present")]
    assert not table[0].is_interrupted(1)


def test_silence_before_an_episode_runs_interrupts_and_drops_nobody() -> None:
    """Who loads slowly is waited for by `p2p_wait` and `ready_timeout`, which say so by name."""
    table = Table(2, settings(max_steps=5000, p2p_wait=30.0, dropped_after=2.0, interrupted_after=1.0), channel=-1)
    cut_off(table, 1)
    table.ticks(32 * 10)
    assert table[0].phase == CONNECTING
    assert statuses(table, 0) == []


# -- the server's word --------------------------------------------------------------------------------------------


def test_the_servers_word_ends_nothing_while_the_peer_is_heard_over_its_channel() -> None:
    """Its socket is away; the game goes on peer-to-peer to its very end."""
    table = playing(of=settings(max_steps=200))
    table.socket[1] = False
    table[0].player_left(1, table.now)
    table.finish()
    assert [session.reason for session in table.sessions] == ["complete", "complete"]
    assert table.published[0] == table.published[1]
    assert len(table.published[0]) == 201


def test_with_the_servers_word_a_silence_of_the_channel_ends_it_after_2_s() -> None:
    """It need not be waited for by `dropped_after`: both of its ways are gone."""
    table = playing()
    table[0].player_left(1, table.now)
    cut_off(table, 1)
    since = table.now
    table.until(lambda: table[0].phase == DONE)
    assert 2.0 <= table.now - since <= 2.5
    assert table[0].reason == "player_left"
    assert table.events(0, SessionEnded)[0].text == "player 1 left the game"


def test_with_the_servers_word_a_closed_channel_ends_it_after_two_seconds() -> None:
    """Nothing is left by which the peer could come, unless it is back at the server: that would be heard by then."""
    table = playing()
    table[0].player_left(1, table.now)
    table.ticks(4)
    assert table[0].phase == PLAYING
    table.channels = [[CHANNEL_CLOSED], [CHANNEL_CLOSED]]
    table.socket[1] = False
    since = table.now
    table.until(lambda: table[0].phase == DONE, most=100)
    assert table.now - since == pytest.approx(WORD_BELIEVED, abs=9 * PERIOD)
    assert table[0].ended == [EpisodeEnded(episode=0, frames=table[0].published + 1, reason="player_left")]


@pytest.mark.parametrize("phase", [CONNECTING, READYING, PLAYING, HOLDING, BETWEEN])
def test_without_a_channel_the_servers_word_ends_the_session_in_every_phase(phase: int) -> None:
    """At once, also before a frame was stepped and between two episodes."""
    table = Table(2, settings(max_steps=30, num_episodes=2, episode_pause=2.0, p2p_wait=1.0), channel=-1)
    if phase == READYING:
        table.passes = lambda sender, to, what: False
    table.until(lambda: table[0].phase == phase)
    table[0].player_left(1, table.now)
    assert table[0].phase == DONE
    assert table[0].reason == "player_left"


def test_the_word_for_one_of_three_ends_it_for_all_alike() -> None:
    """Whoever hears it passes it on; nobody plays on with a hole in the table."""
    table = playing(3, channel=-1)
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    table[0].player_left(2, table.now)
    table.ticks(32)
    assert [table[0].reason, table[1].reason] == ["player_left", "player_left"]
    assert [table.events(peer, SessionEnded)[0].text for peer in (0, 1)] == ["player 2 left the game"] * 2
    assert table.published[0] == table.published[1]


@pytest.mark.parametrize("word", ["left", "gone"])
@pytest.mark.parametrize("pause", [3.0, 60.0])
def test_a_word_that_waited_while_we_stood_still_makes_nobody_silent(pause: float, word: str) -> None:
    """A page wakes, and reads the server's word of player 2 before what player 1 said meanwhile: the pause is its own,
    and player 1 is neither interrupted nor complained of."""
    table = playing(3, settings(max_steps=5000, on_drop="default_action"))
    table.now += pause
    if word == "left":
        table[0].player_left(2, table.now)
    else:
        table[0].players_gone([2], table.now)
    cut_off(table, 2)
    # Before it steps again it hears what waited.
    table.poll(1)
    table.deliver()
    said = len(table.sent[0])
    table.ticks(6)
    assert table[0].phase == PLAYING
    assert [status for status in statuses(table, 0) if status[0] == 1] == []
    emitted = [payload[0] for duty, _to, _seq, payload in table.sent[0][said:] if duty == EMIT]
    assert "player_silent" not in emitted
    if word == "gone":
        assert statuses(table, 0) == [(2, "gone")]


@pytest.mark.parametrize("pause", [3.0, 60.0])
def test_a_word_that_waited_while_we_stood_still_ends_no_game_that_goes_on_by_the_channel(pause: float) -> None:
    """The partner's socket was lost meanwhile, as it says; by its channel it is there."""
    table = playing()
    table.now += pause
    table.socket[1] = False
    table[0].player_left(1, table.now)
    table.ticks(40)
    assert [session.phase for session in table.sessions] == [PLAYING, PLAYING]
    assert statuses(table, 0) == []
    cut_off(table, 1)
    since = table.now
    table.until(lambda: table[0].phase == DONE)
    assert table.now - since <= 2.5


# -- a page that was loaded again ---------------------------------------------------------------------------------


def reload(table: Table, seat: int, **changes: Any) -> Table:
    """The page of a seat is loaded again: another session sits there, with another incarnation."""
    anew = Table(len(table.sessions), table.settings, now=table.now, **changes)
    table.sessions[seat] = anew.sessions[seat]
    return table


@pytest.mark.parametrize("channel", [0, -1])
def test_a_page_that_was_loaded_again_ends_the_session_on_both_sides(channel: int) -> None:
    """The running game is not its game: it would be fed with inputs of another one."""
    table = playing(channel=channel)
    published = list(table.published[0])
    reload(table, 1)
    assert table[1].incarnation != table[0].links[0].peer.incarnation
    table.ticks(64)
    assert table[0].phase == table[1].phase == DONE
    assert [session.reason for session in table.sessions] == ["returned", "returned"]
    assert table.events(0, SessionEnded)[0].text == "player 1's page was loaded anew"
    assert table.events(0, EpisodeEnded)[0].reason == "returned"
    assert table.published[0][: len(published)] == published
    assert table[1].frame == 0


def test_the_others_learn_that_somebody_elses_page_was_loaded_again_as_a_leaving() -> None:
    """Only the page itself is told that it came back; the third one has lost a player."""
    table = playing(3)
    reload(table, 2)
    # Player 1 hears nothing of the new page: it knows of it by player 0 alone.
    table.passes = lambda sender, to, what: (sender, to) != (2, 1)
    table.ticks(32)
    assert [session.reason for session in table.sessions] == ["player_left", "player_left", "returned"]
    assert [table[peer].gone[2].cause for peer in (0, 1)] == ["returned", "returned"]


def test_some_probes_of_another_load_are_enough_where_nobody_returns() -> None:
    """They come before anything else of a page that connects, and say which load it is; one might be anything."""
    table = playing(of=settings(max_steps=2000, return_within=0.0))
    low = (table[1].incarnation + 1) & 0xFF
    table.passes = lambda sender, to, what: to == 1
    for number in range(3):
        assert table[0].reason == ""
        table[0].receive(1, probe.encode_probe(probe.PROBE, table[0]._identity.tag, low, number), table.now)
        if number < 2:
            table.ticks(8)
    table.ticks(8)
    assert table[0].reason == "returned"


def test_packets_of_another_load_between_those_of_the_right_one_are_nobody() -> None:
    """Who was loaded again says nothing more as who it was: here it still speaks, and the others may be anything."""
    table = playing()
    low = (table[1].incarnation + 1) & 0xFF
    for number in range(9):
        table[0].receive(1, probe.encode_probe(probe.PROBE, table[0]._identity.tag, low, number), table.now)
        table.ticks(2)
    assert table[0].reason == ""


def test_a_load_with_the_same_low_byte_is_told_apart_by_its_ready() -> None:
    """The ready has the whole number."""
    each = [{"incarnation": 5}, {"incarnation": 0x1007}]
    table = playing(each=each)
    reload(table, 1, each=[{"incarnation": 5}, {"incarnation": 0x2007}])
    table.until(lambda: table[0].phase == DONE, most=300)
    assert table[0].reason == "returned"


def test_the_packets_of_another_load_move_nothing() -> None:
    """Its inputs are of another game, although game, players and tag are the same."""
    table = playing()
    session = table[0]
    held = list(session.timeline.frames.held)
    data = table.forged(1, first=held[1] + 1, inputs=[b"\5"] * 3, incarnation=table[1].incarnation + 1)
    for path in ("p2p", SOCKETIO):
        session.receive(1, data, table.now, path)
    assert session.timeline.frames.held == held


@pytest.mark.parametrize("epoch", [0, None], ids=["with an epoch", "without"])
def test_a_message_behind_a_packet_of_another_load_is_no_input_of_the_right_one(epoch: int | None) -> None:
    """A message of the server's way does not say of which load it is; the same one counts once the right load spoke."""
    table = playing(channel=-1)
    session = table[0]
    frame = session.timeline.frames.held[1] + 1
    low = (table[1].incarnation + 1) & 0xFF
    session.receive(1, probe.encode_probe(probe.PROBE, tag_of(session), low, 1), table.now, SOCKETIO)
    assert not session.receive_action(1, 3, frame, epoch, table.now)
    assert session.timeline.frames.held[1] == frame - 1
    session.receive(1, table.forged(1, first=frame, seq=table[1].frame), table.now, SOCKETIO)
    assert session.receive_action(1, 3, frame, epoch, table.now)
    assert session.timeline.frames.held[1] == frame


# -- a session that is over ---------------------------------------------------------------------------------------


def test_two_players_never_drop_each_other() -> None:
    """A cut that is longer on one side: the first to give up says so, and the other follows instead of judging."""
    table = playing(of=settings(max_steps=5000, dropped_after=4.0))
    cut_off(table, 0, 1)
    table.until(lambda: table[0].phase == DONE or table[1].phase == DONE)
    table.passes = lambda sender, to, what: True
    table.finish(most=64)
    reasons = sorted(session.reason for session in table.sessions)
    assert reasons in (["dropped", "player_left"], ["player_left", "player_left"])
    assert table.published[0] == table.published[1]


def test_who_was_frozen_and_dropped_is_told_when_it_wakes() -> None:
    """However late: the session that went on answers the first packet."""
    table = playing(of=settings(max_steps=5000, dropped_after=4.0))
    for _ in range(32 * 30):
        table.now += table.period
        table.poll(0)
        table.mail.clear()
        table.advance(0)
    assert table[0].reason == "player_left"
    table.until(lambda: table[1].phase == DONE, most=32)
    assert table[1].reason == "dropped"
    assert "had not heard of us for too long" in table.events(1, SessionEnded)[0].text


def test_when_one_of_three_is_dropped_it_is_told_so_and_the_others_not() -> None:
    """Each learns what is true for itself."""
    table = playing(3, settings(max_steps=5000, dropped_after=4.0))
    table.passes = lambda sender, to, what: sender != 2
    table.until(lambda: table[0].phase == DONE and table[1].phase == DONE)
    table.passes = lambda sender, to, what: True
    table.finish(most=64)
    assert [session.reason for session in table.sessions] == ["player_left", "player_left", "dropped"]
