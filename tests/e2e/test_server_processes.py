"""Real processes, a real broker and a real database: one short game in every run, and what is killed in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pycore.relay.storage.store import DataStore, games
from pycore.relay.storage.tables import leases, records, waiting
from pycore.relay.storage.tables import metrics as stored_metrics
from tests.unit.relay.played_support import Player, aside, complete_and_equal, played
from tests.unit.relay.relay_support import Client, action
from tools.balancer import Process, Server
from tools.process import Missing

pytestmark = pytest.mark.e2e

PATIENCE_S = 30.0


def metrics(game: str, player: int) -> dict[str, Any]:
    """The end of a player's session."""
    return {"game_id": game, "player_id": player, "episode": -1, "metrics": {}}


def record(game: str, player: int, part: int, parts: int) -> dict[str, Any]:
    """A part of a player's record."""
    return {"game_id": game, "player_id": player, "episode": 0, "part": part, "parts": parts, "data": "x"}


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of two or three processes; where something is not to be had, it is said."""
    pytest.importorskip("psycopg", reason="the driver for PostgreSQL is not installed")
    pytest.importorskip("nats", reason="the client of NATS is not installed")
    with contextlib.ExitStack() as stack:
        try:
            count = getattr(request, "param", 3)
            made = Server(tmp_path_factory.mktemp("server"), relays=count, balanced=False)
            yield stack.enter_context(made)
            for relay in made.relays:
                print(f"{relay.name}:\n{relay.text()}")
        except Missing as error:
            pytest.skip(str(error))


async def connected(relay: Process, number: int) -> Client:
    """A page's socket; it presents its session."""
    return await Client(relay.url).connect({"session_id": f"session {number}", "page": f"page {number}"})


async def begun(*players: Client) -> str:
    """The game that these play, whoever joined first having the first seat."""
    for client in players:
        reply = await client.call("join_game", {})
        assert reply["status"] == "ok", reply
    (game,) = {(await client.get("start_game"))["game_id"] for client in players}
    for client in players:
        client.events.clear()
    return str(game)


async def crossed(game: str, one: Client, two: Client, frame: int) -> None:
    """Inputs cross, in both directions."""
    await one.emit("pyodide_player_action", action(game, 0, 1, frame))
    await two.emit("pyodide_player_action", action(game, 1, 2, frame))
    for client in (one, two):
        await client.get("pyodide_other_player_action", lambda data: data["frame_number"] == frame)


