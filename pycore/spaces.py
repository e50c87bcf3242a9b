"""Action spaces as plain dictionaries, which is how settings carry them to every page.

A space is given as an object of `gymnasium.spaces` or as a dictionary with its `type`. Neither gymnasium nor numpy is
needed: objects are known by the names of their classes and by their attributes. `space_of` gives the plain form of
either. It is JSON, it is the same for spaces that are the same, and it survives the way through JavaScript: no
infinities, no integers that a float cannot hold, and nothing that depends on the order of a dictionary's keys.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pycore.errors import ConfigError

__all__ = [
    "DEEPEST", "EXACT", "FIELDS", "FLOATS", "INTEGERS", "MAX_ELEMENTS", "elements", "integer", "nested", "space_of",
    "step",
]  # fmt: skip

DEEPEST: Final = 16
"""Spaces within spaces."""
MAX_ELEMENTS: Final = 8000
"""Elements of one array, characters of one text: a bit each, and the longest action is full."""
EXACT: Final = 2**53
"""Integers up to here are exact in JavaScript, which reads every number as a float."""
INTEGERS: Final[Mapping[str, tuple[int, int]]] = {
    "bool": (0, 1),
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
"""The types of elements that are integers, with their limits."""
FLOATS: Final[Mapping[str, str]] = {"float16": "e", "float32": "f", "float64": "d"}
"""Those that are floats, with their letter in `struct`."""
ALPHANUMERIC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters of a text whose space names none, as in gymnasium."""

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "discrete": ("n", "start"),
    "multi_discrete": ("nvec", "start", "dtype"),
    "multi_binary": ("n",),
    "box": ("shape", "dtype", "low", "high"),
    "text": ("max_length", "min_length", "charset"),
    "tuple": ("spaces",),
    "dict": ("spaces",),
    "optional": ("space",),
    "any": (),
}
_KNOWN: Final = f"{', '.join(repr(kind) for kind in FIELDS if kind != 'any')} and 'any'"
_CLASSES: Final[Mapping[str, str]] = {
    "Discrete": "discrete", "MultiDiscrete": "multi_discrete", "MultiBinary": "multi_binary", "Box": "box",
    "Text": "text", "Tuple": "tuple", "Dict": "dict",
}  # fmt: skip
_WITHOUT_SIZE: Final[Mapping[str, str]] = {
    "sequence": "give a tuple of as many as there may be, with a discrete beside it that says how many count",
    "graph": "give boxes of as many nodes and edges as there may be, with a discrete each that says how many count",
    "one_of": "give a dict of all of them, with a discrete that says which one counts",
}


def space_of(space: Any, path: str = "action_space") -> dict[str, Any]:
    """The plain form of an action space, given as an object of `gymnasium.spaces` or as a dictionary:

    - ``{"type": "discrete", "n": 6}``, with `start` (default 0);
    - ``{"type": "multi_discrete", "nvec": [3, 5]}``, of any shape, with `start` and `dtype` (default int64);
    - ``{"type": "multi_binary", "n": 4}``, or `n` a shape;
    - ``{"type": "box", "shape": [2], "dtype": "float32", "low": -1, "high": 1}``: a limit is a number or a list of the
      shape; null, in its place or in the list, is none (for integers: that of the dtype);
    - ``{"type": "text", "max_length": 20}``, with `min_length` (default 1) and `charset` (default: letters and digits);
    - ``{"type": "tuple", "spaces": […]}``;
    - ``{"type": "dict", "spaces": {…}}``: the keys are sorted. A list of pairs, ``[["move", {…}], …]``, keeps its order
      and may have integers as keys;
    - ``{"type": "optional", "space": {…}}``: an action of that space, or null, which is none: "no move";
    - ``{"type": "any"}``: whatever JSON can spell.

    The plain form of a plain form is itself. Raises ConfigError, which names the place, `path` being that of the space.
    """
    return _plain(space, path, 0)


def integer(value: Any) -> int | None:
    """The int that a value is: an int, or an integer of numpy; None if it is neither. Booleans are none."""
    if type(value) is int:
        return value
    if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "i") not in "iu":
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def step(path: str, key: Any) -> str:
    """The path of a part: ``action.move``, ``action[2]``."""
    return f"{path}.{key}" if isinstance(key, str) and key.isidentifier() else f"{path}[{key!r:.40}]"


def elements(shape: Sequence[int]) -> int:
    """How many elements an array of this shape has."""
    count = 1
    for extent in shape:
        count *= extent
    return count


