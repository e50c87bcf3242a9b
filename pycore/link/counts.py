"""What a link has carried, in inputs, and in packets and bytes."""

from __future__ import annotations


class LinkCounts:
    """Inputs of one link, by path. An input counts once, for the path of its first dispatch; repeats apart.

    Packets are datagrams and probes, and inputs that go through the server as events; bytes are theirs as they are
    encoded, without what the channel or the server's events put around them.
    """

    __slots__ = (
        "bytes_received_via_p2p",
        "bytes_received_via_socketio",
        "bytes_sent_via_p2p",
        "bytes_sent_via_socketio",
        "packets_received_via_p2p",
        "packets_received_via_socketio",
        "packets_sent_via_p2p",
        "packets_sent_via_socketio",
        "received_via_p2p",
        "received_via_socketio",
        "resent_via_p2p",
        "resent_via_socketio",
        "sent_via_p2p",
        "sent_via_socketio",
    )

    def __init__(self) -> None:
        self.sent_via_p2p = 0
        self.sent_via_socketio = 0
        self.received_via_p2p = 0
        self.received_via_socketio = 0
        self.resent_via_p2p = 0
        self.resent_via_socketio = 0
        self.packets_sent_via_p2p = self.bytes_sent_via_p2p = 0
        self.packets_sent_via_socketio = self.bytes_sent_via_socketio = 0
        self.packets_received_via_p2p = self.bytes_received_via_p2p = 0
        self.packets_received_via_socketio = self.bytes_received_via_socketio = 0

    def sent_by_p2p(self, inputs: int) -> None:
        """So many were dispatched first peer-to-peer; negative: they were not, after all."""
        self.sent_via_p2p += inputs

    def sent_by_socketio(self, inputs: int) -> None:
        """So many were dispatched first through the server."""
        self.sent_via_socketio += inputs

    def resent_by_p2p(self, inputs: int) -> None:
        """So many went out again peer-to-peer."""
        self.resent_via_p2p += inputs

    def resent_by_socketio(self, inputs: int) -> None:
        """So many went out again through the server."""
        self.resent_via_socketio += inputs

    def received_by(self, by_p2p: bool) -> None:
        """An input was accepted."""
        if by_p2p:
            self.received_via_p2p += 1
        else:
            self.received_via_socketio += 1

    def packet_by_p2p(self, size: int) -> None:
        """A packet was handed to the channel."""
        self.packets_sent_via_p2p += 1
        self.bytes_sent_via_p2p += size

    def packet_by_socketio(self, size: int) -> None:
        """A packet, or an input, was handed to the server."""
        self.packets_sent_via_socketio += 1
        self.bytes_sent_via_socketio += size

    def packet_came(self, size: int, by_p2p: bool) -> None:
        """A packet came, or by the server an input."""
        if by_p2p:
            self.packets_received_via_p2p += 1
            self.bytes_received_via_p2p += size
        else:
            self.packets_received_via_socketio += 1
            self.bytes_received_via_socketio += size
