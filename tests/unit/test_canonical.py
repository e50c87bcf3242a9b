"""The canonical form: one value, one byte string, and nothing else is accepted."""

from __future__ import annotations

import collections
import enum
import random
import struct
import sys
from typing import Any, NamedTuple

import pytest
from canonical_values import BIG, keys, leaves, same, values
from hypothesis import assume, example, given
from hypothesis import strategies as st
from optional import needs_numpy, numpy

from pycore.errors import CanonicalError, DecodeError, UsageError
from pycore.values.canonical import DTYPES, MAX_DEPTH, MAX_INT_BITS, Array, decode, digest, encode

# --- the law ---


@pytest.mark.slow
@given(values)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    """decode(encode(value)) is value."""
    assert same(decode(encode(value)), value)


@pytest.mark.slow
@given(values, values)
def test_two_values_share_their_bytes_only_if_they_are_the_same(left: Any, right: Any) -> None:
    """encode is injective."""
    assert (encode(left) == encode(right)) == same(left, right)


@pytest.mark.slow
@given(st.dictionaries(keys, leaves, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_a_dictionary_does_not_show(value: dict[Any, Any], rnd: random.Random) -> None:
    """Insertion order is no part of the value."""
    items = list(value.items())
    rnd.shuffle(items)
    assert encode(dict(items)) == encode(value)


@given(st.sets(st.text(), max_size=8))
def test_the_order_of_a_set_does_not_show(members: set[str]) -> None:
    """Iteration order, which follows the hash seed, is no part of the value."""
    data = encode(members)
    assert data == encode(frozenset(sorted(members, reverse=True)))
    assert [m.encode() for m in sorted(members)] == sorted(m.encode() for m in decode(data))


@pytest.mark.parametrize(
    ("value", "hexadecimal"),
    [
        (None, "00"),
        (False, "01"),
        (True, "02"),
        (0, "0300"),
        (-1, "0301"),
        (1, "0302"),
        (63, "037e"),
        (64, "038001"),
        (-1024, "03ff0f"),
        (1024, "038010"),
        (2**32 - 1, "03feffffff1f"),
        (0.0, "040000000000000000"),
        (-0.0, "048000000000000000"),
        (1.5, "043ff8000000000000"),
        (float("nan"), "047ff8000000000000"),
        (float("-inf"), "04fff0000000000000"),
        ("é", "0502c3a9"),
        (b"\x00\xff", "060200ff"),
        ([1, [None]], "0702030207" + "0100"),
        ({"b": 1, "a": 2}, "0802" + "050161" + "0304" + "050162" + "0302"),
        ({2, 1}, "0902" + "0302" + "0304"),
        (Array("<u2", (2,), b"\x01\x00\x02\x00"), "0a0401" + "02" + "01000200"),
    ],
)
def test_the_bytes_are_these(value: Any, hexadecimal: str) -> None:
    """The format is fixed: files and peers of other versions hold it."""
    assert encode(value).hex() == hexadecimal


@pytest.mark.parametrize("bits", [6, 7, 13, 14, 20, 21, 27, 28, 34, 35, 63, 64, 127, 128, MAX_INT_BITS - 1])
def test_ints_around_every_length_come_back(bits: int) -> None:
    """No boundary of the variable length loses a bit."""
    for value in range((1 << bits) - 2, (1 << bits) + 2):
        for signed in (value, -value):
            if -BIG <= signed < BIG:
                assert decode(encode(signed)) == signed


def test_an_int_beyond_the_limit_is_refused_both_ways() -> None:
    """The limit stands in both directions."""
    assert decode(encode(BIG - 1)) == BIG - 1
    assert decode(encode(-BIG)) == -BIG
    with pytest.raises(CanonicalError, match="4097 bits; at most 4095"):
        encode({"x": 1 << 4096})
    with pytest.raises(DecodeError):
        decode(b"\x03" + b"\x80" * 585 + b"\x02")


def test_numbers_that_python_takes_for_equal_differ() -> None:
    """1, 1.0 and True are three values; -0.0 and 0.0 are two."""
    assert len({encode(value) for value in (1, 1.0, True, "1", b"1", [1])}) == 6
    assert encode(0.0) != encode(-0.0)


@given(st.integers(0, 2**64 - 1))
def test_every_nan_is_one(bits: int) -> None:
    """The sign and the payload of a NaN are not the same on every machine."""
    nan = struct.unpack(">d", struct.pack(">Q", bits | 0x7FF0000000000001))[0]
    assert nan != nan
    assert encode(nan) == encode(float("nan"))


def test_a_tuple_counts_as_a_list_and_decodes_to_one() -> None:
    """list = tuple, but a key must stay hashable."""
    assert encode((1, (2,))) == encode([1, [2]])
    assert decode(encode((1, (2,)))) == [1, [2]]
    assert decode(encode({(1, (2,)): frozenset({(3,)})})) == {(1, (2,)): {(3,)}}


# --- subclasses ---


class Colour(enum.IntEnum):
    RED = 7


class Word(enum.StrEnum):
    HELLO = "hello"


class Mixed(str, enum.Enum):  # noqa: UP042 - older code is full of them
    HELLO = "hello"


class Plain(enum.Enum):
    HELLO = "hello"


class Point(NamedTuple):
    x: int
    y: int


class Name(str):
    pass


class Slotted(str):
    __slots__ = ("note",)


class Loud(dict):  # type: ignore[type-arg]
    pass


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Colour.RED, 7),
        (Word.HELLO, "hello"),
        (Mixed.HELLO, "hello"),
        (Point(1, 2), [1, 2]),
        (Name("x"), "x"),
        (collections.OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        (bytearray(b"ab"), b"ab"),
        ({Word.HELLO: 1}, {"hello": 1}),
    ],
)
def test_a_subclass_that_holds_nothing_else_counts_as_its_base(value: Any, base: Any) -> None:
    """Enumerations of numbers, named tuples and the dictionaries of collections lose nothing."""
    assert encode(value) == encode(base)


