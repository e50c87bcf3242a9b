"""Lines blink: for some seconds a few of three or four pages, or all, hear nobody, or not everybody, again perhaps.
Whoever decides then that somebody is gone, two parts of them never go on, or end, each with an end of its own."""

from __future__ import annotations

import random
from typing import Any

import pytest
from drawing import seeds

from pycore.rehearsal import Game, Simulated
from pycore.testing import Scenario
from tools.paths import ROOT

PLAYED_FOR = {"num_episodes": 1, "on_drop": "default_action", "on_interrupt": "default_action"}
LONG = {"num_episodes": 1, "max_steps": 10_000}
SEATS = {3: "for_three", 4: "for_four"}


def wrong(seats: int, settings: dict[str, Any], **scenario: Any) -> list[str]:
    """What is wrong with a game of tag in which that happens."""
    game = Game.of(f"{ROOT}/examples/tag.py:{SEATS[seats]}", settings)
    return Simulated(game).run(Scenario.from_json({"seconds": 14, "latency_ms": 30, **scenario})).problems


@pytest.mark.slow
@pytest.mark.parametrize("on_drop", ["end", "default_action"])
@pytest.mark.parametrize("seed", [1, 2])
def test_who_hears_neither_of_two_speaks_for_none_of_them(seed: int, on_drop: str) -> None:
    """0 and 1 do not hear each other, 2 hears neither, and both hear it: with its word each would have most."""
    happenings = ["server-down @2", "cut 0-1@3", "cut-one-way 0-2@3", "cut-one-way 1-2@3"]
    assert wrong(3, {**LONG, "on_drop": on_drop}, seed=seed, seconds=90, happenings=happenings) == []


@pytest.mark.slow
@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("seats", [3, 4])
def test_who_is_heard_again_first_is_not_believed_about_the_others(seats: int, channels: bool) -> None:
    """All hear nobody for as long as it takes to miss somebody, twice; what they said of each other then is of then."""
    fixed, _ = seeds(3, 0)
    times = ("2-4.5", "4.7-7.7")
    happenings = [f"server-down @{of}" for of in times]
    if channels:
        pairs = [(a, b) for a in range(seats) for b in range(a)]
        happenings += [f"cut {a}-{b}@{of}" for of in times for a, b in pairs]
    for seed in fixed:
        drawn = {"seed": seed, "happenings": happenings, "socketio_only": not channels}
        assert wrong(seats, PLAYED_FOR, **drawn) == [], seed


@pytest.mark.slow
@pytest.mark.parametrize("played_for", [False, True])
def test_lines_that_blink_make_no_two_games_of_one(played_for: bool) -> None:
    """Some pages lose all that they have, at their own times."""
    fixed, _ = seeds(5, 0)
    for seed in fixed:
        rng = random.Random(f"blink {seed}")
        seats = rng.choice([3, 3, 4])
        dropped = {
            "num_episodes": 1, "on_drop": rng.choice(["end", "default_action"]),
            "dropped_after": rng.choice([2, 4, 6]), "return_within": rng.choice([0, 4, 60]),
        }  # fmt: skip
        happenings = []
        for seat in rng.sample(range(seats), rng.randint(1, seats)):
            begins = rng.uniform(1.5, 3.0)
            for _ in range(rng.choice([1, 2, 3])):
                ends = begins + rng.uniform(1.5, 4.5)
                of = f"@{begins:.2f}-{ends:.2f}"
                happenings += [f"cut {seat}-{other}{of}" for other in range(seats) if other != seat]
                happenings.append(f"socket-down {seat}{of}")
                begins = ends + rng.choice([0.1, 0.3, 0.8, 1.5, 3.0])
        drawn = {"seed": seed, "loss": rng.choice([0.0, 0.05]), "happenings": happenings}
        assert wrong(seats, PLAYED_FOR if played_for else dropped, **drawn) == [], (seed, drawn)
