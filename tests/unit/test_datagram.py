"""The datagram byte for byte, and its decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.actions.codec import ActionCodec, AnyCodec, DiscreteCodec
from pycore.errors import DecodeError
from pycore.wire import datagram, probe
from pycore.wire.datagram import BLOCKS, RUNS, Datagram, Run, encode, unwrap

SIX = DiscreteCodec(6)
STOP = 4


def decode(
    data: bytes, receipts: int = 1, frame: int = 0, episode: int = 0, seq: int = 0, seats: Sequence[ActionCodec] = ()
) -> Datagram:
    """As a receiver does who holds nothing of the sender, which owns seat 0."""
    return datagram.decode(data, seats or [SIX] * 8, 0, receipts, frame, episode, seq)


def packed(
    first: int = 0, flags: int = 0, body: bytes = b"", receipts: Sequence[int] = (0,), *, seq: int = 0,
    episode: int = 0, advantage: int = 0,
) -> bytes:  # fmt: skip
    """A datagram of which only this matters."""
    return encode(1, 0, episode, seq, 0, 255, first, flags, advantage, receipts, body)


def test_two_players_and_four_one_byte_inputs_take_18_bytes() -> None:
    """Thirteen bytes of numbers, one receipt, four inputs, spelled out."""
    data = encode(0xABCD, 0x12345699, 2, 0x1234, 0x56, 7, 100, 4, -3, [98], b"\1\2\3\4")
    assert data == bytes.fromhex("b4 abcd 99 02 1234 56 07 0064 04 fd 03 01020304")
    assert len(data) == 18


def test_the_first_byte_is_none_that_the_pages_decoder_knows() -> None:
    """The page's own packets begin with 0x01-0x07 and 0x10-0x14; ours never do."""
    for kind in (datagram.KIND, probe.PROBE, probe.PROBE_ANSWER):
        assert kind not in (*range(0x01, 0x08), *range(0x10, 0x15))


def test_a_receipt_far_away_is_escaped_in_five_bytes() -> None:
    """Within 127 frames a receipt takes one byte, further away four more."""
    near = packed(200, receipts=[200 - 127])
    far = packed(200, receipts=[200 - 128])
    assert len(far) - len(near) == 4
    for data, receipt in ((near, 73), (far, 72)):
        assert decode(data, frame=200).receipts == (receipt,)


@pytest.mark.parametrize("advantage", [-128, 127, -129, 128, 4000, -32_768, 32_767])
@pytest.mark.parametrize("receipts", [[], [5], [5, -1], [10**6]])
def test_an_advantage_does_not_saturate(advantage: int, receipts: list[int]) -> None:
    """A byte holds 32 frames; where that is too small it takes two more, so that a slow peer can be told from a
    slower one."""
    data = packed(9, 2, b"\1\2", receipts, advantage=advantage)
    plain = packed(9, 2, b"\1\2", receipts)
    assert len(data) - len(plain) == (0 if -129 < advantage < 128 else 2)
    packet = decode(data, len(receipts))
    assert (packet.advantage, packet.receipts, packet.inputs) == (advantage, tuple(receipts), [b"\1", b"\2"])


CODECS: tuple[ActionCodec, ...] = (
    SIX, DiscreteCodec(1000), AnyCodec(), DiscreteCodec(256), AnyCodec(), SIX, DiscreteCodec(300), SIX,
)  # fmt: skip
"""Seats need not play the same kind of game."""
runs = st.tuples(
    st.integers(0, 7), st.integers(-30_000, 30_000), st.lists(st.integers(0, 5), max_size=datagram.MAX_RUN)
)


@given(
    tag=st.integers(0, 65535),
    incarnation=st.integers(0, 2**32 - 1),
    episode=st.integers(0, 1000),
    seq=st.integers(0, 10**6),
    echo=st.integers(0, 255),
    hold=st.integers(0, 255),
    frame=st.integers(0, 10**6),
    away=st.integers(-30_000, 30_000),
    advantage=st.integers(-40_000, 40_000),
    receipts=st.lists(st.integers(-1, 10**6), max_size=8),
    own=st.integers(-1, 7),
    inputs=st.lists(st.integers(0, 5), max_size=31),
    more=st.lists(runs, max_size=5),
    blocks=st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20)), max_size=3),
    held=st.integers(-3, 35),
)
def test_what_was_encoded_is_decoded(
    tag: int, incarnation: int, episode: int, seq: int, echo: int, hold: int, frame: int, away: int, advantage: int,
    receipts: list[int], own: int, inputs: list[int], more: list[tuple[int, int, list[int]]],
    blocks: list[tuple[int, bytes]], held: int,
) -> None:  # fmt: skip
    """Whoever owns which seats: all fields come back, wrapped numbers unwrapped around what the receiver expects,
    the advantage clamped, and of the first run what the receiver does not hold."""
    first = max(0, frame + away)
    around = first - (away % 7)
    one = [CODECS[own].encode(i) for i in inputs] if own >= 0 else []
    further = [Run(seat, around + off, [CODECS[seat].encode(i) for i in row]) for seat, off, row in more]
    flags = len(one) | (RUNS if further else 0) | (BLOCKS if blocks else 0)
    body = b"".join(one) + datagram.encode_runs(further)
    body += b"".join(datagram.encode_block(kind, payload) for kind, payload in blocks)
    data = encode(tag, incarnation, episode, seq, echo, hold, first, flags, advantage, receipts, body)
    assert datagram.tag_of(data) == tag
    packet = datagram.decode(data, CODECS, own, len(receipts), around, episode, seq, first + held)
    skipped = min(len(one), max(0, held + 1))
    assert packet == Datagram(
        incarnation & 0xFF, episode, seq, echo, hold, max(-32_768, min(32_767, advantage)), tuple(receipts),
        first + skipped, one[skipped:], further, blocks,
    )  # fmt: skip


