"""Values as cells of a table that spreadsheets read too.

A spreadsheet takes a text that begins with = + - or @ for a formula, and rounds integers beyond 2**53. Both get an
apostrophe in front, as one types it there to say that a cell is text. A text that begins with an apostrophe gets one
more, so that nothing is lost.

A terminal that shows a table does what its control characters say, and subject ids, agents and infos are strangers'
texts: those are spelled as JSON spells them (`\\u001b`), in texts too; lines and tabs are left.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from typing import IO, Any, Final

EXACT: Final = 2**53
FORMULA: Final = ("=", "+", "-", "@", "'", "\t", "\r", "\n")

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing; not tabs and line ends."""

_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def _spelled(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _json(value: Any) -> str:
    # JSON itself may spell any character so: nothing is lost.
    return _spelled(_encode(value))


def text(value: Any) -> str:
    """A text that no spreadsheet takes for a formula; nothing for None."""
    if value is None:
        return ""
    spelled = _spelled(value if type(value) is str else str(value))
    return "'" + spelled if spelled.startswith(FORMULA) else spelled


def number(value: Any) -> str:
    """A number as a record spells it; nothing for what is none."""
    kind = type(value)
    if kind is int:
        return str(value) if -EXACT <= value <= EXACT else f"'{value}"
    return _json(value) if kind is float else ""


def boolean(value: Any) -> str:
    """true, false, or nothing for None."""
    return "" if value is None else "true" if value else "false"


def as_json(value: Any) -> str:
    """JSON, in the order of the record."""
    kind = type(value)
    if kind is int:
        return number(value)
    if kind is dict and not value:
        return "{}"
    return _json(value)


def is_plain(value: Any) -> bool:
    """A number that every program reads exactly."""
    kind = type(value)
    return kind is float or (kind is int and -EXACT <= value <= EXACT)


class _Lines:
    """Takes rows that end as RFC 4180 has it, and ends them as every other file of ours. A writer that is told the line
    end of now leaves a carriage return without quotes, before Python 3.13, and readers take it for the end of a row."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        """One row, with its end."""
        return self._stream.write(row[:-2] + "\n")


def rows_to(stream: IO[str]) -> Callable[[Any], object]:
    """What writes a row of cells into a file that was opened without a translation of line ends."""
    return csv.writer(_Lines(stream), lineterminator="\r\n").writerow
