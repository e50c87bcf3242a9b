"""What is left of protocol 1: enough to be told apart by name.

A peer of that version understands its own datagrams only. So a packet of kind 0xB1 is answered with one of them, whose
READY says that version 2 is here; both sides then name the difference instead of waiting for each other.
"""

from __future__ import annotations

import struct
from typing import Final

from pycore.wire.datagram import VERSION

KIND: Final = 0xB1
_HEADER: Final = struct.Struct(">BHBHBBHBb")
_BLOCK: Final = struct.Struct(">BH")
_BLOCKS: Final = 0x40
_READY: Final = 2
_NO_SAMPLE: Final = 255
_EMPTY_DICT: Final = b"\x08\x00"
"""The canonical form of a configuration without entries."""


def is_version_1(data: bytes, tag: int) -> bool:
    """Whether a packet is a datagram of protocol 1 that belongs to the session with this tag."""
    return len(data) >= _HEADER.size and data[0] == KIND and data[1] << 8 | data[2] == tag


def refusal(data: bytes, tag: int, receipts: int, seq: int) -> bytes:
    """The answer to such a datagram: the READY of its episode, which says version 2.

    `receipts` is the number of players but one, `seq` the number of the answer on its path, from 0 up.
    """
    ready = bytes((VERSION, 0)) + bytes(8) + _EMPTY_DICT
    header = _HEADER.pack(KIND, tag, data[3], seq & 0xFFFF, 0, _NO_SAMPLE, 0, _BLOCKS, 0)
    return header + bytes(receipts) + _BLOCK.pack(_READY, len(ready)) + ready
