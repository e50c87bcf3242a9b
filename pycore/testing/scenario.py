"""A scenario: all that decides a run of a simulated mesh but the game itself. It has a plain form, and one seed.

What happens is a list of happenings, written `WHAT WHO@FROM-TO=AMOUNT`: `hide 1@5-9`, `cut@3-6`, `cut 0-2@3-6`,
`leave 2@6`, `delay 0-1@3=200`. WHO is a page, or two where it happens to what is between them; without it, it happens
to all. Times are seconds from the opening of the pages; without TO it lasts for good. What there is, is in
`pycore.testing.kinds`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import Any, Final

from pycore.costs import Costs
from pycore.errors import ConfigError
from pycore.testing.kinds import ALL, GOES, KINDS, PAGE, PAIR, WAY, WHO
from pycore.testing.ways import Conditions

BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "loss": (0, 1), "bursts": (0, 0.9), "burst_length": (1, 1000), "duplicates": (0, 1), "reordering": (0, 1),
    "latency_ms": (0, 5000), "jitter_ms": (0, 5000), "server_ms": (0, 5000), "step_ms": (0, 10_000),
}  # fmt: skip
"""Least and most of a scenario's numbers."""
WIDEST_KBPS: Final = 10**6
DRAWN: Final[Mapping[str, tuple[float, float]]] = {
    "hiccups": (1, 15), "slow": (5, 40), "ticks": (10, 28), "skew": (-2, 2), "clock": (-60, 60), "socket-dies": (0, 3),
    "close-late": (0, 3), "lose-next": (1, 60), "delay": (0, 300), "lossy": (0, 60), "narrow": (15, 80),
}  # fmt: skip
"""Between what the amounts of drawn happenings are."""
DRAWN_LAST: Final = (*GOES, "stop")
"""What is drawn once at most, since the game is over with it."""
JSON_KINDS: Final[Mapping[type, str]] = {list: "array", int: "integer", bool: "boolean"}
TEXT: Final = re.compile(r"(?:(\d+)(?:-(\d+))?)?@(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?(?:=(-?\d+(?:\.\d+)?))?")


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One thing that happens."""

    what: str
    """One of `KINDS`."""
    seats: tuple[int, ...] = ()
    """A page, or two; empty: all."""
    begins: float = 0.0
    ends: float | None = None
    """None: it happens at one moment, or lasts for good."""
    amount: float | None = None

    @classmethod
    def of(cls, what: str, text: str) -> Happening:
        """`WHO@FROM-TO=AMOUNT`. Raises ConfigError."""
        if what not in KINDS:
            raise ConfigError(f"nothing that happens is called {what!r}; there are {', '.join(KINDS)}")
        found = TEXT.fullmatch(text.strip())
        kind = KINDS[what]
        wrong = ConfigError(f"{what} {text!r}: write {kind.form}, times in seconds ({kind.meaning})")
        if found is None:
            raise wrong
        first, second, begins, ends, amount = found.groups()
        seats = tuple(int(seat) for seat in (first, second) if seat is not None)
        if len(seats) not in WHO[kind.whom][1] or (ends is not None and not kind.lasts):
            raise wrong
        if amount is None and kind.usual is not None:
            amount = f"{kind.usual:g}"
        if (amount is not None) != bool(kind.amount):
            raise wrong
        return cls(
            what=what, seats=seats, begins=float(begins), ends=None if ends is None else float(ends),
            amount=None if amount is None else float(amount),
        )  # fmt: skip

    @property
    def until(self) -> float:
        """When it is over: at once, at its end, or never."""
        if self.ends is not None:
            return self.ends
        return inf if KINDS[self.what].lasts else self.begins

    def check(self, pages: int) -> None:
        """Refuse what cannot happen among so many pages. Raises ConfigError."""
        kind = KINDS[self.what]
        if any(seat >= pages for seat in self.seats):
            raise ConfigError(f"{self}: the pages are 0 to {pages - 1}")
        if len(self.seats) == 2 and self.seats[0] == self.seats[1]:
            raise ConfigError(f"{self}: nothing is between a page and itself")
        if self.ends is not None and self.ends <= self.begins:
            raise ConfigError(f"{self}: it ends before it begins")
        if self.amount is not None and not kind.least <= self.amount <= kind.most:
            raise ConfigError(f"{self}: {kind.amount} must be from {kind.least:g} to {kind.most:g}")

    def __str__(self) -> str:
        """As it is written."""
        whom = "-".join(map(str, self.seats))
        until = "" if self.ends is None else f"-{_spelled(self.ends)}"
        amount = "" if self.amount is None else f"={_spelled(self.amount)}"
        return f"{self.what} {whom}@{_spelled(self.begins)}{until}{amount}".replace(" @", "@")


def _spelled(number: float) -> str:
    """A number without an exponent, which nobody writes, and which is not read."""
    return f"{number:.9f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A network, and what happens. Times are seconds unless their names say otherwise."""

    seed: int = 1
    """Of the network, of the game and of what the players do."""
    seconds: float = 20.0
    """How long an episode is at most."""
    latency_ms: float = 0.0
    """One way, peer-to-peer."""
    jitter_ms: float = 0.0
    """Uniform, added to it; packets overtake each other."""
    loss: float = 0.0
    """One way, a share."""
    bursts: float = 0.0
    """Share of the packets that are lost in bursts, one way, beside those."""
    burst_length: float = 8.0
    """Packets of a burst, on average."""
    duplicates: float = 0.0
    """Share of the packets that come twice."""
    reordering: float = 0.0
    """Share of the packets that come up to 100 ms later, so that later ones overtake them."""
    bandwidth_kbps: float | None = None
    """What each direction carries, kilobits per second; None: any number."""
    server_ms: float = 30.0
    """From a page to another through the server."""
    socketio_only: bool = False
    episodes: int | None = None
    """None: as many as the game's settings say."""
    step_ms: float = 0.0
    """What a step of the environment takes on every machine."""
    happenings: tuple[Happening, ...] = ()

    def check(self, pages: int) -> None:
        """Refuse what cannot happen among so many pages. Raises ConfigError."""
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not least <= value <= most:
                raise ConfigError(f"{name} is {value!r}; it must be from {least:g} to {most:g}")
        kbps = self.bandwidth_kbps
        if kbps is not None and (not isinstance(kbps, int | float) or not 1 <= kbps <= WIDEST_KBPS):
            raise ConfigError(f"bandwidth_kbps is {kbps!r}; it must be from 1 to 1000000, or null")
        if self.episodes is not None and (type(self.episodes) is not int or not 1 <= self.episodes <= 250):
            raise ConfigError(f"episodes is {self.episodes!r}; it must be from 1 to 250, or null")
        if not isinstance(self.seconds, int | float) or not 0 < self.seconds <= 86_400:
            raise ConfigError(f"seconds is {self.seconds!r}; it must be up to 86400")
        for happening in self.happenings:
            happening.check(pages)

    @property
    def conditions(self) -> Conditions:
        """The network's, as a mesh has them."""
        return Conditions(
            delay=self.latency_ms / 1000, jitter=self.jitter_ms / 1000, loss=self.loss, bursts=self.bursts,
            burst_length=self.burst_length, duplicates=self.duplicates, reordering=self.reordering,
            bandwidth=None if self.bandwidth_kbps is None else 1000 * self.bandwidth_kbps,
            server_delay=self.server_ms / 1000, opens_after=None if self.socketio_only else 0.1,
            costs=Costs(step=self.step_ms / 1000) if self.step_ms else None,
        )  # fmt: skip

    @property
    def last(self) -> float:
        """When everything has happened that does not last for good."""
        return max((of.begins if of.ends is None else of.ends for of in self.happenings), default=0.0)

    def with_seed(self, seed: int) -> Scenario:
        """The same with another seed."""
        return replace(self, seed=seed)

    def as_json(self) -> dict[str, Any]:
        """The plain form."""
        return {**asdict(self), "happenings": [str(happening) for happening in self.happenings]}

    @classmethod
    def from_json(cls, value: Any) -> Scenario:
        """From the plain form. Raises ConfigError."""
        if not isinstance(value, Mapping):
            raise ConfigError("a scenario is a JSON object")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(value) - known):
            raise ConfigError(f"a scenario has no {unknown[0]!r}; it has {', '.join(sorted(known))}")
        for name, kind in (("happenings", list), ("seed", int), ("socketio_only", bool)):
            if name in value and type(value[name]) is not kind:
                raise ConfigError(f"{name} is {value[name]!r}; it must be a JSON {JSON_KINDS[kind]}")
        found = []
        for text in value.get("happenings", ()):
            what, _, rest = str(text).replace("@", " @", 1).partition(" ")
            found.append(Happening.of(what, rest.replace(" ", "")))
        return cls(**{**value, "happenings": tuple(found)})


