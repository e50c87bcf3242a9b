"""The law of predictors: whatever they do, and wherever, every page's record is the ground truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from optional import numpy

from pycore.envs import ParallelEnvAdapter
from pycore.policy import Outlook, Predictor
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, ground_truth, wrong_with
from pycore.testing.pages import Page, Watcher

SIX = {"type": "discrete", "n": 6}
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
BAD = Conditions(delay=0.08, jitter=0.02, loss=0.08)


class Calling:
    """Calls a function."""

    def __init__(self, guess: Callable[[Outlook, Any, int, int], Any]) -> None:
        self.predict = guess


class Dice:
    """Everything in it is drawn from the process's generators, or from one of its own; what is seen is what it has."""

    possible_agents = ("ann", "bob")

    def __init__(self) -> None:
        self.agents = list(self.possible_agents)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.np_random = random.Random(seed)
        self.seen = {agent: [0, 0, 0] for agent in self.agents}
        return self.seen, {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        for number, (agent, action) in enumerate(actions.items()):
            seen = self.seen[agent]
            seen[0] += action * (number + 1)
            seen[1] = random.randrange(1000)
            seen[2] = (seen[2] + self.np_random.randrange(7) + action) % 100
            if numpy is not None:
                seen[1] += int(numpy.random.randint(1000))
        rewards = {agent: float(sum(seen)) for agent, seen in self.seen.items()}
        no = dict.fromkeys(self.agents, False)
        return self.seen, rewards, no, dict(no), {agent: {} for agent in self.agents}


def dice() -> ParallelEnvAdapter:
    """As a page with a predictor makes it."""
    return ParallelEnvAdapter(Dice(), [0, 1], seed=3, observed=[0, 1])


class Vandal:
    """Guesses anything, or nothing, and leaves nothing that it can reach as it was."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kept: list[Any] = []
        self.asked = 0

    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        """An action, none, or an exception."""
        self.asked += 1
        what = self.random.randrange(8)
        observation = outlook.observation
        self.kept += [outlook, observation]
        if isinstance(observation, list):
            observation[:] = [99, 99, 99]
        if what == 1:
            random.seed(what)
        random.random()
        if numpy is not None:
            numpy.random.seed(what)
            numpy.random.rand()
        if what == 2:
            state = outlook.state
            state["env"].clear()
            state.clear()
        outlook.seat = outlook.episode = 77
        if what == 3:
            raise [ValueError("no"), RecursionError(), ZeroDivisionError()][self.random.randrange(3)]
        if what == 4:
            return [None, -1, 6, 2.5, "go", [], outlook][self.random.randrange(7)]
        return self.random.randrange(6)


class Resumed(Watcher):
    """Does what a page's bridge does before it advances: two pages here have one process, and its generators."""

    def polled(self, page: Page, outputs: Sequence[Any]) -> None:
        """The page goes on."""
        simulation: Any = page.session.simulation
        simulation.resume()


def pressed(seat: int) -> Callable[[int, int], int]:
    return lambda episode, frame: (frame // 4 + seat) % 6


predictors = st.one_of(
    st.none(),
    st.builds(Vandal, st.integers(0, 2**32)),
    st.builds(lambda: Calling(lambda outlook, last, since, frame: (sum(outlook.observation) + frame) % 6)),
)


@pytest.mark.slow
@given(
    predictors, predictors, st.integers(0, 2**32),
    st.floats(0, 0.12), st.floats(0, 0.03), st.floats(0, 0.2), st.sampled_from([1, 3, 8]),
)  # fmt: skip
@settings(max_examples=25, deadline=None, phases=UNSHRUNK)
def test_the_records_are_the_ground_truth_whatever_predicts_where(
    one: Predictor | None, other: Predictor | None, seed: int, delay: float, jitter: float, loss: float, every: int
) -> None:
    """Pages with different predictors, with none, and with such that raise, lie, draw and write into what they see."""
    played = Settings(action_space=SIX, max_steps=80, hash_interval=10, snapshot_every=every, p2p_wait=0.5)
    mesh = Mesh(
        2, played, lambda seat: dice(), pressed, Conditions(delay=delay, jitter=jitter, loss=loss), seed=seed % 1000,
        watchers=[Resumed()], predictors=[one, other],
    )  # fmt: skip
    mesh.run(60.0)
    truth = ground_truth(
        dice(), played, mesh.peers[0].session.codec, [page.inputs[0] for page in mesh.peers], 0
    )  # fmt: skip
    assert truth.complete
    for page in mesh.peers:
        assert wrong_with(truth, page.rows[0], page.rewards[0], page.finals[0]) == ""
        assert page.session.journal.desyncs == []


def test_the_predictors_of_that_law_were_asked_and_wrong() -> None:
    """A law about guesses that nobody made proves nothing."""
    vandals = [Vandal(1), Vandal(2)]
    mesh = Mesh(
        2, Settings(action_space=SIX, max_steps=80), lambda seat: dice(), pressed, BAD, seed=4, watchers=[Resumed()],
        predictors=vandals,
    )  # fmt: skip
    mesh.run(60.0)
    assert mesh.peers[0].rows == mesh.peers[1].rows
    for page, vandal in zip(mesh.peers, vandals, strict=True):
        assert vandal.asked > 60
        assert page.session.timeline.rollbacks > 20
        assert page.session.timeline.guessing.failed[1 - page.seat] > 10
        assert any(isinstance(kept, list) for kept in vandal.kept)
