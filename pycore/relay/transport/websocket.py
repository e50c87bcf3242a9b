"""The relay's end of a WebSocket: uvicorn's, with a guard in front of it and a short way beside it.

An event that comes by Engine.IO and python-socketio passes through some five tasks and timers, and one that goes out
through as many; they cost ten times what the relay does with it. So whole short texts that are events are taken here as
they come, all of one read at once, and what goes out is written here. Everything else takes the long way: handshakes,
pings, what is large, and sockets that poll. Nothing depends on which way a packet takes.

Of uvicorn's protocol class this needs `scope`, `run_asgi`, `send`, `read_paused` and what asyncio calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import Any, Final, Protocol

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol

from pycore.relay.limits import Limits, TokenBucket
from pycore.relay.transport.addresses import Addresses
from pycore.relay.transport.frames import Closed, Frames, client_frame, closing_frame, ends_with_closing, text_frame
from pycore.relay.transport.guard import Guard
from pycore.relay.transport.quiet import Quiet
from pycore.relay.transport.rounds import Rounds
from pycore.relay.transport.shares import Share

log = logging.getLogger("pycore.relay")

END: Final = "pycore.websocket"
"""In a connection's scope: the end of its WebSocket."""
EVENT: Final = "42"
CONNECTED: Final = "40"
UPGRADED: Final = "5"
"""By this a client that polled goes on here, as the socket that it is."""
POLICY: Final = 1008
TEXTS: Final = 1007
LINGER_S: Final = 2.0
"""How long a client has to close what is closed here."""
SLICE_S: Final = 0.005
"""What the events of one connection may take in one go, but for the last of them."""
READING_S: Final = 3e-8
"""What a byte costs that takes the long way, and is large: copied, decoded, looked at."""
UNSENT_BYTES: Final = 65_536
"""What the system may hold of what was written: more would be old when it is read."""


class Line(Protocol):
    """Who has the socket of socket.io that this WebSocket carries."""

    def take(self, texts: list[str], seconds: float) -> int:
        """Events, as they came; how many were carried out before so much time was over."""

    def kept(self, texts: list[str]) -> list[str]:
        """Those of them that are to be carried out."""

    def may_send(self) -> None:
        """There is room again for what waits."""


