"""Forgets a subject: who it was is removed from the database, and what was stored of it.

What is removed: the subject id, wherever it stands; the metrics, records, experienced records and reports of links that
this person's page stored; and what the seat is known again by, so that nothing that lies in a browser comes later. What
stays: that there was a game with somebody on that seat, and what the *others* stored. Their records have what was done
on every seat, this one's too, since they are what those others experienced and cannot be told apart from it; without
the id they are nobody's. Whoever has to remove them as well removes the whole games.

What is removed is found by the tables' columns (`game_id` and `player`, a subject id by its name), so a table that is
new is not left out.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pycore.errors import UsageError
from pycore.relay.storage.store import DataStore, games, seats

SUBJECTS: Final = ("subject", "subject_id")
"""What a column with a subject id is called."""
HELD_S: Final = 3600.0 + 300.0
"""So long after the last sign of it a server may have a game in its memory, and write it down as it was."""
UNENDED_S: Final = 24 * 3600.0
"""The same of a game whose end nobody has written down: of one that stores only at its end there is no other sign."""


class Trace(NamedTuple):
    """A subject in one game."""

    game_id: str
    player: str
    started: float
    rows: dict[str, int]
    """How many of each table are removed."""
    held: bool
    """A server may have the game in its memory."""


class Forgotten(NamedTuple):
    """What is there of a subject."""

    traces: list[Trace]
    others: dict[str, int]
    """Rows of tables that have the id, and no game of it."""


def traces_of(store: DataStore, subject: str, wall: float, *, whole: bool = False) -> Forgotten:
    """What would be removed. Blocks. Raises `UsageError` for a subject that is not there."""
    found = []
    for row in store.read(sa.select(games).where(games.c.subjects.contains(json.dumps(subject), autoescape=True))):
        players = [player for player, of in json.loads(row["subjects"]).items() if of == subject]
        for player in players:
            counted, last = {}, max(row["started"], row["ended"] or 0.0)
            for table in _of_players():
                mine = table.c.game_id == row["game_id"]
                if not whole:
                    mine = sa.and_(mine, table.c.player == player)
                (rows,) = store.read(sa.select(sa.func.count().label("n")).select_from(table).where(mine))
                if rows["n"] and table is not seats:
                    counted[table.name] = rows["n"]
                if "received" in table.c:
                    of_game = table.c.game_id == row["game_id"]
                    (newest,) = store.read(sa.select(sa.func.max(table.c.received).label("at")).where(of_game))
                    last = max(last, newest["at"] or 0.0)
            since = HELD_S if row["ended"] is not None else UNENDED_S
            found.append(Trace(row["game_id"], player, row["started"], counted, wall - last < since))
    others = {}
    for table, column in _by_subject():
        alone = sa.and_(column == subject, table.c.game_id.is_(None)) if "game_id" in table.c else column == subject
        (rows,) = store.read(sa.select(sa.func.count().label("n")).select_from(table).where(alone))
        if rows["n"]:
            others[table.name] = rows["n"]
    if not found and not others:
        raise UsageError(f"the database has nothing of a subject {subject!r}")
    return Forgotten(sorted(found, key=lambda trace: (trace.started, trace.game_id)), others)


def forget(store: DataStore, subject: str, found: Forgotten, *, whole: bool = False) -> None:
    """Remove it, all or nothing. Blocks. Raises `StoreFailed`."""

    def remove(connection: sa.Connection) -> None:
        for trace in found.traces:
            if whole:
                for table in [*_of_games(), games]:
                    connection.execute(table.delete().where(table.c.game_id == trace.game_id))
            else:
                _remove(connection, trace)
        for table, column in _by_subject():
            connection.execute(table.delete().where(column == subject))

    store.write(remove)


def _remove(connection: sa.Connection, trace: Trace) -> None:
    for table in _of_players():
        mine = sa.and_(table.c.game_id == trace.game_id, table.c.player == trace.player)
        if table is seats:
            # The seat stays, as somebody's: a game without it could not be read. Nobody has this secret.
            lost = {"session": secrets.token_hex(32), "page": None}
            connection.execute(seats.update().where(mine).values(**lost))
        else:
            connection.execute(table.delete().where(mine))
    game = games.c.game_id == trace.game_id
    subjects: dict[str, Any] = json.loads(connection.execute(sa.select(games.c.subjects).where(game)).scalar_one())
    subjects[trace.player] = None
    connection.execute(games.update().where(game).values(subjects=json.dumps(subjects)))


def _of_games() -> Iterator[sa.Table]:
    """Tables with something of a game."""
    return (table for table in games.metadata.sorted_tables if "game_id" in table.c and table is not games)


def _of_players() -> Iterator[sa.Table]:
    """Tables with something of one player."""
    return (table for table in _of_games() if "player" in table.c)


def _by_subject() -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    """Tables that have a subject id by itself, and the column."""
    for table in games.metadata.sorted_tables:
        for name in SUBJECTS:
            if name in table.c:
                yield table, table.c[name]
