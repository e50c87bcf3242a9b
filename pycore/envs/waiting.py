"""Objects whose attributes wait until everything else is pickled.

pickle goes from an object into its attributes, and from there into the next: a few thousand cells that know their
neighbours, or a long chain, are too deep for it. Where that happens, an object is only named where it is met, and its
attributes come later, in a list that grows while it is written. So no object is pickled inside of another one, but what
leads no further: a hash may ask for it while a dictionary is filled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Final

from pycore.envs.attributes import bare_state, put_state
from pycore.envs.hashed import has_own_hash, leads_nowhere
from pycore.envs.holding import HOLDING, held_by
from pycore.envs.stock import PLAIN
from pycore.envs.subclasses import Reduce, is_all_attributes, is_exact

__all__ = ["Waiting", "are_many", "may_wait", "put_waiting"]

MANY: Final = 1000
"""Objects among which there may be a chain that is too long for a browser: its stack ends with the page, and Python is
not told. Nine hundred cells that know each other were not."""


def are_many(states: Iterable[Any]) -> bool:
    """Whether more objects than that are in what layers have for attributes."""
    seen: set[int] = set()
    count, waiting = 0, list(states)
    while waiting and count <= MANY:
        value = waiting.pop()
        kind = type(value)
        if id(value) in seen or issubclass(kind, (type, ModuleType)):
            continue
        seen.add(id(value))
        parts = held_by(value)
        if kind is not dict and kind not in HOLDING:
            attributes, slots = bare_state(value)
            parts += [*attributes.values(), *slots.values()]
            count += 1
        waiting += [part for part in parts if type(part) not in PLAIN]
    return count > MANY


def may_wait(kind: type) -> bool:
    """Whether an object of a class may be without its attributes for a while. Where it is a key, its own hash wants
    them; and what else a class is made of may want them sooner."""
    return is_all_attributes(kind) and not is_exact(kind) and not has_own_hash(kind)


class Waiting:
    """The objects that wait while a snapshot is made."""

    def __init__(self) -> None:
        self._objects: deque[tuple[Any, Any, Any]] = deque()

    def begin(self) -> None:
        """Nobody waits: the last snapshot may have failed."""
        self._objects.clear()

    def later(self, reduce: Reduce) -> Reduce:
        """The reduction of objects that wait."""

        def reduced(value: Any) -> Any:
            made = reduce(value)
            if type(made) is not tuple or len(made) < 3 or made[2] is None or leads_nowhere(made[2]):
                return made
            self._objects.append((value, made[2], made[5] if len(made) > 5 else _put))
            return made[:2]

        return reduced

    def as_list(self) -> Any:
        """How a list of them is pickled, each with its attributes and what puts them: it ends when nobody waits."""
        return list, (), None, self._items()

    def _items(self) -> Iterator[Any]:
        idle = False
        while self._objects or not idle:
            # pickle asks for an item before it has written the one before: that may bring more.
            idle = not self._objects
            yield self._objects.popleft() if self._objects else None


def put_waiting(waiting: list[Any]) -> None:
    """Give them their attributes."""
    for each in waiting:
        if each is not None:
            value, state, put = each
            put(value, state)


def _put(value: Any, state: Any) -> None:
    """As pickle gives them to an object that says nothing else."""
    attributes, slots = state if type(state) is tuple else (state, None)
    put_state(value, (attributes or {}, slots or {}))
