"""Sends what the lobby wants sent: to each socket in that order, at once, without a task for it.

Everything that is put in one go is written together, at the end of the loop's round: a socket that gets ten events
in a round is written to once. What a socket does not take waits in its outbox; one that takes nothing for too long is
closed, and its page connects anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any, Final

import socketio
from engineio.packet import MESSAGE, Packet

from pycore.relay.limits import Limits
from pycore.relay.transport.outbox import Outbox
from pycore.relay.transport.outgoing import DISCONNECT, Outgoing
from pycore.relay.transport.quiet import Quiet
from pycore.relay.transport.websocket import END, LINGER_S, POLICY, WebSocket
from pycore.relay.transport.wire import event_text

log = logging.getLogger("pycore.relay")

QUEUED: Final = 1024
"""What Engine.IO may have to send for a socket that takes the long way. Who polls takes all of it at once, and no more
until it asks again: on a long way as much as comes in a second or two, as `engine.POSTED` has it the other way,"""
QUEUED_CHARACTERS: Final = 1_048_576
"""and no more than this, so that what is newer may still take the place of the rest."""
GONE: Final = "41"
"""The packet by which socket.io ends a socket for good."""
STATE: Final = "tABCDEFGHIJKLMNOP"
"""How a datagram of peers begins in base64, by its first byte 0xB4: `t` and one of the others."""


class Tasks:
    """Work that nobody waits for; what fails is logged."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin it."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    async def cancel(self) -> None:
        """End all of it."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task failed", exc_info=task.exception())


class Socket:
    """A socket of socket.io: what waits for it, and the way to it."""

    __slots__ = ("_engine", "_given", "_handed", "_sender", "outbox", "sid", "websocket")

    def __init__(self, sender: Sender, sid: str, engine: Any, websocket: WebSocket | None, limits: Limits) -> None:
        self.sid = sid
        self.websocket = websocket
        self.outbox = Outbox(limits.outgoing_packets, limits.outgoing_bytes)
        self._sender = sender
        self._engine = engine
        self._handed = 0
        """Characters that Engine.IO has for it,"""
        self._given = float("-inf")
        """and since when."""

    def take(self, texts: list[str], seconds: float) -> int:
        """Events came by the short way; how many were carried out in that time."""
        return self._sender.came(self.sid, texts, seconds)

    def kept(self, texts: list[str]) -> list[str]:
        """Those of them that are to be carried out."""
        return self._sender.kept(texts)

    def may_send(self) -> None:
        """There is room again."""
        if self.outbox.since is not None:
            self._sender.soon(self)

    def flush(self) -> None:
        """Hand over what waits, as far as it is taken."""
        if self.websocket is not None:
            if self.websocket.ready:
                self._sender.wrote(self.outbox.size)
                self.websocket.write(self.outbox.take())
            return
        queue = self._engine.queue
        if queue.empty():
            # Who takes anything of it takes all.
            self._handed, self._given = 0, time.monotonic()
        for text in self.outbox.take(max(0, QUEUED - queue.qsize()), max(0, QUEUED_CHARACTERS - self._handed)):
            self._handed += len(text)
            queue.put_nowait(Packet(MESSAGE, text[1:]))

    @property
    def stuck_since(self) -> float | None:
        """Since when it takes nothing, though there is more than it was given; None: all was given."""
        if self.websocket is not None or self.outbox.since is None:
            return self.outbox.since
        return max(self._given, self.outbox.since)


class Sender:
    """The sockets, and what goes out by them. `came` takes events that came by the short way, `kept` says which of
    them, and `wrote` is told how many characters went out by it."""

    def __init__(
        self,
        sio: socketio.AsyncServer,
        tasks: Tasks,
        limits: Limits,
        came: Callable[[str, list[str], float], int],
        kept: Callable[[list[str]], list[str]],
        wrote: Callable[[int], None],
    ) -> None:
        self._sio = sio
        self._tasks = tasks
        self._limits = limits
        self.came = came
        self.kept = kept
        self.wrote = wrote
        self._sockets: dict[str, Socket] = {}
        self._due: dict[str, Socket] = {}
        self._quiet = Quiet()
        self.abroad: Callable[[Outgoing], None] | None = None
        """Takes what is for sockets that are not here, where there are other processes."""

    # Sockets

    def connect(self, sid: str, scope: Any) -> None:
        """A new socket of socket.io."""
        engine_id = self._sio.manager.eio_sid_from_sid(sid, "/")
        engine = self._sio.eio.sockets.get(engine_id)
        end = scope.get(END)
        # Who polled first is on the long way, a WebSocket or none.
        websocket = end if isinstance(end, WebSocket) else None
        socket = self._sockets[sid] = Socket(self, sid, engine, websocket, self._limits)
        if websocket is not None:
            websocket.line = socket

    def disconnect(self, sid: str) -> None:
        """A socket of socket.io is gone."""
        socket = self._sockets.pop(sid, None)
        self._due.pop(sid, None)
        if socket is not None and socket.websocket is not None and socket.websocket.line is socket:
            socket.websocket.line = None

    # Out

    @property
    def waiting(self) -> int:
        """Events that wait, of all sockets."""
        return sum(len(socket.outbox) for socket in self._sockets.values())

    def put(self, out: Sequence[Outgoing]) -> None:
        """Have these sent, in this order."""
        said: tuple[str, Any] = ("", None)
        text = ""
        for item in out:
            socket = self._sockets.get(item.sid)
            if socket is None:
                if self.abroad is not None:
                    self.abroad(item)
                continue
            if item.event == DISCONNECT:
                self._tasks.start(self._close(socket, final=True))
                continue
            # What several are told is the same object, and is written once.
            if item.event != said[0] or item.data is not said[1]:
                try:
                    text = event_text(item.event, item.data)
                except (ValueError, TypeError):
                    log.exception("could not send %s", item.event)
                    continue
                said = item.event, item.data
            self._put(socket, text, _key(item))

    def answer(self, sid: str, text: str) -> None:
        """Have a packet sent as it is."""
        socket = self._sockets.get(sid)
        if socket is not None:
            self._put(socket, text)

    def spend(self, sid: str, seconds: float) -> None:
        """What a socket has sent by the long way has cost so much."""
        socket = self._sockets.get(sid)
        if socket is not None and socket.websocket is not None:
            socket.websocket.spend(seconds)

    def soon(self, socket: Socket) -> None:
        """Hand over what waits for that one at the end of this round."""
        if not self._due:
            asyncio.get_running_loop().call_soon(self._flush)
        self._due[socket.sid] = socket

    def tick(self, now: float) -> None:
        """A few times a second: sockets that take nothing are given up, the others are asked again."""
        for socket in list(self._sockets.values()):
            since = socket.stuck_since
            if since is None:
                continue
            if socket.outbox.is_full or now - since >= self._limits.outgoing_s:
                self._give_up(socket, f"took nothing for {now - since:.1f} s; {len(socket.outbox)} events waited")
            else:
                self.soon(socket)

    def _put(self, socket: Socket, text: str, key: Hashable | None = None) -> None:
        outbox = socket.outbox
        outbox.put(text, time.monotonic(), key)
        if outbox.is_full:
            socket.flush()
            if outbox.is_full:
                self._give_up(socket, f"took nothing, and {len(outbox)} events waited")
                return
        self.soon(socket)

    def _flush(self) -> None:
        due, self._due = self._due, {}
        for socket in due.values():
            try:
                socket.flush()
            except Exception:
                log.exception("could not send")

    def _give_up(self, socket: Socket, why: str) -> None:
        self._quiet.warn(log, "", "a socket was closed: it %s", why)
        # From here on nothing waits for it; that it is gone is noticed as always.
        self._sockets.pop(socket.sid, None)
        self._due.pop(socket.sid, None)
        if socket.websocket is not None:
            socket.websocket.cut()
        else:
            self._tasks.start(self._close(socket, final=False))

    async def _close(self, socket: Socket, *, final: bool) -> None:
        """End a connection, not only the socket that it carries; `final`: its page is told, and does not come back by
        itself. Nobody waits for who reads nothing."""
        websocket = socket.websocket
        if websocket is not None:
            if final:
                socket.flush()
                websocket.write([GONE])
            websocket.shut(POLICY, "closed by the server")
            return
        engine_id = self._sio.manager.eio_sid_from_sid(socket.sid, "/")
        with contextlib.suppress(TimeoutError):
            if final:
                socket.flush()
                await self._sio.disconnect(socket.sid)
            if engine_id in self._sio.eio.sockets:
                await asyncio.wait_for(self._sio.eio.disconnect(engine_id), LINGER_S)


def _key(item: Outgoing) -> Hashable | None:
    """By what the newest of its kind replaces an older one that still waits; None: by nothing."""
    if item.event == "waiting_room":
        return item.event
    if item.event == "webrtc_signal" and item.data["type"] == "pycore":
        # Of a datagram all that is not acknowledged comes again; chunks of a stream and probes are others.
        payload = item.data["payload"]
        if isinstance(payload, str) and payload[:1] == STATE[0] and payload[1:2] in STATE[1:]:
            return item.event, item.data["from_player_id"]
    return None
