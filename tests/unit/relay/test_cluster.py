"""Several processes are one server: any takes any socket, one decides, and what one loses another takes up."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cluster_support import Cluster, begun, clients, cluster, until
from relay_support import Client, action
from test_relay_stores import metrics, record

from pycore.relay.cluster.leases import WAITING
from pycore.relay.storage.store import StoreFailed

pytestmark = pytest.mark.slow  # several processes in one, each with its loop and its database

DATABASES = ("sqlite", "postgresql")


async def inputs(game: str, one: Client, two: Client, first: int, count: int, player: int = 0) -> None:
    """Inputs of that player cross, in their order."""
    for frame in range(first, first + count):
        await one.emit("pyodide_player_action", action(game, player, frame % 5, frame))
    got = [(await two.get("pyodide_other_player_action"))["frame_number"] for _ in range(count)]
    assert got == list(range(first, first + count))


def test_players_of_two_processes_play_one_game(url: str, tmp_path: Path) -> None:
    """Inputs and signals cross in their order, metrics end the game, and its counts are its owner's."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a, b) as (one, two):
            game = await begun(one, two)
            assert len(server.owners(game)) == 1
            await inputs(game, one, two, 0, 50)
            await two.emit("pyodide_player_action", action(game, 1, 3, 7))
            assert (await one.get("pyodide_other_player_action"))["player_id"] == 1
            signal = {"game_id": game, "target_player_id": 1, "type": "offer", "payload": {"sdp": "x" * 3000}}
            assert (await one.call("webrtc_signal", signal))["status"] == "ok"
            assert (await two.get("webrtc_signal"))["payload"] == signal["payload"]
            assert "time_ms" in await two.call("pycore_ping", {})
            owner = server.relays[server.owners(game)[0]]
            counts = await owner.counts(game)
            assert (counts["inputs_relayed"], counts["connected"]) == (51, [0, 1])
            for number, client in enumerate((one, two)):
                assert (await client.call("pycore_records", record(game, number, 0, 0, 1, "x")))["status"] == "ok"
                done = await client.call("p2p_session_metrics", metrics(game, number, -1, {}))
                assert done == {"status": "ok"}
            room = owner.app.relay.lobby.games.room(game)
            assert room is not None
            await until(lambda: room.ended_wall is not None)
            assert (await two.call("pycore_records", record(game, 0, 0, 0, 1, "x")))["code"] == "not_your_seat"

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_what_is_nested_as_deep_as_can_be_read_stops_nothing_between_two_processes(url: str, tmp_path: Path) -> None:
    """The other process would read it some levels deeper than this one, and for ever anew: it came with all else."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a, b) as (one, two):
            game = await begun(one, two)
            here = server.owners(game)[0]
            owner, stranger = (one, two) if here == 0 else (two, one)
            deep = sys.getrecursionlimit() if sys.version_info < (3, 12) else 10_000
            for depth in (*range(deep - 60, deep), 2 * deep):
                payload = "[" * depth + "]" * depth
                head = f'"game_id":"{game}","target_player_id":{here},"type":"offer"'
                await stranger.raw(f'2["webrtc_signal",{{{head},"payload":{payload}}}]')
            await inputs(game, stranger, owner, 0, 3, player=1 - here)

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_a_game_is_where_most_of_its_sockets_are(url: str, tmp_path: Path) -> None:
    """The one with the waiting room keeps those of its own; who plays elsewhere is told by that one, once."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a, a, b, b) as (one, two, three, four):
            first = await begun(one, two)
            assert server.member(a).claims.holds(WAITING)
            assert server.owners(first) == [0]
            reply = await three.call("join_game", {})
            assert reply["state"] == "waiting"
            reply = await four.call("join_game", {})
            assert (reply["status"], reply["state"]) == ("ok", "playing")
            events = await three.until("start_game")
            second = events[-1][1]["game_id"]
            assert [event for event, _ in events][-3:] == [
                "pyodide_player_assigned", "pyodide_game_ready", "start_game",
            ]  # fmt: skip
            assert (await four.get("start_game"))["game_id"] == second
            assert server.owners(second) == [1]
            await inputs(second, three, four, 0, 20)
            await three.quiet("start_game")
            # Whoever plays may leave, and play again with somebody else.
            assert (await three.call("leave_game", {}))["status"] == "ok"
            assert (await four.get("end_game"))["player_id"] == 0
            third = await begun(three, four)
            assert server.owners(third) == [1]

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_a_page_comes_back_by_another_process(url: str, tmp_path: Path) -> None:
    """Its socket ends, and the next one is somebody else's: it has its seat, and what waited for it."""

    async def go(server: Cluster) -> None:
        a, b, c = server.relays
        async with clients(a, b) as (one, two):
            game = await begun(one, two)
            await two.close()
            # What comes before that is known goes to a socket that is no more, and is the page's to say again.
            await server.relays[server.owners(game)[0]].notices(game, 0)
            await one.emit("pyodide_player_action", action(game, 0, 1, 5))
            again = await Client(c.url).connect({"session_id": "session 1", "page": "page 1"})
            assert (await again.get("session_restored"))["game_id"] == game
            await one.emit("pyodide_player_action", action(game, 0, 1, 6))
            frames = [(await again.get("pyodide_other_player_action"))["frame_number"] for _ in range(2)]
            assert frames[-1] == 6
            assert len(server.owners(game)) == 1
            # A page that was loaded again has a new start.
            await again.close()
            loaded = await Client(a.url).connect({"session_id": "session 1", "page": "another"})
            assert (await loaded.call("seat_kept", {}))["kept"] is True
            assert (await loaded.call("join_game", {"game_id": game}))["state"] == "restored"
            assert (await loaded.get("pyodide_game_ready"))["load"] == 1
            await inputs(game, one, loaded, 7, 5)
            await loaded.close()

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))


