"""The second version: what the participants saw."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "experienced",
        sa.Column("game_id", sa.String(128), primary_key=True),
        sa.Column("player", sa.String(128), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("last", sa.Boolean, nullable=False, comment="there is no part behind it"),
        sa.Column("received", sa.Float, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False, comment="UTF-8 of the experienced record's lines"),
    )
