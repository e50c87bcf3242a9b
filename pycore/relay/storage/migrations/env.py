"""What Alembic runs around the scripts: on the connection, and in the transaction, that it was given."""

from __future__ import annotations

from alembic import context

from pycore.relay.storage.store import games
from pycore.relay.storage.versions import TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=games.metadata,
    version_table=TABLE,
    render_as_batch=True,
)
context.run_migrations()
