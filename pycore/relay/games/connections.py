"""A socket as the relay knows it."""

from __future__ import annotations

from typing import Any

from pycore.relay.fields import Refused
from pycore.relay.games.outcomes import person_of
from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import Seat, digest
from pycore.relay.games.uploads import Store
from pycore.relay.limits import Limits, TokenBucket
from pycore.relay.transport.outgoing import DISCONNECT, Outgoing, error_to, refusal_to


class Connection:
    """One socket: its session, its place, and what it may still send."""

    __slots__ = (
        "errors", "inputs", "others", "page", "patience", "pending_stores", "query", "room", "seat", "session_id",
        "sid", "signal_bytes", "signals", "store_bytes", "stores", "subject_id", "waiting_since",
    )  # fmt: skip

    def __init__(self, sid: str, limits: Limits) -> None:
        self.sid = sid
        self.session_id: str | None = None
        self.page: str | None = None
        """A digest, as a seat has it."""
        self.subject_id: str | None = None
        self.query = ""
        """What its page's address has behind the question mark."""
        self.waiting_since: float | None = None
        self.room: Room | None = None
        self.seat: Seat | None = None
        self.pending_stores = 0
        self.inputs = TokenBucket(limits.input_rate, limits.input_burst)
        self.signals = TokenBucket(limits.signal_rate, limits.signal_burst)
        self.signal_bytes = TokenBucket(limits.signal_bytes_rate, limits.signal_bytes_burst)
        self.stores = TokenBucket(limits.store_rate, limits.store_burst)
        self.store_bytes = TokenBucket(limits.store_bytes_rate, limits.store_bytes_burst)
        self.others = TokenBucket(limits.other_rate, limits.other_burst)
        self.errors = TokenBucket(limits.error_rate, limits.error_burst)
        self.patience = TokenBucket(limits.patience_rate, limits.patience_burst)

    @property
    def session(self) -> str:
        """The digest of its session id, by which seats are known; empty: it presented none."""
        return "" if self.session_id is None else digest(self.session_id)

    @property
    def plays(self) -> bool:
        """Whether it has a seat in a game that goes on, and is not out of that."""
        return self.room is not None and not self.room.over and self.seat is not None and not self.seat.gone

    def is_of(self, person: str, session: str) -> bool:
        """Whether it may be somebody's, by its person and by the session of its seat, digests: one that has presented
        nothing may be anybody's."""
        if self.session_id is None and self.subject_id is None:
            return True
        return session == self.session or person in (self.session, person_of(self.subject_id, self.session))

    def may(self, bucket: str, now: float) -> bool:
        """Whether an event that counts there may pass now. Of inputs each player has a rate, whoever sends them: a page
        that computes policies for all sends for several."""
        players = 1 if self.room is None or self.seat is None or bucket != "inputs" else self.room.sends_for(self.seat)
        bound: TokenBucket = getattr(self, bucket)
        return bound.take(now, 1.0 / players)

    def place(self, state: str) -> dict[str, Any]:
        """The acknowledgement of who asked for a place."""
        place: dict[str, Any] = {"status": "ok", "state": state, "session_id": self.session_id}
        if self.room is not None and self.seat is not None:
            place |= {"game_id": self.room.game_id, "player_id": self.seat.player}
        return place

    def refusal(self, refused: Refused, event: str, now: float) -> list[Outgoing]:
        """The error for the sender, as often as one is sent errors; the end of a flood."""
        if self.room is not None:
            self.room.refused += 1
        if not self.patience.take(now):
            return [error_to(self.sid, "flood", "too many refused events", event), Outgoing(self.sid, DISCONNECT, {})]
        if not self.errors.take(now):
            return []
        return [refusal_to(self.sid, refused, event)]

    def session_of(self, store: Store) -> str | None:
        """The session in whose name something is stored: the one presented with it, else the socket's."""
        return self.session_id if store.session_id is None else store.session_id
