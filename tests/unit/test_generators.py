"""Generators: read as memory where that is proved, asked where it is not, and the same in the canonical form."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optional import needs_numpy, numpy

from pycore.envs import ParallelEnvAdapter, layouts, memory
from pycore.envs.generators import Asked
from pycore.envs.layouts import memory_of
from pycore.envs.memory import Layout, Memory, Span, form_of
from pycore.values.canonical import decode, digest, encode


def on(name: str) -> Callable[[int], Any]:
    return lambda seed: numpy.random.Generator(getattr(numpy.random, name)(seed))


KINDS = [
    pytest.param(random.Random, id="random"),
    pytest.param(lambda seed: numpy.random.RandomState(seed), id="RandomState", marks=needs_numpy),
    pytest.param(on("PCG64"), id="PCG64", marks=needs_numpy),
    pytest.param(on("PCG64DXSM"), id="PCG64DXSM", marks=needs_numpy),
    pytest.param(on("SFC64"), id="SFC64", marks=needs_numpy),
]

DRAWS = ("one", "half a word", "gauss", "many")


def draw(generator: Any, what: str) -> Any:
    """One draw, of every kind of generator."""
    python = isinstance(generator, random.Random)
    if what == "one":
        return float(generator.random())
    if what == "half a word":
        if python:
            return generator.getrandbits(16)
        return int(generator.integers(1 << 16) if hasattr(generator, "integers") else generator.randint(1 << 16))
    if what == "gauss":
        return generator.gauss(0.0, 1.0) if python else float(generator.standard_normal())
    return generator.getrandbits(30_000) if python else generator.bytes(3000)


def opened(generator: Any) -> Memory:
    found = memory_of(generator)
    assert found is not None, "this kind of generator is not read as memory here"
    return found


def form(generator: Any) -> bytes:
    """The canonical form of what the generator itself tells."""
    return encode(form_of(Asked(generator).state()))


class Player:
    """Draws from all three generators in every step, and in twos, so that second Gaussian numbers are in store."""

    def __init__(self) -> None:
        self.agents = [0, 1]

    def reset(self, seed: int) -> Any:
        self.agents, self.x = [0, 1], 0
        if numpy is not None:
            self.np_random = numpy.random.default_rng(seed)
        return {}, {}

    def step(self, actions: dict[Any, Any]) -> Any:
        self.x += random.getrandbits(8)
        random.gauss(0.0, 1.0)
        if numpy is not None:
            self.x += int(numpy.random.randint(256))
            numpy.random.standard_normal()
        if hasattr(self, "np_random") and hasattr(self.np_random, "bit_generator"):
            self.x += int(self.np_random.bit_generator.random_raw() % 256)
        zero = dict.fromkeys(self.agents, 0)
        return zero, zero, dict.fromkeys(self.agents, False), dict.fromkeys(self.agents, False), {}

    def get_state(self) -> Any:
        return {"x": self.x}

    def set_state(self, state: Any) -> None:
        self.x = state["x"]


def played(frames: int = 5, env: Any = None) -> list[bytes]:
    """The canonical bytes of every frame, with a rollback of three frames in the middle."""
    adapter = ParallelEnvAdapter(env or Player(), [0, 1], seed=3)
    adapter.reset(0)
    saves = [adapter.save()]
    for _ in range(frames):
        adapter.step([0, 0])
        saves.append(adapter.save())
    before = [adapter.canonical(saved) for saved in saves]
    adapter.load(saves[frames - 3])
    again = []
    for _ in range(3):
        adapter.step([0, 0])
        again.append(adapter.canonical(adapter.save()))
    assert again == before[-3:]
    assert [adapter.canonical(saved) for saved in saves] == before
    return before


# --- memory ---


@pytest.mark.parametrize("make", KINDS)
@given(seeds=st.tuples(st.integers(0, 99), st.integers(100, 199)), draws=st.lists(st.sampled_from(DRAWS), max_size=8))
def test_memory_says_what_the_generator_says(make: Any, seeds: Any, draws: list[str]) -> None:
    """The same canonical form; and what is written draws on as the first did."""
    one, other = (make(seed) for seed in seeds)
    ours, theirs = opened(one), opened(other)
    seen = set()
    for what in [*draws, "one"]:
        draw(one, what)
        state = ours.state()
        assert ours.state() is state, "nobody has drawn"
        assert encode(form_of(state)) == form(one)
        theirs.load(state)
        assert form(other) == form(one)
        assert theirs.state().data == state.data
        seen.add((state.data, form(one)))
        assert [draw(other, each) for each in DRAWS] == [draw(one, each) for each in DRAWS]
    assert len({data for data, _ in seen}) == len({told for _, told in seen})


@pytest.mark.parametrize("make", KINDS)
def test_a_state_goes_from_memory_to_a_generator_that_is_asked_and_back(make: Any) -> None:
    """So it does not matter which of them was there when it was saved."""
    one, other = make(1), make(2)
    draw(one, "gauss")
    Asked(other).load(opened(one).state())
    assert form(other) == form(one)
    told = Asked(one).state()
    draw(one, "many")
    opened(one).load(told)
    assert form(one) == form(other)


def test_what_is_the_same_is_not_written() -> None:
    """A rollback of an environment that draws nothing leaves the generators alone."""
    generator = random.Random(1)
    found = opened(generator)
    state = found.state()
    writes: list[bytes] = []
    found._write = writes.append
    found.load(state)
    assert writes == []
    generator.random()
    found.load(state)
    assert writes == [state.data]


# --- where it is not proved ---


class Own(random.Random):
    """A subclass may keep more than its memory."""


@pytest.fixture
def unproved(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing has been tried yet in this process."""
    monkeypatch.setattr(layouts, "_layouts", {})
    return monkeypatch


