"""What a survivor holds of who is gone, and what of that another survivor lacks; and passing that on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.roster import Roster
from pycore.session.settling import NOTHING, Held, Word, run_of
from pycore.wire import datagram
from pycore.wire.datagram import Run

BACKFILL: Final = -1
"""Stands for the number of a probe where a survivor lacks inputs of who is gone."""
AGAIN_WITHIN: Final = 1.0
"""Seconds after which what a survivor lacks is passed on again at the latest: all stand meanwhile, and a longer round
trip may be one of an outage that is over."""


class Backfill:
    """Passes on what another survivor lacks of who is gone: the same again after a round trip at the earliest."""

    __slots__ = ("_again_at", "_period", "_roster", "_timeline")

    def __init__(self, timeline: Timeline, roster: Roster, period: float) -> None:
        self._timeline = timeline
        self._roster = roster
        self._period = period
        self._again_at: dict[tuple[int, bool], float] = {}
        """When that is, by number, and by way: what went by another one may never come."""

    def begin(self) -> None:
        """It is another round, or another episode."""
        self._again_at.clear()

    def begin_anew(self, peer: int) -> None:
        """Another load of a survivor's page is there, and has had nothing yet."""
        for by_wire in (True, False):
            self._again_at.pop((peer, by_wire), None)

    def missing(
        self, link: Link, own: Word, theirs: Word, words: Sequence[Word], now: float, room: int
    ) -> tuple[list[Run], list[tuple[int, bytes]]]:
        """What a survivor lacks by its word, and we hold by our `own`: inputs in at most `room` bytes, and READYs by
        peer. `words` are those of all others."""
        way = link.peer.number, link.healthy
        if self._again_at.get(way, now) > now:
            return [], []
        runs = lacked(self._timeline, own, theirs, [own, *words], room)
        for run in runs:
            self._roster.gone[self._roster.owner(run.seat)].give(len(run.inputs))
        lacking = own.ready & ~theirs.ready
        gone = self._roster.gone.items()
        readies = [(other, drop.link.peer.ready[own.episode]) for other, drop in gone if lacking >> other & 1]
        if runs or readies:
            self._again_at[way] = now + min(link.rtt or 0.0, AGAIN_WITHIN) + self._period
        return runs, readies


def held_of(timeline: Timeline, seats: Sequence[int]) -> dict[int, Held]:
    """Which inputs of the running episode are held of these seats."""
    frames = timeline.frames
    held = {}
    for seat in seats:
        mark = frames.held[seat]
        if mark < timeline.seats[seat].delay:
            # Nothing of its own: the first frames are agreed.
            mark = -1
        held[seat] = Held(mark, sum([1 << frame - mark - 1 for frame in frames.beyond(seat)]))
    return held


def lacked(timeline: Timeline, own: Word, theirs: Word, words: Sequence[Word], room: int) -> list[Run]:
    """The inputs that another survivor lacks and we hold, up to the settled frame as far as that is known, in at most
    `room` bytes. `words` are those of all, our `own` among them."""
    frames = timeline.frames
    runs: list[Run] = []
    for seat, held in own.held.items():
        last = run_of([word.held.get(seat, NOTHING) for word in words])
        first = max(theirs.held[seat].mark + 1, timeline.seats[seat].delay)
        wanted = [frame for frame in range(first, last + 1) if held.has(frame) and not theirs.held[seat].has(frame)]
        # A page that returns may be so far behind that the ring has it no more: that is its past. And of who was to
        # play again, and has gone, frames are held that nobody can reach yet: all know what is played there.
        ring = {
            frame: frames.encoded[frame & frames.mask][seat]
            for frame in wanted
            if frames.opened - frames.size < frame <= frames.opened
        }
        runs += datagram.runs_of(seat, ring, room - datagram.weight_of(runs))
    return runs
