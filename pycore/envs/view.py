"""A view of an environment: PettingZoo's parallel interface, whatever the environment's own is.

What differs between interfaces is a `Shape`, which keeps nothing (`pycore.envs.shapes`, `pycore.envs.turns`). The view
has what they share. Invariants:

- It steps what it was given, the outermost wrapper, and adds no wrapper of its own to what others see: `env` and
  `unwrapped` are those of the environment, and what it does not know it asks the environment for.
- All that it keeps from one frame to the next is `flagged`, a list; `quiet` is of the last step alone. Which layer has
  the state is looked for at each reset, since some environments replace what they wrap there.
- `get_state` and `set_state` are there exactly when the environment, or one that it wraps, has both, or functions are
  given for them. What the wrappers outside of it remember is part of that state (`pycore.envs.wrappers`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from pycore.envs.chains import chain_of, class_name, innermost, put_agents, state_layer
from pycore.envs.owned import flags_of
from pycore.envs.wrappers import obstacle_in, put_wrapper, state_of_wrapper

__all__ = ["MARK", "Shape", "View"]

MARK: Final = "pycore.view"
"""The key by which a state of more than the environment's own is known."""
BOOLS: Final = frozenset({bool})
ALL: Final = "__all__"
"""RLlib's word in flags: everybody."""


class Shape(Protocol):
    """How one interface is played as the parallel one. It keeps nothing; the environment is handed to it."""

    def possible(self, env: Any) -> list[Any] | None:
        """Everybody who may ever play; None where that cannot be known."""

    def living(self, env: Any) -> Any:
        """Who plays now, as the environment keeps it; None where it does not."""

    def reset(self, env: Any, given: dict[str, Any]) -> tuple[Any, Any]:
        """Reset it with these keywords: observations and infos."""

    def step(self, env: Any, actions: dict[Any, Any]) -> Any:
        """One frame: the five results."""

    def space(self, env: Any, name: str, agent: Any) -> Any:
        """An agent's `action_space` or `observation_space`, None where it has none that is known."""


