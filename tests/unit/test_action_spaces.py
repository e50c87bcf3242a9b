"""Actions of all spaces: packed, exact, refused with their place where they are none, and the same on every peer."""

from __future__ import annotations

import contextlib
import json
import math
import struct
import sys
from typing import Any

import action_spaces
import numpy
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pycore import action_codec
from pycore.actions.codec import MAX_ACTION_BYTES, DiscreteCodec, default_of
from pycore.errors import ActionError, ActionTooLarge, ConfigError, DecodeError

MOVE = {"type": "box", "shape": [3], "low": -1, "high": 1}
JUMP = {"type": "discrete", "n": 5}
PLAY = {"type": "dict", "spaces": {"move": MOVE, "jump": JUMP}}


def same(left: Any, right: Any) -> bool:
    """Equal in types and values, arrays in dtype and shape."""
    if type(left) is not type(right):
        return False
    if isinstance(left, numpy.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def in_javascript(digits: str) -> float:
    """A number with a point as `JSON.parse` and `JSON.stringify` leave it."""
    number = float(digits)
    return int(number) if number % 1 == 0 else number


# What every space has -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(drawn=action_spaces.actions())
def test_an_action_comes_back_as_what_it_is(drawn: tuple[dict[str, Any], list[Any]]) -> None:
    """Of the same size for the same space, and decode(encode(action)) is the same again."""
    space, (action,) = drawn
    codec = action_codec(space)
    encoded = codec.encode(action)
    decoded = codec.decode(encoded)
    assert codec.size in (None, len(encoded))
    assert codec.encode(decoded) == encoded
    assert same(codec.decode(codec.encode(decoded)), decoded)


@given(drawn=action_spaces.actions())
def test_without_numpy_it_is_the_same_in_nested_lists(drawn: tuple[dict[str, Any], list[Any]]) -> None:
    """With the same bytes: peers need not agree on what they have loaded."""
    space, (action,) = drawn
    codec = action_codec(space)
    encoded = codec.encode(action)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "numpy")
        plain = codec.decode(encoded)
        assert codec.encode(plain) == encoded
        spelled = codec.to_json(plain)
    assert repr(spelled) == repr(codec.to_json(codec.decode(encoded)))
    # -0.0 is 0.0, and 1 is True where elements are booleans.
    assert plain == action


@given(drawn=action_spaces.actions())
@pytest.mark.slow
def test_json_brings_back_the_same_bytes(drawn: tuple[dict[str, Any], list[Any]]) -> None:
    """As records have it, and as a page reads it and writes it again: with 1 for 1.0."""
    space, (action,) = drawn
    codec = action_codec(space)
    encoded = codec.encode(action)
    text = json.dumps(codec.to_json(codec.decode(encoded)), allow_nan=False)
    assert codec.encode(json.loads(text)) == encoded
    in_page = json.loads(text, parse_float=in_javascript)
    assert codec.encode(in_page) == encoded
    rounded = json.loads(text, parse_int=lambda digits: int(float(digits)))
    assert codec.encode(rounded) == encoded, "an integer that JavaScript cannot hold"


@given(drawn=action_spaces.actions(2))
def test_two_actions_have_two_encodings(drawn: tuple[dict[str, Any], list[Any]]) -> None:
    """And one action has one."""
    space, (left, right) = drawn
    codec = action_codec(space)
    assert (codec.encode(left) == codec.encode(right)) == (left == right)


@given(drawn=action_spaces.actions(3), tail=st.binary(max_size=3), skip=st.integers(0, 3))
def test_a_run_is_split_where_it_was_joined(
    drawn: tuple[dict[str, Any], list[Any]], tail: bytes, skip: int
) -> None:
    """Every action delimits itself."""
    space, actions = drawn
    codec = action_codec(space)
    encoded = [codec.encode(action) for action in actions]
    end = 2 + sum(map(len, encoded))
    assert codec.split(b"##" + b"".join(encoded) + tail, 2, 3, skip) == (encoded[skip:], end)


