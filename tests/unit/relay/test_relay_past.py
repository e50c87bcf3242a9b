"""Games that are over, of before the server's start too, are listed and shown from the database to who may see them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from relay_support import running
from test_relay_rows import HEAD, piece, row
from test_relay_watching import LATE, TOKEN, ask, metrics

from pycore.cli import cli
from pycore.relay.games.uploads import Piece
from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.operating.operator import Operator
from pycore.relay.storage import past
from pycore.relay.storage.past import NotWatched, games_over, rows
from pycore.relay.storage.store import DataStore
from pycore.relay.watching import Watching

DATABASES = ("sqlite", "postgresql")

NOW = 2_000.0
END = '{"end":0}\n'


@pytest.fixture
def store(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[DataStore]:
    """An empty database."""
    opened = DataStore(database(tmp_path))
    yield opened
    opened.close()


def put(*work: Awaitable[None]) -> None:
    async def go() -> None:
        for each in work:
            await each

    asyncio.run(go())


def game(store: DataStore, name: str, started: float, **more: Any) -> Awaitable[None]:
    """A game's row, as the relay writes it."""
    settings = {"environment": "walk", **more.pop("settings", {})}
    line = {
        "game_id": name, "started": started, "ended": None, "seed": 1, "players": "[0, 1]", "subjects": "{}",
        "settings": json.dumps(settings), "counts": None, **more,
    }  # fmt: skip
    return store.put_game(line)


def stored(
    store: DataStore, name: str, first: int, stop: int, *, player: str = "0", episode: int = 0, revision: int = 0,
    base: int = 0, last: bool = False, wall: float = 100.0,
) -> Awaitable[None]:  # fmt: skip
    """Rows of an episode, from a frame up to another."""
    text = HEAD + "".join(map(row, range(first, stop))) + (END if last else "")
    return store.put_piece(name, player, episode, Piece(revision, base, first, stop - first, last), text, wall)


@pytest.mark.parametrize("size", [10, 40_000])
@pytest.mark.parametrize("state", ["x", {"end": {"reason": "complete"}}])
def test_why_a_session_ended_is_found_behind_reports_with_states(store: DataStore, size: int, state: Any) -> None:
    """They come first in the order of keys, are as large as they are, and may hold anything."""
    reports = [{"differences": [], "states": [state, "s" * size]}]
    whole = json.dumps({"desyncReports": reports, "end": {"reason": "desync"}, "rollbacks": {}})
    put(
        game(store, "first", 100.0, ended=160.5), stored(store, "first", 0, 40),
        store.put_metrics("first", "0", -1, whole, 170.0),
        store.put_metrics("first", "1", -1, json.dumps({"desyncReports": reports, "rollbacks": {}}), 170.0),
    )  # fmt: skip
    (first,) = listed(store)["games"]
    assert [player["reason"] for player in first["players"]] == ["desync", None]


def listed(store: DataStore, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"running": (), "before": None, "wall": NOW, "until": NOW, **more}
    return games_over(store, key=lambda name: f"key of {name}", person=lambda name: f"<{name}>", **given)


