"""Alembic's scripts: what changes the database from each version to the next (`pycore.relay.storage.versions`)."""
