"""The small packet that asks whether a way works, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.errors import DecodeError
from pycore.wire import datagram
from pycore.wire.probe import PROBE, PROBE_ANSWER, decode_probe, encode_probe


@pytest.mark.parametrize(("hold", "said"), [(0, 0), (254, 254), (255, 255), (9999, 255), (-1, 255)])
def test_a_probe_and_its_answer_carry_number_and_hold(hold: int, said: int) -> None:
    """Seven bytes each; a hold above 254 ms, or below 0, is no sample."""
    data = encode_probe(PROBE_ANSWER, 0x0102, 0x5AB, 70_000, hold)
    assert data == bytes((0xB6, 1, 2, 0xAB)) + (70_000 & 0xFFFF).to_bytes(2, "big") + bytes((said,))
    assert decode_probe(data) == (0xAB, 70_000 & 0xFFFF, said)
    assert datagram.tag_of(data) == 0x0102


@given(
    kind=st.sampled_from([PROBE, PROBE_ANSWER]),
    tag=st.integers(0, 65_535),
    incarnation=st.integers(0, 2**32 - 1),
    number=st.integers(0, 65_535),
    hold=st.integers(0, 255),
)
def test_what_was_encoded_is_decoded(kind: int, tag: int, incarnation: int, number: int, hold: int) -> None:
    """With the low byte of the incarnation: so a page that was loaded again is known before it plays."""
    data = encode_probe(kind, tag, incarnation, number, hold)
    assert (data[0], datagram.tag_of(data)) == (kind, tag)
    assert decode_probe(data) == (incarnation & 0xFF, number, hold)


@given(data=st.binary(max_size=20))
def test_only_seven_bytes_are_a_probe(data: bytes) -> None:
    """DecodeError and nothing else; a probe of protocol 1 had six."""
    if len(data) == 7:
        decode_probe(data)
    else:
        with pytest.raises(DecodeError):
            decode_probe(data)
