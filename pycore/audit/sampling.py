"""Random actions of a space's plain form, as lively as people's: keys are held for a while, and then let go."""

from __future__ import annotations

import math
from random import Random
from typing import Any, Final

from pycore.actions.arrays import limits_of
from pycore.spaces import ALPHANUMERIC, FLOATS, INTEGERS, elements

__all__ = ["HELD", "sampled", "script"]

HELD: Final = 0.7
"""How probably an action stays what it was in the frame before."""
EXTREME: Final = 0.4
"""How probably an element of a box is one of its limits: people press as far as it goes."""
LARGE: Final = 1e6
"""So far from zero, or beyond its other limit, goes a box that has none."""
LARGEST: Final = {"float16": 65504.0}
"""What a type cannot go beyond, where that is less."""


def script(spaces: list[dict[str, Any]], frames: int, seed: int) -> list[list[Any]]:
    """Actions by frame and seat, as JSON has them. Every seat changes its action on its own."""
    rngs = [Random(f"{seed} {seat}") for seat in range(len(spaces))]
    rows: list[list[Any]] = []
    for frame in range(frames):
        row = []
        for seat, (space, rng) in enumerate(zip(spaces, rngs, strict=True)):
            held = frame > 0 and rng.random() < HELD
            row.append(rows[-1][seat] if held else sampled(space, rng))
        rows.append(row)
    return rows


def sampled(space: dict[str, Any], rng: Random) -> Any:
    """One action of a space in its plain form."""
    kind = space["type"]
    if kind == "discrete":
        return space.get("start", 0) + rng.randrange(space["n"])
    if kind == "multi_discrete":
        return _shaped(space["nvec"], space.get("start"), rng)
    if kind == "multi_binary":
        shape = space["n"] if isinstance(space["n"], list) else [space["n"]]
        return _folded([rng.randrange(2) for _ in range(elements(shape))], shape)
    if kind == "box":
        return _box(space, rng)
    if kind == "text":
        shortest = space.get("min_length", 1)
        length = rng.randint(shortest, max(shortest, min(space["max_length"], 40)))
        return "".join(rng.choice(space.get("charset", ALPHANUMERIC)) for _ in range(length)) if length else ""
    if kind == "optional":
        return sampled(space["space"], rng) if rng.random() < 0.5 else None
    if kind == "tuple":
        return [sampled(part, rng) for part in space["spaces"]]
    if kind == "dict":
        pairs = space["spaces"].items() if isinstance(space["spaces"], dict) else space["spaces"]
        return {key: sampled(part, rng) for key, part in pairs}
    return rng.randrange(6)


def _shaped(nvec: Any, start: Any, rng: Random) -> Any:
    if isinstance(nvec, list):
        starts = start if isinstance(start, list) else [start] * len(nvec)
        return [_shaped(n, first, rng) for n, first in zip(nvec, starts, strict=True)]
    return (start or 0) + rng.randrange(nvec)


def _box(space: dict[str, Any], rng: Random) -> Any:
    shape, dtype = space["shape"], space["dtype"]
    lows, highs = _limits(space, "low", -math.inf), _limits(space, "high", math.inf)
    flat: list[Any] = []
    for low, high in zip(lows, highs, strict=True):
        if dtype in FLOATS:
            low, high = _bounded(low, high, LARGEST.get(dtype, math.inf))
        if rng.random() < EXTREME:
            flat.append(rng.choice((low, high)))
        elif dtype in FLOATS:
            place = rng.random()
            flat.append(min(max(low * (1.0 - place) + high * place, low), high))
        else:
            flat.append(rng.randint(low, high))
    return _folded(flat, shape)


def _limits(space: dict[str, Any], side: str, none: float) -> list[Any]:
    """The limits of a box's elements; integers that JavaScript cannot hold are texts there."""
    shape, dtype = space["shape"], space["dtype"]
    if dtype in FLOATS:
        return limits_of(space.get(side), shape, none)
    return [int(limit) for limit in limits_of(space.get(side), shape, INTEGERS[dtype][none > 0])]


def _bounded(low: float, high: float, most: float) -> tuple[float, float]:
    """Two limits between which an element is drawn, of which there may be none."""
    if low == -math.inf:
        low = max(-most, -LARGE if high == math.inf else high - LARGE)
    if high == math.inf:
        high = min(most, max(LARGE, low + LARGE))
    return low, high


def _folded(flat: list[Any], shape: list[int]) -> Any:
    if not shape:
        return flat[0]
    if len(shape) == 1:
        return flat
    part = len(flat) // shape[0] if shape[0] else 0
    return [_folded(flat[at * part : (at + 1) * part], shape[1:]) for at in range(shape[0])]
