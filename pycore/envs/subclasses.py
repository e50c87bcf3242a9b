"""Objects that pickle would bring back as something else: of classes derived from Python's own, or with own rules.

Pickle calls the class of such an object again, which may want other arguments; fills it by its methods, which may do
more than fill; asks it for names that its ``__getattr__`` does not expect; or forgets its attributes. Here an object is
made by the type that its class is derived from, filled by that type's own methods, and given its attributes. So none of
its class's code runs.

Least of all what a class says by ``__reduce__``, ``__getstate__`` or ``__setstate__``: that is for files and other
processes, and leaves out what can be found again there, though maybe not the same: the order of a memo, where a solver
begins, contacts that lie in a library of C. All attributes are part of a snapshot, and where one cannot be held, the
object is refused. The object itself is *kept*, as it is of a class that makes its objects by a ``__new__`` of its own:
both may have a register of them. Only Python's own classes and those of a few packages are asked, whose objects are
values, and types of C, of which nothing else can be known.
"""

from __future__ import annotations

import copyreg
import random
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from operator import methodcaller
from struct import calcsize
from types import FunctionType, GetSetDescriptorType, ModuleType
from typing import Any, Final

from pycore.envs.attributes import bare_state, put_state

__all__ = [
    "Reduce", "derived_from", "inside_of", "is_all_attributes", "is_exact", "is_kept", "module_of", "plainly",
    "reduction_by_attributes", "reduction_of_subclass",
]  # fmt: skip

Reduce = Callable[[Any], Any]
"""Takes an object; gives what `__reduce__` gives."""
plainly: Final[Reduce] = methodcaller("__reduce_ex__", 4)
"""Pickle's own way."""

_OWN_WAYS: Final = ("__reduce_ex__", "__reduce__", "__getstate__", "__setstate__")
_RULES: Final = ("__getattr__", "__getattribute__")
"""Methods of a class that pickle would run into."""
_LEFT: Final = frozenset({"", "builtins", "collections", "random", "_random"})
"""Modules whose ways of copying are known here."""
_EXACT: Final = frozenset({*sys.stdlib_module_names, "numpy", "pandas"}) - {"__main__"}
"""Packages whose classes leave nothing out that matters when they are pickled."""

