"""Writes down what visits came to, and then tells those whose visits they were; whoever was sent on is remembered.

Nobody is told what is not written: a process that ends in between has told nothing, and decides again from the same
evidence. A database that does not write makes people wait for their outcome, and loses none.

A page's word that its session came to its end is believed as soon as its rows are there. Until then nothing is decided,
for a while; and whoever has been told `incomplete` is told `completed` when they come after all.

What counts is what the newest load of a page says (`pycore.relay.storage.ends`). Of one that was dropped, and whose
seat is kept for another load, nothing is decided while that may come.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, TypeVar

import sqlalchemy as sa

from pycore.relay.elsewhere import Elsewhere
from pycore.relay.games.outcomes import COMPLETED, INCOMPLETE, LASTING, Outcome, outcome_of, person_of
from pycore.relay.games.owners import Kept
from pycore.relay.games.seats import Seat
from pycore.relay.lobby import Lobby
from pycore.relay.storage.evidence import claimed, missing
from pycore.relay.storage.evidence import kept as kept_of
from pycore.relay.storage.past import METRICS_CHARACTERS, reason_of
from pycore.relay.storage.store import DataStore, StoreFailed, games, outcomes, seats
from pycore.relay.transport.outgoing import Outgoing

log = logging.getLogger("pycore.relay")

AGAIN_S: Final = 0.5
"""Until the next attempt after one that failed, twice as long after each further one,"""
LONGEST_S: Final = 10.0
"""up to this."""
PROVED_WITHIN_S: Final = 30.0
"""What a page has played may come behind its word that it came to its end, as a store that is sent again does."""

T = TypeVar("T")


class Claim(NamedTuple):
    """A page says that its session came to its end, and has not stored all of it; or that it was dropped, and may come
    back."""

    game_id: str
    seat: Seat
    sid: str
    reason: str
    until: float
    """When it is decided without what is missing, s on the loop's clock; rows that come later count, all the same."""
    load: int
    """Which load of the page said it."""
    otherwise: str
    """What the game came to if nothing more comes."""


