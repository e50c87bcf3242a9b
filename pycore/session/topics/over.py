"""OVER: the sender's session is over, and why.

    u8 bit 0: I know that yours is over too | u8 reason

It is said for `OVER_ASKS` seconds, until the others say the same, and after that to whoever still sends anything: a
peer that was frozen or cut off must not play on against a session that is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.link.link import Link
from pycore.session.topics.topic import OVER, Arrival, fixed_size

OVER_ASKS: Final = 10.0
"""How long a session that is over asks the others whether they know."""
ANSWERS_APART: Final = 0.25
"""Shortest time between two answers to whoever still sends."""
KNOWN: Final = 1

REASONS: Final = (
    "", "complete", "stop", "player_left", "desync", "dropped", "returned", "aborted", "no_progress", "ready_timeout",
    "p2p_timeout", "version", "config", "initial_state", "decode", "error", "partition", "no_return",
    "again",
)  # fmt: skip
"""Codes of reasons; the position is the number that travels. A code of the caller's own travels as `aborted`; `again`
is no end: the page loads itself again, and comes back."""
AGAIN: Final = REASONS.index("again")


def number_of(reason: str) -> int:
    """The number of a reason."""
    return REASONS.index(reason) if reason in REASONS else REASONS.index("aborted")


class Over:
    """Whether our session is over, and whom that must still be told."""

    kind = OVER
    bit = 1 << OVER
    of_session = True

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self.over = False
        self.word = ""
        """Why it is over, for somebody with whom that has nothing to do: what befell us is not said of whoever asks."""
        self._until = 0.0
        self._reasons: dict[int, int] = {}
        self._answered_at: dict[int, float] = {}
        self._gone: set[int] = set()

    def end(self, now: float, reason: str, to_each: dict[int, str] | None = None) -> None:
        """Our session is over, which is said at once. `to_each`: what single peers are told instead, by number."""
        self.over = True
        self.word = "player_left" if reason in ("dropped", "returned") else reason
        self._until = now + OVER_ASKS
        for link in self._links:
            own = (to_each or {}).get(link.peer.number, reason)
            self._reasons[link.peer.number] = number_of(own)
            link.speak(self.bit)
            link.hurry()

    def gone(self, link: Link) -> None:
        """The server calls the peer gone: it would refuse every word to it."""
        self._gone.add(link.peer.number)

    def back(self, link: Link) -> None:
        """The server has a socket of the peer again, of this load of its page or of another one."""
        self._gone.discard(link.peer.number)

    def reaches(self, link: Link) -> bool:
        """Whether the server would take a word to the peer."""
        return link.peer.number not in self._gone

    def silent(self, link: Link, now: float) -> bool:
        """Whether nothing is to be said on a link any more unless it asks."""
        unreachable = not self.reaches(link) and not link.paths.connected
        return self.over and (link.peer.over or unreachable or now > self._until) and not link.flush

    def answer(self, link: Link, now: float) -> bool:
        """A packet came on the link although we are over: whether it is to be answered now."""
        if now - self._answered_at.get(link.peer.number, -1e9) < ANSWERS_APART:
            return False
        self._answered_at[link.peer.number] = now
        return True

    def check(self, payload: bytes) -> None:
        """Marks and reason."""
        fixed_size("OVER", 2, payload)

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """As long as anything is sent at all."""
        return (bytes((KNOWN if link.peer.over else 0, self._reasons.get(link.peer.number, 0))),)

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """The peer will step nothing more. Who does not know of us is answered."""
        number = payload[1]
        if number == AGAIN:
            return
        link.peer.said_over(REASONS[number] if number < len(REASONS) else "aborted")
        if not payload[0] & KNOWN:
            link.ask_flush()
