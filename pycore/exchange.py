"""The packets of a session: writes what is due on every link's path, and takes in what comes.

What rides is state, not messages: a packet says what its sender holds, wants and knows now, and says it again
until the receiver is known to have it. So a lost packet is never missed, and a packet that comes twice moves
nothing. Inputs go peer-to-peer in the datagram while the link is healthy, and as S3 messages otherwise; what
else there is to say then travels as the same datagram without inputs, through the server's signalling event.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

from pycore import datagram, ready
from pycore.codec import ActionCodec
from pycore.desync import HashExchange
from pycore.errors import ActionError, DecodeError
from pycore.events import Desync, Event, Log, PathChanged, PeerStatus
from pycore.flow import Flow
from pycore.link import CONGESTED_BYTES, REFUSALS, Link
from pycore.metrics import LateInputLog
from pycore.timeline import CONTRADICTION, MISPREDICTED, OUT_OF_REACH, TAKEN, Timeline
from pycore.timesync import UNITS, TimeSync
from pycore.types import EMIT, P2P, SEND, SOCKETIO, Output, Settings

PROBE_SEQ: Final = 0xFFFFFFFF
"""What stands for the seq of a probe, which has none."""
QUIET_TICKS: Final = 3
"""While nothing new is dispatched, every third tick carries a packet."""
CONTROL_INTERVAL: Final = 0.1
"""Shortest time between two datagrams through the server that only bring receipts."""
CONTROL_IDLE: Final = 0.5
READY_REPEAT: Final = 1.0
OVER_ASKS: Final = 10.0
"""How long a session that is over asks the others whether they know."""
LATENCY_PROBE: Final = 2.0
STATUS_HIDDEN: Final = 1
HEADROOM: Final = 160
"""Bytes of a datagram that are kept free of inputs, for header, receipts and blocks."""


class Exchange:
    """All links of a session and what has to be said on them."""

    __slots__ = (
        "_answers",
        "_budget",
        "_compared",
        "_latency_probe_at",
        "_logged_at",
        "_new_packets",
        "_others",
        "_out",
        "_period",
        "_room",
        "_said",
        "_started",
        "_wall0",
        "agreed",
        "ask_until",
        "codec",
        "contradictions",
        "dispatched",
        "episode",
        "foreign",
        "game_id",
        "hash_mismatches",
        "hashes",
        "hidden",
        "initial",
        "late_inputs",
        "link_of",
        "links",
        "malformed",
        "me",
        "news",
        "open_for_inputs",
        "over",
        "path_changes",
        "players",
        "settings",
        "socket_up",
        "stepped_at",
        "stop_frame",
        "tag",
        "timeline",
        "timesync",
    )

    def __init__(
        self,
        *,
        settings: Settings,
        timeline: Timeline,
        codec: ActionCodec,
        game_id: str,
        players: Sequence[int | str],
        me: int,
        tag: int,
        now: float,
        wall_ms: float,
    ) -> None:
        self.settings = settings
        self.timeline = timeline
        self.codec = codec
        self.game_id = game_id
        self.players = list(players)
        self.me = me
        self.tag = tag
        self.links = [Link(seat, now) for seat in range(len(players)) if seat != me]
        self.link_of = {link.seat: link for link in self.links}
        self.hashes = {link.seat: HashExchange() for link in self.links}
        self.timesync = TimeSync()
        self.stepped_at = now
        """When the current frame became the current one."""
        self.late_inputs = LateInputLog()
        self.news: list[Event] = []
        self.episode = 0
        self.open_for_inputs = False
        """Whether the frames of `episode` are set up, so that inputs can be taken in."""
        self.dispatched = -1
        """Last frame for which our own input is fixed."""
        self.initial: bytes | None = None
        """Hash of our initial state once we are ready for the episode."""
        self.agreed: dict[str, Any] = {}
        self.stop_frame: int | None = None
        self.over = False
        """Whether our session is over, which the others are told until they say the same."""
        self.ask_until = now
        self.hidden = False
        self.socket_up = False
        self.malformed = 0
        self.foreign = 0
        self.contradictions = 0
        self.hash_mismatches = 0
        self.path_changes: list[PathChanged] = []
        self._wall0 = wall_ms - now * 1000.0
        self._started = now
        self._out: list[Output] = []
        self._others = tuple(link.seat for link in self.links)
        self._answers: list[tuple[Link, int, float, str]] = []
        self._new_packets: dict[int, tuple[int, int, int]] = {}
        self._compared = dict.fromkeys(self.link_of, 0)
        self._said: dict[int, int] = {}
        self._latency_probe_at = now
        self._logged_at = -1e9
        self._budget = settings.datagram_bytes - HEADROOM
        self._room = settings.datagram_bytes - datagram.HEADER_BYTES - 5 * len(self.links)
        self._period = settings.period

    # -- the course of an episode ---------------------------------------------------------------------------

    def begin(self, initial: bytes) -> None:
        """Our frames are set up and our initial state is hashed: we are ready."""
        delay = self.settings.input_delay
        for link in self.links:
            link.begin(delay, self.timeline.frames.size)
        self.dispatched = delay - 1
        self.initial = initial
        self.open_for_inputs = True

    def leave(self) -> None:
        """The episode is final: whatever says the next episode's number is the receipt for all of it."""
        self.episode += 1
        self.open_for_inputs = False
        self.initial = None
        self.dispatched = self.settings.input_delay - 1
        for link in self.links:
            self._compared[link.seat] += self.hashes[link.seat].compared
            self.hashes[link.seat] = HashExchange()
            link.begin(self.settings.input_delay, self.timeline.frames.size)
            link.peer_ready = {e: payload for e, payload in link.peer_ready.items() if e >= self.episode}

    def end(self, now: float) -> None:
        """Our session is over."""
        self.over = True
        self.ask_until = now + OVER_ASKS

    def stop_at(self, frame: int) -> None:
        """End the episode with this frame at the latest, and say so before any further input goes out: whoever had
        our inputs but not the word could step beyond."""
        if self.stop_frame is None or frame < self.stop_frame:
            self.stop_frame = frame
            for link in self.links:
                link.socket_control_at = -1e9

    def wall_ms(self, now: float) -> float:
        """Milliseconds since the epoch, from the one wall time that came in at the start."""
        return self._wall0 + now * 1000.0

    # -- sending --------------------------------------------------------------------------------------------

    def send_input_to_other_players(self, action: bytes, target: int, channels: Sequence[int], now: float) -> None:
        """Fix our input of frame `target` and dispatch it: peer-to-peer where healthy, else by socket.io (S1, S2)."""
        self.timeline.take(self.me, target, action, now, self.episode)
        self.dispatched = target
        mask = self.timeline.frames.mask
        for link, channel in zip(self.links, channels):  # noqa: B905 - as many, the session looked
            link.dispatch_slot(target, mask)
            self.dispatch(link, channel, now)

    def dispatch(self, link: Link, channel: int, now: float) -> None:
        """First dispatch on one link of what was not dispatched on it yet."""
        link.tried_at = now
        if link.healthy:
            first = link.dispatched + 1
            if link.record_and_send(self.dispatched, channel):
                self._new_packets[link.seat] = (-1, first, self.dispatched)
                return
            self._refused(link, "buffer full", now)
        elif link.closed_at == now:
            self._refused(link, "channel not open", now)
        self._send_via_socketio(link, now)

    def _refused(self, link: Link, why: str, now: float) -> None:
        self.news.append(
            Log(
                level="warning",
                text=f"[P2P] Send failed ({why}): input of frame {self.dispatched} to player "
                f"{self.players[link.seat]} goes by socket.io",
            )
        )
        if link.refusals >= REFUSALS and self.socket_up:
            link.fall_back("congested", now, self.timeline.current)

    def _send_via_socketio(self, link: Link, now: float) -> None:
        """Dispatch by the server what was not dispatched on this link yet, if the server can be reached."""
        if not self.socket_up:
            return
        self._announce(link, now)
        for frame in range(link.dispatched + 1, self.dispatched + 1):
            self._emit_action(frame, now)
            link.sent_by_socket(frame, self.timeline.frames.mask, now)
            link.counts.sent_via_socketio += 1
        link.dispatched = self.dispatched
        self._new_packets.pop(link.seat, None)

    def _announce(self, link: Link, now: float) -> None:
        """An input by socket.io counts only behind our ready on the same socket; say it first."""
        if link.socket_ready_to != self.episode and self.initial is not None:
            self._write_control(link, now)

    def _emit_action(self, frame: int, now: float) -> None:
        if frame in self._said:
            return
        self._said[frame] = frame
        timeline = self.timeline
        data = {
            "game_id": self.game_id,
            "player_id": self.players[self.me],
            "action": timeline.frames.actions[frame & timeline.frames.mask][self.me],
            "frame_number": frame,
            "timestamp": round(self.wall_ms(now)),
            "sync_epoch": self.episode,
        }
        self._out.append((EMIT, -1, 0, ("pyodide_player_action", data)))

    def send_failed(self, seat: int, seq: int, now: float) -> None:
        """Sending packet `seq` raised: its new inputs go out by the other path at once (S2).

        What else a packet carries is said again by the next one.
        """
        link = self.link_of[seat]
        packet = self._new_packets.pop(seat, None)
        if packet is None or packet[0] != seq:
            return
        link.send_raised()
        link.take_back(packet[1], packet[2], self.timeline.frames.mask)
        self._refused(link, "the channel raised", now)
        self._send_via_socketio(link, now)
        self._note_changes(link, now)

    def outputs(self) -> list[Output]:
        """What has to be sent; handed over once."""
        out = self._out
        self._out = []
        if self._said:
            self._said = {}
        return out

    def write(self, channels: Sequence[int], now: float, tick: int, playing: bool, over: bool) -> None:
        """Write what is due on every link. `playing`: new inputs are dispatched every tick; `over`: whoever knows
        that we are done is only answered."""
        if self._answers:
            for link, number, came, path in self._answers:
                self._answer_probe(link, number, came, path, now)
            self._answers.clear()
        measure = now - self._latency_probe_at >= LATENCY_PROBE
        if measure:
            self._latency_probe_at = now
        on_time = playing or tick % QUIET_TICKS == 0
        for link, channel in zip(self.links, channels):  # noqa: B905 - as many, the session looked
            if link.dispatched < self.dispatched and self.open_for_inputs and link.tried_at != now:
                self.dispatch(link, channel, now)
            if link.changes:
                self._note_changes(link, now)
            if over and (link.peer_over or now > self.ask_until) and not link.flush:
                continue
            if link.healthy:
                if (on_time or link.flush or self._fresh(link)) and channel <= CONGESTED_BYTES:
                    self._write_datagram(link, now)
                if measure and link.check_latency(now, self.timeline.current) and self.socket_up:
                    number = link.socket_probe(now)
                    self._signal(link, datagram.encode_probe(datagram.PROBE, self.tag, number))
                continue
            link.buffered = channel
            probe = link.probe_due(now)
            if probe is not None:
                self._out.append((SEND, link.seat, PROBE_SEQ, datagram.encode_probe(datagram.PROBE, self.tag, probe)))
            if self.socket_up:
                self._write_by_socket(link, now)

    def _fresh(self, link: Link) -> bool:
        """Whether an input was dispatched peer-to-peer that no packet carries yet."""
        new = self._new_packets.get(link.seat)
        return new is not None and new[0] == -1

    def _write_datagram(self, link: Link, now: float) -> None:
        timeline = self.timeline
        me = self.me
        blocks = self._blocks(link, False, now) if self._has_blocks(link) else b""
        runs = link.select(now, timeline.frames, me, self._period, self._budget) if self.open_for_inputs else ()
        frames = timeline.frames
        encoded = frames.encoded
        mask = frames.mask
        flags = 0
        if runs:
            first, last = runs[0]
            body = b"".join([encoded[frame & mask][me] for frame in range(first, last + 1)])
            count = last - first + 1
            flags |= count
            if len(runs) > 1:
                low, high = runs[1]
                inputs = [encoded[frame & mask][me] for frame in range(low, high + 1)]
                body += datagram.encode_run(low, inputs)
                count += len(inputs)
                flags |= datagram.SPLIT
            if blocks and len(body) + len(blocks) > self._room:
                # A ready beside large inputs; it rides alone.
                self._put_datagram(link, link.dispatched + 1, datagram.BLOCKS, blocks, now)
                blocks = b""
            new = self._new_packets.get(link.seat)
            if new is not None and new[0] == -1:
                self._new_packets[link.seat] = (link.wire.seq, new[1], new[2])
                if len(runs) == 1 and runs[0][0] <= new[1]:
                    count -= new[2] - new[1] + 1
                else:
                    count -= sum(max(0, high - max(low, new[1]) + 1) for low, high in runs)
            link.counts.resent_via_p2p += count
        else:
            first = link.dispatched + 1
            body = b""
        if blocks:
            flags |= datagram.BLOCKS
            body += blocks
        link.flush = False
        self._put_datagram(link, first, flags, body, now)

    def _put_datagram(self, link: Link, first: int, flags: int, body: bytes, now: float) -> None:
        seq, echo, hold = link.wire.stamp(now)
        data = datagram.encode(
            self.tag, self.episode, seq, echo, hold, first, flags, link.advantage, self._receipts(), body
        )
        self._out.append((SEND, link.seat, seq, data))

    def _receipts(self) -> list[int]:
        if not self.open_for_inputs:
            return [-1] * len(self.links)
        held = self.timeline.frames.held
        return [held[seat] for seat in self._others]

    def _has_blocks(self, link: Link) -> bool:
        return (
            not link.peer_hears_ready
            or self.hashes[link.seat].riding
            or self.hidden
            or self.over
            or self.stop_frame is not None
            or self.timeline.end is not None
        )

    def _blocks(self, link: Link, by_socket: bool, now: float) -> bytes:
        blocks = b""
        if self.initial is not None and (by_socket or not link.peer_hears_ready):
            payload = ready.encode(self.episode in link.peer_ready, self.initial, self.agreed)
            blocks += datagram.encode_block(datagram.BLOCK_READY, payload)
        hashes = self.hashes[link.seat]
        if hashes.riding and now >= hashes.again_at:
            rtt = (link.socket if by_socket else link.wire).rtt or 0.0
            hashes.again_at = now + rtt + 2 * self._period
            for entry in hashes.entries():
                blocks += datagram.encode_block(datagram.BLOCK_HASH, entry)
        if link.fallback == "silence":
            blocks += datagram.encode_block(datagram.BLOCK_DEAF, bytes((link.silences & 0xFF,)))
        if self.hidden:
            blocks += datagram.encode_block(datagram.BLOCK_STATUS, bytes((STATUS_HIDDEN,)))
        if self.over:
            blocks += datagram.encode_block(datagram.BLOCK_OVER, b"\1" if link.peer_over else b"\0")
        if self.stop_frame is not None:
            blocks += datagram.encode_block(datagram.BLOCK_STOP, self.stop_frame.to_bytes(4, "big"))
        end = self.timeline.end
        if end is not None and self.open_for_inputs:
            payload = end.to_bytes(4, "big") + self.dispatched.to_bytes(4, "big", signed=True)
            blocks += datagram.encode_block(datagram.BLOCK_END, payload)
        return blocks

    def _write_by_socket(self, link: Link, now: float) -> None:
        due = now - link.socket_control_at
        if due >= CONTROL_IDLE or (due >= CONTROL_INTERVAL and self.open_for_inputs) or link.flush:
            self._write_control(link, now)
        if not self.open_for_inputs:
            link.flush = False
            return
        for frame in link.overdue_by_socket(now, self.timeline.frames.mask):
            self._emit_action(frame, now)
            link.sent_by_socket(frame, self.timeline.frames.mask, now)
            link.counts.resent_via_socketio += 1
        link.flush = False

    def _write_control(self, link: Link, now: float) -> None:
        """Everything but inputs, as a datagram through the server."""
        with_ready = link.socket_ready_to != self.episode or now - link.socket_ready_at >= READY_REPEAT
        blocks = self._blocks(link, with_ready, now)
        if with_ready and self.initial is not None:
            link.socket_ready_to = self.episode
            link.socket_ready_at = now
        flags = datagram.BLOCKS if blocks else 0
        seq, echo, hold = link.socket.stamp(now)
        data = datagram.encode(
            self.tag,
            self.episode,
            seq,
            echo,
            hold,
            link.dispatched + 1,
            flags,
            link.advantage,
            self._receipts(),
            blocks,
        )
        link.socket_control_at = now
        self._signal(link, data)

    def _signal(self, link: Link, data: bytes) -> None:
        payload = {
            "game_id": self.game_id,
            "target_player_id": self.players[link.seat],
            "type": "pycore",
            "payload": base64.b64encode(data).decode("ascii"),
        }
        self._out.append((EMIT, link.seat, 0, ("webrtc_signal", payload)))

    def _answer_probe(self, link: Link, number: int, came: float, path: str, now: float) -> None:
        hold = int((now - came) * 1000)
        data = datagram.encode_probe(datagram.PROBE_ANSWER, self.tag, number, hold)
        if path == P2P:
            if link.connected:
                self._out.append((SEND, link.seat, PROBE_SEQ, data))
        elif self.socket_up:
            self._signal(link, data)

    def _note_changes(self, link: Link, now: float) -> None:
        for from_path, to_path, cause in link.changes:
            change = PathChanged(
                seat=link.seat,
                episode=self.episode,
                frame=self.timeline.current,
                from_path=from_path,
                to_path=to_path,
                cause=cause,
                time_ms=self.wall_ms(now),
            )
            self.path_changes.append(change)
            self.news.append(change)
        link.changes.clear()

    # -- taking in ------------------------------------------------------------------------------------------

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

    def refuse(self, link: Link, why: str, now: float) -> None:
        """Count what a peer should not have sent, and log it once a second at most."""
        self.malformed += 1
        if now - self._logged_at >= 1.0:
            self._logged_at = now
            self.news.append(Log(level="warning", text=f"refused from player {self.players[link.seat]}: {why}"))

    def _take_datagram(self, link: Link, flow: Flow, data: bytes, now: float, path: str) -> None:
        timeline = self.timeline
        packet = datagram.decode(
            data, self.codec, len(self.players) - 1, timeline.current, self.episode, flow.newest + 1
        )
        blocks = packet.blocks
        if blocks:
            _check_blocks(blocks)
        if packet.episode > self.episode + 1:
            raise DecodeError(f"a packet of episode {packet.episode} while episode {self.episode} runs")
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

    @property
    def fallback_frame(self) -> int | None:
        """Frame at which the first fallback of the session came into force, whichever link's."""
        first = min((link.first_fallback for link in self.links if link.first_fallback), default=None)
        return None if first is None else first[1]

    def hashes_compared(self, seat: int) -> int:
        """States compared with a player over the session."""
        return self._compared[seat] + self.hashes[seat].compared

    def report_mismatch(self, seat: int, frame: int, own: bytes, theirs: bytes) -> None:
        """Two peers' hashes of a confirmed state differ."""
        self.hash_mismatches += 1
        self.news.append(Desync(seat=seat, episode=self.episode, frame=frame, own=own.hex(), theirs=theirs.hex()))

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
