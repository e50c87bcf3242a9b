"""What the database has of a game, so that another process can take its room up: from a room to rows, and back.

Secrets stand there as digests. What waited in the process for who was away is not written: peers say anew whatever
another one lacks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pycore.relay.games.rooms import Room
from pycore.relay.games.seats import Mailbox, Seat
from pycore.relay.limits import Limits
from pycore.relay.settings import who_plays
from pycore.relay.storage.ends import is_end
from pycore.relay.storage.store import DataStore, games, metrics, seats
from pycore.relay.storage.tables import begun
from pycore.settings import Settings

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A game as the database has it."""

    game: Row
    seats: Sequence[Row]
    finished: Mapping[str, float]
    """Players whose sessions are over, and when they stored that, Unix s."""
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
    """What is written of an end besides, and of a process that is `stopped` what it had counted."""
    counts = room.counts() | ({"state": "stopped"} if stopped else {})
    return ({"counts": json.dumps(counts)} if stopped or room.over else {}) | {"ended": room.ended_wall}


def seat_rows(room: Room) -> list[Row]:
    """Who has the seats, and who is gone."""
    return [
        {
            "game_id": room.game_id, "player": str(seat.player), "session": seat.session, "page": seat.page,
            "loads": max(seat.loads, seat.promised), "gone": json.dumps(seat.farewell) if seat.gone else None,
            "waited_s": round(seat.waited_s, 3), "outcome": seat.outcome, "load": seat.load,
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
    over = sa.select(metrics.c.player, metrics.c.received)
    over = over.where(metrics.c.game_id == game_id, is_end)
    later = sa.select(seats.c.session).select_from(own).where(begun > (game["number"] or 1000 * game["started"]))
    later = later.where(seats.c.session.in_([row["session"] for row in of]))
    left = {row["session"] for row in store.read(later)}
    elsewhere = [row["player"] for row in of if row["session"] in left]
    there = [row for row in of if row["gone"] is None and row["player"] not in elsewhere]
    if len(there) < min(2, len(of)):
        return None  # nobody is there to play with
    return Written(game, of, {row["player"]: row["received"] for row in store.read(over)}, elsewhere)


def end_finished(store: DataStore) -> None:
    """Write the ends of games that everybody has finished, or is gone from, and that nobody has ended: their process
    went down in between, or was of an earlier version, which waited for who is gone as well. Blocks. Raises
    `StoreFailed`."""
    whole = sa.and_(metrics.c.game_id == games.c.game_id, is_end)
    seat = seats.c.game_id == games.c.game_id
    finished = sa.exists().where(whole, metrics.c.player == seats.c.player).correlate(games, seats)
    plays = sa.exists().where(seat, seats.c.gone.is_(None), ~finished).correlate(games)
    last = sa.select(sa.func.max(metrics.c.received)).where(whole).correlate(games).scalar_subquery()
    stand_open = sa.and_(games.c.ended.is_(None), last.is_not(None), sa.exists().where(seat).correlate(games), ~plays)

    def write() -> None:
        with store.engine.begin() as connection:
            connection.execute(games.update().where(stand_open).values(ended=last))

    # Mostly there are none, and then nobody is kept from writing.
    if store.read(sa.select(games.c.game_id).where(stand_open).limit(1)):
        store.run(write)


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
            row["load"], gone=farewell is not None, farewell=farewell, waited_s=row["waited_s"] or 0.0,
            outcome=row["outcome"],
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
