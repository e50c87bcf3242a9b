"""The last steps of our way back: our own inputs, what each peer lacks of them, and what was played meanwhile.

Behind what was confirmed come our own inputs: for a frame of which somebody holds one, that one, since it may have been
stepped and seen; for a frame of which nobody does, the default action. Where the others have played on without us, our
seat has its default action up to the frame from which on it is open again; then we step what they gave meanwhile,
several frames in a tick, until that frame comes.
"""

from __future__ import annotations

from collections.abc import Mapping

from pycore.link.link import Link
from pycore.session.drops import Drops
from pycore.session.messages.account import Account
from pycore.session.roster import Roster
from pycore.session.stage import Stage


class Arrival:
    """Ours, in the episode that runs."""

    __slots__ = ("_drops", "_roster", "_stage", "late")

    def __init__(self, stage: Stage, roster: Roster, drops: Drops) -> None:
        self._stage = stage
        self._roster = roster
        self._drops = drops
        self.late = False
        """We are there, and the others are further."""

    def fix(self, number: int, frame: int, encoded: bytes) -> None:
        """Our own input of a frame, as it was told."""
        self._stage.timeline.fix(number, frame, encoded)
        for inputs in self._stage.dispatch.own:
            if inputs.seat.number == number:
                inputs.fix(frame, encoded)

    def give(self, accounts: Mapping[Link, Account], now: float) -> None:
        """Everything that was confirmed is stepped: go on from there with what they told who have told of this
        episode."""
        timeline = self._stage.timeline
        opens = self._open_own_seat()
        for inputs in self._stage.dispatch.own:
            seat = inputs.seat
            held: dict[int, bytes] = {}
            for of in accounts.values():
                held |= of.held.get(seat.number, {})
            last = max([timeline.current + seat.delay - 1, *held])
            # Nobody can hold more than a ring of frames beyond what all confirmed.
            for frame in range(inputs.dispatched + 1, min(last, timeline.current + timeline.frames.size - 1) + 1):
                encoded = held.get(frame, seat.default)
                if frame <= timeline.frames.opened:
                    timeline.fix(seat.number, frame, encoded)
                # What lies further ahead is stepped with it once it can be reached (`Dispatch`).
                inputs.fix(frame, encoded)
        for link in self._roster.links:
            theirs = accounts.get(link)
            for outbox, inputs in zip(link.own, self._stage.dispatch.own, strict=True):
                known = {} if theirs is None else theirs.held.get(outbox.seat, {})
                # Of who returns as well it is not known how far it is: what the ring has is sent until it says so.
                ring = inputs.dispatched - timeline.frames.size + 1
                outbox.agree(opens - 1)
                acked = max(outbox.agreed, ring if theirs is None else theirs.confirmed)
                while acked + 1 in known:
                    acked += 1
                outbox.resume(min(acked, inputs.dispatched), inputs.dispatched, now)
            if theirs is not None:
                link.peer.said_known(theirs.confirmed)

    def _open_own_seat(self) -> int:
        """Where others played on without us, our seat is ours again from a frame on, and before it has its default
        action. Returns that frame, 0: we were never gone."""
        opens = self._drops.comings.opened_here
        if opens > self._stage.timeline.current:
            for inputs in self._stage.dispatch.own:
                inputs.resume(opens - 1)
            # They are further than who plays with them all along: what they gave meanwhile is taken in at once.
            frames = self._stage.timeline.frames
            frames.open(min(opens, self._stage.publication.collected + frames.reach) - frames.ahead)
            self.late = True
        self._drops.arrive()
        return opens

    def hurry(self, most: int) -> None:
        """The others have played on: step what is known of that, so many frames in a tick, until our seat is ours."""
        timeline, frames = self._stage.timeline, self._stage.timeline.frames
        ours = self._drops.comings.opened_here - max([seat.delay for seat in timeline.seats]) - 1
        for _ in range(most):
            frame = timeline.current
            if timeline.end is not None or timeline.pending is not None or frame > min(frames.held):
                break
            if frame >= ours or frame - frames.reach > self._stage.publication.collected:
                break
            timeline.advance(True)
        self.late = timeline.current < ours
