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
