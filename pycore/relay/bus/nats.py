"""NATS as the bus: a subject for each process, and what its client cannot send at the moment is not kept there.

The client connects again by itself, to any server of the cluster that it knows. What was sent while it could not is
sent again by whoever sent it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

import nats
import nats.aio.client
import nats.errors

from pycore.errors import UsageError, in_words
from pycore.relay.bus.calls import Handler

log = logging.getLogger("pycore.relay")

SUBJECT: Final = "pycore."
CONNECT_S: Final = 3
AGAIN_S: Any = 0.2  # its client is typed for whole seconds, and sleeps for parts of them
"""Between attempts to reach a server that is gone."""


class NatsBus:
    """One process's connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = nats.aio.client.Client()
        self._sending: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None

    async def open(self, process: str, handler: Handler) -> None:
        """As `Bus.open`."""

        async def heard(message: Any) -> None:
            try:
                answer = handler(message.data.decode())
                if answer is not None and message.reply:
                    await self._client.publish(message.reply, answer.encode())
            except Exception:
                log.exception("a message of the bus could not be taken in")

        async def failed(error: Exception) -> None:
            log.info("the bus: %s", in_words(error))

        async def lost() -> None:
            log.warning("the bus is gone; what is between the processes waits for it")

        async def back() -> None:
            log.warning("the bus is back")

        try:
            connecting = self._client.connect(
                self._url, name=f"pycore {process}", connect_timeout=CONNECT_S, reconnect_time_wait=AGAIN_S,
                max_reconnect_attempts=-1, allow_reconnect=True, error_cb=failed, disconnected_cb=lost,
                reconnected_cb=back, ping_interval=5, max_outstanding_pings=2,
            )  # fmt: skip
            # A client that is to connect again for ever would try the first time for ever, too.
            await asyncio.wait_for(connecting, CONNECT_S)
            await self._client.subscribe(SUBJECT + process, cb=heard)
            await self._client.flush(CONNECT_S)
        except (OSError, TimeoutError, nats.errors.Error) as error:
            await self.close()
            raise UsageError(f"there is no NATS at {_shown(self._url)}: {in_words(error)}") from error
        self._sender = asyncio.get_running_loop().create_task(self._send_all())

    def send(self, process: str, message: str) -> bool:
        """As `Bus.send`."""
        if not self._client.is_connected:
            return False
        self._sending.put_nowait((SUBJECT + process, message.encode()))
        return True

    async def request(self, process: str, message: str, timeout_s: float) -> str | None:
        """As `Bus.request`."""
        try:
            answer = await asyncio.wait_for(
                self._client.request(SUBJECT + process, message.encode(), timeout=timeout_s), timeout_s
            )
        except (TimeoutError, nats.errors.Error):
            return None
        text: str = answer.data.decode()
        return text

    async def close(self) -> None:
        """As `Bus.close`."""
        if self._sender is not None:
            self._sender.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._client.close(), 1.0)

    async def _send_all(self) -> None:
        while True:
            subject, data = await self._sending.get()
            with contextlib.suppress(nats.errors.Error):
                await self._client.publish(subject, data)


def _shown(url: str) -> str:
    """The URL without who connects."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
