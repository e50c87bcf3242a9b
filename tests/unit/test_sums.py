"""What rewards add up to."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.values.sums import plus


@pytest.mark.parametrize(
    ("rewards", "total"),
    [
        ([], 0),
        ([1, 2.5, -0.5], 3.0),
        ([True, False, True], 2),
        ([[1, 0.5], [2, -0.5]], [3, 0.0]),
        ([(1, 2), [3, 4]], [4, 6]),
        ([0, [1, 2], 0, [1, 1]], [2, 3]),
        ([[[1], [2]], [[3], [4]]], [[4], [6]]),
        ([{"food": 1}, {"food": 2, "time": -1}], {"food": 3, "time": -1}),
        ([0.0, {"food": [1, 2]}, {"food": [3, 4]}], {"food": [4, 6]}),
        ([[], []], []),
        ([None, 2, None], 2),
        ([[1, None], None, [2, 3]], [3, 3]),
        ([{"food": None}, {"food": 1}], {"food": 1}),
    ],
)
def test_numbers_add_up_and_vectors_do_by_component(rewards: list[Any], total: Any) -> None:
    assert reduce(plus, rewards, 0) == total


@pytest.mark.parametrize(
    "rewards",
    [
        ["won"], [1, "won", 2], [[1, 2], [1, 2, 3]], [[1, 2], 1], [1, [1, 2]], [{"food": 1}, [1]], [[1, "won"]],
        [{"food": "x"}], [1.5, 10**400], [[1.5], [10**400]],
    ],
)  # fmt: skip
def test_what_has_no_sum_has_none_whatever_follows(rewards: list[Any]) -> None:
    assert reduce(plus, rewards, 0) is None
    assert reduce(plus, [*rewards, 0, [1, 2], 3], 0) is None


def test_arrays_of_numpy_are_vectors() -> None:
    numpy = pytest.importorskip("numpy")
    total = plus(plus(0, numpy.array([1.0, 0.5])), numpy.array([1, 2]))
    assert total == [2.0, 2.5]
    assert [type(each) for each in total] == [float, float]
    assert plus(1, numpy.float32(0.5)) == 1.5


def test_a_sum_shares_nothing_with_a_reward() -> None:
    first, named = [1, 2], {"food": 1}
    sums = plus(0, first), plus(0, named)
    plus(sums[0], [5, 5])
    first.append(3)
    named["food"] = 9
    assert sums == ([1, 2], {"food": 1})


@given(st.lists(st.lists(st.integers(-(2**60), 2**60), min_size=3, max_size=3)))
def test_each_component_is_the_sum_of_its_own(rewards: list[list[int]]) -> None:
    total = reduce(plus, rewards, 0)
    assert total == ([sum(component) for component in zip(*rewards, strict=True)] if rewards else 0)


class Itself:
    """An array of its own kind."""

    def tolist(self) -> Itself:
        """No list."""
        return self


def nested(depth: int) -> Any:
    """A number in so many lists."""
    return reduce(lambda inner, _: [inner], range(depth), 1)


@pytest.mark.parametrize("reward", [nested(65), nested(5000), {"a": nested(64)}, Itself()])
def test_what_is_nested_too_deep_has_no_sum(reward: Any) -> None:
    """It ended a session whose environment gave it, and the export of a study in whose records somebody had put it."""
    assert plus(0, nested(64)) == nested(64)
    assert plus(0, reward) is None
    assert plus(plus(0, reward), 1) is None
