"""Games in the page of January 2026 that do not end as they should: nobody is left in front of a page that stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import seed_data
import seed_game
import seed_truth
from seed_browser import Browser, Participant
from seed_game import STEPS, Stage, gathered, scene, sit_down

pytestmark = pytest.mark.page

RAISES = """
class Broken(Study):
    def step(self, actions):
        if self.t == 70:
            raise RuntimeError("there is no frame 70")
        return super().step(actions)
"""
BREAKS = """
const {bridge} = game.core;
bridge.read = (name, ...values) => {
  if (name === 'step_result') throw new Error('the page broke');
  return Object.getPrototypeOf(bridge).read.call(bridge, name, ...values);
};
"""


def bound(make: str) -> dict[str, Any]:
    """The scene, with another environment."""
    code = seed_truth.arena(f"{seed_game.STUDY}{RAISES}\nenv = {make}(agents=['left', 'right'], coins=60)")
    return scene(environment_initialization_code=code)


def true_rows(path: Path) -> int:
    """Check the rows of one player against CPython, and say how many there are."""
    columns = seed_data.read_csv(path)
    rows = len(columns["t"])
    lengths = [STEPS] * (rows // STEPS) + [rows % STEPS]
    # What the page logs itself is counted from 1, what is stored for it from 0.
    first = int(columns["t"][0])
    assert first in (0, 1)
    assert seed_truth.values_of(columns, "t") == [t for length in lengths for t in range(first, first + length)]
    numbers = [number for number, length in enumerate(lengths) for _ in range(length)]
    assert seed_truth.values_of(columns, "episode_num") == numbers
    actions = {agent: seed_truth.values_of(columns, f"actions.{agent}") for agent in ("left", "right")}
    code = scene()["environment_initialization_code"]
    truth = seed_truth.replay(code, actions, lengths, seed_game.GAME_SEED)
    steps = [step for episode in truth for step in episode]
    for agent in ("left", "right"):
        assert seed_truth.values_of(columns, f"rewards.{agent}") == [step[0][agent] for step in steps]
        assert seed_truth.values_of(columns, f"terminateds.{agent}") == [False] * rows
        assert seed_truth.values_of(columns, f"infos.{agent}.x") == [step[3][agent]["x"] for step in steps]
    return rows


def overlay(person: Participant, seconds: float, **texts: str) -> tuple[str, str]:
    """Wait until there was an overlay of one of these kinds with its text; its kind, and all that it said.

    What has ended stays on the screen.
    """
    found = f"window.seedOverlays.find(({{kind, text}}) => kind in {texts} && text.includes({texts}[kind]))"
    person.until(f"{found} !== undefined", seconds)
    shown = person.game(found)
    if shown["kind"] == "ended":
        assert person.game("document.getElementById('pycoreOverlay')?.dataset.kind") == "ended"
    return shown["kind"], shown["text"]


def starting(chrome: Browser, changed: dict[str, str] | None = None) -> list[Participant]:
    """Two participants who have pressed Start; Python that runs in a page before it does."""
    people = [chrome.participant(subject) for subject in ("ada", "bob")]
    for person in people:
        person.until("document.querySelector('#startButton:not([disabled])') !== null", 60)
        if changed and person.subject in changed:
            person.until("game.pyodide.runPython('import sys; \"pycore.session\" in sys.modules')", 30)
            person.page.evaluate("(code) => window.seedGame.pyodide.runPython(code)", changed[person.subject])
    for person in people:
        person.start()
    return people


def test_a_partner_who_leaves_costs_nothing_that_both_had_played(stage: Stage) -> None:
    """The other one is told, and the data of all frames that both had arrives, although the page sends none."""
    with gathered(stage, scene()) as (played, chrome):
        ada, bob = sit_down(played, chrome, latency_ms=10)
        bob.at(1, 50, "location.href = 'about:blank'")
        overlay(ada, 60, ended="The other")
        assert STEPS + 30 <= true_rows(ada.stored(20)) < 2 * STEPS
        assert ada.errors == []
        assert played.server.unknown == set()


@pytest.mark.long  # in every run: an error in the other generation of the page
def test_a_step_that_raises_ends_the_scene_with_its_data(stage: Stage) -> None:
    """The page would stand still for ever; instead it goes on, and what was played is stored.

    One page comes to it first. The other may hear of that before it raises itself, and then its partner has left.
    """
    with gathered(stage, bound("Broken")) as (played, chrome):
        kinds = []
        for person in sit_down(played, chrome, latency_ms=10):
            kind, _ = overlay(person, 60, notice="The game stopped", ended="The other")
            kinds.append(kind)
            path = person.finish(30) if kind == "notice" else person.stored(20)
            assert 50 <= true_rows(path) <= 70
            raised = any("there is no frame 70" in line for line in person.console if line.startswith("error"))
            assert raised is (kind == "notice")
            assert person.errors == []
        assert "notice" in kinds
        assert played.server.unknown == set()


@pytest.mark.long  # a step that raises is in every run, and so is an error of the other generation
def test_an_error_of_the_page_itself_stores_what_was_played_and_the_partner_is_told(stage: Stage) -> None:
    """What the environment does not raise but the page around it: both read that it is over, and have their data."""
    with gathered(stage, scene()) as (played, chrome):
        ada, bob = sit_down(played, chrome, latency_ms=10)
        ada.at(0, 50, BREAKS)
        overlay(ada, 60, notice="The game stopped")
        overlay(bob, 30, ended="The other")
        for person in (ada, bob):
            assert 30 <= true_rows(person.stored(20)) < STEPS
            assert person.errors == []
        assert any("the page broke" in line for line in ada.console if line.startswith("error"))
        assert played.server.unknown == set()


@pytest.mark.long
def test_without_peer_to_peer_a_study_that_wants_it_ends_for_both(stage: Stage) -> None:
    """Both are told within seconds and for good, the console says why, and the server knows all that it hears."""
    with gathered(stage, scene(pycore={"socketio_start": False, "p2p_wait": 2})) as (played, chrome):
        played.server.drop_signals = True
        people = starting(chrome)
        for person in people:
            overlay(person, 60, ended="could not be connected")
            assert any(line.startswith("error: [P2P] no peer-to-peer connection") for line in person.console)
            person.until("game.state === 'done'", 10)
        people[0].page.wait_for_timeout(1000)
        for person in people:
            overlay(person, 1, ended="could not be connected")
            assert person.errors == []
        assert played.server.signals["offer"] > 0
        assert played.server.inputs == 0
        assert played.server.unknown == set()


@pytest.mark.long  # the other generation's page is refused alike in every run
def test_an_environment_that_cannot_go_back_is_refused_by_name(stage: Stage) -> None:
    """What can be saved in no way has no rollback: the page says so before anybody plays."""
    with gathered(stage, bound("StuckArena")) as (played, chrome):
        for person in starting(chrome):
            _, said = overlay(person, 40, ended="get_state")
            assert "StuckArena" in said
            assert any("get_state" in line for line in person.console if line.startswith("error"))
        assert played.server.inputs == 0
        assert played.server.unknown == set()


@pytest.mark.long  # the other generation's page is refused alike in every run
def test_another_version_of_the_core_is_named_and_refused(stage: Stage) -> None:
    """Two pages with different cores do not play: both participants are told within seconds."""
    with gathered(stage, scene()) as (played, chrome):
        for person in starting(chrome, {"bob": "from pycore.session import session; session.__version__ = '0.0.7'"}):
            overlay(person, 40, ended="0.0.7")
            person.until("game.state === 'done'", 10)
        assert played.server.inputs == 0
        assert played.server.unknown == set()
