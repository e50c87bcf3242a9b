"""The ready of an episode: nobody steps frame 0 before everybody has said it and all agree.

A ready carries the hash of the initial state and the agreed configuration itself, not only a digest of it, so
that a difference can be refused with the name of what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pycore.errors import DecodeError
from pycore.session.hashes import HASH_BYTES
from pycore.values import canonical

PROTOCOL: Final = 1
LIMIT: Final = 1024
HEARD: Final = 1
"""Mark: I have your ready for this episode."""


def encode(heard: bool, initial: bytes, agreed: Mapping[str, Any]) -> bytes:
    """The payload of a ready block."""
    return bytes((PROTOCOL, HEARD if heard else 0)) + initial + canonical.encode(dict(agreed))


def heard(payload: bytes) -> bool:
    """Whether the sender has our ready. Raises DecodeError if this is no ready."""
    if not 2 + HASH_BYTES < len(payload) <= LIMIT:
        raise DecodeError(f"a ready has {2 + HASH_BYTES} to {LIMIT} bytes, this one {len(payload)}")
    return bool(payload[1] & HEARD)


def difference(payload: bytes, initial: bytes, agreed: Mapping[str, Any]) -> tuple[str, str] | None:
    """What keeps two peers from playing: (code, text); None if nothing does. Raises DecodeError."""
    if payload[0] != PROTOCOL:
        return (
            "version",
            f"the protocol version differs: {PROTOCOL} here, {payload[0]} there; use the same wheel",
        )
    theirs = canonical.decode(payload[2 + HASH_BYTES :])
    if not isinstance(theirs, dict):
        raise DecodeError("a ready's configuration is no dictionary")
    ours = canonical.decode(canonical.encode(dict(agreed)))
    for name in sorted({str(key) for key in [*ours, *theirs]}):
        here, there = ours.get(name), theirs.get(name)
        if canonical.encode(here) != canonical.encode(there):
            return "config", f"{name} differs: {here!r} here, {there!r} there"
    if payload[2 : 2 + HASH_BYTES] != initial:
        return "initial_state", (
            "the environment's initial state differs although seed and configuration agree: "
            "its reset is not deterministic, or the environment's version differs"
        )
    return None
