"""The version of a database: an older one is brought up to date when it is opened, one of another kind is refused.

Everything happens in one transaction that nobody else writes beside: an interrupted migration leaves the database
as it was, and of two processes the second one finds the work done. SQLite takes part in that only if the transaction is
begun explicitly, which `transactional` sees to: Python's driver begins none for what makes or changes tables. Before a
SQLite file is changed it is copied.

A database without a version is new if there is nothing in it, and of the first version if it has that one's tables: it
was made before there were versions.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

from pycore.errors import UsageError
from pycore.version import __version__

TABLE: Final = "pycore_version"
"""Has the version, one row. A name of our own: `alembic_version` is anybody's."""
FIRST: Final = "0001"
SCRIPTS: Final = Path(str(importlib.resources.files("pycore.relay.storage") / "migrations"))

PATIENCE_MS: Final = 60_000
"""So long a process waits while another one brings the database up to date."""
_LOCK: Final = 0x7079636F7265
"""PostgreSQL's advisory lock for the same: "pycore" in bytes."""
_IMMEDIATE: Final = "pycore_immediate"
_ALONE: Final = threading.Lock()


def transactional(engine: sa.Engine) -> None:
    """Have an engine's transactions begun explicitly, so that making and changing tables is part of them."""

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    def begun(connection: sa.Connection) -> None:
        immediate = connection.get_execution_options().get(_IMMEDIATE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begun)


def bring_up_to_date(
    engine: sa.Engine, *, create: bool, tell: Callable[[str], object], scripts: Path = SCRIPTS
) -> None:
    """Make the database one of the newest version. Raises `UsageError`, saying what to do; then nothing has changed.

    Without `create` an empty database is refused, and one that can be read as it is is not written to. `tell` is given
    what was done to a database that was there already.
    """
    migrations = Migrations(engine, create, tell, scripts)
    with engine.connect() as connection:
        found = migrations.version_of(connection)
        stamped = sa.inspect(connection).has_table(TABLE)
    if found == migrations.newest and (stamped or not create):
        return
    try:
        with migrations.alone() as connection:
            migrations.migrate(connection)
    except sa.exc.SQLAlchemyError as error:
        raise UsageError(
            f"the database {migrations.name} is of version {found or 'none'} and cannot be brought to "
            f"{migrations.newest}: {getattr(error, 'orig', None) or error}; nothing in it was changed. It must be "
            "possible to write to it; a copy in another place will do"
        ) from error


class Migrations:
    """One database on its way to the newest version."""

    def __init__(self, engine: sa.Engine, create: bool, tell: Callable[[str], object], scripts: Path) -> None:
        self._engine = engine
        self._create = create
        self._tell = tell
        self._scripts = Scripts.of(scripts)
        self._known = self._scripts.known
        self.newest = self._known[0]
        self.name = engine.url.render_as_string(hide_password=True)

    def version_of(self, connection: sa.Connection) -> str | None:
        """The version, None for a new database. Raises `UsageError` for one of another kind, or from the future."""
        inspected = sa.inspect(connection)
        tables = set(inspected.get_table_names())
        if TABLE in tables:
            found = connection.execute(sa.text(f"SELECT version_num FROM {TABLE}")).scalar()
            if found not in self._known:
                raise UsageError(
                    f"the database {self.name} is of version {found}; this pycore ({__version__}) knows versions up to "
                    f"{self.newest}. Open it with the pycore that wrote it, or a newer one: install that as "
                    "this one was installed"
                )
            return str(found)
        if not tables:
            self._refuse_unless_created()
            return None
        first = self._scripts.first()
        there = first.keys() & tables
        # A PostgreSQL database may be shared with others' tables, a SQLite file belongs to one program.
        if not there and connection.dialect.name != "sqlite":
            self._refuse_unless_created()
            return None
        wrong = sorted(first.keys() - tables) if there else sorted(tables)[:3]
        what = "lacks the tables" if there else "has tables of something else:"
        if not wrong:
            types = connection.dialect.name == "sqlite"
            wrong = [name for name in first if _columns(inspected, name, types) != _cut(first[name], types)]
            what = "has other columns in the tables"
        if wrong:
            raise UsageError(
                f"the database {self.name} is none of this relay's: it {what} {', '.join(wrong)}, and has no version; "
                "give another file or database"
            )
        return FIRST

    def _refuse_unless_created(self) -> None:
        """There is nothing of ours in it."""
        if not self._create:
            raise UsageError(f"the database {self.name} has no tables of pycore's; give the one of the relay")

    @contextlib.contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """A transaction in which nobody else changes the database."""
        with self._engine.connect() as connection:
            if connection.dialect.name != "sqlite":
                with connection.begin():
                    # As long as it takes, whatever a relay gives its stores; also between two steps, on a busy machine.
                    for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
                        connection.execute(sa.text(f"SET LOCAL {limit} = 0"))
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                    yield connection
                return
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            (before,) = driver.execute("PRAGMA busy_timeout").fetchone()
            driver.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
            try:
                with connection.execution_options(**{_IMMEDIATE: True}).begin():
                    yield connection
            finally:
                driver.execute(f"PRAGMA busy_timeout = {before}")

    def migrate(self, connection: sa.Connection) -> None:
        """Look again, copy, migrate."""
        found = self.version_of(connection)
        if found is not None and found != self.newest:
            kept = _copied(self._engine, self.newest)
            where = f"a copy of it as it was is {kept}" if kept is not None else "there is no copy of it"
            self._tell(f"the database {self.name} is brought from version {found} to {self.newest}; {where}")
        if found is not None and not sa.inspect(connection).has_table(TABLE):
            self._scripts.stamp(connection, found)
        self._scripts.upgrade(connection, self.newest)