def drawn(scenario: Scenario, seed: int, pages: int, goes: bool = True) -> Scenario:
    """Another scenario for this seed: its network as bad as that of `scenario` at most, or where that is perfect as
    networks are; up to five happenings, after which everything is whole again. `goes`: somebody may go."""
    rng = random.Random(f"scenario {seed}")
    kinds = [kind for kind in KINDS if kind not in GOES and kind not in DRAWN_LAST]
    if pages < 2:
        kinds = [kind for kind in kinds if KINDS[kind].whom in (PAGE, ALL)]
    narrowest = scenario.bandwidth_kbps or 32.0
    widest = min(max(256.0, 2 * narrowest), WIDEST_KBPS)
    more = [_drawn(rng, rng.choice(kinds), scenario.seconds, pages) for _ in range(rng.randrange(6))]
    happenings = [*scenario.happenings, *more]
    if goes and pages > 1 and rng.random() < 0.25:
        when = round(rng.uniform(0.2, 0.9 * scenario.seconds), 2)
        what = rng.choice(DRAWN_LAST)
        happenings.append(
            Happening(what=what, seats=(rng.randrange(pages),), begins=when, amount=KINDS[what].usual)
        )
    return replace(
        scenario,
        seed=seed,
        latency_ms=round(rng.uniform(0, scenario.latency_ms or 200.0), 1),
        jitter_ms=round(rng.uniform(0, scenario.jitter_ms or 50.0), 1),
        loss=round(rng.uniform(0, scenario.loss or 0.2), 3),
        bursts=round(rng.choice([0.0, 0.0, rng.uniform(0, scenario.bursts or 0.2)]), 3),
        burst_length=round(rng.uniform(1.0, scenario.burst_length), 1),
        duplicates=round(rng.choice([0.0, rng.uniform(0, scenario.duplicates or 0.2)]), 3),
        reordering=round(rng.choice([0.0, rng.uniform(0, scenario.reordering or 0.3)]), 3),
        bandwidth_kbps=rng.choice([None, None, round(rng.uniform(narrowest, widest), 1)]),
        server_ms=round(rng.uniform(min(5.0, scenario.server_ms), scenario.server_ms), 1),
        happenings=tuple(sorted(happenings, key=lambda of: of.begins)),
    )


def _drawn(rng: random.Random, what: str, seconds: float, pages: int) -> Happening:
    """One happening of this kind, which is over before the game is."""
    kind = KINDS[what]
    begins = round(rng.uniform(0.2, 0.7 * seconds), 2)
    ends = round(begins + rng.uniform(0.1, 0.25 * seconds), 2)
    seats: tuple[int, ...] = ()
    if kind.whom == PAGE:
        seats = (rng.randrange(pages),)
    elif kind.whom in (PAIR, WAY):
        seats = tuple(rng.sample(range(pages), 2))
    amount = round(rng.uniform(*DRAWN[what]), 1) if kind.amount else None
    return Happening(what=what, seats=seats, begins=begins, ends=ends if kind.lasts else None, amount=amount)
