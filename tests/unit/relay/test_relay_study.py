"""The operator sees how the study is, closes it and opens it again."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from relay_support import OPERATOR, Relay, running

from pycore.errors import UsageError
from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.operating.measures import Measures
from pycore.relay.operating.noticing import Noticed
from pycore.relay.operating.operator import Operator
from pycore.relay.overview import LATE_S, Overview
from pycore.relay.storage.store import DataStore, StoreFailed
from pycore.relay.storage.study import Door, Study
from pycore.site.wording import worded


async def tell(relay: Relay, body: Any, token: str | None = OPERATOR) -> tuple[int, dict[str, Any]]:
    """Post to the study; status and answer."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    text = body if isinstance(body, str) else json.dumps(body)
    url = f"{relay.url}api/operator/study"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=text) as reply:
        return reply.status, await reply.json()


async def state(relay: Relay) -> dict[str, Any]:
    """How the study is."""
    status, _, body = await relay.http("/api/operator", OPERATOR)
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


@pytest.mark.slow
def test_a_closed_study_lets_nobody_new_in_and_what_runs_goes_on(tmp_path: Path) -> None:
    """Who waits is told; who comes back to a game has the seat; opened again, games begin again."""

    async def go(relay: Relay) -> None:
        session = uuid.uuid4().hex
        async with relay.clients(5) as (one, two, waiting, late, again):
            await one.call("join_game", {"session_id": session})
            await two.call("join_game", {})
            game = (await two.get("start_game"))["game_id"]
            await waiting.call("join_game", {})
            assert (await tell(relay, {"open": False}))[1]["open"] is False
            told = await waiting.get("pycore_error")
            assert (told["code"], told["event"]) == ("study_closed", "join_game")
            now = await state(relay)
            assert (now["open"], now["waiting"], now["games_playing"]) == (False, 0, 1)
            for client in (late, waiting):
                assert (await client.call("join_game", {}))["code"] == "study_closed"
            assert (await one.call("pyodide_player_action", {
                "game_id": game, "player_id": 0, "action": 1, "frame_number": 0, "timestamp": 0,
            }))["status"] == "ok"  # fmt: skip
            assert (await two.get("pyodide_other_player_action"))["frame_number"] == 0
            assert (await again.call("join_game", {"session_id": session}))["state"] == "restored"
            await tell(relay, {"open": True})
            assert (await late.call("join_game", {}))["state"] == "waiting"
            assert (await waiting.call("join_game", {}))["state"] == "playing"

    with running(tmp_path, settings={"fps": 30, "max_steps": 100}) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_study_that_was_closed_stays_so_when_its_server_is_started_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever way it was left last; the log says that it is closed, and who opens it."""

    async def says(relay: Relay, is_open: bool) -> None:
        assert (await tell(relay, {"open": is_open}))[0] == 200

    async def joins(relay: Relay) -> dict[str, Any]:
        async with relay.clients(1) as (client,):
            answer: dict[str, Any] = await client.call("join_game", {})
            return answer

    with running(tmp_path) as relay:
        assert asyncio.run(joins(relay))["state"] == "waiting"
        for is_open in (False, True, False):
            asyncio.run(says(relay, is_open))
        assert "as it was left" not in caplog.text
    with running(tmp_path) as relay:
        assert "as it was left" in caplog.text
        assert asyncio.run(joins(relay))["code"] == "study_closed"
        assert asyncio.run(state(relay))["open"] is False
        asyncio.run(says(relay, True))
        assert asyncio.run(joins(relay))["state"] == "waiting"
    with running(tmp_path) as relay:
        assert asyncio.run(joins(relay))["state"] == "waiting"


def test_a_study_is_closed_though_the_database_cannot_remember_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator is told what that means."""

    def fails(self: Study, is_open: bool) -> Door:
        raise StoreFailed("the disk is full")

    async def go(relay: Relay) -> None:
        status, answer = await tell(relay, {"open": False})
        assert status == 503
        assert "is closed now, but may be open when" in answer["error"]
        assert "the disk is full" in answer["error"]
        assert (await state(relay))["open"] is False

    monkeypatch.setattr(Study, "say", fails)
    with running(tmp_path) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_of_two_words_the_later_one_stands_also_behind_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the database takes its time over the first one."""
    say = Study.say

    def slowly(self: Study, is_open: bool) -> Door:
        time.sleep(0.0 if is_open else 0.5)
        return say(self, is_open)

    async def go(relay: Relay) -> None:
        closes = asyncio.ensure_future(tell(relay, {"open": False}))
        while relay.app.relay.lobby.door.is_open:
            await asyncio.sleep(0.01)
        opens = await tell(relay, {"open": True})
        assert [(await closes)[0], opens[0]] == [200, 200]
        assert (await state(relay))["open"] is True

    monkeypatch.setattr(Study, "say", slowly)
    with running(tmp_path) as relay:
        asyncio.run(go(relay))
    with running(tmp_path) as relay:
        assert relay.app.relay.lobby.door.is_open


def test_a_server_that_cannot_read_how_the_study_was_left_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than let people into a study that was closed."""

    def fails(self: Study) -> Door:
        raise StoreFailed("it is locked")

    monkeypatch.setattr(Study, "door", fails)
    store = DataStore(f"sqlite:///{tmp_path / 'study.db'}")
    try:
        with pytest.raises(UsageError, match="how the study was left cannot be read: it is locked"):
            asyncio.run(Study(store).left())
    finally:
        store.close()


