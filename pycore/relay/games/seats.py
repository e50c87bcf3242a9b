"""A player's place in a game as the server keeps it, and what waits for it while its socket is away."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

from pycore.relay.limits import Limits

PlayerId = int | str
UNHEARD_S = 8.0
"""A socket of which nothing was heard for so long is taken to be away, although nobody closed it: a page asks for the
time every two seconds, and a network that is gone closes nothing. It may be wrong: who is heard otherwise stays."""


def digest(secret: str) -> str:
    """What the relay remembers of a secret, and the database keeps: enough to know it again."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def pseudonym(game_id: str, player: PlayerId) -> str:
    """What a player of one game is called to the others: made of nothing that is of a person, and another one in each
    game."""
    return f"p-{digest(f'{game_id} {player}')[:8]}"


class Mailbox:
    """What waits for a player whose socket is being replaced: bounded, the oldest goes first."""

    __slots__ = ("_events", "_limits", "_size", "lost")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._events: deque[tuple[str, dict[str, Any], int]] = deque()
        self._size = 0
        self.lost = 0

    def put(self, event: str, data: dict[str, Any]) -> None:
        """Keep an event; what does not fit pushes out the oldest."""
        size = len(json.dumps(data))
        self._events.append((event, data, size))
        self._size += size
        while len(self._events) > self._limits.mailbox_events or self._size > self._limits.mailbox_bytes:
            self._size -= self._events.popleft()[2]
            self.lost += 1

    def empty(self) -> list[tuple[str, dict[str, Any]]]:
        """Everything kept, in order; afterwards nothing is."""
        events = [(event, data) for event, data, _ in self._events]
        self._events.clear()
        self._size = 0
        return events


@dataclass(slots=True, eq=False)
class Seat:
    """A player's place in a room."""

    player: PlayerId
    session: str
    """The digest of its player's secret."""
    subject_id: str | None
    sid: str | None
    mailbox: Mailbox
    page: str | None = None
    """By what the load of its page is known that has it, a digest: the same one connects again, another one returns."""
    loads: int = 0
    """How often its page was loaded again in this game: the number of the newest load."""
    load: int = 0
    """Which load of its page has it: the newest one that came, also where a later number was promised and never asked
    for."""
    promised: int = 0
    """The highest number of a load that its page may have been given: it is written down before a page is told."""
    told: str | None = None
    """The socket that was sent the beginning of the game last."""
    absent_since: float | None = None
    announced: bool = False
    """The others were told that it is away."""
    gone: bool = False
    lost: bool = False
    """It is gone since its socket was away for too long: whoever still hears it peer-to-peer may play on with it."""
    farewell: tuple[str, dict[str, Any]] | None = None
    """How the others were told that it is gone: whoever returns is told as well."""
    complaints: dict[PlayerId, float] = field(default_factory=dict)
    """When the others said last that they do not hear of this player, by player."""
    former: set[str] = field(default_factory=set)
    """Sessions that had it before, by their digests: another window of the same person took it over."""
    since: float | None = None
    """When its player began to wait for the game, s on the lobby's clock."""
    waited_s: float = 0.0
    """For how long."""
    outcome: str | None = None
    """What the game came to for its player; None: nobody can say yet."""
    inputs: int = 0
    stored_bytes: int = 0
    played: bool = False
    """Its page has sent something of what was played, to be stored,"""
    stored: bool = False
    """and the database has some of it."""
    heard_at: float | None = None
    """When an event of its page came last."""

    @property
    def is_connected(self) -> bool:
        """Whether it is there: a page of who is gone may stand open still."""
        return self.sid is not None and not self.gone

    @property
    def has_begun(self) -> bool:
        """Whether its page has played, as far as this server sees it."""
        return bool(self.inputs or self.played)

    @property
    def interrupted(self) -> bool:
        """Whether the others play on without it, and it may come back."""
        return self.farewell is not None and not self.gone

    def is_newest(self, load: int | None) -> bool:
        """Whether what a load of its page says of the end of the session counts, as `storage.ends` has it: none that
        came since plays on. None: it does not say which one it is."""
        return load is None or load >= self.load

    def stood(self, seconds: float, now: float) -> None:
        """The server stood for so long: nobody could be heard or come back meanwhile."""
        if self.heard_at is not None:
            self.heard_at = min(now, self.heard_at + seconds)
        if self.absent_since is not None:
            self.absent_since = min(now, self.absent_since + seconds)

    def away_since(self, now: float) -> float | None:
        """Since when it has no socket, or one that says nothing; None: it has one."""
        if self.sid is None:
            return self.absent_since
        return self.heard_at if self.heard_at is not None and now - self.heard_at >= UNHEARD_S else None


class LateSeats:
    """Seats of games that are not remembered, for which something was stored all the same: their bounds."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._seats: OrderedDict[tuple[str, str], Seat] = OrderedDict()

    def of(self, game_id: str, player: str, session: str) -> Seat:
        """The seat of a player; the one that was asked for least lately is forgotten first."""
        seats = self._seats
        seat = seats.pop((game_id, player), None)
        seat = seat or Seat(player, digest(session), None, None, Mailbox(self._limits), gone=True)
        seats[game_id, player] = seat
        if len(seats) > self._limits.rooms:
            seats.popitem(last=False)
        return seat