_VALUES: Final[dict[type, Callable[[Any], Any]]] = {
    int: int.__int__,
    float: float.__float__,
    complex: complex.__pos__,
    str: str.__str__,
    bytes: lambda value: bytes(memoryview(value)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    frozenset: lambda value: frozenset().union(value),
}
"""Types whose value is there from the start, and how to get at it."""
_CONTAINERS: Final[dict[type, Callable[[Any], Any]]] = {
    OrderedDict: lambda value: list(OrderedDict.items(value)),
    defaultdict: lambda value: (value.default_factory, dict.copy(value)),
    dict: dict.copy,
    list: list.copy,
    set: lambda value: set().union(value),
    deque: lambda value: (value.maxlen, list(deque.__iter__(value))),
    bytearray: bytes,
}
"""Types that are filled afterwards."""
_PYTHONS: Final = (staticmethod, type)
"""What a class of Python has for its `__new__`; the second where it has none."""
_BASES: Final = {**_CONTAINERS, **_VALUES}
_POINTER: Final = calcsize("P")


def reduction_of_subclass(kind: type) -> Reduce | None:
    """How objects of a class are reduced that pickle would not bring back as they were; None where it would."""
    numpys = _numpys_base(kind)
    if numpys is not None:
        return None if kind is numpys else _generator_of_numpy(numpys)
    if issubclass(kind, random.Random):
        return None if kind is random.Random or issubclass(kind, random.SystemRandom) else _random
    base = derived_from(kind)
    if base is None:
        return None
    if base is object:
        return _bare
    return _value_of(base) if base in _VALUES else _container_of(base)


def derived_from(kind: type) -> type | None:
    """The type of Python's own by which an object of a class is made; None where pickle's way is the right one."""
    known: Any = kind
    return _base_of(known)


@lru_cache(maxsize=1024)  # asked for every object that is compared; some games make classes without end
def _base_of(kind: Any) -> type | None:
    if kind in _BASES or module_of(kind) == "collections" or issubclass(kind, (Enum, type)):
        return None
    ways = _ways_of(kind)
    if not all(_is_overruled(owner, name) for owner, name in ways):
        return None
    for base in kind.__mro__:
        if base in _BASES:
            plain = base is tuple and getattr(kind.__new__, "__module__", "").startswith("namedtuple_")
            return None if plain and not ways else base
        # Of C, a type's __new__ is no staticmethod: an object of it is made by that alone.
        if "__new__" in vars(base) and type(vars(base)["__new__"]) is not staticmethod:
            break
    return object if base is object and (ways or _makes_its_own(kind) or _stands_in_the_way(kind)) else None


def is_kept(kind: type) -> bool:
    """Whether objects of a class stay the objects that they are, and are given their attributes."""
    return derived_from(kind) is object and (bool(_ways_of(kind)) or _makes_its_own(kind))


def is_all_attributes(kind: type) -> bool:
    """Whether an object of a class is nothing but its attributes: no type of C has a part in it."""
    others = kind.__mro__[:-1]
    return not any(base in _BASES or type(vars(base).get("__new__", object)) not in _PYTHONS for base in others)


def inside_of(value: Any) -> Any:
    """What an object of a class derived from one of Python's types holds, beside its attributes."""
    base: Any = derived_from(type(value))
    return None if base is object else _BASES[base](value)


def _stands_in_the_way(kind: type) -> bool:
    """Whether pickle would run into what a class does when an object is made, asked for a name, or given a slot."""
    if any(owner is not None and type(vars(owner)[name]) is FunctionType
           for name in _RULES for owner in [_definer(kind, name)]):  # fmt: skip
        return True
    if _defined_by(kind, "__setattr__") != "builtins" and copyreg._slotnames(kind):  # type: ignore[attr-defined]
        return True
    new = kind.__new__
    if not isinstance(new, FunctionType):
        return False
    wanted = new.__code__.co_argcount - 1 - len(new.__defaults__ or ())
    return wanted > 0 or new.__code__.co_kwonlyargcount > len(new.__kwdefaults__ or ())


def _ways_of(kind: type) -> list[tuple[type, str]]:
    """The classes that say how objects are to be copied, each with the name of the method."""
    ways = [(_definer(kind, name), name) for name in _OWN_WAYS]
    return [(owner, name) for owner, name in ways if owner is not None and module_of(owner) not in _LEFT]


def _makes_its_own(kind: type) -> bool:
    """Whether a class, or the class of that, has a way of its own to make objects, which may give one that is there."""
    return any(
        owner is not None and _is_overruled(owner, name)
        for owner, name in ((_definer(kind, "__new__"), "__new__"), (_definer(type(kind), "__call__"), "__call__"))
    )


def _is_overruled(owner: type, name: str) -> bool:
    """Whether a method is one of somebody's class, of Python."""
    method = vars(owner)[name]
    function = method.__func__ if isinstance(method, staticmethod) else method
    return type(function) is FunctionType and not is_exact(owner)


def _definer(kind: type, name: str) -> type | None:
    return next((base for base in kind.__mro__ if name in vars(base)), None)


def _defined_by(kind: type, name: str) -> str:
    """The module of the class that defines a method of another one; empty where none does."""
    owner = _definer(kind, name)
    return "" if owner is None else module_of(owner)


def is_exact(owner: Any) -> bool:
    """Whether a class or module is of those whose objects are values, and pickled as such."""
    name = getattr(owner, "__name__", "") if issubclass(type(owner), ModuleType) else module_of(owner)
    return name.partition(".")[0] in _EXACT


def module_of(kind: type) -> str:
    """The module of a class; empty where it says none, as those that SWIG makes."""
    return getattr(kind, "__module__", None) or ""


# --- reductions ---


def reduction_by_attributes(kind: type) -> Reduce | None:
    """What pickle itself would make of an object that is nothing but its attributes, in a fifth of the time: it asks
    for slots, arguments and a state first. None for any other class."""
    if not _is_its_dictionary(kind):
        return None
    made: Any = copyreg.__newobj__, (kind,)  # type: ignore[attr-defined]
    new, given = made

    def reduce(value: Any) -> Any:
        return new, given, value.__dict__ or None

    return reduce


def _is_its_dictionary(kind: Any) -> bool:
    """Whether objects of a class have a dictionary and nothing else, and the class says nothing of how it is copied."""
    if not is_all_attributes(kind) or copyreg._slotnames(kind):  # type: ignore[attr-defined]
        return False
    if any(
        getattr(kind, name) is not getattr(object, name) for name in ("__reduce_ex__", "__reduce__", "__getstate__")
    ):
        return False
    if any(hasattr(kind, name) for name in ("__getnewargs__", "__getnewargs_ex__")):
        return False
    if kind.__getattribute__ is not object.__getattribute__ or any(
        "__class__" in vars(base) for base in kind.__mro__[:-1]
    ):
        return False
    owner = _definer(kind, "__dict__")
    if owner is None or type(vars(owner)["__dict__"]) is not GetSetDescriptorType:
        return False
    # A type of C may have more behind it, whatever it says of its methods.
    pointers = (kind.__dictoffset__ > 0) + (kind.__weakrefoffset__ > 0)
    return not kind.__itemsize__ and kind.__basicsize__ == object.__basicsize__ + pointers * _POINTER


def _bare(value: Any) -> Any:
    return object.__new__, (type(value),), bare_state(value), None, None, put_state


def _value_of(base: Any) -> Reduce:
    read = _VALUES[base]

    def reduce(value: Any) -> Any:
        return base.__new__, (type(value), read(value)), bare_state(value), None, None, put_state

    return reduce


def _container_of(base: Any) -> Reduce:
    read = _CONTAINERS[base]

    def reduce(value: Any) -> Any:
        return base.__new__, (type(value),), (base, read(value), bare_state(value)), None, None, _fill

    return reduce


def _fill(value: Any, state: Any) -> None:
    base, inside, attributes = state
    if base is OrderedDict:
        for key, item in inside:
            OrderedDict.__setitem__(value, key, item)
    elif base is defaultdict:
        defaultdict.__init__(value, *inside)
    elif base is deque:
        maxlen, items = inside
        deque.__init__(value, items, maxlen)
    else:
        base.__init__(value, inside)
    put_state(value, attributes)


def _random(value: Any) -> Any:
    state = random.Random.getstate(value), bare_state(value)
    return random.Random.__new__, (type(value),), state, None, None, _put_random


def _put_random(value: Any, state: Any) -> None:
    words, attributes = state
    random.Random.setstate(value, words)
    put_state(value, attributes)


def _numpys_base(kind: type) -> Any:
    module = sys.modules.get("numpy.random")
    if module is None:
        return None
    return next((base for base in (module.Generator, module.RandomState) if issubclass(kind, base)), None)


def _generator_of_numpy(base: Any) -> Reduce:
    legacy = base.__name__ == "RandomState"

    def reduce(value: Any) -> Any:
        gauss = base.get_state(value, legacy=False) if legacy else None
        given = base, type(value), value._bit_generator
        return _new_generator, given, (gauss, bare_state(value)), None, None, _put_generator

    return reduce


def _new_generator(base: Any, kind: Any, bits: Any) -> Any:
    made = base.__new__(kind)
    base.__init__(made, bits)
    return made


def _put_generator(value: Any, state: Any) -> None:
    gauss, attributes = state
    if gauss is not None:
        sys.modules["numpy.random"].RandomState.set_state(value, gauss)
    put_state(value, attributes)
