"""Arrays and scalars of numpy without numpy: what they are, which there are, and their one form as bytes."""

from __future__ import annotations

import struct
import sys
from typing import Any

from pycore.errors import UsageError
from pycore.frozen import Named

__all__ = ["DTYPES", "MAX_DIMENSIONS", "Array", "array_bytes", "array_fault", "array_head", "length", "normal"]

DTYPES = (
    "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c8", "<c16",
)  # fmt: skip
"""The element types of arrays. Their order is part of the format: append only."""

_DTYPE_CODES = {name: code for code, name in enumerate(DTYPES)}
_NANS = {
    "<f2": ("e", b"\x00\x7e"),
    "<f4": ("f", b"\x00\x00\xc0\x7f"),
    "<f8": ("d", b"\0\0\0\0\0\0\xf8\x7f"),
    "<c8": ("f", b"\x00\x00\xc0\x7f"),
    "<c16": ("d", b"\0\0\0\0\0\0\xf8\x7f"),
}
MAX_DIMENSIONS = 32
_MAX_ARRAY_BYTES = 1 << 30


class Array(Named):
    """A numpy array or scalar (shape ``()``) without numpy, as `decode` gives it and `encode` takes it."""

    dtype: str
    """One of `DTYPES`."""
    shape: tuple[int, ...]
    data: bytes
    """Little-endian, C order."""

    def to_numpy(self) -> Any:
        """A new numpy array, or a numpy scalar for shape ``()``. numpy must be loaded already."""
        numpy = sys.modules.get("numpy")
        if numpy is None:
            raise UsageError("Array.to_numpy needs numpy, and it is not loaded: import numpy first")
        return numpy.frombuffer(self.data, self.dtype).reshape(self.shape).copy()[()]


def length(number: int) -> bytes:
    """LEB128 of a number that is not negative."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def array_head(dtype: str, shape: tuple[int, ...]) -> bytes:
    """What stands before the data."""
    return bytes((10, _DTYPE_CODES[dtype], len(shape))) + b"".join([length(size) for size in shape])


def array_fault(dtype: str, shape: tuple[int, ...]) -> str | None:
    """Why there is no such array, the same for both directions."""
    if dtype not in _DTYPE_CODES:
        return f"an array of dtype {dtype}: keep numbers, booleans, or a list"
    if len(shape) > MAX_DIMENSIONS or not all(type(size) is int and size >= 0 for size in shape):
        return f"an array of shape {shape!r}: at most {MAX_DIMENSIONS} dimensions, each an int of at least 0"
    # numpy limits the product of the dimensions other than 0, so an empty array can be too large as well.
    if array_bytes(dtype, tuple([size or 1 for size in shape])) > _MAX_ARRAY_BYTES:
        return f"an array of shape {shape!r} and dtype {dtype} is over {_MAX_ARRAY_BYTES} bytes"
    return None


def array_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    """The size of the data."""
    size = int(dtype[2:])
    for extent in shape:
        size *= extent
    return size


def normal(dtype: str, data: bytes) -> bytes:
    """The data with one NaN, and with booleans 0 and 1 only."""
    if dtype == "|b1" and data.translate(None, b"\x00\x01"):
        return bytes([1 if octet else 0 for octet in data])
    letter, nan = _NANS.get(dtype, ("", b""))
    if not letter:
        return data
    size = len(nan)
    values = struct.unpack(f"<{len(data) // size}{letter}", data)
    if all(number == number for number in values):
        return data
    parts = [data[i * size : i * size + size] if x == x else nan for i, x in enumerate(values)]
    return b"".join(parts)
