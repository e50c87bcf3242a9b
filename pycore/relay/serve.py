"""Runs the relay with uvicorn: binds first, so that a taken port is known before anything else starts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn
from uvicorn.middleware.proxy_headers import _TrustedHosts

from pycore.errors import UsageError
from pycore.relay.app import RelayApp, metrics_app
from pycore.relay.ending import Server
from pycore.relay.operating.garbage import Garbage
from pycore.relay.transport.descriptors import allowed
from pycore.relay.transport.http import http_protocol
from pycore.relay.transport.quiet import Seldom
from pycore.relay.transport.websocket import websocket_protocol

log = logging.getLogger("pycore.relay")

WS_PING_INTERVAL_S = 5.0
WS_PING_TIMEOUT_S = 10.0
"""A dead connection is noticed within 15 s: the browser answers these pings itself, however busy the page."""
LISTENERS: Final = 16
"""libuv, which uvloop is made of, accepts one connection of a listener in a round of the loop. So whoever comes while
rounds are long waits for as many rounds as there are others before; with several listeners that are the same socket,
so many are accepted in one."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `UsageError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        # A name that cannot be one, as 0.0.0..0, is not even looked for.
        raise UsageError(f"{host!r:.80} is not an address of this machine: {error}") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)
        bound.set_inheritable(True)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(
                f"port {port} on {host} is in use; choose another with --port, or --port 0 for a free one"
            ) from error
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return bound


def listeners(bound: socket.socket) -> list[socket.socket]:
    """That socket as often as it is to be listened to. asyncio's own loop accepts all who wait in one round, so there
    once is enough."""
    if importlib.util.find_spec("uvloop") is None:
        return [bound]
    return [bound, *(bound.dup() for _ in range(LISTENERS - 1))]


def address(bound: socket.socket) -> str:
    """The address of a bound socket, as one types it into a browser."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def server(app: RelayApp, *, log_level: str = "warning", drain_s: float = 0.0) -> Server:
    """A uvicorn server for the relay; `server(app).run(sockets=listeners(bind(host, port)))` serves until
    it is told to end by a signal or by `should_exit`. `drain_s`: how long SIGTERM waits for games that run."""
    limits = app.relay.limits
    connections = allowed(limits.connections)
    if connections < limits.connections:
        log.warning(
            "this process may have %d connections, not %d: raise its limit of open files (ulimit -n, LimitNOFILE=)",
            connections, limits.connections,
        )  # fmt: skip
    options: dict[str, Any] = {
        # wsproto comes with python-engineio; nothing else has to be installed.
        "ws": websocket_protocol(limits, app.addresses),
        "http": http_protocol(connections, limits, app.addresses),
        "ws_max_size": limits.message_bytes,
        "ws_ping_interval": WS_PING_INTERVAL_S,
        "ws_ping_timeout": WS_PING_TIMEOUT_S,
        # Inputs of a few bytes do not get smaller, only later.
        "ws_per_message_deflate": False,
        "lifespan": "on",
        "log_level": log_level,
        # Its lines are written as ours are.
        "log_config": None,
        "access_log": False,
        # Pages keep their sockets open for good; the end must not wait for them.
        "timeout_graceful_shutdown": 2,
    }
    config = uvicorn.Config(app, **options)
    for library in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(library)
        for before in [each for each in logger.filters if isinstance(each, Seldom)]:
            logger.removeFilter(before)
        logger.addFilter(Seldom())
    proxies = _TrustedHosts(config.forwarded_allow_ips)
    app.addresses.trust(proxies.__contains__, everybody=proxies.always_trust)
    return Server(config, app.relay, drain_s)


class Beside(uvicorn.Server):
    """A server in the same process that hears no signals: it ends with the other one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


def run(
    app: RelayApp,
    bound: socket.socket,
    *,
    ready: Callable[[str], None],
    log_level: str = "warning",
    beside: socket.socket | None = None,
    drain_s: float = 0.0,
) -> None:
    """Serve until SIGINT or SIGTERM. `ready` is told the address when connections are accepted. `beside`: where the
    metrics are, too, for whoever reaches that address. `drain_s`: how long SIGTERM waits for games that run. Raises
    `UsageError` where it cannot start, as without its bus."""
    runner = server(app, log_level=log_level, drain_s=drain_s)
    startup, shutdown = runner.startup, runner.shutdown
    other = Beside(uvicorn.Config(
        metrics_app(app), ws="none", lifespan="off", log_level=log_level, log_config=None, access_log=False
    ))  # fmt: skip
    tasks = []
    garbage = Garbage(app.relay.lobby.games.going)

    async def announced(sockets: list[socket.socket] | None = None) -> None:
        await startup(sockets)
        if runner.started:
            tasks.append(asyncio.ensure_future(garbage.run()))
            if beside is not None:
                tasks.append(asyncio.ensure_future(other.serve([beside])))
            ready(address(bound))

    async def ended(sockets: list[socket.socket] | None = None) -> None:
        other.should_exit = True
        if tasks:
            tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await shutdown(sockets)

    sockets = listeners(bound)
    garbage.begin()
    runner.startup = announced  # type: ignore[method-assign]
    runner.shutdown = ended  # type: ignore[method-assign]
    try:
        runner.run(sockets=sockets)
    except SystemExit:
        if app.failed is None:
            raise
    finally:
        garbage.end()
        # One that did not start has closed none.
        for each in sockets:
            each.close()
    if app.failed is not None:
        raise app.failed
