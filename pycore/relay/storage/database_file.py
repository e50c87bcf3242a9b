"""The file of a SQLite database: whether it is still the one that was opened.

Who deletes or replaces the file of a running relay leaves it with one that nobody can open any more: everything is
written, and read back, and gone when the process ends. So it is looked at before a store is acknowledged.
"""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa


def file_of(engine: sa.Engine) -> Path | None:
    """The file of a SQLite database, absolute; None for one in memory, and for PostgreSQL."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or name in (None, "", ":memory:") or str(name).startswith("file:"):
        return None
    return Path(str(name)).absolute()


class DatabaseFile:
    """The file as it was when this was made."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._was = self._now()

    def _now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def fault(self) -> str | None:
        """What is wrong with it, and what to do; None: it is there."""
        if self._now() == self._was:
            return None
        return (
            f"the file {self._file} was deleted or replaced while the server runs, and what is stored now would be "
            "lost; put it back, or start the server again: pages keep what was not taken, and send it again"
        )
