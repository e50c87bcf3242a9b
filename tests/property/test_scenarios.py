"""Scenarios that once broke a law: what `pycore simulate` leaves, made smaller, with the game that was played.

Each is a file in tests/scenarios: `about`, what went wrong; `game` and `settings`, as the command takes them;
`scenario`, what the command wrote; and where that is what was wrong, `over_by`: when it is over at the latest, virtual
seconds. One that is found joins them when it is mended.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pycore.rehearsal import Game, Simulated
from pycore.testing import Scenario
from tools.paths import ROOT

FILES = sorted((ROOT / "tests" / "scenarios").glob("*.json"))


def read(file: Path) -> dict[str, Any]:
    """A file of the corpus."""
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_scenario_that_broke_a_law_is_right(file: Path) -> None:
    """And is played: something happens in it."""
    found = read(file)
    game = Game.of(f"{ROOT}/{found['game']}", found["settings"])
    outcome = Simulated(game).run(Scenario.from_json(found["scenario"]))
    assert outcome.problems == []
    assert outcome.seconds <= found.get("over_by", 1e9)
    assert outcome.frames > 50
    assert outcome.happened


def test_each_says_what_went_wrong_and_is_small() -> None:
    """Its name is the file's."""
    assert len(FILES) >= 5
    for file in FILES:
        found = read(file)
        assert set(found) - {"over_by"} == {"about", "game", "settings", "scenario"}
        assert len(found["about"]) > 40
        assert len(found["scenario"]["happenings"]) <= 6
