"""The rows of a game put into the tables, each cell spelled as its column's type is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from pycore.export.cells import as_json, boolean, number, text
from pycore.export.columns import TABLES
from pycore.export.evidence import Evidence
from pycore.export.exclusions import Rule, judge
from pycore.export.measures import measured
from pycore.export.rows import NOTHING, Game
from pycore.records.reader import RecordedEnd, RecordedFrame

Rows = Mapping[str, Callable[[list[str]], object]]
"""Takes a row of a table, by the table's name."""

SPELLED: Final[Mapping[str, Callable[[Any], str]]] = MappingProxyType(
    {"text": text, "integer": number, "number": number, "boolean": boolean, "json": as_json}
)

FIRST: Final = "frames"
"""What comes out of all frames stands in other tables."""


def put_game(
    of: Evidence, items: Iterable[RecordedFrame | RecordedEnd], subjects: Mapping[str, str], out: Rows,
    rules: Sequence[Rule] | None = None,
) -> None:  # fmt: skip
    """All rows of one game; `items` are those of its records together, `subjects` names by player. `rules` exclude."""
    judgement = None if rules is None else judge(rules, {player: measured(of, player) for player in of.people})
    game = Game(of, items, subjects, judgement)
    for name in sorted(out, key=lambda name: name != FIRST):
        table, put = TABLES[name], out[name]
        cells = [(SPELLED[column.type], column.of) for column in table.columns]
        for row in table.rows(game):
            put(["" if (value := of(row)) is NOTHING else spelled(value) for spelled, of in cells])
