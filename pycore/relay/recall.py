"""Finds the games of sessions that this process does not know: another one had them, and ended.

A page that connects again presents its session. If the database has a game of it that is not over, the room is taken up
before the page is answered, so its packets find it. Questions go by a thread of their own: they wait behind no store.
A database that does not answer keeps nobody from connecting; then the session is asked for again until it is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pycore.errors import PycoreError
from pycore.relay.elsewhere import Elsewhere
from pycore.relay.games.seats import digest
from pycore.relay.lobby import Lobby
from pycore.relay.storage.store import DataStore, StoreFailed
from pycore.relay.storage.written import Written, find, room_of
from pycore.relay.visits import sent_on_before

log = logging.getLogger("pycore.relay")

PATIENCE_S: Final = 3.0
"""How long a page that connects, or joins, waits for the database."""
AGAIN_S: Final = 1.0
"""Until a database that did not say whether a session has a game is asked again."""


class Recall:
    """What one relay asks for its sockets, each session once."""

    def __init__(self, lobby: Lobby, store: DataStore) -> None:
        self._lobby = lobby
        self._store = store
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pycore-recall")
        self._asked: dict[str, str] = {}
        """By socket: the session of which the database has said what it knows."""
        self._coming: set[str] = set()
        """Sockets that are not answered yet."""
        self._unsure: dict[str, str] = {}
        """By socket: the session of which the database has not said it."""
        self._joining: dict[str, asyncio.Future[None]] = {}
        """Sockets whose join is being decided: what they send behind it waits."""

        self.elsewhere: Elsewhere | None = None
        """Other processes, one of which may have a game."""

    def close(self) -> None:
        """Ask nothing any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    # Sockets

    async def connects(self, sid: str, session_id: str | None) -> bool:
        """Have the lobby know the game of the session that a new socket presents; false: that is gone meanwhile."""
        self._coming.add(sid)
        try:
            if session_id is not None and not await self._knows(sid, session_id):
                self._unsure[sid] = session_id
            return sid in self._coming
        finally:
            if sid not in self._coming:
                self.disconnects(sid)
            self._coming.discard(sid)

    def disconnects(self, sid: str) -> None:
        """A socket is gone."""
        self._coming.discard(sid)
        self._unsure.pop(sid, None)
        self._asked.pop(sid, None)

    def is_unsure(self, sid: str) -> bool:
        """Whether the database has not said yet if the socket's session has a game."""
        return sid in self._unsure

    async def asks_again(self, sid: str) -> bool:
        """Until the database says it; false: the socket was gone before."""
        while (session_id := self._unsure.get(sid)) is not None:
            await asyncio.sleep(AGAIN_S)
            if sid in self._unsure and await self._knows(sid, session_id):
                return self._unsure.pop(sid, None) is not None
        return False

    async def joins(self, sid: str, session_id: str | None, person: str | None = None) -> bool:
        """The same for a session that joins; false: the database does not say. `person`: whose outcome it is to say as
        well, if there is one (`pycore.relay.games.outcomes`)."""
        if person is None and (session_id is None or self._asked.get(sid) == session_id):
            return True
        async with self.deciding(sid):
            if person is not None and self._store.lasts:
                await self._sent_on(person)
            return session_id is None or await self._knows(sid, session_id)

    async def knows(self, sid: str, session_id: str | None) -> bool:
        """The same for one that is looked for anew."""
        if session_id is not None and not await self._knows(sid, session_id):
            return False
        self._unsure.pop(sid, None)
        return True

    def forget(self, sid: str) -> None:
        """What the database said of a socket's session may be true no more."""
        self._asked.pop(sid, None)

    @contextlib.asynccontextmanager
    async def deciding(self, sid: str) -> AsyncIterator[None]:
        """What the socket sends meanwhile waits."""
        await self.behind(sid)
        decided = self._joining[sid] = asyncio.get_running_loop().create_future()
        try:
            yield
        finally:
            del self._joining[sid]
            if not decided.done():
                decided.set_result(None)

    def is_joining(self, sid: str) -> bool:
        """Whether what the socket sends now has to wait."""
        return sid in self._joining

    async def behind(self, sid: str) -> None:
        """Wait until what the socket sent before is decided."""
        while (joining := self._joining.get(sid)) is not None:
            # The very next to run, in the order in which they came; whoever comes then is behind them.
            await joining

    # Games

    async def _knows(self, sid: str, session_id: str) -> bool:
        """Have the lobby know the game of a session, whichever process had it; false: the database does not say."""
        if self._asked.get(sid) == session_id or self._lobby.games.knows(session_id) or not self._store.lasts:
            return True
        try:
            written = await self._find(session_id)
            if self.elsewhere is not None and written is None:
                # It may have begun just now.
                await self.elsewhere.seek(sid, digest(session_id))
            elif self.elsewhere is not None and written is not None and not self._is_here(written):
                here = await self.elsewhere.claim(sid, written.game["game_id"])
                if here is None:
                    return False
                # What its owner had written since, before it was one no more, counts too.
                written = await self._find(session_id) if here else None
        except (StoreFailed, TimeoutError) as error:
            log.error("whether a session has a game could not be read: %s", str(error) or "no answer")
            return False
        self._asked[sid] = session_id
        if written is not None and not self._is_here(written):
            self._take_up(written)
        return True

    async def _sent_on(self, person: str) -> None:
        """Have the lobby know whether somebody was sent on. If the database does not say it, they may play: it gives
        nobody a second outcome."""
        loop = asyncio.get_running_loop()
        question = loop.run_in_executor(self._thread, sent_on_before, self._store, person)
        try:
            found = await asyncio.wait_for(question, PATIENCE_S)
        except (StoreFailed, TimeoutError) as error:
            log.error("whether somebody was sent on could not be read: %s", str(error) or "no answer")
            return
        if found is not None:
            self._lobby.sent_on.remember(found)

    async def _find(self, session_id: str) -> Written | None:
        loop = asyncio.get_running_loop()
        question = loop.run_in_executor(self._thread, find, self._store, digest(session_id))
        return await asyncio.wait_for(question, PATIENCE_S)

    def _is_here(self, written: Written) -> bool:
        return self._lobby.games.room(written.game["game_id"]) is not None

    def _take_up(self, written: Written) -> None:
        game_id = written.game["game_id"]
        try:
            room = room_of(written, self._lobby.limits, time.monotonic())
        except (ValueError, KeyError, TypeError, PycoreError) as error:
            log.error("game %s cannot be taken up: %s: %s", game_id, type(error).__name__, error)
            return
        self._lobby.games.take_up(room)
        log.warning("game %s goes on here; another process of the server had it", game_id)
