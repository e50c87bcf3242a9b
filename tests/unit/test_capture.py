"""Capture: what an environment without `get_state` is, taken from its attributes and put back."""

from __future__ import annotations

import abc
import copyreg
import enum
import gc
import importlib.util
import itertools
import random
import sys
import threading
import warnings
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optional import needs_numpy, numpy

from pycore import Settings
from pycore.envs import ParallelEnvAdapter
from pycore.envs.capture import Capture
from pycore.envs.chains import Chain, chain_of
from pycore.errors import ConfigError, EnvironmentUnfit
from pycore.testing import Conditions, Mesh, ground_truth, wrong_with
from pycore.values.canonical import decode, encode


class Env:
    """Whatever a test sets; it has a `step`, so wrappers are known for what they are."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def step(self, actions: Any) -> None:
        """Nothing."""


class Node:
    def __init__(self, name: str, other: Any = None) -> None:
        self.name = name
        self.other = other


class Slotted:
    __slots__ = ("empty", "x")

    def __init__(self) -> None:
        self.x = [1]


class Colour(enum.Enum):
    RED = [1]  # noqa: RUF012 - a member's value may be anything


class Ledger(dict):  # type: ignore[type-arg]
    """A dictionary with an attribute of its own."""

    note = "none"


def square(x: int) -> int:
    return x * x


def back_to(env: Env, change: Callable[[], None]) -> None:
    """Save, change, load: the same canonical bytes as before, and other ones in between."""
    capture = Capture(env)
    saved = capture.save()
    before = encode(capture.contents(saved))
    change()
    assert encode(capture.contents(capture.save())) != before
    capture.load(saved)
    assert encode(capture.contents(capture.save())) == before
    assert encode(capture.contents(saved)) == before


# -- what comes back ---------------------------------------------------------------------------------------------


def test_everything_comes_back_and_nothing_that_was_not_there() -> None:
    env = Env(a=[1, {"b": (2, [3])}], t=0)

    def change() -> None:
        env.a[1]["b"][1].append(4)
        env.t = 1
        env.new = "what was not there"

    back_to(env, change)
    assert env.__dict__ == {"a": [1, {"b": (2, [3])}], "t": 0}


def test_a_snapshot_is_its_own_and_can_be_loaded_any_number_of_times() -> None:
    env = Env(trail=[])
    capture = Capture(env)
    saved = capture.save()
    for _ in range(3):
        env.trail.append(1)
        capture.load(saved)
        assert env.trail == []


def test_one_object_in_two_places_stays_one_and_two_equal_ones_stay_two() -> None:
    shared = [1]
    env = Env(a=shared, b=shared, c=[1])
    capture = Capture(env)
    capture.load(capture.save())
    assert env.a is env.b
    assert env.a is not env.c
    env.a = env.b = Node("one")
    one = encode(capture.contents(capture.save()))
    env.b = Node("one")
    assert encode(capture.contents(capture.save())) != one


def test_cycles_and_references_to_the_environment_itself() -> None:
    left = Node("left")
    left.other = Node("right", left)
    env = Env(left=left)
    env.me, env.method = env, env.step
    capture = Capture(env)

    def change() -> None:
        env.left.other.name = "wrong"

    back_to(env, change)
    assert env.left.other.other is env.left
    assert env.me is env
    assert env.method.__self__ is env
    assert len(capture.save().data) < 500, "the environment is not pickled with itself"


@pytest.mark.parametrize(
    ("make", "spoil"),
    [
        (lambda: deque([1, 2], 3), lambda v: v.append(3)),
        (lambda: defaultdict(list, a=[1]), lambda v: v["b"].append(1)),
        (lambda: OrderedDict(a=1), lambda v: v.update(b=2)),
        (lambda: Counter("abc"), lambda v: v.update("a")),
        (lambda: {(0, 1), (2, 3)}, lambda v: v.add((4, 5))),
        (lambda: {Colour.RED: 1, (1, "a"): 2}, lambda v: v.pop(Colour.RED)),
        (Slotted, lambda v: v.x.append(2)),
        (Slotted, lambda v: setattr(v, "empty", 1)),
        (lambda: bytearray(b"ab"), lambda v: v.append(1)),
        (lambda: random.Random(7), lambda v: v.random()),
        (lambda: random.Random(7), lambda v: v.gauss(0, 1)),
        (lambda: [iter([1, 2, 3])], lambda v: next(v[0])),
        (lambda: SimpleNamespace(x=1), lambda v: setattr(v, "x", 2)),
        (lambda: {Node("a"): 1}, lambda v: v.clear()),
        (lambda: {Node("a"), Node("b")}, lambda v: v.pop()),
        (lambda: ledger("first"), lambda v: setattr(v, "note", "second")),
        (lambda: deep(100), lambda v: innermost(v).append(1)),
    ],
)
def test_whatever_a_state_is_made_of_comes_back(make: Callable[[], Any], spoil: Callable[[Any], Any]) -> None:
    env = Env(value=make())
    back_to(env, lambda: spoil(env.value))
    again = Env(value=make())
    assert contents_of(env) == contents_of(again), "two that were made alike have the same form"


def ledger(note: str) -> Ledger:
    made = Ledger(a=1)
    made.note = note
    return made


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


def innermost(value: list[Any]) -> list[Any]:
    while value:
        value = value[0]
    return value


def contents_of(env: Any) -> bytes:
    capture = Capture(env)
    return encode(capture.contents(capture.save()))


PLAIN = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=3) | st.integers(-5, 5), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(Node, st.text(max_size=3), inner)
    ),
    max_leaves=20,
)


@pytest.mark.slow
@given(TREES, TREES)
def test_any_tree_comes_back_and_two_that_differ_have_two_forms(one: Any, other: Any) -> None:
    env = Env(value=one)
    capture = Capture(env)
    saved = capture.save()
    form = encode(capture.contents(saved))
    decode(form, max_bytes=len(form), max_items=len(form))
    env.value = other
    between = encode(capture.contents(capture.save()))
    capture.load(saved)
    assert encode(capture.contents(capture.save())) == form
    assert (between == form) is (described(one) == described(other))


def described(value: Any) -> str:
    if isinstance(value, Node):
        return f"Node({value.name!r}, {described(value.other)})"
    if isinstance(value, dict):
        return f"{{{sorted((repr(key), described(item)) for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{[described(item) for item in value]}]"
    return repr(value)


# -- numpy -------------------------------------------------------------------------------------------------------


@needs_numpy
def test_numbers_and_types_of_numpy_come_back_as_what_they_were() -> None:
    names = ("bool", "int8", "uint16", "int64", "uint64", "float16", "float32", "float64", "complex128")
    numbers = [numpy.dtype(name).type(1) for name in names]
    types = [numpy.dtype(name) for name in (">f4", "<u2", "S3", "O", [("x", "<f8"), ("y", "<i4")])]
    tagged = numpy.dtype("<f8", metadata={"unit": "m"})
    numbers += [numpy.uint64(2**64 - 1), numpy.int64(-(2**63)), numpy.float32(0.1), numpy.float64("-0.0")]
    arrays = [numpy.ones(2, kind) for kind in (*types[:3], tagged)]
    env = Env(numbers=numbers, types=types, arrays=arrays, tagged=tagged)

    def change() -> None:
        env.numbers, env.types, env.arrays, env.tagged = [], [], [], None

    back_to(env, change)
    assert [type(number) for number in env.numbers] == [type(number) for number in numbers]
    assert [number.tobytes() for number in env.numbers] == [number.tobytes() for number in numbers]
    assert env.types == types
    assert [array.dtype for array in env.arrays[:3]] == types[:3]
    assert env.tagged.metadata == {"unit": "m"}


@needs_numpy
def test_views_stay_views_and_subclasses_keep_their_attributes() -> None:
    class Unit(numpy.ndarray):  # type: ignore[misc,name-defined]
        unit = "none"

    grid = numpy.arange(12.0).reshape(3, 4)
    measured = numpy.zeros(2).view(Unit)
    measured.unit = "m"
    alone = measured.copy()  # no view of anything
    alone.unit = "km"
    env = Env(
        alone=alone,
        grid=grid,
        row=grid[1],
        part=grid[::2, 1:3],
        turned=grid.T,
        measured=measured,
        mixed=[numpy.array([{}, 1], object)],
    )
    capture = Capture(env)

    def change() -> None:
        env.grid[:] = 0
        env.mixed[0][0]["in"] = "an array of objects"

    back_to(env, change)
    for _ in range(3):
        capture.load(capture.save())
    env.row[0] = 100.0
    env.part[1, 0] = 200.0
    assert env.grid[1, 0] == env.turned[0, 1] == 100.0
    assert env.grid[2, 1] == 200.0
    assert (env.measured.unit, env.alone.unit) == ("m", "km")
    assert type(env.measured) is type(env.alone) is Unit
    assert env.grid.flags.writeable
    sizes = [len(capture.save().data) for _ in range(9) if capture.load(capture.save()) is None]
    assert len(set(sizes[-3:])) == 1, "nothing grows from one copy to the next"


@needs_numpy
@pytest.mark.parametrize("kind", ["default_rng", "RandomState"])
def test_a_generator_stays_the_object_that_it_is_and_looking_at_a_snapshot_draws_nothing(kind: str) -> None:
    generator = getattr(numpy.random, kind)(5)
    env = Env(rng=generator, again=generator)
    capture = Capture(env)
    saved = capture.save()
    first = generator.random(3).tolist()
    capture.contents(saved)
    second = generator.random(3).tolist()
    capture.load(saved)
    assert env.rng is generator is env.again
    assert generator.random(3).tolist() == first
    assert generator.random(3).tolist() == second
    env.rng = getattr(numpy.random, kind)(6)
    capture.load(saved)
    assert env.rng is generator


# -- layers ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_generators_that_are_no_more_are_not_held() -> None:
    """One in every frame, as games have it that draw from the seed and the frame alone: 400 MB an hour were kept."""
    env = Env(rng=None)
    capture = Capture(env)
    made: weakref.WeakSet[Any] = weakref.WeakSet()
    for frame in range(1500):
        env.rng = random.Random(frame)
        made.add(env.rng)
        saved = capture.save()
        drawn = env.rng.random()
        capture.load(saved)
        assert env.rng.random() == drawn
    gc.collect()
    assert len(made) <= 600


def test_wrappers_and_what_they_wrap_stay_the_objects_that_they_are() -> None:
    inner = Env(x=1)
    outer = Env(env=Env(env=inner, steps=0))
    assert chain_of(outer)[-1] is inner
    capture = Capture(outer)
    saved = capture.save()
    middle = outer.env
    inner.x, middle.steps = 2, 5
    capture.load(saved)
    assert outer.env is middle
    assert middle.env is inner
    assert (inner.x, middle.steps) == (1, 0)


def test_an_inner_environment_that_is_replaced_at_reset_is_found_anew() -> None:
    outer = Env(env=Env(x=1))
    capture = Capture(outer)
    old, first = outer.env, capture.save()
    outer.env = new = Env(x=10)
    second = capture.save()
    new.x = 11
    capture.load(second)
    assert outer.env is new
    assert new.x == 10
    capture.load(first)
    assert outer.env is old
    assert old.x == 1


# -- what is shared, and what is refused -----------------------------------------------------------------------------


def test_code_that_cannot_be_imported_may_come_at_any_time() -> None:
    env = Env(x=[1])
    capture = Capture(env)
    first = capture.save()

    class Local(abc.ABC):  # noqa: B024 - its type is not `type`, and that is all
        y = 2

    env.thing, env.f = Local(), lambda: 3
    kept = env.f
    second = capture.save()
    capture.load(first)
    assert vars(env) == {"x": [1]}
    capture.load(second)
    assert type(env.thing) is Local
    assert env.f is kept


class Money:
    """Says how it is pickled elsewhere."""

    def __init__(self, amount: int) -> None:
        self.amount = amount


def test_what_says_elsewhere_how_it_is_pickled_is_asked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(copyreg.dispatch_table, Money, lambda money: (Money, (money.amount + 100,)))
    env = Env(money=Money(1))
    capture = Capture(env)
    capture.load(capture.save())
    assert env.money.amount == 101


class Surface:
    """A picture: it cannot be copied."""

    def __reduce__(self) -> Any:
        raise TypeError("no picture can be pickled")


Surface.__module__ = "pygame.surface"


def test_code_and_pictures_are_shared() -> None:
    picture = Surface()

    class Local:
        x = 1

    env = Env(
        f=lambda x: x + 1, g=square, module=random, kind=Local, thing=Local(), picture=picture, kinds=[Local, Node]
    )
    before = dict(env.__dict__)
    capture = Capture(env)
    capture.load(capture.save())
    assert {name: env.__dict__[name] for name in before if name != "thing"} == {
        name: before[name] for name in before if name != "thing"
    }
    assert type(env.thing) is Local
    assert env.thing is not before["thing"]
    env.picture = Surface()
    new = capture.save()
    capture.load(new)
    assert env.picture is not picture


class Space:
    """As gymnasium's, from which all of its spaces are derived: no state, and its generator takes long to copy."""

    __module__ = "gymnasium.spaces.space"


