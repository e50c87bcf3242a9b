"""`build.py browsers`: every scenario in every browser, and between two, judged as a rehearsal is; the table of it.

A cell is right if the verdict is: the players' records are the same bytes, without a gap, hold exactly what was read
from the players, and come to the same in CPython. Beside that each scenario has something that must have happened, or
it would have tried nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.rehearsal import Outcome, Plan, RehearsalFailed, rehearse
from tools import chromium, coturn, firefox, webkit
from tools.examples import example
from tools.paths import ROOT
from tools.process import Failed, Missing, run, say

FILE: Final = ROOT / "docs" / "browsers.md"
BEGIN: Final = "<!-- written by: python3 build.py browsers --write -->"
END: Final = "<!-- end of what is written -->"
WEBKIT: Final = ("webkit",)
BROWSERS: Final[tuple[tuple[str, ...], ...]] = (("chromium",), ("firefox",), ("firefox", "chromium"), WEBKIT)
TITLES: Final = {"chromium": "Chromium", "firefox": "Firefox", "webkit": "WebKit"}
NONE: Final = "–"
"""A cell of a browser without WebRTC in a scenario that is about peer-to-peer."""
SECONDS: Final = 16.0


def paths(outcome: Outcome) -> list[set[str]]:
    """Of each player that stayed, why its path changed."""
    return [{change["cause"] for change in metrics["pathChanges"]} for metrics in outcome.metrics.values()]


def _by_peer(outcome: Outcome) -> bool:
    return all(metrics["inputs"]["sentViaP2P"] > 0 for metrics in outcome.metrics.values())


def _by_server(outcome: Outcome) -> bool:
    return all(metrics["inputs"]["sentViaP2P"] == 0 for metrics in outcome.metrics.values())


def _back_from(*fallbacks: str) -> Callable[[Outcome], bool]:
    """Everybody left peer-to-peer by one of these causes, and came back to it."""
    return lambda outcome: all("recovered" in causes and causes & {*fallbacks} for causes in paths(outcome))


def _came_back(outcome: Outcome) -> bool:
    return outcome.resumed is not None


def _rolled_back(outcome: Outcome) -> bool:
    return _by_peer(outcome) and any(metrics["rollbacks"]["count"] > 0 for metrics in outcome.metrics.values())


@dataclass(frozen=True)
class Scenario:
    """One row of the table."""

    name: str
    plan: Mapping[str, Any] = field(default_factory=dict)
    happened: Callable[[Outcome], bool] = _by_peer
    """What must have happened beside the verdict."""


SCENARIOS: Final = (
    Scenario("a good network"),
    Scenario("80 ms round trip, 5 % loss", {"latency_ms": 40, "jitter_ms": 10, "loss": 0.05}, _rolled_back),
    Scenario("the channels close, and come back", {"down_at": 5, "up_at": 8, "cut": "close"}, _back_from("closed")),
    Scenario("the connection closes, and a new one is made", {"down_at": 5, "cut": "connection"}, _back_from("closed")),
    Scenario("every packet is lost for 3 s", {"down_at": 5, "up_at": 8}, _back_from("silence", "deaf")),
    Scenario("the last page is hidden for 4 s", {"hide": (1, 4.0, 8.0)}),
    Scenario("the last page is loaded again", {"reload_at": 5}, _came_back),
    Scenario("by the server alone", {"socketio_only": True}, _by_server),
    Scenario("the server is away for 3 s", {"server_down_at": 5, "server_up_at": 8, "server_cut": "silent"}),
)


def of_browsers(scenario: Scenario, browsers: tuple[str, ...]) -> Scenario | None:
    """A scenario as these browsers play it: without WebRTC all goes by the server; None if nothing is left of it."""
    if browsers != WEBKIT:
        return scenario
    if "down_at" in scenario.plan or "latency_ms" in scenario.plan:
        return None
    return replace(scenario, happened=_by_server) if scenario.happened is _by_peer else scenario


def played(scenario: Scenario, browsers: tuple[str, ...], found: Mapping[str, Path]) -> str:
    """Play one cell; returns `right`, or what is wrong."""
    game = example("volley", 2)
    site = game.build()
    others = (lambda: webkit.pages(webkit.ensure())) if browsers == WEBKIT else None
    try:
        plan = Plan(game.game, seconds=SECONDS, browsers=browsers, **scenario.plan)
        with tempfile.TemporaryDirectory() as folder:
            outcome = rehearse(
                plan, site=site, chromium=found["chromium"], firefox=found["firefox"], out=Path(folder), others=others
            )
    except ConfigError as error:
        return f"not possible: {error}"
    except RehearsalFailed as error:
        return f"**failed**: {error}"
    return judged(scenario, outcome)


def judged(scenario: Scenario, outcome: Outcome) -> str:
    """A cell of the table."""
    if outcome.problems:
        return f"**wrong**: {outcome.problems[0]}"
    if outcome.lost:
        return f"**wrong**: {outcome.lost[0]}"
    return "right" if scenario.happened(outcome) else "**nothing tried**: what it is about did not happen"


def written(text: str, cells: Mapping[tuple[str, tuple[str, ...]], str], conditions: str) -> str:
    """The document with a table of these cells between its markers."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise Failed(f"{FILE.name} must have these two lines once, in this order:\n{BEGIN}\n{END}")
    head = "| | " + " | ".join(map(_title, BROWSERS)) + " |"
    rows = [
        f"| {scenario.name} | " + " | ".join(one_line(cells[scenario.name, pair]) for pair in BROWSERS) + " |"
        for scenario in SCENARIOS
    ]
    table = "\n".join([head, "|---" * (len(BROWSERS) + 1) + "|", *rows])
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    return f"{before}{BEGIN}\n\n{conditions}\n\n{table}\n\n{after}"


