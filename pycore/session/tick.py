"""One tick: what the two calls of a session do once the action is encoded and the time is known.

`poll` looks at every link, fixes and dispatches the own inputs and writes what is due; `advance` rolls back, steps and
publishes. Together with taking in a message that is all that runs sixty times a second, so what is rare is looked for
by comparing numbers that are at hand, and done elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.distribution import Distribution
from pycore.duties import Output
from pycore.link.link import Link
from pycore.link.paths import SILENCE, UNHEARD
from pycore.session.beginning import Beginning
from pycore.session.ending import Ending
from pycore.session.intake import Intake
from pycore.session.membership import Membership
from pycore.session.messages.state import States
from pycore.session.outputs import Outputs
from pycore.session.packets import Packets
from pycore.session.phases import DONE, HOLDING, PLAYING, READYING
from pycore.session.returning import Returning
from pycore.session.stage import Stage
from pycore.session.streams import Streams
from pycore.session.timesync import TimeSync
from pycore.session.topics.over import Over
from pycore.session.topics.status import Status
from pycore.session.vigil import Vigil
from pycore.settings import Settings

# Flags of `advance`.
STEPPED: Final = 1
RESIMULATED: Final = 2
STALLED: Final = 4
ON_HOLD: Final = 8
OVER: Final = 32

STALL_CAUSES: Final = ("window", "slow_player", "environment", "unconfirmed", "unready", "input")
"""Why a tick stepped nothing: the window is full, somebody slow is followed, a guessed frame raised, somebody has not
acknowledged for as long as frames can be kept, somebody has not begun, the own input is not there."""

LOOK_TICKS: Final = 7.5
"""Periods from one look around to the next: every eighth tick, and every one of a page that seldom ticks."""
LOOK_SECONDS: Final = 0.25
"""And never more often than it takes that at 30 frames a second: what is looked for is seconds old."""


class Tick:
    """The two halves of every tick of one session."""

    __slots__ = (
        "_all_play", "_beginning", "_count", "_course", "_dispatch", "_ending", "_episode", "_intake", "_links",
        "_look_at", "_look_every", "_membership", "_out", "_over", "_packets", "_paused_at", "_period", "_publication",
        "_returning", "_simulation", "_states", "_status", "_stop_when_back", "_streams", "_timeline", "_timesync",
        "_vigil", "_window", "ages", "cause", "confirmed", "lags", "stall_causes", "stalled", "stalls",
    )  # fmt: skip

    def __init__(
        self,
        stage: Stage,
        settings: Settings,
        outputs: Outputs,
        packets: Packets,
        intake: Intake,
        streams: Streams,
        states: States,
        status: Status,
        over: Over,
        timesync: TimeSync,
        membership: Membership,
        beginning: Beginning,
        returning: Returning | None,
        ending: Ending,
        vigil: Vigil,
    ) -> None:
        self._simulation = stage.simulation
        self._timeline = stage.timeline
        self._links = stage.links
        self._episode = stage.episode
        self._course = stage.course
        self._dispatch = stage.dispatch
        self._publication = stage.publication
        self._window = settings.prediction_window
        self._period = settings.period
        self._out = outputs
        self._packets = packets
        self._intake = intake
        self._streams = streams
        self._states = states
        self._status = status
        self._over = over
        self._timesync = timesync
        self._membership = membership
        self._beginning = beginning
        self._returning = returning
        self._ending = ending
        self._vigil = vigil
        self._count = 0
        self._all_play = False
        """Whether everybody is known to have our ready of this episode."""
        self._paused_at = -1
        """The last tick that came after a pause of our own."""
        self._look_every = max(LOOK_TICKS * settings.period, LOOK_SECONDS)
        self._look_at = -1e9
        self._stop_when_back = False
        """Whether a stop was asked for while we were on our way back."""
        self.stalled = False
        """Whether nothing was stepped in the last tick although the episode runs."""
        self.stalls = 0
        """Ticks in which that was so."""
        self.stall_causes = dict.fromkeys(STALL_CAUSES, 0)
        """The same by cause."""
        self.cause = ""
        """Of the newest of them."""
        self.lags = Distribution()
        """How far the newest frame is ahead of the confirmed one."""
        self.ages = Distribution()
        """How far the newest input of the slowest player is behind the current frame."""
        self.confirmed = -1
        """Last frame whose inputs everybody is known to have."""

    def poll(
        self,
        encoded: Sequence[bytes],
        now: float,
        channels: Sequence[int],
        socket_up: bool,
        hidden: bool,
        streams: Sequence[int],
    ) -> list[Output]:
        """Decide paths, dispatch the own inputs, by own seat, and whatever else is due; returns what has to be sent."""
        links = self._links
        out = self._out
        ways = tuple(zip(links, channels))  # noqa: B905 - as many, the session looked
        self._count = count = self._count + 1
        if socket_up is not out.socket_up:
            out.set_socket(socket_up, now)
            for link in links:
                link.paths.server.reach(socket_up)
            if socket_up:
                self._packets.introduce_anew()
        if hidden is not self._status.hidden:
            self._status.set(hidden, now)
        for link, channel in ways:
            paths = link.paths
            if (channel >= 0) is not paths.connected:
                self._watch_channel(link, channel, now)
            if socket_up:
                own = link.own
                since = own[0].since if len(own) == 1 else link.waits_since
                if now - paths.wire.heard_at > SILENCE or now - since > UNHEARD:
                    self._watch_silence(link, now)
        if self._streams.busy:
            # Before an episode begins: what was hashed in the last one is still as it was.
            self._streams.work(now, streams, socket_up)
        course = self._course
        phase = course.phase
        if phase != PLAYING and phase != HOLDING:
            if phase < DONE:
                try:
                    returning = self._returning
                    if returning is not None and returning.busy:
                        returning.look(now)
                    elif self._stop_when_back:
                        self._stop_when_back = False
                        self.request_stop(now)
                    else:
                        self._beginning.progress(now, channels)
                except Exception as error:
                    course.broke(now, error)
                    raise
                if phase != READYING and course.phase == READYING:
                    self.confirmed = -1
                    self.stalled = self._all_play = False
            phase = course.phase
        if now >= self._look_at and phase < DONE:
            # Before anything is written: what is found is said at once.
            self._look_at = now + self._look_every
            if self._states.verdict and not self._episode.desync:
                self._ending.request_stop(now, self._window, self._states.verdict)
            self._vigil.look(now, self.confirmed)
            phase = course.phase
            self._take_stock(phase == PLAYING)
        if len(ways) != len(links):
            # Somebody has gone in this very tick, and its channel with it.
            ways = tuple([way for way in ways if way[0] in links])
        if self._episode.open:
            dispatch = self._dispatch
            current = self._timeline.current
            if phase == PLAYING and current > dispatch.fixed:
                dispatch.send_input_to_other_players(encoded, current, ways, now)
            else:
                dispatch.send_left_over(ways, now)
        self._packets.write_all(ways, now, (phase == PLAYING and not self.stalled) or count % 3 == 0)
        return out.fetch()

    def request_stop(self, now: float) -> None:
        """End the session with this episode, at a frame that nobody can have stepped yet; on our way back we do not
        know which, and wait until we are there."""
        if self._returning is not None and self._returning.busy:
            self._stop_when_back = True
        else:
            self._ending.request_stop(now, self._window)

    @property
    def streaming(self) -> bool:
        """Whether anything is to be told by stream, or waited for."""
        return self._streams.busy

    def excuse(self, seconds: float, before: float) -> None:
        """From `before` on we did not listen, and so long is excused: it counts as nobody's silence, as no waiting, and
        not as standing still. Where nobody was heard since the last time, we are not the reason."""
        excused = [link for link in self._links if link.excuse(seconds, before)]
        for link in excused:
            self._membership.excuse(link, seconds, before)
        if excused or not self._links:
            self._vigil.excuse(seconds)
        self._streams.excuse(seconds)
        # Who pauses before every tick is slow, and has waited all the same.
        if self._count != self._paused_at:
            self._course.excuse(seconds)
        self._paused_at = self._count + 1

    def _watch_channel(self, link: Link, channel: int, now: float) -> None:
        """The channel was opened or lost."""
        if self._over.over and (link.peer.over or channel < 0):
            # Nothing is to be said any more but that; that the other closes the channel is no fallback.
            if channel < 0:
                link.paths.close()
            return
        link.paths.watch_channel(now, channel, self._timeline.current)
        self._packets.note_changes(link, now)

    def _watch_silence(self, link: Link, now: float) -> None:
        """Nothing was heard, or acknowledged, for a while: look whether it should have been."""
        if self._over.over:
            return
        # Who holds, is ready or agrees waits for the others' word, though every input may be acknowledged.
        if self._course.phase in (READYING, HOLDING) or self._beginning.agreeing or not link.acknowledged:
            paths = link.paths
            paths.watch_silence(now, link.waits_since, self._period, link.peer.hidden, self._timeline.current)
            self._packets.note_changes(link, now)

    def _cause(self, allowed: bool, current: int, known: int) -> str:
        """Why nothing was stepped in this tick, which began at this frame with these inputs known."""
        if allowed:
            return "environment"
        if current - known >= self._window:
            return "window"
        if current > self._dispatch.fixed:
            return "input"
        frames = self._timeline.frames
        if current - frames.reach > self._publication.collected:
            return "unconfirmed"
        if current >= self._window and not self._all_play:
            return "unready"
        return "environment"

    def _take_stock(self, playing: bool) -> None:
        """Count a round trip, and while an episode runs how far it is ahead, and how old the others' newest inputs."""
        for link in self._links:
            link.paths.wire.count_sample()
            link.paths.socket.count_sample()
        current = self._timeline.current
        if not playing or not current:
            return
        self.lags.add(max(0, current - 1 - self.confirmed))
        oldest = 0
        for link in self._links:
            held = [self._timeline.frames.held[seat] for seat in link.peer.seats]
            age = max(0, current - min(held)) if held else 0
            link.ages.add(age)
            oldest = max(oldest, age)
        self.ages.add(oldest)

    def period(self) -> float:
        """Seconds to the next tick: the nominal period, nudged by time sync."""
        return self._period * self._timesync.factor() if self._course.phase == PLAYING else self._period

    def advance(self, now: float) -> int:
        """Roll back if a prediction was wrong, step one frame unless stalled, publish what is confirmed.

        What the simulation or a sink raises comes out, and then the session is over: out of a step only in a frame of
        which everybody's input is known.
        """
        course = self._course
        phase = course.phase
        if phase != PLAYING and phase != HOLDING:
            return OVER if phase >= DONE else self._come_back(now)
        try:
            publication = self._publication
            timeline = self._timeline
            frames = timeline.frames
            known = min(frames.held)
            current = timeline.current
            stop = self._episode.stop_frame
            if stop is not None:
                timeline.shorten(stop)
                if publication.collected > stop:
                    self._ending.take_back(stop)
            # The input of frame current + delay goes out before the frame is stepped, or it never would; and a slot
            # of the ring is free again only when its frame is collected.
            allowed = (
                current - known < self._window
                and current <= self._dispatch.fixed
                and current - frames.reach <= publication.collected
                and (self._all_play or current < self._window or self._has_everybody())
                and (timeline.blocked_at is None or not timeline.blocked)
            )
            follows = False
            if allowed and timeline.end is None and self._timesync.waits(now):
                allowed = False
                follows = True
            again = timeline.advance(allowed)
            if self._returning is not None and self._returning.late:
                self._returning.hurry()
            reached = timeline.current
            end = timeline.end
            flags = RESIMULATED if again else 0
            if reached > current:
                flags |= STEPPED
                self.stalled = False
                self._intake.stepped(now)
            elif end is None and phase == PLAYING:
                flags |= STALLED
                self.stalled = True
                self.stalls += 1
                self.cause = cause = "slow_player" if follows else self._cause(allowed, current, known)
                self.stall_causes[cause] += 1
            confirmed = known
            for link in self._links:
                of_peer = link.peer.known
                if of_peer < confirmed:
                    confirmed = of_peer
            self.confirmed = confirmed
            upto = confirmed if confirmed < reached else reached - 1
            if upto > publication.collected:
                publication.collect(self._episode.number, upto, timeline)
            if publication.waiting:
                publication.work(self._simulation, again > 0)
            if end is not None:
                self._ending.hold(end, self._dispatch.dispatched, known, confirmed, now)
                return flags | ON_HOLD
            if phase == HOLDING:
                self._ending.play_on(now)
            return flags
        except Exception as error:
            course.broke(now, error)
            raise

    def _come_back(self, now: float) -> int:
        """Step what was played while we were loaded again, if that is so; returns the flags."""
        returning = self._returning
        if returning is None or not returning.busy:
            return 0
        try:
            returning.step(now)
        except Exception as error:
            self._course.broke(now, error)
            raise
        return 0

    def _has_everybody(self) -> bool:
        """Whether everybody plays. Who does not can take no input beyond the window, and refuses the packets that have
        one, our ready in them. Whoever has a seat keeps us back by its inputs that are missing."""
        self._all_play = all(link.peer.hears_ready or link.peer.seats for link in self._links)
        return self._all_play
