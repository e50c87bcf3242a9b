"""Files of a site compressed ahead: beside a file that gets smaller lies the same with `.gz`, which the relay sends to
whoever takes it.

The study's own files are left as they are: among them `map.json.gz` may be anything.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Final

SUFFIX: Final = ".gz"
GAME: Final = "game"
"""The folder of a site that has the study's own files."""
KINDS: Final = frozenset((
    ".wasm", ".mjs", ".js", ".json", ".css", ".html", ".svg", ".py", ".tar", ".data", ".onnx", ".zip",
))  # fmt: skip
"""Of files that are not compressed already, as some archives are not: Python's library (`pycore.install.library`)."""
SMALLEST: Final = 1024
"""Bytes of a file that is worth it: smaller ones go into one packet as they are."""
WORTH: Final = 0.9
"""Of its size it has at most, compressed."""


def compress(folder: Path) -> None:
    """Compress what is worth it, unless it is: with the file, not before it. The same file gives the same bytes."""
    for file in sorted(folder.rglob("*")):
        if file.suffix not in KINDS or file.is_relative_to(folder / GAME) or not file.is_file():
            continue
        if file.stat().st_size < SMALLEST or is_compressed(file):
            continue
        data = file.read_bytes()
        packed = gzip.compress(data, 6, mtime=0)
        if len(packed) <= WORTH * len(data):
            target = beside(file)
            half = target.with_name(f"{target.name}.half-{os.getpid()}")
            half.write_bytes(packed)
            half.replace(target)


def beside(file: Path) -> Path:
    """Where a file's compressed form lies."""
    return file.with_name(file.name + SUFFIX)


def is_compressed(file: Path) -> bool:
    """Whether it is there, and not of an earlier version of the file."""
    try:
        return beside(file).stat().st_mtime_ns >= file.stat().st_mtime_ns
    except OSError:
        return False
