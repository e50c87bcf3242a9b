"""The table of `pycore.link`, row by row, in exact times; and what rides in a packet."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.actions.codec import DiscreteCodec
from pycore.duties import CHANNEL_CLOSED, CHANNEL_FAILED, CHANNEL_NEVER
from pycore.link.link import CONGESTED_BYTES, Link, _two_runs
from pycore.link.negotiation import Negotiator
from pycore.rollback.frames import Frames

PERIOD = 1 / 32


def watched(link: Link, now: float, channel: int = 0, waiting: bool = False, socket_up: bool = True) -> Link:
    """One look at the channel."""
    link.buffered = max(channel, 0)
    link.watch(now, channel, 77, waiting, PERIOD, socket_up)
    return link


def healthy(now: float = 10.0, rtt: float = 0.0625) -> Link:
    """A link that is peer-to-peer since `now`, with a measured round-trip time."""
    link = Link(1, now - rtt)
    watched(link, now - rtt)
    number = link.probe_due(now - rtt)
    assert number is not None
    link.probe_answered(number, 0, now)
    link.start()
    assert link.healthy
    return link


def answered_probes(link: Link, start: float, until: float, rtt: float = 0.0625) -> float | None:
    """Every probe is answered after `rtt`; returns when the link came back, looking 64 times a second."""
    now = start
    waiting: list[tuple[float, int]] = []
    while now <= until:
        while waiting and waiting[0][0] <= now:
            at, number = waiting.pop(0)
            link.probe_answered(number, 0, at)
            if link.healthy:
                return at
        number_due = link.probe_due(now)
        if number_due is not None:
            waiting.append((now + rtt, number_due))
        now += 1 / 64
    return None


# -- nothing yet -> p2p -----------------------------------------------------------------------------------------


def test_a_link_is_healthy_once_its_channel_is_open_and_a_probe_came_back() -> None:
    """S1: connected, an input sender exists, no fallback in force; an open channel alone is not enough."""
    link = Link(1, 5.0)
    assert watched(link, 5.0, CHANNEL_NEVER).probe_due(5.0) is None
    assert not watched(link, 6.0).healthy
    number = link.probe_due(6.0)
    assert number is not None
    assert not link.healthy
    link.probe_answered(number, 0, 6.1)
    assert link.healthy
    assert link.fallback is None
    assert link.first_fallback is None


def test_before_the_channel_first_opened_no_fallback_is_in_force() -> None:
    """A channel that never opens is no fallback: nothing was left."""
    link = Link(1, 0.0)
    for second in range(30):
        watched(link, float(second), CHANNEL_NEVER, waiting=True)
    link.start()
    assert (link.fallback, link.path, link.first_fallback) == (None, "socketio", None)


def test_p2p_takes_over_when_it_opens_after_the_start() -> None:
    """From socket.io to p2p, cause `opened`."""
    link = Link(1, 0.0)
    link.start()
    watched(link, 6.0)
    link.probe_answered(link.probe_due(6.0) or 0, 0, 6.1)
    assert link.changes == [("socketio", "p2p", "opened")]
    assert link.flush


@pytest.mark.parametrize("rtt", [0.05, 0.4, 0.6, 1.2, 1.9])
def test_a_link_of_any_round_trip_time_opens(rtt: float) -> None:
    """While the time is unknown each probe is waited for twice as long: asking faster than answers come is asking
    for ever."""
    link = Link(1, 0.0)
    watched(link, 0.0)
    assert answered_probes(link, 0.0, 12.0, rtt) is not None


# -- the causes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "cause"), [(CHANNEL_CLOSED, "closed"), (CHANNEL_FAILED, "failed")])
def test_a_lost_channel_falls_back_at_once(state: int, cause: str) -> None:
    """At the very tick at which it is seen, with frame and time of the first fallback."""
    link = healthy(10.0)
    watched(link, 10.5, state)
    assert (link.fallback, link.path, link.healthy, link.connected) == (cause, "socketio", False, False)
    assert link.changes == [("p2p", "socketio", cause)]
    assert link.first_fallback == (10.5, 77)
    assert link.flush


def test_a_refusal_concerns_its_input_only() -> None:
    """S2: the next frame tries again, and a success ends the row."""
    link = healthy()
    for frame in range(12):
        full = frame % 3 != 2
        assert link.record_and_send(frame, CONGESTED_BYTES + full) is not full
    assert link.healthy
    assert link.counts.sent_via_p2p == 12


@pytest.mark.parametrize(
    ("channel", "goes"), [(0, True), (16_384, True), (16_385, False), (CHANNEL_CLOSED, False), (CHANNEL_NEVER, False)]
)
def test_more_than_16384_buffered_bytes_refuse(channel: int, goes: bool) -> None:
    """The limit itself is still fine."""
    link = healthy()
    assert link.record_and_send(0, channel) is goes
    assert link.refusals == (0 if goes else 1)
    assert link.counts.sent_via_p2p == int(goes)


def test_a_send_that_raised_is_a_refusal_in_a_row_with_those_before_it() -> None:
    """It looked like a success first; that does not begin the row anew."""
    link = healthy()
    for frame in range(3):
        assert link.record_and_send(frame, 0)
        link.send_raised()
        assert link.refusals == frame + 1
    assert link.record_and_send(3, 0)
    assert link.refusals == 0
    assert link.record_and_send(4, 0)
    link.send_raised()
    assert link.refusals == 1


def test_silence_falls_back_after_500_ms() -> None:
    """With a short round trip and fast ticks the floor of 500 ms counts: not at it, just beyond it."""
    link = healthy(10.0, rtt=0.0625)
    watched(link, 10.5, waiting=True)
    assert link.fallback is None
    watched(link, 10.515625, waiting=True)
    assert (link.fallback, link.silences) == ("silence", 1)


def test_silence_waits_for_four_round_trips() -> None:
    """250 ms of round trip: 1,000 ms."""
    link = healthy(10.0, rtt=0.25)
    watched(link, 11.0, waiting=True)
    assert link.fallback is None
    watched(link, 11.015625, waiting=True)
    assert link.fallback == "silence"


def test_silence_waits_for_six_ticks() -> None:
    """At 10 frames per second: 600 ms, or a healthy link would fall back between two packets."""
    link = healthy(10.0)
    link.watch(10.6, 0, 1, True, 0.1, True)
    assert link.fallback is None
    link.watch(10.625, 0, 1, True, 0.1, True)
    assert link.fallback == "silence"


@pytest.mark.parametrize(
    "reason", ["nothing unacknowledged", "peer hidden", "late ticks of our own", "socket down", "heard"]
)
def test_silence_does_not_fire_without_reason(reason: str) -> None:
    """Nothing is waited for, the peer said it is hidden, we did not listen, or there is nowhere to go."""
    link = healthy(10.0)
    if reason == "peer hidden":
        link.peer_status = 1
    if reason == "late ticks of our own":
        link.quiet_since = 19.75
    if reason == "heard":
        link.wire.heard_at = 19.75
    watched(link, 20.0, waiting=reason != "nothing unacknowledged", socket_up=reason != "socket down")
    assert link.fallback is None


def test_a_peer_that_hears_nothing_is_believed_once_per_silence() -> None:
    """`deaf`: its last words about a silence cannot undo our return from it."""
    link = healthy(10.0)
    link.peer_is_deaf(0, 10.1, 5)
    assert link.fallback is None
    link.peer_is_deaf(1, 10.2, 6)
    assert (link.fallback, link.silences) == ("deaf", 0)
    assert answered_probes(link, 10.25, 20.0) is not None
    link.peer_is_deaf(1, 20.0, 7)
    assert link.healthy
    link.peer_is_deaf(2, 21.0, 8)
    assert link.fallback == "deaf"


def _slow(link: Link, rtt: float, times: int = 10) -> None:
    for _ in range(times):
        link.wire.sample(rtt)


def test_latency_falls_back_above_200_ms_one_way_if_the_server_is_20_percent_quicker() -> None:
    """Mean of the last ten samples; first the server's own round trip has to be measured."""
    link = healthy(10.0)
    _slow(link, 0.5, 8)
    assert not link.check_latency(11.0, 3)
    _slow(link, 0.5)
    assert link.check_latency(11.0, 3)
    number = link.socket_probe(11.0)
    link.socket.heard_at = 11.5
    link.socket_probe_answered(number, 0, 11.40625)
    assert link.socket.rtt == pytest.approx(0.40625)
    assert link.check_latency(12.0, 3)
    for _ in range(40):
        link.socket.sample(0.39)
    assert not link.check_latency(12.0, 3)
    assert link.fallback == "latency"