class Visits:
    """Of one relay. `tell` sends; `notice` is told what stands."""

    def __init__(
        self, lobby: Lobby, store: DataStore, tell: Callable[[list[Outgoing]], None], notice: Callable[[Outcome], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._lobby = lobby
        self._store = store
        self._tell = tell
        self._notice = notice
        self._clock = clock
        self._claims: dict[tuple[str, str], Claim] = {}
        """What pages have said of the end of their sessions, and not shown yet, by game and player."""
        self.elsewhere: Elsewhere | None = None
        """Other processes, where games may be whose pages store here."""

    async def ended(
        self, game_id: str, seat: Seat, metrics: str, sid: str, wall: float, load: int | None = None
    ) -> None:
        """A load of a page has stored the metrics of its whole session, in which stands why it ended. Raises
        `StoreFailed`."""
        reason = reason_of(metrics[:METRICS_CHARACTERS], lambda: metrics)
        kept = await self._kept(game_id, seat)
        load = kept.load if load is None else load
        if load < kept.load:
            return
        code = outcome_of(reason, load)
        if code == COMPLETED and (lacks := await self._missing(game_id, seat, reason)):
            if (game_id, str(seat.player)) not in self._claims:
                said = "player %s of game %s says that the session came to its end, and has not stored %s"
                log.info(said, seat.player, game_id, lacks)
            self._doubts(Claim(game_id, seat, sid, reason or "", self._clock() + PROVED_WITHIN_S, load, INCOMPLETE))
            return
        if reason == "dropped" and kept.dropped_s:
            until = self._clock() + kept.dropped_s + PROVED_WITHIN_S
            self._doubts(Claim(game_id, seat, sid, reason, until, load, code))
            return
        self._claims.pop((game_id, str(seat.player)), None)
        await self._came_to(game_id, seat, code, sid, wall, load)

    async def rows_came(self, game_id: str, seat: Seat, sid: str, wall: float, *, ended: bool) -> None:
        """A page has stored rows of an episode, perhaps its end: what it had said of the end of its session may be
        believed now. Raises `StoreFailed`."""
        key = game_id, str(seat.player)
        claim = self._claims.get(key)
        if claim is not None and not await self._stands(claim):
            self._claims.pop(key, None)
            claim = None
        if claim is not None and claim.otherwise != INCOMPLETE:
            return
        remembered = self._lobby.owners.settings_of(game_id) is not None
        if claim is None and remembered and not ended and seat.outcome != INCOMPLETE:
            return
        reason = claim.reason if claim is not None else await self._off(claimed, self._store, *key)
        load = claim.load if claim is not None else None
        if reason is None or await self._missing(game_id, seat, reason):
            return
        self._claims.pop(key, None)
        await self._came_to(game_id, seat, COMPLETED, sid, wall, load)

    def stood(self, seconds: float, now: float) -> None:
        """The server stood for so long: what is missing could not be taken meanwhile."""
        self._claims = {key: claim._replace(until=claim.until + seconds) for key, claim in self._claims.items()}

    def tick(self, now: float, wall: float) -> list[Coroutine[Any, Any, None]]:
        """What time brings: who has not stored what was played has not completed it."""
        over = [claim for claim in self._claims.values() if now >= claim.until]
        for claim in over:
            del self._claims[claim.game_id, str(claim.seat.player)]
        return [self._gives_up(claim, wall) for claim in over]

    async def _gives_up(self, claim: Claim, wall: float) -> None:
        try:
            if await self._stands(claim):
                await self._came_to(claim.game_id, claim.seat, claim.otherwise, self._socket(claim), wall, claim.load)
        except StoreFailed as error:
            log.error("what a visit came to could not be written down: %s", error)
            self._doubts(claim._replace(until=self._clock() + PROVED_WITHIN_S))

    def _doubts(self, claim: Claim) -> None:
        """Nothing is decided yet; the same word a second time gains no time."""
        key = claim.game_id, str(claim.seat.player)
        before = self._claims.get(key)
        same = before is not None and (before.load, before.otherwise) == (claim.load, claim.otherwise)
        self._claims[key] = claim._replace(until=before.until) if before is not None and same else claim

    def _socket(self, claim: Claim) -> str:
        """Where its page is: it may have connected anew since."""
        there = self._lobby.connections
        same = (sid for sid, each in there.items() if each.session == claim.seat.session)
        return claim.sid if claim.sid in there else next(same, claim.sid)

    async def _stands(self, claim: Claim) -> bool:
        """Whether no load of the page has come since."""
        return claim.load >= (await self._kept(claim.game_id, claim.seat)).load

    async def _kept(self, game_id: str, seat: Seat) -> Kept:
        found = self._lobby.owners.kept(game_id, str(seat.player))
        return found if found is not None else await self._off(kept_of, self._store, game_id, str(seat.player))

    async def _missing(self, game_id: str, seat: Seat, reason: str | None) -> str:
        settings = self._lobby.owners.settings_of(game_id)
        return await self._off(missing, self._store, game_id, str(seat.player), reason, settings)

    async def _came_to(
        self, game_id: str, seat: Seat, code: str, sid: str, wall: float, load: int | None
    ) -> None:
        sent_on, person = self._lobby.sent_on, person_of(seat.subject_id, seat.session)
        before = await self._off(sent_on_before, self._store, person) if sent_on.of(person) is None else None
        if before is not None:
            # By another process, or the one before this.
            sent_on.remember(before)
        outcome = self._lobby.owners.came_to(game_id, seat, sent_on.stands(game_id, seat, code), wall)
        if outcome is not None:
            await self.decided(outcome, sid, seat.session)
            return
        outcome = await self._off(_late, self._store, game_id, str(seat.player), code, wall)
        if outcome is not None:
            await self.decided(outcome, sid, seat.session)
            if self.elsewhere is not None:
                # Whoever has the game writes the seats.
                self.elsewhere.finished(game_id, str(seat.player), load, outcome.outcome)

    @staticmethod
    async def _off(work: Callable[..., T], *arguments: Any) -> T:
        """Ask the database, beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)

    async def decided(self, outcome: Outcome, sid: str, session: str | None = None) -> None:
        """Write an outcome down, and tell its page which one stands. Who is sent on waits for no other game. `session`:
        that of the seat, a digest, where a socket has stored something of it. That may be another person's by now: a
        browser keeps what did not reach the server for the next visit, whoever sits before it then. Raises
        `StoreFailed`."""
        sent_on, waiting = self._lobby.sent_on, self._lobby.pairing.waiting
        stands = Outcome.of(await self._store.put_outcome(sent_on.row(outcome)))
        sent_on.remember(stands)
        self._notice(stands)
        connection = self._lobby.connections.get(sid)
        if session is not None and connection is not None and not connection.is_of(stands.person, session):
            return
        if stands.final and waiting.leave(sid):
            self._tell(waiting.tell(self._clock()))
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
    """The outcome of a seat of which only the database knows, unless it has one that lasts, or its person was sent on
    with one for it; None: it does not. Blocks. Raises `StoreFailed`."""
    of = sa.select(seats, games.c.subjects).join(games, seats.c.game_id == games.c.game_id)
    found = store.read(of.where(seats.c.game_id == game_id, seats.c.player == player))
    if not found:
        return None
    row = found[0]
    subject = json.loads(row["subjects"]).get(player)
    person = person_of(subject, row["session"])
    before = sent_on_before(store, person)
    code = row["outcome"] if row["outcome"] in LASTING else code
    if before is not None and before.is_for(game_id, player):
        code = before.outcome
    return Outcome(person, subject, code, row["waited_s"] or 0.0, wall, game_id, player)
