"""What becomes of an object when an environment is captured: by its type, decided once.

Nearly everything is pickled as pickle does it. An object of C that has no way of its own to be pickled is refused
there, so nothing is guessed. What pickle does not do, or does wrongly, is here:

- code (functions that cannot be imported, classes likewise, modules) is shared: a snapshot refers to it. A function
  that has an object in its closure which may change is refused, since nobody would save that, or put the saved one in
  its place; the environment itself may be there;
- what is drawn with, and spaces, are shared: they are no state, and cannot be copied or take long;
- a class that inherits `EzPickle` is pickled as if it did not, because that makes a new object from the constructor's
  arguments;
- arrays of numpy that are views stay views of the same array, and subclasses of arrays keep their attributes.
"""

from __future__ import annotations

import copyreg
import random
import sys
import weakref
from collections.abc import Callable
from enum import Enum
from functools import cache
from operator import attrgetter, methodcaller
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final, Protocol

from pycore.errors import PycoreError

__all__ = [
    "Reduce", "Refused", "Sharing", "bare_state", "is_kept_aside", "plainly", "put_state", "reduction_of",
    "reduction_of_code",
]  # fmt: skip


class Sharing(Protocol):
    """What a reduction may ask of whoever captures."""

    def share(self, value: Any) -> Any:
        """What stands in the pickle for an object that is shared."""

    def keeps(self, value: Any) -> bool:
        """Whether an object is a layer, which stays the object that it is."""

    def generator(self, value: Any) -> Any:
        """What stands in the pickle for a generator of random numbers."""


Reduce = Callable[[Any], Any]
"""Takes an object; gives what `__reduce__` gives."""
plainly: Final[Reduce] = methodcaller("__reduce_ex__", 4)
"""Pickle's own way. Of C, like pickle itself: most objects go it, and a call of Python for each takes a third more."""

