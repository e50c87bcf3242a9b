"""The games of this process: the rooms that are remembered, and which session has which seat.

A session has one place, which is its seat in the newest game of it that is not over. A room that is over stays for a
while, since what is stored comes late; it gives its sessions free.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable

from pycore.relay.fields import Refused
from pycore.relay.games.connections import Connection
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import Seat, digest
from pycore.relay.limits import Limits
from pycore.relay.transport.outgoing import Outgoing


class Games:
    """All rooms of one relay."""

    def __init__(self, limits: Limits, forgotten: Callable[[Room], None]) -> None:
        """`forgotten` is told of a room that is no longer remembered."""
        self._limits = limits
        self._forgotten = forgotten
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._live: dict[str, tuple[Room, Seat]] = {}
        """Seats by session, a digest, where the game is not over."""
        self._lost: dict[str, tuple[Room, Seat]] = {}
        """Those of them whose sockets were away for too long, while the game is remembered."""
        self.last_number = 0
        """The number of the game that began last, as far as it is known here."""

    def __len__(self) -> int:
        return len(self._rooms)

    def room(self, game_id: str) -> Room | None:
        """A game that is still remembered."""
        return self._rooms.get(game_id)

    def playing(self) -> list[Room]:
        """The games that are not over, the oldest first: pages of those that have finished stand open still."""
        return [room for room in self._rooms.values() if not room.over]

    def known(self) -> list[Room]:
        """Those that are remembered, the oldest first."""
        return list(self._rooms.values())

    def going(self) -> int:
        """How many games somebody plays: pages of one that has finished may stand open for hours."""
        return sum(room.ended_wall is None for room in self._rooms.values())

    def take_changed(self) -> list[Room]:
        """Games of which something has changed since the last time that is to be written down."""
        return [room for room in self._rooms.values() if room.take_changed()]

    # Sessions

    def place(self, session: str) -> tuple[Room, Seat] | None:
        """The seat of a session, by its digest, in a game that goes on for it."""
        place = self._live.get(session)
        return None if place is None or place[1].gone else place

    def own(self, session: str, subject: str | None) -> tuple[Room, Seat] | None:
        """The seat of a session, a digest, unless another subject is before that tab now than the one that has it."""
        place = self.place(session)
        return None if place is None or _is_anothers(place[1], subject) else place

    def returns(self, session: str, subject: str | None, game_id: str | None) -> tuple[Room, Seat] | None:
        """The seat of a session, a digest, for its page that was loaded again, in that game if it asks for one. Where
        another subject is before that tab now, it is the last one's, who may come back elsewhere: it is kept for that.
        """
        place = self.place(session)
        if place is None or not place[0].return_within:
            return None
        room, seat = place
        if _is_anothers(seat, subject):
            self.give(seat, digest(secrets.token_urlsafe(24)))
            return None
        return place if game_id in (None, room.game_id) else None

    def take_back(
        self, session: str, page: str | None, holder: Callable[[Seat], Connection | None]
    ) -> tuple[Room, Seat] | None:
        """The seat of a session (a digest) that was lost, for the same load of its page, if another player is still in
        that game: who hears it by a channel has played on with it, and says nothing of it here."""
        room, seat = self._lost.get(session, (None, None))
        if room is None or seat is None or session in self._live or page not in (None, seat.page):
            return None
        others = [other for other in room.seats if not other.gone and not room.is_finished(other)]
        others = [other for other in others if (found := holder(other)) is not None and found.room is room]
        if not others or room.is_finished(seat):
            return None
        del self._lost[session]
        room.take_back(seat)
        for one in (seat, *others):
            self._live.setdefault(one.session, (room, one))
        return room, seat

    def knows(self, session_id: str) -> bool:
        """Whether a session has a seat here in a game that is not over."""
        return digest(session_id) in self._live

    def of_subject(self, subject: str | None, besides: str) -> tuple[Room, Seat] | None:
        """The seat of a subject under another session than that (a digest), in a game that goes on for it."""
        if subject is None:
            return None
        for session, (room, seat) in self._live.items():
            if seat.subject_id == subject and session != besides and not seat.gone and not room.is_finished(seat):
                return room, seat
        return None

    def promise(self, session: str, page: str | None, subject: str | None) -> Room | None:
        """A page is about to ask for the seat of its session (digests both) or subject, as another load than the one
        that had it: the number that it will be given is promised. The room, which is to be written down before that is
        done; None: none is new."""
        place = self.own(session, subject)
        if place is not None and page in (None, place[1].page):
            return None
        room, seat = place or self.of_subject(subject, session) or (None, None)
        if room is None or seat is None or not room.return_within or seat.promised > seat.loads:
            return None
        seat.promised = seat.loads + 1
        room.note_change()
        return room

    def give(self, seat: Seat, session: str) -> None:
        """A seat is another session's from now on, by its digest; what the one before still stores is taken."""
        place = self._live.pop(seat.session)
        seat.former.add(seat.session)
        seat.session = session
        self._live[session] = place
        place[0].note_change()

    @property
    def free(self) -> int:
        """How many games can begin."""
        return self._limits.rooms - len(self.playing())

    # Begin and end

    def begin(self, room: Room) -> None:
        """A new game: whoever sits in it sits nowhere else."""
        self.last_number = room.number = max(self.last_number + 1, int(1000 * room.started_wall))
        self._rooms[room.game_id] = room
        for seat in room.seats:
            self._live[seat.session] = (room, seat)

    def take_up(self, room: Room) -> None:
        """A game that another process had, as the database knows it and nobody here; its seats wait for their sessions.
        `Limits.rooms` does not bound them, since these people play."""
        self._rooms[room.game_id] = room
        self.last_number = max(self.last_number, room.number)
        for seat in room.seats:
            if not seat.gone:
                self._live.setdefault(seat.session, (room, seat))

    def drop(self, room: Room) -> None:
        """A game is another process's: nothing of it is known here any more, and nobody is told."""
        self._rooms.pop(room.game_id, None)
        for seat in room.seats:
            self._release(seat)
            self._give_up(seat)
        self._forgotten(room)

    def make_room(self) -> None:
        """For one more: the oldest that is over is forgotten, if there are too many. Raises `Refused`, for the moment:
        a place may become free at any time."""
        if len(self._rooms) < self._limits.rooms:
            return
        for game_id, room in self._rooms.items():
            if room.over:
                self._forget(game_id)
                return
        again_ms = round(1000 * self._limits.again_s)
        raise Refused("server_full", f"{self._limits.rooms} games are going on; ask again", again_ms)

    def leave(self, room: Room, seat: Seat, now: float, wall: float) -> list[Outgoing]:
        """A player leaves for good."""
        out = room.leave(seat, now, wall, f"Player {seat.player} left the game.")
        self._release(seat)
        self._note_end(room)
        return out

    def stood(self, seconds: float, now: float) -> None:
        """The server stood for so long: that is nobody's time."""
        for room in self.playing():
            for seat in room.seats:
                seat.stood(seconds, now)

    def tick(self, now: float, wall: float) -> list[Outgoing]:
        """What time alone brings to games: ends of grace, and of remembering."""
        out = [item for room in self.playing() for item in room.look(now, wall)]
        for room, seat in [place for place in self._live.values() if place[1].gone]:
            self._release(seat)
            if seat.lost:
                self._lost[seat.session] = room, seat
            self._note_end(room)
        for game_id, room in list(self._rooms.items()):
            if room.ended_at is not None and now - room.ended_at >= self._limits.retention_s:
                self._forget(game_id)
        return out

    def _note_end(self, room: Room) -> None:
        # Who stayed to the end keeps socket and seat, so as to store; the session is free again.
        if room.over and not room.end_noted:
            room.end_noted = True
            for seat in room.seats:
                self._release(seat)

    def _forget(self, game_id: str) -> None:
        room = self._rooms.pop(game_id)
        for seat in room.seats:
            self._give_up(seat)
        self._forgotten(room)

    def _give_up(self, seat: Seat) -> None:
        # The session may have been lost in a newer game since.
        if self._lost.get(seat.session, (None, None))[1] is seat:
            del self._lost[seat.session]

    def _release(self, seat: Seat) -> None:
        # The session may sit in a newer game by now.
        if self._live.get(seat.session, (None, None))[1] is seat:
            del self._live[seat.session]


def _is_anothers(seat: Seat, subject: str | None) -> bool:
    return None not in (subject, seat.subject_id) and subject != seat.subject_id
