"""The relay's end of an HTTP connection: uvicorn's, with bounds that it does not have.

A process has so many connections and no more, and so has each address: one that is too many is closed before it is
read, so that those of running games stay; so is one that comes when many came in a short time. And a connection on
which no request comes is closed.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from pycore.relay.limits import Limits, TokenBucket
from pycore.relay.transport.addresses import Addresses


class LimitedHTTP(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """One connection, until it is a WebSocket."""

    most: int
    silent_s: float
    comes: TokenBucket
    addresses: Addresses

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

    def _look(self, transport: Any) -> None:
        # With a request there is a cycle; a WebSocket has another protocol.
        if transport.get_protocol() is self and self.cycle is None:
            transport.abort()


def http_protocol(most: int, limits: Limits, addresses: Addresses) -> type[asyncio.Protocol]:
    """The protocol class for so many connections in all."""
    comes = TokenBucket(limits.connect_rate, limits.connect_burst)
    found: type[asyncio.Protocol] = type(
        "RelayHTTP", (LimitedHTTP,), {"most": most, "silent_s": limits.silent_s, "comes": comes, "addresses": addresses}
    )
    return found
