"""The packets that come in: each is looked at whole before anything moves, and garbage moves nothing."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from pycore.duties import P2P, SOCKETIO
from pycore.errors import ActionError, DecodeError
from pycore.events import Log, PeerStatus
from pycore.link.flow import Flow
from pycore.link.link import Link
from pycore.rollback.timeline import CONTRADICTION, MISPREDICTED, OUT_OF_REACH, TAKEN
from pycore.session import ready
from pycore.session.links import STATUS_HIDDEN, Links
from pycore.session.timesync import UNITS
from pycore.wire import datagram


class Incoming(Links):
    """Takes in what the peers send, by both paths."""

    __slots__ = ()

    def receive(self, seat: int, data: bytes, now: float, path: str) -> None:
        """Take in a packet that came at `now`. Garbage moves nothing; it is counted and logged."""
        if datagram.tag_of(data) != self.tag:
            self.foreign += 1
            return
        link = self.link_of[seat]
        try:
            if data[0] == datagram.KIND:
                self._take_datagram(link, link.wire if path == P2P else link.socket, data, now, path)
                return
            number, hold = datagram.decode_probe(data)
        except DecodeError as error:
            self.refuse(link, str(error), now)
            return
        (link.wire if path == P2P else link.socket).heard_at = now
        if data[0] == datagram.PROBE:
            self._answers.append((link, number, now, path))
        elif path == P2P:
            link.probe_answered(number, hold, now)
            self._note_changes(link, now)
        else:
            link.socket_probe_answered(number, hold, now)

    def _take_datagram(self, link: Link, flow: Flow, data: bytes, now: float, path: str) -> None:
        timeline = self.timeline
        packet = datagram.decode(
            data,
            self.codec,
            len(self.players) - 1,
            timeline.current,
            self.episode,
            flow.newest + 1,
            timeline.frames.held[link.seat],
        )
        blocks = packet.blocks
        if blocks:
            _check_blocks(blocks)
        if packet.episode > self.episode + 1:
            raise DecodeError(f"a packet of episode {packet.episode} while episode {self.episode} runs")
        if blocks and packet.episode == self.episode and self.open_for_inputs:
            self._refuse_stop_in_the_past(blocks)
        newest = flow.arrived(packet.seq, packet.echo, packet.hold, now)
        if newest and blocks:
            for kind, payload in blocks:
                if kind == datagram.BLOCK_DEAF:
                    link.peer_is_deaf(payload[0], now, timeline.current)
                    self._note_changes(link, now)
        if packet.episode > link.peer_episode:
            link.peer_episode = packet.episode
        if packet.episode != self.episode:
            if packet.episode > self.episode:
                if self.open_for_inputs:
                    # The receipt for all of this episode; the frames of the others are confirmed by it too.
                    link.acknowledge(link.dispatched)
                    link.reported = self.dispatched
                for kind, payload in blocks:
                    if kind == datagram.BLOCK_READY:
                        link.peer_ready[packet.episode] = payload
                        if path == SOCKETIO:
                            link.socket_ready_from = packet.episode
            else:
                # An earlier episode moves nothing; the next packet, which carries our number, answers it.
                link.flush = True
            return
        if self.open_for_inputs:
            receipts = packet.receipts
            ack = receipts[self.me if self.me < link.seat else self.me - 1]
            if ack > link.acked:
                link.acknowledge(ack)
            known = ack if len(receipts) == 1 else min(receipts)
            if link.reported < known <= self.dispatched:
                link.reported = known
            inputs = packet.inputs
            if inputs:
                # Whoever plays has everybody's ready.
                link.peer_hears_ready = True
                self._take_inputs(link, packet.first, inputs, now, path)
                if packet.second_inputs:
                    self._take_inputs(link, packet.second, packet.second_inputs, now, path)
            if newest:
                since = (now - self.stepped_at) / self._period
                place = timeline.current - 1 + (since if 0.0 < since < 1.0 else 1.0 if since > 0.0 else 0.0)
                advantage = place - link.peer_dispatched + self.settings.input_delay
                link.advantage = round(advantage * UNITS)
                self.timesync.observe(advantage, packet.advantage / UNITS)
        if newest and (blocks or link.peer_status):
            self._set_status(link, next((p[0] for k, p in blocks if k == datagram.BLOCK_STATUS), 0))
        for kind, payload in blocks:
            self._take_block(link, kind, payload, path)

    def _refuse_stop_in_the_past(self, blocks: list[tuple[int, bytes]]) -> None:
        """Who stops says so with its next input and names a frame beyond it: what all hold is never cut off.

        A stop that is known is said again and again, also behind its frame. Raises DecodeError.
        """
        for kind, payload in blocks:
            if kind == datagram.BLOCK_STOP:
                frame = int.from_bytes(payload, "big")
                held = min(min(self.timeline.frames.held), *[link.reported for link in self.links])
                if frame < held and (self.stop_frame is None or frame < self.stop_frame):
                    raise DecodeError(f"a stop at frame {frame}, while all hold frame {held}")

    def _take_inputs(self, link: Link, first: int, inputs: list[bytes], now: float, path: str) -> None:
        held = self.timeline.frames.held[link.seat]
        last = first + len(inputs) - 1
        if last > link.peer_dispatched:
            link.peer_dispatched = last
        if last <= held:
            return
        for frame in range(max(first, held + 1), last + 1):
            self.take_input(link, frame, inputs[frame - first], now, path)

    def take_input(self, link: Link, frame: int, encoded: bytes, now: float, path: str) -> bool:
        """Store a remote input (S4); true if it was accepted, false for a duplicate or one out of reach."""
        timeline = self.timeline
        verdict = timeline.take(link.seat, frame, encoded, now, self.episode)
        if verdict in (TAKEN, MISPREDICTED):
            if path == P2P:
                link.counts.received_via_p2p += 1
            else:
                link.counts.received_via_socketio += 1
            if verdict == MISPREDICTED:
                depth = timeline.current - frame
                late = self.late_inputs
                if late.is_due(now, depth):
                    self._log_late_input(link.seat, frame, encoded, depth)
            return True
        if verdict == CONTRADICTION:
            self.contradictions += 1
            self.refuse(link, f"a second, different input for frame {frame}; the first one stands", now)
        elif verdict == OUT_OF_REACH:
            self.refuse(link, f"an input for frame {frame} while frame {timeline.current} is current", now)
        return False

    def _log_late_input(self, seat: int, frame: int, encoded: bytes, depth: int) -> None:
        summary = self.late_inputs.summary()
        if summary is not None:
            self.news.append(Log(level="info", text=summary))
        predicted = self.codec.decode(self.timeline.events.last_predicted)
        text = (
            f"[GGPO] Late input triggering rollback: player {self.players[seat]}, frame {frame}, "
            f"predicted {predicted!r}, actual {self.codec.decode(encoded)!r}, depth {depth}"
        )
        self.news.append(Log(level="info", text=text))

    def _take_block(self, link: Link, kind: int, payload: bytes, path: str) -> None:
        if kind == datagram.BLOCK_HASH:
            difference = self.hashes[link.seat].heard(payload)
            if difference is not None:
                self.report_mismatch(link.seat, *difference)
        elif kind == datagram.BLOCK_READY:
            if ready.heard(payload):
                link.peer_hears_ready = True
            link.peer_ready[self.episode] = payload
            if path == SOCKETIO:
                link.socket_ready_from = self.episode
        elif kind == datagram.BLOCK_OVER:
            link.peer_over = True
            if payload == b"\0":
                link.flush = True
        elif kind == datagram.BLOCK_STOP:
            self.stop_at(int.from_bytes(payload, "big"))
        elif kind == datagram.BLOCK_END:
            dispatched = int.from_bytes(payload[4:], "big", signed=True)
            # An older packet may come after a newer one; what a peer dispatched only grows.
            if link.peer_end is None or dispatched >= link.peer_end[1]:
                link.peer_end = int.from_bytes(payload[:4], "big"), dispatched

    def _set_status(self, link: Link, status: int) -> None:
        if status != link.peer_status:
            link.peer_status = status
            self.news.append(PeerStatus(seat=link.seat, status="hidden" if status & STATUS_HIDDEN else "present"))

    def receive_signal(self, seat: int, payload: Any, now: float) -> None:
        """Take in a `webrtc_signal` of type `pycore`: a datagram that came through the server."""
        link = self.link_of[seat]
        try:
            data = base64.b64decode(payload, validate=True) if isinstance(payload, str) else None
        except (binascii.Error, ValueError):
            data = None
        if data is None:
            self.refuse(link, "a signal that is no base64 text", now)
            return
        self.receive(seat, data, now, SOCKETIO)

    def receive_action(self, seat: int, action: Any, frame: Any, epoch: Any, now: float) -> bool:
        """Take in an S3 message that the server passed on. `epoch` is None where the server leaves it out.

        Then the sender's ready of this episode must have come by the same socket before it.
        """
        link = self.link_of[seat]
        link.socket.heard_at = now
        if not self.open_for_inputs or (epoch is None and link.socket_ready_from != self.episode):
            return False
        if epoch is not None and epoch != self.episode:
            return False
        try:
            encoded = self.codec.encode(action)
        except ActionError as error:
            self.refuse(link, str(error), now)
            return False
        if type(frame) is not int:
            self.refuse(link, f"frame {frame!r} is no int", now)
            return False
        link.peer_hears_ready = True
        if link.peer_dispatched < frame <= self.timeline.frames.opened:
            link.peer_dispatched = frame
        return self.take_input(link, frame, encoded, now, SOCKETIO)


_BLOCK_SIZES: Final = {
    datagram.BLOCK_HASH: 12,
    datagram.BLOCK_STATUS: 1,
    datagram.BLOCK_OVER: 1,
    datagram.BLOCK_STOP: 4,
    datagram.BLOCK_END: 8,
    datagram.BLOCK_DEAF: 1,
}


def _check_blocks(blocks: list[tuple[int, bytes]]) -> None:
    """Look at every block before any of them moves anything. Raises DecodeError."""
    for kind, payload in blocks:
        size = _BLOCK_SIZES.get(kind)
        if size is not None and len(payload) != size:
            raise DecodeError(f"block {kind} has {size} bytes, this one {len(payload)}")
        if kind == datagram.BLOCK_READY:
            ready.heard(payload)
