"""What the caller has to send: packets over channels, events over socket.io."""

from __future__ import annotations

import base64
from typing import Any

from pycore.duties import EMIT, SEND, SEND_CHUNK, Output
from pycore.link.link import Link
from pycore.session.identity import Identity


class Outputs:
    """Collects outputs until they are handed over."""

    __slots__ = ("_identity", "_out", "_said", "inputs", "socket_since", "socket_up")

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._out: list[Output] = []
        self._said: dict[tuple[int, int], None] = {}
        self.inputs = 0
        """How many inputs were given to the server."""
        self.socket_up = False
        """Whether the server can be reached; while it cannot, nothing is emitted."""
        self.socket_since = float("-inf")
        """Since when that is so."""

    def set_socket(self, up: bool, now: float) -> None:
        """Whether the server can be reached now."""
        self.socket_up = up
        self.socket_since = now

    def send(self, link: Link, seq: int, data: bytes) -> None:
        """Send a packet over the link's channel."""
        link.counts.packet_by_p2p(len(data))
        self._out.append((SEND, link.peer.number, seq, data))

    def chunk(self, link: Link, data: bytes) -> None:
        """Send a piece of the link's stream over its second channel."""
        link.counts.packet_by_p2p(len(data))
        self._out.append((SEND_CHUNK, link.peer.number, 0, data))

    def signal(self, link: Link, data: bytes) -> None:
        """Send a packet through the server. A peer without a seat has no address there."""
        if link.seat < 0:
            return
        link.counts.packet_by_socketio(len(data))
        payload = {
            "game_id": self._identity.game_id,
            "target_player_id": self._identity.players[link.seat],
            "type": "pycore",
            "payload": base64.b64encode(data).decode("ascii"),
        }
        self._out.append((EMIT, link.peer.number, 0, ("webrtc_signal", payload)))

    def silent(self, seat: int) -> None:
        """Tell the server that whoever plays a seat is not heard of any more, on any path."""
        data = {"game_id": self._identity.game_id, "player_id": self._identity.players[seat]}
        self._out.append((EMIT, -1, 0, ("player_silent", data)))

    def act(self, seat: int, frame: int, action: Any, episode: int, wall_ms: float) -> None:
        """Emit the input of a frame; the server passes it on to everybody, so once is enough."""
        if (seat, frame) in self._said:
            return
        self._said[seat, frame] = None
        self.inputs += 1
        data = {
            "game_id": self._identity.game_id,
            "player_id": self._identity.players[seat],
            "action": action,
            "frame_number": frame,
            "timestamp": round(wall_ms),
            "sync_epoch": episode,
        }
        self._out.append((EMIT, -1, 0, ("pyodide_player_action", data)))

    def fetch(self) -> list[Output]:
        """What has to be sent; handed over once."""
        out = self._out
        self._out = []
        if self._said:
            self._said = {}
        return out
