"""Networks, servers and pages that misbehave in every way that has a name, and how a schedule is played on them."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import core_view
from drawing import Schedule
from watching import News, Recorded, Runs, Truthful, Windows

from pycore import CHANNEL_CLOSED, CHANNEL_FAILED, Outlook, Settings
from pycore.session.membership import UNDECIDED
from pycore.testing import Judge, Mesh, Standing


class Net(Mesh):
    """A mesh with its judges, and with pages that are opened late."""

    def __init__(self, schedule: Schedule, simulation: Callable[[int], Any] | None = None) -> None:
        self.schedule = schedule
        self.standing = Standing()
        self.truthful = Truthful()
        self.windows = Windows(schedule.datagram_bytes)
        self.runs = Runs()
        self.news = News()
        self.judges: list[Judge] = [self.standing, self.truthful, self.windows, self.runs, self.news]
        for judge in self.judges:
            judge.mesh = self
        self.to_come: set[int] = set()
        """Seats whose page is not opened yet."""
        self.doomed: set[int] = set()
        """Seats that are frozen for good."""
        self.left_at: dict[int, float] = {}
        self.raised = 0
        make = simulation or (lambda seat: Recorded(
            schedule.seats + schedule.policies, people=schedule.seats, seed=schedule.seed, ending=schedule.ending
        ))  # fmt: skip
        super().__init__(
            schedule.seats, settings_of(schedule), make, lambda seat: keys(schedule, seat), schedule.conditions,
            seed=schedule.seed, policies=[functools.partial(Bot, schedule.wide)] * schedule.policies,
            watchers=self.judges if simulation is None else [j for j in self.judges if j is not self.truthful],
        )  # fmt: skip

    @property
    def dropped(self) -> int:
        """Packets that bursts took."""
        return sum(way.lost for way in self.network.ways.values())

    def start_late(self, seat: int, when: float) -> None:
        """The page of one seat is opened only then: until then nothing of it exists."""
        self.peers[seat].gone = True
        self.to_come.add(seat)

        def start() -> None:
            self.to_come.discard(seat)
            self.peers[seat].load()

        self.at(when, start)

    @property
    def over(self) -> bool:
        """A peer that is still to come is not over."""
        if self.to_come:
            return False
        for page in self.peers:  # noqa: SIM110 - asked after everything that happens
            if not page.over and page.seat not in self.doomed:
                return False
        return True


def settings_of(schedule: Schedule) -> Settings:
    """The settings of a schedule; how long anybody is waited for is the default."""
    return Settings(
        fps=schedule.fps,
        input_delay=schedule.delay,
        window=schedule.window,
        num_episodes=schedule.episodes,
        max_steps=schedule.steps,
        action_space={"type": "any"} if schedule.wide else {"type": "discrete", "n": 6},
        hash_interval=schedule.hash_interval,
        p2p_wait=1.0,
        datagram_bytes=schedule.datagram_bytes,
        on_drop=("end", "default_action")[schedule.seed % 2],
        policies={
            str(schedule.seats + number): {"policy": "bot.py:make", "reaction_time": reaction}
            for number, reaction in zip(range(schedule.policies), (*schedule.reactions, 0, 0), strict=False)
        },
    )


class Bot:
    """A policy that shows in its action whatever it is given."""

    def __init__(self, wide: bool) -> None:
        self.wide = wide

    def act(self, outlook: Outlook, frame: int, random: random.Random) -> Any:
        """One of six, as numbers or as texts."""
        value = (outlook.observation + outlook.episode + frame + random.randrange(6)) % 6
        return str(value) * (50 * value) if self.wide else value


def keys(schedule: Schedule, seat: int) -> Callable[[int, int], Any]:
    """A player who holds each key for a while."""

    @functools.lru_cache(maxsize=64)
    def drawn(episode: int, at: int) -> Any:
        value = random.Random(f"{schedule.seed} {seat} {episode} {at}").randrange(6)
        return str(value) * (180 * value) if schedule.wide else value

    return lambda episode, frame: drawn(episode, frame // schedule.hold)


def _way(net: Net, which: int) -> tuple[int, int]:
    ways = list(net.network.ways)
    return ways[which % len(ways)]


def apply(net: Net, what: str, which: int, amount: int) -> None:
    """One happening."""
    way = _way(net, which)
    seat = which % len(net.peers)
    peer = net.peers[seat]
    server = net.server
    if what == "burst":
        net.way(*way).lose_next = amount
    elif what == "raise":
        net.way(*way).raise_next = amount
        net.raised += 1
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
    elif what == "close late":
        net.close_channel(*way, seen_after=(0.0, amount / 10))
    elif what == "open late":
        if not any(net.peers[end].gone for end in way):
            net.open_channel(*way, seen_after=(0.3, 0.0))
    elif what == "congest":
        net.congest(seat, 20_000)
    elif what == "drain":
        net.congest(seat, 0)
    elif what == "clock":
        # Set by hand: back by up to ten minutes, or on by an hour.
        peer.clock_offset += 3600.0 if amount == 30 else (amount - 20) * 30.0
    elif what == "hide":
        peer.hidden = True
    elif what == "show":
        peer.hidden = False
    elif what.startswith("delay"):
        net.standing.about_to_change()
        if what == "delay":
            net.conditions = replace(net.conditions, delay=amount / 100)
        else:
            net.way(*way).delay = amount / 100
    elif what == "loss":
        net.conditions = replace(net.conditions, loss=amount / 100)
    elif what == "loss one way":
        net.way(*way).loss = amount / 75
    else:
        # The law of standing still presupposes what these break.
        net.standing.disturbed()
        if what == "socket down":
            peer.socket_up = False
        elif what == "socket up":
            peer.socket_up = True
        elif what == "socket dies":
            server.lose(seat, page_sees_after=amount / 10, server_sees_after=amount / 6)
        elif what == "socket returns":
            if not peer.gone:
                server.connect(seat)
        elif what == "server away":
            server.go_away(tuple((amount * (other + 1) % 7) / 5 for other in range(len(net.peers))))
        elif what == "server back":
            server.come_back()
        elif what == "freeze":
            peer.freeze()
        elif what == "thaw":
            if seat not in net.doomed:
                peer.thaw()
        else:
            raise AssertionError(what)


def depart(net: Net, what: str, seat: int, amount: int) -> None:
    """Something after which the session must end."""
    seat %= len(net.peers)
    page = net.peers[seat]
    if not page.over:
        net.left_at.setdefault(seat, net.now)
    if what == "vanish":
        page.vanish(
            channels_fail_after=None if amount % 3 == 0 else float(amount),
            server_sees_after=None if amount % 2 else float(amount),
        )
    elif what == "leave":
        page.leave(channels_close_after=amount % 4 / 2, server_sees_after=amount % 3 / 2)
    elif what == "abort":
        page.abort()
    elif what == "stop":
        page.stop()
    elif what == "freeze for good":
        net.doomed.add(seat)
        page.freeze()
    elif what == "load again":
        page.load()
        net.server.connect(seat)
        for other in page.channels:
            net.close_channel(seat, other, seen_after=(0.0, amount / 10))
        net.at(net.now + 1.5 + amount / 10, net.open_channels)
    elif what == "all is lost":
        net.cut()
        net.server.go_away()
    else:
        raise AssertionError(what)


def heal(net: Net) -> None:
    """Everything is whole again; what the schedule gave as delay and loss stays."""
    net.restore()
    net.standing.disturbed()
    for way in net.network.ways.values():
        way.lose_next = way.raise_next = 0
    if net.conditions.opens_after is not None:
        net.open_channels()
    net.server.come_back()
    for peer in net.peers:
        if peer.gone or peer.seat in net.doomed:
            continue
        net.server.connect(peer.seat)
        peer.socket_up = True
        peer.hidden = False
        peer.thaw()


def build(schedule: Schedule, simulation: Callable[[int], Any] | None = None) -> Net:
    """The mesh of a schedule, not run yet."""
    net = Net(schedule, simulation)
    net.network.keeps_what_is_cut = schedule.queueing
    net.server.passes_epoch = schedule.pass_epoch
    net.server.grace = schedule.grace
    net.news.must_end = bool(schedule.departures)
    net.news.jumps = sum(what == "clock" for _, what, *_ in schedule.happenings)
    for way in net.network.ways.values():
        way.duplicates = schedule.duplicates
    for which, what, amount in schedule.ways:
        setattr(net.way(*_way(net, which)), what, amount)
    for seat, what, amount in schedule.pages:
        page = net.peers[seat % schedule.seats]
        if what == "slow":
            page.slow = amount
        elif what == "ticks":
            page.ticks_per_second = amount * schedule.fps
        else:
            page.hiccup_every = amount
    for page, every in zip(net.peers, schedule.snapshots, strict=False):
        core_view.save_every(page.session, every)
    for when, what, which, amount in schedule.happenings:
        net.at(when, lambda what=what, which=which, amount=amount: apply(net, what, which, amount))
    if schedule.heals:
        net.at(schedule.good_after, lambda: heal(net))
    for when, what, seat, amount in schedule.departures:
        net.at(when, lambda what=what, seat=seat, amount=amount: depart(net, what, seat, amount))
    return net


def patience(schedule: Schedule) -> float:
    """When at the latest every session of a schedule with departures is over, virtual seconds."""
    of = settings_of(schedule)
    last = [
        schedule.good_after,
        *(when for when, *_ in schedule.happenings),
        *(when for when, *_ in schedule.departures),
    ]
    lost = min((when for when, what, *_ in schedule.departures if what == "all is lost"), default=None)
    found = lost is not None and any(
        what in ("restore", "server back") and when > lost for when, what, *_ in schedule.happenings
    )
    # What was lost came back: the game may be played to its end, as slowly as its slowest page, or by a window of
    # frames in each round trip through the server.
    rate = min(schedule.fps, (of.prediction_window + of.input_delay) / (2 * schedule.conditions.server_delay + 0.2))
    # Or the others go on without who went.
    found = found or (schedule.seats > 2 and of.on_drop != "end")
    played = 1.3 * schedule.episodes * schedule.steps / rate if found else 0.0
    # Of three and more one may go while the others wait for another one to get ready.
    again = of.ready_timeout + 2 * UNDECIDED if schedule.seats > 2 else 0.0
    return max(last) + of.p2p_wait + of.dropped_after + of.ready_timeout + 5.0 + again + played


def play(schedule: Schedule, until: float | None = None) -> Net:
    """Run a schedule to its end, or to the given virtual time."""
    net = build(schedule)
    if until is None:
        until = patience(schedule) if schedule.departures else 300.0
    net.run(until)
    return net
