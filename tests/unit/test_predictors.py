"""Predictors in whole sessions: what they know is worth something, and what they break is nothing of the game's."""

from __future__ import annotations

import random
from typing import Any

import core_view
import pytest

from pycore import Outlook, Settings, StepResult
from pycore.envs import ParallelEnvAdapter
from pycore.records import export_session_metrics
from pycore.rehearsal.coverage import of_predictors
from pycore.testing import Conditions, Mesh, Walk, ground_truth, wrong_with

SIX = {"type": "discrete", "n": 6}
SETTINGS = Settings(max_steps=200, action_space=SIX)
BAD = Conditions(delay=0.08, jitter=0.02, loss=0.05)


def pressed(seat: int, frame: int) -> int:
    """Everybody's script: another key every third frame."""
    return (frame // 3 * 5 + seat) % 6


def script(seat: int) -> Any:
    return lambda episode, frame: pressed(seat, frame)


class Dice:
    """An environment that draws from the generator of everybody, and has a list that it shows as it is."""

    def __init__(self) -> None:
        self.possible_agents = [0, 1]
        self.agents = [0, 1]
        self.trace = [0]

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict[int, Any], dict[int, Any]]:
        random.seed(seed)
        self.agents = [0, 1]
        self.trace = [0]
        return dict.fromkeys(self.agents, self.trace), {agent: {} for agent in self.agents}

    def step(self, actions: dict[int, int]) -> tuple[dict[int, Any], ...]:
        self.trace = [*self.trace[-3:], self.trace[-1] + actions[0] - actions[1] + random.randrange(10)]
        no = dict.fromkeys(self.agents, False)
        return dict.fromkeys(self.agents, self.trace), {0: self.trace[-1], 1: -self.trace[-1]}, no, no, {0: {}, 1: {}}

    def get_state(self) -> Any:
        return list(self.trace)

    def set_state(self, state: Any) -> None:
        self.trace = list(state)


def of_dice(_: int = 0) -> ParallelEnvAdapter:
    return ParallelEnvAdapter(Dice(), (0, 1), seed=3)


class Raises:
    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        raise KeyError("what now")


class Nonsense:
    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        return [None, "left", 6, -1, 2.5, object()][frame % 6]


class Draws:
    """From the very generator of the environment."""

    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        return random.randrange(6)


class Reseeds:
    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        random.seed(0)
        return 1


class Scribbles:
    """On whatever it is shown."""

    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        if outlook.observation is not None:
            outlook.observation.append(99)
        outlook.state.clear()
        return 3


@pytest.mark.parametrize("predictor", [Raises, Nonsense, Draws, Reseeds, Scribbles])
@pytest.mark.slow
def test_whatever_a_predictor_does_the_game_is_the_true_one(predictor: type) -> None:
    """Generators, observations and states are the game's; all it can cost is rollbacks."""
    mesh = Mesh(2, SETTINGS, of_dice, script, BAD, seed=5, predictor=predictor())
    mesh.run(30.0)
    assert [page.session.reason for page in mesh.peers] == ["complete", "complete"]
    inputs = [page.inputs[0] for page in mesh.peers]
    truth = ground_truth(of_dice(), SETTINGS, mesh.peers[0].session.codec, inputs, 0)
    found = [wrong_with(truth, page.rows[0], page.rewards[0], page.finals[0]) for page in mesh.peers]
    assert found == ["", ""]
    assert all(core_view.rollbacks(page.session) > 20 for page in mesh.peers)


class Aliased:
    """A simulation whose contents are its very state."""

    def __init__(self) -> None:
        self.state = [0]

    def reset(self, episode: int) -> None:
        self.state = [0]

    def save(self) -> Any:
        return self.state

    def load(self, state: Any) -> None:
        self.state = state

    def canonical(self, state: Any) -> bytes:
        return repr(state).encode()

    def contents(self, state: Any) -> Any:
        return state

    def step(self, actions: Any) -> StepResult:
        self.state = [self.state[0] + sum(actions)]
        return StepResult({}, {}, {}, {}, False)


def test_a_state_that_a_simulation_hands_out_as_it_is_is_shown_as_a_copy() -> None:
    """What is cleared is not the game's."""
    settings = Settings(max_steps=100, action_space=SIX)
    mesh = Mesh(2, settings, lambda seat: Aliased(), script, BAD, seed=5, predictor=Scribbles())
    mesh.run(30.0)
    assert [page.session.reason for page in mesh.peers] == ["complete", "complete"]
    assert mesh.peers[0].rows == mesh.peers[1].rows
    for page in mesh.peers:
        assert predictions(mesh, page.seat)[str(1 - page.seat)]["failed"] == 0


def test_what_failed_is_counted_with_its_first_reason() -> None:
    """And a rehearsal tells it."""
    mesh = Mesh(2, SETTINGS, lambda seat: Walk(2, seed=1), script, BAD, seed=5, predictor=Raises())
    mesh.run(30.0)
    metrics = [export_session_metrics(page.session) for page in mesh.peers]
    found = metrics[0]["predictions"]["1"]
    assert found["failed"] >= found["frames"] > 100
    assert found["failure"] == "KeyError: 'what now'"
    assert of_predictors(metrics)[0] == (
        f"the predictor failed {found['failed']} times when player 0 waited for player 1: KeyError: 'what now'; "
        "there the last action was repeated"
    )


class Knows:
    """The script."""

    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        return pressed(outlook.seat, frame)


def predictions(mesh: Mesh, seat: int) -> dict[str, Any]:
    found: dict[str, Any] = export_session_metrics(mesh.peers[seat].session)["predictions"]
    return found


def test_who_knows_the_script_needs_no_rollback_and_the_metrics_say_what_it_is_worth() -> None:
    """Only the own script's first frames are different: an input delay's default actions are known to all."""
    mesh = Mesh(2, SETTINGS, lambda seat: Walk(2, seed=1), script, BAD, seed=5, predictor=Knows())
    mesh.run(30.0)
    plain = Mesh(2, SETTINGS, lambda seat: Walk(2, seed=1), script, BAD, seed=5)
    plain.run(30.0)
    for seat in (0, 1):
        of = predictions(mesh, seat)[str(1 - seat)]
        assert of["predictor"] == "Knows"
        assert of["frames"] == of["hits"] > 150
        assert of["misses"] == core_view.rollbacks(mesh.peers[seat].session) == 0
        assert 0 < of["repeatLastHits"] < 0.6 * of["frames"]
        without = predictions(plain, seat)[str(1 - seat)]
        assert without["predictor"] == "repeat_last"
        assert without["hits"] == without["repeatLastHits"]
        assert core_view.rollbacks(plain.peers[seat].session) > 20
        assert plain.peers[seat].rows == mesh.peers[seat].rows