DRAWN: Final = frozenset({"Surface", "Font", "Clock", "Sound", "Channel", "Joystick", "Window", "FreeType"})
"""Of pygame, what a state never holds: pictures, sounds and clocks."""
DRAWERS: Final = frozenset({"pygame", "pyglet", "matplotlib", "PIL", "interactive_gym", "mug"})
"""Packages whose `DRAWN` classes are shared."""
NUMPYS: Final = frozenset({"Generator", "RandomState"})
NUMBERS: Final = frozenset(
    {"bool", "bool_", "float16", "float32", "float64"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""Of numpy's scalars, those that a number of Python's holds exactly."""
FIXED: Final = frozenset({int, float, complex, str, bool, bytes, type(None), range, type(...)})
SPACES: Final = frozenset({"gymnasium", "gym"})


class Refused(PycoreError):
    """An object that cannot be part of a snapshot."""

    code = "capture_refused"


def reduction_of(kind: type, sharing: Sharing) -> Reduce:
    """How objects of exactly this type are reduced; classes and functions that are shared: see `reduction_of_code`."""
    if issubclass(kind, type):
        return attrgetter("__qualname__")  # pickle looks for it there, and refuses if it is not
    if kind is random.Random or (kind.__name__ in NUMPYS and kind.__module__.startswith("numpy.random")):
        return sharing.generator
    if _is_shared(kind):
        return sharing.share
    if kind is MethodType:
        return _method
    if kind is weakref.ref:
        return _weak
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.ndarray):
        return _array if kind is numpy.ndarray else _array_with_attributes
    if numpy is not None and issubclass(kind, numpy.dtype):
        return _dtype
    if numpy is not None and issubclass(kind, numpy.generic):
        return _number_of(kind) if kind.__name__ in NUMBERS else plainly
    if any(base.__name__ == "EzPickle" for base in kind.__mro__):
        return _bare
    return copyreg.dispatch_table.get(kind, plainly)


def reduction_of_code(value: Any, sharing: Sharing) -> Any:
    """For a pickler's `reducer_override`: what stands for a class or function, which is shared if it cannot be
    imported; NotImplemented for whatever else."""
    if isinstance(value, type):
        return NotImplemented if _is_importable(value) else sharing.share(value)
    return _function(value, sharing) if type(value) is FunctionType else NotImplemented


def _is_shared(kind: type) -> bool:
    """Whether objects of a type are shared, for they are no state: modules, spaces, what is drawn with."""
    if kind is ModuleType or kind.__name__ == "JsProxy":
        return True
    names = {(base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__}
    return any(
        (package in DRAWERS and name in DRAWN) or (package in SPACES and name == "Space") for package, name in names
    )


def is_kept_aside(value: Any) -> bool:
    """Whether a value that drawing left in an attribute leads to nothing of the game: a window, a number."""
    kind: Any = type(value)
    return _leads_nowhere(kind)


@cache
def _leads_nowhere(kind: Any) -> bool:
    return kind in FIXED or _is_shared(kind)


def bare_state(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of an object: those in its `__dict__`, which is the very one, and those in slots."""
    slots = {name: getattr(value, name) for name in copyreg._slotnames(type(value)) if hasattr(value, name)}  # type: ignore[attr-defined]
    return getattr(value, "__dict__", {}), slots


def put_state(value: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give an object these attributes, and no others."""
    attributes, slots = state
    own = getattr(value, "__dict__", None)
    if own is not None:
        if own.keys() != attributes.keys():
            for name in [name for name in own if name not in attributes]:
                del own[name]
        own.update(attributes)
    for name in copyreg._slotnames(type(value)):  # type: ignore[attr-defined]
        if name in slots:
            object.__setattr__(value, name, slots[name])
        elif hasattr(value, name):
            object.__delattr__(value, name)


# --- kinds ---


_importable: dict[int, Any] = {}
"""What was found where it says it is, by its place in memory."""


def _is_importable(value: Any) -> bool:
    if _importable.get(id(value)) is value:
        return True
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is value:
        _importable[id(value)] = value
    return found is value


def _function(value: Any, sharing: Sharing) -> Any:
    if _is_importable(value):
        return NotImplemented
    found = _changing_in(value, sharing, set())
    if found is not None:
        name, inside = found
        raise Refused(
            f"{value.__qualname__}() has {name}, a {type(inside).__name__} that may change: keep it as an attribute"
        )
    return sharing.share(value)


def _changing_in(function: Any, sharing: Sharing, seen: set[int]) -> tuple[str, Any] | None:
    """What may change in a function's closure and default arguments, or in those of functions in them, and where."""
    seen.add(id(function))
    for number, given in enumerate((*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()), 1):
        if not _is_fixed(given, sharing, seen):
            return f"its default argument {number}", given
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            inside = cell.cell_contents
        except ValueError:  # empty as yet
            continue
        if not _is_fixed(inside, sharing, seen):
            return f"{name!r} in its closure", inside
    return None


def _is_fixed(value: Any, sharing: Sharing, seen: set[int]) -> bool:
    """Whether a value in a closure never changes, or is the same object after a load."""
    kind = type(value)
    if kind in FIXED or isinstance(value, (type, Enum)) or sharing.keeps(value):
        return True
    if kind in (tuple, frozenset):
        return all(_is_fixed(item, sharing, seen) for item in value)
    if kind is MethodType:
        return _is_fixed(value.__self__, sharing, seen)
    if kind is FunctionType:
        return id(value) in seen or _changing_in(value, sharing, seen) is None
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.generic, numpy.dtype, numpy.ufunc)):
        return True
    return kind is BuiltinFunctionType or _is_shared(kind)


def _method(value: Any) -> Any:
    # pickle would look the name up, and a method may have another one than the attribute it is found by.
    return MethodType, (value.__func__, value.__self__)


def _weak(value: Any) -> Any:
    there = value()
    return (weakref.ref, (there,)) if there is not None else (_dead, ())


def _dead() -> Any:
    """A weak reference to what is no more."""
    return weakref.ref(type("Gone", (), {})())


def _bare(value: Any) -> Any:
    return object.__new__, (type(value),), bare_state(value), None, None, put_state


def _array(value: Any) -> Any:
    base = value.base
    if base is None:
        dtype = value.dtype
        if (dtype in _numeric or _is_numeric(dtype)) and value.flags.c_contiguous:
            return _owned, (value.shape, dtype, value.tobytes())  # numpy's own way takes three times as long
        return plainly(value)
    if not isinstance(base, sys.modules["numpy"].ndarray):
        return plainly(value)
    return _view, (base, value.dtype, value.shape, value.strides, _address(value) - _address(base))


_numeric: set[Any] = set()
"""Types of numbers that were met in arrays. To look there takes half as long as to ask one for its kind."""


def _is_numeric(dtype: Any) -> bool:
    if dtype.kind in "biufc":
        _numeric.add(dtype)
    return dtype in _numeric


def _dtype(value: Any) -> Any:
    # numpy's own way gives a state beside it, which is set anew at each load.
    is_plain = value.kind in "biufc" and not value.metadata
    return (sys.modules["numpy"].dtype, (value.str,)) if is_plain else plainly(value)


def _array_with_attributes(value: Any) -> Any:
    make, given, state, *_ = value.__reduce__()
    return make, given, (state, bare_state(value)), None, None, _put_array


def _put_array(value: Any, state: Any) -> None:
    of_array, attributes = state
    sys.modules["numpy"].ndarray.__setstate__(value, of_array)
    put_state(value, attributes)


def _owned(shape: Any, dtype: Any, data: bytes) -> Any:
    return sys.modules["numpy"].ndarray(shape, dtype, data).copy()


def _number_of(kind: Any) -> Reduce:
    """For a type of numpy's numbers that Python's hold exactly. Their `item` takes four times as long."""
    plain: Any = bool if kind.__name__ in ("bool", "bool_") else float if "float" in kind.__name__ else int

    def reduce(value: Any) -> Any:
        return kind, (plain(value),)

    return reduce


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _view(base: Any, dtype: Any, shape: Any, strides: Any, offset: int) -> Any:
    numpy = sys.modules["numpy"]
    return numpy.ndarray(shape, dtype, base, offset, strides)
