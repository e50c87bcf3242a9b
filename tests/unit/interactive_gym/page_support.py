"""The page without a browser: bridges driven as `web/interactive_gym/` drives them, a server that relays as mug's.

Time is fed by hand. Datagrams are delayed and lost, what goes through the server keeps its order, and everything is
drawn from one seed. Every side has its own generators: in a browser no two pages share Python's.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import random
import struct
import unittest.mock
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from pycore.bridge.bridge import FLAG_OUTBOX
from pycore.duties import CHANNEL_CLOSED, CHANNEL_NEVER
from pycore.envs.adapter import ParallelEnvAdapter
from pycore.interactive_gym.game import PageGame, create
from pycore.interactive_gym.sizes import packed
from pycore.interactive_gym.table import joined
from pycore.session.phases import FAILED, PLAYING
from pycore.session.tick import RESIMULATED, STEPPED
from tests.page import arena
from tests.unit.bridge_support import put_records

msgpack: Any = None
with contextlib.suppress(ImportError):  # the page's server brings it
    import msgpack

FPS = 32
PERIOD = 1 / FPS
SEED = 77
START = 50.0
WALL_MS = 1_700_000_000_000.0
STEP_BOMB = [False]
"""For a step code that raises."""
HOOKED: list[tuple[int, str]] = []
"""For a step code that counts."""

KEYS = {"ArrowLeft": 1, "ArrowRight": 2, "ArrowUp": 3, "ArrowDown": 4}

PERSONAL = ("timestamp", "rollbackEvents", "isFocused", "wasSpeculative")


def metadata(**values: Any) -> dict[str, Any]:
    """A scene as mug's server sends it: its attributes with the defaults that matter, and what the test changes."""
    return {
        "scene_id": "arena",
        "fps": FPS,
        "num_episodes": 2,
        "max_steps": 60,
        "input_delay": 0,
        "frame_skip": 4,
        "default_action": None,
        "action_population_method": "default_action",
        "action_mapping": KEYS,
        "policy_mapping": {"0": "human", "1": "human"},
        "hud_score_carry_over": False,
        "on_game_step_code": "",
        "rollback_smoothing_duration": None,
        "focus_loss_timeout_ms": 30_000,
        "reconnection_timeout_ms": 5000,
        "pause_on_partner_background": False,
        "partner_disconnect_show_completion_code": True,
        # The page's countdown is not what is tested here.
        "pycore": {"episode_pause": 0.25},
        **values,
    }


def with_own(scene: dict[str, Any], **own: Any) -> dict[str, Any]:
    """The scene with more of pycore's own words."""
    return {**scene, "pycore": {**(scene.get("pycore") or {}), **own}}