def _plain(space: Any, path: str, depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        raise ConfigError(f"{path}: spaces lie in spaces more than {DEEPEST} deep")
    given = _given(space, path)
    kind = given["type"]
    for name in given:
        if name != "type" and name not in FIELDS[kind]:
            known = ", ".join(FIELDS[kind]) or "nothing else"
            raise ConfigError(f"{path}: a space of type {kind} has no {name!r:.40}; it has {known}")
    if kind == "discrete":
        return _discrete(given, path)
    if kind == "multi_discrete":
        return _multi_discrete(given, path)
    if kind == "multi_binary":
        shape = _shape(given.get("n"), f"{path}.n")
        return {"type": kind, "n": shape[0] if len(shape) == 1 else shape}
    if kind == "box":
        return _box(given, path)
    if kind == "text":
        return _text(given, path)
    if kind == "tuple":
        parts = given.get("spaces")
        if not isinstance(parts, (list, tuple)):
            raise ConfigError(f"{path}.spaces is {parts!r:.60}; it must be a list of spaces")
        return {"type": kind, "spaces": [_plain(part, step(path, at), depth + 1) for at, part in enumerate(parts)]}
    if kind == "dict":
        return _dict(given, path, depth)
    if kind == "optional":
        inner = _plain(given.get("space"), f"{path}.space", depth + 1)
        return inner if inner["type"] == kind else {"type": kind, "space": inner}
    if depth:
        raise ConfigError(f"{path} is of type 'any', which stands alone: let the whole action space be of it")
    return {"type": kind}


def _given(space: Any, path: str) -> Mapping[str, Any]:
    """The space as a dictionary with a known type, whose values are as they were given."""
    kind: Any = space.get("type") if isinstance(space, Mapping) else None
    # What says its type is a dictionary, whatever its class is called.
    for base in () if isinstance(kind, str) else type(space).__mro__:
        name = base.__name__
        if name in ("Sequence", "Graph", "OneOf") and hasattr(space, "sample"):
            way_out = _WITHOUT_SIZE["one_of" if name == "OneOf" else name.lower()]
            raise ConfigError(f"{path} is a {name}, whose actions have no fixed form; {way_out}")
        if name in _CLASSES:
            return _attributes(space, _CLASSES[name])
    if not isinstance(space, Mapping):
        raise ConfigError(f"{path} is {space!r:.60}; give a space of gymnasium, or a dictionary with a type: {_KNOWN}")
    if isinstance(kind, str) and kind in FIELDS:
        return space
    if not isinstance(kind, str):
        raise ConfigError(f"{path} has no type; known are {_KNOWN}")
    bare = kind.replace("_", "").replace("-", "").casefold()
    for known, way_out in _WITHOUT_SIZE.items():
        if bare == known.replace("_", ""):
            raise ConfigError(f"{path} is a {known} space, whose actions have no fixed form; {way_out}")
    near = [known for known in FIELDS if bare == known.replace("_", "")]
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"{path}: the type is {kind!r:.40}; {hint}known are {_KNOWN}")


def _attributes(space: Any, kind: str) -> dict[str, Any]:
    """What an object of gymnasium says of itself, by the names of the plain form."""
    if kind == "discrete":
        return {"type": kind, "n": space.n, "start": getattr(space, "start", 0)}
    if kind == "multi_discrete":
        start = getattr(space, "start", None)
        return {"type": kind, "nvec": space.nvec, "start": start, "dtype": getattr(space, "dtype", None)}
    if kind == "multi_binary":
        return {"type": kind, "n": space.shape}
    if kind == "box":
        return {"type": kind, "shape": space.shape, "dtype": space.dtype, "low": space.low, "high": space.high}
    if kind == "text":
        # Of a set, the characters have another order in every process: the plain form sorts them.
        return {
            "type": kind,
            "max_length": space.max_length,
            "min_length": space.min_length,
            "charset": "".join(sorted(space.character_set)),
        }
    spaces = space.spaces
    # As pairs, which keep the order that the space gives its samples.
    return {"type": kind, "spaces": list(spaces.items()) if kind == "dict" else list(spaces)}


def _discrete(given: Mapping[str, Any], path: str) -> dict[str, Any]:
    if "n" not in given:
        raise ConfigError(f"{path}: a discrete space needs n, how many actions there are")
    n = _whole(given["n"], f"{path}.n", 1, EXACT)
    start = _whole(given.get("start", 0), f"{path}.start", -EXACT, EXACT + 1 - n)
    return {"type": "discrete", "n": n, "start": start} if start else {"type": "discrete", "n": n}


