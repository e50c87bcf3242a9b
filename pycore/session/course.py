"""The course of a session: the phase that it is in, since when, and how it ends::

    CONNECTING --every link p2p, or p2p_wait over--> READYING --everybody ready and alike--> PLAYING
    PLAYING <--end found / end revoked--> HOLDING --end confirmed by all--> BETWEEN --> READYING … --> DONE

Nobody steps beyond a provisional end; it is final when every input dispatched up to it has reached everybody.
Since each peer dispatches up to end + delay before it steps the end, sent and received totals then agree.
A packet of episode e+1 is its sender's word that all of e is done.

Whatever ends a session goes through here, an exception of the simulation as well: the running episode ends with what is
confirmed, the others are told why, and the news say it once.
"""

from __future__ import annotations

from typing import Protocol

from pycore.errors import described
from pycore.events import EpisodeEnded, Log, PhaseChanged, SessionEnded
from pycore.session.episode import Episode
from pycore.session.journal import Journal
from pycore.session.phases import CONNECTING, DONE, FAILED, HOLDING, PHASE_NAMES, PLAYING, READYING
from pycore.session.publication import Publication
from pycore.session.topics.over import Over
from pycore.simulation import Simulation


class WayBack(Protocol):
    """Our own, where this page was loaded again."""

    busy: bool

    def leave(self) -> None:
        """It is over: from now on everything that comes is taken in as ever."""


class Course:
    """Phase and end of one session."""

    __slots__ = (
        "_episode",
        "_journal",
        "_over",
        "_publication",
        "_simulation",
        "_waited_for",
        "_way_back",
        "ended",
        "phase",
        "reason",
        "since",
    )

    def __init__(
        self,
        simulation: Simulation,
        episode: Episode,
        publication: Publication,
        over: Over,
        journal: Journal,
        now: float,
    ) -> None:
        self._simulation = simulation
        self._episode = episode
        self._publication = publication
        self._over = over
        self._journal = journal
        self._way_back: WayBack | None = None
        self.phase = CONNECTING
        self.since = now
        """When the phase began; what was excused of it lies before."""
        self._waited_for: set[int] = set()
        """Peers that came anew since it was entered."""
        self.ended: list[EpisodeEnded] = []
        self.reason = ""
        """Why the session is over."""

    @property
    def is_over(self) -> bool:
        """Whether nothing will be stepped any more."""
        return self.phase >= DONE

    @property
    def playing(self) -> bool:
        """Whether an episode runs: somebody steps, or holds at a provisional end."""
        return self.phase in (PLAYING, HOLDING)

    def enter(self, phase: int, now: float) -> None:
        """Go into another phase."""
        self.phase = phase
        self.since = now
        self._waited_for.clear()
        self._journal.say(PhaseChanged(phase=PHASE_NAMES[phase], episode=self._episode.number))

    def return_as(self, way_back: WayBack) -> None:
        """We are on our way back, which ends with the session at the latest."""
        self._way_back = way_back

    def excuse(self, seconds: float) -> None:
        """So long we did not listen: that is no time in which others were waited for. The pause between two episodes
        waits for nobody."""
        if self.phase in (CONNECTING, READYING):
            self.since += seconds

    def wait_anew(self, peer: int, now: float) -> None:
        """Somebody is there anew, who is waited for as if this phase had begun now: once in a phase, since a page that
        is not taken in for the sake of somebody else is loaded again and again."""
        if self.phase in (CONNECTING, READYING) and peer not in self._waited_for:
            self._waited_for.add(peer)
            self.since = now

    def inherit(self, ended: EpisodeEnded) -> None:
        """An episode ended before this page was loaded again."""
        self.ended.append(ended)

    def note_end(self, reason: str) -> None:
        """The running episode has ended with what is published."""
        ended = EpisodeEnded(episode=self._episode.number, frames=self._publication.published + 1, reason=reason)
        self.ended.append(ended)
        self._journal.say(ended)

    def finish(
        self,
        now: float,
        reason: str,
        text: str,
        phase: int,
        to_each: dict[int, str] | None = None,
        seat: int | None = None,
    ) -> None:
        """The session is over, which is said at once. `phase`: DONE, or FAILED if it could not begin or go on;
        `to_each`: what single peers are told instead of the reason, by number; `seat`: who is the reason."""
        self.reason = reason
        if self._way_back is not None and self._way_back.busy:
            # Who is over answers whoever still speaks to it, and asks nobody to be taken in.
            self._way_back.leave()
        self._episode.close()
        self._over.end(now, reason, to_each)
        self._journal.say(SessionEnded(reason=reason, text=text, seat=seat))
        self.enter(phase, now)

    def break_off(
        self,
        now: float,
        reason: str,
        text: str,
        phase: int,
        to_each: dict[int, str] | None = None,
        seat: int | None = None,
    ) -> None:
        """End in the middle of an episode, which ends with what is confirmed.

        What cannot be recorded any more does not keep the session from ending: the log says why.
        """
        if self.playing:
            stop = self._episode.stop_frame
            try:
                if stop is not None and self._publication.collected > stop:
                    self._publication.cut(self._episode.number, stop + 1)
                self._publication.break_off(self._simulation, self._episode.number)
            except Exception as error:
                text_of = f"the last confirmed frames could not be recorded: {described(error)}"
                self._journal.say(Log(level="error", text=text_of))
            self.note_end(reason)
        self.finish(now, reason, text, phase, to_each, seat)

    def broke(self, now: float, error: Exception) -> None:
        """The simulation raised, or what it gave could not be recorded: that ends the session, unless it is over."""
        if not self.is_over:
            self.break_off(now, "error", described(error), FAILED)
