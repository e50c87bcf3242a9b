"""How late something is by the fault of who carries it: the time that passed, but for that in which others had the
processor.

A test shares its machine with whatever else runs there, an attack among it, which in life has a machine of its own.
Linux counts for each thread how long it was ready to run and did not (`schedstat`). What remains is what the relay did
meanwhile, what it waited for, and what it waited with.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


class Lateness:
    """Of what is sent to a process and comes back to this one."""

    def __init__(self, pid: int) -> None:
        """`pid`: the process that carries it, by its first thread."""
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
