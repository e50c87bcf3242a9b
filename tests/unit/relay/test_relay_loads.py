"""An end counts only if the newest load of a page has stored it: one that was dropped may be back, and play on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cluster_support import begun, clients, cluster, until
from people_support import People
from relay_support import Client, Relay, running

from pycore.relay import Limits, visits
from pycore.relay.games.games import Games
from pycore.relay.games.owners import Kept
from pycore.relay.games.payloads import Join
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import digest
from pycore.relay.games.uploads import WHOLE, Piece, read_metrics
from pycore.relay.operating import stood
from pycore.relay.people.waiting import WaitingRoom
from pycore.relay.storage.evidence import claimed, kept
from pycore.relay.storage.past import games_over
from pycore.relay.storage.pieces import PARTS_OF_A_LOAD
from pycore.relay.storage.store import DataStore, games, metrics, outcomes, seats
from pycore.relay.storage.versions import TABLE
from pycore.relay.storage.written import end_finished, ending, find, game_row, room_of, seat_rows

DATABASES = ("sqlite", "postgresql")
SETTINGS = {"on_drop": "default_action", "on_interrupt": "default_action", "return_within": 60, "num_episodes": 1}
NEXT = "https://panel.example.org/{outcome}"


@pytest.fixture
def store(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[DataStore]:
    """An empty database."""
    with contextlib.closing(DataStore(database(tmp_path))) as opened:
        yield opened


def said(reason: str, load: int | None = None) -> str:
    """What a load of a page stores of a session that ended so."""
    return json.dumps({"end": {"reason": reason}} | ({} if load is None else {"load": load}))


def put(store: DataStore, player: str, reason: str, load: int | None, *, episode: int = WHOLE, wall: float = 50.0,
        so_far: bool = False) -> None:  # fmt: skip
    """A load of a player's page stores its metrics."""
    asyncio.run(store.put_metrics("g", player, episode, said(reason, load), wall, so_far, load))


def game(store: DataStore, *loads: int, ended: float | None = None, **more: Any) -> None:
    """A game of so many, each of whose seats this load of its page has."""
    row = {
        "game_id": "g", "started": 1.0, "ended": ended, "seed": 1, "players": json.dumps([*range(len(loads))]),
        "subjects": "{}", "settings": json.dumps(SETTINGS),
    }  # fmt: skip
    of = [
        {"game_id": "g", "player": str(number), "session": f"s{number}", "loads": count, "load": count} | more
        for number, count in enumerate(loads)
    ]
    asyncio.run(store.put_game(row, of))


def gone(connection: sa.Connection, player: str) -> None:
    """A player is gone for good."""
    connection.execute(seats.update().where(seats.c.player == player).values(gone='["end_game", {}]'))


# What is stored ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loads", "load", "counts"), [(0, 0, True), (1, 0, False), (1, 1, True), (3, 2, False), (3, None, True)]
)
def test_an_end_counts_if_no_load_has_come_behind_the_one_that_stored_it(
    store: DataStore, loads: int, load: int | None, counts: bool
) -> None:
    """For whoever watches, for what a participant has completed, for a process that takes the game up, and for the end
    of the game. Metrics that do not say their load count, as pages that never come back store them."""
    game(store, 0, loads)
    put(store, "0", "complete", 0, wall=60.0)
    put(store, "1", "complete", load, wall=70.0)
    key = str
    listed = games_over(store, (), None, 100.0, 100.0, key, key)["games"][0]["players"]
    assert [each["reason"] for each in listed] == ["complete", "complete" if counts else None]
    assert claimed(store, "g", "1") == ("complete" if counts else None)
    found = find(store, "s1")
    assert found is not None
    assert found.finished == {"0": 60.0} | ({"1": 70.0} if counts else {})
    room = room_of(found, Limits(), 0.0)
    assert [room.is_finished(seat) for seat in room.seats] == [True, counts]
    assert room.ended_wall == (70.0 if counts else None)
    end_finished(store)
    assert store.read(sa.select(games.c.ended)) == [{"ended": 70.0 if counts else None}]


