"""Who is connected, who waits, who plays with whom: every decision of the relay, without its sockets.

What a socket may do is decided here; its games are in `games`, and whose something is that is stored in `owners`.

The lobby is told what came in by which socket and answers with what to send. It trusts the socket alone: a
game id or a player id in a payload is a claim, and a wrong one is refused. All calls are synchronous and
short, so on an event loop each is a transaction, and there is no lock that could be held while something is
sent.

Who waits is in `waiting`, and a matcher says who plays with whom. A person has one place, in the queue or in a
game: a second window of the same one is told so, and may take the place over.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pycore.relay.fields import Refused
from pycore.relay.games.connections import Connection
from pycore.relay.games.games import Games
from pycore.relay.games.outcomes import EXCLUDED, FAILED, WAITED_IN_VAIN, Outcome, SentOn, person_of
from pycore.relay.games.owners import Owners, outcome_for
from pycore.relay.games.payloads import Join, read_action, read_join, read_signal, read_silent, subject_of
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import PlayerId, Seat, digest
from pycore.relay.limits import Limits
from pycore.relay.people.door import CLOSED, Door
from pycore.relay.people.pairing import Pairing
from pycore.relay.people.recruiting import Recruiting
from pycore.relay.transport.outgoing import DISCONNECT, Outgoing, error_to, refusal_to
from pycore.relay.turn import Turn
from pycore.settings import SUBJECT_FROM


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
        recruiting: Recruiting | None = None,
    ) -> None:
        self.limits = limits
        self.settings = settings
        self._subject_from: Sequence[str] = settings.get("subject_from", SUBJECT_FROM)
        self._connections: dict[str, Connection] = {}
        self.door = Door(limits)
        self.games = Games(limits, self._forgotten)
        self.pairing = Pairing(
            players=players, settings=settings, limits=limits, turn=turn, seed=seed, games=self.games,
            recruiting=recruiting or Recruiting(), replace=self._replace, holder=self._holder, door=self.door,
        )  # fmt: skip
        self._waiting = self.pairing.waiting
        self.sent_on = SentOn(self.pairing.recruiting.next_of)
        self._decided: list[tuple[Outcome, str]] = []
        self.owners = Owners(self.games, limits)

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
        connection.query = presented.query
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
        if (place := self.games.place(digest(session))) is None or place[1].page != page:
            return []
        room, seat = place
        if leaves:
            return self.games.leave(room, seat, now, wall)
        if seat.sid is not None:
            room.unbind(seat, now)
        return room.goes(seat)

    # Events

    def join(self, sid: str, payload: Any, now: float, wall: float) -> tuple[dict[str, Any], list[Outgoing]]:
        """Into the queue, or back to the seat that the session has; who asks for a game by its id gets the seat there,
        or none. The acknowledgement, and what is to be sent. Raises `Refused` if nothing is."""
        connection, out = self._take(sid, "others", now), list[Outgoing]()
        try:
            return self._join(connection, read_join(payload, self.limits), out, now, wall), out
        except Refused as refused:
            if not out:
                raise
            # What follows from who joins has happened: the others are told.
            return {"status": "error", **refused.fields}, out + connection.refusal(refused, "join_game", now)

    def _join(self, connection: Connection, wish: Join, out: list[Outgoing], now: float, wall: float) -> dict[str, Any]:
        """The acknowledgement; what is to be sent is put into `out`, also where it is refused in the end."""
        known, since = connection.session_id, None
        if wish.unbegun is not None:
            since, left = self.pairing.abandoned(connection, wish.session_id or known or "", wish.unbegun, now, wall)
            out += left
        if connection.plays and wish.game_id is None:
            # Asking twice changes nothing; to be somebody else, one leaves first.
            if wish.session_id not in (None, known):
                raise Refused("already_in_game", "you are in a game under another session id; leave it first")
            room, seat = self._seated(connection)
            out += room.remind(seat, self.pairing.turn_of(room, seat, wall))
            return connection.place("playing")
        if wish.session_id not in (None, known):
            out += self._leave_place(connection, now, wall)
        connection.session_id = wish.session_id or known or secrets.token_urlsafe(24)
        subject = wish.subject_id or self.subject_of(wish.query) or connection.subject_id
        admitted = self.pairing.recruiting.admission.admit(subject, wish.query or connection.query, self.limits)
        connection.subject_id = admitted.subject

        if wish.game_id is not None:
            out += (returns := self._return(connection, now, wall, wish.game_id))
            return connection.place("restored" if returns else "over")
        restored = self._rebind(connection, now) or self._return(connection, now, wall)
        sent_on = self.sent_on.of(person_of(connection.subject_id, connection.session))
        if not restored and sent_on is not None:
            out.append(Outgoing(connection.sid, "outcome", told := self.sent_on.told_again(sent_on)))
            return {**connection.place("done"), **told}
        if not restored:
            out += self.pairing.take_place(connection, wish, now, wall)
            restored = self._return(connection, now, wall)
        if restored:
            out += restored
            return connection.place("restored")
        connection.room = connection.seat = None
        if not self.pairing.is_here:
            reply, left = self.pairing.wait_elsewhere(connection, since, now, wall)
            out += left
            return reply
        if (closed := self.door.refusal()) is not None and connection.waiting_since is None:
            out.append(refusal_to(connection.sid, closed, "join_game"))
            return {"status": "error", **closed.fields}
        self.pairing.enter(connection, admitted.group, since, now)
        out += self.pairing.begin(now, wall) or self._waiting.tell(now)
        return connection.place("waiting" if connection.room is None else "playing")

    def ready(self, sid: str, now: float, wall: float) -> tuple[dict[str, Any], list[Outgoing]]:
        """Somebody who was asked is there: the acknowledgement, and the game if that was the last of them."""
        connection = self._take(sid, "others", now)
        asked = self._waiting.ready(connection.sid)
        return {"status": "ok", "asked": asked}, self.pairing.begin(now, wall)

    def echo(self, sid: str, now: float) -> None:
        """The answer to a measurement of the round trip."""
        self._waiting.echo(self._take(sid, "others", now).sid, now)

    def kept(self, sid: str, now: float) -> dict[str, Any]:
        """Whether a socket's session has a seat in a game that goes on, and for how long: a page that has to load."""
        connection = self._take(sid, "others", now)
        place = self.games.own(connection.session, connection.subject_id)
        if place is None:
            return {"status": "ok", "kept": False}
        room, seat = place
        until = room.kept_until(seat, now) or now + room.kept_s
        return {"status": "ok", "kept": True, "ms_remaining": max(0, round(1000 * (until - now)))}

    def leave(self, sid: str, now: float, wall: float, *, excluded: bool = False) -> list[Outgoing]:
        """Out of the queue, or out of the game for good. Leaving nothing is no error. `excluded`: the study's page
        excludes its participant."""
        connection = self._take(sid, "others", now)
        if excluded:
            self._came_to(connection, EXCLUDED, now, wall)
        return self._leave_place(connection, now, wall)

    def failed(self, sid: str, now: float, wall: float) -> None:
        """A page that has a seat cannot go on."""
        connection = self._connections.get(sid)
        if connection is not None and connection.seat is not None and connection.seat.outcome is None:
            self._came_to(connection, FAILED, now, wall)

    def take_decided(self) -> list[tuple[Outcome, str]]:
        """What visits came to since the last time, and whose socket is to be told."""
        decided, self._decided = self._decided, []
        return decided

    def asks_of(self, sid: str, wish: Join) -> str | None:
        """Who it is that asks for a game, if that may have been sent on before and the database has to say it."""
        if (connection := self._connections.get(sid)) is None or not self.pairing.recruiting.next:
            return None
        subject = wish.subject_id or self.subject_of(wish.query) or connection.subject_id
        session = wish.session_id or connection.session_id
        if subject is None and session is None:
            return None
        person = person_of(subject, digest(session or ""))
        return None if self.sent_on.of(person) else person

    def promise(self, sid: str, session: str | None, wish: Join) -> Room | None:
        """Somebody is about to join: the room that is to be written down first (`Games.promise`)."""
        if (connection := self._connections.get(sid)) is None:
            return None
        subject = wish.subject_id or self.subject_of(wish.query) or connection.subject_id
        return self.games.promise(digest(session or ""), connection.page, subject)

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

    def refusal(self, sid: str, refused: Refused, event: str, now: float) -> list[Outgoing]:
        """The error for the sender, if it is still there."""
        connection = self._connections.get(sid)
        return [] if connection is None else connection.refusal(refused, event, now)

    def close(self, now: float, wall: float) -> list[Outgoing]:
        """Let nobody new in; who waits is told so, and has waited in vain."""
        self.door.is_open = False
        for connection, waited in (sent_away := self._waiting.empty(now)):
            self._in_vain(connection, waited, wall)
        return [error_to(each.sid, CLOSED, "the study was closed", "join_game") for each, _ in sent_away]

    # Time

    def tick(self, now: float, wall: float) -> list[Outgoing]:
        """What time alone brings: ends of grace, of waiting, of remembering. A few times a second."""
        changes = self._waiting.look(now)
        for connection, waited in changes.in_vain:
            self._in_vain(connection, waited, wall)
        return self.games.tick(now, wall) + changes.out + self.pairing.begin(now, wall)

    def drain(self, now: float) -> list[Outgoing]:
        """The process is about to end: no new games, and nobody waits for one here."""
        self.door.draining = True
        return [refusal_to(each.sid, self.door.drained(), "join_game") for each, _ in self._waiting.empty(now)]

    # What is asked from outside

    def waits(self, now: float) -> list[tuple[str | None, float]]:
        """Who waits, the first to come first: the subject id, and for how long, s."""
        return self._waiting.listed(now)

    def health(self) -> dict[str, int]:
        """Sizes, for `GET /api/operator`."""
        games = {"games_playing": self.games.going(), "games_remembered": len(self.games)}
        return {"sockets": len(self._connections), "waiting": len(self._waiting), **games}

    @property
    def connections(self) -> Mapping[str, Connection]:
        """All sockets, those of other processes among them."""
        return self._connections

    def session_of(self, sid: str) -> str | None:
        """The session that a socket has presented."""
        connection = self._connections.get(sid)
        return None if connection is None else connection.session_id

    def restore(self, sid: str, now: float) -> list[Outgoing]:
        """The seat of a socket's session, whose game was taken up only after it had connected."""
        connection = self._connections.get(sid)
        if connection is None or connection.room is not None or connection.waiting_since is not None:
            return []
        return self._rebind(connection, now)

    # Inside

    def _take(self, sid: str, bucket: str, now: float) -> Connection:
        connection = self._connections.get(sid)
        if connection is None:
            raise Refused("not_in_game", "this socket is no longer connected")
        if connection.seat is not None:
            connection.seat.heard_at = now
        if not connection.may(bucket, now):
            raise Refused("too_frequent", f"too many events ({bucket}) in a short time")
        return connection

    def _seated(self, connection: Connection) -> tuple[Room, Seat]:
        if connection.room is None or connection.seat is None:
            raise Refused("not_in_game", "you are in no game; send join_game first")
        return connection.room, connection.seat

    def _rebind(self, connection: Connection, now: float) -> list[Outgoing]:
        """The seat of the connection's session, if its game goes on and the page is the one that had it; whoever holds
        it now is replaced."""
        place = self.games.place(connection.session)
        if place is None:
            place = self.games.take_back(connection.session, connection.page, self._holder)
        if place is None or (connection.page is not None and connection.page != place[1].page):
            return []
        room, seat = place
        return self._take_over(connection, room, seat, now) + room.bind(seat, connection.sid, now)

    def _return(self, connection: Connection, now: float, wall: float, game_id: str | None = None) -> list[Outgoing]:
        """The same seat for a page that was loaded again, if it may return; `game_id`: only if it is of that game."""
        room, seat = self.games.returns(connection.session, connection.subject_id, game_id) or (None, None)
        if room is None or seat is None:
            return []
        if seat.loads >= self.limits.loads:
            raise Refused("too_frequent", f"this page was loaded again {seat.loads} times in one game")
        turn, sid = self.pairing.turn_of(room, seat, wall), connection.sid
        out = self._take_over(connection, room, seat, now)
        return out + room.welcome(seat, sid, connection.page, turn, now)

    def _take_over(self, connection: Connection, room: Room, seat: Seat, now: float) -> list[Outgoing]:
        out: list[Outgoing] = []
        if (holder := self._holder(seat)) is not None and holder is not connection:
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
        return [] if room is None or seat is None else self.games.leave(room, seat, now, wall)

    def _in_vain(self, connection: Connection, waited: float, wall: float) -> None:
        self._decided.append((self._outcome(connection, WAITED_IN_VAIN, waited, wall), connection.sid))

    def _came_to(self, connection: Connection, code: str, now: float, wall: float) -> None:
        """An outcome that is decided here, of who waits or has a seat."""
        room, seat = connection.room, connection.seat
        if room is not None and seat is not None:
            seat.outcome = self.sent_on.stands(room.game_id, seat, code)
            room.note_change()
            self._decided.append((outcome_for(room, seat, wall), connection.sid))
            return
        if (since := connection.waiting_since) is not None:
            self._decided.append((self._outcome(connection, code, now - since, wall), connection.sid))

    def _outcome(self, connection: Connection, code: str, waited: float, wall: float) -> Outcome:
        subject = connection.subject_id
        return Outcome(person_of(subject, connection.session), subject, code, waited, wall)

    def _holder(self, seat: Seat) -> Connection | None:
        """Whoever sits in a seat."""
        return self._connections.get(seat.sid or "")

    def _forgotten(self, room: Room) -> None:
        for connection in self._connections.values():
            if connection.room is room:
                connection.room = connection.seat = None
