"""Values to canonical bytes: one function per type, which recurses.

Each `Form` puts the bytes of a value of its type, piece by piece. The tables `FORMS` (exact types) and, behind it,
`base_of` (subclasses) say which; `pycore.values.pieces` walks the same forms without recursion. What has no form
raises `RefusedError`, and each container on the way up adds its part of the path.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NoReturn

from pycore.errors import CanonicalError
from pycore.values.arrays import Array, array_bytes, array_fault, array_head, length, normal

__all__ = [
    "FORMS",
    "MAX_DEPTH",
    "MAX_INT_BITS",
    "NAN",
    "Form",
    "RefusedError",
    "encode",
    "path_step",
    "short_repr",
]

MAX_DEPTH = 64
"""Containers within containers, both ways: far from Python's own recursion limit."""

MAX_INT_BITS = 4096
"""Of an int after zigzag, so -2**4095 <= value < 2**4095. Generators' states need 128."""

NAN = b"\x04\x7f\xf8\0\0\0\0\0\0"
_FLOAT = struct.Struct(">Bd").pack


class RefusedError(Exception):
    """On its way up from a value without a canonical form; each container adds its part of the path."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.parts: list[str] = []


Put = Callable[[bytes], None]
Form = Callable[[Any, Put, int], None]
Layout = tuple[bytes, tuple[tuple[Any, bytes], ...]]
"""Of a dictionary: tag and count, and (key, its canonical bytes) in canonical order."""


_ZIGZAG = [bytes((3, z)) for z in range(128)] + [bytes((3, z & 0x7F | 0x80, z >> 7)) for z in range(128, 2048)]
_SMALL = (*_ZIGZAG[::-2], *_ZIGZAG[::2])
"""Of the ints from -1024 on: those below zero are the odd ones, backwards."""
_STR_HEADS = tuple(b"\x05" + length(size) for size in range(128))


def _none(value: None, put: Put, depth: int) -> None:
    put(b"\x00")


def _bool(value: bool, put: Put, depth: int) -> None:
    put(b"\x02" if value else b"\x01")


def _int(value: int, put: Put, depth: int) -> None:
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
        raise RefusedError(f"an int of {value.bit_length()} bits; at most {MAX_INT_BITS - 1} are allowed")
    put(b"\x03" + length(z))


def _float(value: float, put: Put, depth: int) -> None:
    put(_FLOAT(4, value) if value == value else NAN)


def _str(value: str, put: Put, depth: int) -> None:
    try:
        data = str.encode(value)
    except UnicodeEncodeError as error:
        raise RefusedError(f"a str with a lone surrogate at index {error.start} has no UTF-8 form") from None
    size = len(data)
    put((_STR_HEADS[size] if size < 128 else b"\x05" + length(size)) + data)


def _bytes(value: bytes | bytearray, put: Put, depth: int) -> None:
    put(b"\x06" + length(len(value)) + value)


def refuse_depth() -> NoReturn:
    """Refuse a container in `MAX_DEPTH` others."""
    raise RefusedError(f"nested more than {MAX_DEPTH} deep, or it contains itself")


def list_form(value: Iterable[Any], put: Put, depth: int) -> None:
    """A list or tuple."""
    if depth >= MAX_DEPTH:
        refuse_depth()
    put(b"\x07" + length(len(value)))  # type: ignore[arg-type]
    forms = FORMS
    item = None
    try:
        for item in value:
            forms.get(type(item), other_form)(item, put, depth + 1)
    except RefusedError as refused:
        refused.parts.append(index_step(value, item))
        raise


def index_step(value: Iterable[Any], item: Any) -> str:
    """An item as a part of a path. Its index is looked up only then, so that the loop need not count."""
    return f"[{next(i for i, other in enumerate(value) if other is item)}]"


# What the keys of a dictionary that has been seen before turn into: (key, its canonical bytes) in canonical
# order. Game states have the same keys on every frame. Only for keys that are all plain str: (1,) == (True,).
_layouts: dict[tuple[Any, ...], Layout] = {}
_MAX_LAYOUTS = 256
MAX_LAYOUT_KEYS = 256


def dict_form(value: dict[Any, Any], put: Put, depth: int) -> None:
    """A dictionary, its keys in canonical order."""
    if depth >= MAX_DEPTH:
        refuse_depth()
    head, pairs = _layouts.get(tuple(value)) or _new_layout(value, depth)
    put(head)
    forms = FORMS
    key = None
    try:
        for key, data in pairs:
            put(data)
            item = value[key]
            forms.get(type(item), other_form)(item, put, depth + 1)
    except RefusedError as refused:
        refused.parts.append(path_step(key))
        raise


def layout_of(value: dict[Any, Any], depth: int) -> Layout:
    """What stands before a dictionary's items and between them."""
    return _layouts.get(tuple(value)) or _new_layout(value, depth)


def _new_layout(value: dict[Any, Any], depth: int) -> Layout:
    pairs = sorted(((member_of(key, depth + 1), key) for key in value), key=lambda pair: pair[0])
    refuse_twins([data for data, _ in pairs])
    layout = b"\x08" + length(len(pairs)), tuple((key, data) for data, key in pairs)
    if len(pairs) <= MAX_LAYOUT_KEYS and all(type(key) is str for key in value):
        if len(_layouts) >= _MAX_LAYOUTS:
            _layouts.clear()
        _layouts[tuple(value)] = layout
    return layout


