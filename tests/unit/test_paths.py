"""The table of `pycore.link.paths`, row by row, in exact times."""

from __future__ import annotations

from typing import Any

import pytest

from pycore.duties import CHANNEL_CLOSED, CHANNEL_FAILED, CHANNEL_NEVER, EMIT
from pycore.link.negotiation import Negotiator
from pycore.link.paths import CONGESTED_BYTES, Paths
from pycore.session.phases import PLAYING, READYING
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk

PERIOD = 1 / 32
NOTHING_WAITS = 1e18


def watched(
    paths: Paths, now: float, channel: int = 0, waiting: bool = False, *, since: float = NOTHING_WAITS,
    hidden: bool = False, period: float = PERIOD,
) -> Paths:  # fmt: skip
    """One look at the channel, and at silence if something is waited for, an input since `since`."""
    paths.watch_channel(now, channel, 77)
    if waiting or since != NOTHING_WAITS:
        paths.watch_silence(now, since, period, hidden, 77)
    return paths


def healthy(now: float = 10.0, rtt: float = 0.0625) -> Paths:
    """Peer-to-peer since `now`, with a measured round-trip time."""
    paths = Paths(now - rtt)
    watched(paths, now - rtt)
    number = paths.probe_due(now - rtt, 0)
    assert number is not None
    paths.wire.hear(now)
    paths.probe_answered(number, 0, now)
    paths.start()
    assert paths.healthy
    return paths


def answered_probes(paths: Paths, start: float, until: float, rtt: float = 0.0625, channel: int = 0) -> float | None:
    """Every probe is answered after `rtt`; returns when the path came back, looking 64 times a second."""
    now = start
    waiting: list[tuple[float, int]] = []
    while now <= until:
        while waiting and waiting[0][0] <= now:
            at, number = waiting.pop(0)
            paths.probe_answered(number, 0, at)
            if paths.healthy:
                return at
        number_due = paths.probe_due(now, channel)
        if number_due is not None:
            waiting.append((now + rtt, number_due))
        now += 1 / 64
    return None


# -- nothing yet -> p2p -----------------------------------------------------------------------------------------


def test_a_link_is_healthy_once_its_channel_is_open_and_a_probe_came_back() -> None:
    """Connected, an input sender exists, no fallback in force; an open channel alone is not enough."""
    paths = Paths(5.0)
    assert watched(paths, 5.0, CHANNEL_NEVER).probe_due(5.0, 0) is None
    assert not watched(paths, 6.0).healthy
    number = paths.probe_due(6.0, 0)
    assert number is not None
    assert not paths.healthy
    paths.probe_answered(number, 0, 6.1)
    assert paths.healthy
    assert paths.fallback is None
    assert paths.first_fallback is None


def test_before_the_channel_first_opened_no_fallback_is_in_force() -> None:
    """A channel that never opens is no fallback: nothing was left."""
    paths = Paths(0.0)
    for second in range(30):
        watched(paths, float(second), CHANNEL_NEVER, waiting=True)
    paths.start()
    assert (paths.fallback, paths.current, paths.first_fallback) == (None, "socketio", None)


def test_p2p_takes_over_when_it_opens_after_the_start() -> None:
    """From socket.io to p2p, cause `opened`."""
    paths = Paths(0.0)
    paths.start()
    watched(paths, 6.0)
    paths.probe_answered(paths.probe_due(6.0, 0) or 0, 0, 6.1)
    assert paths.changes == [("socketio", "p2p", "opened")]


@pytest.mark.parametrize("rtt", [0.05, 0.4, 0.6, 1.2, 1.9])
def test_a_link_of_any_round_trip_time_opens(rtt: float) -> None:
    """While the time is unknown each probe is waited for twice as long: asking faster than answers come is asking
    for ever."""
    paths = Paths(0.0)
    watched(paths, 0.0)
    assert answered_probes(paths, 0.0, 12.0, rtt) is not None


