"""The small packet beside the datagram: it asks whether a way works, and the answer says so.

``u8 kind (0xB5 asks, 0xB6 answers), u16 tag, u8 incarnation, u16 number, u8 ms between question and answer``.
A probe says which page sends it, so that a page that was loaded again is known before it plays.
"""

from __future__ import annotations

import struct
from typing import Final

from pycore.errors import DecodeError
from pycore.wire.datagram import NO_SAMPLE

PROBE: Final = 0xB5
PROBE_ANSWER: Final = 0xB6

_PROBE: Final = struct.Struct(">BHBHB")
PROBE_BYTES: Final = _PROBE.size


def encode_probe(kind: int, tag: int, incarnation: int, number: int, hold: int = 0) -> bytes:
    """A probe or the answer to one; `hold` in milliseconds."""
    hold = hold if 0 <= hold < NO_SAMPLE else NO_SAMPLE
    return _PROBE.pack(kind, tag, incarnation & 0xFF, number & 0xFFFF, hold)


def decode_probe(data: bytes) -> tuple[int, int, int]:
    """Incarnation, number and hold (ms) of a probe or of an answer; raises DecodeError."""
    if len(data) != PROBE_BYTES:
        raise DecodeError(f"a probe has {PROBE_BYTES} bytes, this one {len(data)}")
    _kind, _tag, incarnation, number, hold = _PROBE.unpack(data)
    return incarnation, number, hold
