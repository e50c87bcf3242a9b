"""END: the frame at which the sender holds, and the last frame for which it dispatched an input.

    u32 bits 0-30 frame, bit 31 SURE: I hold everybody's inputs up to it | i32 last frame dispatched

An end that is not sure may be a prediction's. Two sure ends that differ are a desync.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.episode import Episode
from pycore.session.topics.topic import END, Arrival, end_of_all, fixed_size

SURE: Final = 1 << 31


class End:
    """The provisional end of the episode."""

    kind = END
    bit = 1 << END
    of_session = False

    def __init__(self, links: Sequence[Link], episode: Episode, timeline: Timeline) -> None:
        self._links = links
        self._timeline = timeline
        self._episode = episode
        self._payload = b""
        self._holds = False

    def hold(self, frame: int, dispatched: int, sure: bool) -> None:
        """We hold at this frame; `sure`: with everybody's inputs."""
        self._payload = (frame | SURE if sure else frame).to_bytes(4, "big") + dispatched.to_bytes(
            4, "big", signed=True
        )
        self._holds = True
        for link in self._links:
            link.speak(self.bit)

    def revoke(self) -> None:
        """We play on, or the episode is over."""
        self._holds = False
        for link in self._links:
            link.be_silent(self.bit)

    def check(self, payload: bytes) -> None:
        """Two frames; nobody can be sure of an end that all hold inputs far beyond."""
        fixed_size("END", 8, payload)
        word = int.from_bytes(payload[:4], "big")
        if self._episode.open and word & SURE:
            end_of_all(self._links, self._timeline, word & ~SURE)

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """As long as we hold."""
        return (self._payload,) if self._holds and self._episode.open else ()

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """The peer holds there."""
        word = int.from_bytes(payload[:4], "big")
        dispatched = int.from_bytes(payload[4:], "big", signed=True)
        link.peer.said_end(word & ~SURE, dispatched, bool(word & SURE), arrival.newest)
