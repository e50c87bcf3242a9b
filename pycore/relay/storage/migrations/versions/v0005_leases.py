"""The fifth version: which process of a server lives, and which owns what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "processes",
        sa.Column("process", sa.String(64), primary_key=True),
        sa.Column("until", sa.Float, nullable=False, comment="it lives until then: Unix s, the database's clock"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True, comment="a game's id, or `waiting`"),
        sa.Column("process", sa.String(64), nullable=False, comment="who owns it, as long as it lives"),
        sa.Column("generation", sa.Integer, nullable=False, comment="grows whenever another process takes it"),
    )
