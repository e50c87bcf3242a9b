"""Who is connected, who waits, who plays with whom: every decision of the relay, without its sockets.

The lobby is told what came in by which socket and answers with what to send. It trusts the socket alone: a
game id or a player id in a payload is a claim, and a wrong one is refused. All calls are synchronous and
short, so on an event loop each is a transaction, and there is no lock that could be held while something is
sent.

Players are paired in the order of their arrival: the first `seats` of the queue make a game, and the first
of them gets the first seat.
"""

from __future__ import annotations

import secrets
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from pycore.relay.connections import Connection
from pycore.relay.fields import Refused
from pycore.relay.limits import Limits
from pycore.relay.payloads import Join, read_action, read_join, read_signal, read_silent, subject_of
from pycore.relay.rooms import DISCONNECT, Outgoing, Room, error_to
from pycore.relay.seats import LateSeats, Mailbox, PlayerId, Seat, digest
from pycore.relay.settings import who_plays
from pycore.relay.turn import Turn
from pycore.relay.uploads import Store
from pycore.relay.waiting import WaitingRoom
from pycore.settings import SUBJECT_FROM, Settings


class Lobby:
    """All connections, the waiting room and all games."""

    def __init__(
        self,
        *,
        players: Sequence[PlayerId],
        settings: Mapping[str, Any],
        limits: Limits,
        turn: Turn | None = None,
        seed: int | None = None,
    ) -> None:
        self.limits = limits
        self._everybody = list(players)
        self._players, self._sent = who_plays(settings, players)
        """Who waits and plays here: for the others policies play, in the pages."""
        self.settings = settings
        self._subject_from: Sequence[str] = settings.get("subject_from", SUBJECT_FROM)
        self._return_within = Settings.of(settings).return_within
        self._turn = turn
        self._seed = seed
        self._connections: dict[str, Connection] = {}
        self._waiting = WaitingRoom(len(self._players), limits)
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._live: dict[str, tuple[Room, Seat]] = {}
        """Seats by session, a digest, where the game is not over."""
        self._late = LateSeats(limits)

    # Sockets

    def connect(self, sid: str, auth: Any, now: float) -> list[Outgoing]:
        """A new socket. Its `auth` may present an address, and a session id, which gives a seat back to the page
        that had it; one that was loaded again has its seat when it joins, and can play."""
        if len(self._connections) >= self.limits.sockets:
            raise Refused("server_full", f"{self.limits.sockets} sockets are connected; try again later")
        presented = read_join(auth, self.limits) if isinstance(auth, dict) else Join(None, None)
        connection = self._connections[sid] = Connection(sid, self.limits)
        connection.session_id = presented.session_id
        connection.page = None if presented.page is None else digest(presented.page)
        connection.subject_id = presented.subject_id or self.subject_of(presented.query)
        return self._rebind(connection, now)

    def disconnect(self, sid: str, now: float, *, goes: bool = False) -> list[Outgoing]:
        """A socket is gone: out of the queue at once, out of a game after its grace. `goes`: its page goes with it, and
        is away at least until it is loaded again."""
        connection = self._connections.pop(sid, None)
        if connection is None:
            return []
        if connection.room is not None and connection.seat is not None and connection.seat.sid == sid:
            connection.room.unbind(connection.seat, now)
            if goes:
                return connection.room.goes(connection.seat)
        return self._waiting.tell(now) if self._waiting.leave(sid) else []

    def part(self, session: str, page: str, leaves: bool, now: float, wall: float) -> list[Outgoing]:
        """A page says that it goes, beside its socket, before or behind the end of that; `leaves`: for good. Whatever
        came to its place meanwhile is another load, which this is not about."""
        page = digest(page)
        if self._waiting.part(digest(session), page):
            return self._waiting.tell(now)
        room, seat = self._live.get(digest(session), (None, None))
        if room is None or seat is None or seat.gone or seat.page != page:
            return []
        if leaves:
            return self._leave(room, seat, now, wall)
        if seat.sid is not None:
            room.unbind(seat, now)
        return room.goes(seat)

    # Events

    def join(self, sid: str, payload: Any, now: float, wall: float) -> tuple[dict[str, Any], list[Outgoing]]:
        """Into the queue, or back to the seat that the session has. Who asks for a game by its id gets the seat there,
        or none. Returns the acknowledgement too."""
        connection = self._take(sid, "others", now)
        wish = read_join(payload, self.limits)
        known = connection.session_id
        if connection.room is not None and not connection.room.over and wish.game_id is None:
            # Asking twice changes nothing; to be somebody else, one leaves first.
            if wish.session_id not in (None, known):
                raise Refused("already_in_game", "you are in a game under another session id; leave it first")
            room, seat = self._seated(connection)
            return connection.place("playing"), room.remind(seat, self._turn_of(room, seat, wall))
        out: list[Outgoing] = []
        if wish.session_id not in (None, known):
            out += self._leave_place(connection, now, wall)
        connection.session_id = wish.session_id or known or secrets.token_urlsafe(24)
        connection.subject_id = wish.subject_id or self.subject_of(wish.query) or connection.subject_id

        if wish.game_id is not None:
            returns = self._return(connection, now, wall, wish.game_id)
            return connection.place("restored" if returns else "over"), out + returns
        restored = self._rebind(connection, now) or self._return(connection, now, wall)
        if restored:
            return connection.place("restored"), out + restored
        connection.room = connection.seat = None

        if self._waiting.lacks_one:
            self._make_room_for_one()
        for other in self._waiting.others_of(connection):
            out += self._replace(other)
        self._waiting.enter(connection, now)
        if not self._waiting.is_full:
            return connection.place("waiting"), out + self._waiting.tell(now)
        out += self._start(wall)
        return connection.place("playing"), out

    def kept(self, sid: str, now: float) -> dict[str, Any]:
        """Whether a socket's session has a seat in a game that goes on, and for how long: a page that has to load."""
        connection = self._take(sid, "others", now)
        place = self._place_of(connection)
        if place is None:
            return {"status": "ok", "kept": False}
        room, seat = place
        until = room.kept_until(seat, now) or now + room.kept_s
        return {"status": "ok", "kept": True, "ms_remaining": max(0, round(1000 * (until - now)))}

    def leave(self, sid: str, now: float, wall: float) -> list[Outgoing]:
        """Out of the queue, or out of the game for good. Leaving nothing is no error."""
        connection = self._take(sid, "others", now)
        return self._leave_place(connection, now, wall)

    def action(self, sid: str, payload: Any, now: float, wall: float) -> list[Outgoing]:
        """An input over the fallback path."""
        connection = self._take(sid, "inputs", now)
        action = read_action(payload, self.limits)
        room, seat = self._seated(connection)
        return room.action(seat, action, wall)

    def signal(self, sid: str, payload: Any, now: float) -> list[Outgoing]:
        """A signal to one other player."""
        connection = self._take(sid, "signals", now)
        signal = read_signal(payload, self.limits)
        room, seat = self._seated(connection)
        if not connection.signal_bytes.take(now, signal.size):
            raise Refused("too_frequent", "too many bytes of signals in a short time")
        return room.signal(seat, signal)

    def silent(self, sid: str, payload: Any, now: float, wall: float) -> list[Outgoing]:
        """A player does not hear of another one any more."""
        room, seat = self._seated(self._take(sid, "others", now))
        game, player = read_silent(payload, self.limits)
        return room.silent(seat, game, player, now, wall)

    def ping(self, sid: str, now: float) -> None:
        """Nothing but the acknowledgement is wanted."""
        self._take(sid, "others", now)

    def may_store(self, sid: str, now: float) -> Connection:
        """The connection, if its rate of stores allows another; checked before the payload is looked at."""
        return self._take(sid, "stores", now)

    def subject_of(self, query: str) -> str | None:
        """The subject id in a page's address, if there is one."""
        return subject_of(query, self._subject_from, self.limits)

    def store_owner(self, connection: Connection, store: Store) -> Seat:
        """The seat that a store is for: the claimed game must know the socket's session, or the one that the
        payload presents; over or not."""
        room = self._rooms.get(store.game_id)
        session = connection.session_of(store)
        seat = None if room is None or session is None else room.owner(digest(session))
        if room is None or seat is None:
            raise Refused("foreign_room", "that is not a game of this session")
        room.check_claim(seat, store.game_id, store.player_id)
        self._charge(seat, store)
        return seat

    def late_owner(self, store: Store, player: str, session: str) -> Seat:
        """The seat that a store is for in a game that is not remembered, as the database knows its owner."""
        if str(store.player_id) != player:
            raise Refused("not_your_seat", f"you are player {player!r}, not {store.player_id!r}")
        seat = self._late.of(store.game_id, player, session)
        self._charge(seat, store)
        return seat

    def finished(self, game_id: str, seat: Seat, wall: float) -> bool:
        """A seat has stored what it does when its session is over; whether that was the last of its game."""
        room = self._rooms.get(game_id)
        return room is not None and seat in room.seats and room.finish(seat.player, wall)

    def _charge(self, seat: Seat, store: Store) -> None:
        if seat.stored_bytes + store.size > self.limits.stored_bytes:
            raise Refused("too_large", f"one player may store {self.limits.stored_bytes} bytes of a game")
        seat.stored_bytes += store.size

    def refusal(self, sid: str, refused: Refused, event: str, now: float) -> list[Outgoing]:
        """The error for the sender, if it is still there."""
        connection = self._connections.get(sid)
        return [] if connection is None else connection.refusal(refused, event, now)

    # Time

    def tick(self, now: float, wall: float) -> list[Outgoing]:
        """What time alone brings: ends of grace, of waiting, of remembering. A few times a second."""
        out = [item for room in self.playing() for item in room.look(now, wall)]
        for room, seat in [place for place in self._live.values() if place[1].gone]:
            self._release(seat)
            self._note_end(room)
        out += self._waiting.look(now)
        for game_id, room in list(self._rooms.items()):
            if room.ended_at is not None and now - room.ended_at >= self.limits.retention_s:
                self._forget(game_id)
        return out

    # What is asked from outside

    def room(self, game_id: str) -> Room | None:
        """A game that is still remembered."""
        return self._rooms.get(game_id)

    def playing(self) -> list[Room]:
        """The games that go on, the oldest first."""
        return [room for room in self._rooms.values() if not room.over]

    def health(self) -> dict[str, int]:
        """Sizes, for `GET /api/health`."""
        games = {"games_playing": len(self.playing()), "games_remembered": len(self._rooms)}
        return {"sockets": len(self._connections), "waiting": len(self._waiting), **games}

    def knows(self, session_id: str) -> bool:
        """Whether a session has a seat here in a game that is not over."""
        return digest(session_id) in self._live

    def session_of(self, sid: str) -> str | None:
        """The session that a socket has presented."""
        connection = self._connections.get(sid)
        return None if connection is None else connection.session_id

    def take_up(self, room: Room) -> None:
        """A game that another process had, as the database knows it and nobody here; its seats wait for their sessions.
        `Limits.rooms` does not bound them, since these people play."""
        self._rooms[room.game_id] = room
        for seat in room.seats:
            if not seat.gone:
                self._live.setdefault(seat.session, (room, seat))

    def restore(self, sid: str, now: float) -> list[Outgoing]:
        """The seat of a socket's session, whose game was taken up only after it had connected."""
        connection = self._connections.get(sid)
        if connection is None or connection.room is not None or connection.waiting_since is not None:
            return []
        return self._rebind(connection, now)

    def take_changed(self) -> list[Room]:
        """Games of which something has changed since the last time that is to be written down."""
        return [room for room in self._rooms.values() if room.take_changed()]

    # Inside

    def _take(self, sid: str, bucket: str, now: float) -> Connection:
        connection = self._connections.get(sid)
        if connection is None:
            raise Refused("not_in_game", "this socket is no longer connected")
        if connection.seat is not None:
            connection.seat.heard_at = now
        if not getattr(connection, bucket).take(now):
            raise Refused("too_frequent", f"too many events ({bucket}) in a short time")
        return connection

    def _seated(self, connection: Connection) -> tuple[Room, Seat]:
        if connection.room is None or connection.seat is None:
            raise Refused("not_in_game", "you are in no game; send join_game first")
        return connection.room, connection.seat

    def _rebind(self, connection: Connection, now: float) -> list[Outgoing]:
        """The seat of the connection's session, if its game goes on and the page is the one that had it; whoever holds
        it now is replaced."""
        place = self._place_of(connection)
        if place is None or (connection.page is not None and connection.page != place[1].page):
            return []
        room, seat = place
        return self._take_over(connection, room, seat, now) + room.bind(seat, connection.sid, now)

    def _return(self, connection: Connection, now: float, wall: float, game_id: str | None = None) -> list[Outgoing]:
        """The same seat for a page that was loaded again, if it may return; `game_id`: only if it is of that game."""
        room, seat = self._place_of(connection) or (None, None)
        if room is None or seat is None or not room.return_within or game_id not in (None, room.game_id):
            return []
        if seat.loads >= self.limits.loads:
            raise Refused("too_frequent", f"this page was loaded again {seat.loads} times in one game")
        turn, sid = self._turn_of(room, seat, wall), connection.sid
        out = self._take_over(connection, room, seat, now)
        return out + room.welcome(seat, sid, connection.page, turn, now)

    def _place_of(self, connection: Connection) -> tuple[Room, Seat] | None:
        """The seat of the connection's session in a game that goes on for it."""
        place = self._live.get(connection.session)
        return None if place is None or place[1].gone else place

    def _take_over(self, connection: Connection, room: Room, seat: Seat, now: float) -> list[Outgoing]:
        out: list[Outgoing] = []
        holder = self._connections.get(seat.sid or "")
        if holder is not None and holder is not connection:
            out += self._replace(holder)
        if self._waiting.leave(connection.sid):
            out += self._waiting.tell(now)
        connection.room, connection.seat = room, seat
        return out

    def _replace(self, connection: Connection) -> list[Outgoing]:
        """The newest socket of a session is the one that counts."""
        self._waiting.leave(connection.sid)
        connection.room = connection.seat = None
        connection.session_id = None
        error = error_to(connection.sid, "replaced", "another socket presented your session id", "join_game")
        return [error, Outgoing(connection.sid, DISCONNECT, {})]

    def _leave_place(self, connection: Connection, now: float, wall: float) -> list[Outgoing]:
        room, seat = connection.room, connection.seat
        connection.room = connection.seat = None
        if self._waiting.leave(connection.sid):
            return self._waiting.tell(now)
        return [] if room is None or seat is None else self._leave(room, seat, now, wall)

    def _leave(self, room: Room, seat: Seat, now: float, wall: float) -> list[Outgoing]:
        out = room.leave(seat, now, wall, f"Player {seat.player} left the game.")
        self._release(seat)
        self._note_end(room)
        return out

    def _start(self, wall: float) -> list[Outgoing]:
        group = self._waiting.first()
        seats = []
        for player, connection in zip(self._players, group, strict=True):
            session = connection.session or digest(secrets.token_urlsafe(24))
            whose = connection.subject_id, connection.sid
            seats.append(Seat(player, session, *whose, Mailbox(self.limits), connection.page))
        seed = secrets.randbelow(2**32) if self._seed is None else self._seed
        room = Room(
            uuid.uuid4().hex, seed, seats, self.limits, wall, self._everybody, self._sent, self.settings,
            self._return_within,
        )  # fmt: skip
        self._rooms[room.game_id] = room
        for seat, connection in zip(seats, group, strict=True):
            connection.room, connection.seat = room, seat
            self._live[seat.session] = (room, seat)
        return room.start({str(seat.player): self._turn_of(room, seat, wall) for seat in seats})

    def _turn_of(self, room: Room, seat: Seat, wall: float) -> dict[str, Any] | None:
        return None if self._turn is None else self._turn.config(f"{room.game_id}-{seat.player}", wall)

    def _make_room_for_one(self) -> None:
        if len(self._rooms) < self.limits.rooms:
            return
        for game_id, room in self._rooms.items():
            if room.over:
                self._forget(game_id)
                return
        raise Refused("server_full", f"{self.limits.rooms} games are going on; try again later")

    def _note_end(self, room: Room) -> None:
        # Who stayed to the end keeps socket and seat, so as to store; the session is free again.
        if room.over and not room.end_noted:
            room.end_noted = True
            for seat in room.seats:
                self._release(seat)

    def _release(self, seat: Seat) -> None:
        # The session may sit in a newer game by now.
        if self._live.get(seat.session, (None, None))[1] is seat:
            del self._live[seat.session]

    def _forget(self, game_id: str) -> None:
        room = self._rooms.pop(game_id)
        for connection in self._connections.values():
            if connection.room is room:
                connection.room = connection.seat = None
