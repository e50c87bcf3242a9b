"""Numbers of any width, one behind the other: the first stands in the highest bits."""

from __future__ import annotations

from pycore.errors import DecodeError


class Writer:
    """Collects numbers."""

    __slots__ = ("number", "width")

    def __init__(self) -> None:
        self.number = 0
        """All of them as one."""
        self.width = 0
        """Bits so far."""

    def put(self, number: int, width: int) -> None:
        """Add a number, 0 <= number < 2**width."""
        self.number = self.number << width | number
        self.width += width

    def padded(self, size: int) -> bytes:
        """All of them in so many bytes; what is left over at the end is zero."""
        return (self.number << (8 * size - self.width)).to_bytes(size, "big")


class Reader:
    """Gives them back in order."""

    __slots__ = ("_left", "_number")

    def __init__(self, data: bytes) -> None:
        self._number = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, width: int) -> int:
        """The next number. Raises DecodeError if there are not so many bits."""
        left = self._left = self._left - width
        if left < 0:
            raise DecodeError("an action is cut off")
        return self._number >> left & ((1 << width) - 1)

    def end(self, most: int) -> None:
        """Nothing may be left but zeros, and of them at most so many. Raises DecodeError."""
        if self._left > most or self._number & ((1 << self._left) - 1):
            raise DecodeError("an action with something behind its end")
