"""We were loaded again in the middle of a game, and play on.

Everybody who is there is asked (`topics.returns`), and says how the game stands and what it holds of our own inputs
(`messages.account`); one of them tells the past of the running episode. It is stepped again in batches, while nothing
else that comes is taken, and goes to the records and hashes as it did everywhere. Then come our own inputs (`arrival`),
and from there on we are a peer like any other, whose links are behind by what it has not acknowledged.

Nothing that was said between the others is needed: frames are confirmed only with everybody's word, ours included, so
that whatever anybody has confirmed is the past of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.errors import DecodeError
from pycore.events import CaughtUp, EpisodeEnded, Log
from pycore.link.link import Link
from pycore.link.peer import RETURNING
from pycore.rollback.timeline import Timeline
from pycore.session.arrival import Arrival
from pycore.session.beginning import Beginning
from pycore.session.drops import Drops
from pycore.session.identity import Identity
from pycore.session.intake import Intake
from pycore.session.journal import Journal
from pycore.session.membership import UNDECIDED
from pycore.session.messages.account import Account, Piece
from pycore.session.phases import DONE, FAILED, READYING
from pycore.session.roster import Roster
from pycore.session.stage import Stage
from pycore.session.told import Told
from pycore.session.topics.hashes import Hashes
from pycore.session.topics.returns import MOST_LOADS, Knock
from pycore.session.topics.status import Status
from pycore.session.topics.stop import Stop
from pycore.session.topics.topic import RETURN
from pycore.session.welcomes import Welcomes
from pycore.settings import Settings

ASK_ANOTHER: Final = 4.0
"""Seconds without anything from whoever was asked for the past, after which another one is."""
BATCH: Final = 64
"""Frames that are stepped in a tick where nothing is known of what they cost."""
BATCH_SECONDS: Final = 0.1
"""What they may cost otherwise: meanwhile the page stands, and nobody sees anything but how far it is."""
ALL_RETURN: Final = 20.0
"""Seconds after which nobody is there any more who could tell anything, if everybody says that it returns."""
LOAD_AGAIN: Final = 15.0
"""Seconds after which a page loads itself again that nobody takes in: perhaps it was dropped anew before it heard."""
UNKNOWN: Final = 1 << 31
"""So many frames we may be behind."""
FINISHED: Final = ("complete", "stop")
GIVEN_UP: Final = 3.0
"""Times the study's `catch_up_within`, by the clock, after which it is too late."""


