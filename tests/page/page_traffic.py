"""What crosses a participant's web socket: the socket.io events of each direction, with their sizes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any


@dataclass
class Message:
    """A socket.io event on a participant's web socket."""

    at: float
    """Seconds, by a clock of whoever listens."""
    name: str
    data: Any
    size: int
    """Bytes, with the binary parts that followed."""


class Traffic:
    """The events that went one way over a web socket."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.bytes = 0
        """All of them, with the pings of the transport."""

    def take(self, payload: str | bytes) -> None:
        """The next frame, now."""
        if isinstance(payload, bytes):
            self.note(None, len(payload), time.monotonic())
        else:
            self.note(payload, len(payload.encode()), time.monotonic())

    def note(self, text: str | None, size: int, at: float) -> None:
        """A frame; `text` is None if it was a binary one."""
        self.bytes += size
        if text is None:
            if self.messages:
                self.messages[-1].size += size
            return
        # "4" is a message of engine.io, "2" and "5" are an event and one with binary parts; then an ack's number.
        if text[:2] in ("42", "45") and (start := text.find("[")) > 0:
            name, *arguments = json.loads(text[start:])
            self.messages.append(Message(at, name, arguments[0] if arguments else None, size))

    def named(self, name: str) -> list[Message]:
        return [message for message in self.messages if message.name == name]

    def sums(self) -> dict[str, tuple[int, int]]:
        """How many and how many bytes, by name."""
        found: dict[str, tuple[int, int]] = {}
        for message in self.messages:
            count, size = found.get(message.name, (0, 0))
            found[message.name] = (count + 1, size + message.size)
        return dict(sorted(found.items()))
