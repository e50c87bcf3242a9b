"""A whole mesh of sessions in one process and in virtual time: delay, jitter, loss, cuts, pages that hang or go.

Nothing here is a double of the core: the sessions are real, only network, server, pages and clocks are simulated.
Everything is drawn from one seed, so a run that failed can be run again.

    mesh = Mesh(2, settings, simulation, player, Conditions(delay=0.08, loss=0.1), seed=5)
    mesh.way(0, 1).loss = 0.3                            # one direction alone
    mesh.at(3.0, mesh.cut)                               # the script: what happens when
    mesh.at(6.0, mesh.restore)
    mesh.at(8.0, mesh.peers[1].freeze)
    mesh.run(until=120.0)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, Final

from pycore.duties import CHANNEL_CLOSED
from pycore.policy import Policy, Predictor
from pycore.session.session import Session
from pycore.settings import Settings
from pycore.simulation import Simulation
from pycore.testing.machine import Machine, Metered
from pycore.testing.network import Network
from pycore.testing.pages import Page, Watcher
from pycore.testing.server import Server
from pycore.testing.timetable import Timetable
from pycore.testing.ways import Conditions, Way

CALM: Final = Conditions()


class Mesh:
    """Pages, their network, their server, and one virtual clock.

    `simulation(seat)` makes each peer's own simulation; `play(seat)` gives the function (episode, frame) ->
    action of a player. `at` schedules what happens meanwhile. `server.grace` says whether the server tells who left.
    `policies` make those that play the seats behind the pages' own, on every page anew; the settings name them too.
    `stand_in` makes the one that plays on for who is gone, where the settings name one.
    `predictors` are those of the pages, by page: each may have another one, or None; `predictor` is the same for all.
    """

    def __init__(
        self,
        seats: int,
        settings: Settings,
        simulation: Callable[[int], Simulation],
        play: Callable[[int], Callable[[int, int], Any]],
        conditions: Conditions = CALM,
        *,
        seed: int = 0,
        watchers: Sequence[Watcher] = (),
        policies: Sequence[Callable[[], Policy]] = (),
        predictors: Sequence[Predictor | None] = (),
        stand_in: Callable[[], Policy | None] = lambda: None,
        **session: Any,
    ) -> None:
        self.settings = settings
        self.random = random.Random(seed)
        self.time = Timetable()
        self.network = Network(seats, conditions, self.time, self.random)
        self.server = Server(conditions, self.time)
        self.server.reopens = settings.reopens
        self.server.announces = settings.return_within > 0
        self._tick_jitter = conditions.tick_jitter
        pages = range(seats)
        players = list(range(seats + len(policies)))

        def make(page: Page) -> Session:
            more = {**session}
            more.setdefault("incarnation", 1 + page.seat + seats * page.loads)
            more.setdefault("load", page.returns)
            played = simulation(page.seat)
            if page.seat < len(predictors):
                more["predictor"] = predictors[page.seat]
            costs = conditions.costs
            if costs is not None:
                played = metered = Metered(played)
                page.machine = Machine(costs if page.machine is None else page.machine.costs, metered)
            made = Session(
                played,
                settings,
                game_id="mesh",
                players=players,
                me=page.seat,
                now=page.clock(),
                wall_ms=1.7e12 + 1000.0 * self.now,
                seed=seed,
                sinks=(page.record,),
                policies={seats + number: make_policy() for number, make_policy in enumerate(policies)},
                stand_in=stand_in(),
                **more,
            )
            if page.machine is not None:
                made.pacing.set_costs(page.machine.costs)
            return made

        self.peers = [
            Page(
                seat, [other for other in pages if other != seat], play(seat), make,
                self.time, self.network, self.server, drift=conditions.drift, wobble=self._wobble,
            )
            for seat in pages
        ]  # fmt: skip
        for page in self.peers:
            page.watch(watchers)
            page.start(self.random.random() * settings.period)
        if conditions.opens_after is not None:
            self.at(conditions.opens_after, self.open_channels)

    def _wobble(self) -> float:
        return self._tick_jitter * (self.random.random() - 0.5)

    # -- the script -----------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Virtual time, seconds."""
        return self.time.now

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do something at a virtual time."""
        self.time.at(when, do)

    @property
    def conditions(self) -> Conditions:
        """What the network does where a way has nothing of its own. Clocks keep the speed that they began with."""
        return self.network.conditions

    @conditions.setter
    def conditions(self, conditions: Conditions) -> None:
        self.network.conditions = self.server.conditions = conditions
        self._tick_jitter = conditions.tick_jitter

    def way(self, sender: int, to: int) -> Way:
        """One direction between two pages: its `delay`, `jitter`, `loss` may be set apart from the conditions."""
        return self.network.ways[sender, to]

    def _pairs(self) -> list[tuple[int, int]]:
        return [(a.seat, b.seat) for a in self.peers for b in self.peers if a.seat < b.seat]

    def open_channels(self) -> None:
        """Every channel between pages that are there is open (again)."""
        for a, b in self._pairs():
            if not (self.peers[a].gone or self.peers[b].gone):
                self.network.open(a, b)

    def close(self, state: int = CHANNEL_CLOSED) -> None:
        """Every channel closes, and both sides know it."""
        for a, b in self._pairs():
            self.network.close(a, b, state)

    def close_channel(
        self,
        a: int,
        b: int,
        seen_after: tuple[float | None, float | None] = (0.0, 0.0),
        state: int = CHANNEL_CLOSED,
    ) -> None:
        """One channel closes; `a` and `b` see it so many seconds later, or never (None)."""
        self.network.close(a, b, state, seen_after)

    def open_channel(self, a: int, b: int, seen_after: tuple[float, float] = (0.0, 0.0)) -> None:
        """One channel is open (again); `a` and `b` see it so many seconds later."""
        self.network.open(a, b, seen_after)

    def cut(self, seats: tuple[int, int] | None = None) -> None:
        """The peer-to-peer way from one seat to another, or every one, drops everything without a word."""
        self.network.cut(seats)

    def restore(self) -> None:
        """What was cut is whole again."""
        self.network.restore()

    def congest(self, seat: int, buffered: int) -> None:
        """The channels of one peer have this many bytes in their buffers."""
        page = self.peers[seat]
        for other, state in page.channels.items():
            if state >= 0:
                page.channels[other] = buffered

    def run(self, until: float) -> None:
        """Let virtual time pass until every session is over, or until the given time."""
        self.time.run(until, lambda: self.over)

    @property
    def over(self) -> bool:
        """Whether every session that is still there is over."""
        for page in self.peers:  # noqa: SIM110 - asked after everything that happens
            if not page.over:
                return False
        return True

    # -- what happened ----------------------------------------------------------------------------------------

    def clock(self, seat: int) -> float:
        """What the clock of a page shows."""
        return self.peers[seat].clock()

    def input_delays(self, episode: int) -> tuple[int, ...] | None:
        """The input delays that an episode was played with, by seat; None: no load of any page has begun it. The
        newest loads are asked first."""
        loads = [[page.published, *reversed(page.published_before)] for page in self.peers]
        for same in zip_longest(*loads):
            for published in same:
                if published is not None and episode < len(published.delays):
                    return tuple(published.delays[episode])
        return None

    @property
    def through_server(self) -> int:
        """Inputs that crossed the server."""
        return self.server.inputs

    @property
    def signals(self) -> int:
        """Signals that crossed the server."""
        return self.server.signals
