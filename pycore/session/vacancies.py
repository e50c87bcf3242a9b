"""Seats that nobody plays in the running episode: from which frame on, and from which on somebody does again.

Behind the settled frame of who is gone the seat has its default action, or the stand-in plays it. Where it came back
(`on_interrupt`), the seat is open from a later frame on; as long as nobody has given an input of that frame, it may
still move further. Both frames are recorded, and covered by hashes, when they are confirmed: then they stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pycore.rollback.timeline import Timeline
from pycore.session.publication import PLAYER, Publication


class Vacancies:
    """Releases seats and opens them again, in the timeline and in what is published."""

    __slots__ = ("_empty", "_opens", "_players", "_publication", "_stand_in", "_timeline", "settled")

    def __init__(
        self, timeline: Timeline, publication: Publication, players: Sequence[int | str], stand_in: str
    ) -> None:
        self._timeline = timeline
        self._publication = publication
        self._players = players
        self._stand_in = stand_in
        self._empty: set[int] = set()
        """Seats that were left in this episode."""
        self._opens: dict[int, int] = {}
        """Those of them that somebody plays again, from which frame on."""
        self.settled: dict[int, int] = {}
        """By seat, the last frame with an action of its own, in this round or an earlier one: what is settled stays."""

    def settle(self, frames: Mapping[int, int]) -> None:
        """All have agreed on these last frames, by seat."""
        self.settled.update(frames)

    def unsettle(self, seat: int) -> None:
        """Who left a seat was back meanwhile."""
        self.settled.pop(seat, None)

    def begin(self) -> None:
        """An episode begins, or is over: nobody has left it yet."""
        self.settled = {}
        self._empty = set()
        self._opens = {}

    def is_empty(self, seat: int) -> bool:
        """Whether nobody plays a seat, nor is about to."""
        return seat in self._empty and seat not in self._opens

    def leave(self, seat: int, last: int, opens: int = 0) -> None:
        """Nobody plays a seat behind frame `last`. `opens`: from which frame on it had been open, if it was left
        before; where that lies behind `last`, nobody ever played it again."""
        opened = self._opens.pop(seat, None)
        if seat in self._empty and opened is None:
            return
        self._empty.add(seat)
        last = max(last, self._timeline.seats[seat].delay - 1)
        # Who steps the past was told what was played in it, and what is recorded of it.
        known = self._publication.collected
        self._timeline.release(seat, max(last, known))
        if opens and last < opens:
            self._publication.unmark(opens, str(self._players[seat]))
        elif last >= known:
            self._publication.release(last + 1, str(self._players[seat]), self._stand_in)

    def reopen(self, seat: int, last: int, first: int) -> None:
        """Somebody plays a seat again from frame `first` on, that was left behind frame `last`. Of two frames that are
        named of one return the later one counts."""
        before = self._opens.get(seat)
        if not first or first <= self._publication.collected or (before is not None and before >= first):
            return
        if before is None:
            self.leave(seat, last)
        else:
            self._publication.unmark(before, str(self._players[seat]))
            self._timeline.release(seat, before - 1)
        self._opens[seat] = first
        self._timeline.reopen(seat, first)
        self._publication.release(first, str(self._players[seat]), PLAYER)

    def close(self, seat: int) -> None:
        """Nobody plays it again in this episode, but in a later one."""
        before = self._opens.pop(seat, None)
        if before is not None:
            self._publication.unmark(before, str(self._players[seat]))
            self._timeline.release(seat, before - 1)
