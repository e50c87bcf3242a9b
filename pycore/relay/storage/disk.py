"""The disk of the database: nothing that pages have is taken any more before it is full.

What one player may store is bounded, and so is how fast, but strangers make players. So a part of the disk is kept
free: for the rows of the games that run, and for whatever else needs the disk. A page that is refused keeps what it
has, and sends it again; so space that is made while a study runs loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pycore.relay.fields import Refused

LOOK_S: Final = 1.0
"""Between two looks at the disk; what was taken since is counted as if it took its size twice, log and table."""


def free_bytes(folder: Path) -> int:
    """What a user may still write there."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


class Disk:
    """The disk that a folder is on; `folder` None: another machine's, or none."""

    def __init__(self, folder: Path | None, least: int, free: Callable[[Path], int] = free_bytes) -> None:
        self._folder = folder
        self._least = least
        self._free = free
        self._looked: float | None = None
        self._left = 0

    def take(self, size: int, now: float) -> None:
        """So much is to be stored. Raises `Refused`."""
        if not self._looks(now):
            return
        if self._left - 2 * size < self._least:
            raise Refused("disk_full", f"less than {self._least >> 20} MiB of the server's disk are free; try again")
        self._left -= 2 * size

    def is_full(self, now: float) -> bool:
        """Whether nothing more is taken, by the disk itself: while nobody stores, others fill it or make room."""
        return self._looks(now) and self._left < self._least

    def _looks(self, now: float) -> bool:
        """Whether it is known how much is left, now or a moment ago."""
        if self._folder is None:
            return False
        if self._looked is None or now - self._looked >= LOOK_S:
            try:
                self._left = self._free(self._folder)
            except (OSError, AttributeError):  # no such folder any more; or Windows
                self._looked = None
                return False
            self._looked = now
        return True

    def left(self) -> int | None:
        """Bytes that are free now; None: nobody knows."""
        try:
            return None if self._folder is None else self._free(self._folder)
        except (OSError, AttributeError):
            return None
