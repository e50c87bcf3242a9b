"""What each agent may do: what an environment says of it, and what a study's settings say then."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["settings_of", "short", "space_of_agent"]


def space_of_agent(env: Any, agent: Any) -> Any:
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
        spaces = [{"type": "optional", "space": space} for space in spaces]
    if all(space == spaces[0] for space in spaces):
        return json.dumps({"action_space": spaces[0]})
    return json.dumps({"seats": [{"action_space": space} for space in spaces]})


def short(space: dict[str, Any]) -> str:
    """A space in a few words."""
    text = repr({name: value for name, value in space.items() if name != "type"})
    return f"{space['type']} {text if len(text) < 60 else text[:57] + '…'}"