class Discrete(Space):
    """A study's own."""


def test_spaces_are_shared_also_those_of_classes_derived_from_gymnasiums() -> None:
    space = Discrete()
    env = Env(action_space=space, spaces={"a": space}, x=[1])
    capture = Capture(env)
    saved = capture.save()
    env.x.append(2)
    capture.load(saved)
    assert env.x == [1]
    assert env.action_space is env.spaces["a"] is space


def test_a_space_that_was_only_asked_for_its_generator_is_told_alike() -> None:
    """gymnasium copies it, to make a space of several: what it begins with came from the operating system."""
    told = []
    for number in (1, 2):
        space = Discrete()
        space._np_random = random.Random(number)  # type: ignore[attr-defined]
        told.append(contents_of(Env(action_space=space)))
    assert told[0] == told[1]


@pytest.mark.parametrize("where", ["itself", "in a dict", "in a tuple"])
def test_a_space_that_the_game_draws_from_goes_on_where_it_was(where: str) -> None:
    """Creatures that do what sample() says. It was shared as it stood, so each rollback drew on."""
    drawn = Discrete()
    drawn._np_random = random.Random(3)  # type: ignore[attr-defined]
    space: Any = drawn
    if where != "itself":
        space = Discrete()
        space.spaces = {"a": drawn} if where == "in a dict" else (Discrete(), drawn)
    env = Env(action_space=space, only=drawn)
    capture = Capture(env)
    saved = capture.save()
    before = [env.only._np_random.random() for _ in range(3)]
    for _ in range(2):
        capture.load(saved)
        assert env.action_space is space
        assert env.only is drawn
        assert encode(capture.contents(capture.save())) == encode(capture.contents(saved))
        assert [env.only._np_random.random() for _ in range(3)] == before
        assert encode(capture.contents(capture.save())) != encode(capture.contents(saved))


