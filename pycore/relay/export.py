"""Reads a study's data back out of the database: what is there, and the files, to the byte as they were sent.

- metrics-<player>.json: the metrics of the whole session (episode -1), or of the last episode
- metrics-<player>-episode-<n>.json: every other one that was stored
- trajectory-<player>.jsonl: all parts of all episodes, in order
- experienced-<player>.jsonl: what the player saw, all parts in order; of a session that was aborted it has no end
- connections-<player>.json: how the player's links were connected
- game.json: what the relay knew of the game: settings, subjects, seed, when it began and ended (Unix s)

A trajectory or an experienced record of which a part is missing gets the name ``…jsonl.incomplete``, so that no
analysis takes it for a whole one.
"""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pycore.errors import UsageError
from pycore.relay.store import DataStore, connections, experienced, games, metrics, records


@dataclass(slots=True)
class PlayerData:
    """What is stored of one player of one game."""

    metrics_episodes: list[int] = field(default_factory=list)
    parts: dict[int, tuple[list[int], int]] = field(default_factory=dict)
    """By episode: the parts that are there, and how many there must be."""
    record_bytes: int = 0
    experienced: list[int] = field(default_factory=list)
    """The parts of the experienced record that are there, in order."""
    experienced_bytes: int = 0

    @property
    def missing(self) -> list[str]:
        """Names of the parts that are not there."""
        lost = []
        for episode, (there, parts) in sorted(self.parts.items()):
            lost += [f"episode {episode} part {part}" for part in range(parts) if part not in there]
        return lost

    @property
    def experienced_missing(self) -> list[str]:
        """The same of the experienced record; how many parts it has is known up to the newest that is there."""
        there = set(self.experienced)
        return [f"experienced part {part}" for part in range(max(there, default=-1)) if part not in there]


@dataclass(slots=True)
class GameData:
    """What is stored of one game; `row` is None if only data, not its beginning, could be stored."""

    game_id: str
    row: dict[str, Any] | None
    players: dict[str, PlayerData] = field(default_factory=dict)


def people_of(row: dict[str, Any]) -> list[str]:
    """The players of a game for whom something can be stored: those for whom no policy plays."""
    policies = json.loads(row["settings"]).get("policies") or {}
    return [player for player in map(str, json.loads(row["players"])) if player not in policies]


def list_games(store: DataStore, game_id: str | None = None) -> list[GameData]:
    """All stored games in the order of their beginning, or the one asked for."""
    found: dict[str, GameData] = {}
    for row in store.read(_of(sa.select(games).order_by(games.c.started, games.c.game_id), games, game_id)):
        game = found[row["game_id"]] = GameData(row["game_id"], row)
        for player in people_of(row):
            game.players[player] = PlayerData()

    def player_of(row: dict[str, Any]) -> PlayerData:
        game = found.setdefault(row["game_id"], GameData(row["game_id"], None))
        return game.players.setdefault(row["player"], PlayerData())

    keys = sa.select(metrics.c.game_id, metrics.c.player, metrics.c.episode)
    for row in store.read(_of(keys.order_by(*metrics.primary_key), metrics, game_id)):
        player_of(row).metrics_episodes.append(row["episode"])
    size = sa.func.length(records.c.data).label("size")
    columns = [records.c.game_id, records.c.player, records.c.episode, records.c.part, records.c.parts, size]
    for row in store.read(_of(sa.select(*columns).order_by(*records.primary_key), records, game_id)):
        data = player_of(row)
        there, _ = data.parts.setdefault(row["episode"], ([], row["parts"]))
        there.append(row["part"])
        data.record_bytes += row["size"]
    size = sa.func.length(experienced.c.data).label("size")
    columns = [experienced.c.game_id, experienced.c.player, experienced.c.part, size]
    for row in store.read(_of(sa.select(*columns).order_by(*experienced.primary_key), experienced, game_id)):
        data = player_of(row)
        data.experienced.append(row["part"])
        data.experienced_bytes += row["size"]
    if game_id is not None and not found:
        raise UsageError(f"the database has nothing of a game {game_id!r}")
    return list(found.values())


def export_game(store: DataStore, game: GameData, out: Path) -> list[Path]:
    """Write the files of one game into the folder and return them."""
    out.mkdir(parents=True, exist_ok=True)
    written = []

    def write(name: str, data: bytes) -> None:
        path = out / name
        path.write_bytes(data)
        written.append(path)

    if game.row is not None:
        write("game.json", json.dumps(about(game.row), indent=1).encode())
    for player, data in game.players.items():
        name = urllib.parse.quote(player, safe="")
        main = -1 if -1 in data.metrics_episodes else max(data.metrics_episodes, default=-1)
        for episode in data.metrics_episodes:
            chosen = sa.select(metrics.c.data).where(
                metrics.c.game_id == game.game_id, metrics.c.player == player, metrics.c.episode == episode
            )
            file = f"metrics-{name}.json" if episode == main else f"metrics-{name}-episode-{episode}.json"
            write(file, store.read(chosen)[0]["data"].encode())
        if data.parts:
            file = f"trajectory-{name}.jsonl" + (".incomplete" if data.missing else "")
            path = out / file
            # Part by part: a long study's trajectory need not fit into the memory.
            with path.open("wb") as stream:
                header = b""
                for episode, (there, _) in sorted(data.parts.items()):
                    for part in sorted(there):
                        text = _part(store, game.game_id, player, episode, part)
                        if not header:
                            header = text[: text.find(b"\n") + 1]
                        elif part == 0:
                            # Each episode is stored as a file of its own; in the session's, one header is enough.
                            text = text.removeprefix(header)
                        stream.write(text)
            written.append(path)
        if data.experienced:
            path = out / (f"experienced-{name}.jsonl" + (".incomplete" if data.experienced_missing else ""))
            with path.open("wb") as stream:
                for part in data.experienced:
                    stream.write(_experienced_part(store, game.game_id, player, part))
            written.append(path)
        links = sa.select(connections.c.data).where(
            connections.c.game_id == game.game_id, connections.c.player == player
        )
        rows = store.read(links.order_by(connections.c.remote))
        if rows:
            values = [json.loads(row["data"]) for row in rows]
            write(f"connections-{name}.json", json.dumps(values, indent=1).encode())
    return written


def about(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the games, with its columns of JSON as values: what game.json has."""
    known = {name: row[name] for name in ("game_id", "started", "ended", "seed")}
    return known | {name: json.loads(row[name]) for name in ("players", "subjects", "settings")}


def _part(store: DataStore, game_id: str, player: str, episode: int, part: int) -> bytes:
    chosen = sa.select(records.c.data).where(
        records.c.game_id == game_id,
        records.c.player == player,
        records.c.episode == episode,
        records.c.part == part,
    )
    data: bytes = store.read(chosen)[0]["data"]
    return data


def _experienced_part(store: DataStore, game_id: str, player: str, part: int) -> bytes:
    of = experienced.c
    chosen = sa.select(of.data).where(of.game_id == game_id, of.player == player, of.part == part)
    data: bytes = store.read(chosen)[0]["data"]
    return data


def _of(query: sa.Select[Any], table: sa.Table, game_id: str | None) -> sa.Select[Any]:
    return query if game_id is None else query.where(table.c.game_id == game_id)
