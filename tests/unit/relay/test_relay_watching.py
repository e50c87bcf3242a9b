"""Who has the operator's token sees the running games; a spectator sees one's rows, late; nobody else sees anything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from people_support import People
from relay_support import PATIENCE_S, Client, Relay, running
from test_relay_rows import HEAD, packed, piece, row

from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.operating.operator import Operator
from pycore.relay.storage.past import NotWatched
from pycore.relay.storage.store import DataStore
from pycore.relay.watching import Watching

TOKEN = "operators-token"
LATE = 1.0
NOW = {
    "episode": 1, "frame": 77, "confirmed": 70, "phase": "playing", "hidden": False,
    "links": {"1": {"path": "p2p", "rttMs": 41.5}},
}  # fmt: skip


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """A relay whose games can be watched."""
    settings = {"fps": 30, "max_steps": 100, "store_every": LATE, "environment": "walk"}
    with running(tmp_path_factory.mktemp("watched"), settings=settings, operator_token=TOKEN) as relay:
        yield relay


def metrics(game: str, **change: Any) -> dict[str, Any]:
    """As a page stores them in the middle of an episode."""
    of = {
        "gameId": game, "playerId": 0, "now": NOW, "rollbacks": {"count": 12, "maxFrames": 5, "events": []},
        "quality": {"stalls": 3}, "sync": {"p2pHashMismatches": 0}, "frames": {"total": 177}, "end": {"reason": None},
        **change,
    }  # fmt: skip
    return {"game_id": game, "player_id": 0, "episode": 1, "so_far": True, "metrics": of}


async def ask(relay: Relay, path: str, token: str | None = TOKEN) -> tuple[int, dict[str, Any]]:
    """Status and answer."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(relay.url.rstrip("/") + path, headers=headers) as reply:
        return reply.status, await reply.json(content_type=None) if reply.status != 404 else {}


async def game_of(relay: Relay, game: str) -> dict[str, Any]:
    """A game in the list."""
    status, listed = await ask(relay, "/api/watch")
    assert status == 200
    (found,) = [each for each in listed["games"] if each["game_id"] == game]
    return dict(found)


@contextlib.asynccontextmanager
async def named(relay: Relay, *queries: str) -> AsyncIterator[tuple[list[Client], str]]:
    """Clients in one game who came with these addresses."""
    async with relay.clients(len(queries)) as clients:
        for client, query in zip(clients, queries, strict=True):
            await client.call("join_game", {"query": query})
        games = [(await client.get("start_game"))["game_id"] for client in clients]
        yield clients, games[0]


def test_the_list_has_the_running_games_with_what_their_pages_said_last(watched: Relay) -> None:
    """What nobody has said yet is null; whoever is away is said to be, and a game that is over is not there."""
    async def go() -> None:
        async with named(watched, "?PROLIFIC_PID=anna-0815", "?PROLIFIC_PID=bert-4711") as ((one, two), game):
            found = await game_of(watched, game)
            assert (found["environment"], found["inputs_relayed"]) == ("walk", 0)
            assert 0 <= found["seconds"] < 60
            assert [each["player"] for each in found["players"]] == [0, 1]
            assert found["players"][0]["stored_s"] is None
            assert await one.call("p2p_session_metrics", metrics(game)) == {"status": "ok"}
            await two.call("pycore_ping", {})
            first, second = (await game_of(watched, game))["players"]
            known = {
                "episode": 1, "frame": 77, "phase": "playing", "rollbacks": 12, "max_rollback_frames": 5, "stalls": 3,
                "hash_mismatches": 0, "frames": 177, "links": {"1": {"path": "p2p", "rtt_ms": 41.5}}, "hidden": False,
            }  # fmt: skip
            assert {name: first[name] for name in known} == known
            assert 0 <= first["stored_s"] < 5
            assert 0 <= second["heard_s"] < 5
            assert (first["connected"], first["left"], second["connected"]) == (True, False, True)
            await two.call("leave_game", {})
            _, listed = await ask(watched, "/api/watch")
            assert game not in [each["game_id"] for each in listed["games"]]

    asyncio.run(go())


def test_a_game_whose_pages_have_stored_its_end_is_not_running(watched: Relay) -> None:
    """Though they stand open still."""
    async def go() -> None:
        async with watched.pair() as ((one, two), game):
            for player, client in enumerate((one, two)):
                assert (await game_of(watched, game))["game_id"] == game
                whole = {"game_id": game, "player_id": player, "episode": -1, "metrics": {}}
                assert await client.call("p2p_session_metrics", whole) == {"status": "ok"}
            _, listed = await ask(watched, "/api/watch")
            assert game not in [each["game_id"] for each in listed["games"]]

    asyncio.run(go())


