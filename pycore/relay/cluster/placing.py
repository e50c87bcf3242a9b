"""Where a new game is: with the process that has most of its sockets, so that most of what it sends goes straight.

The process with the waiting room pairs. A game whose sockets are mostly another one's is handed over before anybody is
told of it: its rows, who sits where, and what was to be said first. The other process says it, and owns the game.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Final, NamedTuple

from pycore.relay.cluster import lobbies
from pycore.relay.cluster.gateway import Gateway
from pycore.relay.cluster.guests import Guests
from pycore.relay.cluster.names import guest, of
from pycore.relay.cluster.ways import Item, Ways
from pycore.relay.games.rooms import Room
from pycore.relay.server import RelayServer
from pycore.relay.storage.written import Written, game_row, room_of, seat_rows
from pycore.relay.transport.outgoing import Outgoing

log = logging.getLogger("pycore.relay")

WENT_S: Final = 3.0
"""How long a game may take to be known to the process that it went to."""


class Went(NamedTuple):
    """A game was handed over."""

    process: str
    game_id: str
    until: float


class Placing:
    """New games of one process. `living` are the processes that live."""

    def __init__(self, relay: RelayServer, ways: Ways, gateway: Gateway, guests: Guests) -> None:
        self._relay = relay
        self._ways = ways
        self._gateway = gateway
        self._guests = guests
        self._known: set[str] = set()
        self._went: dict[str, Went] = {}
        """By subject: where its game went, as long as that process may not know it yet."""
        self.living: set[str] = set()

    def places(self, out: list[Outgoing]) -> list[Outgoing]:
        """What is to be sent, but for games that are another process's."""
        if not any(item.event == "start_game" for item in out):
            return out
        for room in self._relay.lobby.games.playing():
            if room.game_id in self._known:
                continue
            self._known.add(room.game_id)
            process = self._best(room) if not room.restarts else ""
            if process:
                out = self._hands_over(room, process, out)
        return out

    def went(self, subject: str, now: float) -> Went | None:
        """Where a subject's game went just now; None: none did, or it is known to have arrived."""
        went = self._went.get(subject)
        return went if went is not None and now < went.until else None

    def arrived(self, subject: str) -> None:
        """The process to which a subject's game went has it, or has had it."""
        self._went.pop(subject, None)

    def keeps(self, names: set[str]) -> None:
        """Of all other games nothing is to be known any more."""
        self._known &= names
        now = time.monotonic()
        self._went = {subject: went for subject, went in self._went.items() if now < went.until}

    def _best(self, room: Room) -> str:
        """The process with most of the sockets; this one, empty, if none has more."""
        counts = Counter(of(seat.sid or "")[1] for seat in room.seats)
        most = max(counts.values())
        if counts[""] == most:
            return ""
        return min((name for name, count in counts.items() if count == most and name in self.living), default="")

    def _hands_over(self, room: Room, process: str, out: list[Outgoing]) -> list[Outgoing]:
        here = {seat.sid for seat in room.seats if seat.sid is not None}
        names = {sid: self._named(sid, process) for sid in here}
        who = lobbies.presented(self._relay.lobby, here)
        self._ways.send(
            process,
            {
                "t": "adopt", "game": game_row(room), "seats": seat_rows(room),
                "at": {str(seat.player): names.get(seat.sid or "") for seat in room.seats},
                "who": {names[sid]: whom for sid, whom in who.items()},
                "out": [[names[item.sid], item.event, item.data] for item in out if item.sid in here],
            },
        )  # fmt: skip
        went = Went(process, room.game_id, time.monotonic() + WENT_S)
        self._went |= {seat.subject_id: went for seat in room.seats if seat.subject_id is not None}
        self._relay.lobby.games.drop(room)
        self._known.discard(room.game_id)
        for sid in here:
            self._guests.leaves(sid)
        return [item for item in out if item.sid not in here]

    def _named(self, sid: str, process: str) -> str:
        """What a socket is called there."""
        name, whose = of(sid)
        return name if whose == process else guest(name, whose or self._ways.process)

    def adopts(self, process: str, item: Item) -> None:
        """A game that another process has paired: it begins here."""
        now = time.monotonic()
        try:
            room = room_of(Written(item["game"], item["seats"], {}, []), self._relay.limits, now, taken=False)
            self._begins(process, item, room, now)
        except Exception:
            log.exception("a game of process %s cannot begin here", process[:8])
            for sid in item["who"]:
                self._guests.is_lost(sid) if of(sid)[1] else self._gateway.lost(sid, None)

    def _begins(self, process: str, item: Item, room: Room, now: float) -> None:
        lobby = self._relay.lobby
        for sid, whom in item["who"].items():
            name, whose = of(sid)
            if whose:
                self._guests.leaves(sid)
                lobby.connect(sid, {}, now)
                self._guests.comes(sid)
                self._ways.send(whose, {"t": "home", "s": name, "from": process})
            elif sid in self._gateway:
                self._gateway.comes(sid)
            lobbies.presents(lobby, sid, *whom)
        self._known.add(room.game_id)
        lobbies.seat(lobby, room, {player: sid for player, sid in item["at"].items() if sid}, now)
        self._relay.put([Outgoing(sid, event, data) for sid, event, data in item["out"]])
