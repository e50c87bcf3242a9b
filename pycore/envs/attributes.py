"""The attributes of an object, as they lie in it: no code of its class is asked for them, or told of them."""

from __future__ import annotations

import copyreg
from typing import Any, Final

__all__ = ["bare_state", "put_state"]

_own: Final = object.__getattribute__


def bare_state(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of an object: those in its `__dict__`, which is the very one, and those in slots."""
    slots = {}
    for name in copyreg._slotnames(type(value)):  # type: ignore[attr-defined]
        try:
            slots[name] = _own(value, name)
        except AttributeError:  # empty as yet
            continue
    try:
        return _own(value, "__dict__"), slots
    except AttributeError:
        return {}, slots


def put_state(value: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give an object these attributes, and no others."""
    attributes, slots = state
    try:
        own = _own(value, "__dict__")
    except AttributeError:
        own = None
    if attributes is value:  # a dictionary whose items are its attributes
        object.__setattr__(value, "__dict__", value)
    elif own is not None:
        if own.keys() != attributes.keys():
            for name in [name for name in own if name not in attributes]:
                del own[name]
        own.update(attributes)
    for name in copyreg._slotnames(type(value)):  # type: ignore[attr-defined]
        if name in slots:
            object.__setattr__(value, name, slots[name])
        else:
            try:
                object.__delattr__(value, name)
            except AttributeError:  # it was empty
                continue
