"""Moments as a caller hands them in: it may pause, its clock may be set back, and what is no time is refused.

NaN compares with nothing, and nothing ever comes behind infinity: taken once, no later moment would be one.
"""

from __future__ import annotations

from math import isfinite
from typing import Final

from pycore.errors import UsageError

LATE_TICKS: Final = 6
"""Of a pause of our own, what is longer than this is excused: it was we who did not listen."""
BACKWARDS: Final = 1.0
"""Seconds by which a clock may run backwards without being one that was set anew."""


def check_time(now: float) -> None:
    """Raises UsageError for what is no time."""
    if not isfinite(now):
        raise UsageError(f"the time is {now!r}; it must be a number of seconds")


def check_wall(wall_ms: float) -> None:
    """The same of a wall time."""
    if not isfinite(wall_ms):
        raise UsageError(f"the wall time is {wall_ms!r}; it must be a number of milliseconds")


def gone_on(now: float, polled: float) -> float:
    """A moment that does not lie behind the last poll, as one of a clock that goes on: where it lies far before it, the
    clock was set back. Raises UsageError for what is no time."""
    check_time(now)
    return now if now >= polled - BACKWARDS else polled
