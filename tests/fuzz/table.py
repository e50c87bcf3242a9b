"""Real sessions whose packets lie in the open: valid ones to mutate, and one session to give them to."""

from __future__ import annotations

import base64
import gc
import random
import types
from collections import deque
from collections.abc import Callable
from typing import Any

from pycore import BETWEEN, DONE, EMIT, FAILED, SEND, Session, Settings
from pycore.records import export_session_metrics
from pycore.session.confirmed import ConfirmedFrame
from pycore.testing import Walk

GAMES: dict[str, tuple[int, dict[str, Any]]] = {
    "two": (2, {"action_space": {"type": "discrete", "n": 6}}),
    "three": (3, {"action_space": {"type": "discrete", "n": 300}, "input_delay": 2}),
    "any": (2, {"action_space": {"type": "any"}, "input_delay": 0, "window": 4}),
    "four": (4, {"action_space": {"type": "multi_discrete", "nvec": [3, 5, 2]}}),
    "five": (5, {"action_space": {"type": "discrete", "n": 6}, "input_delay": 3, "window": 12}),
    "welcomes": (3, {"action_space": {"type": "discrete", "n": 6}}),
    "returns": (3, {"action_space": {"type": "discrete", "n": 6}}),
    "short": (2, {"action_space": {"type": "discrete", "n": 6}, "max_steps": 25, "num_episodes": 40}),
}
"""Seats and settings by name: every kind of action, more receipts, ends of episodes all the time; pages that are loaded
again."""
LOADED = {"welcomes": 1, "returns": 0}
"""Whose page is loaded again, before the target is given anything and now and then; the target's own in `returns`."""
LOADED_EVERY = 40
"""Ticks from one load of it to the next."""
MOST_LOADS = 200

Packet = tuple[int, bytes]
"""Who sent it, and its bytes."""


