"""A session: several episodes of one game with everybody, stepped by two calls per tick.

    outputs = session.poll(now, action, channels)    # take in, decide, dispatch: the caller sends the outputs
    flags = session.advance(now)                     # roll back if needed, publish what is confirmed, step

The session opens no socket, starts no timer and reads no clock. Between two polls the caller hands in what
arrived: `receive` for packets, `receive_action` for inputs that came through the server. Nothing can arrive
inside a call, so no message can fall between two frames.

The course of a session::

    CONNECTING --every link p2p, or p2p_wait over--> READYING --everybody ready and alike--> PLAYING
    PLAYING <--end found / end revoked--> HOLDING --end confirmed by all--> BETWEEN --> READYING … --> DONE

Nobody steps beyond a provisional end; it is final when every input dispatched up to it has reached everybody.
Since each peer dispatches up to end + delay before it steps the end, sent and received totals then agree.
A packet of episode e+1 is its sender's word that all of e is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pycore.actions.codec import action_codec
from pycore.duties import P2P, SOCKETIO, Output
from pycore.errors import ConfigError, DecodeError, UsageError
from pycore.events import EpisodeEnded, Event, Log, PathChanged, PeerStatus, PhaseChanged, SessionEnded
from pycore.link.link import SILENCE, Link
from pycore.rollback.frames import Frames
from pycore.rollback.prediction import DefaultAction, Predictor
from pycore.rollback.timeline import Timeline
from pycore.session import ready
from pycore.session.exchange import Exchange
from pycore.session.phases import BETWEEN, CONNECTING, DONE, FAILED, HOLDING, PHASE_NAMES, PLAYING, READYING
from pycore.settings import MAX_SEATS, Settings
from pycore.simulation import Simulation, StepResult
from pycore.values import canonical
from pycore.version import __version__

# Flags of `advance`.
STEPPED: Final = 1
RESIMULATED: Final = 2
STALLED: Final = 4
ON_HOLD: Final = 8
OVER: Final = 32

LATE_TICKS: Final = 6
"""After a pause of our own this long, a peer's silence is counted anew: it was we who did not listen."""

Sink = Callable[[int, int, "list[bytes]", "StepResult | None", "bytes | None"], None]
"""Takes a confirmed frame: episode, frame, encoded action per seat (reused: copy it), result, hash of the state
before it or None. The last call of an episode has an empty list of actions and the hash of the final state."""


