"""What the tests of whole sessions share: they know whether a page of theirs stood still."""

from __future__ import annotations

from typing import Any

import pytest

from pycore.rehearsal.browsers import Browser
from tests.stillness import Stillness


@pytest.fixture
def stillness(monkeypatch: pytest.MonkeyPatch) -> Stillness:
    """Whether a page of a rehearsal in this process stood still while it played."""
    watched = Stillness()
    page = Browser.page

    def followed(browser: Browser) -> Any:
        return watched.follow(page(browser))

    monkeypatch.setattr(Browser, "page", followed)
    return watched
