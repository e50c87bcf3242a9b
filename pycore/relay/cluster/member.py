"""One process of a cluster: puts together what it owns, the sockets of its own and those of the others."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

from pycore.relay.bus.calls import Bus
from pycore.relay.cluster.claims import Claims
from pycore.relay.cluster.gateway import Gateway
from pycore.relay.cluster.guests import Guests
from pycore.relay.cluster.leases import BEAT_S, WAITING, Leases
from pycore.relay.cluster.names import LOST, TO, of
from pycore.relay.cluster.placing import Placing
from pycore.relay.cluster.questions import ANSWER_S, Questions
from pycore.relay.cluster.study import Door, Study
from pycore.relay.cluster.ways import Item, Ways
from pycore.relay.elsewhere import Answer, Reply
from pycore.relay.fields import Refused
from pycore.relay.server import RelayServer
from pycore.relay.storage.store import Fence, StoreFailed
from pycore.relay.transport.outgoing import Outgoing

log = logging.getLogger("pycore.relay")

JOIN_S: Final = 12.0
"""How long somebody who joins waits for whoever has the waiting room: longer than a lease lasts."""
AGAIN_S: Final = 0.3


class Member:
    """As `Elsewhere`, over a bus."""

    def __init__(self, relay: RelayServer, bus: Bus) -> None:
        self.process = uuid.uuid4().hex
        self._relay = relay
        self.questions = Questions()
        self.questions.on("has", self._has)
        self._ways = Ways(self.process, bus, self._heard, self.questions.asked, self._void)
        self.claims = Claims(self.process, Leases(relay.store), self._answers)
        self.gateway = Gateway(relay, self._ways)
        self.guests = Guests(relay, self._ways)
        self._placing = Placing(relay, self._ways, self.gateway, self.guests)
        self._study = Study(relay.store)
        self._door = Door()
        """As the database was found to have it last."""

    # Life

    async def open(self) -> None:
        """As `Elsewhere.open`."""
        await self._ways.open()
        await self._beat()
        log.info("process %s is one of %d", self.process[:8], len(self._placing.living))

    async def run(self) -> None:
        """As `Elsewhere.run`."""
        sending = asyncio.get_running_loop().create_task(self._ways.run())
        try:
            while True:
                await asyncio.sleep(BEAT_S)
                try:
                    await self._beat()
                except StoreFailed as error:
                    log.error("this process could not say that it lives: %s", error)
        finally:
            sending.cancel()

    async def close(self) -> None:
        """As `Elsewhere.close`."""
        try:
            await self.claims.ends()
        except StoreFailed as error:
            log.error("what this process has is free in some seconds only: %s", error)
        for process in self._others():
            self._ways.send(process, {"t": "ends"})
        await self._ways.close()
        self.claims.close()

    def drains(self) -> bool:
        """As `Elsewhere.drains`."""
        if not self._others():
            return False
        self._relay.lobby.door.draining = True
        self._relay.tasks.start(self._hands_over())
        return True

    async def _hands_over(self) -> None:
        try:
            await self.claims.gives()
        except StoreFailed as error:
            log.error("the waiting room is free in some seconds only: %s", error)
        for sid in self.guests.waiting():
            self.guests.is_lost(sid)
        for sid in self.gateway.waiting():
            if self.gateway.home(sid) is None and self._relay.lobby.pairing.waiting.leave(sid):
                self.gateway.lost(sid, None)

    async def _beat(self) -> None:
        living, lost = await self.claims.beat()
        self._placing.living |= living | {self.process}
        for name in lost:
            self.fenced(name)
        self._turns(await self.claims.ask(self._study.door))
        # When the database was away, all seem dead until each has said that it is not.
        for process in sorted(self._placing.living - living - {self.process}):
            self._relay.tasks.start(self._buries(process))
        games = {room.game_id for room in self._relay.lobby.games.playing()}
        self.claims.keeps(games)
        self._placing.keeps(games)

    # The study as a whole

    async def opens(self, is_open: bool) -> None:
        """As `Elsewhere.opens`."""
        self._turns(await self.claims.ask(lambda: self._study.say(is_open)))
        for process in self._others():
            self._ways.send(process, {"t": "study"})

    async def _look_at_study(self) -> None:
        try:
            self._turns(await self.claims.ask(self._study.door))
        except StoreFailed as error:
            log.error("whether the study is open could not be read: %s", error)

    def _turns(self, door: Door) -> None:
        """The study is open or closed, by what the database said; what it said before that counts no more."""
        if door.generation > self._door.generation:
            self._door = door
            if door.is_open != self._relay.lobby.door.is_open:
                self._relay.let_in(door.is_open)

    def on(self, kind: str, answer: Answer) -> None:
        """As `Elsewhere.on`."""
        self.questions.on(kind, answer)

    async def ask_all(
        self, question: dict[str, Any], of: Sequence[str] | None = None
    ) -> dict[str, dict[str, Any] | None]:
        """As `Elsewhere.ask_all`."""
        return await self.questions.ask_all(self._ways, question, self._others() if of is None else of)

    # Other processes

    async def _buries(self, process: str) -> None:
        if not await self._answers(process) and process in self._placing.living:
            log.warning("process %s is gone; its sockets here look for another one", process[:8])
            self._placing.living.discard(process)
            self._void(process)
            self._ways.forget(process)

    def _void(self, process: str) -> None:
        self.guests.void(process)
        self.gateway.void(process)

    def _others(self) -> list[str]:
        return sorted(self._placing.living - {self.process})

    # The bus

    def _heard(self, process: str, item: Item) -> None:
        kind = item["t"]
        # The database has not said so yet, if it is new.
        self._placing.living.add(process)
        if kind in ("connect", "event", "gone"):
            self.guests.heard(process, item)
        elif kind == "adopt":
            self._placing.adopts(process, item)
            self._relay.note_games()
        elif kind == "parts":
            self._relay.part_here(item["p"])
        elif kind == "finished":
            self._finished(item["g"], item["p"])
        elif kind == "stored":
            self._relay.keeping.heard(item["g"], item["p"], item["n"], item["d"])
        elif kind == "study":
            self._relay.tasks.start(self._look_at_study())
        elif kind == "ends":
            self._placing.living.discard(process)
            self._void(process)
            self._ways.forget(process)
        else:
            self.gateway.heard(process, item)

    def _has(self, question: Item) -> Item:
        return {"has": self._relay.lobby.games.place(question["session"]) is not None}

    async def _answers(self, process: str) -> bool:
        return await self._ways.ask(process, {"t": "lives"}, ANSWER_S) is not None

    # Sockets

    def own(self) -> int:
        """As `Elsewhere.own`."""
        return len(self.gateway)

    async def connects(self, sid: str, auth: Any) -> None:
        """As `Elsewhere.connects`."""
        self.gateway.opens(sid, auth)
        if self._relay.recall.is_unsure(sid) or not await self.gateway.enters(sid):
            self.gateway.lost(sid, None)
        self.gateway.opened(sid)

    def disconnects(self, sid: str, goes: bool) -> None:
        """As `Elsewhere.disconnects`."""
        self.gateway.closes(sid, goes)

    def event(self, event: str, sid: str, arguments: Sequence[Any]) -> Reply | Coroutine[Any, Any, Reply] | None:
        """As `Elsewhere.event`."""
        return self.gateway.event(event, sid, arguments)

    async def joins(self, sid: str, session: str | None, payload: Any, returns: bool) -> Reply | None:
        """As `Elsewhere.joins`."""
        if self._relay.lobby.games.knows(session or ""):
            return None
        if of(sid)[1]:
            # A guest: whoever has its socket is told where to go.
            found = self.gateway.takes_found(sid)
            try:
                process = found or (self.process if returns else await self._waiting_room())
            except Refused:
                if not self.claims.yields:
                    raise
                # This process ends, and the next waiting room is nobody's yet: its gateway asks again.
                self.guests.leaves(sid)
                return dict(LOST)
            if process == self.process:
                return None
            self.guests.leaves(sid)
            return {TO: process}
        async with self._relay.recall.deciding(sid):
            deadline = asyncio.get_running_loop().time() + JOIN_S
            while sid in self.gateway:
                found = self.gateway.takes_found(sid)
                if found is None and returns:
                    return None
                process = found or await self._waiting_room()
                if process == self.process:
                    self.gateway.waits(sid, payload)
                    return None
                reply = await self.gateway.joins(sid, process, payload)
                if reply is not None:
                    return reply
                if asyncio.get_running_loop().time() > deadline:
                    break
                await asyncio.sleep(AGAIN_S)
                if found is not None:
                    self._relay.recall.forget(sid)
                    await self._relay.recall.knows(sid, session)
                    if self._relay.lobby.games.knows(session or ""):
                        return None
        raise Refused("store_failed", "no process of the server answers; try again")

    async def _waiting_room(self) -> str:
        try:
            return await self.claims.owner(WAITING)
        except StoreFailed as error:
            raise Refused(error.code, str(error)) from error

    def parts(self, payload: Any) -> None:
        """As `Elsewhere.parts`."""
        for process in self._others():
            self._ways.send(process, {"t": "parts", "p": payload})

    # Games

    async def claim(self, sid: str, game_id: str) -> bool | None:
        """As `Elsewhere.claim`."""
        try:
            process = await self.claims.owner(game_id)
        except StoreFailed as error:
            log.error("whose game %s is could not be read: %s", game_id, error)
            return None
        if process == self.process:
            return True
        self.gateway.found(sid, process)
        return False

    async def seek(self, sid: str, session: str) -> None:
        """As `Elsewhere.seek`."""
        if of(sid)[1]:
            return
        for process, answer in (await self.ask_all({"t": "has", "session": session})).items():
            if answer is not None and answer["has"]:
                self.gateway.found(sid, process)

    def places(self, out: list[Outgoing]) -> list[Outgoing]:
        """As `Elsewhere.places`."""
        return self._placing.places(out)

    def sends(self, item: Outgoing) -> None:
        """As `Elsewhere.sends`."""
        self.guests.sends(item)

    def fence(self, game_id: str) -> Fence:
        """As `Elsewhere.fence`."""
        return self.claims.fence(game_id)

    def fenced(self, game_id: str) -> None:
        """As `Elsewhere.fenced`."""
        self.claims.loses(game_id)
        room = self._relay.lobby.games.room(game_id)
        if room is None:
            return
        log.warning("game %s goes on with another process", game_id)
        self._relay.lobby.games.drop(room)
        for sid in [seat.sid for seat in room.seats if seat.sid is not None]:
            self.guests.is_lost(sid) if of(sid)[1] else self.gateway.lost(sid, None)

    def _finished(self, game_id: str, player: str) -> None:
        room = self._relay.lobby.games.room(game_id)
        seats = [] if room is None else [seat for seat in room.seats if str(seat.player) == player]
        if seats and self._relay.lobby.owners.finished(game_id, seats[0], time.time()):
            self._relay.note_games()

    def finished(self, game_id: str, player: str) -> None:
        """As `Elsewhere.finished`."""
        for process in self._others():
            self._ways.send(process, {"t": "finished", "g": game_id, "p": player})

    def stored(self, sid: str, game_id: str, player: str, size: int, said: Mapping[str, Any] | None) -> None:
        """As `Elsewhere.stored`."""
        home = self.gateway.home(sid)
        if home is not None:
            self._ways.send(home, {"t": "stored", "g": game_id, "p": player, "n": size, "d": said})

    def is_elsewhere(self, sid: str) -> bool:
        """As `Elsewhere.is_elsewhere`."""
        return self.gateway.home(sid) is not None


