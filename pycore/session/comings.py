"""Who goes and who comes back: what follows here from the round, and how a seat becomes a person's again.

Where a study has it so (`on_interrupt`), whoever is not heard of is settled like any who is gone, and may come back as
another load of its page. The first survivor that hears it knock takes it in, once all that it gave before is confirmed,
and names the frame from which on its seat is its own; all others hear of it by the words of the round
(`settling.Back`). Whoever takes it in sets that frame beyond everything that it has said it holds, so that of the
same return the latest counts; and who comes back gives nothing before it has heard a word of its own round from
everybody who is there. Then nobody is left who could move the frame (`docs/adr/0023-reopening.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from pycore.events import PeerStatus
from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.episode import Episode
from pycore.session.identity import Identity
from pycore.session.journal import Journal
from pycore.session.membership import Membership
from pycore.session.messages.account import Absent
from pycore.session.publication import Publication
from pycore.session.roster import Departure, Roster
from pycore.session.settling import Back, Held, Round, Word
from pycore.session.topics.returns import Knock
from pycore.session.vacancies import Vacancies
from pycore.settings import Settings

EVERYTHING: Final = 1 << 31
"""Frames that whoever is not waited for in an episode holds of it."""
MOST_CHANGES: Final = 250
"""So often somebody may go and come; a word has a byte for it."""


class Host(Protocol):
    """Who takes in anew whoever comes back."""

    def take_back(self, link: Link, knock: Knock, now: float) -> None:
        """From here on nothing of a load of its page before counts."""


class Comings:
    """Follows one survivor's round."""

    __slots__ = (
        "_episode", "_followed", "_host", "_journal", "_membership", "_number", "_players", "_publication", "_reopens",
        "_roster", "_round", "_stepping", "_timeline", "_untold", "_vacancies", "_window",
    )  # fmt: skip

    def __init__(
        self,
        roster: Roster,
        who: Identity,
        timeline: Timeline,
        episode: Episode,
        publication: Publication,
        membership: Membership,
        journal: Journal,
        of: Round,
        vacancies: Vacancies,
        settings: Settings,
    ) -> None:
        self._roster = roster
        self._number = who.me
        self._players = who.players
        self._timeline = timeline
        self._episode = episode
        self._publication = publication
        self._membership = membership
        self._journal = journal
        self._round = of
        self._vacancies = vacancies
        self._reopens = settings.reopens
        self._window = settings.prediction_window
        self._host: Host | None = None
        self._followed: dict[int, int] = {}
        """By peer, how often it went or came, as far as we have followed it."""
        self._untold = False
        """Whether we were loaded again, and do not know yet whether we were gone."""
        self._stepping = False
        """Whether we step what was played without us."""

    # -- what the round says -----------------------------------------------------------------------------------

    @property
    def backs(self) -> Mapping[int, Back]:
        """Who ever came back, by number."""
        return self._round.backs

    @property
    def own(self) -> Back | None:
        """How we came back ourselves, if we were gone."""
        return self._round.backs.get(self._number)

    @property
    def opened_here(self) -> int:
        """The frame of the running episode from which on our seat was open last; 0: it never was shut."""
        return self.opened(self._number)

    def opened(self, number: int) -> int:
        """The same of a peer's seat."""
        back = self._round.backs.get(number)
        return back.frame if back is not None and back.episode == self._episode.number else 0

    def is_old(self, word: Word) -> bool:
        """Whether a word calls us gone that is from before we came back, or may be."""
        ours = self._round.changes(self._number)
        return self._reopens and word.changes(self._number) & 1 == 1 and (
            self._untold or word.changes(self._number) < ours
        )  # fmt: skip

    def drops_us(self, word: Word) -> bool:
        """Whether a word calls us gone, or says that we were, and another load of our page came back."""
        theirs = word.changes(self._number)
        return bool(theirs & 1) or (theirs > self._round.changes(self._number) and not self._untold)

    def corrected(self, held: dict[int, Held]) -> dict[int, Held]:
        """What we hold of who is gone, by seat, as it is to be said: less where we have only stepped it, more where
        everybody knows it."""
        if self._stepping:
            told = self._told_left()
            return {seat: Held(told[seat], 0) if of.mark > told.get(seat, of.mark) else of for seat, of in held.items()}
        if self._round.backs:
            return {seat: self._least_held(seat, of) for seat, of in held.items()}
        return held

    def _least_held(self, seat: int, held: Held) -> Held:
        """What we hold of the seat of somebody who is gone again: up to the frame from which on it was open everybody
        knows its action."""
        opens = self.opened(self._roster.owner(seat))
        if not opens or seat in self._vacancies.settled:
            return held
        least = Held(opens - 1, 0)
        return least if self._vacancies.is_empty(seat) else held.joined(least)

    def _told_left(self) -> dict[int, int]:
        """By seat of whom we were told to be gone, its last frame: what we step of it behind that nobody gave."""
        running = self._episode.number
        settled = [of for of in self._roster.gone.values() if of.episode is not None]
        return {
            seat: of.frames.get(seat, -1) if of.episode == running else -1
            for of in settled for seat in of.link.peer.seats
        }  # fmt: skip

    # -- who goes ----------------------------------------------------------------------------------------------

    def absent(self) -> list[Absent]:
        """Who is gone, for whoever returns."""
        return [Absent(number, one.cause, one.episode, {**one.frames}) for number, one in self._roster.gone.items()]

    def goes(self, link: Link, cause: str) -> None:
        """A peer is gone, perhaps again."""
        self._depart(link, cause)
        self._round.goes(link.peer.number)
        self._note(link.peer.number)

    def may_return(self, number: int) -> bool:
        """Whether somebody who is gone may come back: it was only not heard of."""
        departure = self._roster.gone.get(number)
        return departure is not None and departure.may_return

    def expire(self, number: int) -> None:
        """Nobody keeps a seat any longer for somebody who is gone."""
        if self.may_return(number):
            self._roster.gone[number].expire()

    def _depart(self, link: Link, cause: str) -> None:
        self._roster.depart(link, cause)
        self._membership.forget(link.peer.number)
        if link.seat >= 0:
            self._journal.say(PeerStatus(seat=link.seat, status="gone"))

    def _note(self, number: int) -> None:
        self._followed[number] = self._round.changes(number)
        back = self._round.backs.get(number)
        if back is not None and back.episode <= self._episode.number:
            # Of what was settled before it came back nothing counts any more.
            self._vacancies.unsettle(self._roster.seats_of[number][0])

    # -- who comes back ----------------------------------------------------------------------------------------

    def host(self, host: Host) -> None:
        """Who takes them in; before the first poll."""
        self._host = host

    def knocks(self, link: Link, knock: Knock, ahead: int, now: float) -> bool:
        """Somebody who is gone, and settled, is there again: it is taken in once all of what it gave before is
        confirmed. So many frames `ahead` of what anybody can hold, it plays again. Whether it is taken in."""
        number, seats = link.peer.number, link.peer.seats
        timeline, collected = self._timeline, self._publication.collected
        changes = self._round.changes(number) + 1
        if not self.may_return(number) or not self._episode.open or timeline.end is not None or len(seats) != 1:
            return False
        settled = self._vacancies.settled[seats[0]]
        if collected <= max(settled, timeline.seats[seats[0]].delay - 1) or changes > MOST_CHANGES:
            return False
        # Nothing further is confirmed without it, and the others play on for as long as the ring has room.
        least = timeline.frames.opened + 1
        first = max(least, min(least + ahead, collected + timeline.frames.reach - self._window))
        back = Back(changes, knock.load, knock.incarnation, self._episode.number, settled, first)
        self._round.join(0, {number: back})
        self.follow({}, now)
        return True

    def follow(self, causes: Mapping[int, str], now: float) -> None:
        """Whoever is gone in our round is gone here, and who is back is back. `causes`: why, by number."""
        for number in self._roster.seats_of:
            changes = self._round.changes(number)
            if number == self._number or changes == self._followed.get(number, 0):
                continue
            link = self._roster.of_number.get(number)
            if link is not None and self._untold and not changes & 1:
                # We never heard that it was gone.
                self._note(number)
                continue
            if link is not None:
                self._depart(link, causes.get(number, "silent"))
            self._note(number)
            if not changes & 1:
                self._readmit(self._roster.of_everybody[number], now)
        self.open_seats()

    def _readmit(self, link: Link, now: float) -> None:
        number = link.peer.number
        back = self._round.backs[number]
        here = self._episode.number, self._timeline.frames.opened + 1 if self._episode.open else 0
        if back.place < here:
            # We have said that we hold more.
            settled = back.settled if back.episode == here[0] else -1
            self._round.join(0, {number: back._replace(episode=here[0], settled=settled, frame=here[1])})
            self._note(number)
        self._roster.readmit(link)
        assert self._host is not None
        self._host.take_back(link, Knock(back.load, back.incarnation, False), now)

    def open_seats(self, arrived: bool = False) -> None:
        """Seats of those who came back are open, from where on the round says. `arrived`: we have come back ourselves,
        and have done so of none; not even of our own."""
        running = self._episode.number
        if not self._episode.open or self._stepping:
            return
        for number, back in self._round.backs.items():
            link = self._roster.of_number.get(number)
            seat = self._roster.seats_of[number][0]
            if back.episode == running and (link is not None or arrived):
                self._vacancies.reopen(seat, back.settled, back.frame)
            elif back.episode > running and link is not None:
                # Whoever is further has taken it in: in this episode nobody waits for it.
                self._vacancies.close(seat)
                link.peer.entered(back.episode)
                link.peer.said_known(EVERYTHING)

    # -- we come back ------------------------------------------------------------------------------------------

    def return_untold(self) -> None:
        """We were loaded again, and do not know yet whether we were gone."""
        self._untold = self._stepping = True

    @property
    def untold(self) -> bool:
        """Whether we return, and hold nothing yet of what was played."""
        return self._untold

    def told(self) -> None:
        """Everybody has said how the game stands, and we step what was played."""
        self._untold = False

    def arrive(self) -> list[tuple[Departure, dict[int, int]]]:
        """We have stepped what was played. Gives back who is gone, and where its last action was, as it was told."""
        stepped = self._stepping and self._episode.open and self._reopens
        self._untold = self._stepping = False
        self.open_seats(True)
        return self._leave_seats() if stepped else []

    def _leave_seats(self) -> list[tuple[Departure, dict[int, int]]]:
        found = []
        for number, departure in self._roster.gone.items():
            for seat in departure.link.peer.seats:
                last = self._publication.left_at(str(self._players[seat]))
                opens = self.opened(number)
                if last is None or opens > self._publication.collected:
                    continue
                last = max(last, opens - 1)
                frame = -1 if last < self._timeline.seats[seat].delay else last
                self._vacancies.settle({seat: frame})
                self._vacancies.leave(seat, last, opens)
                found.append((departure, {seat: frame}))
        return found
