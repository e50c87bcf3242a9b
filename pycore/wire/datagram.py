"""The one datagram that a link carries per tick.

Layout, big-endian::

    u8  kind         0xB4: the page's own decoder knows 0x01-0x07 and 0x10-0x14 only, and ignores the rest
    u16 tag          of the session; another session's packets are dropped unread
    u8  incarnation  low byte of the sender's: each load of a page has its own number
    u8  episode      modulo 256
    u16 seq          counts the datagrams of this link and path
    u8  echo         low byte of the newest seq that came by this path
    u8  hold         ms between its arrival and this sending; 255: no sample
    u16 first        frame of the first input, modulo 65,536
    u8  flags        bits 0-4 count of inputs, 5 RUNS, 6 BLOCKS, 7 WIDE
    i8  advantage    the sender's frame advantage over the receiver, in quarters of a frame
        WIDE         i16: the advantage where a byte is too small for it
        receipts     one per seat that the sender does not own: the last frame up to which the sender holds all
                     of that seat's inputs, as zigzag u8 relative to `first`; 255 announces an i32 instead
        inputs       `count` encoded actions of consecutive frames of the sender's first seat
        RUNS         further runs: u8 seat (bit 7: another run follows this one), u16 first frame, u8 count, inputs
        BLOCKS       u8 type, u16 length, payload, until the end

With two players and four one-byte inputs that is 18 bytes. A run may be of any seat.

Decoding checks every length before it reads and raises DecodeError, nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pycore.actions.codec import ActionCodec
from pycore.errors import DecodeError
from pycore.frozen import Named

VERSION: Final = 2
KIND: Final = 0xB4

COUNT: Final = 0x1F
RUNS: Final = 0x20
BLOCKS: Final = 0x40
WIDE: Final = 0x80

MAX_RUN: Final = COUNT
NO_SAMPLE: Final = 255
FURTHEST: Final = 8191.0
"""Frames of advantage that the wide form holds."""

_HEADER: Final = struct.Struct(">BHBBHBBHBb")
_WITH_RECEIPT: Final = struct.Struct(">BHBBHBBHBbB")
"""With the first receipt: nearly every datagram has one, and most have one only."""
_WIDE: Final = struct.Struct(">h")
_ESCAPED: Final = struct.Struct(">i")
_RUN: Final = struct.Struct(">BHB")
_BLOCK: Final = struct.Struct(">BH")
_MORE: Final = 0x80
HEADER_BYTES: Final = _HEADER.size
RUN_BYTES: Final = _RUN.size
BLOCK_BYTES: Final = _BLOCK.size


class Run(Named):
    """Inputs of consecutive frames of one seat."""

    seat: int
    first: int
    inputs: list[bytes]


class Datagram(Named):
    """A decoded datagram; frames and seq are unwrapped around what the receiver expects."""

    incarnation: int
    episode: int
    seq: int
    echo: int
    hold: int
    advantage: int
    """Quarters of a frame."""
    receipts: tuple[int, ...]
    """By seat, without the sender's own seats."""
    first: int
    inputs: list[bytes]
    """Of the sender's first seat, without those that the receiver holds."""
    runs: list[Run]
    blocks: list[tuple[int, bytes]]


Fields = tuple[
    int, int, int, int, int, int, tuple[int, ...], int, list[bytes], list[Run], list[tuple[int, bytes]]
]  # fmt: skip
"""A `Datagram` without its names, which would cost every message."""


def unwrap(value: int, bits: int, around: int) -> int:
    """The number nearest to `around` whose low `bits` bits are `value`."""
    half = 1 << (bits - 1)
    return around + ((value - around + half) & ((1 << bits) - 1)) - half


def encode_block(kind: int, payload: bytes) -> bytes:
    """One block with its type and length."""
    return _BLOCK.pack(kind, len(payload)) + payload


def encode_runs(runs: Sequence[Run]) -> bytes:
    """Further runs of inputs, to go behind the first one."""
    parts = []
    left = len(runs)
    for seat, first, inputs in runs:
        left -= 1
        parts.append(_RUN.pack(seat | _MORE if left else seat, first & 0xFFFF, len(inputs)))
        parts.extend(inputs)
    return b"".join(parts)


def weight_of(runs: Sequence[Run]) -> int:
    """Bytes of further runs."""
    return sum([RUN_BYTES + sum([len(data) for data in run.inputs]) for run in runs])


def runs_of(seat: int, inputs: Mapping[int, bytes], room: int) -> list[Run]:
    """Inputs of one seat, by frame in ascending order, as runs: as many of the first as have room."""
    runs: list[Run] = []
    for frame, encoded in inputs.items():
        last = runs[-1] if runs else None
        joins = last is not None and last.first + len(last.inputs) == frame and len(last.inputs) < MAX_RUN
        room -= len(encoded) + (0 if joins else RUN_BYTES)
        if room < 0:
            break
        if last is not None and joins:
            last.inputs.append(encoded)
        else:
            runs.append(Run(seat, frame, [encoded]))
    return runs


