"""Figures as rows: what a benchmark returns, the table that people read, and JSON for whoever compares runs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

Row = dict[str, Any]
"""`name`, `value`, `unit`, `goal`; with samples also `median` (the value), `low`, `high` and `samples`; `at_least`
where the goal is the least that is wanted and not the most; `wanted` where the goal is somebody else's figure, and more
is wanted than to reach it; `note`."""


def row(name: str, value: float, unit: str, goal: float | None = None) -> Row:
    """One figure."""
    return {"name": name, "value": round(value, 2), "unit": unit, "goal": goal}


def sampled(name: str, samples: Sequence[float], unit: str, goal: float | None = None, **more: Any) -> Row:
    """The median of many measurements, with the range in which four fifths of them lie."""
    kept = [round(value, 3) for value in samples]
    spread = {"low": round(quantile(kept, 0.1), 2), "high": round(quantile(kept, 0.9), 2)}
    return {**row(name, median(kept), unit, goal), "median": round(median(kept), 3), **spread, "samples": kept, **more}


def summed(name: str, samples: Sequence[float], unit: str, goal: float | None = None, **more: Any) -> Row:
    """The sum of what was counted several times."""
    return {**row(name, sum(samples), unit, goal), "median": median(samples), "samples": [*samples], **more}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def met(found: Row) -> bool | None:
    """Whether a figure reaches its goal; None where it has none."""
    value, goal = found["value"], found.get("wanted", found["goal"])
    if goal is None:
        return None
    return bool(value >= goal if found.get("at_least") else value <= goal)


def table(rows: Sequence[Row]) -> str:
    """The figures, and how far off a missed goal is."""
    width = max(len(found["name"]) for found in rows)
    spread = any("low" in found for found in rows)
    between = f"  {'10% to 90%':>17}" if spread else ""
    lines = [f"{'figure':{width}}  {'value':>9}{between}  {'unit':8}  {'goal':>7}"]
    for found in rows:
        goal = found.get("wanted", found["goal"])
        shown = verdict = ""
        if goal is not None:
            shown = f"{'≥ ' if found.get('at_least') else ''}{goal:.6g}"
            verdict = "  met" if met(found) else f"  missed by {abs(found['value'] - goal):.2f}"
        if spread:
            both = f"{found['low']:.2f} to {found['high']:.2f}" if "low" in found else ""
            between = f"  {both:>17}"
        lines.append(f"{found['name']:{width}}  {found['value']:9.2f}{between}  {found['unit']:8}  {shown:>7}{verdict}")
    return "\n".join(line.rstrip() for line in lines)


def as_json(rows: Sequence[Row]) -> str:
    """One figure per line, whatever it has of samples."""
    return "[\n" + ",\n".join(" " + json.dumps(found, ensure_ascii=False) for found in rows) + "\n]\n"
