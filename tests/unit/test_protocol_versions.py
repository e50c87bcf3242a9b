"""Two versions of the protocol at one table: each side names the difference instead of waiting for the other.

The datagrams of protocol 1 are built here byte by byte: what old pages send does not change any more.
"""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from core_support import Table, datagrams_of, everything, moved, settings, signals_of, tag_of

from pycore.duties import P2P, SEND, SOCKETIO
from pycore.events import SessionEnded
from pycore.session.phases import CONNECTING, FAILED, PLAYING
from pycore.session.topics.topic import READY
from pycore.values import canonical
from pycore.wire import datagram, version1

HEADER = struct.Struct(">BHBHBBHBb")
"""kind, tag, episode, seq, echo, hold, first, flags, advantage; then a receipt for each player but the sender."""
BLOCK = struct.Struct(">BH")
OLD = 0xB1
BLOCKS = 0x40


def old(tag: int, *, players: int = 2, episode: int = 0, blocks: bytes = b"", inputs: bytes = b"") -> bytes:
    """A datagram as protocol 1 has it: without incarnation, every receipt one byte."""
    flags = len(inputs) | (BLOCKS if blocks else 0)
    return HEADER.pack(OLD, tag, episode, 0, 0, 255, 1, flags, 0) + bytes(players - 1) + inputs + blocks


def old_ready(protocol: int = 1) -> bytes:
    """Its ready: protocol, marks, hash of the initial state, canonical form of a configuration (here an empty one)."""
    payload = bytes((protocol, 0)) + b"initials" + b"\x08\x00"
    return BLOCK.pack(READY, len(payload)) + payload


def read_old(data: bytes, players: int) -> tuple[tuple[int, ...], bytes, list[tuple[int, bytes]]]:
    """Header, receipts and blocks, as strictly as protocol 1 reads them: nothing may be left over."""
    header = HEADER.unpack_from(data)
    at = HEADER.size + players - 1
    receipts = data[HEADER.size : at]
    assert 255 not in receipts
    assert header[7] == BLOCKS
    blocks = []
    while at < len(data):
        kind, length = BLOCK.unpack_from(data, at)
        at += BLOCK.size
        assert at + length <= len(data)
        blocks.append((kind, data[at : at + length]))
        at += length
    return header, receipts, blocks


def answers(outputs: list[Any], path: str) -> list[bytes]:
    """What of these goes to the peer in protocol 1."""
    if path == P2P:
        return [data for duty, _l, _s, data in outputs if duty == SEND and data[0] == OLD]
    signals = [base64.b64decode(signal["payload"]) for signal in signals_of(outputs)]
    return [data for data in signals if data[0] == OLD]


@pytest.mark.parametrize("players", [2, 3, 8])
@pytest.mark.parametrize("path", [P2P, SOCKETIO])
@pytest.mark.parametrize("episode", [0, 1])
def test_a_datagram_of_protocol_1_is_answered_in_protocol_1_with_a_ready_of_version_2(
    players: int, path: str, episode: int
) -> None:
    """By the way that it came, for the episode that it is of, and readable to the last byte."""
    table = Table(players, settings(max_steps=5000))
    table[0].receive(1, old(tag_of(table[0]), players=players, episode=episode), table.now, path)
    table.held = True
    table.tick()
    (answer,) = answers(table.outputs[0], path)
    header, receipts, blocks = read_old(answer, players)
    assert header == (OLD, tag_of(table[0]), episode, 0, 0, 255, 0, BLOCKS, 0)
    assert receipts == bytes(players - 1)
    ((kind, ready),) = blocks
    assert kind == READY
    # An old page looks at the first byte, and reads nothing more of what is not 1.
    assert ready[0] == datagram.VERSION == 2
    assert 12 <= len(ready) <= 1024


