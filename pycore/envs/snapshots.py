"""Snapshots: the state that an environment gave, so kept that nothing which happens later can change it.

`get_state` may return live objects, so they are pickled, within the process only: nothing pickled ever leaves
it, or comes in. A dict or tuple of nothing but primitives is copied instead, which is cheaper, above all to load.
What comes out of a snapshot is fresh each time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pycore.envs.chains import class_name
from pycore.errors import EnvironmentUnfit

__all__ = ["PRIMITIVES", "WAY_OUT", "Snapshot", "contents", "pickled", "taken", "unpickled"]

PRIMITIVES = frozenset({int, float, str, bool, bytes, type(None)})

WAY_OUT = (
    "add get_state(), which returns everything that step() depends on as a dict of numbers, strings, lists "
    "and dicts, and set_state(state), which takes it back"
)


class Snapshot(NamedTuple):
    """A saved state. `payload` is pickled if `pickled`, otherwise made of primitives and never changed."""

    payload: Any
    pickled: bool
    agents: tuple[Any, ...] | None
    rngs: tuple[Any, ...]
    """The generators' states, in the order of `RNGS`; empty where none is kept."""
    seeded: tuple[Any, ...]
    """Those right after seeding, for comparison."""
    seen: bytes
    """What the bots saw last, pickled; empty without bots."""


def taken(state: Any, env: Any) -> tuple[Any, bool]:
    """What `get_state` gave as a payload, and whether that is pickled."""
    kind = type(state)
    if kind is dict and PRIMITIVES.issuperset(map(type, state.values())):
        return state.copy(), False
    if kind in PRIMITIVES or (kind is tuple and PRIMITIVES.issuperset(map(type, state))):
        return state, False
    return pickled(state, "get_state()", env), True


def contents(snapshot: Snapshot) -> Any:
    """The environment's state, fresh where it could be changed."""
    payload = snapshot.payload
    if snapshot.pickled:
        return unpickled(payload)
    return payload.copy() if type(payload) is dict else payload


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
