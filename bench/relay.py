"""`build.py bench --relay`: what one process of the relay carries, what more does to it, a restart, memory.

The relay runs as it is run, in a process of its own; the players are bare sockets in another (`relay_load`). Where
there are two processors, each has one. Everything is by the server: 30 inputs a second of each player, games of two.

The capacity is the largest number of games of which 99 of 100 inputs are with the partner within 50 ms of when they
were due. It is found from below; a level that fails is tried once more, since other programs disturb one. Then twice
as many play: what of the capacity gets through, and how late that is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench import against
from bench.relay_load import RATE, Player
from bench.rows import Row, row
from tools.paths import ROOT
from tools.process import Failed, say

P99_MS: Final = 50.0
FIRST: Final = 20
"""Games with which the search begins, and of which the cost of an event is taken."""
MOST: Final = 1200
STEP: Final = 1.6
NARROWED: Final = 1.1
"""How close the level that passes and the one that fails are in the end."""
SECONDS: Final = 3.0
OVERLOADED_S: Final = 6.0
GAMES: Final = 5000
RECONNECT_S: Final = 0.5
"""What a page waits before it connects again."""
START_S: Final = 30.0
PATIENT: Final = tuple(
    word for name in ("other", "input") for end in ("rate", "burst") for word in ("--limit", f"{name}_{end}=1000000")
)


class Relay:
    """A server in a process: `command` prints its address in its first line."""

    def __init__(self, command: Sequence[str], folder: Path, where: Path = ROOT) -> None:
        self._command = command
        self._log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._where = where
        self.url = ""

    def start(self) -> None:
        """Begin; returns when it serves."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, cwd=self._where, stdout=log, stderr=subprocess.STDOUT)
        if len(cores := sorted(os.sched_getaffinity(0))) > 1:
            os.sched_setaffinity(self._process.pid, cores[:1])
        deadline = time.monotonic() + START_S
        while " on http" not in (said := self._log.read_text("utf-8", "replace")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the server did not start:\n{said[-2000:]}")
            time.sleep(0.02)
        self.url = said.split(" on ")[1].split()[0]

    def stop(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def megabytes(self) -> float:
        """What it has in memory."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextlib.contextmanager
def served(where: Path = ROOT, *words: str, port: int = 0, database: Path | None = None) -> Iterator[Relay]:
    """The relay of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{database or Path(folder) / 'data.db'}"
        command = [sys.executable, "-m", "pycore", "relay", "--port", str(port), "--database", url, *words]
        relay = Relay(command, Path(folder), where)
        try:
            relay.start()
            yield relay
        finally:
            relay.stop()


@contextlib.contextmanager
def bare() -> Iterator[Relay]:
    """python-socketio alone."""
    with tempfile.TemporaryDirectory() as folder:
        relay = Relay([sys.executable, "-m", "bench.relay_bare"], Path(folder))
        try:
            relay.start()
            yield relay
        finally:
            relay.stop()


def load(relay: Relay, games: int, seconds: float = SECONDS, *words: str) -> dict[str, Any]:
    """So many games, for so long; what the players saw, and what an event cost the server."""
    command = [
        sys.executable, "-m", "bench.relay_load", relay.url, str(games), str(seconds), "--pid", str(relay.pid), *words
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as players:
        if len(cores := sorted(os.sched_getaffinity(0))) > 1:
            os.sched_setaffinity(players.pid, cores[1:])
        try:
            said, told = players.communicate(timeout=seconds + 120)
        except subprocess.TimeoutExpired:
            players.kill()
            raise Failed(f"{games} games did not come to an end") from None
    if players.returncode != 0:
        raise Failed(f"the players of {games} games failed:\n{told[-2000:]}")
    found: dict[str, Any] = json.loads(said)
    return found


def carries(where: Path, games: int, *words: str) -> bool:
    """Whether so many games have their inputs in time; one of two tries is enough."""
    for _ in range(2):
        with served(where) as relay:
            found = load(relay, games, SECONDS, *words)
        whole = found["delivered"] >= 0.98 * found["sent"]
        said = f"{games} games: {found['delivered']} of {found['sent']}, p99 {found['p99_ms']:.0f} ms"
        say(said if where == ROOT else f"{said} ({where.name})")
        if whole and found["p99_ms"] <= P99_MS:
            return True
    return False


def capacity(where: Path = ROOT, *words: str) -> int:
    """The largest number of games that a relay carries."""
    return largest(lambda games: carries(where, games, *words))


def largest(carried: Callable[[int], bool], narrowed: float = NARROWED) -> int:
    """The largest number of games that is carried, up to `MOST`."""
    good, games = 0, 2 * FIRST
    while games <= MOST and carried(games):
        good, games = games, round(games * STEP)
    bad = games
    while bad / max(good, 1) > narrowed and bad - good > 1:
        games = (good + bad) // 2
        if carried(games):
            good = games
        else:
            bad = games
    return good


def events() -> list[Row]:
    """What passing an input on costs, and what python-socketio alone needs for that."""
    ours, theirs = [], []
    for _ in range(3):
        with served() as relay:
            ours.append(load(relay, FIRST)["us"])
        with bare() as server:
            theirs.append(load(server, FIRST)["us"])
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    return [
        row("relay.event.us", sorted(ours)[1], "µs"),
        row("relay.event.bare.us", sorted(theirs)[1], "µs"),
        row("relay.event.ratio", ratios[1], "ratio", 1.0),
    ]


def overloaded(games: int) -> list[Row]:
    """Twice as many as it carries."""
    with served() as relay:
        found = load(relay, 2 * games, OVERLOADED_S)
    per_s = found["delivered"] / OVERLOADED_S
    return [
        {**row("relay.overload2.delivered", per_s / (2 * games * RATE), "share", 0.9), "at_least": True},
        row("relay.overload2.p99_ms", found["p99_ms"], "ms", 1000.0),
    ]


async def connected(url: str, session: str, taken: list[tuple[int, int]], join: bool) -> Player:
    """One player's socket."""
    host = url.split("//")[1].strip("/")
    name, port = host.rsplit(":", 1)
    loop = asyncio.get_running_loop()
    _, player = await loop.create_connection(lambda: Player(host, session, taken, join=join), name, int(port))
    await asyncio.wait_for(player.connected, 10)
    return player


async def _pause(relay: Relay) -> float:
    taken: list[tuple[int, int]] = []
    players = [await connected(relay.url, f"player {number}", taken, True) for number in range(2)]
    for player in players:
        await asyncio.wait_for(player.started, 10)
        player.prepare()
    said = [(player.head, player.game) for player in players]
    players[0].act(1, False)
    while not taken:
        await asyncio.sleep(0.01)
    taken.clear()
    relay.stop()
    gone = time.monotonic()
    again = asyncio.create_task(asyncio.to_thread(relay.start))
    players = []
    for number, (head, game) in enumerate(said):
        while True:
            try:
                player = await connected(relay.url, f"player {number}", taken, False)
                break
            except (OSError, TimeoutError):
                await asyncio.sleep(RECONNECT_S)
        player.head, player.game = head, game
        players.append(player)
    while not taken:
        players[0].act(2, False)
        await asyncio.sleep(1 / RATE)
    await again
    return 1000 * (time.monotonic() - gone)


def restarted() -> list[Row]:
    """A server that is killed in mid-game and started again: from then until an input is with the partner."""
    pauses = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            from pycore.rehearsal.serving import free_port

            with served(ROOT, port=free_port(), database=Path(folder) / "kept.db") as relay:
                pauses.append(asyncio.run(_pause(relay)))
    return [row("relay.restart.pause_ms", sorted(pauses)[1], "ms")]


async def _games(relay: Relay, count: int) -> None:
    taken: list[tuple[int, int]] = []
    players = [await connected(relay.url, f"player {number}", taken, False) for number in range(2)]
    loop = asyncio.get_running_loop()
    for number in range(count):
        for each, player in enumerate(players):
            player.started = loop.create_future()
            player.say("join_game", {"session_id": f"game {number} player {each}"})
        for player in players:
            await asyncio.wait_for(player.started, 10)
            player.prepare()
            player.act(number, False)
        for player in players:
            player.say("leave_game", {})


def memory() -> list[Row]:
    """After so many games, one after another."""
    with served(ROOT, *PATIENT) as relay:
        before = relay.megabytes
        asyncio.run(_games(relay, GAMES))
        return [row("relay.memory.mb", relay.megabytes, "MB"), row("relay.memory.start.mb", before, "MB")]


def measure(revision: str | None = None) -> list[Row]:
    """All of it; with a `revision` how many games that one carries, too."""
    rows = events()
    games = capacity()
    rows.append(row("relay.capacity.games", games, "games"))
    rows.append(row("relay.capacity.pages", capacity(ROOT, "--signals"), "games"))
    if revision is not None:
        with against.checked_out(revision) as folder:
            then = capacity(folder)
        rows.append(row("relay.capacity.before.games", then, "games"))
        rows.append({**row("relay.capacity.ratio", games / max(1, then), "ratio", 2.5), "at_least": True})
    return rows + overloaded(games) + restarted() + memory()
