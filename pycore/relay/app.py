"""Puts the relay together as one ASGI application: socket.io, what is asked over HTTP, the static site.

- /socket.io/: the relay's events
- /api/health: that it lives, ``{"status": "ok"}``; /api/ready: whether it should be sent anybody, else status 503
- /api/parting: a page that goes away says so, since its socket may be closed before it can
- for who has the operator's token: /api/operator, the server's state; /api/games/<game_id>, what crossed the relay in
  that game, by its own count; /api/watch, /api/watch/over, /api/watch/<game_id>, the games that run, those that are
  over, and rows of one
- /: the site folder
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from pycore.errors import ConfigError, UsageError, in_words
from pycore.relay.bus.calls import Bus
from pycore.relay.games.seats import PlayerId
from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.observing import lateness, observe
from pycore.relay.operating.alarms import check_address, telling
from pycore.relay.operating.measures import Measures
from pycore.relay.operating.noticing import Noticed
from pycore.relay.operating.operator import Operator, check_token
from pycore.relay.operating.readiness import Readiness
from pycore.relay.overview import Overview
from pycore.relay.people.admission import Admission
from pycore.relay.people.recruiting import Recruiting
from pycore.relay.routes import measured, routes_of
from pycore.relay.server import CLOSED_BY, RelayServer
from pycore.relay.settings import check_settings
from pycore.relay.static.files import SiteFiles
from pycore.relay.storage.store import DataStore
from pycore.relay.together import Together
from pycore.relay.transport.polling import Polling, cost_of
from pycore.relay.transport.quiet import Quiet
from pycore.relay.transport.shares import FILE_S, REQUEST_S, SESSION_S, Share
from pycore.relay.transport.websocket import END
from pycore.relay.turn import Turn
from pycore.relay.watching import Watching

log = logging.getLogger("pycore.relay")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class RelayApp:
    """The ASGI application. `relay` is its socket.io side, `store` its database, `readiness` whether it can work,
    `measures` what it counts."""

    def __init__(self, relay: RelayServer, readiness: Readiness, measures: Measures, http: Starlette) -> None:
        self.relay = relay
        self.readiness = readiness
        self.measures = measures
        self.store = relay.store
        self._http = http
        self._polling = Polling(relay.limits)
        self._quiet = Quiet()
        self.addresses = relay.addresses
        self.failed: UsageError | None = None
        """Why it could not start."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Socket.io's path to socket.io, everything else to HTTP; nothing for an address that has too much."""
        if scope["type"] == "lifespan":
            await self._http(scope, receive, self._starting(send))
            return
        address = (scope.get("client") or ("",))[0]
        if not self.addresses.asks(address):
            await refuse(scope, send)
            return
        try:
            if (share := self.addresses.share(address)) is not None:
                if END in scope:
                    scope[END].share = share
                await share.take(cost_of_request(scope))
            await self._answer(scope, receive, send, share)
        finally:
            self.addresses.answered(address)

    def _starting(self, send: Send) -> Send:
        """What is wrong with the call is told in a sentence by whoever made it, and no traceback is logged."""

        async def said(message: MutableMapping[str, Any]) -> None:
            failed = message["type"] == "lifespan.startup.failed" and self.failed is not None
            await send({"type": message["type"], "message": str(self.failed)} if failed else message)

        return said

    async def _answer(self, scope: Scope, receive: Receive, send: Send, share: Share | None) -> None:
        if is_socketio(scope):
            left = False

            async def heard() -> MutableMapping[str, Any]:
                nonlocal left
                message = await receive()
                left = left or message["type"] == "http.disconnect"
                if message["type"] == "websocket.disconnect":
                    scope[CLOSED_BY] = message.get("code")
                self.measures.bytes_in += size_of(message)
                if body := message.get("body"):
                    if owed := self._polling.wait(scope["query_string"], body):
                        await asyncio.sleep(owed)
                    if share is not None:
                        await share.take(cost_of(body))
                return message

            async def said(message: MutableMapping[str, Any]) -> None:
                self.measures.bytes_out += size_of(message)
                await send(message)

            try:
                await self.relay.sio.handle_request(scope, heard, said)
            except Exception as error:
                # What Engine.IO raises on a broken frame ends that socket, and only that. It raises too when somebody
                # is gone before the request is there, and that is nobody's fault.
                if not left:
                    self._quiet.warn(log, type(error).__name__, "a socket was closed: %s", in_words(error))
            finally:
                # Engine.IO makes a class for each request, which has `heard`; and a class is a circle, freed late.
                del scope, receive, send
        else:
            await self._http(scope, receive, send)


