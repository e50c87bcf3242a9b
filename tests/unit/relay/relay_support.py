"""A real relay (uvicorn, a real socket, a real database file) and real socket.io clients to test it with."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import socketio
import uvicorn.server

from pycore.relay import Limits, serve
from pycore.relay.app import RelayApp, create_app

PATIENCE_S = 20.0
OPERATOR = "the-operator-of-the-tests"
"""The token of a relay that was not given another one."""


class Client:
    """A page as the relay sees it: a socket that remembers every event, and waits for one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sio = socketio.AsyncClient(reconnection=False)
        self.events: list[tuple[str, Any]] = []
        self._arrived = asyncio.Event()
        self.sio.on("*", self._on_any)

    async def _on_any(self, event: str, data: Any = None) -> None:
        self.events.append((event, data))
        self._arrived.set()

    async def connect(self, auth: Any = None) -> Client:
        await self.sio.connect(self.url, transports=["websocket"], auth=auth, wait_timeout=PATIENCE_S)
        return self

    async def call(self, event: str, data: Any = None) -> Any:
        """Emit and return the acknowledgement."""
        return await self.sio.call(event, data, timeout=PATIENCE_S)

    async def emit(self, event: str, data: Any = None) -> None:
        await self.sio.emit(event, data)

    async def get(self, event: str, where: Callable[[Any], bool] = lambda data: True) -> Any:
        """The payload of the first such event, come or still to come; it is taken out."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for index, (name, data) in enumerate(self.events):
                if name == event and where(data):
                    del self.events[index]
                    return data
            self._arrived.clear()
            remaining = deadline - time.monotonic()
            try:
                await asyncio.wait_for(self._arrived.wait(), max(0.001, remaining))
            except TimeoutError:
                raise AssertionError(f"no {event}; there were {self.events}") from None

    async def until(self, event: str) -> list[tuple[str, Any]]:
        """All events up to that one, which is the last of them."""
        last = (event, await self.get(event))
        events, self.events = [*self.events, last], []
        return events

    async def quiet(self, event: str) -> None:
        """Fails if such an event came; a round trip first makes sure that all came that will."""
        assert (await self.call("pycore_ping", {}))["status"] == "ok"
        assert [data for name, data in self.events if name == event] == []

    async def raw(self, message: str | bytes) -> None:
        """Send a message below socket.io."""
        await self.sio.eio.send(message)

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await self.sio.disconnect()


@dataclasses.dataclass
class Relay:
    """A running relay."""

    app: RelayApp
    url: str
    database: str
    folder: Path
    token: str | None = OPERATOR

    @contextlib.asynccontextmanager
    async def clients(self, count: int) -> AsyncIterator[list[Client]]:
        """Connected clients that joined nothing yet."""
        clients = [Client(self.url) for _ in range(count)]
        try:
            for client in clients:
                await client.connect()
            yield clients
        finally:
            await asyncio.gather(*(client.close() for client in clients))

    @contextlib.asynccontextmanager
    async def pair(self, count: int = 2) -> AsyncIterator[tuple[list[Client], str]]:
        """Clients in one game, their start events read, and the game's id."""
        async with self.clients(count) as clients:
            game = ""
            for client in clients:
                await client.call("join_game", {"session_id": uuid.uuid4().hex})
            for client in clients:
                game = (await client.get("start_game"))["game_id"]
                client.events.clear()
            yield clients, game

    async def http(self, path: str, token: str | None = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET; with a token it is the operator's."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        url = self.url.rstrip("/") + path
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, await reply.read()

    async def counts(self, game: str) -> dict[str, Any]:
        status, _, body = await self.http(f"/api/games/{game}", self.token)
        assert status == 200
        found: dict[str, Any] = json.loads(body)
        return found

    async def notices(self, game: str, *connected: Any) -> None:
        """Wait until the relay knows that these players and no others are connected: sockets end one by one."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := (await self.counts(game))["connected"]) != list(connected):
            assert time.monotonic() < deadline, f"connected are {found}, not {connected}"
            await asyncio.sleep(0.01)


class _Brisk:
    """asyncio as uvicorn sees it here: what it sleeps between two looks at whether to end is a hundredth of a second,
    not a tenth, twice for each relay that stops."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


uvicorn.server.asyncio = _Brisk()  # type: ignore[attr-defined]


@contextlib.contextmanager
def running(folder: Path, *, database: str | None = None, **options: Any) -> Iterator[Relay]:
    """A relay in a thread of its own, on a free port."""
    url = database or f"sqlite:///{folder / 'study.db'}?timeout=0.2"
    options.setdefault("settings", {"fps": 30, "max_steps": 100, "return_within": 0})
    options.setdefault("operator_token", OPERATOR)
    # What a machine has to do beside the tests is none of their business.
    calm = dataclasses.replace(options.pop("limits", None) or Limits(), busy_s=1e9, shed_s=1e9)
    app = create_app(database=url, limits=calm, **options)
    bound = serve.bind("127.0.0.1", 0)
    server = serve.server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": serve.listeners(bound)}, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.005)
        yield Relay(app, serve.address(bound), url, folder, options["operator_token"])
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()
    assert not thread.is_alive(), "the server did not end"


def action(game: str, player: Any, value: Any, frame: int) -> dict[str, Any]:
    """The message of an input."""
    return {
        "game_id": game,
        "player_id": player,
        "action": value,
        "frame_number": frame,
        "timestamp": 1_700_000_000_000,
        "sync_epoch": 0,
    }
