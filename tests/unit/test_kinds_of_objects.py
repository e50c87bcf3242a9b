"""Capture, of objects that pickle alone would bring back as something else, or not at all."""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import threading
import typing
import weakref
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from optional import needs_numpy, numpy

from pycore.envs import closures, sharer
from pycore.envs.capture import Capture
from pycore.envs.places import path_of
from pycore.errors import EnvironmentUnfit
from pycore.values.canonical import encode


class Env:
    """Whatever a test sets."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def step(self, actions: Any) -> None:
        """Nothing."""


def brought_back(env: Env, spoil: Callable[[], Any]) -> None:
    """What was saved has the same form after something else happened and it was loaded."""
    capture = Capture(env)
    saved = capture.save()
    before = encode(capture.contents(saved))
    spoil()
    assert encode(capture.contents(capture.save())) != before, "nothing was spoilt, so nothing was tried"
    capture.load(saved)
    assert encode(capture.contents(capture.save())) == before


# --- classes derived from Python's own ---


class Tagged(defaultdict[Any, Any]):
    def __init__(self, factory: Any, tag: str) -> None:
        super().__init__(factory)
        self.tag = tag


class Sealed(list[Any]):
    def append(self, item: Any) -> None:
        raise ValueError("nobody appends")

    def extend(self, items: Any) -> None:
        raise ValueError("nobody extends")


class Doubling(dict[Any, Any]):
    def __setitem__(self, key: Any, item: Any) -> None:
        super().__setitem__(key, 2 * item)


class Attributes(dict[Any, Any]):
    def __getattr__(self, name: str) -> Any:
        return self[name]  # a KeyError, where an AttributeError is expected

    def __setattr__(self, name: str, item: Any) -> None:
        self[name] = item


class Mirror(dict[Any, Any]):
    def __init__(self, **items: Any) -> None:
        super().__init__(**items)
        self.__dict__ = self


class Newest(OrderedDict[Any, Any]):
    def __setitem__(self, key: Any, item: Any) -> None:
        super().__setitem__(key, item)
        self.move_to_end(key, last=False)


class Named(set[Any]):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Seen(Counter[Any]):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.seen = 0


class Short(deque[Any]):
    def __init__(self, items: Any = (), most: int = 3) -> None:
        super().__init__(items, most)
        self.dropped = 0


class Vector(tuple[int, ...]):
    def __new__(cls, x: int, y: int) -> Vector:
        return tuple.__new__(cls, (x, y))


class _Pair(typing.NamedTuple):
    x: int
    y: int


class Point(_Pair):
    def __new__(cls, x: int) -> Point:  # type: ignore[misc]
        return _Pair.__new__(cls, x, 7)


class Angle(float):
    unit: str

    def __new__(cls, number: float, unit: str) -> Angle:
        made = float.__new__(cls, number)
        made.unit = unit
        return made


def of_tagged() -> Any:
    made = Tagged(list, "a")
    made[1].append(2)
    return made


@pytest.mark.parametrize(
    ("make", "spoil"),
    [
        (of_tagged, lambda value: value[1].append(5)),
        (of_tagged, lambda value: setattr(value, "tag", "b")),
        (lambda: Sealed([1, 2]), lambda value: value.__setitem__(0, 9)),
        (lambda: Doubling(x=3), lambda value: value.__setitem__("x", 5)),
        (lambda: Attributes(x=1), lambda value: value.__setitem__("x", 5)),
        (lambda: Mirror(x=1), lambda value: setattr(value, "x", 5)),
        (lambda: Newest(a=1, b=2), lambda value: value.__setitem__("c", 1)),
        (lambda: Named("n"), lambda value: value.add(3)),
        (lambda: Seen("aab"), lambda value: setattr(value, "seen", 4)),
        (lambda: Short([1, 2, 3]), lambda value: setattr(value, "dropped", 4)),
        (lambda: Short([1, 2, 3]), lambda value: value.append(4)),
    ],
)
def test_a_container_of_a_class_of_its_own_comes_back_with_items_and_attributes(make: Any, spoil: Any) -> None:
    """Pickle calls the class again, or fills it by methods that do more than fill."""
    env = Env(value=make())
    brought_back(env, lambda: spoil(env.value))  # type: ignore[attr-defined]
    assert type(env.value) is type(make())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "other"),
    [(Vector(1, 2), Vector(1, 3)), (Point(1), Point(2)), (Angle(0.5, "rad"), Angle(0.5, "deg"))],
)
def test_a_value_of_a_class_of_its_own_comes_back_with_attributes(value: Any, other: Any) -> None:
    """Also where the class wants other arguments than the value."""
    env = Env(value=value)
    brought_back(env, lambda: setattr(env, "value", other))
    found = env.value  # type: ignore[attr-defined]
    assert (type(found), found, vars(found)) == (type(value), value, vars(value))


def test_a_dictionary_whose_items_are_its_attributes_stays_one() -> None:
    """The idiom ``self.__dict__ = self``."""
    env = Env(value=Mirror(x=1))
    capture = Capture(env)
    capture.load(capture.save())
    env.value.x = 8  # type: ignore[attr-defined]
    assert env.value["x"] == 8  # type: ignore[attr-defined]


# --- objects that ask back ---


class Proxy:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)  # endless, where there is no inner


class Wanting:
    def __new__(cls, number: int) -> Wanting:
        made = object.__new__(cls)
        made.number = number
        return made

    number: int


class Guarded:
    __slots__ = ("x",)

    def __init__(self) -> None:
        object.__setattr__(self, "x", [1])

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("read only")


@pytest.mark.parametrize(
    ("value", "spoil"),
    [
        (Proxy([1]), lambda value: value.append(2)),
        (Wanting(3), lambda value: setattr(value, "number", 4)),
        (Guarded(), lambda value: value.x.append(4)),
    ],
)
def test_no_code_of_its_class_runs_when_an_object_comes_back(value: Any, spoil: Any) -> None:
    """``__getattr__``, ``__new__`` with arguments, ``__setattr__`` that refuses."""
    env = Env(value=value)
    brought_back(env, lambda: spoil(env.value))  # type: ignore[attr-defined]


class Forgetful(Exception):
    def __init__(self, x: int, y: int) -> None:
        super().__init__(x)


class Unreadable(Exception):
    def __setstate__(self, state: Any) -> None:
        raise OSError("there is no file")


def unreadable() -> Any:
    value = Unreadable()
    value.x = 1  # type: ignore[attr-defined]
    return value


@pytest.mark.parametrize(
    ("value", "why"), [(Forgetful(1, 2), "missing 1 required"), (unreadable(), "there is no file")]
)
def test_what_can_be_saved_and_not_brought_back_is_refused_by_its_path(value: Any, why: str) -> None:
    """Not with the error of some class, in mid-game."""
    capture = Capture(Env(units={"a": [value]}))
    with pytest.raises(EnvironmentUnfit, match=rf"units\['a'\]\[0\], a {type(value).__name__}, cannot be held.*{why}"):
        capture.restart()


# --- objects that say how they are copied, or made ---


class Solver:
    """What is found again from scratch is left out of a copy, though it would not be the same."""

    def __init__(self) -> None:
        self.x, self.warm = 1, [0]

    def __getstate__(self) -> Any:
        return {"x": self.x}

    def __setstate__(self, state: Any) -> None:
        self.__init__()  # type: ignore[misc]
        self.x = state["x"]


class Remade(Solver):
    def __reduce__(self) -> Any:
        return Remade, ()


class Slotted:
    __slots__ = ("warm", "x")

    def __init__(self) -> None:
        self.x, self.warm = 1, [0]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Slotted, ()


class Warm(list[int]):
    def __init__(self) -> None:
        super().__init__([1])
        self.warm = [0]

    def __reduce__(self) -> Any:
        return Warm, ()


class Single:
    """There is one, whoever asks for one."""

    there: Single | None = None
    warm: list[int]

    def __new__(cls) -> Single:
        if cls.there is None:
            cls.there = object.__new__(cls)
            cls.there.warm = [0]
        return cls.there


class Card:
    """Of each rank there is one."""

    known: dict[str, dict[str, Card]] = {"deck": {}}  # noqa: RUF012

    def __init__(self, rank: str) -> None:
        self.rank, self.warm = rank, [0]

    @classmethod
    def of(cls, rank: str) -> Card:
        return cls.known["deck"].setdefault(rank, cls(rank))

    def __reduce__(self) -> Any:
        return Card.of, (self.rank,)


@pytest.mark.parametrize("make", [Solver, Remade, Slotted, Warm, Single, lambda: Card.of("king")])
def test_what_a_copy_would_leave_out_is_part_of_a_snapshot(make: Any) -> None:
    env = Env(world={"a": make()})
    brought_back(env, lambda: env.world["a"].warm.append(7))  # type: ignore[attr-defined]
    assert env.world["a"].warm == [0]  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", [Single, lambda: Card.of("ace")])
def test_an_object_of_which_there_is_one_stays_that_one(make: Any) -> None:
    """And somebody who looks at a snapshot does not put it back."""
    one = make()
    one.warm = [0]
    env = Env(one=one, again=[one])
    capture = Capture(env)
    saved = capture.save()
    env.one.warm.append(1)  # type: ignore[attr-defined]
    capture.contents(saved)
    assert one.warm == [0, 1]
    capture.load(saved)
    assert env.one is env.again[0] is one is make()  # type: ignore[attr-defined]
    assert one.warm == [0]


class Contacts:
    """A physics engine: what lies in C is made anew from what can be told of it."""

    def __init__(self, speed: float = 0.0) -> None:
        self.speed, self._space = speed, ctypes.pointer(ctypes.c_double(speed))

    def __getstate__(self) -> Any:
        return {"speed": self.speed}

    def __setstate__(self, state: Any) -> None:
        self.__init__(state["speed"])  # type: ignore[misc]


def test_what_keeps_state_in_c_is_refused_though_it_says_how_it_is_copied() -> None:
    with pytest.raises(EnvironmentUnfit, match=r"world\[0\]\._space, a LP_c_double, cannot be held"):
        Capture(Env(world=[Contacts()]))


class Logged(Solver):
    """Locks and files are no state where the class itself says how it is copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock, self.file = threading.Lock(), open(os.devnull, "w")  # noqa: SIM115


