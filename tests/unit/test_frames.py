"""The ring of frames: what is known stays known until nothing can need it any more."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.actions.codec import DiscreteCodec
from pycore.rollback.frames import Frames
from pycore.rollback.seats import Seat
from pycore.rollback.timeline import TAKEN, Timeline
from pycore.testing import Walk


def _timeline(seats: int, ahead: int, behind: int, delays: Sequence[int] = ()) -> Timeline:
    of = [Seat(n, n, DiscreteCodec(6), n % 6, delays[n] if delays else 0) for n in range(seats)]
    made = Timeline(Walk(seats), Frames(seats, ahead, behind), of, None)
    made.begin(10**6)
    return made


@pytest.mark.parametrize(("ahead", "behind", "size"), [(1, 1, 4), (10, 20, 32), (10, 21, 64), (13, 52, 128)])
def test_the_ring_is_the_next_power_of_two(ahead: int, behind: int, size: int) -> None:
    """Room for both sides, the current frame and the agreed one before frame 0; a mask instead of a division."""
    frames = Frames(2, ahead, behind)
    assert (frames.size, frames.mask) == (size, size - 1)


@given(order=st.permutations(range(12)))
def test_held_is_the_last_frame_without_a_hole(order: list[int]) -> None:
    """Inputs in any order: held grows to the frame before the first missing one, at once."""
    timeline = _timeline(2, ahead=12, behind=20)
    known: set[int] = set()
    for frame in order:
        assert timeline.take(1, frame, b"\1", 0.0, 0) == TAKEN
        known.add(frame)
        expected = next(f for f in range(14) if f not in known) - 1
        assert timeline.frames.held == [-1, expected]
    assert timeline.frames.held == [-1, 11]


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_the_frames_of_the_input_delay_are_known_of_everybody(delay: int) -> None:
    """They have the default action, and nobody waits for them."""
    frames = _timeline(3, ahead=20, behind=40, delays=[delay] * 3).frames
    assert frames.held == [delay - 1] * 3
    assert [frames.missing[f & frames.mask] for f in range(delay + 1)] == [0] * delay + [0b111]
    assert [frames.actions[f & frames.mask] for f in range(delay)] == [[0, 1, 2]] * delay


def test_each_seat_has_its_own_input_delay_and_default_action() -> None:
    """Frames before the delay of a seat are known of that seat; of the others only before theirs."""
    frames = _timeline(3, ahead=20, behind=40, delays=[2, 0, 3]).frames
    assert frames.held == [1, -1, 2]
    assert [frames.missing[f & frames.mask] for f in range(4)] == [0b010, 0b010, 0b011, 0b111]
    assert frames.encoded[-1 & frames.mask] == [b"\0", b"\1", b"\2"]


def test_an_episode_begins_without_the_last_ones_inputs() -> None:
    """Whatever the slots held, also with another delay."""
    timeline = _timeline(2, ahead=6, behind=4, delays=[1, 1])
    for frame in range(1, 6):
        timeline.take(1, frame, b"\5", 0.0, 0)
    timeline.seats[1].agree(0)
    timeline.begin(10**6)
    assert timeline.frames.held == [0, -1]
    assert [timeline.frames.missing[f & timeline.frames.mask] for f in range(6)] == [0b10, *[0b11] * 5]


def test_a_slot_is_free_again_only_when_it_is_opened() -> None:
    """What a frame `size` earlier left in the slot is no input of the new frame."""
    frames = _timeline(2, ahead=4, behind=2).frames
    assert frames.size == 8
    frames.missing[(frames.opened + 1) & frames.mask] = 0
    frames.open(1)
    assert frames.missing[5] == 0b11
    assert frames.opened == 5


def test_the_seats_of_a_mask_are_in_order() -> None:
    """Predictions are made seat by seat, the same on every peer."""
    frames = Frames(3, 4, 4)
    assert frames.seats_of[0b101] == (0, 2)
    assert [len(seats) for seats in frames.seats_of] == [0, 1, 1, 2, 1, 2, 2, 3]
