"""What a simulation takes here, measured with the clock of whoever has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pycore.costs import Costs
from pycore.simulation import Simulation

__all__ = ["measured"]

FRAMES: Final = 16
"""A fixed number: whatever an environment keeps of it, every peer's keeps the same."""


def measured(simulation: Simulation, clock: Callable[[], float], row: Sequence[Any], frames: int = FRAMES) -> Costs:
    """The costs of the first frames of an episode, in which everybody does the same as in `row`. `clock` gives seconds.

    A browser's clock is coarse, so what is taken is the mean of all but the slowest quarter, in which somebody else had
    the processor. Reset afterwards.
    """
    times: dict[str, list[float]] = {"step": [], "save": [], "load": [], "hash": []}
    simulation.reset(0)
    for number in range(frames):
        begin = clock()
        state = simulation.save()
        saved = clock()
        simulation.load(state)
        loaded = clock()
        times["save"].append(saved - begin)
        times["load"].append(loaded - saved)
        if number % 4 == 0:
            simulation.canonical(state)
            times["hash"].append(clock() - loaded)
        begin = clock()
        result = simulation.step(list(row))
        times["step"].append(clock() - begin)
        if result is not None and result.done:
            break
    return Costs(**{name: _usual(values) for name, values in times.items()})


def _usual(values: Sequence[float]) -> float:
    most = sorted(values)[: max(1, len(values) * 3 // 4)]
    return max(0.0, sum(most) / len(most))
