"""The ninth version: of which load of its page metrics are, and which one has a seat."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pycore.relay.storage.pieces import PARTS_OF_A_LOAD
from pycore.relay.transport.large import load_of

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the columns. What pages of before have stored says it itself; it is read where they were loaded again, and
    known of a game that may go on where they were not. Elsewhere nothing follows from it. The load that has a seat is
    the last one that has stored something: what `loads` counts may have been given to nobody."""
    comment = "which load of its page said it, from 0; null: it does not say"
    op.add_column("session_metrics", sa.Column("load", sa.Integer, comment=comment))
    games = sa.table("games", *map(sa.column, ("game_id", "ended")))
    comment = "which load of its page has it, from 0"
    op.add_column("seats", sa.Column("load", sa.Integer, nullable=False, server_default="0", comment=comment))
    seats = sa.table("seats", *map(sa.column, ("game_id", "player", "loads", "load")))
    seen = sa.table("experienced", *map(sa.column, ("game_id", "player", "part")))
    metrics = sa.table("session_metrics", *map(sa.column, ("game_id", "player", "episode", "data", "load")))
    own = sa.and_(seats.c.game_id == metrics.c.game_id, seats.c.player == metrics.c.player)
    first = sa.exists().where(own, seats.c.loads == 0)
    goes_on = sa.exists().where(games.c.game_id == metrics.c.game_id, games.c.ended.is_(None))
    op.execute(metrics.update().where(first, goes_on).values(load=0))
    connection = op.get_bind()
    keys = sa.select(metrics.c.game_id, metrics.c.player, metrics.c.episode).where(~first)
    for key in connection.execute(keys).all():
        row = sa.and_(*(metrics.c[name] == value for name, value in key._mapping.items()))
        load = _load(connection.execute(sa.select(metrics.c.data).where(row)).scalar_one())
        if load is not None:
            connection.execute(metrics.update().where(row).values(load=load))
    for seat in connection.execute(sa.select(seats).where(seats.c.loads > 0)).mappings().all():
        said = _newest(connection, metrics, metrics.c.load, seat)
        shown = _newest(connection, seen, seen.c.part, seat) // PARTS_OF_A_LOAD
        row = sa.and_(seats.c.game_id == seat["game_id"], seats.c.player == seat["player"])
        connection.execute(seats.update().where(row).values(load=min(max(said, shown), seat["loads"])))


def _newest(connection: sa.Connection, table: sa.TableClause, what: sa.ColumnClause[int], seat: sa.RowMapping) -> int:
    """The largest number of what is stored of a seat."""
    of = sa.and_(table.c.game_id == seat["game_id"], table.c.player == seat["player"])
    return connection.execute(sa.select(sa.func.max(what)).where(of)).scalar() or 0


def _load(text: str) -> int | None:
    try:
        return load_of(text)
    except (ValueError, AttributeError, RecursionError):
        return None  # no metrics of a page of ours
