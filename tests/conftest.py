"""What all tests share: Hypothesis' settings, and the Chromium that the project found."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# A failure prints the blob that reproduces it. No deadline: two cores share this with browsers.
settings.register_profile(
    "pycore", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.register_profile("quick", settings.get_profile("pycore"), max_examples=15)
settings.register_profile("thorough", settings.get_profile("pycore"), max_examples=1000)
settings.load_profile(os.environ.get("PYCORE_HYPOTHESIS", "pycore"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With PYCORE_TESTS="one of each": of the parameters that a test is left with, the first ones only."""
    if os.environ.get("PYCORE_TESTS") != "one of each":
        return
    first = list({item.nodeid.partition("[")[0]: item for item in reversed(items)}.values())
    chosen = set(first)
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the first test that opens a browser: let Playwright start the Chromium that is there."""
    if item.get_closest_marker("browser") or item.get_closest_marker("e2e"):
        from tools import chromium, environment

        environment.put_on_path()
        chromium.use_with_playwright(quick=chromium.is_quick())
