"""Where two values differ."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from canonical_values import values
from hypothesis import given

from pycore.values.canonical import Array, decode, encode
from pycore.values.differences import MISSING, first_differences


@pytest.mark.slow
@given(values, values)
def test_there_are_differences_exactly_if_the_bytes_differ(left: Any, right: Any) -> None:
    """No difference is missed and none is made up."""
    assert bool(first_differences(left, right)) == (encode(left) != encode(right))
    assert first_differences(left, decode(encode(left))) == []


@pytest.mark.parametrize(
    ("left", "right", "differences"),
    [
        (1, 1.0, [("$", 1, 1.0)]),
        (0.0, -0.0, [("$", 0.0, -0.0)]),
        ({"a": 1, "b": [1, 2]}, {"b": [1, 3], "c": 0}, [
            ("$.a", 1, MISSING), ("$.b[1]", 2, 3), ("$.c", MISSING, 0),
        ]),
        ([1, {"x": 2}], [1], [("$[1]", {"x": 2}, MISSING)]),
        ({"s": {1, 2}}, {"s": {2, 3}}, [("$.s{1}", 1, MISSING), ("$.s{3}", MISSING, 3)]),
        ({1: "a"}, {"1": "a"}, [("$[1]", "a", MISSING), ("$['1']", MISSING, "a")]),
        ({1: "a"}, {True: "a"}, [("$[True]", MISSING, "a"), ("$[1]", "a", MISSING)]),
        ({(0, 1.0)}, {(False, 1)}, [("${(False, 1)}", MISSING, (False, 1)), ("${(0, 1.0)}", (0, 1.0), MISSING)]),
        ([[]], [{}], [("$[0]", [], {})]),
        (
            {"grid": Array("<i2", (2, 2), struct.pack("<4h", 1, 2, 3, 4))},
            {"grid": Array("<i2", (2, 2), struct.pack("<4h", 1, 2, -3, 4))},
            [("$.grid[1,0]", 3, -3)],
        ),
        (
            Array("<c8", (), struct.pack("<2f", 1, 2)),
            Array("<c8", (), struct.pack("<2f", 1, 3)),
            [("$[1]", 2.0, 3.0)],
        ),
    ],
)  # fmt: skip
def test_a_difference_is_named_by_its_path(left: Any, right: Any, differences: Any) -> None:
    """Field by field, in canonical order, with what each side has."""
    assert first_differences(left, right) == differences


def test_arrays_of_another_shape_differ_as_wholes() -> None:
    """There is no element to name."""
    left, right = Array("|u1", (2,), b"ab"), Array("|u1", (1, 2), b"ab")
    assert first_differences([left], [right]) == [("$[0]", left, right)]


def test_at_most_limit_differences_are_given() -> None:
    """The first ones, at any depth."""
    left: Any = {"a": list(range(100)), "b": 1}
    right: Any = {"a": [-x - 1 for x in range(100)], "b": 2}
    assert [path for path, _, _ in first_differences(left, right, 3)] == ["$.a[0]", "$.a[1]", "$.a[2]"]
    assert repr(MISSING) == "<missing>"
