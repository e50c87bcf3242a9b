"""What environments put into results that no record has a form for costs that value alone, or is refused by name."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict, defaultdict
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from optional import needs_numpy, numpy

from pycore import Settings
from pycore.envs import ParallelEnvAdapter
from pycore.errors import EnvironmentUnfit
from pycore.testing import Conditions, Mesh, ground_truth, wrong_with
from pycore.values.json import UNRECORDABLE, plain_json, record_json
from pycore.values.results import results_text


class Env:
    """Two agents; what a step returns beside the state is the test's affair."""

    def __init__(self, **results: Any) -> None:
        self.results = results

    def reset(self, seed: int | None = None) -> Any:
        self.agents, self.sum = [0, 1], 0
        return {}, {}

    def step(self, actions: Any) -> Any:
        self.sum = self.sum * 31 % 1009 + actions[0] + 3 * actions[1]
        off = {0: False, 1: False}
        given = {"rewards": {0: self.sum % 5, 1: 0}, "terminations": off, "truncations": off, "infos": {0: {}, 1: {}}}
        given.update({name: make() for name, make in self.results.items()})
        return ({0: self.sum, 1: 0}, *given.values())

    def get_state(self) -> Any:
        return self.sum

    def set_state(self, state: Any) -> None:
        self.sum = state


class NoCopy:
    def __deepcopy__(self, memo: Any) -> Any:
        raise RuntimeError("not to be copied")


class NoItems(dict[Any, Any]):
    def items(self) -> Any:
        raise RuntimeError("not to be walked")


def in_itself() -> Any:
    """Twice in itself, so that to walk all of it never ends."""
    value: dict[str, Any] = {"n": 1}
    value["a"] = value["b"] = value
    return value


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


ODD = [
    threading.Lock,
    lambda: (number for number in range(3)),
    NoCopy,
    lambda: NoItems(a=1),
    lambda: memoryview(b"x"),
    lambda: MappingProxyType({1: 2}),
    lambda: threading,
]


@pytest.mark.parametrize("odd", ODD)
def test_what_cannot_be_copied_costs_that_value_alone(odd: Any) -> None:
    """A lock in infos raised in mid-game, for all players."""
    env = Env(infos=lambda: {0: {"odd": odd(), "kept": [1, {"x": 2}]}, 1: {"ok": 3}})
    adapter = ParallelEnvAdapter(env, [0, 1], seed=1)
    adapter.check()
    adapter.reset(0)
    result = adapter.step([1, 0])
    assert result.infos[0]["kept"] == [1, {"x": 2}]
    text = results_text(result)
    assert text.startswith(f',"infos":{{"0":{{"kept":[1,{{"x":2}}],"odd":"{UNRECORDABLE}"}},"1":{{"ok":3}}}}')


class Pair(NamedTuple):
    odd: Any
    kept: int


