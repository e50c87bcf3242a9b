"""Random networks for three to five players of whom some go: the others are alike, hang nowhere, and lose no input."""

from __future__ import annotations

from collections import Counter

import pytest
from drawing import seeded, seeds
from laws import faults
from networks import build, patience
from survivors import TO_AN_END, Holding


@pytest.mark.parametrize("seats", [3, 4, 5])
def test_whoever_goes_the_others_are_alike_and_lose_no_input_that_any_of_them_held(seats: int) -> None:
    """Under every law of departures; and that somebody went, was settled late, and played on, really happened."""
    seen: Counter[str] = Counter()
    numbers, least = seeds(15, 4, 6, 12)
    for number in numbers:
        schedule = seeded(10_000 + number, seats, departures=True)
        net = build(schedule)
        holding = Holding()
        for page in net.peers:
            page.watch([*net.judges, holding])
        net.run(patience(schedule))
        assert faults(net, schedule) + holding.lost(net) == [], (number, schedule)
        for page in net.peers:
            ended = page.session.reason in TO_AN_END
            for departure in page.session.gone.values():
                seen["gone"] += 1
                seen[departure.cause] += 1
                seen["passed on"] += departure.backfilled > 0
                seen[f"{net.settings.on_drop}: {page.session.reason}"] += ended
    assert seen["gone"] >= 3 * least, seen
    assert seen["end: player_left"] + seen["default_action: complete"] >= least, seen
