"""Values as JSON text: for records, which must be alike on all peers, and for pages, which must never fail."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Final

from pycore.values import canonical

UNRECORDABLE: Final = "<cannot be recorded>"
DEEPEST: Final = 64
"""Containers within containers; what is deeper, or contains itself, cannot be recorded."""
EXACT: Final = 2**53
"""Integers up to here are exact in JavaScript, which reads every number as a float."""
LARGEST: Final = 10**4300
"""Python writes no integer of more digits."""


Around = tuple[int, ...]
"""The places in memory of what a value lies in: what lies in itself twice would be walked for ever."""


def to_json(value: Any) -> str:
    """One line of JSON with sorted keys; what JSON does not know is an error that names the type."""
    return _encode(value)


def list_json(values: list[Any]) -> str:
    """The same for a list: integers, which actions usually are, need no encoder."""
    for value in values:
        if type(value) is not int:
            return _encode(values)
    return repr(values).replace(" ", "")


def _plain(value: Any) -> Any:
    # First: of a masked number `item` gives what lies under the mask.
    listed = getattr(value, "tolist", None)
    if callable(listed):
        return listed()
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        return item()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=canonical.encode)
    raise TypeError(f"a record cannot hold a {type(value).__name__}")


# One encoder for all lines: json.dumps would make one each time.
_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain).encode


def record_json(value: Any) -> str:
    """One value of a record as JSON text, whatever it is: keys become texts, and what JSON cannot spell is replaced by
    a constant text, that value alone. So it is the same on every peer, and as UTF-8 it always has bytes."""
    try:
        text = _encode(value)
    except Exception:  # what an environment puts into its infos may do anything
        return _encode(_recordable(value))
    if '"NaN":' in text:  # as a key, which may be there any number of times
        return _encode(_recordable(value))
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _encode(_recordable(value))
    return text


def _recordable(value: Any, around: Around = ()) -> Any:
    if isinstance(value, int):
        return value if -LARGEST < value < LARGEST else UNRECORDABLE
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return UNRECORDABLE
        return value
    if len(around) >= DEEPEST or id(value) in around:
        return UNRECORDABLE
    around = (*around, id(value))
    try:
        if isinstance(value, dict):
            told: dict[str, Any] = {}
            for key, part in value.items():
                name = text = _key(key)
                number = 1
                while name in told:  # 1 and "1" are two keys of Python's
                    number += 1
                    name = f"{text} {number}"
                told[name] = _recordable(part, around)
            return told
        if isinstance(value, (list, tuple)):
            return [_recordable(part, around) for part in value]
        return _recordable(_plain(value), around)
    except Exception:  # as above
        return UNRECORDABLE


def _key(key: Any) -> str:
    """A key as JSON spells it, or as text where that is the same everywhere."""
    if key is None or isinstance(key, (bool, int, float)):
        key = _recordable(key)
        return key if key is UNRECORDABLE else _encode(key)
    if isinstance(key, str):
        return str(_recordable(key))
    if isinstance(key, Enum):
        return str(_recordable(key.name))
    if isinstance(key, (tuple, frozenset)):  # a cell's coordinates, most often
        return _encode(_recordable(key))
    try:
        return _key(_plain(key))
    except Exception:  # as above
        return UNRECORDABLE


def plain_json(value: Any) -> str:
    """JSON for a page, in the order given. It never fails: the numbers that JavaScript's parser refuses become null,
    infinities texts, integers that it would round texts as well, and what JSON cannot spell a text that says so."""
    try:
        text = page_json(value)
    except Exception:  # what an environment gives may do anything
        return page_json(_spelt(value))
    return page_json(_spelt(value)) if _may_be_rounded(text) else text


def _may_be_rounded(text: str) -> bool:
    """Whether there is an integer of as many digits as `EXACT` has. A pattern would take three to six times as long."""
    digits = f"[{text}".encode("latin-1", "replace").translate(_DIGITS)
    return any(long in digits for long in _LONG)


_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG: Final = [mark + b"0" * len(str(EXACT)) for mark in (b"[", b",", b":", b"-")]
page_json: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain).encode
"""JSON for a page, in the order given; raises ValueError or TypeError for what its parser, or JSON, does not know."""


def _spelt(value: Any, around: Around = ()) -> Any:
    if isinstance(value, int):
        if -EXACT <= value <= EXACT:
            return value
        return str(int(value)) if -LARGEST < value < LARGEST else UNRECORDABLE
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return value if value - value == 0.0 else None if value != value else str(value)
    if len(around) >= DEEPEST or id(value) in around:
        return UNRECORDABLE
    around = (*around, id(value))
    try:
        if isinstance(value, dict):
            return {_spelt_key(key): _spelt(part, around) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [_spelt(part, around) for part in value]
        return _spelt(_plain(value), around)
    except Exception:  # as above
        return UNRECORDABLE


def _spelt_key(key: Any) -> Any:
    if isinstance(key, (str, int)):
        return _spelt(key)
    try:
        return str(key)
    except Exception:  # as above
        return UNRECORDABLE
