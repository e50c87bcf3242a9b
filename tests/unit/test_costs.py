"""What an environment's costs mean, in exact numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.costs import SHARE, Costs, expected_depth
from pycore.errors import ConfigError

PERIOD = 1 / 30
SECONDS = st.floats(0, 0.1)


def test_a_tick_loads_runs_up_steps_again_and_steps_a_new_frame() -> None:
    """Three frames again: one load, 4 steps, 3 saves. Every second one saved: a run-up of one, half of the saves."""
    costs = Costs(step=1.0, save=2.0, load=10.0)
    assert costs.tick(3) == 10 + 4 * 1 + 3 * 2
    assert costs.tick(3, every=2) == 10 + 1 + 4 * 1 + 3 * 2 / 2
    assert costs.tick(0) == 1 + 2


@pytest.mark.parametrize(("save", "every"), [(0.0, 1), (0.5, 1), (1.0, 2), (5.0, 4), (20.0, 8), (1000.0, 8)])
def test_snapshots_are_the_sparser_the_more_a_save_costs_against_a_step(save: float, every: int) -> None:
    """Depth 3, a step of 1: with a save of 1 it is 7 with every frame, 6.5 with every second, 7 with every third."""
    assert Costs(step=1.0, save=save).sparsity(3) == every


def test_an_environment_that_costs_nothing_is_saved_every_frame() -> None:
    assert Costs(step=0.0).sparsity(4) == 1


@pytest.mark.parametrize(
    ("round_trip", "delay", "depth"),
    [(0.0, 0, 0), (0.02, 0, 1), (0.1, 0, 2), (0.1, 1, 1), (0.15, 1, 2), (0.3, 1, 4), (0.3, 3, 2), (0.3, 9, 0)],
)
def test_an_input_comes_late_by_half_a_round_trip_but_for_its_delay(round_trip: float, delay: int, depth: int) -> None:
    assert expected_depth(round_trip, PERIOD, delay) == depth


def test_the_depth_that_fits_leaves_a_fifth_of_the_period() -> None:
    """Steps of 5 ms at 30 fps: 26.7 ms hold five of them, four again and a new one."""
    assert pytest.approx(0.02667, abs=1e-5) == SHARE * PERIOD
    assert Costs(step=0.005).depth(PERIOD) == 4
    assert Costs(step=0.005).slower(4).depth(PERIOD) == 0
    assert Costs(step=0.03).depth(PERIOD) == 0


def test_the_input_delay_rises_until_rollbacks_fit_and_not_beyond_its_bound() -> None:
    """10 ms a step: a tick has room for one frame again and a new one, and 300 ms mean five frames on the way."""
    costs = Costs(step=0.010)
    assert costs.input_delay(0.3, PERIOD, 1, 9) == 4
    assert costs.input_delay(0.3, PERIOD, 1, 2) == 2
    assert costs.input_delay(0.3, PERIOD, 5, 9) == 5
    assert costs.input_delay(0.02, PERIOD, 1, 9) == 1
    assert Costs(step=0.001).input_delay(0.3, PERIOD, 1, 9) == 1


@given(step=SECONDS, save=SECONDS, load=SECONDS, depth=st.integers(0, 20))
def test_no_other_sparsity_costs_less(step: float, save: float, load: float, depth: int) -> None:
    costs = Costs(step=step, save=save, load=load)
    best = costs.tick(depth, costs.sparsity(depth))
    assert all(best <= costs.tick(depth, every) for every in range(1, 9))
    assert costs.fits(costs.depth(PERIOD), PERIOD) or costs.depth(PERIOD) == 0


@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan, True, "1"])
def test_a_cost_is_seconds(value: object) -> None:
    with pytest.raises(ConfigError, match="the cost of a save"):
        Costs(step=0.0, save=value)  # type: ignore[arg-type]
