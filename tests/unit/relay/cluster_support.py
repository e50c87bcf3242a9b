"""Several relays in one Python process, over a bus in memory and one database: what a test does to them, and sees."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from relay_support import PATIENCE_S, Client, Relay, running

from pycore.relay import Limits
from pycore.relay.bus.memory import Hub, MemoryBus
from pycore.relay.cluster.member import Member
from pycore.relay.storage.store import StoreFailed
from pycore.relay.storage.tables import leases

SETTINGS = {"fps": 30, "max_steps": 100, "return_within": 20}


class Cluster:
    """Relays of one server."""

    def __init__(self, hub: Hub, url: str, folder: Path) -> None:
        self.hub = hub
        self.url = url
        self.folder = folder
        self.relays: list[Relay] = []
        self._stacks: list[contextlib.ExitStack] = []

    def start(self, **options: Any) -> Relay:
        """One more process."""
        options.setdefault("settings", SETTINGS)
        options.setdefault("limits", Limits(other_rate=10_000, other_burst=10_000))
        stack = contextlib.ExitStack()
        relay = stack.enter_context(running(self.folder, database=self.url, bus=MemoryBus(self.hub), **options))
        self.relays.append(relay)
        self._stacks.append(stack)
        return relay

    def member(self, relay: Relay) -> Member:
        """Its part of the cluster."""
        member = relay.app.relay.elsewhere
        assert isinstance(member, Member)
        return member

    def end(self, relay: Relay) -> None:
        """It ends, as by a signal."""
        self._stacks[self.relays.index(relay)].close()

    def kill(self, relay: Relay) -> None:
        """It says nothing to anybody any more, neither on the bus nor to the database; its sockets end."""
        member = self.member(relay)
        self.hub.handlers.pop(member.process, None)

        async def silent() -> Any:
            raise StoreFailed("killed")

        member.claims.ask = lambda work: silent()  # type: ignore[method-assign]

    async def written(self, game: str) -> None:
        """Wait until the database knows a game; what it does not know is lost with its process."""
        query = sa.select(leases.c.name).where(leases.c.name == game)
        store = self.relays[0].app.store
        while not await asyncio.get_running_loop().run_in_executor(None, store.read, query):
            await asyncio.sleep(0.01)

    def owners(self, game: str) -> list[int]:
        """Which of the relays take the game for their own, and have not lost it."""
        return [
            number for number, relay in enumerate(self.relays)
            if (room := relay.app.relay.lobby.games.room(game)) is not None and not room.over
        ]  # fmt: skip

    def close(self) -> None:
        """All end."""
        for stack in self._stacks:
            stack.close()


@contextlib.contextmanager
def cluster(url: str, folder: Path, count: int, **options: Any) -> Iterator[Cluster]:
    """So many relays."""
    made = Cluster(Hub(), url, folder)
    try:
        for _ in range(count):
            made.start(**options)
        yield made
    finally:
        made.close()


@contextlib.asynccontextmanager
async def clients(*relays: Relay) -> AsyncIterator[list[Client]]:
    """A connected client of each; the n-th presents the session `session n`."""
    made = [Client(relay.url) for relay in relays]
    try:
        for number, client in enumerate(made):
            await client.connect({"session_id": f"session {number}", "page": f"page {number}"})
        yield made
    finally:
        await asyncio.gather(*(client.close() for client in made))


async def begun(*players: Client) -> str:
    """They join, one after the other; the game that begins, with everything up to its start read."""
    for client in players:
        reply = await client.call("join_game", {})
        assert reply["status"] == "ok", reply
    games = [(await client.get("start_game"))["game_id"] for client in players]
    assert len(set(games)) == 1
    for client in players:
        client.events.clear()
    return str(games[0])


async def until(true: Callable[[], bool], seconds: float = 2 * PATIENCE_S) -> None:
    """Wait for a fact."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.01)
