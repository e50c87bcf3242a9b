"""Reads a study's data back out of the database: what is there, and the files, to the byte as they were sent.

- metrics-<player>.json: the metrics of the whole session (episode -1), or of the last episode, then with the lists of
  the episodes before
- metrics-<player>-episode-<n>.json: every other one that was stored
- trajectory-<player>.jsonl: all episodes, in order, each as far as it is there without a gap; of one that a page did
  not end it has what was stored until then
- experienced-<player>.jsonl: what the player saw, all parts in order; of a session that was aborted it has no end
- connections-<player>.json: how the player's links were connected
- game.json: what the relay knew of the game: settings, subjects, seed, when it began and ended (Unix s), and by player
  for how long it was waited for and what it came to

Of a trajectory of which something is missing in the middle there is a second file, ``…jsonl.incomplete``, with
everything that is there. Of an experienced record, and of a trajectory that came in parts, there is that one alone, so
that no analysis takes it for a whole one.
"""

from __future__ import annotations

import json
import os
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from pycore.errors import UsageError
from pycore.relay.games.uploads import WHOLE
from pycore.relay.storage.listed import with_lists
from pycore.relay.storage.moment import Read, moment
from pycore.relay.storage.participants import came_to, seats_of_games
from pycore.relay.storage.pieces import PARTS_OF_A_LOAD, Episode, Place, join
from pycore.relay.storage.store import DataStore, connections, experienced, games, metrics, pieces, records
from pycore.relay.storage.tables import begun, outcomes
from pycore.settings import ON_INTERRUPT

INCOMPLETE: Final = ".incomplete"
"""Ends the name of a record of which something is missing."""