class Published:
    """A sink that takes frames in order and without a gap. It knows nothing of the game: what a session is made of is
    counted by what can be reached from it."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int]] = []

    def frame(self, frame: ConfirmedFrame) -> None:
        """A frame."""
        place = frame.episode, frame.frame
        if self.frames and place != next_of(self.frames[-1], frame.episode):
            raise AssertionError(f"frame {place[1]} of episode {place[0]} was published behind {self.frames[-1]}")
        self.frames.append(place)

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """The episode is complete."""

    def cut(self, episode: int, frames: int) -> None:
        """The episode was broken off."""
        self.frames = [place for place in self.frames if place < (episode, frames)]


class Table:
    """The sessions of one game. Seat 0 is the target; `heard` is what the others sent it."""

    def __init__(self, name: str, seed: int) -> None:
        seats, values = GAMES[name]
        self.name = name
        self.random = random.Random(seed)
        self.now = 100.0
        self.settings = Settings(**{"max_steps": 100_000, "num_episodes": 2, "hash_interval": 10, **values})
        self.published = Published()
        """What the target published."""
        self.seed = seed
        self.ticks = self.loads = 0
        self.sessions = [self._load(seat, seats) for seat in range(seats)]
        self.heard: deque[Packet] = deque(maxlen=400)
        self.seen: dict[str, Any] | None = None
        """What the target showed behind the last packet, as long as nothing else moved it."""
        self._mail: list[Callable[[], None]] = []
        self.begin()

    def _load(self, seat: int, seats: int) -> Session:
        """The session of a page that is loaded, perhaps again."""
        return Session(
            Walk(seats, seed=self.seed), self.settings, game_id="fuzz", players=list(range(seats)), me=seat,
            now=self.now, wall_ms=1e12, seed=self.seed, sinks=(self.published,) if seat == 0 else (), load=self.loads,
        )  # fmt: skip

    def _load_again(self, seat: int) -> None:
        if self.loads < MOST_LOADS:
            self.loads += 1
            if seat == 0:
                self.published = Published()
            self.sessions[seat] = self._load(seat, len(self.sessions))

    @property
    def target(self) -> Session:
        """The session that is given mutated packets."""
        return self.sessions[0]

    def begin(self) -> None:
        """Play until frames are published, with everything arriving; then a third of the packets is lost."""
        for _ in range(600):
            self.tick(lossy=False)
            if len(self.published.frames) > 5:
                break
        else:
            raise AssertionError(f"the game {self.name} did not begin")
        for _ in range(30):
            self.tick()
        if self.name in LOADED:
            self._load_again(LOADED[self.name])
            for _ in range(4):
                self.tick()

    def tick(self, lossy: bool = True) -> None:
        """One period of everybody. What is sent arrives in the next tick; the server loses nothing."""
        self.now += self.settings.period
        self.seen = None
        self.ticks += 1
        if self.loads and not self.ticks % LOADED_EVERY:
            self._load_again(LOADED[self.name])
        arrivals, self._mail = self._mail, []
        for arrive in arrivals:
            arrive()
        for seat, session in enumerate(self.sessions):
            action = self.random.randrange(6)
            for duty, to, _seq, payload in session.poll(self.now, self.action(action), [0] * (len(self.sessions) - 1)):
                if duty == SEND:
                    if to == 0:
                        self.heard.append((seat, payload))
                    if not lossy or self.random.random() < 0.66:
                        self._post(to, lambda o, s, p=payload: o.receive(s, p, self.now), seat)
                elif duty == EMIT:
                    self._emit(seat, *payload)
            session.advance(self.now)
            session.news()

    def action(self, number: int) -> Any:
        """An action of this game for one of six."""
        nvec = self.settings.action_space.get("nvec")
        return number if nvec is None else [number % n for n in nvec]

    def _emit(self, seat: int, event: str, data: Any) -> None:
        if event == "webrtc_signal":
            payload = data["payload"]
            to = self.sessions[0].players.index(data["target_player_id"])
            if to == 0 and self.name in LOADED:
                self.heard.append((seat, base64.b64decode(payload)))
            self._post(to, lambda o, s: o.receive_signal(s, payload, self.now), seat)
        elif event == "pyodide_player_action":
            what = data["action"], data["frame_number"], data["sync_epoch"]
            for to in range(len(self.sessions)):
                if to != seat:
                    self._post(to, lambda o, s: o.receive_action(s, *what, self.now), seat)

    def _post(self, to: int, arrive: Callable[[Session, int], Any], sender: int) -> None:
        self._mail.append(lambda: arrive(self.sessions[to], sender))

    @property
    def over(self) -> bool:
        """Whether the target plays no longer."""
        return self.target.phase in (DONE, FAILED)


def next_of(last: tuple[int, int], episode: int) -> tuple[int, int]:
    """The frame that has to be published behind another one."""
    return (episode, last[1] + 1) if episode == last[0] else (last[0] + 1, 0)


COUNTERS = ("malformed", "foreign")


def seen(session: Session) -> dict[str, Any]:
    """What a session shows of itself, but for the counters of what it refused."""
    metrics = export_session_metrics(session)
    for name in COUNTERS:
        metrics["sync"].pop(name, None)
    return {
        "metrics": metrics,
        "phase": session.phase,
        "episode": session.episode,
        "frame": session.frame,
        "published": session.published,
        "confirmed": session.confirmed,
        "dispatched": session.dispatched,
        "pending": session.timeline.pending,
        "period": session.tick_period(),
    }


def stood_still(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a packet left alone what only `poll` and `advance` may move. The end of all is the exception."""
    names = ("frame", "published", "episode")
    return all(before[name] == after[name] for name in names) or after["phase"] in (DONE, FAILED, BETWEEN)


LEAVES = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.MethodType)


def size(session: Session) -> int:
    """How many objects a session is made of: those that can be reached from it, code left out."""
    counted: set[int] = set()
    waiting: list[Any] = [session]
    while waiting:
        for found in gc.get_referents(waiting.pop()):
            if id(found) not in counted and not isinstance(found, LEAVES):
                counted.add(id(found))
                waiting.append(found)
    return len(counted)
