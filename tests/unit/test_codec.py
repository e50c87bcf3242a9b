"""Actions as bytes: exact, self-delimiting, and compared as what they are."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.actions.codec import MAX_ACTION_BYTES, AnyCodec, DiscreteCodec, action_codec
from pycore.duties import SEND
from pycore.errors import ActionError, ConfigError, DecodeError
from pycore.session.packets import longest_action
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.testing import Mesh, Walk

actions = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(("n", "size"), [(1, 1), (6, 1), (256, 1), (257, 2), (65_536, 2)])
def test_a_discrete_action_takes_the_fewest_whole_bytes(n: int, size: int) -> None:
    """n up to 256 fits a byte, up to 65,536 two; the ends of the range come back as they went."""
    codec = DiscreteCodec(n)
    assert codec.size == size
    for action in (0, n // 2, n - 1):
        encoded = codec.encode(action)
        assert len(encoded) == size
        assert codec.decode(encoded) == action


@pytest.mark.parametrize("action", [6, -1, 1.0, True, None, "1", [1], math.nan, 2**70])
def test_what_is_not_in_a_discrete_space_is_refused(action: Any) -> None:
    """-1 is not 255, 1.0 and True are not 1: nothing is bent into range."""
    with pytest.raises(ActionError, match="0 to 5"):
        DiscreteCodec(6).encode(action)


@pytest.mark.parametrize("n", [0, -1, 65_537, 6.0, True, "6", None])
def test_a_discrete_space_has_1_to_65536_actions(n: Any) -> None:
    """Anything else is a configuration error."""
    with pytest.raises(ConfigError):
        DiscreteCodec(n)


def test_an_unknown_action_space_is_refused_with_the_known_ones() -> None:
    """The message says what can be written instead."""
    with pytest.raises(ConfigError, match=r"known are 'discrete'.*'any'"):
        action_codec({"type": "boxes"})


def test_one_and_true_and_a_text_are_three_actions() -> None:
    """Actions are the same when their bytes are, never because == says so."""
    codec = AnyCodec()
    assert len({codec.encode(action) for action in (1, True, "1", [1], {"1": 1})}) == 5


@pytest.mark.parametrize(("given", "normal"), [(1.0, 1), (-0.0, 0), ([2.0, {"x": 3.5}], [2, {"x": 3.5}]), ((1,), [1])])
def test_a_number_is_what_a_page_makes_of_it(given: Any, normal: Any) -> None:
    """JSON in a page knows one kind of number: with 1.0 on one path and 1 on the other, peers would differ."""
    codec = AnyCodec()
    assert codec.encode(given) == codec.encode(normal)
    assert repr(codec.decode(codec.encode(given))) == repr(normal)


@pytest.mark.parametrize("action", [math.nan, math.inf, 2**53 + 1, b"x", {1: 2}, {"a": [object()]}, {1}, 1j])
def test_what_a_page_cannot_carry_is_refused(action: Any) -> None:
    """It would be lost on the way through the server, or in the records."""
    with pytest.raises(ActionError, match="a page cannot carry"):
        AnyCodec().encode(action)


def test_an_action_that_holds_itself_is_refused() -> None:
    """Depth is bounded, so a cycle ends in the same error."""
    action: list[Any] = []
    action.append(action)
    with pytest.raises(ActionError, match="deep"):
        AnyCodec().encode(action)


@given(value=actions)
def test_any_action_comes_back_with_the_same_bytes(value: Any) -> None:
    """decode(encode(action)) is what every peer steps with; encoding it again gives the same bytes."""
    codec = AnyCodec()
    encoded = codec.encode(value)
    assert codec.encode(codec.decode(encoded)) == encoded


@given(values=st.lists(actions, max_size=6), tail=st.binary(max_size=4))
def test_a_run_of_actions_is_split_where_it_was_joined(values: list[Any], tail: bytes) -> None:
    """Every encoded action delimits itself; what stands behind the run is left alone."""
    codec = AnyCodec()
    encoded = [codec.encode(value) for value in values]
    assert codec.split(b"##" + b"".join(encoded) + tail, 2, len(values)) == (encoded, 2 + sum(map(len, encoded)))


@pytest.mark.parametrize("n", [6, 1000])
@given(numbers=st.lists(st.integers(0, 5), max_size=31))
def test_a_run_of_discrete_actions_is_split_by_size(n: int, numbers: list[int]) -> None:
    """Fixed sizes need no lengths."""
    codec = DiscreteCodec(n)
    encoded = [codec.encode(number) for number in numbers]
    assert codec.split(b"#" + b"".join(encoded), 1, len(numbers)) == (encoded, 1 + len(numbers) * (codec.size or 0))


def test_an_action_above_the_limit_is_refused_with_its_size() -> None:
    """One action has to fit a datagram beside the header: 1,000 bytes."""
    codec = AnyCodec()
    assert len(codec.encode("x" * 990)) <= MAX_ACTION_BYTES + 2
    with pytest.raises(ActionError, match=r"takes 10\d\d bytes; the limit is 1000"):
        codec.encode("x" * 1000)


def test_the_limit_of_a_codec_is_what_it_was_given() -> None:
    """A study with small datagrams has small actions; a discrete one has no need of it."""
    codec = action_codec({"type": "any"}, 100)
    assert len(codec.encode("x" * 97)) > 98
    with pytest.raises(ActionError, match="the limit is 100"):
        codec.encode("x" * 100)
    long = action_codec({"type": "any"}, 200).encode("x" * 150)
    with pytest.raises(DecodeError, match="length"):
        codec.decode(long)
    assert action_codec({"type": "discrete", "n": 6}, 100).size == 1


@pytest.mark.parametrize("seats", [2, 8])
@pytest.mark.parametrize("datagram_bytes", [576, 1200, 16_384])
def test_the_longest_action_that_is_taken_fits_a_datagram(
    datagram_bytes: int, seats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside header, receipts and whatever else rides; nothing is ever larger than was asked for."""
    of = Settings(
        action_space={"type": "any"}, default_action="", datagram_bytes=datagram_bytes, max_steps=12, hash_interval=1
    )
    limit = min(MAX_ACTION_BYTES, longest_action(datagram_bytes, seats))
    action = "x" * (limit - 3)
    assert len(action_codec({"type": "any"}, limit).encode(action)) == limit + 2
    sizes: set[int] = set()
    honest = Session.poll

    def poll(self: Session, *given: Any, **more: Any) -> list[Any]:
        outputs = honest(self, *given, **more)
        sizes.update(len(payload) for duty, _, _, payload in outputs if duty == SEND)
        return outputs

    monkeypatch.setattr(Session, "poll", poll)
    mesh = Mesh(
        seats, of, lambda seat: Walk(seats), lambda seat: lambda episode, frame: "" if frame % 3 else action, seed=1
    )
    mesh.run(60.0)
    assert mesh.over
    assert limit < max(sizes) <= datagram_bytes
    assert all(len(peer.rows[0]) == 12 for peer in mesh.peers)


@given(data=st.binary(max_size=40), at=st.integers(0, 5), count=st.integers(0, 40))
def test_splitting_garbage_raises_one_error_type(data: bytes, at: int, count: int) -> None:
    """Lengths are checked before anything is read; what is split can be decoded."""
    for codec in (AnyCodec(), DiscreteCodec(6), DiscreteCodec(300)):
        try:
            inputs, end = codec.split(data, at, count)
        except DecodeError:
            continue
        assert len(inputs) == count
        assert b"".join(inputs) == data[at:end]
        for encoded in inputs:
            assert codec.encode(codec.decode(encoded)) == encoded


@given(data=st.binary(max_size=12))
def test_decoding_garbage_raises_one_error_type(data: bytes) -> None:
    """A second spelling of an action is no action: what decodes, encodes to the same bytes."""
    for codec in (AnyCodec(), DiscreteCodec(6), DiscreteCodec(300)):
        try:
            action = codec.decode(data)
        except DecodeError:
            continue
        assert codec.encode(action) == data
