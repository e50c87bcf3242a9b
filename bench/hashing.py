"""What the hash of a large state costs a tick: the longest tick in which one is due, beside a usual one.

Two sessions of an environment whose state is nested lists of about 100 kB in canonical form, hashed once a second. The
state is saved and stepped in every tick alike, so a tick with a hash minus the median tick is the hash's own; the
smallest of several seconds. Time of this process alone: one tick in thirty is too rare to wait for an undisturbed one.
"""

from __future__ import annotations

import json
from statistics import median
from time import process_time
from typing import Any

from pycore import EMIT, PLAYING, SEND, Session, Settings
from pycore.envs import ParallelEnvAdapter

FPS = 30
SECONDS = 12
CELLS = 25, 400


class Grid:
    """Two agents on a grid of numbers, in which every frame changes one."""

    def __init__(self) -> None:
        self.agents = [0, 1]
        self.frame = 0
        self.rows: list[list[Any]] = []

    def reset(self, seed: int) -> Any:
        self.agents, self.frame = [0, 1], 0
        self.rows = [[[row, column * 7919] for column in range(CELLS[1])] for row in range(CELLS[0])]
        return {0: 0, 1: 0}, {}

    def step(self, actions: dict[Any, Any]) -> Any:
        self.frame += 1
        self.rows[self.frame % CELLS[0]][self.frame % CELLS[1]] = [self.frame, actions[0]]
        return {0: 0, 1: 0}, {0: 0, 1: 0}, {0: False, 1: False}, {0: False, 1: False}, {}

    def get_state(self) -> Any:
        return {"frame": self.frame, "rows": self.rows}

    def set_state(self, state: Any) -> None:
        self.frame, self.rows = state["frame"], state["rows"]


def ticks() -> tuple[list[float], int]:
    """Seconds of each `advance` of a playing session, and how often hashes were compared."""
    settings = Settings(fps=FPS, input_delay=3, hash_interval=FPS, max_steps=100_000)
    pair = [
        Session(
            ParallelEnvAdapter(Grid(), [0, 1], seed=1, rngs=()), settings, game_id="bench", players=[0, 1], me=seat,
            now=0.0, wall_ms=0.0, seed=1,
        )
        for seat in (0, 1)
    ]  # fmt: skip
    found: list[float] = []
    now = 0.0
    while len(found) < FPS * SECONDS:
        now += settings.period
        playing = all(session.phase == PLAYING for session in pair)
        for session, other in (pair, pair[::-1]):
            for duty, _seat, _seq, payload in session.poll(now, 1, [0]):
                if duty == SEND:
                    other.receive(session.me, payload, now)
                elif duty == EMIT and payload[0] == "webrtc_signal":
                    other.receive_signal(session.me, payload[1]["payload"], now)
            begin = process_time()
            session.advance(now)
            if playing and session is pair[0]:
                found.append(process_time() - begin)
        if now > 10 * SECONDS:
            raise AssertionError("the sessions do not play")
    return found, pair[0].hashes_compared


def figures(where: str) -> list[dict[str, Any]]:
    """The longest tick of each second, minus the median tick; the least of all seconds."""
    found, compared = ticks()
    if compared < SECONDS - 2:
        raise AssertionError(f"only {compared} hashes were compared: this measures something else")
    longest = min(max(found[at : at + FPS]) for at in range(FPS, len(found), FPS))
    return [{
        "name": f"engine.hash.100kb.{where}.ms", "value": round(1000 * (longest - median(found)), 3), "unit": "ms",
        "goal": None,
    }]  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(figures("cpython")))
