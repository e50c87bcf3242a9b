"""The end of a WebSocket as Engine.IO reads it: without an exception that refers to itself.

Engine.IO is told by an exception that a client is gone. That has the frames of all that waited for it, and one of them
has the task that has the exception: a circle of 140 objects, buffers among them, for each connection that there ever
was. They are freed when the interpreter looks for garbage, which takes it the longer the more there are. The same is
said by nothing at all, and all of it is freed at once.
"""

from __future__ import annotations

from typing import Any

from engineio.async_drivers.asgi import WebSocket as DriverWebSocket


class EndedByNone(DriverWebSocket):  # type: ignore[misc]  # no types in python-engineio
    """Of one connection."""

    async def wait(self) -> str | bytes | None:
        """What comes next; None: the client is gone."""
        event = await self.asgi_receive()
        if event["type"] != "websocket.receive":
            return None
        data: str | bytes | None = event.get("bytes")
        return data if data is not None else event.get("text")


def leave_no_circles(engine: Any) -> None:
    """Have a server of Engine.IO read by that class."""
    # A dictionary of the module's, for all servers; this one gets its own.
    engine._async = {**engine._async, "websocket": EndedByNone}
