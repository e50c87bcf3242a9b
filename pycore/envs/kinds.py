"""What becomes of an object when an environment is captured: by its type, decided once.

Nearly everything is pickled as pickle does it. An object of C that has no way of its own to be pickled is refused
there, so nothing is guessed. What pickle does not do, or does wrongly, is here:

- code (functions that cannot be imported, classes likewise, modules) is shared: a snapshot refers to it. What may
  change in a function's closure is beside it (`pycore.envs.closures`);
- an object with a hash of its own is made with what that needs (`pycore.envs.hashed`);
- what is drawn with, and spaces, are shared: they are no state, and cannot be copied or take long. A space that
  somebody drew from is kept, with its generator beside it;
- objects of classes that say how they are copied, or that make their objects themselves, are kept with all their
  attributes beside them, but for locks, files and the like, which stay as they are;
- arrays and numbers of numpy: see `pycore.envs.arrays`;
- what is derived from Python's own types: see `pycore.envs.subclasses`.
"""

from __future__ import annotations

import copyreg
import itertools
import random
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, EnumType
from functools import cache, lru_cache
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, Final, Protocol

from pycore.envs.arrays import array_with_attributes, arrays_into, dtype_of, numbers_into, record_of
from pycore.envs.closures import memory_of_function, put_memory, remembers
from pycore.envs.hashed import has_own_hash, made_with_its_hash
from pycore.envs.holding import behind
from pycore.envs.subclasses import (
    Reduce,
    is_exact,
    is_kept,
    module_of,
    plainly,
    reduction_by_attributes,
    reduction_of_subclass,
)  # fmt: skip
from pycore.errors import PycoreError

__all__ = [
    "PROXIES", "VIEWS", "Refused", "Sharing", "behind_proxy", "count_of", "is_importable", "is_kept_aside",
    "reduction_of", "reduction_of_code",
]  # fmt: skip


class Sharing(Protocol):
    """What a reduction may ask of whoever captures."""

    arrays: list[Any]
    """Those that the mark `ARRAY` stands for in the pickle."""
    numbers: list[Any]
    """Those of numpy's that `NUMBER` stands for."""

    def share(self, value: Any) -> Any:
        """What stands in the pickle for an object that is shared."""

    def keep(self, value: Any) -> Any:
        """What stands in the pickle for an object that stays the one that it is, and gets back its attributes."""

    def keep_with(self, value: Any, state: Any, put: Callable[[Any, Any], None]) -> Any:
        """The same for one that gets back another state, by a function."""

    def standing(self, kind: type) -> dict[int, Any]:
        """Objects of a class that have a name in a module or class, by their places in memory."""

    def keeps(self, value: Any) -> bool:
        """Whether an object is a layer, which stays the object that it is."""

    def generator(self, value: Any) -> Any:
        """What stands in the pickle for a generator of random numbers."""


DRAWN: Final = frozenset({"Surface", "Font", "Clock", "Sound", "Channel", "Joystick", "Window", "FreeType"})
"""Of pygame, what a state never holds: pictures, sounds and clocks."""
DRAWERS: Final = frozenset({"pygame", "pyglet", "matplotlib", "PIL", "interactive_gym", "mug"})
"""Packages whose `DRAWN` classes are shared."""
NUMPYS: Final = frozenset({"Generator", "RandomState"})
FIXED: Final = frozenset({int, float, complex, str, bool, bytes, type(None), range, type(...)})
SPACES: Final = frozenset({"gymnasium", "gym"})
_DICTS: Final[tuple[Any, ...]] = ({}, OrderedDict())
_SIGHTS: Final = [sight for each in _DICTS for sight in (each.keys(), each.values(), each.items())]
VIEWS: Final[dict[Any, Any]] = {
    type(sight): getattr(type(each), name)
    for each in _DICTS
    for name in ("keys", "values", "items")
    for sight in (getattr(each, name)(),)
}
"""What a dictionary gives to see its keys, values or items by, and the method that gives it."""
PROXIES: Final[frozenset[Any]] = frozenset(weakref.ProxyTypes)
MEMO: Final[Any] = type(lru_cache(abs))
COLLECTIONS: Final = (weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet)
WALKING: Final[frozenset[Any]] = frozenset(
    [type(walk(sight)) for walk in (iter, reversed) for sight in _SIGHTS] + [type(iter(set()))]
)
"""Iterators that pickle makes lists of."""


