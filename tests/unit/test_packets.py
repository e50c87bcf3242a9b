"""What rides in a packet, when one is due, and how large it may be."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from core_support import Table, datagrams_of, opened, settings, signals_of

from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER, EMIT
from pycore.events import PeerStatus
from pycore.session.packets import longest_action, room_for_body
from pycore.session.phases import DONE, PLAYING
from pycore.session.topics import over, ready
from pycore.session.topics.topic import OVER, READY, STATUS, STOP
from pycore.wire import datagram, probe

LONG = settings(max_steps=5000)
NARROW = settings(max_steps=5000, action_space={"type": "any"}, hash_interval=1, datagram_bytes=600)
LARGEST = longest_action(NARROW.datagram_bytes, 2) - 3
"""Characters of the longest text that is an action: three bytes more tell that it is one, and its length."""


def playing(seats: int = 2, ticks: int = 12, **more: Any) -> Table:
    """Everybody plays, peer-to-peer, for a moment already."""
    table = Table(seats, LONG, **more).start()
    table.ticks(ticks)
    return table


def test_while_nothing_new_is_dispatched_every_third_tick_carries_a_packet() -> None:
    """A stall costs a third of the packets; silence would cost the receipts."""
    table = Table(2, settings(max_steps=5000, window=4)).start()
    table.ticks(9)
    table.held = True
    table.ticks(5)
    assert table[0].stalled
    sent = []
    for _ in range(9):
        table.tick()
        sent.append(len(datagrams_of(table.outputs[0])))
    assert sum(sent) == 3


def test_while_a_packet_has_no_room_for_all_that_is_due_every_tick_carries_one() -> None:
    """Large inputs that were lost in a row come one after the other, and the receiver stands meanwhile."""
    table = Table(2, settings(max_steps=5000, window=8, action_space={"type": "any"})).start()
    large = "x" * 900
    table.ticks(12, large, "y")
    table.held = True
    table.ticks(9, large, "y")
    assert table[0].stalled
    sent = []
    for _ in range(6):
        table.tick(large, "y")
        sent += [opened(table[0], data).first for data in datagrams_of(table.outputs[0])]
    assert len(sent) == 6
    assert len(set(sent)) > 1


def test_every_datagram_keeps_to_the_limit_whatever_the_actions_weigh() -> None:
    """A ready beside a large input rides alone; sizes of 1,000 bytes and of 4 come mixed."""
    table = Table(2, settings(max_steps=5000, action_space={"type": "any"}, input_delay=2))
    table.passes = lambda sender, to, what: a_good_moment(table.now)
    for tick in range(400):
        table.tick("x" * (990 if tick // 4 % 2 else tick % 7), "y" * 600)
    sizes = [len(data) for sent in table.sent for data in datagrams_of(sent)]
    assert max(sizes) <= 1200
    assert max(sizes) > 900
    assert table[0].frame > 100
    assert table[0].episode == 0


def a_good_moment(now: float) -> bool:
    """A loss that needs no generator: a third of all moments are bad."""
    return int(now * 32) % 3 != 0


def _blocks(session: Any, signal: dict[str, Any]) -> list[int]:
    """The kinds of blocks in a datagram that went through the server."""
    data = base64.b64decode(signal["payload"])
    return [kind for kind, _ in opened(session, data).blocks] if data[0] == datagram.KIND else []


def test_the_ready_goes_before_the_first_input_on_the_same_socket() -> None:
    """Where the server leaves the epoch out, an input in front of it would be refused."""
    table = playing()
    table.channels[0] = [CHANNEL_CLOSED]
    table.tick(4)
    emits = [payload for duty, _l, _s, payload in table.outputs[0] if duty == EMIT]
    first = next(index for index, (event, _) in enumerate(emits) if event == "pyodide_player_action")
    said = [data for event, data in emits[:first] if event == "webrtc_signal"]
    assert any(READY in _blocks(table[0], data) for data in said)


def test_a_stop_goes_through_the_server_at_once() -> None:
    """Before any further input, whatever the interval of the other words."""
    table = Table(2, settings(max_steps=5000, p2p=False), channel=CHANNEL_NEVER).start()
    for _ in range(6):
        table.ticks(7)
        assert not any(STOP in _blocks(table[0], data) for data in signals_of(table.outputs[0]))
    table.until(lambda: not signals_of(table.outputs[0]) and table.now - table[0].links[0].control_at < 0.05)
    table[0].request_stop(table.now)
    table.tick()
    assert any(STOP in _blocks(table[0], data) for data in signals_of(table.outputs[0]))


def test_a_backlog_rides_as_its_oldest_and_its_newest_run() -> None:
    """Larger than a packet: the receiver waits for the oldest, and the newest is late already."""
    table = Table(2, settings(max_steps=5000, action_space={"type": "any"}, window=16)).start()
    table.ticks(5, "a", "b")
    table.passes = lambda sender, to, what: False
    for tick in range(17):
        table.tick(f"{tick:03d}" * 100, "b")
    table.mail.clear()
    two = [packet for packet in (opened(table[0], data) for data in datagrams_of(table.sent[0])) if packet.runs]
    assert two
    for packet in two:
        (run,) = packet.runs
        assert run.seat == 0
        assert packet.first + len(packet.inputs) < run.first
    held = table[1].timeline.frames.held[0]
    data = next(d for d in datagrams_of(table.sent[0]) if opened(table[0], d).runs)
    packet = opened(table[0], data)
    assert packet.first <= held + 1
    table[1].receive(0, data, table.now)
    frames = table[1].timeline.frames
    assert frames.held[0] == packet.first + len(packet.inputs) - 1 > held
    for offset, encoded in enumerate(packet.runs[0].inputs):
        assert frames.encoded[(packet.runs[0].first + offset) & frames.mask][0] == encoded


def test_an_input_rides_as_often_as_the_loss_on_its_own_path_asks_for() -> None:
    """In packets in a row; what gets lost on the way by the server says nothing of the channel."""
    table = Table(2, settings(max_steps=5000, action_space={"type": "any"}, window=16)).start()
    table.ticks(12, "a", "b")
    table.passes = lambda sender, to, what: False
    paths = table[0].links[0].paths
    paths.wire.loss, paths.socket.loss = 0.03, 0.5
    assert paths.healthy
    frame = table[0].dispatched + 1
    rode = []
    for _ in range(3):
        table.tick("x" * 20, "b")
        (packet,) = [opened(table[0], data) for data in datagrams_of(table.outputs[0])]
        runs = [(packet.first, packet.inputs), *[(run.first, run.inputs) for run in packet.runs]]
        rode.append(any(first <= frame < first + len(inputs) for first, inputs in runs))
    assert rode == [True, True, False]


def test_every_packet_says_which_load_of_the_page_sends_it() -> None:
    """Datagrams and probes alike carry the low byte; the ready carries the whole number."""
    table = Table(2, LONG, each=[{"incarnation": 0xABCDEF12}, {"incarnation": 7}]).start()
    table.ticks(5)
    for peer, low in ((0, 0x12), (1, 7)):
        packets = datagrams_of(table.sent[peer])
        probes = datagrams_of(table.sent[peer], probe.PROBE) + datagrams_of(table.sent[peer], probe.PROBE_ANSWER)
        assert {data[3] for data in packets} == {data[3] for data in probes} == {low}
        readies = [payload for data in packets for kind, payload in opened(table[peer], data).blocks if kind == READY]
        assert {ready.read(payload).incarnation for payload in readies} == {table[peer].incarnation}
    assert table[1].links[0].peer.incarnation == 0xABCDEF12


def test_a_ready_proposes_delays_and_has_a_digest_for_each_name() -> None:
    """Four bytes a name, whatever its value weighs; the proposals stand apart from what must be alike."""
    table = Table(2, settings(max_steps=5000, environment="e" * 5000, input_delay=3))
    table.until(lambda: 0 in table[1].links[0].peer.ready)
    said = ready.read(table[1].links[0].peer.ready[0])
    assert said.protocol == datagram.VERSION == 2
    assert said.delays == (3, 3)
    assert set(said.digests) == {*table.settings.agreed(), "seed", "players", "pycore"}
    assert {len(digest) for digest in said.digests.values()} == {4}


def _overs(session: Any, outputs: Any) -> list[bytes]:
    through_server = [base64.b64decode(signal["payload"]) for signal in signals_of(outputs)]
    sent = [*datagrams_of(outputs), *[data for data in through_server if data[0] == datagram.KIND]]
    packets = [opened(session, data) for data in sent]
    return [payload for packet in packets for kind, payload in packet.blocks if kind == OVER]


def test_the_end_is_said_with_its_reason_and_whether_the_others_is_known() -> None:
    """Two bytes: first that ours is over, then that we know of theirs; then silence."""
    table = Table(2, settings(max_steps=30))
    table.finish()
    table.ticks(6)
    said = _overs(table[0], table.sent[0])
    reason = bytes((over.number_of("complete"),))
    assert said[0] == b"\0" + reason
    assert said[-1] == b"\1" + reason
    assert {payload[1:] for payload in said} == {reason}
    assert table[1].links[0].peer.reason == "complete"
    table.sent[0].clear()
    table.ticks(60)
    assert table.sent[0] == []


def test_who_is_over_answers_whoever_still_sends_at_most_four_times_a_second() -> None:
    """By each way: a peer that was cut off must not play on against a session that is over."""
    table = Table(2, LONG).start()
    table.ticks(20)
    table[0].abort(table.now, "study", "closed")
    table.passes = lambda sender, to, what: to == 0
    table.ticks(32 * 11)
    table.sent[0].clear()
    table.ticks(64)
    assert 6 <= len(_overs(table[0], table.sent[0])) <= 2 * 9
    assert table[1].phase == PLAYING
    table.passes = lambda sender, to, what: True
    table.until(lambda: table[1].phase == DONE, most=32)


def test_who_is_over_answers_an_input_that_came_through_the_server() -> None:
    """Who plays by the server alone sends inputs, and hears that nobody plays with it any more."""
    table = Table(2, settings(max_steps=5000, p2p=False), channel=CHANNEL_NEVER).start()
    table.ticks(20)
    table[0].abort(table.now, "study", "closed")
    table.passes = lambda sender, to, what: to == 0 and what[0] == "pyodide_player_action"
    table.ticks(32 * 11)
    table.sent[0].clear()
    table.ticks(64)
    assert 1 <= len(_overs(table[0], table.sent[0])) <= 9
    table.passes = lambda sender, to, what: True
    table.until(lambda: table[1].phase == DONE, most=64)


def test_a_ready_beside_a_large_input_rides_in_a_packet_of_its_own() -> None:
    """In the same tick, and neither is larger than a datagram may be."""
    table = Table(2, settings(max_steps=5000, action_space={"type": "any"}))
    table.passes = lambda sender, to, what: to == 0 or what[0] != datagram.KIND
    table.until(lambda: table[0].phase == PLAYING)
    table.sent[0].clear()
    table.tick("x" * 990, "b")
    packets = [opened(table[0], data) for data in datagrams_of(table.outputs[0])]
    assert [bool(packet.inputs) for packet in packets] == [True, False]
    assert READY in [kind for kind, _ in packets[1].blocks]
    assert max(len(data) for data in datagrams_of(table.outputs[0])) <= table.settings.datagram_bytes


@pytest.mark.parametrize("size", [0, 60, LARGEST // 3, LARGEST // 2, *range(LARGEST - 22, LARGEST + 1)])
def test_a_hidden_page_says_so_in_every_packet_however_large_its_inputs_are(size: int) -> None:
    """Hashes and a ready may ride in a second packet of the tick; a first one that did not say it would say the
    opposite, and the other page saw somebody come and go in every tick."""
    table = Table(2, NARROW)
    table.passes = lambda sender, to, what: a_good_moment(table.now)
    table.until(lambda: all(session.phase == PLAYING for session in table.sessions))
    table.ticks(8)
    table.hidden[0] = True
    table.sent[0].clear()
    table.news[1].clear()
    table.ticks(60, "x" * size, "y")
    packets = [opened(table[0], data) for data in datagrams_of(table.sent[0])]
    assert all(STATUS in [kind for kind, _ in packet.blocks] for packet in packets)
    assert max(len(data) for data in datagrams_of(table.sent[0])) <= table.settings.datagram_bytes
    assert [event.status for event in table.events(1, PeerStatus)] == ["hidden"]
    if size == LARGEST:
        assert len(packets) > 64, "of some of the 60 ticks there are two"
    table.hidden[0] = False
    table.ticks(6)
    assert [event.status for event in table.events(1, PeerStatus)] == ["hidden", "present"]


@pytest.mark.parametrize("step", range(1, 24))
def test_it_has_room_for_it_beside_a_backlog_that_fills_a_packet(step: int) -> None:
    """In two runs, whatever they weigh together."""
    table = Table(2, NARROW)
    table.until(lambda: all(session.phase == PLAYING for session in table.sessions))
    table.ticks(8)
    table.hidden[0] = True
    table.sent[0].clear()
    for tick in range(60):
        table.passes = lambda sender, to, what, tick=tick: tick % 15 > 11
        table.tick("x" * (40 + tick * step % 23), "y")
    sent = datagrams_of(table.sent[0])
    assert all(STATUS in [kind for kind, _ in opened(table[0], data).blocks] for data in sent)
    assert any(opened(table[0], data).runs for data in sent)
    # Receipts and the advantage may be longer than here.
    room = room_for_body(NARROW.datagram_bytes, 1)
    assert room - 12 <= max(map(len, sent)) - datagram.HEADER_BYTES - 1 <= room


def test_a_page_with_two_seats_says_so_in_every_packet_as_well() -> None:
    """The inputs of both ride in it."""
    table = Table(3, NARROW, peers=[[0, 1], [2]])
    table.passes = lambda sender, to, what: a_good_moment(table.now)
    table.until(lambda: all(session.phase == PLAYING for session in table.sessions))
    table.ticks(8)
    table.hidden[0] = True
    table.sent[0].clear()
    table.news[1].clear()
    table.ticks(60, ["x" * 60, "z" * 60], "y")
    packets = [opened(table[0], data) for data in datagrams_of(table.sent[0])]
    assert all(STATUS in [kind for kind, _ in packet.blocks] for packet in packets)
    assert [event.status for event in table.events(1, PeerStatus)] == ["hidden"]
