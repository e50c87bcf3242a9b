"""Real records of real sessions, for the tests of what reads them."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pycore.records import Trajectory, export_session_metrics, trajectory_text
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk

SPACE = {"type": "discrete", "n": 6}
SEED = 4
SETTINGS: dict[str, Any] = {"max_steps": 50, "num_episodes": 2, "hash_interval": 20, "action_space": SPACE}
OF = Settings.of(SETTINGS)

Played = tuple[dict[str, str], dict[str, dict[str, Any]]]
"""Trajectories and metrics by player."""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imported from a researcher's file is forgotten after it: path and modules are as they were."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name, module in list(sys.modules.items()):
        if hasattr(module, "__pycore_factory__"):
            del sys.modules[name]


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
    # Until nobody waits for who left any longer.
    mesh.run(90.0)
    sessions = [page.session for page in mesh.peers]
    texts = {str(seat): trajectory_text(sessions[seat], kept[seat]) for seat in range(seats)}
    return texts, {str(seat): export_session_metrics(sessions[seat]) for seat in range(seats)}


def played(*, leaves: bool = False, seats: int = 2) -> Played:
    """A game over a bad network: two episodes for everybody, or cut short in the second one."""
    texts, metrics = _played(leaves, seats)
    return dict(texts), json.loads(json.dumps(metrics))


GAME = """
from pycore.testing import Walk
SETTINGS = {"max_steps": 50, "num_episodes": 2, "hash_interval": 20, "action_space": {"type": "discrete", "n": 6}}
def make_env():
    print("an environment that talks")
    return Walk(2, seed=4)
def make_other():
    return Walk(2, seed=5)
"""
"""The source of what was played, as a researcher's file."""


def stored(folder: Path, *, leaves: bool = False, about: bool = False) -> Path:
    """The files of a game in a folder, as `pycore data --out` and a rehearsal write them, and the environment's."""
    folder.mkdir(parents=True, exist_ok=True)
    texts, metrics = played(leaves=leaves)
    for player, text in texts.items():
        (folder / f"trajectory-{player}.jsonl").write_bytes(text.encode())
        (folder / f"metrics-{player}.json").write_text(json.dumps(metrics[player]))
    if about:
        known = {"game_id": "mesh", "started": 1.7e9, "ended": 1.7e9 + 60, "seed": SEED, "players": [0, 1]}
        subjects = {"0": "anna", "1": "=bob"}
        (folder / "game.json").write_text(json.dumps({**known, "subjects": subjects, "settings": SETTINGS}))
    (folder / "game.py").write_text(GAME)
    return folder


def changed(text: str, line: int, change: Callable[[dict[str, Any]], object]) -> str:
    """The text with one line changed, and spelled as records are."""
    lines = text.split("\n")
    value = json.loads(lines[line - 1])
    change(value)
    lines[line - 1] = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return "\n".join(lines)


def of_three(folder: Path, on_drop: str) -> Path:
    """A game of three of whom one leaves in the middle of the second episode."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = OF.replace(on_drop=on_drop)
    mesh = Mesh(
        3, settings, lambda seat: Walk(3, seed=SEED), lambda seat: lambda episode, frame: 1 + (frame // 3 + seat) % 5,
        Conditions(delay=0.05), seed=SEED,
    )  # fmt: skip
    mesh.server.grace = 1.0
    kept = [Trajectory() for _ in range(3)]
    for page, trajectory in zip(mesh.peers, kept, strict=True):
        page.session.add_sink(trajectory)
    mesh.at(3.4, mesh.peers[2].leave)
    mesh.run(60.0)
    for seat, page in enumerate(mesh.peers):
        (folder / f"trajectory-{seat}.jsonl").write_text(trajectory_text(page.session, kept[seat]))
        (folder / f"metrics-{seat}.json").write_text(json.dumps(export_session_metrics(page.session)))
    of = {**SETTINGS, "on_drop": on_drop}
    (folder / "game.py").write_text(
        f"from pycore.testing import Walk\nSETTINGS = {of!r}\ndef make_env():\n    return Walk(3, seed={SEED})\n"
    )
    return folder
