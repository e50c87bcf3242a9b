"""The peers' inputs on their way into the timeline, whichever way they came."""

from __future__ import annotations

from typing import Any

from pycore.duties import P2P, SOCKETIO
from pycore.errors import ActionError
from pycore.link.link import Link
from pycore.rollback.mispredictions import LateInputLog
from pycore.rollback.timeline import CONTRADICTION, MISPREDICTED, OUT_OF_REACH, TAKEN, Timeline
from pycore.session.episode import Episode
from pycore.session.journal import Journal
from pycore.session.roster import Roster


class Inputs:
    """Takes in what others did, and keeps the books of it."""

    __slots__ = ("_codecs", "_episode", "_journal", "_late", "_returning", "_roster", "_timeline")

    def __init__(self, episode: Episode, timeline: Timeline, roster: Roster, journal: Journal) -> None:
        self._episode = episode
        self._timeline = timeline
        self._roster = roster
        self._journal = journal
        self._codecs = [seat.codec for seat in timeline.seats]
        self._late = LateInputLog()
        self._returning = False

    def set_returning(self, returning: bool) -> None:
        """Whether we were loaded again, and are not there yet: then nothing of the episode is taken in."""
        self._returning = returning

    def receive_action(self, seat: int, action: Any, frame: Any, epoch: Any, now: float) -> bool:
        """Take in an input that the server passed on. `epoch` is None where the server leaves it out.

        Then the sender's ready of this episode must have come by the same socket before it.
        """
        link = self._roster.of_seat.get(seat)
        if link is None:
            return False
        link.paths.socket.hear(now)
        episode = self._episode
        peer = link.peer
        if not episode.open or self._returning or (
            (epoch is None or peer.load) and (peer.ready_by_socket != episode.number or peer.episode > episode.number)
        ):
            return False
        if epoch is not None and (type(epoch) is not int or epoch != episode.number):
            return False
        if link.peer.strangers:
            # A message does not say of which load of the page it is. Another one spoke last, so it may be of that; if
            # it is not, it comes again.
            return False
        try:
            encoded = self._codecs[seat].encode(action)
        except ActionError as error:
            self._journal.refuse(link, str(error), now)
            return False
        if type(frame) is not int:
            self._journal.refuse(link, f"frame {frame!r} is no int", now)
            return False
        link.peer.plays()
        link.counts.packet_came(len(encoded), False)
        return self.take(link, seat, frame, encoded, now, SOCKETIO)

    def take_run(self, link: Link, seat: int, first: int, inputs: list[bytes], now: float, path: str) -> None:
        held = self._timeline.frames.held[seat]
        frame = first
        for encoded in inputs:
            if frame > held:
                self.take(link, seat, frame, encoded, now, path)
            frame += 1

    def take(self, link: Link, seat: int, frame: int, encoded: bytes, now: float, path: str) -> bool:
        """Store a remote input; true if it was accepted, false for a duplicate or one out of reach."""
        timeline = self._timeline
        verdict = timeline.take(seat, frame, encoded, now, self._episode.number)
        if verdict in (TAKEN, MISPREDICTED):
            link.counts.received_by(path == P2P)
            if verdict == MISPREDICTED:
                depth = timeline.current - frame
                if self._late.is_due(now, depth):
                    self._journal.late_input(self._late.summary(), seat, frame, encoded, depth)
            return True
        if verdict == CONTRADICTION:
            self._journal.contradict(link, frame, now)
        elif verdict == OUT_OF_REACH and frame > timeline.frames.reached:
            # What others may give, though we cannot take it yet, comes again.
            self._journal.refuse(link, f"an input for frame {frame} while frame {timeline.current} is current", now)
        return False

    def store(self, seat: int, action: Any, frame: int, now: float, path: str) -> bool:
        """Take in a remote input that the caller received itself. Raises ActionError."""
        link = self._roster.of_seat.get(seat)
        if link is None or not self._episode.open:
            return False
        return self.take(link, seat, frame, self._codecs[seat].encode(action), now, path)

    def acknowledge(self, link: Link, frame: int, now: float) -> None:
        """A peer holds all our inputs up to `frame`, says the caller, and knows everybody's; of a seat of which nothing
        was dispatched so far it moves nothing, and then it cannot know everybody's."""
        was_dispatched = True
        for outbox in link.own:
            outbox.acknowledge(frame, now)
            if frame > outbox.dispatched:
                was_dispatched = False
        if was_dispatched:
            link.peer.said_known(frame)
