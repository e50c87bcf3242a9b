"""A trajectory in pieces, as it grows: what a page stores of a running episode.

A piece is rows of one episode from a first frame on, behind the trajectory's first line, so that each can be read by
itself; the last one of an episode has its end. Its lines are those of the trajectory: nothing is written twice.

What was taken may be taken back by a cut. Then the episode's next piece is of a higher *revision*, which begins at its
*base*: rows of earlier revisions from there on are not true. So pieces may come twice, late and in any order, and
nothing has to be deleted where they lie (`pycore.relay.storage.pieces` joins them).

A page that was loaded again steps the running episode from its first frame on, and takes all of it: what the load
before had not stored yet is stored so. Each load has revisions of its own, and the first one's base is the frame from
which on this load plays: rows that the load before stored of earlier frames are the same bytes, and stay true.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pycore.records.trajectory import Trajectory, header
from pycore.session.session import Session

LONGEST: Final = 60_000
"""Characters of a piece, unless one row has more: at most 4 bytes each, and less than a quarter second of a slow
line's time once they are packed."""
OF_A_LOAD: Final = 1000
"""Revisions of one load of a page."""


class Pieces:
    """Cuts one session's trajectory into pieces. It is asked now and then, and costs a tick nothing."""

    def __init__(self, session: Session, trajectory: Trajectory, load: int = 0) -> None:
        self._revision = load * OF_A_LOAD
        self._caught_up: tuple[int, int] | None = (0, 0) if load == 0 else None
        """The episode in which this load begins to play, and the frame; None: it has not yet, and takes nothing."""
        self._session = session
        self._trajectory = trajectory
        self._header = ""
        self._cuts = 0
        """Cuts of the trajectory that are heeded already."""
        self._episodes: list[_Taken] = []
        self._first = 0
        """Episodes before this one are taken to their ends."""

    def caught_up(self, episode: int, frames: int) -> None:
        """From this frame on the load of the page plays; what was confirmed before it was stepped again."""
        self._caught_up = (episode, frames)

    def take(self) -> Iterator[dict[str, Any]]:
        """What was confirmed since the last time, oldest first. `first` is the frame of the first row, `frames` their
        number; `last` says whether the episode's end is behind them."""
        if self._caught_up is None:
            return
        trajectory = self._trajectory
        self._heed_cuts()
        while len(self._episodes) < trajectory.episodes:
            episode = len(self._episodes)
            first = trajectory.first(episode)
            base = self._caught_up[1] if episode == self._caught_up[0] else first
            self._episodes.append(_Taken(first, self._revision, max(first, base)))
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
            begun = at
            at += _together(rows[at:])
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


def _together(rows: list[str]) -> int:
    """How many of these rows, which are joined by line ends, make a piece: usually all, and at least one."""
    if sum(map(len, rows)) + len(rows) <= LONGEST:
        return len(rows)
    size = count = 0
    while count < len(rows) and (not count or size + len(rows[count]) < LONGEST):
        size += len(rows[count]) + 1
        count += 1
    return count


class _Taken:
    """What was taken of one episode."""

    __slots__ = ("base", "ended", "next", "revision", "told")

    def __init__(self, first: int, revision: int, base: int) -> None:
        self.next = first
        self.base = base
        self.revision = revision
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
