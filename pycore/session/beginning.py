"""How an episode begins: connected, ready, alike.

Nobody steps frame 0 before everybody has said READY and all agree. What must be alike is compared by name; what may be
proposed, the input delays of the episode to come, is settled by the largest proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.duties import CHANNEL_UNABLE
from pycore.errors import ConfigError, DecodeError
from pycore.link.link import Link
from pycore.rollback.frames import Frames
from pycore.rollback.seats import Seat
from pycore.session.covered import Covered
from pycore.session.drops import Drops
from pycore.session.journal import Journal
from pycore.session.membership import UNDECIDED, Membership, reason_of
from pycore.session.messages.state import States
from pycore.session.pacing import Pacing
from pycore.session.phases import BETWEEN, CONNECTING, DONE, FAILED, PLAYING, READYING
from pycore.session.publication import LARGE_BYTES
from pycore.session.roster import Roster
from pycore.session.stage import Stage
from pycore.session.topics import ready
from pycore.session.topics.ready import INITIAL_STATE, NOTHING, Ready
from pycore.session.topics.terms import LONGEST_DELAY, Terms
from pycore.settings import Settings
from pycore.values.blake2 import blake2b
from pycore.values.canonical import HASH_BYTES
from pycore.wire.datagram import VERSION

NOT_BEGUN: Final = {
    "ready_timeout": "waited too long for somebody to be ready",
    "p2p_timeout": "found no peer-to-peer connection",
    "version": "has another version of pycore",
    "config": "has other settings",
    "initial_state": "begins with another state",
    "decode": "was told what cannot be read",
}
"""Ends of a peer before the first episode that are everybody's. Nobody has asked for them, so that they are no stop."""


