"""Objects with a hash of their own, which are looked for by it while they are made.

A dictionary is filled when its keys are there, and where an object leads to a dictionary of which it is a key itself,
it has no attributes yet by then: its hash would ask for one in vain. So such an object is made with those of its
attributes that lead nowhere, numbers and texts and what is made of them, which is what hashes are made of.
"""

from __future__ import annotations

import sys
from enum import Enum
from types import FunctionType
from typing import Any, Final

from pycore.envs.attributes import bare_state, put_state
from pycore.envs.stock import PLAIN
from pycore.envs.subclasses import Reduce, derived_from, is_all_attributes, is_exact

__all__ = ["begun", "has_own_hash", "leads_nowhere", "made_with_its_hash", "settled"]

DEEPEST: Final = 4
"""Objects within objects of which a hash may be made."""
State = tuple[dict[str, Any], dict[str, Any]]


def has_own_hash(kind: Any) -> bool:
    """Whether a class says how its objects are hashed, and these are nothing but attributes."""
    if type(kind.__hash__) is not FunctionType or is_exact(kind):
        return False
    return is_all_attributes(kind) and derived_from(kind) in (None, object)


def made_with_its_hash(kind: type, reduce: Reduce) -> Reduce:
    """The reduction of such objects, `reduce` being the one without regard to that."""

    def reduced(value: Any) -> Any:
        made = reduce(value)
        own = made[2] if type(made) is tuple and len(made) > 2 else None
        if type(own) is dict and PLAIN.issuperset(map(type, own.values())):
            return made  # nearly all: places, cards
        state = bare_state(value)
        first = settled(state)
        if len(first[0]) + len(first[1]) == len(state[0]) + len(state[1]):
            return made  # it leads nowhere, so not to itself either
        return begun, (kind, first), state, None, None, put_state

    return reduced


def settled(state: State) -> State:
    """Of attributes those that lead nowhere."""
    attributes, slots = state
    return (
        {name: value for name, value in attributes.items() if _leads_nowhere(value, 0)},
        {name: value for name, value in slots.items() if _leads_nowhere(value, 0)},
    )


def leads_nowhere(state: Any) -> bool:
    """Whether all attributes in what pickle is given of an object do so, and a hash may be made of them."""
    for attributes in state if type(state) is tuple else (state,):
        for value in (attributes or {}).values():
            if type(value) not in PLAIN and not _leads_nowhere(value, 0):
                return False
    return True


def begun(kind: Any, first: State) -> Any:
    """An object with these attributes, which gets the others later."""
    made = object.__new__(kind)
    put_state(made, first)
    return made


def _leads_nowhere(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind in PLAIN:
        return True
    if kind is list or kind is dict:
        return False  # most often
    if kind is tuple or kind is frozenset:
        if depth >= DEEPEST:
            return False
        return PLAIN.issuperset(map(type, value)) or all(_leads_nowhere(item, depth + 1) for item in value)
    if isinstance(value, Enum):
        return True
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.number, numpy.bool_)):
        return True
    if depth >= DEEPEST or is_exact(kind) or not is_all_attributes(kind):
        return False
    attributes, slots = bare_state(value)
    return all(_leads_nowhere(item, depth + 1) for item in (*attributes.values(), *slots.values()))
