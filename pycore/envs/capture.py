"""Generic capture: the state of an environment that has no `get_state`, taken from its attributes.

The environment and the environments that it wraps are *layers*. They stay the objects that they are, and what a
snapshot holds is the attributes of each. All that these lead to is pickled, in the process only, in one go, so that
what was one object in two places comes back as one object in two places. What is shared instead, and why, is in
`pycore.envs.kinds`; what cannot be held is refused by its path.

Invariants:

- A snapshot refers to nothing that can change but what it shares, and can be loaded any number of times.
- Loading makes every object anew but the layers, what is shared or kept, and generators of random numbers: those are
  shared with their states beside them, which are read and written where they lie (`pycore.envs.layouts`).
- The layers are looked for at each save: several environments replace inner ones when they are reset.
- `restart` brings everything back to what it was at the beginning. Without it half of the environments count their
  resets, or keep what the last episode left.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

from pycore.envs.attributes import bare_state, changing_state, put_changing_state, put_state
from pycore.envs.chains import chain_of, class_name
from pycore.envs.forms import form_of_attributes, path_of
from pycore.envs.kinds import Reduce, is_kept_aside, plainly, reduction_of, reduction_of_code
from pycore.envs.layouts import memory_of
from pycore.envs.memory import Layout, Memory, Raw
from pycore.envs.standing import standing_beside
from pycore.envs.subclasses import is_all_attributes
from pycore.envs.wrappers import known_wrapper, put_wrapper
from pycore.errors import EnvironmentUnfit, described
from pycore.frozen import Named

__all__ = ["Capture", "Captured", "layers_of"]


_ABSENT = object()
MOST_MEMORIES: Final = 512
"""Generators whose place in memory is known at a time; each is held by that."""


class Captured(Named):
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
        self._memories: dict[int, Memory | None] = {}
        """Of generators, by their place in memory, which they keep: a `Memory` holds its generator."""
        self._sharer = _Sharer(self._memory)
        self._pickler: Any = pickle.Pickler
        self._careful = _with_code_shared(pickle.Pickler, self._sharer)
        self._loads = pickle.loads
        self._others: dict[Layout, list[Any]] = {}
        """Private generators, to look at a snapshot with; to make one takes longer than to write its state."""
        self._used: dict[Layout, int] = {}
        """How many of them the snapshot that is looked at has needed so far."""
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
        states = [_state_of(layer) for layer in layers]
        try:
            return self._dumped(layers, states)
        except Exception as error:
            if self._pickler is self._careful:
                raise self._refusal(layers, states, error) from error
        # To be asked for every function and class costs a tenth, so it is done only where some cannot be imported.
        self._pickler = self._careful
        return self.save()

    def _dumped(self, layers: tuple[Any, ...], states: Any) -> Captured:
        sharer = self._sharer
        shared = sharer.begin(layers)
        file = io.BytesIO()
        # Protocol 5 would give arrays that are views of a buffer, and each copy of a copy one view more.
        pickler = self._pickler(file, 4)
        pickler.dispatch_table = sharer.reductions
        pickler.dump(states)
        return Captured(layers, file.getvalue(), tuple(shared))

    def load(self, captured: Captured) -> None:
        """Back to a saved state."""
        states = self._unpickled(_Reading(captured, self._told, only_looks=False))
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
        if after.data != before.data or not _are_same(after.shared, before.shared):
            kept = [(layer, name, value) for layer in before.layers for name, value in vars(layer).items()]
            self.load(before)
            for layer, name, value in kept:
                was = vars(layer).get(name, _ABSENT)
                if was is not value and is_kept_aside(value) and (was is _ABSENT or is_kept_aside(was)):
                    self._drawn.append((layer, name, value, was))

    def contents(self, captured: Captured) -> Any:
        """What is in a snapshot, as a value that has a canonical form. Raises `CanonicalError`, `EnvironmentUnfit`."""
        states = self._unpickled(_Reading(captured, self._alike, only_looks=True))
        return form_of_attributes(captured.layers, states, captured.shared)

    def _unpickled(self, reading: _Reading) -> list[Any]:
        self._used.clear()
        captured = reading.captured
        _open.append(reading)
        try:
            states: list[Any] = self._loads(captured.data)
        except Exception as error:
            raise self._refusal(captured.layers, [_state_of(layer) for layer in captured.layers], error) from error
        finally:
            _open.pop()
        return states

    def _memory(self, generator: Any) -> Memory | None:
        number = id(generator)
        memory = self._memories.get(number)
        if memory is None or (memory.generator is not generator and memory.bits is not generator):
            if len(self._memories) >= MOST_MEMORIES:  # some games make one in every frame
                self._memories.clear()
            self._memories[number] = memory = memory_of(generator)
        return memory

    def _told(self, generator: Any, data: bytes) -> Any:
        """A generator, put to a state."""
        memory = self._memory(generator)
        assert memory is not None
        memory.load(Raw(data, memory.last.layout))
        return generator

    def _alike(self, generator: Any, data: bytes) -> Any:
        """Another generator with that state: nobody may notice that somebody looks at a snapshot."""
        memory = self._memory(generator)
        assert memory is not None
        layout = memory.last.layout
        known, number = self._others.setdefault(layout, []), self._used.get(layout, 0)
        if number == len(known):
            known.append(layout.another())
        self._used[layout] = number + 1
        made, write = known[number]
        write(data)
        return made if memory.generator is generator else made._bit_generator

    def _refusal(self, layers: tuple[Any, ...], states: Any, error: Exception) -> EnvironmentUnfit:
        """What could not be held or brought back, where it is, and the way out."""

        why = error

        def fails(value: Any) -> bool:
            nonlocal why
            try:
                captured = self._dumped(layers, value)
                self._used.clear()
                _open.append(_Reading(captured, self._alike, only_looks=True))
                try:
                    self._loads(captured.data)
                finally:
                    _open.pop()
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


def _are_same(some: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    """Whether these are the very objects. What is kept may have any idea of being equal."""
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


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


class _Reading(Named):
    """A snapshot that is being unpickled."""

    captured: Captured
    generator: Callable[[Any, bytes], Any]
    """What becomes of a generator in it."""
    only_looks: bool
    """Whether what is kept stays untouched."""


_open: list[_Reading] = []


def _layer(number: int) -> Any:
    return _open[-1].captured.layers[number]


def _shared(number: int) -> Any:
    return _open[-1].captured.shared[number]


def _kept(number: int) -> Any:
    reading = _open[-1]
    value = reading.captured.shared[number]
    # Nobody may notice that somebody looks at a snapshot.
    return object.__new__(type(value)) if reading.only_looks else value


def _generator(number: int, data: bytes) -> Any:
    reading = _open[-1]
    return reading.generator(reading.captured.shared[number], data)


class _Reductions(dict[type, Reduce]):
    """By type, how an object is reduced: decided when the first of its kind is met."""

    def __init__(self, sharer: _Sharer) -> None:
        self._sharer = sharer

    def __missing__(self, kind: type) -> Reduce:
        self[kind] = found = reduction_of(kind, self._sharer)
        return found


class _Sharer:
    """What the snapshot that is being made refers to by number: its layers, and what is shared."""

    def __init__(self, memory: Callable[[Any], Memory | None]) -> None:
        self.reductions = _Reductions(self)
        self._memory = memory
        self._kinds: set[type] = set()
        self._numbers: dict[int, int] = {}
        self._shared: list[Any] = []

    def begin(self, layers: tuple[Any, ...]) -> list[Any]:
        """Start a snapshot of these layers; returns the list that what is shared goes into."""
        self._numbers = {id(layer): number for number, layer in enumerate(layers)}
        self._shared = shared = list[Any]()
        for layer in layers:
            kind = type(layer)
            if kind not in self._kinds:
                self._kinds.add(kind)
                self.reductions[kind] = self._layer_or(self.reductions[kind])
        return shared

    def _layer_or(self, reduce: Reduce) -> Reduce:
        def reduced(value: Any) -> Any:
            number = self._numbers.get(id(value))
            return reduce(value) if number is None else (_layer, (number,))

        return reduced

    def share(self, value: Any) -> Any:
        """Refer to it by number."""
        self._shared.append(value)
        return _shared, (len(self._shared) - 1,)

    def keep(self, value: Any) -> Any:
        """Refer to it by number, with its attributes beside it."""
        self._shared.append(value)
        return _kept, (len(self._shared) - 1,), changing_state(value), None, None, put_changing_state

    def standing(self, kind: type) -> dict[int, Any]:
        """Those of a class."""
        found = standing_beside((*self._kinds, kind)) if is_all_attributes(kind) else {}
        return {place: value for place, value in found.items() if type(value) is kind}

    def keeps(self, value: Any) -> bool:
        """Whether it is a layer."""
        return id(value) in self._numbers

    def generator(self, value: Any) -> Any:
        """Share it, with its state beside it, where that lies in memory."""
        memory = self._memory(value)
        if memory is None:
            return _with_its_bits(value)
        self._shared.append(value)
        return _generator, (len(self._shared) - 1, memory.state().data)


def _with_its_bits(value: Any) -> Any:
    """A generator of numpy whose state lies elsewhere, with its bit generator, as numpy 2 has it. numpy 1 has the name
    of its kind there, and whoever draws from the bit generator itself would then draw from another one."""
    reduced = plainly(value)
    bits = getattr(value, "_bit_generator", None)
    if bits is None or any(argument is bits for argument in reduced[1]):
        return reduced
    return type(value), (bits,), *reduced[2:]


def _with_code_shared(base: Any, sharer: _Sharer) -> Any:
    """The class of picklers that share classes and functions which cannot be imported."""

    class Pickler(base):  # type: ignore[misc]
        def reducer_override(self, value: Any) -> Any:
            return reduction_of_code(value, sharer)

    return Pickler