class EzPickle:
    """As gymnasium's: what is pickled is the call of the constructor."""

    def __init__(self, *args: Any) -> None:
        self._ezpickle_args = args

    def __getstate__(self) -> Any:
        return {"args": self._ezpickle_args}

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(type(self)(*state["args"]).__dict__)


class Lazy(EzPickle):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.cells = [0] * size


def test_an_ezpickle_keeps_its_state() -> None:
    env = Env(world=Lazy(2))
    env.world.cells[0] = 5
    capture = Capture(env)
    saved = capture.save()
    env.world.cells[0] = 6
    capture.load(saved)
    assert env.world.cells == [5, 0]


def test_a_weak_reference_refers_to_what_was_loaded() -> None:
    node = Node("a")
    env = Env(node=node, weak=weakref.ref(node))
    capture = Capture(env)
    capture.load(capture.save())
    assert env.weak() is env.node is not node


def locking(lock: Any) -> Callable[[], Any]:
    return lambda: lock


def generating() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("make", "path", "why"),
    [
        (lambda: {"deep": [Node("a", threading.Lock())]}, r"world\['deep'\]\[0\]\.other, a lock", "cannot pickle"),
        (lambda: [generating()], r"world\[0\], a generator", "cannot pickle"),
        (lambda: locking(threading.Lock()), r"world\(\)\.lock, a lock", "cannot pickle"),
        (lambda: [random.Random(1), threading.Lock()], r"world\[1\], a lock", "cannot pickle"),
        (lambda: [weakref.WeakSet()], r"world\[0\]\._remove", "would not see"),
        (weakref.WeakKeyDictionary, r"world\._remove", "would not see"),
        (weakref.WeakValueDictionary, r"world\._remove", "would not see"),
    ],
)
def test_what_cannot_be_held_is_refused_by_its_path(make: Callable[[], Any], path: str, why: str) -> None:
    with pytest.raises(EnvironmentUnfit, match=path) as caught:
        Capture(Env(env=Env(world=make())))
    assert why in str(caught.value)
    assert "get_state() and set_state(state)" in str(caught.value)