@pytest.mark.parametrize("rtt", [0.1, 0.4])
def test_200_ms_one_way_is_not_too_slow(rtt: float) -> None:
    """At the limit nothing is measured and nothing changes."""
    link = healthy(10.0)
    _slow(link, rtt)
    link.socket.sample(0.01)
    link.socket.heard_at = 11.0
    assert not link.check_latency(11.0, 3)
    assert link.healthy


def test_a_measurement_of_the_server_that_is_old_does_not_count() -> None:
    """After ten seconds it must be measured anew."""
    link = healthy(10.0)
    _slow(link, 0.6)
    link.socket.sample(0.1)
    link.socket.heard_at = 11.0
    assert link.check_latency(21.0, 3)
    assert link.healthy
    assert not link.check_latency(20.5, 3)
    assert link.fallback == "latency"


def test_only_the_answer_to_the_newest_probe_through_the_server_counts_and_once() -> None:
    """An old answer would say that the server is slow."""
    link = healthy(10.0)
    old = link.socket_probe(11.0)
    new = link.socket_probe(13.0)
    link.socket_probe_answered(old, 0, 13.1)
    assert link.socket.rtt is None
    link.socket_probe_answered(new, 20, 13.25)
    link.socket_probe_answered(new, 20, 15.25)
    assert link.socket.rtt == pytest.approx(0.23)


