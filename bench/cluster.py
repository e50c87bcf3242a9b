"""`build.py bench --cluster`: several processes as one server, with a real PostgreSQL and a real NATS.

What a process more brings, what the way over another process costs, what is lost when the broker is killed and begins
again, and how long a game stands when the process that has it is killed. Everything is by the server; the players are
bare sockets (`relay_load`), spread over the processes, all on this machine: with two processors, three relays, a
database and a broker share what one relay has alone.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.relay import P99_MS, RECONNECT_S, Player, connected
from bench.relay_load import RATE
from bench.rows import Row, row
from tools.balancer import Process, Server
from tools.paths import ROOT
from tools.process import Failed, say

FIRST: Final = 10
MOST: Final = 600
STEP: Final = 1.5
SECONDS: Final = 4.0
GAMES: Final = 5
"""Of which one process is the owner when it is killed."""
PATIENCE_S: Final = 30.0


def load(relays: Sequence[Process], games: int, seconds: float = SECONDS) -> dict[str, Any]:
    """So many games, their sockets spread over processes."""
    urls = ",".join(relay.url for relay in relays)
    command = [sys.executable, "-m", "bench.relay_load", urls, str(games), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 180)
    if done.returncode:
        raise Failed(f"the players of {games} games failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def carries(relays: Sequence[Process], games: int) -> bool:
    """Whether so many games have their inputs in time; one of two tries is enough."""
    for _ in range(2):
        found = load(relays, games)
        came, late = f"{found['delivered']} of {found['sent']}", f"p99 {found['p99_ms']:.0f} ms"
        say(f"{len(relays)} processes, {games} games: {came}, {late}")
        if found["delivered"] >= 0.98 * found["sent"] and found["p99_ms"] <= P99_MS:
            return True
    return False


def capacity(relays: Sequence[Process]) -> int:
    """The largest number of games of a coarse search."""
    good, games = 0, FIRST
    while games <= MOST and carries(relays, games):
        good, games = games, round(games * STEP)
    return good


def other_node(server: Server) -> list[Row]:
    """How late an input is whose sender is at the game's process, or its receiver, and the other one is not."""
    far, near = load(server.relays[:2], 1, 8.0), load(server.relays[:1], 1, 8.0)
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
    return count - len({due for due, _ in taken})


async def _owner_killed(server: Server) -> tuple[float, int]:
    """The longest pause of the games of a process that is killed, and how many of them did not go on."""
    everything: list[list[tuple[int, int]]] = [[] for _ in range(GAMES)]
    games = [await _pair(server, number, taken) for number, taken in enumerate(everything)]
    await asyncio.sleep(2.0)  # a game that lasts for less may not be written down
    owner = await asyncio.to_thread(busiest, server)
    side = server.relays.index(owner)
    for taken in everything:
        taken.clear()
    owner.kill()
    gone = time.monotonic()
    for players in games:
        was = players[side]
        players[side] = await _again(server.relays[2], was)
    pauses: dict[int, float] = {}
    while len(pauses) < GAMES and time.monotonic() < gone + PATIENCE_S:
        for number, players in enumerate(games):
            for player in players:
                player.act(number, False)
            if everything[number]:
                pauses.setdefault(number, time.monotonic() - gone)
        await asyncio.sleep(1 / RATE)
    return 1000 * max(pauses.values(), default=PATIENCE_S), GAMES - len(pauses)


def busiest(server: Server) -> Process:
    """The process with most games: of pairs with a socket at each of two, the one that pairs."""
    return max(server.relays, key=Process.playing)


async def _again(relay: Process, was: Player) -> Player:
    """The page whose socket ended connects to another process."""
    await asyncio.sleep(RECONNECT_S)
    player = await connected(relay.url, was.session, was.taken, False)
    player.game = was.game
    player.prepare()
    return player


def limit(name: str) -> tuple[str, str]:
    """The option that lifts a limit: the players of many games are one process here."""
    return "--limit", f"{name}=1000000"


def measure() -> list[Row]:
    """All of it."""
    words = [word for name in ("other", "input") for end in ("rate", "burst") for word in limit(f"{name}_{end}")]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        with Server(Path(folder) / "one", relays=1, balanced=False, bus=False, words=words) as server:
            one = capacity(server.relays)
        with Server(Path(folder) / "three", relays=3, balanced=False, words=words) as server:
            rows += other_node(server)
            three = capacity(server.relays)
            rows += [row("relay.cluster.games", three, "games"), row("relay.cluster.one.games", one, "games")]
            rows.append(row("relay.bus_restart.lost", asyncio.run(_bus_restarts(server)), "inputs", 0.0))
            pause, lost = asyncio.run(_owner_killed(server))
            rows.append(row("relay.owner_killed.pause_ms", pause, "ms"))
            rows.append(row("relay.owner_killed.games_lost", lost, "games", 0.0))
    return rows
