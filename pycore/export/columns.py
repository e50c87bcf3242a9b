"""The tables: each column with its type, its unit, what it is, and where its value comes from. `columns.json` says the
same to programs.

Columns are stable: new ones are put at the end, and none changes its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pycore.export import experience, rows
from pycore.export.cells import is_plain
from pycore.export.experience import DisplayedRow, HappeningRow, SecondRow
from pycore.export.rows import NOTHING, EpisodeRow, EventRow, FrameRow, Game, SessionRow
from pycore.version import __version__

VERSION: Final = 1

R = TypeVar("R")


class Column(NamedTuple, Generic[R]):
    """One column. Types: `text`, `integer`, `number`, `boolean`, `json` (JSON as text)."""

    name: str
    type: str
    unit: str
    what: str
    of: Callable[[R], Any]
    """Its value for a row; None or NOTHING for an empty cell, but that None is a value where the type is `json`."""


class Table(NamedTuple, Generic[R]):
    """One table, and what a row of it is."""

    row: str
    rows: Callable[[Game], Iterable[R]]
    """Those of a game."""
    columns: tuple[Column[R], ...]


def _header(game: Game) -> Mapping[str, Any]:
    return game.evidence.header or {}


def _of_player(values: Any, player: str) -> Any:
    return values.get(player) if isinstance(values, dict) else None


SESSIONS: Final[Table[SessionRow]] = Table(
    "one game for one player",
    rows.sessions,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("player", "text", "", "the player, as in the record's header", lambda row: row.player),
        Column("seat", "integer", "", "the player's place in the order of actions, from 0", lambda row: row.seat),
        Column("subject", "text", "", "subject id, or its pseudonym; empty where none is known",
               lambda row: row.game.subjects.get(row.player)),
        Column("started", "number", "s", "Unix time at which the game began, by the server's clock",
               lambda row: row.game.evidence.about.get("started")),
        Column("ended", "number", "s", "Unix time at which it ended for all; empty where the server was stopped before",
               lambda row: row.game.evidence.about.get("ended")),
        Column("environment", "text", "", "name of the environment in the settings",
               lambda row: _header(row.game).get("environment")),
        Column("configuration", "text", "", "digest of what all peers agreed on",
               lambda row: _header(row.game).get("configuration")),
        Column("seed", "integer", "", "seed of the game",
               lambda row: _header(row.game).get("seed", row.game.evidence.about.get("seed"))),
        Column("settings", "json", "", "the study's settings, where the server's are known",
               lambda row: row.game.evidence.about.get("settings", NOTHING)),
        Column("evidence", "text", "", "reconciled, partial, single or desynced, as pycore verify says",
               lambda row: row.game.evidence.status),
        Column("evidence_reasons", "json", "", "every reason why it is not reconciled, a list of texts",
               lambda row: row.game.evidence.reasons),
        Column("record_frames", "integer", "frames", "frames of this player's record; empty where there is none",
               lambda row: None if (held := row.game.held(row.player)) is None else held.rows),
        Column("exported_record", "boolean", "", "whether frames.csv has this player's record; it is the longest",
               lambda row: row.player == row.game.evidence.longest),
        Column("end_reason", "text", "", "why the session ended for this player; empty: its metrics have no end",
               lambda row: row.at("end", "reason")),
        Column("connection_type", "text", "", "direct, relay or unknown", lambda row: row.at("connection", "type")),
        Column("inputs_sent_p2p", "integer", "inputs", "own inputs whose first dispatch was peer-to-peer",
               lambda row: row.at("inputs", "sentViaP2P")),
        Column("inputs_sent_socketio", "integer", "inputs", "own inputs whose first dispatch was by the server",
               lambda row: row.at("inputs", "sentViaSocketIO")),
        Column("inputs_received_p2p", "integer", "inputs", "inputs of others accepted peer-to-peer",
               lambda row: row.at("inputs", "receivedViaP2P")),
        Column("inputs_received_socketio", "integer", "inputs", "inputs of others accepted by the server",
               lambda row: row.at("inputs", "receivedViaSocketIO")),
        Column("inputs_resent_p2p", "integer", "inputs", "further times that an input was sent peer-to-peer",
               lambda row: row.at("inputs", "resentViaP2P")),
        Column("inputs_resent_socketio", "integer", "inputs", "further times that an input was sent by the server",
               lambda row: row.at("inputs", "resentViaSocketIO")),
        Column("rollback_events", "integer", "inputs", "mispredicted inputs", lambda row: row.at("rollbacks", "count")),
        Column("rollback_max_frames", "integer", "frames", "the deepest of them",
               lambda row: row.at("rollbacks", "maxFrames")),
        Column("rollbacks_performed", "integer", "", "rollbacks carried out",
               lambda row: row.at("rollbacks", "performed")),
        Column("resimulated_frames", "integer", "frames", "frames stepped again",
               lambda row: row.at("rollbacks", "resimulatedFrames")),
        Column("hash_mismatches", "integer", "hashes", "hashes that differed from another player's",
               lambda row: row.at("sync", "p2pHashMismatches")),
        Column("hashes_compared", "integer", "hashes", "hashes compared with another player's",
               lambda row: row.at("sync", "hashesCompared")),
        Column("contradictions", "integer", "inputs", "second, different inputs for a frame",
               lambda row: row.at("sync", "contradictions")),
        Column("malformed", "integer", "", "packets and inputs refused", lambda row: row.at("sync", "malformed")),
        Column("fallback", "boolean", "", "whether inputs ever went by the server instead of a channel",
               lambda row: row.at("quality", "p2pFallbackTriggered")),
        Column("fallback_frame", "integer", "frames", "frame of the first such time, in its episode",
               lambda row: row.at("quality", "p2pFallbackFrame")),
        Column("stalls", "integer", "ticks", "ticks of play in which no new frame was stepped",
               lambda row: row.at("quality", "stalls")),
        Column("rtt_ms", "json", "ms", "round trip as last known, by other player",
               lambda row: NOTHING if (known := row.at("quality", "rttMs")) is None else known),
        Column("stepped_frames", "integer", "frames", "frames stepped for the first time",
               lambda row: row.at("frames", "total")),
        Column("rtt_ms_min", "number", "ms", "shortest round trip by P2P, of the link with the longest median",
               lambda row: row.slowest.get("rttMs", {}).get("min")),
        Column("rtt_ms_p50", "number", "ms", "median of the same", lambda row: row.slowest.get("rttMs", {}).get("p50")),
        Column("rtt_ms_p90", "number", "ms", "90th percentile of the same",
               lambda row: row.slowest.get("rttMs", {}).get("p90")),
        Column("rtt_ms_p99", "number", "ms", "99th percentile of the same",
               lambda row: row.slowest.get("rttMs", {}).get("p99")),
        Column("rtt_ms_max", "number", "ms", "longest of the same",
               lambda row: row.slowest.get("rttMs", {}).get("max")),
        Column("jitter_ms_p50", "number", "ms", "median difference of two round trips in a row, of that link",
               lambda row: row.slowest.get("jitterMs", {}).get("p50")),
        Column("jitter_ms_p90", "number", "ms", "90th percentile of the same",
               lambda row: row.slowest.get("jitterMs", {}).get("p90")),
        Column("input_age_p50", "number", "frames", "median of how old the slowest player's newest input was",
               lambda row: row.inner("quality", "inputAgeFrames", "p50")),
        Column("input_age_p99", "number", "frames", "99th percentile of the same",
               lambda row: row.inner("quality", "inputAgeFrames", "p99")),
        Column("confirmation_lag_p50", "number", "frames", "median of how far play was ahead of what is confirmed",
               lambda row: row.inner("quality", "confirmationLagFrames", "p50")),
        Column("confirmation_lag_p99", "number", "frames", "99th percentile of the same",
               lambda row: row.inner("quality", "confirmationLagFrames", "p99")),
        Column("predicted_inputs", "integer", "inputs", "inputs of others that were guessed at first",
               lambda row: row.total("predictions", "frames")),
        Column("prediction_hits", "integer", "inputs", "of those, guesses that were right",
               lambda row: row.total("predictions", "hits")),
        Column("prediction_misses", "integer", "inputs", "of those, guesses that were wrong",
               lambda row: row.total("predictions", "misses")),
        Column("predictor", "text", "", "what guessed: repeat_last, default_action or the name of another one",
               lambda row: row.predictors),
        Column("rollback_depths", "json", "", "how many rollbacks were 0, 1, 2 … frames deep",
               lambda row: NOTHING if (known := row.at("rollbacks", "depths")) is None else known),
        Column("stall_causes", "json", "ticks", "the stalls by cause",
               lambda row: NOTHING if (known := row.at("quality", "stallCauses")) is None else known),
        Column("bytes_sent_p2p", "integer", "bytes", "datagrams and probes handed to the channels",
               lambda row: row.total("network", "bytes", "sentViaP2P")),
        Column("bytes_received_p2p", "integer", "bytes", "those that came",
               lambda row: row.total("network", "bytes", "receivedViaP2P")),
        Column("bytes_sent_socketio", "integer", "bytes", "datagrams and inputs handed to the server, as encoded",
               lambda row: row.total("network", "bytes", "sentViaSocketIO")),
        Column("bytes_received_socketio", "integer", "bytes", "those that came",
               lambda row: row.total("network", "bytes", "receivedViaSocketIO")),
        Column("packets_sent_p2p", "integer", "packets", "number of the same, and so on",
               lambda row: row.total("network", "packets", "sentViaP2P")),
        Column("packets_received_p2p", "integer", "packets", "those that came",
               lambda row: row.total("network", "packets", "receivedViaP2P")),
        Column("packets_sent_socketio", "integer", "packets", "handed to the server",
               lambda row: row.total("network", "packets", "sentViaSocketIO")),
        Column("packets_received_socketio", "integer", "packets", "those that came",
               lambda row: row.total("network", "packets", "receivedViaSocketIO")),
        Column("tick_ms_p50", "number", "ms", "median of what a tick of the page took, without drawing",
               lambda row: row.inner("frameTimes", "tickMs", "p50")),
        Column("tick_ms_p99", "number", "ms", "99th percentile of the same",
               lambda row: row.inner("frameTimes", "tickMs", "p99")),
        Column("tick_ms_max", "number", "ms", "longest of the same",
               lambda row: row.inner("frameTimes", "tickMs", "max")),
        Column("display_ms_p50", "number", "ms", "median of the time from one displayed frame to the next",
               lambda row: row.inner("frameTimes", "displayMs", "p50")),
        Column("display_ms_p99", "number", "ms", "99th percentile of the same",
               lambda row: row.inner("frameTimes", "displayMs", "p99")),
        Column("display_ms_max", "number", "ms", "longest of the same",
               lambda row: row.inner("frameTimes", "displayMs", "max")),
        Column("times_hidden", "integer", "", "how often the page was hidden", lambda row: row.hidden[0]),
        Column("hidden_ms", "number", "ms", "for how long in all; empty if it was hidden at the end",
               lambda row: None if row.hidden[2] else row.hidden[1]),
        Column("desyncs", "integer", "", "differences from other players that were noted",
               lambda row: None if (known := row.metrics.get("desyncs")) is None else len(known)),
        Column("clock_offset_ms", "number", "ms", "the server's clock minus the player's",
               lambda row: row.inner("clock", "offsetMs")),
        Column("clock_rtt_ms", "number", "ms", "round trip of the probe that says so; it is off by half at most",
               lambda row: row.inner("clock", "rttMs")),
        Column("waited_s", "number", "s", "from asking for a game until it began",
               lambda row: row.inner("waiting", "seconds")),
        Column("displayed_frames", "integer", "", "lines of displayed frames in the experienced record",
               lambda row: None if row.seen is None else row.seen.displayed),
        Column("displayed_guessed", "integer", "", "of those, how many had a guess in them",
               lambda row: None if row.seen is None else row.seen.guessed),
        Column("run_up_frames", "integer", "frames", "frames stepped again only to come to a rollback's first",
               lambda row: row.at("rollbacks", "runUpFrames")),
        Column("excluded", "boolean", "", "whether a rule of exclusion applies; empty without rules",
               lambda row: None if (rules := row.excluded_by) is None else bool(rules)),
        Column("excluded_by", "json", "", "the names of those rules, in their order",
               lambda row: NOTHING if (rules := row.excluded_by) is None else rules),
        Column("repeat_last_hits", "integer", "inputs", "of predicted_inputs, how many repeating the last action hits",
               lambda row: row.total("predictions", "repeatLastHits")),
        Column("agent", "text", "", "what the environment calls the agent that this player plays",
               lambda row: row.at("environment", "agent")),
        Column("desync_fields", "json", "", "what differed: path, own, the other player's", lambda row: row.differing),
    ),
)  # fmt: skip

EPISODES: Final[Table[EpisodeRow]] = Table(
    "one episode for one player",
    rows.episodes,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("episode", "integer", "", "from 0", lambda row: row.episode),
        Column("player", "text", "", "the player, as in the record's header", lambda row: row.player),
        Column("frames", "integer", "frames", "frames of the episode in this player's record",
               lambda row: None if row.held is None else row.held.lengths[row.episode]),
        Column("whole", "boolean", "", "whether this player's record has its end; otherwise it was broken off",
               lambda row: None if row.held is None else row.held.ended[row.episode]),
        Column("reason", "text", "", "why it ended, by this player's metrics", lambda row: row.told.get("reason")),
        Column("total_reward", "number", "", "sum of this player's rewards; empty where some are no numbers",
               lambda row: row.game.totals.get((row.episode, row.player))),
        Column("final_hash", "text", "", "hash of the final state", lambda row: row.game.finals.get(row.episode)),
        Column("input_delay", "integer", "frames", "from this player's key to its effect; it may rise between episodes",
               lambda row: _of_player(row.told.get("inputDelay"), row.player)),
    ),
)  # fmt: skip

FRAMES: Final[Table[FrameRow]] = Table(
    "one confirmed frame for one player, or other agent of the environment",
    rows.frames,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("episode", "integer", "", "from 0", lambda row: row.item.episode),
        Column("frame", "integer", "frames", "from 0, in its episode", lambda row: row.item.frame),
        Column("player", "text", "", "the player, or the name of an agent that nobody plays", lambda row: row.agent),
        Column("seat", "integer", "", "the player's place in the order of actions; empty for other agents",
               lambda row: row.seat),
        Column("action", "json", "", "the action as recorded; empty for other agents",
               lambda row: NOTHING if row.seat is None else row.item.actions[row.seat]),
        Column("reward", "number", "", "the reward; empty where it is no number that is exact in every program",
               lambda row: row.reward if is_plain(row.reward) else NOTHING),
        Column("reward_json", "json", "", "the reward as recorded, where the column reward is empty for that",
               lambda row: NOTHING if is_plain(row.reward) else row.reward),
        Column("terminated", "boolean", "", "termination", lambda row: row.at("terminations")),
        Column("truncated", "boolean", "", "truncation", lambda row: row.at("truncations")),
        Column("info", "json", "", "the info as recorded", lambda row: row.at("infos")),
        Column("hash", "text", "", "hash of the state before the frame and of the rows since the hash before",
               lambda row: row.item.hash),
    ),
)  # fmt: skip

ROLLBACKS: Final[Table[EventRow]] = Table(
    "one mispredicted input of another player, for the player who mispredicted it",
    rows.rollbacks,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("player", "text", "", "whose page guessed wrong", lambda row: row.player),
        Column("episode", "integer", "", "from 0", lambda row: row.values.get("episode")),
        Column("frame", "integer", "frames", "the mispredicted one", lambda row: row.values.get("frame")),
        Column("current_frame", "integer", "frames", "the frame that the page was at",
               lambda row: row.values.get("currentFrame")),
        Column("rollback_frames", "integer", "frames", "the difference", lambda row: row.values.get("rollbackFrames")),
        Column("of_player", "text", "", "whose input it was", lambda row: row.values.get("playerId")),
        Column("predicted_action", "json", "", "what the frame was last stepped with",
               lambda row: row.values.get("predictedAction")),
        Column("actual_action", "json", "", "what it was", lambda row: row.values.get("actualAction")),
        Column("time_ms", "number", "ms", "Unix time, by the clock of the page that guessed",
               lambda row: row.values.get("timestamp")),
    ),
)  # fmt: skip

PATHS: Final[Table[EventRow]] = Table(
    "one change of the path of a link, for the player who changed it",
    rows.paths,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("player", "text", "", "the player, as in the record's header", lambda row: row.player),
        Column("episode", "integer", "", "from 0", lambda row: row.values.get("episode")),
        Column("frame", "integer", "frames", "frame of the page, in its episode", lambda row: row.values.get("frame")),
        Column("other_player", "text", "", "the other side of the link", lambda row: row.values.get("playerId")),
        Column("from", "text", "", "p2p or socketio", lambda row: row.values.get("from")),
        Column("to", "text", "", "p2p or socketio", lambda row: row.values.get("to")),
        Column("cause", "text", "", "why: opened, recovered, or what was wrong", lambda row: row.values.get("cause")),
        Column("time_ms", "number", "ms", "Unix time, by the player's clock", lambda row: row.values.get("timestamp")),
    ),
)  # fmt: skip

DISPLAYED: Final[Table[DisplayedRow]] = Table(
    "one displayed frame, for the player who saw it",
    experience.displayed,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("player", "text", "", "the player, as in the record's header", lambda row: row.player),
        Column("episode", "integer", "", "from 0", lambda row: row.item.episode),
        Column("frame", "integer", "frames", "the picture shows the state after it; corrected ones may come again",
               lambda row: row.item.frame),
        Column("shown", "json", "", "the action of every seat in this picture", lambda row: row.item.shown),
        Column("predicted", "json", "", "seats whose action was a guess then", lambda row: row.item.predicted),
        Column("corrected", "boolean", "",
               "whether it was corrected after it was shown: a "
               "guess in it, or in one before it, was wrong",
               lambda row: row.corrected),
        Column("hidden", "boolean", "", "whether nobody could see it", lambda row: row.item.hidden),
        Column("input_ms", "number", "ms", "Unix time of reading the own action in it, by the player's clock",
               lambda row: row.item.input_ms),
        Column("time_ms", "number", "ms", "Unix time at which it was handed to the drawing, by the player's clock",
               lambda row: row.item.time_ms),
    ),
)  # fmt: skip

SECONDS: Final[Table[SecondRow]] = Table(
    "one second of a game, for one player",
    experience.seconds,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("player", "text", "", "the player, as in the record's header", lambda row: row.player),
        Column("second", "integer", "s", "from 0, since the player's page began the game", lambda row: row.item.second),
        Column("time_ms", "number", "ms", "Unix time of its end, by the player's clock", lambda row: row.item.time_ms),
        Column("episode", "integer", "", "from 0", lambda row: row.item.episode),
        Column("frame", "integer", "frames", "the current frame at its end", lambda row: row.item.frame),
        Column("hidden", "boolean", "", "whether the page was hidden at its end", lambda row: row.of("hidden")),
        Column("stalls", "integer", "ticks", "ticks in it in which nothing was stepped", lambda row: row.of("stalls")),
        Column("rollbacks", "integer", "", "rollbacks performed in it", lambda row: row.of("rollbacks")),
        Column("resimulated", "integer", "frames", "frames stepped again in it", lambda row: row.of("resimulated")),
        Column("max_depth", "integer", "frames", "the deepest of its rollbacks; 0 without one",
               lambda row: row.of("max_depth")),
        Column("predicted_frames", "integer", "frames", "frames that were first stepped with a guess in it",
               lambda row: row.of("predicted_frames")),
        Column("tick_ms_max", "number", "ms", "its longest tick", lambda row: row.of("tick_ms_max")),
        Column("rtt_ms", "number", "ms", "round trip, smoothed, of the link with the longest",
               lambda row: row.largest("rtt_ms")),
        Column("jitter_ms", "number", "ms", "jitter, smoothed, of the link with the most",
               lambda row: row.largest("jitter_ms")),
        Column("input_age", "integer", "frames", "how far the newest input of the slowest player is behind",
               lambda row: row.largest("input_age")),
        Column("path", "text", "", "p2p, socketio, or mixed", lambda row: row.path),
        Column("peers", "json", "", "the last four and the frame advantage by other player",
               lambda row: row.of("peers")),
    ),
)  # fmt: skip

EVENTS: Final[Table[HappeningRow]] = Table(
    "one event of a session, for one player",
    experience.events,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("player", "text", "", "the player, as in the record's header", lambda row: row.player),
        Column("time_ms", "number", "ms", "Unix time, by the player's clock", lambda row: row.time_ms),
        Column("episode", "integer", "", "from 0", lambda row: row.episode),
        Column("frame", "integer", "frames", "the current frame then", lambda row: row.frame),
        Column("event", "text", "",
               "hidden, shown, corrected, stalled, resumed, path, peer, "
               "phase, episode, desync, clock, lost or end",
               lambda row: row.event),
        Column("other_player", "text", "", "whom it is about, if it is another player", lambda row: row.other),
        Column("more", "json", "", "what else belongs to it", lambda row: row.more),
    ),
)  # fmt: skip

TABLES: Final[Mapping[str, Table[Any]]] = MappingProxyType({
    "sessions": SESSIONS,
    "episodes": EPISODES,
    "frames": FRAMES,
    "rollbacks": ROLLBACKS,
    "paths": PATHS,
    "experienced": DISPLAYED,
    "seconds": SECONDS,
    "events": EVENTS,
})  # fmt: skip

CELLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "empty": "nothing is known, or it does not apply",
        "boolean": "true or false",
        "number": "as in the record, by the shortest text that gives the same number; NaN, Infinity and -Infinity too",
        "integer": "beyond 2**53 with an apostrophe in front, so that no program rounds it",
        "text": "with an apostrophe in front where it begins with = + - @ ', a tab or a line end: it is no formula",
        "json": "JSON; a number beyond 2**53 has an apostrophe in front",
    }
)
"""How cells of each type are spelled in CSV; in Parquet there are no apostrophes, and empty is null."""


def dictionary() -> dict[str, Any]:
    """The data dictionary, as columns.json has it."""
    return {
        "pycore_export": VERSION,
        "pycore": __version__,
        "cells": dict(CELLS),
        "tables": {
            name: {"row": table.row, "columns": [_described(column) for column in table.columns]}
            for name, table in TABLES.items()
        },
    }


def _described(column: Column[Any]) -> dict[str, str]:
    return {"name": column.name, "type": column.type, "unit": column.unit, "what": column.what}
