"""A stranger does what strangers do, and a game beside goes on: its inputs come in time, all of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attacks import ATTACKS
from lateness import Lateness, ahead
from relay_support import Client, action

SECONDS = 4.0
IN_TIME_MS = 50.0
HERE = Path(__file__).parent
ROOT = str(HERE.parents[2])


@contextlib.contextmanager
def process(folder: Path, *words: str, files: int | None = None) -> Iterator[tuple[str, Lateness]]:
    """A relay in a process of its own; what attacks it is in another, so that each has its own interpreter. `files`:
    how many the process may open."""

    def bounded() -> None:
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    with (folder / "log").open("wb") as log:
        begun = subprocess.Popen(
            [sys.executable, "-m", "pycore", "relay", "--port", "0", "--limit", "silent_s=1", *words], cwd=folder,
            env={"PYTHONPATH": ROOT}, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=bounded,
        )  # fmt: skip
    try:
        assert begun.stdout is not None
        first = begun.stdout.readline()
        assert first.startswith("pycore relay on "), (folder / "log").read_text()
        yield first.split(" on ")[1].strip(), Lateness(begun.pid)
        assert begun.poll() is None, "it ended"
    finally:
        begun.kill()
        begun.communicate()


@contextlib.contextmanager
def attacked(name: str, url: str, seconds: float) -> Iterator[list[dict[str, Any]]]:
    """For as long as the block lasts, and what the attack says of itself behind it."""
    told: list[dict[str, Any]] = []
    begun = subprocess.Popen(
        [sys.executable, str(HERE / "attacks.py"), name, url, str(seconds)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield told
        told.append(json.loads(begun.communicate(timeout=60)[0]))
    finally:
        begun.kill()
        begun.communicate()


async def played(one: Client, two: Client, game: str, seconds: float, lateness: Lateness) -> list[float]:
    """Thirty inputs a second; how late each is with the partner, ms."""
    sent: dict[int, tuple[float, float]] = {}
    late: list[float] = []

    async def reads() -> None:
        while True:
            data = await two.get("pyodide_other_player_action")
            late.append(1000 * lateness.since(sent[data["frame_number"]]))

    reading = asyncio.create_task(reads())
    begin = time.monotonic()
    try:
        for number in range(round(30 * seconds)):
            await asyncio.sleep(max(0.0, begin + number / 30 - time.monotonic()))
            sent[number] = lateness.now()
            await one.emit("pyodide_player_action", action(game, 0, 1, number))
        deadline = time.monotonic() + 5.0
        while len(late) < len(sent) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert len(late) == len(sent), f"{len(sent) - len(late)} inputs are lost"
    return late


async def honest(url: str) -> tuple[Client, Client, str]:
    one, two = await Client(url).connect(), await Client(url).connect()
    await one.call("join_game", {"session_id": "one"})
    await two.call("join_game", {"session_id": "two"})
    return one, two, (await two.get("start_game"))["game_id"]


def p95(late: list[float]) -> float:
    return statistics.quantiles(late, n=20)[-1]


CUT_OFF = ("fragments", "pings", "events", "empty_frames", "huge")
"""Attacks whose connections are closed for it; of the others one hears only now and then."""


EVERY_RUN = ("events", "huge", "silent", "joins", "paths")
"""One of each kind of attack: on the connection, by large and by many messages, by words, by asking for files. The
others do the like in another way, and are in the part `examples` of `build.py test --all`."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in EVERY_RUN else pytest.mark.long) for name in ATTACKS]
)
def test_a_game_beside_it_has_its_inputs_in_time(tmp_path: Path, name: str) -> None:
    """Of a game that takes a millisecond alone. Everything is logged that a study's server logs; the files of the site
    are those of the folder in which the database lies, too."""

    async def go(url: str, lateness: Lateness) -> tuple[list[float], dict[str, Any]]:
        one, two, game = await honest(url)
        told: list[dict[str, Any]]
        with attacked(name, url, SECONDS + 2.0) as told:
            await asyncio.sleep(1.0)
            with ahead(lateness.pid):
                late = await played(one, two, game, SECONDS, lateness)
        await one.close()
        await two.close()
        return late, told[0]

    with process(tmp_path, "--log-level", "info", "--site", ".") as (url, lateness):
        late, told = asyncio.run(go(url, lateness))
    print(f"{name}: p50 {statistics.median(late):.1f} p95 {p95(late):.1f} longest {max(late):.1f} ms, {told}")
    assert p95(late) < IN_TIME_MS, (sorted(late)[-20:], told)
    assert max(told.values()) > 1, "nothing was attacked"
    if name in CUT_OFF:
        assert told["closed"] > 0, told
    if name == "paths":
        assert told.keys().isdisjoint({"200", "206", "304", "500"}), told
    log = (tmp_path / "log").read_bytes()
    assert len(log) < 100_000, log[:1000]
    assert b"Traceback" not in log, log[:3000]
    assert all(line.isprintable() for line in log.decode().split("\n")), "control characters reach the terminal"


@pytest.mark.slow
def test_a_process_with_few_open_files_plays_on_when_they_are_taken(tmp_path: Path) -> None:
    """It says so when it starts; connections that are too many are closed, and no log fills the disk."""

    async def go(url: str, lateness: Lateness) -> None:
        one, two, game = await honest(url)
        with attacked("silent", url, 5.0) as told:
            await asyncio.sleep(1.5)
            await played(one, two, game, 3.0, lateness)
        assert told[0]["failed"] > 0 or told[0]["left"] < told[0]["opened"]
        # And who comes afterwards is let in.
        three = await Client(url).connect()
        assert (await three.call("pycore_ping", {}))["status"] == "ok"
        for client in (one, two, three):
            await client.close()

    with process(tmp_path, "--limit", "silent_s=60", files=256) as (url, lateness):
        asyncio.run(go(url, lateness))
    log = (tmp_path / "log").read_text()
    assert "this process may have 128 connections, not" in log
    assert len(log) < 20_000


@pytest.mark.slow
def test_the_limit_of_open_files_is_raised_as_far_as_the_system_lets_it(tmp_path: Path) -> None:
    code = (
        "import resource; from pycore.relay.transport.descriptors import allowed; "
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard)); "
        "print(allowed(500), resource.getrlimit(resource.RLIMIT_NOFILE)[0]); "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300)); print(allowed(500)); print(allowed(10))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["500", "628", "172", "10"]
