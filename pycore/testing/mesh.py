"""A whole mesh of sessions in one process and in virtual time: delay, jitter, loss, cuts, hidden tabs.

Nothing here is a double of the core: the sessions are real, only channels, server and clocks are simulated.
Everything is drawn from one seed, so a run that failed can be run again.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER, EMIT, P2P, SEND
from pycore.events import Event
from pycore.session.phases import DONE, FAILED
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.simulation import Resumable, Simulation, StepResult
from pycore.wire import datagram


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What a network does to packets. Times are seconds, one way."""

    delay: float = 0.02
    jitter: float = 0.0
    """Uniform, added to the delay; packets overtake each other."""
    loss: float = 0.0
    server_delay: float = 0.03
    """From one peer to another through the server, which keeps the order."""
    opens_after: float | None = 0.1
    """When the channels open; None: never."""
    drift: float = 0.0
    """How much faster the clock of each further peer ticks, as a share."""
    tick_jitter: float = 0.0


class Peer:
    """One page of the mesh: a session, what it was given and what it published."""

    def __init__(self, session: Session, seat: int, play: Callable[[int, int], Any]) -> None:
        self.session = session
        self.seat = seat
        self.play = play
        self.resume = session.simulation.resume if isinstance(session.simulation, Resumable) else None
        self.channels: dict[int, int] = {link.seat: CHANNEL_NEVER for link in session.links}
        self.socket_up = True
        self.hidden = False
        self.frozen = False
        self.gone = False
        self.inputs: list[dict[int, bytes]] = []
        """Per episode, the inputs that this peer fixed: frame -> encoded action."""
        self.rows: list[list[tuple[bytes, ...]]] = []
        self.rewards: list[list[Any]] = []
        self.finals: list[bytes | None] = []
        self.hashes: list[dict[int, bytes]] = []
        self.news: list[Event] = []
        self.bytes_sent = 0
        self.packets_sent = 0
        self.depths: list[int] = []

    def confirmed(
        self, episode: int, frame: int, encoded: list[bytes], result: StepResult | None, digest: bytes | None
    ) -> None:
        """The session's sink."""
        while len(self.rows) <= episode:
            self.rows.append([])
            self.rewards.append([])
            self.finals.append(None)
            self.hashes.append({})
        if not encoded:
            self.finals[episode] = digest
            return
        if frame != len(self.rows[episode]):
            raise AssertionError(f"seat {self.seat} published frame {frame} behind {len(self.rows[episode])} frames")
        self.rows[episode].append(tuple(encoded))
        self.rewards[episode].append(None if result is None else result.rewards)
        if digest is not None:
            self.hashes[episode][frame] = digest

    def events(self, kind: type) -> list[Any]:
        """All news of one kind."""
        return [event for event in self.news if isinstance(event, kind)]


