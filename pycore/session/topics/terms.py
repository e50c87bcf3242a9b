"""TERMS: the input delays of the first episode, on which all agree before anybody is ready for it.

    u8 bit 0: decided | u16 who is gone, a bit each by number | u8 seats, then u8 each: input delays

A READY proposes delays for the episode behind its own, so the first one has none. Where the study lets delays follow
the network, each peer says what it proposes once it is connected, and the largest of everybody's counts. Nobody says
READY before it knows that, so all begin with the same.

Somebody may go meanwhile. A proposal is for a round, the set of those who are gone: whoever has those of everybody else
for its own round has decided, says so with what it decided, and never proposes again. Whoever hears of a decision takes
it. There is only one: who decided in a round proposes in no later one, and a later one needs its proposal, unless it is
gone itself; then nobody who is left has heard of its decision, or it would have taken it
(`docs/adr/0022-terms-of-the-first-episode.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.errors import DecodeError
from pycore.link.link import Link
from pycore.session.roster import Roster
from pycore.session.topics.topic import TERMS, Arrival

LONGEST_DELAY: Final = 60
"""Frames of input delay that a proposal may ask for."""
DECIDED: Final = 1
"""Mark: these are not proposed, they are what all begin with."""
_HEAD: Final = 4


class Terms:
    """What is proposed for the first episode, here and elsewhere, and what came of it."""

    kind = TERMS
    bit = 1 << TERMS
    of_session = False

    def __init__(self, roster: Roster, seats: int) -> None:
        self._roster = roster
        self._links = roster.links
        self._seats = seats
        self._own: tuple[int, ...] | None = None
        self._of: dict[int, tuple[int, tuple[int, ...]]] = {}
        """What others proposed last, by peer, and for which round."""
        self.decided: tuple[int, ...] | None = None
        """The input delays of the first episode, by seat."""

    @property
    def proposed(self) -> bool:
        """Whether we have said what we propose."""
        return self._own is not None

    def propose(self, delays: Sequence[int]) -> None:
        """Say what we propose."""
        self._own = tuple([min(delay, LONGEST_DELAY) for delay in delays])
        self._say()

    def inherit(self, delays: Sequence[int]) -> None:
        """We return to the first episode, for which this was decided."""
        self._own = tuple(delays)
        self._decided(self._own)

    def begin_anew(self, link: Link) -> None:
        """Another load of a peer's page is there, which has said nothing yet."""
        self._of.pop(link.peer.number, None)

    def decide(self) -> bool:
        """Whether it is known with what all begin, which may be news."""
        if self.decided is None and self._own is not None and not self.lacking():
            found = [self._own, *[self._of[link.peer.number][1] for link in self._links]]
            self._decided(tuple([max(of_seat) for of_seat in zip(*found, strict=True)]))
        return self.decided is not None

    def lacking(self) -> list[Link]:
        """The links whose peers have proposed nothing for our round."""
        gone = self._gone()
        return [link for link in self._links if self._of.get(link.peer.number, (-1,))[0] != gone]

    def knows_none(self, link: Link) -> bool:
        """Whether a peer is ready for the first episode without a word of terms: its study has it otherwise."""
        return 0 in link.peer.ready and link.peer.number not in self._of

    def check(self, payload: bytes) -> None:
        """One delay for each seat."""
        if len(payload) != _HEAD + self._seats or payload[_HEAD - 1] != self._seats:
            raise DecodeError(f"terms for {self._seats} seats have {_HEAD + self._seats} bytes, these {len(payload)}")
        if max(payload[_HEAD:]) > LONGEST_DELAY:
            raise DecodeError(f"an input delay of {max(payload[_HEAD:])} frames is proposed")

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """Until the peer is ready: then it knows all that there is to know."""
        delays = self._own if self.decided is None else self.decided
        if delays is None or 0 in link.peer.ready:
            link.be_silent(self.bit)
            return ()
        mark = 0 if self.decided is None else DECIDED
        return (bytes((mark,)) + self._gone().to_bytes(2, "big") + bytes((len(delays), *delays)),)

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """A proposal, the last of which counts, or what was decided."""
        delays = tuple(payload[_HEAD:])
        self._of[link.peer.number] = int.from_bytes(payload[1:3], "big"), delays
        if payload[0] & DECIDED and self.proposed and self.decided is None:
            self._decided(delays)

    def _decided(self, delays: tuple[int, ...]) -> None:
        self.decided = delays
        self._say()

    def _say(self) -> None:
        for link in self._links:
            link.speak(self.bit)
            link.ask_flush()

    def _gone(self) -> int:
        """The round: who is gone, a bit each."""
        return sum([1 << number for number in self._roster.gone])
