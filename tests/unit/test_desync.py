"""State hashes: both sides compare every frame exactly once, whatever is lost on the way."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import DecodeError
from pycore.session.hashes import KEPT, HashExchange

A, B = b"aaaaaaaa", b"bbbbbbbb"


def _deliver(sender: HashExchange, to: HashExchange) -> list[tuple[int, bytes, bytes]]:
    return [found for entry in sender.entries() if (found := to.heard(entry)) is not None]


def test_equal_hashes_are_compared_once_and_raise_no_alarm() -> None:
    """Each side compares when it has both."""
    one, two = HashExchange(), HashExchange()
    assert one.own(30, A) is None
    assert _deliver(one, two) == []
    assert two.own(30, A) is None
    assert _deliver(two, one) == []
    assert (one.compared, two.compared) == (1, 1)


def test_a_difference_is_reported_once_with_the_frame_and_both_hashes() -> None:
    """Lessons, row 26: the same frame on both sides, and a repeated packet is no second mismatch."""
    one, two = HashExchange(), HashExchange()
    one.own(30, A)
    entries = one.entries()
    for entry in entries:
        two.heard(entry)
    assert two.own(30, B) == A
    for entry in entries:
        assert two.heard(entry) is None
    back = two.entries()
    assert [one.heard(entry) for entry in back] == [(30, A, B)]
    assert [one.heard(entry) for entry in back] == [None]


def test_a_hash_rides_until_the_peer_says_that_it_has_it() -> None:
    """Lost packets are made up for by the next one; afterwards nothing rides any more."""
    one, two = HashExchange(), HashExchange()
    one.own(30, A)
    two.own(30, A)
    # Whatever is lost of these,
    for _ in range(5):
        assert len(one.entries()) == 1
    assert not one.settled
    _deliver(one, two)
    _deliver(two, one)
    assert one.settled
    for _ in range(3):
        _deliver(two, one)
        _deliver(one, two)
    assert two.settled
    assert (one.entries(), two.entries()) == ([], [])


@given(seed=st.integers(0, 10**6), loss=st.floats(0, 0.9))
def test_whatever_is_lost_the_exchange_ends_on_both_sides(seed: int, loss: float) -> None:
    """Both compare every frame once, both are settled, and then both fall silent."""
    rng = random.Random(seed)
    one, two = HashExchange(), HashExchange()
    frames = list(range(0, 120, 30))
    queue = {id(one): list(frames), id(two): list(frames)}
    for turn in range(3000):
        for sender, to in ((one, two), (two, one)):
            if queue[id(sender)] and rng.random() < 0.2:
                sender.own(queue[id(sender)].pop(0), A)
            for entry in sender.entries():
                if rng.random() >= loss or turn > 2000:
                    assert to.heard(entry) is None
    assert (one.settled, two.settled) == (True, True)
    assert (one.compared, two.compared) == (4, 4)
    assert (one.entries(), two.entries()) == ([], [])


def test_at_most_64_frames_are_kept_and_two_ride_in_a_packet() -> None:
    """A peer that never answers costs bounded memory and bounded bytes."""
    one = HashExchange()
    for frame in range(1000):
        one.own(frame, A)
    assert len(one._own) == KEPT
    assert len(one.entries()) == 2


def test_a_hash_that_is_no_longer_kept_is_not_waited_for() -> None:
    """A peer that heard the newer ones only, and the older ones fell out: settled must stay reachable."""
    one, two = HashExchange(), HashExchange()
    for frame in range(200):
        one.own(frame, A)
        two.own(frame, A)
        if frame % 5:
            _deliver(one, two)
            _deliver(two, one)
    for _ in range(200):
        _deliver(one, two)
        _deliver(two, one)
    assert (one.settled, two.settled) == (True, True)


@pytest.mark.parametrize("payload", [b"", b"1234", b"x" * 11, b"x" * 13])
def test_an_entry_of_another_size_is_refused(payload: bytes) -> None:
    """One error type, and nothing is kept."""
    one = HashExchange()
    with pytest.raises(DecodeError):
        one.heard(payload)
    assert one._theirs == {}
