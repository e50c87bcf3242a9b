"""Connects the lobby and the store to python-socketio: the thin part that really sends and really waits.

Every event goes through one function, `RelayServer.dispatch`. The lobby decides synchronously, so events take
effect in the order in which they arrived; what it wants sent is queued and sent by one task in that order. A
handler therefore never sends while a decision is half made, and two inputs of a player never overtake each
other.

Every event may be acknowledged: ``{status: 'ok', ...}`` or ``{status: 'error', code, message}``. What is
refused is also told by the event `pycore_error`, since the page's events were made without acknowledgements.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine, MutableMapping, Sequence
from typing import Any

import socketio

from pycore.relay.arrivals import Arrivals
from pycore.relay.elsewhere import Elsewhere
from pycore.relay.fields import Refused, fields_of, flag_of
from pycore.relay.games.payloads import read_failure, read_join, read_parting
from pycore.relay.keeping import Handler, Keeping
from pycore.relay.ledger import Ledger
from pycore.relay.limits import Limits
from pycore.relay.lobby import Lobby
from pycore.relay.operating.load import Load
from pycore.relay.operating.noticing import Noticed
from pycore.relay.operating.stood import Stood
from pycore.relay.people.pairing import ELSEWHERE
from pycore.relay.recall import Recall
from pycore.relay.storage.store import DataStore
from pycore.relay.storage.study import Study
from pycore.relay.transport.addresses import Addresses
from pycore.relay.transport.engine import socketio_server
from pycore.relay.transport.origins import Origins
from pycore.relay.transport.outgoing import Outgoing
from pycore.relay.transport.sender import Sender, Tasks
from pycore.relay.transport.sessions import Sessions
from pycore.relay.transport.wire import REFUSED, answer_text
from pycore.relay.visits import Visits
from pycore.relay.watching import Watching

log = logging.getLogger("pycore.relay")

CLOSED_BY = "pycore.closed_by"
"""In a connection's scope: the code with which its WebSocket was closed."""
GOING_AWAY = 1001
"""A browser closes a page's WebSockets with it when the page is left or loaded again."""

FAILS = ("begin", "game")
"""Where a page says that it failed when that is the end of its game."""

UNSURE = "the database does not say whether that game goes on; try again"


