"""Comparing states: every peer hashes the same confirmed states, and the hashes must be equal.

Only states before which everything is confirmed are hashed, so a difference is never a prediction: it means
that an environment is not deterministic, or that something is broken.

A hash rides again and again, a round trip apart, until the peer says that it has it. Each entry carries two
marks: HEARD, "I have yours of this frame", and WANT, "I do not know yet that you have mine". Who has nothing to
want answers an entry with WANT once and stays silent otherwise, so the exchange ends on both sides whatever is
lost.
"""

from __future__ import annotations

from typing import Final

from pycore.errors import DecodeError

HASH_BYTES: Final = 8
KEPT: Final = 64
"""Frames whose hashes are kept for a peer that is behind or ahead; the oldest goes first."""
PER_PACKET: Final = 2
HEARD: Final = 1 << 31
WANT: Final = 1 << 30


class HashExchange:
    """One link's exchange in one episode."""

    __slots__ = ("_answers", "_own", "_theirs", "_wanted", "again_at", "compared")

    def __init__(self) -> None:
        self._own: dict[int, bytes] = {}
        self._theirs: dict[int, bytes] = {}
        self._wanted: list[int] = []
        self._answers: list[int] = []
        self.again_at = -1e9
        """Before this time nothing has to ride again; the link, which knows the round trip, sets it."""
        self.compared = 0
        """States compared so far."""

    def own(self, frame: int, digest: bytes) -> bytes | None:
        """Note our hash of state `frame`; returns the peer's if it came before and differs."""
        _bounded(self._own)[frame] = digest
        self._wanted.append(frame)
        # What is no longer kept can no longer be told: it must not be waited for either.
        oldest = next(iter(self._own))
        while self._wanted[0] < oldest:
            del self._wanted[0]
        self.again_at = -1e9
        return self._compare(frame)

    def heard(self, payload: bytes) -> tuple[int, bytes, bytes] | None:
        """Take in an entry of the peer; returns (frame, our hash, theirs) at the first sight of a difference.

        Raises DecodeError.
        """
        if len(payload) != 4 + HASH_BYTES:
            raise DecodeError(f"a hash entry has {4 + HASH_BYTES} bytes, this one {len(payload)}")
        word = int.from_bytes(payload[:4], "big")
        frame = word & (WANT - 1)
        new = frame not in self._theirs
        if new:
            _bounded(self._theirs)[frame] = payload[4:]
        if word & HEARD and frame in self._wanted:
            self._wanted.remove(frame)
        if word & WANT and frame in self._own and frame not in self._wanted and frame not in self._answers:
            self._answers.append(frame)
            self.again_at = -1e9
        if new and self._compare(frame) is not None:
            return frame, self._own[frame], self._theirs[frame]
        return None

    def _compare(self, frame: int) -> bytes | None:
        own = self._own.get(frame)
        theirs = self._theirs.get(frame)
        if own is None or theirs is None:
            return None
        self.compared += 1
        return theirs if own != theirs else None

    @property
    def riding(self) -> bool:
        """Whether anything has to ride."""
        return bool(self._wanted or self._answers)

    @property
    def settled(self) -> bool:
        """Whether the peer has all of ours."""
        return not self._wanted

    def has_theirs(self, frame: int) -> bool:
        """Whether the peer's hash of state `frame` has come."""
        return frame in self._theirs

    def entries(self) -> list[bytes]:
        """What has to ride in the next packet to the peer."""
        entries = [self._entry(frame, WANT) for frame in self._wanted[-PER_PACKET:] if frame in self._own]
        entries += [self._entry(frame, 0) for frame in self._answers[:PER_PACKET] if frame in self._own]
        del self._answers[:PER_PACKET]
        return entries

    def _entry(self, frame: int, marks: int) -> bytes:
        if frame in self._theirs:
            marks |= HEARD
        return (frame | marks).to_bytes(4, "big") + self._own[frame]


def _bounded(hashes: dict[int, bytes]) -> dict[int, bytes]:
    while len(hashes) >= KEPT:
        del hashes[next(iter(hashes))]
    return hashes
