"""A copy of a database while a server writes to it, whole or not at all.

Copying the file by hand loses what is in the write-ahead log, which may be everything. SQLite's own way of copying
takes the state at one moment, and keeps nobody from writing meanwhile. The copy is one file, and is checked before it
has its name.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from pycore.errors import UsageError
from pycore.relay.storage.database_file import file_of
from pycore.relay.storage.databases import shown, sqlite_of, url_of


def back_up(url: str, target: Path) -> int:
    """Copy a SQLite database; the bytes of the copy. Raises `UsageError`, and for PostgreSQL with what to use."""
    parsed = url_of(url)
    if parsed.get_backend_name() != "sqlite":
        plain = parsed.set(drivername="postgresql").render_as_string(hide_password=True)
        raise UsageError(
            f"{shown(url)} is copied by PostgreSQL's own tool, while the server runs: "
            f"pg_dump --format=custom --file={target} '{plain}' ; pg_restore --create reads it back"
        )
    file = file_of(sqlite_of(parsed))
    if file is None or not file.is_file():
        raise UsageError(f"there is no database file {parsed.database}")
    if target.exists():
        raise UsageError(f"{target} is there already, and a backup replaces nothing; give another name")
    try:
        return _copy(file, target)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"cannot copy {file} to {target}: {error}; there is no copy") from error


def _copy(file: Path, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    os.close(handle)
    part = Path(name)
    try:
        with (
            closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)) as source,
            closing(sqlite3.connect(part)) as copy,
        ):
            source.backup(copy)
            # Without a log beside it, so that one file is all of it.
            copy.execute("PRAGMA journal_mode=DELETE")
            (found,) = copy.execute("PRAGMA quick_check").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(f"the copy is damaged: {found}")
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        _name(part, target)
        return target.stat().st_size
    finally:
        part.unlink(missing_ok=True)


def _name(part: Path, target: Path) -> None:
    """Give a file its name, never over what came there meanwhile. Raises OSError."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # FAT and exFAT, as a stick has it, and some folders of other machines have one name for a file.
        with target.open("xb"):
            pass
        try:
            os.replace(part, target)
        except OSError:
            target.unlink(missing_ok=True)
            raise
