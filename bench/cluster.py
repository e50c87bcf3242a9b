"""`build.py bench --cluster`: several processes as one server, with a real PostgreSQL and a real NATS.

What a process more brings, what the way over another process costs, what is lost when the broker is killed and begins
again, and how long a game stands when the process that has it is killed. Everything is by the server; the players are
bare sockets (`relay_load`), spread over the processes, all on this machine.

So the figures say little of three machines: here three relays, a database, a broker and all players share the
processors that one relay and its players have alone. What limits is said with them, the share of the processors in use
at the last level that passed; and what passing an input on costs all processes together, which is what a machine more
would have to carry.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from bench.relay import FIRST, P99_MS, PATIENT, RECONNECT_S, connected, largest
from bench.relay_load import RATE, Player
from bench.rows import Row, row
from pycore.relay.storage.store import DataStore
from pycore.relay.storage.tables import leases
from tools.balancer import Process, Server
from tools.paths import ROOT
from tools.process import Failed, say

SECONDS: Final = 4.0
NARROWED: Final = 1.25
"""How close the level that passes and the one that fails are in the end."""
GAMES: Final = 5
"""Of which one process is the owner when it is killed."""
PATIENCE_S: Final = 30.0
WORDS: Final = (*PATIENT, "--drain-s", "0")
"""The players of many games are one process here, and processes that are begun again wait for no games."""


def load(server: Server, relays: Sequence[Process], games: int, seconds: float = SECONDS) -> dict[str, Any]:
    """So many games, their sockets spread over processes; what the players saw, what an input cost all processes
    together, µs, and the share of the machine's processors that was in use."""
    urls = ",".join(relay.url for relay in relays)
    command = [sys.executable, "-m", "bench.relay_load", urls, str(games), str(seconds)]
    for process in (*server.relays, *([server.nats] if len(server.relays) > 1 else [])):
        command += ["--pid", str(process.pid)]
    before = processors()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 180)
    except subprocess.TimeoutExpired:
        raise Failed(f"{games} games did not come to an end") from None
    if done.returncode:
        raise Failed(f"the players of {games} games failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    used, whole = (after - then for after, then in zip(processors(), before, strict=True))
    return {**found, "busy": used / whole}


def processors() -> tuple[float, float]:
    """What all processors have done since the machine began, and what they could have done."""
    counts = [int(each) for each in Path("/proc/stat").read_text("ascii").splitlines()[0].split()[1:9]]
    return sum(counts) - counts[3] - counts[4], sum(counts)


class Level:
    """The levels that a server is tried at."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.busy = 0.0
        """At the last level that passed."""

    def carried(self, games: int) -> bool:
        """Whether so many games have their inputs in time; one of two tries is enough."""
        for _ in range(2):
            self._server.renew()
            found = load(self._server, self._server.relays, games)
            came, late = f"{found['delivered']} of {found['sent']}", f"p99 {found['p99_ms']:.0f} ms"
            begun = "" if found["begun"] == games else f", {found['begun']} of them began"
            used = f"{100 * found['busy']:.0f} % of the processors"
            say(f"{len(self._server.relays)} processes, {games} games{begun}: {came}, {late}, {used}")
            if found["delivered"] >= 0.98 * found["sent"] and found["p99_ms"] <= P99_MS:
                self.busy = found["busy"]
                return True
        return False


def capacity(server: Server, name: str) -> list[Row]:
    """How many games it carries, what was in use then, and what an input costs it, of few games."""
    level = Level(server)
    games = largest(level.carried, NARROWED)
    server.renew()
    return [
        row(f"{name}.games", games, "games"),
        row(f"{name}.busy", level.busy, "share"),
        row(f"{name}.event.us", load(server, server.relays, FIRST)["us"], "µs"),
    ]


def other_node(server: Server) -> list[Row]:
    """How late an input is whose sender is at the game's process, or its receiver, and the other one is not."""
    far, near = load(server, server.relays[:2], 1, 8.0), load(server, server.relays[:1], 1, 8.0)
    return [
        row("relay.cluster.other_node_ms.p50", far["p50_ms"], "ms"),
        row("relay.cluster.other_node_ms.p95", far["p95_ms"], "ms"),
        row("relay.cluster.same_node_ms.p50", near["p50_ms"], "ms"),
        row("relay.cluster.same_node_ms.p95", near["p95_ms"], "ms"),
    ]


async def _pair(server: Server, number: int, taken: list[tuple[int, int]]) -> list[Player]:
    players = [
        await connected(relay.url, f"pair {time.monotonic_ns()} {number} {side}", taken, True)
        for side, relay in enumerate(server.relays[:2])
    ]
    for player in players:
        await asyncio.wait_for(player.started, PATIENCE_S)
        player.prepare()
    return players


async def _bus_restarts(server: Server) -> int:
    taken: list[tuple[int, int]] = []
    players = await _pair(server, 0, taken)
    count = 6 * RATE
    for number in range(count):
        players[0].act(number, False)
        if number == RATE:
            server.nats.end(signal.SIGKILL)
        if number == 3 * RATE:
            await asyncio.to_thread(server.nats.start)
        await asyncio.sleep(1 / RATE)
    deadline = time.monotonic() + 10
    while len(taken) < count and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    _leave(players)
    return count - len({due for due, _ in taken})


async def _owner_killed(server: Server) -> tuple[float, int]:
    """The longest pause of the games of a process that is killed, and how many of them did not go on."""
    everything: list[list[tuple[int, int]]] = [[] for _ in range(GAMES)]
    games = [await _pair(server, number, taken) for number, taken in enumerate(everything)]
    # What is not written down is lost with its process: a game that begins in that very moment.
    await asyncio.to_thread(_written, server, {players[0].game["game_id"] for players in games})
    side, owner = await asyncio.to_thread(_owner, server)
    for taken in everything:
        taken.clear()
    owner.kill()
    gone = time.monotonic()
    again = asyncio.gather(*(_again(server.relays[2], players[side], gone) for players in games))
    for players, back in zip(games, await again, strict=True):
        players[side] = back
    pauses: dict[int, float] = {}
    while len(pauses) < GAMES and time.monotonic() < gone + PATIENCE_S:
        for number, players in enumerate(games):
            for player in players:
                player.act(number, False)
            if everything[number]:
                pauses.setdefault(number, time.monotonic() - gone)
        await asyncio.sleep(1 / RATE)
    for players in games:
        _leave(players)
    lost = GAMES - len(pauses)
    return 1000 * (PATIENCE_S if lost else max(pauses.values())), lost


def _written(server: Server, games: set[str]) -> None:
    """Wait until the database knows these games."""
    store = DataStore(server.database, create=False)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while missing := games - {found["name"] for found in store.read(sa.select(leases.c.name))}:
            if time.monotonic() > deadline:
                raise Failed(f"{len(missing)} games were not written down within {PATIENCE_S:g} s")
            time.sleep(0.05)
    finally:
        store.close()


def _owner(server: Server) -> tuple[int, Process]:
    """The process with all games, and which of the first two it is: of pairs with a socket at each, the one that
    pairs."""
    counts = [relay.playing() for relay in server.relays]
    if GAMES not in counts[:2]:
        raise Failed(f"no process has the {GAMES} games of its own and the other one's sockets: they have {counts}")
    side = counts.index(GAMES)
    return side, server.relays[side]


async def _again(relay: Process, was: Player, gone: float) -> Player:
    """The page whose socket ended connects to another process, as often as it takes."""
    while True:
        await asyncio.sleep(RECONNECT_S)
        with contextlib.suppress(OSError, TimeoutError):
            player = await connected(relay.url, was.session, was.taken, False)
            player.game = was.game
            player.prepare()
            return player
        if time.monotonic() > gone + PATIENCE_S:
            raise Failed(f"a page could not connect to another process within {PATIENCE_S:g} s")


def _leave(players: Sequence[Player]) -> None:
    for player in players:
        player.transport.abort()


def measure() -> list[Row]:
    """All of it; a fault is tried with a server that has done nothing else."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:

        def server(name: str, relays: int) -> Server:
            return Server(Path(folder) / name, relays=relays, balanced=False, bus=relays > 1, words=WORDS)

        with server("three", 3) as three:
            rows += other_node(three)
            rows += capacity(three, "relay.cluster")
        with server("one", 1) as one:
            rows += capacity(one, "relay.cluster.one")
        with server("bus", 2) as two:
            rows.append(row("relay.bus_restart.lost", asyncio.run(_bus_restarts(two)), "inputs", 0.0))
        with server("owner", 3) as three:
            pause, lost = asyncio.run(_owner_killed(three))
            rows.append(row("relay.owner_killed.pause_ms", pause, "ms"))
            rows.append(row("relay.owner_killed.games_lost", lost, "games", 0.0))
    return rows