@given(space=action_spaces.spaces, data=st.binary(max_size=60))
def test_garbage_raises_one_error_type(space: dict[str, Any], data: bytes) -> None:
    """And what decodes is the one encoding of an action of the space."""
    codec = action_codec(space)
    if codec.size is not None:
        data = (data * (codec.size // max(1, len(data)) + 1))[: codec.size] if data else b"\xff" * codec.size
    elif len(data) > 2:
        data = (len(data) - 2).to_bytes(2, "big") + data[2:]
    for found in (data, data[1:], data + b"\0", b""):
        try:
            action = codec.decode(found)
        except DecodeError:
            continue
        assert codec.encode(action) == found
    try:
        inputs, end = codec.split(data, 0, 2)
    except DecodeError:
        return
    assert b"".join(inputs) == data[:end]


@given(drawn=action_spaces.actions(), data=st.data())
def test_one_changed_bit_is_another_action_or_none(
    drawn: tuple[dict[str, Any], list[Any]], data: st.DataObject
) -> None:
    """Nothing in an encoded action is without meaning."""
    space, (action,) = drawn
    codec = action_codec(space)
    encoded = bytearray(codec.encode(action))
    at = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[at // 8] ^= 1 << at % 8
    try:
        other = codec.decode(bytes(encoded))
    except DecodeError:
        return
    assert codec.encode(other) == bytes(encoded)
    assert codec.to_json(other) != codec.to_json(codec.decode(codec.encode(action)))


@given(space=action_spaces.spaces, given_default=st.sampled_from((0, None)))
def test_every_space_has_a_default_action(space: dict[str, Any], given_default: Any) -> None:
    """Zeros, or what is nearest to them."""
    codec = action_codec(space)
    encoded = default_of(codec, given_default)
    assert codec.encode(codec.decode(encoded)) == encoded


@given(drawn=action_spaces.actions(), values=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6,
))  # fmt: skip
def test_whatever_is_given_is_an_action_or_an_action_error(
    drawn: tuple[dict[str, Any], list[Any]], values: Any
) -> None:
    """A page may send anything."""
    codec = action_codec(drawn[0])
    try:
        encoded = codec.encode(values)
    except ActionError:
        return
    assert codec.encode(codec.decode(encoded)) == encoded


# Sizes --------------------------------------------------------------------------------------------------------------

SIZES: list[tuple[dict[str, Any], int | None]] = [
    (JUMP, 1),
    ({"type": "tuple", "spaces": [{"type": "discrete", "n": 5}, {"type": "discrete", "n": 32}]}, 1),
    ({"type": "tuple", "spaces": [{"type": "discrete", "n": 5}, {"type": "discrete", "n": 33}]}, 2),
    ({"type": "tuple", "spaces": [{"type": "discrete", "n": 1}] * 9}, 1),
    ({"type": "tuple", "spaces": []}, 1),
    ({"type": "discrete", "n": 65_537}, 3),
    ({"type": "multi_discrete", "nvec": [3, 3, 3, 3]}, 1),
    ({"type": "multi_binary", "n": 9}, 2),
    ({"type": "multi_binary", "n": 8000 - 3000}, 625),
    ({"type": "box", "shape": [2, 2], "dtype": "uint8"}, 4),
    ({"type": "box", "shape": [2], "dtype": "int64", "low": 0, "high": 3}, 1),
    ({"type": "box", "shape": [250]}, 1000),
    (MOVE, 12),
    (PLAY, 13),
    ({"type": "text", "max_length": 3}, None),
    ({"type": "dict", "spaces": {"a": JUMP, "say": {"type": "text", "max_length": 3}}}, None),
]


@pytest.mark.parametrize(("space", "size"), SIZES)
def test_a_space_takes_the_bits_of_its_parts(space: dict[str, Any], size: int | None) -> None:
    """Filled up to whole bytes once, at the end."""
    assert action_codec(space).size == size


def test_a_byte_of_a_discrete_space_is_still_a_table() -> None:
    """Whoever gives the space; `start` moves the actions, not the bytes."""
    codec = action_codec({"type": "discrete", "n": 3, "start": -1})
    assert isinstance(codec, DiscreteCodec)
    assert [codec.encode(action) for action in (-1, 0, 1)] == [b"\0", b"\1", b"\2"]
    assert codec.split(b"\0\2", 0, 2) == ([b"\0", b"\2"], 2)
    assert [codec.decode(bytes((byte,))) for byte in range(3)] == [-1, 0, 1]
    for action in (-2, 2, 0.0, True, numpy.float32(1)):
        with pytest.raises(ActionError, match="from -1 to 1"):
            codec.encode(action)
    assert codec.encode(numpy.int64(-1)) == codec.encode(numpy.array(-1)) == b"\0"
    assert type(codec.decode(codec.encode(numpy.int64(1)))) is int


def test_what_is_too_large_is_refused_when_it_is_known() -> None:
    """A space of a fixed size at once, a text when it is given; and what the server would not carry."""
    with pytest.raises(ConfigError, match="takes 1004 bytes; the limit is 1000"):
        action_codec({"type": "box", "shape": [251]})
    with pytest.raises(ConfigError, match=r"takes 12 bytes; the limit is 11: .*datagram_bytes"):
        action_codec(MOVE, 11)
    with pytest.raises(ConfigError, match="takes up to 24003 characters as JSON; the limit is 16384"):
        action_codec({"type": "multi_discrete", "nvec": [1] * 8000, "start": 10})
    codec = action_codec({"type": "text", "max_length": 8000})
    assert len(codec.encode("x" * 1331)) == MAX_ACTION_BYTES + 2
    with pytest.raises(ActionTooLarge, match="takes 1001 bytes; the limit is 1000"):
        codec.encode("x" * 1332)
    for length in (1001, 65_535):
        with pytest.raises(DecodeError, match="length"):
            codec.decode(length.to_bytes(2, "big") + b"\0" * length)


@given(drawn=action_spaces.actions())
@pytest.mark.slow
def test_json_is_no_longer_than_what_was_reckoned_with(drawn: tuple[dict[str, Any], list[Any]]) -> None:
    """The limit of what goes through the server is kept by the space, not by the single action."""
    from pycore.actions.fields import field_of

    space, (action,) = drawn
    codec = action_codec(space)
    spelled = codec.to_json(codec.decode(codec.encode(action)))
    assert len(json.dumps(spelled, separators=(",", ":"))) <= field_of(space).json_bytes


def test_what_is_reckoned_with_has_the_commas_of_actions_that_may_be_none() -> None:
    """Five times null is 26 characters."""
    from pycore.actions.fields import field_of

    nothing = {"type": "optional", "space": {"type": "tuple", "spaces": []}}
    space = {"type": "tuple", "spaces": [nothing] * 5}
    assert len(json.dumps([None] * 5, separators=(",", ":"))) == 26 <= field_of(space).json_bytes


# What an environment is given ---------------------------------------------------------------------------------------


def test_arrays_have_the_dtype_and_shape_of_the_space() -> None:
    """As its samples have; a part that is discrete is an int; a dictionary has the order of the space."""
    codec = action_codec({"type": "dict", "spaces": {"d": JUMP, "m": {"type": "multi_binary", "n": [2, 1]}, "b": MOVE,
                          "n": {"type": "multi_discrete", "nvec": [3], "dtype": "int32"},
                          "s": {"type": "box", "shape": [], "dtype": "float16"}}})  # fmt: skip
    given = {"d": numpy.int64(4), "m": [[1], [True]], "b": [0.1, 1, -0.0], "n": [2], "s": 0.1}
    found = codec.decode(codec.encode(given))
    assert same(found, {
        "b": numpy.array([0.1, 1, 0], "float32"),
        "d": 4,
        "m": numpy.array([[1], [1]], "int8"),
        "n": numpy.array([2], "int32"),
        "s": numpy.array(0.1, "float16"),
    })  # fmt: skip


def test_a_decoded_array_is_not_to_be_written_into() -> None:
    """A frame is stepped again with it: what an environment leaves in it must not count."""
    array = action_codec(MOVE).decode(action_codec(MOVE).encode([0, 0, 0]))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_a_float_is_rounded_once_and_there_is_one_zero() -> None:
    """A float of Python, one of float64 and one of float32 are the same action where they round to the same."""
    codec = action_codec(MOVE)
    plain = codec.encode([0.1, -0.0, 1.0])
    assert plain == codec.encode(numpy.array([0.1, 0.0, 1.0])) == codec.encode(numpy.array([0.1, -0.0, 1], "float32"))
    assert plain == struct.pack(">fff", 0.1, 0.0, 1.0)
    assert codec.encode([0.0, 0.0, 1.00000001]) == codec.encode([0, 0, 1])
    minus = struct.pack(">fff", 0.1, -0.0, 1.0)
    for data in (minus, struct.pack(">fff", math.nan, 0, 0), struct.pack(">fff", 0, 1.5, 0)):
        with pytest.raises(DecodeError):
            codec.decode(data)
    free = action_codec({"type": "box", "shape": [1]})
    for number in (math.inf, -math.inf, math.nan):
        with pytest.raises(DecodeError):
            free.decode(struct.pack(">f", number))


def test_what_a_space_leaves_free_means_nothing() -> None:
    """Two bits for three integers, and six bits behind them that fill the byte: one action has one encoding."""
    codec = action_codec({"type": "tuple", "spaces": [{"type": "discrete", "n": 3}]})
    array = action_codec({"type": "multi_discrete", "nvec": [3]})
    assert [codec.decode(bytes((byte,))) for byte in (0x00, 0x40, 0x80)] == [(0,), (1,), (2,)]
    for byte in (0xC0, 0x01, 0x60):
        for of in (codec, array):
            with pytest.raises(DecodeError):
                of.decode(bytes((byte,)))
            with pytest.raises(DecodeError):
                of.split(bytes((0x40, byte)), 0, 2)


def test_a_text_beyond_its_length_or_its_characters_is_no_action() -> None:
    """Three bits of length, six of each character: what the space leaves free in them means nothing."""
    codec = action_codec({"type": "text", "max_length": 4, "min_length": 0})
    assert codec.decode(b"\0\2" + (0b001_111101 << 7).to_bytes(2, "big")) == "z"
    for bits, width in ((7 << 42, 45), (0b001_111110, 9), (0b011_111101, 9), (5 << 30, 33)):
        size = -(-width // 8)
        with pytest.raises(DecodeError):
            codec.decode(size.to_bytes(2, "big") + (bits << 8 * size - width).to_bytes(size, "big"))


@given(number=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_float32_comes_back_from_json_bit_by_bit(number: float) -> None:
    """Every one of them is a float of Python's, whose text is exact."""
    codec = action_codec({"type": "box", "shape": [1]})
    text = json.dumps(codec.to_json(codec.decode(codec.encode([numpy.float32(number)]))))
    back = numpy.array(json.loads(text), "float32")
    assert back.tobytes() == numpy.array([number + 0.0], "float32").tobytes()


# What is refused ----------------------------------------------------------------------------------------------------

WITH_TEXT = {"type": "dict", "spaces": [["say", {"type": "text", "max_length": 3, "charset": "abc"}], [7, JUMP]]}
WHOLE = {"type": "box", "shape": [2, 2], "dtype": "int8", "low": -3, "high": 3}
PAIR = {"type": "tuple", "spaces": [{"type": "discrete", "n": 70_000, "start": 5}, {"type": "multi_binary", "n": 2}]}
OUTSIDE: list[tuple[dict[str, Any], Any, str]] = [
    (PLAY, {"move": [0, 0, 1.5], "jump": 0}, r"^action.move\[2\] is 1.5; the limit is 1.0$"),
    (PLAY, {"move": numpy.array([0, -2, 0.0]), "jump": 0}, r"^action.move\[1\] is -2.0; the limit is -1.0$"),
    (PLAY, {"move": [0, 0, math.nan], "jump": 0}, r"action.move\[2\] is nan; it must be finite"),
    (PLAY, {"move": [0, 0, 1e39], "jump": 0}, r"action.move\[2\] is 1e\+39, which does not fit float32"),
    (PLAY, {"move": [0, 0, 10**400], "jump": 0}, r"action.move\[2\] is inf; it must be finite"),
    (PLAY, {"move": [0, 0, "1"], "jump": 0}, r"action.move\[2\] is '1'; it must be a number"),
    (PLAY, {"move": [0, 0, True], "jump": 0}, r"action.move\[2\] is True; it must be a number"),
    (PLAY, {"move": [0, 0], "jump": 0}, r"action.move is 2 elements; it must be a list of 3"),
    (PLAY, {"move": 0.5, "jump": 0}, r"action.move is 0.5; it must be a list of 3"),
    (PLAY, {"move": numpy.zeros((3, 1)), "jump": 0}, r"action.move has the shape \(3, 1\); it must have \(3,\)"),
    (PLAY, {"move": [0, 0, 0], "jump": 5}, "action.jump is 5; the limit is 4"),
    (PLAY, {"move": [0, 0, 0], "jump": 1.5}, "action.jump is 1.5; it must be an integer"),
    (PLAY, {"move": [0, 0, 0], "jump": False}, "action.jump is False; it must be an integer"),
    (PLAY, {"move": [0, 0, 0]}, "action has no 'jump'"),
    (PLAY, {"move": [0, 0, 0], "jump": 0, "duck": 1}, "action has 'duck', which the space has not"),
    (PLAY, [0], r"action is \[0\]; it must be a dictionary"),
    (WITH_TEXT, {"say": "abd", "7": 1}, r"action.say\[2\] is 'd', which is not in the charset"),
    (WITH_TEXT, {"say": "abca", "7": 1}, "action.say has 4 characters; the limit is 3"),
    (WITH_TEXT, {"say": "", "7": 1}, "action.say has 0 characters; the limit is 1"),
    (WITH_TEXT, {"say": 3, "7": 1}, "action.say is 3; it must be a text"),
    (WITH_TEXT, {"say": "a", "7": 9}, r"action\[7\] is 9; the limit is 4"),
    (WITH_TEXT, {"say": "a", "7": 1, 7: 1}, "action has 'a key twice'"),
    (WHOLE, [[0, 0], [0, 4]], r"action\[1\]\[1\] is 4; the limit is 3"),
    (WHOLE, [[-4, 0], [0, 0]], r"action\[0\]\[0\] is -4; the limit is -3"),
    (WHOLE, [[0, 0], [0.5, 0]], r"action\[1\]\[0\] is 0.5; it must be an integer"),
    (WHOLE, [[0, 0], [0, "1"]], r"action\[1\]\[1\] is '1'; it must be an integer"),
    (WHOLE, [[0, 0], 0], r"action\[1\] is 0; it must be a list of 2"),
    (PAIR, (4, [0, 0]), r"action\[0\] is 4; the limit is 5"),
    (PAIR, (5, [0, 2]), r"action\[1\]\[1\] is 2; the limit is 1"),
    (PAIR, (5,), r"action is \(5,\); it must be a tuple or a list of 2"),
]


@pytest.mark.parametrize(("space", "action", "message"), OUTSIDE)
def test_what_is_not_in_the_space_is_refused_with_its_place(space: dict[str, Any], action: Any, message: str) -> None:
    """And with the limit that it passes."""
    with pytest.raises(ActionError, match=message):
        action_codec(space).encode(action)


def test_what_json_makes_of_an_action_is_the_action() -> None:
    """Lists for tuples and arrays, a point or none, texts for keys."""
    codec = action_codec(WITH_TEXT)
    assert codec.encode({"say": "a", "7": 1}) == codec.encode({7: 1.0, "say": "a"})
    codec = action_codec(PAIR)
    assert codec.encode([5.0, [1.0, 0]]) == codec.encode((5, numpy.array([True, False])))
    codec = action_codec({"type": "box", "shape": [2], "dtype": "int64"})
    far = [2**63 - 1, -(2**53)]
    spelled = codec.to_json(codec.decode(codec.encode(far)))
    assert spelled == [str(2**63 - 1), -(2**53)]
    assert codec.encode(spelled) == codec.encode(far)
    with pytest.raises(ActionError, match=r"action\[0\] is 9223372036854775808; the limit is"):
        codec.encode([2**63, 0])


NEUTRAL: list[tuple[dict[str, Any], Any]] = [
    ({"type": "discrete", "n": 3, "start": 4}, 4),
    ({"type": "discrete", "n": 3, "start": -1}, 0),
    ({"type": "box", "shape": [3], "low": [1, -1, -3], "high": [2, 1, -2]}, [1.0, 0.0, -2.0]),
    ({"type": "multi_binary", "n": 2}, [0, 0]),
    ({"type": "multi_discrete", "nvec": [2, 2], "start": [3, 0]}, [3, 0]),
    ({"type": "text", "max_length": 3, "min_length": 0}, ""),
    ({"type": "text", "max_length": 3, "min_length": 2}, "00"),
    ({"type": "tuple", "spaces": [{"type": "discrete", "n": 3, "start": 4}, MOVE]}, [4, [0.0, 0.0, 0.0]]),
    (PLAY, {"jump": 0, "move": [0.0, 0.0, 0.0]}),
    ({"type": "any"}, 0),
]


@pytest.mark.parametrize(("space", "neutral"), NEUTRAL)
def test_the_default_is_the_neutral_action_where_0_is_none(space: dict[str, Any], neutral: Any) -> None:
    """0 and null ask for nothing in particular. What is asked for must be in the space."""
    codec = action_codec(space)
    assert codec.to_json(codec.decode(default_of(codec, 0))) == neutral
    with pytest.raises(ActionError, match="seats is not in the action space"):
        default_of(codec, object(), "seats")
    if space["type"] not in ("any", "text"):
        with pytest.raises(ActionError, match="default_action is not in the action space"):
            default_of(codec, 99)


@given(drawn=action_spaces.actions())
def test_a_default_that_is_given_is_played(drawn: tuple[dict[str, Any], list[Any]]) -> None:
    """Also if it is not the neutral one."""
    space, (action,) = drawn
    assume(action is not None and not (space["type"] == "optional" and type(action) is int and action == 0))
    codec = action_codec(space)
    assert default_of(codec, action) == codec.encode(action)


def test_no_move_is_an_action_of_an_optional_space_and_its_default() -> None:
    """Also where 0 is a move: nobody moves because a setting says nothing."""
    codec = action_codec({"type": "optional", "space": {"type": "discrete", "n": 9}})
    assert codec.size == 1
    assert codec.decode(codec.encode(None)) is None
    assert len({codec.encode(action) for action in (None, *range(9))}) == 10
    assert [codec.decode(default_of(codec, setting)) for setting in (None, 0)] == [None, None]
    assert codec.decode(default_of(codec, 3)) == 3
    with pytest.raises(ActionError, match="the limit is 8"):
        codec.encode(9)
    read = []
    for byte in range(256):
        with contextlib.suppress(DecodeError):
            read.append(codec.decode(bytes([byte])))
    assert sorted(read, key=str) == [*range(9), None], "each has one spelling"
