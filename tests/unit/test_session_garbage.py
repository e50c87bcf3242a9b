"""Whatever arrives: nothing raises, and what is not a packet of this session and episode moves nothing."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest
from core_support import Table, datagrams_of, everything, moved, settings, tag_of, visible
from hypothesis import given
from hypothesis import strategies as st

from pycore.duties import P2P, SOCKETIO
from pycore.errors import DecodeError
from pycore.events import Log
from pycore.session.topics.topic import DEAF, END, HASH, OVER, READY, STATUS, STOP
from pycore.wire import datagram, probe

LONG = settings(max_steps=5000)


def playing(wide: bool = False) -> Table:
    """Two seats in the middle of a game, on an unreliable wire, so that something is always outstanding."""
    space: dict[str, Any] = {"type": "any"} if wide else {"type": "discrete", "n": 6}
    table = Table(2, settings(max_steps=5000, action_space=space)).start()
    rng = random.Random(4)
    table.passes = lambda sender, to, what: rng.random() < 0.6
    for tick in range(30):
        table.tick(tick % 6, tick // 2 % 6)
    table[0].news()
    return table


def tagged(table: Table, data: bytes) -> bytes:
    """Garbage behind an honest first byte and tag, so that it reaches the decoder."""
    return bytes((datagram.KIND,)) + tag_of(table[0]).to_bytes(2, "big") + data


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@given(data=st.binary(max_size=60), path=st.sampled_from([P2P, SOCKETIO]))
def test_arbitrary_bytes_move_nothing(data: bytes, path: str) -> None:
    """Bytes without our kind and tag are foreign; they are counted, and that is all."""
    table = playing()
    if datagram.tag_of(data) == tag_of(table[0]):
        return
    before = visible(table[0])
    table[0].receive(1, data, table.now, path)
    assert visible(table[0]) == before
    assert table[0].journal.foreign == 1


@pytest.mark.parametrize("path", [P2P, SOCKETIO])
@pytest.mark.parametrize("back", [1, 20, 150])
def test_a_stop_before_what_everybody_holds_moves_nothing(path: str, back: int) -> None:
    """It would cut off frames that are published, and the state to go back to may be gone."""
    table = Table(2, settings(max_steps=5000)).start()
    table.ticks(200, 1, 2)
    session = table[0]
    session.news()
    frame = min(*session.timeline.frames.held, session.links[0].peer.known) - back
    data = table.forged(1, first=session.frame, receipts=[session.frame], blocks=[(STOP, frame.to_bytes(4, "big"))])
    before = visible(session)
    session.receive(1, data, table.now, path)
    assert visible(session) == before
    assert session.malformed == 1
    table.ticks(20)
    assert session.frame > 215


@given(data=st.binary(max_size=60), wide=st.booleans(), path=st.sampled_from([P2P, SOCKETIO]))
@pytest.mark.slow
def test_what_the_decoder_refuses_moves_nothing(data: bytes, wide: bool, path: str) -> None:
    """One error type inside, none outside, state unchanged, one log line."""
    table = playing(wide)
    session = table[0]
    packet = tagged(table, data)
    try:
        codecs = [seat.codec for seat in session.seats]
        held = session.timeline.frames.held[1]
        datagram.decode(packet, codecs, 1, 1, session.frame, 0, session.links[0].wire.newest + 1, held)
    except DecodeError:
        pass
    else:
        return
    before = visible(session)
    session.receive(1, packet, table.now, path)
    assert visible(session) == before
    assert session.malformed + session.journal.foreign == 1
    logged = [event.level for event in session.news() if isinstance(event, Log)]
    assert logged == ["warning"] * session.malformed


@given(seed=st.integers(0, 10**6), wide=st.booleans())
@pytest.mark.slow
def test_mutated_and_truncated_packets_never_raise(seed: int, wide: bool) -> None:
    """Bits flipped, bytes cut, doubled or replaced, a hundred packets in a row: the session takes or refuses them.

    What still reads as a packet may be believed, but only within the rules: nothing known is lost, known inputs
    never change, nothing is stepped, and no receipt beyond what was dispatched counts.
    """
    rng = random.Random(seed)
    table = playing(wide)
    session = table[0]
    real = datagrams_of(table.sent[1])[-20:]
    frames = session.timeline.frames
    known = {f: frames.encoded[f & frames.mask][1] for f in range(max(0, frames.held[1] - 20), frames.held[1] + 1)}
    held, frame = list(frames.held), session.frame
    for _ in range(100):
        data = bytearray(rng.choice(real))
        for _ in range(rng.randrange(1, 4)):
            kind = rng.randrange(4)
            at = rng.randrange(3, len(data)) if len(data) > 3 else 0
            if kind == 0 and data:
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                del data[at:]
            elif kind == 2:
                data[at:at] = rng.randbytes(rng.randrange(1, 20))
            elif data:
                data[at] = rng.choice((0, 1, 127, 128, 254, 255))
        session.receive(1, bytes(data), table.now, rng.choice((P2P, SOCKETIO)))
    assert session.frame == frame
    assert all(now >= before for now, before in zip(frames.held, held, strict=True))
    assert {f: frames.encoded[f & frames.mask][1] for f in known} == known
    link = session.links[0]
    assert link.own[0].acked <= link.own[0].dispatched
    assert link.peer.known <= session.dispatched
    assert link.peer.episode <= 1
    for _ in range(5):
        table.tick(1, 1)


@pytest.mark.slow
@given(seed=st.integers(0, 10**6))
def test_packets_that_come_again_move_nothing(seed: int) -> None:
    """Every packet and every event of the server that was ever sent arrives a second time, in any order."""
    table = playing()
    table.passes = lambda sender, to, what: True
    table.ticks(6)
    session = table[0]
    again = datagrams_of(table.sent[1])
    random.Random(seed).shuffle(again)
    before = visible(session)
    for data in again:
        session.receive(1, data, table.now)
    # That our ready was heard is a mark on a ready which else is the same.
    assert moved(before, visible(session)) <= {"links[0].peer.ready[0]"}
    assert session.links[0].peer.ready[0][2:] == before["links[0].peer.ready[0]"][2:]


def test_packets_of_an_earlier_episode_move_nothing_but_are_answered() -> None:
    """Late packets of episode k must not land in k+1. The answer tells the sender where we are."""
    table = Table(2, settings(max_steps=40, num_episodes=3, action_space={"type": "discrete", "n": 6}))
    table.until(lambda: table[0].episode == 1 and table[0].frame == 20)
    old = [data for data in datagrams_of(table.sent[1]) if data[4] == 0]
    assert len(old) > 40
    before = visible(table[0])
    for data in old:
        table[0].receive(1, data, table.now)
        table[0].receive(1, data, table.now, SOCKETIO)
    # By the server they are the newest packets that came that way, of which so many were lost, and nothing else.
    assert moved(before, visible(table[0])) == {
        "links[0].flush", "links[0].paths.socket.newest", "links[0].paths.socket.loss",
    }  # fmt: skip
    assert table[0].links[0].flush
    table.tick()
    assert len(datagrams_of(table.outputs[0])) == 1


def test_packets_of_another_session_move_nothing() -> None:
    """Another game, or other players: another tag."""
    table = playing()
    for change in ({"game_id": "other"}, {"players": [0, 2]}):
        other = Table(2, LONG, **change).start()
        other.ticks(20, 3, 4)
        before = visible(table[0])
        for data in datagrams_of(other.sent[1]):
            table[0].receive(1, data, table.now)
        assert visible(table[0]) == before


@pytest.mark.slow
@given(payload=json_values)
def test_any_signal_that_is_no_packet_moves_nothing(payload: Any) -> None:
    """Numbers, lists, text that is no base64: a `webrtc_signal` carries what its sender likes."""
    table = playing()
    before = visible(table[0])
    table[0].receive_signal(1, payload, table.now)
    assert visible(table[0]) == before


@pytest.mark.slow
@given(data=st.binary(max_size=40))
def test_any_base64_signal_is_taken_or_refused(data: bytes) -> None:
    """What arrives through the server is decoded by the same decoder."""
    table = playing()
    before = visible(table[0])
    table[0].receive_signal(1, base64.b64encode(data).decode(), table.now)
    if datagram.tag_of(data) != tag_of(table[0]):
        assert visible(table[0]) == before


@pytest.mark.slow
@given(action=json_values, frame=json_values, epoch=json_values)
def test_any_action_message_is_taken_or_refused(action: Any, frame: Any, epoch: Any) -> None:
    """Frames that are no int, actions outside of the space, epochs of no episode: nothing raises, nothing moves."""
    table = playing()
    session = table[0]
    before = visible(session)
    held, opened = session.timeline.frames.held[1], session.timeline.frames.opened
    accepted = session.receive_action(1, action, frame, epoch, table.now)
    honest = (
        type(action) is int and 0 <= action < 6 and type(frame) is int and type(epoch) is int
        and held < frame <= opened and epoch == 0
    )  # fmt: skip
    assert accepted <= honest
    if not accepted:
        assert moved(before, visible(session)) <= {"journal.contradictions", "links[0].peer.hears_ready"}


def test_a_probe_answer_through_the_server_opens_no_channel() -> None:
    """Only what came over the channel proves the channel."""
    table = Table(2, LONG, channel=-1)
    table.until(lambda: table[0].frame == 5)
    table.channels[0] = [0]
    table.held = True
    table.tick()
    asked = datagrams_of(table.outputs[0], probe.PROBE)[0]
    _, number, _ = probe.decode_probe(asked)
    answer = probe.encode_probe(probe.PROBE_ANSWER, tag_of(table[0]), table[1].incarnation, number)
    table[0].receive(1, answer, table.now, SOCKETIO)
    assert not table[0].links[0].sender
    table[0].receive(1, answer, table.now, P2P)
    assert table[0].links[0].sender


def test_a_flood_of_garbage_is_one_log_line_a_second() -> None:
    """Counted in full, said once."""
    table = playing()
    for number in range(500):
        table[0].receive(1, tagged(table, b"\xff" * (4 + number % 9)), table.now + number / 200)
    assert table[0].malformed == 500
    assert len([event for event in table[0].news() if isinstance(event, Log)]) == 3


SIZES = {STATUS: 1, OVER: 2, DEAF: 1, STOP: 4, END: 8, HASH: 12}
"""What each kind of block measures; a ready is longer than all of these."""


@pytest.mark.parametrize("kind", [HASH, STATUS, STOP, END, READY, OVER, DEAF])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 13, 2000])
def test_a_block_of_a_wrong_size_refuses_the_whole_packet(kind: int, size: int) -> None:
    """Every block is looked at before any of them, or any input, moves anything."""
    if SIZES.get(kind) == size:
        return
    table = playing()
    session = table[0]
    frame = session.timeline.frames.held[1] + 1
    blocks = [(STATUS, b"\1"), (kind, bytes((datagram.VERSION,)) * size)]
    data = table.forged(1, seq=5000, first=frame, receipts=[5], inputs=[b"\5"], blocks=blocks)
    before = everything(session)
    session.receive(1, data, table.now)
    assert {path.split("[")[0] for path in moved(before, everything(session))} <= {
        "journal.malformed", "journal.news", "journal._logged_at", "journal.news.length",
    }  # fmt: skip
    assert session.malformed == 1


def test_an_unknown_kind_of_block_is_passed_over() -> None:
    """A later version may add one: what stands beside it counts."""
    table = playing()
    session = table[0]
    data = table.forged(1, blocks=[(77, b"whatever"), (STATUS, b"\1")])
    session.receive(1, data, table.now)
    assert session.malformed == 0
    assert session.links[0].hidden


@pytest.mark.slow
@given(seed=st.integers(0, 10**6))
def test_runs_of_any_seat_and_length_are_taken_from_their_owner_alone(seed: int) -> None:
    """Whatever a run claims: the seat must be the sender's, and frames out of reach move nothing."""
    rng = random.Random(seed)
    table = playing()
    session = table[0]
    for _ in range(6):
        seat = rng.randrange(4)
        inputs = [bytes((rng.randrange(8),)) for _ in range(rng.randrange(12))]
        first = rng.randrange(0x10000)
        data = table.forged(1, runs=[datagram.Run(seat, first, inputs)], first=session.frame)
        before = everything(session)
        known = session.timeline.frames.held[0]
        session.receive(1, data, table.now)
        if seat != 1 or any(one > b"\5" for one in inputs):
            assert all(path.startswith("journal.") for path in moved(before, everything(session)))
        assert session.timeline.frames.held[0] == known
