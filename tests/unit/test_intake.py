"""What is taken in of what the peers send, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from core_support import Table, datagrams_of, settings

from pycore.duties import CHANNEL_NEVER, SOCKETIO
from pycore.session.phases import DONE
from pycore.session.topics import ready
from pycore.session.topics.topic import END, READY
from pycore.wire import datagram

LONG = settings(max_steps=5000)


def playing(seats: int = 2, ticks: int = 12, **more: Any) -> Table:
    """Everybody plays, peer-to-peer, for a moment already."""
    table = Table(seats, LONG, **more).start()
    table.ticks(ticks)
    return table


def counts(table: Table, seat: int, to: int | None = None) -> dict[str, int]:
    """The counts of a seat's link."""
    of = table[seat].link_to(1 - seat if to is None else to).counts
    return {name: getattr(of, name) for name in of.__slots__}


def _sixth(table: Table, action: Any, frame: Any, epoch: Any) -> bool:
    return table[0].receive_action(1, action, frame, epoch, table.now)


def test_an_input_with_the_epoch_of_another_episode_is_refused() -> None:
    """Socket.io delivers late, and episode e's input must not land in e+1."""
    table = playing()
    frame = table[0].timeline.frames.held[1] + 1
    before = counts(table, 0)
    assert not _sixth(table, 1, frame, 1)
    assert not _sixth(table, 1, frame, -1)
    assert counts(table, 0) == before
    assert _sixth(table, 1, frame, 0)
    assert counts(table, 0)["received_via_socketio"] == 1


def test_without_an_epoch_an_input_counts_only_behind_its_senders_ready() -> None:
    """Where the server leaves sync_epoch out, order on the socket replaces it."""
    table = playing()
    frame = table[0].timeline.frames.held[1] + 1
    assert table[0].links[0].peer.ready_by_socket == -1
    assert not _sixth(table, 1, frame, None)
    table[0].links[0].peer.said_ready(0, b"", None, True)
    assert _sixth(table, 1, frame, None)


@pytest.mark.parametrize("pause", [0.0, 0.4])
def test_a_server_that_leaves_the_epoch_out_delays_nothing(pause: float) -> None:
    """A ready that comes while we are still in the episode before counts for its own episode: no input is refused,
    none has to be sent twice."""
    table = Table(2, settings(max_steps=40, num_episodes=4, p2p=False, episode_pause=pause), channel=CHANNEL_NEVER)

    def passes(sender: int, to: int, what: Any) -> bool:
        if what[0] == "pyodide_player_action":
            assert table[to].receive_action(sender, what[1]["action"], what[1]["frame_number"], None, table.now)
            return False
        return True

    table.passes = passes
    table.until(lambda: all(session.phase == DONE for session in table.sessions))
    for seat in (0, 1):
        assert counts(table, seat)["resent_via_socketio"] == 0


@pytest.mark.parametrize("action", [6, -1, 1.5, "1", None, [1], {"a": 1}, True, float("nan")])
def test_an_action_outside_of_the_space_is_refused(action: Any) -> None:
    """What came through the server is checked like what came by the channel."""
    table = playing()
    frame = table[0].timeline.frames.held[1] + 1
    before = table[0].malformed
    assert not _sixth(table, action, frame, 0)
    assert table[0].malformed == before + 1
    assert table[0].timeline.frames.held[1] == frame - 1


@pytest.mark.parametrize("frame", [None, "7", 7.0, True, [7], 10**6, -(10**6)])
def test_a_frame_that_is_none_or_out_of_reach_is_refused(frame: Any) -> None:
    """Held < frame <= current + window + delay, or it moves nothing."""
    table = playing()
    held = list(table[0].timeline.frames.held)
    assert not _sixth(table, 1, frame, 0)
    assert table[0].timeline.frames.held == held
    assert table[0].timeline.newest[1] < 1000


def test_a_packet_of_the_next_episode_is_the_receipt_for_all_of_this_one() -> None:
    """Whoever says e+1 has everything of e."""
    table = Table(2, settings(max_steps=30, num_episodes=2)).start()
    table.until(lambda: table[0].timeline.end is not None)
    session, link = table[0], table[0].links[0]
    table.passes = lambda sender, to, what: False
    table.ticks(2)
    assert link.peer.known < session.dispatched
    data = table.forged(1, episode=1)
    session.receive(1, data, table.now)
    assert link.own[0].acked == link.own[0].dispatched
    assert link.peer.known == session.dispatched
    assert link.peer.episode == 1


def test_an_end_that_comes_late_does_not_replace_a_later_word() -> None:
    """Packets overtake each other; the end with the most inputs behind it is the last one said."""
    table = playing()
    session, link = table[0], table[0].links[0]

    def end(frame: int, dispatched: int) -> bytes:
        payload = frame.to_bytes(4, "big") + dispatched.to_bytes(4, "big", signed=True)
        return table.forged(1, blocks=[(END, payload)])

    for said, known in (((40, 41), (40, 41)), ((38, 44), (38, 44)), ((40, 41), (38, 44)), ((39, 44), (39, 44))):
        session.receive(1, end(*said), table.now)
        assert link.peer.end == (*known, False)