def test_locks_and_files_stay_with_what_says_how_it_is_copied() -> None:
    made = Logged()
    env = Env(world=made)
    lock = made.lock
    brought_back(env, lambda: made.warm.append(7))
    assert env.world is made  # type: ignore[attr-defined]
    assert made.lock is lock
    assert not made.file.closed
    made.file.close()


@pytest.mark.parametrize("view", ["keys", "values", "items"])
def test_an_iterator_over_a_dictionary_is_refused(view: str) -> None:
    """Pickle makes a list of what is left, which would not see what is put into the dictionary later."""
    cells = {"a": 1, "b": 2}
    env = Env(cells=cells, rest=iter(getattr(cells, view)()))
    with pytest.raises(EnvironmentUnfit, match=f"rest, a dict_{view[:-1]}iterator, cannot be held"):
        Capture(env)


def test_iterators_over_lists_go_on_where_they_were() -> None:
    deck = [1, 2, 3, 4]
    env = Env(deck=deck, rest=iter(deck), pairs=zip(deck, reversed(deck), strict=True), named=enumerate(iter(deck), 5))
    next(env.rest)  # type: ignore[attr-defined]
    capture = Capture(env)
    saved = capture.save()
    seen = []
    for _ in range(2):
        env.deck[2] = 30  # type: ignore[attr-defined]
        seen.append([list(env.rest), list(env.pairs), list(env.named)])  # type: ignore[attr-defined]
        capture.load(saved)
    assert seen[0] == seen[1] == [[2, 30, 4], [(1, 4), (2, 30), (30, 2), (4, 1)], [(5, 1), (6, 2), (7, 30), (8, 4)]]