def test_probes_that_were_lost_are_asked_again_soon() -> None:
    """Nobody knows whether they were lost or are slow: behind the longest wait of 2 s comes half a second again."""
    paths = Paths(0.0)
    watched(paths, 0.0)
    asked = [tick / 64 for tick in range(8 * 64) if paths.probe_due(tick / 64, 0) is not None]
    assert asked == [0.0, 0.25, 0.75, 1.75, 3.75, 4.25, 5.25, 7.25, 7.75]


# -- the causes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "cause"), [(CHANNEL_CLOSED, "closed"), (CHANNEL_FAILED, "failed")])
def test_a_lost_channel_falls_back_at_once(state: int, cause: str) -> None:
    """At the very tick at which it is seen, with frame and time of the first fallback."""
    paths = healthy(10.0)
    watched(paths, 10.5, state)
    assert (paths.fallback, paths.current, paths.healthy, paths.connected) == (cause, "socketio", False, False)
    assert paths.changes == [("p2p", "socketio", cause)]
    assert paths.first_fallback == (10.5, 77)


def test_a_refusal_concerns_its_input_only() -> None:
    """The next frame tries again, and a success ends the row."""
    paths = healthy()
    rows = []
    for frame in range(12):
        full = frame % 3 != 2
        assert paths.accepts(CONGESTED_BYTES + full) is not full
        rows.append(paths.refusals)
    assert rows == [1, 2, 0] * 4
    assert paths.healthy


@pytest.mark.parametrize(
    ("channel", "goes"), [(0, True), (16_384, True), (16_385, False), (CHANNEL_CLOSED, False), (CHANNEL_NEVER, False)]
)
def test_more_than_16384_buffered_bytes_refuse(channel: int, goes: bool) -> None:
    """The limit itself is still fine."""
    paths = healthy()
    assert paths.accepts(channel) is goes
    assert paths.refusals == (0 if goes else 1)


def test_a_send_that_raised_is_a_refusal_in_a_row_with_those_before_it() -> None:
    """It looked like a success first; that does not begin the row anew."""
    paths = healthy()
    for frame in range(3):
        assert paths.accepts(0)
        paths.send_raised()
        assert paths.refusals == frame + 1
    assert paths.accepts(0)
    assert paths.refusals == 0
    assert paths.accepts(0)
    paths.send_raised()
    assert paths.refusals == 1


def test_silence_falls_back_after_500_ms() -> None:
    """With a short round trip and fast ticks the floor of 500 ms counts: not at it, just beyond it."""
    paths = healthy(10.0, rtt=0.0625)
    watched(paths, 10.5, waiting=True)
    assert paths.fallback is None
    watched(paths, 10.515625, waiting=True)
    assert (paths.fallback, paths.silences) == ("silence", 1)


def test_silence_waits_for_four_round_trips() -> None:
    """250 ms of round trip: 1,000 ms."""
    paths = healthy(10.0, rtt=0.25)
    watched(paths, 11.0, waiting=True)
    assert paths.fallback is None
    watched(paths, 11.015625, waiting=True)
    assert paths.fallback == "silence"


def test_silence_waits_for_six_ticks() -> None:
    """At 10 frames per second: 600 ms, or a healthy link would fall back between two packets."""
    paths = healthy(10.0)
    watched(paths, 10.6, waiting=True, period=0.1)
    assert paths.fallback is None
    watched(paths, 10.625, waiting=True, period=0.1)
    assert paths.fallback == "silence"


def test_of_a_hidden_peer_silence_falls_back_after_1500_ms() -> None:
    """It ticks once a second; but hidden is not gone."""
    paths = healthy(10.0)
    watched(paths, 11.5, waiting=True, hidden=True)
    assert (paths.fallback, paths.deaf) == (None, False)
    watched(paths, 11.515625, waiting=True, hidden=True)
    assert paths.fallback == "silence"


@pytest.mark.parametrize("reason", ["nothing waits", "late ticks of our own", "heard", "not begun"])
def test_silence_does_not_fire_without_reason(reason: str) -> None:
    """Nothing is waited for, we did not listen, something came, or there is no path yet that could be left."""
    paths = healthy(10.0)
    if reason == "late ticks of our own":
        paths.excuse(9.75, 1e9)
    if reason == "heard":
        paths.wire.hear(19.75)
    if reason == "not begun":
        paths.current = None
    watched(paths, 20.0, waiting=reason != "nothing waits")
    assert (paths.fallback, paths.deaf) == (None, False)