def test_a_second_cause_does_not_replace_the_first() -> None:
    """One fallback is in force; first_fallback stays what it was."""
    link = healthy(10.0)
    link.fall_back("congested", 11.0, 4)
    watched(link, 12.0, CHANNEL_CLOSED)
    assert (link.fallback, link.first_fallback) == ("congested", (11.0, 4))
    assert link.changes == [("p2p", "socketio", "congested")]


# -- the way back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "least"), [("silence", 1.0), ("deaf", 1.0), ("closed", 3.0), ("failed", 3.0), ("congested", 3.0),
                         ("latency", 3.0)],
)  # fmt: skip
def test_p2p_returns_after_1_or_3_s_of_answered_probes(cause: str, least: float) -> None:
    """Counted from the first answer, seen with the first answer after that: probes go every 250 ms."""
    link = healthy(10.0)
    link.fall_back(cause, 20.0, 1)
    back = answered_probes(link, 20.0, 40.0)
    first_answer = 20.25 + 0.0625
    assert back is not None
    assert first_answer + least <= back <= first_answer + least + 0.25 + 0.0625
    assert link.changes[-1] == ("socketio", "p2p", "recovered")


def test_each_further_fallback_within_a_minute_doubles_the_wait_up_to_30_s() -> None:
    """1, 2, 4, 8, 16, 30, 30 s; after a quiet minute it is 1 s again."""
    link = healthy(10.0)
    now = 20.0
    waits = []
    for _ in range(7):
        link.fall_back("silence", now, 1)
        first_answer = now + 0.25 + 0.0625
        back = answered_probes(link, now, now + 60.0)
        assert back is not None
        waits.append(back - first_answer)
        now = back + 59.0
    for wait, least in zip(waits, (1, 2, 4, 8, 16, 30, 30), strict=True):
        assert least <= wait <= least + 0.3125
    now += 2.0
    link.fall_back("silence", now, 1)
    back = answered_probes(link, now, now + 60.0)
    assert back is not None
    assert back - now < 2.0


def test_a_channel_that_answers_is_left_alone_however_long_the_return_takes() -> None:
    """Once the return takes 30 s, a new connection every 20 s would put it off for ever."""
    link = healthy(10.0)
    now = 20.0
    for _ in range(6):
        link.fall_back("silence", now, 1)
        now = answered_probes(link, now, now + 60.0) or pytest.fail("it does not return")
    link.fall_back("silence", now, 1)
    negotiator = Negotiator(True, now, {})
    negotiator.poll(now, False, False)
    negotiator.commands.clear()
    start = now
    while not link.healthy and now < start + 60.0:
        number = link.probe_due(now)
        if number is not None:
            link.probe_answered(number, 0, now + 1 / 64)
        now += 1 / 16
        negotiator.poll(now, True, link.answers)
    assert 30.0 < now - start < 31.0
    assert negotiator.commands == []


