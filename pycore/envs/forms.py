"""Captured attributes as a value that has a canonical form.

A pickle is not canonical: the same state may be pickled in two ways. So for hashes what was captured is told as
dictionaries, lists and numbers. An object is a dictionary of its attributes, with the name of its class under the empty
name. What is met again is told by the number of its first place, so that cycles end, and so that two objects that are
equal and one object in two places differ.

Of a *value*, which nobody can change, that would say nothing of the game: whether ``Pos(0, 0)`` is one object in two
places or two depends on which of them a load has made anew, and that differs from page to page. The same is so of a
short list, dictionary or array that leads to no object: games hand out those of a table in a module again and again,
``self.piece = SHAPES[2]``. Where somebody writes into one that is in two places, that shows in what is in both.
"""

from __future__ import annotations

import copyreg
import itertools
import random
import sys
import weakref
from array import array
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import partial
from operator import itemgetter
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, Final

from pycore.envs.attributes import bare_state
from pycore.envs.closures import Recalled
from pycore.envs.hashed import leads_nowhere
from pycore.envs.kinds import PROXIES, VIEWS, behind_proxy, count_of
from pycore.envs.memory import form_of
from pycore.envs.roles import (
    LENT,
    MAYBE,
    NAMED,
    PLAINLY,
    TABLED,
    VALUE,
    has_no_reduction,
    is_told_by_attributes,
    role_of,
)
from pycore.envs.subclasses import derived_from, inside_of, is_exact, module_of

__all__ = ["form_of_attributes"]

PLAIN = frozenset({int, float, str, bool, bytes, type(None)})
DEEPEST = 40
"""Objects further down stand in a list of their own: the canonical form has a limit of its own."""

SHORT: Final = 1024
"""Items of such a list, those of what is in it among them. Of what is longer it is told whether it is one."""
MOST: Final = 20_000
"""Items that are told again, of values and of such lists together: thousands of cells may have one, and each step of a
way the steps before it."""
_NOBODY: Final = (ModuleType, type, type(None))
"""What a function of C is of that is no method."""
_ORDERED: Final[tuple[Any, ...]] = (list, tuple, deque)
_SETS: Final[tuple[Any, ...]] = (set, frozenset)
SEEN: Final = 4
"""Steps into what is in a set, to tell its members apart."""

State = tuple[dict[str, Any], dict[str, Any]]


def form_of_attributes(layers: Sequence[Any], states: Sequence[State], shared: Sequence[Any]) -> dict[str, Any]:
    """The value of all layers' attributes: ``{"layers": [{name: …}, …]}``, innermost first."""
    forms = _Forms(layers, shared)
    told = [forms.attributes(layer, state) for layer, state in reversed(list(zip(layers, states, strict=True)))]
    deep = forms.rest()
    return {"layers": told, "deep": deep} if deep else {"layers": told}