@pytest.mark.parametrize("path", [P2P, SOCKETIO])
def test_our_side_names_both_versions_and_the_player(path: str) -> None:
    """Within eight ticks of the first packet, long before `p2p_wait` and `ready_timeout` are over."""
    table = Table(2, settings(max_steps=5000), players=["new", "old"])
    table.passes = lambda sender, to, what: False
    table[0].receive(1, old(tag_of(table[0]), blocks=old_ready()), table.now, path)
    table.ticks(8)
    assert (table[0].phase, table[0].reason) == (FAILED, "version")
    text = table.events(0, SessionEnded)[0].text
    assert text == "player old: the protocol version differs: 2 here, 1 there; use the same wheel"


def test_a_session_that_ended_by_that_goes_on_answering() -> None:
    """The old page may wait for a peer-to-peer path first and look at a ready only then."""
    table = Table(2, settings(max_steps=5000))
    table.passes = lambda sender, to, what: False
    for _ in range(5):
        table[0].receive(1, old(tag_of(table[0])), table.now, SOCKETIO)
        table.ticks(40)
    seqs = [read_old(answer, 2)[0][3] for answer in answers(table.sent[0], SOCKETIO)]
    # Ascending, or an old page would take them for old packets.
    assert seqs == [0, 1, 2, 3, 4]
    assert table[0].reason == "version"


def test_the_configuration_in_the_answer_is_an_empty_dictionary() -> None:
    """Even an old page that read on would find what it can decode."""
    answer = version1.refusal(old(7), 7, 1, 3)
    ready = read_old(answer, 2)[2][0][1]
    assert canonical.decode(ready[10:]) == {}


def test_two_bytes_of_tag_are_looked_at_before_anything_is_answered() -> None:
    """Another session's old page is foreign, as is what is too short, or of no kind that protocol 1 has."""
    table = Table(2, settings(max_steps=5000)).start()
    tag = tag_of(table[0])
    before = everything(table[0])
    for data in (old(tag ^ 1), old(tag)[:11], b"\xb2" + old(tag)[1:], b"\xb3" + old(tag)[1:8], b"\xb1"):
        table[0].receive(1, data, table.now)
    assert moved(before, everything(table[0])) == {"journal.foreign"}
    assert table[0].journal.foreign == 5
    table.ticks(16)
    assert table[0].phase == PLAYING


def test_inputs_of_protocol_1_are_never_taken() -> None:
    """Whatever a packet of it carries, the frames stay as they were."""
    table = Table(2, settings(max_steps=5000)).start()
    table.ticks(10)
    frames = table[0].timeline.frames
    before = (list(frames.held), list(frames.missing), [list(row) for row in frames.encoded])
    table[0].receive(1, old(tag_of(table[0]), inputs=b"\5\5\5\5"), table.now)
    assert (list(frames.held), list(frames.missing), [list(row) for row in frames.encoded]) == before


@pytest.mark.parametrize("version", [1, 3, 77])
def test_a_ready_of_another_version_in_our_own_datagram_is_named_too(version: int) -> None:
    """A later protocol may keep the datagram and change the ready: its first byte is the version in all of them."""
    table = Table(2, settings(max_steps=5000))
    table.passes = lambda sender, to, what: False
    table[0].receive(1, table.forged(1, blocks=[(READY, bytes((version,)) + b"in another form")]), table.now, SOCKETIO)
    assert table[0].phase == CONNECTING
    table.ticks(8)
    assert table[0].reason == "version"
    assert f"2 here, {version} there" in table.events(0, SessionEnded)[0].text
    assert datagrams_of(table.sent[0], OLD) == []


def test_our_kinds_are_none_of_protocol_1_and_none_of_the_pages_own() -> None:
    """An old page drops our packets unread; the page's decoder has 0x01 to 0x14."""
    ours = {datagram.KIND, datagram.KIND + 1, datagram.KIND + 2}
    assert not ours & {0xB1, 0xB2, 0xB3, *range(0x01, 0x15)}
    assert not version1.is_version_1(bytes((datagram.KIND,)) + bytes(20), 0)
