"""Joins the pieces of a player's trajectory: whatever came, in whatever order, twice or overlapping.

Where a piece belongs is enough to say what of it is taken: its rows from a frame up to another. Rows of a revision end
where a later one begins (its base); of several pieces that have a frame, that of the highest revision counts, and of
those the one that reaches furthest. Of confirmed frames all say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Place(NamedTuple):
    """Where a piece belongs in its episode: the key by which it is stored, and how much it has."""

    revision: int
    base: int
    first: int
    frames: int
    last: bool


class Segment(NamedTuple):
    """What is taken of a piece: its rows from a frame up to another one, which is not, and the episode's end."""

    place: Place
    start: int
    stop: int
    last: bool

    def lines(self, data: bytes) -> bytes:
        """The bytes of these rows, of those of the whole piece."""
        place = self.place
        found = data.split(b"\n")[1 : 1 + place.frames + place.last]
        rows = found[self.start - place.first : self.stop - place.first]
        return b"".join([line + b"\n" for line in (*rows, *(found[place.frames :] if self.last else ()))])


class Episode(NamedTuple):
    """What the pieces of an episode come to."""

    segments: list[Segment]
    gaps: list[tuple[int, int]]
    """Frames that are not there although later ones are: from, and up to the next that is."""

    @property
    def whole(self) -> bool:
        """It has its end, and everything before it."""
        return not self.gaps and bool(self.segments) and self.segments[-1].last

    @property
    def frames(self) -> int:
        """Frames up to the first gap."""
        return self.gaps[0][0] if self.gaps else self.segments[-1].stop if self.segments else 0

    @property
    def unbroken(self) -> Iterator[Segment]:
        """The segments before the first gap."""
        stop = self.gaps[0][0] if self.gaps else None
        return (segment for segment in self.segments if stop is None or segment.stop <= stop)


def join(places: Iterable[Place]) -> Episode:
    """The pieces of one episode, from frame 0 on."""
    found = list(places)
    newest = max((place.revision for place in found), default=0)
    reach: list[tuple[Place, int]] = [
        (place, min([place.first + place.frames, *(each.base for each in found if each.revision > place.revision)]))
        for place in found
    ]
    segments: list[Segment] = []
    gaps: list[tuple[int, int]] = []
    at = 0
    while True:
        here = [(place.revision, stop, place) for place, stop in reach if place.first <= at < stop]
        if here:
            _, stop, place = max(here)
            segments.append(Segment(place, at, stop, False))
            at = stop
            continue
        behind = [place.first for place, stop in reach if at < place.first < stop]
        if not behind:
            break
        gaps.append((at, min(behind)))
        at = min(behind)
    return _ended([place for place in found if place.revision == newest and place.last], segments, gaps, at)


def _ended(
    last: Sequence[Place], segments: list[Segment], gaps: list[tuple[int, int]], at: int
) -> Episode:
    """With the episode's end, if a piece of the newest revision has it."""
    if last:
        place = max(last, key=lambda each: each.first + each.frames)
        stop = place.first + place.frames
        if stop > at:
            gaps.append((at, stop))
        if segments and segments[-1].place == place:
            segments[-1] = segments[-1]._replace(last=True)
        else:
            segments.append(Segment(place, stop, stop, True))
    return Episode(segments, gaps)
