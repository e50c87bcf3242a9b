"""Guards the socket.io decoder: whatever a client sends becomes an event that can be refused.

python-socketio parses what it gets and calls a handler with it. Four things must not get that far. Text that
is larger than its event allows would be parsed before anybody could object. `NaN` and `1e999` are numbers to
Python's JSON but would close the socket of every page they were passed on to. What is nested as deep as Python's reader
can just follow would be read by no other process of the server. And an event that calls itself
``disconnect`` would run the server's own handler. Each of them is turned into the event `REFUSED`, with the
acknowledgement's id kept, so that the sender is told and nothing else happens.

Binary attachments are refused altogether: no event of ours has any, and a packet that announces a million of
them would be waited for.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from socketio.packet import BINARY_ACK, BINARY_EVENT, EVENT, Packet

from pycore.relay.fields import is_deeper
from pycore.relay.limits import Limits
from pycore.relay.transport.large import FEW, LARGE, STORING, arguments_of

REFUSED = "!refused"
"""Name of the event that a refused packet becomes; no client can send it, see `_EVENT`."""

_EVENT = re.compile(r'2(\d{0,15})\["([A-Za-z0-9_]{1,64})"')
_RESERVED = ("connect", "disconnect", "connect_error")
_HANDSHAKE_CHARS = 4096
_HANDSHAKE_DEPTH = 8
_AROUND = 4
"""Levels of an event around the field that may have `Limits.depth` of them."""


class Unread(Exception):
    """A packet that is no event, or is one that is not read; what the sender can be told of it."""

    def __init__(self, code: str, message: str, event: str = "", number: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.event = event
        self.number = number


def read_event(text: str, limits: Limits) -> tuple[str, int | None, list[Any]]:
    """An event's name, its acknowledgement's number and its arguments, from socket.io's packet. Raises `Unread`."""
    found = _EVENT.match(text)
    if found is None or found[2] in _RESERVED:
        raise Unread("malformed", "not an event of the protocol")
    number = int(found[1]) if found[1] else None
    name = found[2]
    if len(text) > limits.event_chars(name):
        raise Unread(
            "too_large",
            f"{len(text)} characters; at most {limits.event_chars(name)} are read",
            name,
            number,
        )
    if name == "webrtc_signal" and text.count(",") > limits.signal_values:
        raise Unread("too_large", f"more than {limits.signal_values} values", name, number)
    if len(text) > LARGE and name in STORING:
        try:
            arguments = arguments_of(text[1 + len(found[1]) :])
        except ValueError:
            raise Unread("malformed", "not JSON, or nested too deep", name, number) from None
        if arguments is not None:
            return name, number, arguments
        if text.count(",") > FEW:
            raise Unread("malformed", "not JSON that can be stored", name, number)
    try:
        # Metrics that are an object have as many levels as they like: they are stored as text, and go nowhere else.
        data = _decoded(text[1 + len(found[1]) :], None if name in STORING else limits.depth + _AROUND)
    except (ValueError, RecursionError):
        raise Unread("malformed", "not JSON, or JSON that a page could not read", name, number) from None
    return name, number, data[1:]


def event_text(event: str, data: Any) -> str:
    """An event as Engine.IO's message. Raises ValueError for what no page could read."""
    return "42" + _ENCODER.encode([event, data])


def answer_text(number: int, reply: Any) -> str:
    """An acknowledgement as Engine.IO's message."""
    return f"43{number}" + _ENCODER.encode([reply])


def packet_class(limits: Limits) -> type[Packet]:
    """The packet class (python-socketio's `serializer`) for a relay with these limits."""

    class GuardedPacket(Packet):  # type: ignore[misc]  # no types in python-socketio
        """A packet that never raises on an event, and never takes an attachment."""

        # Nothing binary is sent; the search for bytes in every outgoing payload is saved as well.
        uses_binary_events = False
        json = Guarded

        def __init__(self, *args: Any, encoded_packet: Any = None, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if encoded_packet is not None:
                self.attachment_count = self.decode(encoded_packet)

        def decode(self, encoded_packet: Any) -> int:
            text = encoded_packet
            if not isinstance(text, str) or text[:1] in (str(BINARY_EVENT), str(BINARY_ACK)):
                return self._refuse("malformed", "binary messages are not part of the protocol")
            if text[:1] == str(EVENT):
                return self._decode_event(text)
            if len(text) > _HANDSHAKE_CHARS:
                raise ValueError("handshake or acknowledgement too long")
            super().decode(text)
            return 0

        def _decode_event(self, text: str) -> int:
            try:
                name, number, arguments = read_event(text, limits)
            except Unread as unread:
                return self._refuse(unread.code, unread.message, unread.event, unread.number)
            self.packet_type, self.namespace, self.id, self.data = EVENT, None, number, [name, *arguments]
            return 0

        def _refuse(self, code: str, message: str, event: str = "", number: int | None = None) -> int:
            self.packet_type, self.namespace, self.id = EVENT, None, number
            self.data = [REFUSED, {"code": code, "message": message, "event": event}]
            return 0

    return GuardedPacket


class Guarded:
    """JSON as python-socketio wants it (`dumps`, `loads`), without numbers that JavaScript cannot read."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """JSON text; raises ValueError for NaN and infinities."""
        return json.dumps(value, allow_nan=False, **options)

    @staticmethod
    def loads(text: str) -> Any:
        """The value; raises ValueError alone."""
        try:
            return _decoded(text, _HANDSHAKE_DEPTH)
        except RecursionError:
            raise ValueError("nested too deep") from None


def _decoded(text: str, depth: int | None) -> Any:
    """The value, of at most so many levels. What can just be read here could not be written, or not be read by another
    process of the server, which has it some levels deeper. Raises ValueError and RecursionError."""
    value = _DECODER.decode(text)
    if depth is not None and text.count("[") + text.count("{") > depth and is_deeper(value, depth):
        raise ValueError("nested too deep")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number beyond the range of JavaScript")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_constant)
