"""A real PostgreSQL on this machine, for tests and demonstrations: Debian's, private, on loopback.

    with Postgres(folder) as cluster:
        cluster.database("study")    # a new, empty database, as the URL that pycore takes

What is acknowledged survives the end of its processes, however they end; it does not survive a power cut, and need not.
PostgreSQL refuses to run as root, so root starts it as the user that Debian's package makes for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tools import debian
from tools.process import Failed, Missing
from tools.server import ChildServer

USER = "postgres"
DEBIANS = Path("/usr/lib/postgresql")
SETTINGS = (
    "fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60", "listen_addresses=127.0.0.1",
    "max_wal_size=256MB", "autovacuum=off", "jit=off",
)  # fmt: skip


def find() -> Path | None:
    """The folder of its programs, the newest version's; installed if need be and possible."""
    for attempt in range(2):
        there = [path for path in DEBIANS.glob("*/bin") if (path / "initdb").is_file()]
        if there:
            return max(there, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))
        if (on_path := shutil.which("initdb")) is not None:
            return Path(on_path).resolve().parent
        if attempt or not debian.install("postgresql"):
            break
    return None


def ensure() -> Path:
    """The same, or `Missing`."""
    if (programs := find()) is None:
        raise Missing("no PostgreSQL; install postgresql")
    return programs


class Postgres(ChildServer):
    """One cluster, for as long as the block lasts. Raises `Missing` where there is none to be had."""

    START_TIMEOUT = 30.0

    def __init__(self, folder: Path) -> None:
        super().__init__("postgres", folder)
        self._programs = ensure()
        self._data: Path | None = None
        self._made = 0

    def __enter__(self) -> Self:
        # A folder of its own: the test's may not be entered by another user.
        self._data = Path(tempfile.mkdtemp(prefix="pycore-postgres-"))
        if self._as_user:
            shutil.chown(self._data, USER, USER)
        try:
            words = [*self._as_user, str(self._programs / "initdb"), "--pgdata", str(self._data), "--no-sync"]
            words += ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C"]
            done = subprocess.run(words, capture_output=True, text=True, cwd="/")
            if done.returncode:
                raise Failed(f"initdb ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
            super().__enter__()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        # What is in it is thrown away: nobody is waited for.
        self.end(signal.SIGQUIT)
        self._remove()

    @property
    def _as_user(self) -> list[str]:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"] if root else []

    def _remove(self) -> None:
        if self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None

    def command(self) -> list[str]:
        """On loopback and in the folder of its data alone."""
        options = [word for setting in (*SETTINGS, f"unix_socket_directories={self._data}") for word in ("-c", setting)]
        words = [str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        return [*self._as_user, *words, *options]

    def answers(self) -> bool:
        """Whether it takes connections."""
        ready = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready).returncode == 0

    def url(self, name: str) -> str:
        """Where a database is, for SQLAlchemy."""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{name}"

    def database(self, name: str | None = None) -> str:
        """A new, empty database; its URL."""
        import psycopg

        self._made += 1
        name = name or f"study{self._made}"
        with psycopg.connect(f"postgresql://{USER}@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        return self.url(name)

    def start(self) -> None:
        """As every server; what was killed just now may hold its memory for a moment."""
        for _ in range(50):
            try:
                super().start()
                return
            except Failed as error:
                if "still in use" not in str(error) and "starting up" not in str(error):
                    raise
                self.end(signal.SIGQUIT)
                time.sleep(0.1)
        super().start()

    # What may happen to it

    def kill(self) -> None:
        """Every process of it is killed; `start` begins it again, with what was written."""
        os.kill(self.pid, signal.SIGSTOP)  # it makes no more of them
        for pid in self._children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.end(signal.SIGKILL)

    def freeze(self) -> None:
        """Answer nobody from now on: connections stay open, and what they bring waits."""
        for pid in [self.pid, *self._children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        if self.running:
            for pid in [*self._children(), self.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _children(self) -> list[int]:
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)], capture_output=True, text=True).stdout
        return [int(word) for word in found.split()]
