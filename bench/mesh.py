"""`build.py bench --mesh`: whole meshes in virtual time, cell by cell beside published figures.

They are those of fortress-rollback, a Rust library. A cell is a number of players and a network; every player's input
changes in every frame, so that every guess about a frame that has not come is wrong. 1,000 steps of 16 ms, input delay
1, window 8, a hash every 30 frames; the one-way delay is half of the round trip, with uniform jitter on top, and every
packet is lost by itself. Everything that is sent counts, the handshake included: payloads, before UDP. Means of five
seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any, Final, NamedTuple

from bench.rows import Row, quantile, row
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Page, Walk, Watcher

STEPS: Final = 1000
STEP: Final = 0.016
SEEDS: Final = 5
WORDS: Final = 1 << 32


class Published(NamedTuple):
    """What was published of a cell: the lowest number of confirmed frames; by player and confirmed frame, bytes and
    messages; rollbacks of a hundred of these, and their depths (half of them, 99 of 100, all reach no further); lag and
    stalls as the mean of the players, the stalls of a minute; the largest lag."""

    confirmed: int
    bytes: float
    messages: float
    rollbacks: float
    lag: float
    stalls: int
    depths: tuple[int, int, int]
    lag_max: int


class Cell(NamedTuple):
    """Players, and the network between them: seconds, shares, bytes of an input."""

    name: str
    players: int
    round_trip: float
    jitter: float
    loss: float
    size: int
    published: Published


CELLS: Final = (
    Cell("2p-lan", 2, 0.010, 0.0, 0.0, 4, Published(989, 78.3, 2.20, 0.1, 1.00, 0, (1, 1, 1), 2)),
    Cell("2p-lan", 2, 0.010, 0.0, 0.0, 32, Published(989, 133.3, 2.20, 0.1, 1.00, 0, (1, 1, 1), 2)),
    Cell("2p-wifi", 2, 0.050, 0.020, 0.01, 4, Published(968, 88.6, 2.19, 66.6, 2.62, 0, (2, 4, 7), 8)),
    Cell("2p-wifi", 2, 0.050, 0.020, 0.01, 32, Published(968, 227.7, 2.19, 66.6, 2.62, 0, (2, 4, 7), 8)),
    Cell("2p-mobile", 2, 0.100, 0.020, 0.05, 4, Published(947, 101.4, 2.15, 71.1, 4.33, 15, (5, 7, 7), 8)),
    Cell("2p-mobile", 2, 0.100, 0.020, 0.05, 32, Published(947, 341.4, 2.15, 71.1, 4.33, 15, (5, 7, 7), 8)),
    Cell("4p-wifi", 4, 0.050, 0.020, 0.01, 4, Published(939, 310.3, 6.62, 97.2, 6.12, 69, (2, 4, 7), 8)),
    Cell("4p-wifi", 4, 0.050, 0.020, 0.01, 32, Published(939, 731.1, 6.62, 97.2, 6.12, 69, (2, 4, 7), 8)),
    Cell("4p-severe", 4, 0.200, 0.020, 0.15, 4, Published(309, 368.6, 7.37, 119.5, 6.69, 2064, (2, 6, 7), 8)),
    Cell("4p-severe", 4, 0.200, 0.020, 0.15, 32, Published(309, 943.1, 7.37, 119.5, 6.69, 2064, (2, 6, 7), 8)),
)


def action(player: int, frame: int, size: int) -> Any:
    """What a player does in a frame, as the published cells have it: a word, or eight."""
    word = (frame * 31 + player * 7 + 1) % WORDS
    if size == 4:
        return word
    turned = [(word << by | word >> (32 - by)) % WORDS for by in range(1, 8)]
    return [word, *((part + 17 * frame + 97 * player + 0x9E37 * by) % WORDS for by, part in enumerate(turned, 1))]


def space(size: int) -> dict[str, Any]:
    """The space of these actions."""
    return {"type": "discrete", "n": WORDS} if size == 4 else {"type": "multi_discrete", "nvec": [WORDS] * 8}


class Lag(Watcher):
    """How many frames each page is ahead of the last one of which it holds everybody's input, tick by tick."""

    def __init__(self) -> None:
        self.frames: list[int] = []

    def advanced(self, page: Page, flags: int) -> None:
        """A tick is over."""
        timeline = page.session.timeline
        if timeline.current:
            self.frames.append(timeline.current - min(timeline.frames.held))


