"""What can be said of one player's game in one number or word: for a report's table, and for rules of exclusion.

Each measure has a name, a unit, a meaning, and a function of the game's evidence. None: it is not known, since the
metrics are missing or are of a version that did not have it yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pycore.export.evidence import Evidence
from pycore.settings import Settings

Value = float | int | str | bool | None


class Measure(NamedTuple):
    """One measure."""

    unit: str
    what: str
    of: Callable[[Measured], Value]


class Measured:
    """One player's game, as the measures look at it."""

    def __init__(self, evidence: Evidence, player: str) -> None:
        self.evidence = evidence
        self.player = player
        self.metrics: dict[str, Any] = evidence.metrics.get(player) or {}

    def at(self, *path: str) -> Any:
        """A value in the metrics; None where there is none."""
        value: Any = self.metrics
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def number(self, *path: str) -> float | int | None:
        """The same, if it is a number."""
        value = self.at(*path)
        return value if type(value) in (int, float) else None

    @property
    def fps(self) -> float | None:
        """Frames a second, by the settings; None where they are not known."""
        settings = self.evidence.about.get("settings")
        if not isinstance(settings, dict):
            return None
        value = settings.get("fps", Settings.fps)
        return float(value) if type(value) in (int, float) and value > 0 else None

    @property
    def frames(self) -> int | None:
        """Confirmed frames in this player's record; without one, by the metrics."""
        agreement = self.evidence.agreement
        if agreement is not None and self.player in agreement.held:
            return agreement.held[self.player].rows
        lengths = [row.get("frames") for row in self.metrics.get("episodes", [])]
        return sum(length for length in lengths if type(length) is int) if lengths else None

    @property
    def minutes(self) -> float | None:
        """Time that was played, by frames."""
        frames, fps = self.number("frames", "total"), self.fps
        return None if not frames or fps is None else frames / fps / 60

    def worst_link(self, *path: str) -> float | int | None:
        """The largest value over the links to the other players."""
        links = self.at("network")
        if not isinstance(links, dict):
            return None
        found = []
        for link in links.values():
            value: Any = link
            for name in path:
                value = value.get(name) if isinstance(value, Mapping) else None
            if type(value) in (int, float):
                found.append(value)
        return max(found, default=None)


def _share(part: float | int | None, whole: float | int | None) -> float | None:
    return None if part is None or not whole else 100.0 * part / whole


def _stalled(of: Measured) -> float | None:
    stalls, stepped = of.number("quality", "stalls"), of.number("frames", "total")
    return None if stalls is None or stepped is None else _share(stalls, stalls + stepped)


def _predicted(of: Measured) -> float | None:
    players = of.at("predictions")
    if not isinstance(players, dict) or not players:
        return None
    counts = [each.get("frames") for each in players.values() if isinstance(each, dict)]
    known = [count for count in counts if type(count) is int]
    return _share(max(known), of.number("frames", "total")) if known else None


def _guessed_right(of: Measured) -> float | None:
    players = of.at("predictions")
    each = [value for value in players.values() if isinstance(value, dict)] if isinstance(players, dict) else []
    hits = sum(value.get("hits", 0) for value in each)
    return _share(hits, hits + sum(value.get("misses", 0) for value in each))


def _a_minute(name: str) -> Callable[[Measured], float | None]:
    def of(measured: Measured) -> float | None:
        count, minutes = measured.number("rollbacks", name), measured.minutes
        return None if count is None or not minutes else count / minutes

    return of


def hidden_seconds(of: Measured) -> float | None:
    """How long the page was hidden, as far as it was shown again."""
    sights = of.at("visibility")
    if not isinstance(sights, list):
        return None
    total = 0.0
    since: float | None = None
    for sight in sights:
        when = sight.get("timestamp") if isinstance(sight, dict) else None
        if not isinstance(when, (int, float)):
            continue
        if sight.get("hidden"):
            since = when if since is None else since
        elif since is not None:
            total, since = total + when - since, None
    return total / 1000


def _hidden_times(of: Measured) -> int | None:
    sights = of.at("visibility")
    if not isinstance(sights, list):
        return None
    return sum(1 for sight in sights if isinstance(sight, dict) and sight.get("hidden"))


def _rtt(of: Measured) -> float | int | None:
    median = of.worst_link("rttMs", "p50")
    if median is not None:
        return median
    last = of.at("quality", "rttMs")  # what earlier versions have: the last value alone
    known = [value for value in last.values() if type(value) in (int, float)] if isinstance(last, dict) else []
    return max(known, default=None)


def _desyncs(of: Measured) -> int | None:
    listed = of.at("desyncs")
    mismatches = of.number("sync", "p2pHashMismatches")
    return len(listed) if isinstance(listed, list) else None if mismatches is None else int(mismatches)


