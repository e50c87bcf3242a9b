"""What may happen to a server while two play by it: both come to the end with one record, and that is stored whole."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from played_support import Player, aside, complete_and_equal, played, until
from test_relay_machine import clock

from tools.balancer import TOKEN, Process
from tools.postgres import Postgres

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set as Linux has it"),
]
resource = pytest.importorskip("resource", reason="limits of another process are set as Linux has it")

Fault = Callable[[Process, list[Player], Path], Coroutine[Any, Any, None]]
LASTS_S = 3.0


class Clocked(Process):
    """A process whose clock is set by what stands in a file."""

    def environment(self) -> Mapping[str, str] | None:
        """With the library that sets it."""
        faked = {"LD_PRELOAD": str(clock()), "FAKETIME_TIMESTAMP_FILE": str(self.folder.parent / "steps")}
        still = {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
        environment = {**(super().environment() or {}), **faked, **still}
        sleeps = [sys.executable, "-c", "import time; time.sleep(0.01)"]
        if subprocess.run(sleeps, env={**os.environ, **environment}, capture_output=True).returncode != 0:
            pytest.skip("with this kernel and this libfaketime no process can sleep, so none can be a server")
        return environment


@contextlib.contextmanager
def bounded(relay: Process, what: int, most: int) -> Iterator[None]:
    """The process has a limit."""
    before = resource.prlimit(relay.pid, what)
    resource.prlimit(relay.pid, what, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(relay.pid, what, before)


async def stores_were_refused(players: list[Player]) -> None:
    """It lasts until a store of each was refused, and for a while at least."""
    await asyncio.sleep(LASTS_S)
    await until(lambda: all(player.refused for player in players))


async def it_is_killed_and_begins_again(relay: Process, players: list[Player], folder: Path) -> None:
    relay.kill()
    await asyncio.sleep(1.0)
    await aside(relay.start)


async def no_file_can_grow(relay: Process, players: list[Player], folder: Path) -> None:
    """As on a disk that is full."""
    with bounded(relay, resource.RLIMIT_FSIZE, 0):
        await stores_were_refused(players)


async def no_file_can_be_opened(relay: Process, players: list[Player], folder: Path) -> None:
    assert await asyncio.to_thread(relay.answers)
    with bounded(relay, resource.RLIMIT_NOFILE, 3):
        await asyncio.sleep(LASTS_S)
        assert not await asyncio.to_thread(relay.answers), "it may still open a connection"


async def the_database_is_another_ones(relay: Process, players: list[Player], folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "study.db", isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        await stores_were_refused(players)
        lock.execute("ROLLBACK")


async def the_clock_is_set_forwards_and_back(relay: Process, players: list[Player], folder: Path) -> None:
    for step in ("+1d", "-1h", "+30d", "+0"):
        (folder / "steps").write_text(step, "ascii")
        await asyncio.sleep(1.0)


@pytest.mark.parametrize(
    ("fault", "refused"),
    [
        (it_is_killed_and_begins_again, set()),
        pytest.param(no_file_can_grow, {"store_failed"}, marks=pytest.mark.long),
        pytest.param(no_file_can_be_opened, set(), marks=pytest.mark.long),
        pytest.param(the_database_is_another_ones, {"store_failed"}, marks=pytest.mark.long),
        pytest.param(the_clock_is_set_forwards_and_back, set(), marks=pytest.mark.long),
    ],
)
def test_a_game_by_the_server_outlives_what_happens_to_it(tmp_path: Path, fault: Fault, refused: set[str]) -> None:
    """One process with a file. Where a store cannot be taken it is refused by name, and taken when it comes again."""
    (tmp_path / "steps").write_text("+0", "ascii")
    database = f"sqlite:///{tmp_path / 'study.db'}?timeout=0.2"
    kind = Clocked if fault is the_clock_is_set_forwards_and_back else Process
    with kind("relay", tmp_path / "relay", ["--database", database, "--operator-token", TOKEN]) as relay:

        async def happens(players: list[Player]) -> None:
            await fault(relay, players, tmp_path)

        players = asyncio.run(played([relay.url], database, happens))
    lost = fault is it_is_killed_and_begins_again
    assert [player.connections for player in players] == [int(lost)] * 2
    assert set().union(*[player.refused for player in players]) == refused
    complete_and_equal(players, database, tmp_path)


@pytest.mark.long
def test_a_game_outlives_its_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    """Killed and started again."""
    database = postgres.database()
    with Process("relay", tmp_path / "relay", ["--database", database, "--operator-token", TOKEN]) as relay:

        async def happens(players: list[Player]) -> None:
            await aside(postgres.kill)
            await stores_were_refused(players)
            await aside(postgres.start)

        players = asyncio.run(played([relay.url], database, happens))
    assert [player.connections for player in players] == [0, 0]
    assert set().union(*[player.refused for player in players]) == {"store_failed"}
    complete_and_equal(players, database, tmp_path)
