"""Runs of encoded actions, cut into the single ones."""

from __future__ import annotations

from typing import Any, Final, Protocol

from pycore.errors import DecodeError

LENGTH: Final = 2
"""Bytes of the length that stands in front of an action whose codec has no fixed size."""


class Decoder(Protocol):
    """What is asked of a codec."""

    size: int | None

    def decode(self, data: bytes) -> Any:
        """The action of encoded bytes; raises DecodeError."""


def with_length(body: bytes) -> bytes:
    """The bytes of an action with their length in front."""
    return len(body).to_bytes(LENGTH, "big") + body


def without_length(data: bytes, least: int, most: int) -> bytes:
    """The bytes behind a length that fits them, of which there are `least` to `most`. Raises DecodeError."""
    body = data[LENGTH:]
    if len(data) < LENGTH or not least <= len(body) <= most or int.from_bytes(data[:LENGTH], "big") != len(body):
        raise DecodeError("an action's length does not fit its bytes")
    return body


def split(codec: Decoder, data: bytes, offset: int, count: int, skip: int) -> tuple[list[bytes], int]:
    """The `count` encoded actions that stand at `offset`, but for the first `skip`, and the offset behind them.

    Each of those returned is one that the codec can read. Raises DecodeError.
    """
    inputs = []
    for number in range(count):
        end = offset + (codec.size or LENGTH + int.from_bytes(data[offset : offset + LENGTH], "big"))
        encoded = data[offset:end]
        if len(encoded) != end - offset:
            raise DecodeError(f"an input ends at byte {end} of {len(data)}")
        if number >= skip:
            codec.decode(encoded)
            inputs.append(encoded)
        offset = end
    return inputs, offset
