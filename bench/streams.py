"""What it takes to tell another page a state and to find the fields that differ: bytes, and milliseconds.

    python -m bench.streams            # a table
    python -m bench.streams --write    # into docs/adr/0020-streams.md

The state is of many small objects, as games have them. Each time is of this process alone, the best of several.
"""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

from pycore.values import canonical
from pycore.values.differences import first_differences
from pycore.values.parting import parting

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "adr" / "0020-streams.md"
BEGIN, END = "<!-- written by: python -m bench.streams --write -->", "<!-- end of what is written -->"
OBJECTS = (400, 2650)
LEVELS = (1, 6, 9)
TIMES = 7


def game(objects: int, last: int = 0) -> dict[str, Any]:
    """A state; `last` is in the last object."""
    rng = random.Random(1)
    cells: list[dict[str, Any]] = [
        {"x": rng.randrange(400), "y": rng.randrange(300), "kind": f"plant{index % 7}", "alive": True}
        for index in range(objects)
    ]
    cells[-1]["y"] = last
    return {"frame": 60, "cells": cells}


def best(of: Callable[[], Any]) -> float:
    """Milliseconds of a call."""
    found = []
    for _ in range(TIMES):
        begun = process_time()
        of()
        found.append(process_time() - begun)
    return 1000 * min(found)


def _milliseconds(of: Callable[..., Any], *given: Any) -> str:
    return f"{best(lambda: of(*given)):.1f} ms"


def _packed(state: bytes, level: int) -> str:
    return f"{len(zlib.compress(state, level)):,} in {_milliseconds(zlib.compress, state, level)}"


def _by_value(one: bytes, other: bytes) -> Any:
    return first_differences(canonical.decode(one), canonical.decode(other))


def table() -> str:
    """What was measured, as Markdown."""
    columns = [f"{objects} objects" for objects in OBJECTS]
    states = [(canonical.encode(game(objects)), canonical.encode(game(objects, 7))) for objects in OBJECTS]
    rows: list[tuple[str, list[str]]] = [("canonical form, bytes", [f"{len(one):,}" for one, _ in states])]
    rows += [(f"packed at level {level}, bytes", [_packed(one, level) for one, _ in states]) for level in LEVELS]
    rows.append(("the field that differs, found in the bytes", [_milliseconds(parting, *two) for two in states]))
    rows.append(("the same in the values", [_milliseconds(_by_value, *two) for two in states]))
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    return "\n".join(lines + [f"| {name} | {' | '.join(values)} |" for name, values in rows])


def write() -> None:
    """The table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        write()
    else:
        print(table())
