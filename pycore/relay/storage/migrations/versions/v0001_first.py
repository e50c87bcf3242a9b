"""The first version: games, their seats, metrics, records and connections.

Databases that were made before there were versions have these very tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "games",
        sa.Column("game_id", sa.String(64), primary_key=True),
        sa.Column("started", sa.Float, nullable=False, comment="Unix time, s"),
        sa.Column("ended", sa.Float, comment="Unix time, s; null: going on, or the relay was stopped"),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("players", sa.Text, nullable=False, comment="JSON: player ids by seat"),
        sa.Column("subjects", sa.Text, nullable=False, comment="JSON: subject id by player id"),
        sa.Column("settings", sa.Text, nullable=False, comment="JSON"),
        sa.Column("counts", sa.Text, comment="JSON: what crossed the relay; written at the end"),
    )
    op.create_table(
        "seats",
        sa.Column("game_id", sa.String(64), primary_key=True),
        sa.Column("player", sa.String(128), primary_key=True),
        sa.Column("session", sa.String(64), nullable=False, comment="SHA-256 of the session id, which is a secret"),
    )
    op.create_table(
        "session_metrics",
        sa.Column("game_id", sa.String(128), primary_key=True),
        sa.Column("player", sa.String(128), primary_key=True),
        sa.Column("episode", sa.Integer, primary_key=True, comment="-1: the whole session"),
        sa.Column("received", sa.Float, nullable=False),
        sa.Column("data", sa.Text, nullable=False, comment="JSON as it came"),
    )
    op.create_table(
        "records",
        sa.Column("game_id", sa.String(128), primary_key=True),
        sa.Column("player", sa.String(128), primary_key=True),
        sa.Column("episode", sa.Integer, primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True),
        sa.Column("parts", sa.Integer, nullable=False),
        sa.Column("received", sa.Float, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False, comment="UTF-8 of the canonical trajectory's lines"),
    )
    op.create_table(
        "connections",
        sa.Column("game_id", sa.String(128), primary_key=True),
        sa.Column("player", sa.String(128), primary_key=True),
        sa.Column("remote", sa.String(128), primary_key=True, comment="'' unless the report names its link"),
        sa.Column("received", sa.Float, nullable=False),
        sa.Column("data", sa.Text, nullable=False, comment="JSON"),
    )