def set_form(value: set[Any] | frozenset[Any], put: Put, depth: int) -> None:
    """A set, its members in canonical order."""
    if depth >= MAX_DEPTH:
        refuse_depth()
    members = sorted([member_of(member, depth + 1) for member in value])
    refuse_twins(members)
    put(b"\x09" + length(len(members)) + b"".join(members))


def member_of(value: Any, depth: int) -> bytes:
    """The canonical bytes of a key or of a set's member."""
    parts: list[bytes] = []
    try:
        FORMS.get(type(value), other_form)(value, parts.append, depth)
    except RefusedError as refused:
        refused.parts.append(f"{{{short_repr(value)}}}")
        raise
    return b"".join(parts)


def refuse_twins(ascending: list[bytes]) -> None:
    """Refuse keys or members of which two have the same bytes."""
    # Two NaN objects are two keys to Python and one value here.
    if len(set(ascending)) != len(ascending):
        raise RefusedError("two keys or members have the same canonical form")


def _array(value: Array, put: Put, depth: int) -> None:
    dtype, shape, data = value
    if (why := array_fault(dtype, shape)) is not None:
        raise RefusedError(why)
    if len(data) != array_bytes(dtype, shape):
        raise RefusedError(f"an array of shape {shape!r} and dtype {dtype} with {len(data)} bytes of data")
    put(array_head(dtype, shape) + normal(dtype, bytes(data)))


_BASES: tuple[tuple[type, Form], ...] = (
    (int, lambda value, put, depth: _int(int.__index__(value), put, depth)),
    (float, lambda value, put, depth: _float(float.__float__(value), put, depth)),
    (str, _str),
    (bytes, _bytes),
    (bytearray, _bytes),
    (list, list_form),
    (tuple, list_form),
    (dict, dict_form),
    (set, set_form),
    (frozenset, set_form),
)


def is_numpy(value: Any) -> bool:
    """Whether it is an array or a scalar of numpy."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return False
    # numpy.str_ and numpy.bytes_ are subclasses of str and bytes, and count as such.
    return isinstance(value, (numpy.ndarray, numpy.generic)) and not isinstance(value, (str, bytes))


def other_form(value: Any, put: Put, depth: int) -> None:
    """Subclasses, numpy, and everything that has no form."""
    if is_numpy(value):
        _numpy(value, put)
    else:
        base_form(value)(value, put, depth)


def _numpy(value: Any, put: Put) -> None:
    numpy = sys.modules["numpy"]
    kind = type(value)
    if isinstance(value, numpy.ndarray) and kind is not numpy.ndarray:
        raise RefusedError(f"a {kind.__name__}, a subclass of ndarray: keep a plain array")
    size = value.dtype.itemsize
    dtype = f"{'|' if size == 1 else '<'}{value.dtype.kind}{size}"
    if (why := array_fault(dtype, value.shape)) is not None:
        raise RefusedError(why)
    data = value.astype(dtype, copy=False).tobytes()
    # numpy finds a NaN or an odd boolean faster than the loop in `normal` does.
    fine = True if dtype[1] in "iu" else not (value != value).any() and dtype != "|b1"
    put(array_head(dtype, value.shape) + (data if fine else normal(dtype, data)))


def base_form(value: Any) -> Form:
    """The form of the type that the value's own is a mere subclass of."""
    kind = type(value)
    for base, form in _BASES:
        if isinstance(value, base):
            if not isinstance(value, Enum) and (
                getattr(value, "__dict__", None) or any(getattr(c, "__slots__", ()) for c in kind.__mro__)
            ):
                why = f"a {kind.__name__} has attributes beside its {base.__name__}: keep them as values"
                raise RefusedError(why)
            return form
    hint = "its .value" if isinstance(value, Enum) else "numbers, str, bytes, lists, dicts, sets, arrays"
    raise RefusedError(f"a {kind.__module__}.{kind.__qualname__} has no canonical form: keep {hint}")


FORMS: dict[type, Form] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    bytes: _bytes,
    bytearray: _bytes,
    list: list_form,
    tuple: list_form,
    dict: dict_form,
    set: set_form,
    frozenset: set_form,
    Array: _array,
}


def path_step(key: Any) -> str:
    """A key as a part of a path."""
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{short_repr(key)}]"


def short_repr(value: Any) -> str:
    """At most 40 characters of a value; of one that has no words, its type."""
    try:
        text = repr(value)
    except Exception:  # what an environment has may do anything
        text = f"a {type(value).__name__}"
    return text if len(text) <= 40 else text[:39] + "…"


def encode(value: Any) -> bytes:
    """The canonical bytes of a value. Raises `CanonicalError` with the path of what has none."""
    parts: list[bytes] = []
    try:
        FORMS.get(type(value), other_form)(value, parts.append, 0)
    except (RefusedError, RecursionError) as refused:
        raise error_of(refused) from None
    return b"".join(parts)


def error_of(refused: RefusedError | RecursionError) -> CanonicalError:
    """What the caller is told: the path from the outermost value, and why."""
    if isinstance(refused, RecursionError):
        return CanonicalError("$", "nested too deep for what is left of the stack")
    path = refused.parts[::-1]
    if len(path) > 8:
        path = [*path[:4], "…", *path[-4:]]
    return CanonicalError("$" + "".join(path), refused.why)
