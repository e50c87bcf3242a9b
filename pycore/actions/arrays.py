"""Arrays of numbers as bits: integers in the fewest bits of their range, floats in those of their dtype.

Where numpy is loaded a decoded array is one of numpy, with the dtype and the shape that the space's samples have. It
cannot be written to: a frame may be stepped again with it. Without numpy it is nested lists.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from typing import Any, Final

from pycore.actions.bits import Reader, Writer
from pycore.errors import ActionError, DecodeError
from pycore.spaces import EXACT, FLOATS, INTEGERS, elements, integer, nested

_INFINITY: Final = float("inf")
FLOAT_CHARACTERS: Final = 25
"""Of a float as JSON, with what stands behind it: ``-2.2250738585072014e-308,``."""


class Integers:
    """An array of integers, each in a range of its own. `lows` and `highs` are by element, in C order."""

    __slots__ = ("_booleans", "_counts", "_lows", "_texts", "_widths", "bits", "dtype", "json_bytes", "shape")

    def __init__(self, shape: Sequence[int], dtype: str, lows: Sequence[int], highs: Sequence[int]) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self._lows = tuple(lows)
        self._counts = tuple([high - low + 1 for low, high in zip(lows, highs, strict=True)])
        self._widths = tuple([(count - 1).bit_length() for count in self._counts])
        self._texts = min(lows) < -EXACT or max(highs) > EXACT
        """Whether there are integers that JavaScript cannot hold: in JSON they are texts."""
        self._booleans = dtype in ("bool", "int8") and min(lows) >= 0 and max(highs) <= 1
        """Whether an element may be true or false: those of a MultiBinary are int8."""
        self.bits: int | None = sum(self._widths)
        longest = [max(len(str(low)), len(str(high))) for low, high in zip(lows, highs, strict=True)]
        # With quotes, as `false`, and with a comma.
        around = 3 if self._texts else 5 if dtype == "bool" else 1
        self.json_bytes = sum(longest) + around * len(longest) + _brackets(shape)

    def pack(self, value: Any, path: str, out: Writer) -> None:
        """Write an array. Raises ActionError."""
        number = 0
        lows, counts, widths = self._lows, self._counts, self._widths
        for at, item in enumerate(flat_of(value, self.shape, path)):
            if type(item) is not int:
                item = self._integer(item, at, path)
            offset = item - lows[at]
            if not 0 <= offset < counts[at]:
                limit = lows[at] if offset < 0 else lows[at] + counts[at] - 1
                raise ActionError(f"{self._place(at, path)} is {item!r:.60}; the limit is {limit}")
            number = number << widths[at] | offset
        out.put(number, self.bits or 0)

    def unpack(self, source: Reader) -> Any:
        """Read an array. Raises DecodeError."""
        number = source.take(self.bits or 0)
        flat = []
        for low, count, width in zip(reversed(self._lows), reversed(self._counts), reversed(self._widths), strict=True):
            offset = number & ((1 << width) - 1)
            if offset >= count:
                raise DecodeError(f"action {offset} of {count}")
            number >>= width
            flat.append(low + offset)
        flat.reverse()
        return array_of(flat, self.shape, self.dtype)

    def neutral(self) -> Any:
        """Zero, or what is nearest to it, in every place."""
        return nested([max(low, min(0, low + n - 1)) for low, n in zip(self._lows, self._counts)], self.shape)  # noqa: B905

    def to_json(self, value: Any) -> Any:
        """Nested lists; an integer that JavaScript cannot hold is a text."""
        listed = value.tolist() if hasattr(value, "tolist") else value
        if not self._texts:
            return listed
        flat = flat_of(listed, self.shape, "action")
        return nested([item if -EXACT <= item <= EXACT else str(item) for item in flat], self.shape)

    def _integer(self, item: Any, at: int, path: str) -> int:
        """The int of what JSON, JavaScript and numpy make of one."""
        found = integer(item)
        if found is not None:
            return found
        if isinstance(item, bool) or getattr(getattr(item, "dtype", None), "kind", "") == "b":
            if self._booleans:
                return int(item)
        elif type(item) is float and item % 1 == 0:
            return int(item)
        if type(item) is str and self._texts and item.removeprefix("-").isdecimal() and len(item) <= 20:
            return int(item)
        raise ActionError(f"{self._place(at, path)} is {item!r:.60}; it must be an integer")

    def _place(self, at: int, path: str) -> str:
        return place(at, self.shape, path)


class Floats:
    """An array of floats. `lows` and `highs` are by element, in C order, with infinities for none."""

    __slots__ = ("_form", "_highs", "_lows", "_size", "bits", "dtype", "json_bytes", "shape")

    def __init__(self, shape: Sequence[int], dtype: str, lows: Sequence[float], highs: Sequence[float]) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self._form = struct.Struct(f">{len(lows)}{FLOATS[dtype]}")
        self._size = self._form.size
        self._lows = tuple(lows)
        self._highs = tuple(highs)
        self.bits: int | None = 8 * self._size
        self.json_bytes = FLOAT_CHARACTERS * len(lows) + _brackets(shape)

    def pack(self, value: Any, path: str, out: Writer) -> None:
        """Write an array: this is where its elements are rounded to the dtype. Raises ActionError."""
        flat = flat_of(value, self.shape, path)
        numbers = [item if type(item) is float else self._float(item, at, path) for at, item in enumerate(flat)]
        try:
            rounded = self._form.unpack(self._form.pack(*numbers))
        except OverflowError:
            at = next(at for at, number in enumerate(numbers) if not self._fits(number))
            raise ActionError(f"{self._place(at, path)} is {numbers[at]!r}, which does not fit {self.dtype}") from None
        for at, number in enumerate(rounded):
            if number - number != 0.0:
                raise ActionError(f"{self._place(at, path)} is {numbers[at]!r}; it must be finite")
            if not self._lows[at] <= number <= self._highs[at]:
                limit = self._lows[at] if number < self._lows[at] else self._highs[at]
                raise ActionError(f"{self._place(at, path)} is {numbers[at]!r}; the limit is {limit!r}")
        # -0.0 + 0.0 is 0.0: there is one zero.
        data = self._form.pack(*[number + 0.0 for number in rounded])
        out.put(int.from_bytes(data, "big"), 8 * self._size)

    def unpack(self, source: Reader) -> Any:
        """Read an array. Raises DecodeError."""
        data = source.take(8 * self._size).to_bytes(self._size, "big")
        flat = self._form.unpack(data)
        for number, low, high in zip(flat, self._lows, self._highs):  # noqa: B905 - one each
            if not low <= number <= high or number - number != 0.0:
                raise DecodeError(f"action {number!r} beyond {low!r} to {high!r}")
        if 0.0 in flat and self._form.pack(*[number + 0.0 for number in flat]) != data:
            raise DecodeError("action -0.0, which is spelled 0.0")
        return array_of(list(flat), self.shape, self.dtype)

    def neutral(self) -> Any:
        """Zero, or what is nearest to it, in every place."""
        return nested([max(low, min(0.0, high)) for low, high in zip(self._lows, self._highs)], self.shape)  # noqa: B905

    def to_json(self, value: Any) -> Any:
        """Nested lists of floats, which are exact: every float32 is a float of Python's."""
        return value.tolist() if hasattr(value, "tolist") else value

    def _float(self, item: Any, at: int, path: str) -> float:
        """The float of what JSON, JavaScript and numpy make of one."""
        whole = integer(item)
        if whole is not None:
            item = whole
        kind = getattr(getattr(item, "dtype", None), "kind", "")
        if whole is not None or isinstance(item, float) or (kind == "f" and getattr(item, "shape", None) == ()):
            try:
                return float(item)
            except OverflowError:
                return _INFINITY
        raise ActionError(f"{self._place(at, path)} is {item!r:.60}; it must be a number")

    def _fits(self, number: float) -> bool:
        try:
            struct.pack(f"<{FLOATS[self.dtype]}", number)
        except OverflowError:
            return False
        return True

    def _place(self, at: int, path: str) -> str:
        return place(at, self.shape, path)