Columns = dict[str, tuple[str, bool, bool]]
"""By name: the type, whether it may be null, whether it is of the key."""


class Scripts:
    """A folder of Alembic's scripts, each of which is loaded once: that takes longer than to run it."""

    def __init__(self, folder: Path) -> None:
        self._config = Config()
        # The interpolation of a configuration file is not wanted here.
        self._config.set_main_option("script_location", str(folder).replace("%", "%%"))
        self._directory = ScriptDirectory.from_config(self._config)
        self.known = [each.revision for each in self._directory.walk_revisions()]
        """The versions, the newest first."""
        self._first: dict[str, Columns] | None = None

    @staticmethod
    def of(folder: Path) -> Scripts:
        """Those of the package are loaded once in a process."""
        return _packaged() if folder == SCRIPTS else Scripts(folder)

    def upgrade(self, connection: sa.Connection, version: str) -> None:
        """Run the scripts from the database's version up to this one."""
        self._run(connection, lambda found, _context: self._directory._upgrade_revs(version, found))

    def stamp(self, connection: sa.Connection, version: str) -> None:
        """Only note that the database has this version."""
        self._run(connection, lambda found, _context: self._directory._stamp_revs(version, found))

    def _run(self, connection: sa.Connection, steps: Callable[[Any, Any], Any]) -> None:
        # As `alembic.command` does it, which loads all scripts anew each time. What they find is one for the process.
        with _ALONE, EnvironmentContext(self._config, self._directory, fn=steps):
            self._config.attributes["connection"] = connection
            self._directory.run_env()

    def first(self) -> dict[str, Columns]:
        """The tables of the first version, as they are found in a database that its script made."""
        if self._first is None:
            engine = sa.create_engine("sqlite://")
            with engine.begin() as connection:
                self.upgrade(connection, FIRST)
                inspected = sa.inspect(connection)
                tables = [name for name in inspected.get_table_names() if name != TABLE]
                self._first = {name: _columns(inspected, name) for name in tables}
            engine.dispose()
        return self._first


@cache
def _packaged() -> Scripts:
    return Scripts(SCRIPTS)


def _columns(inspected: sa.Inspector, table: str, types: bool = True) -> Columns:
    keys = inspected.get_pk_constraint(table)["constrained_columns"]
    found = {
        column["name"]: (str(column["type"]), bool(column["nullable"]), column["name"] in keys)
        for column in inspected.get_columns(table)
    }
    return _cut(found, types)


def _cut(columns: Columns, types: bool) -> Columns:
    """Without the types, which each kind of database has names of its own for."""
    return {name: (type_ if types else "", null, key) for name, (type_, null, key) in columns.items()}


def _copied(engine: sa.Engine, newest: str) -> Path | None:
    """A copy of a SQLite file beside it, whole or not at all; None for a database that is no file."""
    if engine.dialect.name != "sqlite" or engine.url.database in (None, "", ":memory:"):
        return None
    file = Path(str(engine.url.database))
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        os.close(handle)
        try:
            with contextlib.closing(sqlite3.connect(file)) as source, contextlib.closing(sqlite3.connect(name)) as copy:
                # What is in the write-ahead log is copied with it.
                source.backup(copy)
            target, number = file.with_name(f"{file.name}.before-{newest}"), 1
            while target.exists():
                number += 1
                target = file.with_name(f"{file.name}.before-{newest}-{number}")
            with open(name, "rb+") as stream:
                os.fsync(stream.fileno())
            os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(
            f"the database {file} must be brought to version {newest}, and cannot be copied before: {error}; nothing "
            "in it was changed. Make room beside it, or copy it to a place where there is"
        ) from error
    return target
