"""Interfaces in which everybody moves in every frame, played as the parallel one: dicts, lists, and one for all.

PettingZoo's parallel interface is passed on. In the list interface (lbforaging, rware) the agents are the positions,
0 to n - 1. Gymnasium's has one action and one result: one seat has them, or several, whose actions a function of the
user merges into one. What there is only one of, as a truncated flag or a reward for the team, is everybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.envs.chains import class_name, found, listed
from pycore.errors import EnvironmentUnfit
from pycore.frozen import Named

__all__ = ["Lists", "Merge", "Parallel", "Single"]

IDS: Final = frozenset({str, int})
"""What agents usually are."""
Merge = Callable[[dict[int, Any]], Any]
"""Takes the actions by seat; gives the one action of the environment. It must keep nothing."""


class Parallel:
    """PettingZoo's parallel interface: dicts by agent."""

    __slots__ = ()

    def possible(self, env: Any) -> list[Any] | None:
        """`possible_agents`, or the keys of the action space."""
        possible = listed(found(env, "possible_agents"))
        if possible is not None:
            return possible
        spaces = getattr(found(env, "action_space"), "spaces", None)
        return list(spaces) if isinstance(spaces, dict) else None

    def living(self, env: Any) -> Any:
        """`agents`, if that lists ids; some list objects under that name."""
        try:
            agents = env.agents
        except AttributeError:
            agents = found(env, "agents")
        # Asked three times a frame.
        if type(agents) is not list and not isinstance(agents, (list, tuple)):
            return None
        if not agents or type(agents[0]) in IDS:
            return agents
        return agents if agents[0] in (self.possible(env) or ()) else None

    def reset(self, env: Any, given: dict[str, Any]) -> tuple[Any, Any]:
        """As the environment does it."""
        return _pair(env.reset(**given))

    def step(self, env: Any, actions: dict[Any, Any]) -> Any:
        """As the environment does it."""
        return env.step(actions)

    def space(self, env: Any, name: str, agent: Any) -> Any:
        """By the method, the dict `…_spaces`, a space of spaces by agent, or one space for everybody."""
        space = found(env, name)
        if callable(space):
            try:
                return space(agent)
            except (AttributeError, KeyError, NotImplementedError):
                space = None
        if space is None:
            spaces = found(env, name + "s")
            return spaces.get(agent) if isinstance(spaces, dict) else None
        inner = getattr(space, "spaces", None)
        return inner.get(agent) if isinstance(inner, dict) else space


class Lists(Named):
    """The list interface: agent i is the position i."""

    n: int

    def possible(self, env: Any) -> list[Any]:
        """The positions."""
        return list(range(self.n))

    def living(self, env: Any) -> None:
        """All of them: nobody leaves a list."""

    def reset(self, env: Any, given: dict[str, Any]) -> tuple[Any, Any]:
        """Observations in a list, one dict of infos."""
        observations, infos = _pair(env.reset(**given))
        return self._dealt(env, "observations", observations), self._dealt(env, "infos", infos)

    def step(self, env: Any, actions: dict[Any, Any]) -> Any:
        """Actions in a list; results in lists, or one for all."""
        for agent in range(self.n):
            if agent not in actions:
                raise EnvironmentUnfit(
                    f"{class_name(env)} takes a list of {self.n} actions in every step, and agent {agent} has none: "
                    "give it to a player or to a bot"
                )
        outcome = env.step([actions[agent] for agent in range(self.n)])
        if not isinstance(outcome, tuple) or len(outcome) != 5:
            return outcome
        words = ("observations", "rewards", "terminations", "truncations", "infos")
        return tuple([self._dealt(env, word, value) for word, value in zip(words, outcome, strict=True)])

    def space(self, env: Any, name: str, agent: Any) -> Any:
        """The agent's part of the Tuple space."""
        spaces = getattr(found(env, name), "spaces", None)
        return spaces[agent] if isinstance(spaces, (list, tuple)) and len(spaces) == self.n else None

    def _dealt(self, env: Any, what: str, values: Any) -> dict[Any, Any]:
        """A result by agent."""
        if isinstance(values, dict):
            own = values.keys() == set(range(self.n))
            return values if own else dict.fromkeys(range(self.n), values)
        shape = getattr(values, "shape", None)
        if not isinstance(values, (list, tuple)) and not shape:
            return dict.fromkeys(range(self.n), values)
        if len(values) != self.n:
            raise EnvironmentUnfit(
                f"{class_name(env)} takes {self.n} actions and returned {len(values)} {what}; it must return one for "
                "each agent, or a single one for all"
            )
        return dict(enumerate(values))


class Single(Named):
    """Gymnasium's interface: one action, one result. With several seats, `merge` makes one action of theirs."""

    seats: int
    merge: Merge | None

    def possible(self, env: Any) -> list[Any]:
        """The seats."""
        return list(range(self.seats))

    def living(self, env: Any) -> None:
        """All of them."""

    def reset(self, env: Any, given: dict[str, Any]) -> tuple[Any, Any]:
        """The same for every seat."""
        observation, info = _pair(env.reset(**given))
        return self._everybodys(observation), self._everybodys(info)

    def step(self, env: Any, actions: dict[Any, Any]) -> Any:
        """One action in, the same results for every seat."""
        outcome = env.step(actions[0] if self.merge is None else self.merge(actions))
        if not isinstance(outcome, tuple) or len(outcome) != 5:
            return outcome
        return tuple([self._everybodys(value) for value in outcome])

    def space(self, env: Any, name: str, agent: Any) -> Any:
        """That of the environment; what an action of one seat of several is, only the merging function knows."""
        return None if self.merge is not None and name == "action_space" else found(env, name)

    def _everybodys(self, value: Any) -> dict[Any, Any]:
        return dict.fromkeys(range(self.seats), value)


def _pair(outcome: Any) -> tuple[Any, Any]:
    """Observations and infos of a reset, which older environments leave out."""
    return outcome if isinstance(outcome, tuple) and len(outcome) == 2 else (outcome, {})
