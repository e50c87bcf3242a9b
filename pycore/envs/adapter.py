"""Environments as simulations: PettingZoo-parallel environments with `get_state` and `set_state`.

A snapshot is everything that the next step depends on: the environment's own state, its list of living
agents, the generators it may draw from, and what the bots saw last. Invariants:

- `save` is immune to aliasing. `get_state` may return live objects, so they are pickled, within the process
  only: nothing pickled ever leaves it, or comes in. A dict or tuple of nothing but primitives is copied
  instead, which is cheaper, above all to load.
- `load` hands out fresh objects, so that a snapshot can be loaded any number of times.
- `step` returns results of its own: no dictionary that the environment goes on using.
- The environment is never asked for its state before its first reset: some cannot answer.
- A generator that nobody has drawn from since it was seeded is left out of the canonical form. So a peer
  with numpy loaded and one without agree on the hash of an environment that uses neither.
- What is drawn between two ticks does not count: a `render()` that scatters sparks runs as often as pictures
  are shown, which is another number on every peer. `resume` puts the generators back to where `reset`, `step`
  or `load` left them, and `save` keeps that.

**Generators** (`rngs`): ``random``, the module's own; ``numpy``, numpy's global one, if numpy.random is
loaded; ``np_random``, the attribute of that name where an environment has one. The first two are seeded at
each reset, all are saved and loaded. ``random.getstate()`` alone can cost more than the rest of a save, so an
environment that keeps its own generator in `get_state` should have ``rngs=()``.
"""

from __future__ import annotations

import copy
import random
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pycore.envs.audit import check_rollback
from pycore.errors import ConfigError, EnvironmentUnfit, UsageError
from pycore.simulation import StepResult
from pycore.values.canonical import Array, encode

__all__ = ["RNGS", "ParallelEnvAdapter"]

RNGS = ("random", "numpy", "np_random")

_PRIMITIVES = frozenset({int, float, str, bool, bytes, type(None)})
_WAY_OUT = (
    "add get_state(), which returns everything that step() depends on as a dict of numbers, strings, lists "
    "and dicts, and set_state(state), which takes it back"
)


class _Snapshot(NamedTuple):
    """A saved state. `payload` is pickled if `pickled`, otherwise made of primitives and never changed."""

    payload: Any
    pickled: bool
    agents: tuple[Any, ...] | None
    rngs: tuple[Any, ...]
    seeded: tuple[Any, ...]
    """The generators' states right after seeding, for comparison."""
    seen: bytes
    """What the bots saw last, pickled; empty without bots."""


