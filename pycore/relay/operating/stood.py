"""How long the process stood: paused with its machine or container, swapped out, or held up by something.

While nobody takes what comes, nobody can be heard, come back, or answer. When the process goes on the clock strikes
before anything is read: everybody would be taken for away, seats would be given up whose pages wait at the door, who
has answered would be sent out of the queue, and who has stored what was played would not have completed it. So such a
time is nobody's. A server that has much to do is not meant: it takes what comes, late.
"""

from __future__ import annotations

import logging
from typing import Final, Protocol

log = logging.getLogger("pycore.relay")

STOOD_S: Final = 2.0
"""Beyond what lies between two looks; what is less is within everybody's patience."""


class Waits(Protocol):
    """What waits for people."""

    def stood(self, seconds: float, now: float) -> None:
        """The server stood for so long: that is nobody's time."""


class Stood:
    """Asked every `pause` seconds. `told`: what waits for people, which is told for how long that was nobody's time, s,
    and what time it is now."""

    def __init__(self, pause: float, now: float, *told: Waits) -> None:
        self._pause = pause
        self._before = now
        self._told = told

    def look(self, now: float) -> float:
        """The time, once everybody has been told."""
        stood, self._before = now - self._before - self._pause, now
        if stood >= STOOD_S:
            log.warning("the process stood for %.1f s; nobody counts as away for that", stood)
            for waits in self._told:
                waits.stood(stood, now)
        return now
