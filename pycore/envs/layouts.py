"""Where generators keep their state in memory, and the proof of it.

Nothing is believed about the memory that was not tried first, once per kind and process, on generators made for
it:

1. The block lies inside of the generator's own object, as the `__basicsize__` of its exact type says. So whatever
   is wrong, nothing but a generator of our own is read.
2. What is read there is the state that `getstate` tells, number by number, through several draws, with and
   without a second Gaussian number in store. Only then is anything written.
3. What is written is what `getstate` tells and what is drawn next, and what `setstate` sets is what is read.

The process's own generators are compared once more when a `Memory` of them is opened. Where a check fails (another
Python, another layout, a subclass, no ctypes), there is no `Memory`, and the generator is asked as everybody does.
"""

from __future__ import annotations

import random
import struct
import sys
from typing import Any

from pycore.envs.memory import Layout, Memory, Span, form_of, packed, view_of
from pycore.values.canonical import encode

__all__ = ["memory_of"]

_WORDS = 624
_BLOCK = 4 * (_WORDS + 1)
"""Bytes of a Mersenne Twister: its words, and the index of the next one."""


def memory_of(generator: Any) -> Memory | None:
    """The memory of a generator, or of one of numpy's bit generators alone; None where it must be asked."""
    if hasattr(generator, "random_raw"):
        numpy_random: Any = sys.modules["numpy.random"]
        legacy = type(generator) is numpy_random.MT19937
        generator = (numpy_random.RandomState if legacy else numpy_random.Generator)(generator)
    layout = _layout_of(generator)
    if layout is None:
        return None
    memory = Memory(generator, layout)
    # The layout is proved; that this one is like the others is seen once.
    return memory if memory.last.data == layout.told(layout.get(generator)) else None


# --- kinds ---

_layouts: dict[tuple[type, type | None], Layout | None] = {}


def _layout_of(generator: Any) -> Layout | None:
    kind = type(generator)
    bits = getattr(generator, "_bit_generator", None)
    key = kind, None if bits is None else type(bits)
    if key not in _layouts:
        _layouts[key] = _proved(*key)
    return _layouts[key]


def _proved(kind: type, bits: type | None) -> Layout | None:
    """The first layout for this kind that stands the trial."""
    if sys.implementation.name != "cpython":
        return None
    try:
        for layout in _python(kind) if bits is None else _numpy(kind, bits):
            if _inside(layout) and _holds(layout):
                return layout
    except Exception:
        # Whatever this Python or this numpy has instead: it is asked then, which is always right.
        return None
    return None


def _python(kind: type) -> list[Layout]:
    """`random.Random`: the struct behind the object's head begins with the index, and the words follow."""
    if kind is not random.Random:
        return []

    def told(state: Any) -> bytes:
        _version, words, gauss = state
        return struct.pack(f"={_WORDS + 1}I", words[-1], *words[:-1]) + packed(gauss)

    def draw(generator: random.Random) -> Any:
        return generator.random(), generator.getrandbits(_BLOCK * 8), generator.gauss(0.0, 1.0)

    layout = Layout(
        (Span(False, object.__basicsize__, _BLOCK),),
        make=random.Random,
        get=random.Random.getstate,
        put=random.Random.setstate,
        told=told,
        draw=draw,
        gauss_next=True,
    )
    return [layout]


def _numpy(kind: type, bits: type) -> list[Layout]:
    """numpy's kinds that are used: RandomState on MT19937, and Generator on PCG64 (`default_rng`) or SFC64."""
    numpy_random: Any = sys.modules["numpy.random"]
    name = bits.__name__
    if bits is not getattr(numpy_random, name, None):
        return []
    offset = _offset(bits(1))
    if kind is numpy_random.RandomState and name == "MT19937":
        return [_legacy(numpy_random, offset)]
    if issubclass(kind, numpy_random.Generator):
        if name in ("PCG64", "PCG64DXSM"):
            return [_pcg64(numpy_random, bits, offset, high_first) for high_first in (False, True)]
        if name == "SFC64":
            return [_sfc64(numpy_random, bits, offset)]
    return []


def _legacy(numpy_random: Any, offset: int) -> Layout:
    has, gauss = _gauss_offsets(numpy_random)

    def told(state: Any) -> bytes:
        twister = state["state"]
        words = struct.pack(f"={_WORDS + 1}I", *twister["key"].tolist(), twister["pos"])
        return words + struct.pack("=id", state["has_gauss"], state["gauss"])

    def draw(generator: Any) -> Any:
        return generator.random_sample(), generator.bytes(_BLOCK), generator.standard_normal()

    return Layout(
        (Span(True, offset, _BLOCK), Span(False, has, 4), Span(False, gauss, 8)),
        make=numpy_random.RandomState,
        get=lambda generator: generator.get_state(legacy=False),
        put=lambda generator, state: generator.set_state(state),
        told=told,
        draw=draw,
    )