def kept(text: str) -> dict[tuple[str, tuple[str, ...]], str]:
    """The cells of the table that a document has."""
    head, *rows = [
        [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        for line in text[text.index(BEGIN) : text.index(END)].splitlines()
        if line.startswith("| ")
    ] or [[]]
    pairs = {_title(pair): pair for pair in BROWSERS}
    return {
        (name, pairs[title]): cell for name, *cells in rows for title, cell in zip(head[1:], cells, strict=True)
        if title in pairs
    }  # fmt: skip


def _title(pair: tuple[str, ...]) -> str:
    return " – ".join(TITLES[name] for name in pair)


def _version(name: str, path: Path) -> str:
    said = run([str(path), "--version"], timeout=60)
    number = re.search(r"(\d+)\.\d", said)
    return f"{name.capitalize()} {number[1] if number else said.strip()}"


def one_line(text: str) -> str:
    """A cell as a table can have it."""
    return " ".join(text.split()).replace("|", "\\|")


def main(options: argparse.Namespace) -> int:
    """Play all cells, or those of a column; 1 if one of them is not right."""
    columns = {"-".join(pair): pair for pair in BROWSERS}
    if options.only and options.only not in columns:
        raise Missing(f"no column {options.only}; there are {', '.join(columns)}")
    chosen = [columns[options.only]] if options.only else [*BROWSERS]
    found = {"chromium": chromium.ensure(options.chromium), "firefox": firefox.ensure()}
    coturn.ensure()
    webkit.ensure()
    cells = {}
    for scenario in SCENARIOS:
        for pair in chosen:
            of_pair = of_browsers(scenario, pair)
            cell = cells[scenario.name, pair] = NONE if of_pair is None else played(of_pair, pair, found)
            say(f"{scenario.name}, {' and '.join(pair)}: {cell}")
    if options.write:
        text = FILE.read_text("utf-8")
        before = kept(text) if options.only else {}
        if lacking := [name for name, pair in columns.items() for scenario in SCENARIOS
                       if (scenario.name, pair) not in {**before, **cells}]:  # fmt: skip
            raise Failed(f"{FILE.name} has no cells of {', '.join(sorted(set(lacking)))}: write all of it once")
        versions = ", ".join([*(_version(name, path) for name, path in found.items()), webkit.version(webkit.ensure())])
        conditions = f"{versions}. Beach volley for two, {SECONDS:g} s of each."
        FILE.write_text(written(text, {**before, **cells}, conditions), "utf-8")
    tried = [cell for cell in cells.values() if cell != NONE]
    right = tried.count("right")
    if options.json:
        options.json.write_text(json.dumps({"cells": len(tried), "right": right}), "utf-8")
    return 0 if right == len(tried) else 1
