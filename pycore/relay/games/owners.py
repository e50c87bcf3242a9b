"""Whose something is that is stored: a seat of a game that goes on, that is over, or that only the database knows."""

from __future__ import annotations

from typing import Any, NamedTuple

from pycore.relay.fields import Refused
from pycore.relay.games.connections import Connection
from pycore.relay.games.games import Games
from pycore.relay.games.outcomes import LASTING, Outcome, person_of
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import LateSeats, Seat, digest
from pycore.relay.games.uploads import Store
from pycore.relay.limits import Limits


class Kept(NamedTuple):
    """A player's seat, as far as what its page says of its end depends on that."""

    load: int
    """Which load of its page has it."""
    dropped_s: float
    """For how long it is kept for another load of its page where the others play on without this one, s; 0: it is not,
    and who was dropped is out of the game."""


class Owners:
    """The seats that may store, and how much each has."""

    def __init__(self, games: Games, limits: Limits) -> None:
        self._games = games
        self._limits = limits
        self._late = LateSeats(limits)

    def of(self, connection: Connection, store: Store) -> Seat:
        """The seat that a store is for: the claimed game must know the socket's session, or the one that the
        payload presents; over or not. Raises `Refused`."""
        room = self._games.room(store.game_id)
        session = connection.session_of(store)
        seat = None if room is None or session is None else room.owner(digest(session))
        if room is None or seat is None:
            raise Refused("foreign_room", "that is not a game of this session")
        room.check_claim(seat, store.game_id, store.player_id)
        self._charge(seat, store)
        return seat

    def late(self, store: Store, player: str, session: str) -> Seat:
        """The seat that a store is for in a game that is not remembered, as the database knows its owner. Raises
        `Refused`."""
        if str(store.player_id) != player:
            raise Refused("not_your_seat", f"you are player {player!r}, not {store.player_id!r}")
        seat = self._late.of(store.game_id, player, session)
        self._charge(seat, store)
        return seat

    def stored_elsewhere(self, game_id: str, player: str, size: int) -> None:
        """A seat has stored something of what was played by another process of the server, bytes."""
        room = self._games.room(game_id)
        for seat in () if room is None else room.seats:
            if str(seat.player) == player:
                seat.stored_bytes += size
                seat.played = seat.stored = True

    def finished(self, game_id: str, seat: Seat, wall: float, load: int | None = None) -> bool:
        """A load of a seat's page has stored what it does when its session is over; whether that was the last of its
        game."""
        room = self._games.room(game_id)
        return room is not None and seat in room.seats and room.finish(seat.player, wall, load)

    def kept(self, game_id: str, player: str) -> Kept | None:
        """A seat as it is kept for its page; None of a game that is not remembered."""
        room = self._games.room(game_id)
        for seat in () if room is None else room.seats:
            if room is not None and str(seat.player) == player:
                return Kept(seat.load, room.return_within if room.reopens and not seat.gone else 0.0)
        return None

    def settings_of(self, game_id: str) -> dict[str, Any] | None:
        """The settings of a game that is remembered."""
        room = self._games.room(game_id)
        return None if room is None else dict(room.settings)

    def came_to(self, game_id: str, seat: Seat, code: str, wall: float) -> Outcome | None:
        """That a game came to this for a seat of it, unless what it came to before lasts; None of a game that is not
        remembered."""
        room = self._games.room(game_id)
        if room is None or seat not in room.seats:
            return None
        if seat.outcome not in LASTING:
            seat.outcome = code
            room.note_change()
        return outcome_for(room, seat, wall)

    def _charge(self, seat: Seat, store: Store) -> None:
        if seat.stored_bytes + store.size > self._limits.stored_bytes:
            raise Refused("too_large", f"one player may store {self._limits.stored_bytes} bytes of a game")
        seat.stored_bytes += store.size
        seat.played = seat.played or store.played


def outcome_for(room: Room, seat: Seat, wall: float) -> Outcome:
    """The outcome of a seat that has one."""
    assert seat.outcome is not None
    person = person_of(seat.subject_id, seat.session)
    return Outcome(person, seat.subject_id, seat.outcome, seat.waited_s, wall, room.game_id, str(seat.player))
