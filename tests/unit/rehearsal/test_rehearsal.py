"""A rehearsal before a browser is opened: its plan, its scripted players, its relay's command line."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pycore.errors import ConfigError
from pycore.rehearsal import Game, Outcome, Plan, rehearse, serving, table, write
from pycore.rehearsal.inputs import script
from pycore.settings import Settings

TAG = """
class Tag:
    metadata = {"name": "tag_v0", "rngs": ()}
    def reset(self, seed=None, options=None):
        self.agents, self.at = [0, 1], [seed, 0]
        return {0: 0, 1: 0}, {0: {}, 1: {}}
    def step(self, actions):
        self.at = [self.at[0] + actions[0], self.at[1] + actions[1]]
        return {0: 0, 1: 0}, {0: 1, 1: 2}, {0: False, 1: False}, {0: False, 1: False}, {0: {}, 1: {}}
    def get_state(self):
        return {"at": self.at}
    def set_state(self, state):
        self.at = list(state["at"])
def make_env():
    return Tag()
"""


@pytest.fixture
def tag(tmp_path: Path) -> Game:
    """Another game than the example."""
    module = tmp_path / "tag.py"
    module.write_text(TAG, encoding="utf-8")
    return Game(name="tag_v0", module=module, action_space={"type": "discrete", "n": 3}, default_action=2)


def test_a_plan_makes_settings_that_the_core_takes(tag: Game) -> None:
    """The game's name, actions and default stand in them, and the delay is the one that the verdict counts with."""
    plan = Plan(tag, seconds=10, episodes=1, input_delay=4, socketio_only=True)
    settings = Settings.of(plan.settings())
    assert (settings.environment, settings.default_action, settings.p2p) == ("tag_v0", 2, False)
    assert settings.action_space == {"type": "discrete", "n": 3}
    assert settings.input_delay == plan.delay == 4
    assert settings.max_steps == 300
    assert Plan(tag).delay == Settings.of(Plan(tag).settings()).input_delay


def test_the_replica_is_the_games_own_environment(tag: Game) -> None:
    """It is made of the module, seeded as in the page, and its generators are those of its metadata."""
    simulation = tag.simulation([0, 1], 7)
    simulation.reset(0)
    result = simulation.step([1, 2])
    assert result is not None
    assert result.rewards == {0: 1, 1: 2}
    assert b"at" in simulation.canonical(simulation.save())


def test_an_action_space_without_an_own_drawing_is_refused(tag: Game) -> None:
    """Only discrete actions can be drawn without being told how."""
    anything = Game(name="x", module=tag.module, action_space={"type": "any"})
    with pytest.raises(ConfigError, match="draw"):
        anything.drawing()
    drawn = Game(name="x", module=tag.module, action_space={"type": "any"}, draw="(random) => [random() < 0.5]")
    assert "[random() < 0.5]" in script(drawn, 1)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node to run the page's script")
def test_a_scripted_player_holds_its_keys_and_is_the_same_again(tag: Game) -> None:
    """Same seed, same actions; each held for 3 to 12 frames; an episode that begins again at 0 has a new plan."""
    code = (
        "globalThis.window = globalThis;\n"
        + script(tag, 5)
        + "\nconst read = () => Array.from({length: 200}, (_, f) => window.pycoreReadAction(f));"
        "\nconst all = [read(), read()];\nconsole.log(JSON.stringify({all, log: window.pycoreRead}));"
    )
    said = [subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert said[0] == said[1]
    found = json.loads(said[0])
    first, second = found["all"]
    assert first != second
    assert set(first) == {0, 1, 2}
    assert [list(episode.values()) for episode in found["log"]] == [first, second]
    changes = [at for at in range(1, 200) if first[at] != first[at - 1]]
    assert min(b - a for a, b in itertools.pairwise(changes)) >= 3


def test_another_number_of_pages_is_refused_before_anything_is_started(tag: Game, tmp_path: Path) -> None:
    """A session has two players here."""
    with pytest.raises(ConfigError, match="two players"):
        rehearse(Plan(tag, pages=3), site=tmp_path)


def test_a_taken_port_is_told_at_once_with_the_way_out() -> None:
    """Before anything is built or started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="--port"):
            serving.refuse_taken("127.0.0.1", taken.getsockname()[1])


def test_a_database_is_a_url_or_a_file(tmp_path: Path) -> None:
    """A file name becomes a SQLite URL with an absolute path; a URL stays as it is."""
    assert serving.database_url("postgresql+psycopg://a/b") == "postgresql+psycopg://a/b"
    assert serving.database_url(str(tmp_path / "new" / "x.db")) == f"sqlite:///{tmp_path / 'new' / 'x.db'}"
    assert (tmp_path / "new").is_dir()


def test_an_address_is_one_that_a_browser_can_open() -> None:
    """A relay that listens everywhere is reached by this machine's own address; IPv6 stands in brackets."""
    assert serving.address("0.0.0.0", 8000) == "http://127.0.0.1:8000/"
    assert serving.address("::1", 1) == "http://[::1]:1/"


def test_playwright_is_not_needed_until_a_rehearsal_plays() -> None:
    """The package is imported by who has none."""
    code = "import sys; sys.modules['playwright'] = None; import pycore.rehearsal"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=serving.HOME)


def test_what_a_rehearsal_left_is_shown_and_written(tmp_path: Path) -> None:
    """One column per player, one file each of metrics and records, bytes as they were."""
    inputs = {f"{what}Via{path}": 1 for what in ("sent", "received", "resent") for path in ("P2P", "SocketIO")}
    metrics = {
        "connection": {"type": "direct"},
        "frames": {"total": 90},
        "episodes": [{}],
        "inputs": inputs,
        "rollbacks": {"count": 3, "performed": 2, "maxFrames": 4},
        "quality": {"stalls": 0, "rttMs": {"1": 40}},
        "sync": {"hashesCompared": 3, "p2pHashMismatches": 0},
        "pathChanges": [{"to": "socketio", "episode": 0, "frame": 7, "cause": "closed"}],
        "end": {"reason": "complete"},
    }
    outcome = Outcome("g", {"0": metrics}, {"0": "{}\n"}, {}, {"inputs_relayed": 5}, True, 3.0, 61.4, ["one"], [], [])
    shown = table(outcome)
    for fact in ("direct", "2, 4", "socketio at 0:7 (closed)", "server: 5", "lost: 1", "61 ms"):
        assert fact in shown
    write(outcome, tmp_path / "out")
    assert (tmp_path / "out" / "trajectory-0.jsonl").read_bytes() == b"{}\n"
    assert json.loads((tmp_path / "out" / "metrics-0.json").read_text())["frames"]["total"] == 90
