"""The sockets of this process for which another one decides: what they send goes there, and what comes back goes out.

A socket's *home* is the process that decides for it. It has none but this one until its session turns out to play
elsewhere, or until it waits elsewhere. A home that is dead, or does not know the socket any more, is one no longer: the
socket is settled anew, as if it had just connected, while its page keeps it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from pycore.relay.cluster import lobbies
from pycore.relay.cluster.names import KEPT, LOST, ONE_WAY, TO
from pycore.relay.cluster.ways import Item, Ways
from pycore.relay.cluster.wishes import Wishes
from pycore.relay.elsewhere import Reply
from pycore.relay.fields import Refused
from pycore.relay.people.pairing import ABANDONED
from pycore.relay.server import RelayServer
from pycore.relay.transport.outgoing import Outgoing

log = logging.getLogger("pycore.relay")

PATIENCE_S: Final = 5.0
"""What another process may take for an answer: one that has not answered then is dead, or the bus is."""
CONNECT_S: Final = 0.7
"""The same for taking a socket, which decides nothing: its page waits for it before it is answered."""
HELD: Final = 512
"""Of what a socket sends while its home is looked for: about four seconds of a game at 60 frames; the newest count."""
AGAIN_S: Final = 0.3
"""Until the home of a socket is looked for again."""


class Gateway:
    """Homes of this process's sockets."""

    def __init__(self, relay: RelayServer, ways: Ways) -> None:
        self._relay = relay
        self._ways = ways
        self._auth: dict[str, Any] = {}
        """By socket of this process: with what it connected."""
        self._home: dict[str, str] = {}
        self._found: dict[str, str] = {}
        """Where a session was found to play; the socket is not there yet."""
        self.wishes = Wishes()
        """Sockets that wait for a game, wherever they do."""
        self._moving: set[str] = set()
        """Those that join anew since they have to wait elsewhere; their pages ask for nothing."""
        self._early: dict[str, list[Outgoing]] = {}
        """What came for sockets that are not answered yet: no event goes out before."""
        self._settling: dict[str, asyncio.Event] = {}
        """Sockets whose home is looked for, each with when it is found."""
        self._held: dict[str, deque[tuple[str, list[Any]]]] = {}
        """What those send meanwhile and nobody waits for."""
        self._answers: dict[int, tuple[str, asyncio.Future[Reply]]] = {}
        self._number = 0

    def __contains__(self, sid: str) -> bool:
        return sid in self._auth

    def __len__(self) -> int:
        return len(self._auth)

    def home(self, sid: str) -> str | None:
        """The process that decides for a socket, if it is not this one."""
        return self._home.get(sid)

    def settling(self) -> list[str]:
        """Sockets whose home is looked for."""
        return list(self._settling)

    # Sockets

    def opens(self, sid: str, auth: Any) -> None:
        """A new socket is there, and not answered yet."""
        self._auth[sid] = auth
        self._early[sid] = []

    def opened(self, sid: str) -> None:
        """It is answered next."""
        self._relay.put(self._early.pop(sid, []))

    def found(self, sid: str, process: str) -> None:
        """A socket's session plays there."""
        self._found[sid] = process

    def has_found(self, sid: str) -> bool:
        """Whether it is known where a socket is to go."""
        return sid in self._found

    def takes_found(self, sid: str) -> str | None:
        """The same, once."""
        return self._found.pop(sid, None)

    async def enters(self, sid: str) -> bool:
        """Have a socket be where its session was found to play; false: that is not known there, or nobody answers.
        Raises `Refused`."""
        process = self._found.pop(sid, None)
        if process is None:
            return True
        return await self._connects(sid, process, seated=True)

    def closes(self, sid: str, goes: bool) -> None:
        """A socket is gone."""
        self._auth.pop(sid, None)
        self._early.pop(sid, None)
        self.wishes.drop(sid)
        self._found.pop(sid, None)
        home = self._home.pop(sid, None)
        if home is not None:
            self._ways.send(home, {"t": "gone", "s": sid, "goes": goes})

    def asks(self, sid: str) -> None:
        """A socket joins: unless it waits, or has done so until now, it begins to."""
        if sid not in self._moving and not self._relay.lobby.pairing.waiting.has(sid):
            self.wishes.drop(sid)

    async def moves(self, sid: str, payload: Any) -> Reply:
        """A socket joins where it has to wait from now on, as long as it has waited."""
        self._moving.add(sid)
        try:
            return await self._relay.dispatch("join_game", sid, [payload])
        finally:
            self._moving.discard(sid)

    def waits(self, sid: str, payload: Any) -> None:
        """A socket has joined here, and may have to do so again elsewhere; where it waited before, it has its place."""
        now, lobby = time.monotonic(), self._relay.lobby
        self.wishes.add(sid, payload, now)
        lobbies.expect(lobby, sid, payload, self.wishes.waited(sid, now), now)

    def waited(self, sid: str, payload: Any, since: float, note: str | None = None) -> None:
        """A socket that waits, or is to, has done so since then."""
        self.wishes.add(sid, payload, since, note)

    def told(self, sid: str, event: str, data: dict[str, Any]) -> None:
        """A socket is sent something: it may wait no more."""
        if event == "start_game" or (event == "pycore_error" and data.get("event") == "join_game"):
            self.wishes.drop(sid)

    def comes(self, sid: str) -> None:
        """This process decides for a socket from now on."""
        self._home.pop(sid, None)
        self.wishes.drop(sid)

    # Events

    def event(self, event: str, sid: str, arguments: Sequence[Any]) -> Reply | Coroutine[Any, Any, Reply] | None:
        """As `Elsewhere.event`."""
        home, settling = self._home.get(sid), self._settling.get(sid)
        if event == "leave_game":
            self.wishes.drop(sid)
        if event in KEPT or (home is None and settling is None):
            return None
        if settling is not None:
            if event not in ONE_WAY:
                return self._behind(settling, event, sid, arguments)
            self._held.setdefault(sid, deque(maxlen=HELD)).append((event, list(arguments)))
            return {"status": "ok"}
        assert home is not None
        item: Item = {"t": "event", "s": sid, "e": event, "a": list(arguments)}
        if event in ONE_WAY:
            self._ways.send(home, item)
            return {"status": "ok"}
        if event == "join_game":
            return self._join_again(sid, home, item)
        return self._passed(home, item)

    async def _behind(self, settling: asyncio.Event, event: str, sid: str, arguments: Sequence[Any]) -> Reply:
        await settling.wait()
        return await self._relay.dispatch(event, sid, arguments)

    async def joins(self, sid: str, process: str, payload: Any) -> Reply | None:
        """Have a socket join elsewhere; None: nobody answered, or that one does not take it."""
        if self._home.get(sid) != process and not await self._connects(sid, process, seated=False):
            return None
        now = time.monotonic()
        self.wishes.add(sid, payload, now)
        item: Item = {"t": "event", "s": sid, "e": "join_game", "a": [payload], "w": self.wishes.waited(sid, now)}
        return self._joined(sid, payload, await self._request(process, item))

    async def _connects(self, sid: str, process: str, *, seated: bool) -> bool:
        self._home[sid] = process
        item: Item = {"t": "connect", "s": sid, "a": self._present(sid), "seated": seated}
        reply = await self._request(process, item, CONNECT_S)
        if reply.get("status") == "error":
            self._home.pop(sid, None)
            raise Refused(reply["code"], reply["message"], reply.get("again_ms"))
        if reply.get("status") == "ok" and sid in self._auth:
            return True
        if self._home.get(sid) == process:
            del self._home[sid]
        return False

    def _present(self, sid: str) -> Any:
        """With what it connected, and the session that it has by now."""
        auth, session = self._auth.get(sid), self._relay.lobby.session_of(sid)
        return {**(auth if isinstance(auth, dict) else {}), **({} if session is None else {"session_id": session})}

    async def _passed(self, home: str, item: Item) -> Reply:
        reply = await self._request(home, item)
        if "!" in reply:
            self.lost(item["s"], home)
            # Told to whoever waits for the answer, and to nobody else: it is no mistake of the page's.
            return {"status": "error", "code": "store_busy", "message": "the process with the game is looked for"}
        return reply

    async def _join_again(self, sid: str, home: str, item: Item) -> Reply:
        """It has joined before: it may be in a game there that goes on, or want another one."""
        payload = item["a"][0] if item["a"] else None
        reply = self._joined(sid, payload, await self._request(home, item))
        if reply is not None:
            if reply.get("state") == "waiting":
                self.wishes.add(sid, payload, time.monotonic())
            return reply
        self._home.pop(sid, None)
        self._relay.recall.forget(sid)
        return await self.moves(sid, payload)

    def _joined(self, sid: str, payload: Any, reply: Reply) -> Reply | None:
        if TO in reply:
            self._found[sid] = reply[TO]
            if reply.get("waited_s") is not None:
                self.wishes.add(sid, payload, time.monotonic() - reply["waited_s"], ABANDONED)
        # Whoever does not know the socket any more says that it is in no game: it connects there anew.
        if "!" in reply or TO in reply or reply.get("code") == "not_in_game":
            self._home.pop(sid, None)
            return None
        if reply.get("status") == "ok":
            # What it stores is stored by this process, in the name of the session that it has there.
            lobbies.presents(self._relay.lobby, sid, reply.get("session_id"))
        if reply.get("state") != "waiting":
            self.wishes.drop(sid)
        return reply

    async def _request(self, process: str, item: Item, patience_s: float = PATIENCE_S) -> Reply:
        """The answer of another process; `LOST` if none came."""
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._answers[number] = process, answer
        self._ways.send(process, {**item, "n": number})
        try:
            return await asyncio.wait_for(answer, patience_s)
        except TimeoutError:
            return LOST
        finally:
            del self._answers[number]

    # From other processes

    def heard(self, process: str, item: Item) -> None:
        """An item for a socket of this process."""
        kind = item["t"]
        if kind == "reply":
            _, answer = self._answers.get(item["n"], (None, None))
            if answer is not None and not answer.done():
                answer.set_result(item["r"])
            return
        sid = item["s"]
        if kind == "home":
            self._moves(sid, process, item["from"])
        elif sid not in self._auth:
            self._ways.send(process, {"t": "gone", "s": sid, "goes": False})
        elif self._home.get(sid) == process:
            if kind == "lost":
                self.lost(sid, process)
            else:
                self._out(sid, item["e"], item["d"])

    def _out(self, sid: str, event: str, data: dict[str, Any]) -> None:
        self.told(sid, event, data)
        out = Outgoing(sid, event, data)
        if sid in self._early:
            self._early[sid].append(out)
        else:
            self._relay.put([out])

    def _moves(self, sid: str, process: str, before: str) -> None:
        """A socket's game began there: from now on that process decides for it."""
        if sid not in self._auth:
            self._ways.send(process, {"t": "gone", "s": sid, "goes": False})
            return
        home = self._home.get(sid)
        if home not in (None, before, process):
            self._ways.send(home, {"t": "gone", "s": sid, "goes": False})
        self._home[sid] = process

    def void(self, process: str) -> None:
        """A process is dead, or has begun anew."""
        for whose, answer in list(self._answers.values()):
            if whose == process and not answer.done():
                answer.set_result(LOST)
        for sid, home in list(self._home.items()):
            if home == process:
                self.lost(sid, process)

    # Settling

    def lost(self, sid: str, process: str | None) -> None:
        """A home that is none any more; None: this process was it."""
        if self._home.get(sid) == process or process is None:
            self._home.pop(sid, None)
            if sid in self._auth and sid not in self._settling:
                self._settling[sid] = asyncio.Event()
                self._relay.tasks.start(self._settle(sid))

    async def _settle(self, sid: str) -> None:
        """Find out where a socket's session plays now, or let it wait anew."""
        try:
            while sid in self._auth and not await self._is_settled(sid):
                await asyncio.sleep(AGAIN_S)
        finally:
            self._settling.pop(sid).set()
            for event, arguments in self._held.pop(sid, ()):
                self._relay.carry_out(event, sid, arguments)
        if sid in self.wishes and self._home.get(sid) is None and not lobbies.has_place(self._relay.lobby, sid):
            await self.moves(sid, self.wishes[sid].payload)

    async def _is_settled(self, sid: str) -> bool:
        self._relay.recall.forget(sid)
        session = self._relay.lobby.session_of(sid)
        async with self._relay.recall.deciding(sid):
            if not await self._relay.recall.knows(sid, session):
                return False
            try:
                if not await self.enters(sid):
                    return False
            except Refused as refused:
                log.warning("a socket found no place at another process: %s", refused.message)
                return False
        if self._home.get(sid) is None:
            self._relay.put(self._relay.lobby.restore(sid, time.monotonic()))
        return True
