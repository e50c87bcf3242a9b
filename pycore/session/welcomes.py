"""Others whose page was loaded again: they are taken in anew, and told what they need to play on.

A page that is gone without being gone for good cannot acknowledge anything, so nobody confirms a frame that it has not:
everything behind the last confirmed frame is still in the ring of everybody who is there. What came before is kept as
the encoded actions of all (`Publication.past`). So whoever returns needs nothing but inputs, and steps them itself.

Of its own inputs behind the confirmed frames others may hold some, and each perhaps others. From the moment at which we
take the new load in, nothing more is taken of the one before, and what we hold of it is told. Nobody else decides
anything: the returner gives no input before it has heard from everybody who is there, and then resends what one of them
holds as its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from pycore.events import Log, Returned
from pycore.link.link import Link
from pycore.session.beginning import Beginning
from pycore.session.drops import Drops
from pycore.session.journal import Journal
from pycore.session.membership import Membership
from pycore.session.messages.account import NOTHING, PIECE_BYTES, Account, Piece, encode_account, encode_piece
from pycore.session.messages.message import ACCOUNT, PAST
from pycore.session.pacing import Pacing
from pycore.session.phases import DONE
from pycore.session.stage import Stage
from pycore.session.streams import Streams
from pycore.session.topics.hashes import Hashes
from pycore.session.topics.over import Over
from pycore.session.topics.returns import BYTES as RETURN_BYTES
from pycore.session.topics.returns import Knock, read
from pycore.session.topics.topic import END, GONE, HASH, READY, RETURN, STATUS, STOP, TERMS

UNDER_WAY: Final = 8 * PIECE_BYTES
"""Of what is told, bytes that may wait in the stream."""
CATCHES_UP: Final = 0.5
"""Seconds that a page takes to come back, besides stepping what was played."""
SAID_AGAIN: Final = sum([1 << kind for kind in (TERMS, READY, STOP, END, HASH, GONE, STATUS)])
"""Topics that may have something to say; each is silent by itself where it has not."""


class Returner(Protocol):
    """We, where we return ourselves."""

    def loaded_again(self, link: Link) -> None:
        """A peer's page was loaded again, too, while we are on our way: what the load before said it may not go on
        with."""


class Telling:
    """What is told to one load of a peer's page, and how far that has got."""

    __slots__ = ("begun", "episode", "last", "load", "nothing", "pieces", "whole")

    def __init__(self, load: int) -> None:
        self.load = load
        self.begun = False
        """The account are in the stream."""
        self.whole = False
        """The whole past was asked for."""
        self.nothing = False
        """It was told that we return ourselves: perhaps it goes by what the others say alone."""
        self.episode = 0
        self.last = -1
        self.pieces: list[tuple[int, int]] = []
        """(seat, first frame) of what is still to be told, the next one last."""

    def begin(self, episode: int, last: int) -> None:
        """The account of this episode, which is confirmed up to frame `last`, are in the stream."""
        self.begun = True
        self.episode = episode
        self.last = last

    def begin_empty(self) -> None:
        """The account that says nothing is in the stream."""
        self.begin(0, -1)
        self.nothing = True

    def begin_anew(self) -> None:
        """What was told is not all that there is to tell by now."""
        self.begun = False

    def ask_whole(self) -> None:
        """The whole past was asked for."""
        self.whole = True

    def tell(self, seats: Sequence[int], first: int) -> None:
        """The past of these seats is to be told from a frame on."""
        self.pieces = [(seat, first) for seat in reversed(seats)] if self.last >= 0 else []


