"""What the tables have: each column with its type, its unit and what it is. `columns.json` says the same to programs.

Columns are stable: new ones are put at the end, and none changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pycore.version import __version__

VERSION: Final = 1


class Column(NamedTuple):
    """One column. Types: `text`, `integer`, `number`, `boolean`, `json` (JSON as text)."""

    name: str
    type: str
    unit: str
    what: str


class Table(NamedTuple):
    """One table, and what a row of it is."""

    row: str
    columns: tuple[Column, ...]


GAME: Final = Column("game_id", "text", "", "the game, as the server named it")
PLAYER: Final = Column("player", "text", "", "the player, as in the record's header")
EPISODE: Final = Column("episode", "integer", "", "from 0")

TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        "sessions": Table("one game for one player", (
            GAME,
            PLAYER,
            Column("seat", "integer", "", "the player's place in the order of actions, from 0"),
            Column("subject", "text", "", "subject id, or its pseudonym; empty where none is known"),
            Column("started", "number", "s", "Unix time at which the game began, by the server's clock"),
            Column("ended", "number", "s", "Unix time at which it ended; empty where the server was stopped before"),
            Column("environment", "text", "", "name of the environment in the settings"),
            Column("configuration", "text", "", "digest of what all peers agreed on"),
            Column("seed", "integer", "", "seed of the game"),
            Column("settings", "json", "", "the study's settings, where the server's are known"),
            Column("evidence", "text", "", "reconciled, partial, single or desynced, as pycore verify says"),
            Column("evidence_reasons", "json", "", "every reason why it is not reconciled, a list of texts"),
            Column("record_frames", "integer", "frames", "frames of this player's record; empty where there is none"),
            Column("exported_record", "boolean", "", "whether frames.csv has this player's record; it is the longest"),
            Column("end_reason", "text", "", "why the session ended for this player; empty: its metrics have no end"),
            Column("connection_type", "text", "", "direct, relay or unknown"),
            Column("inputs_sent_p2p", "integer", "inputs", "own inputs whose first dispatch was peer-to-peer"),
            Column("inputs_sent_socketio", "integer", "inputs", "own inputs whose first dispatch was by the server"),
            Column("inputs_received_p2p", "integer", "inputs", "inputs of others accepted peer-to-peer"),
            Column("inputs_received_socketio", "integer", "inputs", "inputs of others accepted by the server"),
            Column("inputs_resent_p2p", "integer", "inputs", "further times that an input was sent peer-to-peer"),
            Column("inputs_resent_socketio", "integer", "inputs", "further times that an input was sent by the server"),
            Column("rollback_events", "integer", "inputs", "mispredicted inputs"),
            Column("rollback_max_frames", "integer", "frames", "the deepest of them"),
            Column("rollbacks_performed", "integer", "", "rollbacks carried out"),
            Column("resimulated_frames", "integer", "frames", "frames stepped again"),
            Column("hash_mismatches", "integer", "hashes", "hashes that differed from another player's"),
            Column("hashes_compared", "integer", "hashes", "hashes compared with another player's"),
            Column("contradictions", "integer", "inputs", "second, different inputs for a frame"),
            Column("malformed", "integer", "", "packets and inputs refused"),
            Column("fallback", "boolean", "", "whether inputs ever went by the server instead of a channel"),
            Column("fallback_frame", "integer", "frames", "frame of the first such time, in its episode"),
            Column("stalls", "integer", "ticks", "ticks of play in which no new frame was stepped"),
            Column("rtt_ms", "json", "ms", "round trip as last known, by other player"),
            Column("stepped_frames", "integer", "frames", "frames stepped for the first time"),
            Column("rtt_ms_min", "number", "ms", "shortest round trip by P2P, of the link with the longest median"),
            Column("rtt_ms_p50", "number", "ms", "median of the same"),
            Column("rtt_ms_p90", "number", "ms", "90th percentile of the same"),
            Column("rtt_ms_p99", "number", "ms", "99th percentile of the same"),
            Column("rtt_ms_max", "number", "ms", "longest of the same"),
            Column("jitter_ms_p50", "number", "ms", "median difference of two round trips in a row, of that link"),
            Column("jitter_ms_p90", "number", "ms", "90th percentile of the same"),
            Column("input_age_p50", "number", "frames", "median of how old the slowest player's newest input was"),
            Column("input_age_p99", "number", "frames", "99th percentile of the same"),
            Column("confirmation_lag_p50", "number", "frames", "median of how far play was ahead of what is confirmed"),
            Column("confirmation_lag_p99", "number", "frames", "99th percentile of the same"),
            Column("predicted_inputs", "integer", "inputs", "inputs of others that were guessed at first"),
            Column("prediction_hits", "integer", "inputs", "of those, guesses that were right"),
            Column("prediction_misses", "integer", "inputs", "of those, guesses that were wrong"),
            Column("predictor", "text", "", "what guessed: repeat_last, default_action or the name of another one"),
            Column("rollback_depths", "json", "", "how many rollbacks were 0, 1, 2 … frames deep"),
            Column("stall_causes", "json", "ticks", "the stalls by cause"),
            Column("bytes_sent_p2p", "integer", "bytes", "datagrams and probes handed to the channels"),
            Column("bytes_received_p2p", "integer", "bytes", "those that came"),
            Column("bytes_sent_socketio", "integer", "bytes", "datagrams and inputs handed to the server, as encoded"),
            Column("bytes_received_socketio", "integer", "bytes", "those that came"),
            Column("packets_sent_p2p", "integer", "packets", "number of the same, and so on"),
            Column("packets_received_p2p", "integer", "packets", "those that came"),
            Column("packets_sent_socketio", "integer", "packets", "handed to the server"),
            Column("packets_received_socketio", "integer", "packets", "those that came"),
            Column("tick_ms_p50", "number", "ms", "median of what a tick of the page took, without drawing"),
            Column("tick_ms_p99", "number", "ms", "99th percentile of the same"),
            Column("tick_ms_max", "number", "ms", "longest of the same"),
            Column("display_ms_p50", "number", "ms", "median of the time from one displayed frame to the next"),
            Column("display_ms_p99", "number", "ms", "99th percentile of the same"),
            Column("display_ms_max", "number", "ms", "longest of the same"),
            Column("times_hidden", "integer", "", "how often the page was hidden"),
            Column("hidden_ms", "number", "ms", "for how long in all; empty if it was hidden at the end"),
            Column("desyncs", "integer", "", "differences from other players that were noted"),
            Column("clock_offset_ms", "number", "ms", "the server's clock minus the player's"),
            Column("clock_rtt_ms", "number", "ms", "round trip of the probe that says so; it is off by half at most"),
            Column("waited_s", "number", "s", "from asking for a game until it began"),
            Column("displayed_frames", "integer", "", "lines of displayed frames in the experienced record"),
            Column("displayed_guessed", "integer", "", "of those, how many had a guess in them"),
        )),
        "episodes": Table("one episode for one player", (
            GAME,
            EPISODE,
            PLAYER,
            Column("frames", "integer", "frames", "frames of the episode in this player's record"),
            Column("whole", "boolean", "", "whether this player's record has its end; otherwise it was broken off"),
            Column("reason", "text", "", "why it ended, by this player's metrics"),
            Column("total_reward", "number", "", "sum of this player's rewards; empty where some are no numbers"),
            Column("final_hash", "text", "", "hash of the final state"),
        )),
        "frames": Table("one confirmed frame for one player, or other agent of the environment", (
            GAME,
            EPISODE,
            Column("frame", "integer", "frames", "from 0, in its episode"),
            Column("player", "text", "", "the player, or the name of an agent that nobody plays"),
            Column("seat", "integer", "", "the player's place in the order of actions; empty for other agents"),
            Column("action", "json", "", "the action as recorded; empty for other agents"),
            Column("reward", "number", "", "the reward; empty where it is no number that is exact in every program"),
            Column("reward_json", "json", "", "the reward as recorded, where the column reward is empty for that"),
            Column("terminated", "boolean", "", "termination"),
            Column("truncated", "boolean", "", "truncation"),
            Column("info", "json", "", "the info as recorded"),
            Column("hash", "text", "", "hash of the state before the frame and of the rows since the hash before"),
        )),
        "rollbacks": Table("one mispredicted input of another player, for the player who mispredicted it", (
            GAME,
            Column("player", "text", "", "whose page guessed wrong"),
            EPISODE,
            Column("frame", "integer", "frames", "the mispredicted one"),
            Column("current_frame", "integer", "frames", "the frame that the page was at"),
            Column("rollback_frames", "integer", "frames", "the difference"),
            Column("of_player", "text", "", "whose input it was"),
            Column("predicted_action", "json", "", "what the frame was last stepped with"),
            Column("actual_action", "json", "", "what it was"),
            Column("time_ms", "number", "ms", "Unix time, by the clock of the page that guessed"),
        )),
        "paths": Table("one change of the path of a link, for the player who changed it", (
            GAME,
            PLAYER,
            EPISODE,
            Column("frame", "integer", "frames", "frame of the page, in its episode"),
            Column("other_player", "text", "", "the other side of the link"),
            Column("from", "text", "", "p2p or socketio"),
            Column("to", "text", "", "p2p or socketio"),
            Column("cause", "text", "", "why: opened, recovered, or what was wrong"),
            Column("time_ms", "number", "ms", "Unix time, by the player's clock"),
        )),
        "experienced": Table("one displayed frame, for the player who saw it", (
            GAME,
            PLAYER,
            EPISODE,
            Column("frame", "integer", "frames", "the picture shows the state after it; corrected ones may come again"),
            Column("shown", "json", "", "the action of every seat in this picture"),
            Column("predicted", "json", "", "seats whose action was a guess then"),
            Column("corrected", "boolean", "", "whether it was corrected after it was shown: a guess in it, or in one "
                   "before it, was wrong"),
            Column("hidden", "boolean", "", "whether nobody could see it"),
            Column("input_ms", "number", "ms", "Unix time of reading the own action in it, by the player's clock"),
            Column("time_ms", "number", "ms", "Unix time at which it was handed to the drawing, by the player's clock"),
        )),
        "seconds": Table("one second of a game, for one player", (
            GAME,
            PLAYER,
            Column("second", "integer", "s", "from 0, since the player's page began the game"),
            Column("time_ms", "number", "ms", "Unix time of its end, by the player's clock"),
            EPISODE,
            Column("frame", "integer", "frames", "the current frame at its end"),
            Column("hidden", "boolean", "", "whether the page was hidden at its end"),
            Column("stalls", "integer", "ticks", "ticks in it in which nothing was stepped"),
            Column("rollbacks", "integer", "", "rollbacks performed in it"),
            Column("resimulated", "integer", "frames", "frames stepped again in it"),
            Column("max_depth", "integer", "frames", "the deepest of its rollbacks; 0 without one"),
            Column("predicted_frames", "integer", "frames", "frames that were first stepped with a guess in it"),
            Column("tick_ms_max", "number", "ms", "its longest tick"),
            Column("rtt_ms", "number", "ms", "round trip, smoothed, of the link with the longest"),
            Column("jitter_ms", "number", "ms", "jitter, smoothed, of the link with the most"),
            Column("input_age", "integer", "frames", "how far the newest input of the slowest player is behind"),
            Column("path", "text", "", "p2p, socketio, or mixed"),
            Column("peers", "json", "", "the last four and the frame advantage by other player"),
        )),
        "events": Table("one event of a session, for one player", (
            GAME,
            PLAYER,
            Column("time_ms", "number", "ms", "Unix time, by the player's clock"),
            EPISODE,
            Column("frame", "integer", "frames", "the current frame then"),
            Column("event", "text", "", "hidden, shown, corrected, stalled, resumed, path, peer, phase, episode, "
                   "desync, clock, lost or end"),
            Column("other_player", "text", "", "whom it is about, if it is another player"),
            Column("more", "json", "", "what else belongs to it"),
        )),
    }
)  # fmt: skip

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
            name: {"row": table.row, "columns": [column._asdict() for column in table.columns]}
            for name, table in TABLES.items()
        },
    }
