"""Random networks for three to five players of whom some go: the others are alike, hang nowhere, and lose no input."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from drawing import seeded, seeds
from laws import faults
from networks import build, patience, play

from pycore.session.tick import RESIMULATED
from pycore.testing import Page, Watcher
from pycore.testing.survivors import TO_AN_END


@pytest.mark.parametrize("seats", [3, *[pytest.param(many, marks=pytest.mark.slow) for many in (4, 5)]])
def test_whoever_goes_the_others_are_alike_and_lose_no_input_that_any_of_them_held(seats: int) -> None:
    """Under every law of departures; and that somebody went, was settled late, and played on, really happened."""
    seen: Counter[str] = Counter()
    numbers, least = seeds(14, 4, 6, 12)
    for number in numbers:
        schedule = seeded(10_000 + number, seats, departures=True)
        net = play(schedule)
        assert faults(net, schedule) == [], (number, schedule)
        for page in net.peers:
            ended = page.session.reason in TO_AN_END
            for departure in page.session.gone.values():
                seen["gone"] += 1
                seen[departure.cause] += 1
                seen["passed on"] += departure.backfilled > 0
                seen[f"{net.settings.on_drop}: {page.session.reason}"] += ended
    assert seen["gone"] >= 3 * least, seen
    assert seen["end: player_left"] + seen["default_action: complete"] + seen["policy: complete"] >= least, seen


@pytest.mark.parametrize("seats", [3, pytest.param(5, marks=pytest.mark.slow)])
def test_where_a_policy_plays_on_everybody_who_stays_computes_what_a_bare_loop_computes(seats: int) -> None:
    """Under every law of departures, rolled back or not; and that it played, and was rolled back, really happened."""
    seen: Counter[str] = Counter()
    numbers, least = seeds(10, 1, 6, 9)
    for number in numbers:
        # Every fourth schedule is one of these.
        schedule = replace(seeded(20_000 + number, seats, departures=True), seed=3 + 4 * number)
        rollbacks = Rollbacks()
        net = build(schedule, watchers=[rollbacks])
        net.run(patience(schedule))
        assert faults(net, schedule) == [], (number, schedule)
        assert net.settings.on_drop == "policy"
        seen["rolled back"] += rollbacks.seen
        seen["late"] += net.settings.stand_in_reaction > 0
        for page in net.peers:
            seen["played on"] += bool(page.session.gone) and page.session.reason == "complete"
    assert seen["played on"] >= least, seen
    assert seen["rolled back"] > 20 * least, seen
    assert 0 < seen["late"] < len(numbers), seen


class Rollbacks(Watcher):
    """Counts the rollbacks of those who play with somebody gone."""

    def __init__(self) -> None:
        self.seen = 0

    def advanced(self, page: Page, flags: int) -> None:
        self.seen += bool(flags & RESIMULATED and page.session.gone)
