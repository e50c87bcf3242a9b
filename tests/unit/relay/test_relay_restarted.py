"""The server ends and another process takes its place: real sockets, and a database that does not always answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from relay_support import Client, Relay, action, running

from pycore.relay import ledger, recall
from pycore.relay.ledger import Ledger
from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.recall import Recall
from pycore.relay.storage.export import list_games
from pycore.relay.storage.store import DataStore, StoreFailed, games, seats

SETTINGS = {"fps": 30, "max_steps": 100, "return_within": 30}


async def page(relay: Relay, number: int, load: str = "first") -> Client:
    """A page with its session connects."""
    return await Client(relay.url).connect({"session_id": f"the session of {number}", "page": f"{load} of {number}"})


async def starts(relay: Relay) -> str:
    """Two begin a game, and their connections end; returns the game's id."""
    clients = [await page(relay, number) for number in (0, 1)]
    for client in clients:
        assert (await client.call("join_game", {}))["status"] == "ok"
    game: str = (await clients[0].get("start_game"))["game_id"]
    await until(lambda: relay.app.relay.ledger.due == 0)
    for client in clients:
        await client.close()
    return game


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that this process sees."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.slow
def test_a_game_goes_on_at_the_next_process_and_its_end_was_none(tmp_path: Path) -> None:
    """Both come at the same time: one room is taken up, and inputs cross it."""
    with running(tmp_path, settings=SETTINGS) as relay:
        game = asyncio.run(starts(relay))
    (row,) = list_games(DataStore(relay.database, create=False), game)
    assert row.row is not None
    assert row.row["ended"] is None, "a process that is stopped ends no game"
    assert json.loads(row.row["counts"])["state"] == "stopped"

    async def goes_on(relay: Relay) -> None:
        one, two = await asyncio.gather(page(relay, 0), page(relay, 1))
        assert (await one.get("session_restored"))["player_id"] == 0
        assert (await two.get("session_restored"))["player_id"] == 1
        for sender, receiver, player in ((one, two, 0), (two, one, 1)):
            assert await sender.call("pyodide_player_action", action(game, player, 3, 40)) == {"status": "ok"}
            assert (await receiver.get("pyodide_other_player_action"))["frame_number"] == 40
        assert (await relay.counts(game))["restarts"] == 1
        for client in (one, two):
            await client.close()

    with running(tmp_path, settings=SETTINGS) as relay:
        asyncio.run(goes_on(relay))
        assert relay.app.relay.lobby.health()["games_remembered"] == 1


@pytest.mark.slow
def test_a_game_that_began_while_the_database_was_locked_is_written_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It used to be tried once: the next process knew nothing of the game, and refused its data for good."""
    monkeypatch.setattr("pycore.relay.ledger.AGAIN_S", 0.05)

    async def begins(relay: Relay) -> str:
        clients = [await page(relay, number) for number in (0, 1)]
        with contextlib.closing(sqlite3.connect(tmp_path / "study.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            for client in clients:
                await client.call("join_game", {})
            found: str = (await clients[1].get("start_game"))["game_id"]
            # The database waits 0.2 s for the lock, the ledger twice as long and longer: several attempts fail.
            await asyncio.sleep(1.0)
            assert relay.app.relay.ledger.due == 1
            other.rollback()
        await until(lambda: relay.app.relay.ledger.due == 0)
        for client in clients:
            await client.close()
        return found

    with running(tmp_path, settings=SETTINGS) as relay:
        game = asyncio.run(begins(relay))
        found = relay.app.store.read(sa.select(seats.c.player).where(seats.c.game_id == game))
        assert sorted(row["player"] for row in found) == ["0", "1"]
        assert relay.app.store.read(sa.select(games.c.game_id)) == [{"game_id": game}]


def test_a_game_that_cannot_be_written_at_all_keeps_no_other_one_from_being_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, once."""

    async def writes() -> None:
        store = DataStore(f"sqlite:///{tmp_path / 'study.db'}")
        lobby = Lobby(players=[0], settings={}, limits=Limits())
        for number in range(2):
            lobby.connect(f"s{number}", None, 0.0)
            lobby.join(f"s{number}", {}, 0.0, 0.0)
        broken, good = lobby.games.playing()
        broken.settings = {"fps": object()}
        ledger = Ledger(store, Limits())
        ledger.note([broken, good])
        running = asyncio.ensure_future(ledger.run())
        await until(lambda: ledger.due == 0)
        running.cancel()
        assert store.read(sa.select(games.c.game_id)) == [{"game_id": good.game_id}]
        assert caplog.messages == [f"game {broken.game_id} cannot be written down"]
        store.close()

    asyncio.run(writes())


