"""Two real sessions, and a test in between that is their network: what happened to each becomes the oracle's story.

Nothing of the core is doubled. The stage carries what the sessions ask for, late, twice, not at all or not before
something else, closes and clogs their channels, raises where the channel is asked to send, and hands in inputs
itself. It writes down per side what happened to it, in the oracle's words, and what it did, from the outside: its
outputs, its news, the calls of its simulation and its export.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pycore import records
from pycore.duties import CHANNEL_CLOSED, CHANNEL_FAILED, CHANNEL_NEVER, EMIT, P2P, SEND, SOCKETIO
from pycore.events import Desync, Log, PathChanged
from pycore.session.phases import BETWEEN, DONE, FAILED, PLAYING, READYING
from pycore.session.session import Session
from pycore.session.timesync import TimeSync
from pycore.settings import Settings
from pycore.simulation import StepResult
from pycore.testing.games import Walk
from pycore.wire import datagram, probe

FPS = 30.0
PERIOD = 1 / FPS
WALL_MS = 1_700_000_000_000.0
LIMIT = 16_384
LOST = -1
STATES = {CHANNEL_NEVER: "never", CHANNEL_CLOSED: "closed", CHANNEL_FAILED: "failed"}
LATE = re.compile(
    r"\[GGPO\] Late input triggering rollback: player (\S+), frame (\d+), predicted (.+), actual (.+), depth (\d+)$"
)
MORE = re.compile(r"\[GGPO\] Late input triggering rollback: (\d+) more")


@dataclass(frozen=True, kw_only=True)
class Hand:
    """An input that the test hands in itself, as the page's `storeRemoteInput` or the server would."""

    side: int
    ahead: int
    """Of the side's current frame; negative: behind it."""
    twist: str = "true"
    """`true`: the action that the other player gives; `other`: another one, for a frame that is held already;
    `far`: a frame out of reach; `epoch`: of another episode."""
    path: str = SOCKETIO


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Some ticks with one kind of network. Delays are ticks, taken in turn; LOST: it does not come."""

    ticks: int = 6
    delays: tuple[int, ...] = (1,)
    """Of packets over the channel."""
    server: int = 1
    """Ticks through the server, which keeps the order."""
    channels: tuple[int, int] = (0, 0)
    """Buffered bytes per side, or a state; a channel that one side knows to be closed is closed for both."""
    lost: tuple[bool, bool] = (False, False)
    """Whether nothing that a side sends over the channel comes."""
    throws: tuple[bool, bool] = (False, False)
    """Whether the channel raises when a side gives it a new input."""
    sockets: tuple[bool, bool] = (True, True)
    hands: tuple[Hand, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Script:
    """A whole session, from nothing to the end."""

    segments: tuple[Segment, ...]
    actions: tuple[tuple[int, ...], tuple[int, ...]] = ((1, 2, 3), (3, 2, 1))
    """Per player, the actions in turn, each held for `hold` frames."""
    hold: int = 4
    input_delay: int = 1
    window: int = 8
    max_steps: int = 40
    episodes: int = 2
    opens: bool = True
    """Whether the channel is open from the start."""
    connection: str | None = None
    """What ICE settled on, once the session is connected."""
    differs_from: int | None = None
    """From this state on, the second player's hashes differ."""


class Witness(Walk):
    """The simulation, which writes down every step that it is asked for."""

    def __init__(self, seed: int, players: Sequence[int | str], differs_from: int | None) -> None:
        super().__init__(len(players), seed=seed)
        self.differs_from = differs_from
        self.players = [str(player) for player in players]
        self.episode = -1
        self.highest = -1
        self.seen: list[dict[str, Any]] = []

    def reset(self, episode: int) -> None:
        """Frame 0 of an episode."""
        super().reset(episode)
        self.episode = episode
        self.highest = -1

    def step(self, actions: Sequence[Any]) -> StepResult | None:
        """Step, and write it down."""
        frame = self.state[0]
        self.seen.append(
            {
                "episode": self.episode,
                "frame": frame,
                "used": dict(zip(self.players, actions, strict=True)),
                "again": frame <= self.highest,
            }
        )
        self.highest = max(self.highest, frame)
        return super().step(actions)

    def canonical(self, state: object) -> bytes:
        """The canonical bytes, wrong from a frame on if so asked."""
        assert isinstance(state, tuple)
        wrong = self.differs_from is not None and state[0] >= self.differs_from
        return super().canonical(state) + b"?" * wrong


class Standing(TimeSync):
    """Time sync that remembers whether it made the session stand: the oracle is told so, since it judges no clocks."""

    __slots__ = ("stood",)

    def __init__(self) -> None:
        super().__init__()
        self.stood = False

    def waits(self, now: float) -> bool:
        """As it is."""
        self.stood = super().waits(now)
        return self.stood