@pytest.mark.parametrize(
    ("outcome", "counts"), [("completed", True), ("excluded", True), ("failed", False), ("incomplete", False)]
)
def test_an_end_counts_whichever_load_came_then_if_what_it_came_to_lasts(
    store: DataStore, outcome: str, counts: bool
) -> None:
    """A tab that is restored, or loaded again by habit, and closed: it was played to the end, all the same."""
    game(store, 0, 1, outcome=outcome)
    put(store, "0", "complete", 0, wall=60.0)
    put(store, "1", "complete", 0, wall=70.0)
    listed = games_over(store, (), None, 100.0, 100.0, str, str)["games"][0]["players"]
    assert [each["reason"] for each in listed] == ["complete", "complete" if counts else None]
    found = find(store, "s1")
    assert found is not None
    assert found.finished == {"0": 60.0} | ({"1": 70.0} if counts else {})
    end_finished(store)
    assert store.read(sa.select(games.c.ended)) == [{"ended": 70.0 if counts else None}]


def test_where_states_stand_before_the_reason_that_of_the_newest_load_is_read(store: DataStore) -> None:
    """All of the metrics are read for it then."""
    game(store, 1)
    reports = {"desyncReports": [{"states": ["x"]}], "end": {"reason": "desync"}}
    for load, found in ((0, None), (1, "desync")):
        asyncio.run(store.put_metrics("g", "0", WHOLE, json.dumps(reports), 50.0, load=load))
        listed = games_over(store, (), None, 100.0, 100.0, str, str)["games"][0]["players"]
        assert [each["reason"] for each in listed] == [found]


def test_a_game_whose_players_have_gone_or_come_back_is_not_ended_by_what_they_had_said(store: DataStore) -> None:
    """One is gone, and the others have ends; the end of one is of a load before."""
    game(store, 0, 1, 0)
    store.write(lambda one: gone(one, "2"))
    put(store, "0", "complete", 0)
    put(store, "1", "dropped", 0)
    end_finished(store)
    assert store.read(sa.select(games.c.ended)) == [{"ended": None}]
    put(store, "1", "complete", 1, wall=90.0)
    end_finished(store)
    assert store.read(sa.select(games.c.ended)) == [{"ended": 90.0}]


@pytest.mark.parametrize(
    ("first", "then", "stands"),
    [
        ((0, False), (1, True), 1),  # the next load goes away in the middle of the episode
        ((1, True), (0, False), 0),  # what the load before had not got through comes behind it
        ((1, False), (0, False), 0),
        ((0, True), (1, True), 1),
        ((1, False), (1, True), 0),
        ((1, True), (1, False), 1),
        ((None, False), (1, True), 0),
        ((None, True), (1, False), 1),
        ((1, True), (None, False), 1),
    ],
)
def test_metrics_of_a_later_load_stand_whatever_comes_behind_them(
    store: DataStore, first: tuple[int | None, bool], then: tuple[int | None, bool], stands: int
) -> None:
    """Of one load those of the end before those of the middle; the same of what does not say its load."""
    for reason, (load, so_far) in (("first", first), ("then", then)):
        put(store, "0", reason, load, episode=1, so_far=so_far)
    (row,) = store.read(sa.select(metrics.c.data))
    assert json.loads(row["data"])["end"]["reason"] == ("first", "then")[stands]