def _multi_discrete(given: Mapping[str, Any], path: str) -> dict[str, Any]:
    if given.get("nvec") is None:
        raise ConfigError(f"{path}: a multi_discrete space needs nvec, how many actions there are of each")
    shape = _shape_of(given["nvec"], f"{path}.nvec")
    dtype = _dtype(given.get("dtype") or "int64", f"{path}.dtype")
    if dtype not in INTEGERS or dtype == "bool":
        raise ConfigError(f"{path}.dtype is {dtype}; it must be one of integers")
    lowest, highest = max(INTEGERS[dtype][0], -EXACT), min(INTEGERS[dtype][1], EXACT)
    nvec = [_whole(n, f"{path}.nvec", 1, EXACT) for n in _each(given["nvec"], shape, f"{path}.nvec")]
    starts = [0] * len(nvec)
    if given.get("start") is not None:
        starts = [
            _whole(value, f"{path}.start", lowest, highest) for value in _each(given["start"], shape, f"{path}.start")
        ]
    for n, start in zip(nvec, starts, strict=True):
        if start + n - 1 > highest:
            raise ConfigError(f"{path}: {n} actions from {start} on do not fit {dtype}")
    plain: dict[str, Any] = {"type": "multi_discrete", "nvec": nested(nvec, shape)}
    if any(starts):
        plain["start"] = _shortest(starts, shape)
    if dtype != "int64":
        plain["dtype"] = dtype
    return plain


def _box(given: Mapping[str, Any], path: str) -> dict[str, Any]:
    dtype = _dtype(given.get("dtype") or "float32", f"{path}.dtype")
    shape = given.get("shape")
    if shape is None:
        limits = [given[name] for name in ("low", "high") if isinstance(given.get(name), (list, tuple))]
        if not limits:
            raise ConfigError(f"{path}: a box needs its shape, or a list for low or high")
        shape = _shape_of(limits[0], path)
    elif integer(shape) is None:
        shape = _shape(shape, f"{path}.shape")
    else:
        raise ConfigError(f"{path}.shape is {shape!r}; it must be a list, [{shape!r}]")
    plain: dict[str, Any] = {"type": "box", "shape": list(shape), "dtype": dtype}
    found = []
    for name, side in (("low", 0), ("high", 1)):
        where = f"{path}.{name}"
        flat = [_limit(value, dtype, side, where) for value in _each(given.get(name), shape, where)]
        if any(value is not None for value in flat):
            # An integer that JavaScript cannot hold is a text.
            spelled = [str(value) if type(value) is int and abs(value) > EXACT else value for value in flat]
            plain[name] = _shortest(spelled, shape)
        found.append(flat)
    for low, high in zip(*found, strict=True):
        if low is not None and high is not None and low > high:
            raise ConfigError(f"{path}: low is {low} where high is {high}")
    return plain


def _limit(value: Any, dtype: str, side: int, path: str) -> int | float | None:
    """One limit as the dtype has it; None where there is none beside the dtype's own."""
    if value is None or (isinstance(value, float) and value == (float("inf") if side else float("-inf"))):
        return None
    number = value
    is_text = type(value) is str and dtype in INTEGERS and value.removeprefix("-").isdecimal() and len(value) <= 20
    if is_text or (isinstance(value, bool) and dtype == "bool"):
        number = int(value)
    elif integer(value) is not None:
        number = integer(value)
    elif not isinstance(value, float) or value - value != 0.0:
        raise ConfigError(f"{path} is {value!r:.60}; it must be a number, or null for none")
    if dtype in FLOATS:
        letter = f"<{FLOATS[dtype]}"
        try:
            number = struct.unpack(letter, struct.pack(letter, number))[0]
        except (OverflowError, struct.error):
            raise ConfigError(f"{path} is {value!r:.60}, which does not fit {dtype}") from None
        # JavaScript writes 1.0 as 1, and -0.0 as 0.
        return int(number) if number % 1 == 0 and abs(number) <= EXACT else number
    if number % 1:
        raise ConfigError(f"{path} is {value!r:.60}; a box of {dtype} has integers as limits")
    number = int(number)
    if number == INTEGERS[dtype][side]:
        return None
    if not INTEGERS[dtype][0] <= number <= INTEGERS[dtype][1]:
        raise ConfigError(f"{path} is {value!r:.60}, which does not fit {dtype}")
    return number


def _text(given: Mapping[str, Any], path: str) -> dict[str, Any]:
    if "max_length" not in given:
        raise ConfigError(f"{path}: a text space needs max_length, in characters")
    longest = _whole(given["max_length"], f"{path}.max_length", 0, MAX_ELEMENTS)
    shortest = _whole(given.get("min_length", 1), f"{path}.min_length", 0, longest)
    given_charset = given.get("charset", ALPHANUMERIC)
    if not isinstance(given_charset, (str, list, tuple, set, frozenset)):
        raise ConfigError(f"{path}.charset is {given_charset!r:.60}; it must be a text of all characters")
    for character in given_charset:
        if not isinstance(character, str) or len(character) != 1 or "\ud800" <= character <= "\udfff":
            raise ConfigError(f"{path}.charset has {character!r:.40}, which is no character")
    charset = "".join(sorted(dict.fromkeys(given_charset)))
    if longest and not charset:
        raise ConfigError(f"{path}.charset has no character")
    plain: dict[str, Any] = {"type": "text", "max_length": longest}
    if shortest != 1:
        plain["min_length"] = shortest
    if charset != ALPHANUMERIC:
        plain["charset"] = charset
    return plain


