"""What an environment is given: actions, names of agents, a seed."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Any

from pycore.values.canonical import Array

__all__ = ["native", "number_if_it_looks_so", "spelled", "takes_no_seed"]


def native(action: Any) -> Any:
    """An action as an environment expects it: its own, so that it may write into it, and arrays that came over the wire
    are numpy's again. The frame may be stepped another time with what is kept of it."""
    kind = type(action)
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind is numpy.ndarray:
        return action.copy()
    if kind is Array:
        return action.to_numpy() if "numpy" in sys.modules else action
    if kind in (list, tuple):
        return kind([native(part) for part in action])
    if kind is dict:
        return {key: native(part) for key, part in action.items()}
    return action


def number_if_it_looks_so(agent: int | str) -> int | str:
    """The id of a player as an environment has it."""
    if isinstance(agent, str) and agent.removeprefix("-").isdecimal() and agent == str(int(agent)):
        return int(agent)
    return agent


def spelled(agent: Any) -> Any:
    """The name of an agent in a form that has a canonical one: some are members of an `Enum`."""
    return f"{type(agent).__qualname__}.{agent.name}" if isinstance(agent, Enum) else agent


def takes_no_seed(error: TypeError) -> bool:
    """Whether a reset raised this since it takes no seed, and not about the seed that it took."""
    text = str(error)
    return "keyword argument" in text and ("'seed'" in text or "takes no" in text)
