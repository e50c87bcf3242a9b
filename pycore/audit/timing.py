"""What an environment costs, and what that leaves room for: how deep a rollback may be, and which input delay is due.

The model is that of a session itself (`pycore.costs`), and of the mesh in virtual time.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Any, Final, NamedTuple

from pycore import costs as model
from pycore.audit.findings import Finding
from pycore.envs import ParallelEnvAdapter

__all__ = ["Costs", "costs_of", "findings_of_costs"]

SLOWER: Final = (1, 4, 10)
"""How much slower a participant's machine may be: a browser is two to four times slower than CPython."""
RATES: Final = (30, 60)
ROUND_TRIPS_MS: Final = (50, 100, 200)
"""Within a city, a country, a continent."""
LEAST_DELAY: Final = 1
MOST_DELAY: Final = 12
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

    def on_a_machine(self, slower: float = 1.0) -> model.Costs:
        """What a session would be told, on a machine that takes so many times as long."""
        seconds = {"step": self.step, "save": self.save, "load": self.load, "hash": self.canonical}
        return model.Costs(**{name: us / 1e6 for name, us in seconds.items()}).slower(slower)

    def depth(self, fps: int, slower: float = 1.0) -> int:
        """Frames that can be stepped again in one tick that also steps a new one."""
        return self.on_a_machine(slower).depth(1 / fps)

    def delay(self, round_trip_ms: float, slower: float = 1.0, fps: int = 30) -> int | None:
        """Frames of input delay with which rollbacks over such a round trip fit, though every input was guessed wrong;
        None where no delay is enough."""
        costs, round_trip = self.on_a_machine(slower), round_trip_ms / 1000
        delay = costs.input_delay(round_trip, 1 / fps, LEAST_DELAY, MOST_DELAY)
        return delay if costs.fits(model.expected_depth(round_trip, 1 / fps, delay), 1 / fps) else None

    def as_facts(self) -> dict[str, Any]:
        """For the report."""
        depths = {f"{fps} fps": {f"x{factor}": self.depth(fps, factor) for factor in SLOWER} for fps in RATES}
        times = {f"{name}_us": round(getattr(self, name), 1) for name in ("save", "load", "canonical", "step")}
        delays = {
            f"{ms} ms": {f"x{factor}": self.delay(ms, factor) or "too slow" for factor in SLOWER}
            for ms in ROUND_TRIPS_MS
        }
        return {**times, "state_bytes": self.size, "depths": depths, "input_delays": delays}


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
                f"make step() cheaper (it must not draw), or raise the input delay: {_recommended(costs)}; a smaller "
                "prediction window makes it worse",
            )
        )
    elif costs.depth(30, 4) < ENOUGH:
        found.append(
            Finding(
                "shallow_rollback",
                "slow",
                f"on a machine four times slower than this one {costs.depth(30, 4)} frames can be stepped again at 30 "
                f"frames per second ({costs.save:.0f} µs to save, {costs.step:.0f} to step)",
                f"make save and step cheaper, or raise the input delay: {_recommended(costs)}",
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


def _recommended(costs: Costs) -> str:
    """The input delays for a machine that is four times slower."""
    parts = []
    for ms in ROUND_TRIPS_MS:
        delay = costs.delay(ms, SLOWER[1])
        parts.append(f"{delay} for {ms} ms" if delay is not None else f"none is enough for {ms} ms")
    return f"on a machine {SLOWER[1]} times slower at 30 frames per second {', '.join(parts)} of round trip"
