"""`build.py bench`: every figure with its goal, as a table, and as JSON for whoever compares runs."""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.rows import Row, as_json, row, table
from pycore.rehearsal import Plan, rehearse
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk
from tools import chromium, node, site, wheels
from tools.paths import NEWEST, ROOT, SITE
from tools.process import say
from tools.volley import VOLLEY

HERE = Path(__file__).resolve().parent
SILENCE_MS = 500
FAILOVERS = 3


def apart(module: str) -> list[Row]:
    """The figures of a module, in an interpreter of its own, so that nothing else lies in its caches."""
    found = subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    rows: list[Row] = json.loads(found)
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
        row("wheel.kb", built.browser(NEWEST).stat().st_size / 1000, "kB", 60),
        row("wheel.plain.kb", built.plain.stat().st_size / 1000, "kB"),
        row("wheel.import_ms", median(found["import_ms"] for found in imports), "ms", 100),
        row("wheel.unpack_ms", median(found["unpack_ms"] for found in imports), "ms"),
    ]


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
    waiting.append(link.dispatched - link.acked)
    if mesh.now < 90:
        mesh.at(mesh.now + 0.1, lambda: _sample(mesh, waiting))


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a loopback address, for as long as it is needed."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()


def bridge() -> list[Row]:
    """The tick and the picture in Chromium."""
    from playwright.sync_api import sync_playwright

    site.build()
    with served(SITE) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium.ensure(None)))
        try:
            page = browser.new_page()
            script = (HERE / "page.js").read_text("utf-8")
            page.route("**/bench.html", lambda r: r.fulfill(body="<!doctype html>", content_type="text/html"))
            page.route("**/bench-page.js", lambda r: r.fulfill(body=script, content_type="text/javascript"))
            page.goto(f"{url}bench.html")
            found = page.evaluate("() => import('./bench-page.js').then((bench) => bench.measure())")
        finally:
            browser.close()
    return [
        row("bridge.tick.chromium", found["tick_us"], "µs", 30),
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
    "engine.cpython": functools.partial(apart, "bench.engine"),
    "generators": functools.partial(apart, "bench.generators"),
    "canonical": functools.partial(apart, "bench.canonical"),
    "engine.pyodide": engine_pyodide,
    "bridge": bridge,
    "wire": wire,
    "failover": failover,
    "wheel": wheel,
}


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    parser.add_argument("--only", action="append", default=None, metavar="NAME", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--page", action="store_true", help="the interactive_gym page, before and after")
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="with --page: games under loss")
    options = parser.parse_args()
    if options.page:
        from bench import hostpage

        rows, remarks = hostpage.run(options.runs, options.only or ())
        return report(rows, options.json, remarks)
    rows = []
    for name, measure in GROUPS.items():
        if options.only and not any(name.startswith(only) for only in options.only):
            continue
        say(f"measuring {name}")
        rows += measure()
    if not rows:
        parser.error(f"no figures of that name; there are {', '.join(GROUPS)}")
    return report(rows, options.json)


def report(rows: list[Row], file: Path | None, remarks: Sequence[str] = ()) -> int:
    """Print the table and what must be said about it, and write the file that was asked for."""
    print(table(rows))
    for remark in remarks:
        print(f"- {remark}")
    if file:
        file.write_text(as_json(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
