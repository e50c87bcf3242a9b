"""What scripted players do: actions of every space, legal moves in their frames, and what a page makes of a script."""

from __future__ import annotations

import itertools
import json
import random
import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pycore.errors import ConfigError
from pycore.rehearsal import Game, Plan
from pycore.rehearsal.game import actions_of
from pycore.rehearsal.inputs import script
from pycore.rehearsal.scripts import runs, scripts_of

ENVIRONMENTS = Path(__file__).resolve().parents[2] / "e2e" / "environments"
FAR = {"type": "discrete", "n": 4, "start": -1}
SAY = {"type": "text", "max_length": 3}
SPACES: list[dict[str, Any]] = [
    {"type": "discrete", "n": 6},
    FAR,
    {"type": "multi_discrete", "nvec": [[2, 3], [4, 5]]},
    {"type": "multi_binary", "n": 5},
    {"type": "box", "shape": [2], "dtype": "float32", "low": -1, "high": [1, None]},
    {"type": "text", "max_length": 5},
    {"type": "tuple", "spaces": [FAR, {"type": "multi_binary", "n": 2}]},
    {"type": "dict", "spaces": {"go": {"type": "box", "shape": [], "low": 0, "high": 1}, "say": SAY}},
    {"type": "optional", "space": FAR},
    {"type": "any"},
]  # fmt: skip


def unrolled(script: list[list[Any]]) -> list[Any]:
    return [action for frames, action in script for _ in range(frames)]


def game(name: str, **settings: Any) -> Game:
    return Game.of(str(ENVIRONMENTS / f"{name}.py"), settings)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: str(space["type"]))
def test_players_do_many_things_of_their_space_and_hold_them(space: dict[str, Any]) -> None:
    """What is written down is what JSON and the codec make of it; the default action is among it."""
    plan = Plan(game("drifting", action_space=space), seconds=20)
    scripts = plan.scripts()
    assert json.loads(json.dumps(scripts)) == scripts
    (seat, _) = actions_of(plan.played(), 2)
    found = [unrolled(episode) for episode in scripts[0]]
    assert all(len(episode) >= 300 for episode in found)
    assert all(seat.spelled(action) == action for episode in found for action in episode)
    assert len({json.dumps(action) for action in found[0]}) >= 3
    assert seat.idle in found[0]
    held = [frames for frames, _ in scripts[0][0][:-1]]
    assert min(held) >= 3
    assert scripts[0] != scripts[1]
    assert scripts[0][0] != scripts[0][1]


def test_the_same_seed_gives_the_same_scripts_and_another_one_others() -> None:
    """Whatever was drawn in this process before."""
    meadow = game("meadow")
    assert Plan(meadow, seed=3).scripts() == Plan(meadow, seed=3).scripts() != Plan(meadow, seed=4).scripts()


def test_seats_play_their_own_spaces() -> None:
    """Of a game whose agents differ."""
    ant, bee = Plan(game("meadow")).scripts()
    assert all(set(action) == {"move", "dig"} for _, action in ant[0])
    assert all(isinstance(action, list) and len(action) == 2 for _, action in bee[0])


@pytest.mark.parametrize("delay", [0, 1, 4])
def test_moves_of_a_turn_based_game_are_legal_in_the_frames_that_they_are_for(delay: int) -> None:
    """Played as the pages will, each game of it ends by itself, and no move of it is illegal."""
    plan = Plan(game("noughts"), seconds=20, input_delay=delay)
    settings = plan.played()
    seats = actions_of(settings, 2)
    scripts = [[unrolled(episode) for episode in seat] for seat in plan.scripts()]
    simulation = plan.game.simulation(settings, plan.seed)
    for episode in range(4):
        simulation.reset(episode)
        moves = frame = 0
        while True:
            row = [None if frame < delay else seat[episode][frame - delay] for seat in scripts]
            moves += sum(move is not None for move in row)
            pairs = zip(seats, row, strict=True)
            result = simulation.step([seat.codec.decode(seat.codec.encode(move)) for seat, move in pairs])
            assert result is not None
            assert not any(info.get("illegal") for info in result.infos.values())
            frame += 1
            if result.done:
                break
        assert 5 <= moves <= 9


def test_a_policy_sees_what_its_player_sees() -> None:
    """It is asked for every seat and frame."""
    asked: list[Any] = []

    def policy(seen: Any, agent: Any) -> Any:
        asked.append((agent, seen["at"]))
        toward = 1.0 if seen["at"][0] < 300 else -1.0
        return {"move": [toward, 0.0], "dig": 0} if agent == "ant" else [2 if toward > 0 else 0, 1]

    plan = Plan(game("meadow"), seconds=5, policy=policy)
    ant, _ = plan.scripts()
    assert {agent for agent, _ in asked} == {"ant", "bee"}
    assert unrolled(ant[0])[:20] == [{"dig": 0, "move": [1.0, 0.0]}] * 20
    places = [place for agent, place in asked if agent == "ant"]
    # The first frame is the default's: nobody has read an action yet.
    assert places[:4] == [[100.0, 200.0], [100.0, 200.0], [104.0, 200.0], [108.0, 200.0]]


