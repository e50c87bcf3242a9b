"""Joins the pieces of a player's trajectory: whatever came, in whatever order, twice or overlapping.

Where a piece belongs is enough to say what of it is taken: its rows from a frame up to another. Rows of a revision end
where a later one begins (its base); of several pieces that have a frame, that of the highest revision counts, and of
those the one that reaches furthest. Of confirmed frames all say the same. A page that was loaded again has revisions of
its own, which begin before their base.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

NONE: Final = 1 << 62
"""A frame that no episode has."""
PARTS_OF_A_LOAD: Final = 1 << 20
"""Of what was seen each load of a page has parts of its own, by numbers from a multiple of this on."""


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
    found = sorted(places, key=lambda place: place.first)
    limits = _limits(found)
    segments: list[Segment] = []
    gaps: list[tuple[int, int]] = []
    here: list[tuple[int, int, Place]] = []
    """Pieces that have the frame `at`: the revision, and up to where its rows count."""
    at = behind = 0
    while True:
        while behind < len(found) and found[behind].first <= at:
            place = found[behind]
            here.append((place.revision, min(place.first + place.frames, limits[place.revision]), place))
            behind += 1
        here = [each for each in here if each[1] > at]
        if here:
            _, stop, place = max(here)
            segments.append(Segment(place, at, stop, False))
            at = stop
            continue
        ahead = [each for each in found[behind:] if min(each.first + each.frames, limits[each.revision]) > each.first]
        if not ahead:
            break
        gaps.append((at, ahead[0].first))
        at = ahead[0].first
    newest = max(limits, default=0)
    return _ended([place for place in found if place.revision == newest and place.last], segments, gaps, at)


def _limits(found: Sequence[Place]) -> dict[int, int]:
    """By revision: the frame up to which its rows count, the lowest base of the later ones."""
    bases: dict[int, int] = {}
    for place in found:
        bases[place.revision] = min(place.base, bases.get(place.revision, place.base))
    limits: dict[int, int] = {}
    lowest = NONE
    for revision in sorted(bases, reverse=True):
        limits[revision] = lowest
        lowest = min(lowest, bases[revision])
    return limits


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
