"""The table of browsers and scenarios: what a cell says, and how it comes into the document."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pycore.rehearsal import Plan
from tools import browsers
from tools.examples import example
from tools.process import Failed

CLOSED = next(scenario for scenario in browsers.SCENARIOS if scenario.plan.get("cut") == "connection")


def outcome(causes: list[str], problems: tuple[str, ...] = (), lost: tuple[str, ...] = ()) -> Any:
    """What a rehearsal left, as far as a cell looks at it."""
    metrics = {"pathChanges": [{"cause": cause} for cause in causes], "inputs": {"sentViaP2P": 9}}
    return SimpleNamespace(problems=list(problems), lost=list(lost), metrics={"0": metrics}, resumed=None)


@pytest.mark.parametrize(
    ("found", "cell"),
    [
        (outcome(["closed", "recovered"]), "right"),
        (outcome([]), "**nothing tried**: what it is about did not happen"),
        (outcome(["closed"]), "**nothing tried**: what it is about did not happen"),
        (outcome(["closed", "recovered"], problems=("a gap", "more")), "**wrong**: a gap"),
        (outcome(["closed", "recovered"], lost=("an input",)), "**wrong**: an input"),
    ],
)
def test_a_cell_is_right_only_if_what_it_is_about_happened(found: Any, cell: str) -> None:
    assert browsers.judged(CLOSED, found) == cell


def test_every_scenario_can_be_played_in_every_browser() -> None:
    """A plan that contradicts itself is found here, and not after minutes."""
    game = example("volley", 2).game
    for scenario in browsers.SCENARIOS:
        for pair in browsers.BROWSERS:
            Plan(game, seconds=browsers.SECONDS, browsers=pair, **scenario.plan)


def test_the_table_takes_the_place_of_the_one_before() -> None:
    text = f"before\n{browsers.BEGIN}\nold\n{browsers.END}\nafter\n"
    cells = {(scenario.name, pair): "right" for scenario in browsers.SCENARIOS for pair in browsers.BROWSERS}
    cells[CLOSED.name, ("firefox",)] = "**wrong**: a | b\nc"
    done = browsers.written(browsers.written(text, cells, "first"), cells, "second")
    assert done.startswith(f"before\n{browsers.BEGIN}\n\nsecond\n")
    assert done.endswith(f"{browsers.END}\nafter\n")
    assert "old" not in done
    assert "| | Chromium | Firefox | Firefox – Chromium |" in done
    assert f"| {CLOSED.name} | right | **wrong**: a \\| b c | right |" in done
    assert done.count("\n| ") == 1 + len(browsers.SCENARIOS)


@pytest.mark.parametrize("text", ["", browsers.BEGIN, f"{browsers.END}\n{browsers.BEGIN}"])
def test_a_document_without_its_two_lines_is_left_alone(text: str) -> None:
    with pytest.raises(Failed, match=r"browsers\.md must have these two lines once"):
        browsers.written(text, {}, "")
