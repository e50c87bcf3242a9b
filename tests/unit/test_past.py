"""The past of an episode: whatever was joined and cut, the actions are those that were collected."""

from __future__ import annotations

import random

import pytest

from pycore.actions.codec import action_codec
from pycore.rollback.seats import Seat
from pycore.session.past import JOINED, KEPT, Past

SPACES = ({"type": "discrete", "n": 6}, {"type": "any"})


@pytest.mark.parametrize("space", SPACES)
def test_the_past_is_what_was_collected_whatever_was_joined_and_cut(space: dict[str, object]) -> None:
    """Actions of one size and of many; cuts as deep as any may be; asked for from every kind of place."""
    drawn = random.Random(3)
    codec = action_codec(space)
    seats = [Seat(number, number, codec, 0, 1) for number in range(3)]
    past = Past(len(seats))
    truth: list[list[bytes]] = []
    most = 0
    while len(truth) < 4 * JOINED:
        for _ in range(drawn.randrange(1, 40)):
            row = [codec.encode(drawn.randrange(6)) for _ in seats]
            truth.append(row)
            past.recent += row
            if len(past.recent) >= past.most:
                past.join()
        most = max(most, len(past.recent))
        if drawn.random() < 0.05:
            frames = max(0, len(truth) - drawn.randrange(KEPT))
            del truth[frames:]
            past.cut(frames)
    for seat in seats:
        column = [row[seat.number] for row in truth]
        for first in (0, 1, JOINED - 1, JOINED, 2 * JOINED + 7, len(truth) - 3):
            for stop in (first, first + 5, first + 900, len(truth)):
                found = past.actions(seat, first, stop)
                assert found == column[first : min(stop, first + len(found))]
                # All of it, or at least up to where the next part begins.
                assert len(found) >= min(stop - first, JOINED - first % JOINED, len(truth) - first)
    assert most <= (JOINED + KEPT + 1) * len(seats)
