"""A peer of protocol 1 is answered in its own words, so that both name the difference."""

from __future__ import annotations

import struct

import pytest

from pycore.wire import version1

HELLO = struct.pack(">BHBHBBHBb", 0xB1, 0x0102, 7, 40, 0, 255, 0, 0, 0) + b"\1"
"""A datagram of protocol 1: episode 7, two players, nothing in it."""


def test_a_datagram_of_protocol_1_is_told_by_kind_and_tag() -> None:
    """Its probes are not: they come beside its datagrams."""
    assert version1.is_version_1(HELLO, 0x0102)
    assert not version1.is_version_1(HELLO, 0x0103)
    assert not version1.is_version_1(HELLO[:11], 0x0102)
    assert not version1.is_version_1(b"\xb4" + HELLO[1:], 0x0102)
    assert not version1.is_version_1(b"", 0)


@pytest.mark.parametrize(("receipts", "seq"), [(1, 0), (3, 70_000)])
def test_the_answer_is_a_datagram_of_protocol_1_with_a_ready_that_says_version_2(receipts: int, seq: int) -> None:
    """Header of 12 bytes, one receipt for each other player, a READY of the asked episode."""
    data = version1.refusal(HELLO, 0x0102, receipts, seq)
    kind, tag, episode, found, _echo, hold, first, flags, _ = struct.unpack_from(">BHBHBBHBb", data)
    assert (kind, tag, episode, found, hold, first, flags) == (0xB1, 0x0102, 7, seq & 0xFFFF, 255, 0, 0x40)
    body = data[12 + receipts :]
    assert body[:3] == b"\2" + len(body[3:]).to_bytes(2, "big")
    # Version, marks, eight bytes of hash, and a dictionary without entries.
    assert body[3:] == b"\2\0" + bytes(8) + b"\x08\0"
