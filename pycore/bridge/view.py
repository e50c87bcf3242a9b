"""What a page shows and stores of a session, as JSON text: pictures, HUD, metrics, records.

Nothing here moves a session. Pictures are asked for once per displayed frame, a HUD a few times a second, the rest
when an episode or a session is over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pycore.bridge.figures import Figures
from pycore.bridge.outcome import Rounds
from pycore.bridge.refusals import Refusals
from pycore.bridge.sent import Sent
from pycore.envs.pictures import PIXELS, picture_json
from pycore.records.metrics import export_session_metrics, p2p_metrics
from pycore.records.trajectory import Trajectory, trajectory_text
from pycore.session.phases import BETWEEN, DONE, PHASE_NAMES
from pycore.session.session import Session
from pycore.simulation import Renderable
from pycore.values.json import plain_json, to_json
from pycore.values.sums import plus


class Pictures:
    """What to draw of a simulation.

    Permanent objects are given on frame 0 only, which is rarely displayed; they are kept here and drawn anew with the
    first picture of an episode, whatever frame that shows.
    """

    def __init__(self, simulation: Renderable) -> None:
        self._simulation = simulation
        self._permanent: list[Any] = []
        self._is_new = False
        self._pixels: list[bytes] = []

    def begin(self) -> None:
        """The simulation was reset: its picture is of frame 0 now."""
        self._is_new = True
        self._permanent = [item for item in self._simulation.render() or () if _is_permanent(item)]

    def render(self) -> str:
        """The picture of now; empty if there is none."""
        objects = self._simulation.render()
        if objects is None:
            return ""
        reset, self._is_new = self._is_new, False
        if reset:
            # What lasts may have changed since, where only changes are given.
            given = {item.get("uuid") for item in objects if type(item) is dict}
            objects = [*[item for item in self._permanent if item.get("uuid") not in given], *objects]
        self._pixels = []
        objects = [self._without_pixels(item) if type(item) is dict and PIXELS in item else item for item in objects]
        return picture_json(objects, reset)

    def _without_pixels(self, item: dict[str, Any]) -> dict[str, Any]:
        """The object with a number in the place of its bytes: they are no JSON, and cross by themselves."""
        self._pixels.append(bytes(item[PIXELS]))
        return {**item, PIXELS: len(self._pixels) - 1}

    def pixels(self, number: int) -> bytes:
        """The bytes of an object of the last picture."""
        return self._pixels[number]


class View:
    """A session to look at."""

    def __init__(
        self,
        session: Session,
        trajectory: Trajectory,
        pictures: Pictures | None,
        figures: Figures,
        sent: Sent,
        refusals: Refusals,
        clock: Callable[[], float],
        winner: str | None,
        looks: Sequence[Mapping[str, str]],
    ) -> None:
        self._session = session
        self._trajectory = trajectory
        self._pictures = pictures
        self._figures = figures
        self._sent = sent
        self._refusals = refusals
        self._clock = clock
        self.rounds = Rounds(session.players, session.me, winner, trajectory)
        """Of those that are over."""
        self._looks = looks
        self.socketio_rtt: float | None = None
        """Round trip to the server in s, which the page measures."""

    def render(self) -> str:
        """What to draw now; called once per displayed frame. Empty without a picture."""
        return "" if self._pictures is None else self._pictures.render()

    def pixels(self, number: int) -> bytes:
        """The bytes of a picture that `render` gave this number."""
        return b"" if self._pictures is None else self._pictures.pixels(number)

    def hud(self) -> str:
        """What the HUD shows."""
        session = self._session
        timeline = session.timeline
        totals, info = self.score()
        rtt = self.socketio_rtt
        return plain_json(
            {
                "players": [self._player(seat) for seat in range(len(session.players))],
                "frame": timeline.current,
                "confirmed": session.confirmed,
                "episode": session.episode,
                "num_episodes": session.settings.num_episodes,
                "max_steps": session.settings.max_steps,
                "fps": session.settings.fps,
                "rewards": [totals.get(player, 0) for player in session.players],
                "score": info.get("score") if isinstance(info, dict) else None,
                "rollbacks": timeline.events.count,
                "rollbacks_performed": timeline.rollbacks,
                "max_rollback_frames": timeline.events.max_frames,
                "stalled": session.stalled,
                "stalls": session.stalls,
                "holding": timeline.end is not None,
                "phase": PHASE_NAMES[session.phase],
                "connection_type": session.kinds.session[0],
                "socketio_rtt_ms": None if rtt is None else round(rtt * 1000),
                "reason": session.reason,
                "catching_up": session.catching_up,
                "notice": self._refusals.notice(self._clock()),
                "notice_code": self._refusals.notice_code(self._clock()),
                "outcome": self._outcome(),
            }
        )

    def _outcome(self) -> Any:
        """Who has won, once all is over; nobody has a game that somebody left: others made points in its place."""
        session = self._session
        if session.phase < DONE or session.gone:
            return None
        return self.rounds.outcome(session.settings.num_episodes)

    def _player(self, seat: int) -> dict[str, Any]:
        session = self._session
        entry: dict[str, Any] = {"id": session.players[seat], "you": seat == session.me, **self._looks[seat]}
        if seat in session.timeline.frames.opens:
            # It was played for, and is its player's again in a moment.
            entry["opens"] = True
        if str(session.players[seat]) in session.settings.policies:
            entry["policy"] = True
        elif seat != session.me:
            link = session.link_to(seat)
            flow = link.wire if link.healthy else link.socket
            entry["path"] = link.path
            entry["rtt_ms"] = None if flow.rtt is None else round(flow.rtt * 1000)
            entry["fallback"] = link.fallback
            entry["hidden"] = bool(link.hidden)
            entry["interrupted"] = session.is_interrupted(seat)
            entry["gone"] = seat in session.gone
            entry["may_return"] = seat in session.gone and session.gone[seat].may_return
            entry["failed"] = link.peer.reason == "error"
            entry["connection_type"] = session.kinds.of(seat)
        return entry

    def score(self) -> tuple[dict[Any, Any], Any]:
        """Rewards by agent up to the frame shown, predictions included, and the own info of the newest step; behind an
        episode's end those of the episode."""
        session = self._session
        frames = session.timeline.frames
        first = session.episode if session.phase not in (BETWEEN, DONE) else session.episode - 1
        totals = dict(self._trajectory.totals) if self._trajectory.episodes > first else {}
        newest = None
        for frame in range(session.published + 1, session.timeline.current):
            newest = frames.results[frame & frames.mask]
            if newest is not None:
                for agent, reward in newest.rewards.items():
                    totals[agent] = plus(totals.get(agent, 0), reward)
        if newest is None and session.timeline.current > 0:
            newest = frames.results[(session.timeline.current - 1) & frames.mask]
        info = None if newest is None else newest.infos.get(session.players[session.me])
        return totals, info

    def state(self) -> str:
        """The contract's smaller words: p2pHealthy, p2pConnected, pendingRollbackFrame and others."""
        session = self._session
        links = session.there
        return json.dumps(
            {
                "p2pHealthy": bool(links) and all(link.healthy for link in links),
                "p2pConnected": bool(links) and all(link.connected for link in links),
                "p2pInputSender": bool(links) and all(link.sender for link in links),
                "pendingRollbackFrame": session.timeline.pending,
                "p2pHashMismatches": session.hash_mismatches,
                "syncEpoch": session.episode,
                "settled": all(link.peer.over for link in links) and not session.ticks.streaming,
            }
        )

    def sights(self) -> str:
        """What the policies are shown now that this page computes for all."""
        return self._sent.sights()

    def export_session_metrics(self) -> str:
        """The metrics of the session."""
        return to_json(export_session_metrics(self._session, self._figures.export()))

    def p2p_metrics(self) -> str:
        """The page's `p2pMetrics`."""
        return to_json(p2p_metrics(self._session))

    def records(self) -> str:
        """The canonical trajectory of the session as JSON Lines."""
        return trajectory_text(self._session, self._trajectory)

    def episode_records(self, episode: int) -> str:
        """The canonical trajectory of one episode as JSON Lines, with the header."""
        return trajectory_text(self._session, self._trajectory, episode)


def _is_permanent(item: Any) -> bool:
    return isinstance(item, dict) and bool(item.get("permanent"))
