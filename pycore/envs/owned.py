"""What an environment returned, as a result's own: it shares nothing that can be changed.

Environments go on writing into what they return, and put into infos whatever they have: a lock, a generator, something
that contains itself, an object whose methods raise. What cannot be copied could not be recorded either, so it becomes
the same text that stands for it in a record, that value alone.
"""

from __future__ import annotations

import copy
from typing import Any

from pycore.envs.chains import class_name
from pycore.envs.snapshots import PRIMITIVES
from pycore.errors import EnvironmentUnfit
from pycore.values.json import DEEPEST, UNRECORDABLE

__all__ = ["flags_of", "number_of", "owned"]


def owned(value: Any, around: tuple[int, ...] = ()) -> Any:
    """A copy of a result, or of a part of one. `around` are the places in memory of what it lies in."""
    kind = type(value)
    if kind in PRIMITIVES:
        return value
    if kind is dict or kind is list or kind is tuple:
        return _walked(value, kind, around)
    # Of a class of its own as well: what that says of copies may be to give the same one.
    base = next((base for base in (dict, list, tuple) if isinstance(value, base)), None)
    try:
        return copy.deepcopy(value) if base is None else _walked(value, base, around)
    except Exception:  # what an environment puts into its infos may do anything
        return UNRECORDABLE


def _walked(value: Any, kind: type, around: tuple[int, ...]) -> Any:
    """A container of one of Python's kinds, item by item."""
    if len(around) >= DEEPEST or id(value) in around:
        return UNRECORDABLE
    around = (*around, id(value))
    if kind is dict:
        return {key: item if type(item) in PRIMITIVES else owned(item, around) for key, item in value.items()}
    items = [item if type(item) in PRIMITIVES else owned(item, around) for item in value]
    return items if kind is list else tuple(items)


def number_of(reward: Any) -> Any:
    """A reward: a number of Python's where there is one number; a vector, by objective, as it is."""
    number = reward
    try:
        if reward.size == 1:
            number = reward.tolist()  # of a masked one `item` gives what lies under the mask
            while type(number) is list:
                (number,) = number
    except Exception:  # nothing of numpy's
        number = reward
    if type(number) in PRIMITIVES:
        return number
    try:
        # A fraction, a decimal, a number of another library; an array of several is none.
        return float(number) if hasattr(type(number), "__float__") and not isinstance(number, int) else owned(number)
    except Exception:
        return owned(number)


def flags_of(flags: dict[Any, Any], what: str, env: Any) -> dict[Any, bool]:
    """Flags by agent. Raises `EnvironmentUnfit` for what is neither true nor false, as an array of several.

    To Python everything is one of them, so a text, a list, a member of an `Enum` or a method that nobody called would
    end an episode, whatever they say.
    """
    found = {}
    for agent, flag in flags.items():
        if flag is True or flag is False:
            found[agent] = flag
            continue
        why = None
        try:
            is_told = any("__bool__" in vars(base) for base in type(flag).__mro__)
            # Of numpy's, texts, times and records have a truth as well.
            is_told = is_told and getattr(getattr(flag, "dtype", None), "kind", "b") in "biufc"
            if is_told and bool(flag == flag):  # no number is not
                found[agent] = bool(flag)
                continue
        except Exception as error:
            why = error
        raise EnvironmentUnfit(
            f"{class_name(env)} returned {what} in which that of {agent!r} is a {type(flag).__name__}, neither "
            "true nor false: return one flag for each agent"
        ) from why
    return found
