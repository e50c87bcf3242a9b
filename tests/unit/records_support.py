"""Real records of real sessions, for the tests of what reads them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from pycore.records import Trajectory, export_session_metrics, trajectory_text
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk

SPACE = {"type": "discrete", "n": 6}
OF = Settings(max_steps=50, num_episodes=2, hash_interval=20, action_space=SPACE)
SEED = 4

Played = tuple[dict[str, str], dict[str, dict[str, Any]]]
"""Trajectories and metrics by player."""


def walk() -> Walk:
    """What was played."""
    return Walk(2, seed=SEED)


@functools.cache
def _played(leaves: bool, seats: int) -> Played:
    mesh = Mesh(
        seats, OF, lambda seat: Walk(seats, seed=SEED), lambda seat: lambda episode, frame: (frame // 3 + seat) % 6,
        Conditions(delay=0.05, loss=0.1), seed=SEED,
    )  # fmt: skip
    kept = [Trajectory() for _ in range(seats)]
    for page, trajectory in zip(mesh.peers, kept, strict=True):
        page.session.add_sink(trajectory)
    if leaves:
        # In mid-episode: the last player is gone, the others have a few frames more.
        mesh.at(4.0, mesh.peers[-1].leave)
    mesh.run(60.0)
    sessions = [page.session for page in mesh.peers]
    texts = {str(seat): trajectory_text(sessions[seat], kept[seat]) for seat in range(seats)}
    return texts, {str(seat): export_session_metrics(sessions[seat]) for seat in range(seats)}


def played(*, leaves: bool = False, seats: int = 2) -> Played:
    """A game over a bad network: two episodes for everybody, or cut short in the second one."""
    texts, metrics = _played(leaves, seats)
    return dict(texts), json.loads(json.dumps(metrics))


def changed(text: str, line: int, change: Callable[[dict[str, Any]], object]) -> str:
    """The text with one line changed, and spelled as records are."""
    lines = text.split("\n")
    value = json.loads(lines[line - 1])
    change(value)
    lines[line - 1] = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return "\n".join(lines)
