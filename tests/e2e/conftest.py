"""What the tests of whole sessions share: they know whether a page of theirs stood still."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycore.rehearsal.browsers import HOW_FIREFOX, Browser
from tests.stillness import Stillness
from tools import firefox as firefoxes


@pytest.fixture
def stillness(monkeypatch: pytest.MonkeyPatch) -> Stillness:
    """Whether a page of a rehearsal in this process stood still while it played."""
    watched = Stillness()
    page = Browser.page

    def followed(browser: Browser, *engine: str) -> Any:
        return watched.follow(page(browser, *engine))

    monkeypatch.setattr(Browser, "page", followed)
    return watched


@pytest.fixture(scope="session")
def firefox() -> Path:
    """A Firefox; without one, what needs it is skipped, and it is said how to get one."""
    found = firefoxes.find()
    if found is None:
        pytest.skip(f"there is no Firefox: {HOW_FIREFOX}")
    return found
