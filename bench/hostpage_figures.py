"""From what two pages noted to figures: ticks by the depth of their rollback, inputs that were lost, bytes per second.

Everything here is arithmetic on logs and tables; `bench.hostpage_games` has the games that they come from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

SETTLED = 100
"""Ticks of earlier frames are not counted: up to here the page's module hashes the state twice a tick for its log."""

CONSOLE = "client_console_log"
"""The page copies every call of its console to the server, ten a second at most."""

PLUMBING = frozenset({"ping", "pong", CONSOLE})
"""Events of the page's own: its pings, whoever plays, and the copy of its console, which is counted by itself."""

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


def fate(
    actions: Mapping[int, Any], player: Any, files: Sequence[Sequence[Mapping[str, Any]] | None], frames: int
) -> Fate:
    """Compare the actions that a player's page took with the rows that everybody's file has of that player.

    `frames` is how long the game was to be: what a page took later is after its end and does not count, and all else
    does. So what was taken behind the last row of a file that is too short is missing, and without a file everything.
    """
    counted = {frame: action for frame, action in actions.items() if frame < frames}
    found = Fate(len(counted))
    by_frame = [{row["t"]: row.get(f"actions.{player}") for row in rows or ()} for rows in files]
    for frame, action in counted.items():
        cells = [rows.get(frame) for rows in by_frame]
        if any(cell is None for cell in cells):
            found.missing += 1
        elif any(cell != (action or 0) for cell in cells):
            found.altered += 1
    return found


def complete(files: Sequence[Sequence[Mapping[str, Any]] | None], frames: int) -> bool:
    """Whether everybody has a file, and each has all the game's frames: a game that ends early may leave a part.

    More are no fault here: the page's own module goes on for as many frames as its count falls behind in rollbacks.
    """
    return all(rows is not None and len(rows) >= frames for rows in files)


def detours(metrics: Mapping[str, Any]) -> str:
    """How often, and why, a page left the peer-to-peer path for the server's; empty if it never did.

    pycore lists each change of the path with its cause; the page's own module goes once and says when.
    """
    if "pathChanges" in metrics:
        causes = Counter(change["cause"] for change in metrics["pathChanges"] if change["to"] == "socketio")
        return ", ".join(f"{count} x {cause}" for cause, count in sorted(causes.items()))
    quality = metrics["quality"]
    return f"from frame {quality['p2pFallbackFrame']} on" if quality["p2pFallbackTriggered"] else ""


def undelivered(sent: Iterable[int], received: Iterable[int]) -> int:
    """How many of the datagrams that one page sent are not among those that the other received, by their marks."""
    return (Counter(sent) - Counter(received)).total()


def during(messages: Iterable[Any], since: float, until: float) -> list[Any]:
    """The events on a web socket between two times."""
    return [message for message in messages if since <= message.at < until]


def played(messages: Iterable[Any]) -> list[Any]:
    """Without the plumbing."""
    return [message for message in messages if message.name not in PLUMBING]


def inputs(messages: Iterable[Any]) -> int:
    """How many messages carry inputs, in whatever wrapping. Give it what was sent: a partner gets each once more."""
    return sum(
        message.name in INPUTS or (message.name == "webrtc_signal" and message.data.get("type") == "pycore-action")
        for message in messages
    )


def console(messages: Iterable[Any]) -> int:
    """The bytes of the console's copy."""
    return sum(message.size for message in messages if message.name == CONSOLE)