def test_a_link_answers_from_the_first_answered_probe_until_three_are_lost_or_the_channel_is() -> None:
    """That says whether its channel is of use, healthy or not."""
    link = healthy(10.0)
    link.fall_back("silence", 20.0, 1)
    assert not link.answers
    assert answered_probes(link, 20.0, 20.5) is None
    assert link.answers
    for tick in range(5 * 64):
        link.probe_due(20.5 + tick / 64)
    assert not link.answers
    assert answered_probes(link, 30.0, 30.6) is None
    assert link.answers
    watched(link, 31.0, CHANNEL_CLOSED)
    assert not link.answers


def test_a_full_buffer_keeps_a_congested_link_on_socketio() -> None:
    """It returns when the buffer is drained, not before."""
    link = healthy(10.0)
    link.fall_back("congested", 20.0, 1)
    link.buffered = CONGESTED_BYTES + 1
    assert answered_probes(link, 20.0, 30.0) is None
    link.buffered = CONGESTED_BYTES
    back = answered_probes(link, 30.0, 40.0)
    assert back is not None
    assert back < 30.5


def test_a_link_that_was_too_slow_returns_only_when_it_is_quick_again() -> None:
    """The probes' own round trip is the measure."""
    link = healthy(10.0)
    _slow(link, 0.5)
    for _ in range(30):
        link.wire.sample(0.5)
    link.fall_back("latency", 20.0, 1)
    assert answered_probes(link, 20.0, 30.0, rtt=0.5) is None
    assert answered_probes(link, 30.0, 45.0, rtt=0.1) is not None


def test_only_the_answer_to_the_newest_probe_counts() -> None:
    """After an outage a channel delivers its whole old queue: late answers keep nothing alive."""
    link = healthy(10.0)
    link.fall_back("silence", 20.0, 1)
    numbers = []
    for tick in range(64 * 12):
        number = link.probe_due(20.0 + tick / 64)
        if number is not None:
            numbers.append(number)
    assert len(numbers) > 20
    for number in numbers[:-1]:
        link.probe_answered(number, 0, 33.0)
    assert not link.healthy
    link.probe_answered(numbers[-1], 0, 33.0)
    assert link.fallback == "silence"


@pytest.mark.parametrize("behind", [3.0, 5.0])
def test_answers_that_come_steadily_but_late_keep_nothing_alive(behind: float) -> None:
    """A queue that is drained as fast as it grows: every probe is answered, none while it is the newest."""
    link = healthy(10.0)
    link.fall_back("silence", 20.0, 1)
    assert answered_probes(link, 20.0, 60.0, rtt=behind) is None
    assert link.wire.rtt == pytest.approx(0.0625)


def test_a_probe_is_answered_once() -> None:
    """The same answer again is no second one: a duplicate cannot stretch a good second."""
    link = healthy(10.0)
    link.fall_back("silence", 20.0, 1)
    number = link.probe_due(20.25)
    assert number is not None
    link.probe_answered(number, 0, 20.3)
    link.probe_answered(number, 0, 99.0)
    assert link.fallback == "silence"


def test_three_lost_probes_in_a_row_begin_the_good_time_anew() -> None:
    """Two may be lost: a lossy path is a path."""
    for lost, returns in ((2, True), (3, False)):
        link = healthy(10.0)
        link.fall_back("silence", 20.0, 1)
        now, sent = 20.0, 0
        while now < 22.0 + 0.25 * lost:
            number = link.probe_due(now)
            if number is not None:
                sent += 1
                if not 2 <= sent < 2 + lost:
                    link.probe_answered(number, 0, now + 1 / 64)
                    if link.healthy:
                        break
            now += 1 / 64
        assert (link.healthy and now < 21.65) is returns


def test_what_came_late_out_of_the_queue_says_nothing_about_the_path_of_now() -> None:
    """The mean of the last ten samples starts anew at the return: the outage is not its latency."""
    link = healthy(10.0)
    link.fall_back("silence", 20.0, 1)
    for _ in range(10):
        link.wire.sample(5.0)
    assert answered_probes(link, 25.0, 40.0) is not None
    assert link.wire.mean_rtt() is None


# -- what rides ---------------------------------------------------------------------------------------------------

ONE = DiscreteCodec(6)


def _frames(size: int = 1) -> Frames:
    frames = Frames(2, 70, 150)
    frames.begin(0, b"\0", 0)
    for slot in range(frames.size):
        frames.encoded[slot] = [b"x" * size] * 2
    return frames


