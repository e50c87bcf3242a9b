"""One process of a cluster: puts together what it owns, the sockets of its own and those of the others."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from pycore.relay.bus.calls import Bus
from pycore.relay.cluster.claims import Claims
from pycore.relay.cluster.gateway import Gateway
from pycore.relay.cluster.guests import Guests
from pycore.relay.cluster.joining import Joining
from pycore.relay.cluster.leases import BEAT_S, WAITING, Leases
from pycore.relay.cluster.names import of
from pycore.relay.cluster.placing import Placing
from pycore.relay.cluster.questions import Questions
from pycore.relay.cluster.queue import LOOK_S, Queue
from pycore.relay.cluster.ways import Item, Ways
from pycore.relay.elsewhere import Answer, Reply
from pycore.relay.fields import Refused
from pycore.relay.games.outcomes import LASTING
from pycore.relay.server import RelayServer
from pycore.relay.storage.store import Fence, StoreFailed
from pycore.relay.storage.study import Door, Study
from pycore.relay.transport.outgoing import Outgoing

log = logging.getLogger("pycore.relay")


class Member:
    """As `Elsewhere`, over a bus."""

    def __init__(self, relay: RelayServer, bus: Bus) -> None:
        self.process = uuid.uuid4().hex
        self._relay = relay
        self.questions = Questions()
        self.questions.on("has", self._has)
        self.questions.on("former", self._had)
        self._ways = Ways(self.process, bus, self._heard, self.questions.asked, self._void)
        self.claims = Claims(self.process, Leases(relay.store), self._answers)
        self.gateway = Gateway(relay, self._ways)
        self.guests = Guests(relay, self._ways)
        self._placing = Placing(relay, self._ways, self.gateway, self.guests)
        room = relay.lobby.pairing.waiting
        self.queue = Queue(room, room.limit, relay.store, self.claims)
        relay.lobby.pairing.waits_where(lambda: self.queue.is_here)
        self.questions.on("person", lambda question: self._joining.plays(question))
        self._joining = Joining(
            self.process, relay, self.claims, self.queue, self.gateway, self.guests, self._placing, self.ask_all
        )
        self._study = Study(relay.store)
        self._door = Door()
        """As the database was found to have it last,"""
        self._turned = float("-inf")
        """and when that was, s of this process's clock."""

    # Life

    async def open(self) -> None:
        """As `Elsewhere.open`."""
        await self._ways.open()
        await self._beat()
        log.info("process %s is one of %d", self.process[:8], len(self._placing.living))

    async def run(self) -> None:
        """As `Elsewhere.run`."""
        loop = asyncio.get_running_loop()
        others = [loop.create_task(self._ways.run()), loop.create_task(self._keep_queue())]
        try:
            while True:
                await asyncio.sleep(BEAT_S)
                try:
                    await self._beat()
                except StoreFailed as error:
                    log.error("this process could not say that it lives: %s", error)
        finally:
            for task in others:
                task.cancel()

    async def _keep_queue(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if not await self.queue.keep():
                    self.fenced(WAITING)
            except StoreFailed as error:
                log.error("who waits could not be written down: %s", error)
                await asyncio.sleep(BEAT_S)

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
        for process in self._others():
            # Nobody may join there for long, and those who wait here have to wait somewhere.
            self._ways.send(process, {"t": "waiting"})
        self._send_on()

    async def _takes_waiting_room(self) -> None:
        try:
            await self._joining.waiting_room()
        except Refused as refused:
            log.error("whose the waiting room is could not be read: %s", refused.message)

    def _send_on(self) -> None:
        """Who waits here waits at another process from now on, as long as it has."""
        for sid in self.guests.waiting():
            self.guests.is_lost(sid)
        waiting = self._relay.lobby.pairing.waiting
        for sid in self.gateway.wishes:
            since = waiting.since(sid)
            if self.gateway.home(sid) is None and since is not None:
                self.gateway.waited(sid, self.gateway.wishes[sid].payload, since)
                waiting.leave(sid)
                self.gateway.lost(sid, None)

    async def _beat(self) -> None:
        living, lost = await self.claims.beat()
        self._placing.living |= living | {self.process}
        for name in lost:
            self.fenced(name)
        await self._learns(self._study.door)
        # When the database was away, all seem dead until each has said that it is not.
        for process in sorted(self._placing.living - living - {self.process}):
            self._relay.tasks.start(self._buries(process))
        games = {room.game_id for room in self._relay.lobby.games.playing()}
        self.claims.keeps(games)
        self._placing.keeps(games)

    # The study as a whole

    async def opens(self, is_open: bool) -> None:
        """As `Elsewhere.opens`."""
        await self._learns(lambda: self._study.say(is_open))
        for process in self._others():
            self._ways.send(process, {"t": "study"})

    async def _look_at_study(self) -> None:
        try:
            await self._learns(self._study.door)
        except StoreFailed as error:
            log.error("whether the study is open could not be read: %s", error)

    async def _learns(self, work: Callable[[], Door]) -> None:
        asked = time.monotonic()
        self._turns(await self.claims.ask(work), asked)

    def _turns(self, door: Door, asked: float) -> None:
        """The study is open or closed, by what the database says that was asked then. What it said before that counts
        no more. Where it was asked since, and says what is older, a copy of it was put back, and that is what it has.
        """
        if door.generation > self._door.generation or (door != self._door and asked > self._turned):
            self._door, self._turned = door, time.monotonic()
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
            self._finished(item["g"], item["p"], item.get("l"), item.get("o"))
        elif kind == "stored":
            self._relay.keeping.heard(item["g"], item["p"], item["n"], item["d"])
        elif kind == "waiting":
            self._relay.tasks.start(self._takes_waiting_room())
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
        return (await self.ask_all({"t": "lives"}, [process]))[process] is not None

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
        return await self._joining.joins(sid, session, payload, returns)

    async def waits(self, sid: str, payload: Any, waited_s: float | None) -> Reply:
        """As `Elsewhere.waits`."""
        return await self._joining.waits(sid, payload, waited_s)

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
        for item in out:
            self.gateway.told(item.sid, item.event, item.data)
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
        if game_id == WAITING:
            log.warning("another process has the waiting room; who waits here goes there")
            self._send_on()
            return
        room = self._relay.lobby.games.room(game_id)
        if room is None:
            return
        log.warning("game %s goes on with another process", game_id)
        self._relay.lobby.games.drop(room)
        for sid in [seat.sid for seat in room.seats if seat.sid is not None]:
            self.guests.is_lost(sid) if of(sid)[1] else self.gateway.lost(sid, None)

    def _finished(self, game_id: str, player: str, load: int | None, outcome: str | None) -> None:
        room = self._relay.lobby.games.room(game_id)
        owners, wall = self._relay.lobby.owners, time.time()
        for seat in () if room is None else room.seats:
            if str(seat.player) == player:
                if outcome is not None and (outcome in LASTING or seat.is_newest(load)):
                    owners.came_to(game_id, seat, outcome, wall)
                owners.finished(game_id, seat, wall, load)
                self._relay.note_games()

    def finished(self, game_id: str, player: str, load: int | None, outcome: str | None = None) -> None:
        """As `Elsewhere.finished`."""
        for process in self._others():
            self._ways.send(process, {"t": "finished", "g": game_id, "p": player, "l": load, "o": outcome})

    async def former(self, game_id: str, session: str) -> str | None:
        """As `Elsewhere.former`."""
        answers = (await self.ask_all({"t": "former", "game": game_id, "session": session})).values()
        return next((each["player"] for each in answers if each is not None and each["player"] is not None), None)

    def _had(self, question: Item) -> Item:
        room = self._relay.lobby.games.room(question["game"])
        seats = () if room is None else room.seats
        return {"player": next((str(seat.player) for seat in seats if question["session"] in seat.former), None)}

    def stored(self, sid: str, game_id: str, player: str, size: int, said: Mapping[str, Any] | None) -> None:
        """As `Elsewhere.stored`."""
        home = self.gateway.home(sid)
        if home is not None:
            self._ways.send(home, {"t": "stored", "g": game_id, "p": player, "n": size, "d": said})

    def is_elsewhere(self, sid: str) -> bool:
        """As `Elsewhere.is_elsewhere`."""
        return self.gateway.home(sid) is not None