class Tile:
    def __init__(self, letter: str) -> None:
        self.letter, self.warm = letter, [0]


class Tiles:
    WALL = Tile("w")
    ALL = {"floor": Tile("f")}  # noqa: RUF012


class Pieces(Enum):
    BAR = Tile("b")
    GRAY = "g"

    def __init__(self, value: Any) -> None:
        self.tile = Tile("g") if value == "g" else value


class Pair(typing.NamedTuple):
    one: Tile


@dataclass(frozen=True)
class Theme:
    tile: Tile


def only(tile: Tile) -> Callable[[], Tile]:
    return lambda: tile


NOTHING = object()
DOOR = Tile("d")
KEYS = [Tile("k")]
LEVELS = [{"doors": (Tile("l"), [1, 2])}]
PAIR = Pair(Tile("p"))
COSTS = {Tile("c"): 1}
ORDERED = OrderedDict(one=Tile("o"))
QUEUE = deque([Tile("q")])
READ_ONLY = MappingProxyType({"one": Tile("r")})
SPACE = SimpleNamespace(one=Tile("s"))
THEME = Theme(Tile("t"))
UNIQUE = only(Tile("u"))


@pytest.mark.parametrize(
    "find",
    [
        lambda: DOOR, lambda: KEYS[0], lambda: Tiles.WALL, lambda: Tiles.ALL["floor"], lambda: LEVELS[0]["doors"][0],
        lambda: Pieces.BAR.value, lambda: Pieces.GRAY.tile, lambda: PAIR.one, lambda: next(iter(COSTS)),
        lambda: ORDERED["one"], lambda: QUEUE[0], lambda: READ_ONLY["one"], lambda: SPACE.one, lambda: THEME.tile,
        UNIQUE,
    ],
    ids=["d", "k", "w", "f", "l", "b", "g", "p", "c", "o", "q", "r", "s", "t", "u"],
)
def test_what_a_module_or_class_has_a_name_for_stays_that_and_its_attributes_come_back(find: Any) -> None:
    """A game asks ``cell is WALL``."""
    env = Env(grid=[find(), Tile("x"), find()])
    other = env.grid[1]  # type: ignore[attr-defined]
    brought_back(env, lambda: find().warm.append(1))
    assert env.grid[0] is env.grid[2] is find()  # type: ignore[attr-defined]
    assert env.grid[1] is not other  # type: ignore[attr-defined]


