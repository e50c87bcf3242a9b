"""The course of a game as the page's server and its participants are told: validation, interruption, the ends.

Decides which of the page's events go to the server, which overlay is shown, and what becomes of the data when a game
ends early. The frames are none of its business.

Two kinds of end: after a *finish* the page goes on to the next scene; a *terminal* end stays on the screen, with a
completion code where the study wants one, because the next scene may need the partner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.events import EpisodeEnded, Event, PeerStatus, PhaseChanged, SessionEnded
from pycore.interactive_gym.report import Focus, Interruptions, health
from pycore.interactive_gym.scene import MUG, Scene
from pycore.session.phases import BETWEEN, CONNECTING, DONE, PHASE_NAMES, PLAYING
from pycore.session.session import Session

LOOK_INTERVAL: Final = 0.1
HEALTH_INTERVAL: Final = 2.0
SLOW_MS: Final = 150.0
"""One-way latency beyond which the server's dashboard is told `degraded`."""
QUIET_DELAY: Final = 1.0
"""Seconds for which the server hears nothing of a game before it is told that somebody is excluded, and again before
they leave. It sleeps for 0.1 s over that word while it holds a lock that every input, every signal and every leaving
needs; asked meanwhile, it stands still for all its participants for good."""
WARNING_TIME: Final = 5.0
NOTICE_TIME: Final = 8.0
"""Seconds for which the page says that the game stopped; it goes on to the next scene meanwhile."""
LEFT_BEHIND: Final = 2.0
"""Seconds that are left to finish once the partner went on to the next scene."""

COMPLETE: Final = ("done", "max_steps")
"""Reasons of an episode that ended as the study meant it to."""

PARTNER_GONE: Final = "partner_disconnected"
PARTNER_EXCLUDED: Final = "partner_exclusion"
ABANDONED: Final = "abandoned"
REFUSED: Final = ("version", "config", "initial_state", "decode", "ready_timeout")

WITHOUT_ID: Final = ("partner_excluded", "trigger_data_export")
"""Events of the page's server that do not say which game they are about."""

Say = Callable[..., None]


