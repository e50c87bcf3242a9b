"""STATE: what a hash covered, of the first frame of an episode of which two peers' hashes differ.

Each of the two notices the difference by itself, tells the other what it hashed, and compares what it is told with it.
What comes of that is a report: the first fields that differ with both values, or what is lacking and why. Nobody waits
for it but the study that asks for an end (`on_desync`), and that one not for ever.

Held meanwhile are the last hashed frames that somebody's hash is not compared of yet, as `pycore.session.covered` has
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.errors import DecodeError, described
from pycore.events import DesyncReported, Log
from pycore.link.link import Link
from pycore.rollback.seats import Seat
from pycore.session.covered import (
    FAILED,
    GONE,
    LARGE,
    MESSAGE_BYTES,
    ROWS_BYTES,
    STATE_BYTES,
    Covered,
    Told,
    first_fields,
)
from pycore.session.journal import Journal
from pycore.session.messages.message import STATE
from pycore.session.streams import Streams
from pycore.simulation import Simulation

HELD: Final = 256
"""Hashed frames that are held at most; the oldest goes first. Where every frame is hashed, a peer's hash may come a
window and a round trip behind ours: 120 frames at most, and at 60 fps 120 more for two seconds."""
HELD_BYTES: Final = 16 << 20
"""What they have at most, in canonical form and with their rows; so many are held in any case:"""
HELD_LEAST: Final = 16
ANSWER_WITHIN: Final = 20.0
"""Seconds within which a peer tells its side; after that the report is made without."""
REPORTS: Final = 20
"""Reports of a session at most."""
TOLD: Final = 2 * REPORTS
"""States that a peer may tell in a session, since that of an earlier frame may follow one; more are not looked at."""


class Report:
    """A report that is not made yet. `covered` is what we hashed, if it is still held."""

    __slots__ = ("covered", "episode", "frame", "link", "own", "since")

    def __init__(self, link: Link, episode: int, frame: int, covered: Covered | None) -> None:
        self.link = link
        self.episode = episode
        self.frame = frame
        self.covered = covered
        self.own: Told | None = None
        """Our side, once it is told."""
        self.since = 0.0

    def tells(self, own: Told, now: float) -> None:
        """Our side goes out."""
        self.own = own
        self.since = now
        self.covered = None


class States:
    """What is held of hashed frames, and the reports about those that differ. `ends`: the study ends at the first."""

    kind = STATE
    limit = MESSAGE_BYTES

    def __init__(
        self, streams: Streams, simulation: Simulation, seats: Sequence[Seat], journal: Journal, ends: bool
    ) -> None:
        self._streams = streams
        self._simulation = simulation
        self._seats = seats
        self._journal = journal
        self._ends = ends
        self._held: dict[int, Covered] = {}
        """Of the running episode, by frame."""
        self._bytes = 0
        """What they have."""
        self._open: dict[int, Report] = {}
        """By peer."""
        self._told: dict[int, Told] = {}
        """What peers told that was not compared yet."""
        self._tells: dict[int, int] = {}
        """How many each of them has told."""
        self._begun: dict[int, int] = {}
        """By peer, the last episode that a report was begun of."""
        self._count = 0
        self.verdict = ""
        """Why the session is to end, if it is."""
        streams.know(self)

    # -- what is held ------------------------------------------------------------------------------------------

    def hold(self, covered: Covered) -> None:
        """We hashed this."""
        held = self._held
        held[covered.frame] = covered
        self._bytes += _size(covered)
        while len(held) > HELD or (self._bytes > HELD_BYTES and len(held) > HELD_LEAST):
            self.release(next(iter(held)))

    def release(self, frame: int) -> None:
        """Everybody's hash of this frame was compared."""
        covered = self._held.pop(frame, None)
        if covered is not None:
            self._bytes -= _size(covered)

    def leave(self) -> None:
        """The episode is over."""
        self._held.clear()
        self._bytes = 0

    def cut(self, frame: int) -> None:
        """What was hashed from this frame on is taken back."""
        for beyond in [held for held in self._held if held >= frame]:
            self.release(beyond)

    # -- the exchange ------------------------------------------------------------------------------------------

    def differs(self, link: Link, episode: int, frame: int) -> None:
        """The peer's hash of this frame is another one. Reported is the first of an episode."""
        number = link.peer.number
        report = self._open.get(number)
        if self._begun.get(number) == episode:
            # A hash may come before that of an earlier frame, where a packet was lost.
            if report is None or report.episode != episode or frame >= report.frame:
                return
        elif self._count >= REPORTS:
            return
        else:
            self._begun[number] = episode
            self._count += 1
            if report is not None:
                self._close(report, [], "the episode went on before it was there")
        self._open[number] = Report(link, episode, frame, self._held.get(frame))
        self._streams.wake()

    def take(self, link: Link, payload: bytes, now: float) -> None:
        """A peer tells its side. It may not be known here yet that there are two. Raises DecodeError."""
        number = link.peer.number
        self._tells[number] = count = self._tells.get(number, 0) + 1
        if count > TOLD:
            raise DecodeError(f"more than {TOLD} states that a peer tells")
        told = Told.decode(payload)
        report, before = self._open.get(number), self._told.get(number)
        if before is None or report is None or (before.episode, before.frame) != (report.episode, report.frame):
            self._told[number] = told

    def work(self, now: float) -> bool:
        """Tell our side where it is due, compare, and report."""
        for number, report in tuple(self._open.items()):
            own = report.own
            if own is None:
                own = self._side(report)
                report.tells(own, now)
                self._streams.put(report.link, STATE, own.encode(), now)
            theirs = self._told.get(number)
            if theirs is not None and (theirs.episode, theirs.frame) == (report.episode, report.frame):
                del self._told[number]
                name = self._journal.name(report.link)
                self._close(report, *first_fields(own, theirs, self._seats, name))
            elif now - report.since > ANSWER_WITHIN:
                name = self._journal.name(report.link)
                self._close(report, [], f"player {name} did not tell its state within {ANSWER_WITHIN:.0f} s")
        return bool(self._open)

    def _side(self, report: Report) -> Told:
        """What we tell of a frame."""
        covered = report.covered
        if covered is None:
            return Told(report.episode, report.frame, None, GONE, [])
        rows = list(covered.rows)
        if sum([len(part) for part in rows]) > ROWS_BYTES:
            rows = []
        state, lacks = None, ""
        try:
            state = self._simulation.canonical(covered.state)
        except Exception as error:
            # It was hashed before; what the environment makes of it now ends no game.
            self._journal.say(Log(level="warning", text=f"the state of a desync raised: {described(error)}"))
            lacks = FAILED
        if state is not None and len(state) > STATE_BYTES:
            state, lacks = None, LARGE
        return Told(report.episode, report.frame, state, lacks, rows)

    def _close(self, report: Report, fields: list[list[str]], lacks: str) -> None:
        """The report is made."""
        del self._open[report.link.peer.number]
        made = DesyncReported(
            seat=report.link.seat, episode=report.episode, frame=report.frame, differences=fields, lacks=lacks
        )
        text = self._journal.desync_reported(made, None if report.own is None else report.own.state)
        if self._ends:
            self.verdict = self.verdict or text


def _size(covered: Covered) -> int:
    return covered.size + sum(map(len, covered.rows))
