"""A predictor that a study names: made from its file, tried, put into the page, and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from records_support import forgotten  # noqa: F401

from pycore.bridge.bridge import create
from pycore.errors import ConfigError
from pycore.rehearsal import Game
from pycore.rehearsal.partners import try_predictor
from pycore.rehearsal.sites import site_of
from pycore.settings import Settings
from pycore.site.failing import SiteFailed
from pycore.site.policies import policies_of

ENVIRONMENT = '''
class Follow:
    """Two on a line; everybody sees both."""

    metadata = {"name": "follow_v0"}
    possible_agents = ["ann", "bob"]

    def action_space(self, agent):
        return {"type": "discrete", "n": 3}

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        self.at = [10, 30]
        return self._seen(), {"ann": {}, "bob": {}}

    def step(self, actions):
        for number, agent in enumerate(self.agents):
            self.at[number] += actions[agent] - 1
        no = {"ann": False, "bob": False}
        return self._seen(), {"ann": self.at[0], "bob": self.at[1]}, no, dict(no), {"ann": {}, "bob": {}}

    def _seen(self):
        return {agent: list(self.at) for agent in self.agents}


def make_env():
    return Follow()
'''
PREDICTOR = '''
class Towards:
    def predict(self, outlook, last, since, frame):
        own, other = outlook.observation[outlook.seat], outlook.observation[1 - outlook.seat]
        return 2 if other > own else 0


class Wrong:
    def predict(self, outlook, last, since, frame):
        return 7 if outlook.player == 1 and frame == 3 else 1


def make_predictor():
    return Towards()


def make_wrong():
    return Wrong()


def make_none():
    return print
'''
SETTINGS: dict[str, Any] = {"max_steps": 120, "hash_interval": 20, "prediction": "predictor.py"}


@pytest.fixture
def study(tmp_path: Path, forgotten: None) -> Path:  # noqa: F811
    """The file of an environment with its predictors beside it."""
    (tmp_path / "follow.py").write_text(ENVIRONMENT)
    (tmp_path / "predictor.py").write_text(PREDICTOR)
    return tmp_path / "follow.py"


def game_of(study: Path, prediction: str = "predictor.py") -> Game:
    return Game.of(str(study), {**SETTINGS, "prediction": prediction})


def test_a_predictor_is_tried_and_what_it_says_that_is_no_action_is_told(study: Path) -> None:
    """It is a warning: the game goes on without."""
    good = game_of(study)
    assert try_predictor(good, good.played(), [1, 1]) == ""
    wrong = game_of(study, "predictor.py:make_wrong")
    said = try_predictor(wrong, wrong.played(), [1, 1])
    assert said.startswith("the predictor predictor.py:make_wrong failed in frame 3, for player 1: ")
    assert said.endswith("; where it does, the last action is repeated")
    assert "7" in said
    plain = game_of(study, "repeat_last")
    assert try_predictor(plain, plain.played(), [1, 1]) == ""


def test_a_predictor_is_tried_on_whom_some_page_guesses(study: Path) -> None:
    """That of a policy's seat which every page computes never; of one that one page computes the others do."""
    for by, said in (("all", ""), ("one", "the predictor predictor.py:make_wrong failed in frame 3, for player 1: ")):
        policies = {"1": {"policy": "bot", "computed_by": by}}
        game = Game.of(str(study), {**SETTINGS, "prediction": "predictor.py:make_wrong", "policies": policies})
        assert try_predictor(game, game.played(), [1, 1])[: len(said) or None] == said


@pytest.mark.parametrize(
    ("prediction", "words"),
    [
        ("predictor.py:make_none", r"returned a builtin_function_or_method without predict\(outlook, last, since, "),
        ("predictor.py:make_all", "has no make_all"),
        ("oracle.py", "there is no file"),
    ],
)
def test_what_makes_no_predictor_is_refused(study: Path, prediction: str, words: str) -> None:
    """Before anybody plays."""
    game = game_of(study, prediction)
    with pytest.raises(ConfigError, match=words):
        try_predictor(game, game.played(), [1, 1])


def test_a_prediction_that_is_no_name_of_one_is_refused_with_what_it_may_be() -> None:
    """A word that is misspelled is not taken for a file."""
    with pytest.raises(ConfigError, match="must be 'repeat_last', 'default_action', or what makes a predictor"):
        Settings(prediction="repeat_lst").check()
    assert Settings(prediction="a.b:make").predictor == "a.b:make"
    assert Settings(prediction="default_action").predictor is None


def test_the_site_has_the_predictors_file_and_the_page_is_told_of_it(study: Path, tmp_path: Path) -> None:
    """What is named twice is copied once."""
    found = policies_of({**SETTINGS, "policies": {"1": "predictor.py:make_policy"}}, study)
    assert found.predictor == {"module": "predictor", "factory": "make_predictor"}
    assert found.files == [study.parent / "predictor.py"]
    site = site_of(game_of(study), tmp_path / "built", pyodide="https://example.org/pyodide/")
    manifest = json.loads((site / "manifest.json").read_text())
    assert manifest["predictor"] == {"module": "predictor", "factory": "make_predictor"}
    assert "game/predictor.py" in manifest["files"]
    assert (site / "game" / "predictor.py").read_text() == PREDICTOR
    with pytest.raises(SiteFailed, match=r"there is no oracle\.py beside follow\.py; the predictor is in it"):
        policies_of({"prediction": "oracle.py"}, study)


def test_a_page_gives_the_session_its_predictor_and_keeps_what_that_looks_at(study: Path) -> None:
    """Observations are there after a rollback; a page without its predictor is refused."""
    game = game_of(study)
    config = json.dumps({
        "game_id": "g", "players": [0, 1], "player_id": 0, "seed": 5, "settings": dict(game.settings), "now": 0.0,
        "wall_ms": 1e12,
    })  # fmt: skip
    bridge = create(config, game.make(), None, {}, game.predictor())
    session = bridge.session
    assert session.timeline.predictor == "Towards"
    simulation: Any = session.simulation
    simulation.reset(0)
    state = simulation.save()
    simulation.load(state)
    assert simulation.observations == {1: [10, 30]}, "nobody guesses the own action"
    with pytest.raises(ConfigError, match=r"the settings name the predictor predictor\.py; none is given"):
        create(config, game.make())
