"""The state of one link's stream: what waits to be said, what the peer has of it, and what comes from there.

Both directions are tapes of bytes (`pycore.wire.stream`) with one number each: how far the receiver has got. The sender
keeps everything behind that number. When the way changes, or nothing is acknowledged for a while, it goes back to it
and sends from there; the receiver takes what continues its own number and passes over the rest. So the tape survives a
channel that closes in the middle of a chunk, a server that restarts and a packet that comes twice.

Nothing here knows time, paths or peers: those are `pycore.session.streams`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pycore.errors import DecodeError
from pycore.wire.stream import LARGEST, MESSAGE_BYTES, TAPE_BYTES, decode_head, decode_message

WAITING_BYTES: Final = 16 << 20
"""What may wait for one peer: a message that does not fit beside what waits is not taken."""

Message = tuple[int, bytes]
"""Kind, and what it says."""


class Outgoing:
    """Our tape to one peer. `most` bytes of it may be unacknowledged."""

    __slots__ = ("_bytes", "_most", "acknowledged", "sent")

    def __init__(self, most: int = WAITING_BYTES) -> None:
        self._most = most
        self._bytes = bytearray()
        """From `acknowledged` on."""
        self.acknowledged = 0
        """The peer has everything before this position."""
        self.sent = 0
        """What is sent next begins here."""

    @property
    def end(self) -> int:
        """Where the tape ends so far."""
        return self.acknowledged + len(self._bytes)

    @property
    def waits(self) -> bool:
        """Whether the peer lacks anything."""
        return bool(self._bytes)

    @property
    def unsent(self) -> bool:
        """Whether anything is to be sent (again)."""
        return self.sent < self.end

    @property
    def on_its_way(self) -> int:
        """Bytes that were sent and are not acknowledged."""
        return self.sent - self.acknowledged

    def put(self, message: bytes) -> bool:
        """Put a message, head and all, behind what waits; false where there is no room for it."""
        if len(self._bytes) + len(message) > self._most or self.end + len(message) >= TAPE_BYTES:
            return False
        self._bytes += message
        return True

    def take(self, most: int) -> tuple[int, bytes]:
        """Position and bytes of what is sent next, `most` of them."""
        position = self.sent
        at = position - self.acknowledged
        data = bytes(self._bytes[at : at + most])
        self.sent = position + len(data)
        return position, data

    def acknowledge(self, received: int) -> bool:
        """The peer has everything before this position; true if that is news. What was never sent it cannot have."""
        gained = received - self.acknowledged
        if not 0 < gained <= len(self._bytes):
            return False
        del self._bytes[:gained]
        self.acknowledged = received
        if self.sent < received:
            self.sent = received
        return True

    def go_back(self) -> None:
        """Send again from what the peer is known to have."""
        self.sent = self.acknowledged

    def forget(self) -> None:
        """Nothing of it will be sent any more."""
        self._bytes.clear()
        self.sent = self.acknowledged


class Incoming:
    """The peer's tape to us. `limits` are the sizes that messages may have, by kind."""

    __slots__ = ("_held", "_limits", "broken", "received")

    def __init__(self, limits: Mapping[int, int]) -> None:
        self._limits = limits
        self._held = bytearray()
        """Of a message that has not come whole."""
        self.received = 0
        """Everything before this position was taken."""
        self.broken = False
        """A message could not be read: where the next one begins is anybody's guess."""

    @property
    def held(self) -> int:
        """Bytes of a message that has not come whole."""
        return len(self._held)

    def stop(self) -> None:
        """Nothing more is read of it."""
        self.broken = True

    def take(self, position: int, data: bytes) -> list[Message]:
        """Take in a piece of the tape; returns the messages that it completes, of kinds that are known.

        What was taken before is passed over, and a piece behind a gap as a whole. Raises DecodeError, and then nothing
        was taken, nor will anything be.
        """
        known = self.received - position
        if not 0 <= known < len(data):
            return []
        if self.broken:
            raise DecodeError("a chunk behind a message that could not be read")
        held = self._held
        before = len(held)
        held += data[known:]
        try:
            messages, read = self._read(held)
        except DecodeError:
            del held[before:]
            self.broken = True
            raise
        del held[:read]
        self.received += len(data) - known
        return messages

    def _read(self, held: bytearray) -> tuple[list[Message], int]:
        """The messages that are whole, and how many bytes they have. Raises DecodeError."""
        messages = []
        at = 0
        while len(held) - at >= MESSAGE_BYTES:
            begins = at + MESSAGE_BYTES
            limit = self._limits.get(held[at])
            head = decode_head(bytes(held[at:begins]), LARGEST if limit is None else limit)
            if len(held) - begins < head.length:
                break
            at = begins + head.length
            if limit is not None:
                messages.append((head.kind, decode_message(head, bytes(held[begins:at]))))
        return messages, at