def _dispatch(link: Link, upto: int, mask: int) -> None:
    for frame in range(link.dispatched + 1, upto + 1):
        link.dispatch_slot(frame, mask)
    link.dispatched = upto


def test_few_bytes_all_ride_every_time() -> None:
    """Up to 16 bytes everything unacknowledged rides in every packet."""
    link, frames = healthy(), _frames()
    link.begin(0, frames.size)
    for upto in range(16):
        _dispatch(link, upto, frames.mask)
        assert link.select(11.0 + upto / 32, frames, 0, PERIOD, 1000) == [(0, upto)]
    link.acknowledge(9)
    assert link.select(12.0, frames, 0, PERIOD, 1000) == [(10, 15)]


def test_an_earlier_input_rides_as_often_as_loss_asks_for_and_then_when_it_is_overdue() -> None:
    """Without loss: once; again after a round trip and two ticks."""
    link, frames = healthy(10.0, rtt=0.0625), _frames(20)
    link.begin(0, frames.size)
    rode = []
    for tick in range(6):
        _dispatch(link, tick, frames.mask)
        rode.append(link.select(11.0 + tick * PERIOD, frames, 0, PERIOD, 1000))
    # Overdue means sent more than 62.5 + 62.5 ms ago: four ticks and one.
    assert rode == [[(0, 0)], [(1, 1)], [(2, 2)], [(3, 3)], [(4, 4)], [(0, 0), (5, 5)]]


@pytest.mark.parametrize(("loss", "copies"), [(0.0, 1), (0.019, 1), (0.02, 2), (0.08, 3), (0.2, 4), (0.9, 4)])
def test_copies_follow_the_measured_loss(loss: float, copies: int) -> None:
    """One to four."""
    link = healthy()
    link.wire.loss = loss
    assert link.copies() == copies


def test_at_a_change_of_path_everything_unacknowledged_is_due() -> None:
    """Unacknowledged inputs belong to the link: they all go out at once on the new path."""
    link, frames = healthy(), _frames(20)
    link.begin(0, frames.size)
    _dispatch(link, 9, frames.mask)
    assert link.select(11.0, frames, 0, PERIOD, 1000) == [(0, 9)]
    assert link.select(11.0, frames, 0, PERIOD, 1000) == []
    link.flush = True
    assert link.select(11.0, frames, 0, PERIOD, 1000) == [(0, 9)]
    for frame in range(10):
        link.sent_by_socket(frame, frames.mask, 11.0)
    assert link.overdue_by_socket(11.0, frames.mask) == []
    assert link.overdue_by_socket(11.5, frames.mask) == list(range(10))
    link.flush = False
    assert link.overdue_by_socket(12.0, frames.mask) == []
    assert link.overdue_by_socket(12.015625, frames.mask) == list(range(10))


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
    link, frames = healthy(), _frames()
    link.begin(0, frames.size)
    _dispatch(link, rng.randrange(3, 60), frames.mask)
    for frame in range(link.dispatched + 1):
        frames.encoded[frame & frames.mask] = [b"y" * rng.choice((3, 200, 605, 1002))] * 2
    got: set[int] = set()
    now = 11.0
    for _ in range(900):
        now += PERIOD
        for low, high in link.select(now, frames, 0, PERIOD, 1040):
            if rng.random() < 0.6:
                got.update(range(low, high + 1))
        while link.acked + 1 in got:
            link.acknowledge(link.acked + 1)
    assert link.acked == link.dispatched


def test_a_receipt_for_what_was_never_dispatched_moves_nothing() -> None:
    """Neither an older nor an impossible one."""
    link = healthy()
    link.begin(0, 64)
    _dispatch(link, 10, 63)
    link.acknowledge(6)
    for frame in (3, 11, 10**9, -5):
        link.acknowledge(frame)
    assert link.acked == 6


def test_every_cause_of_the_table_is_reachable() -> None:
    """The table in the module is what the code does."""
    causes: dict[str, Any] = {
        "closed": lambda link: watched(link, 11.0, CHANNEL_CLOSED),
        "failed": lambda link: watched(link, 11.0, CHANNEL_FAILED),
        "silence": lambda link: watched(link, 20.0, waiting=True),
        "deaf": lambda link: link.peer_is_deaf(1, 11.0, 0),
    }
    for cause, happens in causes.items():
        link = healthy(10.0)
        happens(link)
        assert link.fallback == cause
        assert not link.healthy