def test_a_database_that_hangs_does_not_keep_the_server_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be written is said."""
    monkeypatch.setattr("pycore.relay.ledger.END_S", 0.1)

    class Hangs:
        async def put_game(self, *_: Any) -> None:
            await asyncio.sleep(60.0)

    async def ends() -> float:
        lobby = Lobby(players=[0], settings={}, limits=Limits())
        lobby.connect("s", None, 0.0)
        lobby.join("s", {}, 0.0, 0.0)
        ledger = Ledger(Hangs(), Limits())  # type: ignore[arg-type]
        begun = time.monotonic()
        await ledger.close(lobby.games.playing())
        assert ledger.due == 1
        return time.monotonic() - begun

    assert asyncio.run(ends()) < 5.0


@pytest.mark.slow
def test_while_the_database_does_not_answer_a_page_connects_and_has_its_seat_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for the game by its id meanwhile is told that nobody knows, not that it is over."""
    monkeypatch.setattr(recall, "AGAIN_S", 0.05)
    with running(tmp_path, settings=SETTINGS) as relay:
        game = asyncio.run(starts(relay))
    answers = [False]
    really = recall.find

    def find(*words: Any) -> Any:
        if not answers[0]:
            raise StoreFailed("the database said: gone fishing")
        return really(*words)

    monkeypatch.setattr(recall, "find", find)

    async def comes(relay: Relay) -> None:
        one = await page(relay, 0)
        returning = await page(relay, 1, "second")
        reply = await returning.call("join_game", {"game_id": game})
        assert (reply["status"], reply["code"]) == ("error", "store_failed")
        assert (await one.call("pyodide_player_action", action(game, 0, 1, 5)))["code"] == "not_in_game"
        kept = await returning.call("seat_kept", {})
        assert kept["status"] == "error"
        answers[0] = True
        assert (await one.get("session_restored"))["game_id"] == game
        reply = await returning.call("join_game", {"game_id": game})
        assert (reply["status"], reply["state"]) == ("ok", "restored")
        for client in (one, returning):
            await client.close()

    with running(tmp_path, settings=SETTINGS) as relay:
        asyncio.run(comes(relay))


@pytest.mark.slow
@pytest.mark.parametrize("writes", [True, False])
def test_a_page_that_returns_has_its_number_when_that_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: bool
) -> None:
    """Not before, and after a time also where the database does not write: games go on without one."""
    monkeypatch.setattr(ledger, "PATIENCE_S", 30.0 if writes else 0.3)

    async def go(relay: Relay) -> None:
        await starts(relay)
        put, asked, gate = relay.app.store.put_game, asyncio.Event(), asyncio.Event()
        here = asyncio.get_running_loop()
        told: list[int] = []

        async def held(row: Any, of: Any, *more: Any) -> None:
            told.append(max(seat["loads"] for seat in of))
            if len(told) == 1:
                here.call_soon_threadsafe(asked.set)
            while not gate.is_set():
                await asyncio.sleep(0.005)
            await put(row, of, *more)

        monkeypatch.setattr(relay.app.store, "put_game", held)
        again = await page(relay, 1, "second")
        joining = here.create_task(again.call("join_game", {}))
        await asyncio.wait_for(asked.wait(), 5.0)
        assert told == [1]
        if writes:
            other = await page(relay, 0)
            assert (await other.call("pycore_ping", {}))["status"] == "ok"
            assert again.events == []
            assert not joining.done()
            gate.set()
        assert (await joining)["state"] == "restored"
        assert (await again.get("pyodide_game_ready"))["load"] == 1
        gate.set()
        for client in (again, *([other] if writes else [])):
            await client.close()

    with running(tmp_path, settings=SETTINGS) as relay:
        asyncio.run(go(relay))


def test_a_socket_that_is_gone_before_the_database_answers_holds_no_seat(tmp_path: Path) -> None:
    """Nobody would say of it that it is away."""

    async def goes() -> None:
        store = DataStore(f"sqlite:///{tmp_path / 'study.db'}")
        asked = Recall(Lobby(players=[0, 1], settings=SETTINGS, limits=Limits()), store)
        coming = asyncio.ensure_future(asked.connects("s", "a session"))
        await asyncio.sleep(0)
        asked.disconnects("s")
        assert await coming is False
        assert await asked.connects("s2", "a session") is True
        asked.close()
        store.close()

    asyncio.run(goes())


def test_a_database_in_memory_is_asked_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No other process had it, and only the thread that writes it can read it."""
    with running(tmp_path, database="sqlite://", settings=SETTINGS) as relay:
        asyncio.run(starts(relay))
    assert [record.message for record in caplog.records if record.name == "pycore.relay"] == []


@pytest.mark.slow
def test_what_is_sent_behind_a_join_takes_effect_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the database is asked about a session that comes with the join alone: who leaves at once does not wait."""
    really, asked = recall.find, []

    def find(*words: Any) -> Any:
        time.sleep(0.2)
        asked.append(words)
        return really(*words)

    monkeypatch.setattr(recall, "find", find)

    async def leaves(relay: Relay) -> None:
        async with relay.clients(1) as (client,):
            await client.emit("join_game", {"session_id": "known to nobody"})
            await client.emit("leave_game", {})
            await client.call("pycore_ping", {})
            assert len(asked) == 1
            assert relay.app.relay.lobby.health()["waiting"] == 0

    with running(tmp_path, settings=SETTINGS) as relay:
        asyncio.run(leaves(relay))
