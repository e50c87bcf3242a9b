"""How a database stands, for who asks before a server is started: nothing is made, changed or brought up to date."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from pycore.errors import UsageError
from pycore.relay.storage.database_file import file_of
from pycore.relay.storage.databases import Database, cause, shown, url_of
from pycore.relay.storage.versions import SCRIPTS, Migrations


def standing(url: str) -> tuple[str, Path | None]:
    """What would happen to it when a server starts, and the folder of its file, if it has one. Raises `UsageError`."""
    database = Database(url, True)
    try:
        file = file_of(database.engine)
        if file is None:
            return _of_tables(database.engine, url), None
        folder = file.parent
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder} for the database")
        # SQLite writes beside its file as well.
        if not os.access(folder, os.W_OK):
            raise UsageError(f"nothing can be written into {folder}, where the database lies")
        if not file.exists() or file.stat().st_size == 0:
            return "it will be made", folder
        if not os.access(file, os.W_OK):
            raise UsageError(f"the database {file} cannot be written to")
        _is_free(file)
        # The relay's way to open one would write to it.
        reading = sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True))
        try:
            return _of_tables(reading, url), folder
        finally:
            reading.dispose()
    except sa.exc.SQLAlchemyError as error:
        raise UsageError(f"cannot open the database {shown(url)}: {cause(error)}") from error
    finally:
        database.engine.dispose()


def in_file(url: str) -> None:
    """That a SQLite database has a file: one in the memory is another one for each thread. Raises `UsageError`."""
    parsed = url_of(url)
    kept = parsed.database not in (None, "", ":memory:") and "mode=memory" not in url
    if parsed.get_backend_name() == "sqlite" and not kept:
        raise UsageError(f"the database {url} is in no file, so nothing would be kept; one in a file is sqlite:///study.db")


def _is_free(file: Path) -> None:
    """Takes the lock that a store takes, and gives it back. Raises `UsageError`."""
    try:
        uri = f"{file.as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=1.0, isolation_level=None)) as opened:
            opened.execute("BEGIN IMMEDIATE")
            opened.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise UsageError(f"cannot write to the database {file}: {error}") from error


def _of_tables(engine: sa.Engine, url: str) -> str:
    versions = Migrations(engine, True, str, SCRIPTS)
    versions.name = shown(url)
    with engine.connect() as connection:
        found = versions.version_of(connection)
    if found is None:
        return "its tables will be made"
    return "of this version" if found == versions.newest else f"it will be brought from {found} to {versions.newest}"