def test_a_socket_that_another_process_knows_no_more_joins_there_anew(url: str, tmp_path: Path) -> None:
    """As when a game was taken over while it came."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a, b) as (one, two):
            game = await begun(one, two)
            (owner,) = server.owners(game)
            far = one if owner else two
            assert (await far.call("leave_game", {}))["status"] == "ok"
            lobby = server.member(server.relays[owner])._relay.lobby
            near = "session 1" if owner else "session 0"
            for sid in [sid for sid, of in lobby._connections.items() if of.session_id != near]:
                del lobby._connections[sid]
            reply = await far.call("join_game", {})
            assert reply["status"] == "ok", reply

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_a_dead_owner_is_replaced_and_the_others_sockets_stay(url: str, tmp_path: Path, brisk: None) -> None:
    """Whose socket is with a living process keeps it; the game is taken up once, with its counts begun anew."""

    async def go(server: Cluster) -> None:
        a, b, c = server.relays
        async with clients(a, b, b) as (one, two, _):
            first = await begun(one, two)
            (owner,) = server.owners(first)
            assert owner == 0
            await inputs(first, one, two, 0, 5)
            await server.written(first)
            server.kill(a)
            await one.close()
            await until(lambda: bool(server.member(b).gateway.settling()))
            await two.emit("pyodide_player_action", action(first, 1, 4, 99))
            assert "time_ms" in await two.call("pycore_ping", {}), "it waits, and is answered"
            await two.quiet("pycore_error")
            again = await Client(c.url).connect({"session_id": "session 0", "page": "page 0"})
            await again.emit("pyodide_player_action", action(first, 0, 1, 98))
            assert (await again.get("session_restored"))["game_id"] == first
            assert (await two.get("session_restored"))["game_id"] == first
            assert (await again.get("pyodide_other_player_action"))["frame_number"] == 99
            assert (await two.get("pyodide_other_player_action"))["frame_number"] == 98
            await inputs(first, again, two, 5, 20)
            living = [number for number in server.owners(first) if number]
            assert len(living) == 1
            assert two.sio.connected
            # The waiting room was the dead one's as well.
            again.events.clear()
            two.events.clear()
            await again.call("leave_game", {})
            await two.get("end_game")
            await inputs(await begun(again, two), again, two, 0, 5)
            await again.close()

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))


def test_who_waits_at_a_process_that_dies_waits_at_another(url: str, tmp_path: Path, brisk: None) -> None:
    """Nobody joins twice, and nobody is told anything but how many are there."""

    async def go(server: Cluster) -> None:
        a, b, c = server.relays
        async with clients(a, b, c) as (zero, one, two):
            await zero.call("join_game", {})
            await zero.call("leave_game", {})
            assert (await one.call("join_game", {}))["state"] == "waiting"
            server.kill(a)
            assert (await two.call("join_game", {}))["status"] == "ok"
            game = (await two.get("start_game"))["game_id"]
            assert (await one.get("start_game"))["game_id"] == game
            first = (await one.get("pyodide_player_assigned"))["player_id"] == 0
            await inputs(game, *((one, two) if first else (two, one)), 0, 5)

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))


def test_a_process_that_ends_hands_over_at_once(url: str, tmp_path: Path) -> None:
    """Its leases do not run out first: a page that comes back plays on within a second."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a, b) as (one, two):
            game = await begun(one, two)
            assert server.owners(game) == [0]
            await server.written(game)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, server.end, a)
            assert (await two.get("session_restored"))["game_id"] == game
            again = await Client(b.url).connect({"session_id": "session 0", "page": "page 0"})
            assert (await again.get("session_restored"))["game_id"] == game
            await inputs(game, again, two, 0, 5)
            await again.close()

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_a_bus_that_is_away_and_one_that_loses_lose_no_input(url: str, tmp_path: Path) -> None:
    """They wait for it, in their order; nothing is told twice."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a, b) as (one, two):
            game = await begun(one, two)
            await inputs(game, one, two, 0, 5)
            server.hub.away = True
            for frame in range(5, 40):
                await one.emit("pyodide_player_action", action(game, 0, 1, frame))
            await one.call("p2p_connection_type", {"game_id": game, "player_id": 0, "connection_type": "direct"})
            server.hub.away, count = False, 0

            def loses(process: str, message: str) -> bool:
                nonlocal count
                count += 1
                return count % 3 == 0

            server.hub.loses = loses
            for frame in range(40, 60):
                await one.emit("pyodide_player_action", action(game, 0, 1, frame))
            got = [(await two.get("pyodide_other_player_action"))["frame_number"] for _ in range(55)]
            assert got == list(range(5, 60))
            await two.quiet("pyodide_other_player_action")
            assert count > 3

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_an_owner_that_was_taken_for_dead_stops_at_once(url: str, tmp_path: Path, brisk: None) -> None:
    """It lost the bus and the database, another one took its game, and it is back: one owner is left, and its socket
    plays on there."""

    async def go(server: Cluster) -> None:
        a, b, _ = server.relays
        async with clients(a, b) as (one, two):
            game = await begun(one, two)
            assert server.owners(game) == [0]
            await server.written(game)
            member = server.member(a)
            handler, asks = server.hub.handlers.pop(member.process), member.claims.ask

            async def silent() -> Any:
                raise StoreFailed("away")

            member.claims.ask = lambda work: silent()  # type: ignore[method-assign]
            assert (await two.get("session_restored"))["game_id"] == game
            await until(lambda: len(server.owners(game)) == 2)
            server.hub.handlers[member.process] = handler
            member.claims.ask = asks  # type: ignore[method-assign]
            await until(lambda: server.owners(game) == [1])
            assert (await one.get("session_restored"))["game_id"] == game
            await inputs(game, one, two, 0, 10)
            assert one.sio.connected

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))


def test_a_page_that_goes_is_known_to_whoever_has_its_game(url: str, tmp_path: Path) -> None:
    """It says so by a request of its own, which may come to any process."""

    async def go(server: Cluster) -> None:
        a, b, c = server.relays
        async with clients(a, b) as (one, two):
            await begun(one, two)
            parting = {"session_id": "session 1", "page": "page 1", "leaves": True}
            async with aiohttp.ClientSession() as session, session.post(f"{c.url}api/parting", json=parting) as reply:
                assert reply.status == 204
            assert (await one.get("end_game"))["player_id"] == 1

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))
