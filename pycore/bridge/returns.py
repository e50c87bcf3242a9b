"""Pages that were loaded again in the middle of a game, this one or another player's, as a page hears and shows it.

The server says whose socket is away and whose is there again; the session makes something of it, and says who returned.
What this page stepped again before it played was never shown: its stores and metrics say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pycore.bridge.stores import Stores
from pycore.events import CaughtUp, News, Returned, SessionEnded
from pycore.session.session import Session

TOLD: Final = ("player_gone", "player_away", "player_back")


def again(event: News, session: Session) -> dict[str, bool]:
    """What the end of a session says besides where the others play on: this page comes back as another load of itself,
    which it begins at once."""
    ends = isinstance(event, SessionEnded) and event.reason == "dropped"
    return {"again": True} if ends and session.settings.reopens else {}


class Returns:
    """One session's."""

    def __init__(self, session: Session, seat_of: Mapping[str, int]) -> None:
        self._session = session
        self._seat_of = seat_of
        self._unseen: list[dict[str, int]] = []
        self._returned: list[dict[str, Any]] = []

    def told(self, event: str, data: Any, now: float) -> None:
        """The server says who is gone, away or back; other events are not for us. Raises what a malformed message
        does."""
        session = self._session
        if event not in TOLD or str(data["game_id"]) != session.game_id:
            return
        if event == "player_gone":
            session.players_gone([self._seat_of[str(player)] for player in data["players"]], now)
            return
        seat = self._seat_of[str(data["player_id"])]
        if seat == session.me:
            return
        if event == "player_away":
            session.player_away(seat, now)
        else:
            session.player_back(seat, now)

    def follow(self, event: News, stores: Stores) -> None:
        """News of the session; what it stores begins when it plays."""
        if isinstance(event, CaughtUp):
            stores.caught_up(event.episode, event.frames)
            if event.frames:
                self._unseen.append({"episode": event.episode, "from": 0, "to": event.frames - 1})
        elif isinstance(event, Returned):
            player = str(self._session.players[event.seat])
            of = {"playerId": player, "episode": event.episode, "frame": event.frame, "load": event.load}
            self._returned.append(of)

    def export(self) -> dict[str, Any]:
        """By the names of the metrics."""
        return {"unseen": [*self._unseen], "returns": [*self._returned]}