class ParallelEnvAdapter:
    """Makes a `Simulation` of an environment.

    `players` are the agents that people play, in the order of their seats; an id that looks like a number
    becomes one for the environment, as in the page, unless `numeric_ids` is false. Results go by the ids
    given. `bots` maps further agents to policies: functions of an agent's observation that return its action.
    A policy may draw from the generators in `rngs` and must keep nothing from one call to the next.
    `reseed_each_episode`: ``add`` seeds episode e with seed + e, ``same`` always with seed, as the page does.
    `on_step` is called with the environment before every step, re-simulated ones included.
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
    ) -> None:
        missing = [name for name in ("reset", "step") if not callable(getattr(env, name, None))]
        if missing:
            raise EnvironmentUnfit(f"{type(env).__name__} has no {missing[0]}(): it is not an environment")
        missing = [name for name in ("get_state", "set_state") if not callable(getattr(env, name, None))]
        if missing:
            lacks = " and no ".join(missing)
            raise EnvironmentUnfit(f"{type(env).__name__} has no {lacks}, so it has no rollback: {_WAY_OUT}")
        if type(seed) is not int:
            raise ConfigError(f"seed is {seed!r}; it must be an int (0 is a seed as good as any)")
        if reseed_each_episode not in ("add", "same"):
            raise ConfigError(f"reseed_each_episode is {reseed_each_episode!r}; it must be 'add' or 'same'")
        self._rng_names = tuple(rngs)
        unknown = [name for name in self._rng_names if name not in RNGS]
        if unknown:
            raise ConfigError(f"unknown generator {unknown[0]!r} in rngs; known are {', '.join(RNGS)}")
        self.env = env
        self.players = tuple(players)
        self.observations: dict[Any, Any] = {}
        """What the last step or reset gave, by agent, as the environment made it: read, do not keep. After a
        load there are those of the bots only."""
        self._seed = seed
        self._reseed = reseed_each_episode
        self._on_step = on_step
        given = [*players, *(bots or {})]
        agents = [_number_if_it_looks_so(agent) for agent in given] if numeric_ids else given
        if not players or len(set(agents)) != len(agents):
            raise ConfigError(f"players and bots are {given!r}; at least one player, and nobody twice")
        self._agents = tuple(agents[: len(players)])
        self._bots = dict(zip(agents[len(players) :], (bots or {}).values(), strict=True))
        self._names = {agent: name for agent, name in zip(agents, given, strict=True) if agent != name}
        self._counts_agents = False
        self._seeded: tuple[Any, ...] = ()
        self._left: tuple[Any, ...] = ()
        """The generators' states as the simulation left them."""
        self._is_reset = False

    # --- the duties of a simulation ---

    def reset(self, episode: int) -> None:
        """Seed the generators and the environment for an episode, and reset it."""
        seed = (self._seed + episode if self._reseed == "add" else self._seed) % (1 << 32)
        numpy_was_there = "numpy.random" in sys.modules
        outcome = self._reset_with(seed)
        if "numpy" in self._rng_names and not numpy_was_there and "numpy.random" in sys.modules:
            # The environment imports numpy as late as this: what it drew came from an unseeded generator.
            outcome = self._reset_with(seed)
        observations = outcome[0] if isinstance(outcome, tuple) and len(outcome) == 2 else outcome
        self.observations = self._by_player(observations)
        agents = getattr(self.env, "agents", None)
        self._counts_agents = isinstance(agents, (list, tuple)) and all(agent in agents for agent in self._agents)
        self._left = self._rng_states() if self._rng_names else ()
        self._is_reset = True

    def _reset_with(self, seed: int) -> Any:
        if "random" in self._rng_names:
            random.seed(seed)
        if "numpy" in self._rng_names and (numpy_random := sys.modules.get("numpy.random")):
            numpy_random.seed(seed)
        self._seeded = self._rng_states()[:2]
        try:
            return self.env.reset(seed=seed)
        except TypeError as error:
            if "seed" in str(error):
                raise EnvironmentUnfit(
                    f"{type(self.env).__name__}.reset() takes no seed, so players could not start alike: "
                    "give it a keyword argument seed, and draw everything random from it"
                ) from error
            raise

    def save(self) -> _Snapshot:
        """The state of now, which nothing that happens later can change."""
        if not self._is_reset:
            raise UsageError("save() before reset(): there is no state yet")
        state = self.env.get_state()
        kind = type(state)
        pickled = False
        if kind is dict and _PRIMITIVES.issuperset(map(type, state.values())):
            state = state.copy()
        elif not (kind in _PRIMITIVES or (kind is tuple and _PRIMITIVES.issuperset(map(type, state)))):
            state = self._pickle(state, "get_state()")
            pickled = True
        agents = tuple(self.env.agents) if self._counts_agents else None
        seen = b""
        if self._bots:
            seen = self._pickle({agent: self._seen_by(agent) for agent in self._bots}, "a bot's observation")
        return _Snapshot(state, pickled, agents, self._left, self._seeded, seen)

    def load(self, state: object) -> None:
        """Go back to a saved state, which can be loaded again."""
        if type(state) is not _Snapshot:
            raise UsageError(f"load() takes what save() gave, not a {type(state).__name__}")
        env = self.env
        env.set_state(_contents(state))
        if state.agents is not None and tuple(env.agents) != state.agents:
            try:
                env.agents = list(state.agents)
            except AttributeError:
                raise EnvironmentUnfit(
                    f"set_state() left agents at {list(env.agents)!r}, not {list(state.agents)!r}, and they "
                    "cannot be set from outside: restore them in set_state()"
                ) from None
        if state.rngs:
            self._load_rngs(state.rngs)
        self._left = state.rngs
        self.observations = {}
        if state.seen:
            self.observations = {self._names.get(a, a): seen for a, seen in _unpickled(state.seen).items()}

    def step(self, actions: Sequence[Any]) -> StepResult:
        """Step one frame; agents that have left, or that are bots, need no action from outside."""
        env = self.env
        if not self._is_reset:
            raise UsageError("step() before reset(): there is no state yet")
        if self._on_step is not None:
            self._on_step(env)
        before = tuple(env.agents) if self._counts_agents else None
        moves = {
            agent: action if type(action) in _PRIMITIVES else _native(action)
            for agent, action in zip(self._agents, actions, strict=True)
            if before is None or agent in before
        }
        for agent, policy in self._bots.items():
            if before is None or agent in before:
                moves[agent] = policy(self._seen_by(agent))
        outcome = env.step(moves)
        if not isinstance(outcome, tuple) or len(outcome) != 5:
            raise EnvironmentUnfit(
                f"{type(env).__name__}.step() returned {_described(outcome)}; it must return a tuple of "
                "observations, rewards, terminations, truncations and infos"
            )
        if self._rng_names:
            self._left = self._rng_states()
        observations, rewards, terminations, truncations, infos = outcome
        if not isinstance(rewards, dict):
            infos = {"human": infos or {}}
        self.observations = self._by_player(observations)
        terminated = {agent: bool(flag) for agent, flag in self._by_player(terminations).items()}
        truncated = {agent: bool(flag) for agent, flag in self._by_player(truncations).items()}
        return StepResult(
            {agent: _plain_number(reward) for agent, reward in self._by_player(rewards).items()},
            terminated,
            truncated,
            {agent: _own(info) for agent, info in self._by_player(infos or {}).items()},
            self._is_done(before, terminated, truncated),
        )

    def canonical(self, state: object) -> bytes:
        """The canonical bytes of a saved state: ``{"env": …, "agents": […], "random": …}``."""
        if type(state) is not _Snapshot:
            raise UsageError(f"canonical() takes what save() gave, not a {type(state).__name__}")
        whole: dict[str, Any] = {"env": _contents(state)}
        if state.agents is not None:
            whole["agents"] = state.agents
        for name, rng, seeded in zip(RNGS, state.rngs, (*state.seeded, None), strict=False):
            if rng is not None:
                form = _rng_form(rng)
                if seeded is None or encode(form) != encode(_rng_form(seeded)):
                    whole[name] = form
        return encode(whole)

    # --- beside the simulation ---

    def resume(self) -> None:
        """Put the generators back to where the simulation left them; called before it goes on after a pause."""
        if self._left:
            self._load_rngs(self._left)

    def render(self) -> list[Any] | None:
        """The objects that the environment's render() lists now, or None where it lists none."""
        render = getattr(self.env, "render", None)
        if not self._is_reset or not callable(render):
            return None
        shown = render()
        return shown if isinstance(shown, list) else list(shown) if isinstance(shown, tuple) else None

    def check(
        self,
        default_action: Any = 0,
        *,
        script: Iterable[Sequence[Any]] | None = None,
        frames: int = 12,
        episode: int = 0,
        law_1: bool = True,
    ) -> None:
        """Try the environment out and raise `EnvironmentUnfit` if it cannot be rolled back.

        It plays `frames` frames of the default action, or `script` (actions by seat, frame by frame), several
        times over; see `pycore.envs.audit`, for `law_1` too. What takes longer to show than that stays unseen. Reset
        afterwards.
        """
        steps = list(script) if script is not None else [[default_action] * len(self._agents)] * frames
        try:
            check_rollback(self, steps, episode, law_1=law_1)
        finally:
            self._is_reset = False

    # --- parts ---

    def _by_player(self, values: Any) -> dict[Any, Any]:
        """The dictionary by the ids that the caller knows; what is no dictionary belongs to ``human``."""
        if not isinstance(values, dict):
            return {"human": values}
        names = self._names
        return {names.get(agent, agent): value for agent, value in values.items()} if names else values

    def _seen_by(self, agent: Any) -> Any:
        return self.observations.get(self._names.get(agent, agent))

    def _is_done(self, before: tuple[Any, ...] | None, terminated: dict[Any, bool], truncated: dict[Any, bool]) -> bool:
        """Everybody who took part in the step is terminated, truncated, or has left `env.agents`."""
        if before is None:
            names = {**terminated, **truncated}
            return bool(names) and all(terminated.get(name) or truncated.get(name) for name in names)
        after = self.env.agents
        for agent in before:
            name = self._names.get(agent, agent)
            if agent in after and not (terminated.get(name) or truncated.get(name)):
                return False
        return True

    def _pickle(self, value: Any, source: str) -> bytes:
        import pickle  # a flat state needs none, and in a browser its import takes longer than all of pycore's

        try:
            return pickle.dumps(value, 5)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise EnvironmentUnfit(
                f"what {source} of {type(self.env).__name__} gives cannot be saved ({error}): {_WAY_OUT}"
            ) from error

    def _rng_states(self) -> tuple[Any, Any, Any]:
        names = self._rng_names
        ours = random.getstate() if "random" in names else None
        theirs = None
        if "numpy" in names and (numpy_random := sys.modules.get("numpy.random")):
            theirs = numpy_random.get_state(legacy=False)
        generator = self._np_random() if "np_random" in names else None
        own = None
        if generator is not None:
            own = generator.bit_generator.state if _is_generator(generator) else _get_state(generator)
        return ours, theirs, own

    def _load_rngs(self, states: tuple[Any, ...]) -> None:
        ours, theirs, own = states
        if ours is not None:
            random.setstate(ours)
        if theirs is not None:
            sys.modules["numpy.random"].set_state(theirs)
        if own is not None:
            generator = self._np_random()
            if _is_generator(generator):
                generator.bit_generator.state = own
            elif hasattr(generator, "setstate"):
                generator.setstate(own)
            else:
                generator.set_state(own)

    def _np_random(self) -> Any:
        # Gymnasium's np_random is a property that makes a generator, seeded from the operating system, when
        # there is none; _np_random says so without making one.
        if getattr(self.env, "_np_random", self) is None:
            return None
        generator = getattr(self.env, "np_random", None)
        known = ("bit_generator", "getstate", "get_state")
        return generator if any(hasattr(generator, name) for name in known) else None


