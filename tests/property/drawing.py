"""Schedules: all that decides a run, drawn by Hypothesis or from a seed. A schedule's repr reproduces it.

There are two kinds. In one everybody stays to the end, and everything is whole again after `good_after`; then every
record must be the truth's. In the other somebody vanishes, is closed, breaks or stops, and perhaps nothing is ever
whole again; then every session must end by itself. What a schedule's words mean is in `networks`, what must hold in
`laws` and `watching`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import Phase
from hypothesis import strategies as st

from pycore.testing import Conditions

TIMES = float(os.environ.get("PYCORE_EXAMPLES", "1x").rstrip("x"))
"""PYCORE_EXAMPLES=10x runs ten times as many examples."""


UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Phases of a property over whole schedules: shrinking one that hangs takes minutes, and its repr says all."""


def examples(count: int) -> int:
    """How many examples a property runs, long runs included."""
    return max(1, int(count * TIMES))


def seeds(count: int, *among: int) -> tuple[list[int], int]:
    """The fixed seeds that a test goes through, and how often each thing must have happened in them at least.

    All of them and 3; where fewer examples were asked for, every third one with those that must be among them, and 1.
    """
    if TIMES >= 1:
        return list(range(count)), 3
    return sorted({*range(2, count, 3), *among}), 1


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
    happenings: tuple[tuple[float, str, int, int, float], ...] = ()
    """(time, what, way or seat, amount, for how long); see `networks.WORDS`. What has no end there lasts for good."""
    more: tuple[str, ...] = ()
    """Others, as `pycore.testing.Happening` has them."""
    good_after: float = 12.0
    """From here on the network is whole; loss and delay stay."""
    hash_interval: int = 7
    pages: tuple[tuple[int, str, float], ...] = ()
    """(seat, what, amount) from the start on: `slow`, `ticks`, `hiccups`."""
    snapshots: tuple[int, ...] = ()
    """By seat, frames from one snapshot to the next; 1 for those that are not listed."""
    policies: int = 0
    """Seats behind those of the pages that policies play."""
    reactions: tuple[int, ...] = ()
    """Reaction times of these policies, frames; 0 for those that are not listed."""
    ways: tuple[tuple[int, str, float], ...] = ()
    """(way, what, amount): one direction's own `delay` or `loss`."""
    departures: tuple[tuple[float, str, int, int], ...] = ()
    """(time, what, seat, amount): what makes the session end; none where everybody stays."""
    reloads: tuple[tuple[float, int], ...] = ()
    """(time, seat): a page is loaded again, and returns into the game."""
    overlapping: bool = False
    """Whether one may be loaded again while another one is on its way back."""
    heals: bool = True
    """False: nothing is whole again after `good_after`."""
    adaptive: str = "off"
    """Whether the input delay follows the network, as the settings have it."""
    loading: float = 0.0
    """Seconds that a page takes to be loaded again, in which nothing of it is there."""
    reopens: bool = False
    """Whether the others play on while somebody is only interrupted."""
    grace: float | None = None
    """After how many seconds the server tells that a socket is gone; None: never."""
    announces: bool = False
    """Whether it tells who is away and who is back."""


LASTING = (
    "cut", "cut one way", "close", "fail", "congest", "socket down", "hide", "freeze", "close late", "socket dies",
    "server away",
)  # fmt: skip
"""What ends by itself; the rest happens at one moment, or lasts for good."""


Choose = Callable[[str, Any], Any]
"""`of(kind, argument)` picks from a list, or between two numbers."""


Drawn = tuple[float, str, int, int, float]


def _drawn(when: float, what: str, which: int, amount: int, length: float) -> Drawn:
    return round(when, 2), what, which, amount, round(when + length, 2) - round(when, 2) if what in LASTING else 0.0


