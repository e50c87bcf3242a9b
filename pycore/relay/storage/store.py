"""The database: what a study must not lose, written so that an acknowledgement means it is on the disk.

SQLite in a file by default (write-ahead log, so that somebody may read while a study runs;
`synchronous=FULL`, so that an acknowledged store survives a power cut), PostgreSQL by URL. Every store is an
upsert on its key (game, player, episode[, part]): sending it again changes nothing, and the last one wins, but that
what is less never replaces what is more.

All database work is done by **one** thread, in the order in which it was asked for. `asyncio.to_thread` would
let two stores of one key overtake each other, so that the older one could win; an async engine would need
another driver for each database, and SQLite takes one writer at a time anyway. A session stores a few times
per episode, so one thread is no bottleneck, and the event loop never waits for a disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pycore.errors import PycoreError, UsageError
from pycore.relay.games.seats import digest
from pycore.relay.games.uploads import Piece
from pycore.relay.storage.database_file import DatabaseFile, file_of
from pycore.relay.storage.databases import Database, cause, shown
from pycore.relay.storage.nameless import is_nameless, kept_nameless
from pycore.relay.storage.tables import (
    connections,
    experienced,
    games,
    leases,
    metrics,
    outcome_behind,
    outcome_of_seat,
    outcomes,
    pieces,
    records,
    seats,
)
from pycore.relay.storage.versions import TABLE, bring_up_to_date

T = TypeVar("T")

log = logging.getLogger("pycore.relay")

__all__ = [
    "DataStore", "Fence", "Fenced", "StoreFailed", "connections", "experienced", "games", "metrics", "outcomes",
    "pieces", "records", "seats",
]  # fmt: skip

FAILED_S: Final = 30.0
"""So long a store that failed speaks against the database, unless one succeeds: pages try every few seconds."""
WAITED_S: Final = 0.1
"""A store that failed after so long has waited for something, which those behind it would wait for as well."""


class StoreFailed(PycoreError):
    """The database could not do what it was asked; nothing was stored."""

    code = "store_failed"


class Fenced(PycoreError):
    """A game belongs to another process by now; nothing was written."""

    code = "fenced"


class Fence(NamedTuple):
    """By what right a process writes a game: it has its lease, of this generation."""

    process: str
    generation: int


class DataStore:
    """The relay's database. Its methods may be called from an event loop and never block it."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        """Opens the database; an older one is brought up to date, and with `create` a new one gets its tables.
        Raises `UsageError`, saying what to do."""
        self._database = Database(url, create)
        self._engine = self._database.engine
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pycore-store")
        self._file: DatabaseFile | None = None
        self._failed: tuple[float, StoreFailed] | None = None
        """The last store, if it failed, and when."""
        self._gave_up: tuple[float, StoreFailed] | None = None
        """When a store last waited in vain, and what became of it."""
        try:
            self._thread.submit(self._open, create).result()
        except sa.exc.SQLAlchemyError as error:
            self.close()
            what = "write to" if create else "read"
            raise UsageError(f"cannot {what} the database {shown(url)}: {cause(error)}") from error
        file = file_of(self._engine)
        self._file = None if file is None else DatabaseFile(file)

    def _open(self, create: bool) -> None:
        bring_up_to_date(self._engine, create=create, tell=log.warning)
        if create:
            # A file that may only be read has its tables already; the first participant must not find out.
            with self._engine.begin() as connection:
                connection.execute(games.update().where(sa.false()).values(ended=None))

    @property
    def engine(self) -> sa.Engine:
        """For what asks and writes by a thread of its own, in `run`."""
        return self._engine

    def run(self, work: Callable[[], T]) -> T:
        """Do something with the engine, on the caller's thread. Raises `StoreFailed`."""
        return self._guarded(work)

    @property
    def lasts(self) -> bool:
        """Whether it is there when this process is gone; a database in memory is this thread's alone."""
        return self._engine.dialect.name != "sqlite" or self._engine.url.database not in (None, "", ":memory:")

    @property
    def folder(self) -> Path | None:
        """Where the database's file lies; None: it has none here."""
        file = file_of(self._engine)
        return None if file is None else file.parent

    def close(self) -> None:
        """Finish what was asked for, as far as the database lets it, then close."""
        self._database.ends(self._thread)

    async def try_out(self) -> None:
        """Write something, and change nothing by it. Raises `StoreFailed`, as a store would, and where the last store
        failed just now: one that is larger than this may find no room."""

        def put() -> None:
            with self._engine.begin() as connection:
                connection.execute(sa.text(f"UPDATE {TABLE} SET version_num = version_num"))

        await self._look(put)
        if self._failed is not None and time.monotonic() - self._failed[0] < FAILED_S:
            raise self._failed[1]

    async def put_game(
        self, row: Mapping[str, Any], of: Sequence[Mapping[str, Any]] = (), fence: Fence | None = None,
        again: bool = False,
    ) -> None:  # fmt: skip
        """A game as it is now, and its seats, all or nothing: rows with the columns to write. Seats own what is stored
        of a game, whenever that comes. `again`: its end was there before, so a game that is not was removed, and stays
        so. Raises `Fenced` if the game's lease is not the one given."""

        def put() -> None:
            with self._engine.begin() as connection:
                if fence is not None:
                    self._hold(connection, row["game_id"], fence)
                query = sa.select(games.c.subjects).where(games.c.game_id == row["game_id"])
                before = connection.execute(query).scalar()
                if again and before is None:
                    return
                game, places = kept_nameless(before, row, of)
                connection.execute(self._upsert(games, game))
                for place in places:
                    kept = {"outcome": outcome_behind(place["outcome"])} if "outcome" in place else {}
                    if "session" in place:
                        connection.execute(self._upsert(seats, place, kept=kept))
                    else:
                        own = sa.and_(seats.c.game_id == place["game_id"], seats.c.player == place["player"])
                        connection.execute(seats.update().where(own).values(**{**place, **kept}))

        await self._run(put)

    async def owner(self, game_id: str, session: str) -> str | None:
        """The player whose seat in a game belongs to a session, or None."""
        query = sa.select(seats.c.player).where(seats.c.game_id == game_id, seats.c.session == digest(session))

        def read() -> str | None:
            with self._engine.connect() as connection:
                found: str | None = connection.execute(query).scalar()
                return found

        return await self._look(read)

    async def put_outcome(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What a participant's visit came to, with the game's seat where it is of one; returns what stands, which is
        the first with which it was sent on."""
        seat = sa.and_(seats.c.game_id == row["game_id"], seats.c.player == row["player"])

        def put() -> dict[str, Any]:
            with self._engine.begin() as connection:
                of = connection.execute(sa.select(games.c.subjects).where(games.c.game_id == row["game_id"])).scalar()
                if row["subject"] is not None and is_nameless(of, row["player"]):
                    return dict(row)
                connection.execute(self._upsert(outcomes, row, sa.not_(outcomes.c.final)))
                query = sa.select(outcomes).where(outcomes.c.person == row["person"])
                stands = dict(connection.execute(query).mappings().one())
                connection.execute(seats.update().where(seat).values(outcome=outcome_of_seat(row, stands)))
                return stands

        return await self._run(put)

    async def put_metrics(
        self, game_id: str, player: str, episode: int, data: str, wall: float, so_far: bool = False,
        load: int | None = None,
    ) -> None:  # fmt: skip
        """One player's metrics of one episode. Those of an earlier load of its page never replace those of a later one,
        and of one load those of the middle of an episode never those of its end."""
        key = {"game_id": game_id, "player": player, "episode": episode}
        more: Any = metrics.c.so_far if so_far else sa.true()
        if load is not None:
            there = sa.func.coalesce(metrics.c.load, load)
            more = sa.or_(there < load, sa.and_(there == load, more))
        row = {**key, "received": wall, "data": data, "so_far": so_far, "load": load}
        await self._run(lambda: self._put(metrics, row, more))

    async def put_piece(
        self, game_id: str, player: str, episode: int, piece: Piece, data: str, wall: float
    ) -> None:
        """A piece of one player's trajectory. One that has no more than what is there changes nothing."""
        key = {"game_id": game_id, "player": player, "episode": episode, "revision": piece.revision}
        row = {
            **key, "first": piece.first, "base": piece.base, "frames": piece.frames, "last": piece.last,
            "received": wall, "data": data.encode(),
        }  # fmt: skip
        more = pieces.c.frames < piece.frames
        if piece.last:
            more = sa.or_(more, sa.and_(pieces.c.frames == piece.frames, sa.not_(pieces.c.last)))
        await self._run(lambda: self._put(pieces, row, more))

    async def put_record(
        self, game_id: str, player: str, episode: int, part: int, parts: int, data: str, wall: float
    ) -> None:
        """One part of one player's trajectory. Parts of an earlier, different division go with it."""
        row: dict[str, Any] = {"game_id": game_id, "player": player, "episode": episode}
        same = sa.and_(*(records.c[name] == value for name, value in row.items()))
        row |= {"part": part, "parts": parts, "received": wall, "data": data.encode()}

        def put() -> None:
            with self._engine.begin() as connection:
                connection.execute(records.delete().where(same, records.c.parts != parts))
                connection.execute(self._upsert(records, row))

        await self._run(put)

    async def put_experienced(
        self, game_id: str, player: str, part: int, last: bool, data: str, wall: float
    ) -> None:
        """One part of what one player saw."""
        key = {"game_id": game_id, "player": player, "part": part}
        await self._run(lambda: self._put(experienced, {**key, "last": last, "received": wall, "data": data.encode()}))

    async def put_connection(self, game_id: str, player: str, remote: str, data: Any, wall: float) -> None:
        """How one link of a player is connected."""
        row = {
            "game_id": game_id,
            "player": player,
            "remote": remote,
            "received": wall,
            "data": json.dumps(data),
        }
        await self._run(lambda: self._put(connections, row))

    async def stored(self, game_id: str) -> dict[str, int]:
        """Rows of metrics, of records and of pieces that the database has for a game."""

        def count() -> dict[str, int]:
            with self._engine.connect() as connection:
                found = {}
                for name, table in (("metrics", metrics), ("records", records), ("pieces", pieces)):
                    query = sa.select(sa.func.count()).select_from(table).where(table.c.game_id == game_id)
                    found[name] = int(connection.execute(query).scalar_one())
                return found

        return await self._look(count)

    async def counts(self, game_id: str) -> dict[str, Any] | None:
        """What was counted of a game that is no longer in memory, or None."""

        def read() -> dict[str, Any] | None:
            with self._engine.connect() as connection:
                row = connection.execute(sa.select(games).where(games.c.game_id == game_id)).mappings().first()
            if row is None:
                return None
            empty = {"game_id": game_id, "state": "unknown", "players": json.loads(row["players"])}
            counted: dict[str, Any] = json.loads(row["counts"]) if row["counts"] else empty
            return counted

        return await self._look(read)

    def read(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        """Rows of a query, for the export (which has no event loop). Raises `StoreFailed`."""

        def rows() -> list[dict[str, Any]]:
            with self._engine.connect() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]

        return self._guarded(rows)

    def write(self, work: Callable[[sa.Connection], None]) -> None:
        """Change something, all or nothing, and leave nothing of what was removed in a SQLite file. For commands, which
        have no event loop. Raises `StoreFailed`."""
        lite = self._engine.dialect.name == "sqlite"

        def change() -> None:
            with self._engine.connect() as connection:
                if lite:
                    connection.exec_driver_sql("PRAGMA secure_delete=ON")
                    connection.commit()
                with connection.begin():
                    work(connection)
            if lite:
                # What is overwritten lies in the log until then; a server that reads meanwhile does it later.
                raw = self._engine.raw_connection()
                try:
                    raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                finally:
                    raw.close()

        self._guarded(change)

    def piece(self, game_id: str, player: str, episode: int, revision: int, first: int) -> bytes:
        """The rows of one piece of a trajectory. Blocks. Raises `StoreFailed`."""
        of = pieces.c
        chosen = sa.select(of.data).where(
            of.game_id == game_id, of.player == player, of.episode == episode, of.revision == revision,
            of.first == first,
        )  # fmt: skip
        data: bytes = self.read(chosen)[0]["data"]
        return data

    def _put(self, table: sa.Table, row: dict[str, Any], only: Any = None) -> None:
        with self._engine.begin() as connection:
            connection.execute(self._upsert(table, row, only))

    def _hold(self, connection: sa.Connection, name: str, fence: Fence) -> None:
        """Keep a lease from being taken until the transaction ends; a new game's is made."""
        row = {"name": name, **fence._asdict()}
        make = (postgresql if self._engine.dialect.name == "postgresql" else sqlite).insert(leases).values(row)
        connection.execute(make.on_conflict_do_nothing(index_elements=["name"]))
        chosen = sa.select(leases.c.process, leases.c.generation).where(leases.c.name == name).with_for_update()
        held = connection.execute(chosen).one()
        if tuple(held) != fence:
            raise Fenced(f"game {name} is another process's by now ({held.process[:8]}, {held.generation})")

    def _upsert(
        self, table: sa.Table, row: Mapping[str, Any], only: Any = None, kept: Mapping[str, Any] | None = None
    ) -> sa.Executable:
        """`only`: what must be true of a row that is there for it to be replaced; `kept`: what becomes of it."""
        keys = [column.name for column in table.primary_key]
        values = {name: value for name, value in row.items() if name not in keys} | dict(kept or {})
        if self._engine.dialect.name == "postgresql":
            pg = postgresql.insert(table).values(row)
            return pg.on_conflict_do_update(index_elements=keys, set_=values, where=only)
        lite = sqlite.insert(table).values(row)
        return lite.on_conflict_do_update(index_elements=keys, set_=values, where=only)

    async def _run(self, work: Callable[[], T]) -> T:
        asked = time.monotonic()

        def begun() -> T:
            # Whoever was in front has waited for a lock in vain; what was asked for meanwhile has waited as long.
            if self._gave_up is not None and asked <= self._gave_up[0]:
                raise self._gave_up[1]
            begin = time.monotonic()
            try:
                return work()
            except sa.exc.OperationalError as error:
                if (now := time.monotonic()) - begin >= WAITED_S:
                    self._gave_up = now, StoreFailed(f"the database said: {cause(error)}")
                raise

        try:
            done = await self._look(begun)
        except StoreFailed as error:
            self._failed = (time.monotonic(), error)
            raise
        self._failed = None
        return done

    async def _look(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._guarded, work)

    def _guarded(self, work: Callable[[], T]) -> T:
        # Whatever a driver raises (locked, full, gone, out of memory), nobody may take it for a success.
        try:
            with self._database.bounded():
                done = work()
        except (Fenced, StoreFailed):
            raise
        except Exception as error:
            raise StoreFailed(f"the database said: {cause(error)}") from error
        if self._file is not None and (fault := self._file.fault()):
            raise StoreFailed(fault)
        return done
