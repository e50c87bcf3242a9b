"""The relay's end of a WebSocket: uvicorn's, with a guard in front of it and a short way beside it.

An event that comes by Engine.IO and python-socketio passes through some five tasks and timers, and one that goes out
through as many; they cost ten times what the relay does with it. So whole short texts that are events are taken here as
they come, all of one read at once, and what goes out is written here. Everything else takes the long way: handshakes,
pings, what is large, and sockets that poll. Nothing depends on which way a packet takes.

Of uvicorn's protocol class this needs `scope`, `run_asgi`, `send` and what asyncio calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Any, Final, Protocol

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from pycore.relay.frames import Closed, Frames, client_frame, closing_frame, ends_with_closing, text_frame
from pycore.relay.guard import Guard
from pycore.relay.limits import Limits

log = logging.getLogger("pycore.relay")

END: Final = "pycore.websocket"
"""In a connection's scope: the end of its WebSocket."""
EVENT: Final = "42"
CONNECTED: Final = "40"
POLICY: Final = 1008
TEXTS: Final = 1007
LINGER_S: Final = 2.0
"""How long a client has to close what is closed here."""
UNSENT_BYTES: Final = 65_536
"""What the system may hold of what was written: more would be old when it is read."""


class Line(Protocol):
    """Who has the socket of socket.io that this WebSocket carries."""

    def take(self, texts: list[str]) -> None:
        """Events, as they came."""

    def may_send(self) -> None:
        """There is room again for what waits."""


class WebSocket(WSProtocol):
    """One connection. `line` is set as soon as there is one."""

    limits: Limits

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.line: Line | None = None
        self.opened = False
        """The client was told that it is connected: from now on events may go out."""
        self._frames: Frames | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._paused = False
        self._shut = False

    # In

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    async def run_asgi(self) -> None:
        self.scope[END] = self  # type: ignore[typeddict-unknown-key]
        self._silence = asyncio.get_running_loop().call_later(self.limits.silent_s, self._look)
        await super().run_asgi()

    def data_received(self, data: bytes) -> None:
        if self._frames is None:
            # The request, as a whole.
            self._frames = Frames(Guard(self.limits))
            super().data_received(data)
            return
        if self._shut:
            if ends_with_closing(data):
                self.transport.close()
            return
        try:
            found = self._frames.feed(data)
        except Closed as error:
            log.warning("a connection was closed: it sent %s", error)
            self.shut(POLICY, "flood")
            return
        except UnicodeDecodeError:
            self.shut(TEXTS, "not UTF-8")
            return
        events: list[str] = []
        for item in found:
            if isinstance(item, str) and item.startswith(EVENT) and self.line is not None and self.opened:
                events.append(item)
                continue
            if events:
                self.line.take(events)  # type: ignore[union-attr]
                events = []
            super().data_received(client_frame(item) if isinstance(item, str) else item)
        if events and self.line is not None:
            self.line.take(events)

    def _look(self) -> None:
        """Whoever connects is a socket of socket.io soon, or takes a place for nothing."""
        if not self.opened:
            self.shut(POLICY, "nothing came")

    # Out

    async def send(self, message: Any) -> None:
        await super().send(message)
        if not self.opened and (message.get("text") or "").startswith(CONNECTED):
            self.opened = True
            if self._silence is not None:
                self._silence.cancel()
            if self.line is not None:
                self.line.may_send()

    @property
    def ready(self) -> bool:
        """Whether what is written now goes out soon."""
        return self.opened and not self._paused and not self._shut

    def write(self, texts: list[str]) -> None:
        """Send these."""
        if not self.transport.is_closing():
            self.transport.write(b"".join([text_frame(text) for text in texts]))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._paused = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self._paused = False
        if self.line is not None:
            self.line.may_send()

    def shut(self, code: int, reason: str) -> None:
        """Close it. What comes still is thrown away: a system that has something unread when a socket is closed takes
        back what was written, and the client would not learn why. Who does not answer is cut off."""
        if self._shut:
            return
        self._shut = True
        if self.opened and not self.transport.is_closing():
            self.transport.write(closing_frame(code, reason))
        asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)


def websocket_protocol(limits: Limits) -> type[WebSocket]:
    """The protocol class for a relay with these limits."""
    return type("LimitedWebSocket", (WebSocket,), {"limits": limits})
