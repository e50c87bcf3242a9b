"""Networks that misbehave in every way that a schedule can name, and what must hold whatever they did.

`Net` is the public mesh plus what a study never meets but a test must: bursts, a channel that delivers its old
queue after an outage, duplicates, sends that raise, peers that start late. `Schedule` is drawn by Hypothesis or
from a seed; `play` runs it and `check` compares every peer with the ground truth.
"""

from __future__ import annotations

import functools
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from pycore.duties import CHANNEL_CLOSED, CHANNEL_FAILED, EMIT, P2P, SEND
from pycore.events import Desync, EpisodeEnded, PathChanged
from pycore.session.phases import DONE, HOLDING
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with
from pycore.wire import datagram

TIMES = float(os.environ.get("PYCORE_EXAMPLES", "1x").rstrip("x"))
"""PYCORE_EXAMPLES=10x runs ten times as many examples."""


def examples(count: int) -> int:
    """How many examples a property runs, long runs included."""
    return max(1, int(count * TIMES))


class Net(Mesh):
    """The mesh with more ways to misbehave. All probabilities draw from the mesh's one seed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.bursts: dict[tuple[int, int], int] = {}
        self.raising: dict[tuple[int, int], int] = {}
        self.duplicates = 0.0
        self.queueing = False
        """Whether a cut channel keeps what it was given and delivers it when it is whole again."""
        self.queued: list[tuple[int, int, bytes]] = []
        self.pass_epoch = True
        """False: a server that leaves `sync_epoch` out, as the page's does."""
        self.both: list[str] = []
        """First dispatches that went by both paths; must stay empty."""
        self.largest = 0
        self.deepest = 0
        self.furthest = 0
        self.revoked = 0
        self.raised = 0
        self.dropped = 0
        super().__init__(*args, **kwargs)

    def restore(self) -> None:
        super().restore()
        queued, self.queued = self.queued, []
        for sender, to, data in queued:
            self.at(self.now + self.conditions.delay, self._arrival(sender, to, data))

    def _tick(self, seat: int) -> None:
        peer = self.peers[seat]
        session = peer.session
        timeline = session.timeline
        held = session.phase == HOLDING
        episode = session.episode
        super()._tick(seat)
        if session.episode == episode and held and timeline.end is None:
            self.revoked += 1
        if session.exchange.open_for_inputs:
            self.furthest = max(self.furthest, timeline.current - min(timeline.frames.held))

    def _carry_out(self, peer: Any, outputs: Any) -> None:
        session = peer.session
        now = self.clock(peer.seat)
        said = {d["frame_number"] for duty, _l, _s, (e, d) in _emits(outputs) if e == "pyodide_player_action"}
        for output in outputs:
            duty, to, seq, data = output
            if duty != SEND:
                super()._carry_out(peer, [output])
                continue
            self.largest = max(self.largest, len(data))
            way = (peer.seat, to)
            newest = session.exchange.dispatched
            if data[0] == datagram.KIND and newest in said and len(self.peers) == 2:
                packet = datagram.decode(data, session.codec, 1, session.frame, session.episode, seq)
                last = (
                    packet.second + len(packet.second_inputs) - 1
                    if packet.second_inputs
                    else (packet.first + len(packet.inputs) - 1)
                )
                first_time = newest not in peer.inputs[session.episode] if session.episode < len(peer.inputs) else True
                if last == newest and first_time:
                    self.both.append(f"seat {peer.seat} frame {newest}")
            if peer.channels[to] >= 0 and self.raising.get(way, 0) > 0:
                self.raising[way] -= 1
                self.raised += 1
                self._carry_out(peer, session.send_failed(to, seq, now))
                continue
            if self.bursts.get(way, 0) > 0:
                self.bursts[way] -= 1
                self.dropped += 1
                continue
            if self.queueing and way in self._cut and peer.channels[to] >= 0:
                self.queued.append((peer.seat, to, data))
                continue
            super()._carry_out(peer, [output])
            if self.duplicates and self.random.random() < self.duplicates:
                super()._carry_out(peer, [output])

    def _arrive_by_server(self, sender: int, to: int, event: str, data: dict[str, Any]) -> None:
        if event == "pyodide_player_action" and not self.pass_epoch:
            data = {**data, "sync_epoch": None}
        super()._arrive_by_server(sender, to, event, data)

    def start_late(self, seat: int, when: float) -> None:
        """The page of one seat is opened only then: until then nothing of it exists."""
        peer = self.peers[seat]
        tick = self._ticker(seat)
        peer.gone = True

        def start() -> None:
            old = peer.session
            peer.session = Session(
                old.simulation,
                self.settings,
                game_id="mesh",
                players=old.players,
                me=seat,
                now=self.clock(seat),
                wall_ms=1.7e12,
                seed=old.seed,
                sink=old._sink,
            )
            peer.gone = False
            tick()

        self.at(when, start)

    @property
    def over(self) -> bool:
        """A peer that is still to come is not over."""
        return all(peer.session.phase >= DONE for peer in self.peers)


