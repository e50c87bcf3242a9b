"""Whether the pages kept up: when their ticks began, and how long they worked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Final

from pycore.session.tick import RESIMULATED, STEPPED

LATE: Final = 1.5
"""Of a period: a tick that begins so long after the one before is late."""
OFTEN: Final = 0.05
"""Of all ticks: so many late ones are a page that is too slow."""
FULL: Final = 0.8
"""Of a period: who works longer than this has no room for a rollback."""


@dataclass(frozen=True)
class Pace:
    """One page's ticks, times in milliseconds."""

    ticks: int
    late: int
    period: float
    step: float
    """Median of a tick's work that steps one frame."""
    rollback: float
    """The same of those that step frames again; 0 if there were none."""
    most: float
    """The 99th percentile of all."""

    @property
    def slow(self) -> bool:
        """Whether the game of this page was too slow."""
        return self.ticks > 0 and (self.late / self.ticks > OFTEN or self.step > FULL * self.period)

    def as_json(self) -> dict[str, Any]:
        """For the verdict of a script."""
        return {"ticks": self.ticks, "lateTicks": self.late, "stepMs": round(self.step, 2),
                "rollbackMs": round(self.rollback, 2), "p99Ms": round(self.most, 2)}  # fmt: skip


def pace_of(found: Mapping[str, Sequence[float | None]], fps: float) -> Pace:
    """Of what a page wrote down (`inputs`): beginnings of ticks, times of work, flags."""
    period = 1000.0 / fps
    starts = found["start"]
    gaps = [after - before for before, after in pairwise(starts) if before is not None and after is not None]
    late = sum(1 for gap in gaps if gap > LATE * period)
    work = [(time, int(flags or 0)) for time, flags in zip(found["work"], found["flags"], strict=False)
            if time is not None]  # fmt: skip
    plain = [time for time, flags in work if flags & STEPPED and not flags & RESIMULATED]
    again = [time for time, flags in work if flags & RESIMULATED]
    times = sorted(time for time, _ in work)
    most = times[min(len(times) - 1, math.ceil(0.99 * len(times)) - 1)] if times else 0.0
    ticks = sum(1 for start in starts if start is not None)
    return Pace(ticks, late, period, median(plain) if plain else 0.0, median(again) if again else 0.0, most)


def advice(player: str, pace: Pace, depths: Sequence[int], delay: int) -> str:
    """What to do about a page that is too slow; empty if it is not."""
    if not pace.slow:
        return ""
    said = (
        f"player {player}: the page is too slow: {pace.late} of {pace.ticks} ticks were late; one takes "
        f"{pace.step:.1f} ms, with a rollback {pace.rollback:.1f} ms, of {pace.period:.1f} ms"
    )
    if pace.step > FULL * pace.period:
        return f"{said}: make step() cheaper or lower fps; no input delay helps where one step takes a frame's time"
    if not depths:
        return f"{said}; nothing was rolled back, so the machine or the drawing is slow"
    deep = sorted(depths)[min(len(depths) - 1, math.ceil(0.9 * len(depths)) - 1)]
    return f"{said}: with an input delay of {delay + deep} instead of {delay} nine of ten rollbacks would not be needed"
