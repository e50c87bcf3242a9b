"""The parts of an action: one field for each space, and for each space within it.

A field writes a value as bits and reads it back (`pack`, `unpack`). `bits` is how many, None where that differs from
value to value. `neutral` is an action that does as little as the space allows, `to_json` the form of a decoded value
that JSON can spell, and `json_bytes` how many characters that takes at most. What `pack` takes is what a sample of the
space is, and what JSON makes of it: lists for arrays and tuples, texts for keys that are integers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pycore.actions.arrays import Floats, Integers, box_of, limits_of
from pycore.actions.bits import Reader, Writer
from pycore.errors import ActionError, DecodeError
from pycore.spaces import ALPHANUMERIC, elements, integer, step


class Choice:
    """One of n integers, from `start` on; a plain int, never one of numpy."""

    __slots__ = ("_n", "_start", "bits", "json_bytes")

    def __init__(self, n: int, start: int) -> None:
        self._n = n
        self._start = start
        self.bits: int | None = (n - 1).bit_length()
        self.json_bytes = max(len(str(start)), len(str(start + n - 1))) + 1

    def pack(self, value: Any, path: str, out: Writer) -> None:
        """Write an integer. Raises ActionError."""
        number = integer(value)
        if number is None and type(value) is float and value % 1 == 0:
            # JavaScript has one kind of number, and a server may spell it with a point.
            number = int(value)
        if number is None:
            raise ActionError(f"{path} is {value!r:.60}; it must be an integer")
        if not 0 <= number - self._start < self._n:
            limit = self._start if number < self._start else self._start + self._n - 1
            raise ActionError(f"{path} is {number!r:.60}; the limit is {limit}")
        out.put(number - self._start, self.bits or 0)

    def unpack(self, source: Reader) -> Any:
        """Read an integer. Raises DecodeError."""
        offset = source.take(self.bits or 0)
        if offset >= self._n:
            raise DecodeError(f"action {offset} of {self._n}")
        return self._start + offset

    def neutral(self) -> Any:
        """0, or the first where 0 is none."""
        return 0 if self._start <= 0 < self._start + self._n else self._start

    def to_json(self, value: Any) -> Any:
        """As it is."""
        return value


class Text:
    """A text of known characters."""

    __slots__ = ("_characters", "_index", "_length_bits", "_longest", "_shortest", "_width", "bits", "json_bytes")

    def __init__(self, shortest: int, longest: int, charset: str) -> None:
        self._shortest = shortest
        self._longest = longest
        self._characters = charset
        self._index = {character: at for at, character in enumerate(charset)}
        self._length_bits = (longest - shortest).bit_length()
        # At least one bit each, so that no short packet stands for a long text.
        self._width = max(1, (len(charset) - 1).bit_length())
        self.bits: int | None = None
        self.json_bytes = 3 + longest * max([len(json.dumps(character)) - 2 for character in charset], default=0)

    def pack(self, value: Any, path: str, out: Writer) -> None:
        """Write a text. Raises ActionError."""
        if not isinstance(value, str):
            raise ActionError(f"{path} is {value!r:.60}; it must be a text")
        if not self._shortest <= len(value) <= self._longest:
            limit = self._shortest if len(value) < self._shortest else self._longest
            raise ActionError(f"{path} has {len(value)} characters; the limit is {limit}")
        number = 0
        for at, character in enumerate(value):
            index = self._index.get(character)
            if index is None:
                raise ActionError(f"{path}[{at}] is {character!r}, which is not in the charset")
            number = number << self._width | index
        out.put(len(value) - self._shortest, self._length_bits)
        out.put(number, len(value) * self._width)

    def unpack(self, source: Reader) -> Any:
        """Read a text. Raises DecodeError."""
        length = self._shortest + source.take(self._length_bits)
        if length > self._longest:
            raise DecodeError(f"a text of {length} characters; the limit is {self._longest}")
        # All of it at once: a text that is cut off is refused before anything is made of it.
        number = source.take(length * self._width)
        mask = (1 << self._width) - 1
        characters = []
        for at in range(length - 1, -1, -1):
            index = number >> at * self._width & mask
            if index >= len(self._characters):
                raise DecodeError(f"character {index} of {len(self._characters)}")
            characters.append(self._characters[index])
        return "".join(characters)

    def neutral(self) -> Any:
        """The shortest text, of the first character."""
        return self._characters[:1] * self._shortest

    def to_json(self, value: Any) -> Any:
        """As it is."""
        return value


class Tuple:
    """One value each, in order."""

    __slots__ = ("_parts", "bits", "json_bytes")

    def __init__(self, parts: Sequence[Field]) -> None:
        self._parts = tuple(parts)
        self.bits: int | None = _sum(parts)
        self.json_bytes: int = 3 + sum([part.json_bytes for part in parts])

    def pack(self, value: Any, path: str, out: Writer) -> None:
        """Write a tuple, a list or an array of so many. Raises ActionError."""
        if getattr(value, "ndim", 0) and hasattr(value, "tolist") and len(value) == len(self._parts):
            value = list(value)
        if not isinstance(value, (tuple, list)) or len(value) != len(self._parts):
            raise ActionError(f"{path} is {value!r:.60}; it must be a tuple or a list of {len(self._parts)}")
        for at, part in enumerate(self._parts):
            part.pack(value[at], f"{path}[{at}]", out)

    def unpack(self, source: Reader) -> Any:
        """Read a tuple. Raises DecodeError."""
        return tuple([part.unpack(source) for part in self._parts])

    def neutral(self) -> Any:
        """Of each part."""
        return tuple([part.neutral() for part in self._parts])

    def to_json(self, value: Any) -> Any:
        """A list."""
        return [part.to_json(item) for part, item in zip(self._parts, value, strict=True)]


class Dict:
    """One value for each key, in the order of the space."""

    __slots__ = ("_parts", "bits", "json_bytes")

    def __init__(self, parts: Mapping[str | int, Field]) -> None:
        self._parts = tuple(parts.items())
        self.bits: int | None = _sum(list(parts.values()))
        self.json_bytes: int = 3 + sum([len(json.dumps(str(key))) + 1 + part.json_bytes for key, part in self._parts])

    def pack(self, value: Any, path: str, out: Writer) -> None:
        """Write a dictionary with these keys and no others. Raises ActionError."""
        if not isinstance(value, Mapping):
            raise ActionError(f"{path} is {value!r:.60}; it must be a dictionary")
        for key, part in self._parts:
            # JSON knows no other keys than texts.
            given = str(key) if key not in value else key
            if given not in value:
                raise ActionError(f"{path} has no {key!r:.40}")
            part.pack(value[given], step(path, key), out)
        if len(value) != len(self._parts):
            known = [key for key, _ in self._parts] + [str(key) for key, _ in self._parts]
            more = [key for key in value if key not in known]
            raise ActionError(f"{path} has {more[0] if more else 'a key twice'!r:.40}, which the space has not")

    def unpack(self, source: Reader) -> Any:
        """Read a dictionary. Raises DecodeError."""
        return {key: part.unpack(source) for key, part in self._parts}

    def neutral(self) -> Any:
        """Of each part."""
        return {key: part.neutral() for key, part in self._parts}

    def to_json(self, value: Any) -> Any:
        """An object: its keys are texts."""
        return {str(key): part.to_json(value[key]) for key, part in self._parts}


class Optional:
    """A value of another field, or None."""

    __slots__ = ("_part", "bits", "json_bytes")

    def __init__(self, part: Field) -> None:
        self._part = part
        self.bits: int | None = None if part.bits is None else part.bits + 1
        self.json_bytes: int = max(5, part.json_bytes)  # null and its comma

    def pack(self, value: Any, path: str, out: Writer) -> None:
        """A bit that says whether there is one, and the value, or as many zeros. Raises ActionError."""
        if value is not None:
            out.put(1, 1)
            self._part.pack(value, path, out)
            return
        out.put(0, 1)
        out.put(0, self._part.bits or 0)

    def unpack(self, source: Reader) -> Any:
        """Read a value, or None. Raises DecodeError."""
        if source.take(1):
            return self._part.unpack(source)
        if source.take(self._part.bits or 0):
            raise DecodeError("no action, and bits behind it")
        return None

    def neutral(self) -> Any:
        """None."""
        return None

    def to_json(self, value: Any) -> Any:
        """None as it is."""
        return None if value is None else self._part.to_json(value)


Field = Choice | Integers | Floats | Text | Tuple | Dict | Optional
"""What an action is made of."""


def _sum(parts: Sequence[Field]) -> int | None:
    bits = 0
    for part in parts:
        if part.bits is None:
            return None
        bits += part.bits
    return bits


def field_of(space: dict[str, Any]) -> Field:
    """The field of a space in its plain form; see `pycore.spaces`."""
    kind = space["type"]
    if kind == "discrete":
        return Choice(space["n"], space.get("start", 0))
    if kind == "multi_discrete":
        shape = []
        level = space["nvec"]
        while isinstance(level, list):
            shape.append(len(level))
            level = level[0]
        starts = limits_of(space.get("start"), shape, 0)
        counts = limits_of(space["nvec"], shape, 1)
        highs = [start + n - 1 for start, n in zip(starts, counts, strict=True)]
        return Integers(shape, space.get("dtype", "int64"), starts, highs)
    if kind == "multi_binary":
        shape = [space["n"]] if isinstance(space["n"], int) else space["n"]
        return Integers(shape, "int8", [0] * elements(shape), [1] * elements(shape))
    if kind == "box":
        return box_of(space)
    if kind == "text":
        return Text(space.get("min_length", 1), space["max_length"], space.get("charset", ALPHANUMERIC))
    if kind == "optional":
        return Optional(field_of(space["space"]))
    if kind == "tuple":
        return Tuple([field_of(part) for part in space["spaces"]])
    pairs = space["spaces"].items() if isinstance(space["spaces"], dict) else space["spaces"]
    return Dict({key: field_of(part) for key, part in pairs})
