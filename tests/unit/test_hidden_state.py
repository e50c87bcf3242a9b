"""Where games keep their state: what a capture holds is played on as before; what lies elsewhere, the laws find."""

from __future__ import annotations

import copy
import functools
import itertools
import random
import weakref
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest

from pycore.envs import ParallelEnvAdapter
from pycore.errors import EnvironmentUnfit

SCRIPT = [[random.Random(f"row {frame} {seat}").randrange(4) for seat in range(2)] for frame in range(36)]


class Game:
    """Each below has its state in another place, in `begin` and `effect`."""

    def __init__(self) -> None:
        self.possible_agents = ["a", "b"]
        self.rng = random.Random()

    def reset(self, seed: Any = None, options: Any = None) -> Any:
        self.agents = list(self.possible_agents)
        self.rng.seed(seed)
        self.x = seed
        self.begin()
        return {}, {}

    def begin(self) -> None:
        """What a reset sets."""

    def effect(self, a: int, b: int) -> Any:
        return 0

    def step(self, actions: dict[str, int]) -> Any:
        a, b = actions["a"], actions["b"]
        self.x = (self.x * 5 + 3 * a - b + self.rng.randrange(3) + int(self.effect(a, b))) % 65521
        rewards = dict.fromkeys(self.agents, self.x % 5)
        flags = dict.fromkeys(self.agents, False)
        return dict.fromkeys(self.agents, self.x), rewards, flags, flags, {}


class Thing:
    def __init__(self, value: int) -> None:
        self.value = value


# --- held ---

EMPTY = object()
WALL = Thing(1)


class Tiles:
    WATER = Thing(2)
    BY_LETTER = {"g": Thing(3)}  # noqa: RUF012


class Cells(Game):
    def begin(self) -> None:
        self.cells: list[Any] = [EMPTY, WALL, Tiles.WATER, Tiles.BY_LETTER["g"]]

    def effect(self, a: int, b: int) -> int:
        cells = self.cells
        cells[a], cells[b] = cells[b], cells[a]
        kinds = [cells.index(kind) for kind in (EMPTY, WALL, Tiles.WATER, Tiles.BY_LETTER["g"])]
        return kinds[0] * 27 + kinds[1] * 9 + kinds[2] * 3


class Grows(Game):
    """The wall itself changes."""

    def begin(self) -> None:
        WALL.value, self.wall = 1, WALL

    def effect(self, a: int, b: int) -> int:
        WALL.value += a
        return self.wall.value


class Unequal(Thing):
    """Cannot be asked for anything."""

    def _refuse(self, *given: Any) -> Any:
        raise RuntimeError("not this one")

    __eq__ = __bool__ = __len__ = __iter__ = __repr__ = __reduce_ex__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class Refusing(Game):
    def begin(self) -> None:
        self.things = [Unequal(1)]

    def effect(self, a: int, b: int) -> int:
        self.things[0].value += a
        return self.things[0].value


class Imagines(Game):
    """Holds a copy of itself that plays on."""

    def begin(self) -> None:
        self.imagined: Any = None

    def effect(self, a: int, b: int) -> int:
        if b == 1:
            self.imagined = None
            self.imagined = copy.deepcopy(self)
        if self.imagined is None:
            return 0
        self.imagined.x += self.imagined.rng.randrange(9)
        return int(self.imagined.x)


