"""Who waits, written down: the process with the waiting room may die, and the next one keeps the order.

The database has the sessions that wait, each with since when, by its own clock. The process that has the waiting room
writes what has changed, several times a second, under its lease; the one that takes it over reads all of it before it
lets anybody in, and expects those people (`pycore.relay.people.former`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pycore.relay.cluster.claims import Claims
from pycore.relay.cluster.leases import WAITING, clock_of
from pycore.relay.people.waiting import WaitingRoom
from pycore.relay.storage.store import DataStore, Fence
from pycore.relay.storage.tables import leases, waiting

LOOK_S: Final = 0.2
"""Between two looks at who waits."""


class Rows:
    """What the database has of it. All of it blocks, and raises `StoreFailed`. Times are s of `clock`. How far that is
    from the database's is measured once, when it is read: so those who come shortly one after another stay in order."""

    def __init__(self, store: DataStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._theirs = clock_of(store.engine.dialect.name)
        self._clock = clock
        self._ahead = 0.0
        """How far the database's clock is ahead."""

    def read(self) -> dict[str, float]:
        """The sessions that wait, digests, the first to come first, and since when. Comes before `write`."""
        found = self._store.read(sa.select(waiting).order_by(waiting.c.since))
        theirs = self._store.read(sa.select(self._theirs.label("now")))[0]["now"]
        self._ahead = theirs - self._clock()
        return {row["session"]: row["since"] - self._ahead for row in found}

    def write(self, fence: Fence, since: Mapping[str, float], gone: Collection[str]) -> bool:
        """Sessions that wait, and since when; and some that do no more. False: another process has the waiting room by
        now, and nothing was written."""
        kind = postgresql if self._store.engine.dialect.name == "postgresql" else sqlite
        lease = sa.select(leases.c.process, leases.c.generation).where(leases.c.name == WAITING).with_for_update()

        def work() -> bool:
            with self._store.engine.begin() as connection:
                held = connection.execute(lease).first()
                if held is None or tuple(held) != fence:
                    return False
                for session, began in since.items():
                    there = began + self._ahead
                    made = kind.insert(waiting).values(session=session, since=there)
                    connection.execute(made.on_conflict_do_update(index_elements=["session"], set_={"since": there}))
                if gone:
                    connection.execute(waiting.delete().where(waiting.c.session.in_(list(gone))))
                return True

        return self._store.run(work)


class Queue:
    """Of one process: what it has written, and what it was handed."""

    def __init__(self, room: WaitingRoom, limit: float, store: DataStore, claims: Claims) -> None:
        """`limit`: the longest that anybody waits, s."""
        self._room = room
        self._limit = limit
        self._rows = Rows(store)
        self._claims = claims
        self._reading = asyncio.Lock()
        self._read: Fence | None = None
        """The lease under which it was read."""
        self._written: dict[str, float] = {}
        """Since when the sessions wait that the database has."""

    @property
    def is_here(self) -> bool:
        """Whether this process has the waiting room, and knows who waited."""
        fence = self._claims.held(WAITING)
        return fence is not None and fence == self._read

    async def take_up(self) -> None:
        """This process has the waiting room: whoever waited at the one before is expected. Raises `StoreFailed`."""
        async with self._reading:
            fence = self._claims.held(WAITING)
            if fence is None or fence == self._read:
                return
            self._written = await self._claims.ask(self._rows.read)
            now, there = time.monotonic(), self._room.sessions()
            for session, since in self._written.items():
                if session not in there and now - since < self._limit:
                    self._room.former.add(session, since, now, written=True)
            self._room.former.hold(now)
            self._read = fence

    async def keep(self) -> bool:
        """Write what has changed; false: the waiting room is another process's. Raises `StoreFailed`."""
        fence = self._claims.held(WAITING)
        if fence is None or fence != self._read:
            return True
        there = self._room.sessions()
        new = {session: since for session, since in there.items() if self._written.get(session) != since}
        gone = [session for session in self._written if session not in there and session not in self._room.former]
        if not new and not gone:
            return True
        if not await self._claims.ask(lambda: self._rows.write(fence, new, gone)):
            return False
        self._written |= new
        for session in gone:
            self._written.pop(session, None)
        return True
