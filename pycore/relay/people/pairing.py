"""From the queue to a game: one place for each person, games begun of the groups that are found, and the way back into
the queue of whoever was abandoned before a game began.

A person is a subject, where the study knows one, and a session otherwise. A second window of the same person is told
so, and takes the place over if it says that it wants to: in the queue with the time waited so far, in a game the seat,
as a page that was loaded again. Where nobody sits before the first window any more, nobody needs to be asked.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pycore.relay.fields import Refused
from pycore.relay.games.connections import Connection
from pycore.relay.games.games import Games
from pycore.relay.games.payloads import Join
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import Mailbox, PlayerId, Seat, digest
from pycore.relay.limits import Limits
from pycore.relay.people.door import Door
from pycore.relay.people.recruiting import Recruiting
from pycore.relay.people.waiting import Group, WaitingRoom
from pycore.relay.settings import who_plays
from pycore.relay.transport.outgoing import Outgoing
from pycore.relay.turn import Turn
from pycore.settings import Settings

HERE_ALREADY: Final = "you are here already, in another window; go on there, or take your place over"
ABANDONED: Final = "other_left"
"""Of whoever waits: the game that was to begin did not, since another player went."""
ELSEWHERE: Final = "elsewhere"
"""In the answer to who joins: another process has the waiting room, and is to be asked; no page is told that."""


class Pairing:
    """Of one relay."""

    def __init__(
        self,
        *,
        players: Sequence[PlayerId],
        settings: Mapping[str, Any],
        limits: Limits,
        turn: Turn | None,
        seed: int | None,
        recruiting: Recruiting,
        games: Games,
        replace: Callable[[Connection], list[Outgoing]],
        holder: Callable[[Seat], Connection | None],
        door: Door,
    ) -> None:
        """`replace` closes a connection in whose place another one came; `holder` is whoever sits in a seat. While the
        `door` is closed no game begins."""
        self._everybody = list(players)
        self._players, self._sent = who_plays(settings, players)
        """Who waits and plays here: for the others policies play, in the pages."""
        self.settings = settings
        """Of the games that begin."""
        self._return_within = Settings.of(settings).return_within
        self._limits = limits
        self._turn = turn
        self._seed = seed
        self._games = games
        self._replace = replace
        self._holder = holder
        self._door = door
        self.recruiting = recruiting
        self.waiting = WaitingRoom(len(self._players), limits, recruiting)
        self._is_here: Callable[[], bool] = lambda: True

    @property
    def is_here(self) -> bool:
        """Whether people wait here: of several processes one has the waiting room."""
        return self._is_here()

    def waits_where(self, is_here: Callable[[], bool]) -> None:
        """There are several processes, and this says whether the waiting room is here."""
        self._is_here = is_here

    # Places

    def take_place(self, connection: Connection, wish: Join, now: float, wall: float) -> list[Outgoing]:
        """Have the person's other place, in the queue or in a game, be this connection's. Raises `Refused` where
        somebody may sit before the other window, and this one does not say that it takes over."""
        place = self._games.of_subject(connection.subject_id, connection.session)
        others = self.waiting.others_of(connection)
        there = [other for other in others if other.session_id != connection.session_id]
        if not wish.take_over and (there or (place is not None and place[1].sid is not None)):
            raise Refused("elsewhere", HERE_ALREADY)
        out: list[Outgoing] = []
        for other in others:
            self.waiting.take_over(other, connection)
            out += self._replace(other)
        if place is None:
            return out
        room, seat = place
        self.waiting.leave(connection.sid)
        if room.return_within:
            self._games.give(seat, connection.session)
            return out
        holder = self._holder(seat)
        if holder is not None:
            out += self._replace(holder)
        return out + self._games.leave(room, seat, now, wall)

    def enter(self, connection: Connection, group: str | None, since: float | None, now: float) -> None:
        """Into the queue, for who is not there. Raises `Refused` where no game can begin."""
        if self.waiting.lacks_one and not self.waiting.has(connection.sid):
            self._games.make_room()
        self.waiting.enter(connection, now, since, group, None if since is None else ABANDONED)

    def wait_elsewhere(
        self, connection: Connection, since: float | None, now: float, wall: float
    ) -> tuple[dict[str, Any], list[Outgoing]]:
        """Another process has the waiting room: the answer that says so, and for how long somebody has waited who was
        abandoned. Nothing of the session is here any more."""
        self.waiting.leave(connection.sid)
        place = self._games.place(connection.session)
        out = [] if place is None else self._games.leave(*place, now, wall)
        return {"status": "ok", "state": ELSEWHERE, "waited_s": None if since is None else now - since}, out

    def abandoned(
        self, connection: Connection, session: str, game_id: str, now: float, wall: float
    ) -> tuple[float | None, list[Outgoing]]:
        """A page says that a game did not begin for it: since when it waited for that one, if a partner is to blame
        and nothing of the game is known here; it is in it no more."""
        room = self._games.room(game_id)
        seat = None if room is None else room.owner(digest(session))
        if room is None or seat is None or seat.gone:
            return None, []
        since = seat.since if _is_abandoned(room, seat, now) else None
        if connection.seat is seat:
            connection.room = connection.seat = None
        return since, self._games.leave(room, seat, now, wall)

    # Games

    def begin(self, now: float, wall: float) -> list[Outgoing]:
        """Whatever can begin."""
        closed = self._door.refusal() is not None
        changes = self.waiting.pair(now, 0 if closed else self._games.free)
        out = changes.out
        for group in changes.groups:
            out += self._start(group, now, wall)
        return out + self.waiting.tell(now) if out else []

    def turn_of(self, room: Room, seat: Seat, wall: float) -> dict[str, Any] | None:
        """Credentials of a seat for the study's TURN server."""
        return None if self._turn is None else self._turn.config(f"{room.game_id}-{seat.player}", wall)

    def _start(self, group: Group, now: float, wall: float) -> list[Outgoing]:
        self._games.make_room()
        seats = []
        for player, connection, since in zip(self._players, group.members, group.since, strict=True):
            session = connection.session or digest(secrets.token_urlsafe(24))
            whose = connection.subject_id, connection.sid
            seat = Seat(player, session, *whose, Mailbox(self._limits), connection.page)
            seat.since, seat.waited_s = since, now - since
            seats.append(seat)
        seed = secrets.randbelow(2**32) if self._seed is None else self._seed
        room = Room(
            uuid.uuid4().hex, seed, seats, self._limits, wall, self._everybody, self._sent, self.settings,
            self._return_within,
        )  # fmt: skip
        self._games.begin(room)
        for seat, connection in zip(seats, group.members, strict=True):
            connection.room, connection.seat = room, seat
        return room.start({str(seat.player): self.turn_of(room, seat, wall) for seat in seats})


def _is_abandoned(room: Room, seat: Seat, now: float) -> bool:
    """Whether another player went, or is away, before anything of this one's game was sent or stored here."""
    nothing = not (seat.gone or seat.has_begun or room.is_finished(seat))
    others = [other for other in room.seats if other is not seat]
    return nothing and any(other.gone or other.away_since(now) is not None for other in others)
