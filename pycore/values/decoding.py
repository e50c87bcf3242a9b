"""Canonical bytes to values: whatever `encode` would not have written is refused, and nothing else is raised."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from pycore.errors import DecodeError
from pycore.values.arrays import DTYPES, MAX_DIMENSIONS, Array, array_bytes, array_fault, normal
from pycore.values.encoding import MAX_DEPTH, MAX_INT_BITS, NAN

__all__ = ["decode"]


class _Reader:
    __slots__ = ("arrays", "data", "depth", "items", "position")

    def __init__(self, data: bytes, depth: int, items: int, arrays: Callable[[Array], Any] | None) -> None:
        self.data = data
        self.position = 0
        self.depth = depth
        self.items = items
        self.arrays = arrays

    def take(self, size: int) -> bytes:
        start = self.position
        end = start + size
        if end > len(self.data):
            raise DecodeError(f"{size} bytes promised at {start}, {len(self.data) - start} left")
        self.position = end
        return self.data[start:end]

    def varint(self, most: int) -> int:
        """LEB128 of at most `most` bits, in its shortest form."""
        data = self.data
        start = position = self.position
        if position < len(data) and data[position] < 0x80:
            self.position = position + 1
            return data[position]
        number = shift = 0
        while True:
            if position >= len(data) or shift > most:
                raise DecodeError(f"no number of at most {most} bits at {start}")
            octet = data[position]
            position += 1
            number |= (octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
        if (octet == 0 and shift) or number.bit_length() > most:
            raise DecodeError(f"a number in a longer form than needed, or of over {most} bits, at {start}")
        self.position = position
        return number

    def count(self) -> int:
        """How many items follow. Each takes a byte at least: nothing is allocated for what is not there."""
        number = self.varint(32)
        if number > len(self.data) - self.position:
            raise DecodeError(f"{number} items promised before {self.position}, too many for what is left")
        return number

    def value(self, depth: int, hashable: bool) -> Any:
        self.items -= 1
        if self.items < 0:
            raise DecodeError("more items than allowed")
        start = self.position
        if start >= len(self.data):
            raise DecodeError(f"the bytes end at {start}, before the value does")
        tag = self.data[start]
        self.position = start + 1
        if tag == 3:
            z = self.varint(MAX_INT_BITS)
            return ~(z >> 1) if z & 1 else z >> 1
        if tag == 5:
            data = self.take(self.varint(32))
            try:
                return data.decode()
            except UnicodeDecodeError as error:
                raise DecodeError(f"a str that is not UTF-8 at {start}: {error.reason}") from None
        if tag < 3:
            return (None, False, True)[tag]
        if tag == 4:
            data = self.take(8)
            number: float = struct.unpack(">d", data)[0]
            if number != number and data != NAN[1:]:
                raise DecodeError(f"a NaN that is not the canonical one at {start}")
            return number
        if tag == 6:
            return self.take(self.varint(32))
        if tag == 10:
            return self.array(start)
        if tag > 10:
            raise DecodeError(f"no such tag: {tag} at {start}")
        if depth <= 0:
            raise DecodeError(f"nested too deep at {start}")
        if tag == 7:
            items = [self.value(depth - 1, hashable) for _ in range(self.count())]
            return tuple(items) if hashable else items
        if tag == 8 and hashable:
            raise DecodeError(f"a dict in a key or in a set, at {start}")
        return self.sorted(tag == 8, depth - 1, hashable)

    def sorted(self, pairs: bool, depth: int, hashable: bool) -> Any:
        """The rest of a dict or a set: only in strictly ascending order."""
        start = self.position
        count = self.count()
        found: dict[Any, Any] = {}
        before = b""
        for _ in range(count):
            begin = self.position
            key = self.value(depth, True)
            raw = self.data[begin : self.position]
            if raw <= before:
                raise DecodeError(f"keys or members out of order, or twice, at {begin}")
            before = raw
            try:
                found[key] = self.value(depth, False) if pairs else None
            except TypeError:
                raise DecodeError(f"a key or member that has no hash, at {begin}") from None
        if len(found) != count:
            # As with True, 1 and 1.0: no Python dict or set holds both, so no encoder wrote them.
            raise DecodeError(f"keys or members that Python takes for equal, after {start}")
        return found if pairs else frozenset(found) if hashable else set(found)

    def array(self, start: int) -> Any:
        code, dimensions = self.take(2)
        if code >= len(DTYPES) or dimensions > MAX_DIMENSIONS:
            raise DecodeError(f"no array has dtype {code} and {dimensions} dimensions, at {start}")
        dtype = DTYPES[code]
        shape = tuple([self.varint(32) for _ in range(dimensions)])
        if (why := array_fault(dtype, shape)) is not None:
            raise DecodeError(f"{why}, at {start}")
        data = self.take(array_bytes(dtype, shape))
        if normal(dtype, data) != data:
            raise DecodeError(f"an array with a NaN or a boolean that is not in canonical form, at {start}")
        array = Array(dtype, shape, data)
        return array if self.arrays is None else self.arrays(array)


def decode(
    data: bytes | bytearray | memoryview,
    *,
    max_bytes: int = 1 << 20,
    max_depth: int = MAX_DEPTH,
    max_items: int = 1 << 17,
    arrays: Callable[[Array], Any] | None = None,
) -> Any:
    """The value of canonical bytes; `DecodeError` for everything that `encode` would not have written.

    `max_items` bounds the memory: an item of two bytes may become an object of 200 (an empty set). `arrays`
    turns every `Array` into something else, as `Array.to_numpy` does. ``encode(decode(data)) == data`` holds
    for all that is accepted.
    """
    size = memoryview(data).nbytes
    if size > max_bytes:
        raise DecodeError(f"{size} bytes, of which at most {max_bytes} are allowed")
    reader = _Reader(bytes(data), min(max_depth, MAX_DEPTH), max_items, arrays)
    try:
        value = reader.value(reader.depth, False)
    except RecursionError:
        raise DecodeError("nested too deep for what is left of the stack") from None
    if reader.position != len(reader.data):
        raise DecodeError(f"{len(reader.data) - reader.position} bytes after the end of the value")
    return value
