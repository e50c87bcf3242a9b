"""STOP: the episode ends with this frame at the latest. The lowest that anybody said counts.

    u32 bits 0-30 frame, bit 31 DESYNC: somebody ends there, and others do not, with the same inputs

Who stops says so with its next input and names a frame that nobody can have stepped yet: what all hold is never cut
off, and a word that would do so is refused. Where ends differ, the lower one is an end that others have passed: they
go back to it, and from there on the episode ends as any other does, with everybody's inputs. All may hold a few frames
beyond it, since inputs are given as many frames ahead as they are delayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.errors import DecodeError
from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.episode import Episode
from pycore.session.journal import Journal
from pycore.session.topics.topic import STOP, Arrival, end_of_all, fixed_size, known_to_all

DESYNC: Final = 1 << 31


class Stop:
    """The frame at which the episode stops."""

    kind = STOP
    bit = 1 << STOP
    of_session = False

    def __init__(
        self,
        links: Sequence[Link],
        episode: Episode,
        journal: Journal,
        timeline: Timeline,
        ends_at_desync: bool = False,
    ) -> None:
        self._links = links
        self._episode = episode
        self._journal = journal
        self._timeline = timeline
        self._ends_at_desync = ends_at_desync

    def at(self, frame: int, desync: str = "") -> None:
        """End the episode with this frame at the latest, and say so before any further input goes out: whoever had
        our inputs but not the word could step beyond. `desync`: because ends differ, and whose."""
        if self._episode.stop(frame, desync):
            for link in self._links:
                link.speak(self.bit)
                link.hurry()
                link.ask_flush()

    def leave(self) -> None:
        """The episode is over."""
        for link in self._links:
            link.be_silent(self.bit)

    def check(self, payload: bytes) -> None:
        """A frame that may still be an end. A stop that is known is said again and again, also behind its frame."""
        fixed_size("STOP", 4, payload)
        frame, desync = _read(payload)
        known = self._episode.stop_frame
        if self._episode.open and (known is None or frame < known):
            if desync:
                end_of_all(self._links, self._timeline, frame)
            elif frame < (held := known_to_all(self._links, self._timeline)):
                raise DecodeError(f"a stop at frame {frame}, while all hold frame {held}")

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """As long as the episode runs."""
        frame = self._episode.stop_frame
        if frame is None:
            return ()
        return ((frame | DESYNC if self._episode.desync else frame).to_bytes(4, "big"),)

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """It counts for us, and we pass it on."""
        frame, desync = _read(payload)
        text = ""
        if desync:
            name = self._journal.name(link)
            if self._ends_at_desync and self._journal.mismatches:
                # The study ends where states differ, and here it is known that they do.
                text = f"player {name} ends the session, since the states differ"
            else:
                text = f"player {name} found that the episode ends elsewhere there, with the same inputs"
            if not self._episode.desync and not (self._ends_at_desync and self._journal.mismatches):
                self._journal.ends_differ(link, frame, "another end")
        self.at(frame, text)


def _read(payload: bytes) -> tuple[int, bool]:
    """The frame, and whether it is that of a desync."""
    word = int.from_bytes(payload, "big")
    return word & ~DESYNC, bool(word & DESYNC)
