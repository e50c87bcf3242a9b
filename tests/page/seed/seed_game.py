"""Games of several people in the harness page, with pycore's module in it, from the install to the CSV files."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seed_data
import seed_truth
from seed_browser import ACTIONS, Browser, Participant, browser
from seed_server import SeedServer

from tools.paths import ROOT

STATIC = Path(__file__).resolve().parent / "static"
GAME_SEED = 20260117
STUDY = """
class Study(RewindableArena):
    # The number of resets is no part of the state: the same seed would give another one.
    def get_state(self):
        state = super().get_state()
        state.pop("episode", None)
        return state

    def set_state(self, state):
        super().set_state({**state, "episode": self.episode})
"""
PERSONAL = ("timestamp", "rollbackEvents", "isFocused.", "wasSpeculative.")
"""Columns in which two players may differ, or how they begin."""


def install(folder: Path) -> Path:
    """A copy of the harness page with pycore's module in it, put there as users do; its `static` folder."""
    static = folder / "interactive_gym" / "server" / "static"
    shutil.copytree(STATIC, static)
    command = [sys.executable, "-m", "pycore", "interactive-gym", "install", str(folder / "interactive_gym")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return static


def scene(agents: Mapping[Any, str] | None = None, **metadata: Any) -> dict[str, Any]:
    """The study's part of the metadata: the arena for these agents, 30 frames a second."""
    policies = {"left": "human", "right": "human"} if agents is None else dict(agents)
    options = metadata.pop("options", {})
    return {
        "policy_mapping": policies,
        "pyodide_multiplayer": True,
        "action_mapping": ACTIONS,
        "default_action": 0,
        "fps": 30,
        "max_steps": 120,
        "num_episodes": 2,
        "environment_initialization_code": seed_truth.arena(
            f"{STUDY}\nenv = Study(**{ {'agents': list(policies), 'coins': 60, **options}!r})"
        ),
        **metadata,
    }


@dataclass
class Played:
    """What a game left: by subject, the columns, the metrics and the page; and the server's books."""

    scene: dict[str, Any]
    server: SeedServer
    seats: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: dict[str, Participant] = field(default_factory=dict)

    def total(self, *path: str) -> int:
        """The sum over the players of a number in the metrics."""
        sum_ = 0
        for metrics in self.metrics.values():
            value: Any = metrics
            for name in path:
                value = value[name]
            sum_ += value
        return sum_


@contextlib.contextmanager
def gathered(static: Path, scene_: dict[str, Any], data: Path, **server: Any) -> Iterator[tuple[Played, Browser]]:
    """A server and a browser for this scene."""
    with SeedServer(static, scene_, data, game_seed=GAME_SEED, **server) as running, browser(running) as chrome:
        yield Played(scene_, running), chrome


def sit_down(
    played: Played, chrome: Browser, latency_ms: float = 0, loss: float = 0, subjects: tuple[str, ...] = ("ada", "bob")
) -> list[Participant]:
    """The participants open their pages, press Start and lay their hands on the keys.

    `latency_ms` and `loss` (in percent) are set on every page and act on both of its directions.
    """
    people = [chrome.participant(subject) for subject in subjects]
    for person in people:
        played.people[person.subject] = person
    for person in people:
        person.start()
        if latency_ms or loss:
            person.impair(max(1.0, latency_ms), loss)
    for number, person in enumerate(people):
        person.play(seed=number + 1)
    return people


def collect(played: Played, seconds: float = 90, number: int = 0) -> None:
    """Wait for everybody's end of the last scene, and read what they left; `number` is which scene that is."""
    until = time.monotonic() + seconds
    for subject, person in played.people.items():
        path = person.finish(max(1.0, until - time.monotonic()), number)
        played.columns[subject] = seed_data.read_csv(path)
        played.metrics[subject] = person.game("game.exportSessionMetrics()")
        played.seats[subject] = person.game("game.myPlayerId")
        assert person.errors == []
        assert person.addresses.refused == []


def play(
    static: Path,
    data: Path,
    scene_: dict[str, Any],
    latency_ms: float = 0,
    loss: float = 0,
    p2p: bool = True,
    during: Callable[[list[Participant]], None] | None = None,
) -> Played:
    """A whole game. `during` is called when all play."""
    with gathered(static, scene_, data) as (played, chrome):
        played.server.drop_signals = not p2p
        people = sit_down(played, chrome, latency_ms, loss)
        if during is not None:
            during(people)
        collect(played)
        return played


def shared(columns: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The columns in which the players may not differ."""
    return {name: values for name, values in columns.items() if not name.startswith(PERSONAL)}


def verify(played: Played, lengths: list[int] | None = None) -> None:
    """Everybody's data is the same and complete, and what CPython computes from the actions in it."""
    one, *others = (shared(columns) for columns in played.columns.values())
    for other in others:
        assert list(other) == list(one)
        different = [name for name, values in one.items() if other[name] != values]
        assert different == [], f"columns differ: {different}"
    agents = list(played.scene["policy_mapping"])
    if lengths is None:
        lengths = [played.scene["max_steps"]] * played.scene["num_episodes"]
    # A game may answer a reset with null, and then the page logs no row for it.
    first = min(seed_truth.values_of(one, "t"))
    assert first in (0, 1)
    assert seed_truth.values_of(one, "t") == [t for length in lengths for t in range(first, length + 1)]
    numbers = [number for number, length in enumerate(lengths) for _ in range(first, length + 1)]
    assert seed_truth.values_of(one, "episode_num") == numbers
    actions = {agent: seed_truth.values_of(one, f"actions.{agent}") for agent in agents}
    for agent, column in actions.items():
        assert len(column) == sum(lengths), f"{len(column)} actions of {agent}"
        assert len(set(column)) >= 3, f"{agent} did nothing: the game proves nothing"
    truth = seed_truth.replay(played.scene["environment_initialization_code"], actions, lengths, GAME_SEED)
    steps = [step for episode in truth for step in episode]
    for agent in agents:
        for part, field_ in enumerate(("rewards", "terminateds", "truncateds")):
            assert seed_truth.values_of(one, f"{field_}.{agent}") == [step[part][agent] for step in steps], field_
        infos = [step[3][agent] for step in steps]
        for key in {key for info in infos for key in info}:
            expected = [info[key] for info in infos if key in info]
            assert seed_truth.values_of(one, f"infos.{agent}.{key}") == expected, key
    assert {player: one[f"player_subjects.{player}"] for player in played.seats.values()} == {
        player: [subject] for subject, player in played.seats.items()
    }


def verify_books(played: Played) -> None:
    """What one sent is what the other received, everything was stepped, and no hash differed."""
    for metrics in played.metrics.values():
        frames = played.scene["max_steps"] * played.scene["num_episodes"]
        assert metrics["frames"]["total"] == frames
        assert metrics["sync"]["p2pHashMismatches"] == 0
        assert metrics["rollbacks"]["count"] == len(metrics["rollbacks"]["events"])
    for way in ("P2P", "SocketIO"):
        assert played.total("inputs", f"sentVia{way}") == played.total("inputs", f"receivedVia{way}")