class _Forms:
    def __init__(self, layers: Sequence[Any], shared: Sequence[Any]) -> None:
        self._names: dict[int, Any] = {id(value): {"shared": _named(value)} for value in shared}
        self._names.update({id(layer): {"layer": number} for number, layer in enumerate(layers)})
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []
        """What has a number, so that no other object can have its place in memory."""
        self._deep: list[Any] = []
        self._told = 0
        self._lent: dict[int, tuple[Any, int, int]] = {}
        """Values and short lists that were told, by their places in memory: each, its items, and which one it is."""
        self._spare = MOST
        self._items = 0
        """That were met,"""
        self._again = 0
        """and how often something was told by its number, or lay too deep."""

    def attributes(self, owner: Any, state: State) -> dict[str, Any]:
        attributes, slots = state
        told = {name: self.of(item, 2) for name, item in {**attributes, **slots}.items()}
        return {"": _named(type(owner)), **told}

    def rest(self) -> list[Any]:
        """What lies deeper, in the order in which it was met."""
        told = []
        while self._told < len(self._deep):
            value = self._deep[self._told]
            self._told += 1
            told.append(self._object(value, 2))
        return told

    def of(self, value: Any, depth: int) -> Any:
        kind: Any = type(value)
        if kind in PLAIN:
            return value
        if kind is tuple:
            self._items += len(value)
            return [*value] if PLAIN.issuperset(map(type, value)) else [self.of(item, depth + 1) for item in value]
        named = self._names.get(id(value))
        if named is not None:
            return named
        role = role_of(kind)
        if role is NAMED or (kind is BuiltinFunctionType and isinstance(value.__self__, _NOBODY)):
            return {"shared": _named(value)}
        if role is PLAINLY:
            return self._plainly(value, kind, depth)
        is_value = role is VALUE or (role is MAYBE and leads_nowhere(bare_state(value)))
        is_lent = is_value or role is LENT
        if is_lent and depth <= DEEPEST:
            if id(value) in self._lent:
                return self._told_again(value, depth)
            flat = _flat(value, kind) if role is LENT else None
            if flat is not None and len(flat) <= SHORT:  # nearly all
                self._items += len(flat)
                self._lent[id(value)] = value, len(flat), len(self._lent)
                return flat
        if not is_value:
            number = self._seen.get(id(value))
            if number is not None:
                self._again += 1
                return {b"same": number}
            self._seen[id(value)] = len(self._kept)
            self._kept.append(value)
        if depth > DEEPEST:
            self._items += 1
            self._again += 1
            self._deep.append(value)
            return {b"deep": len(self._deep) - 1}
        if not is_lent:
            return self._object(value, depth)
        items, again, kept = self._items, self._again, len(self._kept)
        self._items = items + _length(value, kind)
        told = self._object(value, depth)
        size = self._items - items
        if not is_value:
            if size > SHORT or self._again != again or len(self._kept) != kept:
                return told
            del self._seen[id(self._kept.pop())]
        self._lent[id(value)] = value, size, len(self._lent)
        return told

    def _told_again(self, value: Any, depth: int) -> Any:
        """In full, as if it were another one; by its number where too much would be told."""
        _, size, number = self._lent[id(value)]
        items, spare = self._items, self._spare - size
        if spare < 0:
            self._items += 1
            self._again += 1
            return {b"again": number}
        told = self._object(value, depth)
        # With what is in it, of which each was told before and was counted for itself here.
        self._items, self._spare = items + size, spare
        return told

    def _plainly(self, value: Any, kind: Any, depth: int) -> Any:
        """What has no parts that anybody can change: members of an Enum, numbers of numpy."""
        if issubclass(kind, Enum):
            return {"": _named(kind), "name": _member(value)}
        # Records, and times, which are told as an array of them is.
        told = value.dtype.names is not None or value.dtype.kind in "mM"
        return {"": f"one {value.dtype}", "items": self.of(value.tolist(), depth + 1)} if told else value

    def _object(self, value: Any, depth: int) -> Any:
        kind: Any = type(value)
        if kind is list:
            return [self.of(item, depth + 1) for item in value]
        if kind is dict:
            return self._mapping(value, depth)
        if kind in (set, frozenset):
            return self._members(value, depth)
        if is_told_by_attributes(kind):
            return self._by_attributes(value, kind, depth)
        if kind is bytearray:
            return bytes(value)
        if kind is MappingProxyType or kind in VIEWS:
            inside = value if kind is MappingProxyType else value.mapping
            return {"": _named(kind), "items": self._mapping(inside, depth + 1)}
        if kind is MethodType and type(value.__func__) is Recalled:
            return {"": "method", "by": self.of(value.__func__, depth + 1), "of": self.of(value.__self__, depth + 1)}
        if kind in (MethodType, BuiltinFunctionType):
            return {"": "method", "name": value.__name__, "of": self.of(value.__self__, depth + 1)}
        if kind is weakref.ref or kind in PROXIES:
            there = value() if kind is weakref.ref else behind_proxy(value)
            return {"": _named(kind), "of": self.of(there, depth + 1)}
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is numpy.ndarray:
            if value.dtype.kind in "biufc":
                return value
            items = value.ravel().tolist()
            return {"": f"array {value.dtype}", "shape": list(value.shape), "items": self.of(items, depth + 1)}
        if kind is array:  # its numbers may have another size in another process
            return {"": _named(kind), "of": value.typecode, "items": value.tolist()}
        if kind is deque:
            return {"": _named(kind), "maxlen": value.maxlen, "items": [self.of(item, depth + 1) for item in value]}
        state = _state_of_generator(value)
        if state is None:
            return self._reduced(value, depth)
        attributes = {} if kind is random.Random else bare_state(value)[0]
        own = {name: self.of(item, depth + 1) for name, item in attributes.items()}
        return {**own, "": "generator", "state": state}

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Any:
        if PLAIN.issuperset(map(type, value)):
            return {key: self.of(item, depth + 1) for key, item in value.items()}
        if all(_is_plain(key) for key in value):
            return {_keyed(key): self.of(item, depth + 1) for key, item in value.items()}
        pairs = [[self.of(key, depth + 2), self.of(item, depth + 2)] for key, item in value.items()]
        return {b"pairs": pairs}

    def _inside(self, inside: Any, depth: int) -> Any:
        """What an object holds beside its attributes; once only, so it needs no number."""
        kind = type(inside)
        if kind is dict:
            return self._mapping(inside, depth)
        if kind in (list, tuple):
            return [self.of(item, depth + 1) for item in inside]
        return self._members(inside, depth) if kind in (set, frozenset) else inside

    def _members(self, value: Iterable[Any], depth: int) -> Any:
        if all(_is_plain(member) for member in value):
            return frozenset(_keyed(member) for member in value)
        # Objects in a set are in the order of their places in memory, which says nothing: those that have a number
        # come by it, the others by what can be seen of each.
        return {b"set": [self.of(member, depth + 2) for member in self._sorted(value)]}

    def _sorted(self, members: Iterable[Any], step: int = 0) -> list[Any]:
        """Nearly always the plain attributes are enough; to look further takes longer."""
        look = (self._rank, partial(self._look, steps=2), partial(self._look, steps=SEEN))[step]
        ranked = sorted([(look(member), member) for member in members], key=_FIRST)
        found: list[Any] = []
        for _, alike in itertools.groupby(ranked, _FIRST):
            group = [member for _, member in alike]
            found += group if len(group) == 1 or step == 2 else self._sorted(group, step + 1)
        return found

    def _rank(self, member: Any) -> tuple[int, str]:
        number = self._seen.get(id(member))
        if number is not None:
            return number, ""
        attributes, slots = bare_state(member)
        seen = sorted((name, repr(item)) for name, item in {**attributes, **slots}.items() if type(item) in PLAIN)
        return len(self._seen), f"{_named(type(member))} {seen}"

    def _look(self, value: Any, steps: int) -> str:
        """What can be seen of a value within some steps, the same in every process."""
        kind: Any = type(value)
        if kind in PLAIN or (role_of(kind) is VALUE and kind is not frozenset and is_exact(kind)):
            return repr(value)
        number = self._seen.get(id(value))
        if number is not None:
            return f"#{number}"
        if isinstance(value, Enum):
            return f"{_named(kind)}.{_member(value)}"
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)) and not value.dtype.hasobject:
            return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
        if not steps or isinstance(value, (type, FunctionType, ModuleType)):
            return _named(value if isinstance(value, (type, FunctionType, ModuleType)) else kind)
        attributes, slots = bare_state(value)
        seen = [f"{name}={self._look(item, steps - 1)}" for name, item in sorted({**attributes, **slots}.items())]
        if isinstance(value, dict):
            seen += [f"{self._look(key, steps - 1)}:{self._look(item, steps - 1)}" for key, item in dict.items(value)]
        for base in _ORDERED:
            if isinstance(value, base):
                seen += [self._look(item, steps - 1) for item in base.__iter__(value)]
        for members in _SETS:
            if isinstance(value, members):
                seen += sorted([self._look(item, steps - 1) for item in members.__iter__(value)])
        return f"{_named(kind)}({', '.join(seen)})"

    def _by_attributes(self, value: Any, kind: Any, depth: int) -> Any:
        told: dict[str, Any] = {"": _named(kind)}
        attributes, slots = bare_state(value)
        for name, item in {**attributes, **slots}.items():
            told[name] = item if type(item) in PLAIN else self.of(item, depth + 1)
        base = derived_from(kind)
        if base is not None and base is not object:
            told["items"] = self._inside(inside_of(value), depth + 1)
        elif isinstance(value, tuple):  # a named one
            told["items"] = [self.of(item, depth + 2) for item in value]
        return told

    def _reduced(self, value: Any, depth: int) -> Any:
        """Any other object: by its attributes, or by what pickle makes of it where it says so itself."""
        kind = type(value)
        told: dict[str, Any] = {"": _named(kind)}
        elsewhere = copyreg.dispatch_table.get(kind)
        if elsewhere is None and (derived_from(kind) is not None or has_no_reduction(kind)):
            return self._by_attributes(value, kind, depth)
        if elsewhere is not None:
            reduced: Any = elsewhere(value)
        elif module_of(kind).partition(".")[0] == "pathlib":  # from one Python to the next in other parts
            reduced = kind, (str(value),)
        else:
            reduced = count_of(value) if kind is itertools.count else value.__reduce_ex__(4)
        if isinstance(reduced, str):
            return {"shared": reduced}
        make, given, state, items, pairs = (*reduced, None, None, None)[:5]
        told["made"] = [_named(make), *[self.of(item, depth + 2) for item in given]]
        if state is not None:
            told["state"] = self.of(state, depth + 1)
        if items is not None:
            told["items"] = [self.of(item, depth + 2) for item in items]
        if pairs is not None:
            told["pairs"] = [[self.of(key, depth + 3), self.of(item, depth + 3)] for key, item in pairs]
        return told


