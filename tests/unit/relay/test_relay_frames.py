"""What comes by a WebSocket, told apart and counted before anything reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.relay import Limits
from pycore.relay.transport.frames import (
    AT_ONCE,
    SMALL,
    Closed,
    Frames,
    client_frame,
    closing_frame,
    ends_with_closing,
    text_frame,
    unmasked,
)
from pycore.relay.transport.guard import Guard


def anything(control: bool, fragment: bool, size: int, message: int) -> None:
    """Lets everything pass."""


def masked(first: int, data: bytes, mask: bytes = b"\x01\x82\xf3\x04") -> bytes:
    """A frame as a browser sends it."""
    size = len(data)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


KINDS = st.sampled_from((0x81, 0x82, 0x89, 0x8A))
MESSAGES = st.lists(st.tuples(KINDS, st.text(max_size=300), st.binary(min_size=4, max_size=4)), max_size=12)


@pytest.mark.slow
@given(MESSAGES, st.lists(st.integers(1, 400), max_size=60))
def test_whole_texts_are_taken_out_and_all_else_stays_to_the_byte_however_it_is_cut(
    messages: list[tuple[int, str, bytes]], cuts: list[int]
) -> None:
    sent = [(first, text[:30] if first & 8 else text, mask) for first, text, mask in messages]
    raw = [(first, masked(first, text.encode(), mask), text) for first, text, mask in sent]
    expected: list[str | bytes] = []
    for first, data, text in raw:
        if first == 0x81:
            expected.append(text)
        elif expected and isinstance(expected[-1], bytes):
            expected[-1] += data
        else:
            expected.append(data)
    stream = b"".join(data for _, data, _ in raw)
    frames = Frames(anything)
    found: list[str | bytes] = []
    at = 0
    for size in [*cuts, len(stream)]:
        for item in frames.feed(stream[at : at + size]):
            if found and isinstance(item, bytes) and isinstance(found[-1], bytes):
                found[-1] += item
            else:
                found.append(item)
        at += size
    assert found == expected


def test_of_many_frames_some_are_told_apart_at_a_time_and_the_rest_when_asked_again() -> None:
    """Forty thousand of the smallest have room in one read; others have their turn in between."""
    texts = [f"{number}" for number in range(3 * AT_ONCE + 7)]
    frames = Frames(anything)
    found: list[str | bytes] = frames.feed(b"".join(masked(0x81, text.encode()) for text in texts) + b"\x81")
    calls = 1
    assert len(found) == AT_ONCE
    while frames.more:
        found += frames.feed(b"")
        calls += 1
        assert len(found) <= calls * AT_ONCE
    assert found == texts
    assert calls == 4
    assert frames.feed(masked(0x81, b"behind")[1:]) == ["behind"]


def test_a_message_in_fragments_is_left_whole_to_others_and_the_next_text_is_taken_out() -> None:
    frames = Frames(anything)
    pieces = [masked(0x01, b"one "), masked(0x89, b"ping"), masked(0x00, b"two "), masked(0x80, b"three")]
    assert frames.feed(b"".join(pieces)) == [b"".join(pieces)]
    assert frames.feed(masked(0x81, b"four")) == ["four"]


def test_a_whole_text_between_fragments_is_an_error_that_others_find() -> None:
    frames = Frames(anything)
    raw = masked(0x01, b"one ") + masked(0x81, b"two")
    assert frames.feed(raw) == [raw]


def test_a_large_text_is_passed_through_as_it_comes_and_never_held() -> None:
    frames = Frames(anything)
    raw = masked(0x81, b"x" * (SMALL + 1))
    assert b"".join(frames.feed(raw[at : at + 1000])[0] for at in range(0, len(raw), 1000)) == raw  # type: ignore[misc]
    assert frames.feed(masked(0x81, b"small")) == ["small"]


def test_what_has_no_mask_is_left_to_others() -> None:
    assert Frames(anything).feed(text_frame("42[]")) == [text_frame("42[]")]


@given(st.text(max_size=70_000))
def test_frames_that_are_made_are_read_back(text: str) -> None:
    frame = client_frame(text)
    data = text.encode()
    assert frame.endswith(bytes(4) + data)
    assert len(text_frame(text)) == len(frame) - 4
    if len(data) <= SMALL:
        assert Frames(anything).feed(frame) == [text]


def test_a_closing_frame_has_its_code_and_no_more_than_a_control_frame_may_have() -> None:
    frame = closing_frame(1008, "r" * 500)
    assert frame[:4] == bytes((0x88, 125)) + (1008).to_bytes(2, "big")
    assert len(frame) == 127


@given(st.binary(max_size=1000), st.binary(min_size=4, max_size=4))
def test_a_mask_is_taken_off(data: bytes, mask: bytes) -> None:
    assert unmasked(masked(0x81, data, mask)[-len(data) or 10**9 :], mask) == data


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


LIMITS = Limits(
    frame_rate=10, frame_burst=20, odd_rate=1, odd_burst=5, fragment_bytes=100, bytes_rate=1000, bytes_burst=5000,
    metrics_bytes=1000, envelope_bytes=750,
)  # fmt: skip


def count(guard: Guard, frame: bytes) -> int:
    """How many of them pass."""
    for number in range(10_000):
        try:
            Frames(guard).feed(frame)
        except Closed:
            return number
    raise AssertionError("nothing stops them")


def test_a_flood_of_frames_of_any_kind_ends_at_its_first_frame_too_many() -> None:
    time = Time()
    guard = Guard(LIMITS, time)
    assert count(guard, masked(0x81, b"2")) == 20
    time.now += 1.0
    assert count(guard, masked(0x81, b"2")) == 10


@pytest.mark.parametrize("first", [0x89, 0x8A, 0x01, 0x00])
def test_pings_and_fragments_of_a_few_bytes_have_a_bound_of_their_own(first: int) -> None:
    time = Time()
    guard = Guard(LIMITS, time)
    assert count(guard, masked(first, b"x")) == 5
    time.now += 2.0
    assert count(guard, masked(first, b"x")) == 2


def test_large_fragments_are_no_flood_until_their_message_is_too_large() -> None:
    assert LIMITS.message_bytes == 2000
    frames = Frames(Guard(LIMITS, Time()))
    frames.feed(masked(0x01, bytes(500)))
    frames.feed(masked(0x00, bytes(500)))
    frames.feed(masked(0x00, bytes(500)))
    frames.feed(masked(0x80, bytes(500)))
    frames.feed(masked(0x01, bytes(1500)))
    with pytest.raises(Closed, match="2000 bytes"):
        frames.feed(masked(0x80, bytes(501))[:8])  # by its head alone


def test_more_bytes_than_a_line_has_are_a_flood_by_their_announcement() -> None:
    time = Time()
    guard = Guard(LIMITS, time)
    assert count(guard, masked(0x82, bytes(1000))) == 5
    time.now += 1.0
    assert count(guard, masked(0x82, bytes(1000))) == 1


def test_behind_the_frame_that_is_one_too_many_nothing_is_read() -> None:
    asked = []

    def guard(control: bool, fragment: bool, size: int, message: int) -> None:
        asked.append(size)
        if len(asked) == 3:
            raise Closed("enough")

    with pytest.raises(Closed):
        Frames(guard).feed(masked(0x89, b"x") * 30_000)
    assert len(asked) == 3


@pytest.mark.slow
def test_an_honest_page_is_far_below_each_bound_for_good() -> None:
    """Thirty inputs and thirty signals a second, pongs, a piece of a record every few seconds in fragments."""
    time = Time()
    frames = Frames(Guard(Limits(), time))
    text, pong = masked(0x81, bytes(250)), masked(0x8A, b"1234")
    for tick in range(30 * 600):
        time.now += 1 / 30
        frames.feed(text + text)
        if tick % 150 == 0:
            frames.feed(pong + masked(0x01, bytes(131_072)) + masked(0x80, b"end"))


@pytest.mark.parametrize("reason", [b"", b"\x03\xe8", b"\x03\xe8because of it"])
def test_a_client_that_closes_is_known_by_the_end_of_what_it_has_sent(reason: bytes) -> None:
    closing = masked(0x88, reason)
    assert ends_with_closing(closing)
    assert ends_with_closing(masked(0x81, b"text" * 1000) + closing)
    assert not ends_with_closing(closing + masked(0x81, b"text"))
    assert not ends_with_closing(b"")
    assert not ends_with_closing(b"\x88")
