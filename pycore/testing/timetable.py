"""The one virtual time of a simulated mesh: what happens when, in an order that never differs between two runs."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Timetable:
    """Things to do at virtual times; of two at the same time, the one that was entered first happens first."""

    __slots__ = ("_count", "_queue", "now")

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds since the start."""
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do something at a virtual time; at once, if that has passed."""
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something that many seconds from now; 0 does it within this call."""
        if seconds > 0.0:
            self.at(self.now + seconds, do)
        else:
            do()

    def run(self, until: float, over: Callable[[], bool]) -> None:
        """Let time pass until `over` says so after something happened, or until the given time."""
        queue = self._queue
        while queue and queue[0][0] <= until:
            when, _, do = heapq.heappop(queue)
            if when > self.now:
                self.now = when
            do()
            if over():
                return
        self.now = max(self.now, until)
