"""Captured attributes have one form, whatever way led to them, and two that differ have two."""

from __future__ import annotations

import enum
import re
import weakref
from array import array
from collections import Counter, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from random import Random
from typing import Any, NamedTuple

import pytest
from optional import needs_numpy, numpy

from pycore import Settings
from pycore.envs import ParallelEnvAdapter
from pycore.envs.capture import Capture
from pycore.testing import Conditions, Mesh
from pycore.values.canonical import encode


class Env:
    """Whatever a test sets."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def step(self, actions: Any) -> None:
        """Nothing."""


class Place(NamedTuple):
    x: int
    y: int


Old = namedtuple("Old", "x y")


@dataclass(frozen=True)
class Wall:
    place: tuple[int, int]


class Ball:
    def __init__(self, at: int) -> None:
        self.at = [at, at]


class Bits(enum.IntFlag):
    ONE = 1


class Side(enum.Enum):
    LEFT = Wall((0, -1))


def form(env: Any) -> bytes:
    capture = Capture(env)
    return encode(capture.contents(capture.save()))


VALUES = {
    "a named tuple": lambda: Place(0, 0),
    "one of a factory": lambda: Old(0, 0),
    "a frozen set": lambda: frozenset({1, 2}),
    "none in it": lambda: frozenset([]),
    "a fraction": lambda: Fraction(1, 3),
    "a decimal": lambda: Decimal("0.1"),
    "a date": lambda: date(2030, 1, 1),
    "a path": lambda: PurePosixPath("a/b"),
    "a range": lambda: range(1, 5),
    "a complex number": lambda: complex(1, 2),
    "a slice": lambda: slice(1, 2),
    "a pattern": lambda: re.compile("a+"),
    "a member's value": lambda: Side.LEFT.value,
    "a frozen dataclass": lambda: Wall((1, 2)),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_in_two_places_has_one_form_whichever_of_them_a_load_made_anew(name: str) -> None:
    table = {"nobody": {"finds": {"it": VALUES[name]()}}}
    value = table["nobody"]["finds"]["it"]
    straight, rolled = Env(held=[value, value]), Env(held=[value, value])
    capture = Capture(rolled)
    capture.load(capture.save())
    straight.held[0] = rolled.held[0] = value
    assert form(straight) == form(rolled)


TABLES = {
    "a list": lambda: [1, (2, 3)],
    "a shape": lambda: [[0, 1, 0], [1, 1, 1]],
    "a recipe": lambda: {"needs": ["onion", "onion"], "points": 3, "by": {1, 2}},
    "a route": lambda: deque([(0, 1), (0, 2)]),
    "a count": lambda: Counter("abca"),
    "bytes of numbers": lambda: array("i", [1, 2]),
    "an array": lambda: numpy.arange(9).reshape(3, 3),
}


@pytest.mark.parametrize("name", [pytest.param(each, marks=needs_numpy if "array" in each else ()) for each in TABLES])
def test_what_a_table_of_a_module_has_is_told_alike_whichever_of_them_a_load_made_anew(name: str) -> None:
    """`self.piece = SHAPES[2]`, now and in a later frame: of two pages one has rolled back in between."""
    value, other = TABLES[name](), Ball(1)
    straight, rolled = (Env(held=[value, value], other=other, again=other) for _ in range(2))
    capture = Capture(rolled)
    capture.load(capture.save())
    straight.held[0] = rolled.held[0] = value
    assert form(straight) == form(rolled)


@pytest.mark.parametrize("make", [lambda: [Ball(1)], lambda: list(range(2000)), lambda: [[0] * 40 for _ in range(40)]])
def test_of_a_list_that_is_long_or_leads_to_an_object_it_is_told_whether_it_is_one(make: Callable[[], Any]) -> None:
    """It could be in a thousand places, and objects are known by being one."""
    shared = make()
    one, two = form(Env(a=shared, b=shared)), form(Env(a=make(), b=make()))
    assert one != two
    assert len(one) < len(two)


def test_what_thousands_have_in_common_is_not_told_by_each() -> None:
    rules = list(range(100))
    cells = [{"rules": rules, "at": number} for number in range(2000)]
    assert len(form(Env(cells=cells))) < 3 * len(form(Env(cells=[{**cell, "rules": []} for cell in cells])))


class Step(NamedTuple):
    """Of a way: where, and the step before."""

    place: Any
    before: Any


def test_steps_that_share_those_before_them_are_told_in_little_more_than_once() -> None:
    """In full each time, a way of 16 would have 65,536 ends, and a hundred of 100 steps have 500,000."""
    way: Any = None
    ways: list[Any] = []
    for number in range(2000):
        way = Step(number, way if number % 100 else None)
        ways.append(way)
    assert len(form(Env(ways=ways))) < 400_000
    both: Any = Step(1, 2)
    for _ in range(16):
        both = Step(both, both)
    assert len(form(Env(both=both))) < 400_000


def test_values_beyond_what_is_told_again_have_one_form_where_each_is_in_one_place() -> None:
    places = [Place(number, number) for number in range(15_000)]
    assert form(Env(held=places)) == form(Env(held=[Place(*each) for each in places]))
    walls = frozenset(places[:3000])
    assert form(Env(held=[walls, walls])) == form(Env(held=[walls, frozenset([*walls])]))


def test_numbers_of_an_array_are_told_without_their_size_and_paths_without_their_parts() -> None:
    """A long has four bytes in Pyodide, and Pythons from 3.13 on keep the parts that a path was made of."""
    capture = Capture(Env(held=array("l", [1, -2])))
    told = capture.contents(capture.save())["layers"][0]["held"]
    assert told == {"": "array", "of": "l", "items": [1, -2]}
    assert form(Env(held=PurePosixPath("a/b"))) == form(Env(held=PurePosixPath("a") / "b"))


def test_a_list_that_contains_itself_has_a_form() -> None:
    shared: list[Any] = [1]
    shared.append(shared)
    assert form(Env(a=shared, b=shared)) == form(Env(a=shared, b=shared))


def test_pieces_of_a_table_are_handed_out_over_a_network() -> None:
    def play(seat: int) -> Callable[[int, int], Any]:
        return lambda episode, frame: Random(100 * seat + frame // 5).randrange(3)

    settings = Settings(max_steps=150, hash_interval=10, action_space={"type": "discrete", "n": 3})
    mesh = Mesh(2, settings, lambda seat: ParallelEnvAdapter(Blocks(), [0, 1], seed=1), play, Conditions(delay=0.06))
    mesh.run(60)
    assert mesh.peers[0].session.hashes_compared >= 10
    assert all(page.session.timeline.rollbacks and not page.session.hash_mismatches for page in mesh.peers)


SHAPES = [[[1, 1], [1, 1]], [[1, 1, 1, 1]], [[0, 1, 0], [1, 1, 1]]]
ORDERS = {"soup": {"of": ["onion", "onion"]}, "salad": {"of": ["tomato"]}}


class Blocks:
    """Pieces fall, and dishes are ordered."""

    possible_agents = (0, 1)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.rng = [0, 1], Random(seed)
        self.piece = {agent: self.rng.choice(SHAPES) for agent in self.agents}
        self.following = {agent: self.rng.choice(SHAPES) for agent in self.agents}
        self.fallen = dict.fromkeys(self.agents, 0)
        self.orders = [ORDERS["soup"]]
        return {0: 0, 1: 0}, {}

    def step(self, actions: dict[int, int]) -> Any:
        for agent, action in actions.items():
            self.fallen[agent] += action
            if self.fallen[agent] > 8:
                self.fallen[agent], self.piece[agent] = 0, self.following[agent]
                self.following[agent] = self.rng.choice(SHAPES)
                self.orders = [*self.orders[-2:], self.rng.choice(list(ORDERS.values()))]
        same = dict.fromkeys(self.agents, False)
        return {0: 0, 1: 0}, {agent: sum(map(sum, self.piece[agent])) for agent in self.agents}, same, same, {}


def test_an_environment_that_hands_out_its_constants_plays_with_rollbacks_as_without() -> None:
    game = ParallelEnvAdapter(Constants(), [0, 1], seed=1)
    game.check(script=[[Random(frame).randrange(2), 1] for frame in range(60)])


class Constants:
    """Whoever is hit begins again at the start."""

    possible_agents = (0, 1)
    START = Place(3, 4)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents = [0, 1]
        self.places = {0: self.START, 1: self.START}
        return {0: 0, 1: 0}, {}

    def step(self, actions: dict[int, int]) -> Any:
        for agent, action in actions.items():
            x, y = self.places[agent]
            self.places[agent] = self.START if x > 5 else Place(x + action, y)
        same = dict.fromkeys((0, 1), False)
        return {0: 0, 1: 0}, {0: 0, 1: 0}, same, same, {0: {}, 1: {}}


MEMBERS = {
    "a frozen dataclass": lambda number: Wall((number % 7, number // 7)),
    "a tuple of a named one": lambda number: (Place(number, 0), 1),
    "frozen sets": lambda number: frozenset({Place(number, 0), Place(0, number)}),
    "texts and tuples": lambda number: number if number % 2 else (Place(number, 1), number),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_set_has_one_form_whatever_was_in_it_before(name: str) -> None:
    made = MEMBERS[name]
    once, long = set(map(made, range(40))), set(map(made, reversed(range(120))))
    long -= set(map(made, range(40, 120)))
    assert once == long
    assert [*once] != [*long], "they are walked alike, so nothing was tried"
    assert form(Env(held=once)) == form(Env(held=long))


@pytest.mark.parametrize(
    "of", [lambda number: [number], pytest.param(lambda number: numpy.full(2, number), marks=needs_numpy)]
)
def test_objects_in_a_set_are_told_apart_by_what_they_lead_to(of: Callable[[int], Any]) -> None:
    balls = [Ball(number) for number in range(40)]
    for number, ball in enumerate(balls):
        ball.at = of(number)
    others = [Ball(0) for _ in balls]
    for number, ball in enumerate(reversed(others)):
        ball.at = of(number)
    assert form(Env(held=set(balls))) == form(Env(held=set(others)))


TWO: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "complex numbers": (lambda: 1 + 2j, lambda: 1 + 3j),
    "flags without a name": (lambda: Bits(16), lambda: Bits(32)),
    "keys without a name": (lambda: {Bits(16): 1, Bits(32): 2}, lambda: {Bits(16): 2, Bits(32): 1}),
    "patterns": (lambda: re.compile("a"), lambda: re.compile("b")),
    "dates of numpy": (lambda: numpy.datetime64("2030-01-01"), lambda: numpy.datetime64("2031-01-01")),
}


@pytest.mark.parametrize("name", [pytest.param(each, marks=needs_numpy) if "numpy" in each else each for each in TWO])
def test_two_values_have_two_forms(name: str) -> None:
    one, other = TWO[name]
    assert form(Env(held=one())) == form(Env(held=one())) != form(Env(held=other()))


@pytest.mark.parametrize("kind", [weakref.ref, weakref.proxy])
def test_what_a_weak_reference_is_of_is_told(kind: Any) -> None:
    balls = [Ball(1), Ball(2)]
    assert form(Env(balls=balls, of=kind(balls[0]))) != form(Env(balls=balls, of=kind(balls[1])))


def test_attributes_come_back_in_the_order_in_which_they_were_set() -> None:
    env = Env(a=1, coin=2, b=3)
    capture = Capture(env)
    saved = capture.save()
    del env.coin
    capture.load(saved)
    assert [*vars(env)] == ["a", "coin", "b"]
