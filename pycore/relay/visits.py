"""Writes down what visits came to, and then tells those whose visits they were; whoever was sent on is remembered.

Nobody is told what is not written: a process that ends in between has told nothing, and decides again from the same
evidence. A database that does not write makes people wait for their outcome, and loses none.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa

from pycore.relay.games.outcomes import Outcome, outcome_of, person_of
from pycore.relay.games.seats import Seat
from pycore.relay.lobby import Lobby
from pycore.relay.storage.past import METRICS_CHARACTERS, REASON
from pycore.relay.storage.store import DataStore, StoreFailed, games, outcomes, seats
from pycore.relay.transport.outgoing import Outgoing

log = logging.getLogger("pycore.relay")

AGAIN_S: Final = 0.5
"""Until the next attempt after one that failed, twice as long after each further one,"""
LONGEST_S: Final = 10.0
"""up to this."""


class Visits:
    """Of one relay. `tell` sends; `notice` is told what stands."""

    def __init__(
        self, lobby: Lobby, store: DataStore, tell: Callable[[list[Outgoing]], None], notice: Callable[[Outcome], None],
    ) -> None:  # fmt: skip
        self._lobby = lobby
        self._store = store
        self._tell = tell
        self._notice = notice

    async def ended(self, game_id: str, seat: Seat, metrics: str, sid: str, wall: float) -> None:
        """A page has stored the metrics of its whole session, in which stands why it ended. Raises `StoreFailed`."""
        found = REASON.search(metrics[:METRICS_CHARACTERS])
        outcome = self._lobby.owners.came_to(game_id, seat, None if found is None else found[1], wall)
        if outcome is None:
            code = outcome_of(None if found is None else found[1], seat.loads)
            loop = asyncio.get_running_loop()
            outcome = await loop.run_in_executor(None, _late, self._store, game_id, str(seat.player), code, wall)
        if outcome is not None:
            await self.decided(outcome, sid)

    async def decided(self, outcome: Outcome, sid: str) -> None:
        """Write an outcome down, and tell its page which one stands. Raises `StoreFailed`."""
        sent_on = self._lobby.sent_on
        stands = Outcome.of(await self._store.put_outcome(sent_on.row(outcome)))
        sent_on.remember(stands)
        self._notice(stands)
        self._tell([Outgoing(sid, "outcome", sent_on.told(stands))])

    async def until_decided(self, outcome: Outcome, sid: str) -> None:
        """The same, again and again until it is written."""
        failed = 0
        while True:
            try:
                await self.decided(outcome, sid)
                return
            except StoreFailed as error:
                failed += 1
                log.error("what a visit came to could not be written down: %s", error)
                await asyncio.sleep(min(LONGEST_S, AGAIN_S * 2 ** (failed - 1)))


def sent_on_before(store: DataStore, person: str) -> Outcome | None:
    """The outcome with which somebody was sent on, as the database knows it. Blocks. Raises `StoreFailed`."""
    found = store.read(sa.select(outcomes).where(outcomes.c.person == person, outcomes.c.final))
    return Outcome.of(found[0]) if found else None


def _late(store: DataStore, game_id: str, player: str, code: str, wall: float) -> Outcome | None:
    """The outcome of a seat of which only the database knows; None: it does not. Blocks. Raises `StoreFailed`."""
    of = sa.select(seats, games.c.subjects).join(games, seats.c.game_id == games.c.game_id)
    found = store.read(of.where(seats.c.game_id == game_id, seats.c.player == player))
    if not found:
        return None
    row = found[0]
    subject = json.loads(row["subjects"]).get(player)
    person = person_of(subject, row["session"])
    return Outcome(person, subject, code, row["waited_s"] or 0.0, wall, game_id, player)
