"""The one datagram that a link carries per tick, and the probe beside it.

Layout of a datagram, big-endian::

    u8  kind        0xB1: the page's own decoder knows 0x01-0x07 and 0x10-0x14 only, and ignores the rest
    u16 tag         of the session; another session's packets are dropped unread
    u8  episode     modulo 256
    u16 seq         counts the datagrams of this link and path
    u8  echo        low byte of the newest seq that came by this path
    u8  hold        ms between its arrival and this sending; 255: no sample
    u16 first       frame of the first input, modulo 65,536
    u8  flags       bits 0-4 count of inputs, 5 SPLIT, 6 BLOCKS
    i8  advantage   the sender's frame advantage over the receiver, in quarters of a frame, clamped
        receipts    one per other player: the last frame up to which the sender holds all of that player's
                    inputs, as zigzag u8 relative to `first`; 255 announces an i32 instead
        inputs      `count` encoded actions of consecutive frames
        SPLIT       u16 frame and u8 count of a second run, and its inputs
        BLOCKS      u8 type, u16 length, payload, until the end

With two players and four one-byte inputs that is 17 bytes. A probe is
``u8 kind (0xB2 asks, 0xB3 answers), u16 tag, u16 number, u8 ms between the question's arrival and the answer``.

Decoding checks every length before it reads and raises DecodeError, nothing else.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from pycore.actions.codec import ActionCodec
from pycore.errors import DecodeError

KIND: Final = 0xB1
PROBE: Final = 0xB2
PROBE_ANSWER: Final = 0xB3

COUNT: Final = 0x1F
SPLIT: Final = 0x20
BLOCKS: Final = 0x40

MAX_RUN: Final = COUNT
NO_SAMPLE: Final = 255

# Types of blocks. An unknown type is skipped, so that a later version may add one.
BLOCK_HASH: Final = 1
BLOCK_READY: Final = 2
BLOCK_STATUS: Final = 3
BLOCK_STOP: Final = 4
BLOCK_END: Final = 5
BLOCK_OVER: Final = 7
"""The sender's session is over; u8 0 asks whether the receiver's is too, 1 knows it."""
BLOCK_DEAF: Final = 6
"""The sender hears nothing of the receiver peer-to-peer; u8 counts how often that was so."""

_HEADER: Final = struct.Struct(">BHBHBBHBbB")
"""With the first receipt: there is always one."""
_ESCAPED: Final = struct.Struct(">i")
_RUN: Final = struct.Struct(">HB")
_BLOCK: Final = struct.Struct(">BH")
_PROBE: Final = struct.Struct(">BHHB")
HEADER_BYTES: Final = _HEADER.size - 1
PROBE_BYTES: Final = _PROBE.size


class Datagram(NamedTuple):
    """A decoded datagram; frames and seq are unwrapped around what the receiver expects."""

    episode: int
    seq: int
    echo: int
    hold: int
    first: int
    flags: int
    advantage: int
    receipts: tuple[int, ...]
    inputs: list[bytes]
    second: int
    """First frame of the second run; 0 without one."""
    second_inputs: list[bytes]
    blocks: list[tuple[int, bytes]]


def unwrap(value: int, bits: int, around: int) -> int:
    """The number nearest to `around` whose low `bits` bits are `value`."""
    half = 1 << (bits - 1)
    return around + ((value - around + half) & ((1 << bits) - 1)) - half


def encode_block(kind: int, payload: bytes) -> bytes:
    """One block with its type and length."""
    return _BLOCK.pack(kind, len(payload)) + payload


def encode_run(first: int, inputs: list[bytes]) -> bytes:
    """A second run of inputs, to go behind the first one."""
    return _RUN.pack(first & 0xFFFF, len(inputs)) + b"".join(inputs)


def encode(
    tag: int,
    episode: int,
    seq: int,
    echo: int,
    hold: int,
    first: int,
    flags: int,
    advantage: int,
    receipts: list[int],
    body: bytes,
) -> bytes:
    """A datagram; `body` is the inputs, then the second run, then the blocks, as `flags` says."""
    if len(receipts) == 1:
        away = receipts[0] - first
        zigzag = away << 1 if away >= 0 else (-away << 1) - 1
        tail = b"" if zigzag < 255 else _ESCAPED.pack(receipts[0])
        if zigzag > 255:
            zigzag = 255
    else:
        zigzag, tail = _receipts(first, receipts)
    return (
        _HEADER.pack(
            KIND, tag, episode & 0xFF, seq & 0xFFFF, echo, hold, first & 0xFFFF, flags,
            advantage if -129 < advantage < 128 else -128 if advantage < 0 else 127,
            zigzag,
        )
        + tail
        + body
    )  # fmt: skip


def _receipts(first: int, receipts: list[int]) -> tuple[int, bytes]:
    """The first receipt's byte, which stands in the header, and what comes behind it."""
    parts = []
    for receipt in receipts:
        away = receipt - first
        zigzag = away << 1 if away >= 0 else (-away << 1) - 1
        parts.append(bytes((zigzag,)) if zigzag < 255 else b"\xff" + _ESCAPED.pack(receipt))
    whole = b"".join(parts)
    return whole[0], whole[1:]