# -- as a simulation ---------------------------------------------------------------------------------------------


class Ring:
    """Two agents on a ring; counts its resets, and keeps what it drew in its constructor's generator."""

    def __init__(self) -> None:
        self.possible_agents = [0, 1]
        self.resets = 0
        self.rng = random.Random()

    def reset(self, seed: int) -> Any:
        self.resets += 1
        self.agents = [0, 1]
        self.rng.seed(seed)
        self.at = dict.fromkeys(self.agents, self.resets * 100)
        return dict(self.at), {}

    def step(self, actions: dict[Any, Any]) -> Any:
        for agent, action in actions.items():
            self.at[agent] += action + self.rng.randrange(2)
        rewards = {agent: float(place) for agent, place in self.at.items()}
        flags = dict.fromkeys(self.agents, False)
        return dict(self.at), rewards, flags, flags, {agent: {} for agent in self.agents}


def test_what_cannot_be_held_is_named_also_where_all_know_each_other() -> None:
    """The path went from neighbour to neighbour, and ended in a list; of a large board it took minutes."""
    links = [Link() for _ in range(400)]
    for one, other in itertools.pairwise(links):
        one.following, other.before = other, one
    links[3].number = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(EnvironmentUnfit, match=r"captured: links\[3\]\.number, a lock, cannot be held"):
        Capture(Env(links=links))


