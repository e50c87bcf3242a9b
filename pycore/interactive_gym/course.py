"""The course of a game as the page's server and its participants are told: validation, health, who is away.

Decides which of the page's events go to the server and which overlay is shown while the game runs; `ends` has what
comes after. The frames are none of its business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.bridge.seats import who_left
from pycore.events import EpisodeEnded, News, PeerStatus, PhaseChanged, SessionEnded
from pycore.interactive_gym.ends import ABANDONED, PARTNER_EXCLUDED, Ends
from pycore.interactive_gym.overlay import Overlay
from pycore.interactive_gym.presence import Presence
from pycore.interactive_gym.report import health
from pycore.interactive_gym.scene import Scene
from pycore.session.phases import BETWEEN, CONNECTING, DONE, PHASE_NAMES, PLAYING
from pycore.session.session import Session

LOOK_INTERVAL: Final = 0.1
HEALTH_INTERVAL: Final = 2.0
SLOW_MS: Final = 150.0
"""One-way latency beyond which the server's dashboard is told `degraded`."""
WARNING_TIME: Final = 5.0
LEFT_BEHIND: Final = 2.0
"""Seconds that are left to finish once the partner went on to the next scene."""

COMPLETE: Final = ("done", "max_steps")
"""Reasons of an episode that ended as the study meant it to."""
WITHOUT_ID: Final = ("partner_excluded", "trigger_data_export", "end_game")
"""Events of the page's server that do not say which game they are about."""

Say = Callable[..., None]


