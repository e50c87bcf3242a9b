"""The eighth version: in which order games began, whatever a clock said that was set back between them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the column. Those of before have the order of their times."""
    comment = "grows from game to game: when it began, ms, or one more than that of the last one, if that is later"
    op.add_column("games", sa.Column("number", sa.BigInteger, nullable=False, server_default="0", comment=comment))
    games = sa.table("games", sa.column("number", sa.BigInteger), sa.column("started", sa.Float))
    op.execute(games.update().values(number=sa.cast(games.c.started * 1000, sa.BigInteger)))
