"""The events by which pages have something stored: read, bounded, owned by a seat, acknowledged when it is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from pycore.relay.elsewhere import Elsewhere
from pycore.relay.fields import Refused
from pycore.relay.games.connections import Connection
from pycore.relay.games.seats import Seat, digest
from pycore.relay.games.uploads import (
    WHOLE,
    Piece,
    Store,
    read_connection_type,
    read_experienced,
    read_metrics,
    read_records,
    read_rows,
)
from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.partial import Uploads
from pycore.relay.storage.disk import Disk
from pycore.relay.storage.store import DataStore, StoreFailed
from pycore.relay.visits import Visits
from pycore.relay.watching import Watching

log = logging.getLogger("pycore.relay")

Answer = Coroutine[Any, Any, dict[str, Any]]
Handler = Callable[[str, Any], Answer | dict[str, Any]]
"""Carries out an event of a socket with its payload, and returns the acknowledgement. Raises `Refused`."""


class Keeping:
    """What waits for the database, and its bounds. `note_games` is called when a game has ended by it."""

    def __init__(
        self,
        lobby: Lobby,
        store: DataStore,
        limits: Limits,
        *,
        watching: Watching | None,
        visits: Visits,
        note_games: Callable[[], None],
    ) -> None:
        self._lobby = lobby
        self._store = store
        self._limits = limits
        self._watching = watching
        self._visits = visits
        self._note_games = note_games
        self._pending_bytes = 0
        self._uploads = Uploads(limits)
        self.disk = Disk(store.folder, limits.free_bytes)
        self.elsewhere: Elsewhere | None = None
        """Other processes, where games of sockets of this one may be."""
        self.handlers: dict[str, Handler] = {
            "p2p_session_metrics": self._metrics,
            "pycore_rows": self._rows,
            "pycore_records": self._records,
            "pycore_experienced": self._experienced,
            "p2p_connection_type": self._connection_type,
        }

    def _metrics(self, sid: str, payload: Any) -> Answer | dict[str, Any]:
        now = time.monotonic()
        if self._uploads.goes_on(payload):
            connection = self._may_store(sid, now)
            self._uploads.take(sid, payload, now)
            connection.store_bytes.spend(now, len(payload["packed"]))
            return {"status": "ok"}
        return self._keep(
            sid,
            lambda: read_metrics(self._uploads.whole(sid, payload, now), self._limits),
            lambda seat, store: self._put_metrics(sid, seat, store),
        )

    async def _put_metrics(self, sid: str, seat: Seat, store: Store) -> None:
        now = time.time()
        of = store.game_id, str(seat.player), store.episode, store.data, now, store.so_far, store.load
        await self._store.put_metrics(*of)
        if self._watching is not None and store.so_far and seat.is_newest(store.load):
            said = self._watching.said(store.game_id, str(seat.player), now, store.data)
            if said is not None and self.elsewhere is not None:
                # Whoever has the game shows it.
                self.elsewhere.stored(sid, store.game_id, str(seat.player), 0, said)
        if store.episode == WHOLE:
            await self._visits.ended(store.game_id, seat, store.data, sid, now, store.load)
            self._lobby.owners.finished(store.game_id, seat, now, store.load)
            self._note_games()
            if self.elsewhere is not None and self._lobby.games.room(store.game_id) is None:
                self.elsewhere.finished(store.game_id, str(seat.player), store.load)

    def _rows(self, sid: str, payload: Any) -> Answer:
        places: list[Piece] = []

        def read() -> Store:
            store, piece = read_rows(payload, self._limits)
            places.append(piece)
            return store

        return self._keep(sid, read, lambda seat, store: self._put_rows(sid, seat, store, places[0]))

    async def _put_rows(self, sid: str, seat: Seat, store: Store, piece: Piece) -> None:
        now = time.time()
        await self._store.put_piece(store.game_id, str(seat.player), store.episode, piece, store.data, now)
        await self._visits.rows_came(store.game_id, seat, sid, now, ended=piece.last)

    def _records(self, sid: str, payload: Any) -> Answer:
        return self._keep(
            sid,
            lambda: read_records(payload, self._limits),
            lambda seat, store: self._store.put_record(
                store.game_id,
                str(seat.player),
                store.episode,
                store.part,
                store.parts,
                store.data,
                time.time(),
            ),
        )

    def _experienced(self, sid: str, payload: Any) -> Answer:
        return self._keep(
            sid,
            lambda: read_experienced(payload, self._limits),
            lambda seat, store: self._store.put_experienced(
                store.game_id, str(seat.player), store.part, store.last, store.data, time.time()
            ),
        )

    def _connection_type(self, sid: str, payload: Any) -> Answer:
        return self._keep(
            sid,
            lambda: read_connection_type(payload, self._limits),
            lambda seat, store: self._store.put_connection(
                store.game_id, str(seat.player), store.remote, store.data, time.time()
            ),
        )

    def _keep(self, sid: str, read: Callable[[], Store], put: Callable[[Seat, Store], Awaitable[None]]) -> Answer:
        """Store something of a seat, within the bounds of what may wait for the database. It is read at once, so that
        whoever sends it pays for that before the next is read. Raises `Refused`."""
        now = time.monotonic()
        connection = self._may_store(sid, now)
        store = read()
        connection.store_bytes.spend(now, store.size)
        self.disk.take(store.size, now)
        if connection.pending_stores >= self._limits.pending_stores:
            raise Refused("store_busy", f"{connection.pending_stores} of your stores are waiting; try again")
        if self._pending_bytes + store.size > self._limits.pending_bytes:
            raise Refused("store_busy", "the database is behind; try again in a few seconds")
        connection.pending_stores += 1
        self._pending_bytes += store.size
        return self._written(connection, store, put)

    def _may_store(self, sid: str, now: float) -> Connection:
        connection = self._lobby.may_store(sid, now)
        # Asked before it is unpacked, which is what it costs here; what it has is known only then.
        if not connection.store_bytes.take(now, 0.0):
            raise Refused("store_busy", "you have stored much in a short time; try again in a few seconds")
        return connection

    async def _written(
        self, connection: Connection, store: Store, put: Callable[[Seat, Store], Awaitable[None]]
    ) -> dict[str, Any]:
        seat = None
        try:
            seat = await self._owner(connection, store)
            await put(seat, store)
        except StoreFailed as error:
            if seat is not None:
                seat.stored_bytes -= store.size
            log.error("a store of game %s failed: %s", store.game_id, error)
            code = "disk_full" if "disk is full" in str(error) else error.code
            raise Refused(code, str(error)) from error
        finally:
            connection.pending_stores -= 1
            self._pending_bytes -= store.size
        seat.stored = seat.stored or store.played
        if self.elsewhere is not None and store.played:
            self.elsewhere.stored(connection.sid, store.game_id, str(seat.player), store.size, None)
        return {"status": "ok"}

    def heard(self, game_id: str, player: str, size: int, said: Mapping[str, Any] | None) -> None:
        """Another process has stored something of a game that is here, bytes; `said` is what the list shows of it."""
        self._lobby.owners.stored_elsewhere(game_id, player, size)
        if self._watching is not None and said is not None:
            self._watching.heard(game_id, player, time.time(), said)

    async def _owner(self, connection: Connection, store: Store) -> Seat:
        """Whose store it is. A game that this relay does not remember may be one of an earlier relay, or of long
        ago: data that come with the next visit must not be lost for that."""
        try:
            return self._lobby.owners.of(connection, store)
        except Refused as refused:
            session = connection.session_of(store)
            if refused.code != "foreign_room" or session is None:
                raise
            player = await self._store.owner(store.game_id, session)
            if player is None and self.elsewhere is not None:
                player = await self.elsewhere.former(store.game_id, digest(session))
            if player is None and self.elsewhere is not None and self.elsewhere.is_elsewhere(connection.sid):
                # The process that has the game may not have written it down yet.
                raise Refused("store_busy", "that game is not known to the database yet; try again") from None
            if player is None:
                raise
            return self._lobby.owners.late(store, player, session)
