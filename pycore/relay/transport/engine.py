"""The libraries that speak socket.io, as this server has them: its packets, its patience, and no circles.

Engine.IO is told by an exception that a client is gone. That has the frames of all that waited for it, and one of them
has the task that has the exception: a circle of 140 objects, buffers among them, for each connection that there ever
was. They are freed when the interpreter looks for garbage, which takes it the longer the more there are. The same is
said by nothing at all, and all of it is freed at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

import socketio
from engineio.async_drivers.asgi import WebSocket as DriverWebSocket
from engineio.payload import Payload

from pycore.relay.limits import Limits
from pycore.relay.transport.origins import Origins
from pycore.relay.transport.turns import Turns
from pycore.relay.transport.websocket import LINGER_S
from pycore.relay.transport.wire import packet_class

PING_INTERVAL_S: Final = 8.0
PING_TIMEOUT_S: Final = 30.0
"""A page that compiles Pyodide answers no ping of Engine.IO for seconds; a dead connection is noticed earlier
by the pings of the WebSocket itself, which the browser answers whatever the page does."""
POSTED: Final = 1024
"""Packets in one request of a page without a WebSocket. It sends what has come up since the last request went, which on
a long way is more than Engine.IO's 16, and after a change of path all that is unacknowledged."""


def socketio_server(limits: Limits, origins: Origins) -> socketio.AsyncServer:
    """A server of socket.io with these bounds, for pages of these sites."""
    # What Engine.IO logs about a client's broken packet is of no use on the study's console.
    quiet = logging.getLogger("pycore.relay.engineio")
    quiet.setLevel(logging.CRITICAL)
    Payload.max_decode_packets = POSTED
    made = socketio.AsyncServer(
        async_mode="asgi",
        serializer=packet_class(limits),
        cors_allowed_origins=origins,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
        max_http_buffer_size=limits.message_bytes,
        http_compression=False,
        logger=quiet,
        engineio_logger=quiet,
    )
    # A dictionary of the module's, for all servers; this one gets its own.
    made.eio._async = {**made.eio._async, "websocket": EndedByNone}
    made.eio.on("message", Turns(made._handle_eio_message, quiet).take)
    made.eio.disconnect = Ending(made.eio).disconnect
    return made


class Ending:
    """How a server of Engine.IO ends its sessions: it waits until a client has taken what is left for it, and one that
    polls may never come. The request that ended it, by something broken or too large, would be open for good, and
    count."""

    def __init__(self, eio: Any) -> None:
        self._eio = eio
        self._end = eio.disconnect

    async def disconnect(self, sid: str) -> None:
        """End one, in bounded time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._end(sid), LINGER_S)
        self._eio.sockets.pop(sid, None)


class EndedByNone(DriverWebSocket):  # type: ignore[misc]  # no types in python-engineio
    """The end of one WebSocket, as Engine.IO reads it."""

    async def wait(self) -> str | bytes | None:
        """What comes next; None: the client is gone."""
        event: dict[str, Any] = await self.asgi_receive()
        if event["type"] != "websocket.receive":
            return None
        data: str | bytes | None = event.get("bytes")
        return data if data is not None else event.get("text")