class Course:
    """Follows one session; `say(what, **details)` has the page do something, `emit(event, data)` tells the server."""

    def __init__(self, session: Session, scene: Scene, session_id: str, say: Say, emit: Callable[..., None]) -> None:
        self.session = session
        self.scene = scene
        self.focus = Focus(scene.focus_timeout)
        self.interruptions = Interruptions(session.players[session.me])
        self.completed = 0
        """Episodes that came to their end."""
        self.partial: dict[str, Any] | None = None
        """Why the game ended early: reason, frame, player."""
        self._session_id = session_id
        self._say = say
        self._emit = emit
        self._validated = False
        self._look_at = self._health_at = -1e9
        self._left_behind: tuple[float, int] | None = None
        self._overlay = {"kind": "", "title": "", "text": "", "code": ""}
        self._pause_asked = False
        self._warning = "", -1e9
        """What the page's monitor warned of, and until when that is shown."""
        self._began = False
        self._notice_until = 0.0
        self._exclude_at: float | None = None
        self._leave_at: float | None = None
        self._exclusion = "", ""
        """Why the page's monitor excludes this participant, and what it says."""
        self._code = ""
        """The completion code that was shown."""

    # -- what the page's server hears -------------------------------------------------------------------------

    def _ids(self) -> dict[str, Any]:
        session = self.session
        return {"game_id": session.game_id, "player_id": session.players[session.me]}

    def look(self, now: float, hidden: bool) -> None:
        """Look at the time; called with every poll."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_INTERVAL
        session = self.session
        if session.phase >= DONE:
            self._look_back(now)
            return
        timed_out = self.focus.look(hidden, now, session.wall_ms(now))
        if timed_out:
            self._end_for_focus(now)
            return
        if self._left_behind is not None and now > self._left_behind[0]:
            session.player_left(self._left_behind[1], now)
            return
        if self.scene.generation == MUG and session.links:
            self._validate()
            if now >= self._health_at and session.socket_up:
                self._health_at = now + HEALTH_INTERVAL
                self._report_health()
        self._show_state(now)

    def _look_back(self, now: float) -> None:
        """What is left to say when a game has ended."""
        if self._overlay["kind"] == "notice" and now >= self._notice_until:
            self._show("")
        if self._exclude_at is not None and now >= self._exclude_at:
            self._exclude_at = None
            self._leave_at = now + QUIET_DELAY
            reason, _ = self._exclusion
            self._emit(
                "mid_game_exclusion",
                {
                    **self._ids(),
                    "reason": reason,
                    "frame_number": self.session.frame,
                    "timestamp": round(self.session.wall_ms(now)),
                },
            )
            self._emit("end_game_request_redirect", {"mid_game_exclusion": True, "reason": reason})
        elif self._leave_at is not None and now >= self._leave_at:
            self._leave_at = None
            self._emit("leave_game", {"session_id": self._session_id})

    def _validate(self) -> None:
        session = self.session
        if not self._began:
            self._began = True
            self._emit("p2p_validation_status", {"game_id": session.game_id, "status": "validating"})
        if not self._validated and (session.phase > CONNECTING or all(link.healthy for link in session.links)):
            self._validated = True
            self._emit("p2p_validation_success", self._ids())

    def _report_health(self) -> None:
        session = self.session
        state = health(session)
        by_peer = all(link.healthy for link in session.links)
        latency = state["latency"] if state is not None and by_peer else None
        status = "healthy"
        if self.interruptions.seats:
            status = "reconnecting"
        elif latency is not None and latency > SLOW_MS:
            status = "degraded"
        report = {
            **self._ids(),
            "connection_type": session.connection_type if by_peer else "socketio_fallback",
            "latency_ms": latency,
            "status": status,
            "episode": session.episode,
        }
        self._emit("p2p_health_report", report)

    def follow(self, event: Event, now: float) -> None:
        """React to the session's news."""
        if isinstance(event, PeerStatus):
            self._presence(event, now)
        elif isinstance(event, EpisodeEnded):
            if event.reason in COMPLETE:
                self.completed += 1
        elif isinstance(event, PhaseChanged):
            if event.phase == PHASE_NAMES[BETWEEN]:
                self._say("reset", episodes=self.completed)
            elif event.phase == PHASE_NAMES[PLAYING]:
                self._say("playing")
        elif isinstance(event, SessionEnded):
            self._ended(event, now)

    # -- interruption -----------------------------------------------------------------------------------------

    def _presence(self, event: PeerStatus, now: float) -> None:
        session = self.session
        if event.status == "interrupted":
            wall, frame = session.wall_ms(now), session.frame
            self.interruptions.begin(event.seat, wall, frame)
            if self.scene.generation == MUG:
                self._emit("p2p_connection_lost", {**self._ids(), "frame_number": frame, "timestamp": round(wall)})
        elif event.seat in self.interruptions.seats and not session.is_interrupted(event.seat):
            self._found(event.seat, now)
        self._show_state(now)

    def _found(self, seat: int, now: float) -> None:
        duration = self.interruptions.end(seat, self.session.wall_ms(now), "success")
        if self.scene.generation == MUG:
            self._emit("p2p_reconnection_success", {**self._ids(), "duration_ms": duration})

    @property
    def pauses(self) -> bool:
        """Whether nothing is to be stepped, because the study does not go on while somebody is hidden."""
        if not self.scene.pauses_for_hidden or self.session.phase != PLAYING:
            return False
        return self.focus.hidden_since is not None or any(link.peer_status for link in self.session.links)

    def _show_state(self, now: float) -> None:
        if self.session.phase >= DONE:
            return
        warning, until = self._warning
        if self.interruptions.seats:
            self._show("reconnecting", "Connection to the other player is interrupted", "Trying to reconnect …")
        elif self._pause_asked or (self.pauses and self.focus.hidden_since is None):
            self._show("waiting", "Waiting for the other player", "The game goes on when everybody is back.")
        elif now < until:
            self._show("warning", "Please note", warning)
        else:
            self._show("")

    def _show(self, kind: str, title: str = "", text: str = "", code: str = "") -> None:
        overlay = {"kind": kind, "title": title, "text": text, "code": code}
        if overlay != self._overlay:
            self._overlay = overlay
            self._say("overlay", **overlay)

    # -- the server's words -----------------------------------------------------------------------------------

    def take(self, event: str, data: Any, now: float) -> bool:
        """An event of the page's server; false if it is none of these."""
        handler = self._HANDLERS.get(event)
        if handler is None:
            return False
        if not isinstance(data, dict):
            raise TypeError(f"{event} carries {data!r:.40}, no dictionary")
        game = data.get("game_id")
        if str(game) == self.session.game_id or (game is None and event in WITHOUT_ID):
            handler(self, data, now)
        return True

    def _server_paused(self, data: dict[str, Any], now: float) -> None:
        self._pause_asked = not self.interruptions.seats
        self._show_state(now)

    def _server_resumed(self, data: dict[str, Any], now: float) -> None:
        self._pause_asked = False
        self._show_state(now)

    def _server_ended(self, data: dict[str, Any], now: float) -> None:
        session = self.session
        if session.phase >= DONE or not session.links:
            return
        gone = str(data.get("disconnected_player_id"))
        seat = next((link.seat for link in session.links if str(session.players[link.seat]) == gone), None)
        if seat is None:
            seat = session.links[0].seat
        if data.get("reason") == "scene_completed":
            # The partner has everything of ours; what we still lack is on its way, or was lost with it.
            self._left_behind = now + LEFT_BEHIND, seat
        else:
            session.player_left(seat, now)

    def _partner_excluded(self, data: dict[str, Any], now: float) -> None:
        text = str(data.get("message") or "The other player was excluded.")
        partial = self.partial
        if partial is not None and partial["reason"] == PARTNER_GONE:
            # The partner's own word was quicker than the server's, which knows more.
            partial["reason"] = PARTNER_EXCLUDED
            self._show("ended", "The game has ended", text, self._code)
        self.session.abort(now, PARTNER_EXCLUDED, text)

    def _export_asked(self, data: dict[str, Any], now: float) -> None:
        if self.partial is None:
            self._note_partial(str(data.get("termination_reason") or PARTNER_EXCLUDED))
        self._say("metrics")
        self._emit("end_game_request_redirect", {"partner_exclusion": True})

    _HANDLERS: Final = {
        "p2p_pause": _server_paused,
        "p2p_resume": _server_resumed,
        "p2p_game_ended": _server_ended,
        "partner_excluded": _partner_excluded,
        "trigger_data_export": _export_asked,
    }

    # -- the ends ---------------------------------------------------------------------------------------------

    def warn(self, now: float, message: str) -> None:
        """The page's monitor warns this participant."""
        self._warning = message, now + WARNING_TIME
        self._show_state(now)

    def exclude(self, now: float, reason: str, message: str) -> None:
        """The page's monitor excludes this participant."""
        session = self.session
        if session.phase >= DONE:
            return
        self._exclusion = reason, message
        session.abort(now, "excluded", message)

    def abandon(self, now: float) -> None:
        """The page begins something else, as after a loss of its server, which starts the scene anew."""
        if CONNECTING < self.session.phase < DONE:
            self.session.abort(now, ABANDONED, "this page began something else")

    def _leave_excluded(self, now: float) -> None:
        reason, message = self._exclusion
        self._note_partial(reason)
        self._say("metrics")
        self._show("ended", "The game has ended", message)
        self._say("finish", terminal=True)
        self._exclude_at = now + QUIET_DELAY

    def _end_for_focus(self, now: float) -> None:
        away = 0.0 if self.focus.hidden_since is None else (now - self.focus.hidden_since) * 1000
        self.session.abort(now, "focus_loss_timeout", "this page was hidden for too long")
        self._emit(
            "p2p_game_ended",
            {
                **self._ids(),
                "reason": "focus_loss_timeout",
                "focus_loss_duration_ms": round(away),
            },
        )

    def _note_partial(self, reason: str, player: Any = None) -> None:
        if self.partial is None:
            self.partial = {"reason": reason, "frame": self.session.published + 1, "player": player}

    def _ended(self, event: SessionEnded, now: float) -> None:
        reason = event.reason
        self.focus.look(False, now, self.session.wall_ms(now))
        if reason == "complete":
            self._completed(now)
        elif reason == "p2p_timeout" or (reason == "stop" and self._never_met):
            # Also where the other gave up first: nobody left, the two were never together.
            text = event.text if reason == "p2p_timeout" else f"no peer-to-peer connection: {event.text}"
            self._say("log", level="error", text=f"[P2P] {text}")
            if self.scene.generation == MUG:
                self._emit("p2p_validation_failed", {**self._ids(), "reason": "connection_timeout"})
                self._say("quit")
            else:
                # The seed's server knows no other partner to look for.
                self._note_partial(reason)
                self._terminal(reason, "The players' computers could not be connected.", with_code=False)
        elif reason in ("player_left", "stop"):
            if self.scene.generation == MUG and not self.session.socket_up:
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
            self._show("ended", "The game has ended", event.text)
            self._say("finish", terminal=True)
        elif reason == "focus_loss_timeout":
            self._note_partial(reason)
            text = self.scene.metadata.get("focus_loss_message") or "You were away from this page for too long."
            self._terminal(reason, str(text), with_code=False)
        elif reason in REFUSED:
            self._note_partial(reason)
            self._say("log", level="error", text=f"[pycore] the game was refused ({reason}): {event.text}")
            self._terminal(reason, f"The game could not begin: {event.text}.", with_code=self.scene.shows_code)
        else:
            self._note_partial(reason)
            self._notice_until = now + NOTICE_TIME
            self._show("notice", "The game stopped", "Something went wrong in the game. What was played is saved.")
            self._say("metrics")
            self._say("finish", terminal=False)

    @property
    def _never_met(self) -> bool:
        session = self.session
        required = session.settings.p2p_required
        return required and not self._validated and not all(link.sender for link in session.links)

    def _completed(self, now: float) -> None:
        session = self.session
        for seat in list(self.interruptions.seats):
            # It was the last packets that passed again.
            self._found(seat, now)
        self._show("")
        if self.scene.generation == MUG and session.links:
            total = session.settings.num_episodes
            self._emit(
                "multiplayer_game_complete",
                {"game_id": session.game_id, "episode_num": self.completed, "max_episodes": total},
            )
        self._say("finish", terminal=False)

    def _cut_off(self) -> None:
        """It was we who were gone, for the server, which told the partner so; once back it begins the scene anew.

        A completion code now would be for a participation that goes on.
        """
        self._note_partial(ABANDONED)
        self._say("metrics")
        self._show("reconnecting", "The connection to the server was lost", "The study goes on when it is back …")

    def _partner_gone(self, event: SessionEnded, now: float) -> None:
        session = self.session
        others = [session.players[link.seat] for link in session.links]
        # One id may begin as another does.
        named = [player for player in others if event.text.startswith(f"player {player} ")]
        player = max(named, key=lambda each: len(str(each)), default=None)
        self._note_partial(PARTNER_GONE, player)
        for seat in list(self.interruptions.seats):
            duration = self.interruptions.end(seat, session.wall_ms(now), "timeout")
            if self.scene.generation == MUG:
                self._emit("p2p_reconnection_timeout", {**self._ids(), "pause_duration_ms": duration})
        message = self.scene.metadata.get("partner_disconnect_message") or "The other player has left the session."
        self._terminal(PARTNER_GONE, str(message), with_code=self.scene.shows_code)

    def _terminal(self, reason: str, text: str, *, with_code: bool) -> None:
        session = self.session
        self._say("metrics")
        state = {
            "game_id": session.game_id,
            "scene_id": self.scene.scene_id,
            "reason": reason,
            "frame_number": session.frame,
            "episode_number": self.completed,
        }
        if self.scene.generation == MUG:
            self._emit("participant_terminal_state", state)
        code = ""
        if with_code:
            import uuid  # needs the browser's random numbers, and only here

            code = self._code = str(uuid.uuid4())
            self._emit(
                "waitroom_timeout_completion",
                {
                    "completion_code": code,
                    "reason": f"{reason}_mid_game",
                    "frame_number": session.frame,
                    "episode_number": self.completed,
                },
            )
        self._show("ended", "The session has ended", text, code)
        self._say("finish", terminal=True)
