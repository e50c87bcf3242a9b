"""What a topic is: a kind of block that knows its own payload, when it rides, and what it does where it arrives.

What rides is state, not messages: a topic says again what holds until the receiver is known to have it. So a lost
packet is never missed, and a packet that comes twice moves nothing. A topic that has something to say on a link sets
its bit on the link's agenda, and takes it away when there is nothing more to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from pycore.errors import DecodeError
from pycore.frozen import Named
from pycore.link.link import Link
from pycore.rollback.timeline import Timeline

# Kinds of blocks. An unknown one is skipped, so that a later version may add one.
HASH: Final = 1
READY: Final = 2
STATUS: Final = 3
STOP: Final = 4
END: Final = 5
DEAF: Final = 6
OVER: Final = 7
GONE: Final = 8
RETURN: Final = 9
TERMS: Final = 10


class Arrival(Named):
    """The packet that a block came in."""

    episode: int
    """The one that the packet is of; the running one, or for `of_session` topics any."""
    running: int
    newest: bool
    """Whether it is newer than all packets before on its path."""
    by_socket: bool
    now: float


class Topic(Protocol):
    """One kind of block."""

    kind: int
    bit: int
    """`1 << kind`."""
    of_session: bool
    """Whether it is taken from packets of other episodes as well."""

    def check(self, payload: bytes) -> None:
        """Raise DecodeError for what cannot be read; every block of a packet is looked at before any moves anything."""

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """What rides in a packet of now; `room` is in bytes, payload and head of the block together."""

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """A block of this kind came. It was checked."""


def known_to_all(links: Sequence[Link], timeline: Timeline) -> int:
    """The last frame of which everybody is known to hold everybody's inputs."""
    return min([min(timeline.frames.held), *[link.peer.known for link in links]])


def end_of_all(links: Sequence[Link], timeline: Timeline, frame: int) -> None:
    """Raise DecodeError for a frame that cannot be the end that somebody holds at with everybody's inputs.

    Who comes back to it may have stepped a window beyond before it knew, and given inputs as many frames ahead as they
    are delayed, so nobody holds more; and what nobody can have reached, nobody holds at: whoever was loaded again may
    have reached, before, a ring of frames further than now.
    """
    frames = timeline.frames
    held = known_to_all(links, timeline)
    # Who came back holds what the load before gave, however far ahead, and so do the others.
    further = frames.size if frames.resumed or any(link.peer.load for link in links) else frames.ahead
    if frame + further < held or frame > frames.reached:
        raise DecodeError(f"an end at frame {frame}, while all hold frame {held} and {timeline.current} is current")


def fixed_size(name: str, size: int, payload: bytes) -> None:
    """Raise DecodeError if a payload has another size."""
    if len(payload) != size:
        raise DecodeError(f"block {name} has {size} bytes, this one {len(payload)}")