class Refused(PycoreError):
    """An object that cannot be part of a snapshot."""

    code = "capture_refused"


def reduction_of(kind: type, sharing: Sharing) -> Reduce:
    """How objects of exactly this type are reduced; classes and functions that are shared: see `reduction_of_code`."""
    if issubclass(kind, type):
        return attrgetter("__qualname__")  # pickle looks for it there, and refuses if it is not
    if kind is random.Random or _draws(kind):
        return sharing.generator
    if module_of(kind) == "itertools":
        return count_of if kind is itertools.count else _iterator
    if kind in WALKING:
        return _walking
    if kind is MEMO:
        return _memo(sharing)
    if kind is MappingProxyType:
        return _read_only
    if kind in VIEWS:
        return _sight
    if kind is object or _is_shared(kind):
        return _space(sharing) if _is_space(kind) else sharing.share
    if kind is MethodType:
        return _method
    if kind is weakref.ref:
        return _weak
    if kind in PROXIES:
        return _proxy
    if issubclass(kind, COLLECTIONS):
        return _collection
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.ndarray):
        return arrays_into(sharing.arrays) if kind is numpy.ndarray else array_with_attributes
    if numpy is not None and issubclass(kind, numpy.dtype):
        return dtype_of
    if numpy is not None and issubclass(kind, numpy.generic):
        is_number = module_of(kind) == "numpy" and issubclass(kind, (numpy.number, numpy.bool_))
        other = record_of if issubclass(kind, numpy.void) else plainly
        return numbers_into(sharing.numbers) if is_number else other
    if kind not in copyreg.dispatch_table and is_kept(kind):
        return sharing.keep
    reduce = copyreg.dispatch_table.get(kind) or reduction_of_subclass(kind) or reduction_by_attributes(kind) or plainly
    if has_own_hash(kind):
        reduce = made_with_its_hash(kind, reduce)
    standing = {} if is_exact(kind) or isinstance(kind, EnumType) else sharing.standing(kind)
    return _unless_standing(standing, sharing, reduce) if standing else reduce


def reduction_of_code(value: Any, sharing: Sharing) -> Any:
    """For a pickler's `reducer_override`: what stands for a class or function, which is shared if it cannot be
    imported; NotImplemented for whatever else."""
    if isinstance(value, type):
        return NotImplemented if is_importable(value) else sharing.share(value)
    return _function(value, sharing) if type(value) is FunctionType else NotImplemented


def _is_shared(kind: type) -> bool:
    """Whether objects of a type are shared, for they are no state: modules, spaces, what is drawn with."""
    if kind is ModuleType or kind.__name__ == "JsProxy":
        return True
    names = {(module_of(base).partition(".")[0], base.__name__) for base in kind.__mro__}
    return any(package in DRAWERS and name in DRAWN for package, name in names) or _is_space(kind)


def _is_space(kind: Any) -> bool:
    return any(base.__name__ == "Space" and module_of(base).partition(".")[0] in SPACES for base in kind.__mro__)


def _space(sharing: Sharing) -> Reduce:
    share, keep = sharing.share, sharing.keep

    def reduce(value: Any) -> Any:
        return keep(value) if _was_drawn_from(value) else share(value)

    return reduce


def _was_drawn_from(space: Any) -> bool:
    """Whether a space, or one in it, has a generator: a game may let its own creatures do what `sample()` says."""
    own = space.__dict__
    if "spaces" not in own:  # nearly all
        return own.get("_np_random") is not None
    inside = own["spaces"]
    parts = inside.values() if isinstance(inside, dict) else inside
    return own.get("_np_random") is not None or any(map(_was_drawn_from, parts))


def _draws(kind: type) -> bool:
    """Whether objects of a type are numpy's generators, or the bit generators in them."""
    if not module_of(kind).startswith("numpy.random"):
        return False
    return kind.__name__ in NUMPYS or any(base.__name__ == "BitGenerator" for base in kind.__mro__)


def is_kept_aside(value: Any) -> bool:
    """Whether a value that drawing left in an attribute leads to nothing of the game: a window, a number."""
    kind: Any = type(value)
    return _leads_nowhere(kind)


@cache
def _leads_nowhere(kind: Any) -> bool:
    return kind in FIXED or _is_shared(kind)


# --- kinds ---


_importable: dict[int, Any] = {}
"""What was found where it says it is, by its place in memory."""


