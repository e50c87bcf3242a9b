"""Networks, servers and pages that misbehave in every way that has a name, and how a schedule is played on them."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from math import inf
from typing import Any, NamedTuple

import core_view
from drawing import Schedule
from watching import News, Recorded, Runs, Truthful, Windows

from pycore import Outlook, Settings
from pycore.session.membership import UNDECIDED
from pycore.testing import Happening, Judge, Mesh, Scenario, Standing, Watcher
from pycore.testing.happenings import Happenings
from pycore.testing.survivors import Holding


class Net(Mesh):
    """A mesh with its judges, and with pages that are opened late."""

    def __init__(
        self, schedule: Schedule, simulation: Callable[[int], Any] | None = None, watchers: Sequence[Watcher] = ()
    ) -> None:
        self.schedule = schedule
        self.standing = Standing()
        self.truthful = Truthful()
        self.windows = Windows(schedule.datagram_bytes)
        self.runs = Runs()
        self.news = News()
        self.holding = Holding()
        self.judges: list[Judge] = [self.standing, self.truthful, self.windows, self.runs, self.news]
        for judge in self.judges:
            judge.mesh = self
        self.to_come: set[int] = set()
        """Seats whose page is not opened yet."""
        self.left_at: dict[int, float] = {}
        make = simulation or (lambda seat: Recorded(
            schedule.seats + schedule.policies, people=schedule.seats, seed=schedule.seed, ending=schedule.ending
        ))  # fmt: skip
        super().__init__(
            schedule.seats, settings_of(schedule), make, lambda seat: keys(schedule, seat), schedule.conditions,
            seed=schedule.seed, policies=[functools.partial(Bot, schedule.wide)] * schedule.policies,
            stand_in=lambda: None if self.settings.stand_in is None else Bot(schedule.wide),
            watchers=[
                *(judge for judge in self.judges if simulation is None or judge is not self.truthful), self.holding,
                *watchers,
            ],
        )  # fmt: skip
        self.happens = Happenings(self, self.standing)
        self.planned = happenings(schedule)
        for happening in self.planned:
            self.happens.add(happening)

    def total(self, what: str) -> int:
        """Packets of all ways that were `lost` in bursts, `doubled`, `held_back` or `choked`."""
        return sum(getattr(way, what) for way in self.network.ways.values())

    def start_late(self, seat: int, when: float) -> None:
        """The page of one seat is opened only then: until then nothing of it exists."""
        self.peers[seat].gone = True
        self.to_come.add(seat)

        def start() -> None:
            self.to_come.discard(seat)
            self.peers[seat].load(first=True)

        self.at(when, start)

    @property
    def over(self) -> bool:
        """A peer that is still to come is not over."""
        return not self.to_come and super().over


def settings_of(schedule: Schedule) -> Settings:
    """The settings of a schedule; how long anybody is waited for is the default."""
    return Settings(
        fps=schedule.fps,
        input_delay=schedule.delay,
        adaptive_input_delay=schedule.adaptive,
        window=schedule.window,
        num_episodes=schedule.episodes,
        max_steps=schedule.steps,
        action_space={"type": "any"} if schedule.wide else {"type": "discrete", "n": 6},
        hash_interval=schedule.hash_interval,
        p2p_wait=1.0,
        datagram_bytes=schedule.datagram_bytes,
        **after_a_drop(schedule),
        policies={
            str(schedule.seats + number): {"policy": "bot.py:make", "reaction_time": reaction}
            for number, reaction in zip(range(schedule.policies), (*schedule.reactions, 0, 0), strict=False)
        },
    )


def after_a_drop(schedule: Schedule) -> dict[str, Any]:
    """What follows a drop: in every fourth schedule a policy plays on, with a reaction time or without."""
    if schedule.reopens:
        return {"on_drop": "default_action", "on_interrupt": "default_action"}
    on_drop = ("end", "default_action", "end", "policy")[schedule.seed % 4]
    if on_drop != "policy":
        return {"on_drop": on_drop}
    reaction = (0, 5, 20)[schedule.seed // 4 % 3]
    return {"on_drop": on_drop, "stand_in": {"policy": "bot.py:make", "reaction_time": reaction}}


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


class Word(NamedTuple):
    """What a schedule's word means: a kind of `pycore.testing`, to whom it happens, and its amount."""

    what: str
    whom: str = ""
    """`way`, `seat`, or empty: to all."""
    amount: Callable[[int], float] | None = None