class WebSocket(WSProtocol):
    """One connection. `line` is set as soon as there is one."""

    limits: Limits
    addresses: Addresses
    quiet: Quiet
    rounds: Rounds

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.line: Line | None = None
        self.opened = False
        """The client was told that it is connected: from now on events may go out."""
        self.share: Share | None = None
        """What its address may have. Set as soon as that is known."""
        self._carried_on = False
        """A socket that was made by polling goes on here."""
        self._frames: Frames | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._paused = False
        self._shut = False
        self._events: list[str] = []
        """Those that are not carried out yet."""
        self._held = bytearray()
        self._work = TokenBucket(self.limits.work_rate, self.limits.work_burst)
        self._later: asyncio.TimerHandle | None = None
        """It is not read, until its time has come."""
        self._queued = False
        """It is not read, until it is its turn among those of its address."""

    # In

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        self.addresses.gone(self.transport)
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        self.scope[END] = self  # type: ignore[typeddict-unknown-key]
        self._silence = asyncio.get_running_loop().call_later(self.limits.silent_s, self._look)
        try:
            await super().run_asgi()
        finally:
            # Nobody asks for it any more, and a circle is freed late.
            self.scope.pop(END, None)  # type: ignore[typeddict-item]
            self._silence.cancel()

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
        if self.share is not None and not self.share.is_free and not self._waits:
            self._queue()
        if self._waits:
            # uvicorn reads on when it has room; this connection has to wait for all that.
            self._held += data
            self.transport.pause_reading()
            return
        self._take(data)
        if self.rounds.is_long and not (self._waits or self._shut or self.transport.is_closing()):
            self.transport.pause_reading()
            self.rounds.rest(self._rested)

    def _rested(self) -> None:
        """The round in which it was read is over."""
        if not (self._waits or self._shut or self.transport.is_closing()):
            self._read_on()

    def _read_on(self) -> None:
        """Nothing here keeps it from being read. If uvicorn does, because what came is not taken yet, it is uvicorn
        that reads on."""
        if not self.read_paused:
            self.transport.resume_reading()

    def _take(self, data: bytes) -> None:
        if self._frames is not None:
            self._read(self._frames, data)

    def _read(self, frames: Frames, data: bytes) -> None:
        """Tell apart what came, and hand it on, until the connection has had its time: then others have their turn."""
        began = time.thread_time()
        long_way = 0
        cost = 0.0
        while True:
            try:
                found = frames.feed(data)
            except Closed as error:
                self.quiet.warn(log, str(error), "a connection was closed: it sent %s", error)
                self.shut(POLICY, "flood")
                return
            except UnicodeDecodeError:
                self.shut(TEXTS, "not UTF-8")
                return
            data = b""
            for item in found:
                if isinstance(item, str) and item.startswith(EVENT) and self.line is not None and self.opened:
                    self._events.append(item)
                    continue
                long_way += 1
                self._carried_on = self._carried_on or item == UPGRADED
                if isinstance(item, bytes):
                    cost += READING_S * len(item)
                super().data_received(client_frame(item) if isinstance(item, str) else item)
            if self._shut:
                return
            if self.transport.is_closing():
                # The client closes. What stands before that has come: that somebody leaves, for instance.
                events, self._events = self._events, []
                if events and self.line is not None:
                    self.line.take(self.line.kept(events), SLICE_S)
                if self.share is not None:
                    self.share.spend(cost + time.thread_time() - began)
                return
            if not frames.more or time.thread_time() - began > SLICE_S:
                break
        if long_way:
            self.spend(cost + time.thread_time() - began)
        if self._events and self.line is not None:
            self._events = self.line.kept(self._events)
            self._carry_out()
        elif frames.more:
            self._pay()

    def spend(self, seconds: float) -> None:
        """Something that came by this connection has cost so much of the processor's time."""
        self._work.spend(time.monotonic(), seconds)
        if self.share is not None:
            self.share.spend(seconds)
        self._pay()

    def _carry_out(self) -> None:
        """Events, until their connection has had enough for now: then others have their turn, and it is not read."""
        if self._waits:
            return
        line = self.line
        if line is None:
            self._events.clear()
            return
        events, self._events = self._events, []
        began = time.thread_time()
        done = line.take(events, SLICE_S)
        self._events = events[done:]
        self.spend(time.thread_time() - began)

    def _pay(self) -> None:
        """Wait for as long as what was spent takes to be there again."""
        owed = self._work.owed(time.monotonic())
        more = self._frames is not None and self._frames.more
        if (owed or self._events or more) and not self._waits and not self._shut:
            self.transport.pause_reading()
            self._later = asyncio.get_running_loop().call_later(owed, self._go_on)

    @property
    def _waits(self) -> bool:
        return self._queued or self._later is not None

    def _queue(self) -> None:
        """Wait for its turn among all that is of its address."""
        if self.share is not None:
            self._queued = True
            self.transport.pause_reading()
            self.share.wait(self._go_on)

    def _go_on(self) -> None:
        came_by_queue, self._queued = self._queued, False
        self._later = None
        if self._shut or self.transport.is_closing():
            return
        if self.share is not None and not came_by_queue and not self.share.is_free:
            self._queue()
            return
        if self._events:
            self._carry_out()
        if not self._waits and self._frames is not None and self._frames.more:
            self._read(self._frames, b"")
            if self._shut or self.transport.is_closing():
                return
        if not self._waits:
            self._pay()
        if not self._waits:
            self._read_on()
            if self._held:
                held, self._held = bytes(self._held), bytearray()
                self._take(held)

    def _look(self) -> None:
        """Whoever connects is a socket of socket.io soon, or takes a place for nothing."""
        if not self.opened and not self._carried_on:
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

    def cut(self) -> None:
        """Close it for somebody who takes nothing, and would not take a word about it either."""
        self._shut = True
        self.transport.abort()

    def shut(self, code: int, reason: str) -> None:
        """Close it. What comes still is thrown away: a system that has something unread when a socket is closed takes
        back what was written, and the client would not learn why. Who does not answer is cut off."""
        if self._shut:
            return
        self._shut = True
        if not self.transport.is_closing():
            if self.opened:
                self.transport.write(closing_frame(code, reason))
            # Whatever it waited for: its client's answer is to be read.
            self.transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)


def websocket_protocol(limits: Limits, addresses: Addresses) -> type[WebSocket]:
    """The protocol class for a relay with these limits."""
    of = {"limits": limits, "addresses": addresses, "quiet": Quiet(), "rounds": Rounds()}
    return type("LimitedWebSocket", (WebSocket,), of)