def test_of_a_pause_of_our_own_only_its_excess_is_excused() -> None:
    """A page that hiccups again and again still notices that its partner is gone."""
    paths = healthy(10.0)
    for _ in range(3):
        paths.excuse(0.25, 1e9)
    watched(paths, 11.25, waiting=True)
    assert paths.fallback is None
    watched(paths, 11.265625, waiting=True)
    assert paths.fallback == "silence"


def test_inputs_that_stay_unacknowledged_while_packets_come_fall_back() -> None:
    """Hearing something proves one direction only: 1.75 s, not at it, just beyond it."""
    paths = healthy(10.0)
    paths.wire.hear(19.0)
    watched(paths, 19.0, since=17.25)
    assert paths.fallback is None
    watched(paths, 19.0, since=17.234375)
    assert (paths.fallback, paths.deaf, paths.silences) == ("unheard", False, 0)


@pytest.mark.parametrize(("rtt", "period", "least"), [(0.25, PERIOD, 2.0), (0.0625, 0.25, 3.0)])
def test_unacknowledged_inputs_are_waited_for_eight_round_trips_and_twelve_ticks(
    rtt: float, period: float, least: float
) -> None:
    """A slow link or a slow game is no dead one."""
    paths = healthy(10.0, rtt=rtt)
    paths.wire.hear(19.0)
    watched(paths, 19.0, since=19.0 - least, period=period)
    assert paths.fallback is None
    watched(paths, 19.0, since=19.0 - least - 1 / 64, period=period)
    assert paths.fallback == "unheard"


def test_whoever_hears_nothing_says_so_whatever_fallback_is_in_force() -> None:
    """The other side may believe in its path: its packets vanish without a word."""
    paths = healthy(10.0)
    paths.fall_back("congested", 11.0, 4)
    watched(paths, 11.25, waiting=True)
    assert (paths.deaf, paths.silences, paths.fallback) == (True, 1, "congested")
    watched(paths, 12.0, waiting=True)
    assert paths.silences == 1
    assert answered_probes(paths, 12.0, 20.0) is not None
    assert not paths.deaf
    watched(paths, 21.0, waiting=True)
    assert (paths.deaf, paths.silences) == (True, 2)


def test_hearing_nothing_means_nothing_before_it_was_ever_peer_to_peer() -> None:
    """A channel that never opened is not deaf."""
    paths = Paths(0.0)
    paths.start()
    watched(paths, 20.0, CHANNEL_NEVER, waiting=True)
    watched(paths, 40.0, 0, waiting=True)
    assert (paths.deaf, paths.silences, paths.fallback) == (False, 0, None)


def test_a_peer_that_hears_nothing_is_believed_once_per_silence() -> None:
    """`deaf`: its last words about a silence cannot undo our return from it."""
    paths = healthy(10.0)
    paths.peer_is_deaf(0, 10.1, 5)
    assert paths.fallback is None
    paths.peer_is_deaf(1, 10.2, 6)
    assert (paths.fallback, paths.silences) == ("deaf", 0)
    assert answered_probes(paths, 10.25, 20.0) is not None
    paths.peer_is_deaf(1, 20.0, 7)
    assert paths.healthy
    paths.peer_is_deaf(2, 21.0, 8)
    assert paths.fallback == "deaf"


def _slow(paths: Paths, rtt: float, times: int = 10) -> None:
    for _ in range(times):
        paths.wire.sample(rtt)


def test_latency_falls_back_above_200_ms_one_way_if_the_server_is_20_percent_quicker() -> None:
    """Mean of the last ten samples; first the server's own round trip has to be measured."""
    paths = healthy(10.0)
    _slow(paths, 0.5, 8)
    assert not paths.check_latency(11.0, 3)
    _slow(paths, 0.5)
    assert paths.check_latency(11.0, 3)
    number = paths.server.probe(11.0)
    paths.socket.hear(11.5)
    paths.server.answered(number, 0, 11.40625)
    assert paths.socket.rtt == pytest.approx(0.40625)
    assert paths.check_latency(12.0, 3)
    for _ in range(40):
        paths.socket.sample(0.39)
    assert not paths.check_latency(12.0, 3)
    assert paths.fallback == "latency"


