"""The own inputs of one seat: fixed once, in the order of frames, and sent as they are."""

from __future__ import annotations

from pycore.rollback.seats import Seat


class OwnInputs:
    """The inputs that we fixed for one of our seats."""

    __slots__ = ("_mask", "dispatched", "place", "row", "seat")

    def __init__(self, seat: Seat, place: int) -> None:
        self.seat = seat
        self.place = place
        """Which of our seats it is."""
        self.begin(1)

    def begin(self, slots: int) -> None:
        """Start an episode; `slots` is the size of the ring of frames."""
        self._mask = slots - 1
        self.row = [b""] * slots
        """Encoded, by slot of the ring: most of a packet is a slice of it."""
        self.dispatched = self.seat.delay - 1
        """Last frame for which the input is fixed."""

    def fix(self, frame: int, encoded: bytes) -> None:
        """The input of this frame, the next one, is this for good."""
        self.row[frame & self._mask] = encoded
        self.dispatched = frame

    def resume(self, frame: int) -> None:
        """Up to this frame nothing is given: all know what is played there."""
        self.dispatched = max(self.dispatched, frame)

    def run(self, first: int, last: int) -> list[bytes]:
        """The inputs of these frames."""
        low, high = first & self._mask, last & self._mask
        row = self.row
        return row[low : high + 1] if low <= high else row[low:] + row[: high + 1]
