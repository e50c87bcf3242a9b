"""What a relay asks its part of a cluster, if it has one: which of its sockets other processes decide for.

A relay that is alone has none, and none of this costs it anything.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from pycore.relay.storage.store import Fence
from pycore.relay.transport.outgoing import Outgoing

Reply = dict[str, Any]
Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""Answers another process's question from memory; both are JSON, and an answer has less than a megabyte."""


class Elsewhere(Protocol):
    """One process's part of a cluster. A socket of another process is called `SOCKET@PROCESS` here."""

    process: str
    """What the others know this one by."""

    async def open(self) -> None:
        """Be one of the processes. Raises `UsageError`."""

    async def run(self) -> None:
        """Live, until it is cancelled."""

    async def close(self) -> None:
        """Be none any more: others take up what was here."""

    def drains(self) -> bool:
        """The process is about to end: who waits, waits with another one; false: there is none."""

    # The study as a whole

    async def opens(self, is_open: bool) -> None:
        """Let new games begin, or none, in all processes, those that begin later among them. Raises `StoreFailed`."""

    def on(self, kind: str, answer: Answer) -> None:
        """Have questions of other processes answered, those whose `t` is that kind."""

    async def ask_all(
        self, question: dict[str, Any], of: Sequence[str] | None = None
    ) -> dict[str, dict[str, Any] | None]:
        """What the other processes answer, or those `of` them, by process; None: nothing in time."""

    # Sockets

    def own(self) -> int:
        """How many sockets are here, without those of other processes."""

    async def connects(self, sid: str, auth: Any) -> None:
        """A new socket is there. Raises `Refused`."""

    def disconnects(self, sid: str, goes: bool) -> None:
        """A socket is gone; `goes`: its page with it."""

    def event(self, event: str, sid: str, arguments: Sequence[Any]) -> Reply | Coroutine[Any, Any, Reply] | None:
        """An event of a socket: the acknowledgement, if another process decides for it; None: this one does."""

    async def joins(self, sid: str, session: str | None, payload: Any, returns: bool) -> Reply | None:
        """A socket joins: the acknowledgement, if it waits or plays elsewhere; None: here. `returns`: it wants back to
        its game alone. Raises `Refused`."""

    async def waits(self, sid: str, payload: Any, waited_s: float | None) -> Reply:
        """A socket that has joined here is to wait where the waiting room is: the acknowledgement. `waited_s`: how long
        it has waited for the game that did not begin. Raises `Refused`."""

    def parts(self, payload: Any) -> None:
        """A page says that it goes, wherever it played."""

    # Games

    async def claim(self, sid: str, game_id: str) -> bool | None:
        """Have this process own a game that the database knows; false: another one does, where that socket plays; None:
        the database does not say."""

    async def seek(self, sid: str, session: str) -> None:
        """Find out whether another process has a game of a socket's session, a digest, that no database knows yet."""

    def places(self, out: list[Outgoing]) -> list[Outgoing]:
        """What is to be sent, but for games that just began and are another process's."""

    def sends(self, item: Outgoing) -> None:
        """Something for a socket that is not here."""

    def fence(self, game_id: str) -> Fence:
        """By what right a game is written here."""

    def fenced(self, game_id: str) -> None:
        """A game is another process's by now."""

    def finished(self, game_id: str, player: str, load: int | None, outcome: str | None = None) -> None:
        """A load of a player's page has stored the end of its session here, and its game is not here; `outcome`: what
        that came to, where it is written down."""

    async def former(self, game_id: str, session: str) -> str | None:
        """The player whose seat a session, a digest, had before another window of the same person: only the process
        with the game knows. None: nobody's."""

    def stored(self, sid: str, game_id: str, player: str, size: int, said: Mapping[str, Any] | None) -> None:
        """A socket has stored something of a game, bytes; `said`: what of it the list of games shows."""

    def is_elsewhere(self, sid: str) -> bool:
        """Whether another process decides for a socket."""
