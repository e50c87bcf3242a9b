"""When a game is finished: every player has stored the end of the session, or is gone for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cluster_support import begun, clients, cluster, until
from people_support import People
from relay_support import Client, Relay, running

from pycore.relay import Limits
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import digest
from pycore.relay.games.uploads import WHOLE
from pycore.relay.lobby import Lobby
from pycore.relay.storage.store import DataStore, games, seats
from pycore.relay.storage.study import Study
from pycore.relay.storage.written import ending, find, game_row, room_of, seat_rows

DATABASES = ("sqlite", "postgresql")
SETTINGS = {"on_drop": "default_action", "return_within": 60}
REOPENS = {**SETTINGS, "on_interrupt": "default_action"}
PAIRED = 1000.0


def playing(seats: int, **settings: Any) -> tuple[People, Room]:
    """A game of so many, by sockets 0, 1, …, ten seconds old."""
    people = People(seats=seats, settings={**SETTINGS, **settings})
    for number in range(seats):
        people.come(str(number))
    people.until(10.0)
    (room,) = people.lobby.games.playing()
    return people, room


def finishes(people: People, room: Room, *numbers: int) -> list[bool]:
    """These players store the end of their sessions; whether each was the last of the game."""
    return [people.lobby.owners.finished(room.game_id, room.seats[number], people.now) for number in numbers]


def test_a_game_of_three_is_over_when_one_has_left_and_the_others_have_finished() -> None:
    """Though they stand open still: nobody waits for it."""
    people, room = playing(3)
    people.leave("2")
    assert finishes(people, room, 0, 1) == [False, True]
    assert (room.ended_wall, room.over, people.lobby.games.going()) == (10.0, False, 0)
    assert people.lobby.health()["games_playing"] == 0
    room.take_changed()
    people.until(20.0)
    assert not room.take_changed()
    assert room.ended_wall == 10.0


def test_a_game_is_over_when_the_last_who_has_not_finished_leaves_it() -> None:
    """And that is to be written down."""
    people, room = playing(4)
    assert finishes(people, room, 0, 1) == [False, False]
    people.leave("3")
    assert room.ended_wall is None
    people.until(12.0)
    people.leave("2")
    assert (room.ended_wall, room.over, people.lobby.games.going()) == (12.0, False, 0)
    assert room.take_changed()


def test_who_is_away_and_may_return_is_waited_for() -> None:
    """For as long as its seat is kept, and no longer; whoever is back in time finishes itself."""
    people, room = playing(3)
    people.goes("2")
    assert finishes(people, room, 0, 1) == [False, False]
    people.until(69.0)
    assert room.ended_wall is None
    people.until(71.0)
    assert (room.seats[2].gone, room.ended_wall, people.lobby.games.going()) == (True, 70.0, 0)
    people, room = playing(3)
    people.goes("2")
    assert finishes(people, room, 0, 1) == [False, False]
    people.until(60.0)
    people.come("again", session="session of 2", game_id=room.game_id)
    people.until(200.0)
    assert room.ended_wall is None
    assert finishes(people, room, 2) == [True]


def test_who_is_only_interrupted_is_not_gone() -> None:
    """The others have played on without it, and it may come back until its seat is kept no more."""
    people, room = playing(3, **REOPENS)
    people.goes("2")
    people.take(people.lobby.silent("0", {"game_id": room.game_id, "player_id": 2}, people.now, people.now))
    assert room.seats[2].interrupted
    assert finishes(people, room, 0, 1) == [False, False]
    people.until(69.0)
    assert room.ended_wall is None
    people.until(71.0)
    assert (room.seats[2].gone, room.ended_wall) == (True, 70.0)


def test_who_was_dropped_is_not_waited_for() -> None:
    """Its socket is there still; the others do not play with it any more."""
    people, room = playing(3)
    for other in ("0", "1"):
        people.take(people.lobby.silent(other, {"game_id": room.game_id, "player_id": 2}, people.now, people.now))
    assert room.seats[2].gone
    assert finishes(people, room, 0, 1) == [False, True]


def test_who_was_lost_and_is_back_is_waited_for_again() -> None:
    """Another one plays on with it by their channel: so it is not over when that one alone has finished."""
    people, room = playing(3)
    people.goes("2")
    assert finishes(people, room, 0) == [False]
    people.until(75.0)
    assert (room.seats[2].gone, room.ended_wall) == (True, None)
    again = {"session_id": "session of 2", "page": "page of 2"}
    people.take(people.lobby.connect("again", again, people.now))
    assert not room.seats[2].gone
    assert finishes(people, room, 1, 2) == [False, True]


# Of another process ---------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[DataStore]:
    """An empty database."""
    opened = DataStore(database(tmp_path))
    yield opened
    opened.close()


def written(store: DataStore, seats: int, gone: tuple[int, ...], finished: tuple[int, ...]) -> Room:
    """A game as a process has left it that ended before it said that the game is over: these players are gone, and the
    database has the end of these players' sessions."""
    lobby = Lobby(players=range(seats), settings=SETTINGS, limits=Limits())
    for number in range(seats):
        lobby.connect(f"s{number}", {"session_id": f"session {number}", "page": "first"}, 0.0)
        lobby.join(f"s{number}", {}, 0.0, PAIRED)
    (room,) = lobby.games.playing()
    for number in gone:
        lobby.leave(f"s{number}", 1.0, PAIRED + 1.0)
    asyncio.run(store.put_game(game_row(room) | ending(room) | {"ended": None}, seat_rows(room)))
    for number in finished:
        asyncio.run(store.put_metrics(room.game_id, str(number), WHOLE, "{}", PAIRED + 50.0 + number))
    return room


