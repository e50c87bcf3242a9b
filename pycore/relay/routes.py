"""What the relay answers over HTTP, beside socket.io and the site's files.

For everybody: that it lives, whether it should be sent anybody, and a page's word that it goes. All else is behind the
operator's token, `Authorization: Bearer TOKEN`: so it stands in no log and no history.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pycore.relay.fields import Refused
from pycore.relay.operating.measures import TYPE, Measures
from pycore.relay.operating.operator import Operator
from pycore.relay.operating.readiness import Readiness
from pycore.relay.server import RelayServer
from pycore.relay.storage.past import NotWatched
from pycore.relay.storage.store import StoreFailed
from pycore.relay.together import Together
from pycore.relay.watching import Watching
from pycore.version import __version__

Answer = Callable[[Request], Awaitable[Response]]

FRESH = {"cache-control": "no-store"}


def routes_of(
    relay: RelayServer, operator: Operator, readiness: Readiness, watching: Watching, together: Together,
    measures: Measures,
) -> list[Route]:  # fmt: skip
    """All of them."""

    async def counted(request: Request) -> Response:
        return await measured(measures)

    return [
        *_for_everybody(relay, readiness),
        *_study(relay, operator, readiness, together),
        *_games(relay, operator, watching, together),
        Route("/metrics", guarded(operator, counted)),
    ]


async def measured(measures: Measures) -> Response:
    """What Prometheus is told."""
    return Response(measures.text(), media_type=TYPE, headers=FRESH)


def _for_everybody(relay: RelayServer, readiness: Readiness) -> list[Route]:
    async def health(request: Request) -> Response:
        return Said({"status": "ok"}, headers=FRESH)

    async def ready(request: Request) -> Response:
        if await readiness.reasons(time.monotonic()):
            return Said({"status": "not_ready"}, status_code=503, headers=FRESH)
        return Said({"status": "ready"}, headers=FRESH)

    async def parting(request: Request) -> Response:
        # Nobody reads the answer, and nobody is told whether there is such a session.
        with contextlib.suppress(Refused, ValueError, RecursionError):
            relay.part(json.loads(await _body(request, relay.limits.envelope_bytes)))
        return Response(status_code=204)

    return [
        Route("/api/health", health),
        Route("/api/ready", ready),
        Route("/api/parting", parting, methods=["POST"]),
    ]


def _study(relay: RelayServer, operator: Operator, readiness: Readiness, together: Together) -> list[Route]:
    async def state(request: Request) -> Response:
        why = await readiness.reasons(time.monotonic())
        found = {"version": __version__, "ready": not why, "reasons": why}
        return Said(found | await together.state(), headers=FRESH)

    async def study(request: Request) -> Response:
        try:
            wish = json.loads(await _body(request, relay.limits.envelope_bytes))
            if not isinstance(wish, dict) or not isinstance(wish.get("open"), bool):
                raise ValueError
        except (ValueError, RecursionError):
            return refusal("malformed", 400, 'say {"open": true} or {"open": false}')
        try:
            await relay.open_study(wish["open"])
        except StoreFailed as error:
            return refusal(error.code, 503, str(error))
        return await state(request)

    return [
        Route("/api/operator", guarded(operator, state)),
        Route("/api/operator/study", guarded(operator, study), methods=["POST"]),
    ]


def _games(relay: RelayServer, operator: Operator, watching: Watching, together: Together) -> list[Route]:
    """Of one game, for who has its key as well."""

    async def game(request: Request) -> Response:
        game_id = request.path_params["game_id"]
        if not watching.may_see(game_id, presented(request)):
            return _no_key()
        room = relay.lobby.games.room(game_id)
        try:
            if room is not None:
                counts: dict[str, Any] | None = room.counts()
            elif (there := await together.game(game_id)) is not None:
                counts = there["counts"]
            else:
                counts = await relay.store.counts(game_id)
            if counts is None:
                return refusal("no_such_game", 404, "no such game")
            return Said({**counts, "stored": await relay.store.stored(game_id)}, headers=FRESH)
        except StoreFailed as error:
            return refusal(error.code, 503, str(error))

    async def listed(request: Request) -> Response:
        return Said(await together.games(), headers=FRESH)

    async def over(request: Request) -> Response:
        wall = time.time()
        return await _answered(watching.over(request.query_params.get("before"), wall, await together.running()))

    async def rows(request: Request) -> Response:
        game_id = request.path_params["game_id"]
        if not watching.may_see(game_id, presented(request)):
            return _no_key()
        try:
            episode, start = (int(request.query_params.get(name, "0")[:10]) for name in ("episode", "from"))
            if episode < 0 or start < 0:
                raise ValueError
        except ValueError:
            return refusal("malformed", 400, "`episode` and `from` are whole numbers from 0 on")
        there = await together.game(game_id)
        return await _answered(watching.rows(game_id, episode, start, time.time(), there))

    return [
        Route("/api/games/{game_id}", game),
        Route("/api/watch", guarded(operator, listed)),
        Route("/api/watch/over", guarded(operator, over)),
        Route("/api/watch/{game_id}", rows),
    ]


class Said(JSONResponse):
    """An answer, in ASCII: whatever a page has said of itself, there is one."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def guarded(operator: Operator, answer: Answer) -> Answer:
    """An answer for the operator alone."""

    async def asked(request: Request) -> Response:
        if operator.is_operator(presented(request)):
            return await answer(request)
        told = "give the operator's token, which the server printed when it started"
        none = "this server was started without an operator's token, so there is no operator"
        return refusal("not_allowed", 401, told if operator.exists else none)

    return asked


def presented(request: Request) -> str:
    """The token or key that came with a request."""
    given = request.headers.get("authorization", "")
    scheme, _, token = given.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else given


def _no_key() -> Response:
    return refusal("not_allowed", 401, "give the key of this game, or the operator's token")


def refusal(code: str, status: int, message: str) -> Response:
    """An answer that says why there is none."""
    more = {"www-authenticate": "Bearer"} if status == 401 else {}
    return Said({"error": message, "code": code}, status_code=status, headers={**FRESH, **more})


async def _body(request: Request, most: int) -> bytes:
    """At most so much of it; ValueError for more, and for one that does not come."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise ValueError(f"a body of more than {most} bytes")
    except ClientDisconnect:
        raise ValueError("whoever asked is gone") from None
    return body


async def _answered(found: Awaitable[dict[str, Any]]) -> Response:
    try:
        return Said(await found, headers=FRESH)
    except NotWatched as error:
        return refusal(error.code, error.status, str(error))
    except StoreFailed as error:
        return refusal(error.code, 503, str(error))
