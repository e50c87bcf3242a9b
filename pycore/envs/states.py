"""How an environment's state is taken and given back: the ladder, best first.

1. `get_state()` and `set_state(state)` of the environment;
2. two functions that the user gives, for an environment that is somebody else's;
3. generic capture of its attributes (`pycore.envs.capture`);
4. none: the environment is refused, with the way out.

`way_of` says which it is, and why not the one before. The environment is never asked for its state before its first
reset: some cannot answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from pycore.envs.snapshots import PRIMITIVES, pickled, unpickled
from pycore.envs.view import View

__all__ = ["GetState", "OwnState", "SetState", "StateWay", "way_of"]

GetState = Callable[[Any], Any]
"""Takes the environment; gives its state, as the method `get_state` would."""
SetState = Callable[[Any, Any], None]
"""Takes the environment and a state that `GetState` gave."""


class StateWay(Protocol):
    """One way to save and load an environment's state."""

    name: str
    """`get_state`, `functions` or `capture`."""
    reason: str
    """Why it is not the one before; empty for the first two."""
    holds_generators: bool
    """Whether generators that are attributes of the environment are part of it."""

    def restart(self, back: bool = True) -> None:
        """The environment is about to be reset; `back`: to before its first reset first, where that is known."""

    def save(self) -> Any:
        """The state of now, which nothing that happens later can change."""

    def load(self, saved: Any) -> None:
        """Go back to a saved state, which can be loaded again."""

    def contents(self, saved: Any) -> Any:
        """The value of a saved state that has a canonical form, fresh where it could be changed."""

    def draw(self, render: Callable[[], Any]) -> Any:
        """Call a function that draws. What it changes is no part of the game."""


class OwnState:
    """What the environment says of itself, or functions that know it.

    It may return live objects, so they are pickled, within the process only. A dict or tuple of nothing but primitives
    is copied instead, which is cheaper, above all to load.
    """

    holds_generators = False
    reason = ""

    def __init__(self, env: Any, get: Callable[[], Any], put: Callable[[Any], None], name: str) -> None:
        self.name = name
        self._env = env
        self._get = get
        self._put = put

    def restart(self, back: bool = True) -> None:
        """A reset is the environment's own affair."""

    def save(self) -> Any:
        state = self._get()
        kind = type(state)
        if kind is dict and PRIMITIVES.issuperset(map(type, state.values())):
            return state.copy(), False
        if kind in PRIMITIVES or (kind is tuple and PRIMITIVES.issuperset(map(type, state))):
            return state, False
        return pickled(state, "get_state()", self._env), True

    def load(self, saved: Any) -> None:
        self._put(self.contents(saved))

    def contents(self, saved: Any) -> Any:
        state, is_pickled = saved
        if is_pickled:
            return unpickled(state)
        return state.copy() if type(state) is dict else state

    def draw(self, render: Callable[[], Any]) -> Any:
        # Its state is what the environment says that it is, whatever else it keeps.
        return render()


def way_of(view: View) -> StateWay:
    """The best way for an environment. Raises EnvironmentUnfit where there is none."""
    # One of the two alone is most often something else: what a learner is shown of all, or what puts a body somewhere.
    obstacle = view.obstacle()
    if obstacle is None and callable(getattr(view, "get_state", None)):
        name = "get_state" if view.functions is None else "functions"
        return OwnState(view, view.get_state, view.set_state, name)
    from pycore.envs.capture import Capture

    return Capture(view, "it has no get_state()" if obstacle is None else obstacle)
