"""Which interface an environment has, and a view of it that has PettingZoo's parallel one.

`interface_of` tells by what an environment has, never by its class: nothing of Gymnasium or PettingZoo is imported, and
who wrote the same methods without them is treated alike. `as_parallel` makes the view.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.envs.chains import class_name, found, listed
from pycore.envs.shapes import Lists, Merge, Parallel, Single
from pycore.envs.turns import Turns
from pycore.envs.view import Shape, View
from pycore.errors import ConfigError, EnvironmentUnfit
from pycore.frozen import Named

__all__ = ["INTERFACES", "Interface", "as_parallel", "interface_of"]

INTERFACES: Final = ("parallel", "aec", "list", "gymnasium")


class Interface(Named):
    """An interface by its word in `INTERFACES`, and how that was told."""

    word: str
    reason: str

    @property
    def takes_turns(self) -> bool:
        """One agent moves at a time: then None is an action, "no move", and the one to take by default."""
        return self.word == "aec"


def interface_of(env: Any) -> Interface:
    """Which interface an environment has. Raises `EnvironmentUnfit` if it is none."""
    name = class_name(env)
    if isinstance(env, View):
        return _of_view(env)
    for method in ("reset", "step"):
        if not callable(getattr(env, method, None)):
            raise EnvironmentUnfit(f"{name} has no {method}(): it is not an environment")
    if all(callable(getattr(env, method, None)) for method in ("agent_iter", "last", "observe")):
        reason = "it has agent_iter(), last() and observe(): one agent moves at a time"
        metadata = getattr(env, "metadata", None)
        if isinstance(metadata, dict) and metadata.get("is_parallelizable"):
            reason += "; its metadata say is_parallelizable, so with its parallel_env() all can move in every frame"
        return Interface("aec", reason)
    if listed(found(env, "possible_agents")) is not None:
        return Interface("parallel", "it has possible_agents")
    space = found(env, "action_space")
    if not callable(getattr(space, "contains", None)) or not callable(getattr(space, "sample", None)):
        return Interface("parallel", "it has reset() and step() and says nothing else")
    inside = getattr(space, "spaces", None)
    count = _agent_count(env)
    if isinstance(inside, (list, tuple)) and (count == len(inside) or (count is None and _is_tuple_of(env, inside))):
        return Interface("list", f"its action space is a tuple of {len(inside)}, one for each agent")
    if isinstance(inside, dict):
        seen = getattr(found(env, "observation_space"), "spaces", None)
        if callable(found(env, "get_agent_ids")) or (isinstance(seen, dict) and inside.keys() == seen.keys()):
            return Interface("parallel", "its action and observation spaces are dicts by agent")
    return Interface("gymnasium", "it has one action space, and no agents")


def as_parallel(
    env: Any,
    *,
    interface: str | None = None,
    seats: int | None = None,
    merge: Merge | None = None,
    get_state: Callable[[Any], Any] | None = None,
    set_state: Callable[[Any, Any], None] | None = None,
) -> View:
    """The environment by PettingZoo's parallel interface.

    `interface` is a word of `INTERFACES`, for an environment that `interface_of` takes for another one. A Gymnasium
    environment has one seat, or `seats` of them, whose actions `merge` makes one: it is given a dict of actions by
    seat, and must keep nothing. `get_state(env)` and `set_state(env, state)` are functions for an environment without
    such methods. Raises `EnvironmentUnfit`, `ConfigError`.
    """
    if isinstance(env, View):
        return env
    if (get_state is None) is not (set_state is None):
        raise ConfigError("get_state and set_state belong together: give both functions or none")
    if interface is not None and interface not in INTERFACES:
        raise ConfigError(f"interface is {interface!r}; it must be one of {', '.join(INTERFACES)}")
    word = interface_of(env).word
    word = word if interface is None else interface
    if word != "gymnasium" and (merge is not None or seats is not None):
        raise ConfigError(
            f"seats and merge are for environments with one action for all; {class_name(env)} has the {word} interface"
        )
    return View(env, _shape(env, word, seats, merge), get_state, set_state)


def _of_view(view: View) -> Interface:
    """The interface of what a view was made of, as it was told or found."""
    words = {Turns: "aec", Lists: "list", Single: "gymnasium"}
    word = words.get(type(view.shape), "parallel")
    own = interface_of(view.env)
    return own if own.word == word else Interface(word, "it was said so")


def _shape(env: Any, word: str, seats: int | None, merge: Merge | None) -> Shape:
    if word == "aec":
        return Turns()
    if word == "parallel":
        return Parallel()
    if word == "list":
        inside = getattr(found(env, "action_space"), "spaces", None)
        count = len(inside) if isinstance(inside, (list, tuple)) else _agent_count(env)
        if not count:
            raise EnvironmentUnfit(
                f"{class_name(env)} does not say how many agents it has: give it n_agents, or a Tuple action space"
            )
        return Lists(count)
    if seats is None:
        seats = 1
    if type(seats) is not int or seats < 1:
        raise ConfigError(f"seats is {seats!r}; it must be a number from 1 on")
    if merge is not None and not callable(merge):
        raise ConfigError(f"merge is a {type(merge).__name__}; it must be a function of the actions by seat")
    if seats > 1 and merge is None:
        raise ConfigError(
            f"{class_name(env)} takes one action, and there are {seats} seats: say how theirs become one, with "
            "merge=function, which is given a dict of actions by seat"
        )
    return Single(seats, merge)


def _agent_count(env: Any) -> int | None:
    for name in ("n_agents", "num_agents"):
        count = found(env, name)
        if type(count) is int:
            return count
    return None


def _is_tuple_of(env: Any, inside: Any) -> bool:
    """Whether observations come in a tuple as well. An agent's own action may be a tuple; then they do not."""
    seen = getattr(found(env, "observation_space"), "spaces", None)
    return isinstance(seen, (list, tuple)) and len(seen) == len(inside) > 1
