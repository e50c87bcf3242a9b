"""The datagram byte for byte, and its decoder."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.actions.codec import AnyCodec, DiscreteCodec
from pycore.errors import DecodeError
from pycore.wire import datagram
from pycore.wire.datagram import BLOCKS, SPLIT, decode, encode, unwrap

SIX = DiscreteCodec(6)


def test_two_players_and_four_one_byte_inputs_take_17_bytes() -> None:
    """Twelve bytes of numbers, one receipt, four inputs, spelled out."""
    data = encode(0xABCD, 2, 0x1234, 0x56, 7, 100, 4, -3, [98], b"\1\2\3\4")
    assert data == bytes.fromhex("b1 abcd 02 1234 56 07 0064 04 fd 03 01020304")
    assert len(data) == 17


def test_the_first_byte_is_none_that_the_pages_decoder_knows() -> None:
    """The page's own packets begin with 0x01-0x07 and 0x10-0x14; ours never do."""
    for kind in (datagram.KIND, datagram.PROBE, datagram.PROBE_ANSWER):
        assert kind not in (*range(0x01, 0x08), *range(0x10, 0x15))


def test_a_receipt_far_away_is_escaped_in_five_bytes() -> None:
    """Within 127 frames a receipt takes one byte, further away four more."""
    near = encode(1, 0, 0, 0, 255, 200, 0, 0, [200 - 127], b"")
    far = encode(1, 0, 0, 0, 255, 200, 0, 0, [200 - 128], b"")
    assert len(far) - len(near) == 4
    for data, receipt in ((near, 73), (far, 72)):
        assert decode(data, SIX, 1, 200, 0, 0).receipts == (receipt,)


@given(
    tag=st.integers(0, 65535),
    episode=st.integers(0, 1000),
    seq=st.integers(0, 10**6),
    echo=st.integers(0, 255),
    hold=st.integers(0, 255),
    frame=st.integers(0, 10**6),
    away=st.integers(-30_000, 30_000),
    advantage=st.integers(-500, 500),
    receipts=st.lists(st.integers(-1, 10**6), min_size=1, max_size=7),
    inputs=st.lists(st.integers(0, 5), max_size=31),
    second=st.lists(st.integers(0, 5), max_size=31),
    blocks=st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=20)), max_size=3),
)
def test_what_was_encoded_is_decoded(
    tag: int, episode: int, seq: int, echo: int, hold: int, frame: int, away: int, advantage: int,
    receipts: list[int], inputs: list[int], second: list[int], blocks: list[tuple[int, bytes]],
) -> None:  # fmt: skip
    """All fields come back, wrapped numbers unwrapped around what the receiver expects, the advantage clamped."""
    first = max(0, frame + away)
    one = [SIX.encode(i) for i in inputs]
    two = [SIX.encode(i) for i in second]
    body = b"".join(one)
    flags = len(one)
    if two:
        body += datagram.encode_run(first + 40, two)
        flags |= SPLIT
    if blocks:
        body += b"".join(datagram.encode_block(kind, payload) for kind, payload in blocks)
        flags |= BLOCKS
    data = encode(tag, episode, seq, echo, hold, first, flags, advantage, receipts, body)
    assert datagram.tag_of(data) == tag
    packet = decode(data, SIX, len(receipts), first - (away % 7), episode, seq)
    assert (packet.episode, packet.seq, packet.echo, packet.hold) == (episode, seq, echo, hold)
    assert (packet.first, packet.inputs) == (first, one)
    assert packet.second_inputs == two
    assert not two or packet.second == first + 40
    assert packet.receipts == tuple(receipts)
    assert packet.advantage == max(-128, min(127, advantage))
    assert packet.blocks == blocks


@pytest.mark.parametrize("frame", [0, 65_535, 65_536, 70_000, 131_071, 131_072, 10**7])
def test_frames_are_unwrapped_around_the_current_one(frame: int) -> None:
    """Frame 65,536 is not frame 0: the nearest number with the same low bits is meant."""
    for away in (-30_000, -1, 0, 1, 30_000):
        if frame + away >= 0:
            data = encode(1, 0, 0, 0, 255, frame + away, 1, 0, [frame + away - 1], b"\0")
            packet = decode(data, SIX, 1, frame, 0, 0)
            assert (packet.first, packet.receipts) == (frame + away, (frame + away - 1,))


@pytest.mark.parametrize(("seq", "around"), [(65_536, 65_530), (65_535, 65_540), (200_000, 199_000)])
def test_sequence_numbers_are_unwrapped_around_the_newest(seq: int, around: int) -> None:
    """After 65,536 packets the numbers go on."""
    assert decode(encode(1, 0, seq, 0, 255, 0, 0, 0, [0], b""), SIX, 1, 0, 0, around).seq == seq


