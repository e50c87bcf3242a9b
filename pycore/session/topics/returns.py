"""RETURN: the sender's page was loaded again, and wants to know what was played.

    u8 which load of its page in this game | u32 incarnation | u8 bit 0 WHOLE: I have no past of the episode from you or
    anybody else

It rides on each link until what is asked for has come by stream (`pycore.session.messages.terms`). A later load has a
higher number, so that a packet of an earlier one that is late cannot undo its return.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from pycore.errors import DecodeError
from pycore.frozen import Named
from pycore.link.link import Link
from pycore.session.topics.topic import RETURN, Arrival, fixed_size

WHOLE: Final = 1
BYTES: Final = 6
MOST_LOADS: Final = 255
"""A page that was loaded more often does not return."""


class Knock(Named):
    """Somebody wants to come back."""

    load: int
    incarnation: int
    whole: bool


class Asker(Protocol):
    """Whether we ask ourselves, and whom for what."""

    def asks(self, link: Link) -> Knock | None:
        """What we ask a peer; None: nothing, or nothing more."""


class Host(Protocol):
    """Who hears of it."""

    def heard(self, link: Link, knock: Knock, now: float) -> None:
        """A peer asks."""


class Returns:
    """The blocks of those who return."""

    kind = RETURN
    bit = 1 << RETURN
    of_session = True

    def __init__(self) -> None:
        self._asker: Asker | None = None
        self._host: Host | None = None

    def begin(self, asker: Asker | None, host: Host) -> None:
        """Who asks, if we return ourselves, and who hears whoever does; before the first poll."""
        self._asker = asker
        self._host = host

    def check(self, payload: bytes) -> None:
        """A first load does not return."""
        fixed_size("RETURN", BYTES, payload)
        if not payload[0]:
            raise DecodeError("a RETURN block of a page that was not loaded again")

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """Until what we ask for has come."""
        asked = None if self._asker is None else self._asker.asks(link)
        if asked is None:
            link.be_silent(self.bit)
            return ()
        return (bytes((asked.load,)) + asked.incarnation.to_bytes(4, "big") + bytes((WHOLE if asked.whole else 0,)),)

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """It was checked."""
        assert self._host is not None
        self._host.heard(link, read(payload), arrival.now)


def read(payload: bytes) -> Knock:
    """The block, which was checked."""
    return Knock(payload[0], int.from_bytes(payload[1:5], "big"), bool(payload[5] & WHOLE))


def load_of(blocks: Sequence[tuple[int, bytes]]) -> int:
    """Which load of a page asks for its past with these blocks; 0: none does."""
    return next((read(payload).load for kind, payload in blocks if kind == RETURN), 0)
