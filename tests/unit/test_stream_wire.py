"""Chunks and messages: what is written is read, and anything else is one error and costs no memory."""

from __future__ import annotations

import hashlib
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import DecodeError
from pycore.wire import datagram
from pycore.wire.stream import (
    CHUNK,
    CHUNK_BYTES,
    HEAD_BYTES,
    LARGEST,
    MESSAGE_BYTES,
    Chunk,
    MessageHead,
    decode_chunk,
    decode_head,
    decode_message,
    encode_chunk,
    encode_message,
)


def head_of(kind: int = 1, packed: int = 0, length: int = 3, size: int = 3) -> bytes:
    """A message's head, whatever it says."""
    return struct.pack(">BBII", kind, packed, length, size)


@given(
    st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1),
    st.binary(max_size=300),
)  # fmt: skip
def test_a_chunk_comes_back_as_it_was(tag: int, who: int, received: int, position: int, data: bytes) -> None:
    """Incarnations by their low bytes; the tag stands where every packet has it."""
    written = encode_chunk(tag, who, who + 1, received, position, data)
    assert len(written) == HEAD_BYTES + len(data) == 17 + len(data)
    assert decode_chunk(written) == Chunk(who & 0xFF, (who + 1) & 0xFF, received, position, data)
    assert datagram.tag_of(written) == tag
    # The page's own decoder knows these first bytes.
    assert written[0] not in (*range(0x01, 0x08), *range(0x10, 0x15))


def test_the_layout_of_a_chunk_is_this() -> None:
    """Byte for byte, with the digest of all the rest."""
    written = encode_chunk(0xC4CF, 0x102, 0x203, 5, 258, b"abc")
    assert written[:13].hex() == "b7c4cf0203" + "00000005" + "00000102"
    assert written[13:17] == hashlib.blake2b(written[:13] + b"abc", digest_size=4).digest()
    assert written[17:] == b"abc"


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_chunk_that_was_changed_anywhere_is_refused(data: bytes, draw: st.DataObject) -> None:
    """One bit is enough."""
    written = bytearray(encode_chunk(7, 1, 2, 3, 4, data))
    at = draw.draw(st.integers(0, len(written) - 1))
    written[at] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(DecodeError):
        decode_chunk(bytes(written))


@pytest.mark.parametrize("size", [0, 1, HEAD_BYTES - 1, CHUNK_BYTES + 1])
def test_a_chunk_that_is_too_short_or_too_long_is_refused(size: int) -> None:
    """Before anything of it is read."""
    with pytest.raises(DecodeError, match="17 to 16384"):
        decode_chunk(bytes((CHUNK,)) * size)


@given(st.integers(0, 255), st.one_of(st.binary(max_size=400), st.binary(max_size=9).map(lambda data: data * 300)))
def test_a_message_comes_back_as_it_was(kind: int, payload: bytes) -> None:
    """Packed where that makes it shorter, otherwise as it is."""
    written = encode_message(kind, payload)
    head = decode_head(written[:MESSAGE_BYTES])
    assert head == MessageHead(kind, head.packed, len(written) - MESSAGE_BYTES, len(payload))
    assert head.packed == (head.length < len(payload))
    assert decode_message(head, written[MESSAGE_BYTES:]) == payload


def test_what_repeats_itself_is_packed_and_what_does_not_is_left() -> None:
    """A thousand times the same, and what was packed before."""
    same = b"the same again. " * 1000
    assert len(encode_message(1, same)) < 200
    once = zlib.compress(bytes(range(256)) * 2)
    assert encode_message(1, once)[MESSAGE_BYTES:] == once


@pytest.mark.parametrize(
    "head",
    [
        head_of(packed=2),
        head_of(packed=0, length=3, size=4),
        head_of(packed=0, length=4, size=3),
        head_of(packed=1, length=3, size=3),
        head_of(packed=1, length=0, size=3),
        head_of(packed=1, length=9, size=3),
        head_of(length=LARGEST + 1, size=LARGEST + 1),
        head_of(packed=1, length=10, size=2**32 - 1),
    ],
)
def test_a_head_that_cannot_be_is_refused(head: bytes) -> None:
    """Its sizes contradict each other, or are beyond what is allowed."""
    with pytest.raises(DecodeError):
        decode_head(head)


def test_each_kind_has_a_limit_of_its_own() -> None:
    """One byte beyond it is too much."""
    assert decode_head(head_of(length=100, size=100), 100).size == 100
    with pytest.raises(DecodeError, match="101 bytes, of which at most 100 are allowed"):
        decode_head(head_of(length=101, size=101), 100)


@pytest.mark.slow
def test_what_would_unpack_to_more_than_it_says_is_refused_without_the_memory_for_it() -> None:
    """Sixty megabytes of zeros, packed, which call themselves a thousand bytes."""
    bomb = zlib.compress(bytes(60_000_000), 9)
    head = MessageHead(1, True, len(bomb), 1000)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError, match="not unpacked to the 1000 bytes"):
            decode_message(head, bomb)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


RIGHT = zlib.compress(b"x" * 100)


@pytest.mark.parametrize(
    "body",
    [b"", b"no zlib at all", zlib.compress(b"x" * 99), zlib.compress(b"x" * 101), RIGHT[:-1], RIGHT + b"!"],
)
def test_a_body_that_is_not_what_its_head_says_is_refused(body: bytes) -> None:
    """Too short, too long, cut off, with something behind it, or nothing that was packed."""
    with pytest.raises(DecodeError):
        decode_message(MessageHead(1, True, len(body), 100), body)
    assert decode_message(MessageHead(1, True, len(RIGHT), 100), RIGHT) == b"x" * 100
