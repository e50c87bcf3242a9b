"""A session: several episodes of one game with everybody, stepped by two calls per tick.

    outputs = session.poll(now, action, channels)    # take in, decide, dispatch: the caller sends the outputs
    flags = session.advance(now)                     # roll back if needed, publish what is confirmed, step

The session opens no socket, starts no timer and reads no clock. Between two polls the caller hands in what
arrived: `receive` for packets, `receive_action` for inputs that came through the server. Nothing can arrive
inside a call, so no message can fall between two frames.

Whatever happens, every session ends by itself, with a reason: silence is bounded by `dropped_after`, getting ready by
`ready_timeout`, ends that differ are a desync, and where nothing moves although everybody is heard, that is noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from pycore.duties import P2P, SOCKETIO, Output
from pycore.events import EpisodeEnded, Event, Log, PathChanged
from pycore.link.kinds import Kinds
from pycore.link.link import Link
from pycore.policy import Policy, Predictor
from pycore.session import parts
from pycore.session.confirmed import Sink
from pycore.session.identity import NO_POLICIES, Identity, incarnation_of, policies_of, stand_in_of
from pycore.session.moments import LATE_TICKS, check_time, check_wall, gone_on
from pycore.session.phases import DONE, FAILED
from pycore.session.roster import Departure
from pycore.settings import Settings
from pycore.simulation import Simulation
from pycore.version import __version__


class Session:
    """One peer's session.

    `players` are the ids of all in the order of seats. `me` is the own peer: its seat, unless `peers` says which seats
    each peer owns. `seed` is the game's, which all must share; `wall_ms` the wall time at `now`; `incarnation` a number
    that another load of the same page would not have (default: made of the two times). `sinks` take what is confirmed;
    `policies` are those of the settings that every peer computes, by player, `stand_in` is what plays on for who is
    gone. Raises ConfigError and ActionError for settings that do not fit, UsageError for what is no time.
    """

    __slots__ = (
        "_course", "_encode", "_identity", "_intake", "_late", "_link_of", "_parts", "_polled_at",
        "_shift", "codec", "configuration", "game_id", "gone", "journal", "kinds", "links", "load",
        "me", "outputs", "pacing", "players", "seats", "seed", "settings", "simulation", "there", "ticks", "timeline",
    )  # fmt: skip

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
        sinks: Sequence[Sink] = (),
        predictor: Predictor | None = None,
        incarnation: int | None = None,
        peers: Sequence[Sequence[int]] | None = None,
        policies: Mapping[int | str, Policy] = NO_POLICIES,
        load: int = 0,
        stand_in: Policy | None = None,
    ) -> None:
        check_time(now)
        check_wall(wall_ms)
        number = incarnation_of(wall_ms, now, load) if incarnation is None else incarnation
        computed, after = policies_of(settings, players, policies), stand_in_of(settings, stand_in)
        identity = Identity(game_id, players, me, peers, number, computed, settings.computed(players, "one"))
        self._identity = identity
        self.settings = settings
        self.game_id = game_id
        self.players = identity.players
        self.me = me
        self.seed = seed
        self.load = load
        """How often this page was loaded again in this game."""
        self.simulation = simulation
        self.configuration = {**settings.agreed(), "seed": seed, "players": identity.players}
        agreed = {**self.configuration, "pycore": __version__}
        made = parts.assemble(
            simulation, settings, identity, agreed, sinks, predictor, computed, load, after, now, wall_ms
        )
        self._parts = made
        self.ticks = made.tick
        self._intake = made.intake
        self._course = made.course
        self.journal = made.journal
        self.timeline = made.timeline
        self.pacing = made.pacing
        self.links: tuple[Link, ...] = made.links
        self.outputs = made.outputs
        self.there: Sequence[Link] = made.roster.links
        self.gone: Mapping[int, Departure] = made.roster.gone
        """Who is gone, by number of the peer, and what became of it; `there` are the links to the others."""
        self._link_of = made.roster.of_number
        self.seats = made.timeline.seats
        self.codec = self.seats[identity.own[0]].codec if identity.own else self.seats[0].codec
        """Of the own (first) seat."""
        self._encode = self.codec.encode if len(identity.own) == 1 else None
        self.kinds = Kinds(link.seat for link in made.links)
        self._late = LATE_TICKS * settings.period
        """Seconds from one poll to the next beyond which it was a pause."""
        self._shift = 0.0
        """What is added to the caller's clock: it was set back."""
        self._polled_at = now

    # -- what the caller hands in -----------------------------------------------------------------------------

    def receive(self, peer: int, data: bytes, now: float, path: str = P2P) -> None:
        """A packet of that peer arrived at `now`, by the channel or as a signal through the server."""
        now += self._shift
        if not self._polled_at <= now < inf:
            now = self._behind(now)
        link = self._link_of.get(peer)
        if link is None:
            self._intake.receive_of_gone(self.link_to(peer), data, now, path)
        else:
            self._intake.receive(link, data, now, path, now > self._polled_at + self._late)

    def receive_signal(self, peer: int, payload: Any, now: float) -> None:
        """A `webrtc_signal` of type `pycore` arrived from that peer."""
        now = self._time(now)
        self._intake.receive_signal(self._parts.roster.link_to(peer), payload, now, now > self._polled_at + self._late)

    def receive_action(self, seat: int, action: Any, frame: Any, epoch: Any, now: float) -> bool:
        """An input of a seat came through the server; true if it was accepted. Without an epoch: `epoch` is None."""
        now = self._time(now)
        if not self._course.is_over:
            return self._parts.inputs.receive_action(seat, action, frame, epoch, now)
        self._intake.answer_over(seat, now)
        return False

    def store_remote_input(self, seat: int, action: Any, frame: int, now: float, path: str = SOCKETIO) -> bool:
        """Take in one remote input: compared with what its frame was stepped with last, if it was stepped. True if it
        was accepted; a duplicate, or a frame out of reach, gives False. Raises ActionError."""
        return self._course.phase < DONE and self._parts.inputs.store(seat, action, frame, self._time(now), path)

    def acknowledge(self, peer: int, frame: int) -> None:
        """That peer holds all our inputs up to `frame`, as far as they were dispatched, and knows everybody's."""
        self._parts.inputs.acknowledge(self._parts.roster.link_to(peer), frame, self._polled_at)

    def send_failed(self, peer: int, seq: int, now: float) -> list[Output]:
        """Sending packet `seq` to that peer raised; returns what has to be sent instead."""
        self._parts.dispatch.send_failed(self.link_to(peer), seq, self._time(now))
        return self._parts.outputs.fetch()

    def player_left(self, peer: int, now: float, *, certain: bool = False) -> None:
        """The server says that a peer's socket is away for good. It ends nothing while the peer itself is heard, unless
        that is `certain`: the server has ended the game."""
        link, now = self.link_to(peer), self._time(now)
        self._parts.over.gone(link)
        if self.phase < DONE:
            self._parts.membership.left(link, now, certain)
            self._parts.vigil.look_at_once(now, self.ticks.confirmed, now > self._polled_at + self._late)

    def player_away(self, peer: int, now: float) -> None:
        """The server has lost a peer's socket, and keeps its seat for `return_within`."""
        self._parts.membership.away(self.link_to(peer))

    def player_back(self, peer: int, now: float) -> None:
        """The server has a socket of that peer again."""
        link, now = self.link_to(peer), self._time(now)
        self._parts.over.back(link)
        self._parts.membership.back(link, now)

    @property
    def catching_up(self) -> tuple[int, int] | None:
        """While this page returns to a game that runs: frames that were stepped again, and that are to be."""
        returning = self._parts.returning
        return returning.progress if returning is not None and returning.busy else None

    def players_gone(self, peers: Sequence[int], now: float) -> None:
        """The server has decided that these peers are gone, whoever still hears them; we may be among them."""
        if self.phase < DONE:
            now = self._time(now)
            self._parts.vigil.called_gone(peers, self.me, now, self.ticks.confirmed, now > self._polled_at + self._late)

    def add_sink(self, sink: Sink) -> None:
        """Another one takes what is confirmed from here on."""
        self._parts.publication.add_sink(sink)

    def set_connection_type(self, seat: int, kind: str, details: dict[str, Any]) -> None:
        """What kind of connection ICE settled on for the link to that seat: `direct` or `relay` (TURN)."""
        self.kinds.settled(seat, kind, details)

    def set_wall_ms(self, now: float, wall_ms: float) -> None:
        """The wall time, read anew after a pause; it counts from `now` on. A monotonic clock may have stood still."""
        check_wall(wall_ms)
        self.journal.set_wall(self._time(now), wall_ms)

    def propose_input_delay(self, frames: int, seat: int | None = None) -> None:
        """Propose an input delay for the episodes after the next READY: the largest counts. Raises ConfigError."""
        self._parts.beginning.propose_input_delay(frames, seat)

    def abort(self, now: float, reason: str, text: str) -> None:
        """Something here broke, an environment for instance: end without stepping again, and tell the others. What is
        confirmed stays; the running episode ends with it."""
        if self.phase < DONE:
            self._course.break_off(self._time(now), reason, text, FAILED)

    def request_stop(self, now: float) -> None:
        """End the session with this episode, at a frame that nobody can have stepped yet."""
        if not self._course.is_over:
            self._parts.tick.request_stop(self._time(now))

    # -- a tick ------------------------------------------------------------------------------------------------

    def poll(
        self, now: float, action: Any, channels: Sequence[int], socket_up: bool = True, hidden: bool = False,
        streams: Sequence[int] = (),
    ) -> list[Output]:  # fmt: skip
        """Decide paths, dispatch the local action and whatever else is due; returns what has to be sent.

        `action` is the own seat's, or a sequence of actions by own seat where there are several (nothing: None).
        `channels` says per link (in order of peers, without the own) how many bytes its channel has buffered, or
        CHANNEL_NEVER, CHANNEL_CLOSED, CHANNEL_FAILED; `streams` says it of the reliable one. Raises ActionError: then
        nothing has moved. What the simulation raises where an episode begins comes out, and the session is over."""
        encode = self._encode
        encoded: Sequence[bytes] = (encode(action),) if encode is not None else self._parts.dispatch.encode(action)
        if len(channels) != len(self.there):
            channels = self._parts.roster.of_those_there(channels)
        now += self._shift
        gap = now - self._polled_at
        if not 0.0 <= gap < inf:
            now = self._behind(now)
        elif gap > self._late:
            self.ticks.excuse(gap - self._late, self._polled_at)
        self._polled_at = now
        return self.ticks.poll(encoded, now, channels, socket_up, hidden, streams)

    def advance(self, now: float) -> int:
        """Roll back if a prediction was wrong, step one frame unless stalled, publish what is confirmed.

        What the simulation or a sink raises comes out, of a step only in a frame of which everybody's input is known;
        the session is over then. Returns STEPPED, RESIMULATED, STALLED, ON_HOLD, OVER together.
        """
        now += self._shift
        return self.ticks.advance(now if self._polled_at <= now < inf else self._behind(now))

    def _time(self, now: float) -> float:
        """A moment of the caller's clock as one of the session's, which goes on where that one is set back."""
        now += self._shift
        return now if self._polled_at <= now < inf else self._behind(now)

    def _behind(self, now: float) -> float:
        """The same of one that lies before the last poll. Raises UsageError for what is no time."""
        moment = gone_on(now, self._polled_at)
        self._shift += moment - now
        return moment

    # -- what can be read ---------------------------------------------------------------------------------------

    def news(self) -> list[Event]:
        """What happened since the last call."""
        return self.journal.fetch()

    @property
    def has_news(self) -> bool:
        """Whether `news` has anything to give."""
        return bool(self.journal.news)

    def log(self, text: str, level: str = "info") -> None:
        """Add a line to the news."""
        self.journal.say(Log(level=level, text=text))

    def wall_ms(self, now: float) -> float:
        """Milliseconds since the epoch at `now`, or at an earlier moment since the caller's clock was set back last."""
        return self.journal.wall_ms(now + self._shift)

    @property
    def phase(self) -> int:
        """The phase, a number of `pycore.session.phases`."""
        return self._course.phase

    @property
    def reason(self) -> str:
        """Why the session is over."""
        return self._course.reason

    @property
    def ended(self) -> list[EpisodeEnded]:
        """The episodes that have ended."""
        return self._course.ended

    @property
    def frame(self) -> int:
        """The current frame: the one that is stepped next."""
        return self.timeline.current

    @property
    def episode(self) -> int:
        """The running episode, from 0."""
        return self._parts.episode.number

    @property
    def published(self) -> int:
        """Last frame of this episode that went to the sinks."""
        return self._parts.publication.published

    @property
    def waiting(self) -> int:
        """Confirmed frames that wait to be published."""
        return len(self._parts.publication.waiting)

    @property
    def dispatched(self) -> int:
        """The last frame of this episode for which the own (first) input is fixed."""
        return self._parts.dispatch.dispatched

    @property
    def confirmed(self) -> int:
        """Last frame whose inputs everybody is known to have."""
        return self.ticks.confirmed

    @property
    def stalled(self) -> bool:
        """Whether nothing was stepped in the last tick although the episode runs."""
        return self.ticks.stalled

    @property
    def stalls(self) -> int:
        """Ticks in which nothing was stepped although the episode ran."""
        return self.ticks.stalls

    @property
    def held_back(self) -> bool:
        """Set by a caller that is not ready for the next episode yet; nobody begins it meanwhile."""
        return self._parts.beginning.held_back

    @held_back.setter
    def held_back(self, held_back: bool) -> None:
        self._parts.beginning.hold_back(held_back)

    @property
    def incarnation(self) -> int:
        """Which load of the page this is."""
        return self._identity.incarnation

    @property
    def socket_up(self) -> bool:
        """Whether the server could be reached at the last poll."""
        return self._parts.outputs.socket_up

    @property
    def path_changes(self) -> list[PathChanged]:
        """Every change of path of the session."""
        return self.journal.path_changes

    def rollback_events(self, episode: int | None = None) -> Iterator[dict[str, Any]]:
        """Every mispredicted input, or those of one episode, by the names of the metrics."""
        seats, named = self.seats, [str(player) for player in self.players]
        return self.timeline.events.export(
            named.__getitem__, lambda seat, code: seats[seat].recorded(code), self.journal.wall_ms, episode
        )

    @property
    def hash_mismatches(self) -> int:
        """Compared hashes that differed."""
        return self.journal.mismatches

    @property
    def hashes_compared(self) -> int:
        """Hashes compared over the session, with all peers."""
        return sum([self._parts.hashes.compared(link) for link in self.links])

    def hashes_compared_with(self, peer: int) -> int:
        """Hashes compared over the session with one peer."""
        return self._parts.hashes.compared(self.link_to(peer))

    @property
    def contradictions(self) -> int:
        """Inputs that came for a frame whose other input stands."""
        return self.journal.contradictions

    @property
    def malformed(self) -> int:
        """Messages that were refused."""
        return self.journal.malformed

    def tick_period(self) -> float:
        """Seconds to the next tick: the nominal period, nudged by time sync."""
        return self.ticks.period()

    def is_interrupted(self, peer: int) -> bool:
        """Whether a peer has not been heard of for `interrupted_after`."""
        return self._parts.membership.is_interrupted(peer)

    def link_to(self, peer: int) -> Link:
        """The link to a remote peer. Raises UsageError for the own one and for one that does not exist."""
        return self._parts.roster.link_to(peer)
