"""The peer-to-peer part of a simulated mesh: its ways, and who sees a channel closed when.

A *channel* is what both directions of a pair share (`pycore.testing.ways`): it closes for both at one moment, but each
side sees that at its own time, and until then sends into nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from pycore.duties import CHANNEL_CLOSED
from pycore.testing.streams import Reliable
from pycore.testing.timetable import Timetable
from pycore.testing.ways import Conditions, Way


class Network:
    """All ways and channels of a mesh. Pages are attached to it; it hands them packets and states of channels."""

    def __init__(self, seats: int, conditions: Conditions, time: Timetable, rng: random.Random) -> None:
        self.conditions = conditions
        self.ways = {
            (a, b): Way(a, b, partial(self._whole, (a, b))) for a in range(seats) for b in range(seats) if a != b
        }
        self._time = time
        self._random = rng
        self._closed: set[frozenset[int]] = set()
        self._changes: dict[frozenset[int], int] = {}
        """Per pair, how often its channel closed or opened: what is seen later than the next change is never seen."""
        self.reliable = Reliable(time, self.delay, lambda way: self.ways[way].cut or self.ways[way].hangs)
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
        if way.hangs:
            way.kept.append(data)
            return
        self._carry(way, data)
        if way.repeats(self.conditions, self._random):
            self._carry(way, data)

    def _carry(self, way: Way, data: bytes) -> None:
        if way.cut or (self._closed and frozenset((way.sender, way.to)) in self._closed):
            return
        now = self._time.now
        after = way.carries(self.conditions, now, len(data), self._random)
        if after is not None:
            sender, packet = way.sender, self._packet[way.to]
            self._time.at(now + after, lambda: packet(sender, data))

    def cut(self, way: tuple[int, int] | None = None) -> None:
        """One way, or every one, drops everything without a word."""
        for of in self.ways.values() if way is None else [self.ways[way]]:
            of.cut = True

    def delay(self, way: tuple[int, int]) -> float:
        """What a packet takes without jitter, in seconds."""
        own = self.ways[way].delay
        return self.conditions.delay if own is None else own

    def hang(self, way: tuple[int, int]) -> None:
        """One way takes everything and delivers nothing, until it goes on."""
        self.ways[way].hangs = True

    def go_on(self, way: tuple[int, int]) -> None:
        """One way hangs no more; what it took meanwhile arrives, in order and at once."""
        of = self.ways[way]
        of.hangs = False
        kept, of.kept = of.kept, []
        delay = self.conditions.delay if of.delay is None else of.delay
        packet = self._packet[of.to]
        for data in kept:
            self._time.at(self._time.now + delay, lambda data=data: packet(of.sender, data))  # type: ignore[misc]

    def restore(self) -> None:
        """What was cut is whole again, and what hangs goes on."""
        for pair, way in self.ways.items():
            way.cut = False
            if way.hangs:
                self.go_on(pair)

    def _whole(self, way: tuple[int, int]) -> None:
        # Whoever mends a way, what its reliable channel kept must arrive: what comes after it waits behind it.
        self.reliable.restore(way)

    def round_trip(self, a: int, b: int) -> float:
        """The longest that a packet and its answer take between two pages, if they are not lost."""
        return sum(self.ways[pair].longest(self.conditions) for pair in ((a, b), (b, a)))

    def works(self, a: int, b: int) -> bool:
        """Whether packets get through between two pages, but for those that are lost by chance."""
        if frozenset((a, b)) in self._closed:
            return False
        return not any(
            way.cut or way.hangs or way.lose_next or way.raise_next or way.raises
            for way in (self.ways[a, b], self.ways[b, a])
        )

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
        for way in (self.ways[a, b], self.ways[b, a]):
            # A channel that is opened anew is another one, and has nothing of what lay in this one.
            way.kept.clear()
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
