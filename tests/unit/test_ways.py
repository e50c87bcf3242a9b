"""What one direction of a simulated network does to packets, in exact shares and times."""

from __future__ import annotations

import random
from itertools import groupby

import pytest

from pycore.testing.ways import HEADERS, HELD_BACK, QUEUE, Conditions, Way


def arrivals(conditions: Conditions, count: int = 20_000, every: float = 1 / 30, size: int = 20) -> list[float | None]:
    """What becomes of so many packets, one after the other."""
    way, rng = Way(0, 1), random.Random(4)
    return [way.carries(conditions, number * every, size, rng) for number in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize(("share", "length"), [(0.1, 8.0), (0.3, 20.0), (0.05, 1.5)])
def test_bursts_take_their_share_in_runs_of_their_length(share: float, length: float) -> None:
    """Two numbers say all: how many packets are lost, and how many in a row."""
    lost = [after is None for after in arrivals(Conditions(bursts=share, burst_length=length), 200_000)]
    assert sum(lost) / len(lost) == pytest.approx(share, rel=0.08)
    runs = [len(list(run)) for gone, run in groupby(lost) if gone]
    assert sum(runs) / len(runs) == pytest.approx(length, rel=0.08)


def test_between_bursts_packets_are_lost_each_by_itself() -> None:
    """Both losses add up."""
    lost = [after is None for after in arrivals(Conditions(bursts=0.1, loss=0.2), 100_000)]
    assert sum(lost) / len(lost) == pytest.approx(0.1 + 0.9 * 0.2, rel=0.05)


def test_a_packet_that_is_held_back_comes_later_by_a_tenth_of_a_second_at_most() -> None:
    """So that those behind it overtake it."""
    found = arrivals(Conditions(delay=0.05, reordering=0.25))
    late = [after for after in found if after is not None and after > 0.05]
    assert len(late) / len(found) == pytest.approx(0.25, rel=0.05)
    assert max(late) <= 0.05 + HELD_BACK
    assert max(late) > 0.05 + 0.95 * HELD_BACK


def test_a_narrow_way_takes_its_time_for_each_packet_and_those_behind_it_wait() -> None:
    """110 bytes with their headers at 8,800 bits a second: a tenth of a second each."""
    assert 20 + HEADERS == 110
    found = arrivals(Conditions(delay=0.01, bandwidth=8800.0), 4, 0.04)
    assert found == pytest.approx([0.11, 0.17, 0.23, 0.29])


def test_what_would_wait_too_long_before_a_narrow_way_is_dropped() -> None:
    """Twice as much as fits: half of it arrives, none of it later than the queue is long."""
    found = arrivals(Conditions(delay=0.01, bandwidth=8800.0), 2000, 0.05)
    came = [after for after in found if after is not None]
    assert len(came) == pytest.approx(1000, abs=10)
    assert max(came) <= 0.01 + QUEUE + 0.1 + 1e-9
    way = Way(0, 1)
    way.bandwidth = 8800.0
    assert way.longest(Conditions(delay=0.01, jitter=0.02, reordering=0.1)) == pytest.approx(0.03 + HELD_BACK + QUEUE)


def test_what_a_way_has_of_its_own_goes_before_the_conditions() -> None:
    """Zero too."""
    way, rng = Way(0, 1), random.Random(1)
    conditions = Conditions(delay=0.1, jitter=0.1, loss=1.0, bursts=0.5, duplicates=1.0, reordering=1.0, bandwidth=1.0)
    assert way.carries(conditions, 0.0, 20, rng) is None
    assert way.repeats(conditions, rng)
    way.delay, way.jitter, way.loss, way.bursts, way.duplicates, way.reordering = 0.05, 0.0, 0.0, 0.0, 0.0, 0.0
    way.bandwidth, way.in_burst = 1e9, False
    assert way.carries(conditions, 0.0, 20, rng) == pytest.approx(0.05, abs=1e-5)
    assert not way.repeats(conditions, rng)


def test_a_quiet_way_draws_once_for_each_packet() -> None:
    """What is not random takes nothing from the generator: a run with other faults elsewhere stays the same."""
    way, rng, other = Way(0, 1), random.Random(9), random.Random(9)
    for _ in range(5):
        way.carries(Conditions(), 0.0, 20, rng)
        assert not way.repeats(Conditions(), rng)
        other.random()
    assert rng.random() == other.random()
