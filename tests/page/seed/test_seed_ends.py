"""Games in the page of January 2026 that do not end as they should: nobody is left in front of a page that stands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import seed_data
import seed_game
import seed_truth
from seed_browser import Browser, Participant
from seed_game import Played, gathered, scene, sit_down

pytestmark = pytest.mark.page

OVERLAY = "document.getElementById('pycoreOverlay')?.textContent ?? ''"
RAISES = """
class Broken(Study):
    def step(self, actions):
        if self.t == 100:
            raise RuntimeError("there is no frame 100")
        return super().step(actions)
"""


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The harness page with pycore's module in it."""
    return seed_game.install(tmp_path_factory.mktemp("installed"))


def bound(make: str) -> dict[str, Any]:
    """The scene, with another environment."""
    code = seed_truth.arena(f"{seed_game.STUDY}{RAISES}\nenv = {make}(agents=['left', 'right'], coins=60)")
    return scene(environment_initialization_code=code)


def true_rows(played: Played, subject: str) -> int:
    """Check the rows of one player against CPython, and say how many there are. The episodes have 120 steps."""
    columns = played.columns[subject]
    actions = {agent: seed_truth.values_of(columns, f"actions.{agent}") for agent in ("left", "right")}
    rows = len(actions["left"])
    assert len(actions["right"]) == rows
    lengths = [120] * (rows // 120) + [rows % 120]
    code = seed_game.scene()["environment_initialization_code"]
    truth = seed_truth.replay(code, actions, lengths, seed_game.GAME_SEED)
    steps = [step for episode in truth for step in episode]
    for agent in ("left", "right"):
        assert seed_truth.values_of(columns, f"rewards.{agent}") == [step[0][agent] for step in steps]
    return rows


def wait_for_overlay(person: Participant, text: str, seconds: float) -> str:
    """Wait until an overlay says this; all that it says."""
    person.page.wait_for_function(f"({OVERLAY}).includes({text!r})", timeout=seconds * 1000)
    return str(person.page.evaluate(OVERLAY))


def test_a_partner_who_leaves_costs_nothing_that_both_had_played(static: Path, tmp_path: Path) -> None:
    """The other one is told, and the data of all frames that both had arrives, although the page sends none."""
    with gathered(static, scene(), tmp_path) as (played, chrome):
        ada, bob = sit_down(played, chrome, latency_ms=10)
        bob.page.wait_for_function("window.seedGame.num_episodes === 1 && window.seedGame.step_num === 50")
        bob.context.close()
        wait_for_overlay(ada, "The", seconds=30)
        path = played.server.csv_of("ada")
        deadline = time.monotonic() + 20
        while not path.is_file() and time.monotonic() < deadline:
            ada.page.wait_for_timeout(100)
        played.columns["ada"] = seed_data.read_csv(path)
        assert 120 + 40 <= true_rows(played, "ada") < 240
        assert ada.errors == []


def test_a_step_that_raises_ends_the_scene_with_its_data(static: Path, tmp_path: Path) -> None:
    """The page would stand still for ever; instead it goes on, and what was played is stored."""
    with gathered(static, bound("Broken"), tmp_path) as (played, chrome):
        people = sit_down(played, chrome, latency_ms=10)
        for person in people:
            played.columns[person.subject] = seed_data.read_csv(person.finish(60))
            assert any("there is no frame 100" in line for line in person.console)
            assert 80 <= true_rows(played, person.subject) <= 100
            assert person.errors == []


def test_an_environment_that_cannot_go_back_is_refused_by_name(static: Path, tmp_path: Path) -> None:
    """Without `get_state` there is no rollback: the page says so before anybody plays."""
    with gathered(static, bound("Arena"), tmp_path) as (played, chrome):
        for person in starting(chrome):
            said = wait_for_overlay(person, "get_state", seconds=40)
            assert "Arena" in said
            assert any("get_state" in line for line in person.console if line.startswith("error"))
        assert played.server.inputs == 0


def test_another_version_of_the_core_is_named_and_refused(static: Path, tmp_path: Path) -> None:
    """Two pages with different cores do not play: both participants are told within seconds."""
    with gathered(static, scene(), tmp_path) as (played, chrome):
        for person in starting(chrome, {"bob": "import pycore.session; pycore.session.__version__ = '0.0.7'"}):
            wait_for_overlay(person, "0.0.7", seconds=40)
            person.page.wait_for_function("window.seedGame.state === 'done'", timeout=10_000)
        assert played.server.inputs == 0


def starting(chrome: Browser, changed: dict[str, str] | None = None) -> list[Participant]:
    """Two participants who have pressed Start; Python that runs in a page before it does."""
    people = [chrome.participant(subject) for subject in ("ada", "bob")]
    for person in people:
        person.page.wait_for_selector("#startButton:not([disabled])", timeout=60_000)
        if changed and person.subject in changed:
            person.page.wait_for_function(
                "window.seedGame.pyodide.runPython('import sys; \"pycore.session\" in sys.modules')", timeout=30_000
            )
            person.page.evaluate("(code) => window.seedGame.pyodide.runPython(code)", changed[person.subject])
    for person in people:
        person.start()
    return people
