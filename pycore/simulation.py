"""What is simulated: the duties of a simulation, what it may offer beside them, and what one step of it gives.

The five duties of `Simulation` are all that a session needs. What else a simulation can do is a protocol of its own
with one name each (`Renderable`, `Resumable`, `Observing`, `Contents`), and whoever would use it asks with
``isinstance`` once, at the start. So a wrapper that passes such a method on has to define it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

__all__ = ["Contents", "Observing", "Renderable", "Resumable", "Simulation", "StepResult"]


class StepResult:
    """What one step of an environment gave: dictionaries by agent id, as PettingZoo's parallel interface has them.

    `done` is true when the episode ends with this frame.
    """

    __slots__ = ("done", "infos", "rewards", "terminations", "truncations")

    def __init__(
        self,
        rewards: dict[Any, Any],
        terminations: dict[Any, Any],
        truncations: dict[Any, Any],
        infos: dict[Any, Any],
        done: bool,
    ) -> None:
        self.rewards = rewards
        self.terminations = terminations
        self.truncations = truncations
        self.infos = infos
        self.done = done


@runtime_checkable
class Simulation(Protocol):
    """The duties of what is simulated. State N is the state before frame N is stepped."""

    def reset(self, episode: int) -> None:
        """Seed and reset for the episode; afterwards the state is state 0."""

    def save(self) -> object:
        """The state of now. Nobody but `load` and `canonical` looks into it."""

    def load(self, state: object) -> None:
        """Go back to a saved state, which stays usable."""

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        """Step one frame with one action per seat. The core reuses the list: do not keep it."""

    def canonical(self, state: object) -> bytes:
        """The canonical bytes of a saved state, for hashes and desync reports."""


@runtime_checkable
class Renderable(Protocol):
    """Can be shown."""

    def render(self) -> list[Any] | None:
        """The objects to draw now, or None where there are none. Called once per picture, never while simulating."""


@runtime_checkable
class Resumable(Protocol):
    """Has a state outside of itself, as the generators of the process, that others touch between two ticks."""

    def resume(self) -> None:
        """The simulation goes on after a pause; what others did to that state in it must not count."""


@runtime_checkable
class Observing(Protocol):
    """Keeps what the agents observe."""

    observations: dict[Any, Any]
    """What the last reset or step gave, by agent: read, do not keep. After a load it is what that state had shown, of
    whomever a policy or predictor is to see."""


@runtime_checkable
class Contents(Protocol):
    """Tells what is in a saved state, so that a large one can be encoded piece by piece."""

    def contents(self, state: object) -> Any:
        """The value whose canonical form is ``canonical(state)``. It does not change while it is held."""
