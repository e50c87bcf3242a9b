"""What only the page knows of its session: how long ticks and pictures take, the server's clock, and the waiting.

A page measures, and hands in what it measured; here it becomes what the metrics say of it.
"""

from __future__ import annotations

import itertools
from typing import Any

from pycore.bridge.returns import Returns
from pycore.distribution import TENTHS, TOGETHER, Distribution
from pycore.records.metrics import TENTHS_MS
from pycore.session.session import Session


class Figures:
    """The page's figures of one session. `joined_ms` is the wall time at which somebody asked for the game, `returns`
    knows which load this is."""

    def __init__(self, session: Session, began_ms: float, joined_ms: float | None, returns: Returns) -> None:
        self._session = session
        self._returns = returns
        self._began_ms = began_ms
        self._joined_ms = joined_ms
        self._worked: list[int] = []
        self._displayed: list[float] = []
        """What ticks took, and when frames were displayed, as far as they are not counted yet."""
        self._ticks = Distribution()
        self._displays = Distribution()
        self.clock: tuple[float, float] | None = None
        """The server's clock minus ours and the round trip of the probe that says so, in ms."""

    def ticked(self, now: float, displayed: bool, worked: int) -> None:
        """A tick is done, with a frame that was displayed or without; the one before took so many tenths of a
        millisecond, if that is known."""
        if worked:
            self._worked.append(worked)
            if len(self._worked) >= TOGETHER:
                # A page that stands at its end goes on ticking, and displays nothing.
                self._ticks.extend(self._worked)
                self._worked = []
        if displayed:
            at = self._displayed
            at.append(now)
            if len(at) >= TOGETHER:
                self._count()

    def _count(self) -> None:
        self._ticks.extend(self._worked)
        self._worked = []
        at = self._displayed
        self._displays.extend([
            int((after - before) * TENTHS + 0.5) if after > before else 0 for before, after in itertools.pairwise(at)
        ])  # fmt: skip
        self._displayed = at[-1:]

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
            **self._returns.export(),
            "frameTimes": {"tickMs": self._ticks.export(TENTHS_MS), "displayMs": self._displays.export(TENTHS_MS)},
            "clock": None if clock is None else {"offsetMs": clock[0], "rttMs": clock[1]},
            "waiting": None if joined is None else {
                "joined": round(joined),
                "began": round(self._began_ms),
                "seconds": round((self._began_ms - joined) / 1000.0, 3),
            },
        }  # fmt: skip