def patch_view(monkeypatch: pytest.MonkeyPatch, view: Any) -> None:
    for module in (memory, layouts):
        monkeypatch.setattr(module, "view_of", view)


def no_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_ctypes", None)
    memory._octet.cache_clear()


def another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "implementation", SimpleNamespace(name="pypy"))


def another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words lie four bytes off, all within the object."""
    true = memory.view_of
    patch_view(monkeypatch, lambda owner, span: true(owner, span._replace(offset=span.offset - 4)))


def deaf_to_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written into the memory goes elsewhere."""
    true = memory.view_of
    patch_view(monkeypatch, lambda owner, span: memoryview(bytearray(true(owner, span).tobytes())))


BREAKS = [no_ctypes, another_python, another_place, deaf_to_writing]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("break_it", BREAKS)
def test_memory_that_is_not_proved_is_not_used(unproved: Any, break_it: Any, make: Any) -> None:
    """Without a word: the generator is asked then."""
    break_it(unproved)
    assert memory_of(make(1)) is None


@pytest.mark.parametrize("break_it", BREAKS)
def test_states_are_the_same_whether_memory_is_used_or_not(unproved: Any, break_it: Any) -> None:
    """A page without it and one with it agree on every hash."""
    expected = played()
    unproved.setattr(layouts, "_layouts", {})
    break_it(unproved)
    assert played() == expected


def test_nothing_is_written_before_what_is_read_was_right(unproved: Any) -> None:
    """A layout that is wrong by a word is found out by reading a generator of its own."""
    writes = []

    class Spied(Layout):
        def open(self, generator: Any) -> Any:
            read, _ = super().open(generator)
            return read, writes.append

    (right,) = layouts._python(random.Random)
    options = {name: getattr(right, name) for name in ("make", "get", "put", "told", "draw", "gauss_next")}
    assert not layouts._holds(Spied((right.spans[0]._replace(offset=right.spans[0].offset - 4),), **options))
    assert writes == []
    assert not layouts._holds(Spied(right.spans, **options)), "this one reads right, and is deaf to writing"
    assert writes


@pytest.mark.parametrize("shift", [-8, 8, 4000])
def test_memory_outside_of_the_generators_object_is_not_even_read(shift: int) -> None:
    """The size of its type says where it ends."""
    (right,) = layouts._python(random.Random)
    assert layouts._inside(right)
    (span,) = right.spans
    right.spans = (Span(False, span.offset + shift, span.size),)
    assert not layouts._inside(right)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Own(1), id="a subclass"),
        pytest.param(lambda: on("Philox")(1), id="a bit generator of another kind", marks=needs_numpy),
        pytest.param(
            lambda: numpy.random.RandomState(numpy.random.PCG64(1)), id="another one in it", marks=needs_numpy
        ),
    ],
)
def test_an_unknown_kind_is_asked_and_comes_back_all_the_same(make: Any) -> None:
    """As np_random of an environment."""
    assert memory_of(make()) is None

    class Other(Player):
        def reset(self, seed: int) -> Any:
            outcome = super().reset(seed)
            self.np_random = make()
            return outcome

        def step(self, actions: dict[Any, Any]) -> Any:
            self.x += int(draw(self.np_random, "one") * 1000) + int(draw(self.np_random, "half a word"))
            return super().step(actions)

    states = played(env=Other())
    assert "np_random" in decode(states[-1])
    assert len(set(states)) == len(states)


# --- in the adapter ---


