"""Puts the relay together as one ASGI application: socket.io, two HTTP endpoints, the static site.

- /socket.io/: the relay's events
- /api/health: ``{"status": "ok", ...}``
- /api/parting: a page that goes away says so, since its socket may be closed before it can
- /api/games/<game_id>: what crossed the relay in that game, by its own count, for who has the operator's token
- /api/watch, /api/watch/over, /api/watch/<game_id>: the running games, those that are over, and rows of one, for the
  same
- /: the site folder
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

from pycore.errors import ConfigError, UsageError
from pycore.relay.fields import Refused
from pycore.relay.files import SiteFiles
from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.past import NotWatched
from pycore.relay.seats import PlayerId
from pycore.relay.server import CLOSED_BY, RelayServer
from pycore.relay.settings import check_settings
from pycore.relay.store import DataStore, StoreFailed
from pycore.relay.turn import Turn
from pycore.relay.watching import Watching
from pycore.version import __version__

log = logging.getLogger("pycore.relay")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

class RelayApp:
    """The ASGI application. `relay` is its socket.io side, `store` its database."""

    def __init__(self, relay: RelayServer, http: Starlette) -> None:
        self.relay = relay
        self.store = relay.store
        self._http = http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Socket.io's path to socket.io, everything else to HTTP."""
        if scope["type"] != "lifespan" and (scope["path"] + "/").startswith("/socket.io/"):

            async def heard() -> MutableMapping[str, Any]:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    scope[CLOSED_BY] = message.get("code")
                return message

            try:
                await self.relay.sio.handle_request(scope, heard, send)
            except Exception as error:
                # What Engine.IO raises on a broken frame ends that socket, and only that.
                log.warning("a socket was closed: %s", error or type(error).__name__)
        else:
            await self._http(scope, receive, send)


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
    watch_token: str | None = None,
) -> RelayApp:
    """The relay. Raises `UsageError` (a wrong setting, a database that cannot be written, no such folder).

    `players`: ids by seat, default 0 … seats-1, in the order in which the page sorts them (numbers by value,
    strings by code unit). `seed`: the game seed of every game, default a new one for each. `origins`: other
    sites whose pages may connect, default the relay's own alone. `watch_token`: with it running games can be watched;
    without one they cannot, and nobody is told anything of a game.
    """
    ids = _players(seats, players)
    if seed is not None and not 0 <= seed < 2**32:
        raise ConfigError(f"seed is {seed}; it must be from 0 to 4294967295")
    if site is not None and not site.is_dir():
        raise UsageError(f"there is no site folder {site}; build it first, or leave it out")
    bounds = limits or Limits()
    lobby = Lobby(
        players=ids,
        settings=check_settings(settings),
        limits=bounds,
        turn=None if turn is None else Turn.of(turn),
        seed=seed,
    )
    store = DataStore(database)
    watching = Watching(lobby, store, watch_token) if watch_token else None
    relay = RelayServer(lobby, store, bounds, origins=origins, watching=watching)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with relay.running():
            yield
        if watching is not None:
            watching.close()
        store.close()

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__, **lobby.health()})

    async def game(request: Request) -> Response:
        game_id = request.path_params["game_id"]
        if watching is None or not watching.may_see(game_id, _bearer(request)):
            return _no_operator()
        room = lobby.games.room(game_id)
        try:
            counts = await store.counts(game_id) if room is None else room.counts()
            if counts is None:
                return JSONResponse({"error": "no such game"}, status_code=404)
            return JSONResponse({**counts, "stored": await store.stored(game_id)})
        except StoreFailed as error:
            return JSONResponse({"error": str(error), "code": error.code}, status_code=503)

    async def parting(request: Request) -> Response:
        # Nobody reads the answer, and nobody is told whether there is such a session.
        with contextlib.suppress(Refused, ValueError, RecursionError):
            relay.part(json.loads(await _body(request, bounds.envelope_bytes)))
        return Response(status_code=204)

    async def nothing(request: Request) -> Response:
        return PlainTextResponse("pycore relay: no site folder was given; see /api/health\n")

    routes: list[Route | Mount] = [
        Route("/api/health", health),
        Route("/api/parting", parting, methods=["POST"]),
        Route("/api/games/{game_id}", game),
        *([] if watching is None else watch_routes(watching)),
    ]
    if site is None:
        routes.append(Route("/", nothing))
    else:
        routes.append(Mount("/", SiteFiles(site)))
    return RelayApp(relay, Starlette(routes=routes, lifespan=lifespan))


def watch_routes(watching: Watching) -> list[Route]:
    """What is behind the operator's token, `Authorization: Bearer TOKEN`: so it stands in no log and no history."""

    async def listed(request: Request) -> Response:
        if not watching.is_operator(_bearer(request)):
            return _no_operator()
        return JSONResponse(watching.games(time.monotonic(), time.time()), headers=_FRESH)

    async def over(request: Request) -> Response:
        if not watching.is_operator(_bearer(request)):
            return _no_operator()
        before = request.query_params.get("before")
        return await _answered(watching.over(before, time.time()))

    async def rows(request: Request) -> Response:
        game_id = request.path_params["game_id"]
        if not watching.may_see(game_id, _bearer(request)):
            return _refused("not_allowed", 401, "give the key of this game, or the operator's token")
        try:
            episode, start = (int(request.query_params.get(name, "0")[:10]) for name in ("episode", "from"))
            if episode < 0 or start < 0:
                raise ValueError
        except ValueError:
            return _refused("malformed", 400, "`episode` and `from` are whole numbers from 0 on")
        return await _answered(watching.rows(game_id, episode, start, time.time()))

    return [Route("/api/watch", listed), Route("/api/watch/over", over), Route("/api/watch/{game_id}", rows)]


_FRESH = {"cache-control": "no-store"}


async def _body(request: Request, most: int) -> bytes:
    """At most so much of it; ValueError for more."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise ValueError(f"a body of more than {most} bytes")
    return body


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _no_operator() -> Response:
    return _refused("not_allowed", 401, "give the operator's token, which the server printed when it started")


async def _answered(found: Awaitable[dict[str, Any]]) -> Response:
    try:
        return JSONResponse(await found, headers=_FRESH)
    except NotWatched as error:
        return _refused(error.code, error.status, str(error))
    except StoreFailed as error:
        return _refused(error.code, 503, str(error))


def _refused(code: str, status: int, message: str) -> Response:
    return JSONResponse({"error": message, "code": code}, status_code=status, headers=_FRESH)


def _players(seats: int, players: Sequence[PlayerId] | None) -> list[PlayerId]:
    ids: list[PlayerId] = [*range(seats)] if players is None else list(players)
    if not 1 <= seats <= 8:
        raise ConfigError(f"seats is {seats}; a game has 1 to 8 players")
    if len(ids) != seats or len({str(player) for player in ids}) != seats:
        raise ConfigError(f"players are {ids!r}; {seats} different ids are needed")
    return ids
