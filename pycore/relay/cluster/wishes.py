"""Who waits by a socket of this process, wherever the waiting room is: with what it joined, and since when it waits.

The process with the waiting room may die. A socket that waited there joins anew elsewhere, with what its page had said,
and with how long it has waited: as this process knows it, not as the page says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

JUST_S: Final = 0.1
"""Who waits for less has only come."""


class Wish(NamedTuple):
    """Of one socket."""

    payload: Any
    since: float
    note: str | None
    """What became of the game that was to begin."""


class Wishes:
    """Of one process's sockets. Times are s of the lobby's clock."""

    def __init__(self) -> None:
        self._wishes: dict[str, Wish] = {}

    def __contains__(self, sid: str) -> bool:
        return sid in self._wishes

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._wishes))

    def __getitem__(self, sid: str) -> Wish:
        return self._wishes[sid]

    def add(self, sid: str, payload: Any, since: float, note: str | None = None) -> None:
        """A socket waits since then; if it did so before, since that time."""
        before = self._wishes.get(sid)
        if before is not None:
            since, note = min(since, before.since), note or before.note
        self._wishes[sid] = Wish(payload, since, note)

    def drop(self, sid: str) -> None:
        """It waits no more."""
        self._wishes.pop(sid, None)

    def waited(self, sid: str, now: float) -> tuple[float, str | None] | None:
        """For how long it has waited, s, and its note; None: it has only come."""
        wish = self._wishes.get(sid)
        if wish is None or (wish.note is None and now - wish.since < JUST_S):
            return None
        return round(now - wish.since, 3), wish.note
