"""GONE: who is gone, what the sender holds of them, and whom it does not hear.

    u8 0 | u8 marks | u8 episode | u16 not heard | u16 gone | u16 ready | u8 why, for each who is gone, by number |
           for each seat of theirs, ascending: i32 frame up to which its inputs are held, -1: it gave none |
           u8 n, then n bytes: those beyond, the next frame in the lowest bit |
           only where somebody ever came back, for each of them: u8 number | u8 changes | u8 load | u32 incarnation |
           u8 episode | i32 last frame with an action of its own before | u32 frame from which on its seat is open
    u8 1 | u8 episode | u8 peer | a READY that this peer, which is gone, said for the episode

The three sets have a bit for each peer, by number; `ready` is whose READY of the episode the sender has. Marks:
SETTLED, "I have settled this round in this episode"; KNOWS, "I know that you have"; WANTS, "I do not know that you know
of me". It rides until both sides have settled and know it of each other; then who hears a WANTS answers it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, Protocol

from pycore.errors import DecodeError
from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.episode import Episode
from pycore.session.roster import Roster
from pycore.session.settling import Back, Held, Word
from pycore.session.topics import ready
from pycore.session.topics.topic import GONE, Arrival, fixed_size
from pycore.wire.datagram import VERSION

SETTLED: Final = 1
KNOWS: Final = 2
WANTS: Final = 4
WORD: Final = 0
READY_OF: Final = 1
CAUSES: Final = ("left", "silent", "returned", "error")
"""Why somebody is gone; the position is the number that travels."""
_HEAD: Final = 9
_READY_HEAD: Final = 3
BEYOND_BYTES: Final = 64
"""Frames beyond a hole: no ring of frames has more."""
_BACK: Final = Struct(">BBBIBiI")
NOT_OPEN: Final = 4096
"""Frames of an episode that has not begun here: more than a window and the longest input delays."""


class Hearer(Protocol):
    """Whom the words are for."""

    def says(self, link: Link) -> tuple[Word, int, bool] | None:
        """Our word for a link, whom we do not hear, and whether it wants an answer; None: there is nothing to say."""

    def heard(self, link: Link, word: Word, causes: Sequence[str], unheard: int, wants: bool, now: float) -> None:
        """A word came; `causes` are why those in it are gone, by number."""

    def heard_ready(self, peer: int, episode: int, payload: bytes) -> None:
        """The READY of somebody who is gone came from another survivor."""


class Gone:
    """The words of all survivors on their way."""

    kind = GONE
    bit = 1 << GONE
    of_session = True

    def __init__(self, roster: Roster, episode: Episode, timeline: Timeline, hearer: Hearer) -> None:
        self._roster = roster
        self._episode = episode
        self._timeline = timeline
        self._hearer = hearer
        self._peers = sum([1 << number for number in roster.seats_of])
        """All that there are, a bit each."""

    def check(self, payload: bytes) -> None:
        """Every part must be there; frames that nobody can have reached are refused."""
        if payload[:1] == bytes((READY_OF,)):
            if len(payload) < _READY_HEAD or not self._peers >> payload[2] & 1:
                raise DecodeError("a passed on READY is of nobody")
            if payload[_READY_HEAD : _READY_HEAD + 1] != bytes((VERSION,)):
                raise DecodeError("a passed on READY is of another protocol")
            ready.read(payload[_READY_HEAD:])
            return
        if payload[:1] != bytes((WORD,)):
            raise DecodeError("a GONE block of an unknown form")
        if len(payload) < _HEAD:
            fixed_size("GONE", _HEAD, payload)
        word, unheard, _wants = self._read(payload)
        if (unheard | word.gone | word.ready) & ~self._peers or word.ready & ~word.gone:
            raise DecodeError("a GONE block names peers that there are not")
        for number, back in word.backs.items():
            if len(self._roster.seats_of.get(number, ())) != 1 or back.changes < 2:
                raise DecodeError("a GONE block names somebody who came back and never was here")
            if (back.changes ^ word.gone >> number) & 1:
                raise DecodeError("a GONE block names somebody who is gone and is not")
        ahead = (word.episode - self._episode.number) & 0xFF
        if ahead <= 1:
            # Of an episode that is not open here nobody has more frames than can be reached without us.
            reached = self._timeline.frames.reached
            opened = reached if self._episode.open and not ahead else max(NOT_OPEN, reached)
            # Who comes back may be named a frame that lies as far ahead as anybody plays on without it.
            furthest = opened + self._timeline.frames.size
            if any(back.frame > furthest for back in word.backs.values() if back.episode == word.episode):
                raise DecodeError(f"a seat that is open from a frame on that lies beyond {furthest}")
            opened = max([opened, *[back.frame for back in word.backs.values() if back.episode == word.episode]])
            for seat, held in word.held.items():
                if held.mark + held.beyond.bit_length() > opened:
                    raise DecodeError(f"inputs of seat {seat} that nobody can have given while {opened} is the last")

    def payloads(self, link: Link, now: float, by_socket: bool, room: int) -> Sequence[bytes]:
        """Until both sides have settled and know it, and while somebody is not heard."""
        said = self._hearer.says(link)
        if said is None:
            link.be_silent(self.bit)
            return ()
        word, unheard, wants = said
        marks = (SETTLED if word.settled else 0) | (KNOWS if word.knows else 0) | (WANTS if wants else 0)
        head = bytes((WORD, marks, word.episode & 0xFF))
        parts = [head, *[bits.to_bytes(2, "big") for bits in (unheard, word.gone, word.ready)]]
        parts.append(bytes([CAUSES.index(self._roster.gone[number].cause) for number in sorted(self._roster.gone)]))
        for seat in sorted(word.held):
            held = word.held[seat]
            beyond = held.beyond.to_bytes((held.beyond.bit_length() + 7) // 8, "little")
            parts += [held.mark.to_bytes(4, "big", signed=True), bytes((len(beyond),)), beyond]
        for number, back in sorted(word.backs.items()):
            parts.append(_BACK.pack(number, back.changes & 0xFF, *back[1:]))
        return (b"".join(parts),)

    def take(self, link: Link, payload: bytes, arrival: Arrival) -> None:
        """It was checked; of which episode it is the packet says."""
        if payload[0] == READY_OF:
            if payload[1] == arrival.episode & 0xFF:
                self._hearer.heard_ready(payload[2], arrival.episode, payload[_READY_HEAD:])
            return
        if payload[2] != arrival.episode & 0xFF:
            # It was looked at as one of another episode.
            return
        word, unheard, wants = self._read(payload)
        codes = payload[_HEAD : _HEAD + word.gone.bit_count()]
        causes = [CAUSES[code] if code < len(CAUSES) else CAUSES[0] for code in codes]
        self._hearer.heard(link, word._replace(episode=arrival.episode), causes, unheard, wants, arrival.now)

    def _read(self, payload: bytes) -> tuple[Word, int, bool]:
        """The word, with the low byte of its episode. Raises DecodeError."""
        marks = payload[1]
        unheard, gone, held_ready = [int.from_bytes(payload[at : at + 2], "big") for at in (3, 5, 7)]
        at = _HEAD + gone.bit_count()
        held = {}
        for seat in self._roster.seats(gone):
            if at + 5 > len(payload):
                raise DecodeError("a GONE block is cut off")
            mark = int.from_bytes(payload[at : at + 4], "big", signed=True)
            size = payload[at + 4]
            at += 5
            if size > BEYOND_BYTES or at + size > len(payload) or mark < -1:
                raise DecodeError("a GONE block is cut off, or has frames that there are not")
            held[seat] = Held(mark, int.from_bytes(payload[at : at + size], "little"))
            at += size
        if (len(payload) - at) % _BACK.size:
            raise DecodeError(f"{len(payload) - at} bytes behind the end of a GONE block")
        backs = {number: Back(*of) for number, *of in _BACK.iter_unpack(payload[at:])}
        word = Word(gone, payload[2], held, held_ready, bool(marks & SETTLED), bool(marks & KNOWS), backs)
        return word, unheard, bool(marks & WANTS)


def passed_on(episode: int, peer: int, payload: bytes) -> bytes:
    """The payload that passes on the READY of somebody who is gone."""
    return bytes((READY_OF, episode & 0xFF, peer)) + payload