async def refuse(scope: Scope, send: Send) -> None:
    """Too many of this address are there."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b"too many connections of this address; try again\n"})


def is_socketio(scope: Scope) -> bool:
    """Whether it is socket.io that is asked."""
    return (str(scope["path"]) + "/").startswith("/socket.io/")


def cost_of_request(scope: Scope) -> float:
    """What a request takes of the processor, s, whatever its body is."""
    if is_socketio(scope):
        return REQUEST_S if b"sid=" in scope["query_string"] else SESSION_S
    return REQUEST_S if str(scope["path"]).startswith(("/api/", "/metrics")) else FILE_S


def size_of(message: MutableMapping[str, Any]) -> int:
    """Characters or bytes of what a message of ASGI carries."""
    return len(message.get("text") or message.get("bytes") or message.get("body") or b"")


def create_app(
    *,
    database: str,
    settings: Mapping[str, Any],
    site: Path | None = None,
    seats: int = 2,
    turn: Mapping[str, Any] | None = None,
    limits: Limits | None = None,
    players: Sequence[PlayerId] | None = None,
    seed: int | None = None,
    origins: Sequence[str] | None = None,
    operator_token: str | None = None,
    log_subjects: bool = False,
    recruiting: Mapping[str, Any] | None = None,
    subjects: Mapping[str, str | None] | None = None,
    join_secret: str | None = None,
    bus: Bus | None = None,
    alarm_url: str | None = None,
) -> RelayApp:
    """The relay. Raises `UsageError` (a wrong setting, a database that cannot be written, no such folder).

    `players`: ids by seat, default 0 … seats-1, in the order in which the page sorts them (numbers by value,
    strings by code unit). `seed`: the game seed of every game, default a new one for each. `origins`: other
    sites whose pages may connect, default the relay's own alone. `operator_token`: whoever has it may see the games and
    the server's state; without one nobody may. `log_subjects`: subject ids stand in the log, and not a name for
    each that means nothing. `recruiting`: how people are paired and where they go afterwards
    (`pycore.relay.people.recruiting`). `subjects`: who may come, with the group of each or None; default everybody.
    `join_secret`: only signed addresses may come (`pycore.relay.people.admission`). `bus`: how this process reaches
    others of the same server, with which it shares the database; default: it is alone. `alarm_url`: where messages
    about faults are sent (`pycore.relay.operating.alarms`).
    """
    ids = _players(seats, players)
    if seed is not None and not 0 <= seed < 2**32:
        raise ConfigError(f"seed is {seed}; it must be from 0 to 4294967295")
    if site is not None and not site.is_dir():
        raise UsageError(f"there is no site folder {site}; build it first, or leave it out")
    if alarm_url is not None:
        alarm_url = check_address(alarm_url)
    bounds = limits or Limits()
    lobby = Lobby(
        players=ids,
        settings=check_settings(settings),
        limits=bounds,
        turn=None if turn is None else Turn.of(turn),
        seed=seed,
        recruiting=Recruiting.of(recruiting or {}, Admission(subjects, join_secret)),
    )
    store = DataStore(database)
    operator = Operator(None if operator_token is None else check_token(operator_token))
    watching = Watching(lobby, store, operator)
    readiness = Readiness(store.try_out)
    readiness.hold("draining", lambda: lobby.door.draining)
    readiness.hold("disk_full", lambda: relay.keeping.disk.is_full(time.monotonic()))
    measures = Measures()
    noticed = Noticed(measures, str if log_subjects else operator.person)
    relay = RelayServer(lobby, store, bounds, origins=origins, watching=watching, noticed=noticed)
    if bus is not None:
        from pycore.relay.cluster.member import Member

        relay.join(Member(relay, bus))
    overview = Overview(relay, operator, measures, noticed)
    together = Together(relay, overview, watching)
    observe(measures, relay, watching, readiness)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(relay.running())
            except UsageError as error:
                found.failed = error
                raise
            await stack.enter_async_context(lateness(measures))
            await stack.enter_async_context(telling(alarm_url, lambda: overview.faults(readiness)))
            yield
        watching.close()
        store.close()

    async def nothing(request: Request) -> Response:
        return PlainTextResponse("pycore relay: no site folder was given; see /api/health\n")

    routes: list[Route | Mount] = [*routes_of(relay, operator, readiness, watching, together, measures)]
    if site is None:
        routes.append(Route("/", nothing))
    else:
        routes.append(Mount("/", SiteFiles(site)))
    found = RelayApp(relay, readiness, measures, Starlette(routes=routes, lifespan=lifespan))
    return found


def metrics_app(app: RelayApp) -> Starlette:
    """What Prometheus is told by that relay, and nothing else, for whoever asks."""

    async def counted(request: Request) -> Response:
        return await measured(app.measures)

    return Starlette(routes=[Route("/metrics", counted)])


def _players(seats: int, players: Sequence[PlayerId] | None) -> list[PlayerId]:
    ids: list[PlayerId] = [*range(seats)] if players is None else list(players)
    if not 1 <= seats <= 8:
        raise ConfigError(f"seats is {seats}; a game has 1 to 8 players")
    if len(ids) != seats or len({str(player) for player in ids}) != seats:
        raise ConfigError(f"players are {ids!r}; {seats} different ids are needed")
    return ids