@pytest.mark.parametrize("rtt", [0.1, 0.4])
def test_200_ms_one_way_is_not_too_slow(rtt: float) -> None:
    """At the limit nothing is measured and nothing changes."""
    paths = healthy(10.0)
    _slow(paths, rtt)
    paths.socket.sample(0.01)
    paths.socket.hear(11.0)
    assert not paths.check_latency(11.0, 3)
    assert paths.healthy


def test_a_measurement_of_the_server_that_is_old_does_not_count() -> None:
    """After ten seconds it must be measured anew."""
    paths = healthy(10.0)
    _slow(paths, 0.6)
    paths.socket.sample(0.1)
    paths.socket.hear(11.0)
    assert paths.check_latency(21.0, 3)
    assert paths.healthy
    assert not paths.check_latency(20.5, 3)
    assert paths.fallback == "latency"


def test_only_the_answer_to_the_newest_probe_through_the_server_counts_and_once() -> None:
    """An old answer would say that the server is slow."""
    paths = healthy(10.0)
    old = paths.server.probe(11.0)
    new = paths.server.probe(13.0)
    paths.server.answered(old, 0, 13.1)
    assert paths.socket.rtt is None
    paths.server.answered(new, 20, 13.25)
    paths.server.answered(new, 20, 15.25)
    assert paths.socket.rtt == pytest.approx(0.23)


def test_a_second_cause_does_not_replace_the_first() -> None:
    """One fallback is in force; first_fallback stays what it was."""
    paths = healthy(10.0)
    paths.fall_back("congested", 11.0, 4)
    watched(paths, 12.0, CHANNEL_CLOSED)
    assert (paths.fallback, paths.first_fallback) == ("congested", (11.0, 4))
    assert paths.changes == [("p2p", "socketio", "congested")]


# -- the way back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "least"), [("silence", 1.0), ("deaf", 1.0), ("unheard", 1.0), ("closed", 3.0), ("failed", 3.0),
                         ("congested", 3.0), ("latency", 3.0)],
)  # fmt: skip
def test_p2p_returns_after_1_or_3_s_of_answered_probes(cause: str, least: float) -> None:
    """Counted from the first answer, seen with the first answer after that: probes go every 250 ms."""
    paths = healthy(10.0)
    paths.fall_back(cause, 20.0, 1)
    back = answered_probes(paths, 20.0, 40.0)
    first_answer = 20.25 + 0.0625
    assert back is not None
    assert first_answer + least <= back <= first_answer + least + 0.25 + 0.0625
    assert paths.changes[-1] == ("socketio", "p2p", "recovered")


def test_each_further_fallback_within_a_minute_doubles_the_wait_up_to_30_s() -> None:
    """1, 2, 4, 8, 16, 30, 30 s; after a quiet minute it is 1 s again."""
    paths = healthy(10.0)
    now = 20.0
    waits = []
    for _ in range(7):
        paths.fall_back("silence", now, 1)
        first_answer = now + 0.25 + 0.0625
        back = answered_probes(paths, now, now + 60.0)
        assert back is not None
        waits.append(back - first_answer)
        now = back + 59.0
    for wait, least in zip(waits, (1, 2, 4, 8, 16, 30, 30), strict=True):
        assert least <= wait <= least + 0.3125
    now += 2.0
    paths.fall_back("silence", now, 1)
    back = answered_probes(paths, now, now + 60.0)
    assert back is not None
    assert back - now < 2.0


