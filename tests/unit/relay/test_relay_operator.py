"""What a stranger learns, what the operator's token opens, and when the relay says that it is not ready."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sqlalchemy as sa
from relay_support import OPERATOR as TOKEN
from relay_support import Relay, running

from pycore.errors import UsageError
from pycore.relay.operating.operator import Operator, check_token
from pycore.relay.operating.readiness import KEPT_S, Readiness
from pycore.relay.storage.store import DataStore, StoreFailed


async def answer(relay: Relay, path: str, token: str | None = None) -> tuple[int, Any]:
    """Status and JSON."""
    status, _, body = await relay.http(path, token)
    return status, json.loads(body)


def test_a_stranger_learns_that_it_lives_and_nothing_else(relay: Relay) -> None:
    """Though everybody behind a proxy comes from this machine."""

    async def go() -> None:
        assert await answer(relay, "/api/health") == (200, {"status": "ok"})
        assert await answer(relay, "/api/ready") == (200, {"status": "ready"})
        async with relay.pair() as (_, game):
            for path in ("/api/operator", f"/api/games/{game}", "/api/watch", "/api/watch/over", f"/api/watch/{game}"):
                for token in (None, "", TOKEN[:-1], TOKEN + "x", "ünbekannt-und-falsch"):
                    status, headers, body = await relay.http(path, token)
                    assert (status, json.loads(body)["code"]) == (401, "not_allowed"), (path, token)
                    assert headers["www-authenticate"] == "Bearer"
                    assert game not in body.decode()
            lower, url = {"authorization": f"bearer {TOKEN}"}, f"{relay.url}api/operator"
            async with aiohttp.ClientSession(headers=lower) as session, session.get(url) as reply:
                assert reply.status == 200, "how a scheme is written does not matter"
            status, state = await answer(relay, "/api/operator", TOKEN)
            assert (status, state["ready"], state["reasons"]) == (200, True, [])
            assert (state["sockets"], state["games_playing"]) == (2, 1)

    asyncio.run(go())


def test_whatever_a_page_says_of_itself_the_operator_has_an_answer(relay: Relay) -> None:
    """Half a surrogate pair is in no UTF-8: what had it was no answer at all, and the study could not be closed."""

    async def go() -> None:
        async with relay.pair() as (clients, game):
            said = {"code": "x\ud800", "message": "m\udfff \U0001f600", "where": "w\ud83d", "query": ""}
            assert (await clients[0].call("page_failed", said))["status"] == "ok"
            links = {"\ud800": {"path": "\udfff", "rttMs": 1}}
            now = {"phase": "\ud800", "episode": 0, "frame": 3, "links": links}
            figures = {"now": now, "frames": {"total": 3}, "rollbacks": {}, "quality": {}, "sync": {}}
            store = {"game_id": game, "player_id": 0, "episode": 0, "so_far": True, "metrics": figures}
            assert (await clients[0].call("p2p_session_metrics", store))["status"] == "ok"
            status, state = await answer(relay, "/api/operator", TOKEN)
            failure = {name: value for name, value in state["failures"][0].items() if name not in ("time", "person")}
            assert (status, failure) == (200, {"code": "x?", "said": "m? \U0001f600", "where": "w?"})
            status, listed = await answer(relay, "/api/watch", TOKEN)
            [player, _] = listed["games"][0]["players"]
            assert (status, player["phase"], player["frame"]) == (200, "?", 3)
            assert player["links"] == {"?": {"path": "?", "rtt_ms": 1}}

    asyncio.run(go())


@pytest.mark.slow
def test_without_a_token_nobody_is_the_operator(tmp_path: Path) -> None:
    """Nor has anybody the key of a game that would follow from no token."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as (_, game):
            key = hmac.new(b"", f"game {game}".encode(), hashlib.sha256).hexdigest()[:24]
            for token in (None, "", key):
                for path in ("/api/operator", f"/api/games/{game}", "/api/watch", f"/api/watch/{game}"):
                    assert (await answer(relay, path, token))[0] == 401

    with running(tmp_path, operator_token=None) as relay:
        asyncio.run(go(relay))


def test_a_token_that_can_be_guessed_or_no_address_can_hold_is_refused() -> None:
    """And nothing is the token of who has none."""
    for token in ("", "short", "with space in it", "x" * 129, "täglich-anders"):
        with pytest.raises(UsageError, match="12 to 128"):
            check_token(token)
    assert check_token("of-12-letter") == "of-12-letter"
    assert not Operator(None).is_operator("")
    assert Operator("of-12-letter").is_operator("of-12-letter")