class Kept:
    """There is one of each letter, from when somebody asks for it first."""

    known: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, letter: str) -> None:
        self.letter = letter

    @classmethod
    def of(cls, letter: str) -> Kept:
        return cls.known.setdefault(letter, cls(letter))


def test_what_a_class_makes_when_it_is_asked_for_first_stays_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kept, "known", {})
    env = Env(cells=[Kept.of("a")])
    capture = Capture(env)
    for letter in ("b", "c"):
        env.cells.append(Kept.of(letter))  # type: ignore[attr-defined]
        capture.load(capture.save())
    assert all(cell is Kept.of(cell.letter) for cell in env.cells)  # type: ignore[attr-defined]


@pytest.mark.parametrize("first", [lambda: Kept("z"), lambda: Kept.of("a")], ids=["another", "one of it"])
def test_tables_within_a_table_fill_while_a_game_is_played(
    monkeypatch: pytest.MonkeyPatch, first: Callable[[], Kept]
) -> None:
    """Also those that were empty when the first of the class was met, and where that one is in no table."""
    sides: dict[str, dict[str, Any]] = {"black": {}, "white": {}}
    monkeypatch.setattr(Kept, "known", {})
    monkeypatch.setattr(Kept, "sides", sides, raising=False)
    env = Env(cells=[first()])
    capture = Capture(env)
    for side, letter in (("black", "b"), ("white", "c"), ("white", "d")):
        capture.load(capture.save())
        env.cells.append(sides[side].setdefault(letter, Kept(letter)))  # type: ignore[attr-defined]
        capture.load(capture.save())
        assert env.cells[-1] is sides[side][letter]  # type: ignore[attr-defined]


def test_a_table_in_which_everything_comes_and_goes_is_not_looked_through_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Kept, "known", {})
    looks: list[Any] = []
    beside = sharer.standing_beside
    monkeypatch.setattr(sharer, "standing_beside", lambda kinds: looks.append(kinds) or beside(kinds))
    env = Env(cells=[Kept.of("a")])
    capture = Capture(env)
    for number in range(300):
        env.cells = [Kept.of(str(number))]  # type: ignore[attr-defined]
        capture.save()
    assert sharer.MOST_LOOKS <= len(looks) <= sharer.MOST_LOOKS + 5


def test_an_object_that_is_nothing_else_stays_the_one_that_it_is() -> None:
    env = Env(cell=NOTHING, own=object(), empty=lambda cell, nothing=NOTHING: cell is nothing)
    own = env.own  # type: ignore[attr-defined]
    capture = Capture(env)
    capture.load(capture.save())
    assert env.cell is NOTHING  # type: ignore[attr-defined]
    assert env.own is own  # type: ignore[attr-defined]


class Registered(type):
    made: dict[Any, Any] = {}  # noqa: RUF012

    def __call__(cls, *given: Any) -> Any:
        return cls.made.setdefault(cls, super().__call__(*given))


class Only(metaclass=Registered):
    def __init__(self) -> None:
        self.warm = [0]


def test_an_object_that_the_class_of_its_class_makes_stays_that_one() -> None:
    env = Env(one=Only())
    brought_back(env, lambda: env.one.warm.append(1))  # type: ignore[attr-defined]
    assert env.one is Only()  # type: ignore[attr-defined]


def test_a_proxy_stands_for_what_was_loaded() -> None:
    """Asked how it is copied, it would answer for the other."""
    node = Tile("n")
    env = Env(node=node, proxy=weakref.proxy(node))
    env.back = weakref.proxy(env)  # type: ignore[attr-defined]
    capture = Capture(env)
    saved = capture.save()
    capture.load(saved)
    assert env.node is not node  # type: ignore[attr-defined]
    env.node.letter = "m"  # type: ignore[attr-defined]
    assert env.proxy.letter == "m"  # type: ignore[attr-defined]
    assert env.back.node is env.node  # type: ignore[attr-defined]
    assert type(env.proxy) is weakref.ProxyType  # type: ignore[attr-defined]


@needs_numpy
def test_a_view_with_strides_of_its_own_stays_a_view() -> None:
    cells = numpy.arange(6)
    env = Env(cells=cells, windows=numpy.lib.stride_tricks.sliding_window_view(cells, 2))
    capture = Capture(env)
    capture.load(capture.save())
    env.cells[1] = 9  # type: ignore[attr-defined]
    assert env.windows[:2].tolist() == [[0, 9], [9, 2]]  # type: ignore[attr-defined]