@pytest.mark.parametrize(("episode", "around"), [(256, 255), (255, 256), (300, 299), (0, 1)])
def test_episodes_are_unwrapped_around_the_running_one(episode: int, around: int) -> None:
    """One byte is enough: a peer is at most one episode away."""
    assert decode(encode(1, episode, 0, 0, 255, 0, 0, 0, [0], b""), SIX, 1, 0, around, 0).episode == episode


@given(value=st.integers(0, 2**40), bits=st.sampled_from([8, 16]), off=st.integers(-127, 127))
def test_unwrap_finds_the_nearest_number(value: int, bits: int, off: int) -> None:
    """Whatever is less than half a turn away comes back exactly."""
    assert unwrap(value & ((1 << bits) - 1), bits, value + off) == value


@given(data=st.binary(max_size=80), receipts=st.integers(1, 7), wide=st.booleans())
def test_arbitrary_bytes_raise_one_error_type(data: bytes, receipts: int, wide: bool) -> None:
    """DecodeError and nothing else."""
    try:
        decode(data, AnyCodec() if wide else SIX, receipts, 100, 0, 0)
    except DecodeError:
        pass
    else:
        assert len(data) >= datagram.HEADER_BYTES + receipts


REAL = encode(
    7, 1, 300, 12, 5, 90, 3 | SPLIT | BLOCKS, 1, [88, 2**20], b"\1\2\3" + datagram.encode_run(120, [b"\4", b"\5"])
    + datagram.encode_block(datagram.BLOCK_STOP, b"\0\0\0\7")
)  # fmt: skip


def test_a_packet_that_is_cut_anywhere_is_refused() -> None:
    """Every length is checked before it is read: no prefix of a real packet passes but the block's whole ones."""
    whole = decode(REAL, SIX, 2, 90, 1, 300)
    assert whole.second_inputs == [b"\4", b"\5"]
    refused = 0
    for end in range(len(REAL)):
        try:
            shorter = decode(REAL[:end], SIX, 2, 90, 1, 300)
        except DecodeError:
            refused += 1
        else:
            assert shorter.blocks == []
    assert refused >= len(REAL) - 1


def test_bytes_behind_the_end_are_refused() -> None:
    """A packet is what its header says, no more."""
    with pytest.raises(DecodeError, match="1 bytes behind the end"):
        decode(encode(1, 0, 0, 0, 255, 0, 1, 0, [0], b"\0\0"), SIX, 1, 0, 0, 0)


def test_an_input_outside_of_the_action_space_is_refused() -> None:
    """What nobody could have encoded is no input."""
    with pytest.raises(DecodeError, match="none of 6"):
        decode(encode(1, 0, 0, 0, 255, 0, 1, 0, [0], b"\6"), SIX, 1, 0, 0, 0)


def test_a_probe_and_its_answer_carry_number_and_hold() -> None:
    """Six bytes each; a hold above 254 ms, or below 0, is no sample."""
    for hold, said in ((0, 0), (254, 254), (255, 255), (9999, 255), (-1, 255)):
        data = datagram.encode_probe(datagram.PROBE_ANSWER, 0x0102, 70_000, hold)
        assert data == bytes((0xB3, 1, 2)) + (70_000 & 0xFFFF).to_bytes(2, "big") + bytes((said,))
        assert datagram.decode_probe(data) == (70_000 & 0xFFFF, said)
    with pytest.raises(DecodeError):
        datagram.decode_probe(data + b"\0")


@pytest.mark.parametrize(
    "data", [b"", b"\xb1", b"\xb1\0\0\0\0", b"\x01\0\0\0\0\0\0", b"\xb0\0\0\0\0\0", b"\xb4\0\0\0\0\0"]
)
def test_what_is_not_ours_has_no_tag(data: bytes) -> None:
    """Too short, or another first byte: not ours."""
    assert datagram.tag_of(data) == -1


def test_an_unknown_block_is_handed_on() -> None:
    """A later version may add block types: they decode, and whoever does not know them skips them."""
    body = datagram.encode_block(200, b"later") + datagram.encode_block(datagram.BLOCK_STATUS, b"\1")
    packet: Any = decode(encode(1, 0, 0, 0, 255, 0, BLOCKS, 0, [0], body), SIX, 1, 0, 0, 0)
    assert packet.blocks == [(200, b"later"), (datagram.BLOCK_STATUS, b"\1")]
