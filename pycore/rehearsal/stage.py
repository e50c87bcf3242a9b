"""The pages of a rehearsal while they play, and what happens to them at its time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pycore.rehearsal import departures
from pycore.rehearsal.browsers import FIREFOX
from pycore.rehearsal.departures import Departed
from pycore.rehearsal.network import WATCH, Impairment
from pycore.rehearsal.plan import Plan
from pycore.rehearsal.serving import RehearsalFailed, Relay

LOAD_TIMEOUT = 180.0
"""Seconds until a page has loaded Pyodide, the core and packages, and again until it plays."""

OVER = ("done", "failed")
"""Phases of a page behind its game."""

LOOK = 0.25
"""Seconds between two looks at the pages while they play."""

BY_PEER_TIMEOUT = 20.0
"""Seconds for which a cut waits for peer-to-peer to carry the game."""

SHOWN_TIMEOUT = 10.0
"""Seconds until a page must know that it is hidden, or shown again."""

CLOSE_CONNECTIONS = """
(links) => {
  for (let link = 0; link < links; link += 1) window.pycoreGame.inspectLink(link).connection.close();
  return performance.timeOrigin + performance.now();
}
"""
Say = Callable[[str], None]
"""Takes one line about how far a rehearsal is."""


class Stage:
    """The pages while they play, and what happens to them at its time."""

    def __init__(
        self, plan: Plan, pages: list[Any], impairment: Impairment, relay: Relay, begun: float, out: Path | None,
        say: Say,
    ) -> None:  # fmt: skip
        self._plan = plan
        self.pages = list(pages)
        """Those that stay in the game."""
        self.departed: Departed | None = None
        self.before: Departed | None = None
        """What a page had that was loaded again, and came back."""
        self.back_after: float | None = None
        """Seconds until it played again."""
        self._reloaded: float | None = None
        self._address = ""
        """Of the page that is away."""
        self._impairment = impairment
        self._relay = relay
        self._begun = begun
        self._out = out
        self._say = say
        self._cut_at: float | None = None
        self._before: Any = None
        """The tab behind which a page is hidden."""

    def _cues(self) -> list[tuple[float, str]]:
        plan = self._plan
        cues: list[tuple[float | None, str]] = [
            (plan.seconds, "stop"), (plan.down_at, "down"), (plan.up_at, "up"), (plan.leave_at, "leave"),
            (plan.reload_at, "reload"), (plan.back_at, "back"),
            (plan.server_down_at, "server down"), (plan.server_up_at, "server up"),
            *((at, name) for name, at in plan.screenshots.items() if name != "end"),
        ]  # fmt: skip
        if plan.hide is not None:
            cues += [(plan.hide[1], "hide"), (plan.hide[2], "show")]
        return sorted((at, name) for at, name in cues if at is not None)

    def direct(self) -> float | None:
        """Let the time pass, and do what the plan says meanwhile; returns the failover time in milliseconds."""
        for when, cue in self._cues():
            while (left := self._begun + when - time.monotonic()) > 0:
                step = LOOK if not self._plan.jitter_ms else self._impairment.JITTER_S
                self.pages[0].wait_for_timeout(min(left, step) * 1000)
                self._impairment.jitter()
                self._look_for_return()
                if all(_phase(page) in OVER for page in self.pages):
                    break
            self._do(cue)
        if self._cut_at is None:
            return None
        arrivals = [page.evaluate("window.pycoreFirstBySocket") for page in self.pages]
        return min((at - self._cut_at for at in arrivals if at is not None), default=None)

    def _do(self, cue: str) -> None:
        pages = self.pages
        if cue == "down":
            self._cut()
        elif cue == "up":
            self._impairment.usual()
            self._say("peer-to-peer is restored")
        elif cue in ("hide", "show"):
            assert self._plan.hide is not None
            self._hide(self._plan.hide[0], cue == "hide")
        elif cue == "stop":
            # A session that is to end because somebody went away does so by itself.
            if self.departed is None or self._plan.goes_on:
                self._wait_for_return()
                pages[0].evaluate("window.pycoreGame.requestStop()")
        elif cue == "reload" and self._plan.returns:
            self._reloaded = time.monotonic()
            if self._plan.back_at is None:
                self.before = departures.reload(pages[-1], self._relay.url)
                self._say("a page is loaded again")
            else:
                self._address = pages[-1].url
                self.before = departures.go_elsewhere(pages[-1], self._relay.url)
                self._say("a page is away")
        elif cue == "back":
            pages[-1].goto(self._address, wait_until="commit")
            self._say("the page that was away is loaded again")
        elif cue in ("leave", "reload"):
            page = pages.pop()
            # What it had is read by another page: the browser does not shape the network of one that is gone.
            self._impairment.forget(page)
            self.departed = (departures.leave if cue == "leave" else departures.reload)(page, self._relay.url)
            self._say("a page is closed" if cue == "leave" else "a page is loaded again")
        elif cue in ("server down", "server up"):
            self._serve(cue == "server up")
        elif self._out is not None:
            photograph(pages, self._out, cue)

    def _look_for_return(self) -> None:
        if self._reloaded is not None and _phase(self.pages[-1]) in ("playing", *OVER):
            self.back_after = time.monotonic() - self._reloaded
            self._reloaded = None
            self._say(f"it is back, {self.back_after:.1f} s later")

    def _wait_for_return(self) -> None:
        """A page that is still on its way back when the time is over is waited for, unless nobody plays there any more:
        where the others play on meanwhile, their game may be over by then."""
        until = time.monotonic() + LOAD_TIMEOUT
        while self._reloaded is not None and time.monotonic() < until:
            over = all(_phase(page) in OVER for page in self.pages[:-1])
            self._look_for_return()
            if over and self._reloaded is not None and _phase(self.pages[-1]) == "start":
                raise RehearsalFailed(
                    "the game was over before the page that was loaded again was there: "
                    f"let it take longer than {self._plan.seconds:g} s"
                )
            self.pages[0].wait_for_timeout(LOOK * 1000)

    def _serve(self, up: bool) -> None:
        relay = self._relay
        if self._plan.server_cut == "silent":
            (relay.thaw if up else relay.freeze)()
        else:
            (relay.restart if up else relay.stop)()
        self._say(f"the server is {'there again' if up else 'away'}")

    def _hide(self, number: int, hidden: bool) -> None:
        page = self.pages[number]
        if self._plan.engine(number) != FIREFOX:
            # Headless, it shows every tab.
            _set_hidden(page, hidden)
        elif hidden:
            self._before = tab_before(page)
        elif self._before is not None:
            self._before.close()
            page.wait_for_function("!document.hidden", timeout=SHOWN_TIMEOUT * 1000)

    def _wait_for_peers(self) -> None:
        """What is cut carries the game: a busy machine may have left it for a while, and then nothing changed its path.
        Whatever comes later waits as long; a page that does not come to it in time is cut off all the same."""
        since = time.monotonic()
        for page in self.pages:
            with contextlib.suppress(Exception):
                page.wait_for_function("window.pycoreGame?.p2pHealthy", timeout=BY_PEER_TIMEOUT * 1000)
        self._begun += time.monotonic() - since

    def _cut(self) -> None:
        self._wait_for_peers()
        pages = self.pages
        for page in pages:
            page.evaluate(WATCH)
        if self._plan.cut == "connection":
            self._cut_at = pages[0].evaluate(CLOSE_CONNECTIONS, len(pages) - 1)
        elif self._plan.cut == "close":
            self._cut_at = pages[0].evaluate(
                "(links) => { for (let link = 0; link < links; link += 1) "
                "window.pycoreGame.inspectLink(link).channel.close();"
                " return performance.timeOrigin + performance.now(); }",
                len(pages) - 1,
            )
            # Both sides learn of the closing; then nothing can be opened again until the restoration.
            pages[0].wait_for_timeout(100)
            self._impairment.cut()
        else:
            self._impairment.cut()
            self._cut_at = pages[0].evaluate("performance.timeOrigin + performance.now()")
        self._say(f"peer-to-peer is cut ({self._plan.cut})")


def _phase(page: Any) -> Any:
    return page.evaluate("window.pycoreStatus?.phase")


def photograph(pages: list[Any], out: Path, name: str) -> None:
    """A picture of every page."""
    out.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(pages):
        page.screenshot(path=str(out / f"{name}-page{number}.png"))


def tab_before(page: Any) -> Any:
    """Hide a page as a person does, by a link that opens another tab; returns that one."""
    page.evaluate(
        "() => { const link = Object.assign(document.createElement('a'), {href: 'about:blank', target: '_blank',"
        " id: 'pycore-rehearsal', textContent: 'away'}); document.body.append(link);"
        " link.style = 'position: fixed; top: 0; left: 0; z-index: 2147483647'; }"
    )
    with page.context.expect_page() as opened:
        page.click("#pycore-rehearsal")
    page.evaluate("document.getElementById('pycore-rehearsal').remove()")
    page.wait_for_function("document.hidden", timeout=SHOWN_TIMEOUT * 1000)
    return opened.value


def _set_hidden(page: Any, hidden: bool) -> None:
    state = "hidden" if hidden else "visible"
    page.evaluate(
        "([hidden, state]) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        [hidden, state],
    )
