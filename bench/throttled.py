"""What a slow machine makes of a game, and of the partner's: one of two pages has a part of this machine's speed.

Chromium slows a page's processor down as its developers' tools do. Both pages play peer-to-peer, a game at each rate,
and have some seconds to settle before they are looked at.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from bench.rows import Row, row
from pycore.rehearsal.pace import LATE
from tools import chromium

RATES: Final = (1, 4, 6, 10)
SETTLE_S: Final = 4
LOOK_S: Final = 15
FPS: Final = 30
TICKS: Final = """window.pycoreReadAction = (frame) => {
    (window.ticks ??= []).push(performance.now());
    return Math.floor(frame / 9) % 6;
}"""
LOOK: Final = """(ms) => new Promise((done) => {
    const begin = performance.now();
    const first = window.ticks.length;
    let shown = 0;
    const next = () => {
        shown += 1;
        const passed = performance.now() - begin;
        if (passed < ms) requestAnimationFrame(next);
        else done({ ticks: window.ticks.slice(Math.max(0, first - 1)), pictures: 1000 * shown / passed });
    };
    requestAnimationFrame(next);
})"""
STALLS: Final = "pycoreGame.exportSessionMetrics().quality.stalls"


def on_time(ticks: list[float], passed_ms: float, fps: float) -> float:
    """Of the ticks that so much time should have had, the share that began no more than half a period late, in %."""
    period = 1000.0 / fps
    good = sum(1 for before, after in pairwise(ticks) if after - before <= LATE * period)
    return min(100.0, 100.0 * good * period / passed_ms)


def measure(playwright: Any, url: str) -> list[Row]:
    """The figures of each rate; `url`: a relay with games that do not end meanwhile."""
    browser = playwright.chromium.launch(executable_path=str(chromium.ensure(None)))
    try:
        return [figure for rate in RATES for figure in at(rate, browser, url)]
    finally:
        browser.close()


def at(rate: int, browser: Any, url: str) -> list[Row]:
    """A game in which one page has the `rate`-th part of this machine's speed."""
    contexts = [browser.new_context(viewport={"width": 1280, "height": 720}) for _ in range(2)]
    try:
        slow, partner = pages = [context.new_page() for context in contexts]
        for page in pages:
            page.add_init_script(TICKS)
            page.goto(f"{url}?autojoin=1")
        for page in pages:
            page.wait_for_function("window.pycoreStatus?.phase === 'playing' && pycoreGame.frame > 60", timeout=120_000)
        slow.context.new_cdp_session(slow).send("Emulation.setCPUThrottlingRate", {"rate": rate})
        slow.wait_for_timeout(1000 * SETTLE_S)
        before = partner.evaluate(STALLS)
        found = slow.evaluate(LOOK, 1000 * LOOK_S)
        stalls = partner.evaluate(STALLS) - before
    finally:
        for context in contexts:
            context.close()
    return figures(rate, on_time(found["ticks"], 1000 * LOOK_S, FPS), stalls, found["pictures"])


def figures(rate: int, ticks_on_time: float, stalls: float, pictures: float) -> list[Row]:
    """Those of a rate."""
    name = f"participant.cpu{rate}"
    return [
        row(f"{name}.ticks_on_time_pct", ticks_on_time, "%"),
        row(f"{name}.partner_stalls", stalls, "ticks"),
        row(f"{name}.pictures_per_s", pictures, "1/s"),
    ]
