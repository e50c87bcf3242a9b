"""What a snapshot by capture has only numbers for: a stock of things that never change, and marks for the rest.

Half of a pickle of small objects is the same each time: names of attributes, classes that are looked up by name, types
of arrays. pickle has a number for whatever it meets again, in a *memo*. So a pickler begins with a memo in which these
things are already, and whoever unpickles is given them first. That they are the very objects is right for all of them,
for nobody can change one: classes and functions that can be imported, strings, members of enumerations, tuples of plain
values.

A *mark* stands in a pickle for a function that whoever unpickles chooses: the next array, the next shared object, a
layer. These are functions of C then, where a class of pickle's own would call one of Python's for each object.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from enum import EnumType
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Final

from pycore.frozen import Named

__all__ = ["ARRAY", "GENERATOR", "KEPT", "LAYER", "MARKS", "NUMBER", "PLAIN", "SHARED", "Stock", "met_in", "stock_of"]

MOST: Final = 500
"""Things in a stock. Each makes every load a fortieth of a microsecond longer."""
LONGEST: Final = 100
"""Characters of a string, or items of a tuple, in it."""
PLAIN: Final = frozenset({int, float, complex, str, bool, bytes, type(None)})


def _mark(name: str) -> Callable[..., Any]:
    # pickle asks a function for its name at each use, and of a function of Python it gets it soonest.
    def mark(*_: Any) -> Any:
        raise AssertionError(f"{name} stands in a pickle only")

    return mark


# All but the last are called in the order in which an object was met for the first time.
SHARED: Final = _mark("SHARED")
"""Gives the next object that is shared."""
KEPT: Final = _mark("KEPT")
"""Gives the next that is kept."""
ARRAY: Final = _mark("ARRAY")
"""Gives a copy of the next array."""
NUMBER: Final = _mark("NUMBER")
"""Gives the next number of numpy's."""
GENERATOR: Final = _mark("GENERATOR")
"""Gives the next generator, with its state put back."""
LAYER: Final = _mark("LAYER")
"""Takes a number, gives the layer."""
MARKS: Final = (SHARED, KEPT, ARRAY, NUMBER, GENERATOR, LAYER)


class Stock(Named):
    """Things that picklers begin with."""

    things: tuple[Any, ...]
    """They come after the marks."""
    head: bytes
    """How a pickle begins: takes as many buffers as there are marks and things, and leaves them in the memo."""
    memo: Any
    """For a pickler's `memo`, which copies it."""


def stock_of(things: Iterable[Any]) -> Stock:
    """A stock of these things."""
    import pickle  # in a browser its import takes longer than all of pycore's

    things = tuple(things)
    whole = (*MARKS, *things)
    seed = pickle.Pickler(io.BytesIO(), 4)
    seed.memo = {id(thing): (number, thing) for number, thing in enumerate(whole)}
    # A buffer may be anything, by what pickle makes of it: the object that is given is pushed as it is.
    head = pickle.MARK + (pickle.NEXT_BUFFER + pickle.MEMOIZE) * len(whole) + pickle.POP_MARK
    return Stock(things, head, seed.memo)


def met_in(memo: dict[int, tuple[int, Any]], is_importable: Callable[[Any], bool]) -> list[Any]:
    """Of what a pickler has met, that which may be in a stock. Tuples come last: there may be thousands."""
    met = (thing for number, thing in memo.values() if number >= len(MARKS))
    found = [thing for thing in met if _never_changes(thing, is_importable)]
    return sorted(found, key=lambda thing: type(thing) is tuple)[:MOST]


def _never_changes(thing: Any, is_importable: Callable[[Any], bool]) -> bool:
    kind = type(thing)
    if kind is str:
        return len(thing) <= LONGEST
    if kind is tuple:
        return _is_plain(thing)
    if issubclass(kind, type):
        return True
    if kind is FunctionType:  # into the closure of another one is looked each time
        return is_importable(thing)
    if kind is BuiltinFunctionType:
        return issubclass(type(thing.__self__), (ModuleType, type, type(None)))
    if isinstance(kind, EnumType):
        return kind.__members__.get(thing._name_) is thing
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(thing, numpy.dtype) and thing.kind in "biufc" and not thing.metadata


def _is_plain(value: Any) -> bool:
    """Whether it is a plain value, or a short tuple of nothing else."""
    if type(value) is tuple:
        return len(value) <= LONGEST and all(map(_is_plain, value))
    return type(value) in PLAIN
