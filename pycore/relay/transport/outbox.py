"""What waits to be sent by one socket: bounded, and of what repeats itself only the newest.

An event may have a key. Then its newest value says all that the older ones said, so one that waits still is taken out
when a newer one comes; that goes behind all that was put in before it. Events without a key keep their order and none
of them is left out: a box with too much in it is full, and whoever owns it gives the socket up.
"""

from __future__ import annotations

from collections.abc import Hashable


class Outbox:
    """Texts in order."""

    __slots__ = ("_bytes", "_next", "_places", "_texts", "max_bytes", "max_packets", "replaced", "since")

    def __init__(self, max_packets: int, max_bytes: int) -> None:
        self.max_packets = max_packets
        self.max_bytes = max_bytes
        self._texts: dict[int, tuple[Hashable | None, str]] = {}
        self._places: dict[Hashable, int] = {}
        self._next = 0
        self._bytes = 0
        self.replaced = 0
        """How many a newer one has taken the place of."""
        self.since: float | None = None
        """Since when something waits; None: nothing does."""

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def size(self) -> int:
        """Characters that wait."""
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether it holds more than it may."""
        return len(self._texts) > self.max_packets or self._bytes > self.max_bytes

    def put(self, text: str, now: float, key: Hashable | None = None) -> None:
        """One more, at the end."""
        if self.since is None:
            self.since = now
        if key is not None:
            before = self._places.get(key)
            if before is not None:
                self._bytes -= len(self._texts.pop(before)[1])
                self.replaced += 1
            self._places[key] = self._next
        self._texts[self._next] = (key, text)
        self._next += 1
        self._bytes += len(text)

    def take(self, most: int | None = None, characters: int | None = None) -> list[str]:
        """The first so many, or all; they wait no more. Of more than so many `characters` none begins."""
        most = len(self._texts) if most is None else most
        if most >= len(self._texts) and (characters is None or self._bytes <= characters):
            texts = [text for _, text in self._texts.values()]
            self._texts.clear()
            self._places.clear()
            self._bytes = 0
            self.since = None
            return texts
        texts, size = [], 0
        for number in list(self._texts)[:most]:
            if characters is not None and size >= characters:
                break
            key, text = self._texts.pop(number)
            if key is not None:
                del self._places[key]
            size += len(text)
            texts.append(text)
        self._bytes -= size
        if not self._texts:
            self.since = None
        return texts
