"""The waiting room: who waits for a game, in the order of arrival, and what they are told meanwhile."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from pycore.relay.connections import Connection
from pycore.relay.limits import Limits
from pycore.relay.rooms import Outgoing, error_to


class WaitingRoom:
    """Connections that wait, the first to come first."""

    def __init__(self, seats: int, limits: Limits) -> None:
        self._seats = seats
        self._limits = limits
        self._waiting: OrderedDict[str, Connection] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether a game can begin."""
        return len(self._waiting) >= self._seats

    @property
    def lacks_one(self) -> bool:
        """Whether the next to come makes a game."""
        return len(self._waiting) + 1 >= self._seats

    def enter(self, connection: Connection, now: float) -> None:
        """One more; who waits already keeps the place."""
        if connection.sid not in self._waiting:
            connection.waiting_since = now
            self._waiting[connection.sid] = connection

    def leave(self, sid: str) -> bool:
        """Whether that socket waited; it does no more."""
        return self._waiting.pop(sid, None) is not None

    def part(self, session: str, page: str) -> bool:
        """Whether that load of a page waited, both by their digests; it does no more."""
        for sid, connection in self._waiting.items():
            if connection.session == session and connection.page == page:
                return self.leave(sid)
        return False

    def others_of(self, connection: Connection) -> list[Connection]:
        """Who else waits with the same session."""
        return [
            other for other in self._waiting.values()
            if other.session_id == connection.session_id and other is not connection
        ]  # fmt: skip

    def first(self) -> list[Connection]:
        """Those who have waited longest, one for each seat; they wait no more."""
        group = [self._waiting.popitem(last=False)[1] for _ in range(self._seats)]
        for connection in group:
            connection.waiting_since = None
        return group

    def tell(self, now: float) -> list[Outgoing]:
        """How many are there, to everybody who waits, and for how long nobody gives up."""
        present = len(self._waiting)
        out = []
        for connection in self._waiting.values():
            since = now if connection.waiting_since is None else connection.waiting_since
            data: dict[str, Any] = {
                "cur_num_players": present, "players_needed": self._seats - present,
                "ms_remaining": max(0, round(1000 * (since + self._limits.waiting_s - now))),
            }
            out.append(Outgoing(connection.sid, "waiting_room", data))
        return out

    def look(self, now: float) -> list[Outgoing]:
        """Who has waited for too long is told so, and waits no more; the others are told how many are left."""
        late = [
            connection for connection in self._waiting.values()
            if connection.waiting_since is not None and now - connection.waiting_since >= self._limits.waiting_s
        ]  # fmt: skip
        out = []
        for connection in late:
            del self._waiting[connection.sid]
            out.append(error_to(connection.sid, "waited_too_long", "nobody came; join again to go on", "join_game"))
        return out + self.tell(now) if late else out