class Stubborn(dict[str, Any]):
    """Not to be copied in one piece."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise RuntimeError("not to be copied")


@pytest.mark.parametrize(
    ("make", "recorded"),
    [
        (lambda: defaultdict(list, odd=[threading.Lock()], kept=[1]), {"odd": [UNRECORDABLE], "kept": [1]}),
        (lambda: OrderedDict(odd=threading.Lock(), kept=1), {"odd": UNRECORDABLE, "kept": 1}),
        (lambda: Stubborn(odd=threading.Lock(), kept=1), {"odd": UNRECORDABLE, "kept": 1}),
        (lambda: Pair(threading.Lock(), 1), [UNRECORDABLE, 1]),
    ],
)
def test_what_cannot_be_copied_costs_nothing_else_in_any_container(make: Any, recorded: Any) -> None:
    """A lock in one entry of a defaultdict cost all of them."""
    adapter = ParallelEnvAdapter(Env(infos=lambda: {0: make(), 1: {}}), [0, 1], seed=1)
    adapter.reset(0)
    assert json.loads("{" + results_text(adapter.step([1, 0]))[1:] + "}")["infos"]["0"] == recorded


@pytest.mark.parametrize(
    ("reward", "recorded"),
    [
        (Fraction(1, 4), 0.25),
        (Decimal("0.1"), 0.1),
        (True, True),
        (10**400, 10**400),
        ([Fraction(1, 4), 2], [UNRECORDABLE, 2]),
        (1j, UNRECORDABLE),
        pytest.param(lambda: numpy.longdouble(0.5), 0.5, id="long double", marks=needs_numpy),
        pytest.param(lambda: numpy.float16(0.1), 0.0999755859375, id="half", marks=needs_numpy),
        pytest.param(lambda: numpy.array([[2]]), 2, id="array of one", marks=needs_numpy),
        pytest.param(lambda: numpy.array([Fraction(1, 4)]), 0.25, id="array of an object", marks=needs_numpy),
        pytest.param(lambda: numpy.array([1, 2]), [1, 2], id="array of two", marks=needs_numpy),
    ],
)
def test_a_reward_that_is_one_number_is_recorded_as_one(reward: Any, recorded: Any) -> None:
    """Whatever makes it: a fraction was not recorded at all."""
    env = Env(rewards=lambda: {0: reward() if callable(reward) else reward, 1: 0})
    adapter = ParallelEnvAdapter(env, [0, 1], seed=1)
    adapter.check()
    adapter.reset(0)
    found = json.loads("{" + results_text(adapter.step([1, 0]))[1:] + "}")["rewards"]["0"]
    assert (found, type(found)) == (recorded, type(recorded))


@needs_numpy
def test_what_lies_under_a_mask_is_nowhere_recorded() -> None:
    """It was, as a reward, and as 0.0 where there was nothing."""
    masked = numpy.ma.array([7.5], mask=[True])
    env = Env(
        rewards=lambda: {0: masked, 1: numpy.ma.masked},
        infos=lambda: {0: {"seen": numpy.ma.masked}, 1: {"seen": masked}},
    )
    adapter = ParallelEnvAdapter(env, [0, 1], seed=1)
    adapter.check()
    adapter.reset(0)
    found = json.loads("{" + results_text(adapter.step([1, 0]))[1:] + "}")
    assert found["rewards"] == {"0": None, "1": None}
    assert found["infos"] == {"0": {"seen": None}, "1": {"seen": [None]}}


class Itself(dict[str, Any]):
    """Says of a copy that there is none."""

    def __deepcopy__(self, memo: Any) -> Any:
        return self


def test_a_dictionary_that_copies_give_back_as_it_is_says_what_it_said_in_its_frame() -> None:
    """A row is written when its frame is confirmed, some frames later, which is at another time for each player."""
    info = Itself(seen=0)
    adapter = ParallelEnvAdapter(Env(infos=lambda: {0: info, 1: {"in": [info]}}), [0, 1], seed=1)
    adapter.reset(0)
    result = adapter.step([0, 0])
    info["seen"] = 5
    assert result.infos == {0: {"seen": 0}, 1: {"in": [{"seen": 0}]}}


@pytest.mark.parametrize("odd", [in_itself, lambda: deep(70), lambda: deep(5000), lambda: 10**2000])
def test_what_is_too_deep_or_too_long_is_no_fault_of_an_environment(odd: Any) -> None:
    """It is recorded as far as it can be, and the check neither hangs nor refuses it."""
    adapter = ParallelEnvAdapter(Env(infos=lambda: {0: {"odd": odd()}, 1: {"ok": 3}}), [0, 1], seed=1)
    adapter.check()
    adapter.reset(0)
    assert '"1":{"ok":3}' in results_text(adapter.step([1, 0]))


@pytest.mark.parametrize("spell", [record_json, plain_json])
def test_what_contains_itself_twice_is_spelled_once(spell: Any) -> None:
    """Walked to the deepest level it would take longer than any study."""
    assert spell(in_itself()) == f'{{"a":"{UNRECORDABLE}","b":"{UNRECORDABLE}","n":1}}' or spell is plain_json
    assert spell(in_itself()).count(UNRECORDABLE) == 2


class Stage(Enum):
    PLAYING = 0


class Undecided:
    def __bool__(self) -> bool:
        raise ValueError("who knows")


@pytest.mark.parametrize("what", ["terminations", "truncations"])
@pytest.mark.parametrize(
    "flag",
    [
        Undecided,
        lambda: "False",
        lambda: b"",
        lambda: [False],
        dict,
        lambda: Stage.PLAYING,
        lambda: threading.Event().is_set,
        lambda: float("nan"),
        pytest.param(lambda: numpy.array([False, True]), id="array", marks=needs_numpy),
        pytest.param(lambda: numpy.str_("False"), id="numpy's text", marks=needs_numpy),
        pytest.param(lambda: numpy.array(["False"]), id="array of text", marks=needs_numpy),
        pytest.param(lambda: numpy.array(["False"], dtype=object), id="array of objects", marks=needs_numpy),
        pytest.param(lambda: numpy.datetime64("2030-01-01"), id="numpy's time", marks=needs_numpy),
        pytest.param(lambda: numpy.zeros(1, "i4,i4")[0], id="numpy's record", marks=needs_numpy),
        pytest.param(lambda: numpy.ma.masked, id="masked", marks=needs_numpy),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_flag_that_is_neither_true_nor_false_is_refused_by_name(what: str, flag: Any, first: bool) -> None:
    """Not with a ValueError about truth."""
    adapter = ParallelEnvAdapter(Env(**{what: lambda: {0: first, 1: flag()}}), [0, 1], seed=1)
    with pytest.raises(
        EnvironmentUnfit, match=f"Env returned {what} in which that of 1 is a .*one flag for each agent"
    ):
        adapter.check()


@pytest.mark.parametrize(
    ("flag", "right"),
    [
        (None, False),
        (0, False),
        (1, True),
        (2.5, True),
        pytest.param(lambda: numpy.bool_(True), True, id="numpy's", marks=needs_numpy),
        pytest.param(lambda: numpy.array([False]), False, id="array of one", marks=needs_numpy),
        pytest.param(lambda: numpy.array(1), True, id="array of none", marks=needs_numpy),
    ],
)
def test_numbers_and_nothing_are_flags(flag: Any, right: bool) -> None:
    env = Env(terminations=lambda: {0: flag() if callable(flag) else flag, 1: False})
    adapter = ParallelEnvAdapter(env, [0, 1], seed=1)
    adapter.reset(0)
    assert adapter.step([0, 0]).terminations == {0: right, 1: False}


def test_flags_in_a_dictionary_of_another_class_are_remembered_and_spread() -> None:
    """An OrderedDict with RLlib's word, and agents that are never taken from the list."""
    told = iter([{0: True, 1: False}, {0: False, 1: False}, {0: False, 1: True}])
    env = Env(terminations=lambda: OrderedDict(next(told)))
    adapter = ParallelEnvAdapter(env, [0, 1], seed=1)
    adapter.reset(0)
    assert [adapter.step([0, 0]).done for _ in range(3)] == [False, False, True]
    everybody = ParallelEnvAdapter(Env(terminations=lambda: OrderedDict({"__all__": True})), [0, 1], seed=1)
    everybody.reset(0)
    assert everybody.step([0, 0]).terminations == {0: True, 1: True}