def encode(
    tag: int,
    incarnation: int,
    episode: int,
    seq: int,
    echo: int,
    hold: int,
    first: int,
    flags: int,
    advantage: int,
    receipts: Sequence[int],
    body: bytes,
) -> bytes:
    """A datagram; `body` is the inputs, then further runs, then the blocks, as `flags` says."""
    if len(receipts) == 1 and -129 < advantage < 128:
        away = receipts[0] - first
        zigzag = away << 1 if away >= 0 else (-away << 1) - 1
        if zigzag < 255:
            return (
                _WITH_RECEIPT.pack(
                    KIND, tag, incarnation & 0xFF, episode & 0xFF, seq & 0xFFFF, echo, hold, first & 0xFFFF, flags,
                    advantage, zigzag,
                )
                + body
            )  # fmt: skip
    parts = []
    if not -129 < advantage < 128:
        flags |= WIDE
        parts.append(_WIDE.pack(advantage if -32769 < advantage < 32768 else 32767 if advantage > 0 else -32768))
        advantage = 0
    for receipt in receipts:
        away = receipt - first
        zigzag = away << 1 if away >= 0 else (-away << 1) - 1
        parts.append(bytes((zigzag,)) if zigzag < 255 else b"\xff" + _ESCAPED.pack(receipt))
    head = _HEADER.pack(
        KIND, tag, incarnation & 0xFF, episode & 0xFF, seq & 0xFFFF, echo, hold, first & 0xFFFF, flags, advantage
    )
    return head + b"".join(parts) + body


def decode(
    data: bytes,
    seats: Sequence[ActionCodec],
    own: int,
    receipts: int,
    frame: int,
    episode: int,
    seq: int,
    held: int = -(1 << 31),
) -> Datagram:
    """Decode a datagram, by the names of its fields; the arguments are those of `take_apart`. Raises DecodeError."""
    return Datagram(*take_apart(data, seats, own, receipts, frame, episode, seq, held))


def take_apart(
    data: bytes,
    seats: Sequence[ActionCodec],
    own: int,
    receipts: int,
    frame: int,
    episode: int,
    seq: int,
    held: int = -(1 << 31),
) -> Fields:
    """The fields of a datagram whose kind and tag were looked at already, in the order of `Datagram`.

    `seats` are the codecs by seat, `own` is the sender's first seat (-1: it has none), `receipts` the number of seats
    that are not the sender's; `frame`, `episode` and `seq` are what the wrapped numbers are unwrapped around. Inputs of
    the first run up to frame `held` are passed over. Raises DecodeError.
    """
    size = len(data)
    if size < HEADER_BYTES + receipts:
        raise DecodeError(f"a datagram has at least {HEADER_BYTES + receipts} bytes, this one {size}")
    if receipts == 1:
        (_kind, _tag, incarnation, raw_episode, raw_seq, echo, hold, raw_first, flags, advantage, zigzag) = (
            _WITH_RECEIPT.unpack_from(data)
        )
    else:
        (_kind, _tag, incarnation, raw_episode, raw_seq, echo, hold, raw_first, flags, advantage) = _HEADER.unpack_from(
            data
        )
        zigzag = 255
    first = frame + ((raw_first - frame + 32768) & 0xFFFF) - 32768
    known: tuple[int, ...]
    if zigzag != 255 and not flags & WIDE:
        at = HEADER_BYTES + 1
        known = (first - ((zigzag + 1) >> 1) if zigzag & 1 else first + (zigzag >> 1),)
    else:
        at = HEADER_BYTES
        if flags & WIDE:
            if at + _WIDE.size > size:
                raise DecodeError("an advantage is cut off")
            (advantage,) = _WIDE.unpack_from(data, at)
            at += _WIDE.size
        known, at = _decode_receipts(data, at, receipts, first)
    count = flags & COUNT
    inputs: list[bytes] = []
    if count:
        if own < 0:
            raise DecodeError(f"{count} inputs of a sender without a seat")
        skip = held - first + 1
        if skip < 0:
            skip = 0
        elif skip > count:
            skip = count
        inputs, at = seats[own].split(data, at, count, skip)
        first += skip
    runs: list[Run] = []
    if flags & RUNS:
        runs, at = _decode_runs(data, at, seats, frame)
    blocks: list[tuple[int, bytes]] = []
    if flags & BLOCKS:
        blocks, at = _decode_blocks(data, at)
    if at != size:
        raise DecodeError(f"{size - at} bytes behind the end of a datagram")
    return (
        incarnation,
        episode + ((raw_episode - episode + 128) & 0xFF) - 128,
        seq + ((raw_seq - seq + 32768) & 0xFFFF) - 32768,
        echo, hold, advantage, known, first, inputs, runs, blocks,
    )  # fmt: skip


def _decode_receipts(data: bytes, at: int, receipts: int, first: int) -> tuple[tuple[int, ...], int]:
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


def _decode_runs(data: bytes, at: int, seats: Sequence[ActionCodec], frame: int) -> tuple[list[Run], int]:
    size = len(data)
    runs = []
    more = True
    while more:
        if at + _RUN.size > size:
            raise DecodeError("a run is cut off")
        seat, raw_first, count = _RUN.unpack_from(data, at)
        more = bool(seat & _MORE)
        seat &= ~_MORE
        if seat >= len(seats):
            raise DecodeError(f"a run of seat {seat}; there are {len(seats)} seats")
        inputs, at = seats[seat].split(data, at + _RUN.size, count)
        runs.append(Run(seat, unwrap(raw_first, 16, frame), inputs))
    return runs, at


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


def tag_of(data: Any) -> int:
    """The session's tag in any packet of ours; -1 if it is too short or not ours."""
    if len(data) < 7 or not KIND <= data[0] <= KIND + 2:
        return -1
    return int(data[1] << 8 | data[2])
