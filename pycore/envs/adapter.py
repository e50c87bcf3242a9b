"""Environments as simulations: PettingZoo-parallel environments with `get_state` and `set_state`.

A snapshot is everything that the next step depends on: the environment's own state, its list of living
agents, the generators it may draw from, and what the bots saw last. Invariants:

- `save` is immune to aliasing, and `load` hands out fresh objects, so that a snapshot can be loaded any number of
  times (`pycore.envs.snapshots`).
- `step` returns results of its own: no dictionary that the environment goes on using.
- The environment is never asked for its state before its first reset: some cannot answer.
- What is drawn between two ticks does not count (`pycore.envs.generators`, which says what `rngs` are).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from pycore.envs.chains import class_name
from pycore.envs.generators import RNGS, Generators, canonical_forms
from pycore.envs.given import native, number_if_it_looks_so, spelled, takes_no_seed
from pycore.envs.interfaces import as_parallel
from pycore.envs.owned import flags_of, number_of, owned
from pycore.envs.pictures import drawable
from pycore.envs.seating import seated
from pycore.envs.snapshots import PRIMITIVES, Snapshot, pickled, unpickled
from pycore.envs.states import GetState, SetState, way_of
from pycore.envs.view import MARK, View
from pycore.errors import CanonicalError, ConfigError, EnvironmentUnfit, UsageError
from pycore.simulation import StepResult
from pycore.values.canonical import encode

__all__ = ["ParallelEnvAdapter"]

DICTS: Final = frozenset({dict})
NUMBERS: Final = frozenset({int, float})


class ParallelEnvAdapter:
    """Makes a `Simulation` of an environment.

    `players` are the agents that people play, in the order of their seats; an id that looks like a number
    becomes one for the environment, as in the page, unless `numeric_ids` is false. Results go by the ids
    given. `bots` maps further agents to policies: functions of an agent's observation that return its action.
    A policy may draw from the generators in `rngs` and must keep nothing from one call to the next.
    `reseed_each_episode`: ``add`` seeds episode e with seed + e, ``same`` always with seed, as the page does.
    `on_step` is called with the environment before every step, re-simulated ones included.
    `get_state` and `set_state` are functions for an environment without methods of these names, that take it as
    their first argument. Without either its attributes are captured (`pycore.envs.states`), and at every reset they
    first go back to what they were before any, unless `restart` is false: then it may count its resets.
    With `common`, results that are no dicts belong to everybody, under the name ``human``, as in the page.
    `observed` are players whose observations are there after a load, too: those whose seats policies play.
    """

    def __init__(
        self,
        env: Any,
        players: Sequence[int | str],
        *,
        seed: int,
        bots: Mapping[int | str, Callable[[Any], Any]] | None = None,
        rngs: Iterable[str] = RNGS,
        reseed_each_episode: Literal["add", "same"] = "add",
        on_step: Callable[[Any], None] | None = None,
        numeric_ids: bool = True,
        get_state: GetState | None = None,
        set_state: SetState | None = None,
        restart: bool = True,
        common: bool = False,
        observed: Sequence[int | str] = (),
    ) -> None:
        if type(seed) is not int:
            raise ConfigError(f"seed is {seed!r}; it must be an int (0 is a seed as good as any)")
        if reseed_each_episode not in ("add", "same"):
            raise ConfigError(f"reseed_each_episode is {reseed_each_episode!r}; it must be 'add' or 'same'")
        self._env = view = as_parallel(env, get_state=get_state, set_state=set_state)
        self._state = way_of(view)
        names = [name for name in rngs if name != "np_random" or not self._state.holds_generators]
        self._generators = Generators(view, names)
        self.env = env
        """As it was given."""
        self.players = tuple(players)
        self.observations: dict[Any, Any] = {}
        """What the last step or reset gave, by agent, as the environment made it: read, do not keep. After a
        load there are those of bots and of observed players only."""
        self._seed = seed
        self._reseed = reseed_each_episode
        self._restart = restart
        self._common = common
        self._on_step = on_step
        given = [*players, *(bots or {})]
        agents = [number_if_it_looks_so(agent) for agent in given] if numeric_ids else given
        if not players or len(set(agents)) != len(agents):
            raise ConfigError(f"players and bots are {given!r}; at least one player, and nobody twice")
        self._given = tuple(given)
        self._agents = tuple(agents[: len(players)])
        self._observed: list[int] = []
        self.observe(observed)
        self._bots = dict(zip(agents[len(players) :], (bots or {}).values(), strict=True))
        self.seating = ""
        """Who plays which agent, as a line for reports; empty where players and agents have the same names. Some
        environments name their agents only when they are reset."""
        self._names: dict[Any, Any] = {}
        self._seat()
        self._counts_agents = False
        self._is_reset = False

    @property
    def view(self) -> View:
        """The environment by the parallel interface."""
        return self._env

    @property
    def metadata(self) -> Any:
        """The environment's; empty where it has none."""
        return self._env.metadata

    @property
    def agents(self) -> tuple[Any, ...]:
        """The environment's own names of the players, by seat."""
        return self._agents

    @property
    def state_way(self) -> str:
        """How the state is saved and loaded: `get_state`, `functions` or `capture`."""
        return self._state.name

    def described(self) -> str:
        """One line for the log: what is played, and how its state is saved."""
        ways = {
            "get_state": "by its get_state()",
            "functions": "by the functions that were given",
            "capture": "by capture of its attributes",
        }
        why = f", since {self._state.reason}" if self._state.reason else ""
        return f"the state of {class_name(self.env)} is saved {ways[self._state.name]}{why}"

    # --- the duties of a simulation ---

    def reset(self, episode: int) -> None:
        """Seed the generators and the environment for an episode, and reset it."""
        seed = (self._seed + episode if self._reseed == "add" else self._seed) % (1 << 32)
        numpy_was_there = "numpy.random" in sys.modules
        outcome = self._reset_with(seed)
        if "numpy" in self._generators.names and not numpy_was_there and "numpy.random" in sys.modules:
            # The environment imports numpy as late as this: what it drew came from an unseeded generator.
            outcome = self._reset_with(seed)
        if not self.seating and self._are_others_named():
            self._seat()
        observations = outcome[0] if isinstance(outcome, tuple) and len(outcome) == 2 else outcome
        self.observations = self._by_player(observations)
        agents = self._env.agents
        self._counts_agents = isinstance(agents, (list, tuple)) and self._lists_players(agents)
        self._generators.begin()
        self._is_reset = True

    def _reset_with(self, seed: int) -> Any:
        self._state.restart(self._restart)
        self._generators.seed(seed)
        try:
            return self._env.reset(seed=seed)
        except TypeError as error:
            if takes_no_seed(error):
                raise EnvironmentUnfit(
                    f"{class_name(self.env)}.reset() takes no seed, so players could not start alike: "
                    "give it a keyword argument seed, and draw everything random from it"
                ) from error
            raise

    def save(self) -> Snapshot:
        """The state of now, which nothing that happens later can change."""
        if not self._is_reset:
            raise UsageError("save() before reset(): there is no state yet")
        generators = self._generators
        if generators.astray:
            generators.settle()
        state = self._state.save()
        agents = tuple(self._env.agents) if self._counts_agents else None
        seen = b""
        if self._bots or self._observed:
            looking = (*self._bots, *[self._agents[seat] for seat in self._observed])
            seen = pickled({agent: self._seen_by(agent) for agent in looking}, "a bot's observation", self.env)
        # As `Snapshot(…)` does it, without a call of Python's on every frame of every rollback.
        return tuple.__new__(Snapshot, (state, agents, generators.left, generators.seeded, seen))

    def load(self, state: object) -> None:
        """Go back to a saved state, which can be loaded again."""
        if type(state) is not Snapshot:
            raise UsageError(f"load() takes what save() gave, not a {type(state).__name__}")
        env = self._env
        self._state.load(state.payload)
        if state.agents is not None and tuple(env.agents) != state.agents:
            try:
                env.agents = list(state.agents)
            except AttributeError:
                raise EnvironmentUnfit(
                    f"set_state() left agents at {list(env.agents)!r}, not {list(state.agents)!r}, and they "
                    "cannot be set from outside: restore them in set_state()"
                ) from None
        self._generators.load(state.rngs)
        self.observations = {}
        if state.seen:
            self.observations = {self._names.get(a, a): seen for a, seen in unpickled(state.seen).items()}

    def step(self, actions: Sequence[Any]) -> StepResult:
        """Step one frame; agents that have left, or that are bots, need no action from outside."""
        env = self._env
        if not self._is_reset:
            raise UsageError("step() before reset(): there is no state yet")
        generators = self._generators
        if generators.astray:
            generators.settle()
        if self._on_step is not None:
            self._on_step(self.env)
        before = tuple(env.agents) if self._counts_agents else None
        if PRIMITIVES.issuperset(map(type, actions)) and (before is None or before == self._agents):
            moves = dict(zip(self._agents, actions, strict=True))  # nearly every frame
        else:
            moves = {
                agent: action if type(action) in PRIMITIVES else native(action)
                for agent, action in zip(self._agents, actions, strict=True)
                if before is None or agent in before
            }
        if self._bots:
            for agent, policy in self._bots.items():
                if before is None or agent in before:
                    moves[agent] = policy(self._seen_by(agent))
        outcome = env.step(moves)
        if not isinstance(outcome, tuple) or len(outcome) != 5:
            raise EnvironmentUnfit(
                f"{class_name(env)}.step() returned {_described(outcome)}; it must return a tuple of "
                "observations, rewards, terminations, truncations and infos"
            )
        generators.note()
        observations, rewards, terminations, truncations, infos = outcome
        if self._names or not DICTS.issuperset(map(type, outcome)):
            if infos is None:
                infos = {} if isinstance(rewards, dict) else {"human": {}}
            elif not isinstance(rewards, dict) and (self._common or not self._plays_several):
                # A single agent's info is a dict as well, but not one by agent.
                infos = {"human": infos}
            observations, rewards = self._by_player(observations), self._by_player(rewards, "rewards")
            terminations = self._by_player(terminations, "terminations")
            truncations = self._by_player(truncations, "truncations")
            infos = self._by_player(infos, "infos")
        self.observations = observations
        if env.quiet:
            terminated = dict.fromkeys(terminations, False)
            truncated = dict.fromkeys(truncations, False)
            done = bool(before) and not env.agents
        else:
            terminated = flags_of(terminations, "terminations", env)
            truncated = flags_of(truncations, "truncations", env)
            done = self._is_done(before, terminated, truncated)
        return StepResult(
            {agent: reward if type(reward) in NUMBERS else number_of(reward) for agent, reward in rewards.items()},
            terminated,
            truncated,
            {agent: owned(info) for agent, info in infos.items()},
            done,
        )

    def contents(self, state: object) -> dict[str, Any]:
        """The value behind the canonical bytes of a saved state: ``{"env": …, "agents": […], "random": …}``."""
        if type(state) is not Snapshot:
            raise UsageError(f"contents() and canonical() take what save() gave, not a {type(state).__name__}")
        env = self._state.contents(state.payload)
        if type(env) is dict and MARK in env:
            env[MARK] = {"flagged": [*map(spelled, env[MARK]["flagged"])]}
        whole: dict[str, Any] = {"env": env}
        if state.agents is not None:
            whole["agents"] = tuple(map(spelled, state.agents))
        whole.update(canonical_forms(state.rngs, state.seeded))
        return whole

    def canonical(self, state: object) -> bytes:
        """The canonical bytes of a saved state. Raises `CanonicalError`."""
        try:
            return encode(self.contents(state))
        except CanonicalError as error:
            if self.state_way != "get_state":
                raise
            # Somebody else's, which gives objects of its own: capture needs no form for them.
            way = "or env.unwrapped.get_state = None where it is made: then its attributes are captured"
            raise CanonicalError(error.path, f"{error.why}; {way}") from None

    # --- beside the simulation ---

    def observe(self, players: Iterable[int | str]) -> None:
        """Of these players, too, there are observations after a load. Before the first reset."""
        named = {*map(str, players)}
        more = [seat for seat, player in enumerate(self.players) if str(player) in named]
        self._observed = sorted({*self._observed, *more})

    def resume(self) -> None:
        """The simulation goes on after a pause: what was drawn in it does not count."""
        self._generators.resume()

    def render(self) -> list[Any] | None:
        """The objects that the environment's render() lists now, or its picture as one (`pycore.envs.pictures`); None
        where there is nothing to draw."""
        return drawable(self.drawn()) if self._is_reset else None

    def drawn(self) -> Any:
        """What the environment's render() gives now, None where it has none. What it changes is no part of the game
        where attributes are captured; with `get_state` the state is what that says."""
        render = getattr(self._env, "render", None)
        return self._state.draw(render) if callable(render) else None

    def check(
        self,
        default_action: Any = 0,
        *,
        default_actions: Sequence[Any] | None = None,
        script: Iterable[Sequence[Any]] | None = None,
        frames: int = 12,
        episode: int = 0,
        law_1: bool = True,
    ) -> None:
        """Try the environment out and raise `EnvironmentUnfit` if it cannot be rolled back.

        It plays `frames` frames of the default action, which `default_actions` says by seat where seats differ, or
        `script` (actions by seat, frame by frame), several times over; see `pycore.envs.audit`, for `law_1` too. What
        takes longer to show than that stays unseen. Reset afterwards.
        """
        from pycore.envs.audit import check_rollback  # a page that does not try its environment does without

        row = [default_action] * len(self._agents) if default_actions is None else list(default_actions)
        steps = list(script) if script is not None else [row] * frames
        try:
            check_rollback(self, steps, episode, law_1=law_1, captured=self.state_way == "capture")
        finally:
            self._is_reset = False
            self._state.restart()

    # --- parts ---

    def _seat(self) -> None:
        """Find out who plays which agent, as far as the environment names them."""
        seating = seated(self._env, self._agents, tuple(self._bots))
        self._agents, self.seating = seating
        agents = (*self._agents, *self._bots)
        self._names = {agent: name for agent, name in zip(agents, self._given, strict=True) if agent != name}

    def _are_others_named(self) -> bool:
        """Whether the environment, reset, names agents of which no player is one. Some list only who does not play."""
        named = self._env.possible_agents
        if not named or any(agent in named for agent in self._agents):
            return False
        return self._env.shape.possible(self._env.env) is not None or len(named) == len(self._given)

    def _lists_players(self, agents: Sequence[Any]) -> bool:
        """Whether that is a list of who plays. Some come late: then `possible_agents` has them, or one is there."""
        possible = self._env.possible_agents
        known = bool(possible) and all(agent in possible for agent in self._agents)
        return known or any(agent in agents for agent in self._agents)

    @property
    def _plays_several(self) -> bool:
        return len(self._agents) + len(self._bots) > 1

    def _by_player(self, values: Any, what: str = "observations") -> dict[Any, Any]:
        """The dictionary by the ids that the caller knows; a single agent's, which is none, belongs to ``human``."""
        if not isinstance(values, dict):
            if self._plays_several and not self._common:
                if values is None:
                    return {}
                raise EnvironmentUnfit(
                    f"{class_name(self.env)} returned {what} as {_described(values)}, and there are several agents: "
                    "return a dict by agent, or let pycore.envs.as_parallel make one of the environment's interface"
                )
            return {"human": values}
        names = self._names
        return {names.get(agent, agent): value for agent, value in values.items()} if names else values

    def _seen_by(self, agent: Any) -> Any:
        return self.observations.get(self._names.get(agent, agent))

    def _is_done(self, before: tuple[Any, ...] | None, terminated: dict[Any, bool], truncated: dict[Any, bool]) -> bool:
        """Everybody who is there is terminated or truncated, in this step or before, or all have left `env.agents`."""
        env, names = self._env, self._names
        # Who was flagged in an earlier frame is part of the state, and so it is the view that remembers it.
        flagged = {names.get(agent, agent) for agent in env.flagged} if env.flagged else ()
        if before is None:
            mentioned = {**terminated, **truncated}
            return bool(mentioned) and all(
                terminated.get(name) or truncated.get(name) or name in flagged for name in mentioned
            )
        after = env.agents
        if not after:
            return bool(before)  # nobody was there yet: they come late
        for agent in after:
            name = names.get(agent, agent)
            if not (terminated.get(name) or truncated.get(name) or name in flagged):
                return False
        return True


def _described(value: Any) -> str:
    return f"a tuple of {len(value)}" if isinstance(value, tuple) else f"a {type(value).__name__}"