class View:
    """An environment, played by PettingZoo's parallel interface."""

    def __init__(
        self,
        env: Any,
        shape: Shape,
        get_state: Callable[[Any], Any] | None = None,
        set_state: Callable[[Any, Any], None] | None = None,
    ) -> None:
        self.env = env
        self.shape = shape
        self.functions = None if get_state is None or set_state is None else (get_state, set_state)
        """Of the user, in the place of the two methods; they are given `env`, wrappers and all."""
        self._found: tuple[Any, tuple[Any, ...]] | None = None
        """The layer that has the state, and those outside of it; only where there is one."""
        self.flagged: list[Any] = []
        """Who was terminated or truncated in some frame of this episode and is still listed in `agents`. Environments
        that let nobody leave say it once, and each agent in a frame of its own."""
        self.quiet = False
        """Whether every flag of the last step was false, and nobody is in `flagged`: nearly every frame."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("env", "shape", "functions", "flagged", "quiet", "_found"):
            raise AttributeError(name)
        if name in ("get_state", "set_state"):
            there = self._found is not None or self.functions is not None
            if not there and state_layer(chain_of(self.env)) is None:
                raise AttributeError(f"{class_name(self.env)} has not both get_state() and set_state()")
            return self._get_state if name == "get_state" else self._set_state
        return getattr(self.env, name)

    # --- the duties ---

    @property
    def unwrapped(self) -> Any:
        """The user's environment, inside of all wrappers."""
        return innermost(self.env)

    @property
    def possible_agents(self) -> list[Any]:
        """Everybody who may ever play, in the order of their seats; who plays now where that cannot be known."""
        return list(self.shape.possible(self.env) or self.shape.living(self.env) or ())

    @property
    def agents(self) -> Any:
        """Who plays now: the environment's own list; everybody where it keeps none; None where that is not known."""
        env = self.env
        living = self.shape.living(env)
        return self.shape.possible(env) if living is None else living

    @agents.setter
    def agents(self, agents: Any) -> None:
        if self.shape.living(self.env) is None:
            raise AttributeError(f"{class_name(self.env)} keeps no list of agents")
        put_agents(self.env, agents)

    @property
    def metadata(self) -> Any:
        """The environment's; empty where it has none."""
        return getattr(self.env, "metadata", {})

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        """Reset the environment: observations and infos. It is told only what was given."""
        given = {name: value for name, value in (("seed", seed), ("options", options)) if value is not None}
        self.flagged = []
        self._found = None
        try:
            return self.shape.reset(self.env, given)
        except TypeError as error:
            if options is not None or "missing" not in str(error) or "'options'" not in str(error):
                raise
        # It has no default for them.
        return self.shape.reset(self.env, {**given, "options": None})

    def step(self, actions: dict[Any, Any]) -> Any:
        """One frame: observations, rewards, terminations, truncations and infos.

        What the environment returned that is no such tuple is passed on as it is.
        """
        self.quiet = False
        outcome = self.shape.step(self.env, actions)
        if not isinstance(outcome, tuple) or len(outcome) != 5:
            return outcome
        terminations, truncations = outcome[2], outcome[3]
        if isinstance(terminations, dict) and isinstance(truncations, dict):
            if ALL in terminations or ALL in truncations:
                # Some list nobody; then those who act are there.
                there = (*actions, *(self.agents or ()))
                terminations, truncations = _spread(terminations, there), _spread(truncations, there)
                outcome = (*outcome[:2], terminations, truncations, outcome[4])
            flags = (*terminations.values(), *truncations.values())
            # What is no bool may be none at all, and is looked at one by one.
            if not self.flagged and BOOLS.issuperset(map(type, flags)) and not any(flags):
                self.quiet = True
            else:
                terminations = flags_of(terminations, "terminations", self.env)
                self._remember(terminations, flags_of(truncations, "truncations", self.env))
        return outcome

    def action_space(self, agent: Any) -> Any:
        """The agent's action space; None where the environment does not say."""
        return self.shape.space(self.env, "action_space", agent)

    def observation_space(self, agent: Any) -> Any:
        """The agent's observation space; None where the environment does not say."""
        return self.shape.space(self.env, "observation_space", agent)

    def close(self) -> None:
        """Close the environment, if it can be."""
        close = getattr(self.env, "close", None)
        if callable(close):
            close()

    # --- the state ---

    def obstacle(self) -> str | None:
        """Why `get_state` is missing or will refuse, though the environment has it or one of the two; None where all is
        well."""
        if self.functions is not None:
            return None
        chain = chain_of(self.env)
        pair = ("get_state", "set_state")
        have = [name for name in pair if any(callable(getattr(layer, name, None)) for layer in chain)]
        if len(have) == 1:
            missing = pair[1 - pair.index(have[0])]
            return f"it has {have[0]}() and no {missing}()"
        for layer in chain[: state_layer(chain) or 0]:
            why = obstacle_in(layer)
            if why is not None:
                return f"{type(layer).__name__}: {why}"
        return None

    def _get_state(self) -> Any:
        """The environment's state, as it gives it; with what the wrappers and the view remember where they do."""
        if self.functions is not None:
            state = self.functions[0](self.env)
            return {MARK: {"flagged": list(self.flagged)}, "wrappers": {}, "env": state} if self.flagged else state
        inner, outside = self._found or self._find()
        state = inner.get_state()
        if not outside and not self.flagged:
            return state
        user = class_name(self.env)
        wrappers = {_key(at, layer): state_of_wrapper(layer, user) for at, layer in enumerate(outside)}
        return {MARK: {"flagged": list(self.flagged)}, "wrappers": wrappers, "env": state}

    def _set_state(self, state: Any) -> None:
        wrappers: dict[str, Any] = {}
        self.flagged = []
        if type(state) is dict and MARK in state:
            self.flagged, wrappers, state = list(state[MARK]["flagged"]), state["wrappers"], state["env"]
        if self.functions is not None:
            self.functions[1](self.env, state)
            return
        inner, outside = self._found or self._find()
        inner.set_state(state)
        for at, layer in enumerate(outside):
            put_wrapper(layer, wrappers[_key(at, layer)])

    def _find(self) -> tuple[Any, tuple[Any, ...]]:
        chain = chain_of(self.env)
        number = state_layer(chain) or 0
        self._found = found = (chain[number], tuple(chain[:number]))
        return found

    def _remember(self, terminations: dict[Any, Any], truncations: dict[Any, Any]) -> None:
        agents = self.agents
        flagged = dict.fromkeys(self.flagged)
        for flags in (terminations, truncations):
            flagged.update(dict.fromkeys([agent for agent, flag in flags.items() if flag]))
        # Who has left needs no memory, and may come back.
        self.flagged = [agent for agent in flagged if agents is None or agent in agents]


def _spread(flags: dict[Any, Any], agents: tuple[Any, ...]) -> dict[Any, Any]:
    """Flags by agent alone, from flags with RLlib's word for everybody."""
    own = {agent: flag for agent, flag in flags.items() if agent != ALL}
    return {**own, **dict.fromkeys((*own, *agents), True)} if flags.get(ALL) else own


def _key(at: int, layer: Any) -> str:
    return f"{at} {type(layer).__name__}"