def test_a_subclass_with_attributes_of_its_own_is_refused() -> None:
    """What they hold would be lost without a word."""
    loud = Loud(a=1)
    assert encode(loud) == encode({"a": 1})
    loud.volume = 11  # type: ignore[attr-defined]
    for value in (loud, Slotted("x")):
        with pytest.raises(CanonicalError, match="attributes beside"):
            encode([value])


@pytest.mark.parametrize(
    ("value", "path", "why"),
    [
        (object(), "$", "builtins.object has no canonical form"),
        ({"players": [1, 2, {"pos": 1j}]}, "$.players[2].pos", "complex"),
        ({"a b": {3: [Plain.HELLO]}}, "$['a b'][3][0]", "its .value"),
        ({"s": {(1, Plain.HELLO)}}, "$.s{(1, <Plain.HELLO: 'hello'>)}[1]", "its .value"),
        ({Plain.HELLO: 1}, "${<Plain.HELLO: 'hello'>}", "its .value"),
        (["a", "\ud800"], "$[1]", "lone surrogate at index 0"),
        ([range(3)], "$[0]", "range"),
        ({"q": collections.deque([1])}, "$.q", "deque"),
        ({float("nan"): 1, -float("nan"): 2}, "$", "same canonical form"),
        (Array("<f8", (2,), b"12345678"), "$", "8 bytes of data"),
        (Array("|O8", (1,), b"12345678"), "$", "dtype"),
        (Array("|u1", (-1,), b""), "$", "shape"),
        (Array("|u1", (0, 1 << 31), b""), "$", "over"),
    ],
)
def test_what_has_no_form_is_named_by_its_path(value: Any, path: str, why: str) -> None:
    """The error says where and why."""
    with pytest.raises(CanonicalError, match=why) as caught:
        encode(value)
    assert caught.value.path == path


