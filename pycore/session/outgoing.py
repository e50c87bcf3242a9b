"""The packets that a session sends: first dispatch, what rides in a datagram, what goes through the server."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

from pycore.duties import EMIT, P2P, SEND, Output
from pycore.events import Log
from pycore.link.link import CONGESTED_BYTES, REFUSALS, Link
from pycore.session import ready
from pycore.session.links import STATUS_HIDDEN, Links
from pycore.wire import datagram

PROBE_SEQ: Final = 0xFFFFFFFF
"""What stands for the seq of a probe, which has none."""
QUIET_TICKS: Final = 3
"""While nothing new is dispatched, every third tick carries a packet."""
CONTROL_INTERVAL: Final = 0.1
"""Shortest time between two datagrams through the server that only bring receipts."""
CONTROL_IDLE: Final = 0.5
READY_REPEAT: Final = 1.0
LATENCY_PROBE: Final = 2.0


class Outgoing(Links):
    """Writes what is due on every link's path."""

    __slots__ = ()

    def send_input_to_other_players(self, action: bytes, target: int, channels: Sequence[int], now: float) -> None:
        """Fix our input of frame `target` and dispatch it: peer-to-peer where healthy, else by socket.io (S1, S2)."""
        self.timeline.take(self.me, target, action, now, self.episode)
        self.dispatched = target
        mask = self.timeline.frames.mask
        self._own[target & mask] = action
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
        blocks = self._blocks(link, False, now) if self._has_blocks(link) else b""
        frames = self.timeline.frames
        runs = link.select(now, frames, self.me, self._period, self._budget) if self.open_for_inputs else ()
        flags = 0
        if runs:
            first, last = runs[0]
            body = b"".join(self._own_inputs(first, last, frames.mask))
            count = last - first + 1
            flags |= count
            if len(runs) > 1:
                low, high = runs[1]
                inputs = self._own_inputs(low, high, frames.mask)
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

    def _own_inputs(self, first: int, last: int, mask: int) -> list[bytes]:
        low, high = first & mask, last & mask
        return self._own[low : high + 1] if low <= high else self._own[low:] + self._own[: high + 1]

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
        if not self.open_for_inputs or link.peer_over:
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