@pytest.mark.slow
def test_a_database_of_before_is_read_for_which_load_its_metrics_are_of(
    database: Callable[[Path], str], tmp_path: Path
) -> None:
    """They say it themselves; where a page was not loaded again yet, and may be, they are the first one's. Of seats it
    is the last that has stored something: a number that was promised may have been given to nobody."""
    url = database(tmp_path)
    with contextlib.closing(DataStore(url)) as store:
        game(store, 2, 0, 3, 1, 4)
        asyncio.run(store.put_experienced("g", "2", 2 * PARTS_OF_A_LOAD + 7, False, "", 50.0))
        asyncio.run(store.put_experienced("g", "3", 9 * PARTS_OF_A_LOAD, False, "", 50.0))
        texts = {("0", WHOLE): said("dropped", 1), ("0", 0): said("", 0), ("0", 1): said(""), ("1", WHOLE): said("x")}
        texts |= {("9", WHOLE): '{"load": 1, "half": "\\ud800"}', ("9", 0): "[", ("9", 1): '{"load": "1"}'}
        for (player, episode), text in texts.items():
            asyncio.run(store.put_metrics("g", player, episode, text, 50.0))

        def before(connection: sa.Connection) -> None:
            for table in ("session_metrics", "seats"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN load")
            connection.exec_driver_sql(f"UPDATE {TABLE} SET version_num = '0008'")

        store.write(before)
    with contextlib.closing(DataStore(url)) as store:
        loads = store.read(sa.select(seats.c.loads, seats.c.load).order_by(seats.c.player))
        assert [(row["loads"], row["load"]) for row in loads] == [(2, 1), (0, 0), (3, 2), (1, 1), (4, 0)]
        of = metrics.c
        found = store.read(sa.select(of.player, of.episode, of.load))
        assert {(row["player"], row["episode"]): row["load"] for row in found} == {
            ("0", WHOLE): 1, ("0", 0): 0, ("0", 1): None, ("1", WHOLE): 0, ("9", WHOLE): 1, ("9", 0): None,
            ("9", 1): None,
        }  # fmt: skip
        taken = find(store, "s0")
        assert taken is not None
        assert {"0", "1"} <= taken.finished.keys()


@pytest.mark.parametrize(
    ("metrics", "load"),
    [
        ({"load": 2}, 2), ('{"a":[{"load":9}],"load":1}', 1), ({}, None), ('{"load":-1}', None), ('{"load":1.0}', None),
        ('{"load":"1"}', None), ('{"load":99999999999999}', None), ('{"half":"\\ud800","load":3}', 3),
        ('{"half":"\\ud800","load":"3"}', None), ({"load": True}, None),
    ],
)  # fmt: skip
def test_which_load_metrics_are_of_is_read_from_them(metrics: Any, load: int | None) -> None:
    """As an object and as a text, and nothing else of them."""
    fields = {"game_id": "g", "player_id": 0, "episode": WHOLE, "metrics": metrics}
    assert read_metrics(fields, Limits()).load == load


def test_who_is_kept_after_a_drop_is_known_from_the_database(store: DataStore) -> None:
    """As long as the game goes on, and the seat is not given up."""
    assert kept(store, "g", "0") == Kept(0, 0.0)
    game(store, 2)
    assert kept(store, "g", "0") == Kept(2, 60.0)
    game(store, 2, gone='["end_game", {}]')
    assert kept(store, "g", "0") == Kept(2, 0.0)
    game(store, 2, ended=9.0, gone=None)
    assert kept(store, "g", "0") == Kept(2, 0.0)


# A room -------------------------------------------------------------------------------------------------------------


def playing(count: int, **settings: Any) -> tuple[People, Room]:
    """A game of so many, by sockets 0, 1, …"""
    people = People(seats=count, settings={**SETTINGS, **settings})
    for number in range(count):
        people.come(str(number))
    (room,) = people.lobby.games.playing()
    return people, room


def comes_back(people: People, number: int) -> None:
    """A player's page is loaded again."""
    people.goes(str(number))
    auth = {"session_id": f"session of {number}", "page": f"another page of {number}"}
    people.take(people.lobby.connect(f"{number} again", auth, people.now))
    wish = {"session_id": f"session of {number}"}
    people.take(people.lobby.join(f"{number} again", wish, people.now, people.now)[1])


def stores(people: People, room: Room, number: int, load: int) -> bool:
    """A load of a player's page stores the end of its session; whether that was the last of the game."""
    return people.lobby.owners.finished(room.game_id, room.seats[number], people.now, load)


def test_who_comes_back_has_not_finished_and_what_its_load_before_stores_late_changes_nothing() -> None:
    """Its game is not over before its newest load has stored its end, or is gone."""
    people, room = playing(3)
    assert not stores(people, room, 1, 0)
    comes_back(people, 1)
    assert room.seats[1].loads == 1
    assert not room.is_finished(room.seats[1])
    assert [stores(people, room, number, load) for number, load in ((0, 0), (2, 0), (1, 0))] == [False] * 3
    assert (room.ended_wall, people.lobby.games.going()) == (None, 1)
    assert stores(people, room, 1, 1)
    people, room = playing(2)
    stores(people, room, 1, 0)
    comes_back(people, 1)
    stores(people, room, 0, 0)
    people.goes("1 again")
    people.until(59.0)
    assert room.ended_wall is None
    people.until(62.0)
    assert (room.seats[1].gone, room.ended_wall) == (True, 60.0)


@pytest.mark.parametrize("late", [False, True])
def test_who_has_completed_and_comes_once_more_is_waited_for_by_nobody(late: bool) -> None:
    """Also where the word of it comes behind the new load, as another process sends it."""
    people, room = playing(2)

    def completes() -> None:
        people.lobby.owners.came_to(room.game_id, room.seats[1], "completed", 1.0)
        assert not stores(people, room, 1, 0)

    if not late:
        completes()
    comes_back(people, 1)
    if late:
        completes()
    people.goes("1 again")
    assert room.is_finished(room.seats[1])
    assert stores(people, room, 0, 0)
    assert room.ended_wall == people.now


def test_a_game_that_was_finished_stays_so_whoever_comes_then() -> None:
    """Nobody is there to play with."""
    people, room = playing(2)
    people.until(5.0)
    assert [stores(people, room, number, 0) for number in (0, 1)] == [False, True]
    people.until(6.0)
    comes_back(people, 1)
    assert not stores(people, room, 1, 1)
    assert room.ended_wall == 5.0


@pytest.mark.parametrize(("before", "behind"), [("failed", None), ("partner_left", None), ("completed", "completed"),
                                                ("excluded", "excluded"), ("incomplete", None)])  # fmt: skip
def test_what_a_visit_came_to_is_open_again_when_its_page_is_back(before: str, behind: str | None) -> None:
    """But who has completed a session has played it, whatever the next load finds; and who is excluded stays it."""
    people, room = playing(2)
    people.lobby.owners.came_to(room.game_id, room.seats[1], before, 1.0)
    comes_back(people, 1)
    assert room.seats[1].outcome == behind
    found = people.lobby.owners.came_to(room.game_id, room.seats[1], "failed", 2.0)
    assert found is not None
    assert found.outcome == (behind or "failed")


def test_a_process_that_takes_a_game_up_takes_no_late_end_of_an_earlier_load(store: DataStore) -> None:
    """Which one has the seat is written with it."""
    people, room = playing(2)
    comes_back(people, 1)
    asyncio.run(store.put_game(game_row(room) | ending(room), seat_rows(room)))
    asyncio.run(store.put_metrics(room.game_id, "1", WHOLE, said("dropped", 0), 5.0, load=0))
    found = find(store, room.seats[1].session)
    assert found is not None
    taken = room_of(found, Limits(), 0.0)
    assert not taken.is_finished(taken.seats[1])
    for load, finished in ((0, False), (1, True)):
        taken.finish(1, 9.0, load)
        assert taken.is_finished(taken.seats[1]) is finished


def test_a_second_window_that_is_not_let_in_takes_nobodys_end(store: DataStore) -> None:
    """It asked, so that a number was promised and written; the first window plays on, and what it says counts."""
    people = People(settings=SETTINGS)
    for number in range(2):
        people.come(str(number), subject_id=f"s{number}")
    (room,) = people.lobby.games.playing()
    people.take(people.lobby.connect("other", {"session_id": "another", "page": "another"}, people.now))
    assert people.lobby.promise("other", "another", Join("another", "s1")) is room
    assert people.come("other", session="another", subject_id="s1")["code"] == "elsewhere"
    asyncio.run(store.put_game(game_row(room) | ending(room), seat_rows(room)))
    found = store.read(sa.select(seats.c.loads, seats.c.load).where(seats.c.player == "1"))
    assert found == [{"loads": 1, "load": 0}]
    asyncio.run(store.put_metrics(room.game_id, "1", WHOLE, said("complete", 0), 5.0, load=0))
    assert claimed(store, room.game_id, "1") == "complete"
    taken = find(store, room.seats[1].session)
    assert taken is not None
    assert list(taken.finished) == ["1"]
    again = room_of(taken, Limits(), 0.0)
    assert [(seat.loads, seat.load, again.is_finished(seat)) for seat in again.seats] == [(0, 0, False), (1, 0, True)]


# A server -----------------------------------------------------------------------------------------------------------


async def page(relay: Relay, number: int, load: int = 0) -> Client:
    """A load of a player's page connects, and joins."""
    client = await Client(relay.url).connect({"session_id": f"session {number}", "page": f"{load} of {number}"})
    assert (await client.call("join_game", {"query": f"?PROLIFIC_PID=p{number}"}))["status"] == "ok"
    return client


async def ends(client: Client, game: str, player: int, reason: str, load: int) -> None:
    """A load of a page stores why its session ended."""
    whole = {"game_id": game, "player_id": player, "episode": WHOLE, "metrics": said(reason, load)}
    assert await client.call("p2p_session_metrics", whole) == {"status": "ok"}


async def plays(client: Client, game: str, player: int) -> None:
    """It stores an episode."""
    rows = {
        "game_id": game, "player_id": player, "episode": 0, "revision": 0, "base": 0, "first": 0, "frames": 1,
        "last": True, "data": "head\nrow\nend\n",
    }  # fmt: skip
    assert await client.call("pycore_rows", rows) == {"status": "ok"}


def stands(relay: Relay) -> list[dict[str, Any]]:
    """What the database has of what visits came to."""
    return relay.app.store.read(sa.select(outcomes.c.subject, outcomes.c.outcome, outcomes.c.final))


@pytest.mark.slow
def test_who_was_dropped_and_comes_back_gets_the_outcome_of_its_last_load(url: str, tmp_path: Path) -> None:
    """Nothing is decided by the drop while it may come back: a first outcome with an address would stand. And the game
    is over when the last of its newest loads has said so."""

    async def go(relay: Relay) -> None:
        lobby = relay.app.relay.lobby
        one, two = await page(relay, 0), await page(relay, 1)
        game = (await one.get("start_game"))["game_id"]
        await ends(two, game, 1, "dropped", 0)
        await two.quiet("outcome")
        await two.close()
        again = await page(relay, 1, 1)
        assert (await again.get("pyodide_game_ready"))["load"] == 1
        # What the load before could not store any more comes by this one.
        await ends(again, game, 1, "dropped", 0)
        await plays(one, game, 0)
        await ends(one, game, 0, "complete", 0)
        assert (await one.get("outcome"))["outcome"] == "completed"
        await again.quiet("outcome")
        assert lobby.games.going() == 1
        await plays(again, game, 1)
        await ends(again, game, 1, "complete", 1)
        told = await again.get("outcome")
        assert (told["outcome"], told["next"]) == ("completed", "https://panel.example.org/completed")
        assert lobby.games.going() == 0
        assert [(row["outcome"], row["final"]) for row in stands(relay)] == [("completed", True)] * 2
        await asyncio.gather(one.close(), again.close())

    with running(tmp_path, database=url, settings=SETTINGS, recruiting={"next": NEXT}) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_who_was_dropped_and_does_not_come_back_has_failed(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that stays open is told so when its seat is kept no more; where nobody plays on without it, at once."""
    monkeypatch.setattr(visits, "PROVED_WITHIN_S", 0.2)

    async def go(relay: Relay, at_once: bool) -> None:
        one, two = await page(relay, 0), await page(relay, 1)
        game = (await one.get("start_game"))["game_id"]
        await ends(two, game, 1, "dropped", 0)
        if not at_once:
            await two.quiet("outcome")
            # What it had played before is no proof of its end.
            await plays(two, game, 1)
            await two.quiet("outcome")
        assert (await two.get("outcome"))["outcome"] == "failed"
        await asyncio.gather(one.close(), two.close())

    for number, settings in enumerate(({**SETTINGS, "return_within": 3}, {**SETTINGS, "on_interrupt": "wait"})):
        with running(tmp_path, database=url, settings=settings) as relay:
            asyncio.run(go(relay, bool(number)))


@pytest.mark.slow
def test_a_server_that_stood_still_decides_nothing_before_it_has_read_what_came(url: str, tmp_path: Path) -> None:
    """A page has said that it came to its end, and its rows wait at the door; of one that was dropped another load."""

    async def go(relay: Relay) -> None:
        one, two = await page(relay, 0), await page(relay, 1)
        game = (await one.get("start_game"))["game_id"]
        await ends(one, game, 0, "complete", 0)
        await ends(two, game, 1, "dropped", 0)
        told = relay.app.relay._visits
        now = max(claim.until for claim in told._claims.values()) + 1.0
        told.stood(now - time.monotonic(), now)
        assert told.tick(now, time.time()) == []
        (work,) = told.tick(now + visits.PROVED_WITHIN_S, time.time())
        work.close()
        await asyncio.gather(one.close(), two.close())

    with running(tmp_path, database=url, settings=SETTINGS) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_all_that_waits_for_people_is_told_that_the_server_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seats, who waits for a game, and what visits came to."""
    heard: list[str] = []
    for of in (Games, WaitingRoom, visits.Visits):
        monkeypatch.setattr(of, "stood", lambda *_, name=of.__name__: heard.append(name))
    monkeypatch.setattr(stood, "STOOD_S", -1.0)
    with running(tmp_path):
        deadline = time.monotonic() + 10.0
        while len({*heard}) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert {*heard} == {"Games", "WaitingRoom", "Visits"}


@pytest.mark.slow
def test_a_load_that_was_not_believed_is_not_when_another_one_has_come(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the rows of that, nor by time."""
    monkeypatch.setattr(visits, "PROVED_WITHIN_S", 3.0)

    async def go(relay: Relay) -> None:
        one, two = await page(relay, 0), await page(relay, 1)
        game = (await one.get("start_game"))["game_id"]
        await ends(two, game, 1, "complete", 0)
        await two.close()
        again = await page(relay, 1, 1)
        await plays(again, game, 1)
        await asyncio.sleep(3.5)
        await again.quiet("outcome")
        assert stands(relay) == []
        await asyncio.gather(one.close(), again.close())

    with running(tmp_path, database=url, settings=SETTINGS) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_the_next_process_goes_by_the_newest_load_as_well(url: str, tmp_path: Path) -> None:
    """Of a game that it takes up, and of one that nobody has come to yet."""

    async def play(relay: Relay) -> str:
        one, two = await page(relay, 0), await page(relay, 1)
        game: str = (await one.get("start_game"))["game_id"]
        await ends(two, game, 1, "dropped", 0)
        await two.close()
        again = await page(relay, 1, 1)
        await plays(again, game, 1)
        await plays(one, game, 0)
        await ends(one, game, 0, "complete", 0)
        await one.get("outcome")
        await asyncio.gather(one.close(), again.close())
        return game

    async def goes_on(relay: Relay, game: str) -> None:
        late = await Client(relay.url).connect({"session_id": "session 1", "page": "1 of 1"})
        assert (await late.get("session_restored"))["game_id"] == game
        assert relay.app.relay.lobby.games.going() == 1
        await ends(late, game, 1, "dropped", 0)
        await late.quiet("outcome")
        assert relay.app.relay.lobby.games.going() == 1
        await ends(late, game, 1, "complete", 1)
        assert (await late.get("outcome"))["outcome"] == "completed"
        assert relay.app.relay.lobby.games.going() == 0
        await late.close()

    options: dict[str, Any] = {"database": url, "settings": SETTINGS, "recruiting": {"next": NEXT}}
    with running(tmp_path, **options) as relay:
        game = asyncio.run(play(relay))
    with running(tmp_path, **options) as relay:
        assert relay.app.store.read(sa.select(games.c.ended)) == [{"ended": None}]
        found = relay.app.store.read(sa.select(seats.c.player, seats.c.outcome).order_by(seats.c.player))
        assert [row["outcome"] for row in found] == ["completed", None]
        asyncio.run(goes_on(relay, game))


@pytest.mark.slow
def test_late_data_of_a_game_that_no_process_remembers_are_judged_by_the_database(url: str, tmp_path: Path) -> None:
    """By whichever load of the page had stored them, and what has lasted lasts."""

    async def late(relay: Relay) -> None:
        client = await Client(relay.url).connect()
        for load, reason, told in ((1, "player_left", None), (2, "no_return", "failed"), (2, "complete", "completed"),
                                   (2, "player_left", "completed")):  # fmt: skip
            whole = {"game_id": "g", "player_id": "0", "episode": WHOLE, "metrics": said(reason, load)}
            assert await client.call("p2p_session_metrics", {**whole, "session_id": "late"}) == {"status": "ok"}
            if told is None:
                await client.quiet("outcome")
            else:
                assert (await client.get("outcome"))["outcome"] == told
        await client.close()

    with running(tmp_path, database=url, settings=SETTINGS) as relay:
        game(relay.app.store, 2, ended=40.0, session=digest("late"))
        asyncio.run(relay.app.store.put_piece("g", "0", 0, Piece(0, 0, 0, 1, True), "", 1.0))
        asyncio.run(late(relay))


@pytest.mark.slow
def test_of_several_processes_the_one_that_has_the_game_hears_which_load_has_finished(
    url: str, tmp_path: Path
) -> None:
    """A page stores by the process to which it is connected, and that one decides by what is written of the seat."""

    async def stores_end(client: Client, game: str, player: int, reason: str, load: int) -> None:
        whole = {"game_id": game, "player_id": player, "episode": WHOLE, "metrics": said(reason, load)}
        while (await client.call("p2p_session_metrics", whole))["status"] != "ok":
            await asyncio.sleep(0.1)  # two processes write to one file, and pages try again

    async def go(here: Relay, there: Relay) -> None:
        async with clients(there, here, here) as players:
            game = await begun(*players)
            await together.written(game)
            (room,) = here.app.relay.lobby.games.known()
            await stores_end(players[0], game, 0, "dropped", 0)
            await until(lambda: room.is_finished(room.seats[0]))
            await players[0].quiet("outcome")
            await players[0].close()
            again = await Client(there.url).connect({"session_id": "session 0", "page": "another"})
            assert (await again.call("join_game", {"game_id": game}))["state"] == "restored"
            assert not room.is_finished(room.seats[0])
            await stores_end(again, game, 0, "dropped", 0)
            for number in (1, 2):
                await stores_end(players[number], game, number, "player_left", 0)
            await again.quiet("outcome")
            assert [room.is_finished(seat) for seat in room.seats] == [False, True, True]
            await stores_end(again, game, 0, "player_left", 1)
            await until(lambda: room.ended_wall is not None)
            assert (await again.get("outcome"))["outcome"] == "partner_left"
            await again.close()

    with cluster(url, tmp_path, 2, seats=3, settings=SETTINGS) as together:
        asyncio.run(go(together.relays[1], together.relays[0]))
