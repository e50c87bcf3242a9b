"""Generic capture: the state of an environment that has no `get_state`, taken from its attributes.

The environment and the environments that it wraps are *layers*. They stay the objects that they are, and what a
snapshot holds is the attributes of each. All that these lead to is pickled, in the process only, in one go, so that
what was one object in two places comes back as one object in two places. What is shared instead, and why, is in
`pycore.envs.kinds`; what cannot be held is refused by its path.

Invariants:

- A snapshot refers to nothing that can change but what it shares, and can be loaded any number of times.
- Loading makes every object anew but the layers, what is shared, and generators of random numbers: those are shared
  with their states beside them, which are read and written where they lie (`pycore.envs.layouts`).
- The layers are looked for at each save: several environments replace inner ones when they are reset.
- `restart` brings everything back to what it was at the beginning. Without it half of the environments count their
  resets, or keep what the last episode left.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, NamedTuple

from pycore.envs.chains import chain_of, class_name
from pycore.envs.forms import form_of_attributes, path_of
from pycore.envs.kinds import Reduce, bare_state, generator, is_kept_aside, put_state, reduction_of
from pycore.envs.layouts import memory_of
from pycore.envs.memory import Memory, Raw
from pycore.envs.wrappers import known_wrapper, put_wrapper
from pycore.errors import EnvironmentUnfit

__all__ = ["Capture", "Captured", "layers_of"]


_ABSENT = object()


class Captured(NamedTuple):
    """A snapshot by capture."""

    layers: tuple[Any, ...]
    data: bytes
    """The attributes of each layer, pickled."""
    shared: tuple[Any, ...]
    """What the pickle refers to by number."""


class Capture:
    """Saves and loads one environment by its attributes. Raises `EnvironmentUnfit` where it has what cannot be held."""

    name = "capture"
    holds_generators = True

    def __init__(self, env: Any, reason: str = "") -> None:
        import pickle  # in a browser its import takes longer than all of pycore's

        self._env = env
        self.reason = reason
        self._reductions: dict[type, Reduce | None] = {}
        self._memories: dict[int, Memory | None] = {}
        """Of generators, by their place in memory, which they keep: a `Memory` holds its generator."""
        self._pickler = _pickler(pickle.Pickler, self._reductions, self._memory)
        self._loads = pickle.loads
        self._drawn: list[tuple[Any, str, Any, Any]] = []
        """What drawing left in attributes: layer, name, value, and what stands there for the game."""
        self._first = self.save()

    def restart(self) -> None:
        """Back to what the environment was before its first reset."""
        self.load(self._first)
        self._memories.clear()  # most environments make a new generator at each reset

    def save(self) -> Captured:
        """The state of now."""
        layers = layers_of(self._env)
        shared: list[Any] = []
        file = io.BytesIO()
        pickler = self._pickler(file, layers, shared)
        try:
            pickler.dump([_state_of(layer) for layer in layers])
        except Exception as error:
            raise self._refusal(layers, error) from error
        return Captured(layers, file.getvalue(), tuple(shared))

    def load(self, captured: Captured) -> None:
        """Back to a saved state."""
        states = self._unpickled(captured, self._told)
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
            own = vars(layer)
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
        if after.data != before.data or after.shared != before.shared:
            kept = [(layer, name, value) for layer in before.layers for name, value in vars(layer).items()]
            self.load(before)
            for layer, name, value in kept:
                was = vars(layer).get(name, _ABSENT)
                if was is not value and is_kept_aside(value) and (was is _ABSENT or is_kept_aside(was)):
                    self._drawn.append((layer, name, value, was))

    def contents(self, captured: Captured) -> Any:
        """What is in a snapshot, as a value that has a canonical form. Raises `CanonicalError`, `EnvironmentUnfit`."""
        states = self._unpickled(captured, self._as_raw)
        return form_of_attributes(captured.layers, states, captured.shared)

    def _unpickled(self, captured: Captured, generator: Callable[[Any, bytes], Any]) -> list[Any]:
        _open.append((captured, generator))
        try:
            states: list[Any] = self._loads(captured.data)
        finally:
            _open.pop()
        return states

    def _memory(self, generator: Any) -> Memory | None:
        number = id(generator)
        memory = self._memories.get(number)
        if memory is None or memory.generator is not generator:
            self._memories[number] = memory = memory_of(generator)
        return memory

    def _told(self, generator: Any, data: bytes) -> Any:
        """A generator, put to a state."""
        memory = self._memory(generator)
        assert memory is not None
        memory.load(Raw(data, memory.last.layout))
        return generator

    def _as_raw(self, generator: Any, data: bytes) -> Raw:
        """The state alone: nobody may notice that somebody looks at a snapshot."""
        memory = self._memory(generator)
        assert memory is not None
        return Raw(data, memory.last.layout)

    def _refusal(self, layers: tuple[Any, ...], error: Exception) -> EnvironmentUnfit:
        """What could not be held, where it is, and the way out."""

        def fails(value: Any) -> bool:
            shared: list[Any] = []
            try:
                self._pickler(io.BytesIO(), layers, shared).dump(value)
            except Exception:
                return True
            return False

        name = class_name(layers[0])
        path = path_of([_state_of(layer) for layer in layers], fails)
        return EnvironmentUnfit(
            f"{name} has no get_state() and set_state(), and its attributes cannot be captured: "
            f"{path or 'something in them'} cannot be held ({error}). Make it anew from plain values where it is "
            "needed, or give get_state() and set_state(state)"
        )


def layers_of(env: Any) -> tuple[Any, ...]:
    """The environment, and one in the other those that it wraps; the innermost comes last."""
    return tuple(chain_of(env))


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


_open: list[tuple[Captured, Callable[[Any, bytes], Any]]] = []
"""The snapshots that are being unpickled, and what becomes of a generator in them."""


def _layer(number: int) -> Any:
    return _open[-1][0].layers[number]


def _shared(number: int) -> Any:
    return _open[-1][0].shared[number]


def _generator(number: int, data: bytes) -> Any:
    captured, generator = _open[-1]
    return generator(captured.shared[number], data)


def _pickler(
    base: Any, reductions: dict[type, Reduce | None], memory: Callable[[Any], Memory | None]
) -> Callable[[Any, tuple[Any, ...], list[Any]], Any]:
    """The class of picklers that reduce what they meet as `pycore.envs.kinds` says."""
    unknown: Any = object()

    class Pickler(base):  # type: ignore[misc]
        def __init__(self, file: Any, layers: tuple[Any, ...], shared: list[Any]) -> None:
            # Protocol 5 would give arrays that are views of a buffer, and each copy of a copy one view more.
            super().__init__(file, 4)
            self._layers = {id(layer): number for number, layer in enumerate(layers)}
            self._kinds = {type(layer) for layer in layers}
            self._shared = shared

        def share(self, value: Any) -> Any:
            """Refer to it by number."""
            self._shared.append(value)
            return _shared, (len(self._shared) - 1,)

        def keeps(self, value: Any) -> bool:
            """Whether it is a layer."""
            return id(value) in self._layers

        def reducer_override(self, value: Any) -> Any:
            kind = type(value)
            reduce = reductions.get(kind, unknown)
            if reduce is unknown:
                reduce = reductions[kind] = reduction_of(kind)
            if kind in self._kinds and id(value) in self._layers:
                return _layer, (self._layers[id(value)],)
            if reduce is None:
                return NotImplemented
            if reduce is generator and (found := memory(value)) is not None:
                self._shared.append(value)
                return _generator, (len(self._shared) - 1, found.state().data)
            return reduce(value, self)

    return Pickler
