"""What picklers of a capture begin with, and what lies beside the pickle: nothing that may change is in the first, and
all of the second comes back in its place."""

from __future__ import annotations

import copyreg
import enum
import functools
import random
import types
from collections.abc import Callable
from typing import Any

import pytest
from optional import needs_numpy, numpy

from pycore.envs.capture import LEARNED_AFTER, LEARNED_ANEW, Capture
from pycore.envs.stock import MOST, Stock
from pycore.envs.subclasses import reduction_by_attributes
from pycore.errors import EnvironmentUnfit
from pycore.values.canonical import encode


class Env:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def step(self, actions: Any) -> None:
        """Nothing."""


class Piece:
    def __init__(self, name: str, at: tuple[int, int]) -> None:
        self.name = name
        self.at = at
        self.seen = [at]


class Suit(enum.Flag):
    RED = 1
    BLACK = 2


class Registered:
    """Stays the object that it is, for its class makes its objects itself."""

    def __new__(cls) -> Registered:
        return object.__new__(cls)


def registered(count: int) -> Any:
    made: Any = Registered()
    made.count = count
    return made


def told(capture: Capture) -> bytes:
    return encode(capture.contents(capture.save()))


def learned(env: Env) -> Capture:
    """A capture that has a stock, of all that there is now."""
    capture = Capture(env)
    for _ in range(LEARNED_AFTER):
        capture.save()
    assert capture._saves == 0
    return capture


def stock_in(capture: Capture) -> Stock:
    return capture._stock


# -- what never changes ------------------------------------------------------------------------------------------


def test_of_what_never_changes_a_snapshot_has_only_numbers() -> None:
    env = Env(pieces=[Piece("a name that is long enough", (3, 4)) for _ in range(5)], suit=Suit.RED, of=Piece)
    capture = Capture(env)
    assert all(text in capture._first.data for text in (b"a name that is long enough", b"Piece", b"suit"))
    later = capture.save()
    assert not any(text in later.data for text in (b"a name that is long enough", b"Piece", b"suit"))
    name, at = env.pieces[0].name, env.pieces[0].at
    env.pieces, env.suit, env.of = [], None, None
    capture.load(later)
    piece = env.pieces[0]
    assert piece.name is name
    assert piece.at is at
    assert piece.seen == [(3, 4)]
    assert (env.suit, env.of) == (Suit.RED, Piece)


def test_what_may_change_is_in_no_stock() -> None:
    inner = [1]
    env = Env(inner=inner, pair=(1, inner), piece=Piece("p", (0, 0)), letters={"a"}, blob=bytearray(b"x"), me=None)
    env.me = env.step
    capture = learned(env)
    things = stock_in(capture).things
    kinds = {type(thing) for thing in things}
    assert things
    assert kinds <= {str, tuple, type, types.FunctionType, types.BuiltinFunctionType}
    assert not any(thing is each for thing in things for each in (inner, env.pair, env.piece, env.letters, env.blob))
    saved = capture.save()
    for _ in range(2):
        env.inner.append(2)
        env.piece.seen.clear()
        env.blob += b"y"
        capture.load(saved)
        assert env.inner is env.pair[1]
        assert (env.inner, env.piece.seen, env.blob) == ([1], [(0, 0)], bytearray(b"x"))


def test_a_snapshot_is_what_it_was_whatever_is_learned_later() -> None:
    """Each save makes new names, so what is in the stock is another thing after each time that it is learned."""
    env = Env(t=-1, names=[])
    capture = Capture(env)
    saved = []
    for t in range(2 * LEARNED_AFTER**2):
        env.t = t
        env.names = [f"name {t}", f"other {t}", (t, t)]
        setattr(env, f"attribute_{t % 11}", t)
        saved.append((capture.save(), dict(env.__dict__)))
    assert len({snapshot.stock for snapshot, _ in saved}) >= 3
    for snapshot, attributes in (*reversed(saved), *saved):
        capture.load(snapshot)
        assert env.__dict__ == attributes


def test_a_stock_has_an_end_and_classes_come_before_tuples() -> None:
    env = Env(table={(x, y): (x, y, "free") for x in range(40) for y in range(40)}, piece=Piece("p", (0, 0)))
    capture = learned(env)
    things = stock_in(capture).things
    assert len(things) == MOST
    assert Piece in things
    assert "seen" in things
    table = dict(env.table)
    saved = capture.save()
    env.table.clear()
    capture.load(saved)
    assert env.table == table


def test_members_that_are_made_of_others_come_back_as_well() -> None:
    env = Env(both=Suit.RED | Suit.BLACK, none=Suit(0))
    capture = learned(env)
    saved = capture.save()
    env.both = env.none = None
    capture.load(saved)
    assert env.both is Suit.RED | Suit.BLACK
    assert env.none is Suit(0)


# -- what lies beside the pickle ---------------------------------------------------------------------------------


def mixed() -> Env:
    """All that lies beside a pickle, in turns, and some of it twice."""
    pieces: list[Any] = []
    for number in range(4):
        array, scalar = numpy.full((2, number), number), numpy.float64(number)
        locked = numpy.arange(number)
        locked.flags.writeable = False
        kept = registered(number)
        kept.numbers = [number]
        generator = random.Random(number)
        pieces += [[array, scalar, {"locked": locked}, kept, generator], (kept, array), scalar, generator]
    return Env(pieces=pieces, random=numpy.random.default_rng(1), module=types, nothing=numpy.array(0.5))