def test_a_channel_that_answers_is_left_alone_however_long_the_return_takes() -> None:
    """Once the return takes 30 s, a new connection every 20 s would put it off for ever."""
    paths = healthy(10.0)
    now = 20.0
    for _ in range(6):
        paths.fall_back("silence", now, 1)
        now = answered_probes(paths, now, now + 60.0) or pytest.fail("it does not return")
    paths.fall_back("silence", now, 1)
    negotiator = Negotiator(True, now, {})
    negotiator.poll(now, False, False)
    negotiator.commands.clear()
    start = now
    while not paths.healthy and now < start + 60.0:
        number = paths.probe_due(now, 0)
        if number is not None:
            paths.probe_answered(number, 0, now + 1 / 64)
        now += 1 / 16
        negotiator.poll(now, True, paths.answers)
    assert 30.0 < now - start < 31.0
    assert negotiator.commands == []


def test_a_link_answers_from_the_first_answered_probe_until_three_are_lost_or_the_channel_is() -> None:
    """That says whether its channel is of use, healthy or not."""
    paths = healthy(10.0)
    paths.fall_back("silence", 20.0, 1)
    assert not paths.answers
    assert answered_probes(paths, 20.0, 20.5) is None
    assert paths.answers
    for tick in range(5 * 64):
        paths.probe_due(20.5 + tick / 64, 0)
    assert not paths.answers
    assert answered_probes(paths, 30.0, 30.6) is None
    assert paths.answers
    watched(paths, 31.0, CHANNEL_CLOSED)
    assert not paths.answers


def test_a_full_buffer_keeps_a_congested_link_on_socketio() -> None:
    """It returns when the buffer is drained, not before."""
    paths = healthy(10.0)
    paths.fall_back("congested", 20.0, 1)
    assert answered_probes(paths, 20.0, 30.0, channel=CONGESTED_BYTES + 1) is None
    back = answered_probes(paths, 30.0, 40.0, channel=CONGESTED_BYTES)
    assert back is not None
    assert back < 30.5


def test_a_link_that_was_too_slow_returns_only_when_it_is_quick_again() -> None:
    """The probes' own round trip is the measure."""
    paths = healthy(10.0)
    _slow(paths, 0.5)
    for _ in range(30):
        paths.wire.sample(0.5)
    paths.fall_back("latency", 20.0, 1)
    assert answered_probes(paths, 20.0, 30.0, rtt=0.5) is None
    assert answered_probes(paths, 30.0, 45.0, rtt=0.1) is not None


def test_only_the_answer_to_the_newest_probe_counts() -> None:
    """After an outage a channel delivers its whole old queue: late answers keep nothing alive."""
    paths = healthy(10.0)
    paths.fall_back("silence", 20.0, 1)
    numbers = []
    for tick in range(64 * 12):
        number = paths.probe_due(20.0 + tick / 64, 0)
        if number is not None:
            numbers.append(number)
    assert len(numbers) > 20
    for number in numbers[:-1]:
        paths.probe_answered(number, 0, 33.0)
    assert not paths.healthy
    paths.probe_answered(numbers[-1], 0, 33.0)
    assert paths.fallback == "silence"


@pytest.mark.parametrize("behind", [3.0, 5.0])
def test_answers_that_come_steadily_but_late_keep_nothing_alive(behind: float) -> None:
    """A queue that is drained as fast as it grows: every probe is answered, none while it is the newest."""
    paths = healthy(10.0)
    paths.fall_back("silence", 20.0, 1)
    assert answered_probes(paths, 20.0, 60.0, rtt=behind) is None
    assert paths.wire.rtt == pytest.approx(0.0625)


def test_a_probe_is_answered_once() -> None:
    """The same answer again is no second one: a duplicate cannot stretch a good second."""
    paths = healthy(10.0)
    paths.fall_back("silence", 20.0, 1)
    number = paths.probe_due(20.25, 0)
    assert number is not None
    paths.probe_answered(number, 0, 20.3)
    paths.probe_answered(number, 0, 99.0)
    assert paths.fallback == "silence"


def test_three_lost_probes_in_a_row_begin_the_good_time_anew() -> None:
    """Two may be lost: a lossy path is a path."""
    for lost, returns in ((2, True), (3, False)):
        paths = healthy(10.0)
        paths.fall_back("silence", 20.0, 1)
        now, sent = 20.0, 0
        while now < 22.0 + 0.25 * lost:
            number = paths.probe_due(now, 0)
            if number is not None:
                sent += 1
                if not 2 <= sent < 2 + lost:
                    paths.probe_answered(number, 0, now + 1 / 64)
                    if paths.healthy:
                        break
            now += 1 / 64
        assert (paths.healthy and now < 21.65) is returns


