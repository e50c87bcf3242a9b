"""The path to what is in captured attributes, for messages that name what cannot be held."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any, Final

from pycore.envs.attributes import bare_state
from pycore.envs.closures import cells_of
from pycore.envs.forms import PLAIN, State

__all__ = ["path_of"]

LONGEST: Final = 200
"""Characters of a path that are told: what is nested too deep has a long one."""


def path_of(states: Sequence[State], matches: Callable[[Any], bool]) -> str:
    """The path to the innermost value for which this is true, through attributes, items and indices; or empty.

    That is the nearest one without parts: of objects that know each other it is true of each. Where it is true of none
    of those, each step leads to the first part that matches.
    """
    top = [
        (f".{name}", inner) for attributes, slots in reversed(states) for name, inner in {**attributes, **slots}.items()
    ]
    path, value = _nearest(top, matches) or _first(top, matches)
    path = path.lstrip(".")
    shown = path if len(path) <= LONGEST else f"{path[: LONGEST // 2]}…{path[-LONGEST // 2 :]}"
    return f"{shown}, a {type(value).__name__}," if path else ""


def _nearest(parts: Iterable[tuple[str, Any]], matches: Callable[[Any], bool]) -> tuple[str, Any] | None:
    """The value without parts that matches, and the path to it."""
    seen: set[int] = set()
    waiting = deque(parts)
    while waiting:
        path, value = waiting.popleft()
        if type(value) in PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        inside = [(path + step, part) for step, part in _parts(value)]
        if not inside and matches(value):
            return path, value
        waiting.extend(inside)
    return None


def _first(parts: Iterable[tuple[str, Any]], matches: Callable[[Any], bool]) -> tuple[str, Any]:
    """The innermost value on the path of first parts that match."""
    value: Any = None
    path = ""
    seen: set[int] = set()
    while True:
        found = next(((step, part) for step, part in parts if id(part) not in seen and matches(part)), None)
        if found is None:
            return path, value
        step, value = found
        seen.add(id(value))
        path += step
        parts = _parts(value)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"[{_told(key)}]", item
    elif isinstance(value, (list, tuple, deque)):
        for index, item in enumerate(value):
            yield f"[{index}]", item
    elif isinstance(value, (set, frozenset)):
        for item in value:
            yield "{…}", item
    elif isinstance(value, FunctionType):
        for number, item in enumerate(value.__defaults__ or ()):
            yield f"()[{number}]", item
        for name, item in {**cells_of(value), **(value.__kwdefaults__ or {}), **value.__dict__}.items():
            yield f"().{name}", item
    elif not isinstance(value, (type, ModuleType)):
        attributes, slots = bare_state(value)
        for name, item in {**attributes, **slots}.items():
            yield f".{name}", item


def _told(key: Any) -> str:
    """A key in words, also one that has none."""
    try:
        return repr(key)
    except Exception:  # what an environment has for keys may do anything
        return f"a {type(key).__name__}"
