"""What a kind of message is: it knows its own payload, and what it does where it arrives.

Unlike what rides in datagrams (`pycore.session.topics`), a message is said once, arrives once and in order, and may be
large; and nobody waits for it. Whoever has something to say packs it and hands it to `Streams.put`; what takes time is
done in `work`, between two ticks' taking in and sending, never where a packet is taken in.
"""

from __future__ import annotations

from typing import Final, Protocol

from pycore.link.link import Link

# Kinds of messages. One that is not known is passed over, so that a later version may add one.
STATE: Final = 1
ACCOUNT: Final = 2
PAST: Final = 3


class MessageKind(Protocol):
    """One kind of message."""

    kind: int
    limit: int
    """Bytes that a message may have, at most `pycore.wire.stream.LARGEST`."""

    def take(self, link: Link, payload: bytes, now: float) -> None:
        """A message came whole. It is looked at, and kept: `work` does the rest. Raises DecodeError."""

    def work(self, now: float) -> bool:
        """Do what is due; whether anything still is. Asked at every poll from `Streams.wake` on, until it is not."""
