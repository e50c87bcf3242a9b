"""How a relay ends: no new games, the running ones in peace for a while, and in bounded time whatever hangs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from relay_support import Client, Relay, action, running

from pycore.relay import Limits
from pycore.relay.ending import Drain, Server
from pycore.relay.fields import Refused
from pycore.relay.lobby import Lobby

# The decision ---------------------------------------------------------------------------------------------------------


def test_nobody_asked_and_nothing_ends() -> None:
    drain = Drain(30.0)
    assert not any(drain.over(going, now) for going in (0, 5) for now in (0.0, 1e9))


@pytest.mark.parametrize("ignored", [True, False])
def test_a_terminal_that_is_closed_ends_it_in_order_unless_that_is_ignored(ignored: bool) -> None:
    """As by `nohup`. It ended as if it were killed: nothing was written down of what was counted."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        server = object.__new__(Server)
        with server.capture_signals():
            asked = [signal.getsignal(number) == server.handle_exit for number in (signal.SIGTERM, signal.SIGHUP)]
        assert asked == [True, not ignored]
        assert signal.getsignal(signal.SIGHUP) is (signal.SIG_IGN if ignored else signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_ends_as_soon_as_no_game_runs_and_at_its_limit_at_the_latest() -> None:
    drain = Drain(30.0)
    drain.signal(True)
    assert not drain.over(2, 100.0)
    assert not drain.over(1, 129.9)
    assert drain.over(1, 130.0)
    assert drain.over(0, 100.1)


def test_who_presses_ctrl_c_does_not_wait_for_games() -> None:
    drain = Drain(30.0)
    drain.signal(False)
    assert drain.over(7, 100.0)


def test_a_second_signal_ends_the_wait() -> None:
    drain = Drain(1e9)
    drain.signal(True)
    assert not drain.over(7, 100.0)
    drain.signal(True)
    assert drain.at_once
    assert drain.over(7, 100.1)


# The door -------------------------------------------------------------------------------------------------------------


def lobby_of(**limits: Any) -> Lobby:
    return Lobby(players=[0, 1], settings={"return_within": 60}, limits=Limits(again_s=7.0, **limits), seed=1)


def enter(lobby: Lobby, name: str, now: float = 0.0) -> list[Any]:
    lobby.connect(name, {"session_id": name, "page": name}, now)
    return lobby.join(name, {}, now, now)[1]


def test_who_finds_no_place_among_the_games_is_told_when_to_ask_again_and_has_the_one_that_becomes_free() -> None:
    lobby = lobby_of(rooms=1)
    for name in ("anna", "ben", "carl"):
        enter(lobby, name)
    lobby.connect("dora", {}, 0.0)
    with pytest.raises(Refused) as raised:
        lobby.join("dora", {}, 0.0, 0.0)
    assert (raised.value.fields["code"], raised.value.fields["again_ms"]) == ("server_full", 7000)
    for name in ("anna", "ben"):
        lobby.leave(name, 1.0, 1.0)
    reply, _ = lobby.join("dora", {}, 7.0, 7.0)
    assert reply["status"] == "ok"
    assert len(lobby.games.playing()) == 1


@pytest.mark.parametrize(("state", "code"), [("busy", "server_busy"), ("draining", "draining")])
def test_who_comes_for_a_game_is_told_when_to_ask_again_and_who_plays_is_left_alone(state: str, code: str) -> None:
    lobby = lobby_of()
    enter(lobby, "anna")
    enter(lobby, "ben")
    setattr(lobby.door, state, True)
    lobby.connect("carl", {}, 0.0)
    reply, (told,) = lobby.join("carl", {}, 0.0, 0.0)
    assert (reply["status"], reply["code"], reply["again_ms"]) == ("error", code, 7000)
    assert (told.sid, told.event, told.data["code"], told.data["again_ms"]) == ("carl", "pycore_error", code, 7000)
    assert len(lobby.games.playing()) == 1
    game = lobby.games.playing()[0].game_id
    # Anna goes on, and so does she when her page is loaded again.
    passed = lobby.action("anna", action(game, 0, 1, 1), 1.0, 1.0)
    assert [out.event for out in passed] == ["pyodide_other_player_action"]
    lobby.disconnect("anna", 2.0)
    lobby.connect("anna again", {"session_id": "anna", "page": "another load"}, 3.0)
    assert lobby.join("anna again", {}, 3.0, 3.0)[0]["state"] == "restored"
    setattr(lobby.door, state, False)
    assert lobby.join("carl", {}, 4.0, 4.0)[0]["state"] == "waiting"


def test_who_waits_when_it_gets_busy_keeps_the_place() -> None:
    lobby = lobby_of()
    enter(lobby, "anna")
    lobby.door.busy = True
    assert lobby.join("anna", {}, 1.0, 1.0)[0]["state"] == "waiting"
    assert [out.event for out in enter(lobby, "ben")] == ["pycore_error"]
    lobby.door.busy = False
    assert lobby.join("ben", {}, 2.0, 2.0)[0]["state"] == "playing"


def test_who_waits_when_it_is_drained_is_told_and_waits_no_more() -> None:
    lobby = lobby_of()
    enter(lobby, "anna")
    (told,) = lobby.drain(1.0)
    assert (told.sid, told.event) == ("anna", "pycore_error")
    assert lobby.tick(1.0, 1.0) == []
    assert told.data == {
        "code": "draining", "message": told.data["message"], "again_ms": 7000, "event": "join_game",
    }  # fmt: skip
    assert lobby.health()["waiting"] == 0
    assert lobby.drain(1.0) == []


def test_a_game_whose_sessions_are_over_is_not_waited_for() -> None:
    """Its pages may stand open for hours."""
    lobby = lobby_of()
    enter(lobby, "anna")
    enter(lobby, "ben")
    (room,) = lobby.games.playing()
    assert lobby.games.going() == 1
    for seat in room.seats:
        lobby.owners.finished(room.game_id, seat, 5.0)
    assert lobby.games.going() == 0
    assert len(lobby.games.playing()) == 1


@pytest.mark.slow
def test_pages_are_told_over_their_sockets(tmp_path: Path) -> None:
    """As an acknowledgement, and as the event that pages read."""

    async def go(relay: Relay) -> None:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {})
            relay.app.relay.drain()
            told = await one.get("pycore_error")
            assert (told["code"], told["event"], told["again_ms"]) == ("draining", "join_game", 5000)
            reply = await two.call("join_game", {})
            assert (reply["status"], reply["code"], reply["again_ms"]) == ("error", "draining", 5000)

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


