"""What a remote page said of itself last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SURE_STRANGERS: Final = 3
HIDDEN: Final = 1
"""Bit of the status: its page is hidden."""
RETURNING: Final = 2
"""Bit of the status: its page was loaded again, and steps what was played."""
OWN_REASONS: Final = ("player_left", "aborted", "error", "no_progress", "partition", "no_return")
"""Reasons of a session that is over for this peer alone."""


class Peer:
    """A page that takes part, as it describes itself. It plays the seats that it owns: none, one or several."""

    __slots__ = (
        "_stranger",
        "end",
        "episode",
        "hears_ready",
        "incarnation",
        "known",
        "load",
        "low",
        "number",
        "over",
        "ready",
        "ready_before",
        "ready_by_socket",
        "reason",
        "resumed",
        "seat",
        "seats",
        "status",
        "strangers",
    )

    def __init__(self, number: int, seats: Sequence[int]) -> None:
        self.number = number
        self.seats = tuple(seats)
        self.seat = self.seats[0] if self.seats else -1
        """The first of its seats, by which it is called; -1: it only watches."""
        self.incarnation: int | None = None
        """Which load of the page speaks, once a ready has said it."""
        self.low: int | None = None
        """The low byte of that, once anything came."""
        self.load = 0
        """How often its page was loaded again in this game."""
        self._stranger = -1
        self.strangers = 0
        """Packets with the same other incarnation, without one of the right one between them."""
        self.episode = 0
        self.over = False
        """Its session is over."""
        self.reason = ""
        """Why, by the code that it gave."""
        self.ready: dict[int, bytes] = {}
        """Its readies, by episode."""
        self.ready_before: dict[int, bytes] = {}
        """Those of the load of its page before."""
        self.ready_by_socket = -1
        """The episode of its last ready that came through the server."""
        self.status = 0
        self.begin(-1)

    def begin(self, agreed: int) -> None:
        """Start an episode; everybody's inputs up to frame `agreed` are known without a word."""
        self.known = agreed
        """The last frame for which it holds everybody's inputs."""
        self.end: tuple[int, int, bool] | None = None
        """The frame at which it holds, the last of its inputs, and whether it holds everybody's up to there."""
        self.hears_ready = False
        """Whether it has our ready of the episode."""
        self.resumed = False
        """Whether it began this episode, perhaps, with an earlier load of our page."""

    def forget_readies(self, episode: int) -> None:
        """Readies of episodes before this one are of no use any more."""
        self.ready = {e: payload for e, payload in self.ready.items() if e >= episode}

    def forget_before(self, episode: int) -> None:
        """What a load before proposed in an episode counts no more."""
        self.ready_before.pop(episode, None)

    def returns(self, load: int, incarnation: int, episode: int, known: int) -> None:
        """Another load of its page takes its place. It will hold everybody's inputs of the running `episode` up to the
        frame `known`; nothing else that was said before counts, unless it was this one that said it."""
        if not self._replaces(load, incarnation):
            return
        self.episode = min(self.episode, episode)
        self.ready_before = self.ready
        self.ready = {e: payload for e, payload in self.ready.items() if e < episode}
        self.ready_by_socket = -1
        self.status = RETURNING
        self.begin(known)

    def proposal(self, episode: int) -> bytes | None:
        """Its ready of an episode, for what it proposes there: that of the load before, if the one of now said none.
        Who has returned to a later episode never says it, and the others go by what they had."""
        return self.ready.get(episode) or self.ready_before.get(episode)

    def may_be(self, incarnation: int) -> bool:
        """Whether no other load of its page ever spoke."""
        return self.low in (None, incarnation & 0xFF) and self.incarnation in (None, incarnation)

    def adopts(self, load: int, incarnation: int) -> None:
        """Another load of its page speaks, perhaps, and we ourselves have begun nothing with the one before."""
        if self._replaces(load, incarnation):
            self.ready = {}

    def _replaces(self, load: int, incarnation: int) -> bool:
        """Takes this load for the one that speaks. Whether another one did before, or may have: what that said is
        forgotten."""
        same = self.low is not None and self.may_be(incarnation)
        self.load = load
        self.incarnation = incarnation
        if same:
            return False
        self.low = incarnation & 0xFF
        self.strangers = 0
        self.over = False
        self.reason = ""
        return True

    def is_same(self, low: int) -> bool:
        """Whether this low byte is that of the load of the page that spoke before; notes the first, and strangers."""
        if self.low is None:
            self.low = low
        elif self.low != low:
            self._strange(low)
            return False
        if self._stranger & 0xFF != low:
            self.strangers = 0
        return True

    def is_same_whole(self, incarnation: int) -> bool:
        """The same for a whole incarnation, as a ready has it."""
        if not self.is_same(incarnation & 0xFF):
            return False
        if self.incarnation is None:
            self.incarnation = incarnation
        elif self.incarnation != incarnation:
            self._strange(incarnation)
            return False
        return True

    def _strange(self, incarnation: int) -> None:
        self.strangers = self.strangers + 1 if incarnation == self._stranger else 1
        self._stranger = incarnation

    @property
    def returned(self) -> bool:
        """Whether another load of its page speaks: one packet may be anything, some in a row are somebody."""
        return self.strangers >= SURE_STRANGERS

    @property
    def left_alone(self) -> bool:
        """Whether its session is over for a reason of its own, so that the others can go on without it."""
        return self.over and self.reason in OWN_REASONS

    @property
    def hidden(self) -> bool:
        """Whether its page is hidden."""
        return bool(self.status & HIDDEN)

    # -- what it says, each written where its topic takes it in ------------------------------------------------

    def said_ready(self, episode: int, payload: bytes, heard: bool | None, by_socket: bool) -> None:
        """Its ready of an episode; `heard`: it has ours of the running one (None: it spoke of another)."""
        self.ready[episode] = payload
        if heard:
            self.hears_ready = True
        if by_socket:
            self.ready_by_socket = episode

    def said_end(self, frame: int, dispatched: int, sure: bool, newest: bool) -> None:
        """It holds at an end. An older packet may come after a newer one; what a peer dispatched only grows, unless it
        has no seat."""
        if self.end is None or (dispatched >= self.end[1] if self.seats else newest):
            self.end = frame, dispatched, sure

    def said_over(self, reason: str) -> None:
        """Its session is over."""
        self.over = True
        self.reason = self.reason or reason

    def said_status(self, status: int) -> bool:
        """Its page is hidden or visible; true if that is news."""
        if status == self.status:
            return False
        self.status = status
        return True

    def plays(self) -> None:
        """An input of the episode came: whoever plays has everybody's ready, but for that of a page that has come back
        to it since."""
        if not self.resumed:
            self.hears_ready = True

    def resume(self) -> None:
        """We have come back to the running episode, which it may play with the ready of the load before ours."""
        self.resumed = True

    def said_known(self, frame: int) -> None:
        """It holds everybody's inputs up to this frame."""
        if frame > self.known:
            self.known = frame

    def entered(self, episode: int) -> None:
        """Its packets carry this episode's number."""
        if episode > self.episode:
            self.episode = episode
