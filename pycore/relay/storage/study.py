"""Whether the study is open: the database has it, for every process of a server and for whichever is started later.

A process reads it when it begins; of several, each reads it every second as well, and as soon as another one says that
it has changed. What is read has a number that grows with every change: an answer that comes late undoes no newer one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pycore.errors import UsageError
from pycore.relay.storage.store import DataStore, StoreFailed
from pycore.relay.storage.tables import study
from pycore.relay.storage.written import end_finished, last_number

log = logging.getLogger("pycore.relay")

DOOR: Final = "door"


class Door(NamedTuple):
    """What the database says."""

    is_open: bool = True
    generation: int = 0
    """0: nobody has said anything yet."""


class Left(NamedTuple):
    """What a server that begins has to know."""

    is_open: bool = True
    last_number: int = 0
    """Of the game that began last."""


class Study:
    """What the database has of it."""

    def __init__(self, store: DataStore) -> None:
        self._store = store
        self.turns = asyncio.Lock()
        """Whoever says something has the turn: of two words the later stands, in the process and in the database."""

    async def left(self) -> Left:
        """How the server before this one left it; games that were finished and that it did not end are ended. Raises
        `UsageError`: nobody may come into a study that was closed."""
        if not self._store.lasts:
            return Left()
        try:
            await asyncio.to_thread(end_finished, self._store)
        except StoreFailed as error:
            # A disk that is full keeps no server from beginning.
            log.error("games that were finished could not be ended: %s", error)
        try:
            door = await asyncio.to_thread(self.door)
            return Left(door.is_open, await asyncio.to_thread(last_number, self._store))
        except StoreFailed as error:
            raise UsageError(f"how the study was left cannot be read: {error}") from error

    async def keep(self, is_open: bool) -> None:
        """Have the next server begin as this one is left. Raises `StoreFailed`, saying what that means."""
        if not self._store.lasts:
            return
        try:
            await asyncio.to_thread(self.say, is_open)
        except StoreFailed as error:
            word, other = ("open", "closed") if is_open else ("closed", "open")
            text = f"the study is {word} now, but may be {other} when the server is started again: {error}"
            raise StoreFailed(text) from error

    def door(self) -> Door:
        """Whether new games begin. Blocks; raises `StoreFailed`."""
        query = sa.select(study.c.is_open, study.c.generation).where(study.c.name == DOOR)
        found = self._store.read(query)
        return Door(bool(found[0]["is_open"]), found[0]["generation"]) if found else Door()

    def say(self, is_open: bool) -> Door:
        """Let new games begin, or none. Blocks; raises `StoreFailed`."""
        kind = postgresql if self._store.engine.dialect.name == "postgresql" else sqlite
        made = kind.insert(study).values(name=DOOR, is_open=is_open, generation=1)
        grown = {"is_open": is_open, "generation": study.c.generation + 1}
        said = made.on_conflict_do_update(index_elements=["name"], set_=grown).returning(study.c.generation)

        def work() -> Door:
            with self._store.engine.begin() as connection:
                return Door(is_open, connection.execute(said).scalar_one())

        return self._store.run(work)