def draw_schedule(of: Choose, seats: int | None = None) -> Schedule:
    """A schedule in which everybody stays."""
    happenings: list[Drawn] = []
    for _ in range(of("int", (0, 6))):
        what = of(
            "pick",
            ["burst", "raise", "cut", "cut one way", "close", "fail", "congest", "socket down", "hide", "freeze",
             "loss", "delay"],
        )  # fmt: skip
        amount = of("int", (1, 30)) if what != "loss" else of("int", (0, 40))
        happenings.append(
            _drawn(of("float", (0.2, 9.0)), what, of("int", (0, 11)), amount, of("float", (0.05, 6.0)))
        )
    schedule = Schedule(
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
    return _with_pages_and_server(of, schedule, seats is None)


def _with_pages_and_server(of: Choose, schedule: Schedule, any_size: bool) -> Schedule:
    """More seats, pages that are slow or hiccup, directions that differ, a server and sockets that are away.

    Drawn behind the rest, so that what a seed gave before it gives still.
    """
    happenings = list(schedule.happenings)
    for _ in range(of("pick", [0, 0, 1, 2, 3])):
        what = of("pick", ["close late", "socket dies", "server away", "freeze", "delay one way", "loss one way"])
        happenings.append(
            _drawn(of("float", (0.2, 9.0)), what, of("int", (0, 11)), of("int", (0, 30)), of("float", (0.3, 6.0)))
        )
    pages: list[tuple[int, str, float]] = []
    for _ in range(of("pick", [0, 0, 1, 2])):
        what = of("pick", ["slow", "ticks", "hiccups"])
        low, high = {"slow": (1.05, 1.25), "ticks": (0.75, 0.95), "hiccups": (0.7, 15.0)}[what]
        pages.append((of("int", (0, 7)), what, of("float", (low, high))))
    ways: list[tuple[int, str, float]] = []
    for _ in range(of("pick", [0, 0, 0, 1, 2])):
        what = of("pick", ["delay", "loss"])
        ways.append((of("int", (0, 11)), what, of("float", (0.0, 0.35))))
    many = any_size and of("int", (0, 39)) >= 38
    drawn = replace(
        schedule,
        seats=of("pick", [5, 6, 7, 8]) if many else schedule.seats,
        steps=min(schedule.steps, 90) if many else schedule.steps,
        episodes=min(schedule.episodes, 2) if many else schedule.episodes,
        happenings=tuple(sorted(happenings)),
        hash_interval=of("pick", [1, 1, 2, 7, 7, 30, 100]),
        pages=tuple(pages),
        ways=tuple(ways),
    )
    clocks = [
        _drawn(of("float", (0.2, 9.0)), "clock", of("int", (0, 11)), of("int", (0, 30)), 0.0)
        for _ in range(of("pick", [0, 0, 0, 1, 2]))
    ]
    return replace(drawn, happenings=tuple(sorted([*happenings, *clocks])))


def _with_snapshots(of: Choose, schedule: Schedule) -> Schedule:
    """Peers that save their state seldom, each as it likes. Drawn behind all else."""
    return replace(schedule, snapshots=tuple([of("pick", [1, 1, 2, 3, 5, 8]) for _ in range(schedule.seats)]))


def _with_policies(of: Choose, schedule: Schedule) -> Schedule:
    """Seats that every peer computes for itself, in a third of the schedules. Drawn behind all else."""
    drawn = replace(schedule, policies=min(of("pick", [0, 0, 0, 0, 1, 2]), 8 - schedule.seats))
    return replace(drawn, reactions=tuple([of("pick", [0, 1, 3, 8, 30]) for _ in range(drawn.policies)]))


def _with_weather(of: Choose, schedule: Schedule) -> Schedule:
    """What came last: bursts, reordering, narrow ways, hung channels, skewed clocks, a server that starts anew, input
    delays that follow the network. Drawn behind all else."""
    more = []
    for _ in range(of("pick", [0, 0, 1, 1, 2])):
        a = of("int", (0, schedule.seats - 1))
        b = (a + of("int", (1, max(1, schedule.seats - 1)))) % schedule.seats
        begins = of("float", (0.2, 9.0))
        until = f"@{begins:g}-{begins + of('float', (0.1, 5.0)):g}"
        what = of("pick", ["hang", "refuse", "narrow", "skew", "server-restart"])
        if what == "server-restart":
            more.append(f"{what}@{begins:g}")
        elif what == "skew":
            more.append(f"{what} {a}{until}={of('pick', [-3, -1, 1, 3])}")
        elif a != b:
            more.append(f"{what} {a}-{b}{until}" + (f"={of('int', (15, 60))}" if what == "narrow" else ""))
    # Of inputs of several hundred bytes one fits into a packet: where many packets are lost in a row, or few get
    # through, they come one after the other, and everybody stands meanwhile.
    conditions = replace(
        schedule.conditions,
        bursts=0.0 if schedule.wide else of("pick", [0.0, 0.0, 0.05, 0.2]),
        burst_length=of("pick", [2.0, 8.0, 30.0]),
        reordering=of("pick", [0.0, 0.0, 0.1, 0.4]),
        bandwidth=None if schedule.wide else of("pick", [None, None, None, 96_000.0, 40_000.0]),
    )
    adaptive = of("pick", ["off", "off", "off", "all", "each"])
    return replace(schedule, conditions=conditions, more=tuple(more), adaptive=adaptive)


def _with_the_rest(of: Choose, schedule: Schedule, weather: bool = True) -> Schedule:
    drawn = _with_policies(of, _with_snapshots(of, schedule))
    return _with_weather(of, drawn) if weather else drawn


def draw_departures(of: Choose, seats: int | None = None) -> Schedule:
    """A schedule in which somebody goes, or all is lost."""
    schedule = draw_schedule(of, seats)
    departures = []
    for _ in range(of("pick", [1, 1, 1, 2])):
        what = of("pick", ["vanish", "leave", "abort", "stop", "stop", "freeze for good", "all is lost"])
        departures.append((of("float", (0.2, 12.0)), what, of("int", (0, 7)), of("int", (0, 30))))
    lost = any(what == "all is lost" for _, what, *_ in departures)
    schedule = replace(
        schedule,
        steps=max(schedule.steps, of("pick", [90, 200, 400])),
        heals=not lost and of("pick", [True, True, False]),
        grace=of("pick", [None, 5.0, 5.0]),
    )
    if of("int", (0, 8)) == 8:
        (when, _, *whose), *rest = departures
        departures = [(when, "load again", *whose), *rest]
    return replace(schedule, departures=tuple(sorted(departures)))


@st.composite
def schedules(draw: Any, seats: int | None = None, departures: bool = False) -> Schedule:
    """Any schedule."""

    def of(kind: str, argument: Any) -> Any:
        if kind == "int":
            return draw(st.integers(*argument))
        if kind == "float":
            return round(draw(st.floats(*argument, allow_nan=False)), 2)
        return draw(st.sampled_from(argument))

    return _with_the_rest(of, draw_departures(of, seats) if departures else draw_schedule(of, seats))


def seeded(seed: int, seats: int | None = None, departures: bool = False, weather: bool = True) -> Schedule:
    """The schedule of a seed, for long runs without Hypothesis; `weather`: with what came to the simulator last."""
    rng = random.Random(f"schedule {seed}")

    def of(kind: str, argument: Any) -> Any:
        if kind == "int":
            return rng.randint(*argument)
        if kind == "float":
            return round(rng.uniform(*argument), 2)
        return rng.choice(argument)

    return _with_the_rest(of, draw_departures(of, seats) if departures else draw_schedule(of, seats), weather)


def with_reloads(
    seed: int, at_once: bool = False, seats: int | None = None, departures: bool = False
) -> Schedule:
    """The schedule of a seed in which everybody stays, with one to three pages that are loaded again: one after the
    other, the same one perhaps several times; or `at_once`, all but one within two seconds. With `departures` somebody
    goes for good besides, or all is lost."""
    schedule = seeded(seed, seats, departures)
    rng = random.Random(f"reloads {seed}")
    count = schedule.seats
    begins = rng.uniform(0.2, 11.0)
    if at_once:
        gone = rng.sample(range(count), rng.randint(1, max(1, count - 1)))
        reloads = [(round(begins + rng.uniform(0.0, 2.0), 2), seat) for seat in gone]
    else:
        times = [begins + 7.0 * number + rng.uniform(0.0, 5.0) for number in range(rng.randint(1, 3))]
        reloads = [(round(when, 2), rng.randrange(count)) for when in times]
    # Drawn by nothing, or last, so that the numbers of before mean what they meant.
    found = replace(schedule, reloads=tuple(sorted(reloads)), overlapping=at_once, announces=not seed // 8 % 2)
    if departures or seed % 16 not in (2, 3):
        return found
    # For longer than a silence may last, and no longer than a seat is kept.
    return replace(found, loading=round(rng.uniform(1.0, 50.0), 2), grace=None)


def with_returns(seed: int, seats: int | None = None) -> Schedule:
    """The schedule of a seed in which whoever is interrupted is played for, and comes back: pages are loaded again one
    after the other or at once, freeze, and lose their line, and in every third somebody goes for good."""
    rng = random.Random(f"returns {seed}")
    schedule = with_reloads(seed, rng.random() < 0.3, seats, departures=False)
    more = list(schedule.more)
    for _ in range(rng.randint(0, 2)):
        seat, begins = rng.randrange(schedule.seats), rng.uniform(0.5, 12.0)
        until = begins + rng.uniform(2.5, 9.0)
        if rng.random() < 0.3:
            more.append(f"freeze {seat}@{begins:.2f}-{until:.2f}")
        else:
            # The line of a page is dead.
            more += [f"cut {seat}-{other}@{begins:.2f}-{until:.2f}" for other in range(schedule.seats) if other != seat]
            more.append(f"socket-down {seat}@{begins:.2f}-{until:.2f}")
    departures: tuple[tuple[float, str, int, int], ...] = ()
    if rng.random() < 0.33:
        what = rng.choice(["vanish", "leave", "abort", "stop"])
        departures = ((round(rng.uniform(3.0, 20.0), 2), what, rng.randrange(schedule.seats), rng.randrange(30)),)
    return replace(
        schedule, reopens=True, more=tuple(more), departures=departures, policies=0, reactions=(),
        steps=max(schedule.steps, rng.choice([200, 400, 700])), good_after=22.0,
        grace=rng.choice([None, None, 8.0]), loading=round(rng.choice([0.0, rng.uniform(1.0, 7.0)]), 2),
        announces=not seed % 2,
    )  # fmt: skip


def with_many_episodes(schedule: Schedule, seed: int) -> Schedule:
    """The same in many short episodes, at any rate of frames: what happens meets their beginnings and ends."""
    rng = random.Random(f"episodes {seed}")
    fps = rng.choice([5, 30, 60, 120, 240])
    steps = rng.choice([1, 2, 3, 7, 20])
    return replace(schedule, fps=fps, steps=steps, episodes=rng.choice([5, 12, 25]) if fps > 5 or steps < 7 else 3)