# The process ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and its address."""
    command = [sys.executable, "-m", "pycore", "relay", "--port", "0", "--limit", "waiting_s=60", *words]
    root = str(Path(__file__).parents[3])
    begun = subprocess.Popen(
        command, cwd=folder, env={"PYTHONPATH": root}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert begun.stdout is not None
        first = begun.stdout.readline()
        assert first.startswith("pycore relay on "), first
        yield begun, first.split(" on ")[1].strip()
    finally:
        begun.kill()
        begun.communicate()


async def play(url: str) -> tuple[Client, Client, str]:
    one, two = await Client(url).connect(), await Client(url).connect()
    await one.call("join_game", {"session_id": "one"})
    await two.call("join_game", {"session_id": "two"})
    return one, two, (await two.get("start_game"))["game_id"]


@pytest.mark.slow
def test_sigterm_lets_a_game_end_and_the_process_with_it(tmp_path: Path) -> None:
    async def go(begun: subprocess.Popen[str], url: str) -> None:
        one, two, game = await play(url)
        third = await Client(url).connect()
        await third.call("join_game", {})
        begun.send_signal(signal.SIGTERM)
        assert (await third.get("pycore_error"))["code"] == "draining"
        for frame in range(20):
            await one.call("pyodide_player_action", action(game, 0, 1, frame))
        assert begun.poll() is None
        await one.call("leave_game", {})
        assert await asyncio.to_thread(begun.wait, 10) == 0
        for client in (one, two, third):
            await client.close()

    with process(tmp_path, "--drain-s", "60") as (begun, url):
        asyncio.run(go(begun, url))


@pytest.mark.slow
def test_at_the_limit_it_ends_and_the_next_process_has_the_game(tmp_path: Path) -> None:
    async def before(begun: subprocess.Popen[str], url: str) -> str:
        one, two, game = await play(url)
        began = time.monotonic()
        begun.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(begun.wait, 15) == 0
        assert time.monotonic() - began >= 1.0
        await one.close()
        await two.close()
        return game

    async def behind(url: str, game: str) -> None:
        one = await Client(url).connect({"session_id": "one"})
        assert (await one.get("session_restored"))["game_id"] == game
        await one.close()

    with process(tmp_path, "--drain-s", "1") as (begun, url):
        game = asyncio.run(before(begun, url))
    with process(tmp_path) as (_, url):
        asyncio.run(behind(url, game))


@pytest.mark.slow
def test_a_second_sigterm_ends_it_at_once_though_the_database_hangs(tmp_path: Path) -> None:
    """Another process holds the lock for as long as it likes; a store waits for it."""

    async def go(begun: subprocess.Popen[str], url: str) -> None:
        one, two, game = await play(url)
        holder = sqlite3.connect(tmp_path / "pycore.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        await one.emit("p2p_session_metrics", {"game_id": game, "player_id": 0, "episode": -1, "metrics": {"n": 1}})
        await one.call("pycore_ping", {})
        begun.send_signal(signal.SIGTERM)
        await two.call("pycore_ping", {})
        assert begun.poll() is None
        began = time.monotonic()
        begun.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(begun.wait, 10) == 0
        assert time.monotonic() - began < 3.0
        holder.execute("ROLLBACK")
        holder.close()
        await one.close()
        await two.close()

    with process(tmp_path, "--drain-s", "600", "--database", "sqlite:///pycore.db?timeout=300") as (begun, url):
        asyncio.run(go(begun, url))


def test_a_refusal_for_the_moment_is_json_that_pages_read() -> None:
    refused = Refused("server_busy", "later", 5000)
    assert json.loads(json.dumps(refused.fields)) == {"code": "server_busy", "message": "later", "again_ms": 5000}
    assert Refused("malformed", "never").fields == {"code": "malformed", "message": "never"}