class Returning:
    """Our own way back, until we play."""

    __slots__ = (
        "_accounts", "_arrival", "_asked_at", "_beginning", "_begun", "_bit", "_course", "_drops", "_episode",
        "_hashes", "_identity", "_intake", "_journal", "_load", "_roster", "_settings", "_stage", "_status", "_stop",
        "_target", "_timeline", "_told", "_welcomes", "_whole_of", "busy",
    )  # fmt: skip

    def __init__(
        self,
        load: int,
        stage: Stage,
        settings: Settings,
        identity: Identity,
        roster: Roster,
        drops: Drops,
        hashes: Hashes,
        status: Status,
        stop: Stop,
        beginning: Beginning,
        intake: Intake,
        welcomes: Welcomes,
        journal: Journal,
        now: float,
    ) -> None:
        self._load = load
        self._stage = stage
        self._timeline: Timeline = stage.timeline
        self._episode = stage.episode
        self._course = stage.course
        self._settings = settings
        self._identity = identity
        self._roster = roster
        self._drops = drops
        self._hashes = hashes
        self._status = status
        self._stop = stop
        self._beginning = beginning
        self._intake = intake
        self._welcomes = welcomes
        self._journal = journal
        self._arrival = Arrival(stage, roster, drops)
        self._accounts: dict[Link, Account] = {}
        self._told = Told(stage.timeline.seats)
        self._target = -1
        """The last frame that was confirmed anywhere."""
        self._whole_of: Link | None = None
        """Who is asked for the whole past, and since when nothing came of it."""
        self._asked_at = now
        self._begun = False
        self._bit = 1 << RETURN
        self.busy = True
        """We are not there yet."""
        status.mark(RETURNING, True)
        self._timeline.frames.allow(UNKNOWN)
        intake.set_returning(True)
        welcomes.return_as(self)
        self._course.return_as(self)
        drops.comings.return_untold()
        for link in roster.links:
            link.speak(self._bit)

    # -- asking ------------------------------------------------------------------------------------------------

    def asks(self, link: Link) -> Knock | None:
        """What we ask a peer, as long as it has not told it."""
        whole = link is self._whole_of
        if not self.busy or self._load > MOST_LOADS or (link in self._accounts and not (whole and self._lacks)):
            return None
        return Knock(self._load, self._identity.incarnation, whole)

    @property
    def progress(self) -> tuple[int, int]:
        """Frames that were stepped, and that are to be."""
        return self._timeline.current if self._begun else 0, self._target + 1

    @property
    def _lacks(self) -> bool:
        """Whether frames of the past have not come yet."""
        return not self._begun or self._told.lacks(self._target)

    # -- what is told ------------------------------------------------------------------------------------------

    def told(self, link: Link, account: Account, now: float) -> None:
        """A peer said how the game stands. Raises DecodeError for a place that no game of this study comes to."""
        if account.episode >= self._settings.num_episodes or account.confirmed >= self._settings.max_steps:
            raise DecodeError(f"frame {account.confirmed} of episode {account.episode}, which there are not")
        before = self._accounts.get(link)
        me = self._identity.me
        # Who has taken us in anew, since we were gone meanwhile, tells it anew.
        anew = not self._begun and before is not None and before.backs.get(me) != account.backs.get(me)
        fits = before is None or before.returning or anew
        if self.busy and fits and link in self._roster.links and not (self._begun and account.returning):
            self._accounts[link] = account
            self._drops.inherit([one for one in account.gone if one.number != me], account.backs, now)

    def past(self, link: Link, piece: Piece, now: float) -> None:
        """A peer said what was played. The first that is said of a frame stands; all say the same."""
        account = self._accounts.get(link)
        if not self.busy or account is None or piece.episode != account.episode:
            return
        if self._begun and piece.episode != self._episode.number:
            return
        self._told.take(piece, account.confirmed)
        if link is self._whole_of:
            self._asked_at = now

    # -- the way back ------------------------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """Begin, once everybody has told us how the game stands; give up, if that does not come."""
        if self._load > MOST_LOADS:  # a number that fits into what it asks with is of an earlier load
            self._give_up(now, f"this page was loaded again {self._load} times, and {MOST_LOADS} is the most")
            return
        links = [link for link in self._roster.links if not self._has_finished(link)]
        over = next((link for link in self._roster.links if link.peer.over and (link in links or not links)), None)
        if over is not None and not self._waits_to_judge(over):
            self._see_over(over, now)
            return
        told = {link: of for link, of in self._accounts.items() if link in links and not self._is_old(link)}
        telling = [of for of in told.values() if not of.returning]
        if self._begun:
            self._aim(telling)
        elif len(told) == len(links) and telling:
            self._begin(max([account.episode for account in telling]), now)
        self._choose(now)
        waited = now - self._course.since
        late = not self._begun and self._settings.reopens and waited > LOAD_AGAIN
        # Where one is missing, the others decide about it first. Who is over tells nothing more, but that the game is.
        missing = [link for link in links if link not in told and not link.peer.over]
        finished = next((link for link in self._roster.links if link.peer.over and link.peer.reason in FINISHED), None)
        patience = self._settings.ready_timeout + (2 * UNDECIDED if self._roster.group else 0.0)
        if not self._roster.links and self._lacks:
            self._give_up(now, "nobody is left who knows what was played")
        elif late and finished is not None and not telling:
            self._see_over(finished, now)
        elif not self._begun and waited > ALL_RETURN and not missing and not telling:
            self._give_up(now, "everybody's page was loaded again, so that nobody knows what was played")
        elif late and (telling or missing):
            self._load_again(now, f"nobody takes this page in within {waited:.0f} s")
        elif not self._begun and waited > patience:
            self._give_up(now, f"nobody said within {waited:.0f} s how the game stands")
        elif self._begun and waited > GIVEN_UP * self._settings.catch_up_within + self._settings.ready_timeout:
            done, whole = self.progress
            self._give_up(now, f"only {done} of {whole} frames were stepped again within {waited:.0f} s")

    def _load_again(self, now: float, text: str) -> None:
        """This load of our page does not come back; the next one may."""
        self._course.break_off(now, "dropped", text, DONE, {link.peer.number: "again" for link in self._roster.links})

    def _see_over(self, over: Link, now: float) -> None:
        """Somebody plays no more: the others may, where they are many."""
        if over.peer.left_alone and self._roster.group:
            self._drops.drop(over, "error" if over.peer.reason == "error" else "left")
            return
        text = f"the game was over when this page came back: player {self._journal.name(over)} says {over.peer.reason}"
        self._course.break_off(now, "no_return", text, DONE, None, over.seat)

    def _waits_to_judge(self, over: Link) -> bool:
        """Whether nobody has said yet which episode runs: who is over may have come to the end of that one."""
        return self._running < 0 and over.peer.left_alone and not all(link.peer.over for link in self._roster.links)

    @property
    def _running(self) -> int:
        """The episode that runs, as far as it was told; -1: nobody has said it."""
        if self._begun:
            return self._episode.number
        return max([of.episode for of in self._accounts.values() if not of.returning], default=-1)

    def _has_finished(self, link: Link) -> bool:
        """Whether a peer has come to the end, of the episode that runs at least. Who has not may need us still."""
        return link.peer.over and (link.peer.reason in FINISHED or 0 <= self._running < link.peer.episode)

    def _is_old(self, link: Link) -> bool:
        """Whether a peer said that it returns itself, and does not any more: it may have settled us meanwhile."""
        return self._settings.reopens and self._accounts[link].returning and not link.peer.status & RETURNING

    def loaded_again(self, link: Link) -> None:
        """Another one returns as well: of what the load before told, the past may never be complete."""
        self._accounts.pop(link, None)
        link.speak(self._bit)

    def _aim(self, telling: Sequence[Account]) -> None:
        """What is to be stepped again, by the word of those who are still there: who has told of more, and has gone,
        was alone with it. The frames behind come as they always do."""
        of_episode = [account.confirmed for account in telling if account.episode == self._episode.number]
        self._target = max([self._timeline.current - 1, *of_episode])

    def _choose(self, now: float) -> None:
        """Ask somebody for the past, and somebody else if that leads to nothing."""
        links = [link for link in self._roster.links if link.peer.low is not None]
        if self._begun:
            running = self._episode.number
            told = [link for link, of in self._accounts.items() if not of.returning and of.episode == running]
            links = [link for link in links if link in told]
        if not links or not self._lacks or (self._whole_of in links and now - self._asked_at < ASK_ANOTHER):
            return
        before = links.index(self._whole_of) if self._whole_of in links else -1
        self._whole_of = links[(before + 1) % len(links)]
        self._asked_at = now
        self._whole_of.speak(self._bit)
        self._whole_of.ask_flush()

    def _give_up(self, now: float, text: str) -> None:
        self._course.break_off(now, "no_return", text, FAILED)

    def _begin(self, episode: int, now: float) -> None:
        """Set up the episode that runs."""
        accounts = [of for of in self._accounts.values() if not of.returning and of.episode == episode]
        accounts.sort(key=lambda of: not of.open)  # who has begun the episode knows its delays for certain
        if not episode and not accounts[0].open:
            # Nobody has begun anything: we connect, and propose, like everybody.
            self._hear_anew(now)
            self.leave()
            return
        self._target = max([of.confirmed for of in accounts])
        takes = (self._target + 1) * self._beginning.seconds_each
        if takes > self._settings.catch_up_within:
            self._give_up(now, f"what was played would take {takes:.0f} s to be stepped again")
            return
        self._begun = True
        self._drops.comings.told()
        for earlier, (frames, reason) in enumerate(accounts[0].ended):
            self._course.inherit(EpisodeEnded(episode=earlier, frames=frames, reason=reason))
        self._episode.resume(episode)
        self._told.begin(episode)
        self._beginning.resume(accounts[0].delays, accounts[0].open, now, self._drops.comings.own is not None)
        for of in accounts:
            for frame, player, what in of.marks:
                self._stage.publication.release(frame, player, what)
        # They are ahead of what was confirmed as far as they know our inputs, and guess.
        held = [frame for of in accounts for inputs in of.held.values() for frame in inputs]
        self._timeline.frames.allow(max([self._target, *held]) + 1)
        for link in self._roster.links:
            link.peer.resume()
        for link, of in self._accounts.items():
            link.peer.entered(of.episode)
            if of in accounts:
                self._hashes.begin_with(link, of.hashed)
        stops = [of.stop for of in accounts if of.stop is not None]
        if stops:
            self._stop.at(min(stops))
        played = f"episode {episode}, {self._target + 1} frames of which were played"
        name = played if accounts[0].open else "the next episode"
        self._journal.say(Log(level="info", text=f"this page was loaded again, and returns to {name}"))

    def step(self, now: float) -> None:
        """Step what is told, as much as a tick has time for; at the end of it, play."""
        if not self._begun or self._course.phase != READYING:
            return
        timeline, publication, simulation = self._timeline, self._stage.publication, self._stage.simulation
        self._drops.look()
        for _ in range(self._batch()):
            frame = timeline.current
            if frame > self._target or timeline.end is not None or not self._feed(frame, now):
                break
            timeline.advance(True)
            if timeline.current == frame:
                break
            publication.collect(self._episode.number, frame, timeline)
            publication.flush(simulation)
        own = self._drops.comings.own
        if timeline.current <= self._target and timeline.end is None:
            return
        if own is not None and own.episode == self._episode.number and own.settled >= timeline.current:
            self._load_again(now, "nobody is left who knows all of what was played")
        elif own is None or self._drops.heard_all:
            # Before all are of one mind of when our seat is ours again, nothing is taken in, and nothing given.
            self._arrive(now)

    def _batch(self) -> int:
        each = self._beginning.seconds_each
        return max(1, min(2000, int(BATCH_SECONDS / each))) if each > 0.0 else BATCH

    def _feed(self, frame: int, now: float) -> bool:
        """Take in everybody's action of a frame; false where one has not come yet, or is not settled yet."""
        timeline = self._timeline
        held = timeline.frames.held
        for seat in timeline.seats:
            number = seat.number
            if seat.owner is None or frame <= held[number]:
                continue
            encoded = self._told.of(number, frame)
            if encoded is None:
                return False
            behind = self._drops.is_gone(number) and frame > max(self._settled(number), seat.delay - 1)
            if behind and not self._settings.reopens:
                # Behind the settled frame there is the default action, or a policy, once it is settled here too.
                self._drops.look()
                if frame > held[number]:
                    return False
                continue
            if number in self._identity.own:
                self._arrival.fix(number, frame, encoded)
            else:
                timeline.take(number, frame, encoded, now, self._episode.number)
            self._told.forget(number, frame)
        return True

    def _settled(self, seat: int) -> int:
        """The last frame of somebody gone with an action of its own, as the others know it. Who was there when they
        told us has one in every frame that was confirmed."""
        of_episode = [of for of in self._accounts.values() if of.episode == self._episode.number]
        return max([of.settled.get(seat, of.confirmed) for of in of_episode], default=-1)

    def _arrive(self, now: float) -> None:
        """Everything that was confirmed is stepped: we are there."""
        running = self._episode.number
        accounts = {link: of for link, of in self._accounts.items() if not of.returning and of.episode == running}
        self._arrival.give(accounts, now)
        self._hear_anew(now)
        self._intake.stepped(now)
        self.leave()
        self._journal.say(CaughtUp(episode=running, frames=self._timeline.current))

    @property
    def late(self) -> bool:
        """Whether we are there, and the others are further."""
        return self._arrival.late

    def hurry(self) -> None:
        """Step what they played meanwhile."""
        self._arrival.hurry(self._batch())

    def _hear_anew(self, now: float) -> None:
        """What was on its way to the load before has passed by now."""
        for link in self._roster.links:
            link.paths.wire.hear_anew(now)
            link.paths.socket.hear_anew(now)
            link.ask_flush()

    def leave(self) -> None:
        """We are there, or the session is over."""
        self.busy = False
        self._drops.arrive()
        self._status.mark(RETURNING, False)
        self._intake.set_returning(False)
        self._welcomes.arrive()
        self._told.clear()
        for link in self._roster.links:
            link.speak(self._bit)
