"""Streams of sessions at one table: which way chunks go, how many at a time, and what it costs who says nothing."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from core_support import PERIOD, Table, settings, signals_of, tag_of

from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER, SEND_CHUNK
from pycore.errors import DecodeError
from pycore.link.link import Link
from pycore.session.phases import PLAYING
from pycore.session.streams import (
    AHEAD_BYTES,
    BUFFERED_BYTES,
    GIVEN_UP_AFTER,
    POLL_BYTES,
    REFUSED_MOST,
    REPEAT_AFTER,
    SERVER_BYTES,
    Stream,
    Streams,
)
from pycore.wire.stream import CHUNK_BYTES, HEAD_BYTES, MESSAGE_BYTES, encode_chunk, encode_message

FULL = CHUNK_BYTES - HEAD_BYTES
"""Bytes of the tape in a full chunk."""


class Heard:
    """A kind of message that only listens."""

    kind = 9
    limit = 1 << 20

    def __init__(self) -> None:
        self.messages: list[tuple[int, bytes, float]] = []
        self.due = 0
        self.worked: list[float] = []

    def take(self, link: Link, payload: bytes, now: float) -> None:
        """Whose, what, when."""
        if payload == b"unreadable":
            raise DecodeError("not a message of this kind")
        self.messages.append((link.peer.number, payload, now))

    def work(self, now: float) -> bool:
        """Due for so many polls."""
        self.worked.append(now)
        self.due -= 1
        return self.due > 0


class Streaming(Table):
    """A table whose sessions know the messages of `Heard`."""

    def __init__(self, seats: int = 2, **given: Any) -> None:
        super().__init__(seats, settings(max_steps=100_000, p2p_wait=0.0), **given)
        self.heard = [Heard() for _ in self.sessions]
        for session, heard in zip(self.sessions, self.heard, strict=True):
            session._parts.streams.know(heard)
        self.start()
        if given.get("channel", 0) >= 0:
            self.until(lambda: all(link.healthy for session in self.sessions for link in session.links))

    def of(self, peer: int) -> Streams:
        """The streams of a peer."""
        streams: Streams = self.sessions[peer]._parts.streams
        return streams

    def stream(self, peer: int, to: int) -> Stream:
        """Of one link."""
        return self.of(peer).of(self[peer].link_to(to))

    def put(self, peer: int, to: int, payload: bytes) -> bool:
        """Have something said."""
        return self.of(peer).put(self[peer].link_to(to), Heard.kind, payload, self.now)

    def chunks(self, peer: int) -> list[bytes]:
        """What the last poll of a peer handed out for the channel."""
        return [payload for duty, _l, _s, payload in self.outputs[peer] if duty == SEND_CHUNK]

    def signals(self, peer: int, least: int = 1000) -> list[str]:
        """The large payloads that the last poll of a peer handed out for the server."""
        found = [signal["payload"] for signal in signals_of(self.outputs[peer])]
        return [payload for payload in found if len(payload) > least]


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not get shorter when they are packed."""
    return random.Random(seed).randbytes(size)


def test_a_message_goes_by_the_channel_and_arrives_once() -> None:
    """One chunk with it, one back that says that it came; and then nothing more."""
    table = Streaming()
    assert table.put(0, 1, b"well played")
    table.tick()
    assert table.heard[1].messages == [(0, b"well played", table.now)]
    assert [len(chunk) for chunk in table.chunks(0)] == [HEAD_BYTES + MESSAGE_BYTES + 11]
    table.tick()
    assert [len(chunk) for chunk in table.chunks(1)] == [HEAD_BYTES]
    table.ticks(3)
    assert not table.of(0).busy
    assert not table.of(1).busy
    assert table.heard[0].messages == []
    assert len(table.heard[1].messages) == 1


def test_who_says_nothing_is_asked_nothing() -> None:
    """Neither a channel's state is read, nor is anybody's work done."""
    table = Streaming()

    class Untouched(list[int]):
        def __getitem__(self, index: Any) -> Any:
            raise AssertionError("nobody asked for it")

    table.streams = [Untouched([0]), Untouched([0])]
    table.ticks(100)
    assert [heard.worked for heard in table.heard] == [[], []]
    assert not any(duty == SEND_CHUNK for sent in table.sent for duty, *_ in sent)


