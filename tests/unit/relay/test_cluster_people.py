"""A person has one place in a server of several processes, and keeps it when the process with the waiting room dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cluster_support import SETTINGS, Cluster, begun, clients, cluster, until
from people_support import People
from relay_support import Client, Relay, action
from test_relay_stores import record

from pycore.relay.cluster.leases import WAITING, Leases
from pycore.relay.cluster.queue import Rows
from pycore.relay.games.seats import digest
from pycore.relay.people.former import FORGET_S, HOLD_S, Had
from pycore.relay.storage.store import DataStore, Fence, StoreFailed
from pycore.relay.storage.tables import waiting

pytestmark = pytest.mark.slow  # several processes in one, each with its loop and its database

DATABASES = ("sqlite", "postgresql")
ANNA = "?PROLIFIC_PID=anna"


@pytest.fixture
def store(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[DataStore]:
    """An empty database."""
    opened = DataStore(database(tmp_path))
    yield opened
    opened.close()


async def window(relay: Relay, number: int, query: str = "") -> Client:
    """A page that is connected."""
    auth = {"session_id": f"window {number}", "page": f"page of window {number}", "query": query}
    return await Client(relay.url).connect(auth)


async def rows(server: Cluster) -> list[str]:
    """The sessions of which the database says that they wait, the first to come first."""
    query = sa.select(waiting.c.session).order_by(waiting.c.since)
    store = server.relays[-1].app.store
    found = await asyncio.get_running_loop().run_in_executor(None, store.read, query)
    return [row["session"] for row in found]


async def written(server: Cluster, count: int) -> None:
    """Wait until the database knows so many who wait."""
    while len(await rows(server)) != count:
        await asyncio.sleep(0.02)


# One place


def test_a_second_window_at_another_process_is_told_of_the_first_which_waits(url: str, tmp_path: Path) -> None:
    """Nobody plays with themselves; if it says so it has the place, and the first one is told."""

    async def go(server: Cluster) -> None:
        a, b, c = server.relays
        first, second, other = await window(b, 1, ANNA), await window(c, 2, ANNA), await window(a, 3)
        assert (await first.call("join_game", {}))["state"] == "waiting"
        assert (await second.call("join_game", {}))["code"] == "elsewhere"
        assert (await second.call("join_game", {"take_over": True}))["state"] == "waiting"
        assert (await first.get("pycore_error"))["code"] == "replaced"
        assert (await other.call("join_game", {}))["state"] == "playing"
        game = (await second.get("start_game"))["game_id"]
        assert (await other.get("start_game"))["game_id"] == game
        for client in (first, second, other):
            await client.close()

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))


@pytest.mark.parametrize("at", [0, 1, 2], ids=["waiting room", "the game", "neither"])
def test_a_second_window_is_told_of_a_game_that_another_process_has(url: str, tmp_path: Path, at: int) -> None:
    """Wherever it comes: refused, and given the seat if it says so, as a page that was loaded again."""

    async def go(server: Cluster) -> None:
        a, b, _ = server.relays
        async with clients(a) as (zero,):
            await zero.call("join_game", {})
            await zero.call("leave_game", {})
        assert server.member(a).claims.holds(WAITING)
        first, other = await window(b, 1, ANNA), await window(b, 2)
        game = await begun(first, other)
        assert server.owners(game) == [1]
        second = await window(server.relays[at], 3, ANNA)
        for _ in range(2):
            assert (await second.call("join_game", {}))["code"] == "elsewhere"
        await other.quiet("waiting_room")
        assert (await second.call("join_game", {"take_over": True}))["state"] == "restored"
        assert (await first.get("pycore_error"))["code"] == "replaced"
        assert (await second.get("start_game"))["game_id"] == game
        await other.quiet("end_game")
        # What the first window still has to store is taken, by whichever process; a stranger's is not.
        late = await Client(server.relays[2].url).connect({"session_id": "window 9", "page": "page 9"})
        store = {**record(game, 0, 0, 0, 1, "x"), "session_id": "window 1"}
        assert await late.call("pycore_records", store) == {"status": "ok"}
        assert (await late.call("pycore_records", {**store, "session_id": "window 8"}))["code"] == "foreign_room"
        assert (await late.call("pycore_records", {**store, "player_id": 1}))["code"] == "not_your_seat"
        await late.close()
        await other.emit("pyodide_player_action", action(game, 1, 3, 7))
        assert (await second.get("pyodide_other_player_action"))["frame_number"] == 7
        # Once its game is over it may wait again.
        await second.call("leave_game", {})
        third = await window(server.relays[2 - at], 4, ANNA)
        assert (await third.call("join_game", {}))["state"] == "waiting"
        for client in (first, second, third, other):
            await client.close()

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))


def test_where_nobody_returns_the_game_at_another_process_is_left_for_the_new_window(url: str, tmp_path: Path) -> None:
    """Its partner is told, and it waits where all wait, not in the process that had the game."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a) as (zero,):
            await zero.call("join_game", {})
            await zero.call("leave_game", {})
        first, other = await window(b, 1, ANNA), await window(b, 2)
        assert server.owners(await begun(first, other)) == [1]
        second, new = await window(b, 3, ANNA), await window(a, 4)
        assert (await second.call("join_game", {"take_over": True}))["state"] == "waiting"
        assert (await first.get("pycore_error"))["code"] == "replaced"
        await other.get("end_game")
        assert len(b.app.relay.lobby.pairing.waiting) == 0
        assert (await new.call("join_game", {}))["state"] == "playing"
        await second.get("start_game")
        for client in (first, second, new, other):
            await client.close()

    with cluster(url, tmp_path, 2, settings={**SETTINGS, "return_within": 0}) as server:
        asyncio.run(go(server))


