"""Where two canonical forms differ, found in the bytes: values are made of what differs, and of nothing else.

A state of 100 kB has tens of thousands of values, and two of them are compared in the middle of a game. So both texts
are walked side by side. What lies before their first differing byte is passed over in one of them, and where nothing
but their common end is left, the walk is over. Found is what `pycore.values.differences` finds in the values, but that
keys which Python takes for equal (1 and True) are two.
"""

from __future__ import annotations

from typing import Any, Final

from pycore.errors import DecodeError
from pycore.values.arrays import DTYPES, array_bytes
from pycore.values.canonical import decode, path_step, short_repr
from pycore.values.differences import MISSING, first_differences
from pycore.values.encoding import MAX_DEPTH

__all__ = ["parting"]

LIST: Final = 7
DICT: Final = 8
SET: Final = 9


def parting(left: bytes, right: bytes, limit: int = 10) -> list[tuple[str, Any, Any]]:
    """The first places where two values differ, (path, left, right), from their canonical bytes.

    `MISSING` stands for what one side does not have. Raises DecodeError for bytes that are no canonical form, as far as
    it comes to look at them.
    """
    walk = _Walk(left, right, limit)
    try:
        walk.value("$", 0)
    except IndexError:
        raise DecodeError("the bytes end before the value does") from None
    return walk.found


class _Walk:
    """Two texts, and how far each was walked."""

    def __init__(self, left: bytes, right: bytes, limit: int) -> None:
        self.left = left
        self.right = right
        self.limit = limit
        self.found: list[tuple[str, Any, Any]] = []
        self.at_left = self.at_right = 0
        self.same = _common(left, right)
        """Bytes at the beginning that are the same in both."""
        self.rest = len(left) - _common(left[::-1], right[::-1])
        """From here on, in the left one, both are the same up to their ends."""

    def value(self, path: str, depth: int) -> None:
        """Compare the values that begin here, and go behind them."""
        left, right = self.left, self.right
        tag = left[self.at_left]
        if depth > MAX_DEPTH:
            raise DecodeError("nested too deep")
        if tag != right[self.at_right] or not LIST <= tag <= SET:
            one_at, other_at = self.at_left, self.at_right
            self.at_left, self.at_right = _end(left, one_at), _end(right, other_at)
            if left[one_at : self.at_left] != right[other_at : self.at_right]:
                room = self.limit - len(self.found)
                one, other = _value(left[one_at : self.at_left]), _value(right[other_at : self.at_right])
                self.found += [(path + at[1:], a, b) for at, a, b in first_differences(one, other, room)]
            return
        of_left, self.at_left = _number(left, self.at_left + 1)
        of_right, self.at_right = _number(right, self.at_right + 1)
        if tag == LIST:
            self._list(path, depth + 1, of_left, of_right)
        else:
            self._sorted(path, depth + 1, of_left, of_right, tag == DICT)

    def _through(self) -> bool:
        """Whether nothing more is to be found: enough was, or only the common end is left."""
        if len(self.found) >= self.limit:
            return True
        return self.at_left >= self.rest and len(self.left) - self.at_left == len(self.right) - self.at_right

    def _passed(self) -> bool:
        """Pass over the next value if it lies before the first difference; it is the same in both."""
        if self.at_left != self.at_right or self.at_left >= self.same:
            return False
        end = _end(self.left, self.at_left)
        if end > self.same:
            return False
        self.at_left = self.at_right = end
        return True

    def _list(self, path: str, depth: int, of_left: int, of_right: int) -> None:
        for index in range(max(of_left, of_right)):
            if self._through():
                return
            if index < of_left and index < of_right:
                if not self._passed():
                    self.value(f"{path}[{index}]", depth)
            else:
                self._alone(f"{path}[{index}]", index < of_left)

    def _sorted(self, path: str, depth: int, of_left: int, of_right: int, pairs: bool) -> None:
        """A dict or a set: keys or members ascend by their bytes."""
        left, right = self.left, self.right
        while (of_left or of_right) and not self._through():
            key = left[self.at_left : _end(left, self.at_left)] if of_left else None
            other = right[self.at_right : _end(right, self.at_right)] if of_right else None
            if key == other:
                assert key is not None
                self.at_left += len(key)
                self.at_right += len(key)
                of_left -= 1
                of_right -= 1
                if pairs and not self._passed():
                    self.value(path + path_step(_key(key)), depth)
                continue
            # The smaller one is missing on the other side.
            mine = other is None or (key is not None and key < other)
            first = key if mine else other
            assert first is not None
            of_left, of_right = (of_left - 1, of_right) if mine else (of_left, of_right - 1)
            if pairs:
                if mine:
                    self.at_left += len(first)
                else:
                    self.at_right += len(first)
                self._alone(path + path_step(_key(first)), mine)
            else:
                self._alone(f"{path}{{{short_repr(_key(first))}}}", mine, first)

    def _alone(self, path: str, mine: bool, member: bytes | None = None) -> None:
        """The next value, or member, of one side has none on the other."""
        data, at = (self.left, self.at_left) if mine else (self.right, self.at_right)
        end = _end(data, at)
        value = _value(data[at:end]) if member is None else _key(member)
        if mine:
            self.at_left = end
        else:
            self.at_right = end
        self.found.append((path, value, MISSING) if mine else (path, MISSING, value))


def _value(data: bytes) -> Any:
    return decode(data, max_bytes=len(data))


def _key(data: bytes) -> Any:
    """As a dict or set has it: a list is a tuple there."""
    (key,) = decode(bytes((SET, 1)) + data, max_bytes=len(data) + 2)
    return key


def _common(one: bytes, other: bytes) -> int:
    """How many bytes at the beginning are the same."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A length or count, and where it ends."""
    number = shift = 0
    while True:
        octet = data[at]
        at += 1
        number |= (octet & 0x7F) << shift
        if octet < 0x80:
            return number, at
        shift += 7
        if shift > 35:
            raise DecodeError(f"no length at {at}")


def _end(data: bytes, at: int) -> int:
    """Where the value ends that begins here. Raises DecodeError, IndexError."""
    pending = 1
    while pending:
        pending -= 1
        tag = data[at]
        at += 1
        if tag == 3:
            while data[at] >= 0x80:
                at += 1
            at += 1
        elif tag == 5 or tag == 6:
            size = data[at]
            if size < 0x80:
                at += size + 1
            else:
                size, at = _number(data, at)
                at += size
        elif tag == 4:
            at += 8
        elif LIST <= tag <= SET:
            count, at = _number(data, at)
            pending += 2 * count if tag == DICT else count
        elif tag == 10:
            at = _end_of_array(data, at)
        elif tag > 2:
            raise DecodeError(f"no such tag: {tag} at {at - 1}")
    if at > len(data):
        raise IndexError
    return at


def _end_of_array(data: bytes, at: int) -> int:
    code, dimensions = data[at], data[at + 1]
    at += 2
    if code >= len(DTYPES):
        raise DecodeError(f"no array has dtype {code}, at {at}")
    shape = []
    for _ in range(dimensions):
        length, at = _number(data, at)
        shape.append(length)
    return at + array_bytes(DTYPES[code], tuple(shape))
