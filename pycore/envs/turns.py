"""The turn-based interface, PettingZoo's AEC, played as the parallel one.

In each frame every seat says a move or None, "no move". The environment is stepped only where the agent whose turn it
is gives a legal one, so at most once in a frame; what the others say does not count. A move that is not legal counts
as none, and that agent's infos say ``illegal: True``. Agents that are out must be stepped with None to be removed; the
view does that in the same frame, because nobody plays them any more.

What an agent earned in a frame is what `last()` would have told it: what went onto `_cumulative_rewards` in this
frame. So the rewards of all frames add up to those that a loop over `agent_iter` sees. Nothing is kept between frames.
"""

from __future__ import annotations

import operator
from copy import copy
from typing import Any

from pycore.envs.chains import listed
from pycore.envs.owned import flags_of

__all__ = ["Turns", "allows", "mask_of"]


class Turns:
    """PettingZoo's AEC interface, one move a frame."""

    __slots__ = ()

    def possible(self, env: Any) -> list[Any] | None:
        """`possible_agents`."""
        return listed(getattr(env, "possible_agents", None))

    def living(self, env: Any) -> Any:
        """`agents`, which some do not tell before the first reset."""
        return getattr(env, "agents", None)

    def reset(self, env: Any, given: dict[str, Any]) -> tuple[Any, Any]:
        """What everybody observes at the start."""
        env.reset(**given)
        observations, infos = _observed(env), _infos(env)
        _remove_who_is_out(env)
        return observations, infos

    def step(self, env: Any, actions: dict[Any, Any]) -> Any:
        """The move of the agent whose turn it is, if there is one."""
        present = list(env.agents)
        mover = env.agent_selection if present else None
        move = None if mover is None else actions.get(mover)
        rewards: dict[Any, Any] = dict.fromkeys(present, 0)
        illegal = move is not None and not allows(env, mover, move)
        if move is not None and not illegal:
            # Copies: a sum that is an array is added to where it lies.
            before = {agent: copy(of) for agent, of in (getattr(env, "_cumulative_rewards", None) or {}).items()}
            env.step(move)
            rewards = _earned(env, mover, before)
        terminations = flags_of(env.terminations, "terminations", env)
        truncations = flags_of(env.truncations, "truncations", env)
        observations, infos = _observed(env), _infos(env)
        if illegal:
            # The environment's own dict stays as it is: it may be kept for several frames.
            infos[mover] = {**infos.get(mover, {}), "illegal": True}
        out = [agent for agent in env.agents if terminations.get(agent) or truncations.get(agent)]
        _remove_who_is_out(env)
        # Some games are over several times: then the next one has begun, and nobody is out any more.
        back = [agent for agent in out if agent in env.agents and not _is_out(env, agent)]
        if back:
            terminations, truncations = {**terminations}, {**truncations}
            for agent in back:
                terminations[agent] = truncations[agent] = False
            observations = _observed(env)
        return observations, rewards, terminations, truncations, infos

    def space(self, env: Any, name: str, agent: Any) -> Any:
        """By the method; None where there is none."""
        space = getattr(env, name, None)
        try:
            return space(agent) if callable(space) else None
        except (AttributeError, KeyError, NotImplementedError):
            return None


def allows(env: Any, agent: Any, move: Any) -> bool:
    """Whether a move is legal: by the action mask in observation or infos, otherwise by the action space."""
    space = getattr(env, "action_space", None)
    space = space(agent) if callable(space) else space
    mask = mask_of(env, agent)
    masked = None if mask is None else _by_mask(mask, move, space)
    if masked is not None:
        return masked
    if space is None or not hasattr(space, "contains"):
        return True
    try:
        return bool(space.contains(move))
    except (TypeError, ValueError, AttributeError):
        return False


def mask_of(env: Any, agent: Any) -> Any:
    """Which moves are legal, from observation or infos, as the environment says it; None where it does not."""
    seen = env.observe(agent)
    mask = seen.get("action_mask") if isinstance(seen, dict) else None
    return _infos(env).get(agent, {}).get("action_mask") if mask is None else mask


def _by_mask(mask: Any, move: Any, space: Any) -> bool | None:
    """What a mask says of a move; None where it is of another shape."""
    if isinstance(mask, (list, tuple)) and mask and hasattr(mask[0], "__len__"):
        # MultiDiscrete: a mask for each part.
        if not hasattr(move, "__len__") or len(move) != len(mask):
            return None
        parts = [_by_mask(part, of_it, None) for part, of_it in zip(mask, move, strict=True)]
        return None if None in parts else all(parts)
    try:
        start = space.get("start", 0) if isinstance(space, dict) else getattr(space, "start", 0)
        place = operator.index(move) - int(start)
        return 0 <= place < len(mask) and bool(mask[place])
    except (TypeError, ValueError):
        return None


def _earned(env: Any, mover: Any, before: dict[Any, Any]) -> dict[Any, Any]:
    """What a step added to what each agent has earned since it moved last.

    `rewards` names it, and is taken where it agrees, for the sum may have lost digits. Where it does not, it is stale:
    many games never clear it. Who moved begins anew.
    """
    after = getattr(env, "_cumulative_rewards", None)
    earned = {}
    for agent, named in env.rewards.items():
        if after is None or agent not in after:
            earned[agent] = named
            continue
        was, total = (0 if agent == mover else before.get(agent, 0)), after[agent]
        try:
            earned[agent] = named if was + named == total else total - was
        except (TypeError, ValueError):  # vectors
            earned[agent] = named
    return earned


def _observed(env: Any) -> dict[Any, Any]:
    return {agent: env.observe(agent) for agent in env.agents}


def _infos(env: Any) -> dict[Any, Any]:
    return {agent: {} if info is None else info for agent, info in (getattr(env, "infos", None) or {}).items()}


def _remove_who_is_out(env: Any) -> None:
    """Step those that are out, as far as it is their turn. Games that leave them in go on to the next instead."""
    for _ in range(len(env.agents)):
        if not env.agents:
            return
        agent = env.agent_selection
        if not _is_out(env, agent):
            return
        env.step(None)


def _is_out(env: Any, agent: Any) -> bool:
    return bool(env.terminations.get(agent) or env.truncations.get(agent))
