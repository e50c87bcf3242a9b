"""What is measured, by group: the engine, the bridge, the wire, the failover, the wheel.

Each function returns the rows of its group. Their names are the same in every version, so that two can be compared;
what runs in another process or in a browser does so because that is where it is slow.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench import coverage, in_page, participant
from bench.rows import Row, row
from pycore.install import wheel as wheel_files
from pycore.rehearsal import Plan, rehearse
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk
from tools import chromium, node, site, wheels
from tools.paths import NEWEST, ROOT, SITE
from tools.process import Failed
from tools.volley import VOLLEY

HERE = Path(__file__).resolve().parent
SILENCE_MS = 500
FAILOVERS = 3


def engine_cpython() -> list[Row]:
    """In an interpreter of its own, so that nothing else lies in its caches."""
    return in_a_child("bench.engine")


def engine_hash() -> list[Row]:
    """The hash of a large state, likewise."""
    return in_a_child("bench.hashing")


def generators() -> list[Row]:
    """What an environment's generators cost, likewise."""
    return in_a_child("bench.generators")


def canonical() -> list[Row]:
    """The canonical form of a large state, likewise."""
    return in_a_child("bench.canonical")


def records() -> list[Row]:
    """What becomes of a long record, likewise."""
    return in_a_child("bench.records")


def in_a_child(module: str) -> list[Row]:
    """The figures that a module of the bench prints."""
    done = subprocess.run([sys.executable, "-m", module], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{module} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    rows: list[Row] = json.loads(done.stdout)
    return rows


def in_pyodide(*more: str) -> dict[str, Any]:
    """The Node script's answer."""
    command = [node.ensure_node()[0], HERE / "pyodide.mjs", NEWEST.source, wheels.current().browser(NEWEST)]
    words = [*map(str, command), str(HERE / "engine.py"), *more]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def engine_pyodide() -> list[Row]:
    """The same in the newest Pyodide under Node."""
    rows: list[Row] = in_pyodide()["figures"]
    return rows


def wheel() -> list[Row]:
    """What the page loads, and how long its import takes."""
    built = wheels.current()
    imports = [in_pyodide("import-only") for _ in range(5)]
    return [
        row("wheel.core.kb", built.browser(NEWEST).stat().st_size / 1000, "kB", 115),
        row("wheel.source.kb", len(zlib.compress(bare_sources(), 9)) / 1000, "kB"),
        row("wheel.hostpage.kb", built.browser(NEWEST, host_page=True).stat().st_size / 1000, "kB"),
        row("wheel.plain.kb", built.plain.stat().st_size / 1000, "kB"),
        row("wheel.import_ms", median(found["import_ms"] for found in imports), "ms", 50),
        row("wheel.unpack_ms", median(found["unpack_ms"] for found in imports), "ms"),
    ]


def bare_sources() -> bytes:
    """The same core as sources without a comment, a docstring or an annotation: about as small as it can be spelled."""
    found = []
    for name, data in sorted(wheel_files.bare(wheel_files.core_files(host_page=False)).items()):
        if name.endswith(".py"):
            tree = ast.parse(data)
            for node in ast.walk(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    node.body = [each for each in node.body if not _is_text(each)] or [ast.Pass()]
            found.append(ast.unparse(tree))
    return "\n".join(found).encode()


def _is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring, of a module, a class, a function or an attribute."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def wire() -> list[Row]:
    """Two players whose inputs stay unacknowledged for four frames; everything that is sent counts."""
    settings = Settings(max_steps=3000, action_space={"type": "discrete", "n": 6}, input_delay=1)
    mesh = Mesh(
        2,
        settings,
        lambda seat: Walk(2, seed=1),
        lambda seat: lambda episode, frame: (frame // 7 + seat) % 6,
        Conditions(delay=0.045, opens_after=0.05),
        seed=1,
    )
    waiting: list[int] = []
    mesh.at(5.0, lambda: _sample(mesh, waiting))
    mesh.run(400)
    packets = sum(peer.packets_sent for peer in mesh.peers)
    size = sum(peer.bytes_sent for peer in mesh.peers)
    frames = sum(peer.session.timeline.total for peer in mesh.peers)
    return [
        row("wire.bytes_per_frame", size / frames, "B", 20),
        row("wire.packets_per_frame", packets / frames, "packets", 1),
        row("wire.unacknowledged", median(waiting), "inputs", None),
    ]


def _sample(mesh: Mesh, waiting: list[int]) -> None:
    """Note how many inputs are unacknowledged, every tenth of a second."""
    link = mesh.peers[0].session.links[0]
    waiting.append(link.own[0].dispatched - link.own[0].acked)
    if mesh.now < 90:
        mesh.at(mesh.now + 0.1, lambda: _sample(mesh, waiting))


def bridge() -> list[Row]:
    """The tick and the picture in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = in_page.measured(playwright, "measure")
    return [
        row("bridge.tick.chromium", found["tick_us"], "µs", 32),
        row("bridge.experienced.chromium", found["experienced_us"], "µs"),
        row("bridge.experienced.chromium.pct", 100 * found["experienced_us"] / found["tick_us"], "%", 3),
        row("bridge.store.chromium", found["store_ms"], "ms"),
        row("bridge.tick.paced.chromium", found["paced_us"], "µs"),
        row("bridge.render.chromium", found["render_us"], "µs"),
    ]


def failover() -> list[Row]:
    """From the cut to the first input through the server, in real pages."""
    site.build()
    rows, lost = [], 0
    for cut in ("close", "silent"):
        times = []
        for seed in range(1, FAILOVERS + 1):
            # One episode: between two of them nobody sends anything, and the time would be that of the pause.
            plan = Plan(VOLLEY, seconds=6, down_at=3, cut=cut, seed=seed, episodes=1)
            outcome = rehearse(plan, site=SITE, chromium=chromium.ensure(None))
            lost += len(outcome.lost)
            if outcome.failover_ms is None:
                raise AssertionError(f"no input came through the server after the cut ({cut}): {outcome.problems}")
            times.append(outcome.failover_ms)
        server_ms = 5.0
        goal = 100.0 if cut == "close" else SILENCE_MS + 3 * 1000 / 30 + server_ms
        rows.append(row(f"failover.{cut}.ms", median(times), "ms", goal))
    rows.append(row("failover.inputs_lost", lost, "inputs", 0))
    return rows


GROUPS: dict[str, Callable[[], list[Row]]] = {
    "engine.cpython": engine_cpython,
    "engine.hash": engine_hash,
    "generators": generators,
    "canonical": canonical,
    "engine.pyodide": engine_pyodide,
    "bridge": bridge,
    "wire": wire,
    "failover": failover,
    "wheel": wheel,
    "participant": participant.measure,
    "records": records,
    "coverage": coverage.measure,
}
