"""The canonical form: one value, one byte string, for hashes, handshakes, blobs and files.

Two peers that hold the same state must hash the same bytes, whatever the order of a dictionary, the byte
order of an array or the sign of a NaN (wasm leaves it open). And what comes from a peer must be readable
without trusting it. So every value has exactly one encoding, and the decoder accepts that one only.

=====  ==================  ======================================================================
tag    value               bytes that follow
=====  ==================  ======================================================================
0      None                nothing
1, 2   False, True         nothing (a bool is not an int: ``True`` and ``1`` differ)
3      int                 zigzag, then LEB128, shortest form; at most `MAX_INT_BITS` bits after zigzag
4      float               8 bytes IEEE 754, big-endian; one NaN; -0.0 stays -0.0; ``1.0`` is not ``1``
5      str                 length, UTF-8 (a lone surrogate has none: an error)
6      bytes, bytearray    length, bytes
7      list = tuple        count, items; decodes to list, in a key to tuple
8      dict                count, then key and value, keys ascending by their canonical bytes
9      set = frozenset     count, members ascending by their canonical bytes
10     numpy scalar/array  index in `DTYPES`, number of dimensions, dimensions, little-endian data in C order
=====  ==================  ======================================================================

Lengths and counts are LEB128 without zigzag. The order of a dictionary is no part of its value.

Subclasses count as their base when they hold nothing else: named tuples, OrderedDict, defaultdict,
Counter, and enumerations that are also int, float, str or bytes (as that value). One with attributes of its
own is refused, since what they hold would be lost without a word; so are a plain Enum, objects, object
arrays, subclasses of ndarray. numpy is never imported: its types are looked up only where it is loaded.
An array decodes to `Array`, always, so that the result does not depend on what is loaded.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable
from enum import Enum
from hashlib import blake2b
from typing import Any, NamedTuple, NoReturn

from pycore.errors import CanonicalError, DecodeError, UsageError

__all__ = ["DTYPES", "MAX_DEPTH", "MAX_INT_BITS", "Array", "decode", "digest", "encode"]

MAX_DEPTH = 64
"""Containers within containers, both ways: far from Python's own recursion limit."""

MAX_INT_BITS = 4096
"""Of an int after zigzag, so -2**4095 <= value < 2**4095. Generators' states need 128."""

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
_MAX_DIMENSIONS = 32
_MAX_ARRAY_BYTES = 1 << 30

_NAN = b"\x04\x7f\xf8\0\0\0\0\0\0"
_FLOAT = struct.Struct(">Bd").pack


class Array(NamedTuple):
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


# --- encoding ---


