"""What a tick takes on a simulated page's machine: the calls of a simulation, each at its cost.

Ticks have deadlines, as in a page of ours (`web/core/timer.js`): one that comes late does not shift those after it, and
what was missed is made up for, until it is too much. While a tick lasts, nothing that arrives is taken in.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from statistics import median
from typing import Any, Final, Self

from pycore.costs import Costs
from pycore.simulation import Simulation, StepResult

MADE_UP: Final = 3
"""Periods that a page may be behind; what is more is given up."""


class Metered:
    """A simulation whose calls are counted. What it can do beside its duties it still can, and whoever asks for that by
    `isinstance` is told so: a protocol looks at the class, and not at what `__getattr__` would give."""

    def __new__(cls, simulation: Simulation) -> Self:
        """Of a class that has what this simulation has."""
        more: dict[str, Any] = {
            name: property(attrgetter(f"simulation.{name}"))
            for name in {*dir(type(simulation)), *getattr(simulation, "__dict__", ())}
            if not name.startswith("_") and not hasattr(cls, name)
        }
        if "contents" in more:
            more["contents"] = cls._contents
        return super().__new__(type(cls.__name__, (cls,), more))

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.counts = {"step": 0, "save": 0, "load": 0, "hash": 0}

    def __getattr__(self, name: str) -> Any:
        if name == "simulation":
            raise AttributeError(name)
        return getattr(self.simulation, name)

    def reset(self, episode: int) -> None:
        """Costs nothing: nobody plays yet."""
        self.simulation.reset(episode)

    def save(self) -> object:
        """The state of now."""
        self.counts["save"] += 1
        return self.simulation.save()

    def load(self, state: object) -> None:
        """Back to a saved state."""
        self.counts["load"] += 1
        self.simulation.load(state)

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        """One frame."""
        self.counts["step"] += 1
        return self.simulation.step(actions)

    def canonical(self, state: object) -> bytes:
        """The canonical bytes of a saved state."""
        self.counts["hash"] += 1
        return self.simulation.canonical(state)

    def _contents(self, state: object) -> Any:
        self.counts["hash"] += 1
        contents: Any = self.simulation
        return contents.contents(state)

    def take(self, costs: Costs) -> float:
        """Seconds that the calls since the last time took."""
        of = self.counts
        spent = of["step"] * costs.step + of["save"] * costs.save + of["load"] * costs.load + of["hash"] * costs.hash
        self.counts = dict.fromkeys(self.counts, 0)
        return spent


class Machine:
    """When a page's ticks are, and how long they take."""

    def __init__(self, costs: Costs, metered: Metered) -> None:
        self.costs = costs
        """May be changed: from the next tick on it is another machine."""
        self.took: list[float] = []
        """Seconds of each tick."""
        self.started: list[float] = []
        """When each began, virtual time."""
        self.late = 0
        """Ticks that began after their deadline, since those before took too long."""
        self._metered = metered
        self._due: float | None = None

    def ticked(self, now: float, period: float) -> tuple[float, float]:
        """A tick began at `now`: when it is over, and when the next one begins."""
        due = now if self._due is None else self._due
        if now > due + 1e-9:
            self.late += 1
        took = self._metered.take(self.costs)
        self.took.append(took)
        self.started.append(now)
        over = now + took
        due += period
        if over - due > MADE_UP * period:
            due = over
        self._due = due
        return over, max(due, over)

    @property
    def longest(self) -> float:
        """Seconds of the longest tick."""
        return max(self.took, default=0.0)

    @property
    def usual(self) -> float:
        """Seconds of a tick, the median."""
        return median(self.took) if self.took else 0.0
