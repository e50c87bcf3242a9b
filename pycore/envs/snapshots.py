"""Snapshots: what a simulation saves, so kept that nothing which happens later can change it.

What is pickled is so within the process only: nothing pickled ever leaves it, or comes in. What comes out of a snapshot
is fresh each time.
"""

from __future__ import annotations

from typing import Any

from pycore.envs.chains import class_name
from pycore.errors import EnvironmentUnfit, described
from pycore.frozen import Named

__all__ = ["PRIMITIVES", "WAY_OUT", "Snapshot", "pickled", "unpickled"]

PRIMITIVES = frozenset({int, float, str, bool, bytes, type(None)})

WAY_OUT = (
    "Keep numbers, strings, lists, dicts and arrays there, and let set_state(state) make everything else of them anew"
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
    """The value as bytes; `EnvironmentUnfit` names the source, and the place in it, where that cannot be."""
    import pickle  # a flat state needs none, and in a browser its import takes longer than all of pycore's

    try:
        return pickle.dumps(value, 5)
    except Exception as error:  # how an object is copied may be anybody's code
        where = "it is nested too deep" if isinstance(error, RecursionError) else _place(value)
        raise EnvironmentUnfit(
            f"what {source} of {class_name(env)} gives cannot be saved: {where} ({described(error)}). {WAY_OUT}"
        ) from error


def _place(value: Any) -> str:
    """The path to what cannot be pickled."""
    import pickle

    from pycore.envs.places import path_of

    def fails(part: Any) -> bool:
        try:
            pickle.dumps(part, 5)
        except Exception:
            return True
        return False

    return path_of([({"$": value}, {})], fails).rstrip(",")


def unpickled(data: bytes) -> Any:
    """A fresh value of what `pickled` gave."""
    import pickle

    return pickle.loads(data)
