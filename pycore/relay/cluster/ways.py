"""All ways of one process to the others, over a bus: the thin part that sends, waits and sends again."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from pycore.relay.bus.calls import Bus
from pycore.relay.cluster.way import Way

log = logging.getLogger("pycore.relay")

LOOK_S: Final = 0.05
"""Between looks at what is to be sent again, or said to have been taken."""

Item = dict[str, Any]
Heard = Callable[[str, Item], None]
"""An item of another process."""
Asked = Callable[[Item], Item | None]
"""A question of another process, which is answered at once or not at all."""


class Ways:
    """What this process has to say to others. `heard` is given items in their order, `asked` questions; `void` is told
    of a process that has begun anew, or is given up: what was before between the two does not hold."""

    def __init__(self, process: str, bus: Bus, heard: Heard, asked: Asked, void: Callable[[str], None]) -> None:
        self.process = process
        self._bus = bus
        self._heard = heard
        self._asked = asked
        self._void = void
        self._ways: dict[str, Way] = {}
        self._epoch = time.time_ns() // 1_000_000
        self._flushing = False

    async def open(self) -> None:
        """Reach the bus. Raises `UsageError`."""
        await self._bus.open(self.process, self._take)

    async def run(self) -> None:
        """Send again, for as long as nobody cancels it."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._flush()

    async def close(self) -> None:
        """Say what is to be said, and hear nothing any more."""
        self._flush()
        await asyncio.sleep(0)
        await self._bus.close()

    def send(self, process: str, item: Item) -> None:
        """Have an item arrive, if the other process lives."""
        way = self._way(process)
        way.put(item)
        if way.full:
            log.error("process %s takes nothing any more; what waited for it is dropped", process[:8])
            self.forget(process)
            self._void(process)
            return
        if not self._flushing:
            # With whatever else comes in this turn of the loop.
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    async def ask(self, process: str, item: Item, timeout_s: float) -> Item | None:
        """A question that is answered from memory; None: no answer came in time."""
        answer = await self._bus.request(process, json.dumps({"q": item}), timeout_s)
        return None if answer is None else json.loads(answer)

    def forget(self, process: str) -> None:
        """A process is given up: what was between the two is void."""
        self._ways.pop(process, None)

    def _way(self, process: str) -> Way:
        way = self._ways.get(process)
        if way is None:
            self._epoch += 1
            way = self._ways[process] = Way(self.process, self._epoch)
        return way

    def _flush(self) -> None:
        self._flushing = False
        now = time.monotonic()
        for process, way in self._ways.items():
            for packet in way.packets(now):
                if not self._bus.send(process, packet):
                    way.failed()
                    break

    def _take(self, text: str) -> str | None:
        message = json.loads(text)
        if "q" in message:
            answer = self._asked(message["q"])
            return None if answer is None else json.dumps(answer)
        process, now = message["p"], time.monotonic()
        way = self._way(process)
        taken = way.take(message, now)
        if taken.anew:
            # It has given this one up: so is what this one had for it.
            self.forget(process)
            self._void(process)
            taken = self._way(process).take(message, now)
        for item in taken.items:
            try:
                self._heard(process, item)
            except Exception:
                log.exception("an item of another process failed: %s", item.get("t"))
        return None