WORDS = {
    "burst": Word("lose-next", "way", float),
    "raise": Word("refuse", "way"),
    "cut": Word("cut"),
    "cut one way": Word("cut-one-way", "way"),
    "close": Word("close"),
    "fail": Word("fail"),
    "close late": Word("close-late", "way", lambda amount: amount / 10),
    "congest": Word("congest", "seat"),
    # Set by hand: back by up to ten minutes, or on by an hour.
    "clock": Word("clock", "seat", lambda amount: 3600.0 if amount == 30 else (amount - 20) * 30.0),
    "hide": Word("hide", "seat"),
    "freeze": Word("freeze", "seat"),
    "delay": Word("delay", "", lambda amount: 10.0 * amount),
    "delay one way": Word("delay", "way", lambda amount: 10.0 * amount),
    "loss": Word("lossy", "", float),
    "loss one way": Word("lossy", "way", lambda amount: amount / 0.75),
    "socket down": Word("socket-down", "seat"),
    "socket dies": Word("socket-dies", "seat", lambda amount: amount / 10),
    "server away": Word("server-down"),
}


def happenings(schedule: Schedule) -> list[Happening]:
    """Everything that happens in a schedule but the departures."""
    ways = [(a, b) for a in range(schedule.seats) for b in range(schedule.seats) if a != b]
    found = [
        Happening(what="delay" if what == "delay" else "lossy", seats=ways[which % len(ways)],
                  amount=1000 * amount if what == "delay" else 100 * amount)
        for which, what, amount in schedule.ways
    ]  # fmt: skip
    for seat, what, amount in schedule.pages:
        value = {"slow": 100 * (amount - 1), "ticks": amount * schedule.fps, "hiccups": amount}[what]
        found.append(Happening(what=what, seats=(seat % schedule.seats,), amount=value))
    for begins, said, which, count, lasts in schedule.happenings:
        word = WORDS[said]
        whom = {"": (), "way": ways[which % len(ways)], "seat": (which % schedule.seats,)}[word.whom]
        what = "hang" if schedule.queueing and word.what in ("cut", "cut-one-way") else word.what
        # So many sends raise: one a tick.
        ends = begins + count / schedule.fps if said == "raise" else begins + lasts if lasts else None
        amount = None if word.amount is None else word.amount(count)
        found.append(Happening(what=what, seats=whom, begins=begins, ends=ends, amount=amount))
    return [*found, *Scenario.from_json({"happenings": list(schedule.more)}).happenings]


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
        page.freeze_for_good()
    elif what == "load again":
        net.happens.add(Happening(what="reload", seats=(seat,), begins=net.now))
    elif what == "all is lost":
        net.happens.add(Happening(what="cut", begins=net.now))
        net.happens.add(Happening(what="server-down", begins=net.now))
    else:
        raise AssertionError(what)


def load_again(net: Net, seat: int, overlapping: bool) -> None:
    """A page is loaded again, but for `overlapping` only once nobody is on the way back any more."""
    if not overlapping and any(page.coming or page.session.catching_up for page in net.peers):
        net.at(net.now + 1.0, lambda: load_again(net, seat, overlapping))
    elif not net.peers[seat].over and net.schedule.loading and not net.schedule.reopens:
        net.happens.add(Happening(what="reload", seats=(seat,), begins=net.now, amount=net.schedule.loading))
    elif not net.peers[seat].over and net.schedule.loading:
        # It takes so long that the others have noticed, perhaps.
        net.to_come.add(seat)
        net.peers[seat].leave(channels_close_after=0.2, server_sees_after=0.2)

        def loaded() -> None:
            net.to_come.discard(seat)
            if any(told == seat for _, told in net.server.told):
                # Its seat is nobody's any more.
                return
            net.peers[seat].gone = False
            net.happens.add(Happening(what="reload", seats=(seat,), begins=net.now))

        net.at(net.now + net.schedule.loading, loaded)
    elif not net.peers[seat].over:
        net.happens.add(Happening(what="reload", seats=(seat,), begins=net.now))