def test_the_list_says_of_each_game_how_it_ended_and_what_is_stored_of_it(store: DataStore) -> None:
    """The newest first; frames are counted as they are joined, of the player who has most; nobody's name is there."""
    subjects = json.dumps({"0": "anna-0815", "1": None})
    whole = {"end": {"reason": "max_steps"}, "environment": {}, "rollbacks": {"events": [0] * 9000}}
    put(
        game(store, "first", 100.0, ended=160.5, subjects=subjects, counts='{"state": "over"}'),
        stored(store, "first", 0, 40), stored(store, "first", 40, 50, last=True),
        # What was stored of the second player was taken back from frame 20 on, and is longer nevertheless.
        stored(store, "first", 0, 60, player="1"),
        stored(store, "first", 20, 30, player="1", revision=1, base=20, last=True),
        # Who was dropped has an end, and less than who stayed.
        stored(store, "first", 0, 7, episode=1), stored(store, "first", 0, 3, player="1", episode=1, last=True),
        store.put_metrics("first", "0", -1, json.dumps(whole), 170.0),
        store.put_metrics("first", "1", -1, '{"end":{"reason":"<b>x</b>"}}', 170.0),
        store.put_metrics("first", "1", 0, '{"end":{"reason":"done"}}', 170.0),
        game(store, "second", 200.0, counts='{"state": "stopped"}', players='["a", "bot"]',
             settings={"policies": {"bot": "plays:it"}}),
        game(store, "third", 300.0), stored(store, "third", 5, 9),
        game(store, "runs", 400.0), game(store, "begins", NOW + 1),
    )  # fmt: skip
    nobody = {"policy": False, "person": None, "reason": None}
    assert listed(store, running={"runs"}) == {"next": None, "games": [
        {
            "game_id": "third", "environment": "walk", "started": 300.0, "ended": None, "how": "unknown",
            "episodes": 1, "complete": 0, "frames": 0, "key": "key of third",
            "players": [{"player": 0, **nobody}, {"player": 1, **nobody}],
        },
        {
            "game_id": "second", "environment": "walk", "started": 200.0, "ended": None, "how": "stopped",
            "episodes": 0, "complete": 0, "frames": 0, "key": "key of second",
            "players": [{"player": "a", **nobody}, {"player": "bot", **nobody, "policy": True}],
        },
        {
            "game_id": "first", "environment": "walk", "started": 100.0, "ended": 160.5, "how": "ended",
            "episodes": 2, "complete": 1, "frames": 57, "key": "key of first",
            "players": [
                {"player": 0, "policy": False, "person": "<anna-0815>", "reason": "max_steps"},
                {"player": 1, **nobody},
            ],
        },
    ]}  # fmt: skip


def test_what_is_younger_than_store_every_is_in_no_list_and_in_no_rows(store: DataStore) -> None:
    put(game(store, "g", 10.0), stored(store, "g", 0, 5, wall=100.0), stored(store, "g", 5, 9, wall=100.5))
    for until, frames in ((99.9, 0), (100.0, 5), (100.4, 5), (100.5, 9)):
        assert listed(store, until=until)["games"][0]["frames"] == frames
        assert rows(store, "g", 0, 0, until, None)["there_are"] == frames


