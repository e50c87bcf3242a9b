"""How late something is by the fault of who carries it, and not by that of others who want the processor.

A test shares its machine with whatever else runs there, an attack among it, which in life has a machine of its own. So
the relay and the game go ahead of all others where the system lets them (who is root may), as on a machine that they
have for themselves. And what is left of waiting for others is taken away: Linux counts for each thread how long it was
ready to run and did not (`schedstat`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

NAMES = ("SCHED_RR", "SCHED_RESET_ON_FORK", "sched_setscheduler")


@contextlib.contextmanager
def ahead(pid: int) -> Iterator[bool]:
    """That process and this one go ahead of all others, but what this one starts does not; whether they may."""
    if not all(hasattr(os, name) for name in NAMES):
        yield False
        return
    before = os.sched_getscheduler(0)
    parameters = os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        # A thread that has the interpreter must not wait for others either.
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(1))
        yield True
    finally:
        os.sched_setscheduler(0, before, parameters)


class Lateness:
    """Of what is sent to a process and comes back to this one."""

    def __init__(self, pid: int) -> None:
        """`pid`: the process that carries it, by its first thread."""
        self.pid = pid
        self._files = [Path(f"/proc/{each}/schedstat") for each in (pid, os.getpid())]

    def now(self) -> tuple[float, float]:
        """The time, and of it what others had, both s."""
        passed, lost = time.monotonic(), 0.0
        for file in self._files:
            if file.exists():
                lost += int(file.read_text().split()[1]) / 1e9
        return passed, lost

    def since(self, then: tuple[float, float]) -> float:
        """Seconds since then that nobody else had."""
        passed, lost = self.now()
        return max(0.0, (passed - then[0]) - (lost - then[1]))
