"""What one process sends another, numbered and sent again until it is there: over a bus that may lose.

Items are texts of JSON. They arrive in their order, each once, as long as both processes live and neither gives up. A
packet has the items from a number on and says how many of the other's were taken. What is not said to have been taken
is sent again, all of it: a bus loses everything for a while, or nothing.

An *epoch* names the time between two beginnings. Who gives up begins a new one, and the other sees by the higher number
that everything before is void, its own items included.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

AGAIN_S: Final = 0.25
"""Until what was not taken is sent again, twice as long after each further time,"""
LONGEST_S: Final = 1.0
"""up to this."""
BATCH_CHARACTERS: Final = 200_000
"""Of a packet, about; a broker takes a megabyte."""
WINDOW_CHARACTERS: Final = 4_000_000
"""What may be on its way."""
MOST_CHARACTERS: Final = 64_000_000
"""What may wait; beyond it the other one is given up."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a packet brought."""

    items: Sequence[Any]
    anew: bool = False
    """The other one has begun a new epoch: what was before it is void."""


class Way:
    """One process's way to another one, both directions' numbers."""

    def __init__(self, me: str, epoch: int) -> None:
        self._me = me
        self.epoch = epoch
        self._waiting: deque[str] = deque()
        """Not taken yet, the oldest first."""
        self._first = 0
        """The number of the first of these."""
        self._sent = 0
        """How many of these are on their way,"""
        self._under_way = 0
        """and their characters."""
        self._characters = 0
        self._pause = AGAIN_S
        self._quiet_since: float | None = None
        """When something was sent or taken last, while something is on its way."""
        self.owes = False
        """The other one has not been told how much was taken."""
        self._theirs = -1
        self._taken = 0

    @property
    def waits(self) -> bool:
        """Whether something is not taken yet."""
        return bool(self._waiting)

    @property
    def full(self) -> bool:
        """Whether too much waits."""
        return self._characters > MOST_CHARACTERS

    def put(self, item: Any) -> None:
        """One more to be sent."""
        text = json.dumps(item, separators=(",", ":"), allow_nan=False)
        self._waiting.append(text)
        self._characters += len(text)

    def packets(self, now: float) -> list[str]:
        """What is to go out now."""
        if self._quiet_since is not None and now - self._quiet_since >= self._pause:
            self.failed()
            self._pause = min(LONGEST_S, 2 * self._pause)
        out = []
        while self._sent < len(self._waiting) and self._under_way < WINDOW_CHARACTERS:
            batch: list[str] = []
            first, size = self._sent, 0
            while self._sent < len(self._waiting) and (not batch or size < BATCH_CHARACTERS):
                text = self._waiting[self._sent]
                batch.append(text)
                size += len(text)
                self._sent += 1
            self._under_way += size
            out.append(self._packet(self._first + first, batch))
            self._quiet_since = now
        if not out and self.owes:
            out.append(self._packet(self._first + self._sent, []))
        self.owes = False
        return out

    def _packet(self, number: int, batch: Sequence[str]) -> str:
        head = f'"p":{json.dumps(self._me)},"e":{self.epoch},"n":{number},"t":{self._theirs},"a":{self._taken}'
        return f'{{{head},"i":[{",".join(batch)}]}}'

    def failed(self) -> None:
        """What is on its way is taken to be lost: it goes out again."""
        self._sent = self._under_way = 0

    def take(self, packet: dict[str, Any], now: float) -> Taken:
        """What the other one sent, a packet as `json.loads` gives it."""
        epoch, number, items, mine = packet["e"], packet["n"], packet["i"], packet["t"]
        if epoch < self._theirs:
            return Taken(())  # of before it began anew
        if mine not in (-1, self.epoch):
            self.owes = True  # it does not know yet that this one did
            return Taken(())
        anew = -1 < self._theirs < epoch
        if epoch > self._theirs:
            self._theirs, self._taken = epoch, 0
        if mine == self.epoch:
            self._acknowledge(packet["a"], now)
        if items:
            # Of what came before too: the other one did not hear that it was taken.
            self.owes = True
        if number > self._taken:
            return Taken((), anew)  # something before it was lost, and comes again
        fresh = items[self._taken - number :]
        self._taken += len(fresh)
        return Taken(fresh, anew)

    def _acknowledge(self, taken: int, now: float) -> None:
        count = min(taken - self._first, len(self._waiting))
        for _ in range(count):
            size = len(self._waiting.popleft())
            self._characters -= size
            if self._sent:
                self._sent -= 1
                self._under_way -= size
        if count > 0:
            self._first += count
            self._pause = AGAIN_S
            self._quiet_since = now
        if not self._waiting:
            self._quiet_since = None
