"""What wrappers remember: the state of the layers outside of the one that has `get_state`.

`TimeLimit` counts the steps and ends the episode; without that count a rollback would end it early. So everything
plain that such a layer holds is part of the state: numbers, strings, lists and dicts of them, arrays. Functions and
spaces are configuration, and shared. What a layer of Gymnasium or PettingZoo holds is known by name where that rule
would do wrong. A layer that holds anything else is refused by its name, since nobody can say whether that is state.
"""

from __future__ import annotations

import sys
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from pycore.envs.attributes import bare_state
from pycore.envs.chains import INNER
from pycore.errors import EnvironmentUnfit
from pycore.frozen import Named

__all__ = ["Known", "known_wrapper", "obstacle_in", "put_wrapper", "state_of_wrapper", "why_unfit"]


class Known(Named):
    """What one class of wrappers remembers."""

    saved: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    """What it only keeps to save a call, and finds anew where it is None."""


PACKAGES: Final = frozenset({"gymnasium", "gym", "pettingzoo", "pycore"})
KNOWN: Final = {
    # By which an environment of any kind is played (`pycore.envs.view`).
    "View": Known(("flagged",)),
    "TimeLimit": Known(("_elapsed_steps",)),
    "Autoreset": Known(("autoreset",)),
    # What they remember is whether they have warned, or were reset. The former changes when somebody renders.
    "OrderEnforcing": Known(),
    "PassiveEnvChecker": Known(),
    "OrderEnforcingWrapper": Known(),
    "AssertOutOfBoundsWrapper": Known(),
    "ClipOutOfBoundsWrapper": Known(),
    "TerminateIllegalWrapper": Known(("_terminated",), ("_prev_obs", "_prev_info")),
}
UNFIT: Final = {
    "RecordEpisodeStatistics": "it reads a clock, so no two players would agree",
    "RecordVideo": "it writes files at every step, also at those that are taken back",
    "RecordVideoParallel": "it writes files at every step, also at those that are taken back",
    "HumanRendering": "it renders at every step, also at those that are taken back",
}
CONFIGURATION: Final = frozenset(
    {
        *INNER, "action_space", "observation_space", "_action_space", "_observation_space", "action_spaces",
        "observation_spaces", "metadata", "_metadata", "spec", "_cached_spec", "_saved_kwargs", "render_mode",
        "reward_range", "possible_agents", "state_space",
    }
)  # fmt: skip
PLAIN: Final = frozenset({int, float, str, bool, bytes, type(None)})
CODE: Final = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)


def state_of_wrapper(layer: Any, user: str) -> dict[str, Any]:
    """What a wrapper remembers, by attribute, as it is. Raises `EnvironmentUnfit` where that is not known.

    `user` is the name of the user's class.
    """
    why = obstacle_in(layer)
    if why is not None:
        raise EnvironmentUnfit(
            f"{user} has get_state(), but it is inside of {type(layer).__name__}, and {why}: leave that wrapper out, "
            "or give it get_state() and set_state(state) of its own, which save it and what it wraps"
        )
    known = known_wrapper(layer)
    own = _attributes(layer)
    if known is not None:
        return {name: own[name] for name in known.saved if name in own}
    return {name: value for name, value in own.items() if name not in CONFIGURATION and not _is_shared(value)}


def put_wrapper(layer: Any, state: dict[str, Any]) -> None:
    """Put back what `state_of_wrapper` gave."""
    known = known_wrapper(layer)
    if known is not None:
        for name in known.forgotten:
            setattr(layer, name, None)
    else:
        own = _attributes(layer)
        came_later = [name for name in own if name not in state and name not in CONFIGURATION]
        for name in came_later:
            if not _is_shared(own[name]):
                delattr(layer, name)
    for name, value in state.items():
        setattr(layer, name, value)


def obstacle_in(layer: Any) -> str | None:
    """Why it cannot be said what a wrapper remembers; None where it can."""
    why = why_unfit(layer)
    if why is not None:
        return why
    if known_wrapper(layer) is not None:
        return None
    for name, value in _attributes(layer).items():
        if name not in CONFIGURATION and not _is_shared(value) and not _is_plain(value):
            return f"whether its attribute {name}, a {type(value).__name__}, is state cannot be told"
    return None


def why_unfit(layer: Any) -> str | None:
    """Why a wrapper of a package cannot be played, whatever it remembers; None where nothing is known against it."""
    return UNFIT.get(type(layer).__name__) if _is_of_a_package(layer) else None


def known_wrapper(layer: Any) -> Known | None:
    """What is known of a wrapper by its class; None where nothing is."""
    kind: Any = type(layer)
    return _known(kind)


@cache
def _known(kind: type) -> Known | None:
    return KNOWN.get(kind.__name__) if kind.__module__.partition(".")[0] in PACKAGES else None


def _attributes(layer: Any) -> dict[str, Any]:
    """Those in its dictionary, and those in slots."""
    attributes, slots = bare_state(layer)
    return {**attributes, **slots} if slots else attributes


def _is_of_a_package(layer: Any) -> bool:
    return type(layer).__module__.partition(".")[0] in PACKAGES


def _is_shared(value: Any) -> bool:
    return isinstance(value, CODE) or (hasattr(value, "contains") and hasattr(value, "sample"))


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind in PLAIN:
        return True
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    if kind is dict:
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)) and value.dtype.kind in "biufc"
