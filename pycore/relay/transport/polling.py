"""What a page that polls may send: the same share of the processor's time as one with a WebSocket.

Its events come several at once in the body of a request, which nobody divides. So a body costs by what is in it, and
who has used up what there is for one socket waits with the next one.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

from pycore.relay.limits import Limits, TokenBucket

BYTE_S: Final = 3e-8
VALUE_S: Final = 4e-7
"""What a byte costs, and a value beside it: a comma stands behind each."""
KNOWN: Final = 10_000


class Polling:
    """Of one relay."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._work: OrderedDict[str, TokenBucket] = OrderedDict()

    def wait(self, query: bytes, body: bytes) -> float:
        """How long the socket that a request is for has to wait before its body is looked at, s."""
        sid = parse_qs(query.decode("latin-1")).get("sid", [""])[0][:64]
        work = self._work.pop(sid, None) or TokenBucket(self._limits.work_rate, self._limits.work_burst)
        self._work[sid] = work
        if len(self._work) > KNOWN:
            self._work.popitem(last=False)
        now = self._clock()
        owed = work.owed(now)
        work.spend(now, cost_of(body))
        return owed


def cost_of(body: bytes) -> float:
    """What it takes to read a body, s."""
    return BYTE_S * len(body) + VALUE_S * body.count(b",")
