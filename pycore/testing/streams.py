"""The reliable channels of a simulated mesh: what is sent arrives in order and once, unless its channel closes.

A channel that closes loses what is on its way, in the middle of a message or not. A way that is cut keeps what it was
given and delivers it when it is whole again, as a reliable channel does. What a way takes a second may be bounded; what
waits for it is what the page sees as buffered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pycore.duties import CHANNEL_CLOSED
from pycore.testing.timetable import Timetable

Way = tuple[int, int]
"""Sender and receiver."""


class Reliable:
    """The second channels of all pairs. `delay` says how long a way takes now, `cut` whether it is dead."""

    def __init__(self, time: Timetable, delay: Callable[[Way], float], cut: Callable[[Way], bool]) -> None:
        self.bandwidth: float | None = None
        """Bytes a second of each way; None: no bound."""
        self.closed: set[frozenset[int]] = set()
        """Pairs whose second channel is closed, though the first may be open."""
        self.chunks = 0
        """Chunks that were sent."""
        self.bytes = 0
        self.most_buffered = 0
        """The most that any page had in a channel."""
        self._time = time
        self._delay = delay
        self._cut = cut
        self._take: dict[int, Callable[[int, bytes], None]] = {}
        self._opened: dict[frozenset[int], int] = {}
        """How often a pair's channel was closed: what is on its way through an older one never arrives."""
        self._due: dict[Way, float] = {}
        self._drained: dict[Way, list[tuple[float, int]]] = {}
        """When what lies in the channel will have left it, and its bytes."""
        self._kept: dict[Way, list[Callable[[], None]]] = {}

    def attach(self, seat: int, take: Callable[[int, bytes], None]) -> None:
        """The page of a seat takes chunks as (sender, data)."""
        self._take[seat] = take

    def states(self, seat: int, channels: Mapping[int, int]) -> list[int]:
        """What a page sees of its second channels; `channels` are the states of the first, by page."""
        return [
            state if state < 0
            else CHANNEL_CLOSED if self.closed and frozenset((seat, other)) in self.closed
            else self.buffered((seat, other))
            for other, state in channels.items()
        ]  # fmt: skip

    def buffered(self, way: Way) -> int:
        """Bytes that have not left the sender."""
        waiting = self._drained.get(way)
        if waiting is None:
            return 0
        now = self._time.now
        while waiting and waiting[0][0] <= now:
            waiting.pop(0)
        return sum(size for _, size in waiting)

    def send(self, sender: int, to: int, data: bytes) -> None:
        """A page whose channel is open sends a chunk."""
        way = sender, to
        pair = frozenset(way)
        if pair in self.closed:
            return
        self.chunks += 1
        self.bytes += len(data)
        now = self._time.now
        leaves = now
        if self.bandwidth is not None:
            waiting = self._drained.setdefault(way, [])
            leaves = max(now, waiting[-1][0] if waiting else now) + len(data) / self.bandwidth
            waiting.append((leaves, len(data)))
            self.most_buffered = max(self.most_buffered, self.buffered(way))
        due = self._due[way] = max(self._due.get(way, 0.0), leaves + self._delay(way))
        number = self._opened.get(pair, 0)

        def arrive() -> None:
            if self._opened.get(pair, 0) != number:
                return
            if self._cut(way) or self._kept.get(way):
                self._kept.setdefault(way, []).append(arrive)
            else:
                self._take[to](sender, data)

        self._time.at(due, arrive)

    def restore(self, way: Way) -> None:
        """A way that was cut is whole again: what was kept arrives now, in order."""
        for arrive in self._kept.pop(way, ()):
            arrive()

    def lose(self, pair: frozenset[int]) -> None:
        """The channel of a pair closes: what is on its way is lost."""
        self._opened[pair] = self._opened.get(pair, 0) + 1
        for of in (self._drained, self._kept):
            for way in [way for way in of if frozenset(way) == pair]:
                del of[way]

    def close(self, a: int, b: int) -> None:
        """The second channel of a pair closes, and the first stays open."""
        pair = frozenset((a, b))
        self.closed.add(pair)
        self.lose(pair)

    def open(self, a: int, b: int) -> None:
        """It is open again."""
        self.closed.discard(frozenset((a, b)))
