"""The participants of a study, one row for each game of each of them, and one for each who waited in vain.

What a game came to for somebody who was never heard of again follows from what is known of it: if another player went
before, that is why; otherwise it has failed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from pycore.relay.games.outcomes import FAILED, PARTNER_LEFT
from pycore.relay.storage.moment import Read
from pycore.relay.storage.store import seats

if TYPE_CHECKING:
    from pycore.relay.storage.export import GameData

COLUMNS: Final = ("subject", "outcome", "waited_s", "sent_on", "time", "game_id", "player")


class Participant(NamedTuple):
    """A row."""

    subject: str | None
    outcome: str | None
    """None: the game goes on."""
    waited_s: float | None
    sent_on: bool
    """The study sent this person on, by this outcome."""
    time: float
    """When the game began, or the waiting was over: Unix s."""
    game_id: str | None
    player: str | None


def came_to(rows: Sequence[dict[str, Any]], ended: float | None) -> dict[str, dict[str, Any]]:
    """Of the seats of a game: `waited_s` and `outcomes`, by player, as far as they are known."""
    waited = {row["player"]: row["waited_s"] for row in rows if row["waited_s"] is not None}
    came = {}
    for row in rows:
        outcome = row["outcome"]
        if outcome is None and ended is not None:
            others = any(other["gone"] is not None for other in rows if other is not row)
            outcome = PARTNER_LEFT if others and row["gone"] is None else FAILED
        if outcome is not None:
            came[row["player"]] = outcome
    return {"waited_s": waited, "outcomes": came}


def seats_of_games(read: Read, game_id: str | None) -> dict[str, list[dict[str, Any]]]:
    """The seats of all games, or of one, by game. Raises `StoreFailed`."""
    of = seats.c
    query = sa.select(of.game_id, of.player, of.waited_s, of.outcome, of.gone).order_by(of.game_id, of.player)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read(query if game_id is None else query.where(of.game_id == game_id)):
        found.setdefault(row["game_id"], []).append(row)
    return found


def participants_of(games: Sequence[GameData], told: Sequence[dict[str, Any]]) -> list[Participant]:
    """Everybody who asked for a game, in the order of time; of what `list_study` gives."""
    final = {(row["game_id"], row["player"]) for row in told if row["final"]}
    found = [
        Participant(row["subject"], row["outcome"], row["waited_s"], row["final"], row["decided"], None, None)
        for row in told if row["game_id"] is None
    ]  # fmt: skip
    for game in games:
        if game.row is None:
            continue
        subjects = json.loads(game.row["subjects"])
        came, waited, began = (game.row[name] for name in ("outcomes", "waited_s", "started"))
        found += [
            Participant(
                subjects.get(player), came.get(player), waited.get(player), (game.game_id, player) in final, began,
                game.game_id, player,
            )
            for player in game.players
        ]  # fmt: skip
    return sorted(found, key=lambda each: (each.time, each.game_id or "", each.player or ""))
