"""Where a file or a folder is made that takes its place once it is whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path

__all__ = ["half_of"]


def half_of(place: Path) -> Path:
    """A name beside it that no other process makes its own of, nor another thread of this one."""
    return place.with_name(f"{place.name}.half-{os.getpid()}-{threading.get_ident()}")