@dataclass
class Packet:
    """Something on its way."""

    due: int
    data: Any
    path: str
    generation: int
    episode: int = -1
    inputs: list[tuple[int, Any]] = field(default_factory=list)


class Side:
    """One session, its story and its doings."""

    def __init__(self, seat: int, script: Script, players: Sequence[int | str]) -> None:
        self.seat = seat
        self.other = 1 - seat
        self.id = players[seat]
        self.other_id = str(players[1 - seat])
        self.script = script
        self.simulation = Witness(7, players, script.differs_from if seat else None)
        self.now = 1000.0 * (seat + 1)
        self.session = Session(
            self.simulation,
            Settings(
                fps=FPS,
                input_delay=script.input_delay,
                window=script.window,
                num_episodes=script.episodes,
                max_steps=script.max_steps,
                action_space={"type": "discrete", "n": 6},
                p2p_wait=0.4,
                hash_interval=10,
            ),
            game_id="game",
            players=players,
            me=seat,
            now=self.now,
            wall_ms=WALL_MS,
            seed=7,
        )
        self.sync = Standing()
        self.session.ticks._timesync = self.session._intake._timesync = self.sync
        self.link = self.session.link_to(self.other)
        self.config = {
            "gameId": "game",
            "playerId": self.id,
            "players": list(players),
            "inputDelay": script.input_delay,
            "window": script.window,
            "maxSteps": script.max_steps,
            "defaultAction": 0,
            "wallMs": WALL_MS,
            "now": self.now,
        }
        self.channel = CHANNEL_NEVER
        self.socket_up = True
        self.inbox: list[Packet] = []
        self.probe: int | None = None
        self.polls = 0
        self.heard_now = False
        self.told_over = False

        self.story: list[list[Any]] = []
        self.pending: dict[int, int | None] = {}
        self.first: dict[tuple[int, int], dict[str, Any]] = {}
        self.messages: list[dict[str, Any]] = []
        self.resent = 0
        self.warnings: list[list[Any]] = []
        self.late: list[tuple[str, int, Any, Any, int]] = []
        self.summed_up = 0
        self.changes: list[dict[str, Any]] = []
        self.desyncs = 0
        self.met: Counter[str] = Counter()
        """What happened how often: a comparison proves nothing about what never happened."""

    def action(self, episode: int, frame: int) -> int:
        """What this player does."""
        actions = self.script.actions[self.seat]
        return actions[(frame // self.script.hold + episode) % len(actions)]

    def happened(self, *happening: Any) -> None:
        """One line of the story."""
        self.story.append(list(happening))

    def end(self) -> None:
        """Its session may have come to its end."""
        if self.session.phase >= DONE and not self.told_over:
            self.told_over = True
            self.happened("over")

    def observe(self) -> None:
        """The core must now say what the oracle says after the last line."""
        self.pending[len(self.story) - 1] = self.session.timeline.pending


class Stage:
    """Both sides and the ticks."""

    def __init__(self, script: Script, players: Sequence[int | str] = (0, 1)) -> None:
        self.script = script
        self.sides = [Side(seat, script, players) for seat in (0, 1)]
        self.tick = 0
        self.segment = Segment()
        self.generation = 0
        self._turn = 0
        self._server_due = [0, 0]

    def run(self) -> Stage:
        """Connect, go through the segments, and let the session end on a good network."""
        start = CHANNEL_NEVER if not self.script.opens else 0
        self.during(Segment(ticks=16, channels=(start, start)))
        if self.script.connection is not None:
            details = {"protocol": "udp", "localCandidateType": "host"}
            for side in self.sides:
                side.session.set_connection_type(side.session.links[0].seat, self.script.connection, details)
                side.happened("type", self.script.connection, details)
        for segment in self.script.segments:
            self.during(segment)
        # A channel that was open once never becomes one that never was.
        opened = start == 0 or any(side.channel != CHANNEL_NEVER for side in self.sides)
        self.segment = Segment(channels=(0, 0) if opened else (start, start))
        for _ in range(40 + 4 * self.script.episodes * self.script.max_steps):
            if all(side.session.phase >= DONE for side in self.sides):
                break
            self._tick()
        return self

    @property
    def complete(self) -> bool:
        """Whether both sessions came to their end."""
        return all(side.session.phase == DONE for side in self.sides)

    def during(self, segment: Segment) -> None:
        """Some ticks."""
        self.segment = segment
        for hand in segment.hands:
            self._hand_in(self.sides[hand.side], hand)
        for _ in range(segment.ticks):
            self._tick()

    def _tick(self) -> None:
        self.tick += 1
        channels = list(self.segment.channels)
        if min(channels) < 0:
            channels = [channel if channel < 0 else CHANNEL_CLOSED for channel in channels]
        for side, channel, up in zip(self.sides, channels, self.segment.sockets, strict=True):
            side.now = 1000.0 * (side.seat + 1) + self.tick * PERIOD
            if channel != side.channel:
                if channel < 0:
                    side.probe = None
                    if side.channel >= 0:
                        self.generation += 1
                side.channel = channel
                side.happened("channel", side.other_id, STATES.get(channel, "open"), max(channel, 0))
            if up != side.socket_up:
                side.socket_up = up
                side.happened("socket", up)
        for side in self.sides:
            side.heard_now = False
            due = [packet for packet in side.inbox if packet.due <= self.tick]
            side.inbox = [packet for packet in side.inbox if packet.due > self.tick]
            for packet in due:
                self._deliver(side, packet)
            self._poll(side)
            episode = side.session.episode
            side.sync.stood = False
            side.session.advance(side.now)
            side.met["stood"] += side.sync.stood
            side.happened("advance", side.sync.stood)
            if side.session.episode > episode:
                side.happened("end")
            side.end()
            side.observe()
            self._listen(side)

    # -- the two calls ----------------------------------------------------------------------------------------

    def _poll(self, side: Side) -> None:
        session = side.session
        before, fallback = session.phase, side.link.fallback
        action = side.action(session.episode, session.frame + self.script.input_delay)
        side.polls += 1
        outputs = session.poll(side.now, action, [side.channel], side.socket_up)
        cause = side.link.fallback if fallback is None else None
        if before == READYING and session.phase == PLAYING:
            side.happened("play")
        if cause in ("silence", "unheard"):
            side.happened("fallback", side.other_id, cause, side.now)
        side.happened("poll", action, side.now)
        if before != READYING and session.phase == READYING:
            side.happened("start", session.episode)
        side.end()
        side.observe()
        self._carry_out(side, outputs)
        if cause == "latency":
            side.happened("fallback", side.other_id, cause, side.now)

    def _carry_out(self, side: Side, outputs: Sequence[Any]) -> None:
        for duty, _seat, seq, payload in outputs:
            if duty == SEND:
                self._send(side, seq, payload)
            elif duty == EMIT:
                self._emit(side, *payload)

    def _send(self, side: Side, seq: int, data: bytes) -> None:
        assert 0 <= side.channel <= LIMIT or data[0] != datagram.KIND, "the core sent into a channel that refuses"
        if side.channel < 0:
            return
        packet = Packet(0, data, P2P, self.generation)
        fresh = []
        if data[0] == datagram.KIND:
            packet.episode = side.session.episode
            packet.inputs = _inputs(side.session, data)
            fresh = [frame for frame, _ in packet.inputs if (packet.episode, frame) not in side.first]
        if fresh and self.segment.throws[side.seat]:
            side.met["exception"] += 1
            side.happened("threw", side.other_id, fresh, side.now)
            self._carry_out(side, side.session.send_failed(side.other, seq, side.now))
            return
        if data[0] == probe.PROBE:
            side.probe = probe.decode_probe(data)[1]
        for frame, action in packet.inputs:
            if frame in fresh:
                self._dispatched(side, frame, action, P2P)
        delays = self.segment.delays
        self._turn += 1
        delay = delays[self._turn % len(delays)]
        if delay != LOST and not self.segment.lost[side.seat]:
            packet.due = self.tick + 1 + delay
            self.sides[side.other].inbox.append(packet)

    def _emit(self, side: Side, event: str, data: dict[str, Any]) -> None:
        assert side.socket_up, "the core emitted while the socket is down"
        self._server_due[side.seat] = due = max(self._server_due[side.seat], self.tick + 1 + self.segment.server)
        if event == "webrtc_signal":
            packet = Packet(due, data["payload"], SOCKETIO, -1)
        else:
            frame = data["frame_number"]
            packet = Packet(due, data, SOCKETIO, -1, data["sync_epoch"], [(frame, data["action"])])
            if (data["sync_epoch"], frame) in side.first:
                side.resent += 1
                assert side.first[data["sync_epoch"], frame]["action"] == data["action"], "a resend with another action"
            else:
                self._dispatched(side, frame, data["action"], SOCKETIO)
                side.messages.append({"event": event, "data": data})
        self.sides[side.other].inbox.append(packet)

    def _dispatched(self, side: Side, frame: int, action: Any, path: str) -> None:
        episode = side.session.episode
        side.first[episode, frame] = {
            "link": side.other_id,
            "episode": episode,
            "frame": frame,
            "action": action,
            "path": path,
            "poll": side.polls,
        }

    # -- what arrives ---------------------------------------------------------------------------------------------

    def _deliver(self, side: Side, packet: Packet) -> None:
        session, link, now = side.session, side.link, side.now
        if packet.path == P2P and (side.channel < 0 or packet.generation != self.generation):
            return
        if packet.path == SOCKETIO and not side.socket_up:
            return
        before = link.fallback
        pending, events = session.timeline.pending, session.timeline.events.count
        if packet.path == P2P:
            session.receive(side.other, packet.data, now)
            if not side.heard_now:
                side.happened("heard", side.other_id, now)
                side.heard_now = True
            if before is None and link.fallback is not None:
                side.happened("fallback", side.other_id, link.fallback, now)
            self._proof(side, packet.data, before)
        elif packet.episode < 0:
            session.receive_signal(side.other, packet.data, now)
            if before is None and link.fallback is not None:
                side.happened("fallback", side.other_id, link.fallback, now)
        else:
            data = packet.data
            session.receive_action(side.other, data["action"], data["frame_number"], data["sync_epoch"], now)
        if packet.inputs:
            side.happened("remote", side.other_id, packet.inputs, packet.path, packet.episode, now)
            side.observe()
        if session.timeline.events.count > events:
            side.met["event while stalled"] += session.stalled
            side.met["event with a rollback pending"] += pending is not None

    def _proof(self, side: Side, data: bytes, before: str | None) -> None:
        """Before any fallback the first answer to the newest probe proves the link; after one, the core says when."""
        if data[0] != probe.PROBE_ANSWER:
            return
        newest = side.probe is not None and probe.decode_probe(data)[1] == side.probe
        if newest:
            side.probe = None
        if newest and before is None:
            side.happened("proven", side.other_id, side.now)
        elif before is not None and side.link.fallback is None:
            assert newest, "an answer to an old probe brought P2P back"
            side.happened("proven", side.other_id, side.now)

    def _hand_in(self, side: Side, hand: Hand) -> None:
        session, now = side.session, side.now
        if session.phase < PLAYING or session.phase >= BETWEEN:
            return
        delay, episode = self.script.input_delay, session.episode
        frame = session.frame + hand.ahead
        if hand.twist == "far":
            frame = session.frame + self.script.window + 2 * delay + 2 + abs(hand.ahead)
        elif not delay <= frame <= min(session.frame + self.script.window, self.script.max_steps - 1) + delay:
            return
        other = self.sides[side.other]
        if hand.twist == "true" and (other.session.episode, frame) > (episode, other.session.dispatched):
            return
        action = other.action(episode, frame)
        if hand.twist == "other":
            if frame > session.timeline.frames.held[side.other]:
                return
            action = (action + 1) % 6
        epoch = episode + 1 if hand.twist == "epoch" else episode
        if hand.twist == "epoch" or hand.path == SOCKETIO:
            path = SOCKETIO
            taken = session.receive_action(side.other, action, frame, epoch, now)
        else:
            path = hand.path
            taken = session.store_remote_input(side.other, action, frame, now, path)
        side.met["hand: " + hand.twist] += 1
        assert taken <= (hand.twist == "true"), f"{hand} was accepted"
        side.happened("remote", side.other_id, [(frame, action)], path, epoch, now)
        side.observe()

    def _listen(self, side: Side) -> None:
        for event in side.session.news():
            if isinstance(event, Desync):
                side.desyncs += 1
                side.happened("mismatch")
            elif isinstance(event, PathChanged):
                side.changes.append(
                    {
                        "link": side.other_id,
                        "from": event.from_path,
                        "to": event.to_path,
                        "cause": event.cause,
                        "episode": event.episode,
                        "frame": event.frame,
                    }
                )
            elif isinstance(event, Log):
                if event.text.startswith("[P2P] Send failed"):
                    assert event.level == "warning"
                    side.warnings.append([side.polls, "[P2P] Send failed"])
                elif late := LATE.match(event.text):
                    player, frame, predicted, actual, depth = late.groups()
                    side.late.append((player, int(frame), int(predicted), int(actual), int(depth)))
                elif more := MORE.match(event.text):
                    side.summed_up += int(more[1])

    def export(self, seat: int) -> dict[str, Any]:
        """What the side's session exports."""
        return records.export_session_metrics(self.sides[seat].session)


def _inputs(session: Session, data: bytes) -> list[tuple[int, Any]]:
    """The inputs of a datagram that this session wrote just now, oldest first."""
    codecs = [seat.codec for seat in session.seats]
    packet = datagram.decode(data, codecs, session.me, 1, session.frame, session.episode, 0)
    runs = [(packet.first, packet.inputs), *[(run.first, run.inputs) for run in packet.runs]]
    assert all(run.seat == session.me for run in packet.runs), "of two players each sends its own inputs only"
    return sorted((first + i, session.codec.decode(encoded)) for first, run in runs for i, encoded in enumerate(run))


__all__ = ["FAILED", "LIMIT", "LOST", "Hand", "Script", "Segment", "Side", "Stage"]
