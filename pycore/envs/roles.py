"""How objects of a type are told in a canonical form: decided once for each.

It must be the same in every Python: numbers of what is met follow from it.
"""

from __future__ import annotations

import copyreg
import random
import sys
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from enum import Enum
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any, Final

from pycore.envs.hashed import has_own_hash
from pycore.envs.subclasses import derived_from, is_all_attributes, is_exact, module_of

__all__ = [
    "LENT", "MAYBE", "NAMED", "OBJECT", "PLAINLY", "TABLED", "VALUE", "has_no_reduction", "is_told_by_attributes",
    "role_of",
]  # fmt: skip

VALUES: Final = frozenset({frozenset, range, slice, complex})
"""Of Python's own types those of values, beside the plainest ones and tuples."""
TABLED: Final = frozenset({list, dict, set, deque, array, bytearray, OrderedDict, defaultdict, Counter})
NAMED: Final = "told by its name"
PLAINLY: Final = "without parts that anybody can change"
VALUE: Final = "nobody can change it, nor anything in it"
MAYBE: Final = "a value, if its attributes lead nowhere"
LENT: Final = "of a table in a module, if it is short and leads to no object"
OBJECT: Final = "known by being that one"


@lru_cache(maxsize=1024)  # some games make classes without end
def role_of(kind: Any) -> str:
    """How objects of a type are met. It must be the same in every Python: numbers of what is met follow from it."""
    numpy = sys.modules.get("numpy")
    if issubclass(kind, (type, FunctionType, ModuleType)):
        return NAMED
    if issubclass(kind, Enum) or (numpy is not None and issubclass(kind, numpy.generic)):
        return PLAINLY
    if kind in TABLED or (numpy is not None and kind is numpy.ndarray):
        return LENT
    if kind in VALUES:
        return VALUE
    if is_exact(kind):
        # Fractions, dates, paths. What a method or a reference is of may change.
        own = kind.__hash__ not in (None, object.__hash__)
        return VALUE if own and module_of(kind) not in ("builtins", "weakref") else OBJECT
    if issubclass(kind, tuple):
        return MAYBE if kind.__dictoffset__ else VALUE
    if module_of(kind).partition(".")[0] == "pygame" and not is_all_attributes(kind):
        return LENT  # vectors and rectangles
    return MAYBE if has_own_hash(kind) else OBJECT


@lru_cache(maxsize=1024)
def is_told_by_attributes(kind: Any) -> bool:
    """Whether that is so of all objects of a class, and none is a generator of random numbers: of nearly all games'."""
    if is_exact(kind) or kind in copyreg.dispatch_table or (derived_from(kind) is None and not has_no_reduction(kind)):
        return False
    module: Any = sys.modules.get("numpy.random")
    drawn = () if module is None else (module.Generator, module.RandomState, module.BitGenerator)
    return not issubclass(kind, (random.Random, *drawn))


def has_no_reduction(kind: Any) -> bool:
    return kind.__reduce_ex__ is object.__reduce_ex__ and kind.__reduce__ is object.__reduce__
