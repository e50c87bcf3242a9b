"""What became of one game in virtual time, and whether such games prove anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pycore.testing.scenario import Happening, Scenario

LIVELY: Final = 20.0
"""One way, milliseconds: from here on a game without a single rollback has not been played."""
Fault = tuple[str, str]
"""Its kind, and what it is in words."""


@dataclass(kw_only=True)
class Outcome:
    """What became of one scenario."""

    scenario: Scenario
    problems: list[str] = field(default_factory=list)
    """What is wrong; empty if nothing is."""
    kinds: list[str] = field(default_factory=list)
    """Of what kind each of these is."""
    seconds: float = 0.0
    """Virtual seconds until every session was over."""
    frames: int = 0
    """Frames that every page published that is still there."""
    rollbacks: int = 0
    resimulated: int = 0
    """Frames that were stepped again."""
    deepest: int = 0
    """The deepest rollback, in frames."""
    stalls: int = 0
    """Ticks in which somebody stood."""
    standing: float = 0.0
    """The longest time for which somebody stood in one piece, seconds."""
    path_changes: int = 0
    through_server: int = 0
    """Inputs that crossed the server."""
    lost_in_bursts: int = 0
    """Packets, as all that follow: lost in a burst,"""
    doubled: int = 0
    """came twice,"""
    held_back: int = 0
    """came later, so that others overtook them,"""
    choked: int = 0
    """did not fit through a narrow way."""
    hashes: int = 0
    """Hashes that were compared."""
    reasons: tuple[str, ...] = ()
    """With what the sessions ended, by page; "gone" for a page that is not there any more."""
    changed: bool = False
    """Whether the players' actions changed from frame to frame, and the state or the rewards with them."""
    pages: int = 0
    happened: tuple[Happening, ...] = ()
    """What began of the scenario's happenings. The rest came too late: the game was over, or their page gone."""

    @property
    def unproved(self) -> list[str]:
        """Why the game proves nothing though nothing is wrong with it; empty if it does."""
        return [] if self.problems else vacuous([self], self.pages)

    @property
    def right(self) -> bool:
        """Whether nothing is wrong, and something was proved."""
        return not self.problems and not self.unproved

    @property
    def too_late(self) -> tuple[Happening, ...]:
        """What never happened of the scenario's happenings."""
        return tuple(of for of in self.scenario.happenings if of not in self.happened)

    def add(self, *faults: Fault) -> None:
        """Note what is wrong."""
        for kind, text in faults:
            self.kinds.append(kind)
            self.problems.append(text)

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        happened = [str(happening) for happening in self.happened]
        return {**asdict(self), "scenario": self.scenario.as_json(), "happened": happened, "unproved": self.unproved}


def vacuous(outcomes: Sequence[Outcome], seats: int) -> list[str]:
    """Why a set of outcomes without a fault may prove nothing."""
    found = []
    if not any(outcome.frames for outcome in outcomes):
        found.append("no frame was played by all who stayed")
    elif not any(outcome.changed for outcome in outcomes):
        found.append("nothing changed: the players did the same in every frame, or neither state nor rewards moved")
    elif seats > 1 and not any(outcome.rollbacks for outcome in outcomes):
        if any(_way_ms(outcome.scenario) >= LIVELY for outcome in outcomes):
            found.append("no guess was ever wrong: the input delay is longer than the way, or actions never change")
    return found


def _way_ms(scenario: Scenario) -> float:
    return scenario.server_ms if scenario.socketio_only else scenario.latency_ms
