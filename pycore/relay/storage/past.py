"""What the database has of games for whoever watches: rows of an episode, and the games that are over.

Both read what was stored until a time that is given, and a bounded piece of it: an answer has so many bytes of rows, or
so many games, and says where the next one begins. What a game came to is counted from where its pieces belong alone, as
the export does it; of its metrics no more than the beginning is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from pycore.errors import PycoreError
from pycore.relay.storage.ends import is_end
from pycore.relay.storage.pieces import Episode, Place, join
from pycore.relay.storage.store import DataStore, games, metrics, pieces, records
from pycore.relay.storage.tables import begun

ROWS_BYTES: Final = 200_000
"""Bytes of rows in an answer, about: the spectator asks again for the others."""
PIECES: Final = 20
"""Pieces that an answer is made of at most."""
REVISIONS: Final = 256
"""Revisions of an episode that a spectator is told of at most, those that take back most."""
GAMES: Final = 20
"""Games that are over in one answer at most."""
PLACES: Final = 20_000
"""Pieces that the games of an answer are counted from, and of one game at most: with a store every five seconds, of two
players for fourteen hours. Where a game brings the sum above it, the answer ends before it."""
METRICS_CHARACTERS: Final = 16_384
"""Of a player's metrics that are looked at for why the session ended. They may have megabytes; pages write their keys
in order, and of those that grow one alone stands before this one."""

_REASON: Final = re.compile(r'"end":\s?\{"reason":\s?"([a-z_]{1,40})"\}')
_REPORTS: Final = re.compile(r'"desyncReports":\s?\[\s?\{')
"""States of the environment, which may have any keys."""

Key = Callable[[str], str]
"""A word that is made of a game's id, or of a subject's."""


class NotWatched(PycoreError):
    """What a spectator asked for is not to be had; `code` and `status` say why, as HTTP does."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def rows(
    store: DataStore, game_id: str, episode: int, start: int, until: float, begun: str | None
) -> dict[str, Any]:
    """Rows of an episode from a frame on, stored until then. `begun`: the settings of a game that may not be written
    down yet. Raises `NotWatched`, `StoreFailed`."""
    known = store.read(sa.select(games.c.settings).where(games.c.game_id == game_id))
    settings = known[0]["settings"] if known else begun
    if settings is None:
        raise NotWatched("no_such_game", 404, "there is no such game")
    old = sa.and_(pieces.c.game_id == game_id, pieces.c.received <= until)
    newest = store.read(sa.select(sa.func.max(pieces.c.episode).label("episode")).where(old))[0]["episode"]
    answer: dict[str, Any] = {
        "settings": json.loads(settings), "episode": episode, "from": start, "to": start, "there_are": 0,
        "episodes": 0 if newest is None else newest + 1, "header": None, "rows": "", "complete": False, "gap": None,
        "revisions": [], "in_parts": newest is None and _came_in_parts(store, game_id),
    }  # fmt: skip
    places: dict[str, list[Place]] = {}
    for row in store.read(sa.select(*_PLACE, pieces.c.player).where(old, pieces.c.episode == episode)):
        places.setdefault(row["player"], []).append(_place(row))
    joined = {player: join(of) for player, of in places.items()}
    if not joined:
        return answer
    player = fullest(joined)
    of = joined[player]
    bases = {(place.base, place.revision) for place in places[player] if place.revision}
    answer |= {
        "there_are": of.frames, "gap": list(of.gaps[0]) if of.gaps else None,
        "revisions": [[revision, base] for base, revision in sorted(bases)[:REVISIONS]],
    }  # fmt: skip
    return answer | _lines(store, game_id, player, episode, of, start)


def fullest(joined: dict[str, Episode]) -> str:
    """Of the players' rows of an episode those that are shown: of confirmed frames all say the same."""
    return max(joined, key=lambda player: (joined[player].frames, joined[player].whole))


def _lines(store: DataStore, game_id: str, player: str, episode: int, of: Episode, start: int) -> dict[str, Any]:
    header, lines, at, complete = "", [], start, False
    behind = [each for each in of.unbroken if each.stop > start or each.last]
    for segment in behind[:PIECES]:
        data = store.piece(game_id, player, episode, segment.place.revision, segment.place.first)
        header = data.partition(b"\n")[0].decode()
        cut = segment._replace(start=max(start, segment.start)) if segment.stop > segment.start else segment
        lines.append(cut.lines(data).decode())
        at, complete = max(at, segment.stop), segment.last
        if sum(map(len, lines)) > ROWS_BYTES:
            break
    return {"header": header or None, "rows": "".join(lines), "to": at, "complete": complete}


def _came_in_parts(store: DataStore, game_id: str) -> bool:
    """Whether pages of an earlier version stored it, whole and in parts."""
    return bool(store.read(sa.select(records.c.part).where(records.c.game_id == game_id).limit(1)))


