"""Policies as a study names them, by player or for whoever is gone, and in their plain form.

Files are named from the folder of the environment, which is all that a page has: it puts them beside each other, and
imports them by their names. What is found from elsewhere on the study's own machine fails there, before a participant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.spaces import integer

COMPUTED_BY: Final = ("all", "one")
"""Who computes a policy: every page for itself, or the first person's page, which sends its actions like inputs."""
OF_POLICY: Final = ("policy", "computed_by", "version", "reaction_time")
OF_STAND_IN: Final = ("policy", "version", "reaction_time")
SCRIPTS: Final = (".js", ".mjs")
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
    if by == COMPUTED_BY[1]:
        _check_script(name, of["policy"])
    else:
        check_place(name, of["policy"])
    texts = {word: str(value) for word, value in of.items() if word != "reaction_time"}
    computed = {"computed_by": by} if "computed_by" in words else {}
    reaction = _reaction_time(name, of.get("reaction_time", 0))
    # Without one it is what it was before there were any.
    return {**texts, **computed, **({"reaction_time": reaction} if reaction else {})}


def check_place(name: str, text: str) -> None:
    """Refuse what every page computes where no page would find it: `file.py:function` or `package.module:function`.
    Raises ConfigError, which says how it is to be named."""
    place, colon, function = text.rpartition(":")
    if not colon or (function and not function.isidentifier()):
        place = text
    if place.endswith(SCRIPTS):
        raise ConfigError(
            f'{name} is the script {text!r:.80}; say {{"policy": "net.js", "computed_by": "one"}}: one page computes it'
        )
    if place.endswith(".py"):
        parts = _beside(name, text, place)
        if not parts[-1][:-3] or any("." in part for part in (*parts[:-1], parts[-1][:-3])):
            raise ConfigError(f"{name} is {text!r:.80}, which no page can import; rename it, without further dots")
    elif not all(place.split(".")) or not {"/", "\\", ":"}.isdisjoint(place):
        raise ConfigError(f'{name} is {text!r:.80}; name a file, "file.py:function", or "package.module:function"')


def _check_script(name: str, text: str) -> None:
    # Anything else is a function that the study's own page has, and this names it for the record.
    if not text.endswith(SCRIPTS):
        return
    parts = _beside(name, text, text)
    if any(part.startswith(".") for part in parts) or not {"#", "?", "%"}.isdisjoint(text):
        raise ConfigError(f"{name} is {text!r:.80}, which has no address in a page; rename it, as net.js")


def _beside(name: str, text: str, place: str) -> list[str]:
    """Folders and name of a file, from the environment's folder on."""
    parts = place.split("/")
    if not {"\\", ":"}.isdisjoint(place) or "" in parts or ".." in parts:
        raise ConfigError(
            f"{name} is {text!r:.80}, and a page has the environment's folder alone; put the file there, and name it "
            'from there, as "partner.py" or "policies/partner.py"'
        )
    return [part for part in parts if part != "."]


def _reaction_time(name: str, value: Any) -> int:
    frames = int(value) if type(value) is float and value % 1 == 0 else integer(value)
    if frames is None or not 0 <= frames <= LONGEST_REACTION:
        raise ConfigError(
            f"{name} has a reaction_time of {value!r:.40}; it is a whole number of frames, 0 to {LONGEST_REACTION}: "
            "250 ms are 8 at 30 frames a second"
        )
    return frames
