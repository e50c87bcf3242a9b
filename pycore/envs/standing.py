"""Objects that a program finds by a name of a module or a class: they stay the objects that they are.

A wall of which there is one, as ``WALL = Tile("wall")`` or ``class Tiles: WALL = …``, is known by being that one:
``cell is WALL``. A copy in its place would be no wall. So such objects are kept, and what their attributes were is a
part of a snapshot like that of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any, Final

from pycore.envs.subclasses import is_exact

__all__ = ["standing_beside"]

_CONTAINERS: Final = frozenset({list, tuple, set, frozenset})


def standing_beside(classes: Iterable[type]) -> dict[int, Any]:
    """What the modules of some classes, and modules and classes in them, have a name for, by its place in memory; also
    in a list or dictionary with a name."""
    found: dict[int, Any] = {}
    for names in _all_names(classes):
        for value in list(names.values()):
            kind = type(value)
            inside = value.values() if kind is dict else value if kind in _CONTAINERS else (value,)
            found.update((id(item), item) for item in list(inside) if not is_exact(type(item)))
    return found


def _all_names(classes: Iterable[type]) -> Iterator[dict[str, Any]]:
    seen: set[int] = set()
    for kind in classes:
        for base in kind.__mro__:
            # A page runs a game in a namespace that no module has.
            for method in [value for value in vars(base).values() if type(value) is FunctionType][:1]:
                names = method.__globals__
                if id(names) not in seen and not is_exact(base):
                    seen.add(id(names))
                    yield names
                    yield from _inside(names)


def _inside(names: dict[str, Any]) -> Iterator[Any]:
    for value in list(names.values()):
        # What an object says of its class may be anybody's code.
        if issubclass(type(value), (type, ModuleType)) and not is_exact(value):
            yield vars(value)