@pytest.mark.parametrize(
    "reward",
    [
        lambda: float("nan"),
        lambda: [float("nan"), 1.0],
        threading.Lock,
        pytest.param(lambda: numpy.array([1.0, 2.0]), id="array", marks=needs_numpy),
    ],
)
def test_the_oracle_compares_rewards_as_records_spell_them(reward: Any) -> None:
    """An array has no truth, and a NaN is not equal to itself."""
    settings = Settings(max_steps=40, action_space={"type": "discrete", "n": 3}, hash_interval=7)

    def simulation(seat: int) -> ParallelEnvAdapter:
        return ParallelEnvAdapter(Env(rewards=lambda: {0: reward(), 1: 2}), [0, 1], seed=1)

    mesh = Mesh(2, settings, simulation, lambda seat: lambda _, frame: (frame // 4 + seat) % 3, Conditions(delay=0.08))
    mesh.run(until=60.0)
    assert mesh.over
    assert all(peer.session.timeline.rollbacks for peer in mesh.peers)
    inputs = [peer.inputs[0] for peer in mesh.peers]
    truth = ground_truth(simulation(0), settings, mesh.peers[0].session.codec, inputs, 0)
    for peer in mesh.peers:
        assert wrong_with(truth, peer.rows[0], peer.rewards[0], peer.finals[0]) == ""
        others = [{**row, 1: 3} for row in peer.rewards[0]]
        assert wrong_with(truth, peer.rows[0], others, peer.finals[0]).startswith("frame 0: rewards")


class NamedLate(Env):
    """Names its agents when it is reset, and not before."""

    names: Any = ("left", "right")
    says: str = "possible_agents"

    def reset(self, seed: int | None = None) -> Any:
        self.sum = 0
        setattr(self, self.says, list(self.names))
        return dict.fromkeys(self.names, 0), {}

    def step(self, actions: Any) -> Any:
        left, right = self.names
        self.sum = self.sum * 31 % 1009 + actions[left] + 3 * actions[right]
        off = dict.fromkeys(self.names, False)
        return off, {left: self.sum, right: 1}, off, off, {}

    @property
    def num_agents(self) -> int:
        raise ValueError("not before a reset")

    @property
    def action_space(self) -> Any:
        raise RuntimeError("not before a reset")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("left", "right"), "agents"),
        (("left", "right"), "possible_agents"),
        ((("team", 0), ("team", 1)), "possible_agents"),
        ((0.5, 1.5), "possible_agents"),
        ((b"a", b"b"), "possible_agents"),
    ],
)
def test_agents_that_are_named_at_the_reset_are_seated_then(names: Any, says: str) -> None:
    """They ended in a bare KeyError at the first step, or at a property that wants a reset first."""
    env = NamedLate()
    env.names, env.says = names, says
    adapter = ParallelEnvAdapter(env, [0, 1], seed=1)
    adapter.check()
    for _ in range(2):
        adapter.reset(0)
        assert adapter.agents == names
        assert adapter.observations == {0: 0, 1: 0}
        assert [adapter.step([2, 1]).rewards, adapter.step([0, 0]).rewards] == [{0: 5, 1: 1}, {0: 155, 1: 1}]
    assert f"0 plays {names[0]!r}" in adapter.seating


def test_agents_that_are_too_many_at_the_reset_are_refused_by_name() -> None:
    """Not by a KeyError of the environment."""
    env = NamedLate()
    env.names = ("a", "b", "c")
    with pytest.raises(EnvironmentUnfit, match=r"NamedLate has 3 agents to be played, .*and there are 2 players"):
        ParallelEnvAdapter(env, [0, 1], seed=1).reset(0)