def test_a_game_that_is_on_its_way_to_its_process_is_known(url: str, tmp_path: Path) -> None:
    """Neither the one that paired nor the one that is to have it knows a game then: the second window does not slip
    between them."""

    async def go(server: Cluster) -> None:
        a, b, c = server.relays
        async with clients(a) as (zero,):
            await zero.call("join_game", {})
            await zero.call("leave_game", {})
        first, other, second = await window(b, 1, ANNA), await window(b, 2), await window(c, 3, ANNA)
        lost = asyncio.Event()
        loop = asyncio.get_running_loop()

        def loses(process: str, message: str) -> bool:
            if '"adopt"' not in message or process != server.member(b).process:
                return False
            loop.call_soon_threadsafe(lost.set)
            return True

        server.hub.loses = loses
        await first.call("join_game", {})
        pairs = loop.create_task(other.call("join_game", {}))
        await lost.wait()
        joins = loop.create_task(second.call("join_game", {}))
        await until(lambda: bool(server.member(c).gateway.home(sid_of(c, "window 3"))))
        server.hub.loses = lambda process, message: False
        assert (await joins)["code"] == "elsewhere"
        assert (await pairs)["state"] == "playing"
        for client in (first, second, other):
            await client.close()

    with cluster(url, tmp_path, 3) as server:
        asyncio.run(go(server))


def sid_of(relay: Relay, session: str) -> str:
    """The socket that has presented a session."""
    (sid,) = [sid for sid, each in relay.app.relay.lobby.connections.items() if each.session_id == session]
    return sid


# The queue


def test_the_order_of_the_queue_outlives_the_process_that_had_it(url: str, tmp_path: Path, brisk: None) -> None:
    """Of those whose sockets are elsewhere, and of those who come back by another one; who comes first then is new."""

    async def go(server: Cluster) -> None:
        a, b, c = server.relays
        first, second = await window(a, 1), await window(b, 2)
        for client in (first, second):
            assert (await client.call("join_game", {}))["state"] == "waiting"
        assert server.member(a).claims.holds(WAITING)
        await written(server, 2)
        server.kill(a)
        await first.close()
        new = [await window(c, 3), await window(b, 4)]
        joined = [asyncio.create_task(client.call("join_game", {})) for client in new]
        await joined[0]
        again = await window(c, 1)
        assert (await again.call("join_game", {}))["status"] == "ok"
        seats = [(await client.get("pyodide_player_assigned"))["player_id"] for client in (again, second)]
        assert seats == [0, 1]
        await joined[1]
        await written(server, 1)
        for client in (second, again, *new):
            await client.close()

    with cluster(url, tmp_path, 3, seats=3) as server:
        asyncio.run(go(server))


