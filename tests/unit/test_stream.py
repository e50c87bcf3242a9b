"""The state of one link's stream: nothing lost, nothing doubled, whatever is cut, sent again or sent twice."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import DecodeError
from pycore.link.stream import Incoming, Outgoing
from pycore.wire.stream import LARGEST, MESSAGE_BYTES, encode_message

KNOWN = {1: 100_000, 2: 500}


def test_what_is_put_is_taken_in_pieces_and_waits_until_it_is_acknowledged() -> None:
    """Positions go on over messages."""
    out = Outgoing()
    assert not out.waits
    assert out.put(b"abcdef")
    assert out.put(b"gh")
    assert (out.end, out.waits, out.unsent) == (8, True, True)
    assert out.take(5) == (0, b"abcde")
    assert (out.on_its_way, out.unsent) == (5, True)
    assert out.take(5) == (5, b"fgh")
    assert (out.on_its_way, out.unsent, out.waits) == (8, False, True)
    assert out.acknowledge(5)
    assert (out.acknowledged, out.on_its_way) == (5, 3)
    assert not out.acknowledge(5)
    assert out.acknowledge(8)
    assert not out.waits


def test_it_goes_back_to_what_is_known_to_have_come() -> None:
    """And an acknowledgement of what was sent before is none the less good."""
    out = Outgoing()
    out.put(b"0123456789")
    out.take(8)
    out.acknowledge(3)
    out.go_back()
    assert out.take(2) == (3, b"34")
    assert out.acknowledge(8)
    assert out.take(9) == (8, b"89")


@pytest.mark.parametrize("received", [0, 2, 11, 2**32 - 1])
def test_an_acknowledgement_of_what_never_was_moves_nothing(received: int) -> None:
    """Behind the end, or before what is acknowledged already."""
    out = Outgoing()
    out.put(b"0123456789")
    out.take(5)
    out.acknowledge(2)
    assert not out.acknowledge(received)
    assert (out.acknowledged, out.sent, out.end) == (2, 5, 10)


def test_no_more_waits_than_the_bound() -> None:
    """What does not fit is not taken, not even a part of it; there is room again when something is acknowledged."""
    out = Outgoing(most=10)
    assert out.put(b"0123456")
    assert not out.put(b"0123")
    assert out.put(b"012")
    out.take(4)
    out.acknowledge(4)
    assert out.put(b"0123")
    assert not out.put(b"0")
    out.forget()
    assert (out.waits, out.end, out.sent) == (False, 4, 4)


def test_messages_come_whole_whatever_the_pieces() -> None:
    """Several in one, one in many."""
    tape = encode_message(1, b"one" * 100) + encode_message(2, b"") + encode_message(1, b"three")
    for size in (1, 2, 7, 11, 40, 1000):
        incoming = Incoming(KNOWN)
        found = []
        for at in range(0, len(tape), size):
            found += incoming.take(at, tape[at : at + size])
        assert found == [(1, b"one" * 100), (2, b""), (1, b"three")]
        assert (incoming.received, incoming.held) == (len(tape), 0)


def test_a_message_of_an_unknown_kind_is_passed_over() -> None:
    """A later version may say more; what stands behind it is read."""
    incoming = Incoming(KNOWN)
    tape = encode_message(77, b"from the future" * 20) + encode_message(1, b"known")
    assert incoming.take(0, tape) == [(1, b"known")]


def test_what_came_before_is_passed_over_and_what_lies_behind_a_gap_is_not_taken() -> None:
    """Pieces overlap where they are cut anew; a gap has to be sent again."""
    incoming = Incoming(KNOWN)
    tape = encode_message(1, b"abcdefgh")
    assert incoming.take(0, tape[:9]) == []
    assert incoming.take(0, tape[:9]) == []
    assert incoming.take(10, tape[10:]) == []
    assert incoming.received == 9
    assert incoming.take(4, tape[4:]) == [(1, b"abcdefgh")]
    assert incoming.take(4, tape[4:]) == []
    assert incoming.received == len(tape)


@pytest.mark.parametrize(
    "bad",
    [
        encode_message(2, b"x" * 501),
        encode_message(1, b"x" * 200)[:2] + b"\0" * 50,
        bytes((9, 0)) + (LARGEST + 1).to_bytes(4, "big") * 2,
        encode_message(1, b"xyz" * 200)[:-1] + b"!",
    ],
)
def test_a_message_that_cannot_be_read_moves_nothing_and_nothing_more_is_taken(bad: bytes) -> None:
    """Neither what stands before it in the same piece, nor what comes behind: nobody knows where that begins."""
    incoming = Incoming(KNOWN)
    good = encode_message(1, b"good")
    incoming.take(0, good[:3])
    with pytest.raises(DecodeError):
        incoming.take(3, good[3:] + bad)
    assert (incoming.received, incoming.held) == (3, 3)
    with pytest.raises(DecodeError, match="behind a message"):
        incoming.take(3, good[3:])
    assert (incoming.received, incoming.held) == (3, 3)


def test_a_head_keeps_what_is_held_within_the_limit_of_its_kind() -> None:
    """Five hundred bytes and a head, and not a byte more, however long it goes on."""
    incoming = Incoming(KNOWN)
    message = encode_message(2, bytes(random.Random(1).randbytes(500)))
    for at in range(len(message) - 1):
        incoming.take(at, message[at : at + 1])
    assert incoming.held == 500 + MESSAGE_BYTES - 1


@given(
    st.lists(st.tuples(st.sampled_from((1, 1, 77)), st.binary(max_size=600)), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_over_a_way_that_loses_doubles_and_breaks_every_message_comes_once_and_in_order(
    said: list[tuple[int, bytes]], seed: int
) -> None:
    """Sender and receiver, with pieces of every size, acknowledgements that are lost, and sudden ends of the way."""
    rng = random.Random(seed)
    out, incoming = Outgoing(), Incoming(KNOWN)
    for kind, payload in said:
        assert out.put(encode_message(kind, payload))
    found = []
    way: list[tuple[int, bytes]] = []
    turns = 0
    while out.waits:
        turns += 1
        assert turns < 10_000
        event = rng.randrange(8)
        if event < 4:
            if out.unsent:
                way.append(out.take(rng.randrange(1, 300)))
            elif not way:
                out.go_back()
        elif event < 6 and way:
            piece = way.pop(0)
            for _ in range(rng.choice((1, 1, 1, 2))):
                found += incoming.take(*piece)
        elif event == 6:
            if rng.random() < 0.8:
                out.acknowledge(incoming.received)
        elif rng.random() < 0.2:
            way.clear()
            out.go_back()
    assert found == [(kind, payload) for kind, payload in said if kind == 1]
    assert incoming.held == 0
