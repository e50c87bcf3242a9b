"""The tables: each column with its type, its unit, what it is, and where its value comes from. `columns.json` says the
same to programs.

Columns are stable: new ones are put at the end, and none changes its meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pycore.export import rows
from pycore.export.cells import is_plain
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
        Column("ended", "number", "s", "Unix time at which it ended; empty where the server was stopped before",
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
        Column("run_up_frames", "integer", "frames", "frames stepped again only to come to a rollback's first",
               lambda row: row.at("rollbacks", "runUpFrames")),
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

TABLES: Final[Mapping[str, Table[Any]]] = MappingProxyType({
    "sessions": SESSIONS,
    "episodes": EPISODES,
    "frames": FRAMES,
    "rollbacks": ROLLBACKS,
    "paths": PATHS,
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
