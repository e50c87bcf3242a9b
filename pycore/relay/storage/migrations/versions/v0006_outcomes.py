"""The sixth version: what each participant's visit came to, and how long they waited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table and the columns."""
    op.create_table(
        "outcomes",
        sa.Column("person", sa.String(64), primary_key=True, comment="SHA-256 of the subject id, or of the session id"),
        sa.Column("subject", sa.Text, comment="subject id"),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("waited_s", sa.Float, nullable=False, comment="for how long a game was waited for, s"),
        sa.Column("decided", sa.Float, nullable=False, comment="Unix time, s"),
        sa.Column("game_id", sa.String(64), comment="null: there was none"),
        sa.Column("player", sa.String(128)),
        sa.Column("final", sa.Boolean, nullable=False, comment="it was sent on with it, and gets no other one"),
    )
    op.add_column("seats", sa.Column("waited_s", sa.Float, comment="for how long the game was waited for, s"))
    op.add_column("seats", sa.Column("outcome", sa.String(32), comment="what the game came to; null: not known"))
