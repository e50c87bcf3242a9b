"""Many games in virtual time: whether they prove anything together, and the smallest of one that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from pycore.rehearsal.simulated import Outcome, Simulated
from pycore.testing.scenario import Scenario

LIVELY: Final = 20.0
"""One way, milliseconds: from here on a game without a single rollback has not been played."""
TRIES: Final = 40
"""Games that are played at most to make a scenario smaller."""


def vacuous(outcomes: Sequence[Outcome], seats: int) -> list[str]:
    """Why a set of right outcomes may prove nothing."""
    found = []
    if not any(outcome.frames for outcome in outcomes):
        found.append("no frame was played by all who stayed")
    elif not any(outcome.changed for outcome in outcomes):
        found.append("nothing changed: the players did the same in every frame, or neither state nor rewards moved")
    elif seats > 1 and not any(outcome.rollbacks for outcome in outcomes):
        if any(outcome.scenario.latency_ms >= LIVELY for outcome in outcomes):
            found.append("no guess was ever wrong: the input delay is longer than the way, or actions never change")
    return found


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
