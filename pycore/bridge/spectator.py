"""Shows a game to somebody who has no seat in it: its rows are stepped again, and its past can be looked at.

Rows come as text, as a record has them, and are compared with what the environment here makes of the same actions: what
is shown is what was recorded, or it is said that it is not. Every so many frames the state is kept, so that an earlier
frame is shown by stepping a few. There is no session and no link: nothing here can reach who plays.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

from pycore.actions.codec import ActionCodec, action_codec
from pycore.bridge.game import rngs_of
from pycore.bridge.view import Pictures
from pycore.envs import ParallelEnvAdapter
from pycore.records.reader import Reading, RecordedEnd, RecordedFrame
from pycore.records.replay import Replay
from pycore.session.publication import PLAYER
from pycore.settings import Settings
from pycore.simulation import Renderable, Resumable, Simulation
from pycore.values.json import plain_json
from pycore.values.sums import plus

KEPT: Final = 256
"""States of an episode that are kept at most; where they are more, every second one is left."""
EVERY: Final = 16
"""Frames from one kept state to the next, at first."""


def create(env: Any) -> Spectator:
    """A spectator of the games of an environment; the page calls it once."""
    return Spectator(env)


class Spectator:
    """One game, an episode at a time. What raises here is the environment's, or a record that is none."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self._lines: deque[str] = deque()
        self._run: Iterator[RecordedFrame | RecordedEnd] | None = None
        self._replay = Replay()
        self._simulation: Simulation | None = None
        self._pictures: Pictures | None = None
        self._resume: Callable[[], None] = _nothing
        self._codecs: list[ActionCodec] = []
        self._actions: list[list[Any]] = []
        """Of the frames that were stepped."""
        self._totals: list[dict[str, Any]] = []
        self._states: dict[int, Any] = {}
        self._every = EVERY
        self._head: Any = None
        """The state of the newest frame, while an earlier one is shown."""
        self._at = 0
        """The frame that is shown then."""
        self._gone: list[tuple[int, dict[str, str]]] = []
        """What plays in the place of players who are gone, by player, from a frame on."""
        self._ended = False

    def begin(self, settings_json: str, header: str, episode: int) -> None:
        """An episode of a game, from its first frame on. `header` is the first line of its records."""
        known = json.loads(header)
        settings = Settings.of(json.loads(settings_json))
        simulation = self._env
        if not isinstance(simulation, Simulation):
            simulation = ParallelEnvAdapter(self._env, known["players"], seed=known["seed"], rngs=rngs_of(self._env))
        seats = range(len(known["players"]))
        self._codecs = [action_codec(settings.of_seat(seat, "action_space")) for seat in seats]
        self._simulation = simulation
        self._pictures = Pictures(simulation) if isinstance(simulation, Renderable) else None
        self._resume = simulation.resume if isinstance(simulation, Resumable) else _nothing
        simulation.reset(episode)
        if self._pictures is not None:
            self._pictures.begin()
        self._lines = deque((header,))
        self._replay = Replay()
        self._run = self._replay.run(Reading(self._taken(), "the record", episode), simulation, self._codecs)
        self._actions, self._totals, self._states, self._every = [], [], {}, EVERY
        self._head, self._ended = None, False
        self._gone = []

    def feed(self, rows: str) -> int:
        """More rows; returns how many wait to be stepped."""
        # Not splitlines(): texts of infos may hold characters that it takes for line ends.
        self._lines.extend(rows.removesuffix("\n").split("\n") if rows else ())
        return len(self._lines)

    def step(self, most: int) -> int:
        """Step so many of them at most; returns the frames that were stepped of the episode. What is not as it was
        recorded ends it: `state` says what."""
        self._go_on()
        assert self._run is not None
        for _ in range(int(most)):
            # It would end where there are none.
            if not self._lines or self._ended or self._replay.difference is not None:
                break
            item = next(self._run, None)
            if isinstance(item, RecordedEnd):
                self._ended = True
            elif item is not None:
                self._stepped(item)
        return len(self._actions)

    def _taken(self) -> Iterator[str]:
        while self._lines:
            yield self._lines.popleft()

    def _stepped(self, item: RecordedFrame) -> None:
        assert self._simulation is not None
        self._actions.append(item.actions)
        totals = dict(self._totals[-1]) if self._totals else {}
        for agent, reward in (item.values.get("rewards") or {}).items():
            if isinstance(reward, (int, float)):
                totals[agent] = plus(totals.get(agent, 0), reward)
        self._totals.append(totals)
        frame = len(self._actions)
        if item.stand_ins:
            now = {**(self._gone[-1][1] if self._gone else {}), **item.stand_ins}
            self._gone.append((frame, {player: what for player, what in now.items() if what != PLAYER}))
        if frame == 1 or frame % self._every == 0:
            self._states[frame] = self._simulation.save()
            if len(self._states) > KEPT:
                self._every *= 2
                self._states = {at: state for at, state in self._states.items() if at == 1 or at % self._every == 0}

    def show(self, frame: int) -> str:
        """What the environment draws after so many frames, at least 1, or of the newest, as the page's renderer takes
        it. Empty without a picture."""
        assert self._simulation is not None
        frame = min(int(frame), len(self._actions))
        if frame == len(self._actions):
            self._go_on()
        else:
            if self._head is None:
                self._head, self._at = self._simulation.save(), len(self._actions)
            at = max([kept for kept in self._states if kept <= frame])
            if at <= self._at <= frame:
                # Who plays the past goes from one frame to the next.
                at = self._at
                self._resume()
            else:
                self._simulation.load(self._states[at])
            for actions in self._actions[at:frame]:
                self._simulation.step(self._decoded(actions))
            self._at = frame
        return "" if self._pictures is None else self._pictures.render()

    def _go_on(self) -> None:
        """The newest frame is that of the simulation again, whatever was shown."""
        if self._simulation is None:
            return
        if self._head is not None:
            self._simulation.load(self._head)
            self._head = None
        self._resume()

    def _decoded(self, actions: list[Any]) -> list[Any]:
        of = zip(self._codecs, actions, strict=True)
        return [codec.decode(codec.encode(action)) for codec, action in of]

    def pixels(self, number: int) -> bytes:
        """The bytes of a picture that `show` gave this number."""
        return b"" if self._pictures is None else self._pictures.pixels(number)

    def state(self, frame: int) -> str:
        """What there is, and what is known of one of its frames, from 1 on, as JSON: `frames`, `ended`, `hashes` that
        were compared, `difference` (null: what was stepped is what was recorded), `actions`, `totals`, and `gone`: what
        plays in the place of players who are gone, by player."""
        at = min(int(frame), len(self._actions)) - 1
        difference = self._replay.difference
        return plain_json({
            "frames": len(self._actions), "waiting": len(self._lines), "ended": self._ended,
            "hashes": self._replay.hashes, "difference": None if difference is None else str(difference),
            "actions": self._actions[at] if at >= 0 else None, "totals": self._totals[at] if at >= 0 else {},
            "gone": next((gone for since, gone in reversed(self._gone) if since <= at + 1), {}),
        })  # fmt: skip


def _nothing() -> None:
    """A simulation without a state outside of itself goes on as it is."""
