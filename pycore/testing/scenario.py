"""A scenario: all that decides a run of a simulated mesh but the game itself. It has a plain form, and one seed.

What happens is a list of happenings, written `WHAT WHO@FROM-TO`: `hide 1@5-9`, `cut@3-6`, `cut 0-2@3-6`, `leave 2@6`.
WHO is a seat, or two where it happens to what is between them; without it, it happens to all. Times are seconds from
the opening of the pages.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from pycore.errors import ConfigError
from pycore.testing.network import Conditions

PAGE, PAIR, ALL = "a page", "a pair", "all"
KINDS: Final[Mapping[str, tuple[str, bool, str]]] = {
    "leave": (PAGE, False, "a page is closed"),
    "vanish": (PAGE, False, "a page is gone without a word"),
    "reload": (PAGE, False, "a page is loaded again"),
    "hide": (PAGE, True, "a page is hidden"),
    "freeze": (PAGE, True, "the browser freezes a page"),
    "socket-down": (PAGE, True, "a page's socket is dead, and both sides know it"),
    "cut": (PAIR, True, "peer-to-peer drops everything without a word"),
    "close": (PAIR, True, "the channel is closed, and opened again"),
    "server-down": (ALL, True, "the server is away"),
}
"""By name: what it happens to, whether it has an end, and what it is."""
GOES: Final = ("leave", "vanish", "reload")
"""After these the session ends."""
JSON_KINDS: Final[Mapping[type, str]] = {list: "array", int: "integer", bool: "boolean"}
TEXT: Final = re.compile(r"(?:(\d+)(?:-(\d+))?)?@(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?")


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One thing that happens."""

    what: str
    """One of `KINDS`."""
    seats: tuple[int, ...] = ()
    """A seat, or two; empty: all."""
    begins: float = 0.0
    ends: float | None = None

    @classmethod
    def of(cls, what: str, text: str) -> Happening:
        """`WHO@FROM-TO`. Raises ConfigError."""
        if what not in KINDS:
            raise ConfigError(f"nothing that happens is called {what!r}; there are {', '.join(KINDS)}")
        found = TEXT.fullmatch(text.strip())
        whom, has_end, meaning = KINDS[what]
        form = {PAGE: "SEAT@", PAIR: "[SEAT-SEAT]@", ALL: "@"}[whom] + ("FROM-TO" if has_end else "WHEN")
        if found is None:
            raise ConfigError(f"{what} {text!r}: write {form}, in seconds ({meaning})")
        first, second, begins, ends = found.groups()
        seats = tuple(int(seat) for seat in (first, second) if seat is not None)
        if len(seats) not in {PAGE: (1,), PAIR: (0, 2), ALL: (0,)}[whom] or (ends is not None) != has_end:
            raise ConfigError(f"{what} {text!r}: write {form}, in seconds ({meaning})")
        return cls(what=what, seats=seats, begins=float(begins), ends=None if ends is None else float(ends))

    def __str__(self) -> str:
        """As it is written."""
        whom = "-".join(map(str, self.seats))
        until = "" if self.ends is None else f"-{self.ends:g}"
        return f"{self.what} {whom}@{self.begins:g}{until}".replace(" @", "@")


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
    duplicates: float = 0.0
    """Share of the packets that come twice."""
    server_ms: float = 30.0
    """From a page to another through the server."""
    socketio_only: bool = False
    happenings: tuple[Happening, ...] = ()

    def check(self, pages: int) -> None:
        """Refuse what cannot happen among so many pages. Raises ConfigError."""
        for name, most in (("loss", 1.0), ("duplicates", 1.0), ("latency_ms", 5000.0), ("jitter_ms", 5000.0),
                           ("server_ms", 5000.0)):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 <= value <= most:
                raise ConfigError(f"{name} is {value!r}; it must be from 0 to {most:g}")
        if not isinstance(self.seconds, int | float) or not 0 < self.seconds <= 86_400:
            raise ConfigError(f"seconds is {self.seconds!r}; it must be up to 86400")
        for happening in self.happenings:
            if any(seat >= pages for seat in happening.seats):
                raise ConfigError(f"{happening}: the pages are 0 to {pages - 1}")
            if len(happening.seats) == 2 and happening.seats[0] == happening.seats[1]:
                raise ConfigError(f"{happening}: nothing is between a page and itself")
            if happening.ends is not None and happening.ends <= happening.begins:
                raise ConfigError(f"{happening}: it ends before it begins")

    @property
    def conditions(self) -> Conditions:
        """The network's, as a mesh has them."""
        return Conditions(
            delay=self.latency_ms / 1000, jitter=self.jitter_ms / 1000, loss=self.loss,
            server_delay=self.server_ms / 1000, opens_after=None if self.socketio_only else 0.1,
        )  # fmt: skip

    @property
    def last(self) -> float:
        """When everything has happened."""
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
    networks are; up to four happenings, after which everything is whole again. `goes`: somebody may go."""
    rng = random.Random(f"scenario {seed}")
    kinds = [kind for kind in KINDS if kind not in GOES]
    if pages < 2:
        kinds = [kind for kind in kinds if KINDS[kind][0] != PAIR]
    happenings = [*scenario.happenings]
    for _ in range(rng.randrange(5)):
        kind = rng.choice(kinds)
        begins = round(rng.uniform(0.2, 0.7 * scenario.seconds), 2)
        ends = round(begins + rng.uniform(0.1, 0.25 * scenario.seconds), 2)
        whom = KINDS[kind][0]
        seats = () if whom == ALL else tuple(rng.sample(range(pages), 1 if whom == PAGE else 2))
        happenings.append(Happening(what=kind, seats=seats, begins=begins, ends=ends))
    if goes and pages > 1 and rng.random() < 0.25:
        when = round(rng.uniform(0.2, 0.9 * scenario.seconds), 2)
        happenings.append(Happening(what=rng.choice(GOES), seats=(rng.randrange(pages),), begins=when))
    return replace(
        scenario,
        seed=seed,
        latency_ms=round(rng.uniform(0, scenario.latency_ms or 200.0), 1),
        jitter_ms=round(rng.uniform(0, scenario.jitter_ms or 50.0), 1),
        loss=round(rng.uniform(0, scenario.loss or 0.2), 3),
        duplicates=round(rng.choice([0.0, rng.uniform(0, scenario.duplicates or 0.2)]), 3),
        server_ms=round(rng.uniform(5, max(scenario.server_ms, 10.0)), 1),
        happenings=tuple(sorted(happenings, key=lambda of: of.begins)),
    )
