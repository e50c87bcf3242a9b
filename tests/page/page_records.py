"""The page's data as a test reads it: its CSV files, the ground truth, and what differs between them."""

from __future__ import annotations

import ast
import csv
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PERSONAL = ("timestamp", "rollbackEvents")
PERSONAL_PREFIXES = ("isFocused.", "wasSpeculative.", "player_subjects.")
"""Whom a page plays with it learns from the server, which does not say it in a game with bots."""


def personal(column: str) -> bool:
    """Whether a column is about one participant's own page, so that two players' files may differ in it."""
    return column in PERSONAL or column.startswith(PERSONAL_PREFIXES)


def value_of(cell: str) -> Any:
    """A cell as the value that it was: nothing, a truth value, a number, JSON, or text."""
    if cell == "":
        return None
    if cell in ("True", "False"):
        return cell == "True"
    try:
        return json.loads(cell)
    except ValueError:
        return cell


class Table(NamedTuple):
    """A CSV file: its columns in their order, and the rows of its frames as values by column.

    The server pads every column to the longest, and the list of rollbacks may be longer than the episode; rows that
    are only padding are not frames and are counted apart. The cells of `rollbackEvents` are dicts as Python prints
    them, one for each row from the first on: `rollbacks()`.
    """

    path: Path
    columns: list[str]
    rows: list[dict[str, Any]]
    padding: list[dict[str, Any]]

    def rollbacks(self) -> list[dict[str, Any]]:
        if "rollbackEvents" not in self.columns:
            return []
        cells = [row["rollbackEvents"] for row in [*self.rows, *self.padding]]
        return [ast.literal_eval(cell) for cell in cells if isinstance(cell, str)]

    def up_to(self, length: int) -> Table:
        """Its first frames, without the columns that only later ones have: infos that something had to happen for."""
        rows, later = self.rows[:length], self.rows[length:]
        gone = {
            name for name in self.columns
            if all(row[name] is None for row in rows) and any(row[name] is not None for row in later)
        }  # fmt: skip
        return self._replace(columns=[name for name in self.columns if name not in gone], rows=rows)

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    def actions(self) -> list[dict[str, Any]]:
        """Each row's actions, by player's id as text."""
        names = [name for name in self.columns if name.startswith("actions.")]
        return [{name.removeprefix("actions."): row[name] for name in names} for row in self.rows]


def read_csv(path: Path) -> Table:
    """Read one of the page's files."""
    csv.field_size_limit(2**30)  # the list of rollbacks is one cell
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [{name: value_of(cell) for name, cell in row.items()} for row in reader]
        frames = [row for row in rows if row["t"] is not None]
        return Table(path, list(reader.fieldnames or ()), frames, [row for row in rows if row["t"] is None])


def differences(one: Table, two: Table, limit: int = 20) -> list[str]:
    """Where two players' files of an episode differ in what must be equal."""
    found: list[str] = []
    columns = [[name for name in table.columns if not personal(name)] for table in (one, two)]
    if sorted(columns[0]) != sorted(columns[1]):
        found.append(f"columns {sorted(set(columns[0]) ^ set(columns[1]))} are in one only")
    if len(one.rows) != len(two.rows):
        found.append(f"{len(one.rows)} and {len(two.rows)} rows")
    shared = [name for name in columns[0] if name in columns[1]]
    for number, (left, right) in enumerate(zip(one.rows, two.rows, strict=False)):
        found += [
            f"row {number}, {name}: {left[name]!r} and {right[name]!r}"
            for name in shared
            if not same(left[name], right[name])
        ]
    return found[:limit]


class Row(NamedTuple):
    """What a step gave, by player's id."""

    actions: dict[str, Any]
    rewards: dict[str, Any]
    terminateds: dict[str, Any]
    truncateds: dict[str, Any]
    infos: dict[str, dict[str, Any]]


def truth(
    code: str, step_code: str, players: Sequence[Any], seed: int, episodes: Iterable[Sequence[Mapping[str, Any]]]
) -> list[list[Row]]:
    """Replay episodes from their actions as the page promises to: seeded alike, the hook before every step."""
    namespace: dict[str, Any] = {"__name__": "__main__", "mug_globals": {}}
    before = random.getstate()
    try:
        exec(compile(code, "environment", "exec"), namespace)
        env = namespace["env"]
        hook = compile(step_code, "on_game_step_code", "exec")
        result = []
        for actions in episodes:
            random.seed(seed)
            env.reset(seed=seed or None)
            rows = []
            for given in actions:
                exec(hook, namespace)
                namespace["env"] = env
                _, *gave = env.step({player: given[str(player)] for player in players})
                rows.append(Row(dict(given), *({str(key): item for key, item in part.items()} for part in gave)))
            result.append(rows)
        return result
    finally:
        random.setstate(before)


def untrue(table: Table, rows: Sequence[Row], limit: int = 20) -> list[str]:
    """Where an episode's file is not what really happened, infos that only some frames have included."""
    found = [f"{len(table.rows)} rows instead of {len(rows)}"] if len(table.rows) != len(rows) else []
    if table.column("t") != list(range(len(table.rows))):
        found.append("t does not count 0, 1, 2, …")
    for number, (shown, real) in enumerate(zip(table.rows, rows, strict=False)):
        expected: dict[str, Any] = {}
        for field in ("rewards", "terminateds", "truncateds"):
            expected |= {f"{field}.{player}": value for player, value in getattr(real, field).items()}
        for player, info in real.infos.items():
            expected |= {f"infos.{player}.{key}": value for key, value in info.items()}
        names = [
            name for name in table.columns if name.startswith(("rewards.", "terminateds.", "truncateds.", "infos."))
        ]
        for name in dict.fromkeys([*names, *expected]):
            seen, meant = shown.get(name), expected.get(name)
            if not same(seen, meant):
                found.append(f"row {number}, {name}: {seen!r} instead of {meant!r}")
    return found[:limit]


def same(one: Any, two: Any) -> bool:
    """Equality to the last bit; CSV does not tell 1.0 from 1, and the page's packing does not either."""
    return bool(one == two)


def active(table: Table, share: float = 0.1) -> bool:
    """Whether every player did something else than nothing often enough for an equality to mean anything."""
    names = [name for name in table.columns if name.startswith("actions.")]
    return all(sum(1 for value in table.column(name) if value) >= share * len(table.rows) for name in names)
