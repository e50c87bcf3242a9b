"""Opens a database, SQLite or PostgreSQL, and bounds what it may take.

SQLite waits for a lock as long as its URL says (`?timeout=`, five seconds by default). PostgreSQL is another machine's,
perhaps, and may be gone without a word: a connection is made within `CONNECT_S`; whatever a relay asks has its time,
which the server is told of, and where the server does not keep to it, the connection is cut from here. A thread that
waits for it goes on then with an error, so nothing that waits for the database waits for ever, the end of the process
included.

Commands that read a study's data have no such bound: they may ask for gigabytes.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pycore.errors import UsageError
from pycore.relay.storage.versions import transactional

PATIENCE_S = 10.0
"""What PostgreSQL may take for one thing, locks that others hold included. A store is a few milliseconds' work."""
GRACE_S = 1.0
"""How much longer it has to say itself that the time is over, before the connection is cut."""
CONNECT_S = 3
END_S = 3.0
"""What is left to be done when the process ends gets so long in all."""


class Database:
    """One database, and the connections that are open to it."""

    def __init__(self, url: str, create: bool) -> None:
        """`create`: for a relay, which may make and write it. Raises `UsageError`."""
        self.engine = _engine(url, create)
        self._bound = PATIENCE_S + GRACE_S if create and self.engine.dialect.name == "postgresql" else None
        self._open: dict[int, Any] = {}
        """By id, since a driver's connection may not be hashable."""
        if self._bound is not None:
            sa.event.listen(self.engine, "connect", lambda opened, _: self._open.update({id(opened): opened}))
            for end in ("close", "close_detached"):
                sa.event.listen(self.engine, end, lambda closed, *_: self._open.pop(id(closed), None))

    @contextlib.contextmanager
    def bounded(self) -> Iterator[None]:
        """What is done inside fails when its time is over."""
        if self._bound is None:
            yield
            return
        timer = threading.Timer(self._bound, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def cut(self) -> None:
        """End every connection from here: who waits for one has an error, and the next question opens another."""
        for connection in list(self._open.values()):
            # The driver's own thread holds the connection; its socket can be shut down beside it.
            with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as way:
                way.shutdown(socket.SHUT_RDWR)

    def ends(self, thread: ThreadPoolExecutor) -> None:
        """Wait for what a thread has to do yet, as long as there is time for it; then close."""
        if self._bound is None:
            thread.shutdown(wait=True)
        else:
            rest = threading.Thread(target=thread.shutdown, daemon=True)
            rest.start()
            rest.join(END_S)
            if rest.is_alive():
                thread.shutdown(wait=False, cancel_futures=True)
                self.cut()
                rest.join(END_S)
        self.engine.dispose()


def cause(error: Exception) -> str:
    """What a database said, in a line."""
    original = getattr(error, "orig", None)
    return str(original or error).strip().splitlines()[0] if str(original or error).strip() else repr(error)


def url_of(url: str) -> sa.URL:
    """The URL of a database, read. Raises `UsageError` for what is none."""
    try:
        return sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        # A port that is no number is a ValueError.
        raise UsageError(f"{shown(url)} is not a database URL; one for a file is sqlite:///pycore.db") from error


def shown(url: str) -> str:
    """The URL without its password, also of one that cannot be read."""
    try:
        return sa.make_url(url).render_as_string(hide_password=True)
    except (sa.exc.ArgumentError, ValueError):
        return repr(re.sub("//([^:/@]*):.*@", "//\\1:***@", url))


def _engine(url: str, create: bool) -> sa.Engine:
    parsed = url_of(url)
    try:
        name = parsed.get_backend_name()
        if name not in ("sqlite", "postgresql"):
            raise UsageError(
                f"the database {shown(url)} is neither SQLite nor PostgreSQL; "
                "give sqlite:///file.db or postgresql+psycopg://user:password@host/name"
            )
        if name == "postgresql":
            return _postgresql(parsed, create)
        file = parsed.database
        if not create and file and file != ":memory:" and not Path(file).is_file():
            raise UsageError(f"there is no database file {file}")
        engine = sqlite_of(parsed)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the driver for {shown(url)} is not installed: {error.name}; "
            "PostgreSQL's is written postgresql+psycopg:// and needs: pip install 'interactive-gym-pycore[postgres]'"
        ) from error
    sa.event.listen(engine, "connect", _sqlite_pragmas)
    transactional(engine)
    return engine


def sqlite_of(url: sa.URL) -> sa.Engine:
    """The engine of a SQLite database. Raises `UsageError` for what stands behind its ? and is not known, or no value:
    it would be left out, and nobody would wait as long as it says."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", sa.exc.SAWarning)
            return sa.create_engine(url)
    except (TypeError, ValueError, sa.exc.SAWarning) as error:
        said = f"{error}".partition("; ")[0]
        what = f"the database {shown(str(url))} has something behind its ? that is not read"
        raise UsageError(f"{what}: {said}") from error


def _postgresql(url: sa.URL, create: bool) -> sa.Engine:
    # What the URL itself says of these comes first.
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_S, "application_name": "pycore"}
    if create and "options" not in url.query:
        limit = round(1000 * PATIENCE_S)
        arguments["options"] = f"-c statement_timeout={limit} -c idle_in_transaction_session_timeout={limit}"
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    return sa.create_engine(url, connect_args=arguments, pool_pre_ping=True)


def _sqlite_pragmas(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
    finally:
        cursor.close()
