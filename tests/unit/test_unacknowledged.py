"""What a peer has not acknowledged, and which of it rides in a packet."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.link.flow import Flow
from pycore.link.unacknowledged import NEVER, Unacknowledged, _two_runs

PERIOD = 1 / 32
RTT = 0.0625
SLOTS = 256


def made(upto: int = -1, *, delay: int = 0, size: int | None = 1, now: float = 11.0) -> Unacknowledged:
    """One outbox with everything up to a frame dispatched."""
    box = Unacknowledged(0, size)
    box.begin(delay, SLOTS)
    _dispatch(box, upto, now)
    return box


def _dispatch(box: Unacknowledged, upto: int, now: float = 11.0) -> None:
    if upto > box.dispatched:
        box.dispatch(upto, now)


def _flow(loss: float = 0.0, rtt: float | None = RTT) -> Flow:
    """A path on which this was measured."""
    flow = Flow(10.0)
    flow.loss = loss
    flow.rtt = rtt
    return flow


def _select(
    box: Unacknowledged,
    now: float,
    bytes_each: int = 1,
    everything: bool = False,
    loss: float = 0.0,
    rtt: float | None = RTT,
) -> list[tuple[int, int]]:
    return box.select(now, [b"x" * bytes_each] * SLOTS, _flow(loss, rtt), PERIOD, everything, 1000)


def test_few_bytes_all_ride_every_time() -> None:
    """Up to 16 bytes everything unacknowledged rides in every packet."""
    box = made()
    for upto in range(16):
        _dispatch(box, upto)
        for _ in range(2):
            assert _select(box, 11.0 + upto / 32) == [(0, upto)]
    _dispatch(box, 16)
    assert [_select(box, 11.5) for _ in range(2)] == [[(0, 16)], []]
    box.acknowledge(9, 12.0)
    assert _select(box, 12.0) == [(10, 16)]


def test_few_bytes_are_counted_where_actions_differ_in_size() -> None:
    """A small newest one does not make the others small."""
    box = made(1, size=None)
    row = [b"x" * 20, b"x" * 3, *[b""] * (SLOTS - 2)]
    assert box.select(11.0, row, _flow(), PERIOD, False, 1000) == [(0, 1)]
    assert box.select(11.0, row, _flow(), PERIOD, False, 1000) == []
    row[0] = b"x" * 13
    for _ in range(2):
        assert box.select(11.0, row, _flow(), PERIOD, False, 1000) == [(0, 1)]


def test_an_earlier_input_rides_as_often_as_loss_asks_for_and_then_when_it_is_overdue() -> None:
    """Without loss: once; again after a round trip and a tick."""
    box = made(size=20)
    rode = []
    for tick in range(6):
        _dispatch(box, tick)
        rode.append(_select(box, 11.0 + tick * PERIOD, 20))
    # Overdue means sent more than 62.5 + 31.25 ms ago: three ticks and one.
    assert rode == [[(0, 0)], [(1, 1)], [(2, 2)], [(3, 3)], [(0, 0), (4, 4)], [(1, 1), (5, 5)]]


def test_before_a_round_trip_was_measured_more_than_a_tick_makes_it_overdue() -> None:
    """A guess would keep back what may be lost."""
    box = made(0, size=20)
    rode = [_select(box, 11.0 + tick * PERIOD, 20, rtt=None) for tick in range(5)]
    assert rode == [[(0, 0)], [], [(0, 0)], [], [(0, 0)]]


@pytest.mark.parametrize(
    ("loss", "copies"), [(0.0, 1), (0.0039, 1), (0.004, 2), (0.034, 2), (0.035, 3), (0.054, 3), (0.055, 4), (0.9, 4)]
)
def test_with_loss_it_rides_in_several_packets_in_a_row(loss: float, copies: int) -> None:
    """One to four, as the loss that was measured on the path asks for."""
    box = made(0, size=20)
    assert [_select(box, 11.0, 20, loss=loss) for _ in range(copies + 1)] == [[(0, 0)]] * copies + [[]]


def test_at_a_change_of_path_everything_unacknowledged_is_due() -> None:
    """It all goes out at once on the new path: peer-to-peer in one packet, by socket.io a message each."""
    box = made(9, size=20)
    assert _select(box, 11.0, 20) == [(0, 9)]
    assert _select(box, 11.0, 20) == []
    assert _select(box, 11.0, 20, everything=True) == [(0, 9)]
    for frame in range(10):
        box.sent_by_socket(frame, 11.5)
    assert box.sent_by_socket_before(11.5) == []
    assert box.sent_by_socket_before(12.0) == list(range(10))
    box.acknowledge(7, 12.0)
    assert box.sent_by_socket_before(12.0) == [8, 9]


def test_what_rides_for_the_first_time_is_told_from_what_rode_before() -> None:
    """The inputs dispatched by a packet are new in it, and in no later one."""
    box = made()
    assert box.dispatch_by_packet(2, 11.0) == 3
    assert (box.fresh, box.fresh_seq) == (0, -1)
    assert box.rode(40, [(0, 2)]) == 0
    assert (box.fresh, box.fresh_seq) == (0, 40)
    assert box.rode(41, [(0, 2)]) == 3
    assert box.fresh_seq == 40
    assert box.dispatch_by_packet(3, 11.1) == 1
    assert (box.fresh, box.fresh_seq) == (3, -1)
    assert box.rode(42, [(1, 3)]) == 2


def test_a_packet_without_the_new_inputs_leaves_them_new() -> None:
    """They wait for the one in which they ride."""
    box = made(2)
    box.dispatch_by_packet(4, 11.0)
    assert box.rode(40, []) == 0
    assert box.rode(41, [(0, 2)]) == 3
    assert box.fresh_seq == -1
    assert box.rode(42, [(0, 4)]) == 3
    assert box.fresh_seq == 42


def test_two_runs_of_one_packet_share_its_number() -> None:
    """An old run and the new one: what rode before is counted in both, and what is new in neither."""
    box = made(8)
    box.dispatch_by_packet(9, 11.1)
    assert box.rode(41, [(0, 1), (9, 9)]) == 2
    assert box.fresh_seq == 41
    box.dispatch_by_packet(14, 11.2)
    assert box.rode(42, [(7, 11), (14, 14)]) == 3
    assert box.rode(42, [(13, 13)]) == 0, "said in two parts it is the same packet"


def test_when_nothing_new_is_dispatched_nothing_is_new() -> None:
    """What the packet before took along rode before."""
    box = made()
    box.dispatch_by_packet(2, 11.0)
    box.rode(40, [(0, 2)])
    assert box.dispatch_by_packet(2, 11.1) == 0
    assert box.fresh is None
    assert box.rode(41, [(0, 2)]) == 3
    assert box.take_back() == 0
    assert box.dispatched == 2


def test_what_a_failed_packet_took_along_is_dispatched_anew() -> None:
    """Once, and as if it had never been sent."""
    box = made(3, size=20)
    box.dispatch_by_packet(5, 11.0)
    box.rode(40, _select(box, 11.0, 20))
    assert box.take_back() == 2
    assert (box.dispatched, box.fresh) == (3, None)
    assert box.take_back() == 0
    assert box.dispatched == 3
    assert box.sent_by_socket_before(0.0) == []
    _dispatch(box, 5)
    assert box.sent_by_socket_before(0.0) == [4, 5]
    assert _select(box, 11.0, 20) == [(4, 5)]


def test_what_went_by_the_server_is_taken_back_by_no_failed_packet() -> None:
    """Nor what went by a packet before it."""
    box = made()
    box.dispatch_by_packet(2, 11.0)
    box.rode(40, [(0, 2)])
    box.dispatch(3, 11.1)
    assert box.fresh is None
    assert box.take_back() == 0
    assert box.dispatched == 3
    assert box.rode(41, [(0, 3)]) == 4


def test_either_way_of_dispatch_begins_the_wait() -> None:
    """A packet that may still fail is waited for like the server."""
    box = made()
    box.dispatch_by_packet(0, 11.0)
    box.dispatch_by_packet(1, 12.0)
    assert box.since == 11.0
    box.acknowledge(1, 13.0)
    box.dispatch(2, 14.0)
    assert box.since == 14.0


def test_since_says_how_long_the_oldest_input_waits() -> None:
    """From its dispatch, or from the receipt that left it the oldest; a pause of our own does not count."""
    box = made()
    assert box.since == NEVER
    _dispatch(box, 0, 11.0)
    _dispatch(box, 1, 12.0)
    assert box.since == 11.0
    box.acknowledge(0, 13.0)
    assert box.since == 13.0
    box.acknowledge(0, 14.0)
    assert box.since == 13.0
    box.excuse(0.5, 1e9)
    assert box.since == 13.5
    box.acknowledge(1, 14.0)
    assert box.since == NEVER


@given(
    sizes=st.lists(st.integers(3, 1002), min_size=1, max_size=80),
    gaps=st.integers(0, 2**80),
    fresh=st.booleans(),
)
def test_two_runs_stay_within_the_budget_and_hold_what_matters(sizes: list[int], gaps: int, fresh: bool) -> None:
    """A fresh newest input always rides, otherwise the oldest; runs are unbroken, disjoint, at most 31 long."""
    budget = 1040
    due = []
    frame = 5
    for number in range(len(sizes)):
        frame += 1 + (gaps >> number & 1)
        due.append(frame)
    runs = _two_runs(due, sizes, budget, fresh)
    size_of = dict(zip(due, sizes, strict=True))
    riding = [f for low, high in runs for f in range(low, high + 1)]
    assert set(riding) <= set(due)
    assert riding == sorted(set(riding))
    assert 1 <= len(runs) <= 2
    assert all(high - low + 1 <= 31 for low, high in runs)
    assert sum(size_of[f] for f in riding) <= budget
    assert (due[-1] if fresh else due[0]) in riding
    if sum(sizes) <= budget // 2 and len(due) <= 31 and due[-1] - due[0] == len(due) - 1:
        assert runs == [(due[0], due[-1])]


@given(seed=st.integers(0, 10**6))
def test_every_input_rides_in_the_end_whatever_its_size(seed: int) -> None:
    """A receiver that takes in what comes gets everything, oldest first if need be, and nothing starves."""
    rng = random.Random(seed)
    box = made(rng.randrange(3, 60), size=None)
    row = [b"y" * rng.choice((3, 200, 605, 1002)) for _ in range(SLOTS)]
    flow = _flow()
    got: set[int] = set()
    now = 11.0
    for _ in range(900):
        now += PERIOD
        for low, high in box.select(now, row, flow, PERIOD, False, 1040):
            if rng.random() < 0.6:
                got.update(range(low, high + 1))
        while box.acked + 1 in got:
            box.acknowledge(box.acked + 1, now)
    assert box.acked == box.dispatched


def test_a_receipt_for_what_was_never_dispatched_moves_nothing() -> None:
    """Neither an older nor an impossible one."""
    box = made(10)
    box.acknowledge(6, 12.0)
    for frame in (3, 11, 10**9, -5):
        box.acknowledge(frame, 13.0)
    assert (box.acked, box.since) == (6, 12.0)


@pytest.mark.parametrize("delay", [0, 3])
def test_an_episode_begins_with_the_agreed_frames_acknowledged(delay: int) -> None:
    """And with nothing of the last one."""
    box = made(8, size=20)
    box.dispatch_by_packet(9, 11.0)
    box.rode(40, _select(box, 11.0, 20))
    box.begin(delay, SLOTS)
    assert (box.fresh, box.fresh_seq) == (None, -1)
    assert (box.acked, box.dispatched, box.since) == (delay - 1, delay - 1, NEVER)
    assert _select(box, 12.0, 20) == []
    _dispatch(box, delay, 12.0)
    assert _select(box, 12.0, 20) == [(delay, delay)]


@pytest.mark.parametrize("by_packet", [False, True])
def test_the_ring_is_used_again_without_what_was_sent_of_the_frame_before(by_packet: bool) -> None:
    """A frame `slots` later is a new input, and rides as often as the first."""
    box = made(size=20)
    for frame in range(3 * SLOTS):
        if by_packet:
            box.dispatch_by_packet(frame, 11.0)
        else:
            box.dispatch(frame, 11.0)
        assert box.sent_by_socket_before(0.0) == [frame]
        assert [_select(box, 11.0, 20, loss=0.03) for _ in range(3)] == [[(frame, frame)]] * 2 + [[]]
        box.acknowledge(frame, 11.0)