class Undoes(Game):
    def begin(self) -> None:
        self.before: list[Any] = []

    def effect(self, a: int, b: int) -> int:
        self.before.append(copy.deepcopy({"x": self.x, "rng": self.rng}))
        if b == 3:
            self.x, self.rng = self.before[len(self.before) // 2].values()
        return a


class Walks(Game):
    """By iterators over lists and over what they make."""

    def begin(self) -> None:
        self.cards = list(range(99))
        self.doubled = map(self.double, iter(self.cards))
        self.count = itertools.count(3)

    def double(self, card: int) -> int:
        return card * 2 + self.x % 2

    def effect(self, a: int, b: int) -> int:
        self.cards[50 + a] = b
        return next(self.doubled) + next(self.count)


class OnlyOne(Game):
    there: Any = None

    def __new__(cls) -> Any:
        if cls.there is None:
            cls.there = object.__new__(cls)
        return cls.there


class SaysHowItIsCopied(Game):
    def __getstate__(self) -> Any:
        return {"x": 0}

    def __setstate__(self, state: Any) -> None:
        self.x = state["x"]

    def __reduce__(self) -> Any:
        return SaysHowItIsCopied, ()


# --- not held ---

_steps = [0]
_ids = itertools.count()


class InAModule(Game):
    def begin(self) -> None:
        _steps[0] = 0

    def effect(self, a: int, b: int) -> int:
        _steps[0] += a
        return _steps[0]


class InAModuleAndHere(InAModule):
    """The list that comes back is another one than the module's."""

    def begin(self) -> None:
        super().begin()
        self.steps = _steps


class InAClass(Game):
    steps = 0

    def begin(self) -> None:
        InAClass.steps = 0

    def effect(self, a: int, b: int) -> int:
        InAClass.steps += a
        return InAClass.steps


_prices: dict[int, int] = {}


class InATable(Game):
    """Soon full, and empty again with each reset."""

    def begin(self) -> None:
        _prices.clear()

    def effect(self, a: int, b: int) -> int:
        return _prices.setdefault(a, self.x % 7)


class InAMemo(Game):
    """Soon full, and never emptied."""

    @staticmethod
    @functools.cache
    def price(game: Any, a: int) -> int:
        return int(game.x % 7)

    def effect(self, a: int, b: int) -> int:
        return self.price(self, a)


@functools.cache
def price(a: int) -> int:
    return next(_ids) % 7


class InAMemoOfAModule(Game):
    def effect(self, a: int, b: int) -> int:
        return price(a)


class Color(Enum):
    RED = 0


class InAnEnum(Game):
    def begin(self) -> None:
        Color.RED.steps = 0  # type: ignore[attr-defined]

    def effect(self, a: int, b: int) -> Any:
        Color.RED.steps += a  # type: ignore[attr-defined]
        return Color.RED.steps  # type: ignore[attr-defined]


class InAFunction(Game):
    def begin(self) -> None:
        vars(InAFunction.effect)["steps"] = 0

    def effect(self, a: int, b: int) -> Any:
        vars(InAFunction.effect)["steps"] += a
        return vars(InAFunction.effect)["steps"]


class InADefault(Game):
    def begin(self) -> None:
        self.counted(restart=True)

    def counted(self, *, restart: bool = False, steps: list[int] = [0]) -> int:  # noqa: B006
        steps[0] = 0 if restart else steps[0] + 1
        return steps[0]

    def effect(self, a: int, b: int) -> int:
        return self.counted()


class ByPlace(Game):
    def begin(self) -> None:
        self.things = [Thing(1)]
        self.by_place = {id(self.things[0]): 1}

    def effect(self, a: int, b: int) -> int:
        return self.by_place.get(id(self.things[0]), 0)


class Watched:
    alive = 0

    def __init__(self) -> None:
        Watched.alive += 1

    def __del__(self) -> None:
        Watched.alive -= 1


class CountedWhenGone(Game):
    """What is loaded is made anew, and what it was goes."""

    def begin(self) -> None:
        self.things = [Watched()]

    def effect(self, a: int, b: int) -> int:
        return Watched.alive


class NumberedForever(Game):
    def begin(self) -> None:
        self.last = 0

    def effect(self, a: int, b: int) -> int:
        self.last = next(_ids)
        return self.last


class Beside:
    """Keeps what belongs to others, by who they are."""

    def __init__(self) -> None:
        self.values: Any = weakref.WeakKeyDictionary()

    def __get__(self, owner: Any, kind: Any) -> Any:
        return self.values.get(owner, 0)

    def __set__(self, owner: Any, value: int) -> None:
        self.values[owner] = value


class Described:
    steps = Beside()


class InADescriptor(Game):
    def begin(self) -> None:
        self.thing = Described()

    def effect(self, a: int, b: int) -> Any:
        self.thing.steps += a
        return self.thing.steps


class WalksASet(Game):
    def begin(self) -> None:
        self.food = set(range(0, 200, 8))

    def effect(self, a: int, b: int) -> int:
        found = self.food.pop()
        self.food.add((found * 5 + a) % 1000)
        return found


HELD = [Cells, Grows, Refusing, Imagines, Undoes, Walks, OnlyOne, SaysHowItIsCopied]
ELSEWHERE = [
    InAModule, InAModuleAndHere, InAClass, InAnEnum, InAFunction, InADefault, ByPlace, CountedWhenGone, NumberedForever,
    InADescriptor, WalksASet, InATable, InAMemo, InAMemoOfAModule,
]  # fmt: skip


@pytest.mark.parametrize("make", HELD)
@pytest.mark.slow
def test_what_can_be_held_is_played_with_rollbacks_as_without(make: Callable[[], Any]) -> None:
    """By another instance than the one that is played straight on, and with other guesses than those of the laws."""
    straight, rolled = (ParallelEnvAdapter(make(), ["a", "b"], seed=1) for _ in range(2))
    for episode in range(2):
        straight.reset(episode)
        expected = [(straight.step(list(row)).rewards, straight.canonical(straight.save())) for row in SCRIPT]
        rolled.reset(episode)
        for frame, row in enumerate(SCRIPT):
            saved = rolled.save()
            for guess in reversed(SCRIPT[: frame % 5]):
                rolled.step(list(guess))
            rolled.load(saved)
            assert (rolled.step(list(row)).rewards, rolled.canonical(rolled.save())) == expected[frame]
    rolled.check(script=SCRIPT)


@pytest.mark.parametrize("make", ELSEWHERE)
def test_state_that_lies_elsewhere_is_found_by_the_laws(make: Callable[[], Any]) -> None:
    with pytest.raises(EnvironmentUnfit, match=r"gave (something else|another state)"):
        ParallelEnvAdapter(make(), ["a", "b"], seed=1).check(script=SCRIPT, law_1=False)