def test_no_subject_is_shown_and_the_same_person_has_the_same_name(watched: Relay) -> None:
    """Nor is it part of the name."""
    async def go() -> None:
        names = []
        for _ in range(2):
            async with named(watched, "?PROLIFIC_PID=anna-0815", "?x=1") as (clients, game):
                _, listed = await ask(watched, "/api/watch")
                assert "anna" not in json.dumps(listed)
                assert "0815" not in json.dumps(listed)
                players = (await game_of(watched, game))["players"]
                names.append([each["person"] for each in players])
                # Who only goes is the same person in the same game when it comes again.
                await clients[0].call("leave_game", {})
        assert names[0] == names[1]
        assert len(names[0][0]) == 6
        assert names[0][1] is None

    asyncio.run(go())


def test_a_game_that_is_not_written_down_yet_has_no_rows_and_is_a_game(tmp_path: Path) -> None:
    """The database is a thread of its own, and may be slow."""
    lobby = Lobby(players=["a", "b"], settings={"store_every": LATE}, limits=Limits())
    for sid in ("one", "two"):
        lobby.connect(sid, {}, 0.0)
        lobby.join(sid, {"session_id": sid * 8}, 0.0, 0.0)
    (room,) = lobby.games.playing()
    store = DataStore(f"sqlite:///{tmp_path / 'data.db'}")
    watching = Watching(lobby, store, Operator(TOKEN))
    try:
        found = asyncio.run(watching.rows(room.game_id, 0, 0, 1.0))
        assert (found["there_are"], found["rows"], found["settings"]["store_every"]) == (0, "", LATE)
        with pytest.raises(NotWatched, match="no such game"):
            asyncio.run(watching.rows("another", 0, 0, 1.0))
    finally:
        watching.close()
        store.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[People, Watching, str]]:
    """Three play, by sockets 0, 1 and 2; what is seen of them, and the game's id."""
    people = People(seats=3, settings={"return_within": 60, "on_drop": "default_action"})
    for number in range(3):
        people.come(str(number))
    store = DataStore(f"sqlite:///{tmp_path / 'data.db'}")
    watching = Watching(people.lobby, store, Operator(TOKEN))
    yield people, watching, people.game_of("0") or ""
    watching.close()
    store.close()


def said(watching: Watching, game: str, player: int, **paths: str | None) -> None:
    """A page's word of its links, by `to_` and the other player."""
    links = {name.removeprefix("to_"): {"path": path, "rtt_ms": 1.0} for name, path in paths.items()}
    watching.heard(game, str(player), 0.0, {"links": links})


def test_who_plays_with_anybody_by_the_server_is_counted_there(three: tuple[People, Watching, str]) -> None:
    """Wherever that link stands among the others; of whom not all is known it is not said."""
    _, watching, game = three
    assert watching.paths() == ["unknown"] * 3
    said(watching, game, 0, to_1="p2p", to_2="socketio")
    said(watching, game, 1, to_0="p2p", to_2="socketio")
    said(watching, game, 2, to_0="socketio", to_1="p2p")
    assert watching.paths() == ["socketio"] * 3
    said(watching, game, 0, to_1="p2p", to_2="p2p")
    said(watching, game, 1, to_0="p2p", to_2=None)
    said(watching, game, 2, to_0=None, to_1="socketio")
    assert watching.paths() == ["p2p", "unknown", "socketio"]


def test_who_is_gone_is_not_counted_nor_any_way_to_it(three: tuple[People, Watching, str]) -> None:
    """Its page says no more, and the others name what they had to it: by the server, since its channel is closed."""
    people, watching, game = three
    said(watching, game, 0, to_1="p2p", to_2="p2p")
    people.leave("0")
    said(watching, game, 1, to_0="socketio", to_2="p2p")
    said(watching, game, 2, to_0="socketio", to_1="p2p")
    assert watching.paths() == ["p2p", "p2p"]


def test_the_list_shows_who_is_gone_as_gone(three: tuple[People, Watching, str]) -> None:
    """Not as connected, though its page stands open, and with no way to the others, nor theirs to it."""
    people, watching, game = three
    for player, others in enumerate(((1, 2), (0, 2), (0, 1))):
        said(watching, game, player, **{f"to_{other}": "p2p" for other in others})
    people.leave("0")
    room = people.lobby.games.room(game)
    assert room is not None
    assert room.counts()["connected"] == [1, 2]
    (listed,) = watching.games(people.now, 0.0)["games"]
    shown = [(each["connected"], each["left"], list(each["links"])) for each in listed["players"]]
    assert shown == [(False, True, []), (True, False, ["2"]), (True, False, ["1"])]


