"""STATUS: the page is hidden, or was loaded again and steps what was played. A packet of a link without the block says
that it is visible, and plays."""

from __future__ import annotations

from collections.abc import Sequence

from pycore.events import PeerStatus
from pycore.link.link import Link
from pycore.link.peer import HIDDEN, RETURNING
from pycore.session.journal import Journal
from pycore.session.topics.topic import STATUS, Arrival, fixed_size


class Status:
    """Whether the own page is hidden, and what the others say of theirs."""

    kind = STATUS
    bit = 1 << STATUS
    of_session = False

    def __init__(self, links: Sequence[Link], journal: Journal) -> None:
        self._links = links
        self._journal = journal
        self.hidden = False
        self._marks = 0

    def set(self, hidden: bool, now: float) -> None:
        """The own page was hidden or shown."""
        self.hidden = hidden
        self._journal.seen(hidden, now)
        self.mark(HIDDEN, hidden)

    def mark(self, mark: int, on: bool) -> None:
        """One of the marks is so from now on, or not."""
        self._marks = self._marks | mark if on else self._marks & ~mark
        for link in self._links:
            if self._marks:
                link.speak(self.bit)
            else:
                link.be_silent(self.bit)

    def check(self, payload: bytes) -> None:
        """One byte."""
        fixed_size("STATUS", 1, payload)

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """As long as it is so."""
        return (bytes((self._marks,)),) if self._marks else ()

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """The newest packet counts."""
        if arrival.newest:
            self._said(link, payload[0])

    def absent(self, link: Link) -> None:
        """The newest packet has no such block."""
        self._said(link, 0)

    def _said(self, link: Link, status: int) -> None:
        if link.peer.said_status(status):
            word = "returning" if status & RETURNING else "hidden" if status & HIDDEN else "present"
            self._journal.say(PeerStatus(seat=link.seat, status=word))
