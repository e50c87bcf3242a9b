"""STOP: the episode ends with this frame at the latest. The lowest that anybody said counts.

Who stops says so with its next input and names a frame that nobody can have stepped yet: what all hold is never cut
off, and a word that would do so is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pycore.errors import DecodeError
from pycore.link.link import Link
from pycore.session.episode import Episode
from pycore.session.topics.topic import STOP, Arrival, fixed_size


class Stop:
    """The frame at which the episode stops. `known_to_all` gives the last frame that everybody is known to hold."""

    kind = STOP
    bit = 1 << STOP
    of_session = False

    def __init__(self, links: Sequence[Link], episode: Episode, known_to_all: Callable[[], int]) -> None:
        self._links = links
        self._episode = episode
        self._known_to_all = known_to_all

    def at(self, frame: int) -> None:
        """End the episode with this frame at the latest, and say so before any further input goes out: whoever had
        our inputs but not the word could step beyond."""
        if self._episode.stop(frame):
            for link in self._links:
                link.speak(self.bit)
                link.hurry()

    def leave(self) -> None:
        """The episode is over."""
        for link in self._links:
            link.be_silent(self.bit)

    def check(self, payload: bytes) -> None:
        """A frame that may still be an end. A stop that is known is said again and again, also behind its frame."""
        fixed_size("STOP", 4, payload)
        frame = int.from_bytes(payload, "big")
        known = self._episode.stop_frame
        if self._episode.open and (known is None or frame < known) and frame < (held := self._known_to_all()):
            raise DecodeError(f"a stop at frame {frame}, while all hold frame {held}")

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """As long as the episode runs."""
        frame = self._episode.stop_frame
        return () if frame is None else (frame.to_bytes(4, "big"),)

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """It counts for us, and we pass it on."""
        self.at(int.from_bytes(payload, "big"))
