"""Frames of a WebSocket as bytes: what a client sends is told apart before anybody reads it.

Nearly all that a relay gets are short whole texts, events of socket.io. Those are taken out here, unmasked. Everything
else (handshakes, pings, closing, fragments, what is large) is left as it came, for a library that knows all of the
protocol; the order is kept.

A parser counts as it goes, and stops at the first frame that a guard does not let pass: of what a stranger sends behind
that nothing is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

TEXT: Final = 1
WHOLE_TEXT: Final = 0x81
SMALL: Final = 65_536
"""Bytes of a text that is waited for; a larger one is passed through as it comes."""
AT_ONCE: Final = 128
"""Frames that are told apart in one go: a read has room for 40,000 of the smallest, and each costs its share."""


class Closed(Exception):
    """A guard lets a frame not pass: the connection ends."""


class Frames:
    """What comes by one connection. `guard(control, fragment, size, message)` is asked about each frame by its head,
    `message` being the bytes of its message so far; it raises `Closed`."""

    __slots__ = ("_buffer", "_fragmented", "_guard", "_message", "_through", "more")

    def __init__(self, guard: Callable[[bool, bool, int, int], None]) -> None:
        self._guard = guard
        self._buffer = bytearray()
        self._message = 0
        self._through = 0
        """Bytes of a large frame that are still to come."""
        self._fragmented = False
        self.more = False
        """There may be whole frames that were not told apart yet: feed nothing, and they are."""

    def feed(self, data: bytes) -> list[str | bytes]:
        """Whole short texts as texts, everything else as bytes, in order, up to `AT_ONCE` frames. Raises `Closed`, and
        UnicodeDecodeError."""
        buffer = self._buffer
        buffer += data
        found: list[str | bytes] = []
        rest = bytearray()
        at, end = 0, len(buffer)
        left = AT_ONCE
        self.more = False
        while at < end:
            if self._through:
                size = min(self._through, end - at)
                rest += buffer[at : at + size]
                self._through -= size
                at += size
                continue
            if end - at < 2:
                break
            if not left:
                self.more = True
                break
            first, second = buffer[at], buffer[at + 1]
            size, head = second & 0x7F, 2
            if size == 126:
                head = 4
            elif size == 127:
                head = 10
            if second & 0x80:
                head += 4
            if end - at < head:
                break
            if size == 126:
                size = buffer[at + 2] << 8 | buffer[at + 3]
            elif size == 127:
                size = int.from_bytes(buffer[at + 2 : at + 10], "big")
            whole = first == WHOLE_TEXT and second & 0x80 and not self._fragmented
            if not whole or size > SMALL:
                control = bool(first & 0x08)
                fragment = not control and (first & 0x8F) not in (0x81, 0x82)
                if not control:
                    # An opcode begins a message; 0 goes on with one.
                    self._message = size if first & 0x0F else self._message + size
                self._guard(control, fragment, size, 0 if control else self._message)
                if not control:
                    self._fragmented = not first & 0x80
                self._through = head + size
                left -= 1
                continue
            if end - at < head + size:
                break
            self._guard(False, False, size, size)
            if rest:
                found.append(bytes(rest))
                rest.clear()
            at += head
            found.append(unmasked(buffer[at : at + size], buffer[at - 4 : at]).decode())
            at += size
            left -= 1
        if at:
            del buffer[:at]
        if rest:
            found.append(bytes(rest))
        return found


def unmasked(data: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    """What a client has sent under its mask."""
    size = len(data)
    pad = (bytes(mask) * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


def text_frame(text: str) -> bytes:
    """A server's frame."""
    data = text.encode()
    size = len(data)
    if size < 126:
        return bytes((WHOLE_TEXT, size)) + data
    if size < 65_536:
        return bytes((WHOLE_TEXT, 126, size >> 8, size & 0xFF)) + data
    return bytes((WHOLE_TEXT, 127)) + size.to_bytes(8, "big") + data


def client_frame(text: str) -> bytes:
    """The frame of a client, as it might have been sent: under a mask of zeros."""
    frame = text_frame(text)
    head = 2 if frame[1] < 126 else 4 if frame[1] == 126 else 10
    return bytes((frame[0], frame[1] | 0x80)) + frame[2:head] + bytes(4) + frame[head:]


def closing_frame(code: int, reason: str) -> bytes:
    """The last that a server says; `reason` has at most 123 bytes."""
    data = code.to_bytes(2, "big") + reason.encode()[:123]
    return bytes((0x88, len(data))) + data


def ends_with_closing(data: bytes) -> bool:
    """Whether the last of what a client has sent is that it closes, too; of what stands before nothing is read."""
    at = data.rfind(0x88, -131)
    return 0 <= at < len(data) - 1 and at + 6 + (data[at + 1] & 0x7F) == len(data)
