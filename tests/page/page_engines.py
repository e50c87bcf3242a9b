"""What a participant's browser does by its own means: the network, a hidden tab, and what is heard of its web socket.

Chromium's developers' tools do all of it. Firefox is driven by WebDriver BiDi, which can do none of it: there a script
in the page (page_wire.js) notes the frames of the web socket and impairs what goes out by data channels. What Firefox
can do and headless Chromium cannot: a tab is really hidden, behind another one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from page_traffic import Traffic

from pycore.rehearsal.stage import tab_before

WIRE = Path(__file__).parent / "page_wire.js"


class ByTools:
    """Chromium, by its developers' tools."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._tools: Any = None
        self._page: Any = None
        self.sent, self.received = Traffic(), Traffic()

    def watch(self, page: Any) -> None:
        """Listen to this page, before it has an address."""
        self._page = page
        page.on("websocket", self._listen)

    def _listen(self, socket: Any) -> None:
        socket.on("framesent", self.sent.take)
        socket.on("framereceived", self.received.take)

    def hear(self) -> None:
        """Take in what has not been heard yet: nothing, the tools tell at once."""

    def network(self, latency: float, loss: float) -> None:
        """Shape all connections, those alone that are made after the first time, however little that shaped."""
        if self._tools is None:
            self._tools = self._context.new_cdp_session(self._page)
            self._tools.send("Network.enable")
        conditions = {"offline": False, "latency": max(1.0, latency), "packetLoss": loss * 100}
        self._tools.send(
            "Network.emulateNetworkConditions", {**conditions, "downloadThroughput": -1, "uploadThroughput": -1}
        )

    def hide(self, hidden: bool) -> None:
        """Headless, it shows every tab: a hidden one is told so."""
        self._page.evaluate("(hidden) => window.rig.setHidden(hidden)", hidden)


class ByScript:
    """Firefox, by a script in the page. What crossed the socket of an earlier load and was not asked for is lost."""

    def __init__(self, context: Any) -> None:
        context.add_init_script(path=WIRE)
        self._page: Any = None
        self._before: Any = None
        self._heard = {"out": Traffic(), "in": Traffic()}

    @property
    def sent(self) -> Traffic:
        self.hear()
        return self._heard["out"]

    @property
    def received(self) -> Traffic:
        self.hear()
        return self._heard["in"]

    def watch(self, page: Any) -> None:
        self._page = page

    def hear(self) -> None:
        """Take in what the page has noted since."""
        if self._page.is_closed():
            return
        for way, text, size, at in self._page.evaluate("window.wire?.take() ?? []"):
            self._heard[way].note(text, size, at / 1000)

    def network(self, latency: float, loss: float) -> None:
        """Shape what the page sends by data channels. `loss` is of both ways that a datagram has in Chromium."""
        shape = "([latency, loss]) => window.wire?.shape(latency, loss)"
        self._page.evaluate(shape, [2 * latency, 1 - (1 - loss) ** 2])

    def hide(self, hidden: bool) -> None:
        """A tab comes before it, and goes."""
        if hidden:
            self._before = tab_before(self._page)
        elif self._before is not None:
            self._before.close()
            self._before = None
            self._page.wait_for_function("!document.hidden")


Means = ByTools | ByScript


def means_of(browser: Any, context: Any) -> Means:
    """Those of this browser."""
    return ByScript(context) if browser.browser_type.name == "firefox" else ByTools(context)