class NoWords:
    def __repr__(self) -> str:
        raise ValueError("no words")

    def __hash__(self) -> int:
        return 1


def test_a_path_is_told_also_through_a_key_that_has_no_words() -> None:
    """The message of a fault must not be one."""
    path = path_of(
        [({"units": {NoWords(): (1, 2, "x")}}, {})], lambda value: value == "x" or not isinstance(value, str | int)
    )
    assert path == "units[a NoWords][2], a str,"


# --- generators of random numbers ---


class Counting(random.Random):
    draws = 0

    def random(self) -> float:
        self.draws += 1
        return super().random()


class Own(random.Random):
    """An algorithm of its own, with its state in an attribute."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__()

    def seed(self, *given: Any) -> None:
        """Nothing."""

    def random(self) -> float:
        self.number = self.number * 48271 % (2**31 - 1)
        return self.number / (2**31 - 1)

    def getstate(self) -> Any:
        raise NotImplementedError

    def setstate(self, state: Any) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("make", [lambda: Counting(5), lambda: Own(5)])
def test_a_generator_of_a_class_of_its_own_comes_back_with_its_attributes(make: Any) -> None:
    """Pickle keeps the words of `random.Random` alone."""
    env: Any = Env(rng=make())
    capture = Capture(env)
    saved = capture.save()
    drawn = [env.rng.random() for _ in range(3)]
    kept = dict(vars(env.rng))
    capture.load(saved)
    assert [env.rng.random() for _ in range(3)] == drawn
    assert dict(vars(env.rng)) == kept


@needs_numpy
@pytest.mark.parametrize("base", ["Generator", "RandomState"])
def test_a_generator_of_numpy_of_a_class_of_its_own_keeps_class_and_attributes(base: str) -> None:
    """Numpy's own way makes one of numpy's class."""

    def roll(self: Any) -> int:
        self.rolls += 1
        draw = self.integers if base == "Generator" else self.randint
        return int(draw(1000)) + int(100 * self.standard_normal())

    kind: Any = type("Dice", (getattr(numpy.random, base),), {"rolls": 0, "roll": roll})
    env: Any = Env(rng=kind(numpy.random.PCG64(5) if base == "Generator" else numpy.random.MT19937(5)))
    capture = Capture(env)
    env.rng.roll()
    saved = capture.save()
    before = encode(capture.contents(saved))
    drawn = [env.rng.roll() for _ in range(3)]
    assert encode(capture.contents(capture.save())) != before
    capture.load(saved)
    assert (type(env.rng), env.rng.rolls) == (kind, 1)
    assert [env.rng.roll() for _ in range(3)] == drawn


@needs_numpy
@pytest.mark.parametrize("bits", ["PCG64", "PCG64DXSM", "SFC64", "MT19937", "Philox"])
@pytest.mark.parametrize("kind", ["Generator", "RandomState"])
def test_a_bit_generator_stays_that_of_its_generator(bits: str, kind: str) -> None:
    """Drawn from directly, it goes on where the generator left it, also after a load."""
    source = getattr(numpy.random, bits)(5)
    env: Any = Env(first=source, rng=getattr(numpy.random, kind)(source), bits=source)
    capture = Capture(env)
    saved = capture.save()

    def draw() -> list[Any]:
        return [env.bits.random_raw() if at % 2 else env.rng.standard_normal() for at in range(6)]

    drawn = draw()
    looked = encode(capture.contents(saved))
    assert encode(capture.contents(capture.save())) != looked
    for _ in range(2):
        capture.load(saved)
        assert encode(capture.contents(capture.save())) == looked
        assert draw() == drawn
        assert env.bits is env.first


def test_a_method_of_a_generator_is_its_state() -> None:
    """Also where nothing else leads to the generator: a form without it would agree while the draws do not."""
    rng = random.Random(5)
    env: Any = Env(draw=rng.random, roll=partial(rng.randrange, 10))
    capture = Capture(env)
    saved = capture.save()
    before = encode(capture.contents(saved))
    drawn = env.draw(), env.roll(), env.draw()
    assert encode(capture.contents(capture.save())) != before
    capture.load(saved)
    assert encode(capture.contents(capture.save())) == before
    assert (env.draw(), env.roll(), env.draw()) == drawn


def test_two_generators_of_one_kind_are_told_apart() -> None:
    """In one snapshot, and in one after the other."""
    env: Any = Env(one=random.Random(1), other=random.Random(2))
    turned: Any = Env(one=random.Random(2), other=random.Random(1))
    captures = Capture(env), Capture(turned)
    for generator in (env.one, env.other, turned.one, turned.other):
        generator.random()
    forms = [capture.contents(capture.save())["layers"][0] for capture in captures]
    assert encode(forms[0]["one"]) == encode(forms[1]["other"]) != encode(forms[0]["other"])
    capture = Capture(env)
    first = encode(capture.contents(capture.save()))
    env.one.random()
    assert first != encode(capture.contents(capture.save()))


@needs_numpy
@pytest.mark.parametrize("make", [random.Random, lambda: numpy.random.default_rng()])
def test_generators_that_nobody_drew_from_are_told_alike_and_come_back_as_they_were(make: Any) -> None:
    """What they were made with came from the operating system, and is no state before somebody draws: a space of
    gymnasium has one as soon as somebody asks for it."""
    envs: list[Any] = [Env(rng=make()) for _ in range(2)]
    captures = [Capture(env) for env in envs]
    saved = [capture.save() for capture in captures]
    told = [encode(capture.contents(each)) for capture, each in zip(captures, saved, strict=True)]
    assert told[0] == told[1]
    drawn = [env.rng.random() for env in envs]
    assert drawn[0] != drawn[1]
    told = [encode(capture.contents(capture.save())) for capture in captures]
    assert told[0] != told[1]
    for capture, each in zip(captures, saved, strict=True):
        capture.load(each)
    assert [env.rng.random() for env in envs] == drawn


def test_a_method_of_a_list_is_that_list() -> None:
    """``push = [].append``: what was pushed is in the form."""
    env: Any = Env(push=[].append)
    brought_back(env, lambda: env.push(1))


# --- functions and iterators ---


def counting_by_name() -> Any:
    number = 0

    def count() -> int:
        nonlocal number
        number += 1
        return number

    return count


def counting_inside() -> Any:
    number = 0

    def count() -> Any:
        def inner() -> int:
            nonlocal number
            number += 1
            return number

        return inner()

    return count


def counting_by_attribute() -> Any:
    def count() -> int:
        count.calls += 1  # type: ignore[attr-defined]
        return 0

    count.calls = 0  # type: ignore[attr-defined]
    return count


def only_local() -> Any:
    kind = list

    def add(given: int) -> int:
        found = [given + 3 for _ in kind(range(2))]

        def inner() -> int:
            nonlocal given
            given += 1
            return given

        return inner() + sum(found)

    return add


def counting_in_a_list() -> Any:
    seen = [0]

    def count() -> int:
        seen[0] += 1
        return seen[0]

    return count


def counting_by_a_method_of_a_list() -> Any:
    seen: list[int] = []
    push, length = seen.append, seen.__len__
    return lambda: (push(1), length())[1]


def counting_by_default() -> Any:
    def count(node: Any = Env(count=[0])) -> int:  # noqa: B008
        node.count.append(1)
        return len(node.count)

    return count


def drawing() -> Any:
    rng = random.Random(1)
    return lambda: rng.random()


def sampling() -> Any:
    space = Drawn(3)
    return lambda: space._np_random.random()


def nested() -> Any:
    count = counting_in_a_list()
    return lambda: count() + 1


def recursive() -> Any:
    seen = []

    def even(n: int) -> int:
        seen.append(n)
        return len(seen) if n == 0 else odd(n - 1)

    def odd(n: int) -> int:
        return len(seen) if n == 0 else even(n - 1)

    return lambda: odd(3)


Drawn = type("Space", (), {"__module__": "gymnasium.spaces", "__init__": lambda self, n: setattr(
    self, "_np_random", random.Random(n)
)})  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [counting_by_name, counting_inside, counting_in_a_list, counting_by_a_method_of_a_list, counting_by_default,
     drawing, sampling, nested, recursive],
)  # fmt: skip
def test_what_lies_in_a_function_comes_back_and_the_function_stays(make: Any) -> None:
    """Its code is shared, and what it remembers was nobody's: any such function was refused."""
    function = make()
    env: Any = Env(table={"f": function}, kept=defaultdict(function))
    capture = Capture(env)
    function()
    saved = capture.save()
    before = encode(capture.contents(saved))
    first = [env.table["f"]() for _ in range(3)]
    assert encode(capture.contents(capture.save())) != before
    for _ in range(2):
        capture.load(saved)
        assert env.table["f"] is env.kept.default_factory is function
        assert encode(capture.contents(capture.save())) == before
        assert [function() for _ in range(3)] == first


