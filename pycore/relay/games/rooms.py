"""One game's state on the server: seats, who sits on them, what crossed it, and when it is over.

A `Room` is told what happened and answers with what to send; it emits nothing, reads no clock and takes no lock.

Invariants:
- A seat belongs to a session id, which is a secret of its player and is never sent to anybody else; here is its digest.
- A seat is bound to at most one socket. While it has none, what is meant for it waits, in order.
- A page that was loaded again is another one: it gets the seat with the events of the start, and nothing of what waited
  for the load before. Where pages may return, the others are told who is away, and who is there again.
- A seat that is gone (left, or its grace is over, or it was dropped) never comes back, and everybody else was told so
  once, behind its last input. Nothing of it is passed on afterwards.
- Of three and more a seat is dropped, in the order in which the others complain of its silence, when its socket is away
  or more than half of the others complain. Two never drop each other.
- Where a study lets the others play on while somebody is only interrupted, that one is dropped at once, also of two,
  and its seat kept for another load of its page. Until then nobody is dropped by its word, so that one alone plays on.
- A room that another process had is taken up with nobody in it: everybody is told that the others are away, until they
  are there. What waited in that process is lost; of who was gone all are told anew.
- Its game is finished when everybody who is not gone has stored the end of the session; who may return is not gone, and
  who is back as another load of its page has not stored it, unless what it came to before lasts. It stays finished,
  whoever comes then.
- The room is over when fewer than two seats are left. Then nothing is relayed any more; it only keeps count
  and knows its members, for the metrics that come late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pycore.relay.fields import Refused
from pycore.relay.games.beginning import beginning
from pycore.relay.games.outcomes import FAILED, LASTING
from pycore.relay.games.payloads import Action, Signal
from pycore.relay.games.seats import PlayerId, Seat
from pycore.relay.limits import Limits
from pycore.relay.transport.outgoing import Outgoing
from pycore.settings import ON_INTERRUPT

COMPLAINT_S = 5.0
"""How long a complaint counts; a page that still does not hear somebody complains every second."""
ANNOUNCED_AFTER_S = 1.0
"""How long a seat is without a socket before the others are told: a change of network is none of their business, and of
a silence they make something after two seconds at the earliest."""


@dataclass(slots=True, eq=False)
class Room:
    """One game."""

    game_id: str
    seed: int
    seats: Sequence[Seat]
    limits: Limits
    started_wall: float
    everybody: Sequence[PlayerId] = ()
    """All players in the order of the game, those among them for whom policies play in the pages, and who have no seat
    here; empty: those of the seats."""
    sent: Sequence[PlayerId] = ()
    """Players whose inputs the first seat sends besides its own: policies that one page computes."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those of its study when it began: a page that comes back gets the same, whatever the study has since."""
    return_within: float = 0.0
    """For how long a seat waits for its page, s; 0: a page that is loaded again does not come back."""
    restarts: int = 0
    """How often another process has taken it up."""
    number: int = 0
    """Grows from game to game, whatever the clock says; 0: it has none yet."""
    ended_at: float | None = None
    ended_wall: float | None = None
    """When it ended for everybody who was not gone, or fewer than two were left, Unix s: whichever came first."""
    _finished: set[PlayerId] = field(default_factory=set)
    """Whose newest load has stored the metrics of the whole session, which is the last that a page does; or an earlier
    one, and what that came to lasts."""
    end_noted: bool = False
    """The lobby has put the end down."""
    end_written: bool = False
    """The database has had its end; where it has no such game any more, that was removed."""
    resumed: bool = False
    """It was taken for over, and was not."""
    _changed: bool = True
    """Something has changed that another process would have to know."""
    drops: int = 0
    """How often players were dropped for their silence."""
    inputs_relayed: int = 0
    signals_relayed: dict[str, int] = field(default_factory=dict)
    refused: int = 0

    @property
    def reopens(self) -> bool:
        """Whether the others play on while somebody is only interrupted."""
        return bool(self.settings.get("on_interrupt", ON_INTERRUPT[0]) != ON_INTERRUPT[0])

    @property
    def over(self) -> bool:
        """Fewer than two players are left."""
        return self.ended_at is not None

    @property
    def players(self) -> list[PlayerId]:
        """Player ids by seat, those of policies among them."""
        return list(self.everybody) or [seat.player for seat in self.seats]

    def start(self, turn: Mapping[str, dict[str, Any] | None]) -> list[Outgoing]:
        """What everybody is sent at the beginning. `turn`: credentials by str(player), each player's own."""
        return [item for seat in self.seats for item in self._beginning(seat, turn[str(seat.player)])]

    def take_up(self, now: float, finished: Mapping[str, float], counts: Mapping[str, Any]) -> None:
        """The process that had it is gone: nobody is there yet. `finished`: whose sessions are over, and since when,
        Unix s; `counts`: what was counted before, as far as it was written down."""
        self.restarts += 1
        self._changed = True
        self._finished = {seat.player for seat in self.seats if str(seat.player) in finished}
        if finished:
            self._note_finished(max(finished.values()))
        self.inputs_relayed = counts.get("inputs_relayed", 0)
        self.signals_relayed = dict(counts.get("signals_by_type", {}))
        self.refused = counts.get("events_refused", 0)
        for seat in self.seats:
            seat.inputs = counts.get("inputs_by_player", {}).get(str(seat.player), 0)
            if seat.farewell is not None:
                self.drops += seat.farewell[0] == "player_gone"
                self._to_others(seat, *seat.farewell)
        for seat in self.seats:
            if not seat.gone:
                self.unbind(seat, now)
                self._announce(seat, away=True)

    def take_changed(self) -> bool:
        """Whether there is something to write down since the last time."""
        changed, self._changed = self._changed, False
        return changed

    def _beginning(self, seat: Seat, turn: Mapping[str, Any] | None) -> list[Outgoing]:
        seat.told = seat.sid
        out = [self._to(seat, event, data) for event, data in beginning(self, seat, turn)]
        return [item for item in out if item is not None]

    def owner(self, session: str) -> Seat | None:
        """The seat that belongs to a session, by its digest."""
        for seat in self.seats:
            if session == seat.session or session in seat.former:
                return seat
        return None

    def is_finished(self, seat: Seat) -> bool:
        """Whether the session is over for a player, by what it has stored."""
        return seat.player in self._finished

    def note_change(self) -> None:
        """Something is different that is to be written down."""
        self._changed = True

    def sends_for(self, seat: Seat) -> int:
        """How many players' inputs a seat sends, its own among them."""
        return 1 + (len(self.sent) if seat is self.seats[0] else 0)

    def action(self, seat: Seat, action: Action, wall: float) -> list[Outgoing]:
        """Pass an input on to every other player."""
        sends = seat is self.seats[0] and any(str(player) == str(action.player_id) for player in self.sent)
        self._claim(seat, action.game_id, None if sends else action.player_id)
        seat.inputs += 1
        self.inputs_relayed += 1
        data = {
            "player_id": action.player_id if sends else seat.player, "action": action.action,
            "frame_number": action.frame_number, "timestamp": wall, "sync_epoch": action.sync_epoch,
        }  # fmt: skip
        return self._to_others(seat, "pyodide_other_player_action", data)

    def signal(self, seat: Seat, signal: Signal) -> list[Outgoing]:
        """Pass a signal on to its target alone."""
        self._claim(seat, signal.game_id)
        target = self._seat_of(signal.target_player_id)
        if target is None or target is seat or target.gone:
            what = "yourself" if target is seat else "nobody in this game" if target is None else "gone"
            raise Refused("unknown_target", f"player {signal.target_player_id!r} is {what}")
        self.signals_relayed[signal.type] = self.signals_relayed.get(signal.type, 0) + 1
        data = {"type": signal.type, "from_player_id": seat.player, "game_id": self.game_id, "payload": signal.payload}
        return [item for item in (self._to(target, "webrtc_signal", data),) if item is not None]

    def bind(self, seat: Seat, sid: str, now: float) -> list[Outgoing]:
        """Give a seat a new socket of the same page, and with it everything that waited for it."""
        self._there(seat, sid, now)
        restored = {"game_id": self.game_id, "player_id": seat.player}
        return [
            Outgoing(sid, "session_restored", restored),
            *(Outgoing(sid, event, data) for event, data in seat.mailbox.empty()),
            *self._announce(seat, away=False),
        ]

    def welcome(
        self, seat: Seat, sid: str, page: str | None, turn: Mapping[str, Any] | None, now: float
    ) -> list[Outgoing]:
        """Give a seat to its page, which was loaded again: the events of the start, to it alone, with who is gone or
        away meanwhile. What waited was for the load before."""
        self._there(seat, sid, now)
        seat.mailbox.empty()
        seat.loads += 1
        seat.load = seat.loads
        seat.page = page
        # What the load before had said of its end is the end of nothing; what was played to the end stays so.
        if seat.outcome not in LASTING:
            self._finished.discard(seat.player)
            seat.outcome = None
        if not seat.gone:
            seat.farewell = None
        seat.complaints.clear()
        self._changed = True
        out = self._beginning(seat, turn)
        for other in self.seats:
            if other.farewell is not None:
                out.append(Outgoing(sid, *other.farewell))
            elif other.announced and other is not seat:
                out.append(Outgoing(sid, "player_away", self._away(other)))
        # Also where nobody had noticed: they have another page before them.
        seat.announced = True
        return out + self._announce(seat, away=False)

    def remind(self, seat: Seat, turn: Mapping[str, Any] | None) -> list[Outgoing]:
        """The events of the start for who asks for a game and has this one: the socket that they went to may have been
        dead, and the process that sent them may have ended. Where it plays, and by the same socket, asking changes
        nothing."""
        return self._beginning(seat, turn) if self.restarts or (seat.told != seat.sid and not seat.has_begun) else []

    def _there(self, seat: Seat, sid: str, now: float) -> None:
        seat.sid = sid
        seat.absent_since = None
        seat.heard_at = now

    def unbind(self, seat: Seat, now: float) -> None:
        """The seat's socket is gone; its grace begins."""
        seat.sid = None
        seat.absent_since = now

    def goes(self, seat: Seat) -> list[Outgoing]:
        """Its page has said that it goes: the others are told at once, where it may return."""
        return self._announce(seat, away=True)

    @property
    def kept_s(self) -> float:
        """For how long a seat without a socket is kept, s."""
        return self.return_within or self.limits.grace_s

    def kept_until(self, seat: Seat, now: float) -> float | None:
        """Until when a seat is kept that is away; None: it is there, or gone."""
        since = seat.away_since(now)
        return None if seat.gone or since is None else since + self.kept_s

    def _announce(self, seat: Seat, *, away: bool) -> list[Outgoing]:
        """Tell the others that somebody is away and may return, or is there again; each once."""
        if seat.announced is away or not self.return_within:
            return []
        seat.announced = away
        if away:
            return self._to_others(seat, "player_away", self._away(seat))
        return self._to_others(seat, "player_back", {"game_id": self.game_id, "player_id": seat.player})

    def _away(self, seat: Seat) -> dict[str, Any]:
        return {"game_id": self.game_id, "player_id": seat.player, "return_within": self.return_within}

    def leave(self, seat: Seat, now: float, wall: float, message: str) -> list[Outgoing]:
        """A player is gone for good: the others are told."""
        if seat.gone:
            return []
        farewell = {"message": message, "player_id": seat.player}
        out = self._to_others(seat, "end_game", farewell)
        self._end_seat(seat, ("end_game", farewell), now, wall)
        return out

    def take_back(self, seat: Seat) -> None:
        """Somebody who was lost is back, and others have played on with it."""
        seat.gone = seat.lost = self.end_noted = False
        seat.farewell = seat.outcome = self.ended_at = self.ended_wall = None
        self.resumed = self._changed = True

    def silent(self, seat: Seat, game_id: str, player: PlayerId, now: float, wall: float) -> list[Outgoing]:
        """A player does not hear of another one on any path: that one is dropped if its socket is away, or if most of
        the others do not hear of it either. Everybody is told, and the dropped one too, if it can be reached. Who is
        away and may return is kept until then."""
        self._claim(seat, game_id)
        target = self._seat_of(player)
        if target is None or target is seat:
            raise Refused(
                "unknown_target", f"player {player!r} is {'nobody in this game' if target is None else 'you'}"
            )
        if seat.interrupted and seat.farewell is not None:
            # It was dropped itself, and has not heard of it.
            return [item for item in (self._to(seat, *seat.farewell),) if item is not None]
        there = [other for other in self.seats if not other.gone and not other.interrupted]
        away = target.away_since(now) is not None
        if target not in there or len(there) < (2 if self.reopens and away else 3):
            return []
        target.complaints[seat.player] = now
        others = [other for other in there if other is not target]
        agree = sum(now - target.complaints.get(other.player, -1e9) < COMPLAINT_S for other in others)
        if (not away if self.reopens else target.sid is not None) and 2 * agree <= len(others):
            return []
        until = self.kept_until(target, now) if self.return_within and not self.reopens else None
        if until is not None and now < until:
            return []
        self.drops += 1
        gone = {"game_id": self.game_id, "round": self.drops, "players": [target.player]}
        out = [item for item in (self._to(other, "player_gone", gone) for other in there) if item is not None]
        if self.reopens:
            target.farewell = "player_gone", gone
        else:
            self._end_seat(target, ("player_gone", gone), now, wall)
        return out

    def _end_seat(self, seat: Seat, farewell: tuple[str, dict[str, Any]], now: float, wall: float) -> None:
        seat.gone = True
        seat.outcome = seat.outcome or FAILED
        seat.farewell = farewell
        seat.mailbox.empty()
        self._changed = True
        if not self.over and sum(not other.gone for other in self.seats) < 2:
            self.ended_at = now
            self.ended_wall = self.ended_wall or wall
        self._note_finished(wall)

    def finish(self, player: PlayerId, wall: float, load: int | None = None) -> bool:
        """A player's session is over, as this load of its page says; returns whether the game now is. Sockets and seats
        stay: pages may have something to store yet, and may stand open for hours."""
        seat = self._seat_of(player)
        if seat is not None and not seat.is_newest(load) and seat.outcome not in LASTING:
            return False
        self._finished.add(player)
        return self._note_finished(wall)

    def _note_finished(self, wall: float) -> bool:
        """Look whether it is over for everybody now. Who is gone stores its end or does not; nobody waits for it."""
        if self.ended_wall is not None or not all(seat.gone or self.is_finished(seat) for seat in self.seats):
            return False
        self.ended_wall = wall
        self._changed = True
        return True

    def look(self, now: float, wall: float) -> list[Outgoing]:
        """What time brings: the others are told who is away and who is there again; seats whose time is over are
        gone."""
        out: list[Outgoing] = []
        for seat in self.seats:
            if seat.gone:
                continue
            since = seat.away_since(now)
            if since is None:
                out += self._announce(seat, away=False)
            elif seat.sid is None and now - since >= self.kept_s:
                seat.lost = not self.reopens
                out += self.leave(seat, now, wall, f"Player {seat.player} lost the connection.")
            elif now - since >= ANNOUNCED_AFTER_S:
                out += self._announce(seat, away=True)
        return out

    def counts(self) -> dict[str, Any]:
        """What `GET /api/games/<game_id>` says, the stored parts excepted."""
        return {
            "game_id": self.game_id,
            "state": "over" if self.over else "playing",
            "players": self.players,
            "connected": [seat.player for seat in self.seats if seat.is_connected],
            "inputs_relayed": self.inputs_relayed,
            "inputs_by_player": {str(seat.player): seat.inputs for seat in self.seats},
            "signals_relayed": sum(self.signals_relayed.values()),
            "signals_by_type": dict(self.signals_relayed),
            "events_refused": self.refused,
            "events_lost_in_absence": sum(seat.mailbox.lost for seat in self.seats),
            "restarts": self.restarts,
        }

    def check_claim(self, seat: Seat, game_id: str, player_id: PlayerId) -> None:
        """Raises `Refused` unless the seat is what the sender says it is; ended games included."""
        if game_id != self.game_id:
            raise Refused("foreign_room", "that is not the game you are in")
        # Object keys turn numbers into strings in JavaScript; as text, ids are still unique.
        if str(player_id) != str(seat.player):
            raise Refused("not_your_seat", f"you are player {seat.player!r}, not {player_id!r}")

    def _claim(self, seat: Seat, game_id: str, player_id: PlayerId | None = None) -> None:
        self.check_claim(seat, game_id, seat.player if player_id is None else player_id)
        if seat.gone:
            raise Refused("not_in_game", "you left this game")

    def _seat_of(self, player: PlayerId) -> Seat | None:
        for seat in self.seats:
            if str(seat.player) == str(player):
                return seat
        return None

    def _to_others(self, sender: Seat, event: str, data: dict[str, Any]) -> list[Outgoing]:
        out = (self._to(seat, event, data) for seat in self.seats if seat is not sender)
        return [item for item in out if item is not None]

    def _to(self, seat: Seat, event: str, data: dict[str, Any]) -> Outgoing | None:
        if seat.gone:
            return None
        if seat.sid is None:
            seat.mailbox.put(event, data)
            return None
        return Outgoing(seat.sid, event, data)
