"""Snapshots: what a simulation saves, so kept that nothing which happens later can change it.

What is pickled is so within the process only: nothing pickled ever leaves it, or comes in. What comes out of a snapshot
is fresh each time.
"""

from __future__ import annotations

from typing import Any

from pycore.envs.chains import class_name
from pycore.errors import EnvironmentUnfit
from pycore.frozen import Named

__all__ = ["PRIMITIVES", "WAY_OUT", "Snapshot", "pickled", "unpickled"]

PRIMITIVES = frozenset({int, float, str, bool, bytes, type(None)})

WAY_OUT = (
    "add get_state(), which returns everything that step() depends on as a dict of numbers, strings, lists "
    "and dicts, and set_state(state), which takes it back"
)


class Snapshot(Named):
    """A saved state."""

    payload: Any
    """The environment's own, as its `StateWay` saved it."""
    agents: tuple[Any, ...] | None
    rngs: tuple[Any, ...]
    """The generators' states, in the order of `RNGS`; empty where none is kept."""
    seeded: tuple[Any, ...]
    """Those right after seeding, for comparison."""
    seen: bytes
    """What the bots saw last, pickled; empty without bots."""


def pickled(value: Any, source: str, env: Any) -> bytes:
    """The value as bytes; `EnvironmentUnfit` names the source where that cannot be."""
    import pickle  # a flat state needs none, and in a browser its import takes longer than all of pycore's

    try:
        return pickle.dumps(value, 5)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise EnvironmentUnfit(
            f"what {source} of {class_name(env)} gives cannot be saved ({error}): {WAY_OUT}"
        ) from error


def unpickled(data: bytes) -> Any:
    """A fresh value of what `pickled` gave."""
    import pickle

    return pickle.loads(data)