@pytest.mark.parametrize("ahead", [2, 3, 100])
def test_a_packet_of_an_episode_that_nobody_can_be_in_is_refused(ahead: int) -> None:
    """A peer is at most one episode ahead; anything else moves nothing."""
    table = playing()
    session = table[0]
    data = table.forged(1, episode=ahead, receipts=[5000])
    session.receive(1, data, table.now)
    assert session.links[0].peer.episode == 0
    assert session.malformed == 1


def test_packets_of_another_session_are_dropped_unread() -> None:
    """The tag is of game and players; malformed is what is ours and wrong, foreign what is not ours."""
    table, other = playing(), playing(game_id="another")
    other.poll(1, 5)
    data = datagrams_of(other.sent[1])[-1]
    table[0].receive(1, data, table.now)
    assert (table[0].journal.foreign, table[0].malformed) == (1, 0)


def test_a_ready_for_the_next_episode_counts_for_it_when_we_get_there() -> None:
    """It came by the socket while we were still in this one: no input behind it is refused later."""
    table = playing()
    session = table[0]
    payload = ready.encode(False, table[1].incarnation, b"12345678", (1, 1), ready.digests(table[1].configuration))
    data = table.forged(1, episode=1, seq=5, blocks=[(READY, payload)])
    session.receive(1, data, table.now)
    assert session.links[0].peer.ready_by_socket == -1
    session.receive(1, data, table.now, SOCKETIO)
    assert session.links[0].peer.ready_by_socket == 1
    assert 1 in session.links[0].peer.ready


def test_inputs_of_a_seat_that_the_sender_does_not_own_refuse_the_whole_packet() -> None:
    """Neither ours nor a third one's: who owns a seat speaks for it, and the inputs beside do not count either."""
    table = playing(3)
    session = table[0]
    held = list(session.timeline.frames.held)
    for seat in (0, 2):
        run = datagram.Run(seat, held[seat] + 1, [b"\5"])
        data = table.forged(1, first=held[1] + 1, receipts=[held[0], held[2]], inputs=[b"\4"], runs=[run])
        session.receive(1, data, table.now)
    assert session.timeline.frames.held == held
    assert session.malformed == 2


def test_a_run_counts_like_the_inputs_in_front() -> None:
    """Every input of it once, from the sender's seat, as far as the ring reaches."""
    table = playing()
    session = table[0]
    frame = session.timeline.frames.held[1] + 1
    run = datagram.Run(1, frame + 2, [b"\3", b"\4"])
    before = counts(table, 0)["received_via_p2p"]
    for _ in range(2):
        session.receive(1, table.forged(1, first=frame, inputs=[b"\1", b"\2"], runs=[run]), table.now)
    assert session.timeline.frames.held[1] == frame + 3
    assert [session.timeline.used(1, frame + offset) for offset in range(4)] == [b"\1", b"\2", b"\3", b"\4"]
    assert counts(table, 0)["received_via_p2p"] == before + 4
    assert session.contradictions == session.malformed == 0


def test_a_receipt_beyond_what_was_dispatched_counts_for_nothing() -> None:
    """Nobody can hold what was never sent."""
    table = playing()
    session, link = table[0], table[0].links[0]
    acked, known = link.own[0].acked, link.peer.known
    session.receive(1, table.forged(1, receipts=[session.dispatched + 1]), table.now)
    assert (link.own[0].acked, link.peer.known) == (acked, known)
    session.receive(1, table.forged(1, seq=10001, receipts=[session.dispatched]), table.now)
    assert (link.own[0].acked, link.peer.known) == (session.dispatched, session.dispatched)


def test_with_three_players_a_receipt_of_all_is_the_least_of_its_receipts() -> None:
    """What a peer holds of us is acknowledged by its receipt of us, what it holds of everybody by the lowest."""
    table = playing(3)
    session, link = table[0], table[0].links[0]
    known = link.peer.known
    session.receive(1, table.forged(1, receipts=[session.dispatched, known + 1]), table.now)
    assert link.own[0].acked == session.dispatched
    assert link.peer.known == known + 1


def test_an_advantage_that_no_clock_has_is_no_advantage() -> None:
    """Beyond ten seconds of frames it is noise or malice: time sync does not follow it."""
    table = playing()
    session = table[0]
    before = session._parts.timesync.offset
    session.receive(1, table.forged(1, advantage=-32768), table.now)
    assert session._parts.timesync.offset == before
    session.receive(1, table.forged(1, seq=10001, advantage=-80), table.now)
    assert session._parts.timesync.offset > before
