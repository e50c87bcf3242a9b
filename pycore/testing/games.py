"""Small exact simulations, whose state shows every input that ever went into it, and its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycore.simulation import StepResult
from pycore.values import canonical

MASK = (1 << 64) - 1


class Walk:
    """Everybody's action is folded into one 64-bit number, so that any wrong input shows for ever.

    An episode ends when the number's top bits are below `ending` of 65,536 after frame `shortest`; an end is
    thereby often predicted that the truth revokes.
    """

    def __init__(self, seats: int, *, seed: int = 0, ending: int = 0, shortest: int = 20) -> None:
        self.seats = seats
        self.seed = seed
        self.ending = ending
        self.shortest = shortest
        self.state: tuple[int, int] = (0, 0)
        self.steps = 0
        """Calls of `step`, re-simulation included."""

    def reset(self, episode: int) -> None:
        """The number of an episode begins as a function of the seed."""
        self.state = (0, (self.seed * 0x9E3779B97F4A7C15 + episode * 0xBF58476D1CE4E5B9 + 1) & MASK)

    @property
    def observations(self) -> dict[Any, Any]:
        """Each seat sees bits of the number of its own."""
        number = self.state[1]
        return {seat: (number >> (7 * seat)) & 0xFFFF for seat in range(self.seats)}

    def save(self) -> object:
        """The state, which is immutable."""
        return self.state

    def load(self, state: object) -> None:
        """Back to a saved state."""
        assert isinstance(state, tuple)
        self.state = state

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        """Fold the actions in; the reward is what the number's low bits say."""
        self.steps += 1
        frame, number = self.state
        for action in actions:
            number = (number * 6364136223846793005 + 2 * fold(action) + 1) & MASK
        number ^= number >> 29
        self.state = (frame + 1, number)
        done = frame >= self.shortest and (number >> 48) < self.ending
        rewards = {seat: (number >> seat) & 3 for seat in range(self.seats)}
        ended = dict.fromkeys(range(self.seats), done)
        return StepResult(rewards, ended, dict.fromkeys(range(self.seats), False), {}, done)

    def canonical(self, state: object) -> bytes:
        """Canonical bytes of a state."""
        return canonical.encode(state)


def fold(action: Any) -> int:
    """A number for any action."""
    return action if type(action) is int else int.from_bytes(canonical.digest(action), "big")