@needs_numpy
def test_what_lies_beside_a_pickle_comes_back_in_its_place() -> None:
    env = mixed()
    capture = learned(env)
    before, saved = told(capture), capture.save()
    kept = [env.pieces[at][3] for at in range(0, 16, 4)]
    drawn = [env.pieces[at][4].random() for at in range(0, 16, 4)] + [env.random.random()]
    for _ in range(2):
        for at in range(0, 16, 4):
            env.pieces[at][0] += 100
            env.pieces[at][3].numbers.append("spoilt")
        env.pieces.reverse()
        env.nothing[()] = 7.0
        capture.load(saved)
        assert told(capture) == before
        for number, at in enumerate(range(0, 16, 4)):
            array, scalar, inside, same, generator = env.pieces[at]
            assert array.tolist() == [[number] * number] * 2
            assert type(scalar) is numpy.float64
            assert scalar == number
            assert not inside["locked"].flags.writeable
            assert inside["locked"].tolist() == list(range(number))
            assert same is kept[number]
            assert same.numbers == [number]
            again = (env.pieces[at + 1][0] is same, env.pieces[at + 1][1] is array, env.pieces[at + 2] is scalar)
            assert again == (True, True, True)
            assert env.pieces[at + 3] is generator
        assert [env.pieces[at][4].random() for at in range(0, 16, 4)] + [env.random.random()] == drawn
        assert env.module is types
        assert array.base is None
        assert array.flags.owndata


@needs_numpy
def test_a_save_that_failed_leaves_nothing_behind() -> None:
    env = mixed()
    capture = learned(env)
    before = told(capture)
    env.held = functools.partial(print, numpy.ones(3), numpy.int8(1), memoryview(b"no snapshot can hold it"))
    with pytest.raises(EnvironmentUnfit, match="held"):
        capture.save()
    del env.held
    assert told(capture) == before


@needs_numpy
@pytest.mark.parametrize(
    "change",
    [
        lambda env: env.array.__setitem__(0, 9.0),
        lambda env: setattr(env, "number", numpy.int64(9)),
        lambda env: setattr(env, "number", numpy.uint64(1)),
        lambda env: setattr(env.registered, "count", 9),
        lambda env: env.random.random(),
        lambda env: setattr(env, "array", env.array.reshape(1, 2).copy()),
        lambda env: setattr(env, "shared", random),
        lambda env: setattr(env, "registered", registered(1)),
    ],
    ids=["an array", "a number", "its type", "what is kept", "a generator", "a shape", "what is shared", "another"],
)
def test_what_drawing_changes_beside_the_pickle_is_taken_back(change: Callable[[Any], Any]) -> None:
    kept = registered(1)
    env = Env(array=numpy.zeros(2), number=numpy.int64(1), registered=kept, random=random.Random(1), shared=types)
    capture = learned(env)
    before = told(capture)
    capture.draw(lambda: change(env))
    assert told(capture) == before
    assert env.registered is kept
    assert env.shared is types


# -- objects that are nothing but their attributes ---------------------------------------------------------------


class Plain:
    pass


class Derived(Plain):
    __slots__ = ()


class Slotted:
    __slots__ = ("__dict__", "slot")


class WithoutAny:
    __slots__ = ()


class Given:
    def __getnewargs__(self) -> tuple[int]:
        return (1,)


class Stated:
    def __getstate__(self) -> Any:
        return {"other": 1}


class Reduced:
    def __reduce__(self) -> Any:
        return Plain, ()


class Ledger(dict):  # type: ignore[type-arg]
    pass


class Failed(Exception):
    pass


class Hidden:
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return {}


class Asked:
    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)


class Posing:
    @property
    def __class__(self) -> Any:
        return int


@pytest.mark.parametrize("kind", [Plain, Derived, Piece])
@pytest.mark.parametrize("attributes", [{}, {"x": [1]}])
def test_an_object_is_reduced_by_its_attributes_as_pickle_does_it(kind: Any, attributes: dict[str, Any]) -> None:
    value = object.__new__(kind)
    value.__dict__.update(attributes)
    reduce = reduction_by_attributes(kind)
    assert reduce is not None
    make, given, state = reduce(value)
    assert (make, given, state, None, None) == value.__reduce_ex__(4)
    assert make is copyreg.__newobj__  # type: ignore[attr-defined]
    assert state is None or state is value.__dict__


@pytest.mark.parametrize(
    "kind",
    [
        Slotted, WithoutAny, Given, Stated, Reduced, Ledger, Failed, Hidden, Asked, Posing, list, object,
        types.SimpleNamespace, random.Random,
    ],
)  # fmt: skip
def test_whatever_says_more_of_itself_is_left_to_pickle(kind: Any) -> None:
    assert reduction_by_attributes(kind) is None


# -- when it is learned ------------------------------------------------------------------------------------------


def test_a_stock_is_learned_seldom_also_where_episodes_are_short() -> None:
    """Such a save takes three times as long."""
    env = Env(t=0)
    capture = Capture(env)
    stocks = []
    for _ in range(200):
        capture.restart()
        for env.t in range(3):
            capture.save()
            stocks.append(stock_in(capture))
    assert len({id(stock) for stock in stocks}) <= len(stocks) // LEARNED_ANEW + 3


def test_what_a_new_episode_brings_is_learned_in_it() -> None:
    env = Env(t=0)
    capture = Capture(env)
    for env.t in range(LEARNED_ANEW * LEARNED_AFTER):
        capture.save()
    env.word = "".join(["in the ", "second ", "episode"])
    capture.restart()
    env.word = word = "".join(["in the ", "second ", "episode"])
    for _ in range(LEARNED_ANEW):
        capture.save()
    assert any(thing is word for thing in stock_in(capture).things)
