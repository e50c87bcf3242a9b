"""READY: nobody steps frame 0 before everybody has said it and all agree.

    u8 protocol | u8 bit 0: I have yours | u32 incarnation | 8 bytes hash of the initial state
    u8 seats, then u8 each: the input delay that is proposed for the episode to come, 255: none is
    for each name of the agreed configuration: u8 length, name, 4 bytes digest of its value,
    u8 length and text of the value, empty beyond 12 bytes

The digests decide. A difference is refused with the name of what differs, whatever the size of its value, and with
both values where theirs is short, as a version is. The proposals are no part of what must be alike: the largest
counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pycore.errors import DecodeError
from pycore.frozen import Named
from pycore.link.link import Link
from pycore.session.episode import Episode
from pycore.session.topics.topic import READY, Arrival
from pycore.values import canonical
from pycore.values.canonical import HASH_BYTES
from pycore.wire.datagram import VERSION

INITIAL_STATE: Final = "initial_state"
LIMIT: Final = 1024
NOTHING: Final = 255
"""Proposes no input delay: the others may have played on, and not all of them hear this ready in time."""
HEARD: Final = 1
"""Mark: I have your ready for this episode."""
_DIGEST_BYTES: Final = 4
_SHOWN: Final = 12
_HEAD: Final = 2 + 4 + HASH_BYTES + 1


class Read(Named):
    """A ready that was read."""

    protocol: int
    heard: bool
    incarnation: int
    initial: bytes
    delays: tuple[int, ...]
    digests: dict[str, bytes]
    shown: dict[str, str]
    """The values that are short enough to travel, as text for a person."""


def digests(agreed: Mapping[str, Any]) -> bytes:
    """The agreed configuration as names, digests and short values, the same for the whole session."""
    parts = []
    for name in sorted(agreed):
        encoded = name.encode()
        parts.append(bytes((len(encoded),)) + encoded + canonical.digest(agreed[name], size=_DIGEST_BYTES))
        shown = repr(agreed[name]).encode(errors="replace")
        parts.append(bytes((len(shown),)) + shown if len(shown) <= _SHOWN else b"\0")
    return b"".join(parts)


def encode(heard: bool, incarnation: int, initial: bytes, delays: Sequence[int], agreed: bytes) -> bytes:
    """The payload of a ready; `agreed` is what `digests` gave."""
    head = bytes((VERSION, HEARD if heard else 0)) + (incarnation & 0xFFFFFFFF).to_bytes(4, "big")
    return head + initial + bytes((len(delays), *delays)) + agreed


def read(payload: bytes) -> Read:
    """Read a ready of this protocol. Raises DecodeError."""
    if not _HEAD <= len(payload) <= LIMIT:
        raise DecodeError(f"a ready has {_HEAD} to {LIMIT} bytes, this one {len(payload)}")
    at = _HEAD + payload[_HEAD - 1]
    if at > len(payload):
        raise DecodeError("a ready's input delays are cut off")
    found: dict[str, bytes] = {}
    shown: dict[str, str] = {}
    delays = tuple(payload[_HEAD:at])
    while at < len(payload):
        behind = at + 1 + payload[at]
        try:
            name = payload[at + 1 : behind].decode()
        except UnicodeDecodeError:
            raise DecodeError("a name in a ready is no text") from None
        value = behind + _DIGEST_BYTES
        if value >= len(payload):
            raise DecodeError("a ready's configuration is cut off")
        at = value + 1 + payload[value]
        if payload[value] > _SHOWN or at > len(payload):
            raise DecodeError("a value in a ready is too long or cut off")
        found[name] = payload[behind:value]
        text = payload[value + 1 : at].decode(errors="replace")
        if text and text.isprintable():
            shown[name] = text
    return Read(
        payload[0],
        bool(payload[1] & HEARD),
        int.from_bytes(payload[2:6], "big"),
        payload[6 : 6 + HASH_BYTES],
        delays,
        found,
        shown,
    )


def difference(theirs: Read, initial: bytes, agreed: Mapping[str, Any]) -> tuple[str, str] | None:
    """What keeps two peers from playing: (code, text); None if nothing does."""
    if theirs.protocol != VERSION:
        return version_differs(theirs.protocol)
    ours = {name: canonical.digest(value, size=_DIGEST_BYTES) for name, value in agreed.items()}
    for name in sorted({*ours, *theirs.digests}):
        if ours.get(name) != theirs.digests.get(name):
            here = repr(agreed[name]) if name in ours else "nothing"
            there = theirs.shown.get(name, "another value") if name in theirs.digests else "nothing"
            if there == here:
                there = "another value"
            return "config", f"{name} differs: {here} here, {there} there"
    if theirs.initial != initial:
        return INITIAL_STATE, (
            "the environment's initial state differs although seed and configuration agree: "
            "its reset is not deterministic, or the environment's version differs"
        )
    return None


def version_differs(theirs: int) -> tuple[str, str]:
    """Code and text for a peer that speaks another version of the protocol."""
    return "version", f"the protocol version differs: {VERSION} here, {theirs} there; use the same wheel"


class Ready:
    """The readies that go out and come in."""

    kind = READY
    bit = 1 << READY
    of_session = True

    def __init__(self, episode: Episode, incarnation: int, agreed: Mapping[str, Any], *, watches: bool = False) -> None:
        self._watches = watches
        """Whether we have no seat: then no input of ours says that we play, and each ready wants an answer. So does
        that of a page that came back: that we play does not say whose ready we have."""
        self._asked: set[Link] = set()
        self._episode = episode
        self._incarnation = incarnation
        self.agreed = agreed
        """What every peer must have alike, by name."""
        self._digests = digests(agreed)
        self.delays: tuple[int, ...] = ()
        """What our ready proposes."""

    @property
    def size(self) -> int:
        """Bytes of a payload with proposals for eight seats."""
        return _HEAD + 8 + len(self._digests)

    def begin(self, delays: Sequence[int], links: Sequence[Link]) -> None:
        """We are ready for the episode, and propose these input delays for the one behind it."""
        self.delays = tuple(delays)
        for link in links:
            link.speak(self.bit)

    def check(self, payload: bytes) -> None:
        """Every part must be there; of another protocol only the first byte is read."""
        if payload[:1] == bytes((VERSION,)) or not payload:
            read(payload)

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """Until the peer has it; through the server with every packet that introduces inputs by that way."""
        initial = self._episode.initial
        if initial is None:
            return ()
        if link.peer.hears_ready and not by_socket:
            link.be_silent(self.bit)
            if link not in self._asked:
                return ()
        self._asked.discard(link)
        heard = self._episode.number in link.peer.ready
        return (encode(heard, self._incarnation, initial, self.delays, self._digests),)

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """Of the running episode or the next one; of an earlier one it is old."""
        if arrival.episode < arrival.running:
            return
        same = arrival.episode == arrival.running
        heard = bool(payload[1] & HEARD) if same and len(payload) > 1 else None
        link.peer.said_ready(arrival.episode, payload, heard, arrival.by_socket)
        if same and (self._watches or link.peer.load):
            self._asked.add(link)
            link.speak(self.bit)
