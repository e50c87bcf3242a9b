"""What a survivor holds of who is gone, and what of that another survivor lacks; and passing that on."""

from __future__ import annotations

from collections.abc import Sequence

from pycore.rollback.timeline import Timeline
from pycore.session.roster import Roster
from pycore.session.settling import NOTHING, Held, Word, run_of
from pycore.wire import datagram
from pycore.wire.datagram import Run


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


def missing(
    timeline: Timeline, roster: Roster, own: Word, theirs: Word, words: Sequence[Word], room: int
) -> tuple[list[Run], list[tuple[int, bytes]]]:
    """What another survivor lacks of who is gone, and we hold: inputs in at most `room` bytes, and READYs by peer.
    `words` are those of the others."""
    runs = lacked(timeline, own, theirs, [own, *words], room)
    for run in runs:
        roster.gone[roster.owner(run.seat)].give(len(run.inputs))
    lacking = own.ready & ~theirs.ready
    readies = [
        (other, drop.link.peer.ready[own.episode]) for other, drop in roster.gone.items() if lacking >> other & 1
    ]
    return runs, readies


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
