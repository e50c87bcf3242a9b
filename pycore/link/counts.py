"""What a link has carried, in inputs."""

from __future__ import annotations


class LinkCounts:
    """Inputs of one link, by path. An input counts once, for the path of its first dispatch; repeats apart."""

    __slots__ = (
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
