"""Where two decoded values differ, field by field: what a desync report shows.

Equal means the same canonical bytes, so ``1``, ``1.0`` and ``True`` differ, and NaN equals NaN.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import product, zip_longest
from typing import Any

from pycore.values.canonical import Array, encode, path_step, short_repr

__all__ = ["MISSING", "first_differences"]


class _Missing:
    def __repr__(self) -> str:
        return "<missing>"


MISSING = _Missing()
"""Stands for what one side does not have."""

_PLAIN = frozenset((type(None), bool, int, str, bytes))
"""Where these are equal, so are their canonical bytes."""


def first_differences(left: Any, right: Any, limit: int = 10) -> list[tuple[str, Any, Any]]:
    """The first places, in canonical order, where two values differ: (path, left, right).

    Dictionaries are compared by key, lists by index, sets by member, arrays of one kind by element,
    everything else as a whole.
    The values must be what `decode` gives, or at least have a canonical form.
    """
    found: list[tuple[str, Any, Any]] = []
    _compare("$", left, right, found, limit)
    return found


def _compare(path: str, left: Any, right: Any, found: list[Any], limit: int) -> None:
    if len(found) >= limit or (type(left) in _PLAIN and type(left) is type(right) and left == right):
        return
    inner = _pairs(left, right)
    if inner is None:
        if left is MISSING or right is MISSING or encode(left) != encode(right):
            found.append((path, left, right))
        return
    for step, one, other in inner:
        _compare(path + step, one, other, found, limit)
        if len(found) >= limit:
            return


def _pairs(left: Any, right: Any) -> Iterable[tuple[str, Any, Any]] | None:
    """What stands at the same place in both, or None if they can only be compared as wholes."""
    if isinstance(left, Array) or isinstance(right, Array):
        if not (isinstance(left, Array) and isinstance(right, Array) and left[:2] == right[:2]):
            return None
        return zip(_indices(left.shape), _elements(left), _elements(right), strict=True)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        places = zip_longest(left, right, fillvalue=MISSING)
        return ((f"[{i}]", one, other) for i, (one, other) in enumerate(places))
    if isinstance(left, dict) and isinstance(right, dict):
        return ((path_step(key), one, other) for key, one, other in _by_key(left.items(), right.items()))
    if isinstance(left, (set, frozenset)) and isinstance(right, (set, frozenset)):
        members = _by_key([(x, x) for x in left], [(x, x) for x in right])
        return ((f"{{{short_repr(x)}}}", one, other) for x, one, other in members if one is MISSING or other is MISSING)
    return None


def _by_key(left: Iterable[tuple[Any, Any]], right: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any, Any]]:
    """Each key in canonical order, with what the two sides have by it. Python takes 1 and True for one key."""
    ours, theirs = ({encode(key): (key, item) for key, item in side} for side in (left, right))
    both = sorted({**ours, **theirs}.items())
    nothing = None, MISSING
    return [(key, ours.get(data, nothing)[1], theirs.get(data, nothing)[1]) for data, (key, _) in both]


def _indices(shape: tuple[int, ...]) -> Iterator[str]:
    return (f"[{','.join(map(str, index))}]" if index else "" for index in product(*map(range, shape)))


_LETTERS = {
    "b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d", "c8": "f", "c16": "d",
}  # fmt: skip


def _elements(array: Array) -> Iterator[Any]:
    numbers = (number for (number,) in struct.iter_unpack("<" + _LETTERS[array.dtype[1:]], array.data))
    return zip(numbers, numbers, strict=True) if array.dtype[1] == "c" else numbers
