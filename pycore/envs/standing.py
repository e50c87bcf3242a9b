"""Objects that a program finds by a name of a module or a class: they stay the objects that they are.

A wall of which there is one, as ``WALL = Tile("wall")`` or ``class Tiles: WALL = …``, is known by being that one:
``cell is WALL``. A copy in its place would be no wall. So such objects are kept, and what their attributes were is a
part of a snapshot like that of others.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator
from enum import Enum
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any, Final

from pycore.envs.attributes import bare_state
from pycore.envs.holding import held_by
from pycore.envs.stock import PLAIN
from pycore.envs.subclasses import is_exact
from pycore.frozen import Named

__all__ = ["Beside", "standing_beside"]

DEEPEST: Final = 4
"""Tables within tables."""
_GROWING: Final = frozenset({list, dict, set, deque, OrderedDict, defaultdict})


class Beside(Named):
    """What classes have names for, by its place in memory, and the tables in which there may be more of it later."""

    found: dict[int, Any]
    tables: list[Any]

    def of(self, kind: type) -> dict[int, Any]:
        """Of what was found, what is of a class."""
        return {place: value for place, value in self.found.items() if type(value) is kind}


def standing_beside(classes: Iterable[type]) -> Beside:
    """What the modules of some classes, and modules and classes in them, have a name for; also in a table with a name,
    or in one in it, and in a member of an `Enum`, a frozen dataclass or a `SimpleNamespace`."""
    beside = Beside({}, [])
    for names in _all_names(classes):
        for value in list(names.values()):
            _take(value, DEEPEST, beside)
    return beside


def _take(value: Any, depth: int, beside: Beside) -> None:
    """That itself, and what is in it where it is a table, or a constant with attributes."""
    kind: Any = type(value)
    if not is_exact(kind):
        beside.found[id(value)] = value
    if not depth:
        return
    before, inside = len(beside.found), held_by(value)
    for item in inside:
        if type(item) not in PLAIN:
            _take(item, depth - 1, beside)
    if kind in _GROWING and (not inside or len(beside.found) > before):
        beside.tables.append(value)
    if _is_constant(kind):
        tables = len(beside.tables)
        for part in (part for each in bare_state(value) for part in each.values()):
            _take(part, depth - 1, beside)
        del beside.tables[tables:]


def _is_constant(kind: Any) -> bool:
    """Whether what an object has for attributes is there for good, as ``Piece.BAR.value``. A world's comes and goes."""
    frozen = getattr(vars(kind).get("__dataclass_params__"), "frozen", False)
    return frozen or kind is SimpleNamespace or issubclass(kind, Enum)


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
