"""A bad network for any browser: everything goes by a TURN server, and a proxy before that delays, loses and drops.

Chromium can be told to impair its own network, other browsers cannot. Where all candidates are relayed, a packet passes
this proxy twice on its way from one page to another: when it is sent, and when it is received.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.rehearsal.serving import free_port

NAME: Final = "turnserver"
HOW: Final = (
    "only Chromium impairs its own network; for other browsers a TURN server is needed: install coturn (Debian: "
    "apt-get install coturn), or leave out latency, loss and cuts"
)
START_TIMEOUT: Final = 10.0
"""Seconds until the proxy must listen."""


def program() -> str:
    """The TURN server's program. Raises ConfigError where there is none."""
    found = shutil.which(NAME)
    if found is None:
        raise ConfigError(HOW)
    return found


class Conditions:
    """What the proxy does to a packet; read for each, in the proxy's own thread."""

    def __init__(self, seed: int) -> None:
        self.delay = 0.0
        """Seconds."""
        self.loss = 0.0
        """Share of the packets."""
        self._random = Random(seed)

    def after(self) -> float | None:
        """After how many seconds a packet goes on; None: never."""
        return None if self.loss and self._random.random() < self.loss else self.delay


class _Side(asyncio.DatagramProtocol):
    """One socket: whatever comes is handed on, as the conditions say."""

    def __init__(self, conditions: Conditions, take: Any) -> None:
        self._conditions = conditions
        self._take = take
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        after = self._conditions.after()
        if after is not None:
            asyncio.get_running_loop().call_later(after, self._take, data, address)


class Proxy:
    """Passes datagrams between browsers and a server on this machine, each browser's socket by one of its own."""

    def __init__(self, server: int, conditions: Conditions) -> None:
        self._server = ("127.0.0.1", server)
        self._conditions = conditions
        self._loop = asyncio.new_event_loop()
        self._front: Any = None
        self._backs: dict[Any, asyncio.Task[Any]] = {}
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pycore-detour", daemon=True)
        self.port = 0

    def start(self) -> None:
        """Listen; `port` is where."""
        self._thread.start()
        if not self._started.wait(START_TIMEOUT):
            raise ConfigError("the proxy of the rehearsal's network does not start")

    def stop(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._front, _ = self._loop.run_until_complete(
            self._loop.create_datagram_endpoint(
                lambda: _Side(self._conditions, self._to_server), local_addr=("127.0.0.1", 0)
            )
        )
        self.port = self._front.get_extra_info("sockname")[1]
        self._started.set()
        self._loop.run_forever()
        self._front.close()
        for opened in self._backs.values():
            if opened.done():
                opened.result().close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _to_server(self, data: bytes, client: Any) -> None:
        opened = self._backs.get(client)
        if opened is None:
            opened = self._backs[client] = self._loop.create_task(self._back(client))
        opened.add_done_callback(lambda task: task.result().sendto(data))

    async def _back(self, client: Any) -> Any:
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: _Side(self._conditions, lambda data, _: self._front.sendto(data, client)),
            remote_addr=self._server,
        )
        return transport


class Detour:
    """The TURN server and the proxy before it, while a rehearsal lasts."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.conditions = Conditions(seed)
        self._folder = folder
        self._secret = secrets.token_hex(16)
        self._server: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self._proxy = Proxy(self._port, self.conditions)

    @property
    def options(self) -> list[str]:
        """What the relay is told of it."""
        url = f"turn:127.0.0.1:{self._proxy.port}?transport=udp"
        return ["--turn-url", url, "--force-relay"]

    @property
    def environ(self) -> dict[str, str]:
        """The relay's environment: a command line is for everybody to read."""
        return {**os.environ, "PYCORE_TURN_SECRET": self._secret}

    def start(self) -> None:
        """Begin. Raises ConfigError where there is no TURN server."""
        words = [
            program(), "-n", "--no-cli", "--no-tls", "--no-dtls", "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1",
            f"--listening-port={self._port}", "--allow-loopback-peers", "--fingerprint", "--realm=pycore.rehearsal",
            "--use-auth-secret", f"--static-auth-secret={self._secret}", "--log-file=stdout", "--simple-log",
            f"--pidfile={self._folder / 'turnserver.pid'}", f"--userdb={self._folder / 'turnserver.db'}",
        ]  # fmt: skip
        with (self._folder / "turnserver.log").open("wb") as log:
            self._server = subprocess.Popen(words, stdout=log, stderr=log)
        self._proxy.start()

    def stop(self) -> None:
        """End both."""
        self._proxy.stop()
        if self._server is not None:
            self._server.terminate()
            self._server.wait()


@contextlib.contextmanager
def detour(folder: Path, seed: int, wanted: bool) -> Iterator[Detour | None]:
    """One for as long as the block lasts, if it is wanted."""
    if not wanted:
        yield None
        return
    made = Detour(folder, seed)
    made.start()
    try:
        yield made
    finally:
        made.stop()