@pytest.mark.slow
def test_the_path_to_what_is_nested_too_deep_is_no_longer_than_a_line_or_two() -> None:
    deep: Any = None
    for _ in range(12_000):
        deep = [deep]
    told = r"cannot be captured: cells\[0\].*….*\[0\], a list, cannot be held"
    with pytest.raises(EnvironmentUnfit, match=told) as found:
        Capture(Env(cells=deep))
    assert len(str(found.value)) < 800


@pytest.mark.parametrize("name", ["env", "par_env"])
def test_layers_that_are_exchanged_are_found_and_the_others_not_looked_for(name: str) -> None:
    """Whichever of them, and by whichever name it was known before."""

    class Layer:
        def __init__(self, **attributes: Any) -> None:
            vars(self).update(attributes)

        def step(self) -> None:
            """What makes an environment of it."""

    class Slots:
        __slots__ = ("env",)

        def __init__(self, env: Any) -> None:
            self.env = env

        def step(self) -> None:
            """The same."""

    outer = Layer(**{name: Layer(_env=Layer(cells=[1]))})
    chain = Chain(outer)
    middle = getattr(outer, name)

    def exchanged() -> None:
        assert list(chain.layers()) == chain_of(outer)
        assert chain.layers() is chain.layers()

    exchanged()
    middle._env = Layer(cells=[2])
    exchanged()
    middle._env.env = Layer(cells=[3])  # one more
    exchanged()
    middle.env = Layer(cells=[4])  # by a name that is looked for before
    exchanged()
    outer.__dict__ = {name: Layer(cells=[5])}
    exchanged()
    assert len(chain.layers()) == 2
    setattr(outer, name, Slots(Layer(cells=[6])))
    assert list(chain.layers()) == chain_of(outer)
    assert len(chain.layers()) == 3
    setattr(outer, name, None)
    assert list(chain.layers()) == [outer] == chain_of(outer)


class Link:
    """Of a chain; in slots as well."""

    __slots__ = ("__dict__", "following")

    def __init__(self) -> None:
        self.following: Any = None
        self.before: Any = None
        self.number = 0


def test_a_chain_that_is_too_long_for_pickle_is_captured() -> None:
    """As cells that know their neighbours are, of a large board."""
    links = [Link() for _ in range(4_000)]
    for number, (one, other) in enumerate(itertools.pairwise(links)):
        one.following, other.before, other.number = other, one, number
    env: Any = Env(first=links[0], kept=[Keeper(links[7])], f=lambda: links[5].number)
    capture = Capture(env)
    saved = capture.save()
    before = encode(capture.contents(saved))
    links[-1].number = links[5].number = -1
    links[9].following = None
    assert encode(capture.contents(capture.save())) != before
    capture.load(saved)
    assert encode(capture.contents(capture.save())) == before
    found = [env.first]
    while found[-1].following is not None:
        assert found[-1].following.before is found[-1]
        found.append(found[-1].following)
    assert [link.number for link in found] == [0, *range(3_999)]
    assert env.kept[0].link is found[7]
    assert env.f() == 4