def games_over(
    store: DataStore, running: Collection[str], before: str | None, wall: float, until: float, key: Key, person: Key
) -> dict[str, Any]:
    """Games that are over, the newest first, from behind the game `before` on; `next` is what to give as `before` for
    those behind them, or None. `running` are those that were not over at `wall`. Raises `NotWatched`, `StoreFailed`."""
    # Of one that began since nobody has said whether it goes on.
    chosen = sa.select(games).where(games.c.game_id.not_in(list(running)), games.c.started <= wall)
    if before is not None:
        place = store.read(sa.select(begun.label("begun")).where(games.c.game_id == before))
        if not place:
            raise NotWatched("no_such_game", 404, "there is no game with the id in `before`")
        at = place[0]["begun"]
        earlier = sa.and_(begun == at, games.c.game_id < before)
        chosen = chosen.where(sa.or_(begun < at, earlier))
    found = store.read(chosen.order_by(begun.desc(), games.c.game_id.desc()).limit(GAMES + 1))
    listed: list[dict[str, Any]] = []
    left = PLACES
    for row in found[:GAMES]:
        places = _places(store, row["game_id"], until)
        if listed and len(places) > left:
            break
        left -= len(places)
        listed.append(_game(row, _sizes(places), key, person))
    _say_why(store, listed)
    return {"games": listed, "next": listed[-1]["game_id"] if len(listed) < len(found) else None}


def _places(store: DataStore, game_id: str, until: float) -> list[dict[str, Any]]:
    """Where its pieces belong; one more than are counted if there are as many."""
    of = pieces.c
    query = sa.select(of.player, of.episode, *_PLACE).where(of.game_id == game_id, of.received <= until)
    return store.read(query.limit(PLACES + 1))


def _sizes(places: list[dict[str, Any]]) -> dict[str, Any]:
    """Episodes of which there are rows, those with their end among them, and their frames; None of one that has too
    much for it."""
    if len(places) > PLACES:
        return {"episodes": None, "complete": None, "frames": None}
    found: dict[int, dict[str, list[Place]]] = {}
    for row in places:
        found.setdefault(row["episode"], {}).setdefault(row["player"], []).append(_place(row))
    joined = [{player: join(of) for player, of in episode.items()} for episode in found.values()]
    shown = [episode[fullest(episode)] for episode in joined]
    return {
        "episodes": len(shown), "complete": sum(of.whole for of in shown), "frames": sum(of.frames for of in shown),
    }  # fmt: skip


def _game(row: dict[str, Any], sizes: dict[str, Any], key: Key, person: Key) -> dict[str, Any]:
    settings, subjects = json.loads(row["settings"]), json.loads(row["subjects"])
    policies = settings.get("policies") or {}
    counts = json.loads(row["counts"]) if row["counts"] else {}
    stopped = "stopped" if counts.get("state") == "stopped" else "unknown"
    return {
        "game_id": row["game_id"], "environment": settings.get("environment", ""), "started": round(row["started"], 3),
        "ended": None if row["ended"] is None else round(row["ended"], 3),
        "how": stopped if row["ended"] is None else "ended",
        **sizes,
        "key": key(row["game_id"]),
        "players": [
            {
                "player": player, "policy": str(player) in policies,
                "person": person(subjects[str(player)]) if subjects.get(str(player)) else None, "reason": None,
            }
            for player in json.loads(row["players"])
        ],
    }  # fmt: skip


def reason_of(start: str, whole: Callable[[], str]) -> str | None:
    """Why the session ended, by how the metrics of the whole of it begin, or by all of them where states of the
    environment stand before that."""
    if _REPORTS.search(start) is None:
        found = _REASON.search(start)
        return None if found is None else found[1]
    try:
        reason = json.loads(whole())["end"]["reason"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return reason if isinstance(reason, str) and re.fullmatch("[a-z_]{1,40}", reason) else None


def whole_metrics(store: DataStore, game_id: str, player: str) -> str:
    """All metrics of a player's session that is over. Blocks. Raises `StoreFailed`."""
    of = metrics.c
    found = store.read(sa.select(of.data).where(of.game_id == game_id, of.player == player, is_end).limit(1))
    return str(found[0]["data"]) if found else ""


def _say_why(store: DataStore, listed: list[dict[str, Any]]) -> None:
    """Why the session ended for each player, by the metrics of the whole of it."""
    of = metrics.c
    start = sa.func.substr(of.data, 1, METRICS_CHARACTERS).label("start")
    chosen = sa.select(of.game_id, of.player, start)
    why: dict[tuple[str, str], str] = {}
    for row in store.read(chosen.where(of.game_id.in_([each["game_id"] for each in listed]), is_end)):
        reason = reason_of(row["start"], partial(whole_metrics, store, row["game_id"], row["player"]))
        if reason is not None:
            why[row["game_id"], row["player"]] = reason
    for each in listed:
        for player in each["players"]:
            player["reason"] = why.get((each["game_id"], str(player["player"])))


_PLACE: Final = [pieces.c[name] for name in Place._fields]


def _place(row: dict[str, Any]) -> Place:
    return Place(*(row[name] for name in Place._fields))
