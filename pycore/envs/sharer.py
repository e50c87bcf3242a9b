"""Snapshots by capture, and what picklers ask while one is made: what is shared, kept, copied beside the pickle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.envs.arrays import copies
from pycore.envs.attributes import changing_state, put_changing_state
from pycore.envs.kinds import reduction_of
from pycore.envs.memory import Memory
from pycore.envs.standing import standing_beside
from pycore.envs.stock import GENERATOR, KEPT, LAYER, SHARED
from pycore.envs.subclasses import Reduce, is_all_attributes, plainly
from pycore.envs.waiting import Waiting, may_wait
from pycore.frozen import Named

__all__ = ["Captured", "Sharer", "is_same"]

MOST_LOOKS: Final = 100
"""How often tables of modules and classes are looked through again, since they have grown: one in which everything is
that comes and goes would have us look each time."""
_SHARED: Final = SHARED, ()
_GENERATOR: Final = GENERATOR, ()


class Captured(Named):
    """A snapshot by capture."""

    layers: tuple[Any, ...]
    data: bytes
    """The attributes of each layer, pickled."""
    stock: tuple[Any, ...]
    """What the pickle has numbers for."""
    shared: tuple[Any, ...]
    """What the marks in the pickle stand for, in order: objects that are shared,"""
    kept: tuple[Any, ...]
    """those that are kept,"""
    arrays: tuple[Any, ...]
    """copies of arrays,"""
    numbers: tuple[Any, ...]
    """numbers of numpy's,"""
    generators: tuple[tuple[Any, bytes], ...]
    """and generators with their states."""
    is_deep: bool
    """Whether there is a list of objects beside the attributes, which waited for theirs."""


def is_same(one: Captured, other: Captured) -> bool:
    """Whether two snapshots are of the same state. It may be that they are where this says no."""
    return (
        one.data == other.data
        and _are_same(one.stock, other.stock)
        and _are_same(one.shared, other.shared)
        and _are_same(one.kept, other.kept)
        and [(id(generator), state) for generator, state in one.generators]
        == [(id(generator), state) for generator, state in other.generators]
        and _told_of(one) == _told_of(other)
    )


def _told_of(captured: Captured) -> list[Any]:
    """What can be compared of arrays and numbers."""
    return [(value.dtype, value.shape, value.tobytes()) for value in (*captured.arrays, *captured.numbers)]


def _are_same(some: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    """Whether these are the very objects. What is kept may have any idea of being equal."""
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


class _Reductions(dict[type, Reduce]):
    """By type, how an object is reduced: decided when the first of its kind is met."""

    def __init__(self, sharer: Sharer) -> None:
        self._sharer = sharer

    def __missing__(self, kind: type) -> Reduce:
        waiting = self._sharer.waiting
        found = reduction_of(kind, self._sharer)
        self[kind] = found = waiting.later(found) if waiting is not None and may_wait(kind) else found
        return found


class Sharer:
    """What the snapshot that is being made refers to by number: its layers, and what is shared."""

    def __init__(self, memory: Callable[[Any], Memory | None]) -> None:
        self.reductions = _Reductions(self)
        self._memory = memory
        self.waiting: Waiting | None = None
        """Only where pickle would go too deep."""
        self._kinds: set[type] = set()
        self._layers: dict[int, int] = {}
        self._standing: dict[type, dict[int, Any]] = {}
        """By class, what has a name,"""
        self._tables: dict[int, tuple[Any, int]] = {}
        """and in which tables that lies, with how much they have."""
        self._looks = 0
        self.shared: list[Any] = []
        self.arrays: list[Any] = []
        self.numbers: list[Any] = []
        self._kept: list[Any] = []
        self._generators: list[tuple[Any, bytes]] = []
        self._lists = self.shared, self._kept, self.arrays, self.numbers, self._generators

    def begin(self, layers: tuple[Any, ...]) -> None:
        """Start a snapshot of these layers."""
        for each in self._lists:  # the last one may have failed
            each.clear()
        if self.waiting is not None:
            self.waiting.begin()
        for table, size in self._tables.values():
            if len(table) != size:
                self._look_again()
                break
        self._layers = {id(layer): number for number, layer in enumerate(layers)}
        for layer in layers:
            kind = type(layer)
            if kind not in self._kinds:
                self._kinds.add(kind)
                self.reductions[kind] = self._layer_or(self.reductions[kind])

    def captured(self, layers: tuple[Any, ...], data: bytes, stock: tuple[Any, ...]) -> Captured:
        """The snapshot, and nothing of it is left here."""
        shared, kept, arrays, numbers, generators = map(tuple, self._lists)
        arrays = tuple(copies(arrays))
        for each in self._lists:
            each.clear()
        is_deep = self.waiting is not None
        return tuple.__new__(Captured, (layers, data, stock, shared, kept, arrays, numbers, generators, is_deep))

    def go_deep(self) -> None:
        """From now on objects wait for their attributes: pickle went too deep."""
        self.waiting = Waiting()
        self._kinds.clear()
        self.reductions.clear()
        self.reductions[Waiting] = Waiting.as_list

    def _layer_or(self, reduce: Reduce) -> Reduce:
        def reduced(value: Any) -> Any:
            number = self._layers.get(id(value))
            return reduce(value) if number is None else (LAYER, (number,))

        return reduced

    def share(self, value: Any) -> Any:
        """Refer to it."""
        self.shared.append(value)
        return _SHARED

    def keep(self, value: Any) -> Any:
        """Refer to it, with its attributes beside it."""
        return self.keep_with(value, changing_state(value), put_changing_state)

    def keep_with(self, value: Any, state: Any, put: Callable[[Any, Any], None]) -> Any:
        """Refer to it, with another state beside it, and what puts that back."""
        self._kept.append(value)
        return KEPT, (), state, None, None, put

    def standing(self, kind: type) -> dict[int, Any]:
        """Those of a class. A game may make them when they are asked for first: then there are more later."""
        if not is_all_attributes(kind):
            return {}
        beside = standing_beside((*self._kinds, kind))
        self._standing[kind] = found = beside.of(kind)
        self._watch(beside.tables)
        return found

    def _watch(self, tables: list[Any]) -> None:
        if self._looks < MOST_LOOKS:
            self._tables.update((id(table), (table, len(table))) for table in tables)

    def _look_again(self) -> None:
        """Some table has more, or less."""
        self._looks += 1
        self._tables.clear()
        beside = standing_beside((*self._kinds, *self._standing))
        self._watch(beside.tables)
        for kind, found in self._standing.items():
            if not found and kind not in self._kinds:
                self.reductions.pop(kind, None)  # there was none: it is decided anew
            found.clear()
            found.update(beside.of(kind))

    def keeps(self, value: Any) -> bool:
        """Whether it is a layer."""
        return id(value) in self._layers

    def generator(self, value: Any) -> Any:
        """Share it, with its state beside it, where that lies in memory."""
        memory = self._memory(value)
        if memory is None:
            return _with_its_bits(value)
        self._generators.append((value, memory.state().data))
        return _GENERATOR


def _with_its_bits(value: Any) -> Any:
    """A generator of numpy whose state lies elsewhere, with its bit generator, as numpy 2 has it. numpy 1 has the name
    of its kind there, and whoever draws from the bit generator itself would then draw from another one."""
    reduced = plainly(value)
    bits = getattr(value, "_bit_generator", None)
    if bits is None or any(argument is bits for argument in reduced[1]):
        return reduced
    return type(value), (bits,), *reduced[2:]
