"""What one address may have of the processor's time, by whichever connections, sockets and requests.

What a connection may have is renewed by connecting anew, and a request on one that is kept open has no bound of its
own. So whatever comes is paid for by its address as well. Who comes when that has used up its share waits in the
address's queue: nothing is refused or lost, and each has its turn.

As long as somebody waits, whoever comes waits behind. So those that wait are served as fast as there is credit, not one
in a round of the loop: fifty sockets that always have something to say would queue for good after a moment in which
the share was used up, however much of it is there again. And of a long round they have more, since as much comes in it
as in many short ones: with two milliseconds of 0.3 s a laboratory would have a hundredth of what is its share.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from pycore.relay.limits import TokenBucket

REQUEST_S: Final = 3e-4
"""What a request costs that is answered at once,"""
FILE_S: Final = 2e-3
"""one for a file,"""
SESSION_S: Final = 1e-3
"""and one by which a session of Engine.IO begins."""
ROUND_S: Final = 0.002
"""When those of one address that waited have taken so much of a round of the loop, the next one waits for another,"""
PART: Final = 0.1
"""or, where that is more, for another than this part of the last one, which all addresses have together;"""
LONGEST_S: Final = 1.0
"""of a longer one no more than of this."""


class Parts:
    """What the addresses may have of a round of the loop for those of each that wait."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: float | None = None
        """When the first of this round asked."""
        self._over = 0.0
        """When the last one was over,"""
        self._length = 0.0
        """and how long it was."""
        self._asked = 0
        """How many have asked in this one."""
        self._each = 0.0
        self._left = 0.0
        """Of the part of all, in this one."""

    def begin(self) -> float:
        """Some that wait for one share are about to have their turns: how long they may take, s."""
        now = self._clock()
        if self._begun is None:
            self._begun = now
            asyncio.get_running_loop().call_soon(self._end)
            if now - self._over > self._length:
                self._each = self._left = 0.0  # that round is long ago
        self._asked += 1
        return max(ROUND_S, min(self._each, self._left))

    def took(self, seconds: float) -> None:
        """So long they have taken."""
        self._left -= seconds

    def _end(self) -> None:
        # From a place in the last round to the same one in this.
        self._over = self._clock()
        self._length = self._over - (self._over if self._begun is None else self._begun)
        self._left = PART * min(LONGEST_S, self._length)
        self._each = self._left / max(1, self._asked)
        self._begun, self._asked = None, 0


class Share:
    """Of one address."""

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic, parts: Parts | None = None
    ) -> None:
        self._parts = parts or Parts(clock)
        self._bucket = TokenBucket(rate, burst)
        self._clock = clock
        self._queue: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_free(self) -> bool:
        """Whether who comes now has to wait for nobody."""
        return not self._queue and not self._bucket.owed(self._clock())

    @property
    def is_idle(self) -> bool:
        """Whether it is as a new one would be."""
        return not self._queue and self._bucket.is_full(self._clock())

    def spend(self, seconds: float) -> None:
        """Something that came from that address has cost so much of the processor's time."""
        self._bucket.spend(self._clock(), seconds)

    def wait(self, turn: Callable[[], None]) -> None:
        """Have this called once it is its turn. It spends what it costs."""
        self._queue.append(turn)
        self._arm()

    async def take(self, seconds: float) -> None:
        """Spend so much, when it is there."""
        if self.is_free:
            self.spend(seconds)
            return
        come = asyncio.get_running_loop().create_future()

        def turn() -> None:
            if not come.done():  # nobody waits any more for one that was cancelled
                self.spend(seconds)
                come.set_result(None)

        self.wait(turn)
        await come

    def _arm(self) -> None:
        if self._timer is None and self._queue:
            owed = self._bucket.owed(self._clock())
            self._timer = asyncio.get_running_loop().call_later(owed, self._next)

    def _next(self) -> None:
        self._timer = None
        began = self._clock()
        until = began + self._parts.begin()
        try:
            while self._queue and (now := self._clock()) < until and not self._bucket.owed(now):
                self._queue.popleft()()
        finally:
            self._parts.took(self._clock() - began)
            self._arm()
