"""What an environment costs, and how deep a rollback may be."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

from pycore.audit.findings import Finding
from pycore.envs import ParallelEnvAdapter

__all__ = ["Costs", "costs_of", "findings_of_costs"]

SHARE: Final = 0.8
"""Of a frame's time, what a tick may take."""
SLOWER: Final = (1, 4, 10)
"""How much slower a participant's machine may be: a browser is two to four times slower than CPython."""
RATES: Final = (30, 60)
ENOUGH: Final = 8
"""A rollback that covers a round trip of a quarter of a second at 30 frames per second."""
HEAVY_STEP: Final = 10_000.0
HEAVY_HASH: Final = 10_000.0
"""Microseconds."""


class Costs(NamedTuple):
    """Medians, in microseconds."""

    save: float
    load: float
    canonical: float
    step: float
    size: int
    """Bytes of the canonical state."""

    def depth(self, fps: int, slower: float = 1.0) -> int:
        """Frames that can be stepped again in one tick that also steps a new one."""
        left = SHARE * 1e6 / fps / slower - self.load
        return max(0, int(left / (self.save + self.step)) - 1) if self.save + self.step else 0

    def as_facts(self) -> dict[str, Any]:
        """For the report."""
        depths = {f"{fps} fps": {f"x{factor}": self.depth(fps, factor) for factor in SLOWER} for fps in RATES}
        times = {f"{name}_us": round(getattr(self, name), 1) for name in ("save", "load", "canonical", "step")}
        return {**times, "state_bytes": self.size, "depths": depths}


def costs_of(adapter: ParallelEnvAdapter, rows: Sequence[Sequence[Any]], most: int = 120) -> Costs:
    """Measured over the first frames."""
    times: dict[str, list[float]] = {"save": [], "load": [], "canonical": [], "step": []}
    adapter.reset(0)
    episode = size = 0
    for number, row in enumerate(rows[:most]):
        start = perf_counter()
        state = adapter.save()
        saved = perf_counter()
        adapter.load(state)
        loaded = perf_counter()
        times["save"].append(saved - start)
        times["load"].append(loaded - saved)
        if number % 4 == 0:
            start = perf_counter()
            size = len(adapter.canonical(state))
            times["canonical"].append(perf_counter() - start)
        start = perf_counter()
        result = adapter.step(list(row))
        times["step"].append(perf_counter() - start)
        if result.done:
            episode += 1
            adapter.reset(episode)
    return Costs(**{name: median(values) * 1e6 for name, values in times.items()}, size=size)


def findings_of_costs(costs: Costs) -> list[Finding]:
    """What is too slow."""
    found = []
    if costs.step >= HEAVY_STEP:
        found.append(
            Finding(
                "slow_step",
                "slow",
                f"a step takes {costs.step / 1000:.0f} ms here, more in a browser",
                "make step() cheaper (it must not draw), or raise the input delay to 3 and more; a smaller prediction "
                "window makes it worse",
            )
        )
    elif costs.depth(30, 4) < ENOUGH:
        found.append(
            Finding(
                "shallow_rollback",
                "slow",
                f"on a machine four times slower than this one {costs.depth(30, 4)} frames can be stepped again at 30 "
                f"frames per second ({costs.save:.0f} µs to save, {costs.step:.0f} to step)",
                "make save and step cheaper, or raise the input delay",
            )
        )
    if costs.canonical >= HEAVY_HASH:
        found.append(
            Finding(
                "slow_hash",
                "slow",
                f"the canonical form of the state takes {costs.canonical / 1000:.0f} ms, once a second",
                "keep constants out of the state, or raise hash_interval",
            )
        )
    return found
