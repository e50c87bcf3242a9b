"""Games of several people in the harness page, with pycore's module in it, from the install to the CSV files."""

from __future__ import annotations

import base64
import contextlib
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seed_data
import seed_truth
from seed_browser import ACTIONS, Browser, Participant, browser
from seed_server import SeedServer

from pycore.wire import datagram
from tools.paths import ROOT

STATIC = Path(__file__).resolve().parent / "static"
GAME_SEED = 20260117
STEPS = 90
"""Of an episode, where a test does not say otherwise."""
PAUSE = 1.0
"""Seconds between two episodes, likewise; the page's own countdown takes three and a half."""
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


@dataclass
class Stage:
    """Where a test's games take place: a browser, the page's files with our module, and a folder for the data."""

    chromium: Any
    static: Path
    data: Path


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
        "max_steps": STEPS,
        "num_episodes": 2,
        "pycore": {"episode_pause": PAUSE},
        "environment_initialization_code": seed_truth.arena(
            f"{STUDY}\nenv = Study(**{ {'agents': list(policies), 'coins': 60, **options}!r})"
        ),
        **metadata,
    }


@dataclass
class Played:
    """What a game left: by subject, the columns, the metrics, the page and what it drew; and the server's books."""

    scene: dict[str, Any]
    server: SeedServer
    seats: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: dict[str, Participant] = field(default_factory=dict)
    drawn: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    datagrams: Counter[str] = field(default_factory=Counter)
    """`sent` and `received` on data channels, of all pages together."""

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
def gathered(stage: Stage, scene_: dict[str, Any], **server: Any) -> Iterator[tuple[Played, Browser]]:
    """A server and a browser for this scene."""
    with (
        SeedServer(stage.static, scene_, stage.data, game_seed=GAME_SEED, **server) as running,
        browser(stage.chromium, running) as chrome,
    ):
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
        assert [line for line in person.console if line.startswith("error")] == []
    assert played.server.unknown == set()


def play(
    stage: Stage,
    scene_: dict[str, Any],
    latency_ms: float = 0,
    loss: float = 0,
    p2p: bool = True,
    during: Callable[[list[Participant]], None] | None = None,
) -> Played:
    """A whole game. `during` is called when all play."""
    with gathered(stage, scene_) as (played, chrome):
        played.server.drop_signals = not p2p
        people = sit_down(played, chrome, latency_ms, loss)
        if during is not None:
            during(people)
        collect(played)
        played.drawn = {person.subject: person.drawn for person in people}
        for person in people:
            played.datagrams.update(person.page.evaluate("window.seedDatagrams"))
        return played