class Beginning:
    """The phases in which nothing is stepped."""

    __slots__ = (
        "_course",
        "_dispatch",
        "_drops",
        "_episode",
        "_gone",
        "_gone_at",
        "_journal",
        "_links",
        "_membership",
        "_pacing",
        "_proposed",
        "_publication",
        "_ready",
        "_roster",
        "_seats",
        "_settings",
        "_simulation",
        "_states",
        "_terms",
        "_timeline",
        "_under_way",
        "held_back",
    )

    def __init__(
        self,
        stage: Stage,
        settings: Settings,
        roster: Roster,
        drops: Drops,
        membership: Membership,
        ready_topic: Ready,
        terms: Terms,
        pacing: Pacing,
        states: States,
        journal: Journal,
    ) -> None:
        self._simulation = stage.simulation
        self._timeline = stage.timeline
        self._links = stage.links
        self._episode = stage.episode
        self._course = stage.course
        self._dispatch = stage.dispatch
        self._publication = stage.publication
        self._settings = settings
        self._roster = roster
        self._drops = drops
        self._membership = membership
        self._ready = ready_topic
        self._terms = terms
        self._pacing = pacing
        self._states = states
        self._journal = journal
        self._seats = stage.timeline.seats
        self._gone = 0
        self._gone_at = -1e9
        """When somebody went last in a phase in which nothing is stepped, and how many were gone then."""
        self._proposed = [seat.delay for seat in self._seats]
        self._under_way = False
        """Whether others play the episode already to which we have come back."""
        self.held_back = False
        """Whether the caller is not ready for another episode yet; nobody begins it meanwhile."""

    def propose_input_delay(self, frames: int, seat: int | None) -> None:
        """Propose an input delay with the next READY, of one seat or of all. Raises ConfigError."""
        if not 0 <= frames <= LONGEST_DELAY:
            raise ConfigError(f"an input delay of {frames!r} frames; it must lie between 0 and {LONGEST_DELAY}")
        for number in range(len(self._seats)) if seat is None else (seat,):
            self._proposed[number] = frames

    def hold_back(self, held_back: bool) -> None:
        """Begin no further episode until this is taken back."""
        self.held_back = held_back

    def progress(self, now: float, channels: Sequence[int]) -> None:
        """Go on if it is time; `channels` are those of the links."""
        course = self._course
        phase = course.phase
        drops = self._drops
        if len(self._roster.gone) > self._gone:
            # Who settles now has had no time yet.
            self._gone = len(self._roster.gone)
            self._gone_at = now
        waited = now - max(course.since, self._gone_at)
        if drops.never_begins:
            course.finish(now, "player_left", drops.text, DONE, None, drops.first.link.seat)
            return
        if phase == READYING and self._compare_readies(now, waited):
            return
        over = self._membership.over(self._episode.number)
        if over is not None and over.peer.left_alone and self._can_drop:
            drops.drop(over, "error" if over.peer.reason == "error" else "left")
        elif over is not None:
            reason, ends = reason_of(over), DONE
            name = self._journal.name(over)
            text = f"player {name} ended the session"
            if reason == "error":
                reason, text = "player_left", f"player {name}'s environment failed"
            elif over.peer.reason in NOT_BEGUN:
                text = f"player {name} {NOT_BEGUN[over.peer.reason]}"
                if not self._episode.number:
                    # Behind the first one a game has begun, and whoever gives it up leaves the others.
                    reason, ends = over.peer.reason, FAILED
            elif over.peer.reason in ("stop", "complete"):
                # Who goes where nothing is played has stopped it.
                reason = "stop"
            course.finish(now, reason, text, ends, None, over.seat)
        elif phase == CONNECTING:
            if self._terms.proposed:
                self._agree(now, waited)
            elif all(link.paths.healthy for link in self._links):
                if not self.held_back:
                    self._agree(now, waited)
            elif waited >= (self._settings.p2p_wait if self._settings.p2p else 0) or self._never_direct(channels):
                if self._settings.p2p_required:
                    self._give_up_connecting(now, waited)
                elif not self.held_back:
                    self._agree(now, waited)
        elif phase == BETWEEN:
            if waited >= self._settings.episode_pause and not self.held_back:
                self._agree_on_delays()
                self._begin(now)

    def _never_direct(self, channels: Sequence[int]) -> bool:
        """Whether every link that is not peer-to-peer yet will never be."""
        return all(
            link.paths.healthy or state == CHANNEL_UNABLE for link, state in zip(self._links, channels, strict=False)
        )

    @property
    def _can_drop(self) -> bool:
        """Whether the others go on without somebody."""
        return self._roster.group or self._drops.settling

    def _give_up_connecting(self, now: float, waited: float) -> None:
        """Without a way of its own no link may play, so the study wants."""
        names = ", ".join([self._journal.name(link) for link in self._links if not link.paths.healthy])
        why = f"within {waited:.0f} s" if waited >= self._settings.p2p_wait else "ever: a browser has no WebRTC"
        text = f"no peer-to-peer connection to player {names} {why}"
        self._course.finish(now, "p2p_timeout", text, FAILED)

    @property
    def seconds_each(self) -> float:
        """What a frame takes here that is stepped again; 0.0 where that was not measured."""
        costs = self._pacing.costs
        return 0.0 if costs is None else costs.step + costs.save

    def coming(self) -> tuple[int, ...]:
        """The input delays of the running episode, or of the one that begins next, by seat."""
        if self._episode.open or not self._episode.number:
            return tuple([seat.delay for seat in self._seats])
        return tuple([self._agreed(seat) for seat in self._seats])

    def begin_anew(self, link: Link) -> None:
        """Another load of a peer's page is there, which has proposed nothing yet."""
        self._terms.begin_anew(link)

    def resume(self, delays: Sequence[Sequence[int]], under_way: bool, now: float, was_gone: bool) -> None:
        """We return to the running episode; `delays` are those of each episode up to it, by seat. `under_way`: others
        have begun it. `was_gone`: they have played without us, and not all of them may hear what we propose."""
        for seat, delay in zip(self._seats, delays[-1], strict=True):
            seat.agree(delay)
        self._pacing.inherit(delays[:-1])
        if not self._episode.number and self._settings.adaptive_input_delay != "off":
            self._terms.inherit(delays[-1])
        self._begin(now, was_gone)
        self._under_way = under_way

    @property
    def agreeing(self) -> bool:
        """Whether the others are asked what they propose for the first episode, and it is not known yet."""
        return self._terms.proposed and self._terms.decided is None

    def _agree(self, now: float, waited: float) -> None:
        """Begin the first episode: at once, or where delays follow the network once all have agreed on them."""
        terms = self._terms
        if self._settings.adaptive_input_delay != "off":
            if not terms.proposed:
                for link in self._links:
                    link.paths.start()
                terms.propose(self._pacing.proposed(self._proposed))
            # Who is ready without a word has another study, which its READY says by name.
            if not terms.decide() and not any(map(terms.knows_none, self._links)):
                if waited > self._settings.p2p_wait + self._settings.ready_timeout:
                    names = ", ".join([self._journal.name(link) for link in terms.lacking()])
                    text = f"player {names} proposed no input delay within {waited:.0f} s"
                    self._course.finish(now, "ready_timeout", text, FAILED)
                return
        if not self.held_back:
            self._agree_on_delays()
            self._begin(now)

    def _begin(self, now: float, proposes_nothing: bool = False) -> None:
        """Set up the frames of the episode, and say that we are ready."""
        self._under_way = False
        simulation = self._simulation
        for link in self._links:
            link.paths.start()
        self._pacing.agreed(self._episode.number)
        simulation.reset(self._episode.number)
        state = simulation.canonical(simulation.save())
        frames = ring(self._seats, self._settings, not self._dispatch.own)
        if frames.ahead != self._timeline.frames.ahead:
            self._timeline.use(frames)
        self._timeline.begin(self._settings.max_steps - 1, self._episode.number)
        slots = self._timeline.frames.size
        self._dispatch.begin(slots)
        for link in self._links:
            link.begin([seat.delay for seat in self._seats], slots)
        self._publication.begin(len(state) > LARGE_BYTES, delays_of(self._seats))
        self._episode.begin(blake2b(state, digest_size=HASH_BYTES).digest())
        self._drops.begin()
        proposed = [NOTHING] * len(self._seats) if proposes_nothing else self._pacing.proposed(self._proposed)
        self._ready.begin(proposed, self._links)
        self._course.enter(READYING, now)

    def _agree_on_delays(self) -> None:
        """Input delays of the episode to come: the largest that anybody proposed at the last READY, of the first one
        before there was any."""
        if self._episode.number:
            for seat in self._seats:
                seat.agree(self._agreed(seat))
        elif self._terms.decided is not None:
            for seat, delay in zip(self._seats, self._terms.decided, strict=True):
                seat.agree(delay)

    def _agreed(self, seat: Seat) -> int:
        before = self._episode.number - 1
        delays = [self._ready.delays[seat.number]]
        for link in self._roster.everybody:
            # Who is gone meanwhile as well: all survivors have the same READYs of who was there.
            payload = link.peer.proposal(before)
            theirs = None if payload is None else _read(payload)
            if isinstance(theirs, ready.Read) and seat.number < len(theirs.delays):
                delays.append(theirs.delays[seat.number])
        proposed = [min(LONGEST_DELAY, delay) for delay in delays if delay != NOTHING]
        # Where all have come back meanwhile, it stays as it is.
        return max(proposed, default=seat.delay)

    def _waits_for(self, link: Link) -> bool:
        """Whether a survivor has not said what it holds of who is gone, before the first frame."""
        return not self._under_way and self._drops.waits_for(link)

    def _compare_readies(self, now: float, waited: float) -> bool:
        """Compare what came; true if that changed the phase."""
        episode = self._episode
        lacking = []
        for link in self._links:
            if episode.number not in link.peer.ready:
                # Who has gone on from here was ready once, and may never say so again to a page that returns.
                if link.peer.episode <= episode.number or self._waits_for(link):
                    lacking.append(link)
                continue
            if self._waits_for(link):
                lacking.append(link)
            theirs = _read(link.peer.ready[episode.number])
            found = theirs
            if isinstance(theirs, ready.Read):
                assert episode.initial is not None
                found = ready.difference(theirs, episode.initial, self._ready.agreed)
            if found is not None:
                if found[0] == INITIAL_STATE:
                    # Nothing was stepped: the state of now is the one that was compared.
                    self._states.hold(Covered(episode.number, 0, self._simulation.save(), (), 0))
                    self._states.differs(link, episode.number, 0)
                text = f"player {self._journal.name(link)}: {found[1]}"
                self._course.finish(now, str(found[0]), text, FAILED)
                return True
        if lacking:
            if waited > self._settings.ready_timeout:
                if episode.number and self._can_drop and waited <= self._settings.ready_timeout + UNDECIDED:
                    # They have played, and their number is known: the others go on without. Who is ready and silent may
                    # be waited for by one of them, who returns.
                    for link in self._links:
                        if link in lacking or self._membership.is_silent(link, now):
                            self._membership.miss(link, now)
                    return False
                names = ", ".join([self._journal.name(link) for link in lacking])
                # Whoever comes later must not begin alone.
                text = f"player {names} was not ready within {waited:.0f} s"
                self._course.finish(now, "ready_timeout", text, FAILED)
                return True
            return False
        if self._membership.over(self._episode.number) is not None:
            # Ready once, over since: whoever came late must not begin alone.
            return False
        if not self._drops.settled and not self._under_way:
            # Where it is played already, what is to be settled may lie further ahead than who stands can take in.
            return False
        for link in self._links:
            link.paths.forgive(now)
        self._membership.forgive(now)
        self._course.enter(PLAYING, now)
        return True


def delays_of(seats: Sequence[Seat]) -> list[int]:
    """Input delays by seat, as they are recorded; what every peer computes for itself comes without one."""
    return [0 if seat.owner is None else seat.delay for seat in seats]


def ring(seats: Sequence[Seat], settings: Settings, watches: bool) -> Frames:
    """The ring of frames for these seats: a peer steps at most `window` beyond what it knows of us, and dispatches its
    delay beyond that. Of the deepest rollback a policy is shown the state so much earlier as its reaction time."""
    delay = max([seat.delay for seat in seats])
    reaction = max([settings.stand_in_reaction, *[seat.reaction for seat in seats]])
    window = settings.prediction_window
    behind = 3 * window + 4 * delay + 16 + reaction
    return Frames(len(seats), ahead=window + 2 * delay + 1, behind=behind, watches=watches)


def _read(payload: bytes) -> ready.Read | tuple[str, str] | None:
    """A peer's ready of an episode, or why it cannot be read: code and text."""
    if payload[:1] != bytes((VERSION,)):
        return ready.version_differs(payload[0] if payload else 0)
    try:
        return ready.read(payload)
    except DecodeError as error:
        return "decode", str(error)