def test_a_value_that_contains_itself_is_refused() -> None:
    """A cycle ends in the error of this module, not in RecursionError."""
    loop: list[Any] = [1]
    loop.append({"again": loop})
    with pytest.raises(CanonicalError, match="contains itself") as caught:
        encode(loop)
    assert caught.value.path.startswith("$[1].again[1].again…")


@pytest.mark.parametrize(
    "wrap", [lambda x: [x], lambda x: {"k": x}, lambda x: frozenset([x])], ids=["list", "dict", "set"]
)
def test_nesting_is_bounded_alike_in_both_directions(wrap: Any) -> None:
    """What encodes within the depth decodes, and one more is refused."""
    value: Any = 0
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    data = encode(value)
    assert encode(decode(data)) == data
    assert not decodes(data, max_depth=MAX_DEPTH - 1)
    with pytest.raises(CanonicalError, match="nested more than 64 deep"):
        encode(wrap(value))


def test_little_stack_left_is_an_error_of_this_module() -> None:
    """Called from deep recursion, encode and decode still raise their own errors."""
    deep: Any = 0
    for _ in range(MAX_DEPTH):
        deep = [deep]
    data = encode(deep)
    outcomes = set()

    def descend() -> None:
        try:
            descend()
        except RecursionError:
            pass
        else:
            return
        for call, argument in ((encode, deep), (decode, data)):
            try:
                call(argument)
            except (CanonicalError, DecodeError) as error:
                outcomes.add(type(error))
        if len(outcomes) < 2:
            raise RecursionError

    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(400)
        descend()
    finally:
        sys.setrecursionlimit(limit)
    assert outcomes == {CanonicalError, DecodeError}


def test_a_layout_seen_before_does_not_hide_other_keys() -> None:
    """{1: …} and {True: …} have equal keys in Python but not here, and later keys never meet old bytes."""
    for _ in range(2):
        assert len({encode({1: 0}), encode({True: 0}), encode({1.0: 0}), encode({"1": 0})}) == 4
    for i in range(1000):
        assert decode(encode({f"k{i}": i, "z": 0})) == {f"k{i}": i, "z": 0}
    assert encode({"a": 1, "b": 2}) == encode({"b": 2, "a": 1})


# --- the decoder ---


def decodes(data: bytes, **limits: Any) -> bool:
    """True if accepted, and then it must be the one encoding of what came out."""
    try:
        value = decode(data, **limits)
    except DecodeError:
        return False
    assert encode(value) == data
    return True


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x0a\x0b\x02\x00\xff\xff\xff\xff\x0f")
@example(b"\x07\xff\xff\xff\xff\x0f")
@example(b"\x05\xff\xff\xff\xff\x7f")
def test_any_bytes_give_a_value_or_one_error(data: bytes) -> None:
    """Garbage raises DecodeError only, and what is accepted is canonical."""
    decodes(data)


# Hypothesis alone rarely finds its way into containers: tags and small counts only.
@given(st.lists(st.integers(0, 11), max_size=60).map(bytes))
def test_bytes_that_look_like_tags_give_a_value_or_one_error(data: bytes) -> None:
    """As above, for bytes that open many containers."""
    decodes(data)


@given(values, st.data())
def test_a_damaged_encoding_is_refused_or_another_value(value: Any, data: st.DataObject) -> None:
    """One changed, lost or added byte never gives the same value back."""
    good = encode(value)
    place = data.draw(st.integers(0, len(good) - 1))
    octet = data.draw(st.integers(0, 255))
    bad = data.draw(
        st.sampled_from(
            [
                good[:place] + bytes([octet]) + good[place + 1 :],
                good[:place],
                good[:place] + bytes([octet]) + good[place:],
                good[:place] + good[place + 1 :],
                good + bytes([octet]),
            ]
        )
    )
    assume(bad != good)
    try:
        other = decode(bad)
    except DecodeError:
        return
    assert encode(other) == bad
    assert not same(other, value)


