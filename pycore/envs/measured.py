"""What a simulation takes here, measured with the clock of whoever has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pycore.costs import Costs
from pycore.simulation import Simulation

__all__ = ["measured"]

ROUNDS: Final = 3
"""The middle one counts: in the others somebody else may have had the processor, or something was done once."""
CALLS: Final = 8
"""Of each kind in a round, by two looks at the clock: a browser's is as coarse as a tenth of a millisecond. The numbers
are fixed: whatever an environment keeps of it, every peer's keeps the same."""
HASHES: Final = 2


def measured(simulation: Simulation, clock: Callable[[], float], row: Sequence[Any]) -> Costs:
    """The costs of the first frames of an episode, in which everybody does the same as in `row`. `clock` gives seconds.

    Reset afterwards.
    """
    times: dict[str, list[float]] = {"step": [], "save": [], "load": [], "hash": []}
    simulation.reset(0)
    done = False
    while not done and len(times["step"]) < ROUNDS:
        begin = clock()
        for _ in range(CALLS):
            state = simulation.save()
        saved = clock()
        for _ in range(CALLS):
            simulation.load(state)
        loaded = clock()
        for _ in range(HASHES):
            simulation.canonical(state)
        hashed = clock()
        steps = 0
        while not done and steps < CALLS:
            result = simulation.step(list(row))
            steps += 1
            done = result is not None and result.done
        stepped = clock()
        times["save"].append((saved - begin) / CALLS)
        times["load"].append((loaded - saved) / CALLS)
        times["hash"].append((hashed - loaded) / HASHES)
        times["step"].append((stepped - hashed) / steps)
    return Costs(**{name: max(0.0, sorted(values)[(len(values) - 1) // 2]) for name, values in times.items()})
