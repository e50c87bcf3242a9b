"""Values that have a canonical form, for Hypothesis, and what it means that two of them are the same."""

from __future__ import annotations

import math
import struct
from typing import Any

from hypothesis import strategies as st

from pycore.values.canonical import MAX_INT_BITS, Array

BIG = 1 << (MAX_INT_BITS - 1)

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-BIG, BIG - 1),
    st.floats(),
    st.text(),
    st.binary(),
)
keys = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)


def _binary(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


arrays = st.sampled_from(["|u1", "<i2", "<u8"]).flatmap(
    lambda dtype: st.lists(st.integers(0, 3), max_size=3).flatmap(
        lambda shape: _binary(int(dtype[2:]) * math.prod(shape)).map(
            lambda data: Array(dtype, tuple(shape), data)
        )
    )
)
values = st.recursive(
    st.one_of(leaves, arrays),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(keys, inner, max_size=5), st.sets(keys, max_size=5)
    ),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    """Equal in type and value, NaN equal to itself, 0.0 unlike -0.0. Written without the canonical form."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (left != left and right != right) or struct.pack("d", left) == struct.pack("d", right)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict):
        return len(left) == len(right) and all(key in right and same(left[key], right[key]) for key in left)
    return bool(left == right)
