"""One game inside the page: the bridge, with the page's scenes, pictures, results and data.

Everything that the page's own module decided is decided here or in `course`; the shim asks once per tick for what it
has to hand to the page. Beside the bridge's outbox records there are news ``{"news": "page", "do": …}``, which are
orders to the shim:

    playing                        the page's reset() may return
    reset {episodes}               an episode is over, the page has to ask for the next one
    episode {episode, names}       store the data of an episode (`episode_data`), a message under each of these names
    metrics                        store the metrics (`multiplayer_metrics`)
    overlay {kind, title, text, code}   show it, or take it away where kind is empty
    finish {terminal}              nothing more is played; terminal: the page stays where it is
    quit                           this game never began; the server will say what comes next
    log {level, text}
"""

from __future__ import annotations

import json
import sys
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from pycore.bridge.bridge import FLAG_OUTBOX, OUTBOX_START, Bridge, rngs_of, seat_order
from pycore.envs import ParallelEnvAdapter
from pycore.events import Desync, EpisodeEnded, Event, PhaseChanged
from pycore.interactive_gym.bots import Cast, CastSimulation
from pycore.interactive_gym.course import Course
from pycore.interactive_gym.ledger import Ledger
from pycore.interactive_gym.report import rollback_events
from pycore.interactive_gym.scene import SEED, Scene, people
from pycore.interactive_gym.shapes import flat_observations, packet, pairs
from pycore.link.negotiation import SIGNALS
from pycore.session.phases import DONE, HOLDING, PHASE_NAMES, PLAYING, READYING
from pycore.session.session import OVER, RESIMULATED, STEPPED
from pycore.settings import Settings
from pycore.simulation import StepResult
from pycore.values.json import plain_json

ACTION_SIGNAL: Final = "pycore-action"
"""An input as a signal: mug's server counts bots as players and waits for them, so it never says that a game with
bots is ready, and relays no actions in it."""


COMMON: Final = "human"
"""Whose rewards those are of an environment that gives one number, as the page has it."""


def create(config_json: str, env: Any) -> PageBridge:
    """A bridge for one game of the page. The JSON text has `scene` (its metadata), `generation`, `game_id`, `players`
    (null if the server never said who they are), `player_id`, `seed`, `turn_config`, `player_subjects`, `session_id`,
    `games_before` (of this scene, whose files are not to be written over), `wall_ms` and `now`."""
    return PageBridge(json.loads(config_json), env)