def ended(store: DataStore, game_id: str) -> float | None:
    (row,) = store.read(sa.select(games.c.ended).where(games.c.game_id == game_id))
    when: float | None = row["ended"]
    return when


def taken_up(store: DataStore) -> Room:
    """By the process to which one of its players comes."""
    found = find(store, digest("session 0"))
    assert found is not None
    return room_of(found, Limits(), 0.0)


def test_a_game_that_is_taken_up_when_everybody_has_finished_or_gone_is_over(store: DataStore) -> None:
    """Since the last of them has stored its end."""
    room = written(store, 3, gone=(2,), finished=(0, 1))
    taken = taken_up(store)
    assert (taken.game_id, taken.ended_wall, taken.over) == (room.game_id, PAIRED + 51.0, False)
    assert ending(taken)["ended"] == PAIRED + 51.0


def test_a_game_that_is_taken_up_is_over_with_the_last_who_is_missing(store: DataStore) -> None:
    """Who had gone and who had finished before is known."""
    written(store, 3, gone=(2,), finished=(0,))
    taken = taken_up(store)
    assert taken.ended_wall is None
    assert taken.finish(1, PAIRED + 99.0)
    assert taken.ended_wall == PAIRED + 99.0


def test_a_process_that_ends_writes_the_end_of_a_game_that_has_one(store: DataStore) -> None:
    """It was waited for by nobody, and the ledger may not have come to it before."""
    room = written(store, 3, gone=(2,), finished=())
    assert ending(room, stopped=True)["ended"] is None
    room.finish(0, 60.0)
    room.finish(1, 61.0)
    assert ending(room, stopped=True)["ended"] == 61.0


@pytest.mark.parametrize(
    ("seats", "gone", "finished", "end"),
    [
        (3, (2,), (0, 1), PAIRED + 51.0),
        (2, (), (0, 1), PAIRED + 51.0),
        (3, (2,), (0, 1, 2), PAIRED + 52.0),
        (3, (2,), (0,), None),
        (3, (), (0, 1), None),
        (3, (), (), None),
    ],
)  # fmt: skip
def test_a_server_that_begins_ends_the_games_that_stand_open_in_the_database(
    store: DataStore, seats: int, gone: tuple[int, ...], finished: tuple[int, ...], end: float | None
) -> None:
    """Of before, though nobody ever comes back to them; what may go on is left alone, and an end stays what it is."""
    room, other = written(store, seats, gone, finished), written(store, seats, gone, finished)
    asyncio.run(store.put_game(game_row(other) | {"ended": 77.0}))
    for _ in range(2):
        asyncio.run(Study(store).left())
        assert (ended(store, room.game_id), ended(store, other.game_id)) == (end, 77.0)