def _gauss_offsets(numpy_random: Any) -> tuple[int, int]:
    """Where a RandomState keeps whether a second Gaussian number is in store, and the number: by trying."""
    # A pointer, an int and a double, as C lays them out; the pointer is left alone.
    back = struct.calcsize("Pid") - struct.calcsize("d") - struct.calcsize("P")
    generator = numpy_random.RandomState(1)
    state = generator.get_state(legacy=False)
    start = object.__basicsize__
    places = []
    for number in (0.1234567890123, -98765.43210987):
        generator.set_state({**state, "has_gauss": 1, "gauss": number})
        memory = view_of(generator, Span(False, start, type(generator).__basicsize__ - start)).tobytes()
        pattern = struct.pack("=d", number)
        if memory.count(pattern) != 1:
            raise LookupError("the number is not there, or more than once")
        places.append(start + memory.index(pattern))
    if places[0] != places[1]:
        raise LookupError("the number was found at two places")
    return places[0] - back, places[0]


def _pcg64(numpy_random: Any, bits: type, offset: int, high_first: bool) -> Layout:
    """A pointer to the two 128-bit numbers, which is left alone, and half a word in store."""
    pointer = struct.calcsize("P")
    one = bits(1)
    numbers = struct.unpack("P", view_of(one, Span(False, offset, pointer)))[0] - id(one)

    def number(value: int) -> bytes:
        low, high = value & 0xFFFFFFFFFFFFFFFF, value >> 64
        return struct.pack("=QQ", high, low) if high_first else struct.pack("=QQ", low, high)

    def told(state: Any) -> bytes:
        inner = state["state"]
        rest = struct.pack("=iI", state["has_uint32"], state["uinteger"])
        return number(inner["state"]) + number(inner["inc"]) + rest

    spans = Span(True, numbers, 32), Span(True, offset + pointer, 8)
    return Layout(spans, told=told, **_of_generators(numpy_random, bits))


def _sfc64(numpy_random: Any, bits: type, offset: int) -> Layout:
    def told(state: Any) -> bytes:
        words = state["state"]["state"].tolist()
        return struct.pack("=4QiI", *words, state["has_uint32"], state["uinteger"])

    return Layout((Span(True, offset, 40),), told=told, **_of_generators(numpy_random, bits))


def _of_generators(numpy_random: Any, bits: type) -> dict[str, Any]:
    def draw(generator: Any) -> Any:
        # One number of 16 bits leaves half a word in store; every second draw uses it up.
        return generator.integers(1 << 16), generator.random(), generator.bytes(36), generator.integers(1 << 16)

    def put(generator: Any, state: Any) -> None:
        generator.bit_generator.state = state

    return {
        "make": lambda seed: numpy_random.Generator(bits(seed)),
        "get": lambda generator: generator.bit_generator.state,
        "put": put,
        "draw": draw,
    }


# --- the trial ---


def _inside(layout: Layout) -> bool:
    """All of it lies behind the head and before the end of the objects of exactly these types."""
    generator = layout.make(0)
    for span in layout.spans:
        kind = type(generator._bit_generator if span.of_bits else generator)
        # Behind the struct of the Mersenne Twister, a subclass in Python may have pointers.
        kind = kind.__base__ if kind is random.Random and kind.__base__ is not None else kind
        if span.offset < object.__basicsize__ or span.offset + span.size > kind.__basicsize__:
            return False
    return True


def _holds(layout: Layout) -> bool:
    """Whether memory and `getstate` say the same, both ways, draw by draw."""
    one, other = layout.make(1), layout.make(2)
    read, _ = layout.open(one)
    seen: list[tuple[bytes, bytes, Any]] = []
    for _ in range(5):
        state = layout.get(one)
        data = read()
        if data != layout.told(state) or layout.open(other)[0]() == data:
            return False
        seen.append((data, encode(form_of(state)), state))
        layout.draw(one)
    if len({data for data, _, _ in seen}) != len(seen):
        return False
    read_other, write_other = layout.open(other)
    for data, form, state in seen:
        layout.put(one, state)
        write_other(data)
        if not read() == data == read_other() or encode(form_of(layout.get(other))) != form:
            return False
        if layout.draw(one) != layout.draw(other) or read() != read_other():
            return False
    return True


def _offset(bits: Any) -> int:
    """Where the state begins in a bit generator, which numpy tells."""
    offset: int = bits.ctypes.state_address - id(bits)
    return offset
