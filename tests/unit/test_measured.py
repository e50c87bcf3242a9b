"""Measuring what an environment takes: with a clock of ours that its calls move on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from examples import volley
from pycore.bridge.bridge import create
from pycore.costs import Costs
from pycore.envs import ParallelEnvAdapter
from pycore.envs.measured import measured
from pycore.simulation import StepResult
from pycore.testing import Walk


class Taking:
    """Its calls take so many seconds, and a step a whole second more in the first frame."""

    def __init__(self, ends: int = 100) -> None:
        self.now = 0.0
        self.frame = 0
        self.ends = ends
        self.rows: list[list[Any]] = []

    def clock(self) -> float:
        return self.now

    def reset(self, episode: int) -> None:
        self.now += 7.0
        self.frame = 0

    def save(self) -> object:
        self.now += 0.002
        return self.frame

    def load(self, state: Any) -> None:
        self.now += 0.003
        self.frame = state

    def step(self, actions: Sequence[Any]) -> StepResult:
        self.rows.append(list(actions))
        self.now += 1.005 if self.frame == 0 else 0.005
        self.frame += 1
        return StepResult({}, {}, {}, {}, self.frame == self.ends)

    def canonical(self, state: object) -> bytes:
        self.now += 0.011
        return b""


def test_each_call_is_timed_and_what_disturbed_it_is_left_out() -> None:
    taking = Taking()
    costs = measured(taking, taking.clock, [4, 5])
    assert costs.as_dict() == pytest.approx({"step": 0.005, "save": 0.002, "load": 0.003, "hash": 0.011})
    assert taking.rows == [[4, 5]] * 24


def test_an_episode_that_ends_early_is_enough() -> None:
    taking = Taking(ends=1)
    assert measured(taking, taking.clock, [0]).step == pytest.approx(1.005)
    assert len(taking.rows) == 1


def test_a_clock_as_coarse_as_a_browsers_is_enough() -> None:
    """It shows whole hundredths of a second; saves of 2 ms are told from loads of 3 only by many at a time."""
    taking = Taking()
    costs = measured(taking, lambda: int(taking.now * 100) / 100, [0, 0])
    assert costs.save == pytest.approx(0.002, abs=0.01 / 8)
    assert costs.load == pytest.approx(0.003, abs=0.01 / 8)
    assert costs.step == pytest.approx(0.005, abs=0.01 / 8)


def test_a_clock_that_stands_still_measures_nothing() -> None:
    assert measured(Walk(2), lambda: 1.0, [0, 0]) == Costs(step=0.0)


def config(**more: Any) -> str:
    return json.dumps(
        {
            "game_id": "g", "players": [0, 1], "player_id": 0, "seed": 5, "wall_ms": 1e12, "now": 50.0,
            "settings": {"fps": 30, "action_space": {"type": "discrete", "n": 6}}, **more,
        }
    )  # fmt: skip


def test_a_bridge_with_a_clock_measures_and_its_session_knows() -> None:
    ticks = iter(range(10_000))
    bridge = create(config(), volley.make_env(), lambda: next(ticks) * 0.008)
    assert bridge.session.timeline.every == 2, "saving seems to take as long as stepping"
    lines = [event.text for event in bridge.session.news() if event.news == "log"]
    times = "step 1.00, save 1.00, load 1.00, hash 4.00"
    assert f"[pycore] the environment takes, in ms: {times}; frames from snapshot to snapshot: 2" in lines
    assert create(config(), volley.make_env()).session.timeline.every == 1


def test_an_environment_that_cannot_be_measured_waits_for_the_session_to_say_why() -> None:
    class Broken(Walk):
        def step(self, actions: Sequence[Any]) -> StepResult | None:
            raise ValueError("no ball")

    bridge = create(config(), Broken(2), lambda: 1.0)
    (line,) = [event.text for event in bridge.session.news() if event.news == "log"]
    assert line == "the environment's costs could not be measured: ValueError: no ball"
    assert bridge.session.reason == ""


def test_measuring_leaves_an_environment_as_it_was_before_its_first_reset() -> None:
    plain, timed = (ParallelEnvAdapter(volley.make_env(), [0, 1], seed=3) for _ in range(2))
    measured(timed, lambda: 0.0, [0, 0])
    for adapter in (plain, timed):
        adapter.reset(0)
    assert plain.canonical(plain.save()) == timed.canonical(timed.save())