@needs_numpy
def test_the_hashes_are_those_of_before() -> None:
    """The canonical form is fixed by what getstate says: peers of other versions and files hold it."""
    adapter = ParallelEnvAdapter(Player(), [0, 1], seed=3)
    adapter.reset(0)
    found = []
    for _ in range(3):
        found.append(digest(adapter.canonical(adapter.save())).hex())
        adapter.step([0, 0])
    assert found == ["de815bb341b82eeb", "a0288d56fd99dcee", "49f9264437662f3b"]


def test_the_adapter_reads_memory() -> None:
    """Nobody is asked for a state while frames are stepped and rolled back."""
    adapter = ParallelEnvAdapter(Player(), [0, 1], seed=3)
    adapter.reset(0)
    for way in (adapter._generators._ours, adapter._generators._theirs, adapter._generators._own):
        assert type(way) is Memory or (numpy is None and way is None)
    assert len(played()) == 6


@pytest.mark.parametrize("make", KINDS)
def test_a_generator_that_set_state_makes_anew_is_followed(make: Any) -> None:
    """np_random is another object then, in the middle of an episode."""

    class Steady(Player):
        def reset(self, seed: int) -> Any:
            outcome = super().reset(seed)
            self.np_random = make(seed)
            return outcome

        def step(self, actions: dict[Any, Any]) -> Any:
            self.x += draw(self.np_random, "half a word")
            return super().step(actions)

    class Changing(Steady):
        def set_state(self, state: Any) -> None:
            super().set_state(state)
            self.np_random = make(99)

    states = played(env=Changing())
    assert states == played(env=Steady())
    assert len(set(states)) == len(states)


@needs_numpy
def test_a_bit_generator_that_was_put_in_the_place_of_another_is_followed() -> None:
    """As numpy.random.set_bit_generator does, behind the same functions and the same np_random."""

    class Shared(Player):
        def reset(self, seed: int) -> Any:
            outcome = super().reset(seed)
            self.np_random = numpy.random.mtrand._rand
            return outcome

    before = numpy.random.get_bit_generator()
    adapter = ParallelEnvAdapter(Shared(), [0, 1], seed=3)
    adapter.reset(0)
    try:
        numpy.random.set_bit_generator(numpy.random.MT19937(5))
        adapter.step([0, 0])
        saved = adapter.save()
        told = decode(encode(Asked(numpy.random.mtrand._rand).state()))
        found = decode(adapter.canonical(saved))
        assert found["numpy"] == found["np_random"] == told
        first = numpy.random.bytes(8)
        adapter.load(saved)
        assert numpy.random.bytes(8) == first
    finally:
        numpy.random.set_bit_generator(before)


def test_a_resume_before_a_load_puts_nothing_back_twice() -> None:
    """The load says where the generators are; only without one they return to where the simulation left them."""
    adapter = ParallelEnvAdapter(Player(), [0, 1], seed=3)
    adapter.reset(0)
    saved: Any = adapter.save()
    adapter.step([0, 0])
    left = adapter._generators.left
    ours: Any = adapter._generators._ours
    loads: list[Any] = []
    adapter._generators._ours = SimpleNamespace(  # type: ignore[assignment]
        state=ours.state, load=lambda state: (loads.append(state), ours.load(state)), bits=None, generator=None
    )
    random.random()
    adapter.resume()
    adapter.load(saved)
    adapter.step([0, 0])
    assert loads == [saved.rngs[0]]
    assert adapter._generators.left[0].data == left[0].data
    random.random()
    adapter.resume()
    adapter.step([0, 0])
    assert [state.data for state in loads[1:]] == [left[0].data]


def test_after_a_resume_the_environment_meets_the_generators_as_it_left_them() -> None:
    """Whatever of it comes first: its state may hold theirs, and its hook may draw."""

    class Keeper(Player):
        def get_state(self) -> Any:
            return {"x": self.x, "random": str(random.getstate())}

    hooked = []
    adapter = ParallelEnvAdapter(Keeper(), [0, 1], seed=3, on_step=lambda env: hooked.append(random.getstate()))
    adapter.reset(0)
    adapter.step([0, 0])
    left = random.getstate()
    before = adapter.canonical(adapter.save())
    random.random()
    adapter.resume()
    assert adapter.canonical(adapter.save()) == before
    random.random()
    adapter.resume()
    adapter.step([0, 0])
    assert hooked[-1] == left


def test_contents_are_what_the_canonical_bytes_are_of() -> None:
    """So that a session can encode them in pieces."""
    adapter = ParallelEnvAdapter(Player(), [0, 1], seed=3)
    adapter.reset(0)
    for _ in range(2):
        saved = adapter.save()
        assert encode(adapter.contents(saved)) == adapter.canonical(saved)
        adapter.step([0, 0])
    assert adapter.contents(saved)["env"] == {"x": decode(adapter.canonical(saved))["env"]["x"]}
