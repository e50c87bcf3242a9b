"""Settings: what they are made of and what is told of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pycore.errors import ConfigError
from pycore.settings import Settings


@pytest.mark.parametrize("given", [{}, {"policies": {"1": "partner.py"}, "seats": [{"input_delay": 2}, {}]}])
def test_settings_go_through_json_and_back(given: dict[str, Any]) -> None:
    """Defaults too: a record is stepped again in another process, which is told them all."""
    settings = Settings.of(given)
    settings.check()
    told = json.loads(json.dumps(settings.as_dict()))
    again = Settings.of(told)
    again.check()
    assert again.agreed() == settings.agreed()
    assert json.loads(json.dumps(again.as_dict())) == told


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ready_timeout": 0}, "ready_timeout is 0; it must lie between 0.1 and 3600"),
        ({"dropped_after": 0}, "dropped_after is 0; it must lie between 0.1 and 3600"),
        (
            {"interrupted_after": 0, "on_interrupt": "default_action", "on_drop": "default_action"},
            "interrupted_after is 0, so that nobody would ever count as there: it must be at least 0.1",
        ),
    ],
)
def test_a_study_that_waits_for_nobody_at_all_is_refused(given: dict[str, Any], said: str) -> None:
    """It could never be played; where nobody is played for, an interruption may be shown at once."""
    with pytest.raises(ConfigError) as refused:
        Settings.of(given).check()
    assert said in str(refused.value)
    Settings.of({"interrupted_after": 0, "episode_pause": 0, "p2p_wait": 0}).check()
