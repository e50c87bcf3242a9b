"""The rounds of the loop: none in which connections are read again and again.

libuv, which uvloop is made of, asks the system for the next thousand connections that have something to read for as
long as there are as many, up to 48 times, before anything else has its turn: what is to be written, the clock, a new
visitor. Where more than a thousand sockets have always something to say, which is more than a process can carry, it
would read for half a minute and send nothing. So once a round is long, whoever is read in it rests until the next one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger("pycore.relay")

LONG_S: Final = 0.02
"""From then on a round is long; before there can hardly be a thousand that were read."""


class Rounds:
    """Of one loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._resting: list[Callable[[], None]] = []

    @property
    def is_long(self) -> bool:
        """Asked behind every read: whether who was read should rest until the next round."""
        now = self._clock()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._end)
            return False
        return now - self._began >= LONG_S

    def rest(self, go_on: Callable[[], None]) -> None:
        """Have this called when the round is over."""
        self._resting.append(go_on)

    def _end(self) -> None:
        self._began = None
        resting, self._resting = self._resting, []
        for go_on in resting:
            try:
                go_on()
            except Exception:
                # Those behind it would rest for ever.
                log.exception("a connection could not be read on")
