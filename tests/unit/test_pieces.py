"""Encoding in pieces: the bytes and the errors of `encode`, whatever the pieces are."""

from __future__ import annotations

import collections
import contextlib
import gc
import hashlib
import weakref
from collections.abc import Sequence
from itertools import cycle
from typing import Any, NamedTuple

import pytest
from canonical_values import values
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import CanonicalError, UsageError
from pycore.values.canonical import MAX_DEPTH, Array, Encoder, encode
from pycore.values.encoding import MAX_LAYOUT_KEYS
from pycore.values.pieces import WHOLE

slices = st.lists(st.integers(1, 40), min_size=1, max_size=5)


class Place(NamedTuple):
    x: int
    things: list[Any]


class Holder(list[Any]):
    """Has attributes: no form."""

    def __init__(self, *items: Any) -> None:
        super().__init__(items)
        self.more = 1


def in_pieces(value: Any, sizes: Sequence[int]) -> tuple[bytes, int]:
    """The bytes, and how many runs that took."""
    encoder = Encoder(value)
    for runs, size in enumerate(cycle(sizes), 1):
        if encoder.run(size):
            return encoder.result(), runs
    raise AssertionError


def outcome(encoded: Any) -> Any:
    """The bytes or the error's text."""
    try:
        return encoded()
    except CanonicalError as error:
        return str(error)


def grown(value: Any) -> Any:
    """The value among many of it, so that there is something to cut."""
    many = {index: index if index % 100 else value for index in range(MAX_LAYOUT_KEYS + 50)}
    flat = list(range(2 * WHOLE))
    return [value, flat, {"few": value, "more": [value] * 3}, many, set(range(MAX_LAYOUT_KEYS + 50)), Place(1, [value])]


@pytest.mark.slow
@given(values, slices)
def test_the_bytes_are_those_of_encode(value: Any, sizes: list[int]) -> None:
    """Every value, every slicing."""
    assert in_pieces(value, sizes)[0] == encode(value)


