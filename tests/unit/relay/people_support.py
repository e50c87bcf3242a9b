"""A lobby whose people are told apart, with the time fed by hand."""

from __future__ import annotations

from typing import Any

from pycore.relay import Limits
from pycore.relay.fields import Refused
from pycore.relay.lobby import Lobby
from pycore.relay.people.admission import Admission
from pycore.relay.people.recruiting import Recruiting
from pycore.relay.transport.outgoing import Outgoing


class People:
    """Pages of people, by socket: what each was told, and what becomes of time."""

    def __init__(
        self, *, seats: int = 2, settings: dict[str, Any] | None = None, limits: Limits | None = None,
        admission: Admission | None = None, **recruiting: Any,
    ) -> None:  # fmt: skip
        self.lobby = Lobby(
            players=range(seats), settings={"return_within": 60} if settings is None else settings,
            limits=limits or Limits(), recruiting=Recruiting.of(recruiting, admission),
        )  # fmt: skip
        self.now = 0.0
        self.told: dict[str, list[tuple[str, Any]]] = {}

    def take(self, out: list[Outgoing]) -> None:
        for item in out:
            self.told.setdefault(item.sid, []).append((item.event, item.data))

    def come(self, sid: str, query: str = "", session: str = "", **wish: Any) -> dict[str, Any]:
        """A page connects, if it has not, and asks for a game; the acknowledgement, or the code of the refusal."""
        if sid not in self.lobby._connections:
            auth = {"session_id": session or f"session of {sid}", "page": f"page of {sid}", "query": query}
            self.take(self.lobby.connect(sid, auth, self.now))
        wish = {"session_id": session or f"session of {sid}", "query": query, **wish}
        try:
            reply, out = self.lobby.join(sid, wish, self.now, self.now)
        except Refused as refused:
            return {"status": "error", "code": refused.code}
        self.take(out)
        return reply

    def goes(self, sid: str) -> None:
        """Its socket is gone."""
        self.take(self.lobby.disconnect(sid, self.now))

    def leave(self, sid: str) -> None:
        """It leaves on purpose."""
        self.take(self.lobby.leave(sid, self.now, self.now))

    def ready(self, sid: str) -> bool:
        """It answers that it is there; whether it had been asked."""
        reply, out = self.lobby.ready(sid, self.now, self.now)
        self.take(out)
        return bool(reply["asked"])

    def until(self, now: float) -> None:
        """Time goes by, a quarter of a second at a time, as the server has it; all sockets say that they are there."""
        while self.now < now:
            self.now = min(now, self.now + 0.25)
            for sid in list(self.lobby._connections):
                self.lobby.ping(sid, self.now)
            self.take(self.lobby.tick(self.now, self.now))

    def events(self, sid: str) -> list[str]:
        """What it was told since it was asked for last, by name."""
        return [event for event, _ in self.told.pop(sid, [])]

    def codes(self, sid: str) -> list[str]:
        """The errors among it, by code."""
        return [data["code"] for event, data in self.told.get(sid, []) if event == "pycore_error"]

    def game_of(self, sid: str) -> str | None:
        """The game that it plays, by id."""
        room = self.lobby._connections[sid].room
        return None if room is None else room.game_id
