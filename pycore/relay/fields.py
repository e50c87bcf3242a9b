"""Reads the fields of a client's payload: from any JSON value to a checked one, or a refusal, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from pycore.relay.limits import Limits


class Refused(Exception):
    """An event that the relay does not carry out; it becomes a `pycore_error` to the sender.

    Codes: malformed, unknown_event, too_large, too_frequent, not_in_game, foreign_room, not_your_seat,
    unknown_target, already_in_game, elsewhere, not_invited, server_full, server_busy, draining, study_closed,
    store_busy, store_failed, disk_full; to a socket without a cause of its own also waited_too_long, not_ready,
    replaced, flood. `again_ms`: to be asked again then.
    """

    def __init__(self, code: str, message: str, again_ms: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.again_ms = again_ms

    @property
    def fields(self) -> dict[str, Any]:
        """What the sender is told."""
        again = {} if self.again_ms is None else {"again_ms": self.again_ms}
        return {"code": self.code, "message": self.message, **again}


def fields_of(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise Refused("malformed", f"the payload is {shown(payload)}; it must be an object")
    return payload


def text_of(fields: dict[str, Any], name: str, limits: Limits) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= limits.id_chars:
        raise Refused(
            "malformed",
            f"`{name}` is {shown(value)}; it must be a text of 1 to {limits.id_chars} characters",
        )
    if "\0" in value:
        # PostgreSQL has no text with it: whoever sends it again would be refused again.
        raise Refused("malformed", f"`{name}` holds U+0000")
    if not value.isascii():
        utf8_bytes(value, name, 4 * limits.id_chars)
    return value


def optional_id(fields: dict[str, Any], name: str, limits: Limits) -> str | None:
    return None if fields.get(name) is None else text_of(fields, name, limits)


def player_of(fields: dict[str, Any], name: str, limits: Limits) -> int | str:
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return value
    return text_of(fields, name, limits)


def number_of(fields: dict[str, Any], name: str, low: int, high: int) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused("malformed", f"`{name}` is {shown(value)}; it must be a whole number from {low} to {high}")
    return value


def flag_of(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise Refused("malformed", f"`{name}` is {shown(value)}; it must be true or false")
    return value


def utf8_bytes(text: str, name: str, limit: int) -> int:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Refused("malformed", f"`{name}` holds half a surrogate pair") from None
    if size > limit:
        raise Refused("too_large", f"`{name}` has {size} bytes; the limit is {limit}")
    return size


def well_formed(text: str) -> str:
    """A text that is only shown, with a question mark for half a surrogate pair, which is in no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def bounded(value: Any, name: str, limit: int, depth: int) -> int:
    """Size of a value's JSON, which is at most `limit` bytes and `depth` levels."""
    if is_deeper(value, depth):
        raise Refused("malformed", f"`{name}` is nested deeper than {depth} levels")
    size = len(json.dumps(value, separators=(",", ":")))
    if size > limit:
        raise Refused("too_large", f"`{name}` has {size} bytes of JSON; the limit is {limit}")
    return size


def is_deeper(value: Any, depth: int) -> bool:
    """Whether a value of JSON has more levels than so many."""
    # Level by level, so that nothing recurses on what a stranger sent; and only what has a level below it is looked at.
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        below: list[Any] = []
        for item in level:
            below.extend(item.values() if isinstance(item, dict) else item)
        if not below:
            return False
        level = [item for item in below if isinstance(item, (dict, list))]
    return True


def shown(value: Any) -> str:
    """What was sent, short enough for a message."""
    if value is None:
        return "missing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = ascii(value[:40]) if isinstance(value, str) else str(value) if abs(value) < 2**64 else "a huge number"
    return text if len(text) <= 40 else text[:37] + "..."
