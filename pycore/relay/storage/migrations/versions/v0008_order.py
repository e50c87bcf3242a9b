"""The eighth version: in which order games began, whatever a clock said that was set back between them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the column. Those of before have the order of their times alone."""
    comment = "grows from game to game; 0: of a version before"
    op.add_column("games", sa.Column("number", sa.Integer, nullable=False, server_default="0", comment=comment))
    op.create_index("games_in_order", "games", ["number"])
