"""Chains of wrappers: which layers an environment has, which of them is the user's own, and who holds what.

`gym.make` and PettingZoo's `env()` return a wrapper around a wrapper around the environment. What is stepped is the
outermost layer; what has `get_state`, the list of agents and a name that somebody knows lies further inside. Wrappers
of Gymnasium 1 pass no attribute on, those of PettingZoo pass on nearly all, so neither `hasattr` nor `type` says whose
something is.
"""

from __future__ import annotations

from collections.abc import KeysView
from itertools import pairwise
from typing import Any, Final

from pycore.envs.attributes import bare_state

__all__ = [
    "INNER", "Chain", "chain_of", "class_name", "found", "innermost", "listed", "put_agents", "state_layer",
]  # fmt: skip

INNER: Final = ("env", "_env", "aec_env", "par_env")
"""Attributes under which wrappers keep what they wrap."""
NAMES: Final = frozenset(INNER)
MOST_LAYERS: Final = 32
_own: Final = object.__getattribute__
NAMELESS: Final = frozenset({"raw_env", "parallel_env", "env"})
"""What PettingZoo's modules call their classes, whichever game it is."""


def chain_of(env: Any) -> list[Any]:
    """The environment and what it wraps, outermost first.

    An environment that is its own `unwrapped` ends the chain: what it keeps in an attribute `env` is its own affair.
    """
    chain = [env]
    while len(chain) < MOST_LAYERS:
        layer = chain[-1]
        try:
            own = _own(layer, "__dict__")  # not what an object that passes all on has there
        except AttributeError:
            own = bare_state(layer)[1]
        inner = None
        for name in INNER:
            if name in own and hasattr(own[name], "step"):
                inner = own[name]
                break
        # Of a wrapper `unwrapped` is asked layer by layer, so it comes last.
        if inner is None or any(inner is known for known in chain) or getattr(layer, "unwrapped", None) is layer:
            break
        chain.append(inner)
    return chain


class Chain:
    """The chain of one environment, looked for again only where something of it was exchanged: most never do that, and
    some at each reset."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._layers: tuple[Any, ...] = ()
        """Those that were found last; none where one has its attributes in slots alone: it is looked each time."""
        self._links: list[tuple[Any, str, frozenset[str], Any]] = []
        """Each layer, the name by which it has the next one, those that are looked for before, and that one."""

    def layers(self) -> tuple[Any, ...]:
        """As `chain_of`."""
        if self._layers and NAMES.isdisjoint(_own(self._layers[-1], "__dict__")):
            for outer, name, before, inner in self._links:
                own = _own(outer, "__dict__")
                if own.get(name) is not inner or not before.isdisjoint(own):
                    break
            else:
                return self._layers
        layers = tuple(chain_of(self._env))
        try:
            each = [_own(layer, "__dict__") for layer in layers]
        except AttributeError:
            self._layers = ()
            return layers
        self._layers, self._links = layers, []
        for (outer, inner), own in zip(pairwise(layers), each, strict=False):
            at = next(at for at, name in enumerate(INNER) if own.get(name) is inner)
            self._links.append((outer, INNER[at], frozenset(INNER[:at]), inner))
        return layers


def innermost(env: Any) -> Any:
    """What the user wrote: the environment inside of all wrappers."""
    inner = getattr(env, "unwrapped", None)
    return chain_of(env)[-1] if inner is None else inner


def class_name(env: Any) -> str:
    """The name of the user's class, for messages; where that says nothing, with the game's."""
    inner = innermost(env)
    name = type(inner).__name__
    metadata = getattr(inner, "metadata", None)
    game = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{name} ({game})" if name in NAMELESS and isinstance(game, str) else name


def found(env: Any, name: str) -> Any:
    """An attribute of the environment, or else of the one inside; None where neither has it, or not yet."""
    for layer in (env, innermost(env)):
        try:
            return getattr(layer, name)
        except Exception:  # a property may want a reset first, and say so by any error
            continue
    return None


def listed(agents: Any) -> list[Any] | None:
    """Agents as a list, whichever way they are in an order; None where they are not."""
    if isinstance(agents, (list, tuple, range, KeysView)):
        return list(agents)
    return agents.tolist() if len(getattr(agents, "shape", ())) == 1 and hasattr(agents, "tolist") else None


def state_layer(chain: list[Any]) -> int | None:
    """Which layer has `get_state` and `set_state`: the outermost one that has them of its own, not passed on."""
    for number, layer in enumerate(chain):
        if all(_has_own(layer, name) for name in ("get_state", "set_state")):
            return number
    # An object that answers for any name, by __getattr__, without an environment inside.
    last = chain[-1]
    there = all(callable(getattr(last, name, None)) for name in ("get_state", "set_state"))
    return len(chain) - 1 if there else None


def _has_own(layer: Any, name: str) -> bool:
    return callable(getattr(layer, "__dict__", {}).get(name)) or callable(getattr(type(layer), name, None))


def put_agents(env: Any, agents: Any) -> None:
    """Put the list of living agents back, where it is kept; raises AttributeError where it cannot be set.

    A list stays the same object, since it may be somebody else's as well: PettingZoo's `AgentSelector` goes round the
    very one. Only what is `possible_agents` too is replaced, for that must not shrink. Set on a wrapper that passes
    attributes on, it would hide the list inside.
    """
    for layer in chain_of(env):
        own = getattr(layer, "__dict__", {})
        if "agents" not in own and not hasattr(type(layer), "agents"):
            continue
        held = layer.agents
        if isinstance(held, list) and held is not getattr(layer, "possible_agents", None):
            held[:] = agents
            if list(layer.agents) == list(agents):
                return
        # Not so where a property made the list for whoever asks.
        try:
            layer.agents = tuple(agents) if isinstance(held, tuple) else list(agents)
        except AttributeError:  # a wrapper's, which only shows those inside
            continue
        return
    raise AttributeError("agents")
