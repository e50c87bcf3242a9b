"""The tutorial, typed as it stands: its commands one after the other, from the installed wheel; and what they print."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import sync_playwright

from tools.paths import ROOT

pytestmark = pytest.mark.e2e

TUTORIAL = ROOT / "docs" / "tutorial.md"
GAME_S = 120.0
"""A game of the template takes less, on a machine that is busy too."""


class Part(NamedTuple):
    """A block of commands, and the lines that it must print, `…` standing for anything."""

    commands: str
    serves: bool
    printed: list[str]


def parts_of(text: str) -> list[Part]:
    """The tutorial's blocks in their order."""
    parts: list[Part] = []
    for kind, body in re.findall(r"^```(sh serve|sh|text)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if kind == "text":
            parts[-1].printed.extend(body.splitlines())
        else:
            parts.append(Part(body, kind == "sh serve", []))
    return parts


def misses(printed: list[str], output: str) -> list[str]:
    """The lines that are not there, or not in this order."""
    at = 0
    lost = []
    for line in printed:
        pattern = ".*?".join(re.escape(part) for part in line.split("…"))
        found = re.compile(rf"^\s*{pattern}\s*$", re.MULTILINE).search(output, at)
        if found is None:
            lost.append(line)
        else:
            at = found.end()
    return lost


def test_a_line_that_is_not_printed_is_missed() -> None:
    """Also one that comes too early."""
    assert misses(["fit: … rolled back", "done"], "fit: x can be rolled back\n done \n") == []
    assert misses(["done", "fit: …"], "fit: x\ndone\n") == ["fit: …"]
    assert misses(["fit"], "unfit\n") == ["fit"]


def typed(commands: str, at: Path, machine: dict[str, str]) -> tuple[str, Path]:
    """Run a block in a shell; what it printed, and the folder in which it ended."""
    script = f"set -e\n{commands}\npwd > '{machine['STUDY']}/where'\n"
    done = subprocess.run(
        ["bash", "-c", script], cwd=at, env=machine, text=True, capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{commands}{done.stdout}{done.stderr}"
    return done.stdout + done.stderr, Path((Path(machine["STUDY"]) / "where").read_text("utf-8").strip())


def played(address: str, chromium: str, pictures: Path) -> None:
    """Two tabs press Play and use their keys until the end screen comes."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        tabs = [browser.new_context().new_page() for _ in range(2)]
        for tab in tabs:
            tab.goto(address)
        for tab in tabs:
            tab.click("#play", timeout=60_000)
        until = time.monotonic() + GAME_S
        keys = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown")
        turn = 0
        while time.monotonic() < until and not all(tab.locator("#again").is_visible() for tab in tabs):
            for number, tab in enumerate(tabs):
                tab.keyboard.press(keys[(turn * (number + 1) + number) % 4], delay=60)
            turn += 1
            if turn == 30:
                tabs[0].screenshot(path=pictures / "playing.png")
        assert all(tab.locator("#again").is_visible() for tab in tabs), "the game did not end"
        for tab in tabs:
            # As the end screen says it: before that nobody closes a page.
            tab.wait_for_function("() => window.pycoreStatus.stored === true", timeout=30_000)
        tabs[0].screenshot(path=pictures / "end.png")
        browser.close()


def served(part: Part, at: Path, machine: dict[str, str]) -> str:
    """Run the server, play a game, end the server as a person does."""
    log = Path(machine["STUDY"]) / "serve.log"
    with log.open("w", encoding="utf-8") as stream:
        server = subprocess.Popen(
            ["bash", "-c", f"exec {part.commands}"], cwd=at, env=machine, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            until = time.monotonic() + 60
            while not (found := re.search(r"http://\S+", log.read_text("utf-8"))) and time.monotonic() < until:
                assert server.poll() is None, log.read_text("utf-8")
                time.sleep(0.1)
            assert found, log.read_text("utf-8")
            played(found[0], machine["PYCORE_CHROMIUM"], at)
        finally:
            server.send_signal(signal.SIGINT)
            status = server.wait(timeout=30)
    assert status == 0, log.read_text("utf-8")
    return log.read_text("utf-8")


def shorten(settings: Path) -> None:
    """Rounds of seconds: two people play longer, and learn nothing more about the commands."""
    settings.write_text(json.dumps(json.loads(settings.read_text("utf-8")) | {"max_steps": 150}), "utf-8")


def test_the_tutorial_leads_from_nothing_to_a_report(machine: dict[str, str], folder: Path) -> None:
    """Every block ends well and prints what stands below it; there are tables, and pages with both players' curves."""
    at = folder
    parts = parts_of(TUTORIAL.read_text("utf-8"))
    assert sum(part.serves for part in parts) == 1
    for part in parts:
        if part.serves:
            output = served(part, at, machine)
        else:
            output, at = typed(part.commands, at, machine)
        if part is parts[0]:
            shorten(at / "study.json")
        assert misses(part.printed, output) == [], output
    assert len(list((at / "tables").glob("*.csv"))) >= 5
    for name in ("report.html", "rehearsal.html"):
        assert (at / name).read_text("utf-8").count("data-curves=") == 2, name
    first, second = sorted((at / "data").rglob("trajectory-*.jsonl"))
    assert first.read_bytes() == second.read_bytes(), "both players have the same record"
    located, _ = typed("python -c 'import pycore; print(pycore.__file__)'", at, machine)
    assert Path(located.strip()).is_relative_to(machine["STUDY"]), "nothing of the checkout takes part"
