"""Keeping peers in step without clocks: the one that is ahead ticks a little slower.

Each peer sees its *frame advantage* over each other when a packet comes: where it is between two frames, minus
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
TURNING: Final = 0.002
"""By how much the periods of two who follow the same peer differ, for each seat between them. With equal ones they
would keep a fixed step with each other, which would say for the whole session who of the two has the other's inputs in
time."""
GOLDEN: Final = 0.6180339887498949
"""Share of a turn from one place to the next that visits all places evenly."""
SILENT: Final = 1.0
"""Seconds after which what a peer said last says nothing any more."""
CAUGHT_UP: Final = 45
"""Ticks without having to stand after which it is no longer followed."""


class _Ahead:
    """How far ahead of one peer we are."""

    __slots__ = ("offset", "rate", "seen_at")

    def __init__(self) -> None:
        self.offset = 0.0
        """Frames, smoothed."""
        self.rate = 0.0
        """Frames per tick by which the offset grows while this peer is followed."""
        self.seen_at = 0.0
        """When the peer said so last."""

    def observe(self, offset: float, now: float, followed: bool) -> None:
        """Take in what both sides say."""
        surprise = offset - self.offset
        self.offset += surprise * SMOOTHING
        self.seen_at = now
        if followed:
            self.rate += surprise * RATE_SMOOTHING

    def follow(self) -> None:
        """It is followed from now on."""
        self.rate = 0.0

    def tick(self) -> None:
        """We tick, and it is followed."""
        self.offset += self.rate

    def stand(self) -> None:
        """We stand for it. What comes next will say the same; the smoothed offset need not wait for it."""
        self.offset -= 1.0


class TimeSync:
    """Smooths the offset to every peer. That to the one that is furthest behind becomes a factor for the tick period;
    or, while one is followed, that to it becomes standing."""

    __slots__ = ("_far", "_followed", "_free", "_look_at", "_peers", "_seat", "_turn", "offset")

    def __init__(self, seat: int = 0) -> None:
        self._seat = max(0, seat)
        self.offset = 0.0
        """Frames by which we are ahead of whoever is followed, or else is furthest behind; negative where all are
        ahead of us."""
        self._peers: dict[int, _Ahead] = {}
        self._followed: _Ahead | None = None
        """The peer that is too slow for nudging. Only one: two fast ones that followed each other would both stand."""
        self._look_at = -1e9
        """When to look next for peers who say nothing any more."""
        self._far = 0
        self._free = 0
        self._turn = 0.5
        """Place of the limit between its lowest and its highest."""

    @property
    def following(self) -> bool:
        """Whether a peer is followed that is too slow for nudging."""
        return self._followed is not None

    def observe(self, peer: int, own: float, theirs: float, now: float) -> None:
        """Take in both sides' frame advantage, ours over this peer and its over us."""
        ahead = self._peers.get(peer)
        if ahead is None:
            ahead = self._peers[peer] = _Ahead()
        ahead.observe((own - theirs) / 2, now, ahead is self._followed)
        if now >= self._look_at:
            self._look_at = now + SILENT
            self._forget(now)
        followed = self._followed
        if ahead is followed or (followed is None and len(self._peers) == 1):
            self.offset = ahead.offset
        elif followed is None:
            self._see()

    def waits(self, now: float) -> bool:
        """Whether to stand this tick so that a slow peer is not left behind; asked once a tick that could step."""
        followed = self._followed
        if followed is None and self.offset <= FAR:
            self._far = 0
            return False
        self._forget(now)
        if followed is not self._followed or (followed is None and self.offset <= FAR):
            return False
        if followed is None:
            self._far += 1
            if self._far < PATIENCE:
                return False
            self._followed = followed = max(self._peers.values(), key=_offset)
            followed.follow()
            self._free = 0
        followed.tick()
        stands = followed.offset > NEAR + (self._turn - 0.5) * SWAY
        if stands:
            followed.stand()
            self._turn = (self._turn + GOLDEN) % 1.0
            self._free = 0
        else:
            self._free += 1
        self.offset = followed.offset
        if self._free > CAUGHT_UP:
            self._leave()
        return stands

    def _see(self) -> None:
        """Whoever is furthest behind."""
        self.offset = max([ahead.offset for ahead in self._peers.values()], default=0.0)

    def _leave(self) -> None:
        """Nobody is followed any longer."""
        self._followed = None
        self._far = 0
        self._see()

    def _forget(self, now: float) -> None:
        """Who says nothing may be gone, and is not followed then."""
        for peer, ahead in list(self._peers.items()):
            if now - ahead.seen_at > SILENT:
                del self._peers[peer]
                if ahead is self._followed:
                    self._leave()
                elif self._followed is None:
                    self._see()

    def factor(self) -> float:
        """What the tick period is multiplied by."""
        if self._followed is not None:
            return 1.0 + TURNING * self._seat if len(self._peers) > 1 else 1.0
        size = abs(self.offset)
        if size <= IGNORED:
            return 1.0
        nudge = GENTLE * size / 2 if size <= 2 else min(STRONG, GENTLE + (size - 2) * 0.01)
        return 1.0 + nudge if self.offset > 0 else 1.0 - nudge


def _offset(ahead: _Ahead) -> float:
    return ahead.offset