def test_who_waits_at_a_process_that_was_taken_for_dead_waits_where_all_do(
    url: str, tmp_path: Path, brisk: None
) -> None:
    """It is back, and the waiting room another one's: those who wait there go on, and nobody waits for ever."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        first, second = await window(a, 1), await window(b, 2)
        assert (await first.call("join_game", {}))["state"] == "waiting"
        await written(server, 1)
        process = server.member(a)
        handler, asks = server.hub.handlers.pop(process.process), process.claims.ask

        async def silent() -> Any:
            raise StoreFailed("away")

        process.claims.ask = lambda work: silent()  # type: ignore[method-assign]
        assert (await second.call("join_game", {}))["state"] == "waiting"
        assert server.member(b).queue.is_here
        server.hub.handlers[process.process] = handler
        process.claims.ask = asks  # type: ignore[method-assign]
        game = (await first.get("start_game"))["game_id"]
        assert (await second.get("start_game"))["game_id"] == game
        # It waited for longer, and the other one knows it.
        assert (await first.get("pyodide_player_assigned"))["player_id"] == 0
        for client in (first, second):
            await client.close()

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_who_is_abandoned_waits_where_all_do_and_in_front(url: str, tmp_path: Path) -> None:
    """The process that had the game knows since when: its own waiting room is nobody's."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        async with clients(a) as (zero,):
            await zero.call("join_game", {})
            await zero.call("leave_game", {})
        one, two, three = await window(b, 1), await window(b, 2), await window(b, 3)
        game = await begun(one, two, three)
        assert server.owners(game) == [1]
        new = [await window(a, 4), await window(b, 5)]
        assert (await new[0].call("join_game", {}))["state"] == "waiting"
        await two.call("leave_game", {})
        assert (await one.call("join_game", {"unbegun": game}))["state"] == "waiting"
        assert (await one.get("waiting_room"))["note"] == "other_left"
        assert len(b.app.relay.lobby.pairing.waiting) == 0
        assert (await new[1].call("join_game", {}))["state"] == "playing"
        assert (await one.get("pyodide_player_assigned"))["player_id"] == 0
        for client in (one, two, three, *new):
            await client.close()

    with cluster(url, tmp_path, 2, seats=3) as server:
        asyncio.run(go(server))


