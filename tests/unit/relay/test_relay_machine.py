"""What a machine does to a relay that is a process of its own: its clock is set, its open files run out, its database
is another's for longer than anybody waits. A game that runs goes on, and what was acknowledged is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from relay_support import Client, action
from test_relay_stores import metrics, record

from pycore.rehearsal import serving
from tools import debian

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="signals, limits and files of POSIX"),
]

LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
PATIENCE_S = 30.0


def clock() -> Path:
    """The library that sets a process's clock, installed if need be and possible."""
    for attempt in (False, True):
        if attempt and not debian.install("faketime"):
            break
        for place in LIBRARIES:
            if (found := Path(place, "faketime", "libfaketime.so.1")).is_file():
                return found
    pytest.skip("there is no libfaketime (Debian: apt-get install faketime)")


@contextlib.contextmanager
def process(folder: Path, *more: str, limits: tuple[int, int] | None = None, **environ: str) -> Iterator[str]:
    """A relay with a database in this folder; `limits`: its open files. Its address."""
    port = serving.free_port()
    url = serving.address("127.0.0.1", port)
    words = [sys.executable, "-m", "pycore", "relay", "--port", str(port)]
    words += ["--database", f"sqlite:///{folder / 'study.db'}?timeout=0.2", *more]

    def bounded() -> None:
        if limits is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    with (folder / "relay.log").open("wb") as log:
        relay = subprocess.Popen(
            words, cwd=folder, stdout=log, stderr=log, preexec_fn=bounded,
            env={**os.environ, "PYTHONPATH": str(serving.HOME), **environ},
        )  # fmt: skip
    try:
        serving.wait_until_healthy(url, relay)
        yield url
    finally:
        serving.stop(relay)


async def begins(url: str) -> tuple[list[Client], str]:
    """Two in a game."""
    clients = [await Client(url).connect({"session_id": f"the session of {number}"}) for number in (0, 1)]
    for client in clients:
        assert (await client.call("join_game", {}))["status"] == "ok"
    games = [(await client.get("start_game"))["game_id"] for client in clients]
    return clients, games[0]


async def passes(clients: list[Client], game: str, frame: int) -> None:
    """An input crosses in each direction."""
    for player, (sender, receiver) in enumerate((clients, clients[::-1])):
        assert await sender.call("pyodide_player_action", action(game, player, 1, frame)) == {"status": "ok"}
        assert (await receiver.get("pyodide_other_player_action"))["frame_number"] == frame


def stored(folder: Path, game: str) -> dict[str, Any]:
    """What the command of the data finds, read once the relay has ended."""
    words = [sys.executable, "-m", "pycore", "data", "--database", f"sqlite:///{folder / 'study.db'}", "--out", "out"]
    done = subprocess.run(
        [*words, "--game", game], cwd=folder, env={**os.environ, "PYTHONPATH": str(serving.HOME)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: json.loads(path.read_text()) for path in folder.glob("out/**/metrics-*.json")}


def test_a_clock_that_is_set_forwards_and_back_ends_no_game_and_loses_nothing(tmp_path: Path) -> None:
    """By a day and by an hour, as a machine does that has slept or was wrong: nobody is dropped or waits longer."""
    library, steps = clock(), tmp_path / "steps"
    steps.write_text("+0", "ascii")

    async def go(url: str) -> str:
        clients, game = await begins(url)
        for frame, by in enumerate(("+0", "+1d", "-1h", "+30d", "+0")):
            steps.write_text(by, "ascii")
            # Longer than the grace of a connection would be if the clock were believed, and a look around.
            await asyncio.sleep(0.6)
            await passes(clients, game, frame)
            assert await clients[0].call("p2p_session_metrics", metrics(game, 0, frame, {"at": by})) == {"status": "ok"}
        ours = await clients[0].call("pycore_ping", {})
        assert abs(ours["time_ms"] / 1000 - time.time()) < 60, "the clock is right again"
        steps.write_text("+1d", "ascii")
        theirs = await clients[0].call("pycore_ping", {})
        assert theirs["time_ms"] / 1000 - time.time() > 80_000, "it is this clock that was set"
        for client in clients:
            assert not [event for event, _ in client.events if event in ("end_game", "player_gone", "pycore_error")]
            await client.close()
        return game

    fake = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(steps), "FAKETIME_NO_CACHE": "1"}
    with process(tmp_path, **fake, FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1") as url:
        game = asyncio.run(go(url))
    assert len(stored(tmp_path, game)) >= 5


def test_whoever_takes_all_open_files_takes_none_from_a_game_that_runs(tmp_path: Path) -> None:
    """A process that may have 200: those who come too many are turned away, the game's inputs and stores go on, and
    there is room again when they have gone."""

    async def go(url: str) -> None:
        clients, game = await begins(url)
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        others = []
        for frame in range(6):
            for _ in range(50):
                with contextlib.suppress(OSError):
                    others.append(socket.create_connection((host, int(port)), timeout=5))
            began = time.monotonic()
            await passes(clients, game, frame)
            assert await clients[0].call("pycore_records", record(game, 0, frame, 0, 1, "x")) == {"status": "ok"}
            assert time.monotonic() - began < PATIENCE_S / 6
        assert len(others) > 250
        for other in others:
            other.close()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            late = Client(url)
            try:
                await late.connect()
                break
            except Exception:
                assert time.monotonic() < deadline, "there is no room again"
                await asyncio.sleep(0.2)
        for client in (*clients, late):
            await client.close()

    with process(tmp_path, limits=(200, 200)) as url:
        asyncio.run(go(url))
    log = (tmp_path / "relay.log").read_text()
    assert "Traceback" not in log, log[-2000:]


@pytest.mark.long
def test_a_database_that_is_another_ones_for_a_minute_costs_no_input_and_nothing_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    """Stores are refused by name meanwhile, and taken when they come again; inputs cross all the time."""

    async def go(url: str) -> tuple[str, int]:
        clients, game = await begins(url)
        assert await clients[0].call("p2p_session_metrics", metrics(game, 0, 0, {})) == {"status": "ok"}
        codes = set()
        with contextlib.closing(sqlite3.connect(tmp_path / "study.db", isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            began, frame = time.monotonic(), 0
            while time.monotonic() - began < 60:
                sent = time.monotonic()
                await passes(clients, game, frame)
                assert time.monotonic() - sent < 2.0
                codes.add((await clients[0].call("p2p_session_metrics", metrics(game, 0, 1, {}))).get("code"))
                frame += 1
                await asyncio.sleep(0.5)
            lock.execute("ROLLBACK")
        assert codes == {"store_failed"}
        deadline = time.monotonic() + PATIENCE_S
        while (await clients[0].call("p2p_session_metrics", metrics(game, 0, 1, {})))["status"] != "ok":
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
        for client in clients:
            await client.close()
        return game, frame

    with process(tmp_path) as url:
        game, frames = asyncio.run(go(url))
    assert frames > 20
    assert len(stored(tmp_path, game)) == 2
