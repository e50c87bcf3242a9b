"""What can be said of one player's game in one number or word: for a report's table, and for rules of exclusion.

Each measure has a name, a unit, a meaning, and a function of the game's evidence. None: it is not known, since the
metrics are missing or are of a version that did not have it yet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pycore.export.evidence import Evidence
from pycore.export.rows import Game, SessionRow
from pycore.settings import Settings

Value = float | int | str | bool | None


class Measure(NamedTuple):
    """One measure."""

    unit: str
    what: str
    of: Callable[[SessionRow], Value]


def _number(row: SessionRow, *names: str) -> float | int | None:
    value = row.inner(*names)
    return value if type(value) in (int, float) else None


def played(metrics: Mapping[str, Any]) -> int | None:
    """Frames that were stepped for the first time in play, which all counts are of: what a page that was loaded again
    stepped before it played on was played by the load before, or in its absence."""
    total = metrics.get("frames", {}).get("total")
    if type(total) is not int:
        return None
    again = [(each.get("from"), each.get("to")) for each in metrics.get("unseen") or ()]
    seen: int = total - sum(last + 1 - first for first, last in again if first is not None and last is not None)
    return max(0, seen)


def _minutes_of(row: SessionRow, frames: float | int | None) -> float | None:
    settings = row.game.evidence.about.get("settings")
    if not frames or not isinstance(settings, dict):
        return None
    fps = settings.get("fps", Settings.fps)
    return frames / fps / 60 if isinstance(fps, (int, float)) and 0 < fps < math.inf else None


def _minutes(row: SessionRow) -> float | None:
    stepped, held = _number(row, "frames", "total"), row.game.held(row.player)
    if row.metrics.get("load") and stepped is not None and held is not None:
        # The episodes before it was loaded again are in the record alone.
        stepped = max(stepped, held.rows)
    return _minutes_of(row, stepped)


def _frames(row: SessionRow) -> int | None:
    held = row.game.held(row.player)
    if held is not None:
        return held.rows
    lengths = [each.get("frames") for each in row.metrics.get("episodes", [])]
    return sum(length for length in lengths if type(length) is int) if lengths else None


def _episodes(row: SessionRow) -> int | None:
    held = row.game.held(row.player)
    return None if held is None else sum(held.ended)


def _share(part: float | int | None, whole: float | int | None) -> float | None:
    return None if part is None or not whole else 100.0 * part / whole


def _stalled(row: SessionRow) -> float | None:
    stalls, stepped = _number(row, "quality", "stalls"), played(row.metrics)
    return None if stalls is None or stepped is None else _share(stalls, stalls + stepped)


def _predicted(row: SessionRow) -> float | None:
    players = row.inner("predictions")
    known = [_number(row, "predictions", player, "frames") for player in players] if isinstance(players, dict) else []
    return _share(max((count for count in known if count is not None), default=None), played(row.metrics))


def _guessed_right(row: SessionRow) -> float | None:
    hits, misses = row.total("predictions", "hits"), row.total("predictions", "misses")
    return None if hits is None or misses is None else _share(hits, hits + misses)


def _rollbacks_per_minute(row: SessionRow) -> float | None:
    count, minutes = _number(row, "rollbacks", "performed"), _minutes_of(row, played(row.metrics))
    return None if count is None or minutes is None else count / minutes


def _slowest(group: str, name: str) -> Callable[[SessionRow], float | int | None]:
    def of(row: SessionRow) -> float | int | None:
        value = (row.slowest.get(group) or {}).get(name)
        return value if type(value) in (int, float) else None

    return of


def _rtt(row: SessionRow) -> float | int | None:
    median = _slowest("rttMs", "p50")(row)
    if median is not None:
        return median
    last = row.inner("quality", "rttMs")  # what earlier versions have: the last value alone
    known = [value for value in last.values() if type(value) in (int, float)] if isinstance(last, dict) else []
    return max(known, default=None)


def _hidden_s(row: SessionRow) -> float | None:
    _, total, since = row.hidden
    if total is not None and since is not None and row.seen is not None:
        # Who hides the page and never comes back is hidden to the end.
        total = max(total, row.seen.hidden_ms)
    return None if total is None else total / 1000


def _desyncs(row: SessionRow) -> float | int | None:
    listed = row.inner("desyncs")
    return len(listed) if isinstance(listed, list) else _number(row, "sync", "p2pHashMismatches")


def _path(row: SessionRow) -> str | None:
    if not row.metrics:
        return None
    p2p = (_number(row, "inputs", "sentViaP2P") or 0) + (_number(row, "inputs", "receivedViaP2P") or 0)
    server = (_number(row, "inputs", "sentViaSocketIO") or 0) + (_number(row, "inputs", "receivedViaSocketIO") or 0)
    if not p2p + server:
        return "none"
    return "mixed" if p2p and server else "p2p" if p2p else "socketio"


MEASURES: Final[Mapping[str, Measure]] = MappingProxyType({
    "evidence": Measure("", "reconciled, partial, single or desynced, as verify says of the game",
                        lambda row: row.game.evidence.status),
    "end_reason": Measure("", "why the session ended for this player", lambda row: row.inner("end", "reason")),
    "frames": Measure("frames", "confirmed frames in this player's record", _frames),
    "episodes": Measure("", "episodes that this player's record has to their ends", _episodes),
    "minutes": Measure("min", "frames stepped for the first time, at the settings' frame rate", _minutes),
    "path": Measure("", "p2p, socketio, mixed or none: what inputs went and came by", _path),
    "connection_type": Measure("", "direct, relay (through TURN) or unknown",
                               lambda row: row.inner("connection", "type")),
    "fallback": Measure("", "whether peer-to-peer was ever left for the server",
                        lambda row: row.inner("quality", "p2pFallbackTriggered")),
    "rtt_ms_p50": Measure("ms", "median round trip by P2P, of the link with the longest", _rtt),
    "rtt_ms_p90": Measure("ms", "90th percentile of the same",
                          _slowest("rttMs", "p90")),
    "rtt_ms_p99": Measure("ms", "99th percentile of the same",
                          _slowest("rttMs", "p99")),
    "jitter_ms_p50": Measure("ms", "median difference of two round trips in a row, of that link",
                             _slowest("jitterMs", "p50")),
    "jitter_ms_p90": Measure("ms", "90th percentile of the same", _slowest("jitterMs", "p90")),
    "input_age_p50": Measure("frames", "median of how far the newest input of the slowest player was behind",
                             lambda row: _number(row, "quality", "inputAgeFrames", "p50")),
    "input_age_p99": Measure("frames", "99th percentile of the same",
                             lambda row: _number(row, "quality", "inputAgeFrames", "p99")),
    "confirmation_lag_p50": Measure("frames", "median of how far play was ahead of what is confirmed",
                                    lambda row: _number(row, "quality", "confirmationLagFrames", "p50")),
    "rollbacks": Measure("", "rollbacks carried out", lambda row: _number(row, "rollbacks", "performed")),
    "rollbacks_per_minute": Measure("1/min", "the same by minute of play", _rollbacks_per_minute),
    "max_depth": Measure("frames", "the deepest misprediction", lambda row: _number(row, "rollbacks", "maxFrames")),
    "resimulated_pct": Measure("%", "frames stepped again, of the frames stepped for the first time",
                               lambda row: _share(_number(row, "rollbacks", "resimulatedFrames"),
                                                  played(row.metrics))),
    "predicted_pct": Measure("%", "frames stepped first with a guess for the player who was guessed most", _predicted),
    "guessed_right_pct": Measure("%", "guesses that were right, of those of which it is known", _guessed_right),
    "stalls": Measure("ticks", "ticks of play in which no frame was stepped",
                      lambda row: _number(row, "quality", "stalls")),
    "stalled_pct": Measure("%", "the same, of all ticks of play", _stalled),
    "tick_ms_p99": Measure("ms", "99th percentile of what a tick of the page took",
                           lambda row: _number(row, "frameTimes", "tickMs", "p99")),
    "display_ms_p99": Measure("ms", "99th percentile of the time from one displayed frame to the next",
                              lambda row: _number(row, "frameTimes", "displayMs", "p99")),
    "times_hidden": Measure("", "how often the page was hidden", lambda row: row.hidden[0]),
    "hidden_s": Measure("s", "for how long in all; where it was not shown again, to the end of its record", _hidden_s),
    "waited_s": Measure("s", "from asking for a game until it began", lambda row: row.waited_s),
    "outcome": Measure("", "what the game came to, as the server decided it", lambda row: row.outcome),
    "hash_mismatches": Measure("", "hashes that differed from another player's",
                               lambda row: _number(row, "sync", "p2pHashMismatches")),
    "hashes_compared": Measure("", "hashes compared", lambda row: _number(row, "sync", "hashesCompared")),
    "desyncs": Measure("", "differences from other players that were noted", _desyncs),
})  # fmt: skip
"""By name. Names are stable; where the table of sessions has the same, it is called the same there."""


def measured(evidence: Evidence, player: str) -> dict[str, Value]:
    """Every measure of one player's game."""
    row = SessionRow(Game(evidence, (), {}), player, evidence.players.index(player), evidence.metrics.get(player) or {})
    return {name: measure.of(row) for name, measure in MEASURES.items()}
