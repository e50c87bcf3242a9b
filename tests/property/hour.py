"""An hour of play in virtual time: nothing grows but what is recorded, and no tick costs more at its end.

    python -m tests.property.hour --players 2 8 --minutes 60

A session remembers what it will report: every misprediction, as packed columns (`RECORDED` bytes each at most). All
else of it is of bounded size, and so is what a tick costs. What was published is the sinks', and not counted. Exit
status 1 if something grows.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import time
import types
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from pycore.session.session import Session
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk
from pycore.testing.pages import Page
from pycore.testing.published import Record

RECORDED = 48
"""Bytes of a misprediction: 40 as it is kept, and a fifth for columns that grow before they are full."""
SPARE = 64_000
"""Bytes by which a session may differ from one moment to another: rings, backlogs, what happens to be under way."""
DEARER = 1.3
"""By how much the cheapest minute of the last third may cost more than that of the first: machines are not quiet, and
what grows makes every later minute dearer."""
SLICES = 12
"""Into how many parts a minute is cut, between which the machine's own speed is measured."""
LEFT_OUT = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, Page, Record)


class Moment(NamedTuple):
    """What one minute came to."""

    minute: int
    largest: int
    """Bytes of the largest session."""
    events: int
    """Mispredictions of that session."""
    tick_us: float
    """Processor time of a page's tick, with the network's share in it, at the speed of the first minute."""


def weight(session: Session) -> int:
    """Bytes of everything that a session holds, code and its sinks left out."""
    counted: set[int] = set()
    waiting: list[Any] = [session]
    total = 0
    while waiting:
        for found in gc.get_referents(waiting.pop()):
            if id(found) not in counted and not isinstance(found, LEFT_OUT):
                counted.add(id(found))
                total += sys.getsizeof(found)
                waiting.append(found)
    return total


def mesh_of(players: int, minutes: int) -> Mesh:
    """Players who hold keys for a while, over a way with 100 ms there and back, jitter and losses."""
    settings = Settings(max_steps=minutes * 1800, action_space={"type": "discrete", "n": 6})
    rng = random.Random(5)
    keys = [[key for _ in range(300) for key in [rng.randrange(6)] * rng.randrange(2, 15)] for _ in range(players)]
    return Mesh(
        players, settings, lambda seat: Walk(players, seed=1), lambda seat: lambda _, frame: keys[seat][frame % 599],
        Conditions(delay=0.05, jitter=0.02, loss=0.02), seed=9,
    )  # fmt: skip


def yardstick() -> float:
    """Processor time of the same work each time: a machine may become slower by half from one second to the next."""
    begun = time.process_time()
    for _ in range(10):
        gathered = {number: (number, number + 1) for number in range(2000)}
        sum(first for first, _ in gathered.values())
    return time.process_time() - begun


def play(players: int, minutes: int) -> list[Moment]:
    """Play so long, and look once a minute; what a tick costs is measured in turns with the yardstick."""
    mesh = mesh_of(players, minutes)
    moments: list[Moment] = []
    speed = 0.0
    for minute in range(minutes):
        before = sum(page.session.frame for page in mesh.peers)
        yards, shares = [yardstick()], []
        for part in range(SLICES):
            begun = time.process_time()
            mesh.run(60.0 * (minute + (part + 1) / SLICES))
            spent = time.process_time() - begun
            yards.append(yardstick())
            shares.append(spent / min(yards[-2:]))
        ticks = sum(page.session.frame for page in mesh.peers) - before
        speed = speed or median(yards)
        largest, events = max((weight(page.session), page.session.timeline.events.count) for page in mesh.peers)
        # The median of the parts: the machine may have been taken away in some, from the yardstick or from the game.
        moments.append(Moment(minute + 1, largest, events, 1e6 * SLICES / max(1, ticks) * median(shares) * speed))
        for page in mesh.peers:
            # What the sinks hold is theirs, and would only fill this machine.
            page.rewards[0] = page.rewards[0][:0] + [None] * len(page.rewards[0])
    return moments


def grown(moments: list[Moment]) -> list[str]:
    """What grew that must not: of the minutes behind the first one, in which rings and columns are made."""
    if len(moments) < 4:
        raise ValueError(f"{len(moments)} minutes say nothing; at least 4 do")
    first, last = moments[1], moments[-1]
    found = []
    allowed = RECORDED * (last.events - first.events) + SPARE
    if last.largest - first.largest > allowed:
        found.append(f"a session grew by {last.largest - first.largest} bytes, {allowed} are what it records")
    third = max(2, len(moments) // 3)
    early, late = (min(of.tick_us for of in part) for part in (moments[:third], moments[-third:]))
    if late > DEARER * early:
        found.append(f"a tick takes {late:.0f} µs at the end, {early:.0f} µs at the beginning")
    return found


def main(argv: list[str] | None = None) -> int:
    """Play, report, and say whether anything grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.hour", description=__doc__)
    parser.add_argument("--players", type=int, nargs="+", default=[2, 8], metavar="N", help="one game after the other")
    parser.add_argument("--minutes", type=int, default=60, metavar="N")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write what happened there")
    given = parser.parse_args(argv)
    figures = {f"of_{players}": figures_of(players, given.minutes) for players in given.players}
    if given.json is not None:
        given.json.write_text(json.dumps(figures) + "\n", "utf-8")
    return 1 if any(of["grown"] for of in figures.values()) else 0


def figures_of(players: int, minutes: int) -> dict[str, float]:
    """Play with so many, and say what came of it."""
    begun = time.monotonic()
    moments = play(players, minutes)
    found = grown(moments)
    first, last = moments[1], moments[-1]
    figures = {
        "minutes": minutes,
        "kB_at_first": round(first.largest / 1000, 1),
        "kB_at_last": round(last.largest / 1000, 1),
        "mispredictions": last.events,
        "tick_us_at_first": round(first.tick_us, 1),
        "tick_us_at_last": round(last.tick_us, 1),
        "grown": len(found),
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(f"{players} players: " + "  ".join(f"{name} {value}" for name, value in figures.items()), flush=True)
    for text in found:
        print(text)
    return figures


if __name__ == "__main__":
    sys.exit(main())
