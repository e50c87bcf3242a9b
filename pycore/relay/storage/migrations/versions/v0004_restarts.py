"""The fourth version: what another process needs to take up a game that goes on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the columns, and the index by which a session's game is found."""
    op.add_column(
        "games",
        sa.Column("restarts", sa.Integer, nullable=False, server_default="0", comment="how often a process took it up"),
    )
    op.add_column("seats", sa.Column("page", sa.String(64), comment="SHA-256 of what the load of its page is known by"))
    op.add_column(
        "seats",
        sa.Column(
            "loads", sa.Integer, nullable=False, server_default="0", comment="how often its page was loaded again"
        ),
    )
    op.add_column(
        "seats",
        sa.Column("gone", sa.Text, comment="JSON: how the others were told that the player is gone; null: it is not"),
    )
    op.create_index("seats_of_a_session", "seats", ["session"])
