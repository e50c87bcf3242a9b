"""What the database has of a game, so that another process can take its room up: from a room to rows, and back.

Secrets stand there as digests. What waited in the process for who was away is not written: peers say anew whatever
another one lacks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import Mailbox, Seat
from pycore.relay.games.uploads import WHOLE
from pycore.relay.limits import Limits
from pycore.relay.settings import who_plays
from pycore.relay.storage.store import DataStore, games, metrics, seats
from pycore.relay.storage.tables import begun
from pycore.settings import Settings

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A game as the database has it."""

    game: Row
    seats: Sequence[Row]
    finished: Sequence[str]
    """Players whose sessions are over."""
    elsewhere: Sequence[str]
    """Players whose sessions have played another game since."""


def game_row(room: Room) -> Row:
    """Of a game that goes on; its end and what was counted are `ending`'s."""
    return {
        "game_id": room.game_id,
        "started": room.started_wall,
        "seed": room.seed,
        "players": json.dumps(room.players),
        "settings": json.dumps(room.settings),
        "subjects": json.dumps({str(seat.player): seat.subject_id for seat in room.seats}),
        "restarts": room.restarts,
        "number": room.number,
    }


def ending(room: Room, stopped: bool = False) -> Row:
    """What is written of an end besides; of a process that is `stopped` only what it had counted."""
    if stopped:
        return {"counts": json.dumps(room.counts() | {"state": "stopped"})}
    counted = {"counts": json.dumps(room.counts())} if room.over else {}
    return counted | {"ended": room.ended_wall}


def seat_rows(room: Room) -> list[Row]:
    """Who has the seats, and who is gone."""
    return [
        {
            "game_id": room.game_id, "player": str(seat.player), "session": seat.session, "page": seat.page,
            "loads": max(seat.loads, seat.promised), "gone": json.dumps(seat.farewell) if seat.gone else None,
            "waited_s": round(seat.waited_s, 3), "outcome": seat.outcome,
        }
        for seat in room.seats
    ]  # fmt: skip


def find(store: DataStore, session: str) -> Written | None:
    """The newest game of a session (a digest), if it is not over and the session's seat in it not gone. Blocks. Raises
    `StoreFailed`."""
    own = seats.join(games, seats.c.game_id == games.c.game_id)
    newest = sa.select(games, seats.c.gone).select_from(own).where(seats.c.session == session)
    found = store.read(newest.order_by(begun.desc()).limit(1))
    if not found or found[0]["ended"] is not None or found[0]["gone"] is not None:
        return None
    (game,) = found
    game_id = game["game_id"]
    of = store.read(sa.select(seats).where(seats.c.game_id == game_id))
    over = sa.select(metrics.c.player).where(metrics.c.game_id == game_id, metrics.c.episode == WHOLE)
    later = sa.select(seats.c.session).select_from(own).where(begun > (game["number"] or 1000 * game["started"]))
    later = later.where(seats.c.session.in_([row["session"] for row in of]))
    left = {row["session"] for row in store.read(later)}
    elsewhere = [row["player"] for row in of if row["session"] in left]
    there = [row for row in of if row["gone"] is None and row["player"] not in elsewhere]
    if len(there) < min(2, len(of)):
        return None  # nobody is there to play with
    return Written(game, of, [row["player"] for row in store.read(over)], elsewhere)


def last_number(store: DataStore) -> int:
    """The number of the game that began last; 0: none did. Blocks. Raises `StoreFailed`."""
    (found,) = store.read(sa.select(sa.func.max(games.c.number).label("last")))
    return int(found["last"] or 0)


def room_of(written: Written, limits: Limits, now: float, *, taken: bool = True) -> Room:
    """The room of a game, with nobody in it yet; not `taken`: it begins only now. Raises what malformed
    rows raise: `ValueError`, `KeyError`, `TypeError`, or pycore's errors."""
    game = written.game
    players, settings, subjects = (json.loads(game[name]) for name in ("players", "settings", "subjects"))
    people, sent = who_plays(settings, players)
    rows = {row["player"]: row for row in written.seats}
    of = []
    for player in people:
        row = rows[str(player)]
        farewell = _farewell(player, row, written)
        of.append(Seat(
            player, row["session"], subjects.get(str(player)), None, Mailbox(limits), row["page"], row["loads"],
            gone=farewell is not None, farewell=farewell, waited_s=row["waited_s"] or 0.0, outcome=row["outcome"],
        ))  # fmt: skip
    room = Room(
        game["game_id"], game["seed"], of, limits, game["started"], players, sent, settings,
        Settings.of(settings).return_within, game["restarts"], game["number"],
    )  # fmt: skip
    if taken:
        room.take_up(now, written.finished, json.loads(game["counts"] or "{}"))
    return room


def _farewell(player: int | str, row: Row, written: Written) -> tuple[str, dict[str, Any]] | None:
    if row["gone"] is not None:
        event, data = json.loads(row["gone"])
        return event, data
    if row["player"] in written.elsewhere:
        return "end_game", {"message": f"Player {player} plays another game.", "player_id": player}
    return None