DICE = """
import random
class Dice:
    possible_agents = ["a", "b"]
    def action_space(self, agent):
        return {"type": "discrete", "n": 2}
    def reset(self, seed=None, options=None):
        self.agents, self.face = ["a", "b"], 0
        return self._seen(), {}
    def step(self, actions):
        self.face = random.randrange(10**9)
        no = {"a": False, "b": False}
        return self._seen(), dict(no), no, dict(no), {}
    def _seen(self):
        return {"a": self.face, "b": self.face}
def make_env():
    return Dice()
"""


def test_what_a_policy_draws_is_not_the_games(tmp_path: Path) -> None:
    """Of an environment that draws from the process's generator: the pages draw nothing in between, either."""
    (tmp_path / "dice.py").write_text(DICE)
    dice = Game.of(str(tmp_path / "dice.py"))
    seen: dict[str, list[int]] = {"calm": [], "drawing": []}

    def calm(face: int, agent: str) -> int:
        seen["calm"].append(face)
        return face % 2

    def drawing(face: int, agent: str) -> int:
        random.random()
        seen["drawing"].append(face)
        return face % 2

    scripts = [Plan(dice, seconds=4, policy=policy).scripts() for policy in (calm, drawing)]
    assert seen["calm"] == seen["drawing"]
    assert len(set(seen["calm"])) > 50
    assert scripts[0] == scripts[1]


IDLE = """
class Idle:
    def act(self, outlook, frame, random):
        return 1
def make_policy():
    return Idle()
"""


def test_the_players_policy_is_not_asked_for_who_is_played_by_another_one(tmp_path: Path) -> None:
    """It may know nothing of that agent; what its own policy does is what the players' one sees."""
    (tmp_path / "idle.py").write_text(IDLE)
    (tmp_path / "dice.py").write_text(DICE)
    dice = Game.of(str(tmp_path / "dice.py"), {"policies": {"0": "idle.py"}})
    policy, person = Plan(dice, seconds=4, policy=lambda face, agent: {"b": face % 2}[agent]).scripts()
    assert set(unrolled(policy[0])[:20]) == {1}
    assert set(unrolled(person[0])[:20]) == {0, 1}


@pytest.mark.parametrize(
    ("policy", "what"),
    [(lambda seen, agent: 1 / 0, "raised ZeroDivisionError"), (lambda seen, agent: 99, "no action of the space")],
)
def test_a_policy_that_cannot_play_is_refused(policy: Callable[[Any, Any], Any], what: str) -> None:
    """Before a browser is opened."""
    with pytest.raises(ConfigError, match=what):
        Plan(game("drifting"), policy=policy).scripts()


def test_runs_say_the_same_as_what_they_were_made_of() -> None:
    """Numbers and truths that are equal stay apart."""
    actions = [0, 0, False, 1, True, True, [1], [1], None]
    assert runs(actions) == [[2, 0], [1, False], [1, 1], [2, True], [2, [1]], [1, None]]
    assert unrolled(runs(actions)) == actions


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node to run the page's script")
def test_a_page_reads_the_script_of_its_seat_and_keeps_what_it_read() -> None:
    """An episode begins again at frame 0 with its own script; a script that is through begins again."""
    scripts = [[[[2, "a"], [1, "b"]], [[1, "c"]]], [[[1, "x"]]]]
    code = (
        "globalThis.window = globalThis; window.pycoreStatus = {phase: 'playing'};\n"
        + script(scripts)
        + "\nwindow.pycoreGame = {myPlayerId: 0, advance: () => 1};"
        "\nconst read = () => Array.from({length: 5}, (_, f) => { const action = window.pycoreReadAction(f);"
        " window.pycoreReadAction(f); window.pycoreGame.advance(); return action; });"
        "\nconst all = [read(), read(), read()];"
        "\nconsole.log(JSON.stringify({all, log: window.pycoreRead, pace: window.pycorePace}));"
    )
    found = json.loads(subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True).stdout)
    first, second, third = found["all"]
    assert first == third == ["a", "a", "b", "a", "a"]
    assert second == ["c"] * 5
    assert [list(episode.values()) for episode in found["log"]] == found["all"]
    starts = found["pace"]["start"]
    assert len(starts) == 30
    assert all(after >= before for before, after in itertools.pairwise(starts))
    other = code.replace("myPlayerId: 0", "myPlayerId: 1")
    said = json.loads(subprocess.run(["node", "-e", other], capture_output=True, text=True, check=True).stdout)
    assert said["all"] == [["x"] * 5] * 3
    # Of the two readings of a frame the second began the tick that advanced.
    assert [flags for flags in found["pace"]["flags"] if flags is not None] == [1] * 15


def test_the_environments_of_these_tests_are_whole() -> None:
    """What the browsers play can be imported alone, as a page does it."""
    for path in sorted(ENVIRONMENTS.glob("*.py")):
        assert any(name.startswith("make_") and callable(of) for name, of in runpy.run_path(str(path)).items())


def test_about_as_many_frames_as_asked_for_are_written_down() -> None:
    """Of a game that is played meanwhile, over as many episodes as it takes."""
    noughts = game("noughts")
    scripts = scripts_of(noughts, Plan(noughts).played(), 100, 1, 1)
    assert 100 <= sum(len(unrolled(episode)) for episode in scripts[0]) <= 100 + 2 * len(scripts[0])
