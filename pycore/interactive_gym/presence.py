"""Who is there: this page's visibility, the others' interruptions, and what the server hears of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pycore.events import PeerStatus
from pycore.interactive_gym.report import Focus, Interruptions
from pycore.interactive_gym.scene import Scene
from pycore.session.phases import PLAYING
from pycore.session.session import Session


class Presence:
    """Follows who of a session is away; `emit(event, data)` tells the server."""

    def __init__(self, session: Session, scene: Scene, emit: Callable[..., None]) -> None:
        self.focus = Focus(scene.focus_timeout)
        self.interruptions = Interruptions(session.players[session.me])
        self._session = session
        self._scene = scene
        self._emit = emit
        self._lost: list[Any] = []
        """How long those were away who are gone, in ms, of whom the server was not told yet."""

    def ids(self) -> dict[str, Any]:
        """Which game and whose page: what nearly every event of the server begins with."""
        session = self._session
        return {"game_id": session.game_id, "player_id": session.players[session.me]}

    @property
    def anybody_away(self) -> bool:
        """Whether a player is not heard of."""
        return bool(self.interruptions.seats)

    @property
    def pauses(self) -> bool:
        """Whether nothing is to be stepped, because the study does not go on while somebody is hidden."""
        session = self._session
        if not self._scene.pauses_for_hidden or session.phase != PLAYING:
            return False
        return self.focus.hidden_since is not None or any(link.hidden for link in session.there)

    def follow(self, event: PeerStatus, now: float) -> None:
        """A player is interrupted, or back."""
        session = self._session
        if event.status == "interrupted":
            wall, frame = session.wall_ms(now), session.frame
            self.interruptions.begin(event.seat, now, wall, frame)
            self._tell("p2p_connection_lost", frame_number=frame, timestamp=round(wall))
        elif event.status == "gone":
            if event.seat in self.interruptions.seats:
                # The server would end the game at that word; the others may go on, or come to an end of their own.
                self._lost.append(self.interruptions.end(event.seat, now, session.wall_ms(now), "timeout"))
        elif event.seat in self.interruptions.seats and not session.is_interrupted(event.seat):
            self._found(event.seat, now)

    def all_found(self, now: float) -> None:
        """The game came to its end: it was the last packets that passed again."""
        for seat in list(self.interruptions.seats):
            self._found(seat, now)

    def all_lost(self, now: float) -> None:
        """Whoever is away does not come back."""
        for seat in list(self.interruptions.seats):
            self._lost.append(self.interruptions.end(seat, now, self._session.wall_ms(now), "timeout"))
        for duration in self._lost:
            self._tell("p2p_reconnection_timeout", pause_duration_ms=duration)
        self._lost.clear()

    def close(self, now: float) -> None:
        """The game is over for another reason: whoever is away was so up to here. The server is told of that one."""
        for seat in list(self.interruptions.seats):
            self.interruptions.end(seat, now, self._session.wall_ms(now), "timeout")

    def _found(self, seat: int, now: float) -> None:
        duration = self.interruptions.end(seat, now, self._session.wall_ms(now), "success")
        self._tell("p2p_reconnection_success", duration_ms=duration)

    def _tell(self, event: str, **details: Any) -> None:
        if self._scene.generation.hears_course:
            self._emit(event, {**self.ids(), **details})
