"""The attributes of an object, as they lie in it: no code of its class is asked for them, or told of them."""

from __future__ import annotations

import copyreg
from functools import cache
from typing import Any, Final

__all__ = ["bare_state", "changing_state", "put_changing_state", "put_state"]

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
        # Attributes are walked in the order in which they were set.
        if [*own] != [*attributes]:
            own.clear()
        own.update(attributes)
    for name in copyreg._slotnames(type(value)):  # type: ignore[attr-defined]
        if name in slots:
            object.__setattr__(value, name, slots[name])
        else:
            try:
                object.__delattr__(value, name)
            except AttributeError:  # it was empty
                continue


def changing_state(value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of an object that stays the one that it is, but for locks and files, which stay with it."""
    attributes, slots = bare_state(value)
    return _split(attributes)[0], _split(slots)[0]


def put_changing_state(value: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Give such an object these attributes, and no others but what stays."""
    attributes, slots = bare_state(value)
    put_state(value, ({**_split(attributes)[1], **state[0]}, {**_split(slots)[1], **state[1]}))


def _split(items: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What changes, and what stays."""
    stay = {name: item for name, item in items.items() if _stays(item)}
    return ({name: item for name, item in items.items() if name not in stay} if stay else items), stay


def _stays(value: Any) -> bool:
    kind: Any = type(value)
    return _is_outside(kind)


@cache
def _is_outside(kind: Any) -> bool:
    import io  # not at the top of what a page loads

    is_file = issubclass(kind, io.IOBase) and not issubclass(kind, (io.BytesIO, io.StringIO))
    return is_file or kind.__module__ == "_thread"
