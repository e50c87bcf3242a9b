"""Agents that nobody plays: whose action comes with a person's input, and whose the core makes itself.

An action of the lowest seat is then a list: the player's own, and one for each of the page's bots. The simulation
that the session steps spreads it over the agents and adds the core's own bots.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycore.envs import ParallelEnvAdapter
from pycore.interactive_gym.scene import Scene
from pycore.simulation import StepResult
from pycore.values.blake2 import blake2b


class Cast:
    """All agents of a scene in one order: people by seat, the page's bots, the core's bots."""

    def __init__(self, scene: Scene, players: Sequence[int | str], seed: int) -> None:
        self.players = list(players)
        self.agents: list[int | str] = [*players, *scene.page_bots, *scene.random_bots]
        self.page_bots = scene.page_bots
        self._random_bots = scene.random_bots
        self._choices = scene.actions
        self._frame_skip = scene.frame_skip
        self._repeats = scene.repeats
        self._default = scene.default_action
        self._lowest_default = scene.lowest_default
        self._seed = seed

    @property
    def is_plain(self) -> bool:
        """Whether people are all there is."""
        return len(self.agents) == len(self.players)

    def spread(self, row: Sequence[Any], episode: int, frame: int) -> list[Any]:
        """The actions of all agents in a frame, from those of the seats."""
        if not self.page_bots:
            actions = list(row)
        else:
            first = row[0]
            # A default action may be a list too.
            if type(first) is not list or first == self._lowest_default or len(first) != 1 + len(self.page_bots):
                first = [first] + [self._default] * len(self.page_bots)
            actions = [first[0], *row[1:], *first[1:]]
        for bot in self._random_bots:
            actions.append(self._draw(bot, episode, frame))
        return actions

    def _draw(self, bot: str, episode: int, frame: int) -> Any:
        beat = frame - frame % self._frame_skip
        if beat != frame and not self._repeats:
            return self._default
        # A hash is a pure function on every Python; a generator would be one more state to save.
        word = blake2b(f"{self._seed} {episode} {beat} {bot}".encode(), digest_size=8).digest()
        return self._choices[int.from_bytes(word, "big") % len(self._choices)]


class CastSimulation:
    """The environment's simulation for seats whose rows have to be spread over all agents."""

    def __init__(self, inner: ParallelEnvAdapter, cast: Cast) -> None:
        self.inner = inner
        self._cast = cast
        self._episode = 0
        self._frame = 0

    def reset(self, episode: int) -> None:
        """Seed and reset for the episode."""
        self.inner.reset(episode)
        self._episode, self._frame = episode, 0

    def save(self) -> object:
        """The state of now."""
        return self._frame, self.inner.save()

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        self._frame, inner = state
        self.inner.load(inner)

    def step(self, actions: Sequence[Any]) -> StepResult:
        """Step one frame with one action per seat."""
        row = self._cast.spread(actions, self._episode, self._frame)
        self._frame += 1
        return self.inner.step(row)

    def resume(self) -> None:
        """Nobody else's draws count."""
        self.inner.resume()

    def contents(self, state: Any) -> Any:
        """The value behind the canonical bytes of a saved state."""
        return self.inner.contents(state[1])

    def canonical(self, state: Any) -> bytes:
        """The canonical bytes of a saved state."""
        return self.inner.canonical(state[1])
