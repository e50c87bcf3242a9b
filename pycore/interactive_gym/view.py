"""What the page shows and stores of a game, as JSON text in its own words: results of reset() and step(), HUD, files.

The page's HUD goes on counting where a study carries scores over, and shows between two episodes what the last one
brought. Pictures are the environment's own `render()`, once per displayed frame, never while re-simulating.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pycore.bridge.view import View
from pycore.envs.adapter import ParallelEnvAdapter
from pycore.interactive_gym.bots import Cast
from pycore.interactive_gym.course import Course
from pycore.interactive_gym.ledger import Ledger
from pycore.interactive_gym.shapes import flat_observations, packet, pairs
from pycore.session.phases import HOLDING, PLAYING, READYING
from pycore.session.session import Session
from pycore.simulation import StepResult
from pycore.values.json import plain_json
from pycore.values.sums import plus

COMMON: Final = "human"
"""Whose rewards those are of an environment that gives one number, as the page has it."""


class PageView:
    """A game to look at. `moment` says when it is, and who looks now."""

    def __init__(
        self,
        session: Session,
        plain: View,
        cast: Cast,
        adapter: ParallelEnvAdapter,
        ledger: Ledger,
        course: Course,
        moment: Callable[[], tuple[float, dict[str, bool]]],
    ) -> None:
        self.corrected = False
        """The newest tick rolled back: what is shown next may have moved."""
        self.unseen: Exception | None = None
        """What render() raised."""
        self._session = session
        self._plain = plain
        self._cast = cast
        self._adapter = adapter
        self._ledger = ledger
        self._course = course
        self._moment = moment
        self._nothing: dict[Any, Any] = dict.fromkeys(session.players, 0)
        self._carried: dict[Any, Any] = {}
        self._final: dict[Any, Any] = {}
        self._first: dict[str, Any] | None = None
        self._image = self._observed = b""
        # Only the page's bots look at them, and to cross they have to be copied twice.
        self._observes = bool(cast.page_bots)

    # -- what Python tells it ---------------------------------------------------------------------------------

    def begin(self) -> None:
        """The environment was reset: its picture of frame 0 is of now, and goes out with the page's reset."""
        self._first = self._picture()

    def end(self, confirmed: dict[Any, Any]) -> None:
        """An episode is over; `confirmed` are its rewards by agent."""
        self._final = self._plus(confirmed)
        if self._course.scene.carries_score:
            self._carried = self._final

    # -- results ----------------------------------------------------------------------------------------------

    def reset_result(self) -> str:
        """What reset() returns to the page: the first picture of the episode."""
        return self._result(None, {}, self._first, 0)

    def step_result(self, seen: bool = True) -> str:
        """What step() returns to the page: the newest frame, predictions included, and its picture, if that is seen."""
        timeline = self._session.timeline
        slot = (timeline.current - 1) & timeline.frames.mask
        row = timeline.frames.actions[slot]
        everybody = self._cast.spread(row, self._session.episode, timeline.current - 1)
        actions = dict(zip(self._cast.agents, everybody, strict=True))
        return self._result(timeline.frames.results[slot], actions, None if seen else {"objects": []})

    def confirmed_row(self) -> str:
        """The next confirmed frame, for a page that logs what step() returns; empty if there is none."""
        if not self._ledger.has_rows:
            return ""
        frame, actions, result = self._ledger.next_row()
        return self._result(result, actions, {}, frame + 1)

    def _result(
        self,
        result: StepResult | None,
        actions: dict[Any, Any],
        picture: dict[str, Any] | None = None,
        step: int | None = None,
    ) -> str:
        seen = self._adapter.observations
        if self._observes:
            shapes, self._observed = flat_observations(seen)
        else:
            shapes = pairs(dict.fromkeys(seen, 0))
        totals = self._totals()
        return plain_json(
            {
                "observations": shapes,
                "observed": len(self._observed),
                "rewards": pairs(result.rewards) if result else [],
                "terminateds": pairs(result.terminations) if result else [],
                "truncateds": pairs(result.truncations) if result else [],
                "infos": pairs(result.infos) if result else [],
                "actions": {str(agent): action for agent, action in actions.items()},
                "cumulative": {str(agent): total for agent, total in totals.items()},
                "hud": self._hud_line(totals),
                "step": self._session.frame if step is None else step,
                "picture": self._picture() if picture is None else picture,
            }
        )

    def observations(self) -> bytes:
        """The observations of the last result, one behind the other, float32 in the machine's order; empty where
        nobody looks at them."""
        return self._observed

    def image(self) -> bytes:
        """The last RGB picture, three bytes per pixel."""
        return self._image

    def _picture(self) -> dict[str, Any]:
        try:
            found, image = packet(self._adapter.drawn())
        except Exception as error:
            self.unseen = error
            return {"objects": None}
        if image:
            self._image = image
        smoothing = self._course.scene.smoothing
        if self.corrected and smoothing and found["objects"]:
            found["objects"] = [
                {**item, "tween": True, "tween_duration": smoothing} if isinstance(item, dict) else item
                for item in found["objects"]
            ]
        return found

    # -- the HUD ----------------------------------------------------------------------------------------------

    def hud_text(self) -> str:
        """The page's line: round, score and time left."""
        return self._hud_line(self._totals())

    def _totals(self) -> dict[Any, Any]:
        """Rewards by agent as the HUD shows them; between episodes those of the last one."""
        if self._final and self._session.phase not in (READYING, PLAYING, HOLDING):
            return self._final
        totals, _ = self._plain.score()
        return self._plus(totals)

    def _plus(self, totals: dict[Any, Any]) -> dict[Any, Any]:
        carried = self._carried
        if not carried:
            return {**self._nothing, **totals}
        agents = [*self._nothing, *totals, *carried]
        return {agent: plus(carried.get(agent, 0), totals.get(agent, 0)) for agent in agents}

    def _hud_line(self, totals: dict[Any, Any]) -> str:
        session = self._session
        settings = session.settings
        me = session.players[session.me]
        # A reward that is one number is everybody's.
        everybody = COMMON in totals and COMMON not in self._cast.agents
        score = totals.get(COMMON if everybody else me, 0)
        total = settings.num_episodes
        left = f"{max(0, settings.max_steps - session.frame) / settings.fps:.1f}".rjust(5, "0")
        number = min(self._course.ends.completed + 1, total)
        return f"Round: {number}/{total} | Score: {_points(score).rjust(2, '0')} | Time left: {left}s"

    # -- data -------------------------------------------------------------------------------------------------

    def focus_state(self) -> str:
        """Who is looking at the page."""
        return plain_json(self._moment()[1])

    def episode_data(self, episode: int, part: int = 0) -> str:
        """What the page stores of an episode, or of the part of it with this number."""
        return self._ledger.episode_data(episode, part)

    def session_data(self) -> str:
        """What is stored of all episodes together, for a page that stores a scene at once."""
        return self._ledger.session_data()

    def multiplayer_metrics(self) -> str:
        """The page's metrics file."""
        return self._ledger.metrics(self._course, self._moment()[0])

    def export_session_metrics(self) -> str:
        """The metrics of the session, as every page has them."""
        return self._plain.export_session_metrics()

    def p2p_metrics(self) -> str:
        """The page's `p2pMetrics`."""
        return self._plain.p2p_metrics()

    def state(self) -> str:
        """The contract's smaller words."""
        return self._plain.state()

    def records(self) -> str:
        """The canonical trajectory of the session as JSON Lines."""
        return self._plain.records()


def _points(score: Any) -> str:
    """A sum of rewards as the page rounds it; of a vector, one behind the other."""
    if isinstance(score, dict):
        score = list(score.values())
    if isinstance(score, list):
        return " / ".join(map(_points, score))
    if score is None:
        return "–"
    return str(int((score + 0.5) // 1)) if score - score == 0 else str(score)