def _dict(given: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
    spaces = given.get("spaces")
    if isinstance(spaces, Mapping):
        pairs = list(spaces.items())
        if all(isinstance(key, str) for key in spaces):
            pairs.sort(key=lambda pair: str(pair[0]))
    elif isinstance(spaces, (list, tuple)) and all(type(pair) in (list, tuple) and len(pair) == 2 for pair in spaces):
        pairs = [(pair[0], pair[1]) for pair in spaces]
    else:
        raise ConfigError(f"{path}.spaces is {spaces!r:.60}; it must be a dictionary of spaces, or a list of pairs")
    keys: list[str | int] = []
    for key, _space in pairs:
        plain = str(key) if isinstance(key, str) else integer(key)
        if plain is None or (isinstance(plain, str) and plain.encode(errors="ignore").decode() != plain):
            raise ConfigError(f"{path} has the key {key!r:.40}; keys are texts or integers")
        if str(plain) in [str(other) for other in keys]:
            raise ConfigError(f"{path} has two keys that are {str(plain)!r:.40} in JSON")
        keys.append(plain)
    parts = [_plain(space, step(path, key), depth + 1) for key, (_, space) in zip(keys, pairs, strict=True)]
    texts = [key for key in keys if isinstance(key, str)]
    if len(texts) == len(keys) and texts == sorted(texts):
        return {"type": "dict", "spaces": dict(zip(texts, parts, strict=True))}
    # A dictionary's order does not survive JavaScript, which puts keys that look like integers first.
    return {"type": "dict", "spaces": [[key, part] for key, part in zip(keys, parts, strict=True)]}


def _whole(value: Any, path: str, low: int, high: int) -> int:
    number = integer(value)
    if number is None or not low <= number <= high:
        raise ConfigError(f"{path} is {value!r:.60}; it must be an int from {low} to {high}")
    return number


def _dtype(dtype: Any, path: str) -> str:
    """The name of a type of elements, given as text, as numpy's dtype, or as its class."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype)
    name = {"float": "float64", "int": "int64"}.get(name, name) if isinstance(name, str) else name
    if name not in INTEGERS and name not in FLOATS:
        raise ConfigError(f"{path} is {name!r:.40}; known are {', '.join([*FLOATS, *INTEGERS])}")
    return str(name)


def _shape(value: Any, path: str) -> list[int]:
    """A shape that was given as such: a list of extents, or one."""
    extents = [value] if integer(value) is not None else value
    if not isinstance(extents, (list, tuple)):
        raise ConfigError(f"{path} is {value!r:.60}; it must be an int or a list of them")
    shape = [_whole(extent, path, 1, MAX_ELEMENTS) for extent in extents]
    if len(shape) > DEEPEST or elements(shape) > MAX_ELEMENTS:
        raise ConfigError(f"{path} is {value!r:.60}; there are up to {MAX_ELEMENTS} elements in {DEEPEST} dimensions")
    return shape


def _shape_of(value: Any, path: str) -> list[int]:
    """The shape of an array or of nested lists, by the first of each."""
    if hasattr(value, "shape"):
        return _shape(value.shape, path)
    shape = []
    while isinstance(value, (list, tuple)):
        shape.append(len(value))
        value = value[0] if value and len(shape) <= DEEPEST else None
    return _shape(shape, path)


def _each(value: Any, shape: Sequence[int], path: str) -> list[Any]:
    """One value for each element, from one for all of them, nested lists or an array."""
    if hasattr(value, "tolist"):
        if getattr(value, "shape", ()) not in ((), tuple(shape)):
            raise ConfigError(f"{path} has the shape {value.shape}; it must have {tuple(shape)}")
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return [value] * elements(shape)
    flat: list[Any] = [value]
    for extent in shape:
        for part in flat:
            if not isinstance(part, (list, tuple)) or len(part) != extent:
                raise ConfigError(f"{path} has {part!r:.60} where a list of {extent} must stand")
        flat = [item for part in flat for item in part]
    return flat


def _shortest(flat: list[Any], shape: Sequence[int]) -> Any:
    """One for all where they are alike, otherwise nested lists."""
    return flat[0] if flat.count(flat[0]) == len(flat) else nested(flat, shape)


def nested(flat: list[Any], shape: Sequence[int]) -> Any:
    """Nested lists of this shape."""
    if not shape:
        return flat[0]
    for extent in reversed(shape[1:]):
        flat = [flat[at : at + extent] for at in range(0, len(flat), extent)]
    return flat