class RelayServer:
    """The socket.io side of the relay."""

    def __init__(
        self,
        lobby: Lobby,
        store: DataStore,
        limits: Limits,
        *,
        origins: Sequence[str] | None = None,
        watching: Watching | None = None,
        noticed: Noticed,
    ) -> None:
        self.lobby = lobby
        self.store = store
        self.limits = limits
        self.ledger = Ledger(store, limits)
        self._noticed = noticed
        self.recall = Recall(lobby, store)
        self._study = Study(store)
        self.tasks = Tasks()
        self.elsewhere: Elsewhere | None = None
        """The other processes, if there are any."""
        self._scopes: dict[str, MutableMapping[str, Any]] = {}
        """By socket, what the server knows of its connection: how it was closed, in the end."""
        self.sio = socketio_server(limits, Origins(origins or ()))
        self.addresses = Addresses(limits)
        """Whose connections are how many, and which proxies are believed about that."""
        Sessions(self.sio, limits, self.addresses, self.tasks)
        self.load = Load(limits.busy_s, limits.shed_s)
        self._sender = Sender(
            self.sio, self.tasks, limits, Arrivals(self, noticed).came, self.load.kept,
            lambda size: noticed.crossed(went=size),
        )  # fmt: skip
        self._visits = Visits(lobby, store, self._sender.put, noticed.outcome)
        self.keeping = Keeping(
            lobby, store, limits, watching=watching, visits=self._visits, note_games=self.note_games
        )  # fmt: skip
        self.sio.on("connect", self._on_connect)
        self.sio.on("disconnect", self._on_disconnect)
        self.sio.on("*", self._on_event)
        self._handlers: dict[str, Handler] = {
            "join_game": self._join,
            "leave_game": self._leave,
            "seat_kept": self._kept,
            "pyodide_player_action": self._action,
            "webrtc_signal": self._signal,
            "player_silent": self._silent,
            "ready": self._ready,
            "pycore_echo": self._echo,
            "pycore_ping": self._ping,
            "page_failed": self._page_failed,
            **self.keeping.handlers,
        }
        noticed.knows(self._handlers)

    # Other processes

    def join(self, elsewhere: Elsewhere) -> None:
        """Be one of several processes."""
        self.elsewhere = self.ledger.elsewhere = elsewhere
        self.keeping.elsewhere = self.recall.elsewhere = self._visits.elsewhere = elsewhere
        self._sender.abroad = elsewhere.sends

    def put(self, out: list[Outgoing]) -> None:
        """Have these sent, but for games that begin elsewhere."""
        self._sender.put(out if self.elsewhere is None else self.elsewhere.places(out))

    # Life

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The tasks that the server needs, for as long as the context lasts."""
        loop = asyncio.get_running_loop()
        left = await self._study.left()
        self.lobby.games.last_number = left.last_number
        if self.elsewhere is not None:
            await self.elsewhere.open()
        elif not left.is_open:
            self.let_in(False)
            log.warning("the study is as it was left: no game begins before the operator's page opens it")
        works = [self.load.run(self.lobby.door), self._tick_all(), self.ledger.run()]
        if self.elsewhere is not None:
            works.append(self.elsewhere.run())
        forever = [loop.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in forever:
                task.cancel()
            await asyncio.gather(*forever, return_exceptions=True)
            await self.tasks.cancel()
            self.ledger.note(self.lobby.games.take_changed())
            await self.ledger.close(self.lobby.games.playing())
            if self.elsewhere is not None:
                await self.elsewhere.close()
            self.recall.close()

    def drain(self) -> None:
        """Begin no new games, and tell who waits; those that run go on."""
        if self.elsewhere is None or not self.elsewhere.drains():
            self._sender.put(self.lobby.drain(time.monotonic()))

    async def _tick_all(self) -> None:
        pause = max(0.01, min(0.25, self.limits.grace_s / 4))
        stood = Stood(pause, time.monotonic(), self.lobby.games, self.lobby.pairing.waiting, self._visits)
        while True:
            await asyncio.sleep(pause)
            try:
                now = stood.look(time.monotonic())
                self.put(self.lobby.tick(now, time.time()))
                self._sender.tick(now)
                for work in self._visits.tick(now, time.time()):
                    self.tasks.start(work)
                self.note_games()
            except Exception:
                log.exception("housekeeping failed")

    # Socket.io's side

    async def _on_connect(self, sid: str, environ: Any, auth: Any = None) -> None:
        self._scopes[sid] = environ.get("asgi.scope", {})
        try:
            session = read_join(auth, self.limits).session_id if isinstance(auth, dict) else None
            if not await self.recall.connects(sid, session):
                return  # it went meanwhile, and nobody would ever say so again
            self._sender.connect(sid, self._scopes[sid])
            self._sender.put(self.lobby.connect(sid, auth, time.monotonic()))
            if self.elsewhere is not None:
                await self.elsewhere.connects(sid, auth)
        except Refused as refused:
            if self.elsewhere is not None:
                self.elsewhere.disconnects(sid, False)
                self.lobby.disconnect(sid, time.monotonic())
            self.recall.disconnects(sid)
            self._sender.disconnect(sid)
            self._scopes.pop(sid, None)
            self._noticed.connection_refused(refused.code)
            raise socketio.exceptions.ConnectionRefusedError(refused.message, refused.fields) from None
        if self.recall.is_unsure(sid) and self.elsewhere is None:
            self.tasks.start(self._restore(sid))

    async def _restore(self, sid: str) -> None:
        """The database did not say whether a socket's session has a game; when it does, that has its seat."""
        if await self.recall.asks_again(sid):
            self._sender.put(self.lobby.restore(sid, time.monotonic()))

    async def _on_disconnect(self, sid: str, reason: str = "") -> None:
        self.recall.disconnects(sid)
        self._noticed.gone(sid)
        self._sender.disconnect(sid)
        goes = self._scopes.pop(sid, {}).get(CLOSED_BY) == GOING_AWAY
        if self.elsewhere is not None:
            self.elsewhere.disconnects(sid, goes)
        self._sender.put(self.lobby.disconnect(sid, time.monotonic(), goes=goes))

    async def open_study(self, is_open: bool) -> None:
        """Let new games begin, or none; of several processes all, and of those that are started later. Raises
        `StoreFailed` where those cannot be told."""
        if self.elsewhere is None:
            async with self._study.turns:
                self.let_in(is_open)
                await self._study.keep(is_open)
        else:
            await self.elsewhere.opens(is_open)

    def let_in(self, is_open: bool) -> None:
        """The same in this process."""
        if is_open:
            self.lobby.door.is_open = True
        else:
            self.put(self.lobby.close(time.monotonic(), time.time()))
            self.note_games()
        self._noticed.study(is_open)

    def part(self, payload: Any) -> None:
        """A page that goes says so by a request of its own: its browser may have closed the socket before. Raises
        Refused."""
        self.part_here(payload)
        if self.elsewhere is not None:
            self.elsewhere.parts(read_parting(payload, self.limits)._asdict())

    def part_here(self, payload: Any) -> None:
        """The same, where it plays here. Raises Refused."""
        session, page, leaves = read_parting(payload, self.limits)
        self._sender.put(self.lobby.part(session, page, leaves, time.monotonic(), time.time()))
        self.note_games()

    async def _on_event(self, event: str, sid: str, *arguments: Any) -> dict[str, Any]:
        began = time.monotonic()
        reply = await self.dispatch(event, sid, arguments)
        self._noticed.event(event, sid, arguments, reply, began)
        return reply

    async def dispatch(self, event: str, sid: str, arguments: Sequence[Any]) -> dict[str, Any]:
        """Carry out one event and return its acknowledgement. Raises nothing."""
        await self.recall.behind(sid)
        began = time.thread_time()
        reply = self.carry_out(event, sid, arguments)
        self.spend(sid, time.thread_time() - began)
        return reply if isinstance(reply, dict) else await reply

    def carry_out(
        self, event: str, sid: str, arguments: Sequence[Any]
    ) -> dict[str, Any] | Coroutine[Any, Any, dict[str, Any]]:
        """The same, as far as it waits for nothing: what only decides is done when this returns."""
        try:
            if event == REFUSED:
                event = arguments[0]["event"]
                raise Refused(arguments[0]["code"], arguments[0]["message"])
            handler = self._handlers.get(event)
            if handler is None:
                raise Refused("unknown_event", f"there is no event {event[:64]!r}")
            if len(arguments) > 1:
                raise Refused("malformed", "more than one payload")
            if self.elsewhere is not None and (there := self.elsewhere.event(event, sid, arguments)) is not None:
                return there if isinstance(there, dict) else self._waited(event, sid, there)
            reply = handler(sid, arguments[0] if arguments else None)
        except Exception as error:
            return self._failed(event, sid, error)
        return reply if isinstance(reply, dict) else self._waited(event, sid, reply)

    async def _waited(self, event: str, sid: str, reply: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        try:
            return await reply
        except Exception as error:
            return self._failed(event, sid, error)

    def _failed(self, event: str, sid: str, error: Exception) -> dict[str, Any]:
        if isinstance(error, Refused):
            return self._refuse(sid, event, error)
        # A mistake of ours must not look like a success, nor end the room.
        log.error("event %s failed", event, exc_info=error)
        return self._refuse(sid, event, Refused("internal", "the relay failed; see its log"))

    def sizes(self) -> dict[str, int]:
        """As the lobby's; a socket counts in the process that has it, wherever it plays."""
        return self.lobby.health() | ({} if self.elsewhere is None else {"sockets": self.elsewhere.own()})

    @property
    def outgoing(self) -> int:
        """Events that wait for sockets to take them."""
        return self._sender.waiting

    def joins(self, event: str) -> bool:
        """Whether what comes behind an event may have to wait for it: of what waits, all but what is stored."""
        return event not in self.keeping.handlers

    def answer(self, sid: str, number: int | None, reply: dict[str, Any]) -> None:
        """Acknowledge an event, if that was asked for."""
        if number is not None:
            self._sender.answer(sid, answer_text(number, reply))

    def spend(self, sid: str, seconds: float) -> None:
        """What a socket has sent costs so much besides."""
        self._sender.spend(sid, seconds)

    def _refuse(self, sid: str, event: str, refused: Refused) -> dict[str, Any]:
        self.put(self.lobby.refusal(sid, refused, event, time.monotonic()))
        return {"status": "error", **refused.fields}

    # Events

    async def _join(self, sid: str, payload: Any) -> dict[str, Any]:
        wish = read_join(payload, self.limits)
        session = wish.session_id or self.lobby.session_of(sid)
        if not await self.recall.joins(sid, session, self.lobby.asks_of(sid, wish)) and wish.game_id is not None:
            raise Refused("store_failed", UNSURE)
        if self.elsewhere is not None:
            there = await self.elsewhere.joins(sid, session, payload, wish.game_id is not None)
            if there is not None:
                return there
        if (room := self.lobby.promise(sid, session, wish)) is not None:
            async with self.recall.deciding(sid):
                await self.ledger.settled(room)
        reply, out = self.lobby.join(sid, payload, time.monotonic(), time.time())
        self.put(out)
        self.note_games()
        if self.elsewhere is not None and reply.get("state") == ELSEWHERE:
            return await self.elsewhere.waits(sid, payload, reply["waited_s"])
        return reply

    def _leave(self, sid: str, payload: Any) -> dict[str, Any]:
        excluded = payload is not None and flag_of(fields_of(payload), "excluded")
        self._sender.put(self.lobby.leave(sid, time.monotonic(), time.time(), excluded=excluded))
        self.note_games()
        return {"status": "ok"}

    def _kept(self, sid: str, payload: Any) -> dict[str, Any]:
        if self.recall.is_unsure(sid):
            raise Refused("store_failed", UNSURE)
        return self.lobby.kept(sid, time.monotonic())

    def _action(self, sid: str, payload: Any) -> dict[str, Any]:
        self._sender.put(self.lobby.action(sid, payload, time.monotonic(), time.time()))
        return {"status": "ok"}

    def _signal(self, sid: str, payload: Any) -> dict[str, Any]:
        self._sender.put(self.lobby.signal(sid, payload, time.monotonic()))
        return {"status": "ok"}

    def _silent(self, sid: str, payload: Any) -> dict[str, Any]:
        self._sender.put(self.lobby.silent(sid, payload, time.monotonic(), time.time()))
        self.note_games()
        return {"status": "ok"}

    def _ready(self, sid: str, payload: Any) -> dict[str, Any]:
        reply, out = self.lobby.ready(sid, time.monotonic(), time.time())
        self.put(out)
        self.note_games()
        return reply

    def _echo(self, sid: str, payload: Any) -> dict[str, Any]:
        self.lobby.echo(sid, time.monotonic())
        return {"status": "ok"}

    def _ping(self, sid: str, payload: Any) -> dict[str, Any]:
        self.lobby.ping(sid, time.monotonic())
        # From its own clock and this one a page knows how they differ.
        return {"status": "ok", "time_ms": time.time() * 1000.0}

    def _page_failed(self, sid: str, payload: Any) -> dict[str, Any]:
        """A participant sees an error."""
        connection = self.lobby.may_store(sid, time.monotonic())
        failure = read_failure(payload, self.limits)
        self._noticed.page_failed(connection.subject_id or self.lobby.subject_of(failure.query), failure)
        if failure.where in FAILS:
            self.lobby.failed(sid, time.monotonic(), time.time())
            self.note_games()
        return {"status": "ok"}

    # Inside

    def note_games(self) -> None:
        """Have what changed of games written down. They go on if that fails: it is tried until it is."""
        changed = self.lobby.games.take_changed()
        self.ledger.note(changed)
        for outcome, sid in self.lobby.take_decided():
            self.tasks.start(self._visits.until_decided(outcome, sid))
        self._noticed.games(changed)
