"""What everybody did in the confirmed frames of the running episode, for whoever returns to it.

The newest frames are kept as they come, one reference for each seat; what can no longer be cut is joined, seat by seat,
so that an hour of eight players takes as many bytes as they gave, and not ten times as many.
"""

from __future__ import annotations

from typing import Final

from pycore.rollback.seats import Seat

JOINED: Final = 1024
"""Frames that are joined at a time."""
KEPT: Final = 256
"""Frames that are not joined: a cut takes no more back."""


class Past:
    """The encoded actions of an episode's collected frames. `Publication.collect` adds to `recent`."""

    __slots__ = ("_columns", "_seats", "most", "recent")

    def __init__(self, seats: int) -> None:
        self._seats = seats
        self._columns: list[list[bytes]] = []
        """Of each `JOINED` frames the actions one behind the other, by seat."""
        self.recent: list[bytes] = []
        """The frames behind these, one part for each seat."""
        self.most = (JOINED + KEPT) * seats
        """Parts with which there is something to join."""

    def join(self) -> None:
        """Join the oldest of those that are not."""
        count = self._seats
        stop = JOINED * count
        self._columns.append([b"".join(self.recent[seat:stop:count]) for seat in range(count)])
        del self.recent[:stop]

    def cut(self, frames: int) -> None:
        """Nothing from this frame on has ever been."""
        del self.recent[max(0, frames - JOINED * len(self._columns)) * self._seats :]

    def actions(self, seat: Seat, first: int, stop: int) -> list[bytes]:
        """A seat's actions from a frame on, up to another one, which is not among them; at most as many as are
        joined."""
        number, at = divmod(first, JOINED)
        if number < len(self._columns):
            found, _ = seat.codec.split(self._columns[number][seat.number], 0, JOINED)
            return found[at : at + stop - first]
        count = self._seats
        begun = JOINED * len(self._columns)
        stop = min(stop, first + JOINED)
        return self.recent[(first - begun) * count + seat.number : (stop - begun) * count : count]
