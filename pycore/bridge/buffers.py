"""The two buffers that the page and Python share, and the records in them.

The shim writes what arrived into the inbox and carries out what stands in the outbox. All numbers little-endian::

    inbox   0 u8 socket.io connected | 1 u8 page flags (1 = hidden) | 2 u16 what the tick before took, in tenths of
            a millisecond, 0: not known | 4 + 8·link i32 channel state | 8 + 8·link i32 that of the stream's channel
            then records: u8 kind | u8 link (255 none) | u16 length | f64 arrival | payload
            kinds: 1 datagram, 2 chunk of a stream, 3 JSON {"event", "data"}
    outbox  0 f64 seconds per tick | 8 i32 current frame | 12 i32 phase
            from 16 records: u8 kind | u8 link | u16 length | u32 seq | payload
            kinds: 1 datagram, 2 socket.io emit, 3 RTC command, 4 news (these three as JSON), 5 chunk of a stream

A link is named by its index among the links, which are in the order of seats without the own one.

Invariants:

- a datagram that finds no room is dropped, since loss is what it may suffer anyway; every other record waits for the
  next tick's outbox, and nothing overtakes it there;
- a record that could never fit is replaced by a line of the log that says so.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Any, Final

BUFFER_BYTES: Final = 1 << 17
OUTBOX_START: Final = 16
LARGEST_RECORD: Final = 0xFFFF
NO_LINK: Final = 255

IN_DATAGRAM: Final = 1
IN_CHUNK: Final = 2
IN_EVENT: Final = 3
TO_SESSION: Final = frozenset((IN_DATAGRAM, IN_CHUNK))
OUT_DATAGRAM: Final = 1
OUT_EMIT: Final = 2
OUT_RTC: Final = 3
OUT_NEWS: Final = 4
OUT_CHUNK: Final = 5

_IN: Final = struct.Struct("<BBHd")
_OUT: Final = struct.Struct("<BBHI")
_HEAD: Final = struct.Struct("<dii")
_STATE: Final = struct.Struct("<i")

dense: Final = json.JSONEncoder(separators=(",", ":")).encode
"""JSON without blanks."""


Arrival = tuple[int, int, float, bytes]
"""Kind, link, arrival in s, payload."""


class StreamStates(Sequence[int]):
    """What the page says of the streams' channels, by link: read where it is asked for, which is seldom."""

    def __init__(self, data: bytearray, links: int) -> None:
        self._data = data
        self._links = links

    def __len__(self) -> int:
        return self._links

    def __getitem__(self, link: Any) -> Any:
        state: int = _STATE.unpack_from(self._data, 8 + 8 * link)[0]
        return state


class Inbox:
    """What arrived between two polls; `data` is written by the page."""

    def __init__(self, links: int) -> None:
        self.data = bytearray(BUFFER_BYTES)
        self._view = memoryview(self.data)
        # Of each link the first number; the second is that of its stream.
        self._channels = struct.Struct("<" + "i4x" * links)
        self._start = 4 + 8 * links
        self.streams = StreamStates(self.data, links)

    @property
    def hidden(self) -> bool:
        """Whether nobody sees the page."""
        return bool(self.data[1] & 1)

    def read(self, length: int) -> tuple[bool, bool, tuple[int, ...], list[Arrival]]:
        """Whether socket.io is connected and the page hidden, each link's channel as `Session.poll` takes it, and the
        records in the first `length` bytes in the order of arrival."""
        data, view = self.data, self._view
        at = self._start
        found = []
        while at < length:
            kind, link, size, came = _IN.unpack_from(data, at)
            at += 12
            found.append((kind, link, came, view[at : at + size].tobytes()))
            at += size
        return data[0] != 0, data[1] & 1 == 1, self._channels.unpack_from(data, 4), found


class Outbox:
    """What the page has to carry out; `data` is read by the page, up to `end`."""

    def __init__(self) -> None:
        self.data = bytearray(BUFFER_BYTES)
        self._view = memoryview(self.data)  # by which bytes are written without a copy of them in between
        self.end = OUTBOX_START
        self._waiting: list[tuple[int, int, bytes]] = []

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to carry out."""
        return self.end == OUTBOX_START

    def restart(self) -> None:
        """Begin anew: what stood here was carried out."""
        self.end = OUTBOX_START

    def begin(self) -> None:
        """Begin anew, with what found no room in an earlier one."""
        self.end = OUTBOX_START
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for record in waiting:
                self.put_record(*record)

    def datagram(self, link: int, seq: int, payload: bytes) -> None:
        """A datagram for a link's channel."""
        start = self.end + 8
        after = start + len(payload)
        if after > BUFFER_BYTES:
            return
        _OUT.pack_into(self.data, self.end, OUT_DATAGRAM, link, len(payload), seq)
        self._view[start:after] = payload
        self.end = after

    def chunk(self, link: int, payload: bytes) -> None:
        """A chunk for the channel of a link's stream."""
        self.put_record(OUT_CHUNK, link, payload)

    def put(self, kind: int, link: int, value: Any) -> None:
        """Something to be done, as JSON."""
        self.put_record(kind, link, dense(value).encode())

    def put_record(self, kind: int, link: int, payload: bytes) -> None:
        """Something to be done, as the JSON text that says it."""
        if len(payload) > LARGEST_RECORD:
            text = f"a message of {len(payload)} bytes is too large for the page"
            payload = dense({"news": "log", "level": "error", "text": text}).encode()
            kind, link = OUT_NEWS, NO_LINK
        start = self.end + 8
        after = start + len(payload)
        if self._waiting or after > BUFFER_BYTES:
            self._waiting.append((kind, link, payload))
            return
        _OUT.pack_into(self.data, self.end, kind, link, len(payload), 0)
        self._view[start:after] = payload
        self.end = after

    def head(self, period: float, frame: int, phase: int) -> None:
        """Seconds to the next tick, the frame that is stepped next, and the phase."""
        _HEAD.pack_into(self.data, 0, period, frame, phase)
