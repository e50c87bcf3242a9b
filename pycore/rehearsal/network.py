"""The pages' networks: latency, jitter, loss, cuts, and when the first input came by the other path.

The network is impaired below the channel's API: by Chromium's own emulation, which shapes both directions of the page
it is set on, or, where other browsers play, by the proxy before a TURN server (`detour`). Either way a packet from one
page to another passes it twice, hence the halves and roots below.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any, ClassVar

from pycore.rehearsal.detour import Detour
from pycore.rehearsal.plan import Plan

WATCH = """
() => {
  const game = window.pycoreGame;
  const before = game.p2pMetrics.inputsReceivedViaSocketIO;
  window.pycoreFirstBySocket = null;
  const timer = setInterval(() => {
    if (game.p2pMetrics.inputsReceivedViaSocketIO > before) {
      clearInterval(timer);
      window.pycoreFirstBySocket = performance.timeOrigin + performance.now();
    }
  }, 1);
}
"""


class Impairment:
    """Latency, jitter, loss and cuts of the pages' networks."""

    JITTER_S: ClassVar[float] = 0.1
    """Seconds from one latency to the next: the browser knows no jitter of single packets."""

    def __init__(self, pages: list[Any], plan: Plan, detour: Detour | None = None) -> None:
        self._detour = detour
        chromium = plan.shaped_by_chromium
        self._shaped = {page: page.context.new_cdp_session(page) for page in pages} if chromium else {}
        # The browser ignores a loss without a latency, and a cut of connections that began without emulation.
        self._least = 1.0 if plan.loss or plan.down_at is not None else 0.0
        self._latency = max(self._least, plan.latency_ms / 2)
        self._jitter = plan.jitter_ms / 2
        self._lost = 0.0
        """What is lost at the moment."""
        self._random = Random(plan.seed)
        self._loss = 100 * (1 - math.sqrt(1 - plan.loss))
        for session in self._shaped.values():
            session.send("Network.enable")

    def forget(self, page: Any) -> None:
        """That page is going away."""
        if (session := self._shaped.pop(page, None)) is not None:
            session.detach()

    def usual(self) -> None:
        """What the plan says."""
        self._set(self._latency, self._loss)

    def cut(self) -> None:
        """Every datagram is dropped without a word; socket.io goes on."""
        self._set(self._latency, 100.0)

    def jitter(self) -> None:
        """Another latency, if the plan says so; a cut stays one."""
        if self._jitter:
            drawn = self._latency + self._random.uniform(-self._jitter, self._jitter)
            self._set(max(self._least, drawn), self._lost)

    def _set(self, latency: float, loss: float) -> None:
        self._lost = loss
        if self._detour is not None:
            conditions = self._detour.conditions
            conditions.delay, conditions.loss = latency / 1000, loss / 100
        for session in self._shaped.values():
            session.send(
                "Network.emulateNetworkConditions",
                {
                    "offline": False,
                    "latency": latency,
                    "downloadThroughput": -1,
                    "uploadThroughput": -1,
                    "packetLoss": loss,
                },
            )
