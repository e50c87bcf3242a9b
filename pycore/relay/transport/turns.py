"""The messages of a session of Engine.IO, in their order and not all at once.

Engine.IO begins a task for each message of a request as soon as it has the body, and all of them run in one round of
the loop: sixty that cost two milliseconds each keep every game waiting for a tenth of a second, whatever their sender
has to pay for them. Here a round takes no more than a few, and everybody else is served in between.

A few are a tenth of what the last round took: in a long round as much comes as in many short ones, and who polls would
fall behind for good if it had no more of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

ROUND_S: Final = 0.001
"""When so much of a round of the loop has gone into messages, the next one waits for another round,"""
PART: Final = 0.1
"""or that part of the last one, where it is more;"""
LONGEST_S: Final = 1.0
"""of a longer one no more than of this."""

Handle = Callable[[str, Any], Awaitable[None]]


class Turns:
    """Hands messages on, in their order by session."""

    def __init__(self, handle: Handle, log: logging.Logger, clock: Callable[[], float] = time.perf_counter) -> None:
        self._handle = handle
        self._log = log
        self._clock = clock
        self._spent = 0.0
        """In this round, s."""
        self._most = ROUND_S
        """What may be spent in it."""
        self._begun = 0.0
        """When its first message had been handed on."""
        self._waiting: dict[str, deque[Any]] = {}
        """What has come of a session and is not handed on yet."""

    async def take(self, sid: str, data: Any) -> None:
        """A message of a session."""
        waiting = self._waiting.get(sid)
        if waiting is not None:
            # Whoever hands on what is before it takes it next.
            waiting.append(data)
            return
        self._waiting[sid] = waiting = deque((data,))
        try:
            while waiting:
                while self._spent >= self._most:
                    await asyncio.sleep(0)
                await self._give(sid, waiting.popleft())
        finally:
            del self._waiting[sid]

    async def _give(self, sid: str, data: Any) -> None:
        begun = self._clock()
        try:
            await self._handle(sid, data)
        except Exception:
            # As Engine.IO does: the next message may be right.
            self._log.exception("a message of %s was not taken", sid)
        finally:
            now = self._clock()
            if not self._spent:
                self._begun = now
                asyncio.get_running_loop().call_soon(self._begin_round)
            # One that waited for something has taken that long, too: then the next one comes a round later.
            self._spent += max(1e-9, now - begun)

    def _begin_round(self) -> None:
        # From a place in the last round to the same one in this: what its first message waited for is not in it.
        self._most = max(ROUND_S, PART * min(LONGEST_S, self._clock() - self._begun))
        self._spent = 0.0
