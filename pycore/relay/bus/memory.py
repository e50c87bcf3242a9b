"""A bus within one Python process, for tests and for whoever runs several relays in it: each may have its own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pycore.relay.bus.calls import Handler


class Hub:
    """What several `MemoryBus` have in common."""

    def __init__(self) -> None:
        self.handlers: dict[str, tuple[asyncio.AbstractEventLoop, Handler]] = {}
        self.loses: Callable[[str, str], bool] = lambda process, message: False
        """Whether a message to a process is lost; a test's choice."""
        self.away = False
        """Whether it carries nothing, as a broker that has ended."""
        self.carried = 0
        """Messages that arrived."""


class MemoryBus:
    """One process's way to the others."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._process = ""

    async def open(self, process: str, handler: Handler) -> None:
        """As `Bus.open`."""
        self._process = process
        self._hub.handlers[process] = asyncio.get_running_loop(), handler

    def send(self, process: str, message: str) -> bool:
        """As `Bus.send`."""
        hub = self._hub
        found = hub.handlers.get(process)
        if hub.away or self._process not in hub.handlers:
            return False
        if found is None or hub.loses(process, message):
            return True  # nobody can know
        hub.carried += 1
        loop, handler = found
        try:
            loop.call_soon_threadsafe(handler, message)
        except RuntimeError:
            return True  # its loop has ended
        return True

    async def request(self, process: str, message: str, timeout_s: float) -> str | None:
        """As `Bus.request`."""
        hub = self._hub
        found = hub.handlers.get(process)
        if hub.away or found is None or hub.loses(process, message):
            await asyncio.sleep(timeout_s)
            return None
        there, handler = found
        here = asyncio.get_running_loop()
        answer: asyncio.Future[str | None] = here.create_future()

        def answered(text: str | None) -> None:
            if not answer.done():
                answer.set_result(text)

        def ask() -> None:
            here.call_soon_threadsafe(answered, handler(message))

        try:
            there.call_soon_threadsafe(ask)
            return await asyncio.wait_for(answer, timeout_s)
        except (RuntimeError, TimeoutError):
            return None

    async def close(self) -> None:
        """As `Bus.close`."""
        self._hub.handlers.pop(self._process, None)
