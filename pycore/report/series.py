"""Curves over a session: what an experienced record has by the second, thinned to what a screen can show.

A record is gone through once, and a bounded number of points is kept of it. Where there are more seconds than points,
neighbours share one: of a measure the largest of them is kept, since a report is read for what went wrong; of a count
the sum. Nothing is smoothed. Where seconds are missing (a machine that slept) the curve has a gap.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from pycore.records.experienced_reader import Displayed, Happening, Item, SecondOfPlay

POINTS: Final = 600
"""Points of a curve at most: seconds that are drawn one by one; of more, two, four … share a point."""
SUMMED: Final = ("stalls", "rollbacks", "resimulated", "predicted_frames", "displayed")
LARGEST: Final = ("rtt_ms", "jitter_ms", "input_age", "advantage", "max_depth", "tick_ms_max")
NAMES: Final = (*LARGEST, *SUMMED)
MARKS: Final = 400
"""Changes of paths, of visibility, and stalls that are kept, of each."""
UNKNOWN: Final = math.nan


class Mark(NamedTuple):
    """A moment at which something changed."""

    second: float
    what: str
    player: str = ""
    """Of which link it is told; empty: of the page itself."""


class Curves:
    """One participant's session by the second."""

    def __init__(self) -> None:
        self.seconds = array("d")
        """Where each point begins, s."""
        self.values: dict[str, array[float]] = {name: array("d") for name in NAMES}
        """The points of every curve; NaN: not known."""
        self.share = 1
        """Seconds that share a point."""
        self.read = 0
        """Seconds of play that were read."""
        self._marks: dict[str, list[tuple[int, str, str]]] = {"path": [], "sight": [], "stall": []}
        self._followed: set[str] = set()
        """Players of whose link a path is marked."""
        self.left_out = 0
        """Moments beyond those that are kept."""
        self._began_ms: int | None = None
        self._first_ms: int | None = None
        self._last_ms = 0
        self._displayed = 0
        self._load = self._shift = 0
        """The load of the page, and what makes the seconds that it counts those of the first one."""

    def take(self, items: Iterable[Item]) -> Curves:
        """Go through a record."""
        for item in items:
            self._first_ms = item.time_ms if self._first_ms is None else self._first_ms
            self._last_ms = max(self._last_ms, item.time_ms)
            if isinstance(item, SecondOfPlay):
                self._second(item)
            elif isinstance(item, Displayed):
                self._displayed += 1
            elif isinstance(item, Happening):
                self._happened(item)
        return self

    @property
    def length(self) -> float:
        """How long the record is, s."""
        return max(self._since(self._last_ms), self.seconds[-1] + self.share if self.seconds else 0.0)

    @property
    def paths(self) -> list[Mark]:
        """To which path a link changed."""
        return self._moments("path")

    @property
    def sights(self) -> list[Mark]:
        """When the page was `hidden`, and `shown` again."""
        return self._moments("sight")

    @property
    def stalls(self) -> list[Mark]:
        """When nothing had been stepped for three ticks, by its cause, and when play was `resumed`."""
        return self._moments("stall")

    def _moments(self, kind: str) -> list[Mark]:
        return [Mark(self._since(at), what, player) for at, what, player in self._marks[kind]]

    def _since(self, time_ms: int) -> float:
        origin = self._first_ms if self._began_ms is None else self._began_ms
        return 0.0 if origin is None else max(0.0, (time_ms - origin) / 1000)

    def _second(self, item: SecondOfPlay) -> None:
        if self._began_ms is None:
            self._began_ms = item.time_ms - 1000 * (item.second + 1)  # a second is told at its end
        peers = [_numbers(peer) for peer in item.values["peers"].values()]
        point = {name: _number(item.values.get(name)) for name in NAMES}
        point["displayed"], self._displayed = float(self._displayed), 0
        for name in ("rtt_ms", "jitter_ms", "input_age", "advantage"):
            for peer in peers:
                point[name] = _larger(point[name], peer.get(name, UNKNOWN))
        if item.load != self._load:
            self._load = item.load
            begins_at = round((item.time_ms - self._began_ms) / 1000) - 1
            if self.seconds and begins_at < self.seconds[-1]:
                # Its wall clock was set back meanwhile, and nothing is drawn backwards.
                begins_at = int(self.seconds[-1]) + self.share
            self._shift = max(0, begins_at - item.second)
        begins = float((item.second + self._shift) // self.share * self.share)
        if self.seconds and begins == self.seconds[-1]:
            self._join(len(self.seconds) - 1, point)
        else:
            if self.seconds and begins > self.seconds[-1] + self.share:
                self._append(self.seconds[-1] + self.share, dict.fromkeys(NAMES, UNKNOWN))
            self._append(begins, point)
        for player, peer in item.values["peers"].items():
            if player not in self._followed and isinstance(peer.get("path"), str):
                # The path that a session begins with is no change, so no event tells it.
                self._mark("path", item.time_ms, peer["path"], str(player))
        self.read += 1
        while len(self.seconds) > POINTS:
            self._halve()

    def _append(self, begins: float, point: dict[str, float]) -> None:
        self.seconds.append(begins)
        for name, value in point.items():
            self.values[name].append(value)

    def _join(self, at: int, other: dict[str, float]) -> None:
        for name in SUMMED:
            self.values[name][at] = _sum(self.values[name][at], other[name])
        for name in LARGEST:
            self.values[name][at] = _larger(self.values[name][at], other[name])

    def _halve(self) -> None:
        begins, values = self.seconds, self.values
        self.share *= 2
        self.seconds, self.values = array("d"), {name: array("d") for name in NAMES}
        for at, second in enumerate(begins):
            point = {name: values[name][at] for name in NAMES}
            begin = second // self.share * self.share
            if self.seconds and begin == self.seconds[-1]:
                self._join(len(self.seconds) - 1, point)
            else:
                self._append(begin, point)

    def _happened(self, item: Happening) -> None:
        kind, what, player = "", item.event, ""
        if item.event == "path":
            kind, what, player = "path", str(item.more.get("to")), str(item.more.get("player"))
        elif item.event in ("hidden", "shown"):
            kind = "sight"
        elif item.event in ("stalled", "resumed"):
            kind, what = "stall", str(item.more.get("cause", item.event))
        if kind:
            self._mark(kind, item.time_ms, what, player)

    def _mark(self, kind: str, time_ms: int, what: str, player: str) -> None:
        if kind == "path":
            self._followed.add(player)
        if len(self._marks[kind]) < MARKS:
            self._marks[kind].append((time_ms, what, player))
        else:
            self.left_out += 1


def _number(value: Any) -> float:
    return float(value) if type(value) in (int, float) else UNKNOWN


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: _number(value) for name, value in values.items()}


def _larger(one: float, other: float) -> float:
    """Of two values the one that is further from 0; an advantage is negative for who is behind."""
    if math.isnan(one) or math.isnan(other):
        return other if math.isnan(one) else one
    return other if abs(other) > abs(one) else one


def _sum(one: float, other: float) -> float:
    if math.isnan(one) or math.isnan(other):
        return other if math.isnan(one) else one
    return one + other
