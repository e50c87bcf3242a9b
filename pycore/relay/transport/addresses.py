"""How many connections one address has, how fast it makes new ones, and its share: nobody takes what is for all.

A laboratory, a school and a mobile network are one address each, so the bounds are wide. Of IPv6 a participant has a
network of 2**64 addresses, and that counts as one.

Behind a proxy everybody comes from its address. So what a trusted proxy says in `X-Forwarded-For` counts for who comes
by it, as far as it is asked (uvicorn reads the header and puts the address into a request's scope, from proxies in
`FORWARDED_ALLOW_IPS` alone), and its own connections are not counted.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Final

from pycore.relay.limits import Limits, TokenBucket
from pycore.relay.transport.quiet import Quiet
from pycore.relay.transport.shares import Parts, Share

log = logging.getLogger("pycore.relay")

NETWORK: Final = 64
"""Bits of an IPv6 address that are one participant's."""
KNOWN: Final = 10_000
"""Addresses of which the rate is remembered."""
QUIET_S: Final = 60.0
"""Seconds from one line about addresses that have too much to the next."""


@lru_cache(maxsize=KNOWN)
def network_of(address: str) -> str | None:
    """What counts as one address; None for what is none, as the name of a Unix socket."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, NETWORK), strict=False))


class Addresses:
    """Of one relay; a limit of 0 is none."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._trusts: Callable[[str], bool] = lambda address: False
        self._trusts_all = False
        self._limits = limits
        self._clock = clock
        self._connections: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._sessions: Counter[str] = Counter()
        self._held: dict[Hashable, str] = {}
        self._begun: dict[str, str] = {}
        self._comes: OrderedDict[str, TokenBucket] = OrderedDict()
        self._shares: OrderedDict[str, Share] = OrderedDict()
        self._parts = Parts(clock)
        self._quiet = Quiet(QUIET_S, clock)

    def trust(self, trusts: Callable[[str], bool], *, everybody: bool) -> None:
        """Which proxies are believed; `everybody`: there is always one in front, whatever its address is."""
        self._trusts = trusts
        self._trusts_all = everybody

    def connects(self, connection: Hashable, address: str) -> bool:
        """A connection was made; whether it may stay. If so it counts until it is `gone`."""
        of = None if self._trusts_all else self._counted(address)
        if of is None:
            return True
        if not (self._fits(self._connections, of) and self._in_time(of)):
            return False
        self._connections[of] += 1
        self._held[connection] = of
        return True

    def gone(self, connection: Hashable) -> None:
        """It is no more, if it was counted."""
        of = self._held.pop(connection, None)
        if of is not None:
            _less(self._connections, of)

    def asks(self, address: str) -> bool:
        """A request has come, or a WebSocket; whether it is answered. If so it counts until it is `answered`."""
        of = self._counted(address)
        if of is not None and not self._fits(self._requests, of):
            return False
        if of is not None:
            self._requests[of] += 1
        return True

    def answered(self, address: str) -> None:
        """It is over."""
        of = self._counted(address)
        if of is not None:
            _less(self._requests, of)

    def begins(self, session: str, address: str) -> bool:
        """A session of Engine.IO is to begin; whether it may. A page that polls has no connection that lasts, so this
        counts as one until it has `ended`."""
        if len(self._begun) >= self._limits.connections:
            return False
        of = self._counted(address)
        if of is not None and not self._fits(self._sessions, of):
            return False
        if of is not None:
            self._sessions[of] += 1
        self._begun[session] = of or ""
        return True

    def ended(self, session: str) -> None:
        """It is no more, if it had begun."""
        if of := self._begun.pop(session, None):
            _less(self._sessions, of)

    def share(self, address: str) -> Share | None:
        """What that address may have of the processor's time; None: it is not bounded."""
        of = self._of(address) if self._limits.address_work_rate else None
        if of is None:
            return None
        share = self._shares.pop(of, None)
        if share is None:
            share = Share(self._limits.address_work_rate, self._limits.address_work_burst, self._clock, self._parts)
        self._shares[of] = share
        # One that somebody still has to pay to is not forgotten: it would be renewed by that.
        while len(self._shares) > KNOWN and next(iter(self._shares.values())).is_idle:
            self._shares.popitem(last=False)
        return share

    def _counted(self, address: str) -> str | None:
        return self._of(address) if self._limits.address_connections else None

    def _of(self, address: str) -> str | None:
        return None if not self._trusts_all and self._trusts(address) else network_of(address)

    def _fits(self, counts: Counter[str], of: str) -> bool:
        if counts[of] < self._limits.address_connections:
            return True
        self._say(of)
        return False

    def _in_time(self, of: str) -> bool:
        if not self._limits.address_rate:
            return True
        bucket = self._comes.pop(of, None) or TokenBucket(self._limits.address_rate, self._limits.address_burst)
        self._comes[of] = bucket
        if len(self._comes) > KNOWN:
            self._comes.popitem(last=False)
        return bucket.take(self._clock())

    def _say(self, of: str) -> None:
        if self._quiet.may_say():
            log.warning(
                "%s has %d connections, and gets no more. If that is a proxy, name it in FORWARDED_ALLOW_IPS; if many "
                "participants share that address, raise the limit address_connections",
                of, self._limits.address_connections,
            )  # fmt: skip


def _less(counts: Counter[str], of: str) -> None:
    counts[of] -= 1
    if counts[of] <= 0:
        del counts[of]
