"""A model of how a seat becomes a person's again while the others play on, small enough to be explored whole.

The design of `pycore.session.comings` (docs/adr/0023-reopening.md), explored before it was built. It begins
where `settling` ends: one player, the last one, was interrupted, all survivors have settled on it, and its seat has its
default action. It comes back, goes again, and one of the survivors may go meanwhile, too; words come late, again, or
never.

`python -m tests.property.reopening 3 2` explores three peers over two frames.

Of who comes and goes each peer counts the *changes*: odd, it is gone; even, it is there. With a return goes the frame
from which on its seat is *open*: a person's again. A peer's *round* is these for everybody. A peer

1. takes the union with the round of every word that it hears: of each player the later change, and of the same return
   the later frame. From a peer that is gone in its own round it takes nothing; with another round everything that
   was heard before is forgotten;
2. who takes a return into its round for the first time sets the frame beyond all that it has said it holds, if it is
   not there already; the frames before have the default action;
3. counts who is back as one of those who are there from that moment on: it confirms nothing without it, and settles
   nobody without its word;
4. who is back gives its first input, that of the open frame, once it has heard a word of its own round from everybody
   who is there: nobody can set the frame higher any more. Before that it takes none from the others either;
5. if it goes again, all settle as ever, on the run of inputs from the open frame on that any of them holds. If nobody
   holds one, its seat was never a person's again.

`RULES` has each rule that can be left out; the tests leave one out at a time and see the exploration find what breaks.
That all who settle wait until everybody holds everything is left out in `settling`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.property.exploring import Explored, explore, report

MOST = 4_000_000
"""States that are explored at most."""
RULES = (
    "raise",  # who takes the return in sets the frame beyond what it has said
    "said",  # … and not only beyond what it has confirmed
    "all",  # the first input waits for everybody's word
    "not before",  # … and so does whatever the others give
    "forget", "same round", "refuse the gone", "freeze",
    "member",  # who is back has a word in what is settled
)  # fmt: skip
THERE, GONE = 2, 3
"""Changes of who comes back, which begins with 1: it was gone once, and that is settled."""


class Round(NamedTuple):
    """Who is there, as one peer knows it."""

    changes: int
    """Of the returner: 1, THERE or GONE."""
    open: int
    """The frame from which on its seat is a person's; 0 before it is back."""
    lost: bool
    """Whether the other one is gone, for good."""

    def joined(self, other: Round) -> Round:
        """The later of both."""
        later = max(self[:2], other[:2])
        return Round(*later, self.lost or other.lost)


class Word(NamedTuple):
    """What a peer holds, as it says it: a set of the returner's inputs as bits, and whether it has the last of the
    other one."""

    held: int
    last: bool


class Peer(NamedTuple):
    """What one peer knows."""

    round: Round
    front: int
    """So many frames it has said that it holds everybody's action of."""
    held: int
    last: bool
    heard: tuple[Word | None, ...]
    """By peer: the word of this round; None: none yet."""
    said: frozenset[tuple[Round, Word]]
    """Words of earlier rounds, which may still arrive."""
    open_to: bool
    """Of the returner: everybody has said the same frame."""
    settled: tuple[int, bool] | None
    """In this round: so many frames in a row from the open one on, and whether the other one's last input counts."""
    agreed: tuple[int | None, bool | None]
    """The same for good: of the returner, and of the other one."""
    records: tuple[tuple[bool, bool], ...]
    """Of each confirmed frame, whether the action of the returner is a person's, and that of the other one."""
    ended: bool
    """It heard that it is gone itself."""


State = tuple[Peer, ...]


def run_from(bits: int, first: int) -> int:
    """How many frames in a row there are from this one on."""
    count = 0
    while bits >> (first + count) & 1:
        count += 1
    return count