@pytest.mark.parametrize("frame", [0, 65_535, 65_536, 70_000, 131_071, 131_072, 10**7])
def test_frames_are_unwrapped_around_the_current_one(frame: int) -> None:
    """Frame 65,536 is not frame 0: the nearest number with the same low bits is meant."""
    for away in (-30_000, -1, 0, 1, 30_000):
        if frame + away >= 0:
            packet = decode(packed(frame + away, 1, b"\0", [frame + away - 1]), frame=frame)
            assert (packet.first, packet.receipts) == (frame + away, (frame + away - 1,))


@pytest.mark.parametrize(("seq", "around"), [(65_536, 65_530), (65_535, 65_540), (200_000, 199_000)])
def test_sequence_numbers_are_unwrapped_around_the_newest(seq: int, around: int) -> None:
    """After 65,536 packets the numbers go on."""
    assert decode(packed(seq=seq), seq=around).seq == seq


@pytest.mark.parametrize(("episode", "around"), [(256, 255), (255, 256), (300, 299), (0, 1)])
def test_episodes_are_unwrapped_around_the_running_one(episode: int, around: int) -> None:
    """One byte is enough: a peer is at most one episode away."""
    assert decode(packed(episode=episode), episode=around).episode == episode


@given(value=st.integers(0, 2**40), bits=st.sampled_from([8, 16]), off=st.integers(-127, 127))
def test_unwrap_finds_the_nearest_number(value: int, bits: int, off: int) -> None:
    """Whatever is less than half a turn away comes back exactly."""
    assert unwrap(value & ((1 << bits) - 1), bits, value + off) == value


@given(
    head=st.sampled_from([b"", b"\xb4\0\1\0\0\0\0\0\0\0\0"]),
    flags=st.sampled_from([b"", b"\x20", b"\x23", b"\x63", b"\xff", b"\x82"]),
    tail=st.binary(max_size=80),
    seats=st.integers(1, 8),
    own=st.integers(-1, 7),
    receipts=st.integers(0, 8),
    held=st.integers(-5, 200),
)
def test_arbitrary_bytes_raise_one_error_type(
    head: bytes, flags: bytes, tail: bytes, seats: int, own: int, receipts: int, held: int
) -> None:
    """DecodeError and nothing else, whoever owns what."""
    data = head + flags + tail
    codecs = CODECS[:seats]
    try:
        packet = datagram.decode(data, codecs, min(own, seats - 1), receipts, 100, 0, 0, held)
    except DecodeError:
        return
    assert len(data) >= datagram.HEADER_BYTES + receipts
    assert all(run.seat < seats for run in packet.runs)
    for run in packet.runs:
        for encoded in run.inputs:
            codecs[run.seat].decode(encoded)


REAL = encode(
    7, 9, 1, 300, 12, 5, 90, 3 | RUNS | BLOCKS, 500, [88, 2**20],
    b"\1\2\3" + datagram.encode_runs([Run(0, 120, [b"\4", b"\5"]), Run(2, 80, [b"\1"])])
    + datagram.encode_block(STOP, b"\0\0\0\7")
)  # fmt: skip


def test_a_packet_that_is_cut_anywhere_is_refused() -> None:
    """Every length is checked before it is read: no prefix of a real packet passes but the block's whole ones."""
    whole = decode(REAL, 2, 90, 1, 300)
    assert whole.runs == [Run(0, 120, [b"\4", b"\5"]), Run(2, 80, [b"\1"])]
    refused = 0
    for end in range(len(REAL)):
        try:
            shorter = decode(REAL[:end], 2, 90, 1, 300)
        except DecodeError:
            refused += 1
        else:
            assert shorter.blocks == []
    assert refused >= len(REAL) - 1


def test_bytes_behind_the_end_are_refused() -> None:
    """A packet is what its header says, no more."""
    with pytest.raises(DecodeError, match="1 bytes behind the end"):
        decode(packed(0, 1, b"\0\0"))


def test_an_input_outside_of_the_action_space_is_refused() -> None:
    """What nobody could have encoded is no input, in the first run and in any other."""
    with pytest.raises(DecodeError, match="none of 6"):
        decode(packed(0, 1, b"\6"))
    with pytest.raises(DecodeError, match="none of 6"):
        decode(packed(0, RUNS, datagram.encode_runs([Run(5, 0, [b"\6"])])))


def test_a_run_of_a_seat_that_does_not_exist_is_refused() -> None:
    """And inputs of whoever has no seat."""
    body = datagram.encode_runs([Run(2, 0, [b"\1"])])
    with pytest.raises(DecodeError, match="seat 2; there are 2 seats"):
        decode(packed(0, RUNS, body), seats=[SIX, SIX])
    with pytest.raises(DecodeError, match="without a seat"):
        datagram.decode(packed(0, 1, b"\0"), [SIX], -1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xb4", b"\xb4\0\0\0\0\0", b"\x01\0\0\0\0\0\0", b"\xb1\0\0\0\0\0\0", b"\xb3\0\0\0\0\0\0",
     b"\xb8\0\0\0\0\0\0"],
)  # fmt: skip
def test_what_is_not_ours_has_no_tag(data: bytes) -> None:
    """Too short, or another first byte, protocol 1's as well: not ours."""
    assert datagram.tag_of(data) == -1


def test_an_unknown_block_is_handed_on() -> None:
    """A later version may add block types: they decode, and whoever does not know them skips them."""
    body = datagram.encode_block(200, b"later") + datagram.encode_block(3, b"\1")
    packet: Any = decode(packed(0, BLOCKS, body))
    assert packet.blocks == [(200, b"later"), (3, b"\1")]
