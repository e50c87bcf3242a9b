"""HASH: every peer hashes the same confirmed states and the same rows, and the hashes must be equal.

Only what is confirmed is hashed, so a difference is never a prediction: it means that an environment is not
deterministic, or that something is broken. A hash covers the state before a frame and the rows since the last hash,
so what is recorded is what is compared.

A block has entries of ``u32 frame and marks, 8 bytes hash``. An entry rides again and again, a round trip apart, until
the peer says that it has it. Two marks: HEARD, "I have yours of this frame", and WANT, "I do not know yet that you
have mine". Who has nothing to want answers an entry with WANT once and stays silent otherwise, so the exchange ends on
both sides whatever is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.errors import DecodeError
from pycore.link.link import Link
from pycore.session.covered import Covered
from pycore.session.journal import Journal
from pycore.session.messages.state import States
from pycore.session.topics.topic import HASH, Arrival
from pycore.values.canonical import HASH_BYTES
from pycore.wire.datagram import BLOCK_BYTES

ENTRY_BYTES: Final = 4 + HASH_BYTES
HEARD: Final = 1 << 31
WANT: Final = 1 << 30
AGAIN_WITHIN: Final = 1.0
"""Seconds after which a hash rides again at the latest: a round trip that was longer may be one of an outage that is
over, and at the end of an episode all wait for it."""
RIDES: Final = 4
"""So often a hash can ride before it is forgotten."""


class HashExchange:
    """One link's exchange in one episode. `kept` frames' hashes are kept; the oldest goes first."""

    __slots__ = ("_again_at", "_answers", "_first", "_forgotten", "_kept", "_own", "_theirs", "_wanted", "compared")

    def __init__(self, kept: int, first: int = 0) -> None:
        self._kept = kept
        self._first = first
        """The first frame of which the peer asks for our hash."""
        self._own: dict[int, bytes] = {}
        self._theirs: dict[int, bytes] = {}
        self._forgotten = -1
        """Up to here the peer's are no longer kept: one that comes again is a duplicate."""
        self._wanted: list[int] = []
        self._again_at: dict[int, float] = {}
        """When a hash that is wanted has to ride again."""
        self._answers: list[int] = []
        self.compared = 0
        """Hashes compared so far."""

    def own(self, frame: int, digest: bytes) -> tuple[bytes, bytes] | None:
        """Note our hash of `frame`; returns (ours, theirs) if the peer's came before and differs."""
        if frame < self._first:
            return None
        self._bound(self._own)
        self._own[frame] = digest
        self._wanted.append(frame)
        # What is no longer kept can no longer be told: it must not be waited for either.
        oldest = next(iter(self._own))
        while self._wanted[0] < oldest:
            self._again_at.pop(self._wanted[0], None)
            del self._wanted[0]
        return self._compare(frame)

    def heard(self, entry: bytes) -> tuple[int, bytes, bytes] | None:
        """Take in an entry of the peer; returns (frame, our hash, theirs) at the first sight of a difference."""
        word = int.from_bytes(entry[:4], "big")
        frame = word & (WANT - 1)
        new = frame not in self._theirs and frame > self._forgotten
        if new:
            self._forgotten = max(self._forgotten, self._bound(self._theirs))
            self._theirs[frame] = entry[4:]
        if word & HEARD and frame in self._wanted:
            self._wanted.remove(frame)
            self._again_at.pop(frame, None)
        if word & WANT and frame in self._own and frame not in self._wanted and frame not in self._answers:
            self._answers.append(frame)
        difference = self._compare(frame) if new else None
        return None if difference is None else (frame, *difference)

    def begun_anew(self, known: int) -> HashExchange:
        """One with another load of the peer's page, which will have everything up to the frame `known`: it compares the
        last hash of that, and all of ours behind it."""
        first = max([frame for frame in self._own if frame <= known + 1], default=0)
        anew = HashExchange(self._kept, first)
        for frame, digest in self._own.items():
            anew.own(frame, digest)
        return anew

    @property
    def first(self) -> int:
        """The first frame of which hashes are compared."""
        return self._first

    def cut(self, frame: int) -> None:
        """Ours from this frame on are taken back: the episode ends before."""
        for beyond in [known for known in self._own if known >= frame]:
            del self._own[beyond]
            self.compared -= beyond in self._theirs
            self._again_at.pop(beyond, None)
        self._wanted = [wanted for wanted in self._wanted if wanted < frame]
        self._answers = [answer for answer in self._answers if answer < frame]

    def _compare(self, frame: int) -> tuple[bytes, bytes] | None:
        own = self._own.get(frame)
        theirs = self._theirs.get(frame)
        if own is None or theirs is None:
            return None
        self.compared += 1
        return (own, theirs) if own != theirs else None

    def _bound(self, hashes: dict[int, bytes]) -> int:
        """Make room for one more; returns the frame of the one that had to go, -1 if none had to."""
        if len(hashes) < self._kept:
            return -1
        oldest = next(iter(hashes))
        del hashes[oldest]
        return oldest

    @property
    def riding(self) -> bool:
        """Whether anything has to ride."""
        return bool(self._wanted or self._answers)

    @property
    def settled(self) -> bool:
        """Whether the peer has all of ours."""
        return not self._wanted

    def has_theirs(self, frame: int) -> bool:
        """Whether the peer's hash of `frame` has come."""
        return frame in self._theirs

    def ride_again(self) -> None:
        """The way has changed: what rode on the old one may never come."""
        self._again_at.clear()

    def entries(self, now: float, again_at: float, most: int) -> list[bytes]:
        """What rides in the packet of `now`, `most` entries; what is wanted rides again from `again_at` on."""
        # Answers first, and each once: where more is wanted than a packet has room for, on both sides, nobody would
        # ever have one.
        answers = self._answers[:most]
        del self._answers[: len(answers)]
        entries = [self._entry(frame, 0) for frame in answers if frame in self._own]
        for frame in self._wanted:
            if len(entries) >= most:
                return entries
            if self._again_at.get(frame, now) <= now:
                self._again_at[frame] = again_at
                entries.append(self._entry(frame, WANT))
        return entries

    def _entry(self, frame: int, marks: int) -> bytes:
        if frame in self._theirs or frame <= self._forgotten:
            marks |= HEARD
        return (frame | marks).to_bytes(4, "big") + self._own[frame]