class Course:
    """Follows one session; `say(what, **details)` has the page do something, `emit(event, data)` tells the server.

    `emit(event, data, keep=False)` is for what would be worthless if it came late.
    """

    def __init__(self, session: Session, scene: Scene, session_id: str, say: Say, emit: Callable[..., None]) -> None:
        self.session = session
        self.scene = scene
        self.overlay = Overlay(say)
        self.presence = Presence(session, scene, emit)
        self.ends = Ends(session, scene, session_id, self.presence, self.overlay, say, emit)
        self._say = say
        self._emit = emit
        self._began = self._validated = False
        self._look_at = self._health_at = -1e9
        self._left_behind: tuple[float, int] | None = None
        self._pause_asked = False
        self._warning = "", -1e9
        """What this participant was warned of last, and until when that is shown."""

    # -- what the page's server hears -------------------------------------------------------------------------

    def look(self, now: float, hidden: bool) -> None:
        """Look at the time; called with every poll."""
        if now < self._look_at:
            return
        self._look_at = now + LOOK_INTERVAL
        session = self.session
        if session.phase >= DONE:
            self.ends.look(now)
            return
        if self.presence.focus.look(hidden, now, session.wall_ms(now)):
            self.ends.hidden_too_long(now)
            return
        if self._left_behind is not None and now > self._left_behind[0]:
            _, seat = self._left_behind
            self._left_behind = None
            session.player_left(seat, now, certain=True)
            return
        if self.scene.generation.hears_course and session.links:
            self._validate()
            if now >= self._health_at and session.socket_up:
                self._health_at = now + HEALTH_INTERVAL
                self._report_health()
        self._show_state(now)

    def _validate(self) -> None:
        session = self.session
        if not self._began:
            self._began = True
            self._emit("p2p_validation_status", {"game_id": session.game_id, "status": "validating"})
        if not self._validated and (session.phase > CONNECTING or all(link.healthy for link in session.there)):
            self._validated = True
            self._emit("p2p_validation_success", self.presence.ids())

    def _report_health(self) -> None:
        session = self.session
        state = health(session)
        by_peer = all(link.healthy for link in session.there)
        latency = state["latency"] if state is not None and by_peer else None
        status = "healthy"
        if self.presence.anybody_away:
            status = "reconnecting"
        elif latency is not None and latency > SLOW_MS:
            status = "degraded"
        report = {
            **self.presence.ids(),
            "connection_type": session.kinds.session[0] if by_peer else "socketio_fallback",
            "latency_ms": latency,
            "status": status,
            "episode": session.episode,
        }
        self._emit("p2p_health_report", report, keep=False)

    def follow(self, event: News, now: float) -> None:
        """React to the session's news."""
        if isinstance(event, PeerStatus):
            self.presence.follow(event, now)
            self._show_state(now)
        elif isinstance(event, EpisodeEnded):
            if event.reason in COMPLETE:
                self.ends.completed += 1
        elif isinstance(event, PhaseChanged):
            if event.phase == PHASE_NAMES[BETWEEN]:
                self._say("reset", episodes=self.ends.completed)
            elif event.phase == PHASE_NAMES[PLAYING]:
                self._say("playing")
        elif isinstance(event, SessionEnded):
            self.presence.focus.look(False, now, self.session.wall_ms(now))
            self.ends.ended(event, now, met=not self._never_met)
            self.presence.close(now)

    @property
    def _never_met(self) -> bool:
        session = self.session
        required = session.settings.p2p_required
        return required and not self._validated and not all(link.sender for link in session.links)

    # -- what the participant sees ----------------------------------------------------------------------------

    @property
    def pauses(self) -> bool:
        """Whether nothing is to be stepped."""
        return self.presence.pauses

    def warn(self, now: float, message: str) -> None:
        """This participant is warned, by the page's monitor or by us; that is shown for a while."""
        self._warning = message, now + WARNING_TIME
        self._show_state(now)

    def abandon(self, now: float) -> None:
        """The page begins something else, as after a loss of its server, which starts the scene anew."""
        if CONNECTING < self.session.phase < DONE:
            self.session.abort(now, ABANDONED, "this page began something else")

    def _show_state(self, now: float) -> None:
        if self.session.phase >= DONE:
            return
        show = self.overlay.show
        warning, until = self._warning
        if self.presence.anybody_away:
            show("reconnecting", "Connection to the other player is interrupted", "Trying to reconnect …")
        elif self._pause_asked or (self.pauses and self.presence.focus.hidden_since is None):
            show("waiting", "Waiting for the other player", "The game goes on when everybody is back.")
        elif now < until:
            show("warning", "Please note", warning)
        else:
            show("")

    # -- the server's words -----------------------------------------------------------------------------------

    def take(self, event: str, data: Any, now: float) -> bool:
        """An event of the page's server; false if it is none of these."""
        handler = self._HANDLERS.get(event)
        if handler is None:
            return False
        if not isinstance(data, dict):
            if event == "end_game":
                # Whatever it carries, the word itself says it.
                data = {}
            else:
                raise TypeError(f"{event} carries {data!r:.40}, no dictionary")
        game = data.get("game_id")
        if str(game) == self.session.game_id or (game is None and event in WITHOUT_ID):
            handler(self, data, now)
        return True

    def _server_paused(self, data: dict[str, Any], now: float) -> None:
        self._pause_asked = not self.presence.anybody_away
        self._show_state(now)

    def _server_resumed(self, data: dict[str, Any], now: float) -> None:
        self._pause_asked = False
        self._show_state(now)

    def _server_ended(self, data: dict[str, Any], now: float) -> None:
        session = self.session
        player = data.get("disconnected_player_id")
        seat = who_left(session, player) if session.links else None
        if session.phase >= DONE:
            return
        if seat is None:
            session.log(f"the server says that the game has ended, and that player {player!r} left it", "warning")
        elif data.get("reason") == "scene_completed":
            # The partner has everything of ours; what we still lack is on its way, or was lost with it.
            self._left_behind = now + LEFT_BEHIND, seat
        else:
            session.player_left(seat, now, certain=True)

    def _partner_left(self, data: dict[str, Any], now: float) -> None:
        """The page's server has ended the game: here that is no matter of a socket alone."""
        session = self.session
        seat = who_left(session, data.get("player_id")) if session.links else None
        if seat is not None and session.phase < DONE:
            session.player_left(seat, now, certain=True)

    def _partner_excluded(self, data: dict[str, Any], now: float) -> None:
        self.ends.partner_excluded(str(data.get("message") or "The other player was excluded."), now)

    def _export_asked(self, data: dict[str, Any], now: float) -> None:
        self.ends.export_asked(str(data.get("termination_reason") or PARTNER_EXCLUDED))

    _HANDLERS: Final = {
        "p2p_pause": _server_paused,
        "p2p_resume": _server_resumed,
        "p2p_game_ended": _server_ended,
        "end_game": _partner_left,
        "partner_excluded": _partner_excluded,
        "trigger_data_export": _export_asked,
    }
