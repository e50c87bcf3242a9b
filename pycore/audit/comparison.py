"""What an audit compares: frames, states and rows, and how a difference is told."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pycore.values.canonical import decode, short_repr
from pycore.values.differences import first_differences

__all__ = [
    "Frame", "decoded", "difference_elsewhere", "digests", "fields_that_differ", "has_reward", "rows_that_differ",
]  # fmt: skip

NAMED: Final = 3
"""Differences that are told of one pair of states."""


class Frame(NamedTuple):
    """What a frame came to."""

    episode: int
    frame: int
    state: bytes
    """The canonical state behind it."""
    row: str
    """What a record has of it."""


def decoded(data: bytes) -> Any:
    """What canonical bytes say."""
    return decode(data, max_bytes=len(data), max_items=len(data))


def fields_that_differ(before: bytes, after: bytes) -> str:
    """The first fields in which two states differ, and what they are."""
    found = first_differences(decoded(before), decoded(after), NAMED)
    return "; ".join(f"{path[2:]} was {short_repr(a)}, then {short_repr(b)}" for path, a, b in found)


def rows_that_differ(before: str, now: str) -> str:
    """Where two rows begin to differ."""
    at = next((at for at, (a, b) in enumerate(zip(before, now, strict=False)) if a != b), min(len(before), len(now)))
    start = max(0, at - 60)
    return f"…{before[start : at + 40]!r}, then …{now[start : at + 40]!r}"


def digests(frames: Sequence[Frame]) -> list[str]:
    """A digest of each frame's state and row: what another process compares with."""
    return [hashlib.blake2b(frame.state + frame.row.encode(), digest_size=8).hexdigest() for frame in frames]


def difference_elsewhere(here: Frame, found: Mapping[str, Any], where: str = "") -> str:
    """How a frame differs from what another process found: its `state` in base64, and its `row`."""
    place = f"after frame {here.frame} of episode {here.episode}{where}"
    state = base64.b64decode(found["state"])
    if state != here.state:
        return f"{place}: {fields_that_differ(here.state, state)}"
    return f"{place}, in what step() returned: {rows_that_differ(here.row, found['row'])}"


def has_reward(row: str) -> bool:
    """Whether a row has a reward that is not 0."""
    start = row.find('"rewards":{')
    inside = row[start + 11 : row.find("}", start)]
    return start >= 0 and any(part.rpartition(":")[2] not in ("0", "0.0", "-0.0", "") for part in inside.split(","))