def test_no_more_lies_in_a_channel_than_two_chunks_by_its_own_word_and_ours() -> None:
    """Exact numbers: what is buffered counts, and a chunk goes as a whole or not at all."""
    table = Streaming()
    table.held = True
    table.put(0, 1, noise(200_000))
    for buffered, sizes in (
        (0, [CHUNK_BYTES, CHUNK_BYTES]),
        (1, [CHUNK_BYTES]),
        (CHUNK_BYTES, [CHUNK_BYTES]),
        (CHUNK_BYTES + 1, []),
        (BUFFERED_BYTES, []),
        (10_000_000, []),
    ):
        table.streams[0] = [buffered]
        table.poll(0)
        assert [len(chunk) for chunk in table.chunks(0)] == sizes, buffered
    assert BUFFERED_BYTES == 32_768


def test_no_more_is_on_its_way_than_the_other_page_has_room_for() -> None:
    """Six chunks without an acknowledgement; each that is acknowledged makes room for one."""
    table = Streaming()
    table.held = True
    table.put(0, 1, noise(200_000))
    sent: list[bytes] = []
    for _ in range(20):
        table.poll(0)
        sent += table.chunks(0)
    assert len(sent) == AHEAD_BYTES // FULL == 6
    for chunk in sent[:2]:
        table.arrive(0, 1, chunk)
    table.mail.clear()
    table.poll(1)
    (answer,) = table.chunks(1)
    table.arrive(1, 0, answer)
    table.poll(0)
    assert len(table.chunks(0)) == 2


