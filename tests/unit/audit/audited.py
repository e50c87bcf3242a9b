"""Environments for the audit: one that is fit, and for each fault one that has it and nothing else."""

from __future__ import annotations

import ctypes
import importlib
import math
import os
import random
import sys
import time
from functools import lru_cache
from typing import Any


class Fit:
    """Two agents push a number about; it ends after 40 frames."""

    metadata = {"rngs": ("random",)}  # noqa: RUF012

    def __init__(self) -> None:
        self.possible_agents = ["left", "right"]
        self.rng = random.Random()

    def action_space(self, agent: Any) -> Any:
        return {"type": "discrete", "n": 3}

    def reset(self, seed: int, options: Any = None) -> Any:
        self.agents = list(self.possible_agents)
        self.rng.seed(seed)
        self.t, self.x = 0, seed
        return dict.fromkeys(self.agents, self.x), {agent: {} for agent in self.agents}

    def effect(self, actions: dict[Any, Any]) -> int:
        return int(3 * actions["left"] - actions["right"])

    def step(self, actions: dict[Any, Any]) -> Any:
        self.t += 1
        self.x = (self.x * 5 + self.effect(actions) + self.rng.randrange(4)) % 65521
        done = self.t >= 40
        agents = self.agents
        if done:
            self.agents = []
        return (
            dict.fromkeys(agents, self.x),
            dict.fromkeys(agents, float(self.x % 2)),
            dict.fromkeys(agents, done),
            dict.fromkeys(agents, False),
            self.infos(agents),
        )

    def infos(self, agents: list[Any]) -> dict[Any, Any]:
        return {agent: {"x": self.x} for agent in agents}

    def render(self) -> Any:
        return [{"uuid": "it", "object_type": "circle", "x": self.x, "radius": 5, "color": "red"}]


class Saved(Fit):
    """The same with methods for its state."""

    def get_state(self) -> Any:
        return {"t": self.t, "x": self.x, "rng": self.rng.getstate()}

    def set_state(self, state: Any) -> None:
        self.t, self.x = state["t"], state["x"]
        version, words, gauss = state["rng"]
        self.rng.setstate((version, tuple(words), gauss))


class Forgets(Saved):
    """Its state has not the generator, which the first frames do not show."""

    def get_state(self) -> Any:
        return {"t": self.t, "x": self.x}

    def set_state(self, state: Any) -> None:
        self.t, self.x = state["t"], state["x"]


class Wins(Saved):
    """Its reset leaves what the end of a later episode has counted."""

    wins = 0

    def step(self, actions: dict[Any, Any]) -> Any:
        outcome = super().step(actions)
        self.wins += self.first > 1 and not self.agents
        return outcome

    def reset(self, seed: int, options: Any = None) -> Any:
        self.first = seed
        return super().reset(seed)

    def effect(self, actions: dict[Any, Any]) -> int:
        return super().effect(actions) + self.wins

    def get_state(self) -> Any:
        return {**super().get_state(), "wins": self.wins, "first": self.first}

    def set_state(self, state: Any) -> None:
        super().set_state(state)
        self.wins, self.first = state["wins"], state["first"]


class Constant(Saved):
    """Its state has a number that is always the same."""

    def get_state(self) -> Any:
        return {**super().get_state(), "size": 9}


class Endless(Fit):
    """Nobody is paid, and it never ends."""

    def step(self, actions: dict[Any, Any]) -> Any:
        self.t = 0
        observations, rewards, *rest = super().step(actions)
        return observations, dict.fromkeys(rewards, 0.0), *rest


class Process(Fit):
    """Seeds the process's generator and draws from it in its third episode, and tells nobody."""

    metadata = {"rngs": ()}  # noqa: RUF012

    def reset(self, seed: int, options: Any = None) -> Any:
        random.seed(seed)
        self.draws = seed > 2
        return super().reset(seed)

    def effect(self, actions: dict[Any, Any]) -> int:
        return super().effect(actions) + (random.randrange(9) if self.draws else 0)


class Cached(Saved):
    """Holds an attribute that `set_state` leaves alone, and that nothing depends on."""

    def step(self, actions: dict[Any, Any]) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        return super().step(actions)


class Constructed(Fit):
    """What the constructor draws is in the game."""

    def __init__(self) -> None:
        super().__init__()
        self.luck = random.Random().randrange(1000)

    def effect(self, actions: dict[Any, Any]) -> int:
        return super().effect(actions) + self.luck


class Timed(Fit):
    """A clock in the infos: no state has it."""

    def infos(self, agents: list[Any]) -> dict[Any, Any]:
        return {agent: {"now": time.perf_counter()} for agent in agents}


