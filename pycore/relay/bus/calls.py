"""What carries messages between the processes of one server: four calls, behind which any broker can stand.

A message is text for one process. It may be lost, and comes at most once; messages of one process to another keep their
order as long as none is lost. What must arrive is numbered and sent again by whoever sends
(`pycore.relay.cluster.way`), so a broker that ends and begins again costs time and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Handler = Callable[[str], str | None]
"""Is given what comes for a process, on its event loop; what it returns is the answer, if one was asked for."""


class Bus(Protocol):
    """How one process reaches the others."""

    async def open(self, process: str, handler: Handler) -> None:
        """Have what is sent to a process given to its handler. Raises `UsageError` where there is no broker."""

    def send(self, process: str, message: str) -> bool:
        """Send without waiting; false: it cannot go out at the moment."""

    async def request(self, process: str, message: str, timeout_s: float) -> str | None:
        """Send, and return the answer; None: none came in time."""

    async def close(self) -> None:
        """Hear nothing any more."""