def test_half_a_megabyte_a_second_go_through_a_channel_that_takes_it_all() -> None:
    """At 32 ticks a second, with a round trip of two ticks: two chunks with every tick."""
    table = Streaming()
    payload = noise(500_000)
    table.put(0, 1, payload)
    assert table.until(lambda: bool(table.heard[1].messages)) == -(-(len(payload) + MESSAGE_BYTES) // (2 * FULL))
    assert table.heard[1].messages[0][1] == payload


def test_of_many_links_each_has_its_turn_in_a_poll_that_has_room_for_four_chunks() -> None:
    """The page's outbox is bounded; nobody starves behind another."""
    table = Streaming(5)
    table.held = True
    for to in (1, 2, 3, 4):
        table.put(0, to, noise(200_000, to))
    sent = []
    for _ in range(4):
        table.poll(0)
        found = [to for duty, to, _s, _p in table.outputs[0] if duty == SEND_CHUNK]
        assert sum(len(chunk) for chunk in table.chunks(0)) <= POLL_BYTES
        assert len(found) == 4
        sent += found
    assert {to: sent.count(to) for to in (1, 2, 3, 4)} == dict.fromkeys((1, 2, 3, 4), 4)


def test_without_a_channel_one_piece_goes_through_the_server_every_tenth_of_a_second() -> None:
    """As base64 no more than 16,384 characters; at most four are on their way."""
    table = Streaming(channel=CHANNEL_NEVER)
    table.held = True
    table.put(0, 1, noise(100_000))
    times = []
    for _ in range(64):
        table.now += PERIOD
        table.poll(0)
        for payload in table.signals(0):
            assert len(payload) <= SERVER_BYTES * 4 // 3 == 16_384
            times.append(table.now)
    assert len(times) == 4
    # 0.1 s is a little more than three ticks.
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [4 * PERIOD] * 3


def test_through_the_server_it_arrives_as_well() -> None:
    """Fifty kilobytes, in a second."""
    table = Streaming(channel=CHANNEL_NEVER)
    payload = noise(50_000)
    table.put(0, 1, payload)
    ticks = table.until(lambda: bool(table.heard[1].messages))
    assert ticks * PERIOD < 1.0
    assert table.heard[1].messages[0][1] == payload
    table.ticks(16)
    assert not table.of(0).busy


def test_all_links_together_take_one_signal_every_tenth_of_a_second() -> None:
    """The server counts what comes of a page, not of its links; each link has its turn."""
    table = Streaming(4, channel=CHANNEL_NEVER)
    table.held = True
    for to in (1, 2, 3):
        table.put(0, to, noise(40_000, to))
    to_whom = []
    for _ in range(48):
        table.now += PERIOD
        table.poll(0)
        assert len(table.signals(0)) <= 1
        to_whom += [of["target_player_id"] for of in signals_of(table.outputs[0]) if len(of["payload"]) > 1000]
    assert len(to_whom) == 12
    assert {to: to_whom.count(to) for to in (1, 2, 3)} == dict.fromkeys((1, 2, 3), 4)


def test_a_channel_that_closes_takes_nothing_along() -> None:
    """In the middle of a message: it goes on by the server, from what the other one has."""
    table = Streaming()
    payload = noise(120_000)
    table.put(0, 1, payload)
    table.ticks(2)
    table.held = True
    table.poll(0)
    assert table.chunks(0)
    # What was handed out last is lost with the channel.
    table.mail.clear()
    table.held = False
    known, got = table.stream(0, 1).outgoing.acknowledged, table.stream(1, 0).incoming.received
    assert 0 < known < got < 120_000
    for peer in (0, 1):
        table.streams[peer] = [CHANNEL_CLOSED]
    before = len(table.sent[0])
    # Six pieces, four ticks apart: nobody waits until something is missed.
    assert table.until(lambda: bool(table.heard[1].messages)) <= 6 * 4 + 2
    assert table.heard[1].messages[0][1] == payload
    assert not any(duty == SEND_CHUNK for duty, *_ in table.sent[0][before:])
    sizes = [len(of["payload"]) * 3 // 4 for of in signals_of(table.sent[0][before:]) if len(of["payload"]) > 1000]
    # Between what the other one has and what is known of that, with a head for each piece.
    assert 120_000 - got < sum(sizes) < 120_000 - known + 10 * HEAD_BYTES
    assert len(table.heard[1].messages) == 1


def test_a_way_that_comes_back_is_taken_and_what_went_by_both_counts_once() -> None:
    """From the server to the channel, with four pieces still on their way, which come last of all."""
    table = Streaming()
    table.streams = [[CHANNEL_NEVER], [CHANNEL_NEVER]]
    payload = noise(200_000)
    table.put(0, 1, payload)
    late: list[Any] = []

    def passes(sender: int, to: int, what: Any) -> bool:
        if isinstance(what, bytes) or len(what[1].get("payload", "")) < 1000:
            return True
        late.append(what)
        return False

    table.passes = passes
    table.ticks(20)
    assert len(late) == 4
    table.streams = [[0], [0]]
    table.tick()
    assert len(table.chunks(0)) == 2
    assert table.until(lambda: bool(table.heard[1].messages)) < 10
    for what in late:
        table.arrive(0, 1, what)
    table.ticks(10)
    assert [message for _, message, _ in table.heard[1].messages] == [payload]
    assert [session.malformed for session in table.sessions] == [0, 0]


def test_while_there_is_no_way_nothing_is_handed_out_and_nothing_lost() -> None:
    """Neither a channel nor the server."""
    table = Streaming()
    table.streams = [[CHANNEL_CLOSED], [CHANNEL_CLOSED]]
    table.socket = [False, False]
    table.put(0, 1, b"patience")
    before = len(table.sent[0])
    table.ticks(320)
    assert not signals_of(table.sent[0][before:])
    table.socket = [True, True]
    table.ticks(4)
    assert [message for _, message, _ in table.heard[1].messages] == [b"patience"]


@pytest.mark.slow
def test_what_nobody_acknowledges_is_sent_again_and_at_last_given_up() -> None:
    """After 4 s, 8 s more, 16 s more, and so on; after a minute it is over, once, and the log says so."""
    table = Streaming()
    table.passes = lambda sender, to, what: not (isinstance(what, bytes) and what[0] == 0xB7)
    table.put(0, 1, b"is anybody there?")
    begun = table.now
    times = []
    for _ in range(int(GIVEN_UP_AFTER / PERIOD) + 64):
        table.tick()
        if table.chunks(0):
            times.append(table.now - begun - PERIOD)
    assert times == [0.0, REPEAT_AFTER, REPEAT_AFTER + 8, REPEAT_AFTER + 24, REPEAT_AFTER + 54]
    assert [line for line in table.logs(0) if "stream" in line] == ["player 1 takes nothing by stream; it is given up"]
    assert not table.of(0).busy
    assert not table.put(0, 1, b"hello?")
    assert table[0].phase == table[1].phase
    assert table[0].stalls == 0


@pytest.mark.parametrize("pause", [90.0, 3600.0])
def test_a_pause_of_our_own_is_no_time_in_which_nothing_was_acknowledged(pause: float) -> None:
    """A laptop that sleeps in the middle of a message goes on with it."""
    table = Streaming()
    table.put(0, 1, noise(100_000))
    table.held = True
    table.ticks(2)
    assert table.stream(0, 1).outgoing.waits
    table.now += pause
    table.held = False
    table.ticks(32)
    assert [len(message) for _, message, _ in table.heard[1].messages] == [100_000]


@pytest.mark.parametrize("channel", [0, -1], ids=["p2p", "by the server"])
def test_to_who_is_gone_nothing_more_is_said_by_stream(channel: int) -> None:
    """Of three: neither by its channel nor through the server, and nothing is waited for."""
    table = Streaming(3, channel=channel)
    table.put(0, 2, noise(300_000))
    table.ticks(2)
    assert table.stream(0, 2).outgoing.waits
    table.passes = lambda sender, to, what: 2 not in (sender, to)
    table[0].player_left(2, table.now, certain=True)
    table.tick()
    said = len([output for output in table.sent[0] if output[1] == 2 or _is_to(output, 2)])
    table.ticks(64)
    assert len([output for output in table.sent[0] if output[1] == 2 or _is_to(output, 2)]) == said
    assert not table.of(0).busy
    assert not table.put(0, 2, b"are you there?")


def _is_to(output: Any, seat: int) -> bool:
    """Whether an output is a signal to a seat."""
    payload = output[3]
    return isinstance(payload, tuple) and payload[0] == "webrtc_signal" and payload[1]["target_player_id"] == seat


@pytest.mark.slow
def test_a_message_that_is_too_long_or_finds_no_room_is_not_taken() -> None:
    """Whoever says it is told at once; the bound is on what waits, packed."""
    table = Streaming()
    assert not table.put(0, 1, bytes((8 << 20) + 1))
    assert table.put(0, 1, bytes(8 << 20))
    assert table.stream(0, 1).outgoing.end < 100_000
    table.held = True
    for number in range(3):
        assert table.put(0, 1, noise(7 << 20, number)) is (number < 2)


@pytest.mark.parametrize("which", ["sender", "receiver"])
def test_a_chunk_of_another_load_of_a_page_moves_nothing(which: str) -> None:
    """Of another load of its own, or meant for another one of ours."""
    table = Streaming()
    sender = table[0].incarnation + (which == "sender")
    to = table[1].incarnation + (which == "receiver")
    tape = encode_message(Heard.kind, b"from long ago")
    foreign = table[1].journal.foreign
    table.arrive(0, 1, encode_chunk(tag_of(table[0]), sender, to, 0, 0, tape))
    assert table[1].journal.foreign == foreign + 1
    assert table.heard[1].messages == []
    assert table.stream(1, 0).incoming.received == 0


def test_a_message_that_its_kind_refuses_is_counted_and_the_stream_goes_on() -> None:
    """What cannot be read is the peer's fault; what comes behind it is not, also in the same chunk."""
    table = Streaming()
    table.put(0, 1, b"unreadable")
    table.put(0, 1, b"readable")
    table.ticks(3)
    assert table[1].malformed == 1
    table.put(0, 1, b"and more")
    table.ticks(3)
    assert [message for _, message, _ in table.heard[1].messages] == [b"readable", b"and more"]


def test_who_says_nothing_but_garbage_is_not_read_any_more() -> None:
    """What each message costs to unpack is bounded; so is how many are."""
    table = Streaming()
    for _ in range(REFUSED_MOST):
        table.put(0, 1, b"unreadable")
    table.ticks(3)
    assert table[1].malformed
    received = table.stream(1, 0).incoming.received
    table.put(0, 1, b"readable")
    table.ticks(3)
    assert (table.heard[1].messages, table.stream(1, 0).incoming.received) == ([], received)
    assert table[1].phase == PLAYING


def test_a_message_whose_head_cannot_be_ends_the_stream_and_not_the_game() -> None:
    """Garbage with a right digest: refused, and nothing behind it is taken."""
    table = Streaming()
    bad = bytes((Heard.kind, 0)) + (2 << 20).to_bytes(4, "big") * 2
    chunk = encode_chunk(tag_of(table[0]), table[0].incarnation, table[1].incarnation, 0, 0, bad)
    for count in (1, 2):
        table.arrive(0, 1, chunk)
        assert table[1].malformed == count
    assert table.stream(1, 0).incoming.received == 0
    frame = table[1].frame
    table.ticks(32)
    assert table[1].frame == frame + 32


def test_work_is_asked_for_from_the_waking_on_until_there_is_none() -> None:
    """At every poll, and at none before and behind."""
    table = Streaming()
    heard = table.heard[0]
    table.ticks(4)
    heard.due = 3
    table.of(0).wake()
    table.ticks(10)
    assert len(heard.worked) == 3
    assert not table.of(0).busy
