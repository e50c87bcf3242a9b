"""Differences found in canonical bytes are those of the values, and found without reading the rest."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import DecodeError
from pycore.values import canonical
from pycore.values.canonical import Array
from pycore.values.differences import MISSING, first_differences
from pycore.values.parting import parting

KEYS = st.one_of(st.text(max_size=4), st.integers(2, 500), st.tuples(st.integers(0, 3), st.text(max_size=2)))
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=200), st.binary(max_size=200),
    st.lists(st.integers(0, 255), min_size=3, max_size=3).map(lambda of: Array("|u1", (3,), bytes(of))),
)  # fmt: skip
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(KEYS, inner, max_size=5), st.sets(KEYS, max_size=4)
    ),
    max_leaves=25,
)


def compared(one: Any, other: Any, limit: int = 10) -> list[tuple[str, Any, Any]]:
    """As the texts have it."""
    return parting(canonical.encode(one), canonical.encode(other), limit)


def as_values(one: Any, other: Any, limit: int = 10) -> list[tuple[str, Any, Any]]:
    """As the values have it."""
    return first_differences(canonical.decode(canonical.encode(one)), canonical.decode(canonical.encode(other)), limit)


def same(one: list[tuple[str, Any, Any]], other: list[tuple[str, Any, Any]]) -> bool:
    """A NaN is not equal to itself, but its words are."""
    return repr(one) == repr(other)


@pytest.mark.slow
@given(VALUES, VALUES)
def test_any_two_values_differ_where_their_texts_do(one: Any, other: Any) -> None:
    """Whatever they have in common."""
    assert same(compared(one, other), as_values(one, other))


def changed(value: Any, rng: random.Random) -> Any:
    """The same but for something somewhere."""
    if isinstance(value, list) and value:
        at = rng.randrange(len(value))
        kind = rng.randrange(3)
        if kind == 0:
            return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
        return [*value[:at], *value[at + 1 :]] if kind == 1 else [*value[:at], "new", *value[at:]]
    if isinstance(value, dict) and value:
        key = rng.choice(sorted(value, key=repr))
        kind = rng.randrange(3)
        if kind == 0:
            return {**value, key: changed(value[key], rng)}
        return {k: v for k, v in value.items() if k != key} if kind == 1 else {**value, "new": 1}
    if isinstance(value, set) and value:
        return value - {min(value, key=repr)} if rng.random() < 0.5 else value | {"new"}
    return rng.choice([None, "other", 7, [1]])


@given(VALUES, st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 10))
def test_a_value_with_a_few_changes_differs_in_them(value: Any, seed: int, changes: int, limit: int) -> None:
    """Also behind what is missing, and no more than was asked for."""
    rng = random.Random(seed)
    other = value
    for _ in range(changes):
        other = changed(other, rng)
    found = compared(value, other, limit)
    assert same(found, as_values(value, other, limit))
    assert len(found) <= limit


def test_the_paths_are_those_of_the_fields() -> None:
    """A key, an index, a member, an element of an array, and what one side does not have."""
    one = {"ball": {"x": 1, "v": [1.0, 2.0]}, "set": {"a", "b"}, "grid": Array("<i2", (2, 2), bytes(8)), "old": 1}
    other = {"ball": {"x": 1, "v": [1.0, 2.5, 3]}, "set": {"a", "c"}, "grid": Array("<i2", (2, 2), b"\0" * 6 + b"\7\0")}
    assert compared(one, other) == [
        ("$.old", 1, MISSING),
        ("$.set{'b'}", "b", MISSING),
        ("$.set{'c'}", MISSING, "c"),
        ("$.ball.v[1]", 2.0, 2.5),
        ("$.ball.v[2]", MISSING, 3),
        ("$.grid[1,1]", 0, 7),
    ]


def test_numbers_of_two_kinds_differ() -> None:
    """1, 1.0 and True are three values, as keys too."""
    assert compared([1, 2], [1.0, 2]) == [("$[0]", 1, 1.0)]
    assert compared({1: "x"}, {True: "x"}) == [("$[True]", MISSING, "x"), ("$[1]", "x", MISSING)]


@given(VALUES, st.data())
def test_what_is_no_canonical_form_is_one_error_or_none(value: Any, draw: st.DataObject) -> None:
    """Cut off anywhere, or with a byte that is another one."""
    text = canonical.encode(value)
    at = draw.draw(st.integers(0, len(text) - 1))
    for bad in (text[:at], text[:at] + bytes((draw.draw(st.integers(0, 255)),)) + text[at + 1 :]):
        try:
            parting(text, bad)
            parting(bad, text)
        except DecodeError:
            pass


@pytest.mark.parametrize("bad", [b"", b"\x07\xff\xff\xff\xff\x0f", b"\x0b", b"\x0a\xff\x01\x01", b"\x05\x09abc"])
def test_bytes_that_promise_more_than_they_have_are_refused(bad: bytes) -> None:
    """In little time, and without the memory for it."""
    with pytest.raises(DecodeError):
        parting(bad, b"\x07\x01\x00")


def test_a_large_state_with_one_difference_is_compared_many_times_as_quickly_as_it_is_read() -> None:
    """A few thousand objects: what is the same is passed over."""
    rng = random.Random(1)
    cells = [{"x": rng.randrange(400), "y": rng.randrange(300), "kind": f"plant{n % 7}"} for n in range(3000)]
    one, other = canonical.encode({"cells": cells, "ball": 0}), canonical.encode({"cells": cells, "ball": 7})
    begun = time.perf_counter()
    assert parting(one, other) == [("$.ball", 0, 7)]
    quickly = time.perf_counter() - begun
    begun = time.perf_counter()
    canonical.decode(one), canonical.decode(other)
    assert quickly < (time.perf_counter() - begun) / 4
