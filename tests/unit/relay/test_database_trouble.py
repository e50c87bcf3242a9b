"""A database that is locked, silent or gone costs its time and nothing else: no loop waits for it, and no end."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from relay_support import Relay, action, running
from test_relay_stores import metrics, record

from pycore.errors import UsageError
from pycore.relay import ledger
from pycore.relay.storage import databases
from pycore.relay.storage.backup import back_up
from pycore.relay.storage.standing import standing
from pycore.relay.storage.store import DataStore
from tools.postgres import Postgres

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL has half a second for everything."""
    monkeypatch.setattr(databases, "PATIENCE_S", 0.5)
    monkeypatch.setattr(databases, "GRACE_S", 0.3)
    monkeypatch.setattr(databases, "CONNECT_S", 2)  # the driver waits no less
    monkeypatch.setattr(databases, "END_S", 0.3)
    monkeypatch.setattr(ledger, "END_S", 0.3)


@contextlib.contextmanager
def locked(url: str, folder: Path) -> Iterator[None]:
    """Another process holds the database."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(folder / "study.db", isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            yield
            lock.execute("ROLLBACK")
        return
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as other:
        other.execute("LOCK TABLE session_metrics, records IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.slow
def test_a_locked_database_gives_an_error_and_the_repetition_gets_through(
    tmp_path: Path, database: Callable[[Path], str], impatient: None
) -> None:
    """While another process holds it: store_failed, and inputs still cross; afterwards: ok."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, two), game):
            await one.call("p2p_session_metrics", metrics(game, 0, 5, {}))
            with locked(relay.database, tmp_path):
                waiting = asyncio.create_task(one.call("p2p_session_metrics", metrics(game, 0, 0, {"a": 1})))
                await one.call("pyodide_player_action", action(game, 0, 4, 9))
                assert (await two.get("pyodide_other_player_action"))["frame_number"] == 9
                assert not waiting.done(), "the event loop does not wait for the database"
                reply = await waiting
                assert (reply["status"], reply["code"]) == ("error", "store_failed")
                assert "locked" in reply["message"] or "timeout" in reply["message"]
                assert (await one.get("pycore_error"))["code"] == "store_failed"
                reply = await one.call("pycore_records", record(game, 0, 0, 0, 1, "x"))
                assert reply["code"] == "store_failed"
            assert (await relay.counts(game))["stored"] == {"metrics": 1, "records": 0, "pieces": 0}
            assert await one.call("p2p_session_metrics", metrics(game, 0, 0, {"a": 1})) == {"status": "ok"}
            assert (await relay.counts(game))["stored"] == {"metrics": 2, "records": 0, "pieces": 0}

    with running(tmp_path, database=database(tmp_path)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_server_that_answers_nothing_costs_its_time_and_no_more(
    tmp_path: Path, postgres: Postgres, impatient: None
) -> None:
    """Its connections stay open and say nothing; who waits for it has an error, and then it is asked again."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, two), game):
            assert await one.call("p2p_session_metrics", metrics(game, 0, 0, {})) == {"status": "ok"}
            postgres.freeze()
            try:
                waiting = asyncio.create_task(one.call("p2p_session_metrics", metrics(game, 0, 1, {})))
                for frame in range(20):
                    await one.call("pyodide_player_action", action(game, 0, 4, frame))
                    await two.get("pyodide_other_player_action")
                assert not waiting.done()
                assert (await waiting)["code"] == "store_failed"
            finally:
                postgres.thaw()
            while (await one.call("p2p_session_metrics", metrics(game, 0, 1, {})))["status"] != "ok":
                await asyncio.sleep(0.05)
            assert (await relay.counts(game))["stored"]["metrics"] == 2

    with running(tmp_path, database=postgres.database()) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_process_ends_though_its_database_answers_nothing(
    tmp_path: Path, postgres: Postgres, impatient: None
) -> None:
    """In the middle of a store, with a game that is to be written down."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, _), game):
            postgres.freeze()
            await one.emit("p2p_session_metrics", metrics(game, 0, 1, {}))
            await one.call("leave_game", {})

    try:
        with running(tmp_path, database=postgres.database()) as relay:
            asyncio.run(go(relay))
            began = time.monotonic()
        assert time.monotonic() - began < 15.0
    finally:
        postgres.thaw()


@pytest.mark.slow
def test_what_was_acknowledged_is_there_when_the_database_was_killed(tmp_path: Path, postgres: Postgres) -> None:
    """What comes meanwhile is refused, and comes again; games go on."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, two), game):
            assert await one.call("p2p_session_metrics", metrics(game, 0, 0, {})) == {"status": "ok"}
            assert await two.call("pycore_records", record(game, 1, 0, 0, 1, "x")) == {"status": "ok"}
            postgres.kill()
            assert (await one.call("p2p_session_metrics", metrics(game, 0, 1, {})))["code"] == "store_failed"
            await one.call("pyodide_player_action", action(game, 0, 4, 9))
            await two.get("pyodide_other_player_action")
            postgres.start()
            assert await one.call("p2p_session_metrics", metrics(game, 0, 1, {})) == {"status": "ok"}
            assert (await relay.counts(game))["stored"] == {"metrics": 2, "records": 1, "pieces": 0}

    with running(tmp_path, database=postgres.database()) as relay:
        asyncio.run(go(relay))


@pytest.mark.parametrize("query", ["timeout=soon", "timout=30", "check_same_thread=maybe"])
def test_what_a_url_says_that_nobody_reads_is_refused_by_name(tmp_path: Path, query: str) -> None:
    """A value that is none was a traceback, a misspelt name a warning of a library's."""
    DataStore(f"sqlite:///{tmp_path / 'x.db'}").close()
    url = f"sqlite:///{tmp_path / 'x.db'}?{query}"
    for opens in (lambda: DataStore(url), lambda: standing(url), lambda: back_up(url, tmp_path / "copy.db")):
        with pytest.raises(UsageError, match=r"has something behind its \? that is not read"):
            opens()
    DataStore(f"sqlite:///{tmp_path / 'x.db'}?timeout=30").close()