def test_a_page_of_the_list_is_bounded_and_the_next_one_begins_behind_it(
    store: DataStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By games, and by the pieces that they are counted from; of those that began at once as well, each is there once,
    also where newer ones came meanwhile."""
    monkeypatch.setattr(past, "GAMES", 4)
    put(*(game(store, f"{number:02}", float(number // 3)) for number in range(11)))
    names: list[str] = []
    sizes, before = [], None
    while True:
        found = listed(store, before=before)
        names += [each["game_id"] for each in found["games"]]
        sizes.append(len(found["games"]))
        before = found["next"]
        if before is None:
            break
        put(game(store, f"new {len(names)}", 1000.0))
    assert names == [f"{number:02}" for number in range(10, -1, -1)]
    assert sizes == [4, 4, 3]
    with pytest.raises(NotWatched, match="no game with the id"):
        listed(store, before="nobody")

    monkeypatch.setattr(past, "PLACES", 5)
    put(*(stored(store, "10", first, first + 1) for first in range(3)))
    put(*(stored(store, "09", first, first + 1) for first in range(3)))
    put(*(stored(store, "08", first, first + 1) for first in range(6)))
    first, second, third = (listed(store, before=each) for each in ("new 4", "10", "09"))
    assert [(each["game_id"], each["frames"]) for each in first["games"]] == [("10", 3)]
    assert [(each["game_id"], each["frames"]) for each in second["games"]] == [("09", 3)]
    # One that has too many alone is not counted, and not left out.
    assert (third["games"][0]["game_id"], third["games"][0]["frames"]) == ("08", None)


def test_rows_of_an_earlier_episode_are_those_that_count(store: DataStore) -> None:
    """While a later one goes on: where a page was loaded again, those of its later load, and each revision is told."""
    put(
        game(store, "g", 10.0, settings={"fps": 20}),
        stored(store, "g", 0, 30), stored(store, "g", 0, 30, revision=1000, base=30),
        stored(store, "g", 30, 50, revision=1000, base=30),
        stored(store, "g", 45, 48, revision=1001, base=45, last=True),
        stored(store, "g", 0, 10, episode=1), stored(store, "g", 12, 20, episode=1),
    )  # fmt: skip
    found = rows(store, "g", 0, 25, NOW, None)
    assert found["rows"] == "".join(map(row, range(25, 48))) + END
    assert (found["header"] + "\n", found["settings"]) == (HEAD, {"environment": "walk", "fps": 20})
    del found["rows"], found["header"], found["settings"]
    assert found == {
        "episode": 0, "from": 25, "to": 48, "there_are": 48, "episodes": 2,
        "complete": True, "gap": None, "revisions": [[1000, 30], [1001, 45]], "in_parts": False,
    }  # fmt: skip
    broken = rows(store, "g", 1, 0, NOW, None)
    assert (broken["to"], broken["there_are"], broken["complete"], broken["gap"]) == (10, 10, False, [10, 12])
    nothing = rows(store, "g", 7, 0, NOW, None)
    assert (nothing["header"], nothing["episodes"], nothing["there_are"]) == (None, 2, 0)


def test_of_a_game_without_rows_it_is_said_whether_pages_of_an_earlier_version_stored_it(store: DataStore) -> None:
    put(game(store, "none", 10.0), game(store, "old", 20.0), store.put_record("old", "0", 0, 0, 1, HEAD, 30.0))
    found = {name: rows(store, name, 0, 0, NOW, None) for name in ("none", "old")}
    assert {name: (each["episodes"], each["header"], each["in_parts"]) for name, each in found.items()} == {
        "none": (0, None, False), "old": (0, None, True),
    }  # fmt: skip


def test_a_study_that_stores_at_the_end_alone_shows_what_is_over(tmp_path: Path) -> None:
    """And nothing of what goes on, of which earlier episodes are stored already."""
    lobby = Lobby(players=["a"], settings={"store_every": 0}, limits=Limits())
    lobby.connect("one", {}, 0.0)
    lobby.join("one", {"session_id": "one" * 8}, 0.0, 0.0)
    (room,) = lobby.games.playing()
    store = DataStore(f"sqlite:///{tmp_path / 'data.db'}")
    watching = Watching(lobby, store, Operator(TOKEN))
    try:
        put(game(store, room.game_id, 1.0), stored(store, room.game_id, 0, 9, player="a", last=True))
        with pytest.raises(NotWatched, match="its store_every is 0"):
            asyncio.run(watching.rows(room.game_id, 0, 0, NOW))
        assert asyncio.run(watching.over(None, NOW))["games"] == []
        room.finish("a", 50.0)
        found = asyncio.run(watching.rows(room.game_id, 0, 0, NOW))
        assert (found["running"], found["there_are"], found["complete"]) == (False, 9, True)
        # The database does not know its end yet.
        (over,) = asyncio.run(watching.over(None, NOW))["games"]
        assert (over["how"], over["ended"], over["frames"]) == ("ended", 50.0, 9)
    finally:
        watching.close()
        store.close()


@pytest.mark.slow
def test_a_game_of_before_the_restart_is_there_for_the_operator_and_with_its_key(tmp_path: Path) -> None:
    """The same key and the same name for a person, if the token is the same; another token opens nothing."""
    settings = {"store_every": LATE, "environment": "walk"}
    person = hmac.new(TOKEN.encode(), b"person anna-0815", hashlib.sha256).hexdigest()[:6]

    async def played() -> str:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {"query": "?PROLIFIC_PID=anna-0815"})
            await two.call("join_game", {})
            name: str = (await one.get("start_game"))["game_id"]
            await one.call("pycore_rows", piece(name, 0, 30))
            await one.call("pycore_rows", piece(name, 0, 12, episode=1, last=True))
            whole = metrics(name, end={"reason": "stop"}) | {"episode": -1, "so_far": False}
            await one.call("p2p_session_metrics", whole)
            _, running_ones = await ask(relay, "/api/watch")
            assert [each["game_id"] for each in running_ones["games"]] == [name]
            assert (await ask(relay, "/api/watch/over"))[1]["games"] == []
            return name

    with running(tmp_path, settings=settings, operator_token=TOKEN) as relay:
        name = asyncio.run(played())

    async def seen() -> None:
        status, found = await ask(relay, "/api/watch/over")
        assert (status, found["next"], found["store_every"]) == (200, None, LATE)
        (over,) = found["games"]
        assert "anna" not in json.dumps(found)
        assert [(each["person"], each["reason"]) for each in over["players"]] == [(person, "stop"), (None, None)]
        for token in (None, "", "operators-tokem", over["key"]):
            assert (await ask(relay, "/api/watch/over", token))[0] == 401
        for _ in range(50):
            _, rows_of = await ask(relay, f"/api/watch/{name}?episode=1", over["key"])
            if rows_of["there_are"]:
                break
            await asyncio.sleep(0.1)
        assert rows_of["rows"] == "".join(map(row, range(12))) + END
        assert (rows_of["running"], rows_of["episodes"]) == (False, 2)
        assert (await ask(relay, f"/api/watch/{name}", TOKEN))[1]["there_are"] == 30
        assert (await ask(relay, "/api/watch/over?before=nobody"))[0] == 404

    with running(tmp_path, settings=settings, operator_token=TOKEN) as relay:
        asyncio.run(seen())
    with running(tmp_path, settings=settings, operator_token="another-token-it-is") as relay:
        assert asyncio.run(ask(relay, f"/api/watch/{name}"))[0] == 401


@pytest.mark.slow
def test_the_command_shows_as_many_as_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a table and as JSON, from several answers of the server."""
    monkeypatch.setattr(past, "GAMES", 2)
    store = DataStore(f"sqlite:///{tmp_path / 'study.db'}")
    put(*(game(store, f"game {number}", float(number), ended=number + 65.0) for number in range(5)))
    put(
        stored(store, "game 4", 0, 30, last=True), stored(store, "game 4", 0, 8, episode=1),
        store.put_metrics("game 4", "1", -1, '{"end":{"reason":"player_left"}}', 9.0),
        game(store, "game 3", 3.0, settings={"environment": "[red]\x1b[31mwalk"}),
    )
    store.close()

    def run(*words: str) -> str:
        words = ("watch", relay.url, "--token", TOKEN, "--over", *words)
        done = CliRunner().invoke(cli, words, env={"COLUMNS": "200"})
        assert done.exit_code == 0, done.output
        return done.output

    with running(tmp_path, operator_token=TOKEN, database=f"sqlite:///{tmp_path / 'study.db'}") as relay:
        everything, some = json.loads(run("--json")), json.loads(run("--json", "--most", "3"))
        text = run()
        assert "2 over, and more before them (--most)" in run("--most", "2")
    assert [each["game_id"] for each in everything["games"]] == [f"game {number}" for number in (4, 3, 2, 1, 0)]
    assert everything["next"] is None
    assert [each["game_id"] for each in some["games"]] == ["game 4", "game 3", "game 2"]
    assert some["next"] == "game 2"
    assert text.startswith("5 over ")
    began = time.strftime("%Y-%m-%d %H:%M", time.localtime(4.0))
    lines = [[cell.strip() for cell in line.split("│")] for line in text.splitlines() if began in line]
    assert lines[0][1:-1] == [
        "walk game 4", began, "65 s", "by itself", "2, 1 without an end", "38", "0: –, 1: player_left",
    ]  # fmt: skip
    assert lines[1][1:-1] == [
        "[red]?[31mwalk game 3", began, "–", "not written down", "none stored", "0", "0: –, 1: –",
    ]  # fmt: skip
