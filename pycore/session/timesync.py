"""Keeping peers in step without clocks: the one that is ahead ticks a little slower.

Each peer sees its *frame advantage* over the other when a packet comes: where it is between two frames, minus
the frame at which the packet was sent.
Travel time makes both advantages larger by the same amount, so half their difference is the true offset, and
no clock is compared. The tick period is nudged by at most 1.6 % (nobody notices), beyond an offset of two
frames by at most 5 %. No frame is ever skipped.
"""

from __future__ import annotations

from typing import Final

GENTLE: Final = 0.016
STRONG: Final = 0.05
IGNORED: Final = 0.125
"""Frames of offset that are left alone: half the unit in which advantages travel."""
UNITS: Final = 4
"""An advantage travels in quarters of a frame: whole ones would leave one peer up to half a frame ahead for the
whole session, and all mispredictions to the other one."""
SMOOTHING: Final = 1 / 16


class TimeSync:
    """Smooths the offset to the slowest peer and turns it into a factor for the tick period."""

    __slots__ = ("offset",)

    def __init__(self) -> None:
        self.offset = 0.0
        """Frames by which we are ahead."""

    def observe(self, own: float, theirs: float) -> None:
        """Take in both sides' frame advantage."""
        self.offset += ((own - theirs) / 2 - self.offset) * SMOOTHING

    def factor(self) -> float:
        """What the tick period is multiplied by."""
        size = abs(self.offset)
        if size <= IGNORED:
            return 1.0
        nudge = GENTLE * size / 2 if size <= 2 else min(STRONG, GENTLE + (size - 2) * 0.01)
        return 1.0 + nudge if self.offset > 0 else 1.0 - nudge
