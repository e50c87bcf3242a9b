"""Whether the relay can do its work: that it lives is another question, which `/api/health` answers.

A relay that lives and is not ready should be sent nobody new, and not be restarted for it: what runs goes on, and what
pages could not store they send again. It is not ready while something *holds* it (it is drained), and while its
database does not take what is written. That is tried, a row at most once in `KEPT_S` whoever asks how often, and with a
bound: a database that hangs is one that does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from pycore.relay.storage.store import StoreFailed

WITHIN_S: Final = 2.0
"""What a database may take to answer. Stores that wait before the question are part of it."""
KEPT_S: Final = 1.0
"""So long an answer of the database is believed."""


class Readiness:
    """One relay's. `ask` raises `StoreFailed`, or returns, or hangs."""

    def __init__(self, ask: Callable[[], Awaitable[None]], *, within_s: float = WITHIN_S) -> None:
        self._ask = ask
        self._within_s = within_s
        self._holds: dict[str, Callable[[], bool]] = {}
        self._asked: asyncio.Task[None] | None = None
        self._said: tuple[float, str | None] | None = None

    def hold(self, reason: str, holds: Callable[[], bool]) -> None:
        """Not ready for that reason whenever `holds()`; a word, as `draining`."""
        self._holds[reason] = holds

    @property
    def answered(self) -> bool:
        """Whether the database took what was written when that was tried last, or has not been asked yet."""
        return self._said is None or self._said[1] is None

    async def reasons(self, now: float) -> list[str]:
        """Why the relay is not ready; nothing if it is. `now` in s of any clock that does not go back."""
        found = [reason for reason, holds in self._holds.items() if holds()]
        why = await self._database(now)
        return found if why is None else [*found, why]

    async def _database(self, now: float) -> str | None:
        if self._said is not None and now - self._said[0] < KEPT_S:
            return self._said[1]
        if self._asked is None:
            # One question at a time: whoever else asks meanwhile waits for its answer, and not in front of the stores.
            self._asked = asyncio.ensure_future(self._ask())
        asked = self._asked
        done, _ = await asyncio.wait({asked}, timeout=self._within_s)
        if not done:
            why: str | None = f"the database has not answered for {self._within_s:g} s"
        else:
            error = None if asked.cancelled() else asked.exception()
            if error is not None and not isinstance(error, StoreFailed):
                raise error
            why = None if error is None else str(error)
            self._asked = None
        self._said = (now, why)
        return why
