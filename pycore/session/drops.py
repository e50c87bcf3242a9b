"""Who is gone is dropped, and the survivors settle on how far it played.

A peer that is dropped leaves the roster, so that nothing more is taken from it; what it gave stands. The survivors say
in each packet who is gone and what they hold of them (`topics.gone`), pass on to each other what one lacks, and when
all hold the same (`settling`), the seat has its default action behind the settled frame, or a policy plays it. Then the
game goes on with it, or it ends there for everybody alike, by `on_drop`; who is left alone has nobody to go on with.

Where a study has it so, who was gone may come back by the same words (`comings`).
Everything here happens when somebody is dropped, and when words come: a tick with nobody gone knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pycore.events import PlayerGone
from pycore.link.link import Link
from pycore.rollback.timeline import MISPREDICTED, TAKEN, Timeline
from pycore.session.backfill import BACKFILL, Backfill, held_of
from pycore.session.comings import Comings
from pycore.session.episode import Episode
from pycore.session.identity import Identity
from pycore.session.journal import Journal
from pycore.session.membership import Membership
from pycore.session.messages.account import Absent
from pycore.session.publication import Publication
from pycore.session.roster import Departure, Roster
from pycore.session.settling import NOTHING, Back, Held, Round, Settled, Word
from pycore.session.topics.hashes import Hashes
from pycore.session.topics.returns import Knock
from pycore.session.topics.topic import GONE
from pycore.session.vacancies import Vacancies
from pycore.settings import Settings
from pycore.wire.datagram import Run

BIT: Final = 1 << GONE


class Drops:
    """Drops, and settles what was dropped. `answers` are what the next packets answer, as `Packets` has them."""

    __slots__ = (
        "_answers", "_asked", "_backfill", "_episode", "_hashes", "_journal", "_links", "_longest",
        "_me", "_membership", "_on_drop", "_publication", "_reopens", "_roster", "_round", "_settled",
        "_timeline", "_vacancies", "comings", "dropped_by", "end_frame",
    )  # fmt: skip

    def __init__(
        self,
        roster: Roster,
        who: Identity,
        timeline: Timeline,
        episode: Episode,
        publication: Publication,
        hashes: Hashes,
        membership: Membership,
        journal: Journal,
        answers: list[tuple[Link, int, float, str]],
        settings: Settings,
    ) -> None:
        self._roster = roster
        self._links = roster.links
        self._me = who.me
        self._timeline = timeline
        self._episode = episode
        self._publication = publication
        self._hashes = hashes
        self._membership = membership
        self._journal = journal
        self._answers = answers
        self._on_drop = settings.on_drop
        self._reopens = settings.reopens
        stand_in = "policy" if settings.stand_in is not None else "default_action"
        self._vacancies = Vacancies(timeline, publication, who.players, stand_in)
        self._longest = settings.max_steps - 1
        self._round = Round()
        self._backfill = Backfill(timeline, roster, settings.period)
        self.comings = Comings(
            roster, who, timeline, episode, publication, membership, journal, self._round, self._vacancies, settings
        )
        self._settled: Settled | None = None
        """In the running episode, of this round."""
        self._asked: set[int] = set()
        """Peers that want a word of ours although we have nothing more to say."""
        self.dropped_by: Link | None = None
        """Who says that we are gone ourselves."""
        self.end_frame: int | None = None
        """The frame with which the episode ends because somebody is gone; -1: it ends before its first one."""

    # -- who is gone -------------------------------------------------------------------------------------------

    @property
    def settling(self) -> bool:
        """Whether somebody is gone, or back, of whom those who are there have not agreed yet."""
        return self._round.begun and self._settled is None

    @property
    def settled(self) -> bool:
        """Whether they have, in the running episode, or nobody is gone."""
        return not self._round.begun or self._settled is not None

    def waits_for(self, link: Link) -> bool:
        """Whether we cannot settle because a survivor has not said what it holds."""
        said = self._round.of(link.peer.number, self._episode.number)
        return self.settling and said is None and not self._has_all(link)

    def _has_all(self, link: Link) -> bool:
        """Whether a survivor has come to its end behind the running episode: it holds all of this one, as whoever was
        there did, and says nothing more."""
        return link.peer.over and link.peer.episode > self._episode.number

    @property
    def end_session(self) -> bool:
        """Whether the session ends for who is gone: so it is set, or nobody else is left."""
        return bool(self._round.gone) and (
            self._on_drop == "end"
            or (self._roster.players < 2 and not any(map(self.comings.may_return, self._roster.gone)))
        )

    @property
    def abandoned(self) -> bool:
        """Whether nobody else is there, and nobody comes back who might have."""
        return self._reopens and not self._links and self.end_session

    @property
    def never_begins(self) -> bool:
        """Whether the session ends before the episode to come: somebody is gone whose READY for it nobody has, so that
        nobody plays it."""
        return self.end_session and self._settled is not None and self._settled.ready != self._round.gone

    @property
    def ends_before(self) -> bool:
        """Whether the episode ends before its first frame, and all have settled so: who is over knows it of all."""
        if self.end_frame != -1 or self._settled is None or not self.end_session:
            return False
        if any(link.peer.over and link.peer.reason == "player_left" for link in self._links):
            return True
        return self._round.all_settled(self._episode.number, [link.peer.number for link in self._links])

    @property
    def ends(self) -> list[int]:
        """Frames with which the episode may have ended for who is gone, here or for others in an earlier round."""
        if not self.end_session:
            return []
        return [max(frame, self._timeline.seats[seat].delay - 1) for seat, frame in self._vacancies.settled.items()]

    @property
    def first(self) -> Departure:
        """Whoever went first."""
        return next(iter(self._roster.gone.values()))

    @property
    def text(self) -> str:
        """Why the session ends."""
        return f"player {self._journal.name(self.first.link)}{self.first.words}"

    def drop(self, link: Link, cause: str) -> None:
        """A peer is gone for good: nothing more is taken from it, and the others are told."""
        self.comings.goes(link, cause)
        self._unsettle()
        self._settle()

    def _unsettle(self) -> None:
        """It is another round, or another episode."""
        self._settled = None
        self._backfill.begin()
        self._asked.clear()
        for link in self._links:
            link.speak(BIT)
            link.hurry()
            link.ask_flush()

    # -- words -------------------------------------------------------------------------------------------------

    def says(self, link: Link) -> tuple[Word, int, bool] | None:
        """Our word for a link, whom we do not hear, and whether it wants an answer; None: there is nothing to say."""
        number = link.peer.number
        unheard = self._membership.unheard
        if not self._round.begun:
            return (Word(0, self._episode.number, {}, 0, False, False), unheard, False) if unheard else None
        theirs = self._round.of(number, self._episode.number)
        both = self._settled is not None and theirs is not None and theirs.settled and theirs.knows
        if both and not unheard and number not in self._asked:
            return None
        self._asked.discard(number)
        own = self._own()
        wants = theirs is None or not theirs.knows
        return own._replace(knows=theirs is not None and theirs.settled), unheard, wants

    def heard(self, link: Link, word: Word, causes: Sequence[str], unheard: int, wants: bool, now: float) -> None:
        """A word came: who is gone there is gone here; what it lacks is passed on."""
        number = link.peer.number
        self._membership.complains(number, unheard, not unheard >> self._me & 1, now)
        if self.comings.is_old(word):
            return
        if self.comings.drops_us(word):
            self.dropped_by = self.dropped_by or link
            return
        if not (word.gone or word.backs) or word.gone >> number & 1 or self._round.gone >> number & 1:
            # Nobody calls itself gone, and who is gone is not listened to.
            return
        before = self._round.of(number, word.episode)
        if self._round.hear(number, word):
            members = [other for other in self._roster.seats_of if word.gone >> other & 1]
            self.comings.follow(dict(zip(members, causes, strict=True)), now)
            self._unsettle()
        if wants:
            self._asked.add(number)
        if wants or self._round.of(number, word.episode) != before:
            link.speak(BIT)
        self._settle()
        if (word.gone, word.backs) != (self._round.gone, self._round.backs):
            link.ask_flush()
        elif not word.settled:
            self._answers.append((link, BACKFILL, now, ""))

    def heard_ready(self, peer: int, episode: int, payload: bytes) -> None:
        """The READY of somebody who is gone came from another survivor."""
        drop = self._roster.gone.get(peer)
        if drop is not None and episode >= self._episode.number and episode not in drop.link.peer.ready:
            drop.link.peer.said_ready(episode, payload, None, False)
            self._settle()

    def _own(self) -> Word:
        """What we hold of who is gone, in the running episode."""
        episode = self._episode.number
        seats = self._roster.seats(self._round.gone)
        held = dict.fromkeys(seats, NOTHING)
        if self._episode.open:
            held = held_of(self._timeline, seats)
        held |= {seat: Held(frame, 0) for seat, frame in self._vacancies.settled.items() if seat in held}
        held = self.comings.corrected(held)
        ready = sum([1 << number for number, drop in self._roster.gone.items() if episode in drop.link.peer.ready])
        return Word(self._round.gone, episode, held, ready, self._settled is not None, False, self._round.backs)

    # -- settling ----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The frames of an episode are set up, and everything is to be settled for it anew."""
        self._leave()
        self.comings.open_seats()
        self._settle()

    def ends_with(self, end: int) -> bool:
        """Whether the episode has this end for the sake of who is gone alone."""
        return self.end_frame == end < self._longest

    def leave(self, end: int, reason: str) -> None:
        """The episode is final, with this frame: who gave everything up to there is missing from the next one on,
        unless that is the `reason` of the end."""
        episode = self._episode.number
        for departure in self._roster.gone.values():
            whole = reason != "player_left" and min(departure.frames.values(), default=end) >= end
            if departure.episode is None or (departure.episode == episode and whole):
                self._note(departure, episode + 1, dict.fromkeys(departure.link.peer.seats, -1))
        for number, back in self._round.backs.items():
            if back.episode == episode and number in self._roster.of_everybody:
                # All who were there had no word of what it proposed before; in its place it proposed nothing.
                self._roster.of_everybody[number].peer.forget_before(episode)
        self._leave()

    def _note(self, departure: Departure, episode: int, frames: dict[int, int]) -> None:
        """Note where somebody gave its last input, and say it once."""
        news = departure.episode is None
        departure.settled(episode, frames)
        for seat, frame in frames.items() if news else ():
            self._journal.say(
                PlayerGone(seat=seat, episode=episode, frame=frame, cause=departure.cause, on_drop=self._on_drop)
            )

    def _leave(self) -> None:
        self.end_frame = None
        self._vacancies.begin()
        if self._round.begun:
            self._unsettle()

    def _settle(self) -> None:
        """Agree, if everybody has said that it holds everything."""
        if not self._round.begun or self._settled is not None or self.comings.untold:
            # Two who return agree on nothing, which the others would believe.
            return
        found = self._round.settle(self._own(), [link.peer.number for link in self._links if not self._has_all(link)])
        if found is None:
            return
        self._settled = found
        self._vacancies.settle(found.frames)
        for link in self._links:
            link.speak(BIT)
            link.ask_flush()
        if self._episode.open:
            self._apply(found)

    def _apply(self, found: Settled) -> None:
        """From the settled frames on nobody plays these seats. Where the episode ends before its first frame they stay
        as they are: without their inputs no frame becomes known."""
        timeline = self._timeline
        last = max([max(frame, timeline.seats[seat].delay - 1) for seat, frame in found.frames.items()], default=-1)
        if last >= 0 or not self.end_session:
            for seat, frame in found.frames.items():
                self._vacancies.leave(seat, frame, self.comings.opened(self._roster.owner(seat)))
        episode = self._episode.number
        if self.end_frame is not None and any(link.peer.episode > episode for link in self._links):
            return  # Somebody has come to that end, with everybody's word: it stands.
        for departure in self._roster.gone.values():
            if departure.episode is None:
                self._note(departure, episode, {seat: found.frames[seat] for seat in departure.link.peer.seats})
        if not self.end_session:
            return
        before = self.end_frame
        self.end_frame = last
        self._publication.end_without(last if last < self._longest else None)
        if before is not None and before < last:
            # Somebody else went meanwhile, who gave more: what was an end is none.
            self._publication.cut(episode, before + 1)
            self._hashes.cut(before + 1)
        if last >= 0:
            timeline.end_with(min(last, self._longest))

    # -- passing on --------------------------------------------------------------------------------------------

    def missing(self, link: Link, now: float, room: int) -> tuple[list[Run], list[tuple[int, bytes]]]:
        """What a survivor lacks of who is gone, and we have: `Backfill.missing`."""
        episode = self._episode.number
        theirs = self._round.of(link.peer.number, episode)
        if theirs is None or theirs.settled:
            return [], []
        words = [word for word in self._round.words.values() if word.episode == episode]
        return self._backfill.missing(link, self._own(), theirs, words, now, room)

    def begin_anew(self, link: Link) -> None:
        """Another load of a survivor's page is there: what that holds it has to say itself."""
        number = link.peer.number
        self._round.forget(number)
        self._backfill.begin_anew(number)
        self._asked.discard(number)
        if self._round.begun:
            link.speak(BIT)

    def known(self) -> dict[int, int]:
        """Of the seats of who is gone, the last frame of the running episode that we hold in an unbroken run."""
        return {seat: held.mark for seat, held in self._own().held.items()}

    def inherit(self, absent: Sequence[Absent], backs: Mapping[int, Back], now: float) -> None:
        """We return, and hear who is gone since, and who came back."""
        bits = sum([1 << one.number for one in absent if one.number not in backs and one.number != self._me])
        if self._round.join(bits, backs):
            self.comings.follow({one.number: one.cause for one in absent}, now)
            self._unsettle()
        for one in absent:
            departure = self._roster.gone.get(one.number)
            if departure is not None and one.episode is not None:
                self._note(departure, one.episode, one.frames)

    # -- who comes back ----------------------------------------------------------------------------------------

    def knocks(self, link: Link, knock: Knock, ahead: int, now: float) -> None:
        """Somebody who is gone is there again: `Comings.knocks`."""
        if self._settled is not None and self.comings.knocks(link, knock, ahead, now):
            self._unsettle()
            self._settle()

    def arrive(self) -> None:
        """We have come back, and have stepped what was played."""
        for departure, frames in self.comings.arrive():
            if departure.episode is None:
                self._note(departure, self._episode.number, frames)

    @property
    def heard_all(self) -> bool:
        """Whether everybody who is there has said a word of our round: nobody moves an open frame any more."""
        return all(link.peer.number in self._round.words or self._has_all(link) for link in self._links)

    def look(self) -> None:
        """We may hold more than before."""
        self._settle()

    def is_gone(self, seat: int) -> bool:
        """Whether who played a seat is gone."""
        return bool(self._round.gone) and any(seat in drop.link.peer.seats for drop in self._roster.gone.values())

    def take(self, seat: int, first: int, inputs: Sequence[bytes], now: float) -> None:
        """Inputs of somebody who is gone came from another survivor."""
        if self._settled is not None or not self._episode.open:
            return
        drop = self._roster.gone[self._roster.owner(seat)]
        for frame, encoded in enumerate(inputs, first):
            if self._timeline.take(seat, frame, encoded, now, self._episode.number) in (TAKEN, MISPREDICTED):
                drop.take()
        self._settle()
