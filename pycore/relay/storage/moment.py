"""A database as it is at one moment, for who reads several of its tables while a server writes to them.

What a game came to stands in two tables, and what was stored of it in others. Read one after another they are of
several moments: a game that ended in between has an end and nobody's outcome, and one that began in between has data
and no beginning.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from pycore.relay.storage.store import DataStore

Read = Callable[[sa.Select[Any]], list[dict[str, Any]]]
"""Rows of a query. Raises `StoreFailed`."""


@contextlib.contextmanager
def moment(store: DataStore) -> Iterator[Read]:
    """What answers questions by how the database is when the first is asked. Blocks. Raises `StoreFailed`."""
    connection = store.run(store.engine.connect)
    try:
        if store.engine.dialect.name == "postgresql":
            # Otherwise each question has a moment of its own; a transaction of SQLite has one as it is.
            connection = connection.execution_options(isolation_level="REPEATABLE READ")

        def read(query: sa.Select[Any]) -> list[dict[str, Any]]:
            return store.run(lambda: [dict(row) for row in connection.execute(query).mappings()])

        yield read
    finally:
        connection.close()
