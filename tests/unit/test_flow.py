"""One path as a stream of packets: round-trip time and loss from what the packets themselves say."""

from __future__ import annotations

import pytest

from pycore.link.flow import LONGEST_RTT, Flow
from pycore.wire.datagram import NO_SAMPLE


def test_a_round_trip_is_arrival_minus_sending_minus_hold() -> None:
    """Neither clocks nor the other side's ticks spoil it."""
    flow = Flow(10.0)
    assert flow.stamp(10.0) == (0, 0, NO_SAMPLE)
    assert flow.stamp(10.5)[0] == 1
    assert flow.arrived(0, 1, 20, 10.625)
    assert flow.rtt == pytest.approx(0.105)


def test_the_newest_packet_is_echoed_with_the_time_it_was_held() -> None:
    """Held 31 ms, echoed as 31; a hold of 255 ms or more is no sample."""
    flow = Flow(0.0)
    flow.arrived(300, 0, NO_SAMPLE, 1.0)
    assert flow.stamp(1.03125) == (0, 300 & 255, 31)
    assert flow.stamp(1.254) == (1, 44, 254)
    assert flow.stamp(1.2555) == (2, 44, NO_SAMPLE)


def test_what_came_nobody_knows_when_is_no_sample_on_either_side() -> None:
    """It is the newest all the same, and counts."""
    flow = Flow(0.0)
    flow.stamp(1.0)
    assert flow.arrived_late(300, 9.0)
    assert (flow.rtt, flow.received, flow.heard_at) == (None, 1, 9.0)
    assert flow.stamp(9.01) == (1, 300 & 255, NO_SAMPLE)
    assert not flow.arrived_late(299, 9.02)
    assert flow.arrived(301, 1, 5, 9.125)
    assert flow.rtt == pytest.approx(0.11)
    assert flow.stamp(9.15625)[2] == 31


def test_a_hold_of_255_is_no_sample() -> None:
    """The other side says that it does not know."""
    flow = Flow(0.0)
    flow.stamp(0.0)
    flow.arrived(0, 0, NO_SAMPLE, 5.0)
    assert flow.rtt is None


def test_the_round_trip_time_is_smoothed_by_eighths() -> None:
    """The first sample stands as it is, each further one moves the mean by an eighth."""
    flow = Flow(0.0)
    flow.sample(0.1)
    flow.sample(0.9)
    assert flow.rtt == pytest.approx(0.2)


def test_the_mean_needs_ten_samples_and_forgets_older_ones() -> None:
    """Latency is judged by the last ten samples; a path that was gone starts anew."""
    flow = Flow(0.0)
    for _ in range(9):
        flow.sample(0.5)
    assert flow.mean_rtt() is None
    flow.sample(0.5)
    assert flow.mean_rtt() == pytest.approx(0.5)
    for _ in range(10):
        flow.sample(0.1)
    assert flow.mean_rtt() == pytest.approx(0.1)
    flow.forget_samples()
    assert flow.mean_rtt() is None


def test_old_packets_are_not_newer_and_count_no_loss() -> None:
    """What overtakes or comes twice changes neither the newest number nor the loss."""
    flow = Flow(0.0)
    assert flow.arrived(5, 0, NO_SAMPLE, 1.0)
    assert flow.arrived(6, 0, NO_SAMPLE, 1.1)
    loss = flow.loss
    assert not flow.arrived(4, 0, NO_SAMPLE, 1.2)
    assert not flow.arrived(6, 0, NO_SAMPLE, 1.3)
    assert (flow.newest, flow.newest_at, flow.heard_at, flow.loss) == (6, 1.1, 1.3, loss)


@pytest.mark.parametrize("every", [2, 4, 10])
def test_loss_settles_at_the_share_that_is_lost(every: int) -> None:
    """Every n-th packet is missing: the smoothed share comes within a few percent of 1/n."""
    flow = Flow(0.0)
    for seq in range(1000):
        if seq % every:
            flow.arrived(seq, 0, NO_SAMPLE, seq / 30)
    assert flow.loss == pytest.approx(1 / every, abs=0.05)


def test_a_clock_that_jumps_back_gives_no_negative_round_trip() -> None:
    """A sample below zero is zero."""
    flow = Flow(0.0)
    flow.stamp(5.0)
    flow.arrived(0, 0, 100, 5.0)
    assert flow.rtt == 0.0


def test_a_jump_of_the_clock_is_no_part_of_what_is_on_its_way() -> None:
    """The packet was sent by the clock of before, and is answered by that of now."""
    flow = Flow(0.0)
    flow.stamp(10.0)
    flow.excuse(3600.0)
    flow.arrived(0, 0, 0, 3610.125)
    assert flow.rtt == 0.125


def test_no_sample_is_longer_than_any_way_that_can_be_played_by() -> None:
    """Whoever waits for a round trip before something is said again must not wait for minutes."""
    flow = Flow(0.0)
    flow.sample(400.0)
    assert flow.rtt == LONGEST_RTT
