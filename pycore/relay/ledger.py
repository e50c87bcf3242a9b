"""Writes down what changes of games, again and again until it is written.

A game that the database does not know is lost with this process, and so are the data that come late for it: so a
database that is locked or full when a game begins costs time, not the game. What is written is how a room is at that
moment; so a room that changes meanwhile is written once, and no older state behind a newer one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Final

from pycore.relay.elsewhere import Elsewhere
from pycore.relay.games.rooms import Room
from pycore.relay.limits import Limits
from pycore.relay.storage.store import DataStore, Fenced, StoreFailed
from pycore.relay.storage.written import ending, game_row, seat_rows

log = logging.getLogger("pycore.relay")

AGAIN_S: Final = 0.5
"""Until the next attempt after one that failed, twice as long after each further one,"""
LONGEST_S: Final = 10.0
"""up to this."""
PATIENCE_S: Final = 2.0
"""What somebody waits for who must not be told before it is written; then it is told, since games need no database."""
END_S: Final = 3.0
"""What a process that ends takes for this at most: a database that hangs does not keep it up."""


class Ledger:
    """The games of one relay that are to be written down."""

    def __init__(self, store: DataStore, limits: Limits) -> None:
        self._store = store
        self._most = 2 * limits.rooms
        self._due: OrderedDict[str, Room] = OrderedDict()
        self._asked: dict[str, list[asyncio.Future[None]]] = {}
        """Those who wait until a game is written, by its id."""
        self._woken = asyncio.Event()
        self._writing = 0
        self.elsewhere: Elsewhere | None = None
        """Other processes, one of which may have taken a game."""

    @property
    def due(self) -> int:
        """Games that are not written down as they are now."""
        return len(self._due) + self._writing

    def note(self, rooms: Sequence[Room]) -> None:
        """These have changed."""
        for room in rooms:
            self._due[room.game_id] = room
        while len(self._due) > self._most:
            game_id, _ = self._due.popitem(last=False)
            log.error("game %s was not written down: %d others wait for the database", game_id, self._most)
        if self._due:
            self._woken.set()

    async def settled(self, room: Room) -> None:
        """Return when a game is written down as it is now, or the database does not do it in time."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(room.game_id, []).append(written)
        self.note([room])
        try:
            await asyncio.wait_for(written, PATIENCE_S)
        except TimeoutError:
            log.error("game %s was not written down within %g s; it goes on", room.game_id, PATIENCE_S)

    async def run(self) -> None:
        """Write for as long as nobody cancels it."""
        failed = 0
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._due:
                failed = 0 if await self._write() else failed + 1
                if failed:
                    await asyncio.sleep(min(LONGEST_S, AGAIN_S * 2 ** (failed - 1)))

    async def close(self, playing: Sequence[Room]) -> None:
        """The process ends: what is due is tried once more, and what was counted of the games that go on is kept. They
        are not over: the next process takes them up."""
        self.note(playing)
        stopped = {room.game_id for room in playing}

        async def rest() -> None:
            for _ in range(len(self._due)):
                await self._write(stopped)

        try:
            await asyncio.wait_for(rest(), END_S)
        except TimeoutError:
            log.error("%d games were not written down: the database did not answer within %g s", self.due, END_S)

    async def _write(self, stopped: Collection[str] = ()) -> bool:
        """The game that waits longest; whether that went well. If not, it waits behind the others."""
        game_id, room = self._due.popitem(last=False)
        self._writing += 1
        asked = self._asked.pop(game_id, [])
        try:
            row = game_row(room) | ending(room, game_id in stopped)
            fence = None if self.elsewhere is None else self.elsewhere.fence(game_id)
            await self._store.put_game(row, seat_rows(room), fence, room.end_written)
            room.end_written = row["ended"] is not None
        except Fenced as error:
            log.warning("%s", error)
            if self.elsewhere is not None:
                self.elsewhere.fenced(game_id)
        except StoreFailed as error:
            self._due.setdefault(game_id, room)
            self._asked[game_id] = asked + self._asked.get(game_id, [])
            log.error("game %s could not be written down: %s", game_id, error)
            return False
        except asyncio.CancelledError:
            self._due.setdefault(game_id, room)
            raise
        except Exception:
            # A mistake of ours with one game keeps no other one from being written.
            log.exception("game %s cannot be written down", game_id)
        finally:
            self._writing -= 1
        for waits in asked:
            if not waits.done():
                waits.set_result(None)
        return True
