"""What one connection may send, whatever it is: counted by the heads of frames, before anything of them is read.

An honest page is far below each of these bounds. Whoever is above sends to keep the server busy; the connection ends,
and with it what it has not read of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pycore.relay.limits import Limits, TokenBucket
from pycore.relay.transport.frames import Closed


class Guard:
    """The bounds of one connection."""

    __slots__ = ("_bytes", "_clock", "_frames", "_limits", "_odd")

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._bytes = TokenBucket(limits.bytes_rate, limits.bytes_burst)
        self._frames = TokenBucket(limits.frame_rate, limits.frame_burst)
        self._odd = TokenBucket(limits.odd_rate, limits.odd_burst)

    def __call__(self, control: bool, fragment: bool, size: int, message: int) -> None:
        """A frame with this head has begun to come, of a message of so many bytes so far. Raises `Closed`."""
        now = self._clock()
        if message > self._limits.message_bytes:
            raise Closed(f"a message of more than {self._limits.message_bytes} bytes")
        if not self._frames.take(now):
            raise Closed("too many frames")
        # Whoever divides a message does so because it is large.
        if (control or (fragment and size < self._limits.fragment_bytes)) and not self._odd.take(now):
            raise Closed("too many control frames, or fragments of a few bytes")
        if not self._bytes.take(now, size):
            raise Closed("too many bytes")