@pytest.mark.parametrize(
    "data",
    [
        b"",  # nothing
        b"\x0b",  # no such tag
        b"\x00\x00",  # bytes after the end
        b"\x03\x80\x00",  # 0 in two bytes
        b"\x03\x81\x00",  # -1 in two bytes
        b"\x03\x80",  # cut
        b"\x04\x7f\xf8\0\0\0\0\0\x01",  # another NaN
        b"\x04\xff\xf8\0\0\0\0\0\0",  # a negative NaN
        b"\x04\x00",
        b"\x05\x80\x00",  # length 0 in two bytes
        b"\x05\x03\xed\xa0\x80",  # a surrogate
        b"\x05\x02\xc0\x80",  # an overlong NUL
        b"\x06\x02a",
        b"\x07\x02\x00",
        b"\x08\x02\x05\x01b\x00\x05\x01a\x00",  # keys out of order
        b"\x08\x02\x05\x01a\x00\x05\x01a\x00",  # a key twice
        b"\x08\x02\x02\x00\x03\x02\x00",  # True and 1: equal in Python
        b"\x08\x01\x08\x00\x00",  # a dict as a key
        b"\x08\x01\x07\x01\x08\x00\x00",  # a dict within a key
        b"\x09\x02\x03\x04\x03\x02",  # members out of order
        b"\x09\x02\x03\x02\x03\x02",  # a member twice
        b"\x09\x02" + b"\x04\x7f\xf8\0\0\0\0\0\0" * 2,  # NaN twice, which Python takes for two
        b"\x0a\x0e\x00",  # no such dtype
        b"\x0a\x00\x01\x01\x02",  # a boolean 2
        b"\x0a\x0a\x00\x00\x00\xc0\xff",  # a negative NaN in an array
        b"\x0a\x01\x21" + b"\x01" * 33 + b"\x00",  # 33 dimensions
        b"\x0a\x01\x02\x00\xff\xff\xff\xff\x0f",  # empty, and yet too large for numpy
        b"\x0a\x0b\x01\x02" + bytes(15),  # cut
        b"\x07\x01" * 65 + b"\x00",  # too deep
    ],
)
def test_an_encoding_that_is_not_the_one_is_refused(data: bytes) -> None:
    """Exactly one encoding per value is accepted."""
    with pytest.raises(DecodeError):
        decode(data)


def test_the_decoder_keeps_to_its_bounds() -> None:
    """Bytes, depth and items are limited, and just within the limit all is well."""
    data = encode([[0] * 8])
    assert decodes(data, max_bytes=len(data), max_depth=2, max_items=10)
    assert not decodes(data, max_bytes=len(data) - 1)
    assert not decodes(data, max_depth=1)
    assert not decodes(data, max_items=9)
    assert not decodes(b"\x07\x01" * 100_000 + b"\x00", max_depth=10**9)


def test_a_promised_length_allocates_nothing() -> None:
    """Four gigabytes promised in six bytes are refused before anything is made of them."""
    import tracemalloc

    tracemalloc.start()
    try:
        for tag in (5, 6, 7, 8, 9):
            assert not decodes(bytes([tag]) + b"\xff\xff\xff\xff\x0f", max_items=2**40)
        assert not decodes(b"\x0a\x0b\x02\x80\x80\x80\x01\x80\x10")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_buffers_decode_like_bytes() -> None:
    """Anything that comes out of a shared buffer will do."""
    data = encode({"a": [1]})
    assert decode(bytearray(data)) == decode(memoryview(data)) == {"a": [1]}


# --- digest ---


def test_the_digest_is_blake2b_of_the_canonical_bytes() -> None:
    """Checked against values that b2sum prints."""
    assert digest(None, 16).hex() == BLAKE2B_16_OF_ONE_ZERO_BYTE
    assert digest({"a": 1}) == digest(encode({"a": 1}))
    assert len(digest(1)) == 8
    assert digest(1) != digest(2)


