"""Keeping peers in step without clocks: the one that is ahead ticks a little slower.

Each peer sees its *frame advantage* over the other when a packet comes: where it is between two frames, minus
the frame at which the packet was sent.
Travel time makes both advantages larger by the same amount, so half their difference is the true offset, and
no clock is compared. The tick period is nudged by at most 1.6 % (nobody notices), beyond an offset of two
frames by at most 5 %. No frame is ever skipped.

A peer that is slower than that cannot be followed by nudging. The fast one would run ahead of it until its window is
full, and have every misprediction, while the slow one has none: a confound in a study. So whoever stays far ahead
*follows*: it steps only as fast as keeps the offset near zero, and stands for single ticks. Then both mispredict
alike.
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
RATE_SMOOTHING: Final = 1 / 512
"""Share of what the smoothed offset did not expect that goes into the rate. A mean over sixteen packets lags behind an
offset that grows all the time: behind a peer at 25 of 30 frames per second by three frames, which would all be ours."""
FAR: Final = 2.0
"""Frames of offset beyond which a peer may be too slow to be followed by nudging."""
PATIENCE: Final = 45
"""Ticks beyond that before it is followed: a hiccup is over sooner."""
NEAR: Final = 0.42
"""While following, whoever is ahead stands at about this offset; measured to share the burden evenly for one-way times
of 30 to 120 ms."""
SWAY: Final = 2.0
"""Frames by which that limit goes up and down from one stand to the next. Two frame rates keep a fixed step with each
other, and inputs often keep it too: at one and the same place between two frames one of them would always have a
frame more to re-simulate."""
GOLDEN: Final = 0.6180339887498949
"""Share of a turn from one place to the next that visits all places evenly."""
CAUGHT_UP: Final = 45
"""Ticks without having to stand after which it is no longer followed."""


class TimeSync:
    """Smooths the offset to the slowest peer and turns it into a factor for the tick period."""

    __slots__ = ("_far", "_free", "_rate", "_turn", "following", "offset")

    def __init__(self) -> None:
        self.offset = 0.0
        """Frames by which we are ahead."""
        self.following = False
        """Whether a peer is followed that is too slow for nudging."""
        self._far = 0
        self._free = 0
        self._turn = 0.5
        """Place of the limit between its lowest and its highest."""
        self._rate = 0.0
        """Frames per tick by which we get ahead of the peer that is followed."""

    def observe(self, own: float, theirs: float) -> None:
        """Take in both sides' frame advantage."""
        surprise = (own - theirs) / 2 - self.offset
        self.offset += surprise * SMOOTHING
        if self.following:
            self._rate += surprise * RATE_SMOOTHING

    def waits(self) -> bool:
        """Whether to stand this tick so that a slow peer is not left behind; asked once a tick that could step."""
        if not self.following:
            if self.offset <= FAR:
                self._far = 0
                return False
            self._far += 1
            if self._far < PATIENCE:
                return False
            self.following = True
            self._free = 0
            self._rate = 0.0
        self.offset += self._rate
        if self.offset > NEAR + (self._turn - 0.5) * SWAY:
            # What comes next will say the same; the smoothed offset need not wait for it.
            self.offset -= 1.0
            self._turn = (self._turn + GOLDEN) % 1.0
            self._free = 0
            return True
        self._free += 1
        if self._free > CAUGHT_UP:
            self.following = False
            self._far = 0
        return False

    def factor(self) -> float:
        """What the tick period is multiplied by."""
        size = abs(self.offset)
        if size <= IGNORED or self.following:
            return 1.0
        nudge = GENTLE * size / 2 if size <= 2 else min(STRONG, GENTLE + (size - 2) * 0.01)
        return 1.0 + nudge if self.offset > 0 else 1.0 - nudge