STAYS = ("delay", "lossy", "slow", "ticks", "hiccups")
"""What a schedule has for good."""


def heal(net: Net) -> None:
    """Everything is whole again; what the schedule has for good stays."""
    net.happens.heal(*STAYS)
    net.standing.disturbed()
    for way in net.network.ways.values():
        way.lose_next = 0


def build(
    schedule: Schedule, simulation: Callable[[int], Any] | None = None, watchers: Sequence[Watcher] = ()
) -> Net:
    """The mesh of a schedule, not run yet."""
    net = Net(schedule, simulation, watchers)
    net.server.passes_epoch = schedule.pass_epoch
    net.server.grace = schedule.grace
    net.server.announces = schedule.announces
    net.news.must_end = bool(schedule.departures) or schedule.reopens
    net.news.jumps = sum(what == "clock" for _, what, *_ in schedule.happenings)
    for way in net.network.ways.values():
        way.duplicates = schedule.duplicates
    for page, every in zip(net.peers, schedule.snapshots, strict=False):
        core_view.save_every(page.session, every)
    if schedule.heals:
        net.at(schedule.good_after, lambda: heal(net))
    for when, seat in schedule.reloads:
        net.at(when, lambda seat=seat: load_again(net, seat, schedule.overlapping))
    for when, what, seat, amount in schedule.departures:
        net.at(when, lambda what=what, seat=seat, amount=amount: depart(net, what, seat, amount))
    return net


def to_the_end(schedule: Schedule) -> float:
    """How long all frames of a schedule may take, virtual seconds: they are played as slowly as by the slowest page, or
    by a window of frames in each round trip through the server; and at the end of an episode words go round."""
    of = settings_of(schedule)
    rate = min(schedule.fps, (of.prediction_window + of.input_delay) / (2 * schedule.conditions.server_delay + 0.2))
    return schedule.episodes * (1.3 * schedule.steps / rate + 4.0 * schedule.conditions.server_delay + 0.2)


def patience(schedule: Schedule) -> float:
    """When at the latest every session of a schedule with departures is over, virtual seconds."""
    of = settings_of(schedule)
    planned = happenings(schedule)
    last = [
        schedule.good_after,
        *(happening.until for happening in planned if happening.until < inf),
        *(when for when, *_ in schedule.departures),
    ]
    lost = min((when for when, what, *_ in schedule.departures if what == "all is lost"), default=None)
    found = lost is not None and any(
        of.what in ("cut", "hang", "server-down") and lost < of.until < inf for of in planned
    )
    # What was lost came back: the game may be played to its end.
    # Or the others go on without who went.
    found = found or (schedule.seats > 2 and of.on_drop != "end") or schedule.reopens
    # Or who was loaded again plays on with them.
    found = found or any(what == "load again" for _, what, *_ in schedule.departures)
    played = to_the_end(schedule) if found else 0.0
    # Of three and more one may go while the others wait for another one to get ready.
    again = of.ready_timeout + 2 * UNDECIDED if schedule.seats > 2 else 0.0
    return max(last) + of.p2p_wait + max(of.dropped_after, of.return_within) + of.ready_timeout + 5.0 + again + played


def play(schedule: Schedule, until: float | None = None) -> Net:
    """Run a schedule to its end, or to the given virtual time."""
    net = build(schedule)
    if until is None:
        # Those of players who come back have many frames, and may have a window of one.
        frames = to_the_end(schedule) if schedule.reopens else 0.0
        until = patience(schedule) if schedule.departures else 300.0 + 60.0 * len(schedule.reloads) + frames
    net.run(until)
    return net
