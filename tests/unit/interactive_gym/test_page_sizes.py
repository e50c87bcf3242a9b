"""Messages to the page's server stay below a million bytes, in the form in which they cross."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.interactive_gym.sizes import fitting, packed
from pycore.values.json import plain_json

numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
short = st.sampled_from([0.5, -0.5, 0.1, 1.0, 1e-7, 1e16, 5e-324, 0, -1, 127, 128, 65536, 2**31])
values = st.recursive(
    st.none() | st.booleans() | numbers | short | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(min_size=1, max_size=12), inner, max_size=8),
    max_leaves=60,
)


@pytest.mark.slow
@given(value=values)
def test_what_is_packed_is_never_larger_than_was_said(value: object) -> None:
    """Against msgpack itself; a short float is where JSON is smaller, by more than half."""
    msgpack = pytest.importorskip("msgpack")
    text = plain_json(value)
    assert len(msgpack.packb(json.loads(text))) <= packed(text) + 4  # the header of what is empty or alone


def test_short_floats_take_more_than_twice_the_room() -> None:
    """The case that closed connections: 100,000 rewards of 0.5."""
    text = plain_json([0.5] * 100_000)
    assert len(text) == 400_001
    assert 900_000 <= packed(text) <= 910_000


def test_a_list_is_cut_where_its_room_ends() -> None:
    """And never goes on behind an entry that did not fit."""
    assert fitting("aaabbbc", 5, lambda entry: 2 if entry == "b" else 1) == list("aaab")
    assert fitting([], 0, lambda entry: 1) == []
    assert fitting(iter([3, 2, 1]), 3, lambda entry: entry) == [3]
