"""Where somebody who joins goes: to the game that the session has, to the one in which the person plays, or to wait.

A person has one place in the whole server. Who waits does so in the one waiting room, whose lobby knows all of them. Of
games each process knows its own, so the others are asked whether a subject plays with them; the one with that game
decides, as a process that is alone does: it refuses a second window, or moves the place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from pycore.relay.cluster import lobbies
from pycore.relay.cluster.claims import Claims
from pycore.relay.cluster.gateway import Gateway
from pycore.relay.cluster.guests import Guests
from pycore.relay.cluster.leases import WAITING
from pycore.relay.cluster.names import LOST, TO, of
from pycore.relay.cluster.placing import Placing
from pycore.relay.cluster.queue import Queue
from pycore.relay.cluster.ways import Item
from pycore.relay.elsewhere import Reply
from pycore.relay.fields import Refused
from pycore.relay.games.payloads import read_join
from pycore.relay.games.seats import digest
from pycore.relay.people.pairing import ABANDONED
from pycore.relay.server import RelayServer
from pycore.relay.storage.store import StoreFailed

JOIN_S: Final = 12.0
"""How long somebody who joins waits for whoever has the waiting room: longer than a lease lasts."""
AGAIN_S: Final = 0.3

LOOK_S: Final = 0.05
"""Between two looks whether a game has arrived."""

AskAll = Callable[..., Awaitable[dict[str, Item | None]]]
"""As `Elsewhere.ask_all`."""


class Joining:
    """Of one process."""

    def __init__(
        self, process: str, relay: RelayServer, claims: Claims, queue: Queue, gateway: Gateway, guests: Guests,
        placing: Placing, ask_all: AskAll,
    ) -> None:  # fmt: skip
        self.process = process
        self._relay = relay
        self._claims = claims
        self._queue = queue
        self._gateway = gateway
        self._guests = guests
        self._placing = placing
        self._ask_all = ask_all

    def plays(self, question: Item) -> Item:
        """The others ask whether a subject plays here under another session than one, a digest; and whether a game has
        come that went here."""
        games = self._relay.lobby.games
        has = games.of_subject(question["subject"], question["besides"]) is not None
        return {"has": has, "came": games.room(question["game"]) is not None}

    async def joins(self, sid: str, session: str | None, payload: Any, returns: bool) -> Reply | None:
        """As `Elsewhere.joins`."""
        games, besides = self._relay.lobby.games, digest(session or "")
        subject = lobbies.subject_of(self._relay.lobby, sid, read_join(payload, self._relay.limits))
        if games.place(besides) is not None or games.of_subject(subject, besides) is not None:
            return None
        if of(sid)[1]:
            return await self._guest_joins(sid, subject, besides, returns)
        self._gateway.asks(sid)
        async with self._relay.recall.deciding(sid):
            deadline = asyncio.get_running_loop().time() + JOIN_S
            while sid in self._gateway:
                found = self._gateway.takes_found(sid)
                if found is None and returns:
                    return None
                process = found or await self._of_person(subject, besides) or await self._where_all_wait()
                if process is None:
                    if asyncio.get_running_loop().time() > deadline:
                        break
                    await asyncio.sleep(AGAIN_S)
                    continue
                if process == self.process:
                    self._gateway.waits(sid, payload)
                    return None
                reply = await self._gateway.joins(sid, process, payload)
                if reply is not None:
                    return reply
                if asyncio.get_running_loop().time() > deadline:
                    break
                if not self._gateway.has_found(sid):
                    await asyncio.sleep(AGAIN_S)
                if found is not None:
                    self._relay.recall.forget(sid)
                    await self._relay.recall.knows(sid, session)
                    if games.place(besides) is not None:
                        return None
        raise Refused("store_failed", "no process of the server answers; try again")

    async def _guest_joins(self, sid: str, subject: str | None, besides: str, returns: bool) -> Reply | None:
        """Whoever has its socket is told where to go."""
        process = self._gateway.takes_found(sid) or await self._of_game_on_its_way(subject, besides)
        process = process or (self.process if returns else await self._where_all_wait())
        if process is None:
            # Its gateway asks again.
            self._guests.leaves(sid)
            return dict(LOST)
        if process == self.process:
            return None
        self._guests.leaves(sid)
        return {TO: process}

    async def waits(self, sid: str, payload: Any, waited_s: float | None) -> Reply:
        """As `Elsewhere.waits`."""
        if of(sid)[1]:
            process = await self.waiting_room()
            self._guests.leaves(sid)
            return {TO: process, "waited_s": waited_s}
        if waited_s is not None:
            self._gateway.waited(sid, payload, time.monotonic() - waited_s, ABANDONED)
        return await self._gateway.moves(sid, payload)

    async def _of_person(self, subject: str | None, besides: str) -> str | None:
        """The process in which a subject plays under another session; None: it plays nowhere."""
        if subject is None:
            return None
        there = await self._of_game_on_its_way(subject, besides)
        if there is not None:
            return there
        answers = await self._ask_all({"t": "person", "subject": subject, "besides": besides, "game": ""})
        return next((process for process, answer in answers.items() if answer is not None and answer["has"]), None)

    async def _of_game_on_its_way(self, subject: str | None, besides: str) -> str | None:
        """The same of a game that was paired here and went to another process, which is asked until it is there."""
        while subject is not None and (went := self._placing.went(subject, time.monotonic())) is not None:
            question = {"t": "person", "subject": subject, "besides": besides, "game": went.game_id}
            answer = (await self._ask_all(question, [went.process]))[went.process]
            if answer is not None and answer["came"]:
                self._placing.arrived(subject)
                return went.process if answer["has"] else None
            await asyncio.sleep(LOOK_S)
        return None

    async def _where_all_wait(self) -> str | None:
        """The process with the waiting room; None: this one ends, and no other one has it yet. Raises `Refused`."""
        try:
            return await self.waiting_room()
        except Refused:
            if not self._claims.yields:
                raise
            return None

    async def waiting_room(self) -> str:
        """The process with the waiting room: this one, if nobody has it who lives. Raises `Refused`."""
        try:
            process = await self._claims.owner(WAITING)
            if process == self.process:
                await self._queue.take_up()
        except StoreFailed as error:
            raise Refused(error.code, str(error)) from error
        return process
