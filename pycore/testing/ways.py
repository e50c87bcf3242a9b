"""What one direction between two simulated pages does to packets: delays, loses, doubles, reorders, chokes them.

A *way* is one direction from one page to another. It has the mesh's `Conditions` until it is given values of its own.
Everything random is drawn from the mesh's one generator, and only where something is random: a run repeats itself.

Losses come alone (`loss`), or in *bursts* (the model of Gilbert and Elliott): a way is good or bad, changes from packet
to packet with fixed chances, and loses every packet while it is bad.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pycore.costs import Costs

HEADERS: Final = 90
"""Bytes around each packet, of UDP, DTLS and SCTP."""
QUEUE: Final = 0.4
"""Seconds that a packet waits at most before a narrow way; what would wait longer is dropped."""
HELD_BACK: Final = 0.1
"""Seconds that a packet which is overtaken comes later, at most."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a network does to packets. Times are seconds, one way."""

    delay: float = 0.02
    jitter: float = 0.0
    """Uniform, added to the delay; packets overtake each other."""
    loss: float = 0.0
    """Share of the packets that are lost, each by itself."""
    bursts: float = 0.0
    """Share of the packets that are lost in bursts, beside those; below 1."""
    burst_length: float = 8.0
    """Packets that a burst takes, on average; 1 and more."""
    duplicates: float = 0.0
    """Share of the packets that come twice."""
    reordering: float = 0.0
    """Share of the packets that come up to `HELD_BACK` later, so that later ones overtake them."""
    bandwidth: float | None = None
    """Bits per second that a direction carries, `HEADERS` around each packet included; None: any number."""
    server_delay: float = 0.03
    """From one peer to another through the server, which keeps the order."""
    opens_after: float | None = 0.1
    """When the channels open; None: never."""
    drift: float = 0.0
    """How much faster the clock of each further peer ticks, as a share."""
    tick_jitter: float = 0.0
    costs: Costs | None = None
    """What the simulation takes on each page's machine. None: nothing, and ticks are never late."""


class Way:
    """One direction from one page to another. What is None is as the conditions have it."""

    __slots__ = (
        "_cut", "_hangs", "_whole", "bandwidth", "burst_length", "bursts", "choked", "delay", "doubled", "duplicates",
        "free_at", "held_back", "in_burst", "jitter", "kept", "lose_next", "loss", "lost", "raise_next", "raises",
        "reordering", "sender", "to",
    )  # fmt: skip

    def __init__(self, sender: int, to: int, whole: Callable[[], None] = lambda: None) -> None:
        self.sender = sender
        self.to = to
        self._whole = whole
        """Told when the way is neither cut nor hangs any more."""
        self.delay: float | None = None
        self.jitter: float | None = None
        self.loss: float | None = None
        self.bursts: float | None = None
        self.burst_length: float | None = None
        self.duplicates: float | None = None
        self.reordering: float | None = None
        self.bandwidth: float | None = None
        """Bits per second."""
        self._cut = False
        self._hangs = False
        self.kept: list[Any] = []
        """What it took meanwhile."""
        self.raises = False
        """Every send raises."""
        self.lose_next = 0
        """That many of the next packets are lost."""
        self.raise_next = 0
        """That many of the next sends raise."""
        self.in_burst = False
        """Whether a burst of losses lasts."""
        self.free_at = 0.0
        """When everything that waits before a narrow way is through."""
        self.lost = 0
        """Packets that bursts and `lose_next` took."""
        self.doubled = 0
        """Packets that were sent twice."""
        self.held_back = 0
        """Packets that later ones could overtake, besides by jitter."""
        self.choked = 0
        """Packets that did not fit into the queue before a narrow way."""

    @property
    def cut(self) -> bool:
        """Everything is dropped without a word."""
        return self._cut

    @cut.setter
    def cut(self, cut: bool) -> None:
        before, self._cut = self._cut, cut
        self._changed(before)

    @property
    def hangs(self) -> bool:
        """The channel takes everything and delivers nothing, until it hangs no more: then all at once."""
        return self._hangs

    @hangs.setter
    def hangs(self, hangs: bool) -> None:
        before, self._hangs = self._hangs, hangs
        self._changed(before)

    def _changed(self, before: bool) -> None:
        if before and not (self._cut or self._hangs):
            self._whole()

    def refuses(self) -> bool:
        """Whether the next send raises; asked once for each."""
        if self.raise_next > 0:
            self.raise_next -= 1
            return True
        return self.raises

    def repeats(self, conditions: Conditions, rng: random.Random) -> bool:
        """Whether a packet is sent twice."""
        share = conditions.duplicates if self.duplicates is None else self.duplicates
        if not share or rng.random() >= share:
            return False
        self.doubled += 1
        return True

    def carries(self, conditions: Conditions, now: float, size: int, rng: random.Random) -> float | None:
        """After how many seconds a packet of so many bytes arrives; None: never."""
        bursts = conditions.bursts if self.bursts is None else self.bursts
        if (bursts or self.in_burst) and self._bursts(conditions, bursts, rng):
            return None
        loss = conditions.loss if self.loss is None else self.loss
        if loss and rng.random() < loss:
            return None
        jitter = conditions.jitter if self.jitter is None else self.jitter
        delay = conditions.delay if self.delay is None else self.delay
        after = delay + rng.random() * jitter
        reordering = conditions.reordering if self.reordering is None else self.reordering
        if reordering and rng.random() < reordering:
            self.held_back += 1
            after += rng.random() * HELD_BACK
        bandwidth = conditions.bandwidth if self.bandwidth is None else self.bandwidth
        if bandwidth is not None:
            begins = max(now, self.free_at)
            if begins - now > QUEUE:
                self.choked += 1
                return None
            self.free_at = begins + 8.0 * (size + HEADERS) / bandwidth
            after += self.free_at - now
        return after

    def _bursts(self, conditions: Conditions, share: float, rng: random.Random) -> bool:
        """Whether this packet is lost in a burst."""
        length = conditions.burst_length if self.burst_length is None else self.burst_length
        # With this chance to begin, the given share of the packets falls into bursts.
        begins = share / (length * (1.0 - share))
        self.in_burst = rng.random() >= 1.0 / length if self.in_burst else rng.random() < begins
        self.lost += self.in_burst
        return self.in_burst

    def longest(self, conditions: Conditions) -> float:
        """Seconds that a packet takes at most, if it is not lost."""
        delay = conditions.delay if self.delay is None else self.delay
        jitter = conditions.jitter if self.jitter is None else self.jitter
        reordering = conditions.reordering if self.reordering is None else self.reordering
        bandwidth = conditions.bandwidth if self.bandwidth is None else self.bandwidth
        return delay + jitter + (HELD_BACK if reordering else 0.0) + (0.0 if bandwidth is None else QUEUE)
