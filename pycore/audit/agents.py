"""What each agent may do: what an environment says of it, and what a study's settings say then."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pycore.audit.findings import Finding
from pycore.envs import ParallelEnvAdapter
from pycore.errors import ConfigError
from pycore.settings import MAX_SEATS, Settings
from pycore.simulation import Simulation
from pycore.spaces import space_of

__all__ = ["finding_of_many", "own_adapter", "said_spaces", "settings_of", "short", "spaces_of"]


def finding_of_many(adapter: ParallelEnvAdapter) -> Finding | None:
    """That no game has so many players."""
    count = len(adapter.players)
    if count <= MAX_SEATS:
        return None
    return Finding(
        "too_many_agents",
        "risk",
        f"it has {count} agents, and a game has at most {MAX_SEATS} players: all of them are tried here, and none of "
        "pycore's commands would play it so",
        f"make it for {MAX_SEATS} agents, or give the others to bots (ParallelEnvAdapter)",
    )


def own_adapter(
    simulation: Simulation, players: Sequence[int | str], observed: Sequence[int | str]
) -> ParallelEnvAdapter:
    """The adapter that a study makes itself, in the place of an environment; policies see what is `observed`. Raises
    ConfigError for any other simulation, and where `players` are named, which are the adapter's affair."""
    if not isinstance(simulation, ParallelEnvAdapter):
        raise ConfigError(
            f"a {type(simulation).__name__} is a simulation of its own, and the audit tries environments: `pycore "
            "simulate` plays it, with rollbacks, and compares every frame"
        )
    if players:
        raise ConfigError(f"its adapter says who plays, {', '.join(map(str, simulation.players))}: leave --players out")
    simulation.observe(observed)
    return simulation


def spaces_of(adapter: ParallelEnvAdapter) -> list[Any]:
    """The action spaces by seat, as the environment has them; None where it does not say. Some environments make them
    when they are reset."""
    spaces = [_space_of(adapter.env, agent) for agent in adapter.agents]
    if any(space is None for space in spaces):
        adapter.reset(0)
        spaces = [_space_of(adapter.env, agent) for agent in adapter.agents]
    return spaces


def said_spaces(settings: Mapping[str, Any], count: int) -> list[Any]:
    """The action spaces that a study says, by seat: a page sends no other actions. None where it says none, or that
    anything is one. Raises ConfigError."""
    name = "action_space"
    seats = settings.get("seats", [])
    if isinstance(seats, list) and all(isinstance(seat, dict) for seat in seats):
        seats = [{name: seat[name]} if name in seat else {} for seat in seats]
    own = Settings.of({"seats": seats, **({name: settings[name]} if name in settings else {})})
    found = [own.of_seat(seat, name) for seat in range(count)]
    said = [name in settings or (seat < len(seats) and name in seats[seat]) for seat in range(count)]
    return [
        space if there and space_of(space)["type"] != "any" else None for space, there in zip(found, said, strict=True)
    ]


def _space_of(env: Any, agent: Any) -> Any:
    """The action space of an agent, as the environment has it; None where it does not say."""
    space = getattr(env, "action_space", None)
    if callable(space):
        try:
            return space(agent)
        except Exception:
            space = None
    spaces = getattr(env, "action_spaces", None)
    if space is None and isinstance(spaces, dict):
        return spaces.get(agent)
    return space


def settings_of(spaces: list[dict[str, Any]], turns: bool) -> str:
    """What a study's settings say of actions, as JSON."""
    if turns:
        spaces = [space if space["type"] == "optional" else {"type": "optional", "space": space} for space in spaces]
    if all(space == spaces[0] for space in spaces):
        return json.dumps({"action_space": spaces[0]})
    return json.dumps({"seats": [{"action_space": space} for space in spaces]})


def short(space: dict[str, Any]) -> str:
    """A space in a few words."""
    text = repr({name: value for name, value in space.items() if name != "type"})
    return f"{space['type']} {text if len(text) < 60 else text[:57] + '…'}"
