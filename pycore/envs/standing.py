"""Objects that a program finds by a name of a module or a class: they stay the objects that they are.

A wall of which there is one, as ``WALL = Tile("wall")`` or ``class Tiles: WALL = …``, is known by being that one:
``cell is WALL``. A copy in its place would be no wall. So such objects are kept, and what their attributes were is a
part of a snapshot like that of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from types import FunctionType, ModuleType
from typing import Any, Final

from pycore.envs.attributes import bare_state
from pycore.envs.stock import PLAIN
from pycore.envs.subclasses import is_exact
from pycore.frozen import Named

__all__ = ["Beside", "standing_beside"]

DEEPEST: Final = 4
"""Tables within tables."""
_CONTAINERS: Final = frozenset({list, tuple, set, frozenset})
_GROWING: Final = frozenset({list, dict, set})


class Beside(Named):
    """What classes have names for, by its place in memory, and the tables in which there may be more of it later."""

    found: dict[int, Any]
    tables: list[Any]

    def of(self, kind: type) -> dict[int, Any]:
        """Of what was found, what is of a class."""
        return {place: value for place, value in self.found.items() if type(value) is kind}


def standing_beside(classes: Iterable[type]) -> Beside:
    """What the modules of some classes, and modules and classes in them, have a name for; also in a list or dictionary
    with a name, or in one in it, and in a member of an `Enum`."""
    beside = Beside({}, [])
    for names in _all_names(classes):
        for value in list(names.values()):
            _take(value, DEEPEST, beside)
    return beside


def _take(value: Any, depth: int, beside: Beside) -> None:
    """What is in a table, and in tables in it; of what is none, that itself."""
    kind: Any = type(value)
    if depth and issubclass(kind, Enum):
        for item in bare_state(value)[0].values():  # ``Piece.BAR.value``, and what a member has beside that
            _take(item, depth - 1, beside)
    if not depth or (kind is not dict and kind not in _CONTAINERS):
        if not is_exact(kind):
            beside.found[id(value)] = value
        return
    before = len(beside.found)
    inside = [*value.values()] if kind is dict else [*value]
    for item in () if PLAIN.issuperset(map(type, inside)) else inside:
        _take(item, depth - 1, beside)
    if kind in _GROWING and (not inside or len(beside.found) > before):
        beside.tables.append(value)


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
