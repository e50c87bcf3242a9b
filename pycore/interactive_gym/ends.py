"""The ends of a game: what its server and its participants are told, and what becomes of the data.

Two kinds: after a *finish* the page goes on to the next scene; a *terminal* end stays on the screen, with a
completion code where the study wants one, because the next scene may need the partner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.events import SessionEnded
from pycore.interactive_gym.overlay import Overlay
from pycore.interactive_gym.presence import Presence
from pycore.interactive_gym.scene import Scene
from pycore.session.phases import DONE
from pycore.session.session import Session

QUIET_DELAY: Final = 1.0
"""Seconds for which the server hears nothing of a game before it is told that somebody is excluded, and again before
they leave. It sleeps for 0.1 s over that word while it holds a lock that every input, every signal and every leaving
needs; asked meanwhile, it stands still for all its participants for good."""
NOTICE_TIME: Final = 8.0
"""Seconds for which the page says that the game stopped; it goes on to the next scene meanwhile."""

PARTNER_GONE: Final = "partner_disconnected"
PARTNER_EXCLUDED: Final = "partner_exclusion"
ABANDONED: Final = "abandoned"
HIDDEN: Final = "focus_loss_timeout"
LEFT: Final = ("player_left", "stop", "dropped", "returned", "partition", "no_progress")
"""Reasons of a session that end it as a partner who is gone does."""
REFUSED: Final = ("version", "config", "initial_state", "decode", "ready_timeout")


class Ends:
    """`say(what, **details)` has the page do something, `emit(event, data)` tells the server."""

    def __init__(
        self,
        session: Session,
        scene: Scene,
        session_id: str,
        presence: Presence,
        overlay: Overlay,
        say: Callable[..., None],
        emit: Callable[..., None],
    ) -> None:
        self.completed = 0
        """Episodes that came to their end."""
        self.partial: dict[str, Any] | None = None
        """Why the game ended early: reason, frame, player."""
        self._session = session
        self._scene = scene
        self._session_id = session_id
        self._presence = presence
        self._overlay = overlay
        self._say = say
        self._emit = emit
        self._notice_until = 0.0
        self._exclude_at: float | None = None
        self._leave_at: float | None = None
        self._exclusion = "", ""
        """Why the page's monitor excludes this participant, and what it says."""
        self._code = ""
        """The completion code that was shown."""

    # -- what brings an end about -------------------------------------------------------------------------------

    def exclude(self, now: float, reason: str, message: str) -> None:
        """The page's monitor excludes this participant."""
        if self._session.phase < DONE:
            self._exclusion = reason, message
            self._session.abort(now, "excluded", message)

    def hidden_too_long(self, now: float) -> None:
        """Nobody has looked at this page for longer than the study allows."""
        since = self._presence.focus.hidden_since
        away = 0.0 if since is None else (now - since) * 1000
        self._session.abort(now, HIDDEN, "this page was hidden for too long")
        ended = {**self._presence.ids(), "reason": HIDDEN, "focus_loss_duration_ms": round(away)}
        self._emit("p2p_game_ended", ended)

    def partner_excluded(self, message: str, now: float) -> None:
        """The server says that another player was excluded."""
        partial = self.partial
        if partial is not None and partial["reason"] == PARTNER_GONE:
            # The partner's own word was quicker than the server's, which knows more.
            partial["reason"] = PARTNER_EXCLUDED
            self._overlay.show("ended", "The game has ended", message, self._code)
        self._session.abort(now, PARTNER_EXCLUDED, message)

    def export_asked(self, reason: str) -> None:
        """The server wants the data of a game that it ended."""
        self._note_partial(reason)
        self._say("metrics")
        self._emit("end_game_request_redirect", {"partner_exclusion": True})

    # -- what follows -------------------------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """What is left to say when a game has ended."""
        if self._overlay.kind == "notice" and now >= self._notice_until:
            self._overlay.show("")
        if self._exclude_at is not None and now >= self._exclude_at:
            self._exclude_at = None
            self._leave_at = now + QUIET_DELAY
            reason, _ = self._exclusion
            excluded = {
                **self._presence.ids(),
                "reason": reason,
                "frame_number": self._session.frame,
                "timestamp": round(self._session.wall_ms(now)),
            }
            self._emit("mid_game_exclusion", excluded)
            self._emit("end_game_request_redirect", {"mid_game_exclusion": True, "reason": reason})
        elif self._leave_at is not None and now >= self._leave_at:
            self._leave_at = None
            self._emit("leave_game", {"session_id": self._session_id})

    def ended(self, event: SessionEnded, now: float, *, met: bool) -> None:
        """The session is over; `met`: the players were together at some time."""
        reason = event.reason
        if reason == "complete":
            self._completed(now)
        elif reason == "p2p_timeout" or (not met and (reason == "stop" or (reason == "player_left" and self._told))):
            # Also where the other gave up first: nobody left, the two were never together.
            self._unconnected(event)
        elif reason in LEFT:
            if self._scene.generation.begins_anew and not self._session.socket_up:
                self._cut_off()
            else:
                self._partner_gone(event, now)
        elif reason == "excluded":
            self._leave_excluded(now)
        elif reason == ABANDONED:
            self._note_partial(reason)
            self._say("metrics")
        elif reason == PARTNER_EXCLUDED:
            self._note_partial(reason)
            self._overlay.show("ended", "The game has ended", event.text)
            self._say("finish", terminal=True)
        elif reason == HIDDEN:
            self._note_partial(reason)
            text = self._scene.metadata.get("focus_loss_message") or "You were away from this page for too long."
            self._terminal(reason, str(text), with_code=False)
        elif reason in REFUSED:
            self._note_partial(reason)
            self._say("log", level="error", text=f"[pycore] the game was refused ({reason}): {event.text}")
            self._terminal(reason, f"The game could not begin: {event.text}.", with_code=self._scene.shows_code)
        else:
            self._note_partial(reason)
            self._notice_until = now + NOTICE_TIME
            text = "Something went wrong in the game. What was played is saved."
            self._overlay.show("notice", "The game stopped", text)
            self._say("metrics")
            self._say("finish", terminal=False)

    @property
    def _told(self) -> bool:
        """Whether a peer itself said that it is over, and not for an error: the server's word is of who has left."""
        return any(link.peer.over and link.peer.reason != "error" for link in self._session.links)

    def _completed(self, now: float) -> None:
        session = self._session
        self._presence.all_found(now)
        self._overlay.show("")
        if self._scene.generation.hears_course and session.links:
            total = session.settings.num_episodes
            done = {"game_id": session.game_id, "episode_num": self.completed, "max_episodes": total}
            self._emit("multiplayer_game_complete", done)
        self._say("finish", terminal=False)

    def _unconnected(self, event: SessionEnded) -> None:
        text = event.text if event.reason == "p2p_timeout" else f"no peer-to-peer connection: {event.text}"
        self._say("log", level="error", text=f"[P2P] {text}")
        if self._scene.generation.finds_other_partners:
            self._emit("p2p_validation_failed", {**self._presence.ids(), "reason": "connection_timeout"})
            self._say("quit")
        else:
            self._note_partial(event.reason)
            text = "The players' computers could not be connected."
            self._terminal(event.reason, text, with_code=False)

    def _cut_off(self) -> None:
        """It was we who were gone, for the server, which told the partner so; once back it begins the scene anew.

        A completion code now would be for a participation that goes on.
        """
        self._note_partial(ABANDONED)
        self._say("metrics")
        title = "The connection to the server was lost"
        self._overlay.show("reconnecting", title, "The study goes on when it is back …")

    def _partner_gone(self, event: SessionEnded, now: float) -> None:
        seat = self._gone(event)
        self._note_partial(PARTNER_GONE, None if seat is None else self._session.players[seat])
        self._presence.all_lost(now)
        text = self._scene.metadata.get("partner_disconnect_message") or "The other player has left the session."
        self._terminal(PARTNER_GONE, str(text), with_code=self._scene.shows_code)

    def _gone(self, event: SessionEnded) -> int | None:
        """The seat of whoever is gone: as the session has it, otherwise the one who said goodbye or is silent."""
        session = self._session
        if event.seat is not None:
            return event.seat
        gone = [link.seat for link in session.links if link.peer.over]
        gone = gone or [link.seat for link in session.links if session.is_interrupted(link.seat)]
        return gone[0] if len(gone) == 1 else None

    def _leave_excluded(self, now: float) -> None:
        reason, message = self._exclusion
        self._note_partial(reason)
        self._say("metrics")
        self._overlay.show("ended", "The game has ended", message)
        self._say("finish", terminal=True)
        self._exclude_at = now + QUIET_DELAY

    def _note_partial(self, reason: str, player: Any = None) -> None:
        # Whatever the server says of a partner behind it, a game that came to its end has all.
        if self.partial is None and self._session.reason != "complete":
            self.partial = {"reason": reason, "frame": self._session.published + 1, "player": player}

    def _terminal(self, reason: str, text: str, *, with_code: bool) -> None:
        session = self._session
        self._say("metrics")
        if self._scene.generation.hears_course:
            state = {
                "game_id": session.game_id,
                "scene_id": self._scene.scene_id,
                "reason": reason,
                "frame_number": session.frame,
                "episode_number": self.completed,
            }
            self._emit("participant_terminal_state", state)
        code = ""
        if with_code:
            import uuid  # needs the browser's random numbers, and only here

            code = self._code = str(uuid.uuid4())
            completion = {
                "completion_code": code,
                "reason": f"{reason}_mid_game",
                "frame_number": session.frame,
                "episode_number": self.completed,
            }
            self._emit("waitroom_timeout_completion", completion)
        self._overlay.show("ended", "The session has ended", text, code)
        self._say("finish", terminal=True)
