"""DEAF: "I hear nothing of you peer-to-peer", with a number.

When one direction of a path dies, only its receiver can notice. The edge of a yes or no cannot be told across two paths
that do not keep each other's order, so each silence has a number, and each number is obeyed once.
"""

from __future__ import annotations

from collections.abc import Sequence

from pycore.link.link import Link
from pycore.session.journal import Journal
from pycore.session.topics.topic import DEAF, Arrival, fixed_size


class Deaf:
    """Says where we hear nothing."""

    kind = DEAF
    bit = 1 << DEAF
    of_session = True

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def look(self, link: Link) -> None:
        """The link's hearing has changed."""
        if link.paths.deaf:
            link.speak(self.bit)
        else:
            link.be_silent(self.bit)

    def check(self, payload: bytes) -> None:
        """One byte."""
        fixed_size("DEAF", 1, payload)

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """As long as it is so."""
        if not link.paths.deaf:
            link.be_silent(self.bit)
            return ()
        return (bytes((link.paths.silences & 0xFF,)),)

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """What we send peer-to-peer is lost."""
        if arrival.newest:
            link.paths.peer_is_deaf(payload[0], arrival.now, self._journal.frame)
