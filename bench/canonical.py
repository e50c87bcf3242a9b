"""What the canonical form of a large state costs, in one piece and in pieces.

The state is 100 kB of nested lists: entities of a few numbers, each with lists of its own. In one piece it stands in
the way of a whole tick; `Encoder` does so many values and stands still. Pieces and whole alternate.
"""

from __future__ import annotations

import json
from statistics import median
from time import perf_counter
from typing import Any

from pycore.values.canonical import Encoder, encode

ITEMS = 2000
ROUNDS = 25


def state(entities: int = 2000) -> list[Any]:
    """Nested lists whose canonical form has about 100 kB."""
    return [
        [number, [number / 7, -number / 3], [number % 5, [number, [number + 1, number + 2]]], f"entity {number}"]
        for number in range(entities)
    ]


def figures() -> list[dict[str, Any]]:
    """The longest run, all runs together, and the whole: medians."""
    value = state()
    data = encode(value)
    if not 80_000 < len(data) < 120_000:
        raise AssertionError(f"the state has {len(data)} bytes: this measures something else")
    longest, together, whole = [], [], []
    for _ in range(ROUNDS):
        begin = perf_counter()
        encode(value)
        whole.append(perf_counter() - begin)
        encoder = Encoder(value)
        runs = []
        done = False
        while not done:
            begin = perf_counter()
            done = encoder.run(ITEMS)
            runs.append(perf_counter() - begin)
        if encoder.result() != data or len(runs) < 5:
            raise AssertionError(f"{len(runs)} runs, or other bytes: this measures something else")
        longest.append(max(runs))
        together.append(sum(runs))
    return [
        {"name": name, "value": round(value, 2), "unit": unit, "goal": None}
        for name, value, unit in (
            ("canonical.large.slice.us", median(longest) * 1e6, "µs"),
            ("canonical.large.slices.ms", median(together) * 1e3, "ms"),
            ("canonical.large.whole.ms", median(whole) * 1e3, "ms"),
        )
    ]


if __name__ == "__main__":
    print(json.dumps(figures()))
