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

from bench.hostpage_figures import PLUMBING, SETTLED, Heard
from bench.rows import Row, met, sampled, summed

ENVIRONMENT_US = 20.0
TIMES_FASTER = 10.0

SPREAD = {
    "tick.ms": "ms",
    "environment.us": "µs",
    "rollback.ms": "ms",
    "rollback.tick.ms": "ms",
    "rollback.quiet.ms": "ms",
    "runs.datagrams.lost": "%",
    "server.bytes": "B/s",
}
"""Figures that are medians, and their units."""

SUMS = {
    "rollback.count": "ticks",
    "rollback.other": "ticks",
    "channel.close.lost": "inputs",
    "channel.close.taken": "inputs",
    "channel.silent.lost": "inputs",
    "channel.silent.taken": "inputs",
    "runs.equal": "runs",
    "runs.true": "runs",
    "runs.lost": "inputs",
    "server.inputs": "inputs",
}
"""Figures that are counted over all games."""

ORDER = (
    *("tick.ms", "environment.us", "rollback.ms", "rollback.tick.ms", "rollback.quiet.ms", "rollback.count"),
    *("rollback.other", "channel.close.lost", "channel.close.taken", "channel.silent.lost", "channel.silent.taken"),
    *("runs.equal", "runs.true", "runs.lost", "runs.datagrams.lost", "server.bytes", "server.inputs"),
)
NOTHING = ("channel.close.lost", "channel.silent.lost", "runs.lost", "server.inputs")
ALL = ("runs.equal", "runs.true")


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
            if figure.endswith(".lost") and figure.startswith("channel."):
                kind = figure.removesuffix(".lost")
                more["notes"] = [note for note in heard[side].notes if f" {kind}," in note]
            found.append(summed(name, samples[figure], SUMS[figure], goal, **more))
    return found


def remarks(heard: dict[str, Heard], rows: Sequence[Row], conditions: Sequence[str]) -> list[str]:
    """What a reader of the table must know."""
    values = {found["name"]: found["value"] for found in rows}
    said = [
        "before: the page's own module, with a stand-in for numpy that is faster than numpy; after: ours, without it",
        f"times: from the call of the page's step() to its result, from frame {SETTLED} on, by a clock of 0.1 ms",
        *conditions,
    ]
    if values.get("page.after.rollback.ms", 0) > 0:
        times = values["page.before.rollback.ms"] / values["page.after.rollback.ms"]
        said.append(f"rollback.ms: a tick with a rollback minus the median of those without; {times:.1f} times faster")
    if "page.after.server.bytes" in values:
        names = ", ".join(sorted(heard["before"].names | heard["after"].names))
        without = ", ".join(sorted(PLUMBING))
        said.append(f"server: both ways, per player and second of play, without {without}; what is left: {names}")
    return [*said, *heard["before"].notes, *heard["after"].notes]


def markdown(rows: Sequence[Row]) -> str:
    """Before and after in one line."""
    by_name = {found["name"]: found for found in rows}
    lines = ["| figure | unit | `page.before.…` | `page.after.…` | goal |", "|---|---|---|---|---|"]
    for figure in ORDER:
        sides = [by_name.get(f"page.{side}.{figure}") for side in ("before", "after")]
        if sides[0] is None or sides[1] is None:
            continue
        cells = [f"{found['value']:g}" + (f" ({found['low']:g} to {found['high']:g})" if "low" in found else "")
                 for found in sides if found]  # fmt: skip
        goal = sides[1]["goal"]
        verdict = "" if goal is None else f"{goal:g}, {'met' if met(sides[1]) else 'missed'}"
        lines.append(f"| `{figure}` | {sides[1]['unit']} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