class Deaf(Fit):
    """Nobody's actions count."""

    def effect(self, actions: dict[Any, Any]) -> int:
        return 1


class HalfDeaf(Fit):
    """The right one's do not."""

    def effect(self, actions: dict[Any, Any]) -> int:
        return int(actions["left"])


class DrawsUnsaved(Fit):
    """Drawing goes on with the game, whose attributes are captured: it is taken back."""

    def render(self) -> Any:
        self.x += 1
        self.pictures = getattr(self, "pictures", 0) + 1
        return []


class Draws(Saved):
    """Drawing goes on with the game, and its own state says so."""

    def render(self) -> Any:
        self.x += 1
        return []


class Blinks(Saved):
    """Drawing changes what the game reads, and get_state() says nothing of it."""

    blinks = 0

    def render(self) -> Any:
        self.blinks += 1
        return []

    def effect(self, actions: dict[Any, Any]) -> int:
        return super().effect(actions) + self.blinks % 2

    def reset(self, seed: int, options: Any = None) -> Any:
        self.blinks = 0
        return super().reset(seed)


class Sparkles(Fit):
    """Drawing draws from the process's generator, which is put back."""

    def effect(self, actions: dict[Any, Any]) -> int:
        return super().effect(actions) + random.randrange(4)

    def render(self) -> Any:
        return [{"uuid": "spark", "object_type": "circle", "x": random.random(), "radius": 5, "color": "red"}]


class Pixels(Fit):
    def render(self) -> Any:
        return b"an array"


class Picture(Fit):
    """As rgb_array has it."""

    def render(self) -> Any:
        return importlib.import_module("numpy").zeros((4, 6, 3), "uint8")


class Looks(Fit):
    """Its observations are objects."""

    def step(self, actions: dict[Any, Any]) -> Any:
        observations, *rest = super().step(actions)
        return dict.fromkeys(observations, object()), *rest


class Spoils(Fit):
    """What its infos hold has no place in a record."""

    def infos(self, agents: list[Any]) -> dict[Any, Any]:
        return {agent: {"when": object()} for agent in agents}


class Raises(Fit):
    def step(self, actions: dict[Any, Any]) -> Any:
        if self.t == 10:
            raise RuntimeError("two take the same cell")
        return super().step(actions)


class Aborts(Fit):
    def step(self, actions: dict[Any, Any]) -> Any:
        if self.t == 10:
            os.abort()
        return super().step(actions)


class Segfaults(Fit):
    def step(self, actions: dict[Any, Any]) -> Any:
        if self.t == 10:
            ctypes.string_at(0)
        return super().step(actions)


class Exits(Fit):
    def step(self, actions: dict[Any, Any]) -> Any:
        if self.t == 10:
            os._exit(7)
        return super().step(actions)


class Hangs(Fit):
    def step(self, actions: dict[Any, Any]) -> Any:
        while self.t == 10:
            time.sleep(0.01)
        return super().step(actions)


class Slow(Fit):
    def step(self, actions: dict[Any, Any]) -> Any:
        time.sleep(0.012)
        return super().step(actions)


class Stuck(Fit):
    """Holds what nobody can copy."""

    def reset(self, seed: int, options: Any = None) -> Any:
        self.story = (line for line in ("once",))
        return super().reset(seed, options)


class Unspoken(Fit):
    """Says nothing of its actions."""

    action_space = None  # type: ignore[assignment]


class Walked(Fit):
    """Walks a set of objects: their order is that of their places in memory."""

    def reset(self, seed: int, options: Any = None) -> Any:
        found = super().reset(seed, options)
        self.food = {Food(number) for number in range(40)}
        return found

    def effect(self, actions: dict[Any, Any]) -> int:
        first = next(iter(self.food))
        return int(super().effect(actions) + first.number)


class Named(Fit):
    """Walks a set of texts, whose order is another one in each process; a set that nothing changes."""

    def reset(self, seed: int, options: Any = None) -> Any:
        found = super().reset(seed, options)
        self.order = "".join({"salad", "onion", "tomato", "bread", "dish", "pot", "plate", "counter"})
        return found


_library = {"force": 0}
"""As a library of C has it: no attribute leads there."""


class Contacts(Fit):
    """What touches pushes ever harder, which only a library remembers; nothing does in the first episode."""

    def reset(self, seed: int, options: Any = None) -> Any:
        self.touches = seed % 2 == 0
        return super().reset(seed, options)

    def effect(self, actions: dict[Any, Any]) -> int:
        if self.touches and self.t % 16 == 9:
            _library["force"] = 0
        elif self.touches and self.t % 16 in (10, 11):
            _library["force"] += 1
            return super().effect(actions) + _library["force"]
        return super().effect(actions)