def test_what_came_late_out_of_the_queue_says_nothing_about_the_path_of_now() -> None:
    """The mean of the last ten samples starts anew at the return: the outage is not its latency."""
    paths = healthy(10.0)
    paths.fall_back("silence", 20.0, 1)
    for _ in range(10):
        paths.wire.sample(5.0)
    assert answered_probes(paths, 25.0, 40.0) is not None
    assert paths.wire.mean_rtt() is None


def test_every_cause_of_the_table_is_reachable() -> None:
    """The table in the module is what the code does; `congested` and `latency` are put in force by who measures."""
    causes: dict[str, Any] = {
        "closed": lambda paths: watched(paths, 11.0, CHANNEL_CLOSED),
        "failed": lambda paths: watched(paths, 11.0, CHANNEL_FAILED),
        "silence": lambda paths: watched(paths, 20.0, waiting=True),
        "unheard": lambda paths: (paths.wire.hear(20.0), watched(paths, 20.0, since=15.0)),
        "deaf": lambda paths: paths.peer_is_deaf(1, 11.0, 0),
    }
    for cause, happens in causes.items():
        paths = healthy(10.0)
        happens(paths)
        assert paths.fallback == cause
        assert not paths.healthy


# -- in a session -----------------------------------------------------------------------------------------------


def _playing() -> tuple[Mesh, Session]:
    """A session that has played for some seconds, with everything acknowledged, and its mesh."""
    mesh = Mesh(
        2, Settings(max_steps=3000, action_space={"type": "discrete", "n": 6}), lambda seat: Walk(2, seed=1),
        lambda seat: lambda episode, frame: frame % 6, Conditions(delay=0.03), seed=2,
    )  # fmt: skip
    mesh.run(8.0)
    session = mesh.peers[0].session
    assert (session.phase, session.links[0].path) == (PLAYING, "p2p")
    session.acknowledge(1, session.dispatched)
    return mesh, session