def test_a_server_that_is_about_to_end_is_not_ready_and_one_that_is_busy_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reloads in a game that runs must come through: those who are new are told by a busy server itself."""

    async def go(relay: Relay) -> None:
        door = relay.app.relay.lobby.door
        assert await answer(relay, "/api/ready") == (200, {"status": "ready"})
        door.draining = True
        assert await answer(relay, "/api/ready") == (503, {"status": "not_ready"})
        assert (await answer(relay, "/api/operator", TOKEN))[1]["reasons"] == ["draining"]
        assert await answer(relay, "/api/health") == (200, {"status": "ok"})
        door.draining = False
        # It stays as it is told to be.
        monkeypatch.setattr(relay.app.relay.load, "beat", lambda late, used: None)
        relay.app.relay.load.busy = door.busy = True
        door.is_open = False
        assert await answer(relay, "/api/ready") == (200, {"status": "ready"})

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


class Database:
    """Answers as it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.waits: asyncio.Event | None = None
        self.fails = False

    async def ask(self) -> None:
        self.asked += 1
        if self.waits is not None:
            await self.waits.wait()
        if self.fails:
            raise StoreFailed("the database said: no")


def test_it_is_ready_while_its_database_answers_and_nothing_holds_it() -> None:
    """What the database said is believed for a moment: nobody makes it work by asking."""

    async def go() -> None:
        database, drains = Database(), False
        readiness = Readiness(database.ask, within_s=0.01)
        readiness.hold("draining", lambda: drains)
        assert await readiness.reasons(0.0) == []
        database.fails = True
        assert await readiness.reasons(0.9 * KEPT_S) == []
        assert database.asked == 1
        assert await readiness.reasons(1.1 * KEPT_S) == ["the database said: no"]
        database.fails, drains = False, True
        assert await readiness.reasons(3.0) == ["draining"]

    asyncio.run(go())


def test_a_database_that_hangs_is_one_that_does_not_answer() -> None:
    """It is asked once, however many ask for it; when it goes on, so does the relay."""

    async def go() -> None:
        database = Database()
        database.waits = asyncio.Event()
        readiness = Readiness(database.ask, within_s=0.01)
        for now in (0.0, 2.0, 4.0):
            several = await asyncio.gather(*(readiness.reasons(now) for _ in range(5)))
            assert several == [["the database has not answered for 0.01 s"]] * 5
        assert database.asked == 1
        database.waits.set()
        assert await readiness.reasons(6.0) == []

    asyncio.run(go())


def metrics(game: str, text: str = "x") -> dict[str, Any]:
    return {"game_id": game, "player_id": 0, "episode": 0, "metrics": {"text": text}}


@pytest.mark.slow
def test_a_locked_database_makes_it_not_ready_while_it_lives(tmp_path: Path) -> None:
    """And ready again when it is free."""

    async def go(relay: Relay) -> None:
        with sqlite3.connect(tmp_path / "study.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await answer(relay, "/api/ready") == (503, {"status": "not_ready"})
            assert await answer(relay, "/api/health") == (200, {"status": "ok"})
            _, state = await answer(relay, "/api/operator", TOKEN)
            assert (state["ready"], state["reasons"]) == (False, ["the database said: database is locked"])
            other.execute("ROLLBACK")
        other.close()
        await asyncio.sleep(KEPT_S)
        assert await answer(relay, "/api/ready") == (200, {"status": "ready"})

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_stores_that_fail_make_it_not_ready_until_one_succeeds(tmp_path: Path) -> None:
    """A full disk may have room for a probe, and none for what a page stores."""
    full = {"is": True}

    def limit(connection: Any, *rest: Any) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() + 2 if full["is"] else 1 << 30
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, _), game):
            assert await answer(relay, "/api/ready") == (200, {"status": "ready"})
            sa.event.listen(relay.app.store._engine, "begin", limit)
            assert (await one.call("p2p_session_metrics", metrics(game, "x" * 100_000)))["code"] == "disk_full"
            await asyncio.sleep(KEPT_S)
            assert (await answer(relay, "/api/ready"))[0] == 503
            full["is"] = False
            assert (await one.call("p2p_session_metrics", metrics(game)))["status"] == "ok"
            await asyncio.sleep(KEPT_S)
            assert (await answer(relay, "/api/ready"))[0] == 200

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_nothing_is_acknowledged_into_a_file_that_was_deleted(tmp_path: Path) -> None:
    """A store that nobody could read again is refused, and the relay not ready; put back, the file is as before."""
    database, aside = tmp_path / "study.db", tmp_path / "aside.db"

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, _), game):
            assert (await one.call("p2p_session_metrics", metrics(game)))["status"] == "ok"
            database.rename(aside)
            refused = await one.call("p2p_session_metrics", metrics(game, "y"))
            assert refused["code"] == "store_failed"
            assert "was deleted or replaced" in refused["message"]
            assert (await answer(relay, "/api/ready"))[0] == 503
            aside.rename(database)
            assert (await one.call("p2p_session_metrics", metrics(game, "z")))["status"] == "ok"
            await asyncio.sleep(KEPT_S)
            assert (await answer(relay, "/api/ready"))[0] == 200

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


def test_a_probe_takes_the_lock_that_a_store_takes(tmp_path: Path) -> None:
    """It writes: a database that can only be read is not one that answers."""
    DataStore(f"sqlite:///{tmp_path / 'a.db'}").close()
    store = DataStore(f"sqlite:///{tmp_path / 'a.db'}?timeout=0.05")
    try:
        asyncio.run(store.try_out())
        with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreFailed, match="locked"):
                asyncio.run(store.try_out())
        other.close()
    finally:
        store.close()
