"""The peer-to-peer part of a simulated mesh: what each direction does to packets, and who sees a channel closed when.

A *way* is one direction from one page to another. It has the delay, jitter and loss of the mesh's `Conditions`
until it is given its own. A *channel* is what both directions of a pair share: it closes for both at one moment,
but each side sees that at its own time, and until then sends into nothing.

Everything random is drawn from the mesh's one generator, and only where something is random: a run repeats itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pycore.costs import Costs
from pycore.duties import CHANNEL_CLOSED
from pycore.testing.streams import Reliable
from pycore.testing.timetable import Timetable


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a network does to packets. Times are seconds, one way."""

    delay: float = 0.02
    jitter: float = 0.0
    """Uniform, added to the delay; packets overtake each other."""
    loss: float = 0.0
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
    """One direction from one page to another. `delay`, `jitter` and `loss` are the conditions' while they are None."""

    __slots__ = ("cut", "delay", "duplicates", "jitter", "lose_next", "loss", "lost", "raise_next", "sender", "to")

    def __init__(self, sender: int, to: int) -> None:
        self.sender = sender
        self.to = to
        self.delay: float | None = None
        self.jitter: float | None = None
        self.loss: float | None = None
        self.cut = False
        """Everything is dropped without a word."""
        self.lose_next = 0
        """That many of the next packets are lost."""
        self.raise_next = 0
        """That many of the next sends raise."""
        self.duplicates = 0.0
        """Share of the packets that are sent twice."""
        self.lost = 0
        """Packets that `lose_next` took."""


class Network:
    """All ways and channels of a mesh. Pages are attached to it; it hands them packets and states of channels."""

    def __init__(self, seats: int, conditions: Conditions, time: Timetable, rng: random.Random) -> None:
        self.conditions = conditions
        self.ways = {(a, b): Way(a, b) for a in range(seats) for b in range(seats) if a != b}
        self.keeps_what_is_cut = False
        """Whether a cut channel keeps what it was given and delivers it when it is whole again."""
        self._time = time
        self._random = rng
        self._kept: list[tuple[int, int, Any]] = []
        self._closed: set[frozenset[int]] = set()
        self._changes: dict[frozenset[int], int] = {}
        """Per pair, how often its channel closed or opened: what is seen later than the next change is never seen."""
        self.reliable = Reliable(time, self.delay, lambda way: self.ways[way].cut)
        """The second channels of all pairs, which the streams go by."""
        self._packet: dict[int, Callable[[int, bytes], None]] = {}
        self._channel: dict[int, Callable[[int, int], None]] = {}

    def attach(self, seat: int, packet: Callable[[int, bytes], None], channel: Callable[[int, int], None]) -> None:
        """The page of a seat takes packets as (sender, data), and states of its channels as (other, state)."""
        self._packet[seat] = packet
        self._channel[seat] = channel

    # -- packets ----------------------------------------------------------------------------------------------

    def send(self, sender: int, to: int, data: bytes) -> None:
        """A page whose channel is open sends a packet."""
        way = self.ways[sender, to]
        if way.lose_next > 0:
            way.lose_next -= 1
            way.lost += 1
            return
        if way.cut and self.keeps_what_is_cut:
            self._kept.append((sender, to, data))
            return
        self._carry(way, data)
        if way.duplicates and self._random.random() < way.duplicates:
            self._carry(way, data)

    def _carry(self, way: Way, data: bytes) -> None:
        if way.cut or (self._closed and frozenset((way.sender, way.to)) in self._closed):
            return
        conditions = self.conditions
        loss = conditions.loss if way.loss is None else way.loss
        if loss and self._random.random() < loss:
            return
        jitter = conditions.jitter if way.jitter is None else way.jitter
        delay = conditions.delay if way.delay is None else way.delay
        sender, packet = way.sender, self._packet[way.to]
        self._time.at(self._time.now + delay + self._random.random() * jitter, lambda: packet(sender, data))

    def cut(self, way: tuple[int, int] | None = None) -> None:
        """One way, or every one, drops everything without a word."""
        for of in self.ways.values() if way is None else [self.ways[way]]:
            of.cut = True

    def delay(self, way: tuple[int, int]) -> float:
        """What a packet takes without jitter, in seconds."""
        own = self.ways[way].delay
        return self.conditions.delay if own is None else own

    def restore(self) -> None:
        """What was cut is whole again; what a cut channel kept arrives now."""
        for way in self.ways.values():
            way.cut = False
        self.reliable.restore()
        kept, self._kept = self._kept, []
        for sender, to, data in kept:
            delay = self.ways[sender, to].delay
            packet = self._packet[to]
            self._time.at(
                self._time.now + (self.conditions.delay if delay is None else delay),
                lambda packet=packet, sender=sender, data=data: packet(sender, data),  # type: ignore[misc]
            )

    def round_trip(self, a: int, b: int) -> float:
        """The longest that a packet and its answer take between two pages, if they are not lost."""
        total = 0.0
        for way in (self.ways[a, b], self.ways[b, a]):
            total += self.conditions.delay if way.delay is None else way.delay
            total += self.conditions.jitter if way.jitter is None else way.jitter
        return total

    def works(self, a: int, b: int) -> bool:
        """Whether packets get through between two pages, but for those that are lost by chance."""
        if frozenset((a, b)) in self._closed:
            return False
        return not any(way.cut or way.lose_next or way.raise_next for way in (self.ways[a, b], self.ways[b, a]))

    # -- channels ---------------------------------------------------------------------------------------------

    def open(self, a: int, b: int, seen_after: tuple[float, float] = (0.0, 0.0)) -> None:
        """The channel between two pages is open (again); each of the two sees it so many seconds later."""
        self._closed.discard(frozenset((a, b)))
        self._change(a, b, 0, seen_after)

    def close(
        self,
        a: int,
        b: int,
        state: int = CHANNEL_CLOSED,
        seen_after: tuple[float | None, float | None] = (0.0, 0.0),
    ) -> None:
        """The channel between two pages closes now; each of the two sees it so many seconds later, or never (None)."""
        if any(after != 0.0 for after in seen_after):
            # Where both know at once, what is on its way falls at their closed channels, as does what they send.
            self._closed.add(frozenset((a, b)))
        self.reliable.lose(frozenset((a, b)))
        self._change(a, b, state, seen_after)

    def _change(self, a: int, b: int, state: int, seen_after: tuple[float | None, float | None]) -> None:
        pair = frozenset((a, b))
        number = self._changes[pair] = self._changes.get(pair, 0) + 1

        def see(owner: int, other: int) -> None:
            if self._changes[pair] == number:
                self._channel[owner](other, state)

        for owner, other, after in ((a, b, seen_after[0]), (b, a, seen_after[1])):
            if after is not None:
                self._time.after(after, lambda owner=owner, other=other: see(owner, other))  # type: ignore[misc]