def played(cell: Cell, seed: int) -> dict[str, float]:
    """The figures of one run, by name."""
    settings = Settings(
        fps=1 / STEP, input_delay=1, window=8, hash_interval=30, max_steps=10 * STEPS, action_space=space(cell.size)
    )
    lag = Lag()
    mesh = Mesh(
        cell.players,
        settings,
        lambda seat: Walk(cell.players, seed=1),
        lambda seat: lambda episode, frame: action(seat, frame, cell.size),
        Conditions(
            delay=cell.round_trip / 2,
            jitter=cell.jitter,
            loss=cell.loss,
            server_delay=cell.round_trip / 2,
            opens_after=0.0,
        ),
        seed=seed,
        watchers=[lag],
    )
    mesh.run(until=STEPS * STEP)
    pages = mesh.peers
    confirmed = min(page.session.confirmed + 1 for page in pages)
    each = cell.players * confirmed
    timelines = [page.session.timeline for page in pages]
    depths = [depth for page in pages for depth in page.depths] or [0]
    return {
        "bytes": sum(page.bytes_sent for page in pages) / each,
        "messages": sum(page.packets_sent for page in pages) / each,
        "confirmed": confirmed,
        "rollbacks_per_100": 100 * sum(timeline.rollbacks for timeline in timelines) / each,
        "resimulated_per_100": 100 * sum(timeline.resimulated for timeline in timelines) / each,
        "depth_p50": quantile(depths, 0.5),
        "depth_p99": quantile(depths, 0.99),
        "depth_max": max(depths),
        "lag_mean": mean(lag.frames),
        "lag_max": max(lag.frames),
        "stalls_per_min": 60 * mean(page.session.stalls for page in pages) / (STEPS * STEP),
    }


UNITS: Final = {
    "bytes": "B", "messages": "packets", "confirmed": "frames", "rollbacks_per_100": "rollbacks",
    "resimulated_per_100": "frames", "depth_p50": "frames", "depth_p99": "frames", "depth_max": "frames",
    "lag_mean": "frames", "lag_max": "frames", "stalls_per_min": "ticks",
}  # fmt: skip


def name_of(cell: Cell) -> str:
    """A cell's name in the names of figures."""
    return f"mesh.{cell.name}-{cell.size}b"


def rows_of(cell: Cell, runs: Sequence[dict[str, float]]) -> list[Row]:
    """The figures of a cell. `goal` is what was published; `wanted` is what we want of it, where that is another; None:
    nothing."""
    of = cell.published
    calm = of.stalls == 0
    goals: dict[str, dict[str, Any]] = {
        "bytes": {"goal": of.bytes, "wanted": of.bytes / 2},
        "messages": {"goal": of.messages, "wanted": of.messages / 2},
        "confirmed": {"goal": of.confirmed, "at_least": True},
        "stalls_per_min": {"goal": of.stalls, "wanted": of.stalls + 5},
        "lag_mean": {"goal": of.lag, "wanted": of.lag * 1.05 if calm else None},
        # These say little by themselves: who stands still rolls back little.
        "rollbacks_per_100": {"goal": of.rollbacks, "wanted": None},
        **{
            f"depth_{name}": {"goal": depth, "wanted": None}
            for name, depth in zip(("p50", "p99", "max"), of.depths, strict=True)
        },
        "lag_max": {"goal": of.lag_max, "wanted": None},
    }
    found = []
    for name, unit in UNITS.items():
        value = mean(run[name] for run in runs)
        found.append({**row(f"{name_of(cell)}.{name}", value, unit), **goals.get(name, {})})
    return found


def measure(seeds: int = SEEDS) -> list[Row]:
    """All cells."""
    return [row for cell in CELLS for row in rows_of(cell, [played(cell, seed + 1) for seed in range(seeds)])]


HEAD: Final = (
    "| cell | bytes | | packets | | confirmed | | lag | | stalls a minute | |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|\n"
)
BESIDE: Final = (
    "\n\n| cell | rollbacks in 100 | | depth: 50, 99, 100 % | | largest lag | |\n|---|---|---|---|---|---|---|\n"
)


def markdown(rows: Sequence[Row]) -> str:
    """One line per cell, each of its figures beside the published one."""
    values = {found["name"]: found["value"] for found in rows}
    lines, beside = [], []
    for cell in CELLS:
        of = cell.published
        pairs = (
            (f"{values[f'{name_of(cell)}.bytes']:.1f}", of.bytes),
            (f"{values[f'{name_of(cell)}.messages']:.2f}", f"{of.messages:.2f}"),
            (f"{values[f'{name_of(cell)}.confirmed']:.0f}", of.confirmed),
            (f"{values[f'{name_of(cell)}.lag_mean']:.2f}", f"{of.lag:.2f}"),
            (f"{values[f'{name_of(cell)}.stalls_per_min']:.0f}", of.stalls),
        )
        shown = " | ".join(f"**{ours}** | {theirs}" for ours, theirs in pairs)
        lines.append(f"| {cell.name}, {cell.size} B | {shown} |")
        ours = {name: values[f"{name_of(cell)}.{name}"] for name in UNITS}
        pairs = (
            (f"{ours['rollbacks_per_100']:.1f}", f"{of.rollbacks:.1f}"),
            (" ".join(f"{ours[f'depth_{part}']:.0f}" for part in ("p50", "p99", "max")), " ".join(map(str, of.depths))),
            (f"{ours['lag_max']:.0f}", of.lag_max),
        )
        shown = " | ".join(f"**{each}** | {theirs}" for each, theirs in pairs)
        beside.append(f"| {cell.name}, {cell.size} B | {shown} |")
    return HEAD + "\n".join(lines) + BESIDE + "\n".join(beside)