class Hashes:
    """The exchanges of all links. `kept` is how many hashes of an episode each keeps, `every` the frames between
    two, `period` the seconds of a frame."""

    kind = HASH
    bit = 1 << HASH
    of_session = False

    def __init__(
        self, links: Sequence[Link], journal: Journal, kept: int, period: float, every: int, states: States
    ) -> None:
        self._links = links
        self._journal = journal
        self._states = states
        self._kept = kept
        self._period = period
        self._patience = min(AGAIN_WITHIN, kept * every * period / RIDES)
        self._before = {link.peer.number: 0 for link in links}
        self._of = {link.peer.number: HashExchange(kept) for link in links}

    def leave(self) -> None:
        """The episode is over; the next one begins with nothing."""
        for number, exchange in self._of.items():
            self._before[number] += exchange.compared
            self._of[number] = HashExchange(self._kept)
        self._states.leave()
        for link in self._links:
            link.be_silent(self.bit)

    def begin_anew(self, link: Link, known: int) -> None:
        """Another load of the peer's page is there, which will have everything up to the frame `known`."""
        number = link.peer.number
        before = self._of[number]
        self._before[number] += before.compared
        self._of[number] = before.begun_anew(known)
        link.speak(self.bit)

    def begin_with(self, link: Link, first: int) -> None:
        """We return, and the peer compares hashes from this frame on."""
        self._of[link.peer.number] = HashExchange(self._kept, first)

    def first(self, link: Link) -> int:
        """The first frame whose hash is compared with a peer."""
        return self._of[link.peer.number].first

    def cut(self, frame: int) -> None:
        """Our hashes from this frame on are taken back."""
        for exchange in self._of.values():
            exchange.cut(frame)
        self._states.cut(frame)

    def of(self, link: Link) -> HashExchange:
        """One link's exchange in the running episode."""
        return self._of[link.peer.number]

    def compared(self, link: Link) -> int:
        """Hashes compared with one peer over the session."""
        return self._before[link.peer.number] + self._of[link.peer.number].compared

    def own(self, covered: Covered, digest: bytes) -> None:
        """Our hash: it goes to everybody, and is compared with what came already."""
        frame = covered.frame
        self._states.hold(covered)
        for link in self._links:
            difference = self._of[link.peer.number].own(frame, digest)
            link.speak(self.bit)
            if difference is not None:
                self._differs(link, covered.episode, frame, *difference)
        if len(self._links) < len(self._of):
            # Who is gone may come back, and compares what was hashed meanwhile.
            there = {link.peer.number for link in self._links}
            for number, exchange in self._of.items():
                if number not in there:
                    exchange.own(frame, digest)
        self._release(frame)

    def _differs(self, link: Link, episode: int, frame: int, own: bytes, theirs: bytes) -> None:
        self._journal.mismatch(link.seat, episode, frame, own, theirs)
        self._states.differs(link, episode, frame)

    def _release(self, frame: int) -> None:
        """What was hashed is held until everybody's hash of it has come, of those who are there."""
        for link in self._links:
            if not self._of[link.peer.number].has_theirs(frame):
                return
        self._states.release(frame)

    def check(self, payload: bytes) -> None:
        """Whole entries, one at least."""
        if not payload or len(payload) % ENTRY_BYTES:
            raise DecodeError(f"a hash block has entries of {ENTRY_BYTES} bytes, this one {len(payload)} bytes")

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """As many entries as fit."""
        exchange = self._of[link.peer.number]
        if not exchange.riding:
            link.be_silent(self.bit)
            return ()
        if link.flush:
            exchange.ride_again()
        rtt = (link.paths.socket if by_socket else link.paths.wire).rtt or 0.0
        again_at = now + min(rtt + 2 * self._period, self._patience)
        entries = exchange.entries(now, again_at, max(1, (room - BLOCK_BYTES) // ENTRY_BYTES))
        return (b"".join(entries),) if entries else ()

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """Compare what came."""
        exchange = self._of[link.peer.number]
        for at in range(0, len(payload), ENTRY_BYTES):
            entry = payload[at : at + ENTRY_BYTES]
            difference = exchange.heard(entry)
            if difference is not None:
                self._differs(link, arrival.running, *difference)
            self._release(int.from_bytes(entry[:4], "big") & (WANT - 1))
        if exchange.riding:
            link.speak(self.bit)