def keys(seat: int, tick: int) -> int:
    """Somebody plays: keys are held for a while, and not by all at once."""
    return (tick // (5 + 2 * seat) * (3 + seat) + tick // 11) % 5


def short_check() -> contextlib.AbstractContextManager[Any]:
    """A game tries its environment out before it begins: here for 3 frames, not 12, five times over.

    That it finds what cannot be rolled back is tested where it is; and it was a seventh of what these tests took.
    """
    return unittest.mock.patch.dict(ParallelEnvAdapter.check.__kwdefaults__, frames=3)


class Side:
    """One participant's page."""

    def __init__(self, table: Table, me: Any, seat: int, env: Any, config: dict[str, Any]) -> None:
        self.table = table
        self.me = me
        self.seat = seat
        self.env = env
        self._generators = random.getstate()
        with self.own_generators(), short_check():
            self.bridge: PageGame = create(json.dumps(config), env)
        self.session = self.bridge.session
        self.agents: list[Any] = json.loads(self.bridge.agents())
        self.play: Callable[[int], Any] = lambda tick: keys(seat, tick)
        self.bots: Callable[[int, str], Any] = lambda tick, bot: (tick // 3 + len(bot)) % 5
        self.channel = {link.seat: CHANNEL_NEVER for link in self.session.links}
        self.socket = True
        self.hidden = False
        self.deaf = False
        """Nothing reaches this page, by whatever way; what it says passes."""
        self.closed = False
        self.begins = float(config["now"])
        self.waiting: list[tuple[int, int, float, bytes]] = []
        self.remote: dict[int, set[str]] = {link.seat: set() for link in self.session.links}
        self.generation: dict[int, int] = dict.fromkeys(self.remote, 0)
        self.orders: list[dict[str, Any]] = []
        self.news: list[dict[str, Any]] = []
        self.emitted: list[tuple[float, str, dict[str, Any]]] = []
        self.kept: dict[str, set[bool]] = {}
        """Whether events were to be kept while the server is away."""
        self.episodes: dict[int, dict[str, Any]] = {}
        self.largest = 0
        """Bytes of the largest message with an episode's data, as the page packs it."""
        self.metrics: list[dict[str, Any]] = []
        self.resets: list[dict[str, Any]] = []
        self._shown: list[dict[str, Any]] = []
        self._texts: list[str] = []
        self.logged: list[dict[str, Any]] = []
        self.inputs: list[dict[int, Any]] = []
        """Per episode, what was pressed for which frame."""
        self.guesses: list[dict[int, int]] = []
        """Per episode and frame, the bits of the seats that lacked when the frame was stepped first."""
        self.stepped_at: list[dict[int, float]] = []
        self.looked: list[dict[int, tuple[bool, ...]]] = []
        self.reset_after: float = PERIOD
        """How long the page takes to ask for an episode."""
        self.asks_at: float | None = table.now
        self.finished: bool | None = None
        """None while the game goes on, then whether its end was terminal."""
        self.number = 0
        """The episode that the page counts."""
        self.quit = False
        self.flags = 0
        self.ticks = 0

    _drawing: ClassVar[Side | None] = None
    """Whose state the process's generator has: a state is 625 words, so it is changed only when another's turn comes.
    Between two pages nobody else draws."""

    @contextlib.contextmanager
    def own_generators(self) -> Iterator[None]:
        """What this page's Python draws is its own."""
        before = Side._drawing
        if before is not self:
            if before is not None:
                before._generators = random.getstate()
            random.setstate(self._generators)
            Side._drawing = self
        yield

    def call(self, name: str, *args: Any) -> Any:
        """One of the bridge's methods; texts that are JSON come back as what they say."""
        with self.own_generators():
            game = self.bridge
            found = getattr(game if hasattr(game, name) else game.view, name)(*args)
        return (
            json.loads(found, parse_constant=_refuse)
            if isinstance(found, str) and found.startswith(("{", "["))
            else found
        )

    @property
    def shown(self) -> list[dict[str, Any]]:
        """What the page was given to show after each tick that stepped; read when it is asked for."""
        while self._texts:
            self._shown.append(json.loads(self._texts.pop(0), parse_constant=_refuse))
        return self._shown

    def event(self, name: str, data: Any, came: float | None = None) -> None:
        """An event of the server, or something that the connection did."""
        text = json.dumps({"event": name, "data": data})
        self.waiting.append((3, 255, self.table.now if came is None else came, text.encode()))

    def rtc(self, seat: int, what: str, value: Any = None) -> None:
        """Something that the connection to a seat did."""
        self.event("rtc", {"link": self._link(seat), "what": what, "value": value, "generation": self.generation[seat]})

    def _link(self, seat: int) -> int:
        return seat if seat < self.seat else seat - 1

    def ordered(self, do: str) -> list[dict[str, Any]]:
        """All orders of one kind."""
        return [order for order in self.orders if order["do"] == do]

    def told(self, event: str) -> list[dict[str, Any]]:
        """What was emitted to the server as this event."""
        return [data for _when, name, data in self.emitted if name == event]

    def logs(self, level: str = "error") -> list[str]:
        """Lines of one level."""
        return [str(news["text"]) for news in [*self.orders, *self.news] if news.get("level") == level]

    # -- the tick ---------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """First half of a tick."""
        table = self.table
        if self.closed or table.now < self.begins:
            return
        self.ticks += 1
        # The seed's page stands still in a hidden tab: it asks for nothing and logs nothing.
        still = self.hidden and self.bridge.scene.generation.logs_frames
        if self.asks_at is not None and table.now >= self.asks_at and not still:
            self.asks_at = None
            self.call("page_ready")
        session = self.session
        action: Any = None if self.finished is not None else self.play(self.ticks)
        if self.finished is None and len(self.agents) > 1:
            action = [action, *[self.bots(self.ticks, bot) for bot in self.agents[1:]]]
        given = action if type(action) is int else json.dumps(action)
        before, episode = session.dispatched, session.episode
        with self.own_generators():
            length = self.bridge.poll(table.now, given, self._write_inbox())
        if session.dispatched > before and session.episode == episode and session.phase == PLAYING:
            self._note(self.inputs, episode)[session.dispatched] = self._meant(action)
        self._carry_out(length)

    def _meant(self, action: Any) -> Any:
        """The own action as the environment has to see it; hidden pages press nothing."""
        default = self.bridge.scene.default_action
        own = action[0] if len(self.agents) > 1 and isinstance(action, list) else action
        return default if own is None or self.hidden else own

    def advance(self) -> None:
        """Second half of a tick."""
        if self.closed or self.table.now < self.begins:
            return
        session = self.session
        timeline = session.timeline
        episode, stepped = session.episode, timeline.stepped
        with self.own_generators():
            self.flags = self.bridge.advance(self.table.now)
        if self.flags & STEPPED and timeline.stepped > stepped:
            frame = timeline.stepped - 1
            self._note(self.guesses, episode)[frame] = timeline.frames.missing[frame & timeline.frames.mask]
            self._note(self.stepped_at, episode)[frame] = self.table.now
            self._note(self.looked, episode)[frame] = tuple(not side.hidden for side in self.table.sides)
        if self.flags & FLAG_OUTBOX:
            self._carry_out(self.bridge.outbox_length())
        if self.finished is None and self.flags & (STEPPED | RESIMULATED):
            with self.own_generators():
                self._texts.append(self.bridge.view.step_result())
            if "NaN" in self._texts[-1] or "Infinity" in self._texts[-1]:
                self.shown  # noqa: B018 - they are refused where they are no part of a text
        if self.bridge.scene.generation.logs_frames and not self.hidden and self.asks_at is None:
            row = self.call("confirmed_row")
            if row:
                self.logged.append({**row, "number": self.number})

    @staticmethod
    def _note(of: list[Any], episode: int) -> Any:
        while len(of) <= episode:
            of.append({})
        return of[episode]

    def _write_inbox(self) -> int:
        inbox = self.bridge.inbox
        channels = [self.channel[link.seat] for link in self.session.links]
        # The streams' channels are as the others.
        both = [state for state in channels for _ in range(2)]
        struct.pack_into(f"<BBH{len(both)}i", inbox, 0, self.socket, self.hidden, 0, *both)
        return put_records(inbox, 4 + 4 * len(both), self.waiting)

    def _carry_out(self, length: int) -> None:
        """As the shim: datagrams at once, everything else when the outbox has been read."""
        outbox = self.bridge.outbox
        at, orders = 16, []
        while at < length:
            kind, link, size, _seq = struct.unpack_from("<BBHI", outbox, at)
            payload = bytes(outbox[at + 8 : at + 8 + size])
            at += 8 + size
            if kind == 1:
                self.table.datagram(self, self.session.links[link].seat, payload)
            elif kind == 5:
                self.table.chunk(self, self.session.links[link].seat, payload)
            else:
                orders.append((kind, json.loads(payload, parse_constant=_refuse)))
        assert at == length
        for kind, order in orders:
            if kind == 2:
                self.emitted.append((self.table.now, order["event"], order["data"]))
                self.kept.setdefault(order["event"], set()).add(order.get("keep", False))
                if self.socket:
                    self.table.server.take(self, order["event"], order["data"])
            elif kind == 3:
                self._connect(order)
            else:
                self._obey(order)

    def _connect(self, command: dict[str, Any]) -> None:
        seat = self.session.links[command["link"]].seat
        name = command["command"]
        if name == "connect":
            self.generation[seat], self.remote[seat] = command["generation"], set()
        elif name == "offer":
            self.rtc(seat, "local-description", {"type": "offer", "sdp": "o"})
        elif name == "accept":
            kind = command["description"]["type"]
            self.remote[seat].add(kind)
            if kind == "offer":
                self.rtc(seat, "local-description", {"type": "answer", "sdp": "a"})
        if name in ("accept", "channel"):
            self.table.open(self.seat, seat)

    def _obey(self, order: dict[str, Any]) -> None:
        if order["news"] != "page":
            self.news.append(order)
            return
        self.orders.append(order)
        match order["do"]:
            case "playing":
                self.resets.append(self.call("reset_result"))
            case "reset":
                self.number = order["episodes"]
                self.asks_at = self.table.now + self.reset_after
            case "episode":
                assert order["episode"] not in self.episodes, "an episode's data is stored once"
                parts = [self.call("episode_data", order["episode"], part) for part in range(len(order["names"]))]
                self.episodes[order["episode"]] = joined(parts)
                events = [event for part in parts for event in part["rollbackEvents"]]
                self.episodes[order["episode"]]["rollbackEvents"] = events
                self.largest = max(self.largest, *map(_packed, parts))
            case "metrics":
                self.metrics.append(self.call("multiplayer_metrics"))
            case "finish":
                self.finished = bool(order["terminal"])
            case "quit":
                self.quit = self.closed = True
            case "overlay" | "log":
                pass
            case other:
                raise AssertionError(f"the page knows no order {other}")

    def exclude(self, reason: str, message: str) -> None:
        """The page's monitor throws this participant out."""
        self._carry_out(self.call("exclude", self.table.now, reason, message))

    def warn(self, message: str) -> None:
        """The page's monitor warns this participant."""
        self._carry_out(self.call("warn", self.table.now, message))

    def broke(self, text: str) -> None:
        """The page raised in the middle of the game."""
        self._carry_out(self.call("broke", self.table.now, text))

    def abandon(self) -> None:
        """The page begins something else."""
        self._carry_out(self.call("abandon", self.table.now))

    @property
    def over(self) -> bool:
        """Whether the page was told that nothing more comes."""
        return self.finished is not None or self.quit


class Server:
    """What mug's server does with a game: relays without `sync_epoch`, counts, answers the events it knows."""

    def __init__(self, table: Table, relayed: bool) -> None:
        self.table = table
        self.relayed = relayed
        self.counts: Counter[str] = Counter()
        self.delay = 0.03
        self.alive = True
        self._validated: set[Any] = set()
        self._lost: set[Any] = set()
        self._back: set[Any] = set()

    def take(self, side: Side, event: str, data: dict[str, Any]) -> None:
        """An event of a page."""
        self.counts[event] += 1
        game = {"game_id": data.get("game_id")}
        if not self.alive:
            return
        if event == "pyodide_player_action":
            if self.relayed:
                passed = {key: data[key] for key in ("player_id", "action", "frame_number")}
                for other in self.table.others(side):
                    self.send(other, "pyodide_other_player_action", {**passed, "timestamp": self.table.now})
        elif event == "webrtc_signal":
            passed = {"type": data["type"], "from_player_id": side.me, **game, "payload": data["payload"]}
            self.counts[f"signal {data['type']}"] += 1
            for other in self.table.others(side):
                if str(other.me) == str(data["target_player_id"]):
                    self.send(other, "webrtc_signal", passed)
        elif event == "p2p_validation_failed":
            # The pages leave the game when they hear of it; these go on, to show what they do until then.
            self.alive = False
            self.room("p2p_validation_repool", {"message": "another partner", "reason": data["reason"]})
        elif event == "p2p_connection_lost":
            first = not self._lost
            self._lost.add(data["player_id"])
            if first:
                lost = {"pause_frame": data["frame_number"], "detecting_player": side.me}
                self.room("p2p_pause", {**game, **lost})
        elif event == "p2p_reconnection_success":
            self._back.add(data["player_id"])
            if self._lost and self._lost <= self._back:
                self._lost, self._back = set(), set()
                self.room("p2p_resume", game)
        elif event == "p2p_reconnection_timeout":
            self.alive = False
            other = self.table.others(side)[0]
            self.room("p2p_game_ended", {**game, "reason": "reconnection_timeout", "disconnected_player_id": other.me})
        elif event == "mid_game_exclusion":
            self.alive = False
            for other in self.table.others(side):
                self.send(other, "partner_excluded", {"message": "Your partner had a problem.", "frame_number": 1})
                export = {"is_partial": True, "termination_reason": "partner_exclusion", "termination_frame": 1}
                self.send(other, "trigger_data_export", export)
        elif event == "leave_game":
            self.leave(side)

    def leave(self, side: Side, reason: str = "partner_disconnected") -> None:
        """A participant is gone, or went on to the next scene."""
        if not self.alive:
            return
        self.alive = False
        gone = {"game_id": self.table.game_id, "reason": reason, "disconnected_player_id": side.me}
        for other in self.table.others(side):
            self.send(other, "p2p_game_ended", gone)

    def room(self, event: str, data: dict[str, Any]) -> None:
        """To everybody in the game."""
        for side in self.table.sides:
            self.send(side, event, data)

    def send(self, side: Side, event: str, data: dict[str, Any]) -> None:
        """To one page, in order."""
        due = self.table.now + self.delay
        self.table.at(due, lambda: side.event(event, data, due) if side.socket and not side.deaf else None)


class Table:
    """The pages of one game, the network between them, and the clock."""

    def __init__(
        self,
        scene: dict[str, Any] | None = None,
        players: tuple[Any, ...] = (0, 1),
        *,
        loss: float = 0.0,
        delay: float = 0.0,
        jitter: float = 0.0,
        seed: int = 1,
        generation: str = "mug",
        relayed: bool = True,
        connects: bool = True,
        env: dict[str, Any] | None = None,
        envs: list[Any] | None = None,
        each: list[dict[str, Any]] | None = None,
        game_seed: int = SEED,
        turn: Any = None,
    ) -> None:
        self.scene = scene if scene is not None else metadata()
        self.players = players
        self.loss, self.delay, self.jitter = loss, delay, jitter
        self.random = random.Random(seed)
        self.connects = connects
        self.cut = False
        """The peer-to-peer way drops everything without a word."""
        self.now = START
        self.game_id = "game-1"
        self.game_seed = game_seed
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.lost = self.delivered = self.chunks = 0
        self.env_options = {"generator": "word", **(env or {})}
        self.server = Server(self, relayed)
        self.sides: list[Side] = []
        for seat, me in enumerate(players):
            config = {
                "scene": self.scene, "generation": generation, "game_id": self.game_id,
                "players": list(players) if relayed else None, "player_id": me, "seed": game_seed, "turn_config": turn,
                "session_id": f"session-{me}",
                "player_subjects": {str(player): f"subject-{player}" for player in players},
                "wall_ms": WALL_MS, "now": self.now, **((each or [{}] * len(players))[seat]),
            }  # fmt: skip
            made = envs[seat] if envs is not None else self.make_env()
            self.sides.append(Side(self, me, seat, made, config))

    def make_env(self) -> Any:
        """The environment of the page's scene, as everybody makes it."""
        agents = [int(a) if str(a).isdecimal() else a for a in self.scene["policy_mapping"]]
        return arena.make(**{"agents": agents, **self.env_options})

    def __getitem__(self, seat: int) -> Side:
        return self.sides[seat]

    def others(self, side: Side) -> list[Side]:
        """Everybody else."""
        return [other for other in self.sides if other is not side]

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Do something when the time has come."""
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, do))

    def chunk(self, sender: Side, seat: int, payload: bytes) -> None:
        """A chunk goes out over the stream's channel: it arrives, and in order."""
        to = self.sides[seat]
        self.chunks += 1
        due = self.now + self.delay
        self.at(due, lambda: to.waiting.append((2, to._link(sender.seat), due, payload)))

    def datagram(self, sender: Side, seat: int, payload: bytes) -> None:
        """A datagram goes out over the channel, as long as there is one."""
        to = self.sides[seat]
        if sender.channel[seat] < 0 or self.cut or self.random.random() < self.loss:
            self.lost += 1
            return
        due = self.now + self.delay + self.random.random() * self.jitter

        def arrive() -> None:
            if to.channel[sender.seat] >= 0 and not to.deaf:
                self.delivered += 1
                to.waiting.append((1, to._link(sender.seat), due, payload))

        self.at(due, arrive)

    def open(self, one: int, two: int) -> None:
        """The channel between two seats opens, if both have what they need."""
        if self.connects and self.sides[one].remote[two] and self.sides[two].remote[one]:
            for seat, other in ((one, two), (two, one)):
                self.sides[seat].channel[other] = 0
                self.sides[seat].rtc(other, "connection-state", "connected")
                self.sides[seat].rtc(other, "channel-open")

    def close(self) -> None:
        """Every channel closes, and everybody sees it."""
        for side in self.sides:
            for seat in side.channel:
                side.channel[seat] = CHANNEL_CLOSED
                side.rtc(seat, "channel-closed")

    def tick(self) -> None:
        """One period passes for everybody."""
        self.now += PERIOD
        while self._queue and self._queue[0][0] <= self.now:
            heapq.heappop(self._queue)[2]()
        for side in self.sides:
            side.poll()
        while self._queue and self._queue[0][0] <= self.now:
            heapq.heappop(self._queue)[2]()
        for side in self.sides:
            side.advance()

    def ticks(self, count: int) -> None:
        """Several."""
        for _ in range(count):
            self.tick()

    def until(self, true: Callable[[], bool], most: int = 3000) -> int:
        """Tick until something is true; more than `most` is a failure."""
        for count in range(most):
            if true():
                return count
            self.tick()
        raise AssertionError(f"not true after {most} ticks: {[side.session.phase for side in self.sides]}")

    def play(self) -> Table:
        """Until every page was told that nothing more comes."""
        self.until(lambda: all(side.over for side in self.sides))
        return self

    def playing(self, frame: int = 10, episode: int = 0) -> Table:
        """Until everybody plays this episode and is at least at this frame."""
        wanted = (PLAYING, episode)
        self.until(
            lambda: all((s.session.phase, s.session.episode) == wanted and s.session.frame >= frame for s in self.sides)
        )
        return self


def shared(data: dict[str, Any]) -> dict[str, Any]:
    """What must be equal for all players in an episode's data."""
    return {name: part for name, part in data.items() if name not in PERSONAL}


def truth(table: Table, episode: int, rows: int) -> dict[str, list[Any]]:
    """The episode's columns from the environment alone, stepped with what the players pressed; bots have to be none."""
    env = table.make_env()
    delay = table.scene["input_delay"]
    default = table[0].bridge.scene.default_action
    columns: dict[str, list[Any]] = {}
    before = random.getstate()
    try:
        random.seed(table.game_seed)
        # check() has reset it once, and every episode once more: only what it counts would show that.
        env.reset(seed=table.game_seed)
        for frame in range(rows):
            actions = {
                side.me: default if frame < delay else side.inputs[episode][frame] for side in table.sides
            }  # fmt: skip
            _obs, rewards, terminations, truncations, infos = env.step(actions)
            flat = {f"{agent}.{key}": value for agent, info in infos.items() for key, value in info.items()}
            found = {"actions": actions, "rewards": rewards, "terminateds": terminations, "truncateds": truncations}
            for name, values in [*found.items(), ("infos", flat)]:
                for key, value in values.items():
                    column = columns.setdefault(f"{name}.{key}", [None] * rows)
                    column[frame] = value
    finally:
        random.setstate(before)
    return columns


def flat(data: dict[str, Any], names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Nested columns as one dictionary with dotted names."""
    return {f"{name}.{key}": column for name in names for key, column in data[name].items()}


def check_against_truth(table: Table) -> None:
    """Every episode that every side stored is equal between them and to the ground truth."""
    names = ("actions", "rewards", "terminateds", "truncateds", "infos")
    assert table[0].episodes
    for episode, data in table[0].episodes.items():
        for other in table.sides[1:]:
            assert shared(other.episodes[episode]) == shared(data)
        assert data["t"] == list(range(len(data["t"])))
        assert flat(data, names) == truth(table, episode, len(data["t"]))
    for other in table.sides[1:]:
        assert other.episodes.keys() == table[0].episodes.keys()


def failed(side: Side) -> bool:
    """Whether the session came to a bad end."""
    return side.session.phase == FAILED


def _packed(data: dict[str, Any]) -> int:
    return packed(json.dumps(data, separators=(",", ":"))) if msgpack is None else len(msgpack.packb(data))


def _refuse(name: str) -> Any:
    raise AssertionError(f"JSON holds {name}, which JavaScript refuses")
