"""How survivors agree on the last input of who is gone: the rules of one survivor, without time and packets.

A survivor's *round* is the set of peers that it knows to be gone. Whatever it sends says its round, and which inputs of
theirs it holds: its *word*. Whoever hears of another round takes the union, and forgets what was said before. When the
words of all other survivors are of the own round and episode, the *settled frame* of a seat is the end of the unbroken
run of what any of them holds; and all have settled when all words hold everything up to it. Nobody takes anything of
its round from the gone themselves, so the union does not change any more, and all compute the same one, in this round
and in any later one (`docs/adr/0018-settling.md`; every order of events is explored in `tests/property/settling.py`).

Who was gone may be back (`docs/adr/0023-reopening.md`). Of who comes and goes a round counts the *changes*: odd, that
one is gone; even, it is there. With a return goes the frame from which on its seat is *open*, a person's again; of the
same return the latest that anybody names counts.

A READY is held like an input: who has that of a gone peer passes it on, so that all begin an episode with the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pycore.frozen import Named


class Held(Named):
    """What a survivor holds of one seat: everything up to frame `mark`, and beyond it frame mark + 1 + i where bit i of
    `beyond` is set."""

    mark: int
    beyond: int

    def has(self, frame: int) -> bool:
        """Whether the input of a frame is held."""
        return frame <= self.mark or bool(self.beyond >> (frame - self.mark - 1) & 1)

    def joined(self, other: Held) -> Held:
        """What one of the two holds."""
        mark = max(self.mark, other.mark)
        beyond = self.beyond >> (mark - self.mark) | other.beyond >> (mark - other.mark)
        while beyond & 1:
            mark += 1
            beyond >>= 1
        return Held(mark, beyond)


NOTHING = Held(-1, 0)


class Back(Named):
    """Somebody who was gone, and came back."""

    changes: int
    """How often it went or came: even, it is there; odd, it has gone again since."""
    load: int
    incarnation: int
    episode: int
    settled: int
    """The last frame of that episode with an action of its own before it came back; -1: there was none."""
    frame: int
    """From this one of that episode on its seat is its own again."""

    @property
    def place(self) -> tuple[int, int]:
        """Episode and frame."""
        return self.episode, self.frame

    def joined(self, other: Back) -> Back:
        """The same return as two know it: the later load, and the later frame."""
        page = max(self, other, key=lambda back: back.load)
        place = max(self, other, key=lambda back: back.place)
        return Back(self.changes, page.load, page.incarnation, place.episode, place.settled, place.frame)


NOBODY: Mapping[int, Back] = MappingProxyType({})


class Word(Named):
    """What a survivor says."""

    gone: int
    """Its round: a bit for each peer, by number."""
    episode: int
    held: Mapping[int, Held]
    """Inputs of that episode, by seat of who is gone."""
    ready: int
    """Of whom of the gone it has the READY of that episode, a bit each."""
    settled: bool
    """It has settled that round in that episode."""
    knows: bool
    """It knows that the receiver has, too."""
    backs: Mapping[int, Back] = NOBODY
    """Who ever came back, by number."""

    def changes(self, peer: int) -> int:
        """How often a peer went or came, as its sender knows."""
        back = self.backs.get(peer)
        return self.gone >> peer & 1 if back is None else back.changes


class Settled(Named):
    """What all survivors have agreed on."""

    frames: dict[int, int]
    """The last frame with an input of their own, by seat of who is gone."""
    ready: int
    """Who of the gone was ready for the episode, a bit each."""


class Round:
    """One survivor's round, and what the others said of it."""

    __slots__ = ("backs", "gone", "words")

    def __init__(self) -> None:
        self.gone = 0
        self.backs: dict[int, Back] = {}
        """Who ever came back, by number."""
        self.words: dict[int, Word] = {}
        """The others' words of this very round, by peer."""

    @property
    def begun(self) -> bool:
        """Whether anybody ever went."""
        return bool(self.gone or self.backs)

    def changes(self, peer: int) -> int:
        """How often a peer went or came."""
        back = self.backs.get(peer)
        return self.gone >> peer & 1 if back is None else back.changes

    def join(self, gone: int, backs: Mapping[int, Back] = NOBODY) -> bool:
        """These are gone as well, or back; true if that is news. Then it is another round, of which nobody has said
        anything."""
        found = {**self.backs}
        for peer, back in backs.items():
            own = found.get(peer)
            if own is not None and own.changes == back.changes:
                found[peer] = own.joined(back)
            elif back.changes > self.changes(peer):
                found[peer] = back
        bits = self.gone | gone
        for peer, back in found.items():
            bits = bits & ~(1 << peer) | (back.changes & 1) << peer
        if (bits, found) == (self.gone, self.backs):
            return False
        self.gone = bits
        self.backs = found
        self.words = {}
        return True

    def goes(self, peer: int) -> None:
        """A peer is gone, perhaps again."""
        back = self.backs.get(peer)
        if back is None:
            self.join(1 << peer)
        elif not back.changes & 1:
            self.join(0, {peer: back._replace(changes=back.changes + 1)})

    def hear(self, peer: int, word: Word) -> bool:
        """A word came; true if somebody in it was not known to be gone. Who is gone itself is not listened to."""
        if self.gone >> peer & 1:
            return False
        news = self.join(word.gone, word.backs)
        if word.gone == self.gone and word.backs == self.backs:
            before = self.words.get(peer)
            if before is not None and before.episode == word.episode:
                # An older packet may come after a newer one.
                word = Word(
                    word.gone,
                    word.episode,
                    {seat: held.joined(before.held.get(seat, NOTHING)) for seat, held in word.held.items()},
                    word.ready | before.ready,
                    word.settled or before.settled,
                    word.knows or before.knows,
                    word.backs,
                )
            if before is None or before.episode <= word.episode:
                self.words[peer] = word
        return news

    def forget(self, peer: int) -> None:
        """What a survivor said counts no more: another load of its page speaks now."""
        self.words.pop(peer, None)

    def of(self, peer: int, episode: int) -> Word | None:
        """What a survivor said of this round and an episode last."""
        word = self.words.get(peer)
        return word if word is not None and word.episode == episode else None

    def all_settled(self, episode: int, others: Iterable[int]) -> bool:
        """Whether these survivors have all said that they have settled this round in an episode."""
        words = [self.of(peer, episode) for peer in others]
        return all(word is not None and word.settled for word in words)

    def settle(self, own: Word, others: Iterable[int]) -> Settled | None:
        """What is settled in the episode of the `own` word with these survivors; None: not everybody has said that it
        holds everything."""
        words = [own]
        for peer in others:
            word = self.of(peer, own.episode)
            if word is None:
                return None
            words.append(word)
        frames = {seat: run_of([word.held.get(seat, NOTHING) for word in words]) for seat in own.held}
        ready = 0
        for word in words:
            ready |= word.ready
        for word in words:
            if word.ready != ready or any(word.held.get(seat, NOTHING).mark < frames[seat] for seat in frames):
                return None
        return Settled(frames, ready)


def run_of(held: Sequence[Held]) -> int:
    """The last frame of the unbroken run of what any of these holds."""
    union = held[0]
    for other in held[1:]:
        union = union.joined(other)
    return union.mark