def decode(
    data: bytes, codec: ActionCodec, receipts: int, frame: int, episode: int, seq: int, held: int = -(1 << 31)
) -> Datagram:
    """Decode a datagram whose kind and tag were looked at already.

    `receipts` is the number of players but the sender; `frame`, `episode` and `seq` are what the wrapped
    numbers are unwrapped around. Inputs of the first run up to frame `held` are passed over. Raises DecodeError.
    """
    size = len(data)
    if size < HEADER_BYTES + receipts:
        raise DecodeError(f"a datagram has at least {HEADER_BYTES + receipts} bytes, this one {size}")
    _kind, _tag, raw_episode, raw_seq, echo, hold, raw_first, flags, advantage, zigzag = _HEADER.unpack_from(data)
    first = frame + ((raw_first - frame + 32768) & 0xFFFF) - 32768
    known: tuple[int, ...]
    if receipts == 1 and zigzag != 255:
        at = HEADER_BYTES + 1
        known = (first - ((zigzag + 1) >> 1) if zigzag & 1 else first + (zigzag >> 1),)
    else:
        known, at = _decode_receipts(data, receipts, first)
    count = flags & COUNT
    skip = held - first + 1
    if skip <= 0:
        skip = 0
    elif skip > count:
        skip = count
    inputs, at = codec.split(data, at, count, skip)
    second = 0
    second_inputs: list[bytes] = []
    blocks: list[tuple[int, bytes]] = []
    if flags & SPLIT:
        if at + _RUN.size > size:
            raise DecodeError("the second run is cut off")
        raw_second, count = _RUN.unpack_from(data, at)
        second = unwrap(raw_second, 16, frame)
        second_inputs, at = codec.split(data, at + _RUN.size, count)
    if flags & BLOCKS:
        blocks, at = _decode_blocks(data, at)
    if at != size:
        raise DecodeError(f"{size - at} bytes behind the end of a datagram")
    # Without the constructor, which would unpack and pack all twelve again.
    return tuple.__new__(
        Datagram,
        (
            episode + ((raw_episode - episode + 128) & 0xFF) - 128,
            seq + ((raw_seq - seq + 32768) & 0xFFFF) - 32768,
            echo, hold, first + skip, flags, advantage, known, inputs, second, second_inputs, blocks,
        ),
    )  # fmt: skip


def _decode_receipts(data: bytes, receipts: int, first: int) -> tuple[tuple[int, ...], int]:
    at = HEADER_BYTES
    size = len(data)
    held = []
    for _ in range(receipts):
        if at >= size:
            raise DecodeError("a receipt is cut off")
        zigzag = data[at]
        at += 1
        if zigzag == 255:
            if at + _ESCAPED.size > size:
                raise DecodeError("a receipt is cut off")
            held.append(_ESCAPED.unpack_from(data, at)[0])
            at += _ESCAPED.size
        else:
            held.append(first - ((zigzag + 1) >> 1) if zigzag & 1 else first + (zigzag >> 1))
    return tuple(held), at


def _decode_blocks(data: bytes, at: int) -> tuple[list[tuple[int, bytes]], int]:
    size = len(data)
    blocks = []
    while at < size:
        if at + _BLOCK.size > size:
            raise DecodeError("a block is cut off")
        kind, length = _BLOCK.unpack_from(data, at)
        at += _BLOCK.size
        if at + length > size:
            raise DecodeError(f"block {kind} ends at byte {at + length} of {size}")
        blocks.append((kind, data[at : at + length]))
        at += length
    return blocks, at


def encode_probe(kind: int, tag: int, number: int, hold: int = 0) -> bytes:
    """A probe or the answer to one; `hold` in milliseconds."""
    return _PROBE.pack(kind, tag, number & 0xFFFF, hold if 0 <= hold < NO_SAMPLE else NO_SAMPLE)


def decode_probe(data: bytes) -> tuple[int, int]:
    """Number and hold (ms) of a probe or of an answer; raises DecodeError."""
    if len(data) != PROBE_BYTES:
        raise DecodeError(f"a probe has {PROBE_BYTES} bytes, this one {len(data)}")
    return data[3] << 8 | data[4], data[5]


def tag_of(data: bytes) -> int:
    """The session's tag in any packet of ours; -1 if it is too short or not ours."""
    if len(data) < PROBE_BYTES or not KIND <= data[0] <= PROBE_ANSWER:
        return -1
    return data[1] << 8 | data[2]
