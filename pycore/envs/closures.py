"""Functions that remember: what lies in their closures, default arguments and attributes, when they are captured.

The code of a function never changes, so a function is shared. One in whose closure something lies (the arrays of a
wrapper that rescales actions, a generator, a count) stays the function that it is as well, and what lies in it is part
of a snapshot: a load puts it into the very cells, so that functions that have a name in common still have it in common.
"""

from __future__ import annotations

from collections.abc import Callable
from opcode import opmap
from types import FunctionType
from typing import Any, Final

__all__ = ["Recalled", "cells_of", "memory_of_function", "put_memory", "remembers"]

MOST_READ: Final = 512
"""Codes of functions that are known at a time."""


class Recalled:
    """Stands for such a function where somebody only looks at a snapshot, with what lies in it as attributes."""

    def __call__(self) -> Any:
        """Nobody calls it; a `defaultdict` takes only what can be called."""


def remembers(function: Any, is_code: Callable[[Any], bool], is_fixed: Callable[[Any], bool]) -> bool:
    """Whether anything in a function may change: what lies in its closure may, by whoever has the name too, unless
    `is_code` says that it is no state, and what it has by default unless `is_fixed` does."""
    if any(not name.startswith("__") for name in function.__dict__):
        return True
    cells, given = cells_of(function), (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    if len(cells) < len(function.__code__.co_freevars) or _sets_anew(function.__code__):
        return True
    return not (all(map(is_code, cells.values())) and all(map(is_fixed, given)))


def cells_of(function: Any) -> dict[str, Any]:
    """What lies in its closure, by name; cells that are empty as yet are left out."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def memory_of_function(function: Any) -> Any:
    """All that lies in it, for `put_memory`."""
    return (
        function.__qualname__, cells_of(function), function.__defaults__, function.__kwdefaults__, function.__dict__
    )  # fmt: skip


def put_memory(function: Any, memory: Any) -> None:
    """Put it back."""
    name, cells, defaults, named, attributes = memory
    if type(function) is not FunctionType:
        inside = {"closure": cells, "defaults": defaults, "named": named, "attributes": attributes}
        vars(function).update(name=name, **{what: value for what, value in inside.items() if value})
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name in cells:
            cell.cell_contents = cells[name]
        else:
            _empty(cell)
    function.__defaults__, function.__kwdefaults__ = defaults, named
    own = vars(function)
    own.clear()
    own.update(attributes)


def _empty(cell: Any) -> None:
    try:
        del cell.cell_contents
    except ValueError:  # it was
        return


_read: dict[int, tuple[Any, bool]] = {}
"""Of codes that were read, by place in memory, each held by this: whether they set any name anew."""


def _sets_anew(code: Any) -> bool:
    # To read a hundred lines takes 250 us, and it is asked in each save.
    known = _read.get(id(code))
    if known is None:
        if len(_read) >= MOST_READ:  # some games make functions without end
            _read.clear()
        _read[id(code)] = known = code, bool(_set_anew(code))
    return known[1]


def _set_anew(code: Any) -> list[str]:
    """The names from around a function that it, or one in it, sets anew: `nonlocal`."""
    inner = [name for each in code.co_consts if type(each) is type(code) for name in _set_anew(each)]
    found = [name for name in inner if name in code.co_freevars]
    if not code.co_freevars:
        return found
    # Local names come first, then those that functions inside use, then those from around.
    names = [*code.co_varnames, *[name for name in code.co_cellvars if name not in code.co_varnames], *code.co_freevars]
    first, extended, octets = len(names) - len(code.co_freevars), 0, code.co_code
    for at in range(0, len(octets), 2):
        number = extended << 8 | octets[at + 1]
        extended = number if octets[at] == opmap["EXTENDED_ARG"] else 0
        if octets[at] in _SETTING and number >= first:
            found.append(names[number])
    return found


_SETTING: Final = (opmap["STORE_DEREF"], opmap["DELETE_DEREF"])
