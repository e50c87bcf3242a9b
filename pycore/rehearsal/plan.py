"""What is rehearsed and how: the game, and the plan of one session of it.

Nothing else in this package knows a particular environment. A `Game` says what a rehearsal must know of one: its
name, its action space, how a scripted player draws its actions, and which simulation the verdict steps in CPython.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycore.envs import RNGS, ParallelEnvAdapter
from pycore.errors import ConfigError
from pycore.settings import Settings
from pycore.simulation import Simulation
from pycore.spaces import space_of

FPS = 30


@dataclass(frozen=True, kw_only=True)
class Game:
    """One environment, as far as a rehearsal must know it."""

    name: str
    """Name and version, as in the settings' `environment`."""

    module: Path
    """The Python file with `make_env()`: the one that the page was built with."""

    action_space: Any
    """As in the settings."""

    default_action: Any = 0
    """As in the settings; a player who never does anything else proves nothing."""

    draw: str = ""
    """JavaScript: a function of `random` (0 ≤ random() < 1) that gives a scripted player's next action.

    Empty: every action of a discrete space alike.
    """

    replica: Callable[[Sequence[Any], int], Simulation] | None = None
    """Players and seed -> the simulation that the verdict steps. None: `make_env()` in a `ParallelEnvAdapter`."""

    def drawing(self) -> str:
        """The JavaScript function that draws actions."""
        if self.draw:
            return self.draw
        space = space_of(self.action_space)
        if space["type"] != "discrete":
            raise ConfigError(f"{self.name}: say with `draw` how actions of {space} are drawn")
        return f"(random) => {space.get('start', 0)} + Math.floor(random() * {space['n']})"

    def simulation(self, players: Sequence[Any], seed: int) -> Simulation:
        """The same game in CPython, stepped by nothing but what the records say."""
        if self.replica is not None:
            return self.replica(players, seed)
        env = runpy.run_path(str(self.module))["make_env"]()
        rngs = (getattr(env, "metadata", None) or {}).get("rngs", RNGS)  # as the page reads it
        return ParallelEnvAdapter(env, players, seed=seed, rngs=rngs)


@dataclass(frozen=True)
class Plan:
    """What a rehearsal does."""

    game: Game
    pages: int = 2
    seconds: float = 20.0
    latency_ms: float = 0.0
    loss: float = 0.0
    down_at: float | None = None
    up_at: float | None = None
    cut: str = "silent"
    socketio_only: bool = False
    input_delay: int | None = None
    seed: int = 1
    episodes: int | None = None
    """None: as many as the time allows, each half of it long; the session is stopped when the time is over."""
    hide: tuple[int, float, float] | None = None
    """A page, and from when to when it is hidden."""
    screenshots: dict[str, float] = field(default_factory=dict)
    """Name -> seconds after the start at which the first page is photographed."""

    @property
    def delay(self) -> int:
        """The input delay in frames: the plan's, or the settings' default."""
        return Settings.input_delay if self.input_delay is None else self.input_delay

    def settings(self) -> dict[str, Any]:
        """The study's settings."""
        values: dict[str, Any] = {
            "fps": FPS,
            "num_episodes": self.episodes or 20,
            "max_steps": max(60, round(self.seconds * FPS / (self.episodes or 2))),
            "action_space": space_of(self.game.action_space),
            "environment": self.game.name,
            "default_action": self.game.default_action,
            "episode_pause": 0.5,
            "p2p": not self.socketio_only,
        }
        if self.input_delay is not None:
            values["input_delay"] = self.input_delay
        # The verdict looks for each input in the frame that this delay makes of it.
        values["input_delay_max"] = self.delay
        return values
