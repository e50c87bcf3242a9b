"""What the stream of a link carries: messages, behind each other on one tape of bytes, in chunks.

A *message* is anything that no datagram has room for. The messages to one peer stand behind each other on one *tape*; a
*chunk* is a piece of it, wherever it was cut, and says where it belongs. So it may go by a channel of its own or
through the server, be cut anew when the way changes, and come twice: nothing is lost and nothing doubled.

A chunk, big-endian::

    u8  kind        0xB7
    u16 tag         of the session
    u8  sender      low byte of the sender's incarnation
    u8  to          low byte of the receiver's, as the sender knows it
    u32 received    bytes of the receiver's own tape that the sender has taken
    u32 position    of the first byte, in the sender's tape; without bytes: where it would send next
    4 bytes         BLAKE2b of all the rest
        bytes       of the tape; none where only `received` is said

A message on the tape::

    u8  kind        of the message; who does not know it passes it over
    u8  packed      1: by zlib, 0: as it is
    u32 length      of the bytes that follow
    u32 size        of the message
        bytes

Sizes are looked at before anything is kept or unpacked. Decoding raises DecodeError, nothing else.
"""

from __future__ import annotations

import struct
from typing import Final

from pycore.errors import DecodeError
from pycore.frozen import Named
from pycore.values.blake2 import blake2b

CHUNK: Final = 0xB7
CHUNK_BYTES: Final = 16_384
"""A chunk at most: what every browser sends in one piece."""
LARGEST: Final = 8 << 20
"""Bytes of a message at most, of whatever kind, and of one of a kind that is not known."""
TAPE_BYTES: Final = 1 << 32
"""Positions have 32 bits: so much is said in one session to one peer at most."""

_HEAD: Final = struct.Struct(">BHBBII")
_MESSAGE: Final = struct.Struct(">BBII")
DIGEST_BYTES: Final = 4
HEAD_BYTES: Final = _HEAD.size + DIGEST_BYTES
MESSAGE_BYTES: Final = _MESSAGE.size
_PLAIN: Final = 0
_PACKED: Final = 1
QUICKLY: Final = 1
"""zlib's level: a state becomes a third longer than at the usual one, in a seventh of the time."""
WORTH_PACKING: Final = 64


class Chunk(Named):
    """A piece of a tape."""

    sender: int
    to: int
    received: int
    position: int
    data: bytes


class MessageHead(Named):
    """What stands before a message."""

    kind: int
    packed: bool
    length: int
    size: int


def encode_chunk(tag: int, sender: int, to: int, received: int, position: int, data: bytes = b"") -> bytes:
    """The bytes of a chunk. Incarnations are taken modulo 256."""
    head = _HEAD.pack(CHUNK, tag, sender & 0xFF, to & 0xFF, received, position)
    return head + _digest(head, data) + data


def decode_chunk(data: bytes) -> Chunk:
    """The chunk that these bytes are; its tag is the caller's to compare. Raises DecodeError."""
    if not HEAD_BYTES <= len(data) <= CHUNK_BYTES:
        raise DecodeError(f"a chunk has {HEAD_BYTES} to {CHUNK_BYTES} bytes, this one {len(data)}")
    head = data[: _HEAD.size]
    body = data[HEAD_BYTES:]
    kind, _tag, sender, to, received, position = _HEAD.unpack(head)
    if kind != CHUNK:
        raise DecodeError(f"a chunk begins with {CHUNK:#x}, this one with {kind:#x}")
    if _digest(head, body) != data[_HEAD.size : HEAD_BYTES]:
        raise DecodeError("a chunk that is not what was sent: its digest differs")
    return Chunk(sender, to, received, position, body)


def _digest(head: bytes, body: bytes) -> bytes:
    hasher = blake2b(head, digest_size=DIGEST_BYTES)
    hasher.update(body)
    return hasher.digest()


def encode_message(kind: int, payload: bytes) -> bytes:
    """A message with its head, packed where that makes it shorter. The caller keeps within `LARGEST`."""
    body, packed = payload, _PLAIN
    if len(payload) >= WORTH_PACKING:
        import zlib  # most sessions never need it

        shorter = zlib.compress(payload, QUICKLY)
        if len(shorter) < len(payload):
            body, packed = shorter, _PACKED
    return _MESSAGE.pack(kind, packed, len(body), len(payload)) + body


def decode_head(data: bytes, limit: int = LARGEST) -> MessageHead:
    """The head of a message of at most `limit` bytes. Raises DecodeError."""
    kind, packed, length, size = _MESSAGE.unpack(data)
    if size > limit:
        raise DecodeError(f"a message of kind {kind} with {size} bytes, of which at most {limit} are allowed")
    if packed not in (_PLAIN, _PACKED) or (length != size if packed == _PLAIN else not 0 < length < size):
        raise DecodeError(f"a message of kind {kind} with {size} bytes as {length}, packed as {packed}")
    return MessageHead(kind, packed == _PACKED, length, size)


def decode_message(head: MessageHead, body: bytes) -> bytes:
    """What a message says; `body` has the length that its head says. Raises DecodeError."""
    if not head.packed:
        return body
    import zlib

    unpacking = zlib.decompressobj()
    try:
        # One byte more than it should be: so much is made at most, whatever the bytes would become.
        payload = unpacking.decompress(body, head.size + 1)
    except zlib.error as error:
        raise DecodeError(f"a message of kind {head.kind} that cannot be unpacked: {error}") from None
    if len(payload) != head.size or not unpacking.eof or unpacking.unused_data:
        raise DecodeError(f"a message of kind {head.kind} that is not unpacked to the {head.size} bytes that it says")
    return payload
