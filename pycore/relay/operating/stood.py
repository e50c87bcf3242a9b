"""How long the process stood: paused with its machine or container, swapped out, or held up by something.

While nobody takes what comes, nobody can be heard, come back, or answer. When the process goes on the clock strikes
before anything is read: everybody would be taken for away, seats would be given up whose pages wait at the door, and
who has answered would be sent out of the queue. So such a time is nobody's. A server that has much to do is not meant:
it takes what comes, late.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

log = logging.getLogger("pycore.relay")

STOOD_S: Final = 2.0
"""Beyond what lies between two looks; what is less is within everybody's patience."""


class Stood:
    """Asked every `pause` seconds. `told`: what waits for people, which is told for how long that was nobody's time, s,
    and what time it is now."""

    def __init__(self, pause: float, now: float, *told: Callable[[float, float], None]) -> None:
        self._pause = pause
        self._before = now
        self._told = told

    def look(self, now: float) -> float:
        """The time, once everybody has been told."""
        stood, self._before = now - self._before - self._pause, now
        if stood >= STOOD_S:
            log.warning("the process stood for %.1f s; nobody counts as away for that", stood)
            for tell in self._told:
                tell(stood, now)
        return now
