"""A model of how survivors settle on the last input of players who are gone, small enough to be explored whole.

It is the design of `pycore.session.settling` (docs/adr/0018-settling.md): every order in which inputs, words and drops
can come, with words that come late, again or never.

`python -m tests.property.settling 4 2 1` explores four peers of whom two may go, each with one input on the way: some
888,000 states, in about two minutes.

Who is gone is decided elsewhere, and heard by each survivor in its own time, or from another survivor. A peer's *round*
is the set of peers whom it knows to be gone. A survivor

1. takes nothing more of a peer from itself, once that is in its round;
2. says, whenever it says anything, its round and what it holds of everybody in it (the word);
3. takes the union with the round of every word that it hears, unless the sender is in its own round: that is
   nothing. With another round everything that was heard before is forgotten;
4. passes on, of those in its round, what another survivor lacks (the backfill); what comes from a peer in its own round
   is nothing;
5. knows the *settled frame* of each who is gone as soon as it has heard a word of its own round from every other
   survivor: the last of the unbroken run of what any of them holds;
6. has settled once each of these words, and itself, holds everything up to it. Behind it the default action counts.

`RULES` has each rule that can be left out; the tests leave one out at a time and see the exploration find what breaks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.property.exploring import Explored, explore, report

Held = tuple[int, ...]
"""Per victim, a set of frames as bits."""
Word = tuple[int, Held]
"""A round, as bits of victims, and what the speaker holds."""
NOTHING = -1
MOST = 3_000_000
"""States that are explored at most."""
RULES = ("freeze", "refuse the gone", "forget", "everybody holds", "same round")


class Peer(NamedTuple):
    """What one peer knows."""

    round: int
    held: Held
    heard: tuple[Held | None, ...]
    """By peer: the word of this round, None: none yet."""
    said: tuple[Held | None, ...]
    """By round: what was held when it was last spoken of, by which an old word may still arrive."""
    settled: Held
    """By victim: the settled frame; UNSETTLED: not yet."""
    ended: bool
    """It heard that it is gone itself."""


State = tuple[Peer, ...]
UNSETTLED = NOTHING - 1


def run_of(bits: int) -> int:
    """The last frame of the unbroken run from frame 0; -1: not even that one."""
    last = NOTHING
    while bits >> (last + 1) & 1:
        last += 1
    return last


class Model:
    """So many peers, of whom the last `victims` may be gone, each with so many inputs on the way to everybody."""

    def __init__(self, peers: int, victims: int, frames: int, without: str = "") -> None:
        assert not without or without in RULES
        self.peers = peers
        self.victims = tuple(range(peers - victims, peers))
        self.frames = frames
        self.rules = {rule: rule != without for rule in RULES}
        rounds = 1 << victims
        blank = Peer(0, (0,) * victims, (None,) * peers, (None,) * rounds, (UNSETTLED,) * victims, False)
        everything = (1 << frames) - 1
        # A victim has its own inputs.
        self.first: State = tuple(
            blank._replace(held=tuple(everything if victim == peer else 0 for victim in self.victims))
            for peer in range(peers)
        )

    def _gone(self, of: Peer, peer: int) -> bool:
        """Whether a peer is in the round of another."""
        first = self.victims[0]
        return peer >= first and bool(of.round >> (peer - first) & 1)

    # -- what can happen ------------------------------------------------------------------------------------------

    def following(self, state: State) -> Iterator[State]:
        """Every state that one event leads to."""
        for number, peer in enumerate(state):
            if peer.ended:
                continue
            for changed in self._of_peer(state, number, peer):
                if changed != peer:
                    # Whoever can settle does so at once.
                    yield (*state[:number], self._settling(changed, number), *state[number + 1 :])

    def _of_peer(self, state: State, number: int, peer: Peer) -> Iterator[Peer]:
        for place, victim in enumerate(self.victims):
            if victim == number:
                continue
            frozen = self._gone(peer, victim)
            if not frozen:
                yield self._joined(peer, peer.round | 1 << place)
            # An input of a victim comes in, from itself.
            if not frozen or not self.rules["freeze"]:
                for frame in range(self.frames):
                    yield self._holding(peer, place, 1 << frame)
        for other, speaker in enumerate(state):
            if other == number or (self._gone(peer, other) and self.rules["refuse the gone"]):
                continue
            yield from self._words(peer, number, other, speaker)
            # Backfill, of what both know to be of somebody who is gone, or of what was passed on before the speaker
            # went further: a peer never loses what it holds.
            for place in range(len(self.victims)):
                if speaker.round >> place & 1 and peer.round >> place & 1:
                    for frame in range(self.frames):
                        if speaker.held[place] >> frame & 1:
                            yield self._holding(peer, place, 1 << frame)

    def _words(self, peer: Peer, number: int, other: int, speaker: Peer) -> Iterator[Peer]:
        """The speaker's word of now, or one of an earlier round that comes late."""
        words = [(speaker.round, speaker.held)] if speaker.round else []
        words += [(of, held) for of, held in enumerate(speaker.said) if held is not None and of != speaker.round]
        for of, held in words:
            if number >= self.victims[0] and of >> (number - self.victims[0]) & 1:
                yield peer._replace(ended=True)
                continue
            joined = self._joined(peer, peer.round | of)
            if joined.round != of and self.rules["same round"]:
                yield joined
                continue
            before = joined.heard[other]
            now = held if before is None else tuple(a | b for a, b in zip(before, held, strict=True))
            yield joined._replace(heard=(*joined.heard[:other], now, *joined.heard[other + 1 :]))

    def _joined(self, peer: Peer, of: int) -> Peer:
        """The peer in another round."""
        if of == peer.round:
            return peer
        said = peer.said
        if peer.round:
            said = (*said[: peer.round], peer.held, *said[peer.round + 1 :])
        heard = (None,) * self.peers if self.rules["forget"] else peer.heard
        return peer._replace(round=of, heard=heard, said=said)

    def _holding(self, peer: Peer, place: int, frames: int) -> Peer:
        held = (*peer.held[:place], peer.held[place] | frames, *peer.held[place + 1 :])
        return peer._replace(held=held)

    def _settling(self, peer: Peer, number: int) -> Peer:
        """The peer, settled if it can be."""
        others = [other for other in range(self.peers) if other != number and not self._gone(peer, other)]
        words = [peer.heard[other] for other in others]
        if not peer.round or any(word is None for word in words):
            return peer
        settled = list(peer.settled)
        for place in range(len(self.victims)):
            if not peer.round >> place & 1:
                continue
            all_held = [peer.held[place], *(word[place] for word in words if word is not None)]
            union = 0
            for held in all_held:
                union |= held
            last = run_of(union)
            asked = all_held if self.rules["everybody holds"] else all_held[:1]
            if any(run_of(held) < last for held in asked):
                return peer
            settled[place] = last
        return peer._replace(settled=tuple(settled))

    # -- what must hold -------------------------------------------------------------------------------------------

    def judge(self, before: State | None, state: State) -> Iterator[str]:
        """The laws of one state, and of the step that led to it."""
        for place in range(len(self.victims)):
            # Who is gone itself is not asked: it takes back what it did, when it hears of it.
            frames = {
                peer.settled[place]
                for number, peer in enumerate(state)
                if peer.settled[place] != UNSETTLED and not any(self._gone(of, number) for of in state)
            }
            if len(frames) > 1:
                yield f"survivors settled victim {place} at frames {sorted(frames)}"
            for number, peer in enumerate(state):
                last = peer.settled[place]
                if last == UNSETTLED or any(self._gone(of, number) for of in state):
                    continue
                if before is not None and before[number].settled[place] not in (UNSETTLED, last):
                    yield f"peer {number} settled victim {place} at {before[number].settled[place]}, then at {last}"
                for other, of in enumerate(state):
                    if self._gone(peer, other) or other == self.victims[place] or of.ended:
                        continue
                    if of.round >> place & 1 and not any(self._gone(third, other) for third in state):
                        if run_of(of.held[place]) < last:
                            yield f"peer {number} settled victim {place} at {last}, peer {other} does not hold it"
                        if run_of(of.held[place]) > last:
                            yield f"peer {number} settled victim {place} at {last}, peer {other} holds more"

    def judge_end(self, state: State) -> Iterator[str]:
        """Where nothing can change any more, everybody who is left has settled everybody who is gone."""
        gone = 0
        for number, peer in enumerate(state):
            if number < self.victims[0]:
                gone |= peer.round
        for number, peer in enumerate(state):
            dead = number >= self.victims[0] and gone >> (number - self.victims[0]) & 1
            if dead or peer.ended:
                continue
            if peer.round != gone:
                yield f"peer {number} never heard of round {gone:b}"
            for place in range(len(self.victims)):
                if gone >> place & 1 and peer.settled[place] == UNSETTLED:
                    yield f"peer {number} never settled victim {place}"

    def steps(self, state: State) -> Iterator[tuple[bool, State]]:
        """What follows: every event of this model comes in the end."""
        for following in self.following(state):
            yield True, following

    def features(self, state: State) -> Iterator[str]:
        """Whether somebody has settled."""
        if any(max(peer.settled) > UNSETTLED for peer in state):
            yield "settled"

    def explore(self, most: int = MOST) -> Explored:
        """Every state that can be reached; stops at the first fault."""
        return explore(self, most)


def main(argv: list[str] | None = None) -> int:
    """Explore one model; status 1 if it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.settling", description=__doc__)
    parser.add_argument("peers", type=int)
    parser.add_argument("victims", type=int)
    parser.add_argument("frames", type=int)
    parser.add_argument("--without", choices=RULES, default="")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    given = parser.parse_args(argv)
    return report(Model(given.peers, given.victims, given.frames, given.without), MOST, given.json)


if __name__ == "__main__":
    sys.exit(main())
