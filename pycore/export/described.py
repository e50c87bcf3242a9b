"""What a table says of itself: its rows, and of each column its name, its type, its unit and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from pycore.export.rows import Game

R = TypeVar("R")


class Column(NamedTuple, Generic[R]):
    """One column. Types: `text`, `integer`, `number`, `boolean`, `json` (JSON as text)."""

    name: str
    type: str
    unit: str
    what: str
    of: Callable[[R], Any]
    """Its value for a row; None or NOTHING for an empty cell, but that None is a value where the type is `json`."""


class Table(NamedTuple, Generic[R]):
    """One table, and what a row of it is."""

    row: str
    rows: Callable[[Game], Iterable[R]]
    """Those of a game."""
    columns: tuple[Column[R], ...]
