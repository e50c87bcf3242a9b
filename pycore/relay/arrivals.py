"""Events that come by the short way: read, carried out one after another, and acknowledged, without a task for each.

They take effect in the order in which they came, also where one of them has to wait: what only decides does so at once,
and behind a join everything waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, Final, Protocol

from pycore.relay.limits import Limits
from pycore.relay.operating.noticing import Noticed
from pycore.relay.recall import Recall
from pycore.relay.transport.sender import Tasks
from pycore.relay.transport.wire import REFUSED, Unread, read_event

TASK_S: Final = 3e-4
"""What an event costs besides that is carried out by a task: it begins behind this round, when nobody measures."""


class Carrying(Protocol):
    """What carries events out: `RelayServer`, as far as it is needed here."""

    limits: Limits
    recall: Recall
    tasks: Tasks

    def joins(self, event: str) -> bool:
        """Whether what comes behind an event may have to wait for it."""

    async def dispatch(self, event: str, sid: str, arguments: Sequence[Any]) -> dict[str, Any]:
        """Carry out one event, when its turn has come, and return its acknowledgement."""

    def carry_out(
        self, event: str, sid: str, arguments: Sequence[Any]
    ) -> dict[str, Any] | Coroutine[Any, Any, dict[str, Any]]:
        """The same at once, as far as it waits for nothing."""

    def answer(self, sid: str, number: int | None, reply: dict[str, Any]) -> None:
        """Acknowledge an event, if that was asked for."""

    def spend(self, sid: str, seconds: float) -> None:
        """What a socket has sent costs so much besides."""


class Arrivals:
    """Of one relay."""

    def __init__(self, relay: Carrying, noticed: Noticed) -> None:
        self._relay = relay
        self._noticed = noticed

    def came(self, sid: str, texts: list[str], seconds: float) -> int:
        """Events of one socket that came by the short way; how many were carried out in so much time."""
        behind = self._relay.recall.is_joining(sid)
        began = now = time.monotonic()
        done = size = tasks = 0
        for text in texts:
            if done and now - began + TASK_S * tasks >= seconds:
                break
            done += 1
            size += len(text)
            # The next one begins when this one is done.
            then = now
            try:
                event, number, arguments = read_event(text[1:], self._relay.limits)
            except Unread as unread:
                event, number = REFUSED, unread.number
                arguments = [{"code": unread.code, "message": unread.message, "event": unread.event}]
            reply: Any
            if behind:
                reply = self._relay.dispatch(event, sid, arguments)
            else:
                reply = self._relay.carry_out(event, sid, arguments)
            if not isinstance(reply, dict):
                # A join begins behind this round, and so does what came behind it.
                behind = behind or self._relay.joins(event)
                self._relay.tasks.start(self._answer(event, sid, arguments, number, reply))
                tasks += 1
            else:
                self._noticed.event(event, sid, arguments, reply, then)
                self._relay.answer(sid, number, reply)
            now = time.monotonic()
        self._noticed.crossed(came=size)
        if tasks:
            self._relay.spend(sid, TASK_S * tasks)
        return done

    async def _answer(
        self, event: str, sid: str, arguments: Sequence[Any], number: int | None, reply: Awaitable[dict[str, Any]]
    ) -> None:
        began = time.monotonic()
        said = await reply
        self._noticed.event(event, sid, arguments, said, began)
        self._relay.answer(sid, number, said)