def test_a_function_that_counts_by_an_attribute_goes_on_where_it_was() -> None:
    env: Any = Env(count=counting_by_attribute())
    brought_back(env, lambda: env.count())
    assert env.count.calls == 0


def test_a_method_of_a_class_that_was_made_in_a_function_is_told_with_what_it_remembers() -> None:
    """A handler in an attribute ended the game at its first hash."""
    count = 0

    class Local:
        def up(self) -> None:
            nonlocal count
            count += 1

    env: Any = Env(handlers=[Local().up])
    brought_back(env, lambda: env.handlers[0]())
    assert count == 0


def test_functions_that_have_a_name_in_common_still_have_it_in_common() -> None:
    """Also where only one of them sets it, and where nothing was there at first."""

    def made() -> Any:
        def fill(value: Any) -> None:
            nonlocal late
            late = value

        def use() -> Any:
            return late

        late: Any
        return use, fill

    use, fill = made()
    env: Any = Env(use=use)  # what sets it is elsewhere
    capture = Capture(env)
    empty = capture.save()
    fill(3)
    full = capture.save()
    fill([4])
    capture.load(full)
    assert use() == 3
    capture.load(empty)
    with pytest.raises(NameError):
        use()
    capture.load(full)
    env.fill = fill
    fill([5])
    saved = capture.save()
    use().append(6)
    capture.load(saved)
    assert use() == [5]
    fill(7)
    assert use() == 7


