"""Whether the study is open, for all processes of a server: the database has it, and each reads it there.

It is read when a process begins, every second, and as soon as another one says that it has changed. What is read has a
number that grows with every change, so that an answer that comes late undoes no newer one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pycore.relay.storage.store import DataStore
from pycore.relay.storage.tables import study

DOOR: Final = "door"


class Door(NamedTuple):
    """What the database says."""

    is_open: bool = True
    generation: int = 0
    """0: nobody has said anything yet."""


class Study:
    """What the database has of it. All of it blocks, and raises `StoreFailed`."""

    def __init__(self, store: DataStore) -> None:
        self._store = store

    def door(self) -> Door:
        """Whether new games begin."""
        query = sa.select(study.c.is_open, study.c.generation).where(study.c.name == DOOR)
        found = self._store.read(query)
        return Door(bool(found[0]["is_open"]), found[0]["generation"]) if found else Door()

    def say(self, is_open: bool) -> Door:
        """Let new games begin, or none."""
        kind = postgresql if self._store.engine.dialect.name == "postgresql" else sqlite
        made = kind.insert(study).values(name=DOOR, is_open=is_open, generation=1)
        grown = {"is_open": is_open, "generation": study.c.generation + 1}
        said = made.on_conflict_do_update(index_elements=["name"], set_=grown).returning(study.c.generation)

        def work() -> Door:
            with self._store.engine.begin() as connection:
                return Door(is_open, connection.execute(said).scalar_one())

        return self._store.run(work)
