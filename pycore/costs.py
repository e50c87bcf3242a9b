"""What an environment costs, and what follows from it: how sparse its snapshots are, and how long inputs are delayed.

A tick of the worst kind takes in an input that corrects a frame which was guessed: it loads a snapshot, makes the
run-up, steps `depth` frames again and a new one. That has to fit into `SHARE` of a period, or ticks come late. What it
takes is known once the costs are measured; whoever has a clock does that and hands them in.
"""

from __future__ import annotations

import math
from typing import Final

from pycore.errors import ConfigError
from pycore.frozen import Frozen

__all__ = ["SHARE", "Costs", "expected_depth"]

SHARE: Final = 0.8
"""Of a period, what a tick may take; the rest is for the network, the picture and the browser."""
SPARSE: Final = 8
"""Frames from one snapshot to the next at most. More would save little, and a run-up has to be waited for."""


class Costs(Frozen):
    """What a simulation takes on one machine, in seconds."""

    step: float
    """One frame."""
    save: float = 0.0
    load: float = 0.0
    hash: float = 0.0
    """The canonical form of a state, and its hash."""

    def check(self) -> None:
        """Refuse what is no time. Raises ConfigError."""
        for name in self.fields:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
                raise ConfigError(f"the cost of a {name} is {value!r}; it must be seconds, from 0 on")

    def slower(self, factor: float) -> Costs:
        """The same on a machine that takes so many times as long."""
        return Costs(**{name: value * factor for name, value in self.as_dict().items()})

    def tick(self, depth: int, every: int = 1) -> float:
        """Seconds of a tick that rolls back `depth` frames and steps a new one, with a snapshot of every `every`-th
        frame and the longest run-up; depth 0 is a tick without a rollback."""
        back = self.load + (every - 1) * self.step if depth else 0.0
        # The state that was loaded needs no snapshot.
        return back + (depth + 1) * self.step + max(1, depth) * self.save / every

    def sparsity(self, depth: int) -> int:
        """Frames from one snapshot to the next with which a rollback of this depth takes the least."""
        return min(range(1, SPARSE + 1), key=lambda every: (self.tick(depth, every), every))

    def fits(self, depth: int, period: float) -> bool:
        """Whether a rollback of this depth fits into a tick, with snapshots as sparse as is best for it."""
        return self.tick(depth, self.sparsity(depth)) <= SHARE * period

    def depth(self, period: float, most: int = 120) -> int:
        """The deepest rollback that fits; 0 where none does."""
        depth = 0
        while depth < most and self.fits(depth + 1, period):
            depth += 1
        return depth

    def input_delay(self, round_trip: float, period: float, least: int, most: int) -> int:
        """Frames of input delay, from `least` to `most`, with which the rollbacks fit that such a round trip (s) brings
        when every input was guessed wrong; `most` where none is enough."""
        delay = least
        while delay < most and not self.fits(expected_depth(round_trip, period, delay), period):
            delay += 1
        return delay


def expected_depth(round_trip: float, period: float, delay: int) -> int:
    """Frames that an input comes too late at a round trip (s) when peers are in step: half of it on the way, and then
    it waits for the next tick."""
    return max(0, math.ceil(round_trip / 2 / period - 1e-9) - delay)
