"""From what two pages noted to figures: ticks by the depth of their rollback, inputs that were lost, bytes per second.

Everything here is arithmetic on logs and tables; `bench.hostpage` plays the games that they come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

SETTLED = 100
"""Ticks of earlier frames are not counted: up to here the page's module hashes the state twice a tick for its log."""

PLUMBING = frozenset({"ping", "pong", "client_console_log"})
"""Events that the page sends and gets whoever plays: its pings, and a copy of its console."""

INPUTS = frozenset({"pyodide_player_action", "pyodide_other_player_action"})


@dataclass
class Heard:
    """What one side's games gave, by figure."""

    samples: dict[str, list[float]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    """Events that crossed the server during play."""
    runs: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, figure: str, values: Sequence[float]) -> None:
        self.samples.setdefault(figure, []).extend(values)

    def take(self, other: Heard) -> None:
        """What another game gave."""
        for figure, values in other.samples.items():
            self.add(figure, values)
        self.names |= other.names
        self.runs += other.runs
        self.notes += other.notes


def depths(events: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """How deep the rollback was in the tick of a frame, from the list of mispredicted inputs."""
    found: dict[int, int] = {}
    for event in events:
        current = int(event["currentFrame"])
        found[current] = max(found.get(current, 0), current - int(event["frame"]))
    return found


@dataclass
class Ticks:
    """The times of a game's ticks, ms."""

    quiet: list[float]
    """Without a rollback."""
    deep: list[float]
    """With one of exactly the wanted depth."""
    other: list[int]
    """The depths of all other rollbacks."""

    @property
    def rollback(self) -> list[float]:
        """What a rollback adds to a tick."""
        return [ms - median(self.quiet) for ms in self.deep]


def ticks(log: Iterable[Mapping[str, Any]], rollbacks: Iterable[Mapping[str, Any]], depth: int) -> Ticks:
    """The steps of a log that gave a result, sorted by what the rollbacks' list says of their frames."""
    by_frame = depths(rollbacks)
    found = Ticks([], [], [])
    for entry in log:
        if entry["frame"] < SETTLED or not entry.get("stepped"):
            continue
        reached = by_frame.get(entry["frame"], 0)
        if reached == 0:
            found.quiet.append(entry["ms"])
        elif reached == depth:
            found.deep.append(entry["ms"])
        else:
            found.other.append(reached)
    return found


def settled(log: Iterable[Mapping[str, Any]]) -> list[float]:
    """The times of all steps that gave a result, ms."""
    return [entry["ms"] for entry in log if entry["frame"] >= SETTLED and entry.get("stepped")]


def taken(log: Iterable[Mapping[str, Any]], first: bool) -> dict[int, Any]:
    """The own action that a page took for each frame, in one episode.

    A module may be asked more than once for a frame, and null is its answer while it waits. The page's own takes the
    action with which it steps; with `first` it is the one of the first call, as ours does.
    """
    found: dict[int, Any] = {}
    for entry in log:
        if first or entry.get("stepped"):
            found.setdefault(entry["frame"], entry["action"])
    return found


@dataclass
class Fate:
    """What became of the actions of one player."""

    taken: int
    altered: int = 0
    """Another action stands in a file."""
    missing: int = 0
    """The frame is in no file of somebody, or the file is not there."""

    @property
    def lost(self) -> int:
        return self.altered + self.missing


def fate(actions: Mapping[int, Any], player: Any, files: Sequence[Sequence[Mapping[str, Any]] | None]) -> Fate:
    """Compare the actions that a player's page took with the rows that everybody's file has of that player.

    Without any file, all are missing. What was taken behind the last row of the longest file is after the end of the
    episode and does not count, provided that everybody has a file.
    """
    count = max((len(rows) for rows in files if rows is not None), default=0)
    complete = all(rows is not None for rows in files)
    counted = {frame: action for frame, action in actions.items() if frame < count or not complete}
    found = Fate(len(counted))
    for frame, action in counted.items():
        cells = [rows[frame].get(f"actions.{player}") if rows and frame < len(rows) else None for rows in files]
        if any(cell is None for cell in cells):
            found.missing += 1
        elif any(cell != (action or 0) for cell in cells):
            found.altered += 1
    return found


def between(messages: Iterable[Any], since: float, until: float) -> list[Any]:
    """The events on a web socket between two times, without the plumbing."""
    return [message for message in messages if since <= message.at < until and message.name not in PLUMBING]


def inputs(messages: Iterable[Any]) -> int:
    """How many messages carry inputs, in whatever wrapping."""
    return sum(
        message.name in INPUTS or (message.name == "webrtc_signal" and message.data.get("type") == "pycore-action")
        for message in messages
    )
