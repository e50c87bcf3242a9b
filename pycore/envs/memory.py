"""The state of a generator as raw memory: a copy of the bytes that it lives in.

``random.getstate()`` makes 625 Python ints, and numpy's global ``get_state()`` a dictionary with an array: 16 and
78 µs, on every frame of every rollback; in a browser the first takes 35. The same state lies in memory as one block
of 2,500 bytes, and copying that takes 0.1 µs, in a browser 2. So a generator of a known kind is read and written
there, and compared as bytes. Where that is, and that it is so, is proved in `pycore.envs.layouts`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from pycore.frozen import Named

__all__ = ["Layout", "Memory", "Raw", "Span", "form_of", "packed", "view_of"]


class Raw:
    """A state as bytes, to be compared and written back; `native` is what `getstate` would have given."""

    __slots__ = ("data", "layout")

    def __init__(self, data: bytes, layout: Layout) -> None:
        self.data = data
        self.layout = layout

    def native(self) -> Any:
        """The state as the generator's own method gives it."""
        return self.layout.native(self.data)


class Span(Named):
    """Bytes of an object. Of the generator itself, or of the bit generator that numpy keeps apart (`of_bits`)."""

    of_bits: bool
    offset: int
    size: int


class Layout:
    """Where the state lies in generators of one kind, and how such a generator is asked for it otherwise."""

    def __init__(
        self,
        spans: tuple[Span, ...],
        *,
        make: Callable[[int], Any],
        get: Callable[[Any], Any],
        put: Callable[[Any, Any], None],
        told: Callable[[Any], bytes],
        draw: Callable[[Any], Any],
        gauss_next: bool = False,
    ) -> None:
        self.spans = spans
        self.make = make
        """A private generator of the kind, from a seed."""
        self.get = get
        self.put = put
        self.told = told
        """What the spans must hold, from what `get` gave."""
        self.draw = draw
        """Draws in several ways, and gives what came out."""
        self.gauss_next = gauss_next
        """The second number of a Gaussian pair is an attribute of that name, beside the memory."""
        self._twin: Any = None
        self._fresh = b""

    def open(self, generator: Any) -> tuple[Callable[[], bytes], Callable[[bytes], None]]:
        """Functions that read and write the state of a generator of this kind."""
        views = [view_of(generator._bit_generator if span.of_bits else generator, span) for span in self.spans]
        if self.gauss_next:
            return _with_gauss_next(generator, views[0])
        whole = tuple(views)
        join = b"".join
        ends, at = [], 0
        for span, view in zip(self.spans, views, strict=True):
            ends.append((view, at, at + span.size))
            at += span.size

        def read() -> bytes:
            return join(whole)

        def write(data: bytes) -> None:
            for view, start, end in ends:
                view[:] = data[start:end]

        return read, write

    def native(self, data: bytes) -> Any:
        """What `get` would have given, from the bytes: told by a private generator that holds them."""
        if self._twin is None:
            self._twin = self.another()
        twin, write = self._twin
        write(data)
        return self.get(twin)

    @property
    def fresh(self) -> bytes:
        """The state of a new generator, the same for everybody."""
        if not self._fresh:
            made = self.make(0)
            self._fresh = self.open(made)[0]()
        return self._fresh

    def another(self) -> tuple[Any, Callable[[bytes], None]]:
        """A new generator that nobody else has, and what writes its state."""
        made = self.make(0)
        return made, self.open(made)[1]


class Memory:
    """One generator whose state is read and written as bytes."""

    __slots__ = ("_layout", "_read", "_write", "bits", "generator", "last")

    def __init__(self, generator: Any, layout: Layout) -> None:
        self.generator = generator
        """Kept, and with it the memory."""
        self.bits = getattr(generator, "_bit_generator", None)
        self._layout = layout
        self._read, self._write = layout.open(generator)
        self.last = Raw(self._read(), layout)

    def state(self) -> Raw:
        """The state of now; the same object as before while nobody draws."""
        data = self._read()
        last = self.last
        if data == last.data:
            return last
        self.last = raw = Raw(data, self._layout)
        return raw

    def load(self, state: Any) -> None:
        """Take a state back, if it is another than that of now."""
        if type(state) is Raw and state.layout is self._layout:
            if self._read() != state.data:
                self._write(state.data)
                self.last = state
        else:
            self._layout.put(self.generator, state.native() if type(state) is Raw else state)


def form_of(state: Any) -> Any:
    """A generator's state as a canonical value; the 625 words of `random` in one piece, for speed."""
    if type(state) is Raw:
        state = state.native()
    if isinstance(state, tuple):
        version, words, gauss = state
        return {"version": version, "words": struct.pack(f">{len(words)}I", *words), "gauss": gauss}
    return state


def view_of(owner: Any, span: Span) -> memoryview:
    """The bytes themselves, to be read and written; they are there as long as the owner is."""
    # CPython's id() is the object's address.
    return memoryview((_octet() * span.size).from_address(id(owner) + span.offset)).cast("B")


@cache
def _octet() -> Any:
    # What ctypes is made of: importing the whole takes 20 to 45 ms in a browser, this one 0.5.
    import _ctypes

    return type("octet", (_ctypes._SimpleCData,), {"_type_": "B"})


def packed(gauss: float | None) -> bytes:
    """The number that may be in store, behind the rest."""
    return b"" if gauss is None else struct.pack("=d", gauss)


def _with_gauss_next(generator: Any, view: memoryview) -> tuple[Callable[[], bytes], Callable[[bytes], None]]:
    size = view.nbytes

    def read() -> bytes:
        gauss = generator.gauss_next
        return view.tobytes() if gauss is None else view.tobytes() + packed(gauss)

    def write(data: bytes) -> None:
        view[:] = data[:size]
        generator.gauss_next = None if len(data) == size else struct.unpack_from("=d", data, size)[0]

    return read, write