def is_importable(value: Any) -> bool:
    """Whether a class or function is found where it says that it is."""
    if _importable.get(id(value)) is value:
        return True
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is value:
        _importable[id(value)] = value
    return found is value


def _function(value: Any, sharing: Sharing) -> Any:
    if is_importable(value):
        return NotImplemented
    if _remembers(value, sharing, set()):
        return sharing.keep_with(value, memory_of_function(value), put_memory)
    return sharing.share(value)


def _remembers(function: Any, sharing: Sharing, seen: set[int]) -> bool:
    """Whether anything may change in a function, or in those in it."""
    seen.add(id(function))
    return remembers(
        function, lambda value: _is_code(value, sharing, seen), lambda value: _is_fixed(value, sharing, seen)
    )


def _is_code(value: Any, sharing: Sharing, seen: set[int]) -> bool:
    """Whether a value is no state: what a function in another one's closure most often is."""
    kind: Any = type(value)
    if kind in FIXED or isinstance(value, (tuple, frozenset, Enum)) or module_of(kind) == "numpy":
        return False  # one of many that it might be
    return _is_fixed(value, sharing, seen)


def _is_fixed(value: Any, sharing: Sharing, seen: set[int]) -> bool:
    """Whether a value in a closure never changes, or is the same object after a load."""
    kind = type(value)
    if kind in FIXED or kind is object or isinstance(value, (type, Enum)) or sharing.keeps(value):
        return True
    if kind in (tuple, frozenset):
        return all(_is_fixed(item, sharing, seen) for item in value)
    if kind is MethodType:
        return _is_fixed(value.__self__, sharing, seen)
    if kind is FunctionType:
        return id(value) in seen or not _remembers(value, sharing, seen)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.generic, numpy.dtype, numpy.ufunc)):
        return True
    if kind is BuiltinFunctionType:  # a list's `append` is that list
        return isinstance(value.__self__, (ModuleType, type, type(None)))
    return _is_shared(kind) and not (_is_space(kind) and _was_drawn_from(value))


def _method(value: Any) -> Any:
    # pickle would look the name up, and a method may have another one than the attribute it is found by.
    return MethodType, (value.__func__, value.__self__)


def _unless_standing(standing: dict[int, Any], sharing: Sharing, reduce: Reduce) -> Reduce:
    def reduced(value: Any) -> Any:
        return sharing.keep(value) if standing.get(id(value)) is value else reduce(value)

    return reduced


def _memo(sharing: Sharing) -> Reduce:
    """Of what `functools.lru_cache` made of a function that stays the one that it is, with whatever it remembers: that
    only saves work, or else the laws find it."""

    def reduce(value: Any) -> Any:
        if is_importable(value):
            return value.__qualname__
        if not _is_fixed(value.__wrapped__, sharing, set()):
            raise Refused("the function in it remembers what a load puts back, and the memo would not: call it by name")
        return sharing.share(value)

    return reduce


def _read_only(value: Any) -> Any:
    return MappingProxyType, (behind(value),)


def _sight(value: Any) -> Any:
    return VIEWS[type(value)], (behind(value.mapping),)


def _proxy(value: Any) -> Any:
    return weakref.proxy, (behind_proxy(value),)


def behind_proxy(value: Any) -> Any:
    """What a weak proxy stands for. Raises Refused."""
    try:
        return value.__repr__.__self__  # whatever a proxy is asked for is told by what it stands for
    except ReferenceError:
        raise Refused("what it stood for is no more") from None


def _weak(value: Any) -> Any:
    there = value()
    return (weakref.ref, (there,)) if there is not None else (_dead, ())


def _dead() -> Any:
    """A weak reference to what is no more."""
    return weakref.ref(type("Gone", (), {})())


def _collection(value: Any) -> Any:
    raise Refused("a copy would not see that what it refers to is no more: keep a dictionary or a list")


def count_of(value: Any) -> Any:
    """How an `itertools.count` is made that goes on where this one is."""
    # Pythons from 3.14 on cannot copy it, and all of them say what is next.
    inside = repr(value).partition("(")[2].rstrip(")").split(", ")
    return itertools.count, tuple([int(each) if each.lstrip("-").isdecimal() else float(each) for each in inside])


def _iterator(value: Any) -> Any:
    raise Refused(f"Pythons from 3.14 on cannot copy itertools.{type(value).__name__}: keep a list and an index")


def _walking(value: Any) -> Any:
    raise Refused(f"a copy of a {type(value).__name__} does not see what changes later: keep a list and an index")
