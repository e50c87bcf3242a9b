"""Who waited at another process of the server, and is on the way here: everybody has the place that they had.

A process that takes the waiting room over knows from the database who waited, and since when; one that sends somebody
on says it. Those who have waited longest would be paired last if whoever is there first were served first: so for a
moment nobody is paired as long as somebody is missing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

FORGET_S: Final = 60.0
"""Who has not come then is somebody new."""
HOLD_S: Final = 3.0
"""For so long nobody is paired: pages whose socket ended connect again within a second or two."""


class Had(NamedTuple):
    """A place that somebody had."""

    since: float
    note: str | None
    until: float
    """It is forgotten then."""


class Former:
    """Those who are expected, by the digests of their sessions. Times are s of the lobby's clock."""

    def __init__(self) -> None:
        self._had: dict[str, Had] = {}
        self._held_until = float("-inf")

    def __contains__(self, session: str) -> bool:
        return session in self._had

    def add(self, session: str, since: float, now: float, note: str | None = None, *, written: bool = False) -> None:
        """One more. `note`: what became of the game that was to begin. `written`: by the database, which goes before
        what a process said, since it measured all alike; otherwise the first word counts."""
        before = self._had.get(session)
        if before is not None:
            since, note = since if written else before.since, note or before.note
        self._had[session] = Had(since, note, now + FORGET_S)

    def hold(self, now: float) -> None:
        """Those who are expected now come first."""
        self._held_until = now + HOLD_S

    def take(self, session: str) -> Had | None:
        """Somebody has come; None: nobody who was expected."""
        return self._had.pop(session, None)

    def missing(self, now: float) -> bool:
        """Whether somebody is waited for."""
        return bool(self._had) and now < self._held_until

    def stood(self, seconds: float) -> None:
        """The server stood for so long: nobody could come meanwhile."""
        self._had = {session: had._replace(until=had.until + seconds) for session, had in self._had.items()}
        self._held_until += seconds

    def look(self, now: float) -> None:
        """What time brings: who has not come for long is expected no more."""
        for session in [session for session, had in self._had.items() if now >= had.until]:
            del self._had[session]