class PageBridge(Bridge):
    """The bridge of one game in the page."""

    def __init__(self, config: dict[str, Any], env: Any) -> None:
        self._relayed = config["players"] is not None
        players = config["players"] if self._relayed else people(config["scene"], config["player_id"])
        self.scene = Scene(config["scene"], seat_order(players), config["generation"])
        settings = {**config, "players": players, "settings": self.scene.settings}
        settings["turn_config"] = self.scene.turn(config.get("turn_config"))
        settings["ice_servers"] = self.scene.ice_servers
        super().__init__(settings, env)
        session = self.session
        session.held_back = True
        self.course = Course(session, self.scene, str(config.get("session_id") or ""), self._say, self._tell)
        self.ledger = Ledger(
            session,
            self.cast,
            config.get("player_subjects") or {},
            float(config["wall_ms"]),
            int(config.get("games_before") or 0),
        )
        self.ledger.logs = self.scene.generation == SEED
        self._carried: dict[Any, Any] = {}
        self._final: dict[Any, Any] = {}
        self._page_ready = self._was_ready = False
        self._later: deque[dict[str, Any]] = deque()
        """Orders that wait until the page has logged what it has to."""
        self._first: dict[str, Any] | None = None
        self._image = self._observed = b""
        self._unseen: Exception | None = None
        """What render() raised; the next poll ends the game for it."""
        self._foreign = self._corrected = False

    def _simulation(self, config: dict[str, Any], players: list[int | str], seed: int, settings: Settings) -> Any:
        scene = self.scene
        self.cast = Cast(scene, players, seed)
        adapter = ParallelEnvAdapter(
            self.env,
            self.cast.agents,
            seed=seed,
            rngs=rngs_of(self.env) if scene.rngs is None else scene.rngs,
            reseed_each_episode="same",
            on_step=_hook(scene.on_step_code),
        )
        # Environments of the page may count their episodes.
        adapter.check(settings.default_action, law_1=False)
        self._adapter = adapter
        return adapter if self.cast.is_plain else CastSimulation(adapter, self.cast)

    # -- the tick ---------------------------------------------------------------------------------------------

    def poll(self, now: float, action: Any, inbox_length: int) -> int:
        """As the bridge's; an exception of the environment ends the game instead of going through."""
        session = self.session
        hidden = bool(self.inbox[1] & 1)
        # A page that the browser does not run would keep the others waiting.
        session.held_back = not (self._page_ready or (hidden and self._was_ready))
        if hidden:
            # Whoever looks elsewhere presses no keys here; the page would repeat the last one for ever.
            action = self._unattended(action)
        try:
            super().poll(now, action, inbox_length)
            if self._unseen is not None and session.phase < DONE:
                raise self._unseen
        except Exception as error:
            self._broke(error, now)
        self.ledger.latency.look(session, now)
        self.course.look(now, hidden)
        if session.has_news:
            self._put_all_news()
        if self._later and not self.ledger.has_rows:
            self._put_news(self._later.popleft())
        self._write_head()
        return self._end

    def advance(self, now: float) -> int:
        """As the bridge's; an exception of the environment ends the game instead of going through."""
        if self.course.pauses:
            self._end = OUTBOX_START
            return 0
        self._now = now
        try:
            flags = super().advance(now)
        except Exception as error:
            self._broke(error, now)
            self._write_head()
            return OVER | FLAG_OUTBOX
        self._corrected = bool(flags & RESIMULATED)
        self._write_down(self.ledger, flags)
        if flags & STEPPED:
            self.ledger.mark(now, self._focus())
        return flags

    def _focus(self) -> dict[str, bool]:
        session = self.session
        focus = {str(session.players[link.seat]): not link.peer_status for link in self._links}
        focus[str(session.players[session.me])] = not self.inbox[1] & 1
        return {str(player): focus[str(player)] for player in session.players}

    def _action(self, text: str) -> Any:
        value = json.loads(text)
        if value is None:
            return self._default
        if self.cast.page_bots and self.session.me == 0 and isinstance(value, list):
            return [self._default if part is None else part for part in value]
        return value

    def _unattended(self, action: Any) -> Any:
        """The action of a page that nobody looks at: the page's bots go on."""
        if type(action) is str and self.cast.page_bots:
            value = self._action(action)
            if isinstance(value, list):
                return json.dumps([self._default, *value[1:]])
        return self._default

    def agents(self) -> str:
        """Whose actions `poll` takes, as JSON: the own id, and behind it the page's bots on the lowest seat."""
        me = self.session.me
        return json.dumps([self.session.players[me], *(self.cast.page_bots if me == 0 else ())])

    def _broke(self, error: Exception, now: float) -> None:
        text = "".join(traceback.format_exception(error))[-6000:]
        self._say("log", level="error", text=f"[pycore] the game stopped: {text}")
        self.session.abort(now, "error", f"{type(error).__name__}: {error}")
        self._put_all_news()

    # -- orders and news --------------------------------------------------------------------------------------

    def _say(self, do: str, **details: Any) -> None:
        news = {"news": "page", "do": do, **details}
        # A page that logs the frames itself does so under the number of the episode that it is at.
        if self.ledger.logs and (do == "reset" or (do == "finish" and not details["terminal"])):
            self._later.append(news)
        else:
            self._put_news(news)

    def _tell(self, event: str, data: dict[str, Any]) -> None:
        super()._emit(event, data)

    def _emit(self, event: str, data: dict[str, Any]) -> None:
        if self._relayed or event != "pyodide_player_action":
            super()._emit(event, data)
            return
        for link in self._links:
            signal = {"game_id": self.session.game_id, "target_player_id": self.session.players[link.seat]}
            super()._emit("webrtc_signal", {**signal, "type": ACTION_SIGNAL, "payload": data})

    def _put_event(self, event: Event) -> None:
        super()._put_event(event)
        now = self._now
        if isinstance(event, PhaseChanged) and event.phase == PHASE_NAMES[READYING]:
            self.ledger.begin(event.episode)
        elif isinstance(event, Desync):
            self.ledger.note_desync(event, now)
        elif isinstance(event, EpisodeEnded):
            self._episode_ended(event, now)
        self.course.follow(event, now)

    def _take_event(self, event: str, data: Any, came: float) -> None:
        if not self.course.take(event, data, came):
            super()._take_event(event, data, came)

    def _signal(self, data: dict[str, Any], came: float) -> None:
        seat = self._seat_of[str(data["from_player_id"])]
        if data["type"] == ACTION_SIGNAL:
            if not isinstance(data["payload"], dict):
                raise TypeError("an input's signal without a dictionary")
            self._remote_action(seat, data["payload"], came)
            return
        if data["type"] in SIGNALS and "generation" not in data["payload"] and not self._foreign:
            self._foreign = True
            text = f"[pycore] the page of player {self.session.players[seat]} does not run pycore"
            self._say("log", level="error", text=text)
        super()._signal(data, came)

    # -- frames that are confirmed ----------------------------------------------------------------------------

    def _confirmed(self, *confirmed: Any) -> None:
        super()._confirmed(*confirmed)
        self.ledger.confirmed(self._now, self._focus, *confirmed)

    def _episode_ended(self, event: EpisodeEnded, now: float) -> None:
        # Without a confirmed frame the newest totals are still those of the episode before.
        self._final = self._plus(self.trajectory.totals if self.trajectory.episodes > event.episode else {})
        if self.scene.carries_score:
            self._carried = self._final
        self._page_ready = False
        names = self.ledger.end(now)
        if names:
            self._say("episode", episode=event.episode, names=names)

    # -- what the page asks for -------------------------------------------------------------------------------

    def page_ready(self) -> None:
        """The page asks for the next episode: its reset() was called."""
        self.ledger.page_episode += 1
        self._page_ready = not self.ledger.logs or self.ledger.page_episode >= self.session.episode
        self._was_ready = True

    def exclude(self, now: float, reason: str, message: str) -> int:
        """The page's monitor excludes this participant; returns the length of the outbox."""
        return self._told(self.course.exclude, now, reason, message)

    def warn(self, now: float, message: str) -> int:
        """The page's monitor warns this participant; returns the length of the outbox."""
        return self._told(self.course.warn, now, message)

    def abandon(self, now: float) -> int:
        """The page begins something else, whatever is played; returns the length of the outbox."""
        return self._told(self.course.abandon, now)

    def broke(self, now: float, text: str) -> int:
        """Something outside of the environment raised: store what is confirmed; returns the length of the outbox."""
        return self._told(self.session.abort, now, "error", text)

    def _told(self, take: Callable[..., None], now: float, *details: str) -> int:
        """Between two ticks the page says something."""
        self._now = now
        self._end = OUTBOX_START
        take(now, *details)
        self._put_all_news()
        return self._end

    def reset_result(self) -> str:
        """What reset() returns to the page, as JSON text: the first picture of the episode."""
        return self._result(None, {}, self._first, 0)

    def step_result(self) -> str:
        """What step() returns to the page, as JSON text: the newest frame, predictions included, and its picture."""
        timeline = self.session.timeline
        slot = (timeline.current - 1) & timeline.frames.mask
        row = timeline.frames.actions[slot]
        everybody = self.cast.spread(row, self.session.episode, timeline.current - 1)
        return self._result(timeline.frames.results[slot], dict(zip(self.cast.agents, everybody, strict=True)))

    def confirmed_row(self) -> str:
        """The next confirmed frame, for a page that logs what step() returns; empty if there is none."""
        if not self.ledger.has_rows:
            return ""
        frame, actions, result = self.ledger.next_row()
        return self._result(result, actions, {}, frame + 1)

    def _result(
        self,
        result: StepResult | None,
        actions: dict[Any, Any],
        picture: dict[str, Any] | None = None,
        step: int | None = None,
    ) -> str:
        shapes, self._observed = flat_observations(self._adapter.observations)
        totals = self._totals()
        return plain_json(
            {
                "observations": shapes,
                "rewards": pairs(result.rewards) if result else [],
                "terminateds": pairs(result.terminations) if result else [],
                "truncateds": pairs(result.truncations) if result else [],
                "infos": pairs(result.infos) if result else [],
                "actions": {str(agent): action for agent, action in actions.items()},
                "cumulative": {str(agent): total for agent, total in totals.items()},
                "hud": self._hud_line(totals),
                "step": self.session.frame if step is None else step,
                "picture": self._packet() if picture is None else picture,
            }
        )

    def _totals(self) -> dict[Any, Any]:
        """Rewards by agent as the HUD shows them; between episodes those of the last one."""
        if self._final and self.session.phase not in (READYING, PLAYING, HOLDING):
            return self._final
        totals, _ = self._score()
        return self._plus(totals)

    def _plus(self, totals: dict[Any, Any]) -> dict[Any, Any]:
        carried = self._carried
        agents = [*self.session.players, *totals, *carried]
        return {agent: carried.get(agent, 0) + totals.get(agent, 0) for agent in agents}

    def hud_text(self) -> str:
        """The page's line: round, score and time left."""
        return self._hud_line(self._totals())

    def _hud_line(self, totals: dict[Any, Any]) -> str:
        session = self.session
        settings = session.settings
        me = session.players[session.me]
        # A reward that is one number is everybody's.
        everybody = COMMON in totals and COMMON not in self.cast.agents
        score = totals.get(COMMON if everybody else me, 0)
        total = settings.num_episodes
        left = f"{max(0, settings.max_steps - session.frame) / settings.fps:.1f}".rjust(5, "0")
        number = min(self.course.completed + 1, total)
        points = str(int((score + 0.5) // 1)) if score - score == 0 else str(score)
        return f"Round: {number}/{total} | Score: {points.rjust(2, '0')} | Time left: {left}s"

    def observations(self) -> bytes:
        """The observations of the last result, one behind the other, float32 in the machine's order."""
        return self._observed

    # -- pictures ---------------------------------------------------------------------------------------------

    def _keep_permanent(self) -> None:
        """The environment was reset: its picture of frame 0 is of now, and goes out with the page's reset."""
        self._first = self._packet()

    def _packet(self) -> dict[str, Any]:
        try:
            found, image = packet(self.env)
        except Exception as error:
            self._unseen = error
            return {"objects": None}
        if image:
            self._image = image
        smoothing = self.scene.smoothing
        if self._corrected and smoothing and found["objects"]:
            found["objects"] = [
                {**item, "tween": True, "tween_duration": smoothing} if isinstance(item, dict) else item
                for item in found["objects"]
            ]
        return found

    def image(self) -> bytes:
        """The last RGB picture, three bytes per pixel."""
        return self._image

    # -- data -------------------------------------------------------------------------------------------------

    def episode_data(self, episode: int, part: int = 0) -> str:
        """What the page stores of an episode, or of the part of it with this number, as JSON text."""
        return self.ledger.episode_data(episode, part)

    def session_data(self) -> str:
        """What is stored of all episodes together, for a page that stores a scene at once, as JSON text."""
        return self.ledger.session_data()

    def multiplayer_metrics(self) -> str:
        """The page's metrics file, as JSON text."""
        return self.ledger.metrics(self.course, self._now)

    def focus_state(self) -> str:
        """Who is looking at the page, as JSON text."""
        return json.dumps(self._focus())

    def take_remote_input(self, player_id_json: str, action_json: str, frame: int) -> str:
        """As `store_remote_input`; JSON text with `accepted` and, if it was mispredicted, its `rollbackEvent`."""
        events = self.session.timeline.events
        before = events.count
        accepted = self.store_remote_input(player_id_json, action_json, frame)
        late = rollback_events(self.session)[-1] if events.count > before else None
        return plain_json({"accepted": accepted, "rollbackEvent": late})

    def close(self) -> None:
        """The game is over; the environment stays the page's."""


def _hook(code: str) -> Any:
    """The researcher's code for every step, run where the environment was made."""
    if not code.strip():
        return None
    compiled = compile(code, "<on_game_step_code>", "exec")
    namespace = vars(sys.modules["__main__"])
    return lambda env: exec(compiled, namespace)