class Mesh:
    """Peers, their network, and one virtual clock.

    `simulation(seat)` makes each peer's own simulation; `play(seat)` gives the function (episode, frame) ->
    action of a player. `at` schedules what happens to the network meanwhile.
    """

    def __init__(
        self,
        seats: int,
        settings: Settings,
        simulation: Callable[[int], Simulation],
        play: Callable[[int], Callable[[int, int], Any]],
        conditions: Conditions = Conditions(),
        *,
        seed: int = 0,
    ) -> None:
        self.settings = settings
        self.conditions = conditions
        self.random = random.Random(seed)
        self.now = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._cut: set[tuple[int, int]] = set()
        self._server_last: dict[tuple[int, int], float] = {}
        self.through_server = 0
        """Inputs that crossed the server."""
        self.signals = 0
        self.peers: list[Peer] = []
        players = list(range(seats))
        for seat in players:
            session = Session(
                simulation(seat),
                settings,
                game_id="mesh",
                players=players,
                me=seat,
                now=self.clock(seat),
                wall_ms=1.7e12,
                seed=seed,
                sink=lambda *confirmed, seat=seat: self.peers[seat].confirmed(*confirmed),
            )
            self.peers.append(Peer(session, seat, play(seat)))
        for seat in players:
            self.at(self.random.random() * settings.period, self._ticker(seat))
        if conditions.opens_after is not None:
            self.at(conditions.opens_after, self.open_channels)

    # -- the script -----------------------------------------------------------------------------------------

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do something at a virtual time."""
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, do))

    def open_channels(self) -> None:
        """Every channel is open (again)."""
        for peer in self.peers:
            for seat in peer.channels:
                peer.channels[seat] = 0

    def cut(self, seats: tuple[int, int] | None = None) -> None:
        """The peer-to-peer way from one seat to another, or every one, drops everything without a word."""
        ways = [(a, b) for a in range(len(self.peers)) for b in range(len(self.peers)) if a != b]
        self._cut.update(ways if seats is None else [seats])

    def restore(self) -> None:
        """What was cut is whole again."""
        self._cut.clear()

    def close(self, state: int = CHANNEL_CLOSED) -> None:
        """Every channel closes, and both sides know it."""
        for peer in self.peers:
            for seat in peer.channels:
                peer.channels[seat] = state

    def congest(self, seat: int, buffered: int) -> None:
        """The channels of one peer have this many bytes in their buffers."""
        peer = self.peers[seat]
        for other, state in peer.channels.items():
            if state >= 0:
                peer.channels[other] = buffered

    def run(self, until: float) -> None:
        """Let virtual time pass until every session is over, or until the given time."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, do = heapq.heappop(self._queue)
            do()
            if self.over:
                return
        self.now = max(self.now, until)

    @property
    def over(self) -> bool:
        """Whether every session that is still there is over."""
        return all(peer.gone or peer.session.phase in (DONE, FAILED) for peer in self.peers)

    # -- what happens -----------------------------------------------------------------------------------------

    def clock(self, seat: int) -> float:
        """Every peer has a clock of its own: other zero, other speed."""
        return 1000.0 * (seat + 1) + self.now * (1.0 + self.conditions.drift * seat)

    def _ticker(self, seat: int) -> Callable[[], None]:
        return lambda: self._tick(seat)

    def _arrival(self, sender: int, to: int, data: bytes) -> Callable[[], None]:
        return lambda: self._arrive(sender, to, data)

    def _tick(self, seat: int) -> None:
        peer = self.peers[seat]
        if peer.gone:
            return
        session = peer.session
        if not peer.frozen:
            now = self.clock(seat)
            action = peer.play(session.episode, session.frame + self.settings.input_delay)
            if peer.hidden:
                action = self.settings.default_action
            before = session.dispatched
            episode = session.episode
            channels = [peer.channels[link.seat] for link in session.links]
            outputs = session.poll(now, action, channels, peer.socket_up, peer.hidden)
            if session.dispatched > before and session.episode == episode:
                while len(peer.inputs) <= episode:
                    peer.inputs.append({})
                if session.dispatched >= self.settings.input_delay:
                    peer.inputs[episode][session.dispatched] = session.codec.encode(action)
            self._carry_out(peer, outputs)
            pending = session.pending_rollback_frame
            if pending is not None:
                peer.depths.append(session.frame - pending)
            if peer.resume is not None:
                # The peers share this process's generators.
                peer.resume()
            session.advance(now)
            peer.news.extend(session.news())
        period = session.tick_period() / (1.0 + self.conditions.drift * seat)
        wobble = self.conditions.tick_jitter * period * (self.random.random() - 0.5)
        self.at(self.now + period + wobble, self._ticker(seat))

    def _carry_out(self, peer: Peer, outputs: Sequence[Any]) -> None:
        conditions = self.conditions
        for duty, seat, _seq, payload in outputs:
            if duty == SEND:
                peer.bytes_sent += len(payload)
                if payload[0] == datagram.KIND:
                    peer.packets_sent += 1
                if peer.channels[seat] < 0 or (peer.seat, seat) in self._cut:
                    continue
                if conditions.loss and self.random.random() < conditions.loss:
                    continue
                delay = conditions.delay + self.random.random() * conditions.jitter
                self.at(self.now + delay, self._arrival(peer.seat, seat, payload))
            elif duty == EMIT and peer.socket_up:
                event, data = payload
                if event == "pyodide_player_action":
                    self.through_server += 1
                    for other in peer.channels:
                        self._through_server(peer.seat, other, event, data)
                elif event == "webrtc_signal":
                    self.signals += 1
                    self._through_server(peer.seat, data["target_player_id"], event, data)

    def _through_server(self, sender: int, to: int, event: str, data: dict[str, Any]) -> None:
        due = max(self._server_last.get((sender, to), 0.0), self.now + self.conditions.server_delay)
        self._server_last[sender, to] = due
        self.at(due, lambda: self._arrive_by_server(sender, to, event, data))

    def _arrive(self, sender: int, to: int, data: bytes) -> None:
        peer = self.peers[to]
        if not peer.gone and peer.channels[sender] >= 0:
            peer.session.receive(sender, data, self.clock(to), P2P)

    def _arrive_by_server(self, sender: int, to: int, event: str, data: dict[str, Any]) -> None:
        peer = self.peers[to]
        if peer.gone or not peer.socket_up:
            return
        now = self.clock(to)
        if event == "webrtc_signal":
            peer.session.receive_signal(sender, data["payload"], now)
        else:
            peer.session.receive_action(sender, data["action"], data["frame_number"], data["sync_epoch"], now)