def shared(columns: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The columns in which the players may not differ."""
    return {name: values for name, values in columns.items() if not name.startswith(PERSONAL)}


def verify(played: Played, lengths: list[int] | None = None) -> None:
    """Everybody's data is the same and complete, and what CPython computes from the actions in it.

    Each frame is one row, and nothing else is: a row without a frame (of a reset), or a frame without its cell, would
    shift all that comes after it.
    """
    one, *others = (shared(columns) for columns in played.columns.values())
    for other in others:
        assert list(other) == list(one)
        different = [name for name, values in one.items() if other[name] != values]
        assert different == [], f"columns differ: {different}"
    agents = list(played.scene["policy_mapping"])
    if lengths is None:
        lengths = [played.scene["max_steps"]] * played.scene["num_episodes"]
    rows = sum(lengths)
    assert len(one["t"]) == rows, f"{len(one['t'])} rows for {rows} frames"
    times = [t for length in lengths for t in range(1, length + 1)]
    assert seed_truth.values_of(one, "t") == times, "steps are missing or unnumbered"
    assert seed_truth.values_of(one, "episode_num") == [
        number for number, length in enumerate(lengths) for _ in range(length)
    ]
    for columns in played.columns.values():
        assert "" not in columns["timestamp"]
    expected: dict[str, list[Any] | None] = {"t": None, "episode_num": None, "timestamp": None}
    actions = {agent: seed_truth.values_of(one, f"actions.{agent}") for agent in agents}
    for agent, column in actions.items():
        assert "" not in column, f"a frame has no action of {agent}"
        assert len(set(column)) >= 3, f"{agent} did nothing: the game proves nothing"
    truth = seed_truth.replay(played.scene["environment_initialization_code"], actions, lengths, GAME_SEED)
    steps = [step for episode in truth for step in episode]
    for agent in agents:
        expected[f"actions.{agent}"] = None
        expected[f"observations.{agent}"] = [""] * rows  # The page keeps no more of them than the heading.
        for part, name in enumerate(("rewards", "terminateds", "truncateds")):
            expected[f"{name}.{agent}"] = [step[part][agent] for step in steps]
        infos = [step[3][agent] for step in steps]
        for key in {key for info in infos for key in info}:
            values = [info[key] for info in infos if key in info]
            # The page's logger closes the gaps of what only some frames have.
            expected[f"infos.{agent}.{key}"] = values + [""] * (rows - len(values))
    for subject, player in played.seats.items():
        expected[f"player_subjects.{player}"] = [subject] + [""] * (rows - 1)
    assert {*one, "timestamp"} ^ expected.keys() == set(), f"columns {sorted({*one, 'timestamp'} ^ expected.keys())}"
    for name, values in expected.items():
        assert values is None or seed_truth.values_of(one, name) == values, name


WINDOW = 12
"""Frames that a page of 30 a second may be ahead of what it knows."""


def verify_books(played: Played, lengths: list[int] | None = None) -> None:
    """What one sent is what the other received, everything was stepped, no hash differed, and the server's own count
    of what crossed it is what the pages say that they sent that way."""
    frames = played.scene["max_steps"] * played.scene["num_episodes"] if lengths is None else sum(lengths)
    for subject, metrics in played.metrics.items():
        inputs = metrics["inputs"]
        stepped = metrics["frames"]["total"]
        # An end that the play decides may turn out to lie before what was stepped.
        assert stepped == frames or (lengths is not None and frames < stepped <= frames + WINDOW * len(lengths))
        assert metrics["sync"]["p2pHashMismatches"] == metrics["sync"]["contradictions"] == 0
        assert metrics["sync"]["hashesCompared"] > 0
        assert metrics["rollbacks"]["count"] == len(metrics["rollbacks"]["events"])
        crossed = len(played.server.inputs_of(subject, metrics["gameId"]))
        assert crossed == inputs["sentViaSocketIO"] + inputs["resentViaSocketIO"], f"inputs of {subject} by the server"
    one, two = (metrics["inputs"] for metrics in played.metrics.values())
    for sender, receiver in ((one, two), (two, one)):
        # By which way is another matter: what was lost on one may arrive on the other.
        sent = sender["sentViaP2P"] + sender["sentViaSocketIO"]
        assert sent == receiver["receivedViaP2P"] + receiver["receivedViaSocketIO"]
        # The first frames of an episode have the default action where inputs are delayed.
        assert sent >= frames - played.scene.get("input_delay", 0) * played.scene["num_episodes"]


def holds_inputs(packet: bytes) -> bool:
    """Whether a packet of pycore's has inputs in it: its eleventh byte says how many, and if there are more."""
    return packet[0] == datagram.KIND and bool(packet[11] & (datagram.COUNT | datagram.RUNS))


def away(metrics: dict[str, Any]) -> list[tuple[float, float]]:
    """From when to when the link was not used, in ms, by the page's own list of what it changed."""
    spells: list[tuple[float, float]] = []
    left = float("-inf")
    for change in metrics["pathChanges"]:
        if change["to"] == "p2p":
            spells.append((left, change["timestamp"]))
        else:
            left = change["timestamp"]
    changes = metrics["pathChanges"]
    return [*spells, (left, float("inf"))] if changes and changes[-1]["to"] == "socketio" else spells


def by_peer(played: Played) -> None:
    """No input crossed the server, but for the spells in which a page had left the link: one that stands still for half
    a second is given up for a while. It is the server who counts, not the pages."""
    for subject, metrics in played.metrics.items():
        spells = away(metrics)
        for data in played.server.inputs_of(subject, metrics["gameId"]):
            at = data["timestamp"]
            assert any(first - 1 <= at <= last + 1 for first, last in spells), f"{subject} at {at}: {spells}"
    assert played.total("inputs", "sentViaP2P") > 0
    assert set(played.server.signals) <= {"offer", "answer", "ice-candidate", "pycore"}
    assert played.server.signals["offer"] >= 1
    for _, _, event, data in played.server.log:
        if event == "webrtc_signal" and data["type"] == "pycore":
            assert not holds_inputs(base64.b64decode(data["payload"]))