@pytest.mark.slow
def test_without_the_token_nothing_is_seen_and_without_any_there_is_nothing(watched: Relay, tmp_path: Path) -> None:
    """A game's key opens that game's rows alone."""
    async def go() -> None:
        async with watched.pair() as (_, game), watched.pair() as (_, other):
            for token in (None, "", "operators-tokem", TOKEN[:-1]):
                assert (await ask(watched, "/api/watch", token))[0] == 401
                assert (await ask(watched, f"/api/watch/{game}", token))[0] == 401
            key = (await game_of(watched, game))["key"]
            assert (await ask(watched, f"/api/watch/{game}", key))[0] == 200
            assert (await ask(watched, f"/api/watch/{other}", key))[0] == 401
            assert (await ask(watched, "/api/watch", key))[0] == 401
            status, said = await ask(watched, f"/api/watch/{game}?episode=x")
            assert (status, said["code"]) == (400, "malformed")

    asyncio.run(go())
    with running(tmp_path, operator_token=None) as plain:
        assert asyncio.run(ask(plain, "/api/watch"))[0] == 401
        assert asyncio.run(ask(plain, "/api/games/1"))[0] == 401


@pytest.mark.slow
def test_rows_are_shown_late_and_of_the_player_who_has_most(watched: Relay) -> None:
    """Not before `store_every` has gone by, from the frame that is asked for on, and to the first gap."""
    async def go() -> None:
        async with watched.pair() as ((one, two), game):
            await one.call("pycore_rows", piece(game, 0, 20))
            came = time.monotonic()
            await two.call("pycore_rows", packed(piece(game, 0, 30, player_id=1)))
            await two.call("pycore_rows", piece(game, 40, 50, player_id=1))
            _, found = await ask(watched, f"/api/watch/{game}")
            if time.monotonic() - came < LATE:
                assert (found["there_are"], found["rows"], found["episodes"]) == (0, "", 0)
            deadline = came + PATIENCE_S
            while found["there_are"] < 30 and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
                _, found = await ask(watched, f"/api/watch/{game}?from=5")
            assert time.monotonic() - came >= LATE
            assert (found["from"], found["to"], found["there_are"], found["complete"]) == (5, 30, 30, False)
            assert found["rows"] == "".join(map(row, range(5, 30)))
            assert found["header"] + "\n" == HEAD
            assert found["settings"]["store_every"] == LATE
            assert found["episodes"] == 1
            _, nothing = await ask(watched, f"/api/watch/{game}?from=30")
            assert (nothing["rows"], nothing["to"]) == ("", 30)

    asyncio.run(go())


@pytest.mark.slow
def test_the_end_of_an_episode_and_what_was_taken_back_are_said(watched: Relay) -> None:
    """So that a spectator begins that episode anew, or the next one."""
    async def go() -> None:
        async with watched.pair() as ((one, _), game):
            await one.call("pycore_rows", piece(game, 0, 30))
            await one.call("pycore_rows", piece(game, 20, 25, revision=1, base=20, last=True))
            await asyncio.sleep(LATE + 0.1)
            _, found = await ask(watched, f"/api/watch/{game}")
            assert (found["to"], found["complete"], found["revisions"]) == (25, True, [[1, 20]])
            assert found["rows"].endswith('{"end":0}\n')
            _, end = await ask(watched, f"/api/watch/{game}?from=25")
            assert (end["rows"], end["complete"]) == ('{"end":0}\n', True)

    asyncio.run(go())


@pytest.mark.slow
def test_a_study_that_stores_at_the_end_alone_has_no_live_view(tmp_path: Path) -> None:
    """Its list is there all the same."""
    with running(tmp_path, settings={"store_every": 0}, operator_token=TOKEN) as relay:
        async def go() -> None:
            async with relay.pair() as (_, game):
                assert (await game_of(relay, game))["game_id"] == game
                status, said = await ask(relay, f"/api/watch/{game}")
                assert (status, said["code"]) == (409, "no_live_view")

        asyncio.run(go())


def test_what_a_page_says_of_itself_is_never_large_nor_believed(watched: Relay) -> None:
    """Of anything but numbers and short words there is nothing in the list, and the store is taken all the same."""
    async def go() -> None:
        async with watched.pair() as ((one, _), game):
            links = {"1" * 99: {"path": ["z"], "rttMs": {}}}
            strange = {**NOW, "episode": "x" * 1000, "phase": "y" * 1000, "links": links}
            for change in ({"now": strange}, {"now": 3}, {"rollbacks": None}, {"pad": "x" * 70_000}):
                assert await one.call("p2p_session_metrics", metrics(game, **change)) == {"status": "ok"}
            found = (await game_of(watched, game))["players"][0]
            assert (found["episode"], found["phase"]) == (None, "y" * 40)
            assert found["links"] == {"1" * 40: {"path": None, "rtt_ms": None}}

    asyncio.run(go())