async def retried(call: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """A store, as a page does it: again until it is acknowledged."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            if (await call())["status"] == "ok":  # type: ignore[misc]
                return
        await asyncio.sleep(0.2)
    raise AssertionError("it was never acknowledged")


async def written(server: Server, game: str) -> None:
    """Wait until the database knows a game."""

    def known() -> bool:
        store = DataStore(server.database, create=False)
        try:
            return bool(store.read(sa.select(leases.c.name).where(leases.c.name == game)))
        finally:
            store.close()

    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.get_running_loop().run_in_executor(None, known):
            await asyncio.sleep(0.05)


async def ended(server: Server, game: str, *players: Client) -> None:
    """Everybody stores the end of the session; then the game has ended, and all that was acknowledged is there."""
    for number, client in enumerate(players):
        await retried(lambda client=client, number=number: client.call(  # type: ignore[misc]
            "p2p_session_metrics", metrics(game, number)
        ))  # fmt: skip

    def rows() -> tuple[object, int]:
        store = DataStore(server.database, create=False)
        try:
            (row,) = store.read(sa.select(games.c.ended).where(games.c.game_id == game))
            return row["ended"], len(store.read(sa.select(stored_metrics.c.player)))
        finally:
            store.close()

    async with asyncio.timeout(PATIENCE_S):
        while (await asyncio.get_running_loop().run_in_executor(None, rows))[0] is None:
            await asyncio.sleep(0.1)
    assert (await asyncio.get_running_loop().run_in_executor(None, rows))[1] == len(players)


def parts(server: Server) -> set[tuple[str, int]]:
    """The parts of records that the database has, by player."""
    store = DataStore(server.database, create=False)
    found = {(row["player"], row["part"]) for row in store.read(sa.select(records.c.player, records.c.part))}
    store.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("server", [2], indirect=True)
def test_two_processes_are_one_server(server: Server) -> None:
    """One short game; the waiting room of a process that drains goes to the other one."""

    async def go() -> None:
        a, b = server.relays
        one, two = await connected(a, 0), await connected(b, 1)
        game = await begun(one, two)
        for frame in range(30):
            await crossed(game, one, two, frame)
        for number, client in enumerate((one, two)):
            assert await client.call("pycore_records", record(game, number, 0, 1)) == {"status": "ok"}
        await ended(server, game, one, two)
        await one.close()
        # Who waits at one that is asked to end is paired by the other one; at both its place is free at once.
        three, four = await connected(a, 3), await connected(b, 4)
        assert (await four.call("join_game", {}))["state"] == "waiting"
        await two.call("leave_game", {})
        began = time.monotonic()
        os.kill(a.pid, signal.SIGTERM)
        await three.close()
        again = await connected(b, 3)
        assert (await again.call("join_game", {}))["status"] == "ok"
        await four.get("start_game")
        await again.get("start_game")
        assert time.monotonic() - began < 3.5, "no lease had to run out first"
        await again.close()
        for client in (two, three, four):
            await client.close()

    asyncio.run(go())
    assert parts(server) == {("0", 0), ("1", 0)}


@pytest.mark.long
def test_the_owner_of_a_game_is_killed(server: Server) -> None:
    """As `test_a_dead_owner_is_replaced_and_the_others_sockets_stay`, with real processes: the game goes on within
    seconds, nothing acknowledged is lost."""

    async def go() -> float:
        relays = list(server.relays)
        one, two = await connected(relays[0], 0), await connected(relays[1], 1)
        game = await begun(one, two)
        await written(server, game)
        for frame in range(10):
            await crossed(game, one, two, frame)
        for number, client in enumerate((one, two)):
            assert await client.call("pycore_records", record(game, number, 0, 2)) == {"status": "ok"}
        loop = asyncio.get_running_loop()
        owner = await loop.run_in_executor(None, server.owner)
        clients = [one, two]
        lost = relays.index(owner)
        began = time.monotonic()
        owner.kill()
        await clients[lost].close()
        clients[lost] = await connected(relays[2], lost)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(AssertionError, TimeoutError):
                    await asyncio.wait_for(crossed(game, *clients, 100), 1.0)
                    break
                    # What went to nobody comes again, as peers do it.
        paused = time.monotonic() - began
        for number, client in enumerate(clients):
            send = record(game, number, 1, 2)
            await retried(lambda client=client, send=send: client.call("pycore_records", send))  # type: ignore[misc]
        await ended(server, game, *clients)
        for client in clients:
            await client.close()
        return paused

    paused = asyncio.run(go())
    assert paused < 12.0
    assert parts(server) == {(player, part) for player in ("0", "1") for part in (0, 1)}


@pytest.mark.long
def test_the_broker_is_killed_and_begins_again(server: Server) -> None:
    """As `test_a_broker_that_is_away_costs_time_and_nothing_else`, with games: every input arrives, once, in order."""

    async def go() -> None:
        one, two = await connected(server.relays[0], 0), await connected(server.relays[1], 1)
        game = await begun(one, two)
        await crossed(game, one, two, 0)
        for frame in range(1, 200):
            await one.emit("pyodide_player_action", action(game, 0, 1, frame))
            await asyncio.sleep(0.01)
            if frame == 50:
                server.nats.end(signal.SIGKILL)
            if frame == 120:
                await asyncio.get_running_loop().run_in_executor(None, server.nats.start)
        got = [(await two.get("pyodide_other_player_action"))["frame_number"] for _ in range(199)]
        assert got == list(range(1, 200))
        await ended(server, game, one, two)
        await one.close()
        await two.close()

    asyncio.run(go())


@pytest.mark.long
def test_the_database_is_killed_and_begins_again(server: Server) -> None:
    """As `test_what_was_acknowledged_is_there_when_the_database_was_killed`, with several processes: games go on
    meanwhile, owners stay owners, and what was refused is stored later."""

    async def go() -> None:
        loop = asyncio.get_running_loop()
        one, two = await connected(server.relays[0], 0), await connected(server.relays[1], 1)
        game = await begun(one, two)
        await written(server, game)
        owner = await loop.run_in_executor(None, server.owner)
        assert await one.call("pycore_records", record(game, 0, 0, 2)) == {"status": "ok"}
        await loop.run_in_executor(None, server.postgres.kill)
        for frame in range(60):
            await crossed(game, one, two, frame)
            await asyncio.sleep(0.1)  # longer than a lease lasts
        await loop.run_in_executor(None, server.postgres.start)
        for frame in range(60, 90):
            await crossed(game, one, two, frame)
        for number, client in enumerate((one, two)):
            send = record(game, number, 1, 2)
            await retried(lambda client=client, send=send: client.call("pycore_records", send))  # type: ignore[misc]
        assert await loop.run_in_executor(None, server.owner) is owner
        await ended(server, game, one, two)
        await one.close()
        await two.close()

    asyncio.run(go())
    assert parts(server) == {("0", 0), ("0", 1), ("1", 1)}


@pytest.mark.long
def test_the_process_with_the_waiting_room_is_killed(server: Server) -> None:
    """As `test_the_order_of_the_queue_outlives_the_process_that_had_it` and
    `test_a_study_is_closed_and_opened_in_all_processes`, with real processes: who waited is served first, though
    somebody else came first; and one that is begun again is closed, as the operator told another one."""

    async def go() -> None:
        loop = asyncio.get_running_loop()
        a, b, c = server.relays
        first, second = await connected(a, 0), await connected(b, 1)
        assert (await first.call("join_game", {}))["state"] == "waiting"
        await first.call("leave_game", {})
        assert (await second.call("join_game", {}))["state"] == "waiting"
        await loop.run_in_executor(None, waits, server, 1)
        a.kill()
        await first.close()
        third = await connected(c, 2)
        joining = loop.create_task(third.sio.call("join_game", {}, timeout=PATIENCE_S))
        async with asyncio.timeout(PATIENCE_S):
            while not any(event == "pyodide_player_assigned" for event, _ in second.events):
                await asyncio.sleep(0.05)
        assert (await joining)["status"] == "ok"
        assert (await second.get("pyodide_player_assigned"))["player_id"] == 0
        assert (await third.get("pyodide_player_assigned"))["player_id"] == 1
        game = (await third.get("start_game"))["game_id"]
        await crossed(game, second, third, 1)
        await loop.run_in_executor(None, b.say, "study", {"open": False})
        await loop.run_in_executor(None, a.start)
        late = await connected(a, 3)
        assert (await late.call("join_game", {}))["code"] == "study_closed"
        for relay in server.relays:
            async with asyncio.timeout(PATIENCE_S):
                # One that has begun is known to the others within a second.
                while len((state := await loop.run_in_executor(None, relay.standing))["processes"]) < 3:
                    await asyncio.sleep(0.1)
            assert (state["open"], state["games_playing"], state["sockets"]) == (False, 1, 3)
            assert [each["answers"] for each in state["processes"]] == [True] * 3
        await crossed(game, second, third, 2)
        for client in (second, third, late):
            await client.close()

    asyncio.run(go())


def waits(server: Server, count: int) -> None:
    """Wait until the database knows so many who wait."""
    store = DataStore(server.database, create=False)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while len(store.read(sa.select(waiting.c.session))) != count:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        store.close()


async def the_owner_is_killed(server: Server) -> None:
    await aside(lambda: server.owner().kill())


async def the_broker_is_killed_and_begins_again(server: Server) -> None:
    await aside(lambda: server.nats.end(signal.SIGKILL))
    await asyncio.sleep(3.0)
    await aside(server.nats.start)


async def the_database_is_killed_and_begins_again(server: Server) -> None:
    await aside(server.postgres.kill)
    await asyncio.sleep(3.0)
    await aside(server.postgres.start)


@pytest.mark.long
@pytest.mark.parametrize(
    "fault",
    [the_owner_is_killed, the_broker_is_killed_and_begins_again, the_database_is_killed_and_begins_again],
)
def test_a_game_across_processes_comes_to_its_end_whatever_is_killed(
    server: Server, fault: Callable[[Server], Coroutine[Any, Any, None]], tmp_path: Path
) -> None:
    """Its records are equal and complete, and the database has them: two real sessions by the server, whose sockets are
    at different processes."""

    async def happens(players: list[Player]) -> None:
        await fault(server)

    async def go() -> list[Player]:
        for relay in server.relays:
            async with asyncio.timeout(PATIENCE_S):
                # One that has begun is known to the others within a second; before, a third one may have the game.
                while len((await asyncio.to_thread(relay.standing))["processes"]) < len(server.relays):
                    await asyncio.sleep(0.1)
        return await played([relay.url for relay in server.relays], server.database, happens)

    players = asyncio.run(go())
    assert sum(player.connections for player in players) == int(fault is the_owner_is_killed)
    complete_and_equal(players, server.database, tmp_path)
