"""A trajectory in pieces, as it grows: what a page stores of a running episode.

A piece is rows of one episode from a first frame on, behind the trajectory's first line, so that each can be read by
itself; the last one of an episode has its end. Its lines are those of the trajectory: nothing is written twice.

What was taken may be taken back by a cut. Then the episode's next piece is of a higher *revision*, which begins at its
*base*: rows of earlier revisions from there on are not true. So pieces may come twice, late and in any order, and
nothing has to be deleted where they lie (`pycore.relay.pieces` joins them).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pycore.records.trajectory import Trajectory, header
from pycore.session.session import Session

LONGEST: Final = 60_000
"""Characters of a piece, unless one row has more: at most 4 bytes each, and less than a quarter second of a slow
line's time once they are packed."""


class Pieces:
    """Cuts one session's trajectory into pieces. It is asked now and then, and costs a tick nothing."""

    def __init__(self, session: Session, trajectory: Trajectory) -> None:
        self._session = session
        self._trajectory = trajectory
        self._header = ""
        self._cuts = 0
        """Cuts of the trajectory that are heeded already."""
        self._episodes: list[_Taken] = []
        self._first = 0
        """Episodes before this one are taken to their ends."""

    def take(self) -> Iterator[dict[str, Any]]:
        """What was confirmed since the last time, oldest first. `first` is the frame of the first row, `frames` their
        number; `last` says whether the episode's end is behind them."""
        trajectory = self._trajectory
        self._heed_cuts()
        while len(self._episodes) < trajectory.episodes:
            self._episodes.append(_Taken(trajectory.first(len(self._episodes))))
        for episode in range(self._first, len(self._episodes)):
            yield from self._of(episode)
        while self._first < len(self._episodes) - 1 and self._episodes[self._first].ended:
            self._first += 1

    def _heed_cuts(self) -> None:
        for episode, frames in self._trajectory.cuts[self._cuts :]:
            if episode < len(self._episodes) and self._episodes[episode].cut(frames):
                self._first = min(self._first, episode)
        self._cuts = len(self._trajectory.cuts)

    def _of(self, episode: int) -> Iterator[dict[str, Any]]:
        taken = self._episodes[episode]
        rows = self._trajectory.rows(episode, taken.next)
        end = "" if taken.ended else self._trajectory.end_line(episode)
        at = 0
        # That rows were taken back is said also where none have come in their place.
        while at < len(rows) or end or not taken.told:
            size, begun = 0, at
            while at < len(rows) and (at == begun or size + len(rows[at]) < LONGEST):
                size += len(rows[at]) + 1
                at += 1
            lines = [self._head(), *rows[begun:at]]
            last = at == len(rows) and end != ""
            if last:
                lines.append(end)
                end = ""
            yield {
                "episode": episode, "revision": taken.revision, "base": taken.base, "first": taken.next,
                "frames": at - begun, "last": last, "data": "\n".join(lines) + "\n",
            }  # fmt: skip
            taken.took(at - begun, last)

    def _head(self) -> str:
        self._header = self._header or header(self._session)
        return self._header


class _Taken:
    """What was taken of one episode."""

    __slots__ = ("base", "ended", "next", "revision", "told")

    def __init__(self, first: int) -> None:
        self.next = self.base = first
        self.revision = 0
        self.ended = False
        self.told = True
        """Whether there was a piece of this revision, or none is needed."""

    def took(self, frames: int, last: bool) -> None:
        self.next += frames
        self.ended = last
        self.told = True

    def cut(self, frames: int) -> bool:
        """Whether something is taken back that was taken."""
        if frames > self.next or (frames == self.next and not self.ended):
            return False
        self.next = self.base = frames
        self.revision += 1
        self.ended = self.told = False
        return True