class Welcomes:
    """Takes in anew whoever returns. `within`: the study's `return_within`, 0: nobody does."""

    def __init__(
        self,
        within: float,
        streams: Streams,
        stage: Stage,
        pacing: Pacing,
        beginning: Beginning,
        drops: Drops,
        membership: Membership,
        hashes: Hashes,
        over: Over,
        journal: Journal,
        period: float,
    ) -> None:
        self._within = within
        self._period = period
        self._streams = streams
        self._timeline = stage.timeline
        self._episode = stage.episode
        self._course = stage.course
        self._dispatch = stage.dispatch
        self._publication = stage.publication
        self._pacing = pacing
        self._beginning = beginning
        self._drops = drops
        self._membership = membership
        self._hashes = hashes
        self._over = over
        self._journal = journal
        self._tellings: dict[Link, Telling] = {}
        self._returning: Returner | None = None
        """We, on our way back ourselves: then we know nothing yet."""

    def return_as(self, returning: Returner) -> None:
        """We are on our way back ourselves."""
        self._returning = returning

    def arrive(self) -> None:
        """We are back, and those who asked meanwhile are told."""
        self._returning = None
        for telling in self._tellings.values():
            telling.begin_anew()
        self._streams.wake()

    @property
    def open(self) -> bool:
        """Whether anybody may return here."""
        return self._within > 0 and self._course.phase < DONE

    def knocks(self, link: Link, blocks: Sequence[tuple[int, bytes]], now: float) -> bool:
        """A packet of another load of a peer's page came; whether that may return, and is taken care of."""
        for kind, payload in blocks:
            if kind == RETURN and self.open:
                self.heard(link, read(payload), now)
                return True
        return False

    def heard(self, link: Link, knock: Knock, now: float) -> None:
        """A peer asks to be taken in. The same is asked until it has what it needs."""
        peer = link.peer
        if not self.open:
            return
        if knock.load > peer.load:
            if self._returning is None:
                self._take_in(link, knock, now)
            else:
                self._note(link, knock, self._returning)
        telling = self._tellings.get(link)
        if telling is None or telling.load != knock.load or peer.incarnation != knock.incarnation:
            return
        if knock.whole and not telling.whole:
            telling.ask_whole()
            if telling.begun:
                self._tell_past(telling)
        if telling.begun:
            self._streams.of(link).hurry(now)
        self._streams.wake()

    def knocks_of_gone(self, link: Link, blocks: Sequence[tuple[int, bytes]], now: float) -> None:
        """A packet of another load of the page of somebody who is gone, and may come back."""
        for kind, payload in blocks:
            if kind == RETURN and self.open and self._returning is None and len(payload) == RETURN_BYTES:
                knock = read(payload)
                if knock.load > link.peer.load:
                    self._drops.knocks(link, knock, self._catches_up(), now)

    def _catches_up(self) -> int:
        """Frames that are played, perhaps, while a page steps what was played so far as fast as we would."""
        takes = self._publication.collected * self._beginning.seconds_each
        return round((CATCHES_UP + takes) / self._period)

    def take_back(self, link: Link, knock: Knock, now: float) -> None:
        """Somebody who was gone is back, and is told how the game stands."""
        if self._episode.open:
            # Nothing was put down of it meanwhile, whatever we gave, and whichever episode this is.
            link.begin([seat.delay for seat in self._timeline.seats], self._timeline.frames.size)
            for outbox, inputs in zip(link.own, self._dispatch.own, strict=True):
                outbox.agree(self._drops.comings.opened_here - 1)
                outbox.resume(inputs.dispatched, inputs.dispatched, now)
        if self._returning is None:
            self._take_in(link, knock, now, True)
        else:
            self._note(link, knock, self._returning)

    def _note(self, link: Link, knock: Knock, returning: Returner) -> None:
        """Somebody else is on its way back as well as we: from here on nothing of the load before counts."""
        if not link.peer.may_be(knock.incarnation):
            self._streams.begin_anew(link)
            returning.loaded_again(link)
        link.peer.adopts(knock.load, knock.incarnation)
        self._tellings[link] = Telling(knock.load)

    def _take_in(self, link: Link, knock: Knock, now: float, anew: bool = False) -> None:
        """From here on nothing of the load before counts; whether one ever spoke to us or not, if it begins `anew`."""
        known = self._publication.collected if self._episode.open else -1
        episode = self._episode.number
        another = link.peer.low is None or not link.peer.may_be(knock.incarnation)
        before = anew or (another and link.peer.low is not None)
        link.peer.returns(knock.load, knock.incarnation, episode, known)
        if before:
            link.begin_anew(min(known, self._told_of(link, knock)), now, self._timeline.current)
            link.speak(SAID_AGAIN)
            self._hashes.begin_anew(link, known)
            self._drops.begin_anew(link)
            self._beginning.begin_anew(link)
            if another:
                # Otherwise it was gone before it was back, and both tapes go on.
                self._streams.begin_anew(link)
        # Otherwise no other one ever spoke to us: it is early, or we have just come back ourselves.
        self._membership.begin_anew(link, now)
        self._over.back(link)
        self._course.wait_anew(link.peer.number, now)
        self._tellings[link] = Telling(knock.load)
        name = self._journal.name(link)
        self._journal.say(Log(level="info", text=f"player {name}'s page was loaded again, and returns"))
        self._journal.say(Returned(seat=link.seat, episode=episode, frame=known, load=knock.load))
        self._streams.wake()

    def _told_of(self, link: Link, knock: Knock) -> int:
        """Up to which frame it holds everybody's inputs, if not up to what we have confirmed: whom we told that we
        return ourselves may be back by the others' word before it reads ours, and they may have confirmed less. What
        the ring has is sent then, until it says how far it is."""
        telling = self._tellings.get(link)
        if telling is None or telling.load != knock.load or not telling.nothing:
            return self._publication.collected
        dispatched = max([inputs.dispatched for inputs in self._dispatch.own], default=-1)
        return dispatched - self._timeline.frames.size + 1

    # -- telling -----------------------------------------------------------------------------------------------

    def work(self, now: float) -> bool:
        """Put what is to be told into the streams, a little at a time; whether there is more."""
        more = False
        for link, telling in list(self._tellings.items()):
            if self._course.phase >= DONE or link.peer.load != telling.load:
                del self._tellings[link]
                continue
            if not telling.begun and not self._begin(link, telling, now):
                more = True
                continue
            if telling.episode != self._episode.number:
                # It is over, and whatever is left of it nobody asks for any more.
                telling.pieces.clear()
            outgoing = self._streams.of(link).outgoing
            while telling.pieces and outgoing.end - outgoing.acknowledged < UNDER_WAY:
                self._tell_piece(link, telling, now)
            more = more or bool(telling.pieces)
        return more

    def _begin(self, link: Link, telling: Telling, now: float) -> bool:
        if self._returning is not None:
            told = self._streams.put(link, ACCOUNT, encode_account(NOTHING), now)
            if told:
                telling.begin_empty()
            return told
        last = self._publication.collected if self._episode.open else -1
        if not self._streams.put(link, ACCOUNT, encode_account(self._account(link, last)), now):
            return False
        telling.begin(self._episode.number, last)
        self._tell_past(telling)
        return True

    def _account(self, link: Link, confirmed: int) -> Account:
        episode = self._episode
        delays = list(self._pacing.delays)
        if len(delays) == episode.number:
            delays.append(self._beginning.coming())
        held = {}
        settled = {}
        if episode.open:
            frames = self._timeline.frames
            for seat in link.peer.seats:
                there = [*range(confirmed + 1, frames.held[seat] + 1), *frames.beyond(seat)]
                agreed = self._timeline.seats[seat].delay
                held[seat] = {frame: frames.encoded[frame & frames.mask][seat] for frame in there if frame >= agreed}
            settled = self._drops.known()
        ended = [(one.frames, one.reason) for one in self._course.ended]
        hashed = self._hashes.first(link)
        return Account(
            False, episode.number, episode.open, confirmed, hashed, episode.stop_frame, delays, ended,
            self._drops.comings.absent(), settled, held, self._drops.comings.backs,
            self._publication.marks if episode.open else (),
        )  # fmt: skip

    def _tell_past(self, telling: Telling) -> None:
        """All of it for who asked for that, otherwise what may lie between two who are not equally far."""
        frames = self._timeline.frames
        first = 0 if telling.whole else max(0, telling.last + 1 - 2 * frames.size)
        telling.tell([seat.number for seat in self._timeline.seats if seat.owner is not None], first)

    def _tell_piece(self, link: Link, telling: Telling, now: float) -> None:
        past = self._publication.past
        assert past is not None
        seat, first = telling.pieces.pop()
        inputs = past.actions(self._timeline.seats[seat], first, telling.last + 1)
        stop = first + len(inputs)
        size = 0
        for number, encoded in enumerate(inputs):
            size += len(encoded)
            if size > PIECE_BYTES and number:
                stop = first + number
                inputs = inputs[:number]
                break
        if not inputs:
            # It was cut meanwhile.
            return
        if not self._streams.put(link, PAST, encode_piece(Piece(telling.episode, seat, first, inputs)), now):
            telling.pieces.append((seat, first))
            return
        if stop <= telling.last:
            telling.pieces.append((seat, stop))