def test_a_server_begins_though_the_database_cannot_write_the_ends_of_games(
    store: DataStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is full, for instance: they may be written another time."""
    room = written(store, 3, (2,), (0, 1))

    def fails(*_: Any) -> None:
        raise sa.exc.OperationalError("UPDATE", {}, Exception("database or disk is full"))

    monkeypatch.setattr(sa.engine.Engine, "begin", fails)
    asyncio.run(Study(store).left())
    assert ended(store, room.game_id) is None
    assert "database or disk is full" in caplog.text


@pytest.mark.slow
def test_of_three_pages_one_leaves_and_two_finish_and_the_server_says_and_writes_it(tmp_path: Path) -> None:
    """In its list, its measures and its database."""

    async def go() -> None:
        async with relay.clients(3) as clients:
            for client in clients:
                await client.call("join_game", {})
            game: str = (await clients[0].get("start_game"))["game_id"]
            await clients[2].call("leave_game", {})
            for player in (0, 1):
                assert relay.app.relay.lobby.games.going() == 1
                whole = {"game_id": game, "player_id": player, "episode": WHOLE, "metrics": {}}
                assert (await clients[player].call("p2p_session_metrics", whole))["status"] == "ok"
            assert relay.app.relay.lobby.games.going() == 0
            while relay.app.relay.ledger.due:
                await asyncio.sleep(0.01)
            assert ended(relay.app.store, game) is not None

    with running(tmp_path, seats=3, settings=SETTINGS) as relay:
        asyncio.run(go())


@pytest.mark.slow
def test_of_several_processes_the_one_that_has_the_game_ends_it(url: str, tmp_path: Path) -> None:
    """Though the last of its players stores the end of the session by another one."""

    async def go(here: Relay, there: Relay) -> None:
        async with clients(there, here, here) as players:
            game = await begun(*players)
            await together.written(game)
            assert (here.app.relay.lobby.games.going(), there.app.relay.lobby.games.going()) == (1, 0)
            await players[1].call("leave_game", {})
            for player in (2, 0):
                whole = {"game_id": game, "player_id": player, "episode": WHOLE, "metrics": {}}
                while (await players[player].call("p2p_session_metrics", whole))["status"] != "ok":
                    await asyncio.sleep(0.1)  # two processes write to one file, and pages try again
            await until(lambda: here.app.relay.lobby.games.going() == 0)
            await until(lambda: ended(here.app.store, game) is not None)
            assert [room.over for room in here.app.relay.lobby.games.known()] == [False]

    with cluster(url, tmp_path, 2, seats=3, settings=SETTINGS) as together:
        asyncio.run(go(together.relays[1], together.relays[0]))


@pytest.mark.slow
@pytest.mark.parametrize("reason", ["complete", "player_left"])
def test_of_several_processes_the_one_that_has_the_game_hears_what_it_came_to(
    url: str, tmp_path: Path, reason: str
) -> None:
    """For a player who stores by another one: it writes the seats. What another load says then changes nothing of a
    session that was played to its end, and all of one that was not."""

    async def stores(client: Client, event: str, payload: dict[str, Any]) -> None:
        while (await client.call(event, payload))["status"] != "ok":
            await asyncio.sleep(0.1)  # two processes write to one file, and pages try again

    async def ends(client: Client, game: str, player: int, reason: str, load: int = 0) -> None:
        if reason == "complete":
            rows = {"episode": 0, "revision": 0, "base": 0, "first": 0, "frames": 1, "last": True, "data": "a\nb\nc\n"}
            await stores(client, "pycore_rows", {"game_id": game, "player_id": player, **rows})
        metrics = f'{{"end":{{"reason":"{reason}"}},"load":{load}}}'
        whole = {"game_id": game, "player_id": player, "episode": WHOLE, "metrics": metrics}
        await stores(client, "p2p_session_metrics", whole)

    def outcome() -> str | None:
        (row,) = there.app.store.read(sa.select(seats.c.outcome).where(seats.c.player == "1"))
        found: str | None = row["outcome"]
        return found

    async def go() -> None:
        code = "completed" if reason == "complete" else "partner_left"
        async with clients(here, there) as players:
            game = await begun(*players)
            await together.written(game)
            (room,) = here.app.relay.lobby.games.known()
            await ends(players[1], game, 1, reason)
            assert (await players[1].get("outcome"))["outcome"] == code
            await until(lambda: room.seats[1].outcome == code)
            await ends(players[0], game, 0, "complete")
            await until(lambda: ended(here.app.store, game) is not None)
            await together.written(game)
            assert outcome() == code
            await players[1].close()
            again = await Client(there.url).connect({"session_id": "session 1", "page": "another"})
            assert (await again.call("join_game", {"game_id": game}))["state"] == "restored"
            await ends(again, game, 1, "no_return", 1)
            code = "completed" if reason == "complete" else "failed"
            assert (await again.get("outcome"))["outcome"] == code
            await until(lambda: room.seats[1].outcome == code)
            await again.close()

    with cluster(url, tmp_path, 2, settings={**SETTINGS, "num_episodes": 1}) as together:
        there, here = together.relays
        asyncio.run(go())
