"""Policies as a study names them, by player or for whoever is gone, and in their plain form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.spaces import integer

COMPUTED_BY: Final = ("all", "one")
"""Who computes a policy: every page for itself, or the first person's page, which sends its actions like inputs."""
OF_POLICY: Final = ("policy", "computed_by", "version", "reaction_time")
OF_STAND_IN: Final = ("policy", "version", "reaction_time")
LONGEST_REACTION: Final = 60
"""Frames: so far back what was seen is held, behind the deepest rollback."""


def policies_of(given: Any) -> dict[str, dict[str, Any]]:
    """The policies by player, each as an object."""
    if not isinstance(given, Mapping):
        raise ConfigError(f'policies is {given!r:.60}; it must be an object by player, {{"1": "file.py:make_policy"}}')
    return {str(player): policy_of(f"policies[{str(player)!r}]", one, OF_POLICY) for player, one in given.items()}


def policy_of(name: str, one: Any, words: Sequence[str]) -> dict[str, Any]:
    """A policy as an object, of which there may be these words."""
    of = {"policy": one} if isinstance(one, str) else one
    if not isinstance(of, Mapping) or not isinstance(of.get("policy"), str) or not of["policy"]:
        raise ConfigError(f'{name} is {one!r:.60}; it must be a text, "file.py:make_policy", or an object with it')
    by = of.get("computed_by", COMPUTED_BY[0])
    if by not in COMPUTED_BY:
        raise ConfigError(f"{name} is computed by {by!r:.40}; it must be 'all' or 'one'")
    for word in of:
        if word not in words:
            raise ConfigError(f"{name} has {word!r}; there are {', '.join(words[:-1])} and {words[-1]}")
    texts = {word: str(value) for word, value in of.items() if word != "reaction_time"}
    computed = {"computed_by": by} if "computed_by" in words else {}
    reaction = _reaction_time(name, of.get("reaction_time", 0))
    # Without one it is what it was before there were any.
    return {**texts, **computed, **({"reaction_time": reaction} if reaction else {})}


def _reaction_time(name: str, value: Any) -> int:
    frames = int(value) if type(value) is float and value % 1 == 0 else integer(value)
    if frames is None or not 0 <= frames <= LONGEST_REACTION:
        raise ConfigError(
            f"{name} has a reaction_time of {value!r:.40}; it is a whole number of frames, 0 to {LONGEST_REACTION}: "
            "250 ms are 8 at 30 frames a second"
        )
    return frames
