"""Fixtures of the page of January 2026: its files with our module in them, and a stage for each test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import seed_game


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The harness page with pycore's module in it."""
    return seed_game.install(tmp_path_factory.mktemp("installed"))


@pytest.fixture
def stage(chromium: Any, static: Path, tmp_path: Path) -> seed_game.Stage:
    """A browser, the page and a folder."""
    return seed_game.Stage(chromium, static, tmp_path)
