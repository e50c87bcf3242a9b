"""`build.py bench --page`: the interactive_gym page with its own multiplayer module and with ours, in one run.

Two people play the tests' arena in the real page (tests/page), once with its module as released (`before`) and once
with ours installed into a copy (`after`), in turns, so that what else the machine does hits both alike. The page's
module needs numpy and gets a stand-in, which is faster than numpy would be.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Error

from bench.hostpage_figures import Heard
from bench.hostpage_games import CONDITIONS, JUDGED, LOSSY_SEEDS, Group, groups
from bench.hostpage_people import Side, Spoiled, Study, first_line
from bench.hostpage_table import remarks, rows_of
from bench.rows import Row
from tools import chromium as chromiums
from tools import hostpage
from tools.paths import ROOT
from tools.process import Failed, say

ATTEMPTS = 3
"""How often a game is played at most, until it is one."""


def settle(group: Group, side: Side, study: Study, number: int) -> Heard:
    """Play a game; one that was spoiled, or broke off, is played again. Each time is counted and said."""
    notes: list[str] = []
    for again in range(ATTEMPTS):
        heard, final = Heard(), again + 1 == ATTEMPTS
        try:
            group.play(side, study, number, heard)
        except Spoiled as spoiled:
            why = str(spoiled)
        except (AssertionError, Error) as error:
            why = f"it broke off: {first_line(error)}"
            final = final or group.strict
        else:
            heard.add("games.failed", [0])
            break
        if final:
            heard = Heard({figure: [0] for figure in group.counts}, notes=[f"failed, because {why}"])
            heard.add("games.failed", [1])
            if group.strict:
                heard.runs.append({"seed": LOSSY_SEEDS + number, **dict.fromkeys(JUDGED, 0), "why": why})
            break
        notes.append(f"played again, because {why}")
    heard.add("games.again", [again])
    for run in heard.runs:
        run["again"] = again
    heard.notes[:0] = notes
    return heard


def measure(sides: Sequence[Side], chosen: dict[str, Group]) -> dict[str, Heard]:
    """Play all games, the sides in turns."""
    heard = {side.name: Heard() for side in sides}
    for name, group in chosen.items():
        with contextlib.ExitStack() as stack:
            studies = [stack.enter_context(side.study(group.fps, group.frames)) for side in sides]
            for number in range(group.rounds):
                # Who is first changes, so that neither is always the one after a pause.
                for side, study in list(zip(sides, studies, strict=True))[:: -1 if number % 2 else 1]:
                    started = time.monotonic()
                    loading = side.loading
                    played = settle(group, side, study, number)
                    played.notes = [f"{side.name}, {name}, game {number + 1}: {note}" for note in played.notes]
                    heard[side.name].take(played)
                    took = (
                        f"{time.monotonic() - started:.0f} s, {side.loading - loading:.0f} s of it to the first frame"
                    )
                    say(f"{name} {number + 1}/{group.rounds}: {side.name}, {took}")
    return heard


def run(runs: int, only: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Measure with a browser of its own; returns the rows and the remarks."""
    from playwright.sync_api import sync_playwright

    chosen = {name: group for name, group in groups(runs).items() if not only or name.startswith(tuple(only))}
    if not chosen:
        raise Failed(f"there are the games {', '.join(groups(runs))}")
    chromiums.use_with_playwright()
    with tempfile.TemporaryDirectory(prefix="pycore-bench-") as name:
        folder = Path(name)
        package = hostpage.copy_package(folder / "installed")
        install = [sys.executable, "-m", "pycore", "interactive-gym", "install", str(package)]
        subprocess.run(install, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(args=list(hostpage.CHROMIUM_ARGUMENTS))
            try:
                sides = [Side("before", None, browser, folder), Side("after", package, browser, folder)]
                heard = measure(sides, chosen)
            finally:
                browser.close()
    rows = rows_of(heard)
    return rows, remarks(heard, rows, CONDITIONS)