def _emits(outputs: Any) -> Any:
    return [output for output in outputs if output[0] == EMIT]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """All that decides a run; its repr reproduces it."""

    seats: int = 2
    seed: int = 0
    ending: int = 0
    delay: int = 1
    window: int = 8
    fps: int = 30
    episodes: int = 2
    steps: int = 120
    hold: int = 5
    conditions: Conditions = field(default_factory=Conditions)
    duplicates: float = 0.0
    queueing: bool = False
    pass_epoch: bool = True
    datagram_bytes: int = 1200
    wide: bool = False
    """Actions of several hundred bytes instead of one."""
    happenings: tuple[tuple[float, str, int, int], ...] = ()
    """(time, what, way or seat, amount); see `HAPPENINGS`."""
    good_after: float = 12.0
    """From here on the network is whole; loss and delay stay."""


def settings_of(schedule: Schedule) -> Settings:
    """The settings of a schedule: nobody is given up, so that only the laws end an episode."""
    return Settings(
        fps=schedule.fps,
        input_delay=schedule.delay,
        window=schedule.window,
        num_episodes=schedule.episodes,
        max_steps=schedule.steps,
        action_space={"type": "any"} if schedule.wide else {"type": "discrete", "n": 6},
        hash_interval=7,
        p2p_wait=1.0,
        ready_timeout=900.0,
        dropped_after=900.0,
        datagram_bytes=schedule.datagram_bytes,
    )