def _state_of_generator(value: Any) -> Any:
    """The state of a generator of random numbers, or None for anything else."""
    if isinstance(value, random.Random):
        return form_of(random.Random.getstate(value))
    module: Any = sys.modules.get("numpy.random")
    if module is None:
        return None
    if isinstance(value, module.Generator):
        return value.bit_generator.state
    if isinstance(value, module.RandomState):
        return module.RandomState.get_state(value, legacy=False)
    return value.state if isinstance(value, module.BitGenerator) else None


def _flat(value: Any, kind: Any) -> Any:
    """A list or dictionary of plain values alone; None for anything else."""
    if kind is list:
        return [*value] if PLAIN.issuperset(map(type, value)) else None
    if kind is dict and PLAIN.issuperset(map(type, value)) and PLAIN.issuperset(map(type, value.values())):
        return value.copy()
    return None


def _length(value: Any, kind: Any) -> int:
    """Items of a value or a short list, whatever its class says of that."""
    if kind in TABLED or kind is frozenset:
        return len(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind is numpy.ndarray:
        size: int = value.size
        return size
    return tuple.__len__(value) if issubclass(kind, tuple) else 1


_FIRST: Final = itemgetter(0)


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is tuple or kind is frozenset:
        return all(_is_plain(item) for item in value)
    if kind in PLAIN or isinstance(value, (str, int, float, bytes)):
        return True
    numpy = sys.modules.get("numpy")
    return isinstance(value, Enum) or (numpy is not None and isinstance(value, numpy.generic))


def _keyed(value: Any) -> Any:
    """A key or member as the canonical form can spell it."""
    if isinstance(value, Enum):
        return f"{_named(type(value))}.{_member(value)}"
    if type(value) is tuple:
        return tuple(_keyed(item) for item in value)
    if type(value) is frozenset:
        return tuple(sorted((_keyed(item) for item in value), key=repr))
    return value


def _member(value: Enum) -> Any:
    """The name of a member; of flags that have none, as of bits that nobody named, the value."""
    return value._value_ if value._name_ is None else value._name_


def _named(value: Any) -> str:
    """The name without its module: a page runs the same source under another one than whoever replays a record."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    return str(name or type(value).__qualname__)