class Session:
    """One peer's session.

    `players` are the ids of all in the order of seats, `me` is the own seat, `seed` the game's seed, which all
    must share. `wall_ms` is the wall time at `now`. `sink` takes the confirmed frames.
    Raises ConfigError and ActionError for settings that do not fit.
    """

    __slots__ = (
        "_default",
        "_delay",
        "_final_hash",
        "_interrupted",
        "_next_hash",
        "_period",
        "_phase_at",
        "_polled_at",
        "_sink",
        "_stopping",
        "_tick",
        "_window",
        "codec",
        "configuration",
        "confirmed",
        "connection_details",
        "connection_type",
        "ended",
        "exchange",
        "game_id",
        "held_back",
        "links",
        "me",
        "phase",
        "players",
        "published",
        "reason",
        "seed",
        "settings",
        "simulation",
        "stalled",
        "stalls",
        "timeline",
    )

    def __init__(
        self,
        simulation: Simulation,
        settings: Settings,
        *,
        game_id: str,
        players: Sequence[int | str],
        me: int,
        now: float,
        wall_ms: float,
        seed: int = 0,
        sink: Sink | None = None,
        predictor: Predictor | None = None,
    ) -> None:
        if not 1 <= len(players) <= MAX_SEATS:
            raise ConfigError(f"a session has 1 to {MAX_SEATS} players, not {len(players)}")
        if len({str(player) for player in players}) != len(players):
            raise ConfigError(f"two players share an id: {list(players)!r}")
        if not 0 <= me < len(players):
            raise ConfigError(f"seat {me} is none of {len(players)}")
        self.settings = settings
        self.game_id = game_id
        self.players = list(players)
        self.me = me
        self.seed = seed
        self.simulation = simulation
        self.codec = action_codec(settings.action_space)
        self._default = self.codec.encode(settings.default_action)
        if predictor is None and settings.prediction == "default_action":
            predictor = DefaultAction(settings.default_action)
        window, delay = settings.prediction_window, settings.input_delay
        # A peer steps at most `window` beyond what it knows of us, and dispatches `delay` beyond that.
        frames = Frames(len(players), ahead=window + 2 * delay + 1, behind=3 * window + 4 * delay + 16)
        self.timeline = Timeline(simulation, frames, self.codec, predictor)
        tag = int.from_bytes(canonical.digest([game_id, self.players], size=2), "big")
        self.exchange = Exchange(
            settings=settings,
            timeline=self.timeline,
            codec=self.codec,
            game_id=game_id,
            players=players,
            me=me,
            tag=tag,
            now=now,
            wall_ms=wall_ms,
        )
        self.configuration = {**settings.agreed(), "seed": seed, "players": self.players}
        self.exchange.agreed = {**self.configuration, "pycore": __version__}
        if len(ready.encode(False, bytes(8), self.exchange.agreed)) > ready.LIMIT:
            raise ConfigError(f"settings and player ids together exceed {ready.LIMIT} bytes")
        self.links: list[Link] = self.exchange.links
        self.phase = CONNECTING
        self.stalled = False
        self.stalls = 0
        """Ticks in which nothing was stepped because the prediction window was full."""
        self.published = -1
        """Last confirmed frame of this episode that was handed to the sink."""
        self.confirmed = -1
        """Last frame whose inputs everybody is known to have."""
        self.ended: list[EpisodeEnded] = []
        self.connection_type = "unknown"
        self.connection_details: dict[str, Any] = {}
        self.reason = ""
        """Why the session is over."""
        self.held_back = False
        """Set by a caller that is not ready for the next episode yet; nobody begins it meanwhile."""
        self._sink = sink
        self._window = window
        self._delay = delay
        self._period = settings.period
        self._next_hash = 0
        self._final_hash = False
        self._tick = 0
        self._polled_at = self._phase_at = now
        self._interrupted: dict[int, float] = {}
        """Interrupted seats, and since when they are called so."""
        self._stopping = False

    # -- what the caller hands in -----------------------------------------------------------------------------

    def receive(self, seat: int, data: bytes, now: float, path: str = P2P) -> None:
        """A packet of that player arrived at `now`, by the channel or as a signal through the server."""
        if self._listens:
            self.exchange.receive(seat, data, now, path)

    def receive_signal(self, seat: int, payload: Any, now: float) -> None:
        """A `webrtc_signal` of type `pycore` arrived from that player."""
        if self._listens:
            self.exchange.receive_signal(seat, payload, now)

    @property
    def _listens(self) -> bool:
        # Who failed and said so waits for the others' word that they heard it.
        return self.phase != FAILED or self.exchange.over

    def receive_action(self, seat: int, action: Any, frame: Any, epoch: Any, now: float) -> bool:
        """An input arrived through the server; true if it was accepted. `epoch` is None where it was left out."""
        return self.phase != FAILED and self.exchange.receive_action(seat, action, frame, epoch, now)

    def store_remote_input(self, seat: int, action: Any, frame: int, now: float, path: str = SOCKETIO) -> bool:
        """Take in one remote input (S4): compared with what its frame was stepped with last, if it was stepped.

        True if it was accepted; a duplicate, or a frame out of reach, gives False. Raises ActionError.
        """
        exchange = self.exchange
        if not exchange.open_for_inputs or self.phase == DONE:
            return False
        return exchange.take_input(exchange.link_of[seat], frame, self.codec.encode(action), now, path)

    def acknowledge(self, seat: int, frame: int) -> None:
        """That player holds all our inputs up to `frame` and knows everybody's."""
        link = self.exchange.link_of[seat]
        link.acknowledge(frame)
        if link.reported < frame <= self.exchange.dispatched:
            link.reported = frame

    def send_failed(self, seat: int, seq: int, now: float) -> list[Output]:
        """Sending packet `seq` to that player raised; returns what has to be sent instead."""
        self.exchange.send_failed(seat, seq, now)
        return self.exchange.outputs()

    def player_left(self, seat: int, now: float) -> None:
        """The server says that a player is gone for good."""
        self.exchange.link_of[seat].peer_over = True
        if self.phase not in (DONE, FAILED):
            self._finish_without(seat, now, "left the game")

    def set_connection_type(self, kind: str, details: dict[str, Any]) -> None:
        """What kind of connection ICE settled on: `direct` or `relay` (TURN), with its details."""
        self.connection_type = kind
        self.connection_details = details

    def abort(self, now: float, reason: str, text: str) -> None:
        """Something here broke, an environment for instance: end without stepping again, and tell the others.

        What is confirmed stays; the running episode ends with it.
        """
        if self.phase >= DONE:
            return
        if self.phase in (PLAYING, HOLDING):
            self._note_end(reason)
            self.exchange.open_for_inputs = False
        self.exchange.end(now)
        self._fail(now, reason, text)

    def request_stop(self, now: float) -> None:
        """End the session with this episode, at a frame that nobody can have stepped yet."""
        exchange = self.exchange
        if self.phase in (READYING, PLAYING, HOLDING):
            # Who is ready may be played with already: then too the end must be one that all reach.
            exchange.stop_at(self.timeline.current + self.settings.input_delay + self._window)
            self._stopping = True
        elif self.phase < DONE:
            self._end(now, "stop", "the session was stopped")

    # -- poll -------------------------------------------------------------------------------------------------

    def poll(
        self,
        now: float,
        action: Any,
        channels: Sequence[int],
        socket_up: bool = True,
        hidden: bool = False,
    ) -> list[Output]:
        """Decide paths, dispatch the local action and whatever else is due; returns what has to be sent.

        `channels` says per link (in order of seats, without the own) how many bytes its channel has buffered,
        or CHANNEL_NEVER, CHANNEL_CLOSED, CHANNEL_FAILED. Raises ActionError, and then nothing has moved.
        """
        exchange = self.exchange
        phase = self.phase
        encoded = self.codec.encode(action)
        self._tick += 1
        timeline = self.timeline
        current = timeline.current
        period = self._period
        if now - self._polled_at > LATE_TICKS * period:
            for link in self.links:
                link.quiet_since = now
        self._polled_at = now
        if socket_up and not exchange.socket_up:
            for link in self.links:
                link.socket_ready_to = -1
                link.flush = True
        exchange.socket_up = socket_up
        exchange.hidden = hidden
        # Who holds or is ready waits for the others' word, though every input may be acknowledged.
        waiting = phase in (READYING, HOLDING)
        if len(channels) != len(self.links):
            raise UsageError(f"{len(channels)} channel states for {len(self.links)} links")
        for link, channel in zip(self.links, channels):  # noqa: B905 - just compared
            # Looked at closely only when something is amiss: this is the path of every tick.
            if (channel >= 0) is not link.connected or now - link.wire.heard_at > SILENCE:
                if link.peer_over and exchange.over:
                    # Nothing is to be said any more: that the other closes the channel is no fallback.
                    continue
                link.watch(now, channel, current, waiting or link.acked < link.dispatched, period, socket_up)
        if phase != PLAYING and phase != HOLDING:
            self._progress(now)
            phase = self.phase
            current = timeline.current
        if phase == PLAYING:
            target = current + self._delay
            if exchange.dispatched < target:
                exchange.send_input_to_other_players(encoded, target, channels, now)
        exchange.write(channels, now, self._tick, phase == PLAYING and not self.stalled, exchange.over)
        if not self._tick & 7:
            self._check_presence(now)
        return exchange.outputs()

    def _progress(self, now: float) -> None:
        """The phases in which nothing is stepped."""
        exchange = self.exchange
        phase = self.phase
        waited = now - self._phase_at
        over = next((link.seat for link in self.links if link.peer_over), None)
        if over is not None and phase < DONE:
            self._end(now, "stop", f"player {self.players[over]} ended the session")
        elif phase == CONNECTING:
            if all(link.healthy for link in self.links):
                if not self.held_back:
                    self._begin_episode(now)
            elif waited >= (self.settings.p2p_wait if self.settings.p2p else 0):
                if self.settings.p2p_required:
                    self._give_up_connecting(now, waited)
                elif not self.held_back:
                    self._begin_episode(now)
        elif phase == BETWEEN:
            if waited >= self.settings.episode_pause and not self.held_back:
                self._begin_episode(now)
        elif phase == READYING:
            episode = exchange.episode
            lacking = [link.seat for link in self.links if episode not in link.peer_ready]
            if not lacking:
                self._compare_readies(now)
            elif waited > self.settings.ready_timeout:
                names = ", ".join(str(self.players[seat]) for seat in lacking)
                # Whoever comes later must not begin alone.
                exchange.end(now)
                self._fail(now, "ready_timeout", f"player {names} was not ready within {waited:.0f} s")

    def _give_up_connecting(self, now: float, waited: float) -> None:
        """Without a way of its own no link may play, so the study wants."""
        names = ", ".join(str(self.players[link.seat]) for link in self.links if not link.healthy)
        self.exchange.end(now)
        self._fail(now, "p2p_timeout", f"no peer-to-peer connection to player {names} within {waited:.0f} s")

    def _begin_episode(self, now: float) -> None:
        exchange = self.exchange
        for link in self.links:
            link.start()
        self.simulation.reset(exchange.episode)
        initial = canonical.digest(self.simulation.canonical(self.simulation.save()))
        self.timeline.begin(self.settings.input_delay, self._default, self.settings.max_steps - 1)
        self.published = self.confirmed = -1
        self._next_hash = self.settings.hash_every
        self._final_hash = False
        self.stalled = False
        exchange.begin(initial)
        self._enter(READYING, now)

    def _compare_readies(self, now: float) -> None:
        exchange = self.exchange
        assert exchange.initial is not None
        for link in self.links:
            try:
                found = ready.difference(link.peer_ready[exchange.episode], exchange.initial, exchange.agreed)
            except DecodeError as error:
                found = "decode", str(error)
            if found is not None:
                self._fail(now, found[0], f"player {self.players[link.seat]}: {found[1]}")
                return
            link.quiet_since = now
        self._enter(PLAYING, now)

    # -- advance ----------------------------------------------------------------------------------------------

    def advance(self, now: float) -> int:
        """Roll back if a prediction was wrong, step one frame unless stalled, publish what is confirmed."""
        if self.phase != PLAYING and self.phase != HOLDING:
            return OVER if self.phase >= DONE else 0
        timeline = self.timeline
        frames = timeline.frames
        known = min(frames.held)
        current = timeline.current
        exchange = self.exchange
        if exchange.stop_frame is not None:
            timeline.shorten(exchange.stop_frame)
        # The input of frame current + delay goes out before the frame is stepped, or it never would; and a slot
        # of the ring is free again only when its frame is published.
        allowed = (
            current - known < self._window
            and current + self._delay <= exchange.dispatched
            and current + frames.ahead + 1 - frames.size <= self.published
        )
        flags = RESIMULATED if timeline.advance(allowed) else 0
        if timeline.current > current:
            flags |= STEPPED
            self.stalled = False
            exchange.stepped_at = now
        elif timeline.end is None and self.phase == PLAYING:
            flags |= STALLED
            self.stalled = True
            self.stalls += 1
        confirmed = known
        for link in self.links:
            if link.reported < confirmed:
                confirmed = link.reported
        self.confirmed = confirmed
        upto = timeline.current - 1
        if confirmed < upto:
            upto = confirmed
        if upto > self.published:
            self._publish(upto)
        if timeline.end is None:
            if self.phase == HOLDING:
                self._enter(PLAYING, now)
            return flags
        if self.phase == PLAYING:
            self._enter(HOLDING, now)
        self._hold(timeline.end, now)
        return flags | ON_HOLD

    def _publish(self, upto: int) -> None:
        """Hand confirmed frames to the sink and hash the states that all hash."""
        timeline = self.timeline
        sink = self._sink
        start = self.published + 1
        self.published = upto
        if sink is None and upto < self._next_hash:
            return
        frames = timeline.frames
        mask = frames.mask
        episode = self.exchange.episode
        for frame in range(start, upto + 1):
            digest = None
            if frame == self._next_hash:
                self._next_hash += self.settings.hash_every
                digest = self._hash(frame)
            if sink is not None:
                slot = frame & mask
                sink(episode, frame, frames.encoded[slot], frames.results[slot], digest)

    def _hash(self, frame: int) -> bytes:
        """Hash state `frame`, everything before which is confirmed, and exchange it."""
        digest = canonical.digest(self.simulation.canonical(self.timeline.state(frame)))
        for link in self.links:
            theirs = self.exchange.hashes[link.seat].own(frame, digest)
            if theirs is not None:
                self.exchange.report_mismatch(link.seat, frame, digest, theirs)
        return digest

    def _hold(self, end: int, now: float) -> None:
        """At a provisional end: finish as soon as it is final."""
        exchange = self.exchange
        if self.published >= end and not self._final_hash:
            self._final_hash = True
            digest = self._hash(end + 1)
            if self._sink is not None:
                self._sink(exchange.episode, end + 1, [], None, digest)
        if not self._final_hash:
            return
        for link in self.links:
            if link.peer_episode <= exchange.episode and not self._settled(link, end):
                return
        result = self.timeline.frames.results[end & self.timeline.frames.mask]
        if result is not None and result.done:
            reason = "done"
        else:
            reason = "stop" if exchange.stop_frame == end else "max_steps"
        self._finish_episode(now, reason)

    def _settled(self, link: Link, end: int) -> bool:
        """Whether the link's two sides have everything of this episode from each other."""
        exchange = self.exchange
        hashes = exchange.hashes[link.seat]
        return (
            link.peer_end is not None
            and link.peer_end[0] == end
            and self.timeline.frames.held[link.seat] >= link.peer_end[1]
            and link.acked >= exchange.dispatched
            and self.confirmed >= end + self.settings.input_delay
            and hashes.settled
            and hashes.has_theirs(end + 1)
        )

    def _finish_episode(self, now: float, reason: str) -> None:
        exchange = self.exchange
        self._note_end(reason)
        stopped = reason == "stop" or self._stopping or exchange.stop_frame is not None
        exchange.leave()
        exchange.stop_frame = None
        if stopped or exchange.episode >= self.settings.num_episodes:
            self._end(now, "stop" if stopped else "complete", "the session is complete")
        else:
            self._enter(BETWEEN, now)

    # -- the end ----------------------------------------------------------------------------------------------

    def _note_end(self, reason: str) -> None:
        ended = EpisodeEnded(episode=self.exchange.episode, frames=self.published + 1, reason=reason)
        self.ended.append(ended)
        self.exchange.news.append(ended)

    def _end(self, now: float, reason: str, text: str) -> None:
        self.reason = reason
        self.exchange.end(now)
        self.exchange.news.append(SessionEnded(reason=reason, text=text))
        self._enter(DONE, now)

    def _fail(self, now: float, reason: str, text: str) -> None:
        self.reason = reason
        self.exchange.news.append(SessionEnded(reason=reason, text=text))
        self._enter(FAILED, now)

    def _finish_without(self, seat: int, now: float, why: str) -> None:
        """Two players never drop each other: the running episode ends at its last confirmed frame."""
        exchange = self.exchange
        if self.phase in (PLAYING, HOLDING):
            self._note_end("player_left")
            exchange.open_for_inputs = False
        self._end(now, "player_left", f"player {self.players[seat]} {why}")

    def _check_presence(self, now: float) -> None:
        """Interrupted and lost players, by the silence on every path."""
        if self.phase not in (PLAYING, HOLDING, READYING):
            return
        for link in self.links:
            if link.peer_over:
                self._finish_without(link.seat, now, "ended the session")
                return
            heard = max(link.wire.heard_at, link.socket.heard_at)
            quiet = now - max(heard, link.quiet_since)
            if quiet > self.settings.dropped_after and self.phase != READYING:
                self._finish_without(link.seat, now, f"was not heard of for {quiet:.0f} s")
                return
            since = self._interrupted.get(link.seat)
            if since is None and quiet > self.settings.interrupted_after:
                self._interrupted[link.seat] = now
                self.exchange.news.append(PeerStatus(seat=link.seat, status="interrupted"))
            elif since is not None and heard > since:
                # Only what is heard brings a player back: a pause of our own, which counts silence anew, does not.
                del self._interrupted[link.seat]
                self.exchange.news.append(PeerStatus(seat=link.seat, status="present"))

    def _enter(self, phase: int, now: float) -> None:
        self.phase = phase
        self._phase_at = now
        self.exchange.news.append(PhaseChanged(phase=PHASE_NAMES[phase], episode=self.exchange.episode))

    # -- what can be read ---------------------------------------------------------------------------------------

    def wall_ms(self, now: float) -> float:
        """Milliseconds since the epoch at `now`."""
        return self.exchange.wall_ms(now)

    def log(self, text: str, level: str = "info") -> None:
        """Add a line to the news."""
        self.exchange.news.append(Log(level=level, text=text))

    @property
    def has_news(self) -> bool:
        """Whether `news` has anything to give."""
        return bool(self.exchange.news)

    @property
    def socket_up(self) -> bool:
        """Whether the server could be reached at the last poll."""
        return self.exchange.socket_up

    @property
    def dispatched(self) -> int:
        """The last frame of this episode for which the own input is fixed."""
        return self.exchange.dispatched

    @property
    def path_changes(self) -> list[PathChanged]:
        """Every change of path of the session."""
        return self.exchange.path_changes

    @property
    def fallback_frame(self) -> int | None:
        """Frame at which the first fallback of the session came into force, whichever link's."""
        return self.exchange.fallback_frame

    @property
    def hash_mismatches(self) -> int:
        """Compared hashes that differed."""
        return self.exchange.hash_mismatches

    @property
    def hashes_compared(self) -> int:
        """Hashes compared over the session, with all peers."""
        return sum([self.hashes_compared_with(link.seat) for link in self.links])

    def hashes_compared_with(self, seat: int) -> int:
        """Hashes compared over the session with one player."""
        return self.exchange.hashes_compared(seat)

    @property
    def contradictions(self) -> int:
        """Inputs that came for a frame whose other input stands."""
        return self.exchange.contradictions

    @property
    def malformed(self) -> int:
        """Messages that were refused."""
        return self.exchange.malformed

    def news(self) -> list[Event]:
        """What happened since the last call."""
        news = self.exchange.news
        self.exchange.news = []
        return news

    @property
    def frame(self) -> int:
        """The current frame: the one that is stepped next."""
        return self.timeline.current

    @property
    def episode(self) -> int:
        """The running episode, from 0."""
        return self.exchange.episode

    @property
    def pending_rollback_frame(self) -> int | None:
        """The first incorrect frame, while its rollback is pending."""
        return self.timeline.pending

    def tick_period(self) -> float:
        """Seconds to the next tick: the nominal period, nudged by time sync."""
        if self.phase != PLAYING:
            return self.settings.period
        return self.settings.period * self.exchange.timesync.factor()

    def is_interrupted(self, seat: int) -> bool:
        """Whether a player has not been heard of for `interrupted_after`."""
        return seat in self._interrupted

    def link_to(self, seat: int) -> Link:
        """The link to a remote seat. Raises UsageError for the own seat and for one that does not exist."""
        try:
            return self.exchange.link_of[seat]
        except KeyError:
            raise UsageError(f"there is no link to seat {seat}; this peer sits on {self.me}") from None