class _RefusedError(Exception):
    """On its way up from a value without a canonical form; each container adds its part of the path."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.parts: list[str] = []


_Put = Callable[[bytes], None]
_Form = Callable[[Any, _Put, int], None]


def _length(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = tuple(b"\x03" + _length(x << 1 if x >= 0 else ~(x << 1)) for x in range(-1024, 1024))
_STR_HEADS = tuple(b"\x05" + _length(size) for size in range(128))


def _none(value: None, put: _Put, depth: int) -> None:
    put(b"\x00")


def _bool(value: bool, put: _Put, depth: int) -> None:
    put(b"\x02" if value else b"\x01")


def _int(value: int, put: _Put, depth: int) -> None:
    if -1024 <= value < 1024:
        put(_SMALL[value + 1024])
        return
    z = value << 1 if value >= 0 else ~(value << 1)
    if z < 0x200000:
        if z < 0x4000:
            put(bytes((3, z & 0x7F | 0x80, z >> 7)))
        else:
            put(bytes((3, z & 0x7F | 0x80, z >> 7 & 0x7F | 0x80, z >> 14)))
        return
    if z < 0x800000000:
        if z < 0x10000000:
            put(bytes((3, z & 0x7F | 0x80, z >> 7 & 0x7F | 0x80, z >> 14 & 0x7F | 0x80, z >> 21)))
        else:
            low = (3, z & 0x7F | 0x80, z >> 7 & 0x7F | 0x80, z >> 14 & 0x7F | 0x80, z >> 21 & 0x7F | 0x80)
            put(bytes((*low, z >> 28)))
        return
    if z.bit_length() > MAX_INT_BITS:
        raise _RefusedError(f"an int of {value.bit_length()} bits; at most {MAX_INT_BITS - 1} are allowed")
    put(b"\x03" + _length(z))


def _float(value: float, put: _Put, depth: int) -> None:
    put(_FLOAT(4, value) if value == value else _NAN)


def _str(value: str, put: _Put, depth: int) -> None:
    try:
        data = str.encode(value)
    except UnicodeEncodeError as error:
        raise _RefusedError(f"a str with a lone surrogate at index {error.start} has no UTF-8 form") from None
    size = len(data)
    put((_STR_HEADS[size] if size < 128 else b"\x05" + _length(size)) + data)


def _bytes(value: bytes | bytearray, put: _Put, depth: int) -> None:
    put(b"\x06" + _length(len(value)) + value)


def _too_deep() -> NoReturn:
    raise _RefusedError(f"nested more than {MAX_DEPTH} deep, or it contains itself")


def _list(value: Iterable[Any], put: _Put, depth: int) -> None:
    if depth >= MAX_DEPTH:
        _too_deep()
    put(b"\x07" + _length(len(value)))  # type: ignore[arg-type]
    forms = _FORMS
    item = None
    try:
        for item in value:
            forms.get(type(item), _other)(item, put, depth + 1)
    except _RefusedError as refused:
        # The index is looked up only now, so that the loop need not count.
        refused.parts.append(f"[{next(i for i, other in enumerate(value) if other is item)}]")
        raise


# What the keys of a dictionary that has been seen before turn into: (key, its canonical bytes) in canonical
# order. Game states have the same keys on every frame. Only for keys that are all plain str: (1,) == (True,).
_layouts: dict[tuple[Any, ...], tuple[bytes, tuple[tuple[Any, bytes], ...]]] = {}
_MAX_LAYOUTS = 256
_MAX_LAYOUT_KEYS = 256


def _dict(value: dict[Any, Any], put: _Put, depth: int) -> None:
    if depth >= MAX_DEPTH:
        _too_deep()
    layout = _layouts.get(tuple(value)) or _layout(value, depth)
    put(layout[0])
    forms = _FORMS
    key = None
    try:
        for key, data in layout[1]:
            put(data)
            item = value[key]
            forms.get(type(item), _other)(item, put, depth + 1)
    except _RefusedError as refused:
        refused.parts.append(path_step(key))
        raise


def _layout(value: dict[Any, Any], depth: int) -> tuple[bytes, tuple[tuple[Any, bytes], ...]]:
    pairs = sorted(((_member(key, depth + 1), key) for key in value), key=lambda pair: pair[0])
    _refuse_twins([data for data, _ in pairs])
    layout = b"\x08" + _length(len(pairs)), tuple((key, data) for data, key in pairs)
    if len(pairs) <= _MAX_LAYOUT_KEYS and all(type(key) is str for key in value):
        if len(_layouts) >= _MAX_LAYOUTS:
            _layouts.clear()
        _layouts[tuple(value)] = layout
    return layout


def _set(value: set[Any] | frozenset[Any], put: _Put, depth: int) -> None:
    if depth >= MAX_DEPTH:
        _too_deep()
    members = sorted([_member(member, depth + 1) for member in value])
    _refuse_twins(members)
    put(b"\x09" + _length(len(members)) + b"".join(members))


def _member(value: Any, depth: int) -> bytes:
    parts: list[bytes] = []
    try:
        _FORMS.get(type(value), _other)(value, parts.append, depth)
    except _RefusedError as refused:
        refused.parts.append(f"{{{short_repr(value)}}}")
        raise
    return b"".join(parts)


def _refuse_twins(ascending: list[bytes]) -> None:
    # Two NaN objects are two keys to Python and one value here.
    if len(set(ascending)) != len(ascending):
        raise _RefusedError("two keys or members have the same canonical form")


def _array(value: Array, put: _Put, depth: int) -> None:
    dtype, shape, data = value
    if (why := _array_fault(dtype, shape)) is not None:
        raise _RefusedError(why)
    if len(data) != _array_bytes(dtype, shape):
        raise _RefusedError(f"an array of shape {shape!r} and dtype {dtype} with {len(data)} bytes of data")
    put(_array_head(dtype, shape) + _normal(dtype, bytes(data)))


def _array_head(dtype: str, shape: tuple[int, ...]) -> bytes:
    return bytes((10, _DTYPE_CODES[dtype], len(shape))) + b"".join([_length(size) for size in shape])


def _array_fault(dtype: str, shape: tuple[int, ...]) -> str | None:
    """Why there is no such array, the same for both directions."""
    if dtype not in _DTYPE_CODES:
        return f"an array of dtype {dtype}: keep numbers, booleans, or a list"
    if len(shape) > _MAX_DIMENSIONS or not all(type(size) is int and size >= 0 for size in shape):
        return f"an array of shape {shape!r}: at most {_MAX_DIMENSIONS} dimensions, each an int of at least 0"
    # numpy limits the product of the dimensions other than 0, so an empty array can be too large as well.
    if _array_bytes(dtype, tuple([size or 1 for size in shape])) > _MAX_ARRAY_BYTES:
        return f"an array of shape {shape!r} and dtype {dtype} is over {_MAX_ARRAY_BYTES} bytes"
    return None


def _array_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    size = int(dtype[2:])
    for extent in shape:
        size *= extent
    return size


def _normal(dtype: str, data: bytes) -> bytes:
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


_BASES: tuple[tuple[type, _Form], ...] = (
    (int, lambda value, put, depth: _int(int.__index__(value), put, depth)),
    (float, lambda value, put, depth: _float(float.__float__(value), put, depth)),
    (str, _str),
    (bytes, _bytes),
    (bytearray, _bytes),
    (list, _list),
    (tuple, _list),
    (dict, _dict),
    (set, _set),
    (frozenset, _set),
)


def _is_numpy(value: Any, numpy: Any) -> bool:
    # numpy.str_ and numpy.bytes_ are subclasses of str and bytes, and count as such.
    return isinstance(value, (numpy.ndarray, numpy.generic)) and not isinstance(value, (str, bytes))


def _other(value: Any, put: _Put, depth: int) -> None:
    """Subclasses, numpy, and everything that has no form."""
    kind = type(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and _is_numpy(value, numpy):
        if isinstance(value, numpy.ndarray) and kind is not numpy.ndarray:
            raise _RefusedError(f"a {kind.__name__}, a subclass of ndarray: keep a plain array")
        size = value.dtype.itemsize
        dtype = f"{'|' if size == 1 else '<'}{value.dtype.kind}{size}"
        if (why := _array_fault(dtype, value.shape)) is not None:
            raise _RefusedError(why)
        data = value.astype(dtype, copy=False).tobytes()
        # numpy finds a NaN or an odd boolean faster than the loop in `_normal` does.
        fine = True if dtype[1] in "iu" else not (value != value).any() and dtype != "|b1"
        put(_array_head(dtype, value.shape) + (data if fine else _normal(dtype, data)))
        return
    for base, form in _BASES:
        if isinstance(value, base):
            if not isinstance(value, Enum) and (
                getattr(value, "__dict__", None) or any(getattr(c, "__slots__", ()) for c in kind.__mro__)
            ):
                why = f"a {kind.__name__} has attributes beside its {base.__name__}: keep them as values"
                raise _RefusedError(why)
            form(value, put, depth)
            return
    hint = "its .value" if isinstance(value, Enum) else "numbers, str, bytes, lists, dicts, sets, arrays"
    raise _RefusedError(f"a {kind.__module__}.{kind.__qualname__} has no canonical form: keep {hint}")


_FORMS: dict[type, _Form] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    bytearray: _bytes,
    list: _list,
    tuple: _list,
    dict: _dict,
    set: _set,
    frozenset: _set,
    Array: _array,
}


def path_step(key: Any) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{short_repr(key)}]"


def short_repr(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def encode(value: Any) -> bytes:
    """The canonical bytes of a value. Raises `CanonicalError` with the path of what has none."""
    parts: list[bytes] = []
    try:
        _FORMS.get(type(value), _other)(value, parts.append, 0)
    except _RefusedError as refused:
        path = refused.parts[::-1]
        if len(path) > 8:
            path = [*path[:4], "…", *path[-4:]]
        raise CanonicalError("$" + "".join(path), refused.why) from None
    except RecursionError:
        raise CanonicalError("$", "nested too deep for what is left of the stack") from None
    return b"".join(parts)


def digest(value: Any, size: int = 8) -> bytes:
    """BLAKE2b of a value's canonical form. `bytes` are taken as a canonical form already made."""
    return blake2b(value if type(value) is bytes else encode(value), digest_size=size).digest()


# --- decoding ---


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
            if number != number and data != _NAN[1:]:
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
        if code >= len(DTYPES) or dimensions > _MAX_DIMENSIONS:
            raise DecodeError(f"no array has dtype {code} and {dimensions} dimensions, at {start}")
        dtype = DTYPES[code]
        shape = tuple([self.varint(32) for _ in range(dimensions)])
        if (why := _array_fault(dtype, shape)) is not None:
            raise DecodeError(f"{why}, at {start}")
        data = self.take(_array_bytes(dtype, shape))
        if _normal(dtype, data) != data:
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
