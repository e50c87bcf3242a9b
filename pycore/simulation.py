"""What is simulated: the duties of a simulation, and what one step of it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


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
