"""Sends what the lobby wants sent: in that order, by one task, so two packets of one player never overtake."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

import socketio

from pycore.relay.rooms import DISCONNECT, Outgoing

log = logging.getLogger("pycore.relay")


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


class Sender:
    """What goes out, of all sockets."""

    def __init__(self, sio: socketio.AsyncServer, tasks: Tasks) -> None:
        self._sio = sio
        self._tasks = tasks
        self._out: asyncio.Queue[Outgoing] = asyncio.Queue()

    def put(self, out: Sequence[Outgoing]) -> None:
        """Have these sent, in this order."""
        for item in out:
            self._out.put_nowait(item)

    async def run(self) -> None:
        """Send for as long as nobody cancels it."""
        while True:
            item = await self._out.get()
            try:
                if item.event == DISCONNECT:
                    # Closing waits for what is queued; the others need not.
                    self._tasks.start(self._sio.disconnect(item.sid))
                else:
                    await self._sio.emit(item.event, item.data, to=item.sid)
            except Exception:
                log.exception("could not send %s", item.event)
