"""What `Measures` is told of the relay's parts: how things are when somebody asks, and how late the event loop is."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from pycore.relay.operating.measures import Measures
from pycore.relay.operating.readiness import Readiness
from pycore.relay.server import RelayServer
from pycore.relay.watching import Watching

EVERY_S: Final = 0.25
"""Seconds between two looks at the event loop."""


def observe(measures: Measures, relay: RelayServer, watching: Watching, readiness: Readiness) -> None:
    """Have the gauges read from where things are."""

    door = relay.lobby.door
    for name, told in (
        ("sockets", "Sockets that are connected"),
        ("waiting", "People in the waiting room"),
        ("games_playing", "Games that go on"),
        ("games_remembered", "Games in memory, those that are over among them"),
    ):
        measures.state(name, told, lambda name=name: relay.sizes()[name])  # type: ignore[misc]
    measures.state("players", "Players of games that go on, by their path", lambda: Counter(watching.paths()), "path")
    measures.state("ledger_due", "Games that are not written down as they are", lambda: relay.ledger.due)
    measures.state("shed_total", "Inputs and signals that were left out by overload", lambda: relay.load.shed)
    measures.state("outgoing", "Events that wait for sockets to take them", lambda: relay.outgoing)
    measures.state("busy", "Whether the server has so much to do that no new game begins", lambda: door.busy)
    measures.state("study_open", "Whether the operator lets new games begin", lambda: door.is_open)
    measures.state("ready", "Whether the database answered when that was asked last", lambda: readiness.answered)


@contextlib.asynccontextmanager
async def lateness(measures: Measures) -> AsyncIterator[None]:
    """The event loop's lateness is measured for as long as the context lasts."""
    loop = asyncio.get_running_loop()

    async def look() -> None:
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            measures.late(max(0.0, loop.time() - due))

    looking = loop.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