@given(values, st.integers(1, 300))
def test_the_bytes_of_a_large_value_are_those_of_encode(value: Any, size: int) -> None:
    """Long lists, dictionaries and sets over the limit, subclasses: all are cut."""
    large = grown(value)
    found, runs = in_pieces(large, [size])
    assert found == encode(large)
    assert runs >= max(2, 700 // (size + 2 * WHOLE))


SPOILS: list[Any] = [
    object(),
    Holder(1),
    1 << 5000,
    "\ud800",
    {frozenset({"\ud800"}): 1},
    {float("nan"): 1, -float("nan"): 2},
    {float("nan"), -float("nan")},
    Array("<f3", (), b""),
    collections.OrderedDict(a=[0, object()]),
]


@given(values, st.sampled_from(SPOILS), st.sampled_from(["list", "few", "many", "twice", "set", "deep"]), slices)
def test_the_errors_are_those_of_encode(value: Any, spoil: Any, where: str, sizes: list[int]) -> None:
    """The same path and the same reason, wherever it lies."""
    large: dict[str, Any] = {"before": grown(value), "place": None, "values": [value] * 3}
    if where == "list":
        large["place"] = [*range(100), value, spoil, 0]
    elif where == "few":
        large["place"] = {"ok": value, "bad": spoil, "later": object()}
    elif where == "many":
        large["place"] = {key: [0, spoil] for key in range(MAX_LAYOUT_KEYS + 9)}
    elif where == "twice":
        large["place"] = [spoil, [spoil, object()], spoil]
    elif where == "set":
        large["place"] = set(range(MAX_LAYOUT_KEYS + 9)) | {(1, "\ud800")}
    else:
        for _ in range(20):
            large["place"] = [1, {"a b": large["place"] or spoil}]
    expected = outcome(lambda: encode(large))
    assert type(expected) is str
    assert outcome(lambda: in_pieces(large, sizes)[0]) == expected


def test_keys_that_are_two_to_python_and_one_here_are_refused_among_many() -> None:
    """Before any item is looked at, as in one piece."""
    twins: dict[Any, Any] = {index: object() for index in range(MAX_LAYOUT_KEYS + 9)}
    twins |= {float("nan"): 1, -float("nan"): 2}
    assert outcome(lambda: in_pieces([twins], [7])[0]) == outcome(lambda: encode([twins]))
    assert "$[0]" in outcome(lambda: encode([twins]))
    assert "same canonical form" in outcome(lambda: in_pieces([set(twins)], [7]))


@pytest.mark.parametrize("kind", ["list", "dict", "set", "many"])
@pytest.mark.parametrize("more", [-1, 0, 1, 2])
def test_the_depth_is_limited_as_in_one_piece(kind: str, more: int) -> None:
    """Nothing recurses here, and the limit stands all the same."""
    innermost: dict[str, Any] = {
        "list": [[0] * 100, []],
        "dict": {"a": [0] * 100},
        "set": frozenset({(1, (2,))}),
        "many": {key: [1] for key in range(MAX_LAYOUT_KEYS + 1)},
    }
    value = innermost[kind]
    for _ in range(MAX_DEPTH - 2 + more):
        value = [value]
    expected = outcome(lambda: encode(value))
    assert outcome(lambda: in_pieces(value, [1])[0]) == expected
    assert (type(expected) is str) == (more > 0 or (kind == "set" and more == 0))


@pytest.mark.slow
@given(values, st.integers(1, 300))
def test_a_hash_may_be_fed_instead(value: Any, size: int) -> None:
    """The bytes go where they are wanted, at the end of each run, and nothing is kept."""
    large = grown(value)
    hasher = hashlib.blake2b(digest_size=8)
    encoder = Encoder(large, hasher.update)
    while not encoder.run(size):
        assert encoder._parts == []
    assert hasher.digest() == hashlib.blake2b(encode(large), digest_size=8).digest()
    with pytest.raises(UsageError, match="where to put"):
        encoder.result()


def test_there_is_no_result_before_the_end() -> None:
    """Nor after an error, which comes again."""
    value = [[1] * 100] * 3
    encoder = Encoder(value)
    assert not encoder.run(1)
    with pytest.raises(UsageError, match="before run"):
        encoder.result()
    assert encoder.run(10_000)
    assert encoder.run(1)
    assert encoder.result() == encoder.result() == encode(value)
    broken = Encoder([[1] * 100, object()])
    for _ in range(2):
        with pytest.raises(CanonicalError, match=r"\$\[1\]"):
            broken.run(10_000)
        with pytest.raises(UsageError, match="before run"):
            broken.result()


def test_a_run_of_no_items_still_goes_on() -> None:
    """So nobody waits for ever."""
    encoder = Encoder(list(range(10 * WHOLE)))
    runs = 1
    while not encoder.run(0):
        runs += 1
    assert 10 <= runs <= 12


def test_an_encoder_that_is_done_keeps_nothing_alive() -> None:
    """Its bytes go with it, and do not wait for the collector."""
    gone = []
    for value in ([[1] * 100] * 3, [[1] * 100, object()]):
        encoder = Encoder(value)
        with contextlib.suppress(CanonicalError):
            encoder.run(10_000)
        weakref.finalize(encoder, gone.append, len(gone))
        gc.disable()
        try:
            del encoder
            assert gone
        finally:
            gc.enable()
        gone.clear()


def _tree(height: int, node: Any) -> Any:
    """Ten branches at each height, so that no container is large."""
    return node([_tree(height - 1, node) for _ in range(10)]) if height else 7


@pytest.mark.parametrize(
    "value",
    [
        [[index, [index, [index] * 3]] for index in range(2000)],
        [list(range(30))] * 300,
        {f"key {index}": index for index in range(9000)},
        set(range(9000)),
        [{"x": index, "y": -index, "tags": ["a", "b"]} for index in range(2000)],
        list(range(9000)),
        Place(1, list(range(9000))),
        _tree(4, lambda branches: branches),
        _tree(4, lambda branches: dict(zip("abcdefghij", branches, strict=True))),
    ],
)
def test_a_run_does_about_as_many_values_as_it_was_given(value: Any) -> None:
    """Within what is never cut; so the longest run is a fraction of the whole."""
    total = _count(value)
    _, runs = in_pieces(value, [100])
    assert total / (100 + 3 * WHOLE) - 1 <= runs <= total / 100 * 2 + 2
    if not isinstance(value, set):  # whose members are put in one go
        sizes: list[int] = []
        encoder = Encoder(value, lambda data: sizes.append(len(data)))
        while not encoder.run(100):
            pass
        assert max(sizes) <= 3 * (100 + 3 * WHOLE) * len(encode(value)) / total


def _count(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_count(item) for item in value.values())
    return 1 + sum(_count(item) for item in value) if isinstance(value, (list, tuple, set)) else 1
