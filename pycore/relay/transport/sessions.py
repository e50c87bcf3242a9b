"""Sessions of Engine.IO: below each socket of socket.io there is one, made by a request where its page polls.

A request makes one, and none ends it, so they are counted as connections are. One that carries no socket, because its
client never connected it or has left it, goes soon.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import socketio

from pycore.relay.limits import Limits
from pycore.relay.transport.addresses import Addresses
from pycore.relay.transport.sender import Tasks
from pycore.relay.transport.websocket import LINGER_S


class Sessions:
    """Of one relay."""

    def __init__(self, sio: socketio.AsyncServer, limits: Limits, addresses: Addresses, tasks: Tasks) -> None:
        self._sio = sio
        self._limits = limits
        self._addresses = addresses
        self._tasks = tasks
        self._connected, self._gone = sio.eio.handlers["connect"], sio.eio.handlers["disconnect"]
        sio.eio.on("connect", self._begins)
        sio.eio.on("disconnect", self._ends)

    async def _begins(self, session: str, environ: dict[str, Any]) -> Any:
        client = environ["asgi.scope"].get("client") or ("",)
        if not self._addresses.begins(session, client[0]):
            return False
        asyncio.get_running_loop().call_later(self._limits.silent_s, self._look, session)
        return await self._connected(session, environ)

    async def _ends(self, session: str, reason: str = "") -> None:
        self._addresses.ended(session)
        await self._gone(session, reason)

    def _look(self, session: str) -> None:
        if session not in self._sio.eio.sockets:
            return
        if self._sio.manager.sid_from_eio_sid(session, "/") is None:
            self._tasks.start(self._end(session))
        else:
            asyncio.get_running_loop().call_later(self._limits.silent_s, self._look, session)

    async def _end(self, session: str) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._sio.eio.disconnect(session), LINGER_S)
        # Where its end took too long nobody is told of it.
        self._sio.eio.sockets.pop(session, None)
        self._addresses.ended(session)
