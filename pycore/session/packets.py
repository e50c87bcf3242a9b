"""Writes what is due on every link: one datagram per tick with everything in it, by the path in force.

Inputs go peer-to-peer in the datagram while the link is healthy, and as events of the server otherwise; what else there
is to say then travels as the same datagram without inputs, through the server's signalling event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.duties import P2P
from pycore.link.flow import Flow
from pycore.link.link import Link
from pycore.link.paths import CONGESTED_BYTES
from pycore.rollback.timeline import Timeline
from pycore.session.backfill import BACKFILL
from pycore.session.drops import Drops
from pycore.session.episode import Episode
from pycore.session.identity import Identity
from pycore.session.journal import Journal
from pycore.session.outputs import Outputs
from pycore.session.own_inputs import OwnInputs
from pycore.session.timesync import UNITS
from pycore.session.topics.deaf import Deaf
from pycore.session.topics.gone import passed_on
from pycore.session.topics.over import Over, number_of
from pycore.session.topics.status import Status
from pycore.session.topics.topic import GONE, OVER, READY, STATUS, Topic
from pycore.wire import datagram, probe
from pycore.wire.datagram import Run

PROBE_SEQ: Final = 0xFFFFFFFF
"""What stands for the seq of a probe, which has none."""
QUIET_TICKS: Final = 3
"""While nothing new is dispatched, every third tick carries a packet."""
CONTROL_INTERVAL: Final = 0.1
"""Shortest time between two datagrams through the server that only bring receipts."""
CONTROL_IDLE: Final = 0.5
READY_REPEAT: Final = 1.0
LATENCY_PROBE: Final = 2.0
SOCKET_REPEAT: Final = 1.0
SOCKET_REPEAT_RTTS: Final = 4
RECEIPT_BYTES: Final = 5
STATUS_BYTES: Final = datagram.BLOCK_BYTES + 1


class Packets:
    """The packets of all links. `topics` are in the order in which they ride."""

    __slots__ = (
        "_answers", "_budget", "_deaf", "_drops", "_episode", "_incarnation", "_journal", "_latency_probe_at", "_links",
        "_nothing", "_others", "_out", "_over", "_own", "_period", "_ready_at", "_ready_to", "_room", "_status", "_tag",
        "_timeline", "_topics",
    )  # fmt: skip

    def __init__(
        self,
        identity: Identity,
        episode: Episode,
        timeline: Timeline,
        links: Sequence[Link],
        own: Sequence[OwnInputs],
        topics: Sequence[Topic],
        deaf: Deaf,
        over: Over,
        status: Status,
        outputs: Outputs,
        journal: Journal,
        datagram_bytes: int,
        period: float,
        drops: Drops,
        answers: list[tuple[Link, int, float, str]],
        now: float,
    ) -> None:
        self._drops = drops
        self._tag = identity.tag
        self._incarnation = identity.incarnation
        self._episode = episode
        self._timeline = timeline
        self._links = links
        self._own = tuple(own)
        self._topics = tuple(topics)
        self._deaf = deaf
        self._over = over
        self._status = status
        self._out = outputs
        self._journal = journal
        self._others = [seat for seat in range(len(identity.players)) if seat not in identity.own]
        """The seats that our receipts are of."""
        self._room = room_for_body(datagram_bytes, len(self._others))
        self._budget = self._room - 2 * datagram.RUN_BYTES - STATUS_BYTES
        """Bytes of the inputs that one own seat has in a packet: in two runs, and with a status beside them."""
        self._nothing = [-1] * len(self._others)
        self._period = period
        self._answers = answers
        """What the packets of the next tick answer: probes, and who lacks something of somebody who is gone."""
        self._latency_probe_at = now
        self._ready_to = {link.peer.number: -1 for link in links}
        """Episode of the last ready that went through the server, by peer."""
        self._ready_at = {link.peer.number: now for link in links}

    # -- what is due -------------------------------------------------------------------------------------------

    def answer_later(self, link: Link, number: int, came: float, path: str) -> None:
        """A probe came; the answer goes out with the next tick."""
        self._answers.append((link, number, came, path))

    def introduce_anew(self) -> None:
        """The server's connection is a new one: nothing that went through the old one counts."""
        for link in self._links:
            self._ready_to[link.peer.number] = -1
            link.ask_flush()

    def write_all(self, ways: Sequence[tuple[Link, int]], now: float, on_time: bool) -> None:
        """Write what is due on every link; behind each stands what its channel is. `on_time`: something new is
        dispatched every tick, or this is a third."""
        if self._answers:
            for link, number, came, path in self._answers:
                if number == BACKFILL:
                    self._pass_on(link, now)
                else:
                    self._answer_probe(link, number, came, path, now)
            self._answers.clear()
        measure = now - self._latency_probe_at >= LATENCY_PROBE
        if measure:
            self._latency_probe_at = now
        over = self._over.over
        for link, channel in ways:
            paths = link.paths
            if paths.changes:
                self.note_changes(link, now)
            if over and self._over.silent(link, now):
                continue
            if paths.healthy:
                if (on_time or link.flush or link.unsent or link.crowded) and channel <= CONGESTED_BYTES:
                    self._write_datagram(link, now)
                if measure and paths.check_latency(now, self._timeline.current) and self._out.socket_up:
                    self._out.signal(link, self._probe(probe.PROBE, paths.server.probe(now)))
                continue
            if paths.connected:
                if over and channel <= CONGESTED_BYTES:
                    self._say_over(link, now)
                due = paths.probe_due(now, channel)
                if due is not None:
                    self._out.send(link, PROBE_SEQ, self._probe(probe.PROBE, due))
            if self._out.socket_up:
                self._write_by_socket(link, now)
                asked = paths.server_probe_due(now)
                if asked is not None:
                    self._out.signal(link, self._probe(probe.PROBE, asked))

    def _say_over(self, link: Link, now: float) -> None:
        """Whoever is cut off from the server may hear by a channel, if it is open, that we are over."""
        by_server = self._out.socket_up
        if link.flush or (not by_server and now - link.control_at >= CONTROL_IDLE):
            self._put(link, self._timeline.current, datagram.BLOCKS, self._blocks(link, False, self._room, now), now)
            if not by_server:
                link.controlled(now)
                link.flushed()

    def note_changes(self, link: Link, now: float) -> None:
        """A link changed its path: everything unacknowledged goes out on the new one."""
        if link.paths.changes:
            link.ask_flush()
            self._journal.note_changes(link, now)
        self._deaf.look(link)

    # -- peer-to-peer ------------------------------------------------------------------------------------------

    def _write_datagram(self, link: Link, now: float) -> None:
        flags = 0
        body = b""
        own = self._own
        wire = link.paths.wire
        if own:
            inputs = own[0]
            outbox = link.own[0]
            first = outbox.dispatched + 1
            if self._episode.open:
                runs = outbox.select(now, inputs.row, wire, self._period, link.flush, self._budget)
                if runs:
                    first, last = runs[0]
                    flags = last - first + 1
                    body = b"".join(inputs.run(first, last))
                    again = outbox.rode(wire.seq, runs)
                    if again:
                        link.counts.resent_by_p2p(again)
                if len(runs) > 1 or len(own) > 1:
                    flags, body = self._write_more(link, first, flags, body, runs[1:], now)
        else:
            first = self._timeline.current
        blocks = b""
        if link.agenda:
            blocks = self._blocks(link, False, self._room - len(body), now)
            if blocks and len(body) + len(blocks) <= self._room:
                flags |= datagram.BLOCKS
                body += blocks
                blocks = b""
        if link.flush:
            link.flushed()
        if blocks:
            # A ready beside large inputs; it rides alone, behind them.
            self._put_with_status(link, first, flags, body, now)
            flags = datagram.BLOCKS
            body = blocks
        seq, data = self._datagram(link, wire, first, flags, body, now)
        self._out.send(link, seq, data)

    def _write_more(
        self, link: Link, first: int, flags: int, body: bytes, chosen: list[tuple[int, int]], now: float
    ) -> tuple[int, bytes]:
        """Put what rides beside the first run into as many packets as it takes, and write all of them but the last;
        returns flags and body of that one. `chosen` is the second run of the first own seat."""
        *full, last = self._packed(link, chosen, now, len(body))
        for runs in full:
            self._put_with_status(link, first, *_with_runs(flags, body, runs), now)
            flags = 0
            body = b""
        return _with_runs(flags, body, last)

    def _packed(self, link: Link, chosen: list[tuple[int, int]], now: float, taken: int) -> list[list[Run]]:
        """The runs beside the first one, by packet; in the first packet `taken` bytes are taken.

        Each seat chooses as if it had a packet of its own, so that none starves beside another; the seats share a
        packet where what they chose fits.
        """
        own = self._own
        wire = link.paths.wire
        runs = [Run(link.own[0].seat, low, own[0].run(low, high)) for low, high in chosen]
        packets = [runs]
        empty = self._room - STATUS_BYTES
        left = [empty - taken - datagram.weight_of(runs)]
        for outbox, inputs in zip(link.own[1:], own[1:], strict=True):
            found = outbox.select(now, inputs.row, wire, self._period, link.flush, self._budget)
            if not found:
                continue
            runs = [Run(outbox.seat, low, inputs.run(low, high)) for low, high in found]
            weight = datagram.weight_of(runs)
            number = next((number for number, room in enumerate(left) if weight <= room), len(left))
            if number == len(left):
                packets.append([])
                left.append(empty)
            packets[number] += runs
            left[number] -= weight
            link.counts.resent_by_p2p(outbox.rode(wire.seq + number, found))
        return packets

    def _put_with_status(self, link: Link, first: int, flags: int, body: bytes, now: float) -> None:
        """Write a packet that is not the last of its tick."""
        for payload in self._status.payloads(link, now, False, STATUS_BYTES):
            flags |= datagram.BLOCKS
            body += datagram.encode_block(STATUS, payload)
        self._put(link, first, flags, body, now)

    def _put(self, link: Link, first: int, flags: int, body: bytes, now: float) -> None:
        seq, data = self._datagram(link, link.paths.wire, first, flags, body, now)
        self._out.send(link, seq, data)

    def _datagram(
        self, link: Link, flow: Flow, first: int, flags: int, body: bytes, now: float, of: int | None = None
    ) -> tuple[int, bytes]:
        """The next datagram of a path, and its number. `of`: an episode, of which it then says nothing."""
        seq, echo, hold = flow.stamp(now)
        episode = self._episode
        if episode.open and of is None:
            held = self._timeline.frames.held
            receipts = [held[seat] for seat in self._others]
        else:
            receipts = self._nothing
        return seq, datagram.encode(
            self._tag, self._incarnation, episode.number if of is None else of, seq, echo, hold, first, flags,
            round(link.advantage * UNITS), receipts, body,
        )  # fmt: skip

    def _blocks(self, link: Link, with_ready: bool, room: int, now: float, by_socket: bool = False) -> bytes:
        blocks = b""
        agenda = link.agenda | (1 << READY if with_ready else 0)
        for topic in self._topics:
            if agenda & topic.bit:
                whole = with_ready if topic.kind == READY else by_socket
                for payload in topic.payloads(link, now, whole, room - len(blocks)):
                    blocks += datagram.encode_block(topic.kind, payload)
        return blocks

    # -- of who is gone ----------------------------------------------------------------------------------------

    def _pass_on(self, link: Link, now: float) -> None:
        """Pass on what a survivor lacks of who is gone, in packets of its own, by the way that there is."""
        by_wire = link.paths.healthy
        if not by_wire and not self._out.socket_up:
            return
        runs, readies = self._drops.missing(link, now, self._room)
        bodies = [(datagram.RUNS, datagram.encode_runs(runs))] if runs else []
        for peer, payload in readies:
            block = datagram.encode_block(GONE, passed_on(self._episode.number, peer, payload))
            bodies.append((datagram.BLOCKS, block))
        for flags, body in bodies:
            self._put_by(link, by_wire, flags, body, now)

    def farewell(self, link: Link, path: str, reason: str, of: int, now: float) -> None:
        """Tell who is gone, and still speaks, that nobody plays with it any more. `of`: the episode in which it is
        missing first: all of the one before was heard of it, and what it did in this one nobody confirms."""
        body = datagram.encode_block(OVER, bytes((0, number_of(reason))))
        if path == P2P or self._out.socket_up:
            self._put_by(link, path == P2P, datagram.BLOCKS, body, now, of)

    def _put_by(self, link: Link, by_wire: bool, flags: int, body: bytes, now: float, of: int | None = None) -> None:
        flow = link.paths.wire if by_wire else link.paths.socket
        seq, data = self._datagram(link, flow, self._timeline.current, flags, body, now, of)
        if by_wire:
            self._out.send(link, seq, data)
        else:
            self._out.signal(link, data)

    # -- through the server ------------------------------------------------------------------------------------

    def announce(self, link: Link, now: float) -> None:
        """An input by socket.io counts only behind our ready on the same socket; say it first."""
        if self._ready_to[link.peer.number] != self._episode.number and self._episode.initial is not None:
            self._write_control(link, now)

    def act(self, link: Link, inputs: OwnInputs, frame: int, now: float) -> None:
        """Send an input as an event of the server, for the sake of this link."""
        seat = inputs.seat
        encoded = inputs.run(frame, frame)[0]
        link.counts.packet_by_socketio(len(encoded))
        action = seat.codec.to_json(seat.decode(encoded))
        self._out.act(seat.number, frame, action, self._episode.number, self._journal.wall_ms(now))

    def _write_by_socket(self, link: Link, now: float) -> None:
        due = now - link.control_at
        if due >= CONTROL_IDLE or (due >= CONTROL_INTERVAL and self._episode.open) or link.flush:
            self._write_control(link, now)
        if self._episode.open and not link.peer.over:
            repeat = max(SOCKET_REPEAT, SOCKET_REPEAT_RTTS * (link.paths.socket.rtt or 0.0))
            limit = now if link.flush else now - repeat
            for outbox, inputs in zip(link.own, self._own, strict=True):
                for frame in outbox.sent_by_socket_before(limit):
                    self.act(link, inputs, frame, now)
                    outbox.sent_by_socket(frame, now)
                    link.counts.resent_by_socketio(1)
        link.flushed()

    def _write_control(self, link: Link, now: float) -> None:
        """Everything but inputs, as a datagram through the server."""
        number = link.peer.number
        episode = self._episode
        with_ready = self._ready_to[number] != episode.number or now - self._ready_at[number] >= READY_REPEAT
        blocks = self._blocks(link, with_ready, self._room, now, True)
        if with_ready and episode.initial is not None:
            self._ready_to[number] = episode.number
            self._ready_at[number] = now
        first = link.own[0].dispatched + 1 if link.own else self._timeline.current
        _seq, data = self._datagram(link, link.paths.socket, first, datagram.BLOCKS if blocks else 0, blocks, now)
        link.controlled(now)
        self._out.signal(link, data)

    # -- probes ------------------------------------------------------------------------------------------------

    def _probe(self, kind: int, number: int, hold: int = 0) -> bytes:
        return probe.encode_probe(kind, self._tag, self._incarnation, number, hold)

    def _answer_probe(self, link: Link, number: int, came: float, path: str, now: float) -> None:
        data = self._probe(probe.PROBE_ANSWER, number, int((now - came) * 1000))
        if path == P2P:
            if link.paths.connected:
                self._out.send(link, PROBE_SEQ, data)
        elif self._out.socket_up:
            self._out.signal(link, data)


def _with_runs(flags: int, body: bytes, runs: list[Run]) -> tuple[int, bytes]:
    return (flags | datagram.RUNS, body + datagram.encode_runs(runs)) if runs else (flags, body)


def room_for_body(datagram_bytes: int, receipts: int) -> int:
    """Bytes of a datagram that inputs and blocks may take, beside the header and so many receipts of the longest."""
    return datagram_bytes - datagram.HEADER_BYTES - 2 - RECEIPT_BYTES * receipts


def longest_action(datagram_bytes: int, seats: int) -> int:
    """Bytes of the longest action that one datagram has room for, without the length in front of it: as many receipts
    as there are seats leave room for two runs and a status, since no sender has a receipt for its own."""
    return room_for_body(datagram_bytes, seats) - RECEIPT_BYTES - datagram.RUN_BYTES - 2