def flat_of(value: Any, shape: tuple[int, ...], path: str) -> list[Any]:
    """The elements of an array, or of nested lists or tuples, in C order. Raises ActionError for another shape."""
    if hasattr(value, "tolist"):
        # Looked at before anything is made of it.
        found = getattr(value, "shape", None)
        if found != shape:
            raise ActionError(f"{path} has the shape {found}; it must have {shape}")
        value = value.tolist()
    if not shape:
        return [value]
    flat: list[Any] = [value]
    for depth, extent in enumerate(shape):
        for at, part in enumerate(flat):
            if not isinstance(part, (list, tuple)) or len(part) != extent:
                where = place(at, shape[:depth], path)
                found = f"{len(part)} elements" if isinstance(part, (list, tuple)) else f"{part!r:.60}"
                raise ActionError(f"{where} is {found}; it must be a list of {extent}, the shape is {shape}")
        flat = [item for part in flat for item in part]
    return flat


def place(at: int, shape: Sequence[int], path: str) -> str:
    """The path of an element, from its number in C order."""
    index = []
    for extent in reversed(shape):
        at, here = divmod(at, extent)
        index.append(f"[{here}]")
    return path + "".join(reversed(index))


def array_of(flat: list[Any], shape: tuple[int, ...], dtype: str) -> Any:
    """The array, as whoever asks for it has it."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return nested([bool(item) for item in flat] if dtype == "bool" else flat, shape)
    array = numpy.array(flat, dtype).reshape(shape)
    array.setflags(write=False)
    return array


def _brackets(shape: Sequence[int]) -> int:
    """Characters of the brackets and commas around the elements of nested lists, at most."""
    return sum([3 * elements(shape[:depth]) for depth in range(len(shape))])


def limits_of(given: Any, shape: Sequence[int], otherwise: float) -> list[Any]:
    """A limit of a space's plain form by element, with `otherwise` where there is none."""
    if isinstance(given, list):
        return [otherwise if item is None else item for item in flat_of(given, tuple(shape), "space")]
    return [otherwise if given is None else given] * elements(shape)


def box_of(space: dict[str, Any]) -> Integers | Floats:
    """The array of a box, from its plain form."""
    shape, dtype = space["shape"], space["dtype"]
    low, high = space.get("low"), space.get("high")
    if dtype in FLOATS:
        lows, highs = limits_of(low, shape, -_INFINITY), limits_of(high, shape, _INFINITY)
        return Floats(shape, dtype, [float(item) for item in lows], [float(item) for item in highs])
    lowest, highest = INTEGERS[dtype]
    # Those that JavaScript cannot hold are texts.
    lows, highs = limits_of(low, shape, lowest), limits_of(high, shape, highest)
    return Integers(shape, dtype, [int(item) for item in lows], [int(item) for item in highs])
