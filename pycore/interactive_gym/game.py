"""One game inside the page: a bridge and, as its companion, everything that the page's own module decided.

The shim asks once per tick for what it has to hand to the page. Beside the bridge's outbox records there are news
``{"news": "page", "do": …}``, which are orders to the shim:

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
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from pycore.bridge.bridge import FLAG_OUTBOX, Bridge
from pycore.bridge.game import Game, rngs_of
from pycore.bridge.seats import seat_order
from pycore.envs.adapter import ParallelEnvAdapter
from pycore.errors import described
from pycore.events import Desync, EpisodeEnded, News, PhaseChanged
from pycore.interactive_gym.bots import Cast, CastSimulation
from pycore.interactive_gym.course import Course
from pycore.interactive_gym.generations import generation
from pycore.interactive_gym.ledger import Ledger
from pycore.interactive_gym.report import rollback_events
from pycore.interactive_gym.scene import Scene, people
from pycore.interactive_gym.view import PageView
from pycore.link.negotiation import SIGNALS
from pycore.session.phases import DONE, PHASE_NAMES, READYING
from pycore.session.tick import OVER, RESIMULATED, STEPPED
from pycore.values.json import plain_json

ACTION_SIGNAL: Final = "pycore-action"
"""An input as a signal: mug's server counts bots as players and waits for them, so it never says that a game with
bots is ready, and relays no actions in it."""
INPUT: Final = "pyodide_player_action"


def create(config_json: str, env: Any, clock: Callable[[], float] | None = None) -> PageGame:
    """One game of the page. The JSON text has `scene` (its metadata), `generation`, `game_id`, `players` (null if the
    server never said who they are), `player_id`, `seed`, `turn_config`, `player_subjects`, `session_id`,
    `games_before` (of this scene, whose files are not to be written over), `wall_ms` and `now`. With the page's clock
    (s) it is measured what the environment takes here."""
    return PageGame(json.loads(config_json), env, clock)


class PageGame:
    """One game in the page: its shim sees it as it would see a bridge. The environment stays the page's."""

    def __init__(self, config: dict[str, Any], env: Any, clock: Callable[[], float] | None = None) -> None:
        self._relayed = config["players"] is not None
        players = config["players"] if self._relayed else people(config["scene"], config["player_id"])
        self.scene = scene = Scene(config["scene"], seat_order(players), generation(config["generation"]))
        turn = scene.turn(config.get("turn_config"))
        own = {"players": players, "settings": scene.settings, "turn_config": turn, "ice_servers": scene.ice_servers}
        game = Game.of({**config, **own})
        self.cast = cast = Cast(scene, game.players, game.seed)
        adapter = ParallelEnvAdapter(
            env,
            cast.agents,
            seed=game.seed,
            rngs=rngs_of(env) if scene.rngs is None else scene.rngs,
            reseed_each_episode="same",
            on_step=_hook(scene.on_step_code),
            restart=False,
            common=True,
        )
        # Environments of the page may count their episodes.
        row = [*game.default_actions, *[scene.default_action] * (len(cast.agents) - len(game.players))]
        adapter.check(default_actions=row, law_1=False)
        simulation = adapter if cast.is_plain else CastSimulation(adapter, cast)
        self.bridge = bridge = Bridge(game, simulation, companion=self)
        self.session = session = bridge.session
        session.log(f"[pycore] {adapter.described()}")
        if clock is not None:
            bridge.measure(clock, game.default_actions)
        session.held_back = True
        self.course = Course(session, scene, str(config.get("session_id") or ""), self._say, self._tell)
        subjects, before = config.get("player_subjects") or {}, int(config.get("games_before") or 0)
        logs = scene.generation.logs_frames
        began = game.now, game.wall_ms
        self.ledger = Ledger(session, cast, subjects, *began, before, logs=logs, moment=self._moment)
        session.add_sink(self.ledger)
        self.view = PageView(session, bridge.view, cast, adapter, self.ledger, self.course, self._moment)
        self.inbox, self.outbox, self.link_count = bridge.inbox, bridge.outbox, bridge.link_count
        self._default = session.seats[session.me].default_action
        self._page_ready = self._was_ready = False
        self._later: deque[dict[str, Any]] = deque()
        """Orders that wait until the page has logged what it has to."""
        self._foreign = False
        self._looked: tuple[tuple[bool, ...], dict[str, bool]] = ((), {})

    # -- the tick ---------------------------------------------------------------------------------------------

    def poll(self, now: float, action: Any, inbox_length: int) -> int:
        """As the bridge's; an exception of the environment ends the game instead of going through."""
        session, bridge = self.session, self.bridge
        hidden = bridge.hidden
        # A page that the browser does not run would keep the others waiting, and one that logs what it missed for as
        # long as it was not run.
        behind = hidden or self.ledger.has_rows
        session.held_back = not (self._page_ready or (behind and self._was_ready))
        if hidden:
            # Whoever looks elsewhere presses no keys here; the page would repeat the last one for ever.
            action = self._unattended(action)
        try:
            bridge.poll(now, action, inbox_length)
            if self.view.unseen is not None and session.phase < DONE:
                raise self.view.unseen
        except Exception as error:
            self._broke(error, now)
        self.ledger.latency.look(session, now)
        self.course.look(now, hidden)
        bridge.finish()
        if self._later and not self.ledger.has_rows:
            bridge.tell(self._later.popleft())
        return bridge.outbox_length()

    def advance(self, now: float) -> int:
        """As the bridge's; an exception of the environment ends the game instead of going through."""
        bridge = self.bridge
        if self.course.pauses:
            bridge.skip()
            return 0
        try:
            flags = bridge.advance(now)
        except Exception as error:
            self._broke(error, now)
            bridge.finish()
            return OVER | FLAG_OUTBOX
        self.view.corrected = bool(flags & RESIMULATED)
        if flags & STEPPED:
            self.ledger.mark()
        return flags

    def outbox_length(self) -> int:
        """Bytes in the outbox."""
        return self.bridge.outbox_length()

    def send_failed(self, now: float, link: int, seq: int) -> int:
        """Sending a datagram raised in the page; returns the length of an outbox with what goes instead."""
        return self.bridge.send_failed(now, link, seq)

    def _moment(self) -> tuple[float, dict[str, bool]]:
        """When it is, and who looks at the page; the dictionary is shared by all moments that are alike."""
        session = self.session
        looks = [not link.hidden for link in session.links]
        looks.insert(session.me, not self.bridge.hidden)
        key = tuple(looks)
        if self._looked[0] != key:
            names = [str(player) for player in session.players]
            self._looked = key, dict(zip(names, key, strict=True))
        return self.bridge.now, self._looked[1]

    def _unattended(self, action: Any) -> Any:
        """The action of a page that nobody looks at: the page's bots go on."""
        if type(action) is str and action and self.cast.page_bots:
            value = self.action(action)
            if isinstance(value, list):
                return json.dumps([self._default, *value[1:]])
        return self._default

    def _broke(self, error: Exception, now: float) -> None:
        import traceback  # slow, and seldom needed

        text = "".join(traceback.format_exception(error))[-6000:]
        self._say("log", level="error", text=f"[pycore] the game stopped: {text}")
        self.session.abort(now, "error", described(error))

    # -- the companion of the bridge --------------------------------------------------------------------------

    def action(self, text: str) -> Any:
        """The action of this seat: null stands for the default, also within a list that has the page's bots."""
        value = json.loads(text)
        if value is None:
            return self._default
        if self.cast.page_bots and self.session.me == 0 and isinstance(value, list):
            defaults = [self._default, *[self.scene.default_action] * (len(value) - 1)]
            return [default if part is None else part for part, default in zip(value, defaults, strict=True)]
        return value

    def take(self, event: str, data: Any, came: float) -> bool:
        """The words of the page's server, and inputs that come as signals."""
        if event == "webrtc_signal":
            return self.bridge.is_ours(data) and self._signal(data, came)
        return self.course.take(event, data, came)

    def _signal(self, data: dict[str, Any], came: float) -> bool:
        seat = self.bridge.seat_of[str(data["from_player_id"])]
        if data["type"] == ACTION_SIGNAL:
            if not isinstance(data["payload"], dict):
                raise TypeError("an input's signal without a dictionary")
            self.bridge.remote_action(seat, data["payload"], came)
            return True
        if data["type"] in SIGNALS and "generation" not in data["payload"] and not self._foreign:
            self._foreign = True
            text = f"[pycore] the page of player {self.session.players[seat]} does not run pycore"
            self._say("log", level="error", text=text)
        return False

    def passes(self, event: str, data: dict[str, Any]) -> bool:
        """What the server would not relay goes as a signal; who is gone it decides by itself."""
        if event == "player_silent":
            return False
        if self._relayed or event != INPUT:
            return True
        session = self.session
        for link in session.there:
            signal = {"game_id": session.game_id, "target_player_id": session.players[link.seat]}
            self.bridge.emit("webrtc_signal", {**signal, "type": ACTION_SIGNAL, "payload": data})
        return False

    def follow(self, event: News) -> None:
        """The session's news, in the page's words."""
        now = self.bridge.now
        if isinstance(event, PhaseChanged) and event.phase == PHASE_NAMES[READYING]:
            self.view.begin()
            self.ledger.begin(event.episode)
        elif isinstance(event, Desync):
            self.ledger.note_desync(event, now)
        elif isinstance(event, EpisodeEnded):
            self._episode_ended(event, now)
        self.course.follow(event, now)

    def refused(self, notice: str, now: float) -> None:
        """A local action was not played: said where the page's monitor warns."""
        self.course.warn(now, notice)

    def _episode_ended(self, event: EpisodeEnded, now: float) -> None:
        trajectory = self.bridge.trajectory
        # Without a confirmed frame the newest totals are still those of the episode before.
        self.view.end(trajectory.totals if trajectory.episodes > event.episode else {})
        self._page_ready = False
        names = self.ledger.close(now)
        if names:
            self._say("episode", episode=event.episode, names=names)

    def _say(self, do: str, **details: Any) -> None:
        news = {"news": "page", "do": do, **details}
        # A page that logs the frames itself does so under the number of the episode that it is at.
        if self.ledger.logs and (do == "reset" or (do == "finish" and not details["terminal"])):
            self._later.append(news)
        else:
            self.bridge.tell(news)

    def _tell(self, event: str, data: dict[str, Any], keep: bool = True) -> None:
        self.bridge.emit(event, data, keep)

    # -- what the page says -----------------------------------------------------------------------------------

    def agents(self) -> str:
        """Whose actions `poll` takes, as JSON: the own id, and behind it the page's bots on the lowest seat."""
        me = self.session.me
        return json.dumps([self.session.players[me], *(self.cast.page_bots if me == 0 else ())])

    def page_ready(self) -> None:
        """The page asks for the next episode: its reset() was called."""
        self.ledger.page_episode += 1
        self._page_ready = not self.ledger.logs or self.ledger.page_episode >= self.session.episode
        self._was_ready = True

    def exclude(self, now: float, reason: str, message: str) -> int:
        """The page's monitor excludes this participant; returns the length of the outbox."""
        return self.bridge.between(now, self.course.ends.exclude, reason, message)

    def warn(self, now: float, message: str) -> int:
        """The page's monitor warns this participant; returns the length of the outbox."""
        return self.bridge.between(now, self.course.warn, message)

    def abandon(self, now: float) -> int:
        """The page begins something else, whatever is played; returns the length of the outbox."""
        return self.bridge.between(now, self.course.abandon)

    def broke(self, now: float, text: str) -> int:
        """Something outside of the environment raised: store what is confirmed; returns the length of the outbox."""
        return self.bridge.between(now, self.session.abort, "error", text)

    def take_remote_input(self, player_id_json: str, action_json: str, frame: int) -> str:
        """As `store_remote_input`; JSON text with `accepted` and, if it was mispredicted, its `rollbackEvent`."""
        events = self.session.timeline.events
        before = events.count
        accepted = self.bridge.store_remote_input(player_id_json, action_json, frame)
        late = rollback_events(self.session)[-1] if events.count > before else None
        return plain_json({"accepted": accepted, "rollbackEvent": late})

    def set_wall_ms(self, now: float, wall_ms: float) -> None:
        """The page's wall clock, read anew."""
        self.bridge.set_wall_ms(now, wall_ms)

    def set_socketio_rtt(self, seconds: float) -> None:
        """Round-trip time to the server."""
        self.bridge.set_socketio_rtt(seconds)

    def close(self) -> None:
        """The game is over; the environment stays the page's."""


def _hook(code: str) -> Any:
    """The researcher's code for every step, run where the environment was made."""
    if not code.strip():
        return None
    compiled = compile(code, "<on_game_step_code>", "exec")
    namespace = vars(sys.modules["__main__"])
    return lambda env: exec(compiled, namespace)
