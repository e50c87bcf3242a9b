"""Whether a player has played to the end, by the rows that its page has stored.

A page says why its session ended, and could say anything. What was played it stores in rows all along, and the end of
each episode behind them. So who has completed a session has stored the episodes that were asked for, each from its
first frame to its end. A page that was loaded again may lack what it missed, if another player's page has stored that
episode to its end: the game did go on, and this seat was kept in it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import sqlalchemy as sa

from pycore.relay.games.outcomes import COMPLETED, asked_to_stop, outcome_of
from pycore.relay.games.owners import Kept
from pycore.relay.storage.ends import is_end
from pycore.relay.storage.past import METRICS_CHARACTERS, reason_of, whole_metrics
from pycore.relay.storage.pieces import Episode, Place, join
from pycore.relay.storage.store import DataStore, games, metrics, pieces, records, seats
from pycore.settings import ON_INTERRUPT, Settings

MOST: Final = 50_000
"""Pieces that are looked at: of one player with a store every five seconds, those of seventy hours."""
_RETURN_WITHIN: Final = Settings.of({}).return_within
_PLACE: Final = [pieces.c[name] for name in Place._fields]


def missing(store: DataStore, game_id: str, player: str, reason: str | None, settings: dict[str, Any] | None) -> str:
    """What a player who says that the session came to its end has not stored, in words; '': nothing. `settings`: of a
    game that may not be written down yet. Blocks. Raises `StoreFailed`."""
    of = store.read(
        sa.select(games.c.settings, seats.c.loads).join(seats, seats.c.game_id == games.c.game_id)
        .where(games.c.game_id == game_id, seats.c.player == player)
    )  # fmt: skip
    if of:
        settings = json.loads(of[0]["settings"])
    settings = settings or {}
    returned = settings.get("on_interrupt", ON_INTERRUPT[0]) != ON_INTERRUPT[0] or bool(of and of[0]["loads"])
    own = _own(store, game_id, player)
    asked = max(own, default=0) + 1 if asked_to_stop(reason) else settings.get("num_episodes", 1)
    lacks = [episode for episode in range(asked) if not own.get(episode, (False, 0))[0]]
    if lacks and returned and own:
        others = _others(store, game_id, player)
        lacks = [episode for episode in lacks if episode not in others]
    if lacks:
        return "episodes " + ", ".join(map(str, lacks[:10])) + (" …" if len(lacks) > 10 else "")
    return "" if any(frames for _, frames in own.values()) else "any frame"


def claimed(store: DataStore, game_id: str, player: str) -> str | None:
    """What a player's page has said of the end of its session, where that would be the whole of it and is not believed
    yet; None: nothing. Blocks. Raises `StoreFailed`."""
    start = sa.func.substr(metrics.c.data, 1, METRICS_CHARACTERS).label("start")
    came = sa.select(seats.c.outcome, seats.c.loads, start)
    of = came.join(metrics, sa.and_(metrics.c.game_id == seats.c.game_id, metrics.c.player == seats.c.player))
    found = store.read(of.where(seats.c.game_id == game_id, seats.c.player == player, is_end))
    if not found or found[0]["outcome"] == COMPLETED:
        return None
    reason = reason_of(found[0]["start"], lambda: whole_metrics(store, game_id, player))
    return reason if outcome_of(reason, found[0]["loads"]) == COMPLETED else None


def kept(store: DataStore, game_id: str, player: str) -> Kept:
    """A player's seat as the database knows it. Blocks. Raises `StoreFailed`."""
    of = sa.select(seats.c.load, seats.c.gone, games.c.settings, games.c.ended)
    found = store.read(
        of.join(games, seats.c.game_id == games.c.game_id).where(games.c.game_id == game_id, seats.c.player == player)
    )
    if not found:
        return Kept(0, 0.0)
    (row,) = found
    settings = json.loads(row["settings"])
    reopens = settings.get("on_interrupt", ON_INTERRUPT[0]) != ON_INTERRUPT[0]
    may_return = reopens and row["gone"] is None and row["ended"] is None
    return Kept(row["load"], settings.get("return_within", _RETURN_WITHIN) if may_return else 0.0)


def _own(store: DataStore, game_id: str, player: str) -> dict[int, tuple[bool, int]]:
    """Of a player's episodes: whether each is there to its end, and its frames before the first gap."""
    query = sa.select(pieces.c.episode, *_PLACE).where(pieces.c.game_id == game_id, pieces.c.player == player)
    found = {
        number: (episode.whole, episode.frames)
        for number, episode in _joined(store.read(query.limit(MOST))).items()
    }  # fmt: skip
    # Pages of an earlier version store an episode at its end, whole and in parts; how many frames, nobody counts.
    of = records.c
    parts = sa.select(of.episode, of.parts, sa.func.count().label("there")).where(
        of.game_id == game_id, of.player == player
    ).group_by(of.episode, of.parts)  # fmt: skip
    for row in store.read(parts):
        if row["there"] == row["parts"]:
            found.setdefault(row["episode"], (True, 1))
    return found


def _others(store: DataStore, game_id: str, player: str) -> set[int]:
    """Episodes that another player has stored to their ends."""
    query = sa.select(pieces.c.player, pieces.c.episode, *_PLACE).where(
        pieces.c.game_id == game_id, pieces.c.player != player
    )
    by_player: dict[str, list[dict[str, Any]]] = {}
    for row in store.read(query.limit(MOST)):
        by_player.setdefault(row["player"], []).append(row)
    return {
        number for rows in by_player.values() for number, episode in _joined(rows).items() if episode.whole
    }  # fmt: skip


def _joined(rows: list[dict[str, Any]]) -> dict[int, Episode]:
    places: dict[int, list[Place]] = {}
    for row in rows:
        places.setdefault(row["episode"], []).append(Place(*(row[name] for name in Place._fields)))
    return {number: join(of) for number, of in places.items()}
