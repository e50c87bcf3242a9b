"""Settings: what they are made of and what is told of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
