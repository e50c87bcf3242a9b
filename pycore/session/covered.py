"""What a hash covers, as it is held until everybody's hash was compared, and where two of them differ.

A hash covers the state before its frame and the rows since the hash before. Both are held as they are: the snapshot of
the ring, which nobody changes, and the bytes that the hash was taken of. So holding costs a reference, and only where
hashes differ is the state written in canonical form.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from pycore.errors import DecodeError, PycoreError
from pycore.frozen import Named
from pycore.rollback.seats import Seat
from pycore.values import canonical
from pycore.values.differences import MISSING, first_differences
from pycore.values.encoding import MAX_DEPTH
from pycore.values.parting import parting

FIELDS: Final = 10
"""So many fields of a state are named, and so many of a row."""
WORD: Final = 120
"""Characters of a value, and of a path."""
STATE_BYTES: Final = 4 << 20
"""A longer state is not sent."""
ROWS_BYTES: Final = 1 << 20
MESSAGE_BYTES: Final = STATE_BYTES + ROWS_BYTES + 65_536

GONE, LARGE, FAILED = "gone", "large", "failed"
LACKS: Final = {
    "": "",
    GONE: "is no longer held",
    LARGE: f"has more than {STATE_BYTES >> 20} MiB",
    FAILED: "could not be written in canonical form",
}
"""Why a state is not there, in words behind its name."""
_BRACKETS: Final = b"[{]}"
_STEPS: Final = bytes.maketrans(_BRACKETS, b"\2\2\0\0")
_OTHERS: Final = bytes([octet for octet in range(256) if octet not in _BRACKETS])
"""By these JSON becomes its steps up (2) and down (0)."""
_BEHIND: Final = (b',"gone":', b',"infos":')
"""What may stand behind the last action of a row: what plays in the place of who is gone, and the results."""


class Covered(Named):
    """What we hashed. `rows` are the encoded actions of each frame by seat, with the last what is recorded besides, as
    text; the last row is of the frame before `frame`. `size`: bytes of the state in canonical form."""

    episode: int
    frame: int
    state: object
    rows: Sequence[bytes]
    size: int


class Told(Named):
    """The same as it is told to a peer: the state in canonical form, or why it is not there; no rows, where they have
    more than `ROWS_BYTES`."""

    episode: int
    frame: int
    state: bytes | None
    lacks: str
    rows: list[bytes]

    @property
    def rows_left_out(self) -> bool:
        """Whether there were rows, and they are not told: a hash behind the first frame covers some."""
        return self.frame > 0 and not self.rows and self.lacks != GONE

    def encode(self) -> bytes:
        """As a message."""
        return canonical.encode([self.episode, self.frame, self.state, self.lacks, self.rows])

    @classmethod
    def decode(cls, payload: bytes) -> Told:
        """What a peer tells. Raises DecodeError."""
        told = canonical.decode(payload, max_bytes=MESSAGE_BYTES, max_depth=3)
        match told:
            case [int(episode), int(frame), bytes() | None as state, str(lacks), list(rows)] if (
                lacks in LACKS and (state is None) == bool(lacks) and all(type(part) is bytes for part in rows)
            ):
                return cls(episode, frame, state, lacks, rows)
        raise DecodeError("a state that is told otherwise than as episode, frame, state, what it lacks, rows")


def first_fields(own: Told, theirs: Told, seats: Sequence[Seat], name: str) -> tuple[list[list[str]], str]:
    """The first fields that differ, as `DesyncReported.differences` has them; and what cannot be said, in words."""
    fields = _of_rows(own, theirs, seats)
    lacks = []
    if own.state is not None and theirs.state is not None:
        try:
            found = [] if own.state == theirs.state else parting(own.state, theirs.state, FIELDS)
            fields += [_field("state" + path[1:], one, other) for path, one, other in found]
        except (PycoreError, RecursionError) as error:
            lacks.append(f"the states cannot be compared: {error}")
    for told, whose in ((own, "here"), (theirs, f"of player {name}")):
        if told.lacks:
            lacks.append(f"the state {whose} {LACKS[told.lacks]}")
        if told.rows_left_out:
            lacks.append(f"the rows {whose} since the hash before have more than {ROWS_BYTES >> 20} MiB")
    if not fields and not lacks:
        if own.rows == theirs.rows:
            lacks.append("states and rows are the same on both sides: canonical() gives other bytes each time")
        else:
            lacks.append("states are the same on both sides, and one of them has rows that the other has not")
    return fields, "; ".join(lacks)


def _of_rows(own: Told, theirs: Told, seats: Sequence[Seat]) -> list[list[str]]:
    """The fields of the first row that differs; what follows from it is no news."""
    count = len(seats)
    both = min(len(own.rows), len(theirs.rows)) // count
    for back in range(both, 0, -1):
        frame = own.frame - back
        one, other = (
            told.rows[len(told.rows) - back * count : len(told.rows) - (back - 1) * count] for told in (own, theirs)
        )
        if one == other:
            continue
        *actions, (left, right) = zip(one, other, strict=True)
        (left, mine), (right, other_results) = (_parted(part) for part in (left, right))
        fields = [
            _field(f"rows[{frame}].actions[{seat.number}]", _action(seat, a), _action(seat, b))
            for seat, (a, b) in zip(seats, [*actions, (left, right)], strict=True) if a != b
        ]  # fmt: skip
        try:
            results = first_differences(mine, other_results, FIELDS)
        except (PycoreError, RecursionError):
            results = [("$", mine, other_results)]
        return [*fields, *[_field(f"rows[{frame}]{path[1:]}", a, b) for path, a, b in results]][:FIELDS]
    return []


def _parted(part: bytes) -> tuple[bytes, Any]:
    """The last action of a row, and what is recorded besides: as JSON has it, or as it is where that is none."""
    at = min([found for begins in _BEHIND if (found := part.find(begins)) >= 0], default=len(part))
    action, text = part[:at], part[at + 1 :]
    plain = text.partition(b":")[2]
    if _depth(text) > MAX_DEPTH:
        return action, plain
    try:
        return action, json.loads(b"{" + text + b"}")
    except (ValueError, RecursionError):
        return action, plain


def _depth(text: bytes) -> int:
    """How deep the results are nested at most, the brackets in texts among them. A peer wrote them, and on the stack
    of a browser what is nested too deep is no exception but the end of the page."""
    brackets = text.translate(_STEPS, _OTHERS)
    return max(accumulate([step - 1 for step in brackets]), default=0)


def _action(seat: Seat, encoded: bytes) -> Any:
    try:
        return seat.recorded(encoded)
    except Exception:  # a peer's bytes, which no codec has looked at
        return encoded


def _field(path: str, own: Any, theirs: Any) -> list[str]:
    return [_short(path), _word(own), _word(theirs)]


def _word(value: Any) -> str:
    return "missing" if value is MISSING else _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= WORD else text[: WORD - 1] + "…"