def _path(of: Measured) -> str | None:
    if not of.metrics:
        return None
    p2p = (of.number("inputs", "sentViaP2P") or 0) + (of.number("inputs", "receivedViaP2P") or 0)
    server = (of.number("inputs", "sentViaSocketIO") or 0) + (of.number("inputs", "receivedViaSocketIO") or 0)
    if not p2p + server:
        return "none"
    return "mixed" if p2p and server else "p2p" if p2p else "socketio"


def _whole_episodes(of: Measured) -> int | None:
    agreement = of.evidence.agreement
    if agreement is None or of.player not in agreement.held:
        return None
    return sum(agreement.held[of.player].ended)


MEASURES: Final[Mapping[str, Measure]] = MappingProxyType({
    "evidence": Measure("", "reconciled, partial, single or desynced, as verify says of the game",
                        lambda of: of.evidence.status),
    "end_reason": Measure("", "why the session ended for this player", lambda of: of.at("end", "reason")),
    "frames": Measure("frames", "confirmed frames in this player's record", lambda of: of.frames),
    "episodes": Measure("", "episodes that this player's record has to their ends", _whole_episodes),
    "minutes": Measure("min", "frames stepped for the first time, at the settings' frame rate",
                       lambda of: of.minutes),
    "path": Measure("", "p2p, socketio, mixed or none: what inputs went and came by", _path),
    "connection_type": Measure("", "direct, relay (through TURN) or unknown", lambda of: of.at("connection", "type")),
    "fallback": Measure("", "whether peer-to-peer was ever left for the server",
                        lambda of: of.at("quality", "p2pFallbackTriggered")),
    "rtt_ms_p50": Measure("ms", "median round trip, of the slowest link", _rtt),
    "rtt_ms_p90": Measure("ms", "90th percentile of the round trip, likewise",
                          lambda of: of.worst_link("rttMs", "p90")),
    "rtt_ms_p99": Measure("ms", "99th percentile of the round trip, likewise",
                          lambda of: of.worst_link("rttMs", "p99")),
    "jitter_ms_p50": Measure("ms", "median difference of two round trips in a row, of the worst link",
                             lambda of: of.worst_link("jitterMs", "p50")),
    "jitter_ms_p90": Measure("ms", "90th percentile of the same", lambda of: of.worst_link("jitterMs", "p90")),
    "input_age_p50": Measure("frames", "median of how far the newest input of the slowest player was behind",
                             lambda of: of.number("quality", "inputAgeFrames", "p50")),
    "input_age_p99": Measure("frames", "99th percentile of the same",
                             lambda of: of.number("quality", "inputAgeFrames", "p99")),
    "confirmation_lag_p50": Measure("frames", "median of how far play was ahead of what is confirmed",
                                    lambda of: of.number("quality", "confirmationLagFrames", "p50")),
    "rollbacks": Measure("", "rollbacks carried out", lambda of: of.number("rollbacks", "performed")),
    "rollbacks_per_minute": Measure("1/min", "the same by minute of play", _a_minute("performed")),
    "max_depth": Measure("frames", "the deepest misprediction", lambda of: of.number("rollbacks", "maxFrames")),
    "resimulated_pct": Measure("%", "frames stepped again, of the frames stepped for the first time",
                               lambda of: _share(of.number("rollbacks", "resimulatedFrames"),
                                                 of.number("frames", "total"))),
    "predicted_pct": Measure("%", "frames stepped first with a guess for the player who was guessed most", _predicted),
    "guessed_right_pct": Measure("%", "guesses that were right, of those of which it is known", _guessed_right),
    "stalls": Measure("ticks", "ticks of play in which no frame was stepped",
                      lambda of: of.number("quality", "stalls")),
    "stalled_pct": Measure("%", "the same, of all ticks of play", _stalled),
    "tick_ms_p99": Measure("ms", "99th percentile of what a tick of the page took",
                           lambda of: of.number("frameTimes", "tickMs", "p99")),
    "display_ms_p99": Measure("ms", "99th percentile of the time from one displayed frame to the next",
                              lambda of: of.number("frameTimes", "displayMs", "p99")),
    "times_hidden": Measure("", "how often the page was hidden", _hidden_times),
    "hidden_s": Measure("s", "for how long in all, as far as it was shown again", hidden_seconds),
    "waited_s": Measure("s", "from asking for a game until it began", lambda of: of.number("waiting", "seconds")),
    "hash_mismatches": Measure("", "hashes that differed from another player's",
                               lambda of: of.number("sync", "p2pHashMismatches")),
    "hashes_compared": Measure("", "hashes compared", lambda of: of.number("sync", "hashesCompared")),
    "desyncs": Measure("", "differences from other players that were noted", _desyncs),
})  # fmt: skip
"""By name. Names are stable; where the table of sessions has the same, it is called the same there."""


def measured(evidence: Evidence, player: str) -> dict[str, Value]:
    """Every measure of one player's game."""
    of = Measured(evidence, player)
    return {name: measure.of(of) for name, measure in MEASURES.items()}