def test_a_database_in_memory_is_forgotten_with_the_server(tmp_path: Path) -> None:
    """There is nothing to remember it in, and it is closed all the same."""
    with running(tmp_path, database="sqlite://") as relay:
        assert asyncio.run(tell(relay, {"open": False}))[1]["open"] is False


def test_only_the_operator_closes_it_and_only_in_so_many_words(relay: Relay) -> None:
    """No link does, nor another site's page."""

    async def go() -> None:
        for token in (None, "", "wrong-token-it-is"):
            assert (await tell(relay, {"open": False}, token))[0] == 401
        for body in ({}, {"open": 0}, {"open": "no"}, [], "", "{", "[" * 1000, " " * 10_000):
            assert (await tell(relay, body))[0] == 400, body
        assert (await relay.http("/api/operator/study", OPERATOR))[0] == 405
        assert (await state(relay))["open"] is True

    asyncio.run(go())


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_participant_reads_that_it_is_closed(language: str) -> None:
    """In the language of the study, with what to do."""
    texts = worded(language, {})
    assert texts["error.study_closed"] != texts["error.other"]
    assert texts["advice.study_closed"] != texts["advice.other"]


def overview_of(lobby: Lobby) -> Overview:
    operator = Operator("of-12-letters")
    measures = Measures()
    relay: Any = SimpleNamespace(lobby=lobby)
    return Overview(relay, operator, measures, Noticed(measures, operator.person))


def lobby_of(**settings: Any) -> Lobby:
    return Lobby(players=[0, 1], settings={"return_within": 0, **settings}, limits=Limits())


def test_who_waits_is_listed_with_for_how_long() -> None:
    """The first to come first, by a name that means nothing; bounded, and counted in full."""
    lobby = Lobby(players=list(range(20)), settings={"return_within": 0}, limits=Limits())
    for number in range(15):
        sid = f"s{number}"
        lobby.connect(sid, None, 0.0)
        lobby.join(sid, {"subject_id": f"subject-{number}"} if number else {}, 10.0 + number, 0.0)
    shown = overview_of(lobby).state(30.0, 1000.0)
    assert shown["waiting"] == 15
    assert [each["seconds"] for each in shown["waits"]] == [20.0 - number for number in range(10)]
    assert shown["waits"][0]["person"] is None
    assert shown["waits"][1]["person"] == Operator("of-12-letters").person("subject-1")
    assert "subject-1" not in json.dumps(shown)


def test_a_game_of_which_nothing_is_stored_is_named_once_it_is_late() -> None:
    """With the players of whom nothing is; not before pages have had time, and whatever `store_every` says."""
    for every, late in ((1, LATE_S), (10, 30.0)):
        lobby = lobby_of(store_every=every)
        for sid in ("a", "b"):
            lobby.connect(sid, None, 0.0)
            lobby.join(sid, {}, 0.0, 1000.0)
        (room,) = lobby.games.playing()
        shown = overview_of(lobby)
        assert shown.state(0.0, 1000.0 + late - 0.1)["without_data"] == []
        (game,) = shown.state(0.0, 1000.0 + late)["without_data"]
        assert (game["game_id"], game["players"], game["over"]) == (room.game_id, ["0", "1"], False)
        room.seats[0].stored = True
        assert shown.state(0.0, 1100.0)["without_data"][0]["players"] == ["1"]
        room.ended_wall = 1060.0
        found = shown.state(0.0, 5000.0)
        assert (found["without_data"][0]["seconds"], found["without_data"][0]["over"]) == (60.0, True)
        room.seats[1].stored = True
        found = shown.state(0.0, 5000.0)
        assert (found["without_data"], found["without_data_count"]) == ([], 0)


def test_a_game_whose_pages_store_at_its_end_alone_is_late_when_it_is_over() -> None:
    """An operator was told of every game of such a study that is longer than a quarter of a minute."""
    lobby = lobby_of(store_every=0)
    for sid in ("a", "b"):
        lobby.connect(sid, None, 0.0)
        lobby.join(sid, {}, 0.0, 1000.0)
    (room,) = lobby.games.playing()
    shown = overview_of(lobby)
    assert shown.state(0.0, 2000.0)["without_data"] == []
    room.ended_wall = 2000.0
    assert shown.state(0.0, 2000.0)["without_data"][0]["players"] == ["0", "1"]


def test_what_was_refused_and_what_failed_is_shown(relay: Relay) -> None:
    """By code, and the newest failure first."""

    async def go() -> None:
        async with relay.clients(1) as (one,):
            before = (await state(relay))["refusals"].get("unknown_event", 0)
            await one.call("no_such_event", {})
            for code in ("first", "second"):
                await one.call("page_failed", {"code": code, "message": "m", "where": "step"})
            now = await state(relay)
            assert now["refusals"]["unknown_event"] == before + 1
            assert [each["code"] for each in now["failures"][:2]] == ["second", "first"]
            assert now["failures"][0].keys() == {"time", "person", "where", "code", "said"}

    asyncio.run(go())
