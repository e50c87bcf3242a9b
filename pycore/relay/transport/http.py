"""The relay's end of an HTTP connection: uvicorn's, with bounds that it does not have.

A process has so many connections and no more, and so has each address: one that is too many is closed before it is
read, so that those of running games stay; so is one that comes when many came in a short time. And a connection is
closed on which no request comes, or not all of one: it is looked at again and again, since a first request says nothing
of the second.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from pycore.relay.limits import Limits, TokenBucket
from pycore.relay.transport.addresses import Addresses

LEAST_BYTES: Final = 1024
"""Of a body, what has to come from one look to the next."""


class LimitedHTTP(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """One connection, until it is a WebSocket."""

    most: int
    silent_s: float
    comes: TokenBucket
    addresses: Addresses

    _came = 0
    _seen: tuple[Any, bool, int] = (None, True, 0)
    """At the last look: the request, whether it was the client's turn, and the bytes that had come."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Of one that has too much already nothing is taken from the others.
        if (
            len(self.connections) > self.most
            or not self.addresses.connects(transport, self.client[0] if self.client else "")
            or not self.comes.take(time.monotonic())
        ):
            transport.abort()
            return
        asyncio.get_running_loop().call_later(self.silent_s, self._look, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.addresses.gone(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._came += len(data)
        super().data_received(data)

    def _look(self, transport: Any) -> None:
        # A WebSocket has another protocol.
        if transport.get_protocol() is not self or transport.is_closing():
            return
        # With a request there is a cycle; an answered one stands until the next request's head is there.
        cycle = self.cycle
        lacks_head = cycle is None or cycle.response_complete
        owes = lacks_head or (cycle.more_body and not self.flow.read_paused)
        (before, owed, came), self._seen = self._seen, (cycle, owes, self._came)
        if owes and owed and cycle is before and (lacks_head or self._came - came < LEAST_BYTES):
            transport.abort()
            return
        asyncio.get_running_loop().call_later(self.silent_s, self._look, transport)


def http_protocol(most: int, limits: Limits, addresses: Addresses) -> type[asyncio.Protocol]:
    """The protocol class for so many connections in all."""
    comes = TokenBucket(limits.connect_rate, limits.connect_burst)
    found: type[asyncio.Protocol] = type(
        "RelayHTTP", (LimitedHTTP,), {"most": most, "silent_s": limits.silent_s, "comes": comes, "addresses": addresses}
    )
    return found
