"""The generators that an environment may draw from: seeded, saved, loaded and compared with its state.

`rngs` names them: ``random``, the module's own; ``numpy``, numpy's global one, if numpy.random is loaded;
``np_random``, the attribute of that name where an environment has one. The first two are seeded at each reset, all
are saved and loaded. Invariants:

- `left` is where the simulation left them: after a reset, a step or a load. That is what a snapshot keeps.
- What is drawn between two ticks does not count: a `render()` that scatters sparks runs as often as pictures are
  shown, which is another number on every peer. After `resume` they are put back to `left` before anything of the
  environment runs again. Not at once: most often a rollback's `load` comes next and puts them elsewhere.
- A generator that nobody has drawn from since it was seeded is left out of the canonical form. So a peer with numpy
  loaded and one without agree on the hash of an environment that uses neither.
- A state is a `Raw` copy of memory where `pycore.envs.layouts` proved that, otherwise what the generator's own
  method gives. Both are the same in the canonical form.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Final

from pycore.envs.chains import innermost
from pycore.envs.layouts import memory_of
from pycore.envs.memory import Memory, Raw, form_of
from pycore.errors import ConfigError, nearest
from pycore.values.canonical import encode

__all__ = ["RNGS", "Generators", "States"]

RNGS: Final = ("random", "numpy", "np_random")

States = tuple[Any, ...]
"""One state per name in `RNGS`, None where there is no such generator."""


class Asked:
    """A generator that is asked for its state, and told it."""

    __slots__ = ("bits", "generator")

    def __init__(self, generator: Any) -> None:
        self.generator = generator
        self.bits = getattr(generator, "_bit_generator", None)

    def state(self) -> Any:
        """The state of now, as the generator gives it."""
        generator = self.generator
        if hasattr(generator, "bit_generator"):
            return generator.bit_generator.state
        return generator.getstate() if hasattr(generator, "getstate") else generator.get_state(legacy=False)

    def load(self, state: Any) -> None:
        """Take a state back."""
        if type(state) is Raw:
            state = state.native()
        generator = self.generator
        if hasattr(generator, "bit_generator"):
            generator.bit_generator.state = state
        elif hasattr(generator, "setstate"):
            generator.setstate(state)
        else:
            generator.set_state(state)


Way = Memory | Asked


class Generators:
    """The generators of one environment."""

    def __init__(self, env: Any, names: Iterable[str]) -> None:
        self.names = tuple(names)
        unknown = [name for name in self.names if name not in RNGS]
        if unknown:
            raise ConfigError(f"unknown generator {unknown[0]!r} in rngs; {nearest(unknown[0], RNGS)}")
        self.left: States = ()
        """Their states as the simulation left them; empty before the first reset, and where none is kept."""
        self.seeded: States = ()
        """The states of the first two right after seeding."""
        self.astray = False
        """Somebody else may have drawn since: `settle` before the environment runs."""
        self._env = env
        self._inner: Any = None
        """The environment inside of all wrappers, which some replace at a reset; None before the first."""
        self._random = "random" in self.names
        self._numpy = "numpy" in self.names
        self._np_random = "np_random" in self.names
        self._ours: Way | None = None
        self._theirs: Way | None = None
        self._own: Way | None = None
        self._module: Any = None

    # --- an episode's start ---

    def seed(self, seed: int) -> None:
        """Seed those of the process."""
        if self._random:
            random.seed(seed)
            self._ours = _way(_of_random())
        if self._numpy and (module := sys.modules.get("numpy.random")):
            module.seed(seed)
            self._meet(module)
        self.seeded = self._states()[:2] if self.names else ()
        self.astray = False

    def begin(self) -> None:
        """The environment was reset."""
        if self._np_random:
            self._inner = innermost(self._env)
            generator = _np_random_of(self._inner)
            # Again at every reset: most make a new one there. One that comes later is asked, since to get at its
            # memory takes longer than that.
            self._own = None if generator is None else _way(generator)
        self.note()

    # --- every frame ---

    def note(self) -> None:
        """The environment has run: from here on it goes on."""
        if self.names:
            self.left = self._states()

    def load(self, states: States) -> None:
        """Put them to where they were left then."""
        self.astray = False
        self.left = states
        if not states:
            return
        ours, theirs, own = states
        if ours is not None:
            (self._ours or Asked(random)).load(ours)
        if theirs is not None:
            self._their_way(sys.modules["numpy.random"]).load(theirs)
        if own is not None:
            self._own_way(_np_random_of(self._inner)).load(own)

    def resume(self) -> None:
        """The simulation goes on after a pause in which others may have drawn."""
        self.astray = bool(self.left)

    def settle(self) -> None:
        """Put them back to where the simulation left them."""
        self.load(self.left)

    # --- parts ---

    def _states(self) -> States:
        ours = theirs = own = None
        if self._ours is not None:
            ours = self._ours.state()
        if self._numpy and (module := sys.modules.get("numpy.random")):
            theirs = self._their_way(module).state()
        if self._inner is not None and (generator := _np_random_of(self._inner)) is not None:
            own = self._own_way(generator).state()
        return ours, theirs, own

    def _their_way(self, module: Any) -> Way:
        way = self._theirs
        # numpy.random.set_bit_generator puts another one behind the same functions.
        if way is None or module is not self._module or getattr(way.generator, "_bit_generator", None) is not way.bits:
            return self._meet(module)
        return way

    def _meet(self, module: Any) -> Way:
        """Find the way to numpy's global generator, which may be loaded at any time."""
        functions = SimpleNamespace(get_state=module.get_state, set_state=module.set_state)
        self._module = module
        self._theirs = way = _way(getattr(getattr(module, "mtrand", None), "_rand", functions))
        return way

    def _own_way(self, generator: Any) -> Way:
        way = self._own
        if way is not None and way.generator is generator:
            if way.bits is None or generator._bit_generator is way.bits:
                return way
        return Asked(generator)


def canonical_forms(states: States, seeded: States) -> dict[str, Any]:
    """The canonical values of the generators that somebody drew from, by name."""
    forms = {}
    for name, state, start in zip(RNGS, states, (*seeded, None), strict=False):
        if state is None or (type(state) is Raw and type(start) is Raw and state.data == start.data):
            continue
        form = form_of(state)
        if start is None or encode(form) != encode(form_of(start)):
            forms[name] = form
    return forms


def _way(generator: Any) -> Way:
    return memory_of(generator) or Asked(generator)


def _of_random() -> Any:
    """The generator behind the functions of `random`; the module itself, if those are somebody else's."""
    generator = getattr(random.getstate, "__self__", None)
    return generator if type(generator) is random.Random else random


def _np_random_of(inner: Any) -> Any:
    # Gymnasium's np_random is a property that makes a generator, seeded from the operating system, when there is none.
    # _np_random says so without making one, but only that of the environment itself: a wrapper's refuses to answer.
    generator = getattr(inner, "_np_random", inner)
    if generator is inner:
        generator = getattr(inner, "np_random", None)
    if generator is None:
        return None
    known = ("bit_generator", "getstate", "get_state")
    return generator if any(hasattr(generator, name) for name in known) else None
