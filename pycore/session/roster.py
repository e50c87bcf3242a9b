"""Who takes part in a session: the links to the peers that are there, and who is gone for good.

All parts of a session hold the one list `links`, and ask nobody else: who is gone is not waited for, not heard and not
sent to, because its link is not in it any more. Nobody comes back into it, unless the study has it so
(`on_interrupt`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.errors import UsageError
from pycore.link.link import Link
from pycore.session.identity import Identity

GROUP: Final = 3
"""So many players may lose one and go on; a pair ends."""
MOST_PEERS: Final = 16
"""Peers whose numbers a packet has room for; with more than that nobody is dropped."""


WORDS: Final = {
    "left": " left the game",
    "silent": " was not heard of for too long",
    "returned": "'s page was loaded anew",
    "error": "'s environment failed",
}


class Departure:
    """What became of somebody who is gone, for the records."""

    __slots__ = ("_reopens", "backfilled", "cause", "episode", "frames", "link", "passed_on")

    def __init__(self, link: Link, cause: str, reopens: bool = False) -> None:
        self._reopens = reopens
        self.link = link
        self.cause = cause
        """`left` (the server, or the peer itself, said so), `silent` (the relay or a majority decided), `returned` (its
        page was loaded again), or `error` (its environment failed)."""
        self.episode: int | None = None
        """In which episode it was settled first; None: it is not."""
        self.frames: dict[int, int] = {}
        """By seat, the last frame of that episode with an action of its own; -1: none."""
        self.backfilled = 0
        """Inputs of its seats that other survivors passed on to us."""
        self.passed_on = 0
        """Inputs that we passed on to others, as often as they were sent."""

    @property
    def words(self) -> str:
        """Why it is gone, behind its name."""
        return WORDS[self.cause]

    @property
    def may_return(self) -> bool:
        """Whether it is gone only as long as it is not heard of: the others play on, and take it in again."""
        return self._reopens and self.cause == "silent"

    def settled(self, episode: int, frames: dict[int, int]) -> None:
        """All survivors hold the same of it."""
        self.episode = episode
        self.frames = frames

    def expire(self) -> None:
        """It can come back no more."""
        self.cause = "left"

    def take(self) -> None:
        """One of its inputs came from another survivor."""
        self.backfilled += 1

    def give(self, inputs: int) -> None:
        """So many of its inputs were passed on."""
        self.passed_on += inputs


class Roster:
    """The peers of one session, the own one left out."""

    __slots__ = (
        "_least", "_me", "_place", "_plays", "everybody", "gone", "links", "of_everybody", "of_number", "of_seat",
        "seats_of",
    )  # fmt: skip

    def __init__(self, links: Sequence[Link], who: Identity, *, reopens: bool = False) -> None:
        self.everybody = tuple(links)
        self.links: list[Link] = list(links)
        """Those that are there."""
        self.of_everybody = {link.peer.number: link for link in links}
        """All, by number."""
        self.of_number = {link.peer.number: link for link in links}
        """The same by number."""
        self.of_seat = {seat: link for link in links for seat in link.peer.seats}
        """The same by the seats that they play."""
        self.seats_of = {number: tuple(owned) for number, owned in enumerate(who.peers) if owned is not None}
        """The seats of everybody, ourselves included, by number."""
        self.gone: dict[int, Departure] = {}
        """Who is not, by number, in the order in which they went."""
        self._place = {link.peer.number: index for index, link in enumerate(links)}
        self._me = who.me
        self._plays = int(bool(who.own))
        self._least = GROUP - reopens

    def depart(self, link: Link, cause: str) -> None:
        """A peer is gone, for good unless it is readmitted."""
        number = link.peer.number
        self.gone[number] = Departure(link, cause, self._least < GROUP)
        self.links.remove(link)
        del self.of_number[number]
        for seat in link.peer.seats:
            del self.of_seat[seat]

    def readmit(self, link: Link) -> None:
        """Who was gone is there again."""
        number = link.peer.number
        del self.gone[number]
        self.links.append(link)
        # All that hold the list hold this one; channels come in the order of numbers.
        self.links.sort(key=lambda of: self._place[of.peer.number])
        self.of_number[number] = link
        for seat in link.peer.seats:
            self.of_seat[seat] = link

    def link_to(self, peer: int) -> Link:
        """The link to a peer, gone or not. Raises UsageError for the own one and for one that does not exist."""
        try:
            return self.of_everybody[peer]
        except KeyError:
            peers = len(self.everybody) + 1
            raise UsageError(f"there is no link to {peer!r} from {self._me} among {peers} peers") from None

    def seats(self, peers: int) -> list[int]:
        """The seats of these peers, a bit each, ascending."""
        return sorted([seat for number, seats in self.seats_of.items() if peers >> number & 1 for seat in seats])

    def owner(self, seat: int) -> int:
        """The peer that plays a seat, or did."""
        return next(number for number, seats in self.seats_of.items() if seat in seats)

    @property
    def players(self) -> int:
        """How many play that are there, ourselves included."""
        return self._plays + sum([bool(link.peer.seats) for link in self.links])

    @property
    def group(self) -> bool:
        """Whether it could go on without one of them."""
        return self.players >= self._least and max(self._place, default=0) < MOST_PEERS

    def of_those_there(self, channels: Sequence[int]) -> list[int]:
        """The channel states of the links that are there, out of those of all. Raises UsageError for another number."""
        if len(channels) != len(self.everybody):
            raise UsageError(f"{len(channels)} channel states for {len(self.everybody)} links")
        return [channels[self._place[link.peer.number]] for link in self.links]
