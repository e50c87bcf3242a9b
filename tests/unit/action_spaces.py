"""Random action spaces in their plain form, and random actions in them, without gymnasium or numpy."""

from __future__ import annotations

import math
import struct
import sys
from typing import Any

from hypothesis import strategies as st

from pycore.spaces import ALPHANUMERIC, FLOATS, INTEGERS, elements, nested, space_of

shapes = st.lists(st.integers(1, 3), max_size=3)
keys = st.text(max_size=4) | st.integers(-3, 300)


def _limits(draw: st.DrawFn, shape: list[int], values: st.SearchStrategy[Any]) -> tuple[Any, Any]:
    """Two limits, the lower first, each for all elements, one by one, or none."""
    count = elements(shape)
    pairs = [sorted((draw(values), draw(values))) for _ in range(draw(st.sampled_from((1, count))))]
    flat = pairs if len(pairs) == count else pairs * count
    sides = []
    for side in (0, 1):
        column = [pair[side] for pair in flat]
        form = draw(st.sampled_from(("all", "holes", "none")))
        if form == "holes":
            column = [value if draw(st.booleans()) else None for value in column]
        sides.append(None if form == "none" else nested(column, shape))
    return sides[0], sides[1]


@st.composite
def _boxes(draw: st.DrawFn) -> dict[str, Any]:
    shape = draw(shapes)
    dtype = draw(st.sampled_from((*FLOATS, *INTEGERS)))
    if dtype in FLOATS:
        width = 16 if dtype == "float16" else 32
        values: st.SearchStrategy[Any] = st.floats(allow_nan=False, allow_infinity=False, width=width)
    else:
        low, high = INTEGERS[dtype]
        values = st.integers(low, high)
    low, high = _limits(draw, shape, values)
    return {"type": "box", "shape": shape, "dtype": dtype, "low": low, "high": high}


@st.composite
def _multi_discrete(draw: st.DrawFn) -> dict[str, Any]:
    shape = draw(shapes)
    ns = [draw(st.integers(1, 40)) for _ in range(elements(shape))]
    start = draw(st.none() | st.integers(-50, 50))
    dtype = draw(st.sampled_from(("int64", "int32", "int8")))
    return {"type": "multi_discrete", "nvec": nested(ns, shape), "start": start, "dtype": dtype}


@st.composite
def _texts(draw: st.DrawFn) -> dict[str, Any]:
    characters = st.characters(exclude_categories=("Cs",))
    low, high = sorted((draw(st.integers(0, 6)), draw(st.integers(0, 6))))
    charset = draw(st.just(ALPHANUMERIC) | st.text(characters, min_size=1, max_size=9))
    return {"type": "text", "min_length": low, "max_length": high, "charset": charset}


def _named(pairs: list[tuple[Any, Any]]) -> list[list[Any]]:
    """Without keys that are one in JSON."""
    return [list(pair) for pair in {str(key): (key, space) for key, space in pairs}.values()]


leaves = (
    st.builds(lambda n, start: {"type": "discrete", "n": n, "start": start}, st.integers(1, 2000), st.integers(-9, 9))
    | _multi_discrete()
    | st.builds(lambda n: {"type": "multi_binary", "n": n}, st.integers(1, 12) | shapes)
    | _boxes()
    | _texts()
)
spaces = st.recursive(
    leaves,
    lambda inner: (
        st.builds(lambda parts: {"type": "tuple", "spaces": parts}, st.lists(inner, max_size=3))
        | st.lists(st.tuples(keys, inner), max_size=3).map(lambda pairs: {"type": "dict", "spaces": _named(pairs)})
        | st.dictionaries(st.text(max_size=4), inner, max_size=3).map(lambda pairs: {"type": "dict", "spaces": pairs})
        | inner.map(lambda part: {"type": "optional", "space": part})
    ),
    max_leaves=6,
).map(space_of)
"""Any of them, nested, in the plain form."""


def _flat(given: Any, shape: list[int], otherwise: Any) -> list[Any]:
    if not isinstance(given, list):
        return [otherwise if given is None else given] * elements(shape)
    for _ in shape[1:]:
        given = [item for part in given for item in part]
    return [otherwise if item is None else item for item in given]


def _float(draw: st.DrawFn, low: float, high: float, dtype: str) -> float:
    letter = f"<{FLOATS[dtype]}"
    largest = {"float16": 65504.0, "float32": (2 - 2**-23) * 2.0**127, "float64": sys.float_info.max}[dtype]
    low, high = max(low, -largest), min(high, largest)
    number = draw(st.floats(low, high, allow_nan=False) | st.sampled_from((low, high, (low / 2 + high / 2))))
    # Rounded here, as a sample is; a float of the dtype between the limits is always there: the limits are.
    number = struct.unpack(letter, struct.pack(letter, number))[0]
    return min(max(number, low), high)


def sample(draw: st.DrawFn, space: dict[str, Any]) -> Any:
    """An action of the space, as it is without numpy: numbers, texts, nested lists, tuples and dictionaries."""
    kind = space["type"]
    if kind == "discrete":
        start = space.get("start", 0)
        return draw(st.integers(start, start + space["n"] - 1))
    if kind == "text":
        characters = st.sampled_from(space.get("charset", ALPHANUMERIC))
        return draw(st.text(characters, min_size=space.get("min_length", 1), max_size=space["max_length"]))
    if kind == "optional":
        return sample(draw, space["space"]) if draw(st.booleans()) else None
    if kind == "tuple":
        return tuple(sample(draw, part) for part in space["spaces"])
    if kind == "dict":
        pairs = space["spaces"].items() if isinstance(space["spaces"], dict) else space["spaces"]
        return {key: sample(draw, part) for key, part in pairs}
    if kind == "multi_binary":
        shape = [space["n"]] if isinstance(space["n"], int) else space["n"]
        return nested([draw(st.integers(0, 1)) for _ in range(elements(shape))], shape)
    if kind == "multi_discrete":
        shape, level = [], space["nvec"]
        while isinstance(level, list):
            shape.append(len(level))
            level = level[0]
        starts = _flat(space.get("start"), shape, 0)
        ns = _flat(space["nvec"], shape, 1)
        return nested([draw(st.integers(at, at + n - 1)) for at, n in zip(starts, ns, strict=True)], shape)
    shape, dtype = space["shape"], space["dtype"]
    if dtype in FLOATS:
        lows, highs = _flat(space.get("low"), shape, -math.inf), _flat(space.get("high"), shape, math.inf)
        return nested([_float(draw, low, high, dtype) for low, high in zip(lows, highs, strict=True)], shape)
    lows, highs = (
        [int(limit) for limit in _flat(space.get(name), shape, INTEGERS[dtype][side])]
        for side, name in enumerate(("low", "high"))
    )
    return nested([draw(st.integers(low, high)) for low, high in zip(lows, highs, strict=True)], shape)


@st.composite
def actions(draw: st.DrawFn, count: int = 1) -> tuple[dict[str, Any], list[Any]]:
    """A space, and so many actions of it."""
    space = draw(spaces)
    return space, [sample(draw, space) for _ in range(count)]
