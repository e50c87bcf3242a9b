"""What a participant waits for, and sees: what a visit downloads, how long it takes until the button with which it
begins, what a picture takes, and how many a second a game has without a GPU.

A real Chromium, whose network and processor are slowed down as its developers' tools do it: a fast line, and a phone of
a sixth of this machine's speed on a slow one. A visitor comes for the first time; then once more, with what the browser
has kept.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvicorn

from bench import in_page, throttled
from bench.rows import Row, row
from pycore.relay import create_app
from tools import chromium, site, webkit
from tools.paths import SITE

VISITS: Final = 3
FAST: Final = (20e6, 0.02, 1)
"""Bits a second, round trip in s, and how many times slower than here it computes."""
SLOW_PHONE: Final = (5e6, 0.1, 6)


SOFTWARE: Final = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
"""A program draws in the place of a GPU, as on machines without a driver, and in virtual ones."""
PARTNER: Final = {"policies": {"1": "volley_partner.py"}}
"""One person is a game, and one page what this machine has to draw."""
RENDER_US: Final = 291
"""Of a picture before it leaves Python; the half of what it once took."""
SOFTWARE_PER_S: Final = 20
FIELD: Final = {"width": 1280, "height": 720}
LOOKED: Final = 10
"""Seconds in which pictures are counted."""
PICTURES: Final = """(ms) => new Promise((done) => {
    const begin = performance.now();
    let shown = 0;
    const next = () => {
        shown += 1;
        const passed = performance.now() - begin;
        if (passed < ms) requestAnimationFrame(next);
        else done(1000 * shown / passed);
    };
    requestAnimationFrame(next);
})"""
"""The browser asks for a picture when the last one is shown."""


@contextmanager
def served(folder_of_site: Path = SITE, **settings: Any) -> Iterator[str]:
    """The address of a relay with the demo's site."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'data.db'}"
        app = create_app(database=database, settings=settings or {"max_steps": 60}, site=folder_of_site)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, ws="wsproto", log_level="error"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.02)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(10)


def visit(context: Any, url: str, machine: tuple[float, float, int]) -> tuple[float, int]:
    """Seconds until the visitor can begin, and the bytes that crossed the line."""
    bits, rtt, slower = machine
    page = context.new_page()
    tools = context.new_cdp_session(page)
    received: list[int] = []
    tools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    tools.send("Network.enable")
    throughput = {"downloadThroughput": bits / 8, "uploadThroughput": bits / 8}
    tools.send("Network.emulateNetworkConditions", {"offline": False, "latency": rtt * 1000, **throughput})
    tools.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    begin = time.perf_counter()
    page.goto(url)
    page.wait_for_function("window.pycoreStatus?.phase === 'start'", timeout=300_000)
    seconds = time.perf_counter() - begin
    page.close()
    return seconds, int(sum(received))


def software(playwright: Any) -> tuple[float, float | None]:
    """Pictures a second of the volley at 1280 × 720, drawn by a program: in Chromium, and in WebKit if it is there."""
    folder = site.build(SITE.with_name("site-partner"), study=site.STUDY._replace(settings=PARTNER))
    with served(folder, max_steps=9000, **PARTNER) as url:
        browser = playwright.chromium.launch(executable_path=str(chromium.ensure(None)), args=list(SOFTWARE))
        try:
            drawn = shown(browser.new_page(viewport=FIELD), url)
        finally:
            browser.close()
        if (found := webkit.find()) is None:
            return drawn, None
        with webkit.pages(found) as pages:
            page = pages.page("webkit")
            page.set_viewport_size(FIELD)
            return drawn, shown(page, url)


def shown(page: Any, url: str) -> float:
    """How many pictures a second one person is shown."""
    page.add_init_script("window.pycoreReadAction = (frame) => Math.floor(frame / 9) % 6")
    page.goto(f"{url}?autojoin=1")
    page.wait_for_function("window.pycoreStatus?.phase === 'playing'", timeout=120_000)
    page.wait_for_function("pycoreGame.frame > 90")
    return float(page.evaluate(PICTURES, 1000 * LOOKED))


def measure() -> list[Row]:
    """The figures; each visitor has a browser profile of their own."""
    from playwright.sync_api import sync_playwright

    site.build()
    first: dict[tuple[float, float, int], list[tuple[float, int]]] = {FAST: [], SLOW_PHONE: []}
    again: list[tuple[float, int]] = []
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium.ensure(None)))
        try:
            for machine, found in first.items():
                for _ in range(VISITS):
                    context = browser.new_context()
                    found.append(visit(context, url, machine))
                    if machine == FAST:
                        again.append(visit(context, url, machine))
                    context.close()
        finally:
            browser.close()
        render = in_page.measured(playwright, "picture")
        pictures, in_webkit = software(playwright)
        with served(max_steps=100_000) as url:
            slow = throttled.measure(playwright, url)
    return [*figures(first, again, render, pictures, in_webkit), *slow]


def figures(
    first: Mapping[tuple[float, float, int], Sequence[tuple[float, int]]], again: Sequence[tuple[float, int]],
    render: float, pictures: float, in_webkit: float | None,
) -> list[Row]:  # fmt: skip
    """Those of first and second visits, and of pictures."""
    return [
        row("participant.start.mb", first[FAST][0][1] / 1e6, "MB"),
        row("participant.start.again.kb", again[0][1] / 1e3, "kB"),
        row("participant.start.s_fast", median(seconds for seconds, _ in first[FAST]), "s"),
        row("participant.start.again.s_fast", median(seconds for seconds, _ in again), "s"),
        row("participant.start.s_slow_phone", median(seconds for seconds, _ in first[SLOW_PHONE]), "s"),
        row("participant.render.us", render, "µs", RENDER_US),
        *(
            {**row(f"participant.software.{name}pictures_per_s", found, "1/s", SOFTWARE_PER_S), "at_least": True}
            for name, found in (("", pictures), ("webkit.", in_webkit))
            if found is not None
        ),
    ]
