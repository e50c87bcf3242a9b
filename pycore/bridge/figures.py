"""What only the page knows of its session: how long ticks and pictures take, the server's clock, and the waiting.

A page measures, and hands in what it measured; here it becomes what the metrics say of it.
"""

from __future__ import annotations

from typing import Any

from pycore.distribution import TENTHS, TOGETHER, Distribution
from pycore.records.metrics import TENTHS_MS
from pycore.session.session import Session
from pycore.session.tick import RESIMULATED, STEPPED


class Figures:
    """The page's figures of one session. `joined_ms` is the wall time at which somebody asked for the game."""

    def __init__(self, session: Session, began_ms: float, joined_ms: float | None) -> None:
        self._session = session
        self._began_ms = began_ms
        self._joined_ms = joined_ms
        self._waiting: list[tuple[float, int, int]] = []
        """Ticks that are not counted yet: when, flags, and what the one before took."""
        self._ticks = Distribution()
        self._displays = Distribution()
        self._displayed_at: float | None = None
        self.clock: tuple[float, float] | None = None
        """The server's clock minus ours and the round trip of the probe that says so, in ms."""

    def ticked(self, now: float, flags: int, worked: int) -> None:
        """A tick is done; the one before took so many tenths of a millisecond, if that is known."""
        waiting = self._waiting
        waiting.append((now, flags, worked))
        if len(waiting) >= TOGETHER:
            self._count()

    def _count(self) -> None:
        waiting, self._waiting = self._waiting, []
        before = self._displayed_at
        for now, flags, worked in waiting:
            if worked:
                self._ticks.add(worked)
            if flags & (STEPPED | RESIMULATED):
                if before is not None:
                    self._displays.add(max(0, int((now - before) * TENTHS + 0.5)))
                before = now
        self._displayed_at = before

    def probed(self, sent: float, came: float, server_ms: float) -> bool:
        """The server answered a probe with its time; sent and came are the session's. True if no other was quicker."""
        rtt_ms = (came - sent) * 1000.0
        if not 0.0 <= rtt_ms < 60_000.0 or (self.clock is not None and rtt_ms >= self.clock[1]):
            return False
        offset = server_ms - self._session.wall_ms((sent + came) / 2)
        self.clock = round(offset, 1), round(rtt_ms, 1)
        return True

    def forget_clock(self) -> None:
        """Our wall clock was put right: what was known of the server's is not so any more."""
        self.clock = None

    def export(self) -> dict[str, Any]:
        """By the names of the metrics."""
        self._count()
        clock, joined = self.clock, self._joined_ms
        return {
            "frameTimes": {"tickMs": self._ticks.export(TENTHS_MS), "displayMs": self._displays.export(TENTHS_MS)},
            "clock": None if clock is None else {"offsetMs": clock[0], "rttMs": clock[1]},
            "waiting": None if joined is None else {
                "joined": round(joined),
                "began": round(self._began_ms),
                "seconds": round((self._began_ms - joined) / 1000.0, 3),
            },
        }  # fmt: skip
