"""Several processes are one study to whoever runs it: it is closed in all, and any process shows what all have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cluster_support import Cluster, begun, clients, cluster, until
from relay_support import OPERATOR, Client, Relay
from test_relay_stores import metrics

from pycore.relay import together
from pycore.relay.cluster import questions
from pycore.relay.storage.store import DataStore, StoreFailed
from pycore.relay.storage.study import Door, Study
from pycore.relay.storage.tables import study
from pycore.relay.together import merged, processes

pytestmark = pytest.mark.slow  # several processes in one, each with its loop and its database

DATABASES = ("sqlite", "postgresql")


async def says(relay: Relay, is_open: bool) -> tuple[int, dict[str, Any]]:
    """The operator tells one process; status and answer."""
    headers = {"authorization": f"Bearer {OPERATOR}"}
    url = f"{relay.url}api/operator/study"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json={"open": is_open}) as reply:
        return reply.status, await reply.json()


async def asked(relay: Relay, path: str) -> dict[str, Any]:
    """What the operator is answered by one process."""
    status, _, body = await relay.http(path, OPERATOR)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


async def acquainted(server: Cluster) -> None:
    """Wait until all know each other: a process that begins is known when the next second is over."""
    members = [server.member(relay) for relay in server.relays]
    await until(lambda: all(len(member._placing.living) == len(members) for member in members))


def test_what_was_said_last_counts(tmp_path: Path, database: Callable[[Path], str]) -> None:
    """Open until somebody says otherwise; the number grows with every word."""
    store = DataStore(database(tmp_path))
    try:
        study = Study(store)
        assert study.door() == Door(True, 0)
        assert study.say(False) == study.door() == Door(False, 1)
        assert study.say(False) == Door(False, 2)
        assert Study(store).say(True) == study.door() == Door(True, 3)
    finally:
        store.close()


def test_a_study_is_closed_and_opened_in_all_processes(url: str, tmp_path: Path) -> None:
    """Whichever was told, and in one that begins later; who waits by another one is told."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a, b, b) as (one, two, three):
            assert (await one.call("join_game", {}))["state"] == "waiting"
            assert (await says(b, False))[1]["open"] is False
            told = await one.get("pycore_error")
            assert (told["code"], told["event"]) == ("study_closed", "join_game")
            later = await asyncio.get_running_loop().run_in_executor(None, server.start)
            for relay in (a, b, later):
                assert (await asked(relay, "/api/operator"))["open"] is False
            for client in (one, two):
                assert (await client.call("join_game", {}))["code"] == "study_closed"
            another = await Client(later.url).connect({"session_id": "session 9", "page": "page 9"})
            assert (await another.call("join_game", {}))["code"] == "study_closed"
            await says(later, True)
            await until(lambda: all(relay.app.relay.lobby.door.is_open for relay in server.relays))
            await begun(one, three)
            await another.close()

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_who_did_not_hear_that_it_is_closed_reads_it(url: str, tmp_path: Path) -> None:
    """The bus loses the word, or is away: the database has it."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        server.hub.loses = lambda process, message: '"study"' in message
        await says(a, False)
        assert not a.app.relay.lobby.door.is_open
        await until(lambda: not b.app.relay.lobby.door.is_open)

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_what_was_read_before_it_was_closed_opens_nothing(url: str, tmp_path: Path) -> None:
    """An answer that comes late is one of before."""
    with cluster(url, tmp_path, 1) as server:
        member = server.member(server.relays[0])
        door = server.relays[0].app.relay.lobby.door
        for said, is_open in ((Door(False, 2), False), (Door(True, 1), False), (Door(True, 3), True)):
            member._turns(said, 0.0)
            assert door.is_open is is_open


def test_a_database_that_was_put_back_is_believed_and_told_anew(url: str, tmp_path: Path) -> None:
    """A copy of before the last words. What is said then has a number that was there before, and counts as well."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        doors = [relay.app.relay.lobby.door for relay in (a, b)]
        for is_open in (False, True, False):
            assert (await says(a, is_open))[0] == 200
        await until(lambda: not any(door.is_open for door in doors))
        with a.app.store.engine.begin() as connection:
            connection.execute(study.update().values(is_open=True, generation=2))
        await until(lambda: all(door.is_open for door in doors))
        assert (await says(b, False))[1]["open"] is False
        await until(lambda: not any(door.is_open for door in doors))

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_a_database_that_is_away_closes_nothing(url: str, tmp_path: Path) -> None:
    """The operator is told so: half of the processes would not be closed."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        member = server.member(a)

        async def silent() -> Any:
            raise StoreFailed("away")

        member.claims.ask = lambda work: silent()  # type: ignore[method-assign]
        status, answer = await says(a, False)
        assert (status, answer["code"]) == (503, "store_failed")
        for relay in (a, b):
            assert relay.app.relay.lobby.door.is_open

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_any_process_shows_the_games_of_all(url: str, tmp_path: Path) -> None:
    """The running ones, what their pages said, who waits, and counts: every socket, game and person once."""

    async def go(server: Cluster) -> None:
        a, b, c = server.relays
        async with clients(a, a, b, b, a, c) as (one, two, three, four, five, six):
            first = await begun(one, two)
            second = await begun(three, four)
            third = await begun(five, six)
            assert (server.owners(first), server.owners(second), server.owners(third)) == ([0], [1], [0])
            for game in (first, second, third):
                await server.written(game)
            assert (await six.call("p2p_session_metrics", so_far(third, 1)))["status"] == "ok"
            room = a.app.relay.lobby.games.room(third)
            assert room is not None
            await until(lambda: room.seats[1].stored_bytes > 0)
            waits = await Client(b.url).connect({"session_id": "session 9", "page": "page 9"})
            assert (await waits.call("join_game", {"subject_id": "zoe"}))["state"] == "waiting"
            await acquainted(server)
            for relay in server.relays:
                listed = await asked(relay, "/api/watch")
                assert {game["game_id"] for game in listed["games"]} == {first, second, third}
                assert len(listed["games"]) == 3
                started = [game["started"] for game in listed["games"]]
                assert started == sorted(started, reverse=True)
                assert (listed["sockets"], listed["waiting"], listed["games_playing"]) == (7, 1, 3)
                (player,) = [
                    player for game in listed["games"] if game["game_id"] == third for player in game["players"]
                    if player["player"] == 1
                ]  # fmt: skip
                assert player["frames"] == 33
                state = await asked(relay, "/api/operator")
                assert (state["sockets"], state["waiting"], state["games_playing"]) == (7, 1, 3)
                assert [each["person"] is None for each in state["waits"]] == [False]
                told = {each["process"]: each for each in state["processes"]}
                assert set(told) == {server.member(each).process[:8] for each in server.relays}
                assert all(each["answers"] for each in told.values())
                assert told[server.member(relay).process[:8]]["here"]
                assert sum(each["sockets"] for each in told.values()) == 7
                own = (await relay.http("/metrics", OPERATOR))[2].decode()
                assert f"pycore_games_playing {len(relay.app.relay.lobby.games.playing())}.0" in own
                counts = await asked(relay, f"/api/games/{second}")
                assert counts["connected"] == [0, 1]
                rows = await asked(relay, f"/api/watch/{second}")
                assert rows["running"] is True
                assert (await asked(relay, "/api/watch/over"))["games"] == []
            await waits.close()

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))


def so_far(game: str, player: int) -> dict[str, Any]:
    """Metrics of the middle of an episode, as a page stores them."""
    said = {
        "now": {"episode": 0, "frame": 12, "phase": "playing", "links": {}}, "rollbacks": {"count": 1, "maxFrames": 2},
        "frames": {"total": 33}, "quality": {"stalls": 0}, "sync": {"p2pHashMismatches": 0},
    }  # fmt: skip
    return {**metrics(game, player, 0, said), "so_far": True}


def test_a_process_that_does_not_answer_is_named(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the time that the operator waits; what the others have is shown."""
    monkeypatch.setattr(questions, "ANSWER_S", 0.1)

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a, a) as (one, two):
            game = await begun(one, two)
            await acquainted(server)
            lost = server.member(b).process
            server.hub.loses = lambda process, message: process == lost
            listed = await asked(a, "/api/watch")
            assert [each["game_id"] for each in listed["games"]] == [game]
            assert [(each["process"], each["answers"]) for each in listed["processes"]] == [
                (server.member(a).process[:8], True), (lost[:8], False),
            ]  # fmt: skip
            state = await asked(a, "/api/operator")
            assert [each["answers"] for each in state["processes"]] == [True, False]

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_a_server_of_one_process_speaks_of_no_processes(relay: Relay) -> None:
    """Nothing of what it answers has changed."""

    async def go() -> None:
        for path in ("/api/operator", "/api/watch"):
            assert "processes" not in await asked(relay, path)

    asyncio.run(go())


