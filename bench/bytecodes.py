"""Where the bytecodes of a tick are, module by module: counted, not timed, so that nothing a machine does meanwhile
touches them.

    python bench/bytecodes.py                  # of this version
    python bench/bytecodes.py CHECKOUT         # of another one, by its own `bench/engine.py`

The ticks are those of `bench/engine.py`, as far as they are timed there. A bytecode is no unit of time: one may be a
call into C. But who does more does it in more of them, and two versions can be compared to the last one.
"""

from __future__ import annotations

import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any

TICKS = 200
KINDS = {"with datagrams": "tick_with_wire", "without": "tick_without_wire"}
DEPTH = 8
WARM_UP = 32
"""Ticks that are not counted: the first ones have nothing to roll back."""


class Counting:
    """Stands for the clock of a benchmark, which is read where the timed part begins, and where it ends."""

    def __init__(self) -> None:
        self.bytecodes: Counter[CodeType] = Counter()
        self.calls: Counter[CodeType] = Counter()
        self._reads = 0
        self._monitoring: Any = sys.monitoring
        events = self._monitoring.events
        self._events = events.INSTRUCTION | events.PY_START
        self._tool = self._monitoring.PROFILER_ID
        self._monitoring.use_tool_id(self._tool, "bytecodes")
        self._monitoring.register_callback(self._tool, events.INSTRUCTION, self._instruction)
        self._monitoring.register_callback(self._tool, events.PY_START, self._start)

    def __call__(self) -> float:
        """What a clock is asked; the time stands still."""
        self._reads += 1
        # A tick that warms up reads it once.
        counts = self._reads > WARM_UP and (self._reads - WARM_UP) % 2 == 1
        self._monitoring.set_events(self._tool, self._events if counts else 0)
        return 0.0

    def close(self) -> None:
        """Count no more."""
        self._monitoring.set_events(self._tool, 0)
        self._monitoring.free_tool_id(self._tool)

    def _instruction(self, code: CodeType, offset: int) -> None:
        self.bytecodes[code] += 1

    def _start(self, code: CodeType, offset: int) -> None:
        self.calls[code] += 1


def counted(engine: Any, name: str, depth: int = DEPTH, ticks: int = TICKS) -> dict[str, tuple[float, float]]:
    """By module of the package, bytecodes and calls of one tick; the benchmark's own are left out."""
    counting = Counting()
    clock, warm_up = engine.perf_counter, engine.WARM_UP
    engine.perf_counter, engine.WARM_UP = counting, WARM_UP
    try:
        getattr(engine, name)(depth, ticks)
    finally:
        engine.perf_counter, engine.WARM_UP = clock, warm_up
        counting.close()
    bytecodes: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for code, count in counting.bytecodes.items():
        where = Path(code.co_filename)
        if "pycore" in where.parts:
            module = "/".join(where.parts[len(where.parts) - where.parts[::-1].index("pycore") :])
            bytecodes[module] += count
            calls[module] += counting.calls[code]
    return {module: (count / ticks, calls[module] / ticks) for module, count in bytecodes.most_common()}


def main(words: list[str]) -> None:
    """Print the tables."""
    sys.path.insert(0, words[0] if words else str(Path(__file__).resolve().parents[1]))
    engine = import_module("bench.engine")
    for kind, name in KINDS.items():
        found = counted(engine, name)
        total = [sum(column) for column in zip(*found.values(), strict=True)]
        print(f"a tick with {DEPTH} frames' rollback, {kind}: {total[0]:.0f} bytecodes, {total[1]:.1f} calls")
        for module, (count, calls) in found.items():
            if count >= 1:
                print(f"{count:8.0f} {calls:6.1f}  {module}")


if __name__ == "__main__":
    main(sys.argv[1:])
