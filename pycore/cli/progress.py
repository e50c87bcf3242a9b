"""Progress of what takes long: on standard error, and only where somebody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Final, TypeVar

T = TypeVar("T")
EVERY_S: Final = 0.1
"""So often the number is brought up to date: each time costs more than many an item."""


def tracked(items: Iterable[T], what: str) -> Iterator[T]:
    """The items, with the number of those that are done shown meanwhile on a terminal, and of how many where that is
    known."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    total = len(items) if isinstance(items, Sized) else None
    count = "{task.completed:,}" if total is None else "{task.completed:,} of {task.total:,}"
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn(count), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        shown = time.monotonic()
        for number, item in enumerate(items, 1):
            yield item
            now = time.monotonic()
            if now - shown >= EVERY_S:
                progress.update(task, completed=number)
                shown = now