@pytest.mark.parametrize(("count", "is_deep"), [(400, False), (1500, True)])
def test_in_a_browser_many_objects_are_pickled_one_by_one_from_the_first(
    count: int, is_deep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stack ends with the page, and no exception says so."""
    monkeypatch.setattr(sys, "platform", "emscripten")
    env: Any = Env(links=[])
    capture = Capture(env)
    capture.restart()
    env.links = [Link() for _ in range(count)]
    saved = capture.save()
    assert saved.is_deep is is_deep
    env.links[3].number = 5
    capture.load(saved)
    assert env.links[3].number == 0


@pytest.mark.parametrize(
    "held",
    [
        lambda links: defaultdict(list, enumerate(links)),
        lambda links: OrderedDict(enumerate(links)),
        lambda links: Deck(links),
        lambda links: lambda: links,
        lambda links: Keeper(links).__getstate__,
        pytest.param(lambda links: numpy.array([links, links], dtype=object), marks=needs_numpy),
    ],
)
def test_in_a_browser_many_objects_are_found_wherever_they_lie(held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "emscripten")
    env: Any = Env(held=None)
    capture = Capture(env)
    capture.restart()
    env.held = held([Link() for _ in range(1500)])
    assert capture.save().is_deep


class Deck(list[Any]):
    """Of a class of its own."""


def test_in_a_browser_objects_that_become_many_are_found_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there are so many that the page's stack ends, of which no exception says so."""
    monkeypatch.setattr(sys, "platform", "emscripten")
    env: Any = Env(links=[])
    capture = Capture(env)
    found = []
    for _ in range(40):
        env.links += [Link() for _ in range(50)]
        found.append(capture.save().is_deep)
    assert 20 <= found.index(True) < 28


@pytest.mark.parametrize("restart", [True, False])
def test_in_a_browser_objects_that_a_reset_makes_are_counted(restart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the environment may count its resets, as in the interactive_gym page."""

    class Board(Ring):
        def reset(self, seed: int) -> Any:
            self.links = [Link() for _ in range(1500)]
            return super().reset(seed)

    adapter = ParallelEnvAdapter(Board(), [0, 1], seed=1, restart=restart)
    monkeypatch.setattr(sys, "platform", "emscripten")
    adapter.reset(0)
    assert adapter.save().payload.is_deep


class Suit:
    def __init__(self, name: str) -> None:
        self.name = name


class Card:
    def __init__(self, suit: Suit) -> None:
        self.suit = suit

    def __hash__(self) -> int:
        return hash(self.suit.name)


def test_a_hash_that_asks_another_object_has_it_also_where_objects_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page could not load what the audit had loaded outside of a browser, where nobody waited."""
    monkeypatch.setattr(sys, "platform", "emscripten")
    suits = [Suit("red"), Suit("black")]
    env: Any = Env(links=[Link() for _ in range(1500)], suits=suits, seen={Card(suit): 1 for suit in suits})
    capture = Capture(env)
    saved = capture.save()
    assert saved.is_deep
    capture.load(saved)
    assert [card.suit for card in env.seen] == env.suits != suits
    assert all(card in env.seen for card in list(env.seen))


class Keeper:
    def __init__(self, link: Any) -> None:
        self.link = link

    def __getstate__(self) -> Any:
        return {}


def test_an_environment_without_get_state_passes_the_laws_also_if_it_counts_its_resets() -> None:
    adapter = ParallelEnvAdapter(Ring(), [0, 1], seed=1)
    assert adapter.state_way == "capture"
    adapter.check(script=[[frame % 3, 1] for frame in range(20)])
    for episode in range(2):
        adapter.reset(episode)
        assert adapter.env.resets == 1
    counts = ParallelEnvAdapter(Ring(), [0, 1], seed=1, restart=False)
    with pytest.raises(EnvironmentUnfit, match="resets"):
        counts.check(script=[[1, 1]] * 3)
    counts.check(script=[[1, 1]] * 3, law_1=False)
    for episode in range(2):
        counts.reset(episode)
        assert counts.env.resets == episode + 1, "trying it out counts for nothing"


@pytest.mark.slow
def test_functions_come_before_capture_and_belong_together() -> None:
    def get(env: Any) -> Any:
        return {"at": env.at, "agents": env.agents, "rng": env.rng.getstate()}

    def put(env: Any, state: Any) -> None:
        env.at, env.agents = state["at"], state["agents"]
        env.rng.setstate(state["rng"])

    adapter = ParallelEnvAdapter(Ring(), [0, 1], seed=1, get_state=get, set_state=put)
    assert adapter.state_way == "functions"
    adapter.check(script=[[1, 0]] * 10, law_1=False)
    with pytest.raises(ConfigError, match="belong together"):
        ParallelEnvAdapter(Ring(), [0, 1], seed=1, get_state=get)


@pytest.mark.parametrize(("one", "other"), [("get_state", "set_state"), ("set_state", "get_state")])
def test_one_of_the_pair_alone_is_something_else_and_attributes_are_captured(one: str, other: str) -> None:
    """Games for learners have a `get_state` that gives what a critic sees, and it may want an agent."""

    def meant_otherwise(self: Any, agent: Any) -> Any:
        raise AssertionError("nobody asks it")

    adapter = ParallelEnvAdapter(type("Half", (Ring,), {one: meant_otherwise})(), [0, 1], seed=1)
    assert adapter.state_way == "capture"
    assert adapter.described().endswith(f"by capture of its attributes, since it has {one}() and no {other}()")
    adapter.check(script=[[1, 0]] * 10)


@pytest.mark.slow
def test_captured_peers_play_the_ground_truth_over_a_bad_network() -> None:
    """Rollbacks included; each peer has an environment of its own, and so has the judge."""

    def simulation(_: int = 0) -> ParallelEnvAdapter:
        return ParallelEnvAdapter(Ring(), [0, 1], seed=4, rngs=())

    settings = Settings(max_steps=300, num_episodes=2, action_space={"type": "discrete", "n": 3}, hash_interval=10)
    mesh = Mesh(
        2,
        settings,
        simulation,
        lambda seat: lambda episode, frame: (frame // 3 + seat + episode) % 3,
        Conditions(delay=0.08, jitter=0.02, loss=0.08),
        seed=2,
    )
    mesh.run(60.0)
    assert [page.session.reason for page in mesh.peers] == ["complete", "complete"]
    for episode in range(2):
        inputs = [page.inputs[episode] for page in mesh.peers]
        truth = ground_truth(simulation(), settings, mesh.peers[0].session.codec, inputs, episode)
        for page in mesh.peers:
            assert not wrong_with(truth, page.rows[episode], page.rewards[episode], page.finals[episode])
    assert mesh.peers[0].session.timeline.resimulated > 50


class Passing:
    """A wrapper that holds what nobody can tell to be state or not, around an environment with `get_state`."""

    def __init__(self, env: Any) -> None:
        self.env = env
        self.memory = deque([0], 3)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "env":
            raise AttributeError(name)
        return getattr(self.env, name)

    def step(self, actions: Any) -> Any:
        self.memory.append(sum(actions.values()))
        return self.env.step({agent: action + self.memory[0] for agent, action in actions.items()})


class Saved(Ring):
    def get_state(self) -> Any:
        return {"at": self.at, "resets": self.resets, "agents": self.agents, "rng": self.rng.getstate()}

    def set_state(self, state: Any) -> None:
        self.at, self.resets, self.agents = state["at"], state["resets"], state["agents"]
        self.rng.setstate(state["rng"])


def test_behind_a_wrapper_whose_state_cannot_be_told_everything_is_captured() -> None:
    adapter = ParallelEnvAdapter(Passing(Saved()), [0, 1], seed=1)
    assert adapter.state_way == "capture"
    assert adapter.described() == (
        "the state of Saved is saved by capture of its attributes, since Passing: whether its attribute memory, "
        "a deque, is state cannot be told"
    )
    adapter.check(script=[[frame % 3, 1] for frame in range(20)])
    assert ParallelEnvAdapter(Saved(), [0, 1], seed=1).state_way == "get_state"


@pytest.mark.skipif(importlib.util.find_spec("gymnasium") is None, reason="gymnasium is not installed")
def test_what_wrappers_of_gymnasium_only_note_is_no_state() -> None:
    """That somebody drew, for instance; TimeLimit's count is."""
    import gymnasium

    adapter = ParallelEnvAdapter(gymnasium.make("CartPole-v1", max_episode_steps=30), [0], seed=1)
    adapter.check(script=[[frame % 2] for frame in range(20)])
    adapter.reset(0)
    before = adapter.canonical(adapter.save())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter.view.render()
    assert adapter.canonical(adapter.save()) == before
    saved = adapter.save()
    adapter.step([0])
    assert adapter.view.env.get_wrapper_attr("_elapsed_steps") == 1
    adapter.load(saved)
    assert adapter.view.env.get_wrapper_attr("_elapsed_steps") == 0


class Drawn(Ring):
    """Draws with what it keeps: a window, a count, and a cache that leads to the game."""

    window: Any = None
    pictures = 0

    def render(self) -> Any:
        self.window = self.window or Surface()
        self.pictures += 1
        self.cache = {"at": self.at}
        self.at[0] += 1000
        return [self.pictures]


def test_what_drawing_changes_is_no_part_of_the_game() -> None:
    """A window and a count are there again for the next picture; what leads to the game is made anew."""
    adapter, plain = (ParallelEnvAdapter(Drawn(), [0, 1], seed=1) for _ in range(2))
    for each in (adapter, plain):
        each.reset(0)
    for number in range(1, 6):
        assert adapter.render() == [number]
        assert adapter.env.at[0] < 1000
        adapter.step([1, 1])
        plain.step([1, 1])
        assert adapter.canonical(adapter.save()) == plain.canonical(plain.save())


def test_a_window_that_drawing_made_is_there_for_the_next_picture() -> None:
    adapter = ParallelEnvAdapter(Drawn(), [0, 1], seed=1)
    adapter.reset(0)
    seen = []
    capture = Capture(adapter.env)
    for _ in range(3):
        capture.draw(lambda: seen.append(Drawn.render(adapter.env) and adapter.env.window))
        assert adapter.env.window is None
    assert len(seen) == 3
    assert len(set(map(id, seen))) == 1
    adapter.env.window = "the game's own"
    capture.draw(lambda: seen.append(adapter.env.window))
    assert seen[-1] == "the game's own"


class InSlots:
    __slots__ = ("drawn", "x")

    def __init__(self) -> None:
        self.x = self.drawn = 0

    def step(self) -> None:
        self.x += 1


def test_what_drawing_changes_in_slots_is_taken_back_as_well() -> None:
    """An environment without a dictionary ended the game with the first picture that counted."""
    env = InSlots()
    capture = Capture(env)

    def render() -> None:
        env.drawn += 1

    for _ in range(2):
        capture.draw(render)
        env.step()
    assert (env.x, env.drawn) == (2, 0)


def test_a_picture_that_fails_halfway_changes_nothing_either() -> None:
    env = Env(x=1)
    capture = Capture(env)

    def render() -> None:
        env.x = 2
        raise RuntimeError("no screen")

    with pytest.raises(RuntimeError, match="no screen"):
        capture.draw(render)
    assert env.x == 1


def test_the_same_source_has_the_same_form_in_whichever_module_it_is_run() -> None:
    """A page executes the environment's file; whoever replays a record imports it."""
    source = "class Thing:\n    def __init__(self):\n        self.f = lambda: 1\n        self.own = [Thing]\n"
    forms = []
    for name in ("__main__", "study.env"):
        space = {"__name__": name}
        exec(source, space)
        forms.append(contents_of(space["Thing"]()))
    assert forms[0] == forms[1]


@needs_numpy
def test_what_the_game_puts_in_the_place_of_what_was_drawn_stays() -> None:
    """Also an array, whose comparison is no truth."""
    env = Env(last=None)
    capture = Capture(env)
    capture.draw(lambda: setattr(env, "last", 3))
    assert env.last is None
    env.last = numpy.zeros(2)
    seen: list[Any] = []
    capture.draw(lambda: seen.append(env.last))
    assert seen[0].tolist() == [0.0, 0.0]
