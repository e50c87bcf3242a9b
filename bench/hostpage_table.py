"""The figures of `build.py bench --page` as rows, before and after beside each other, and what must be said of them.

`python -m bench.hostpage_table FILE` prints what `--json FILE` wrote as the table of docs/interactive-gym.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.hostpage_figures import CONSOLE, PLUMBING, SETTLED, Heard
from bench.rows import Row, met, sampled, summed

ENVIRONMENT_US = 20.0
TIMES_FASTER = 20.0

SPREAD = {
    "tick.ms": "ms",
    "environment.us": "µs",
    "rollback.ms": "ms",
    "rollback.tick.ms": "ms",
    "rollback.quiet.ms": "ms",
    "runs.rows": "frames",
    "runs.datagrams.lost": "%",
    "server.bytes": "B/s",
    "server.console.bytes": "B/s",
}
"""Figures that are medians, and their units."""

SUMS = {
    "rollback.count": "ticks",
    "rollback.other": "ticks",
    "channel.close.complete": "games",
    "channel.close.lost": "inputs",
    "channel.close.taken": "inputs",
    "channel.silent.complete": "games",
    "channel.silent.lost": "inputs",
    "channel.silent.taken": "inputs",
    "runs.complete": "games",
    "runs.equal": "games",
    "runs.true": "games",
    "runs.lost": "inputs",
    "server.inputs": "inputs",
    "games.again": "games",
    "games.failed": "games",
}
"""Figures that are counted over all games."""

ORDER = (
    *("tick.ms", "environment.us", "rollback.ms", "rollback.tick.ms", "rollback.quiet.ms", "rollback.count"),
    *("rollback.other", "channel.close.complete", "channel.close.lost", "channel.close.taken"),
    *("channel.silent.complete", "channel.silent.lost", "channel.silent.taken"),
    *("runs.complete", "runs.rows", "runs.equal", "runs.true", "runs.lost", "runs.datagrams.lost"),
    *("server.bytes", "server.console.bytes", "server.inputs", "games.again", "games.failed"),
)
NOTHING = ("channel.close.lost", "channel.silent.lost", "runs.lost", "server.inputs", "games.failed")
ALL = ("channel.close.complete", "channel.silent.complete", "runs.complete", "runs.equal", "runs.true")
"""Of all games that were to be played; each counts 1 or 0."""


def goals(before: dict[str, list[float]], after: dict[str, list[float]]) -> dict[tuple[str, str], float]:
    """By side and figure. Ours has some; what is below counts for both."""
    found: dict[tuple[str, str], float] = {(side, "environment.us"): ENVIRONMENT_US for side in ("before", "after")}
    found |= {("after", name): 0 for name in NOTHING}
    found |= {("after", name): len(after.get(name, ())) for name in ALL}
    if "rollback.ms" in before:
        found["after", "rollback.ms"] = round(median(before["rollback.ms"]) / TIMES_FASTER, 2)
    return found


def rows_of(heard: dict[str, Heard]) -> list[Row]:
    """The rows, of what was played."""
    before, after = heard["before"].samples, heard["after"].samples
    wanted = goals(before, after)
    found: list[Row] = []
    for figure in ORDER:
        for side, samples in (("before", before), ("after", after)):
            if figure not in samples:
                continue
            name, goal = f"page.{side}.{figure}", wanted.get((side, figure))
            if figure in SPREAD:
                found.append(sampled(name, samples[figure], SPREAD[figure], goal))
                continue
            more: dict[str, Any] = {"at_least": True} if figure in ALL else {}
            if figure == "runs.equal":
                more["runs"] = heard[side].runs
            if figure.endswith(".complete") and figure.startswith("channel."):
                kind = figure.removesuffix(".complete")
                more["notes"] = [note for note in heard[side].notes if f" {kind}," in note]
            found.append(summed(name, samples[figure], SUMS[figure], goal, **more))
    return found


def remarks(heard: dict[str, Heard], rows: Sequence[Row], conditions: Sequence[str]) -> list[str]:
    """What a reader of the table must know."""
    values = {found["name"]: found["value"] for found in rows}
    said = [
        "before: the page's own module, with a stand-in for numpy that is faster than numpy; after: ours, without it",
        "the environments differ in that: before, it makes its observations arrays of the stand-in, after, lists",
        "keys are pressed by seed; the game's own seed is the server's, so no two games are the same",
        f"times: from the call of the page's step() to its result, from frame {SETTLED} on, by a clock of 0.1 ms",
        *conditions,
    ]
    if values.get("page.after.rollback.ms", 0) > 0 and "page.before.rollback.ms" in values:
        times = values["page.before.rollback.ms"] / values["page.after.rollback.ms"]
        said.append(f"rollback.ms: a tick with a rollback minus the median of those without; {times:.1f} times faster")
    if "page.after.server.bytes" in values:
        names = ", ".join(sorted(heard["before"].names | heard["after"].names))
        said.append(
            f"server: per player and second of play, both ways, without {', '.join(sorted(PLUMBING))}; what is left: "
            f"{names}. server.console.bytes: {CONSOLE} alone. server.inputs: as they are sent, not as they arrive again"
        )
    return [*said, *heard["before"].notes, *heard["after"].notes]


def cell(found: Row) -> str:
    """A figure's value, with its spread, or with the number of games of which it counts some."""
    if "low" in found:
        return f"{found['value']:g} ({found['low']:g} to {found['high']:g})"
    if found["unit"] == "games":
        return f"{found['value']:g} of {len(found['samples'])}"
    return f"{found['value']:g}"


def markdown(rows: Sequence[Row]) -> str:
    """Before and after in one line."""
    by_name = {found["name"]: found for found in rows}
    lines = ["| figure | unit | `page.before.…` | `page.after.…` | goal |", "|---|---|---|---|---|"]
    for figure in ORDER:
        sides = [by_name.get(f"page.{side}.{figure}") for side in ("before", "after")]
        known = [found for found in sides if found is not None]
        if not known:
            continue
        cells = ["none" if found is None else cell(found) for found in sides]
        goal = None if sides[1] is None else sides[1]["goal"]
        verdict = "" if goal is None else f"{goal:g}, {'met' if met(sides[1]) else 'missed'}"
        lines.append(f"| `{figure}` | {known[0]['unit']} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
