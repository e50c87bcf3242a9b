"""JSON that is large, read by what can pass over a value without making it.

Python's reader makes an object of every value: 16 MB of numbers take it three seconds, in which nothing else of the
process runs. What is stored is wanted as text, not as objects, so msgspec checks it and hands it over: 30 ms for the
same. Half a surrogate pair it cannot pass over; that goes the other way, as long as there is little of it.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

LARGE: Final = 65_536
"""Characters of a packet that is read here."""
STORING: Final = frozenset(("p2p_session_metrics", "pycore_rows", "pycore_records", "pycore_experienced"))
"""Events by which something large is stored."""
FEW: Final = 50_000
"""Commas in what Python's reader still gets; it takes 0.3 µs for a value."""
_NONE: Final = msgspec.Raw(b"null")


class JsonText(str):
    """The text of a JSON value that was checked."""

    __slots__ = ()


class _Body(msgspec.Struct):
    """What may stand in the payload of something large; the rest is passed over."""

    game_id: msgspec.Raw = _NONE
    player_id: msgspec.Raw = _NONE
    session_id: msgspec.Raw = _NONE
    episode: msgspec.Raw = _NONE
    revision: msgspec.Raw = _NONE
    base: msgspec.Raw = _NONE
    first: msgspec.Raw = _NONE
    frames: msgspec.Raw = _NONE
    part: msgspec.Raw = _NONE
    parts: msgspec.Raw = _NONE
    last: msgspec.Raw = msgspec.Raw(b"false")
    so_far: msgspec.Raw = msgspec.Raw(b"false")
    metrics: msgspec.Raw = msgspec.Raw(b"")
    data: msgspec.Raw = msgspec.Raw(b"")
    packed: msgspec.Raw = msgspec.Raw(b"")
    at: msgspec.Raw = msgspec.Raw(b"")
    of: msgspec.Raw = msgspec.Raw(b"")


class _Metrics(msgspec.Struct):
    """What is looked at of a session's metrics; the rest is passed over."""

    load: msgspec.Raw = _NONE


_EVENT: Final = msgspec.json.Decoder(tuple[str, _Body])
_TEXT: Final = msgspec.json.Decoder(str)
_ANY: Final = msgspec.json.Decoder(msgspec.Raw)
_METRICS: Final = msgspec.json.Decoder(_Metrics)
_NUMBER: Final = re.compile("[0-9]{1,9}")
_BULKY: Final = ("metrics", "data", "packed")


def arguments_of(text: str) -> list[Any] | None:
    """The arguments of an event that stores something: its payload, as Python's reader would give it, but `metrics`
    that is an object is a `JsonText`. None: msgspec cannot read it. Raises ValueError."""
    try:
        body = _EVENT.decode(text)[1]
        fields: dict[str, Any] = {}
        for name in body.__struct_fields__:
            raw = bytes(getattr(body, name))
            if not raw:
                continue  # what it has not may say something, as of a piece
            if name not in _BULKY:
                if len(raw) > LARGE:
                    raise ValueError(f"{name} is too large")
                fields[name] = json.loads(raw)
            else:
                fields[name] = JsonText(raw.decode()) if raw[:1] == b"{" else _text(raw)
        return [fields]
    except RecursionError:
        raise ValueError("nested too deep") from None
    except msgspec.MsgspecError:
        return None


def _text(raw: bytes) -> Any:
    """A text; anything else that is no object is nothing that is stored, and is not read."""
    return _TEXT.decode(raw) if raw[:1] == b'"' else []


def is_object(text: str) -> bool:
    """Whether a text is a JSON object, of which no value is made. Raises ValueError and RecursionError."""
    if text.lstrip(" \t\r\n")[:1] != "{":
        return False
    try:
        _ANY.decode(text)
        return True
    except (msgspec.MsgspecError, UnicodeEncodeError):
        if text.count(",") > FEW:
            raise ValueError("not JSON") from None
        return isinstance(json.loads(text, parse_constant=_no_constant), dict)


def load_of(metrics: str) -> int | None:
    """Of which load of its page metrics are, a JSON object that was checked; None: they do not say it."""
    try:
        found = bytes(_METRICS.decode(str(metrics)).load).decode()
    except (msgspec.MsgspecError, UnicodeEncodeError):
        found = json.dumps(json.loads(metrics).get("load"))
    return int(found) if _NUMBER.fullmatch(found) else None


def _no_constant(name: str) -> Any:
    raise ValueError(name)