class Remembers(Fit):
    """A memo holds what was true when it was first asked, which may be in a frame that is taken back."""

    @lru_cache(maxsize=64)  # noqa: B019
    def remembered(self, action: int) -> int:
        return self.x % 7

    def effect(self, actions: dict[Any, Any]) -> int:
        return super().effect(actions) + self.remembered(actions["left"])


_prices: dict[int, int] = {}


class Prices(Fit):
    """A module's table keeps what was true when it was first asked, in whichever instance, and is soon full."""

    def effect(self, actions: dict[Any, Any]) -> int:
        return super().effect(actions) + _prices.setdefault(actions["left"], self.x % 7)


class Leaves(Fit):
    """Goes to another folder, and walks what hashes put in order."""

    def __init__(self) -> None:
        super().__init__()
        os.chdir(os.sep)

    def effect(self, actions: dict[Any, Any]) -> int:
        return super().effect(actions) + hash("left") % 1_000_003


_only = Fit()


def the_same() -> Any:
    return _only


_is_first = [True]


class First(Fit):
    """The first time in a process that somebody does 2 is another one."""

    def effect(self, actions: dict[Any, Any]) -> int:
        bonus = actions["left"] == 2 and _is_first[0]
        _is_first[0] &= not bonus
        return super().effect(actions) + 5 * bonus


class Births:
    born = 0


class Counts(Fit):
    """A counter of a class, which the game does not read."""

    def effect(self, actions: dict[Any, Any]) -> int:
        Births.born += actions["left"]
        return super().effect(actions)


class Food:
    def __init__(self, number: int) -> None:
        self.number = number


class Waves(Fit):
    """A sine is in the game: its last bits differ in Pyodide."""

    def effect(self, actions: dict[Any, Any]) -> int:
        self.wave = sum(math.sin(self.x * k + 0.1) ** 3 for k in range(20))
        return super().effect(actions)


class Turns:
    """Whoever's turn it is takes one to three of 21 matches; who takes the last one has lost. One moves at a time."""

    def __init__(self) -> None:
        self.possible_agents = ["left", "right"]

    def action_space(self, agent: Any) -> Any:
        return {"type": "discrete", "n": 3, "start": 1}

    def agent_iter(self) -> Any:
        raise NotImplementedError

    def last(self) -> Any:
        agent = self.agent_selection
        return self.observe(agent), 0, self.terminations[agent], False, {}

    def observe(self, agent: Any) -> Any:
        return {"observation": self.left, "action_mask": [number <= self.left for number in (1, 2, 3)]}

    def reset(self, seed: Any = None, options: Any = None) -> None:
        self.agents = list(self.possible_agents)
        self.agent_selection = self.agents[(seed or 0) % 2]
        self.left = 21
        self.rewards = dict.fromkeys(self.agents, 0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[Any, Any] = {agent: {} for agent in self.agents}

    def step(self, action: Any) -> None:
        agent = self.agent_selection
        if self.terminations[agent]:
            self.agents.remove(agent)
            self.agent_selection = self.agents[0] if self.agents else agent
            return
        other = self.possible_agents[1 - self.possible_agents.index(agent)]
        self.left -= action
        self._cumulative_rewards[agent] = 0
        if self.left == 0:
            self.rewards = {agent: -1, other: 1}
            self.terminations = dict.fromkeys(self.possible_agents, True)
        for name, reward in self.rewards.items():
            self._cumulative_rewards[name] += reward
        self.agent_selection = other

    def render(self) -> Any:
        return []


class Complex(Fit):
    """Pays what no record can hold."""

    def step(self, actions: dict[Any, Any]) -> Any:
        observations, rewards, *rest = super().step(actions)
        return observations, {agent: complex(reward, 1) for agent, reward in rewards.items()}, *rest


class Many(Fit):
    """Nine agents."""

    def __init__(self) -> None:
        super().__init__()
        self.possible_agents = ["left", "right", *[f"other {number}" for number in range(7)]]


class Quits(Fit):
    """Ends the program when it is over."""

    def step(self, actions: dict[Any, Any]) -> Any:
        sys.exit("game over")


class SaidLater(Fit):
    """Makes its action spaces when it is reset."""

    spaces: Any = None

    def action_space(self, agent: Any) -> Any:
        assert self.spaces is not None, "reset it first"
        return self.spaces[agent]

    def reset(self, seed: int, options: Any = None) -> Any:
        self.spaces = {agent: {"type": "discrete", "n": 3} for agent in self.possible_agents}
        return super().reset(seed, options)


def make_said_later() -> Any:
    return SaidLater()
