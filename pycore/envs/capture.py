"""Generic capture: the state of an environment that has no `get_state`, taken from its attributes.

The environment and the environments that it wraps are *layers*. They stay the objects that they are, and what a
snapshot holds is the attributes of each. All that these lead to is pickled, in the process only, in one go, so that
what was one object in two places comes back as one object in two places. What is shared instead, and why, is in
`pycore.envs.kinds`; what cannot be held is refused by its path.

Invariants:

- A snapshot refers to nothing that can change but what it shares, and can be loaded any number of times.
- Loading makes every object anew but the layers, what is shared or kept, and generators of random numbers: those are
  shared with their states beside them, which are read and written where they lie (`pycore.envs.layouts`).
- What never changes is in a stock, and a pickle has its number there (`pycore.envs.stock`). It is learned from a save
  now and then, and no snapshot depends on what is learned later.
- What refers to each other through thousands of objects is pickled object by object (`pycore.envs.waiting`).
- Whether the layers are still the same is looked at in each save: several environments replace inner ones when they
  are reset.
- `restart` brings everything back to what it was at the beginning. Without it half of the environments count their
  resets, or keep what the last episode left.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from pycore.envs.arrays import copies
from pycore.envs.attributes import bare_state, put_state
from pycore.envs.chains import Chain, class_name
from pycore.envs.closures import Recalled
from pycore.envs.forms import form_of_attributes
from pycore.envs.hashed import begun, has_own_hash, settled
from pycore.envs.kinds import is_importable, is_kept_aside, reduction_of_code
from pycore.envs.layouts import memory_of
from pycore.envs.memory import Layout, Memory, Raw
from pycore.envs.places import path_of
from pycore.envs.sharer import Captured, Sharer, is_same
from pycore.envs.stock import Stock, met_in, stock_of
from pycore.envs.waiting import are_many, put_waiting
from pycore.envs.wrappers import known_wrapper, put_wrapper
from pycore.errors import EnvironmentUnfit, described

__all__ = ["Capture"]


_ABSENT = object()
MOST_MEMORIES: Final = 512
"""Generators whose place in memory is known at a time; each is held by that."""
LEARNED_AFTER: Final = 8
"""Saves until the stock is learned again, and how many times as many until the next time: such a save takes three
times as long."""
LEARNED_ANEW: Final = LEARNED_AFTER**2
"""Saves after which that is due in a new episode, in which there may be other things."""
GROWN: Final = 1.25
"""So many times as large is a pickle when objects are counted again: more of them may come in an episode."""


class Capture:
    """Saves and loads one environment by its attributes. Raises `EnvironmentUnfit` where it has what cannot be held."""

    name = "capture"
    holds_generators = True

    def __init__(self, env: Any, reason: str = "") -> None:
        import pickle  # in a browser its import takes longer than all of pycore's

        self._chain = Chain(env)
        self.reason = reason
        self._memories: dict[int, Memory | None] = {}
        """Of generators, by their place in memory, which they keep: a `Memory` holds its generator."""
        self._sharer = Sharer(self._memory)
        self._pickler: Any = pickle.Pickler
        self._careful = _with_code_shared(pickle.Pickler, self._sharer)
        self._loads = pickle.loads
        self._none: Stock = stock_of(())
        self._stock = self._none
        self._saves = 0
        """Since the stock was learned."""
        self._learns_at = 1
        self._size = 0
        """Bytes of the last pickle."""
        self._counts_from = -1.0
        """If it has more, objects are counted."""
        self._others: dict[Layout, list[Any]] = {}
        """Private generators, to look at a snapshot with; to make one takes longer than to write its state."""
        self._used: dict[Layout, int] = {}
        """How many of them the snapshot that is looked at has needed so far."""
        self._drawn: list[tuple[Any, str, Any, Any]] = []
        """What drawing left in attributes: layer, name, value, and what stands there for the game."""
        self._as_made: frozenset[tuple[int, bytes]] = frozenset()
        """Generators with the states that they were made with, which may be anything the operating system said. They
        are told alike as long as nobody draws from them: a space has one as soon as it is asked for it."""
        self._first = self.save()
        self._as_made = frozenset([(id(generator), state) for generator, state in self._first.generators])

    def restart(self, back: bool = True) -> None:
        """Another episode begins; `back`: with what the environment was before its first reset."""
        if back:
            self.load(self._first)
        self._memories.clear()  # most environments make a new generator at each reset
        self._learns_at = min(self._learns_at, LEARNED_ANEW)
        self._counts_from = -1.0

    def save(self) -> Captured:
        """The state of now."""
        layers = self._chain.layers()
        states = [_state_of(layer) for layer in layers]
        self._saves += 1
        if self._size > self._counts_from:
            self._counts_from = GROWN * self._size
            # Elsewhere pickle says so itself.
            if sys.platform == "emscripten" and self._sharer.waiting is None and are_many(states):
                self._sharer.go_deep()
        try:
            return self._dumped(layers, states, self._saves >= self._learns_at)
        except RecursionError as error:
            if self._sharer.waiting is not None:
                raise self._refusal(layers, states, error) from error
            self._sharer.go_deep()
            return self.save()
        except Exception as error:
            if self._pickler is self._careful:
                raise self._refusal(layers, states, error) from error
        # To be asked for every function and class costs a tenth, so it is done only where some cannot be imported.
        self._pickler = self._careful
        return self.save()

    def _dumped(self, layers: tuple[Any, ...], states: Any, learns: bool = False) -> Captured:
        sharer = self._sharer
        sharer.begin(layers)
        stock = self._none if learns else self._stock
        file = io.BytesIO()
        file.write(stock.head)
        # Protocol 5 would give arrays that are views of a buffer, and each copy of a copy one view more.
        pickler = self._pickler(file, 4)
        pickler.memo = stock.memo
        pickler.dispatch_table = sharer.reductions
        pickler.dump(states if sharer.waiting is None else (states, sharer.waiting))
        if learns:
            self._stock = stock_of(met_in(pickler.memo.copy(), is_importable))
            self._saves, self._learns_at = 0, self._learns_at * LEARNED_AFTER
        data = file.getvalue()
        self._size = len(data)
        return sharer.captured(layers, data, stock.things)

    def load(self, captured: Captured) -> None:
        """Back to a saved state."""
        states = self._unpickled(captured)
        for layer, state in zip(captured.layers, states, strict=True):
            _put(layer, state)

    def draw(self, render: Callable[[], Any]) -> Any:
        """Call a function that draws, as often as a screen wants pictures, which is another number on every peer.

        What it changes is taken back, or peers would differ by it. Windows and pictures that it keeps, and plain values
        beside them, are put aside until the next picture, unless the game has changed them meanwhile: to make a window
        anew for each picture takes longer than all else.
        """
        before = self.save()
        for layer, name, value, was in self._drawn:
            own = bare_state(layer)[0]
            now = own.get(name, _ABSENT)
            # Of other types, an array for instance, the comparison may be no truth.
            if now is was or (type(now) is type(was) and now == was):
                own[name] = value
        try:
            return render()
        finally:
            self._take_back(before)

    def _take_back(self, before: Captured) -> None:
        """Undo what drawing changed since, and put aside what is for the next picture."""
        after = self.save()
        self._drawn = []
        if not is_same(after, before):
            kept = [(layer, name, value) for layer in before.layers for name, value in bare_state(layer)[0].items()]
            self.load(before)
            for layer, name, value in kept:
                was = bare_state(layer)[0].get(name, _ABSENT)
                if was is not value and is_kept_aside(value) and (was is _ABSENT or is_kept_aside(was)):
                    self._drawn.append((layer, name, value, was))

    def contents(self, captured: Captured) -> Any:
        """What is in a snapshot, as a value that has a canonical form. Raises `CanonicalError`, `EnvironmentUnfit`."""
        states = self._unpickled(captured, only_looks=True)
        return form_of_attributes(captured.layers, states, captured.shared)

    def _unpickled(self, captured: Captured, only_looks: bool = False) -> list[Any]:
        try:
            return self._read(captured, only_looks)
        except Exception as error:
            raise self._refusal(captured.layers, [_state_of(layer) for layer in captured.layers], error) from error

    def _read(self, captured: Captured, only_looks: bool) -> list[Any]:
        """What was pickled, made anew. Nobody may notice that somebody only looks at a snapshot."""
        layers, data, stock, shared, kept, arrays, numbers, generators, is_deep = captured
        if only_looks:
            self._used.clear()
        marks = (
            iter(shared).__next__,
            map(_empty, kept).__next__ if only_looks else iter(kept).__next__,
            copies(arrays).__next__,
            iter(numbers).__next__,
            map(self._alike if only_looks else self._told, generators).__next__,
            layers.__getitem__,
        )
        states: Any = self._loads(data, buffers=(*marks, *stock))
        if is_deep:
            states, waiting = states
            put_waiting(waiting)
        found: list[Any] = states
        return found

    def _memory(self, generator: Any) -> Memory | None:
        number = id(generator)
        memory = self._memories.get(number)
        if memory is None or (memory.generator is not generator and memory.bits is not generator):
            if len(self._memories) >= MOST_MEMORIES:  # some games make one in every frame
                self._memories.clear()
            self._memories[number] = memory = memory_of(generator)
        return memory

    def _told(self, saved: tuple[Any, bytes]) -> Any:
        """A generator, put to a state."""
        generator, data = saved
        memory = self._memory(generator)
        assert memory is not None
        memory.load(Raw(data, memory.last.layout))
        return generator

    def _alike(self, saved: tuple[Any, bytes]) -> Any:
        """Another generator with that state."""
        generator, data = saved
        memory = self._memory(generator)
        assert memory is not None
        layout = memory.last.layout
        known, number = self._others.setdefault(layout, []), self._used.get(layout, 0)
        if number == len(known):
            known.append(layout.another())
        self._used[layout] = number + 1
        made, write = known[number]
        write(layout.fresh if (id(generator), data) in self._as_made else data)
        return made if memory.generator is generator else made._bit_generator

    def _refusal(self, layers: tuple[Any, ...], states: Any, error: Exception) -> EnvironmentUnfit:
        """What could not be held or brought back, where it is, and the way out."""

        why = error

        def fails(value: Any) -> bool:
            nonlocal why
            try:
                self._read(self._dumped(layers, value), only_looks=True)
            except Exception as innermost:
                why = innermost
                return True
            return False

        name = class_name(layers[0])
        path = path_of(states, fails) or "something in them"
        return EnvironmentUnfit(
            f"{name} has no get_state() and set_state(), and its attributes cannot be captured: {path} cannot be held "
            f"({described(why)}). Make it anew from plain values where it is needed, or give get_state() and "
            "set_state(state)"
        )


def _state_of(layer: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of a layer; of a wrapper that is known those that are state."""
    known = known_wrapper(layer)
    if known is None:
        return bare_state(layer)
    own = vars(layer)
    return {name: own[name] for name in known.saved if name in own}, {}


def _put(layer: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    if known_wrapper(layer) is None:
        put_state(layer, state)
    else:
        put_wrapper(layer, state[0])


def _empty(value: Any) -> Any:
    """Another object of its class, to be given attributes; what its hash is made of, it has."""
    kind = type(value)
    if kind is FunctionType:
        return Recalled()
    return begun(kind, settled(bare_state(value))) if has_own_hash(kind) else object.__new__(kind)


def _with_code_shared(base: Any, sharer: Sharer) -> Any:
    """The class of picklers that share classes and functions which cannot be imported."""

    class Pickler(base):  # type: ignore[misc]
        def reducer_override(self, value: Any) -> Any:
            return reduction_of_code(value, sharer)

    return Pickler