def test_a_process_that_ends_hands_the_queue_over_in_its_order(url: str, tmp_path: Path) -> None:
    """Whose socket it has goes to the other one as well, and so do those that come back."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        first, second, new = await window(b, 1), await window(a, 2), await window(b, 3)
        async with clients(a) as (zero,):
            await zero.call("join_game", {})
            await zero.call("leave_game", {})
        for client in (first, second):
            assert (await client.call("join_game", {}))["state"] == "waiting"
        await written(server, 2)
        loop, _ = server.hub.handlers[server.member(a).process]
        loop.call_soon_threadsafe(a.app.relay.drain)
        await until(lambda: server.member(b).queue.is_here)
        await new.call("join_game", {})
        players = [(await client.get("pyodide_player_assigned"))["player_id"] for client in (first, second, new)]
        assert players == [0, 1, 2]
        for client in (first, second, new):
            await client.close()

    with cluster(url, tmp_path, 2, seats=3) as server:
        asyncio.run(go(server))


def test_processes_that_end_at_once_send_everybody_away_and_nobody_waits(url: str, tmp_path: Path) -> None:
    """Whoever waited, and whoever comes then to either: neither hands it to the other for ever."""

    async def go(server: Cluster) -> None:
        waits, late = await window(server.relays[0], 1), await window(server.relays[1], 2)
        assert (await waits.call("join_game", {}))["state"] == "waiting"
        other = await window(server.relays[0], 3)
        for relay in server.relays:
            loop, _ = server.hub.handlers[server.member(relay).process]
            loop.call_soon_threadsafe(relay.app.relay.drain)
        await until(lambda: all(relay.app.relay.lobby.door.draining for relay in server.relays))
        for client in (late, other):
            assert (await client.call("join_game", {}))["code"] == "draining"
        assert (await waits.get("pycore_error"))["code"] == "draining"
        for client in (waits, late, other):
            await client.close()

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_who_was_sent_away_has_not_waited_when_it_comes_again(url: str, tmp_path: Path) -> None:
    """By the operator, or by a refusal: the time in between is no waiting."""

    async def go(server: Cluster) -> None:
        a, b = server.relays
        first, second = await window(a, 1, ANNA), await window(b, 2)
        for client in (first, second):
            await client.call("join_game", {})
            await client.call("leave_game", {})
            assert (await client.call("join_game", {}))["state"] == "waiting"
            await server.member(a).opens(False)
            assert (await client.get("pycore_error"))["code"] == "study_closed"
            await server.member(a).opens(True)
            await until(lambda: all(relay.app.relay.lobby.door.is_open for relay in server.relays))
            gone = asyncio.get_running_loop().time()
            await asyncio.sleep(0.3)
            assert (await client.call("join_game", {}))["state"] == "waiting"
            (since,) = a.app.relay.lobby.pairing.waiting.sessions().values()
            assert since > gone
            await client.call("leave_game", {})
            await client.close()

    with cluster(url, tmp_path, 2) as server:
        asyncio.run(go(server))


def test_who_waits_is_written_by_the_owner_of_the_waiting_room_alone(store: DataStore) -> None:
    """By the database's clock; what an earlier owner writes is refused."""
    owned = Leases(store)
    fence = owned.take(WAITING, "one", None)
    assert fence is not None
    queue = Rows(store, lambda: 1000.0)
    assert queue.read() == {}
    assert queue.write(fence, {"late": 999.0, "early": 950.0}, [])
    # Another process has another clock.
    found = Rows(store, lambda: 70.0).read()
    assert list(found) == ["early", "late"]
    assert 10.0 < found["early"] <= 20.0
    assert queue.write(fence, {"late": 998.0}, ["early", "nobody"])
    assert list(queue.read()) == ["late"]
    lease = owned.of(WAITING)
    assert lease is not None
    assert owned.take(WAITING, "two", lease) == Fence("two", 2)
    assert not queue.write(fence, {"other": 1.0}, ["late"])
    assert list(queue.read()) == ["late"]


# Time, fed by hand


def test_nobody_is_paired_before_those_who_waited_have_had_time_to_come() -> None:
    """Then in the order in which they had waited; who never comes holds nobody up for longer."""
    for comes in (True, False):
        people = People()
        people.until(100.0)
        room = people.lobby.pairing.waiting
        for name, since in (("first", 10.0), ("second", 20.0)):
            room.former.add(people_digest(name), since, people.now)
        room.former.hold(people.now)
        people.come("new")
        people.come("newer")
        people.come("second")
        people.until(people.now + HOLD_S - 0.5)
        assert people.game_of("second") is None
        if comes:
            people.come("first")
            assert people.game_of("first") == people.game_of("second") is not None
        people.until(people.now + 1.0)
        assert people.game_of("new") is not None
        assert (people.game_of("newer") == people.game_of("new")) is comes
        if not comes:
            assert people.game_of("second") == people.game_of("new")


def test_who_is_expected_for_long_is_somebody_new() -> None:
    """Of what processes say twice the first word counts, and before that what is written."""
    people = People(waiting_limit=1000)
    people.until(100.0)
    former = people.lobby.pairing.waiting.former
    former.add(people_digest("one"), 50.0, people.now)
    former.add(people_digest("one"), 40.0, people.now, "other_left")
    former.add(people_digest("two"), 60.0, people.now)
    former.add(people_digest("three"), 60.0, people.now, "other_left")
    former.add(people_digest("three"), 65.0, people.now, written=True)
    assert former.take(people_digest("three")) == Had(65.0, "other_left", people.now + FORGET_S)
    people.come("one")
    assert people.lobby.pairing.waiting.since("one") == 50.0
    assert people.told["one"][-1][1]["note"] == "other_left"
    people.leave("one")
    people.until(100.0 + FORGET_S)
    people.come("two")
    assert people.lobby.pairing.waiting.since("two") == people.now


def people_digest(sid: str) -> str:
    """What is known of a session of `People`."""
    return digest(f"session of {sid}")
