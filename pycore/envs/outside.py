"""What lies outside of an environment: what its code has names for in modules and classes, and memos of functions.

No snapshot has any of that. What a frame that is taken back has left there stays, and every page has another.
"""

from __future__ import annotations

import random
import sys
from array import array
from collections import deque
from collections.abc import Iterator
from itertools import count
from types import FunctionType, ModuleType
from typing import Any, Final

from pycore.envs.attributes import bare_state
from pycore.envs.chains import chain_of
from pycore.envs.kinds import MEMO
from pycore.envs.subclasses import is_exact, module_of

__all__ = ["forget_memos", "looks"]

LIBRARIES: Final = frozenset(
    {"gymnasium", "gym", "pettingzoo", "pygame", "pycore", "matplotlib", "PIL", "scipy", "pytest", "_pytest"}
)
"""Packages beside Python's own and numpy that are not looked into: they count what is no game's affair."""
ENUMS: Final = frozenset({"_value2member_map_", "_member_map_", "_unhashable_values_map_"})
"""Where Python keeps the members of an `Enum`: those of a `Flag` that are made of others are made when they are met."""
DEEPEST: Final = 6
MOST: Final = 10_000
"""Items of a container that are looked at."""

Names = dict[str, Any]


def forget_memos(env: Any) -> None:
    """Empty what `functools.lru_cache` and `cache` keep of an environment's functions, as at the start of a process."""
    own = [("", bare_state(layer)[0]) for layer in chain_of(env)]
    for _, names in [*_namespaces(env), *own]:
        for value in list(names.values()):
            memo: Any = getattr(value, "__func__", value) if isinstance(value, (staticmethod, classmethod)) else value
            if type(memo) is MEMO:
                memo.cache_clear()


def looks(env: Any) -> dict[str, Any]:
    """What is there now, by its name: values that can be compared later on."""
    chain = chain_of(env)
    layers = {id(layer) for layer in chain}
    own = {module_of(base).partition(".")[0] for layer in chain for base in type(layer).__mro__}
    found = {}
    for where, names in _namespaces(env):
        module = str(names.get("__module__") or names.get("__name__") or "")
        if _is_installed(module) and module.partition(".")[0] not in own:
            continue  # what a library of graphs remembers is no game's affair
        for name, value in list(names.items()):
            if not (name.startswith("__") and name.endswith("__")) and name not in ENUMS:
                found[f"{where}.{name}"] = _look(value, 0, dict.fromkeys(layers, (-1, 0)))
    return found


def _namespaces(env: Any) -> Iterator[tuple[str, Names]]:
    """Of the modules and classes that the classes of an environment lead to, each once, with its name."""
    seen: set[int] = set()
    waiting: list[Any] = [base for layer in chain_of(env) for base in type(layer).__mro__]
    while waiting:
        owner = waiting.pop()
        kind = type(owner)
        if issubclass(kind, (type, ModuleType)):
            if id(owner) in seen or _is_of_a_library(owner):
                continue
            where, names = owner.__name__.rpartition(".")[2], dict(vars(owner))
        elif kind is dict:  # a page runs a game in a namespace that no module has
            if id(owner) in seen:
                continue
            where, names = str(owner.get("__name__", "")).rpartition(".")[2], owner
        else:
            continue
        seen.add(id(owner))
        yield where, names
        for value in list(names.values()):
            if issubclass(type(value), (type, ModuleType)):
                waiting.append(value)
            elif type(value) is FunctionType or type(value) is MEMO:
                function = getattr(value, "__wrapped__", value)
                if type(function) is FunctionType and not _is_name_of_a_library(function.__module__ or ""):
                    waiting.append(function.__globals__)


def _is_of_a_library(owner: Any) -> bool:
    name = owner.__name__ if issubclass(type(owner), ModuleType) else module_of(owner)
    return is_exact(owner) or name == "builtins" or _is_name_of_a_library(name)


def _is_name_of_a_library(module: str) -> bool:
    top = module.partition(".")[0]
    return top in LIBRARIES or (top in sys.stdlib_module_names and top != "__main__")


def _is_installed(module: str) -> bool:
    file = str(getattr(sys.modules.get(module), "__file__", None) or "")
    return "site-packages" in file or "dist-packages" in file


def _look(value: Any, depth: int, met: dict[int, tuple[int, int]]) -> Any:
    """A value as one that can be compared. What is too deep says nothing, and what was `met` no deeper than here says
    which it is: by place in memory its number and that depth. Cells that know their neighbours would never end."""
    kind = type(value)
    if kind in (int, str, bool, bytes, type(None)):
        return value
    if kind in (float, complex, count):
        return repr(value)
    if depth > DEEPEST or issubclass(kind, (type, ModuleType)):
        return None
    number, before = met.get(id(value), (len(met), depth + 1))
    if before <= depth:
        return number
    met[id(value)] = number, depth

    def of(part: Any) -> Any:
        return _look(part, depth + 1, met)

    if kind in (list, tuple, deque):
        return [len(value), *[of(item) for item in list(value)[:MOST]]]
    if kind is dict:
        return [len(value), *[(of(key), of(item)) for key, item in list(value.items())[:MOST]]]
    if kind in (set, frozenset):
        return len(value), sorted(repr(of(item)) for item in list(value)[:MOST])
    if kind in (bytearray, array):
        return bytes(value)
    if isinstance(value, random.Random):
        return random.Random.getstate(value)
    if kind in (staticmethod, classmethod):
        return of(value.__func__)
    if kind is FunctionType:
        return _look_into_code(value, of)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return str(value.dtype), value.shape, repr(value.tolist()) if value.dtype.hasobject else value.tobytes()
        if kind in (numpy.random.Generator, numpy.random.RandomState):
            return repr(value._bit_generator.state)
    if _is_name_of_a_library(module_of(kind)) or is_exact(kind):
        return None
    attributes, slots = bare_state(value)
    return kind.__qualname__, [(name, of(part)) for name, part in {**attributes, **slots}.items()]


def _look_into_code(function: Any, of: Any) -> Any:
    """What a function keeps: attributes, default arguments, what is around it."""
    if _is_name_of_a_library(function.__module__ or ""):
        return None
    inside = []
    for cell in function.__closure__ or ():
        try:
            inside.append(of(cell.cell_contents))
        except ValueError:  # empty as yet
            inside.append(None)
    given = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return [inside, [of(value) for value in given], [(name, of(value)) for name, value in vars(function).items()]]
