"""The seventh version: what the processes of a server have in common, whether the study is open and who waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "study",
        sa.Column("name", sa.String(64), primary_key=True, comment="`door`: whether new games begin"),
        sa.Column("is_open", sa.Boolean, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False, comment="grows whenever somebody says it anew"),
    )
    op.create_table(
        "waiting",
        sa.Column("session", sa.String(64), primary_key=True, comment="SHA-256 of the session id, which is a secret"),
        sa.Column("since", sa.Float, nullable=False, comment="it waits since then: Unix s, the database's clock"),
    )