def _is_generator(generator: Any) -> bool:
    return hasattr(generator, "bit_generator")


def _get_state(generator: Any) -> Any:
    return generator.getstate() if hasattr(generator, "getstate") else generator.get_state(legacy=False)


def _rng_form(state: Any) -> Any:
    """A generator's state as a canonical value; the 625 words of `random` in one piece, for speed."""
    if isinstance(state, tuple):
        version, words, gauss = state
        return {"version": version, "words": struct.pack(f">{len(words)}I", *words), "gauss": gauss}
    return state


def _contents(snapshot: _Snapshot) -> Any:
    """The environment's state, fresh where it could be changed."""
    payload = snapshot.payload
    if snapshot.pickled:
        return _unpickled(payload)
    return payload.copy() if type(payload) is dict else payload


def _unpickled(data: bytes) -> Any:
    import pickle

    return pickle.loads(data)


def _number_if_it_looks_so(agent: int | str) -> int | str:
    if isinstance(agent, str) and agent.removeprefix("-").isdecimal() and agent == str(int(agent)):
        return int(agent)
    return agent


def _native(action: Any) -> Any:
    """An action as an environment expects it: arrays that came over the wire are numpy's again."""
    kind = type(action)
    if kind is Array:
        return action.to_numpy() if "numpy" in sys.modules else action
    if kind in (list, tuple):
        return kind([_native(part) for part in action])
    if kind is dict:
        return {key: _native(part) for key, part in action.items()}
    return action


def _plain_number(value: Any) -> Any:
    if type(value) is float or type(value) is int:
        return value
    return value.item() if hasattr(value, "item") else value


def _own(value: Any) -> Any:
    """A copy that shares nothing that can be changed: environments go on writing into what they return."""
    kind = type(value)
    if kind in _PRIMITIVES:
        return value
    if kind is dict:
        return {key: item if type(item) in _PRIMITIVES else _own(item) for key, item in value.items()}
    if kind is list:
        return [item if type(item) in _PRIMITIVES else _own(item) for item in value]
    if kind is tuple:
        return tuple([_own(item) for item in value])
    return copy.deepcopy(value)


def _described(value: Any) -> str:
    return f"a tuple of {len(value)}" if isinstance(value, tuple) else f"a {type(value).__name__}"