def test_a_function_that_sets_its_own_names_anew_is_shared() -> None:
    """What begins anew in each call is no state."""
    env: Any = Env(add=only_local())
    capture = Capture(env)
    saved = capture.save()
    assert (saved.shared, saved.kept) == ((env.add,), ())
    capture.load(saved)
    assert env.add(2) == 3 + 10


def test_the_code_of_a_function_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long one it took longer, in each save, than all else."""
    read: list[Any] = []
    found = closures._set_anew
    monkeypatch.setattr(closures, "_set_anew", lambda code: read.append(code) or found(code))
    env: Any = Env(add=only_local(), count=counting_by_name())
    capture = Capture(env)
    for _ in range(3):
        capture.save()
    assert max(map(read.count, (env.add.__code__, env.count.__code__))) <= 1


@pytest.mark.parametrize("count", [itertools.count(3), itertools.count(-2, 5), itertools.count(0.5, 0.25)])
def test_a_count_goes_on_where_it_was(count: Any) -> None:
    """Pythons from 3.14 on cannot pickle it."""
    env: Any = Env(count=count)
    next(count)
    capture = Capture(env)
    saved = capture.save()
    following = [next(env.count) for _ in range(3)]
    capture.load(saved)
    assert [next(env.count) for _ in range(3)] == following


@pytest.mark.parametrize("iterator", [itertools.cycle([1, 2]), itertools.chain([1], [2]), itertools.repeat(1)])
def test_what_some_pythons_cannot_copy_is_refused_by_all(iterator: Any) -> None:
    """Not first on the pages of a study."""
    with pytest.raises(EnvironmentUnfit, match="keep a list and an index"):
        Capture(Env(turns=iterator))


# --- arrays ---


@needs_numpy
@pytest.mark.parametrize("make", [lambda: numpy.arange(4), lambda: numpy.asfortranarray(numpy.ones((2, 3))).T[1]])
def test_what_may_not_be_written_to_stays_so(make: Any) -> None:
    """Some environments rely on the error."""
    locked = make()
    locked.flags.writeable = False
    env: Any = Env(locked=locked, open=make(), shut=make().view(), strange=numpy.array([None, 1]))
    env.shut.flags.writeable = env.strange.flags.writeable = False
    capture = Capture(env)
    for _ in range(2):
        capture.load(capture.save())
        flags = [array.flags.writeable for array in (env.locked, env.open, env.shut, env.strange)]
        assert flags == [False, True, False, False]


@needs_numpy
@pytest.mark.parametrize("make", [lambda: bytearray(16), lambda: array("d", [0.0, 0.0])])
def test_an_array_over_a_buffer_stays_over_it(make: Any) -> None:
    """What is written to one is read from the other."""
    buffer = make()
    env: Any = Env(buffer=buffer, all=numpy.frombuffer(buffer, "u1"), half=numpy.asarray(memoryview(buffer))[1:])
    capture = Capture(env)
    for _ in range(2):
        capture.load(capture.save())
    env.all[-1] = 66
    assert bytes(memoryview(env.buffer).cast("B"))[-1] == 66
    assert env.half.view("u1")[-1] == 66


@needs_numpy
def test_a_masked_array_keeps_its_mask() -> None:
    """A subclass of arrays with a way of copying of its own."""
    env: Any = Env(board=numpy.ma.masked_array([1, 2, 3], mask=[0, 1, 0]))
    brought_back(env, lambda: env.board.__setitem__(0, numpy.ma.masked))
    assert env.board.mask.tolist() == [False, True, False]


@needs_numpy
def test_a_view_of_a_class_of_its_own_is_a_view_with_attributes() -> None:
    """Both at once."""
    kind: Any = type("Grid", (numpy.ndarray,), {"tag": 0})
    base = numpy.zeros(4)
    env: Any = Env(base=base, grid=base.view(kind), other=SimpleNamespace(part=base.view(kind)[1:]))
    env.grid.tag = 3
    capture = Capture(env)
    for _ in range(2):
        capture.load(capture.save())
    env.base[2] = 5.0
    assert (env.grid[2], env.other.part[1], env.grid.tag, type(env.other.part)) == (5.0, 5.0, 3, kind)


# --- a hash of one's own, on a cycle ---


class Placed:
    """Looked for by where it is, in the dictionaries of its neighbours, and in its own."""

    def __init__(self, x: int) -> None:
        self.near: dict[Any, int] = {}
        self.x = x

    def __hash__(self) -> int:
        return hash(self.x)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Placed) and other.x == self.x


class Place:
    def __init__(self, x: int) -> None:
        self.x = x

    def __hash__(self) -> int:
        return hash(self.x)


class PlacedInSlots:
    __slots__ = ("at", "near")

    def __init__(self, x: int) -> None:
        self.at, self.near = Place(x), set()

    def __hash__(self) -> int:
        return hash(self.at)


class PlacedAndKept(Placed):
    def __getstate__(self) -> Any:
        return {"x": self.x}


@pytest.mark.parametrize("kind", [Placed, PlacedInSlots, PlacedAndKept])
def test_an_object_with_a_hash_of_its_own_may_be_a_key_of_what_it_leads_to(kind: Any) -> None:
    things = [kind(number) for number in range(3)]
    for thing in things:
        thing.near.update(dict.fromkeys(things, 1) if isinstance(thing.near, dict) else things)
    env: Any = Env(things=things)
    brought_back(env, lambda: things[1].near.clear())
    for thing in env.things:
        assert all(near in thing.near for near in env.things)
        assert {id(near) for near in thing.near} == {id(near) for near in env.things}
    if kind is Placed:
        assert [*vars(env.things[0])] == ["near", "x"], "attributes are walked in the order in which they were set"


# --- views and memos ---


@needs_numpy
@pytest.mark.parametrize("kind", ["array", "recarray"])
def test_a_row_of_a_structured_array_stays_that_row(kind: str) -> None:
    """What is written into it is in the array."""
    table = numpy.zeros(4, dtype=[("x", "f4"), ("hp", "i4")])
    table = table.view(numpy.recarray) if kind == "recarray" else table
    env: Any = Env(table=table, own=table[1])
    brought_back(env, lambda: env.own.__setitem__("hp", 5))
    for value in (7, 8):
        env.own["hp"] = value
        assert env.table["hp"].tolist() == [0, value, 0, 0]
        Capture(env).restart()
        assert type(env.own) is type(table[1])


def test_what_may_only_be_read_is_what_another_one_writes_to() -> None:
    own = {"a": 1}
    env: Any = Env(own=own, read=MappingProxyType(own), alone=MappingProxyType({"b": [2]}))
    brought_back(env, lambda: env.alone["b"].append(3))
    env.own["a"] = 5
    assert env.read["a"] == 5
    assert type(env.read) is MappingProxyType


@pytest.mark.parametrize("kind", [dict, OrderedDict])
@pytest.mark.parametrize("view", ["keys", "values", "items"])
def test_a_view_of_a_dictionary_sees_what_is_put_into_it(kind: Any, view: str) -> None:
    """As `agents = players.keys()`."""
    own = kind(a=1)
    env: Any = Env(seen=getattr(own, view)(), own=own)
    brought_back(env, lambda: env.own.update(b=2))
    env.own["c"] = 3
    assert len(env.seen) == 2
    assert list(env.seen) == list(getattr(env.own, view)())


class Measured:
    """Has a memo for itself alone."""

    def __init__(self) -> None:
        self.far = lru_cache(maxsize=None)(self._far)
        self.near = lru_cache(maxsize=None)(lambda a: a + 1)
        self.x = 1

    def _far(self, a: int) -> int:
        return a * 2


def test_a_memo_of_an_instance_is_shared() -> None:
    env: Any = Measured()
    far, near = env.far, env.near
    capture = Capture(env)
    saved = capture.save()
    env.x, env.far = 2, None
    capture.load(saved)
    assert (env.x, env.far, env.near) == (1, far, near)
    assert (env.far(3), env.near(3)) == (6, 4)


def test_a_memo_of_what_a_load_replaces_is_refused() -> None:
    with pytest.raises(EnvironmentUnfit, match=r"world\.far.*cannot be held .*the memo would not"):
        Capture(Env(world=Measured()))
