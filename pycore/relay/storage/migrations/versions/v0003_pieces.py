"""The third version: trajectories in pieces, as they grow, and metrics in the middle of an episode."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "pieces",
        sa.Column("game_id", sa.String(128), primary_key=True),
        sa.Column("player", sa.String(128), primary_key=True),
        sa.Column("episode", sa.Integer, primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, comment="how often what was stored was taken back before"),
        sa.Column("first", sa.Integer, primary_key=True, comment="the frame of the first row"),
        sa.Column("base", sa.Integer, nullable=False, comment="earlier revisions count up to this frame only"),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("last", sa.Boolean, nullable=False, comment="the end of the episode is behind the rows"),
        sa.Column("received", sa.Float, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False, comment="UTF-8 of lines: the trajectory's first, rows, end"),
    )
    op.add_column(
        "session_metrics",
        sa.Column("so_far", sa.Boolean, nullable=False, server_default=sa.false(), comment="the episode went on"),
    )