class Model:
    """So many peers, the last one the returner and the one before it the one who may go for good, over so many frames:
    of the last of them nobody has the input of the latter without a packet."""

    def __init__(self, peers: int, frames: int, without: str = "") -> None:
        assert not without or without in RULES
        self.peers = peers
        self.frames = frames
        self.back = peers - 1
        self.other = peers - 2
        self.rules = {rule: rule != without for rule in RULES}
        blank = Peer(
            Round(1, 0, False), 0, 0, False, (None,) * peers, frozenset(), False, None, (None, None), (), False
        )  # fmt: skip
        self.first: State = tuple(blank._replace(last=number == self.other) for number in range(peers))

    # -- who is there ------------------------------------------------------------------------------------------------

    def _gone(self, of: Round, number: int) -> bool:
        """Whether a peer is gone in a round."""
        return (number == self.back and of.changes % 2 == 1) or (number == self.other and of.lost)

    def there(self, state: State) -> list[int]:
        """Who is there, by what those know who are."""
        truth = state[0].round
        for number in range(1, self.other):
            truth = truth.joined(state[number].round)
        both = truth if truth.lost else truth.joined(state[self.other].round)
        returner = state[self.back].round
        if both.changes == THERE and returner.changes >= THERE:
            # What it knows of the other one takes that one's word away.
            both = (truth if returner.lost else both).joined(returner)
        return [number for number in range(self.peers) if not self._gone(both, number) and not state[number].ended]

    def _others(self, number: int, of: Round, settling: bool = False) -> list[int]:
        """Who is there besides, in a round."""
        there = [other for other in range(self.peers) if other != number and not self._gone(of, other)]
        if settling and not self.rules["member"] and self.back in there:
            there.remove(self.back)
        return there

    # -- what can happen ---------------------------------------------------------------------------------------------

    def following(self, state: State) -> Iterator[tuple[bool, State]]:
        """Every state that one event leads to, and whether it comes by itself: nobody need come or go."""
        # Who is gone goes on meanwhile, or never says a word more: nobody waits for what it does.
        there = self.there(state)
        for number, peer in enumerate(state):
            if peer.ended:
                continue
            for certain, changed in self._of_peer(state, number, peer):
                if changed != peer:
                    settled = self._settling(changed, number)
                    after = self._confirming((*state[:number], settled, *state[number + 1 :]))
                    yield certain and number in there, self._useful(after)

    def _useful(self, state: State) -> State:
        """The same without what nobody asks for any more: so many states are one."""
        if not (self.rules["forget"] and self.rules["same round"]):
            return state
        useful = []
        for number, peer in enumerate(state):
            said = frozenset(
                (of, word)
                for of, word in peer.said
                if any(
                    not receiver.ended and (of == receiver.round or of.joined(receiver.round) != receiver.round)
                    for other, receiver in enumerate(state)
                    if other != number
                )
            )
            heard = peer.heard if self._listens(peer, number) else (None,) * self.peers
            useful.append(peer._replace(said=said, heard=heard))
        return tuple(useful)

    def _listens(self, peer: Peer, number: int) -> bool:
        """Whether it still matters what others say they hold."""
        of = peer.round
        settles = peer.settled is None and (of.lost or of.changes == GONE)
        return not peer.ended and (settles or (number == self.back and of.changes == THERE and not peer.open_to))

    def _of_peer(self, state: State, number: int, peer: Peer) -> Iterator[tuple[bool, Peer]]:
        of = peer.round
        if number != self.back and of.changes == 1:
            yield False, self._joined(peer, number, of._replace(changes=THERE))
        if number != self.back and of.changes == THERE:
            yield False, self._joined(peer, number, of._replace(changes=GONE))
        if number != self.other and not of.lost and (number != self.back or of.changes == THERE):
            yield False, self._joined(peer, number, of._replace(lost=True))
        yield True, self._holding_more(peer, number)
        if number == self.back:
            yield True, self._giving(peer)
        yield from ((True, changed) for changed in self._packets(state, number, peer))

    def _packets(self, state: State, number: int, peer: Peer) -> Iterator[Peer]:
        of = peer.round
        for other, speaker in enumerate(state):
            if other == number:
                continue
            if not (self._gone(of, other) and self.rules["refuse the gone"]):
                yield from self._words(peer, number, other, speaker)
            # Who is not there in the speaker's round is sent nothing.
            if self._gone(speaker.round, number):
                continue
            # An input of its own.
            frozen = self._gone(of, other) and self.rules["freeze"]
            if other == self.back and of.changes >= THERE and not frozen:
                for frame in range(self.frames):
                    yield peer._replace(held=peer.held | speaker.held & 1 << frame)
            hears = number != self.back or (of.changes == THERE and (peer.open_to or not self.rules["not before"]))
            if other == self.other and not frozen and hears:
                yield peer._replace(last=True)
            # What another survivor passes on.
            if not self._gone(of, other):
                if of.changes == speaker.round.changes == GONE and number != self.back:
                    for frame in range(self.frames):
                        yield peer._replace(held=peer.held | speaker.held & 1 << frame)
                if of.lost and speaker.round.lost and speaker.last:
                    yield peer._replace(last=True)

    def _words(self, peer: Peer, number: int, other: int, speaker: Peer) -> Iterator[Peer]:
        """The speaker's word of now, or one of an earlier round that comes late."""
        for of, word in ((speaker.round, Word(speaker.held, speaker.last)), *speaker.said):
            if self._gone(of, number) and not (number == self.back and of.changes <= peer.round.changes):
                # Of itself it hears it once it was there; that it was gone before is no news.
                yield peer._replace(ended=True)
                continue
            if self._gone(of, number) and number == self.back:
                continue
            joined = self._joined(peer, number, peer.round.joined(of))
            if joined.round != of and self.rules["same round"]:
                yield joined
                continue
            before = joined.heard[other]
            now = word if before is None else Word(before.held | word.held, before.last or word.last)
            yield joined._replace(heard=(*joined.heard[:other], now, *joined.heard[other + 1 :]))

    def _joined(self, peer: Peer, number: int, of: Round) -> Peer:
        """The peer in another round."""
        before = peer.round
        if before.changes == 1 and of.changes == THERE and number != self.back and self.rules["raise"]:
            beyond = peer.front if self.rules["said"] else len(peer.records)
            of = of._replace(open=max(of.open, beyond))
        if of == before:
            return peer
        said = peer.said | {(before, Word(peer.held, peer.last))}
        heard = (None,) * self.peers if self.rules["forget"] else peer.heard
        return peer._replace(round=of, heard=heard, said=said, settled=None)

    def _holding_more(self, peer: Peer, number: int) -> Peer:
        """The peer with one frame more of which it holds everybody's action, and says so, if that is so."""
        frame = peer.front
        of = peer.round
        if frame == self.frames or (number == self.back and of.changes != THERE):
            return peer
        default = of.changes == 1 or frame < of.open or (of.changes == GONE and peer.settled is not None)
        lost = of.lost and peer.settled is not None
        if (default or peer.held >> frame & 1) and (frame < self.frames - 1 or peer.last or lost):
            return peer._replace(front=frame + 1)
        return peer

    def _giving(self, peer: Peer) -> Peer:
        """The returner with its next input, if it may give one."""
        of = peer.round
        if of.changes != THERE:
            return peer
        others = [peer.heard[other] is not None for other in self._others(self.back, of)]
        if not peer.open_to:
            heard = all(others) if self.rules["all"] else any(others)
            return peer._replace(open_to=heard)
        frame = of.open + run_from(peer.held, of.open)
        return peer if frame >= self.frames else peer._replace(held=peer.held | 1 << frame)

    def _settling(self, peer: Peer, number: int) -> Peer:
        """The peer, settled if it can be."""
        of = peer.round
        if peer.settled is not None or not (of.lost or of.changes == GONE):
            return peer
        words = [peer.heard[other] for other in self._others(number, of, settling=True)]
        known = [Word(peer.held, peer.last), *[word for word in words if word is not None]]
        if len(known) <= len(words):
            return peer
        union = 0
        for word in known:
            union |= word.held
        returner, other = peer.agreed
        count = 0
        if of.changes == GONE:
            count = run_from(union, of.open)
            if any(run_from(word.held, of.open) < count for word in known):
                return peer
            returner = count
        last = any(word.last for word in known)
        if of.lost:
            if last and not all(word.last for word in known):
                return peer
            other = last
        return peer._replace(settled=(count, last), agreed=(returner, other))

    def _confirming(self, state: State) -> State:
        """Everybody confirms what it can."""
        for number, peer in enumerate(state):
            of = peer.round
            if peer.ended or (number == self.back and of.changes != THERE):
                continue
            fronts = [peer.front]
            for other in self._others(number, of):
                speaker = state[other]
                # A packet of a later round is heard before it counts, and who calls us gone sends none.
                heard = of.joined(speaker.round) == of and not self._gone(speaker.round, number)
                fronts.append(speaker.front if heard else 0)
            records = peer.records
            while len(records) < min(fronts):
                frame = len(records)
                person = of.changes != 1 and frame >= of.open and bool(peer.held >> frame & 1)
                if of.changes == GONE and peer.settled is not None and frame >= of.open + peer.settled[0]:
                    person = False
                other_one = frame < self.frames - 1 or peer.last
                records = (*records, (person, other_one))
            if records != peer.records:
                state = (*state[:number], peer._replace(records=records), *state[number + 1 :])
        return state

    # -- what must hold ----------------------------------------------------------------------------------------------

    def judge(self, before: State, state: State) -> Iterator[str]:
        """The laws of one state, and of the step that led to it."""
        there = self.there(state)
        for number, peer in enumerate(state):
            for other in range(number):
                for frame, (one, two) in enumerate(zip(peer.records, state[other].records)):  # noqa: B905 - the shorter
                    if one != two:
                        yield f"peers {other} and {number} recorded frame {frame} as {two} and {one}"
            if number not in there:
                continue
            for place, what in enumerate(("the returner", "the other one")):
                mine, mine_before = peer.agreed[place], before[number].agreed[place]
                if mine_before is not None and mine != mine_before:
                    yield f"peer {number} settled {what} at {mine_before}, then at {mine}"
                for other, of in enumerate(state[:number]):
                    theirs = of.agreed[place]
                    gone = other not in there
                    if None not in (mine, theirs) and mine != theirs and not gone:
                        yield f"peers {other} and {number} settled {what} at {theirs} and {mine}"
                    # What anybody who is there holds was perhaps shown to somebody.
                    if gone or mine is None or self._gone(peer.round, other):
                        continue
                    if place == 0 and run_from(of.held, peer.round.open) > mine:
                        yield f"peer {number} settled the returner at {mine}, peer {other} holds more"
                    if place == 1 and of.last and not mine:
                        yield f"peer {number} settled the other one without an input that peer {other} holds"
        returner = state[self.back]
        if not returner.held:
            return
        for number, peer in enumerate(state[: self.back]):
            # Whoever it counts as there stands at the open frame, until it has an input.
            if number not in there or self._gone(returner.round, number):
                continue
            if peer.round.changes == 1 or peer.round.open != returner.round.open:
                yield f"an input of frame {returner.round.open}, and peer {number} is in {peer.round}"

    def judge_end(self, state: State) -> Iterator[str]:
        """Where nothing comes by itself any more, all who are left are of one mind, and have confirmed everything."""
        there = self.there(state)
        if any(state[other].ended for number in there for other in self._others(number, state[number].round)):
            # Somebody heard of one that is gone itself that it is gone: it will be found out.
            return
        if len({state[number].round for number in there}) > 1:
            yield f"peers {there} are in the rounds {[state[number].round for number in there]}"
        for number in there:
            if len(state[number].records) < self.frames:
                yield f"peer {number} stands at frame {len(state[number].records)}"

    def steps(self, state: State) -> Iterator[tuple[bool, State]]:
        """What follows and is another state."""
        for certain, following in self.following(state):
            if following != state:
                yield certain, following

    def features(self, state: State) -> Iterator[str]:
        """Whether somebody holds an input of who came back, and has settled who went again, with inputs of it."""
        if any(peer.held for peer in state[: self.back]):
            yield "given"
        if any(peer.agreed[0] for peer in state):
            yield "settled"

    def explore(self, most: int = MOST) -> Explored:
        """Every state that can be reached; stops at the first fault."""
        return explore(self, most)


def main(argv: list[str] | None = None) -> int:
    """Explore one model; status 1 if it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.property.reopening", description=__doc__)
    parser.add_argument("peers", type=int)
    parser.add_argument("frames", type=int)
    parser.add_argument("--without", choices=RULES, default="")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    given = parser.parse_args(argv)
    return report(Model(given.peers, given.frames, given.without), MOST, given.json)


if __name__ == "__main__":
    sys.exit(main())
