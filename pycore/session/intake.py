"""Takes in what the peers send: each packet is looked at whole before anything moves, and garbage moves nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pycore.duties import P2P, SOCKETIO
from pycore.errors import DecodeError
from pycore.link.flow import LONG_AGO, Flow
from pycore.link.link import Link
from pycore.link.peer import RETURNING
from pycore.rollback.timeline import Timeline
from pycore.session.drops import Drops
from pycore.session.episode import Episode
from pycore.session.identity import Identity
from pycore.session.inputs import Inputs
from pycore.session.journal import Journal
from pycore.session.membership import Membership
from pycore.session.outputs import Outputs
from pycore.session.packets import Packets
from pycore.session.roster import Roster
from pycore.session.streams import Streams
from pycore.session.timesync import UNITS, TimeSync
from pycore.session.topics.over import Over, number_of
from pycore.session.topics.returns import load_of
from pycore.session.topics.status import Status
from pycore.session.topics.topic import GONE, OVER, READY, RETURN, STATUS, Arrival, Topic
from pycore.session.welcomes import Welcomes
from pycore.wire import datagram, probe, version1
from pycore.wire.datagram import Run
from pycore.wire.stream import CHUNK, decode_chunk

MEANWHILE: Final = (READY, OVER, GONE, RETURN)
"""What is taken in while we return ourselves."""
LOST: Final = tuple([bytes((number_of(reason),)) for reason in ("dropped", "returned")])
FURTHEST: Final = 600.0
"""Frames of advantage that a peer may claim: what is beyond is no clock that anybody plays by."""


class Intake:
    """The packets and messages of all peers, on their way into the timeline and the books."""

    __slots__ = (
        "_codecs", "_drops", "_episode", "_head", "_identity", "_inputs", "_journal", "_membership", "_out",
        "_over", "_packets", "_period", "_reopens", "_returning", "_roster", "_status", "_stepped_at",
        "_streams", "_timeline", "_timesync", "_topics", "_welcomes",
    )  # fmt: skip

    def __init__(
        self,
        identity: Identity,
        episode: Episode,
        timeline: Timeline,
        roster: Roster,
        drops: Drops,
        inputs: Inputs,
        topics: Mapping[int, Topic],
        status: Status,
        over: Over,
        packets: Packets,
        streams: Streams,
        outputs: Outputs,
        membership: Membership,
        timesync: TimeSync,
        journal: Journal,
        welcomes: Welcomes,
        period: float,
        now: float,
        reopens: bool = False,
    ) -> None:
        self._welcomes = welcomes
        self._reopens = reopens
        self._returning = False
        self._identity = identity
        self._head = bytes((datagram.KIND,)) + identity.tag.to_bytes(2, "big")
        self._episode = episode
        self._timeline = timeline
        self._codecs = [seat.codec for seat in timeline.seats]
        self._topics = topics
        self._status = status
        self._over = over
        self._packets = packets
        self._streams = streams
        self._out = outputs
        self._membership = membership
        self._timesync = timesync
        self._journal = journal
        self._period = period
        self._stepped_at = now
        self._inputs = inputs
        self._roster = roster
        self._drops = drops

    def stepped(self, now: float) -> None:
        """The current frame became the current one now."""
        self._stepped_at = now

    def set_returning(self, returning: bool) -> None:
        """Whether we were loaded again, and are not there yet: then nothing of the episode is taken in."""
        self._returning = returning
        self._inputs.set_returning(returning)

    # -- packets -----------------------------------------------------------------------------------------------

    def receive(self, link: Link, data: bytes, now: float, path: str, late: bool) -> None:
        """Take in a packet that came at `now`, or before, if that is `late`: a page that stood still stamps what waited
        when it wakes, and a round trip that was measured by it would have the whole pause in it. Garbage moves nothing;
        it is counted and logged.
        """
        try:
            # The tag is compared as the two bytes that it is.
            if data[:3] == self._head:
                self._take_datagram(link, data, now, path, late)
            elif datagram.tag_of(data) == self._identity.tag:
                if data[0] == CHUNK:
                    self._streams.receive(link, data, now, path)
                else:
                    self._take_probe(link, data, now, path, late)
            else:
                self._receive_foreign(link, data, now, path)
        except DecodeError as error:
            self._journal.refuse(link, str(error), now)

    def receive_signal(self, link: Link, payload: Any, now: float, late: bool) -> None:
        """Take in a packet that came through the server, as base64."""
        try:
            data = base64.b64decode(payload, validate=True) if isinstance(payload, str) else None
        except (binascii.Error, ValueError):
            data = None
        if data is None:
            self._journal.refuse(link, "a signal that is no base64 text", now)
        elif link.peer.number in self._roster.gone:
            self.receive_of_gone(link, data, now, SOCKETIO)
        else:
            self.receive(link, data, now, SOCKETIO, late)

    def receive_of_gone(self, link: Link, data: bytes, now: float, path: str) -> None:
        """A packet of somebody who is gone moves nothing; if it can be read, it is told so, or its new load."""
        if datagram.tag_of(data) != self._identity.tag:
            self._journal.ignore()
            return
        try:
            blocks = self._read(link, data)
        except DecodeError as error:
            self._journal.refuse(link, str(error), now)
            return
        # Every packet has the incarnation at the same place.
        low = data[3]
        returns = self._drops.comings.may_return(link.peer.number) and low != link.peer.low
        if returns and self._welcomes.open:
            # Another load of its page: nothing of what it says counts but that it would come back.
            self._welcomes.knocks_of_gone(link, blocks, now)
        elif self._over.answer(link, now):
            reason = "dropped" if low == link.peer.low else self._over.word if returns else "returned"
            missing = self._roster.gone[link.peer.number].episode
            self._packets.farewell(link, path, reason, self._episode.number if missing is None else missing, now)

    def _read(self, link: Link, data: bytes) -> list[tuple[int, bytes]]:
        """The blocks of a packet of this session of which nothing else counts. Raises DecodeError."""
        if data[0] == datagram.KIND:
            return datagram.take_apart(data, self._codecs, link.peer.seat, len(link.receipts), 0, 0, 0)[10]
        (decode_chunk if data[0] == CHUNK else probe.decode_probe)(data)
        return []

    def _receive_foreign(self, link: Link, data: bytes, now: float, path: str) -> None:
        """A packet that is not of this session, unless it is of this one in another version of the protocol."""
        if link.peer.ready or not version1.is_version_1(data, self._identity.tag):
            # Who has said READY in this version speaks no other.
            self._journal.ignore()
            return
        self._membership.speaks_version(link, 1)
        seats = len(self._identity.players)
        answer = version1.refusal(data, self._identity.tag, seats - 1, link.answer_version_1())
        if path == SOCKETIO:
            self._out.signal(link, answer)
        else:
            self._out.send(link, 0, answer)

    def _take_probe(self, link: Link, data: bytes, now: float, path: str, late: bool) -> None:
        incarnation, number, hold = probe.decode_probe(data)
        if link.peer.low not in (None, incarnation) and self._welcomes.open:
            # Another load of its page may only ask to return once it knows that there is a way.
            link.peer.is_same(incarnation)
            (link.paths.wire if path == P2P else link.paths.socket).hear(now)
            if data[0] == probe.PROBE:
                self._packets.answer_later(link, number, LONG_AGO if late else now, path)
            return
        if not link.peer.is_same(incarnation):
            self._take_stranger(link, link.paths.wire if path == P2P else link.paths.socket, now)
            return
        link.counts.packet_came(len(data), path == P2P)
        flow = link.paths.wire if path == P2P else link.paths.socket
        flow.hear(now)
        if late:
            hold = datagram.NO_SAMPLE
        if data[0] == probe.PROBE:
            self._packets.answer_later(link, number, LONG_AGO if late else now, path)
        elif path == P2P:
            link.paths.probe_answered(number, hold, now)
            self._packets.note_changes(link, now)
        else:
            link.paths.server.answered(number, hold, now)

    def _take_datagram(self, link: Link, data: bytes, now: float, path: str, late: bool) -> None:
        timeline = self._timeline
        frames = timeline.frames
        running = self._episode.number
        peer = link.peer
        seat = peer.seat
        flow = link.paths.wire if path == P2P else link.paths.socket
        incarnation, number, seq, echo, hold, advantage, receipts, first, inputs, runs, blocks = datagram.take_apart(
            data,
            self._codecs,
            seat,
            len(link.receipts),
            timeline.current,
            running,
            flow.newest + 1,
            frames.held[seat] if seat >= 0 else -1,
        )
        # A session has fewer episodes than a byte has numbers, and who returns says 0, however far the others are.
        number &= 0xFF
        if self._returning:
            self._take_meanwhile(link, incarnation, number, blocks, len(data), now, path)
            return
        if number > running + 1:
            # Only that its sender is over can matter here: then it was another load of this page that it played with.
            blocks = [block for block in blocks if block[0] == OVER]
            if not blocks:
                raise DecodeError(f"a packet of episode {number} while episode {running} runs")
        if blocks:
            self._check(blocks, number)
        if runs:
            self._check_runs(link, runs)
        if (incarnation != peer.low or peer.strangers) and not peer.is_same(incarnation):
            if not self._welcomes.knocks(link, blocks, now):
                self._take_stranger(link, flow, now, blocks)
            return
        link.counts.packet_came(len(data), path == P2P)
        if late:
            newest = flow.arrived_late(seq, now)
        else:
            newest = flow.arrived(seq, echo, hold, now)
        if number > peer.episode:
            peer.entered(number)
        if number != running:
            if number <= running + 1:
                self._take_of_another_episode(link, number, now)
        elif self._episode.open:
            if receipts:
                self._take_receipts(link, receipts, now)
            else:
                # All seats are its own: it holds at least what we hold of it.
                peer.said_known(min(frames.held))
            if (inputs or (runs and runs[0].seat in peer.seats)) and not peer.hears_ready:
                peer.plays()
            if inputs:
                self._inputs.take_run(link, seat, first, inputs, now, path)
            if runs:
                for run in runs:
                    if run.seat in peer.seats:
                        self._inputs.take_run(link, run.seat, run.first, run.inputs, now, path)
                    else:
                        self._drops.take(run.seat, run.first, run.inputs, now)
            if newest and seat >= 0:
                since = (now - self._stepped_at) / self._period
                place = timeline.current - 1 + (since if 0.0 < since < 1.0 else 1.0 if since > 0.0 else 0.0)
                own = place - timeline.newest[seat] + timeline.seats[seat].delay
                if own < FURTHEST:
                    link.sees(own)
                    theirs = advantage / UNITS
                    if -FURTHEST < theirs < FURTHEST:
                        self._timesync.observe(seat, own, theirs, now)
        if blocks or (newest and peer.status):
            self._take_blocks(link, blocks, Arrival(number, running, newest, path == SOCKETIO, now))
        if self._over.over and not peer.over and self._over.answer(link, now):
            link.ask_flush()

    def _take_meanwhile(
        self,
        link: Link,
        incarnation: int,
        number: int,
        blocks: list[tuple[int, bytes]],
        size: int,
        now: float,
        path: str,
    ) -> None:
        """We return: of a packet counts only who is there, ready, gone or over, until we have what was played."""
        marks = [payload for kind, payload in blocks if kind == STATUS]
        for payload in marks:
            self._status.check(payload)
        blocks = [block for block in blocks if block[0] in MEANWHILE]
        if self._reopens:
            # That the load before was dropped is no news: this one comes back.
            blocks = [block for block in blocks if block[0] != OVER or block[1][1:] not in LOST]
        self._check(blocks, number)
        peer = link.peer
        returns = self._welcomes.knocks(link, blocks, now)
        if not peer.is_same(incarnation):
            self._journal.ignore()
            return
        link.counts.packet_came(size, path == P2P)
        (link.paths.wire if path == P2P else link.paths.socket).hear(now)
        if number > peer.episode:
            peer.entered(number)
        # Who returns as well, and has our account, asks us no more, and says in every packet what it does.
        peer.said_status(RETURNING if returns or any(mark[0] & RETURNING for mark in marks) else 0)
        self._take_blocks(link, blocks, Arrival(number, self._episode.number, False, path == SOCKETIO, now))

    def _take_stranger(self, link: Link, flow: Flow, now: float, blocks: Sequence[tuple[int, bytes]] = ()) -> None:
        """A packet of another load of the peer's page: nothing in it counts but who it is, that it is there, and
        whether it is over."""
        self._journal.ignore()
        if 0 < link.peer.load >= load_of(blocks):
            # Of a load before the one that returned: it will be told by the server, or finds nobody who hears it.
            return
        flow.hear(now)
        if link.peer.returned:
            self._membership.returned(link)
        if self._over.over and not any(kind == OVER for kind, _ in blocks) and self._over.answer(link, now):
            # It cannot know, whatever the load before it was told.
            link.ask_flush()

    def _check(self, blocks: list[tuple[int, bytes]], number: int) -> None:
        """Look at every block before any of them moves anything. Raises DecodeError."""
        for kind, payload in blocks:
            topic = self._topics.get(kind)
            if topic is not None and (topic.of_session or number == self._episode.number):
                topic.check(payload)

    def _check_runs(self, link: Link, runs: Sequence[Run]) -> None:
        """Inputs come from whoever owns their seat, or from a survivor if that is gone. Raises DecodeError."""
        for run in runs:
            if run.seat not in link.peer.seats and not self._drops.is_gone(run.seat):
                raise DecodeError(f"inputs of seat {run.seat}, which the sender does not own")

    def _take_of_another_episode(self, link: Link, number: int, now: float) -> None:
        if number < self._episode.number:
            # An earlier episode moves nothing; the next packet, which carries our number, answers it.
            link.ask_flush()
        elif self._episode.open:
            # The receipt for all of this episode; the frames of the others are confirmed by it too.
            for outbox in link.own:
                outbox.acknowledge(outbox.dispatched, now)
            ours = [outbox.dispatched for outbox in link.own]
            # Never beyond what we gave: nobody can hold everybody's inputs of a frame that lacks ours.
            link.peer.said_known(max(ours) if ours else max(self._timeline.frames.held))

    def _take_receipts(self, link: Link, receipts: Sequence[int], now: float) -> None:
        known = receipts[0]
        own = link.own
        if len(receipts) == 1:
            if own and known > own[0].acked:
                own[0].acknowledge(known, now)
        else:
            for seat, held in zip(link.receipts, receipts):  # noqa: B905 - the decoder counted
                if held < known:
                    known = held
                for outbox in own:
                    if outbox.seat == seat:
                        outbox.acknowledge(held, now)
        peer = link.peer
        if known > peer.known and known <= (own[0].dispatched if own else self._timeline.frames.opened):
            peer.said_known(known)

    def _take_blocks(self, link: Link, blocks: list[tuple[int, bytes]], arrival: Arrival) -> None:
        hidden = False
        for kind, payload in blocks:
            topic = self._topics.get(kind)
            if topic is None:
                continue
            hidden = hidden or topic is self._status
            if topic.of_session or arrival.episode == arrival.running:
                topic.take(link, payload, arrival)
                if kind == READY:
                    self._membership.said_ready(link, payload)
        if arrival.newest and not hidden and link.peer.status and arrival.episode == arrival.running:
            self._status.absent(link)
        self._packets.note_changes(link, arrival.now)

    def answer_over(self, seat: int, now: float) -> None:
        """Who still sends inputs through the server does not know that we are over."""
        link = self._roster.of_seat.get(seat)
        if link is not None and self._over.over and not link.peer.over and self._over.answer(link, now):
            link.ask_flush()