BLAKE2B_16_OF_ONE_ZERO_BYTE = "7025e075d5e2f6cde3cc051a31f07660"


# --- numpy ---


@needs_numpy
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_array_comes_back_through_numpy(dtype: str) -> None:
    """All element types, with shapes of 0 to 3 dimensions, empty ones included."""
    generator = numpy.random.default_rng(5)
    for shape in ((), (0,), (3,), (2, 3), (2, 0, 2), (2, 3, 2)):
        array = generator.integers(0, 100, shape).astype(dtype)
        back = decode(encode(array), arrays=Array.to_numpy)
        assert back.dtype == numpy.dtype(dtype)
        assert back.shape == shape
        assert numpy.array_equal(back, array)


@needs_numpy
def test_layout_and_byte_order_of_an_array_do_not_show() -> None:
    """Big-endian, transposed, strided and negative-strided arrays are the numbers that they hold."""
    plain = numpy.arange(12, dtype="<i4").reshape(3, 4)
    for other in (plain.astype(">i4"), numpy.asfortranarray(plain), numpy.repeat(plain, 2, axis=1)[:, ::2]):
        assert encode(other) == encode(plain)
    assert encode(plain[::-1]) == encode(plain[::-1].copy())
    assert encode(plain.T) != encode(plain)
    assert encode(plain.astype("<i8")) != encode(plain)


@needs_numpy
def test_numpy_scalars_are_arrays_without_dimensions() -> None:
    """numpy.float64 is a subclass of float, and yet another value than the float."""
    assert encode(numpy.float64(1.5)) == encode(numpy.array(1.5))
    assert encode(numpy.float64(1.5)) != encode(1.5)
    assert encode({numpy.int64(3): numpy.bool_(True)}) == encode({numpy.array(3)[()]: numpy.array(True)})
    assert decode(encode(numpy.int16(-2))) == Array("<i2", (), b"\xfe\xff")
    assert encode(numpy.str_("a")) == encode("a")


@needs_numpy
@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", "<c8", "<c16"])
def test_every_nan_of_an_array_is_one(dtype: str) -> None:
    """Also those of complex numbers; the other elements stay what they are."""
    zeros = numpy.zeros(4, dtype)
    ours, theirs = zeros.copy(), zeros.copy()
    ours[1], theirs[1] = numpy.nan, -numpy.nan
    ours[2] = theirs[2] = -1.5
    assert ours.tobytes() != theirs.tobytes()
    assert encode(ours) == encode(theirs) == encode(decode(encode(theirs)))
    assert encode(ours) != encode(zeros)


@needs_numpy
def test_booleans_of_an_array_are_0_and_1() -> None:
    """A view of bytes as booleans can hold a 2."""
    odd = numpy.array([0, 1, 2], "u1").view("?")
    assert encode(odd) == encode(numpy.array([False, True, True]))


@pytest.mark.slow
@needs_numpy
def test_arrays_without_a_form_are_refused() -> None:
    """Objects, text, dates, records, long doubles, and subclasses that hold more than numbers."""
    refused = [
        numpy.array([object()]),
        numpy.array(["a"]),
        numpy.array(["2020-01-01"], "datetime64[D]"),
        numpy.zeros(1, "i4,f8"),
        numpy.ma.masked_array([1], [True]),
        numpy.longdouble(1),
    ]
    for value in refused:
        with pytest.raises(CanonicalError) as caught:
            encode({"x": value})
        assert caught.value.path == "$.x"


def test_without_numpy_an_array_stays_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes read the same where numpy is not loaded, and turning them into numpy says what is missing."""
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    data = encode([Array("<f4", (1, 2), struct.pack("<2f", 1.5, -0.0))])
    assert encode(decode(data)) == data
    with pytest.raises(UsageError, match="numpy"):
        decode(data, arrays=Array.to_numpy)