@pytest.mark.parametrize(
    ("acknowledged", "socket_up", "falls"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_silence_counts_where_something_is_awaited_and_there_is_another_way(
    acknowledged: bool, socket_up: bool, falls: bool
) -> None:
    """Otherwise nothing is amiss, or there is nowhere to go."""
    mesh, session = _playing()
    link, now = session.links[0], mesh.clock(0)
    if not acknowledged:
        session.poll(now, 1, [0], socket_up)
        session.advance(now)
    link.wire.heard_at = now - 3.0
    session.poll(now, 2, [0], socket_up)
    assert (link.fallback == "silence") is falls


def test_who_is_ready_waits_for_the_others_word_though_nothing_is_unacknowledged() -> None:
    """A path that dies between two episodes must not keep anybody from the next one."""
    mesh = Mesh(
        2, Settings(max_steps=60, num_episodes=3, action_space={"type": "discrete", "n": 6}, episode_pause=1.0),
        lambda seat: Walk(2, seed=1), lambda seat: lambda episode, frame: frame % 6, Conditions(delay=0.03), seed=2,
    )  # fmt: skip
    while not mesh.peers[0].session.ended:
        mesh.run(mesh.now + 0.05)
    mesh.cut()
    mesh.run(mesh.now + 6.0)
    assert {(c.to_path, c.cause) for peer in mesh.peers for c in peer.session.path_changes} >= {("socketio", "silence")}
    assert all(peer.session.episode >= 1 for peer in mesh.peers)
    assert all(peer.session.phase == PLAYING or len(peer.session.ended) > 1 for peer in mesh.peers)


def test_at_a_change_of_path_everything_unacknowledged_goes_out_at_once_on_the_new_one() -> None:
    """Unacknowledged inputs belong to the link: with the input of that tick they all go by the server."""
    mesh, session = _playing()
    link, now = session.links[0], mesh.clock(0)
    for tick in range(5):
        session.poll(now + tick / 30, 1, [0])
        session.advance(now + tick / 30)
    first = link.own[0].acked + 1
    assert session.dispatched - first == 4
    outputs = session.poll(now + 5 / 30, 1, [CHANNEL_CLOSED])
    frames = [
        payload[1]["frame_number"]
        for duty, _to, _seq, payload in outputs
        if duty == EMIT and payload[0] == "pyodide_player_action"
    ]
    assert sorted(frames) == list(range(first, session.dispatched + 1))


def test_a_channel_that_closes_when_the_session_is_over_is_no_fallback_and_carries_nothing_more() -> None:
    """Whoever does not know yet that it is over is told by the server."""
    mesh, session = _playing()
    now = mesh.clock(0)
    session.abort(now, "aborted", "the test ends it")
    outputs = session.poll(now + 1 / 30, 1, [CHANNEL_CLOSED])
    assert [duty for duty, *_ in outputs] == [EMIT]
    assert outputs[0][3][0] == "webrtc_signal"
    assert (session.path_changes, session.links[0].paths.first_fallback) == ([], None)
    mesh.peers[1].session.receive_signal(0, outputs[0][3][1]["payload"], mesh.clock(1))
    assert mesh.peers[1].session.links[0].peer.over


def test_a_change_of_path_before_the_first_frame_of_an_episode_has_frame_0() -> None:
    """Not the last one of the episode before."""
    mesh = Mesh(
        2, Settings(max_steps=40, num_episodes=2, action_space={"type": "discrete", "n": 6}),
        lambda seat: Walk(2, seed=1), lambda seat: lambda episode, frame: frame % 6, Conditions(delay=0.03), seed=2,
    )  # fmt: skip
    session = mesh.peers[0].session
    while session.episode == 0 or session.phase != READYING:
        mesh.run(mesh.now + 1 / 120)
    mesh.close()
    mesh.run(mesh.now + 0.05)
    (change,) = session.path_changes
    assert (change.cause, change.episode, change.frame) == ("closed", 1, 0)


# -- what the channel had no part in ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["opened", "recovered"])
def test_an_input_that_has_waited_by_the_other_path_is_not_held_against_the_channel(way: str) -> None:
    """It has been in force for a moment. If it waits for as long as one of its own may, it is left after all."""
    if way == "opened":
        paths = Paths(8.0)
        paths.start()
        watched(paths, 10.0)
        paths.probe_answered(paths.probe_due(10.0, 0) or 0, 0, 10.0625)
        since = 10.0625
    else:
        paths = healthy(4.0)
        paths.fall_back("silence", 5.0, 77)
        since = answered_probes(paths, 5.0, 9.0) or 0.0
    assert paths.healthy
    for tick in range(1, 200):
        now = since + tick / 64
        paths.wire.hear(now)
        watched(paths, now, since=1.0)
        if not paths.healthy:
            break
    assert paths.fallback == "unheard"
    assert 1.75 < now - since <= 1.75 + 1 / 64


# -- while the server cannot be reached ---------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["we", "the peer"])
def test_while_the_server_cannot_be_reached_the_channel_is_all_that_there_is(who: str) -> None:
    """Silence, and inputs that nobody acknowledges, are no reason to leave it; when the server is back they are."""
    paths = healthy(10.0)
    reach = paths.server.reach if who == "we" else paths.server.peer_reaches
    reach(False)
    for cause in ("silence", "unheard", "deaf", "latency", "congested"):
        paths.fall_back(cause, 12.0, 77)
        assert (paths.healthy, paths.current) == (True, "p2p"), cause
    reach(True)
    paths.fall_back("silence", 13.0, 77)
    assert (paths.healthy, paths.current) == (False, "socketio")


@pytest.mark.parametrize("cause", ["silence", "unheard", "latency", "closed"])
@pytest.mark.parametrize("who", ["we", "the peer"])
def test_without_the_server_the_first_answered_probe_leads_back(who: str, cause: str) -> None:
    """However often it was left before: there is nothing to prove, since there is nothing better."""
    paths = healthy(10.0)
    for again in range(3):
        paths.fall_back("silence", 20.0 + 20 * again, 77)
        assert answered_probes(paths, 20.0 + 20 * again, 39.0 + 20 * again) is not None
    paths.fall_back(cause, 81.0, 77)
    (paths.server.reach if who == "we" else paths.server.peer_reaches)(False)
    back = answered_probes(paths, 81.0, 90.0)
    assert back is not None
    assert back - 81.0 <= 0.25 + 0.0625 + 1 / 64


def test_both_must_reach_the_server_for_it_to_be_a_path() -> None:
    """Both ends count; but what the server said of the peer while we were away from it we did not hear."""
    paths = Paths(0.0)
    seen = [paths.alone]
    for say, what in (("peer_reaches", False), ("reach", False), ("peer_reaches", True), ("peer_reaches", False)):
        getattr(paths.server, say)(what)
        seen.append(paths.alone)
    paths.server.reach(True)
    assert [*seen, paths.alone] == [False, True, True, True, True, False]


def fallen_back(rtt: float | None = None) -> Paths:
    """A link that has left a channel whose probes are answered, for latency; with a measured way through the server."""
    paths = healthy(10.0)
    if rtt is not None:
        paths.server.answered(paths.server.probe(10.0), 0, 10.0 + rtt)
    paths.fall_back("latency", 12.0, 77)
    return paths


def asked(paths: Paths, start: float, until: float) -> list[float]:
    """When it was asked by the server whether that is a way, looking 64 times a second."""
    ticks = range(round(start * 64), round(until * 64) + 1)
    return [tick / 64 for tick in ticks if paths.server_probe_due(tick / 64) is not None]


@pytest.mark.parametrize(
    ("rtt", "times"), [(None, [0.0, 0.5, 1.5, 3.5]), (0.1, [0.0, 0.5, 1.0, 1.5]), (0.6, [0.0, 1.2, 2.4, 3.6])]
)
def test_by_a_way_that_answers_nothing_the_channel_is_not_left(rtt: float | None, times: list[float]) -> None:
    """Three probes without an answer, each waited for as long as it may take: then the channel is all that there is."""
    paths = fallen_back(rtt)
    last = 12.0 + times[-1]
    assert asked(paths, 12.0, last - 1 / 32) == pytest.approx([12.0 + time for time in times[:-1]], abs=1 / 64)
    way_before = paths.server.works
    assert asked(paths, last - 1 / 64, last + 1 / 64)
    assert (way_before, paths.server.works) == (True, False)
    assert answered_probes(paths, 20.0, 21.0) is not None


def test_a_way_that_answers_again_is_one_again() -> None:
    """While the channel is in force for want of another way, that is still asked, as rarely as a slow channel's."""
    paths = fallen_back()
    asked(paths, 12.0, 20.0)
    assert answered_probes(paths, 20.0, 21.0) is not None
    seen = [(paths.alone, paths.check_latency(22.0, 77))]
    paths.server.answered(paths.server.probe(22.0), 0, 22.1)
    assert [*seen, (paths.alone, paths.check_latency(24.0, 77))] == [(True, True), (False, False)]


def test_a_way_whose_probes_come_back_is_one_however_late_they_are() -> None:
    """Its answers take two seconds, and nobody knew."""
    paths = fallen_back()
    waiting: list[tuple[float, int]] = []
    for tick in range(round(12.0 * 64), round(40.0 * 64)):
        now = tick / 64
        while waiting and waiting[0][0] <= now:
            at, number = waiting.pop(0)
            paths.server.answered(number, 0, at)
        number_due = paths.server_probe_due(now)
        if number_due is not None:
            waiting.append((now + 1.9, number_due))
    assert not paths.alone


def test_a_healthy_link_asks_nothing_by_the_server() -> None:
    """And neither does one whose channel was never open, or whose peer has no address there."""
    assert asked(healthy(10.0), 10.0, 30.0) == []
    assert asked(Paths(0.0), 0.0, 20.0) == []
    lone = Paths(0.0, only=True)
    watched(lone, 0.0)
    watched(lone, 1.0, CHANNEL_CLOSED)
    watched(lone, 2.0)
    assert asked(lone, 2.0, 20.0) == []
