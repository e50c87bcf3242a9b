"""The wall time of every moment of a session: what its monotonic clock made of it, by the reading in force then.

The wall clock is read anew now and then, because a monotonic clock may stand still while a machine sleeps. A reading
counts from its moment on; what was noted before keeps its time. Memory is bounded however often the clock is read: a
reading that changes nothing leaves nothing behind, and beyond `MOST` the two neighbours that differ least become one,
so that a sleep stays while a clock's little corrections go.
"""

from __future__ import annotations

from typing import Final

MOST: Final = 64
"""Readings that are kept."""


class WallClock:
    """Wall times by the session's clock; `wall_ms` is the wall time at `now`."""

    __slots__ = ("_offsets", "_since")

    def __init__(self, now: float, wall_ms: float) -> None:
        self._since = [-1e18]
        """From when on each reading counts, in order."""
        self._offsets = [wall_ms - now * 1000.0]
        """Milliseconds that each adds."""

    def at(self, moment: float) -> float:
        """Milliseconds since the epoch at a moment of the session's clock."""
        place = len(self._since) - 1
        while moment < self._since[place]:
            place -= 1
        return self._offsets[place] + moment * 1000.0

    def read(self, now: float, wall_ms: float) -> None:
        """The wall clock was read: it counts from `now` on."""
        since, offsets = self._since, self._offsets
        while since[-1] >= now:
            since.pop()
            offsets.pop()
        offset = wall_ms - now * 1000.0
        if offset == offsets[-1]:
            return
        since.append(now)
        offsets.append(offset)
        if len(since) > MOST:
            steps = [abs(offsets[place] - offsets[place - 1]) for place in range(1, MOST)]
            place = 1 + steps.index(min(steps))
            del since[place], offsets[place]
