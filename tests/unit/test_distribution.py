"""Values in buckets: what comes out is what a sorted list would say, within what is documented."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from pycore.distribution import Distribution


def of(values: list[int]) -> Distribution:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution


def test_without_a_value_there_is_nothing_but_the_count() -> None:
    """Not a zero, which would be a value."""
    assert Distribution().export() == {"count": 0, "min": None, "p50": None, "p90": None, "p99": None, "max": None}


@given(st.lists(st.integers(0, 63), min_size=1, max_size=600))
def test_small_values_are_exact(values: list[int]) -> None:
    """A percentile is the smallest value that so many of a hundred do not exceed."""
    ordered = sorted(values)
    found = of(values).export()
    assert (found["count"], found["min"], found["max"]) == (len(values), ordered[0], ordered[-1])
    for percent in (50, 90, 99):
        assert found[f"p{percent}"] == ordered[-(-len(values) * percent // 100) - 1]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=600))
def test_large_values_are_off_by_a_sixty_fourth_at_most(values: list[int]) -> None:
    """And never beyond the extremes, which are exact."""
    ordered = sorted(values)
    found = of(values).export()
    assert (found["min"], found["max"]) == (ordered[0], ordered[-1])
    for percent in (50, 90, 99):
        true = ordered[-(-len(values) * percent // 100) - 1]
        assert abs(found[f"p{percent}"] - true) <= true / 64
        assert ordered[0] <= found[f"p{percent}"] <= ordered[-1]


def test_a_unit_makes_milliseconds_of_tenths() -> None:
    """Of everything but the count."""
    assert of([605] * 3).export(0.1) == {"count": 3, "min": 60.5, "p50": 60.5, "p90": 60.5, "p99": 60.5, "max": 60.5}


def test_memory_does_not_grow_with_the_number_of_values() -> None:
    """A hundred thousand different round trips take as many buckets as there are, and no more."""
    distribution = of(list(range(100_000)))
    distribution.export()
    assert len(distribution._buckets) <= 64 + 32 * 11
    assert sys.getsizeof(distribution._buckets) < 40_000
    assert not distribution._waiting