def keys(schedule: Schedule, seat: int) -> Callable[[int, int], Any]:
    """A player who holds each key for a while."""

    @functools.lru_cache(maxsize=64)
    def drawn(episode: int, at: int) -> Any:
        value = random.Random(f"{schedule.seed} {seat} {episode} {at}").randrange(6)
        return str(value) * (180 * value) if schedule.wide else value

    return lambda episode, frame: drawn(episode, frame // schedule.hold)


def apply(net: Net, what: str, which: int, amount: int) -> None:
    """One happening."""
    seats = len(net.peers)
    ways = [(a, b) for a in range(seats) for b in range(seats) if a != b]
    way = ways[which % len(ways)]
    seat = which % seats
    peer = net.peers[seat]
    if what == "burst":
        net.bursts[way] = amount
    elif what == "raise":
        net.raising[way] = amount
    elif what == "cut":
        net.cut()
    elif what == "cut one way":
        net.cut(way)
    elif what == "restore":
        net.restore()
    elif what == "close":
        net.close(CHANNEL_CLOSED)
    elif what == "fail":
        net.close(CHANNEL_FAILED)
    elif what == "open":
        net.open_channels()
    elif what == "congest":
        net.congest(seat, 20_000)
    elif what == "drain":
        net.congest(seat, 0)
    elif what == "socket down":
        peer.socket_up = False
    elif what == "socket up":
        peer.socket_up = True
    elif what == "hide":
        peer.hidden = True
    elif what == "show":
        peer.hidden = False
    elif what == "freeze":
        peer.frozen = True
    elif what == "thaw":
        peer.frozen = False
    elif what == "loss":
        net.conditions = replace(net.conditions, loss=amount / 100)
    elif what == "delay":
        net.conditions = replace(net.conditions, delay=amount / 100)
    else:
        raise AssertionError(what)


ENDS = {
    "cut": "restore", "cut one way": "restore", "close": "open", "fail": "open", "congest": "drain",
    "socket down": "socket up", "hide": "show", "freeze": "thaw",
}  # fmt: skip


def heal(net: Net) -> None:
    """Everything is whole again; what the schedule gave as delay and loss stays."""
    net.restore()
    net.bursts.clear()
    net.raising.clear()
    if net.conditions.opens_after is not None:
        net.open_channels()
    for peer in net.peers:
        peer.socket_up = True
        peer.hidden = peer.frozen = False


def build(schedule: Schedule, simulation: Callable[[int], Any] | None = None) -> Net:
    """The mesh of a schedule, not run yet."""
    make = simulation or (lambda seat: Walk(schedule.seats, seed=schedule.seed, ending=schedule.ending))
    net = Net(
        schedule.seats,
        settings_of(schedule),
        make,
        lambda seat: keys(schedule, seat),
        schedule.conditions,
        seed=schedule.seed,
    )
    net.duplicates = schedule.duplicates
    net.queueing = schedule.queueing
    net.pass_epoch = schedule.pass_epoch
    for when, what, which, amount in schedule.happenings:
        net.at(when, lambda what=what, which=which, amount=amount: apply(net, what, which, amount))
    net.at(schedule.good_after, lambda: heal(net))
    return net


def play(schedule: Schedule, until: float = 300.0) -> Net:
    """Run a schedule to its end, or to the given virtual time."""
    net = build(schedule)
    net.run(until)
    return net


def faults(net: Net, schedule: Schedule) -> list[str]:
    """Every law that a finished run breaks; empty if none."""
    wrong = []
    settings = net.settings
    if not net.over:
        phases = [(p.session.phase, p.session.episode, p.session.frame) for p in net.peers]
        return [f"not over after {net.now:.1f} s: phase, episode, frame are {phases}"]
    for peer in net.peers:
        session = peer.session
        if session.reason != "complete":
            wrong.append(f"seat {peer.seat} ended with {session.reason}")
        if peer.events(Desync):
            wrong.append(f"seat {peer.seat}: false alarm {peer.events(Desync)[0]}")
        if session.timeline.events.max_frames > schedule.window - 1:
            wrong.append(f"seat {peer.seat}: a rollback of {session.timeline.events.max_frames} frames")
        if session.exchange.contradictions or session.exchange.malformed:
            wrong.append(f"seat {peer.seat}: contradictions or malformed packets")
        if session.timeline.pending is not None:
            wrong.append(f"seat {peer.seat}: a rollback was never performed")
    for episode in range(schedule.episodes):
        inputs = [peer.inputs[episode] for peer in net.peers]
        truth = ground_truth(
            Walk(schedule.seats, seed=schedule.seed, ending=schedule.ending),
            settings, net.peers[0].session.codec, inputs, episode,
        )  # fmt: skip
        if not truth.complete:
            wrong.append(f"episode {episode}: the true inputs end before the episode does")
        for peer in net.peers:
            found = wrong_with(truth, peer.rows[episode], peer.rewards[episode], peer.finals[episode])
            if found:
                wrong.append(f"episode {episode}, seat {peer.seat}: {found}")
            ended = peer.session.ended[episode]
            if ended != EpisodeEnded(episode=episode, frames=len(truth.rows), reason=ended.reason):
                wrong.append(f"episode {episode}, seat {peer.seat}: {ended}")
    for peer in net.peers:
        for link in peer.session.links:
            theirs = net.peers[link.seat].session.link_to(peer.seat).counts
            mine = link.counts
            sent = mine.sent_via_p2p + mine.sent_via_socketio
            received = theirs.received_via_p2p + theirs.received_via_socketio
            fixed = sum(len(of) for of in peer.inputs)
            if not sent == received == fixed:
                wrong.append(f"{peer.seat} -> {link.seat}: {fixed} fixed, {sent} sent, {received} received")
            if min(mine.resent_via_p2p, mine.resent_via_socketio, mine.sent_via_p2p, mine.sent_via_socketio) < 0:
                wrong.append(f"{peer.seat} -> {link.seat}: a negative count")
    totals = {peer.session.timeline.total for peer in net.peers}
    frames = sum(len(rows) for rows in net.peers[0].rows)
    if not schedule.ending and totals != {frames}:
        wrong.append(f"frames.total {totals} instead of {frames}")
    if min(totals) < frames:
        wrong.append(f"frames.total {totals} below {frames}")
    if net.furthest > schedule.window:
        wrong.append(f"current - known reached {net.furthest}, the window is {schedule.window}")
    if net.both:
        wrong.append(f"first dispatch by both paths: {net.both[:3]}")
    if net.largest > schedule.datagram_bytes:
        wrong.append(f"a datagram of {net.largest} bytes")
    return wrong


class Tally:
    """Counts over all examples of a property what really happened in them."""

    def __init__(self) -> None:
        self.runs = 0
        self.seen: Counter[str] = Counter()

    def note(self, net: Net) -> None:
        """What happened in one run."""
        self.runs += 1
        causes = {change.cause for peer in net.peers for change in peer.events(PathChanged)}
        happened = {
            "rollback": any(peer.session.timeline.rollbacks for peer in net.peers),
            "stall": any(peer.session.stalls for peer in net.peers),
            "fallback": any(link.first_fallback for peer in net.peers for link in peer.session.links),
            "return": "recovered" in causes,
            "revoked end": net.revoked > 0,
            "raised send": net.raised > 0,
            "burst": net.dropped > 0,
            "state changed": len({row for rows in net.peers[0].rows for row in rows}) > 3,
            **dict.fromkeys(causes, True),
        }
        self.seen.update(name for name, did in happened.items() if did)

    def share(self, name: str) -> float:
        """Share of the runs in which it happened."""
        return self.seen[name] / max(1, self.runs)


def _pairs(when: float, what: str, which: int, amount: int, length: float) -> list[tuple[float, str, int, int]]:
    first = (round(when, 2), what, which, amount)
    return [first, (round(when + length, 2), ENDS[what], which, 0)] if what in ENDS else [first]


def draw_schedule(of: Callable[[str, Any], Any], seats: int | None = None) -> Schedule:
    """A schedule from a source of choices: `of(kind, argument)` picks from a list or between two numbers."""
    happenings: list[tuple[float, str, int, int]] = []
    for _ in range(of("int", (0, 6))):
        what = of(
            "pick",
            ["burst", "raise", "cut", "cut one way", "close", "fail", "congest", "socket down", "hide", "freeze",
             "loss", "delay"],
        )  # fmt: skip
        amount = of("int", (1, 30)) if what != "loss" else of("int", (0, 40))
        happenings += _pairs(of("float", (0.2, 9.0)), what, of("int", (0, 11)), amount, of("float", (0.05, 6.0)))
    return Schedule(
        seats=seats or of("pick", [2, 2, 2, 2, 3, 4]),
        seed=of("int", (0, 10_000)),
        ending=of("pick", [0, 400, 2000]),
        delay=of("int", (0, 5)),
        window=of("pick", [1, 2, 3, 4, 6, 8, 8, 12, 16]),
        fps=of("pick", [10, 30, 30, 60]),
        episodes=of("int", (1, 3)),
        steps=of("pick", [1, 20, 90, 150, 200]),
        hold=of("int", (1, 9)),
        conditions=Conditions(
            delay=of("pick", [0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.35]),
            jitter=of("pick", [0.0, 0.01, 0.05, 0.2]),
            loss=of("pick", [0.0, 0.0, 0.02, 0.1, 0.2, 0.4]),
            server_delay=of("pick", [0.01, 0.03, 0.15, 0.4]),
            opens_after=of("pick", [0.05, 0.3, 2.5, None]),
            drift=of("pick", [0.0, 0.0, 0.001, 0.02, -0.02]),
            tick_jitter=of("pick", [0.0, 0.0, 0.3, 1.5]),
        ),
        duplicates=of("pick", [0.0, 0.0, 0.2]),
        queueing=of("pick", [False, True]),
        pass_epoch=of("pick", [True, True, False]),
        wide=of("pick", [False, False, False, True]),
        happenings=tuple(sorted(happenings)),
    )


@st.composite
def schedules(draw: Any, seats: int | None = None) -> Schedule:
    """Any schedule."""

    def of(kind: str, argument: Any) -> Any:
        if kind == "int":
            return draw(st.integers(*argument))
        if kind == "float":
            return round(draw(st.floats(*argument, allow_nan=False)), 2)
        return draw(st.sampled_from(argument))

    return draw_schedule(of, seats)


def seeded(seed: int, seats: int | None = None) -> Schedule:
    """The schedule of a seed, for long runs without Hypothesis."""
    rng = random.Random(f"schedule {seed}")

    def of(kind: str, argument: Any) -> Any:
        if kind == "int":
            return rng.randint(*argument)
        if kind == "float":
            return round(rng.uniform(*argument), 2)
        return rng.choice(argument)

    return draw_schedule(of, seats)


__all__ = [
    "DONE", "P2P", "Net", "Schedule", "Tally", "apply", "build", "examples", "faults", "heal", "keys", "play",
    "schedules", "seeded", "settings_of",
]  # fmt: skip
