"""The tables: each column with its type, its unit, what it is, and where its value comes from. `columns.json` says the
same to programs.

Columns are stable: new ones are put at the end, and none changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pycore.export import experience, rows
from pycore.export.cells import is_plain
from pycore.export.described import Column, Table
from pycore.export.experience import DisplayedRow, HappeningRow, SecondRow
from pycore.export.rows import NOTHING, EpisodeRow, EventRow, FrameRow
from pycore.export.session_columns import SESSIONS
from pycore.version import __version__

VERSION: Final = 1


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
        Column("total_reward", "number", "", "sum of this player's rewards; empty where they are no numbers",
               lambda row: row.total if is_plain(row.total) else NOTHING),
        Column("final_hash", "text", "", "hash of the final state", lambda row: row.game.finals.get(row.episode)),
        Column("input_delay", "integer", "frames", "from this player's key to its effect; it may rise between episodes",
               lambda row: row.input_delay),
        Column("total_reward_json", "json", "", "the sum by component of rewards that are vectors, or not exact",
               lambda row: NOTHING if row.total is None or is_plain(row.total) else row.total),
        Column("gone_from", "integer", "frames",
               "the first frame that was played in this player's place, since it was gone; empty: none was",
               lambda row: row.gone_from),
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
        Column("gone", "text", "", "what plays in the place of a player who is gone: default_action or policy; "
               "empty: nobody is gone", lambda row: row.gone),
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
        Column("load", "integer", "", "how often the page had been loaded again in this game",
               lambda row: row.item.load),
    ),
)  # fmt: skip

SECONDS: Final[Table[SecondRow]] = Table(
    "one second of a game, for one player",
    experience.seconds,
    (
        Column("game_id", "text", "", "the game, as the server named it", lambda row: row.game.evidence.game_id),
        Column("player", "text", "", "the player, as in the record's header", lambda row: row.player),
        Column("second", "integer", "s", "from 0, since the player's page began the game, or was loaded again in it",
               lambda row: row.item.second),
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
        Column("load", "integer", "", "how often the page had been loaded again in this game",
               lambda row: row.item.load),
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
               "hidden, shown, corrected, stalled, resumed, path, peer, gone, "
               "phase, episode, desync, clock, lost, unseen, returned or end",
               lambda row: row.event),
        Column("other_player", "text", "", "whom it is about, if it is another player", lambda row: row.other),
        Column("more", "json", "", "what else belongs to it", lambda row: row.more),
        Column("load", "integer", "", "how often the page had been loaded again in this game", lambda row: row.load),
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
