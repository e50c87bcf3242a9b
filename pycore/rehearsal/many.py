"""Many games in virtual time: the smallest of one that failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pycore.rehearsal.result import Outcome
from pycore.rehearsal.simulated import Simulated
from pycore.testing.scenario import Scenario

TRIES: Final = 40
"""Games that are played at most to make a scenario smaller."""


def shrunk(simulated: Simulated, outcome: Outcome, tries: int = TRIES) -> Outcome:
    """A smaller scenario with a fault of the same kind as the first of `outcome`, found by leaving out one thing after
    the other. Who interrupts it gets the smallest so far."""
    best = outcome
    kind = outcome.kinds[0]
    smaller = _smaller(best.scenario)
    try:
        for _ in range(tries):
            scenario = next(smaller, None)
            if scenario is None:
                break
            found = simulated.run(scenario)
            if kind in found.kinds:
                best = found
                smaller = _smaller(best.scenario)
    except KeyboardInterrupt:
        pass
    return best


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    for number in range(len(scenario.happenings)):
        rest = scenario.happenings[:number] + scenario.happenings[number + 1 :]
        yield replace(scenario, happenings=rest)
    calm = Scenario()
    for name in (
        "duplicates", "reordering", "bursts", "burst_length", "bandwidth_kbps", "jitter_ms", "loss", "latency_ms",
        "step_ms",
    ):  # fmt: skip
        if getattr(scenario, name) != getattr(calm, name):
            yield replace(scenario, **{name: getattr(calm, name)})
    if (scenario.episodes or 1) > 1:
        yield replace(scenario, episodes=1)
    if scenario.seconds > 2.0 and scenario.last < scenario.seconds / 2:
        yield replace(scenario, seconds=round(scenario.seconds / 2, 2))