@dataclass(slots=True)
class PlayerData:
    """What is stored of one player of one game."""

    metrics_episodes: list[int] = field(default_factory=list)
    parts: dict[int, tuple[list[int], int]] = field(default_factory=dict)
    """By episode that came in parts: those that are there, and how many there must be."""
    pieces: dict[int, Episode] = field(default_factory=dict)
    """By episode: what its pieces come to, unless it came in parts, whole."""
    record_bytes: int = 0
    experienced: list[int] = field(default_factory=list)
    """The parts of the experienced record that are there, in order: load by load."""
    experienced_bytes: int = 0
    played_for: bool = False
    """Whether the others play on while somebody is away, who then has nothing of whole episodes."""

    @property
    def missing(self) -> list[str]:
        """Names of the parts that are not there."""
        there = self.episodes
        absent = () if self.played_for else range(max(there, default=0))
        lost = [f"episode {episode}" for episode in absent if episode not in there]
        for episode, (there, parts) in sorted(self.parts.items()):
            lost += [f"episode {episode} part {part}" for part in range(parts) if part not in there]
        for episode, of in sorted(self.pieces.items()):
            lost += [f"episode {episode} frames {start} to {stop - 1}" for start, stop in of.gaps]
        return lost

    @property
    def episodes(self) -> list[int]:
        """Episodes of which there is something."""
        return sorted({*self.parts, *self.pieces})

    @property
    def experienced_missing(self) -> list[str]:
        """The same of the experienced record; how many parts it has is known, for each load of the page, up to its
        newest one."""
        newest: dict[int, int] = {}
        for part in self.experienced:
            newest[part // PARTS_OF_A_LOAD] = part
        there = set(self.experienced)
        missing = [
            part for load, last in newest.items() for part in range(load * PARTS_OF_A_LOAD, last) if part not in there
        ]  # fmt: skip
        return [f"experienced part {part}" for part in missing]


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
    """All stored games in the order of their beginning, or the one asked for, as they are at one moment."""
    return list_study(store, game_id)[0]


def list_study(store: DataStore, game_id: str | None = None) -> tuple[list[GameData], list[dict[str, Any]]]:
    """The same, and of the same moment what visits came to: of whoever waited in vain, too."""
    with moment(store) as read:
        return _listed(read, game_id), read(sa.select(outcomes))


def _listed(read: Read, game_id: str | None) -> list[GameData]:
    found: dict[str, GameData] = {}
    of_games = seats_of_games(read, game_id)
    for row in read(_of(sa.select(games).order_by(begun, games.c.game_id), games, game_id)):
        row |= came_to(of_games.get(row["game_id"], ()), row["ended"])
        game = found[row["game_id"]] = GameData(row["game_id"], row)
        played_for = json.loads(row["settings"]).get("on_interrupt", ON_INTERRUPT[0]) != ON_INTERRUPT[0]
        for player in people_of(row):
            game.players[player] = PlayerData(played_for=played_for)

    def player_of(row: dict[str, Any]) -> PlayerData:
        game = found.setdefault(row["game_id"], GameData(row["game_id"], None))
        return game.players.setdefault(row["player"], PlayerData())

    keys = sa.select(metrics.c.game_id, metrics.c.player, metrics.c.episode)
    for row in read(_of(keys.order_by(*metrics.primary_key), metrics, game_id)):
        player_of(row).metrics_episodes.append(row["episode"])
    size = sa.func.length(records.c.data).label("size")
    columns = [records.c.game_id, records.c.player, records.c.episode, records.c.part, records.c.parts, size]
    for row in read(_of(sa.select(*columns).order_by(*records.primary_key), records, game_id)):
        data = player_of(row)
        there, _ = data.parts.setdefault(row["episode"], ([], row["parts"]))
        there.append(row["part"])
        data.record_bytes += row["size"]
    _list_pieces(read, game_id, player_of)
    size = sa.func.length(experienced.c.data).label("size")
    columns = [experienced.c.game_id, experienced.c.player, experienced.c.part, size]
    for row in read(_of(sa.select(*columns).order_by(*experienced.primary_key), experienced, game_id)):
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
        _write_all(path, (data,))
        written.append(path)

    if game.row is not None:
        write("game.json", json.dumps(about(game.row), indent=1).encode())
    for player, data in game.players.items():
        name = urllib.parse.quote(player, safe="")
        def told(episode: int, player: str = player) -> str:
            of = metrics.c
            row = sa.and_(of.game_id == game.game_id, of.player == player, of.episode == episode)
            return str(store.read(sa.select(of.data).where(row))[0]["data"])

        main = _newest(store, game.game_id, player, data.metrics_episodes)
        for episode in data.metrics_episodes:
            text = told(episode)
            file = f"metrics-{name}.json" if episode == main else f"metrics-{name}-episode-{episode}.json"
            write(file, (with_lists(text, map(told, data.metrics_episodes)) if episode == main else text).encode())
        if data.episodes:
            written += _write_trajectory(store, game.game_id, player, data, out / f"trajectory-{name}.jsonl")
        if data.experienced:
            path = out / (f"experienced-{name}.jsonl" + (INCOMPLETE if data.experienced_missing else ""))
            _write_all(path, _experienced(store, game.game_id, player, data))
            written.append(path)
        for kind in ("trajectory", "experienced"):
            _not_incomplete_any_more(out / f"{kind}-{name}.jsonl", written)
        links = sa.select(connections.c.data).where(
            connections.c.game_id == game.game_id, connections.c.player == player
        )
        rows = store.read(links.order_by(connections.c.remote))
        if rows:
            values = [json.loads(row["data"]) for row in rows]
            write(f"connections-{name}.json", json.dumps(values, indent=1).encode())
    return written


def _newest(store: DataStore, game_id: str, player: str, listed: Sequence[int]) -> int:
    """The episode of the metrics that count: those of the latest load of the page that has stored any, though it went
    away before its end and an earlier one had one; of a load what it said of the whole session, or otherwise last.
    `listed`: those that are written; of a game that goes on, others may have come meanwhile."""
    of, there = metrics.c, set(listed)
    rows = store.read(sa.select(of.load, of.episode).where(of.game_id == game_id, of.player == player))
    found = [row for row in rows if row["episode"] in there]
    return max(((row["load"] or 0, row["episode"] == WHOLE, row["episode"]) for row in found), default=(0, 0, WHOLE))[2]


def _list_pieces(read: Read, game_id: str | None, player_of: Callable[[dict[str, Any]], PlayerData]) -> None:
    size = sa.func.length(pieces.c.data).label("size")
    columns = [column for column in pieces.c if column is not pieces.c.data]
    found: dict[tuple[str, str, int], tuple[PlayerData, list[Place]]] = {}
    for row in read(_of(sa.select(*columns, size).order_by(*pieces.primary_key), pieces, game_id)):
        data = player_of(row)
        there, parts = data.parts.get(row["episode"], ([], -1))
        if len(there) == parts:
            continue
        place = Place(*(row[name] for name in Place._fields))
        found.setdefault((row["game_id"], row["player"], row["episode"]), (data, []))[1].append(place)
        data.record_bytes += row["size"]
    for (_, _, episode), (data, places) in found.items():
        data.pieces[episode] = join(places)
        data.parts.pop(episode, None)


def _write_trajectory(store: DataStore, game_id: str, player: str, data: PlayerData, path: Path) -> list[Path]:
    """The file that can be read, and the one with everything, if they are two."""
    everything = path.with_name(path.name + INCOMPLETE)
    if any(len(there) < parts for there, parts in data.parts.values()):
        _write_all(everything, _pieces_of(store, game_id, player, data, whole=False))
        return [everything]
    written = []
    if _can_be_read(data):
        _write_all(path, _pieces_of(store, game_id, player, data, whole=True))
        written.append(path)
    if data.missing:
        _write_all(everything, _pieces_of(store, game_id, player, data, whole=False))
        written.append(everything)
    return written


def _experienced(store: DataStore, game_id: str, player: str, data: PlayerData) -> Iterator[bytes]:
    for _, load in groupby(data.experienced, lambda part: part // PARTS_OF_A_LOAD):
        parts = (_experienced_part(store, game_id, player, part) for part in load)
        yield from parts if data.experienced_missing else _whole_lines(parts)


def _whole_lines(texts: Iterable[bytes]) -> Iterator[bytes]:
    """What a load of a page stored, but for the beginning of a line of which the rest never came: a long one is stored
    in several parts."""
    rest = b""
    for text in texts:
        whole, end, rest = (rest + text).rpartition(b"\n")
        yield whole + end


def _not_incomplete_any_more(path: Path, written: Sequence[Path]) -> None:
    """What an earlier export had of a record in which something was missing would be taken for this one's."""
    everything = path.with_name(path.name + INCOMPLETE)
    if path in written and everything not in written:
        everything.unlink(missing_ok=True)


def _can_be_read(data: PlayerData) -> bool:
    """Whether any episode has its first frame."""
    return bool(data.parts) or any(of.frames for of in data.pieces.values())


def _write_all(path: Path, texts: Iterable[bytes]) -> None:
    """A file, whole or not at all: what ends with a text, as by a full disk, would be read as a shorter record."""
    half = path.with_name(f".{path.name}.half-{os.getpid()}")
    try:
        # Text by text: a long study's trajectory need not fit into the memory.
        with half.open("wb") as stream:
            for text in texts:
                stream.write(text)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _pieces_of(store: DataStore, game_id: str, player: str, data: PlayerData, *, whole: bool) -> Iterator[bytes]:
    """The trajectory, text by text; `whole`: only what can be read, up to the first gap of each episode."""
    header = b""
    for episode in data.episodes:
        if episode in data.parts:
            for part in sorted(data.parts[episode][0]):
                text = _part(store, game_id, player, episode, part)
                if not header:
                    header = text[: text.find(b"\n") + 1]
                elif part == 0:
                    # Each episode is stored as a file of its own; in the session's, one header is enough.
                    text = text.removeprefix(header)
                yield text
            continue
        of = data.pieces[episode]
        if whole and of.frames == 0:
            continue
        for segment in of.unbroken if whole else of.segments:
            text = store.piece(game_id, player, episode, segment.place.revision, segment.place.first)
            if not header:
                header = text[: text.find(b"\n") + 1]
                yield header
            yield segment.lines(text)


def about(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the games as `list_games` has it, with its columns of JSON as values: what game.json has."""
    known = {name: row[name] for name in ("game_id", "started", "ended", "seed")}
    known |= {name: json.loads(row[name]) for name in ("players", "subjects", "settings")}
    return known | {name: row[name] for name in ("waited_s", "outcomes")}


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