def test_games_of_a_large_process_come_in_parts(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker takes a megabyte; the other one asks until it has all. One that falls silent meanwhile is named."""
    monkeypatch.setattr(together, "PAGE", 2)
    monkeypatch.setattr(questions, "ANSWER_S", 0.3)

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(*[a] * 10) as pages:
            games = [await begun(*pages[at : at + 2]) for at in range(0, 10, 2)]
            await acquainted(server)
            listed = await asked(b, "/api/watch")
            assert [game["game_id"] for game in listed["games"]] == games[::-1]
            server.hub.loses = lambda process, message: '"from": 4' in message
            listed = await asked(b, "/api/watch")
            assert [game["game_id"] for game in listed["games"]] == games[:0:-1]
            assert [each["answers"] for each in listed["processes"]] == [True, False]

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_one_state_is_made_of_several() -> None:
    """Sums, counts by kind, and lists of ten; what is silent adds nothing."""
    own = {
        "time": 1.0, "open": True, "sockets": 2, "outcomes": {"completed": 2}, "waits": [{"seconds": 1}],
        "failures": [{"time": number} for number in range(9, 0, -1)],
        "without_data": [{"game_id": "a"}, {"game_id": "b"}],
    }  # fmt: skip
    other = {
        "time": 9.0, "open": True, "sockets": 3, "outcomes": {"completed": 2, "failed": 5}, "waits": [{"seconds": 7}],
        "failures": [{"time": 8.5}, {"time": 0.5}], "without_data": [{"game_id": "c"}],
    }  # fmt: skip
    found = merged(own, [other, None])
    assert (found["time"], found["sockets"]) == (1.0, 5)
    assert list(found["outcomes"].items()) == [("failed", 5), ("completed", 4)]
    assert [each["seconds"] for each in found["waits"]] == [7, 1]
    assert [each["time"] for each in found["failures"]] == [9, 8.5, *range(8, 0, -1)]
    assert [each["game_id"] for each in found["without_data"]] == ["a", "c", "b"]
    assert processes("a" * 32, own, {"b" * 32: None}) == [
        {"process": "aaaaaaaa", "answers": True, "here": True, "sockets": 2},
        {"process": "bbbbbbbb", "answers": False, "here": False},
    ]
