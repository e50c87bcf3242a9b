"""Fixtures for tests in the real page: one Chromium, one Firefox, and studies that end with the test."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import page_rig
import pytest

from pycore.rehearsal.browsers import FIREFOX, HOW_FIREFOX, Browser
from tools import chromium as chromiums
from tools import environment, hostpage
from tools import firefox as firefoxes
from tools.coturn import Coturn
from tools.paths import ROOT
from tools.process import Missing

pytest.register_assert_rewrite("page_verdict", "page_tricks")


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """Playwright: there can be one in a process."""
    from playwright.sync_api import sync_playwright

    environment.put_on_path()
    chromiums.use_with_playwright(quick=chromiums.is_quick())
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def chromium(driver: Any) -> Iterator[Any]:
    """One headless Chromium that looks up no names."""
    browser = driver.chromium.launch(args=list(hostpage.CHROMIUM_ARGUMENTS))
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def firefox(driver: Any) -> Iterator[Any]:
    """One headless Firefox, whose hidden tabs are slowed down as people's are."""
    if (found := firefoxes.find()) is None:
        pytest.skip(f"there is no Firefox: {HOW_FIREFOX}")
    browsers = Browser(driver, {FIREFOX: found})
    yield browsers.running(FIREFOX)
    browsers.close()


@pytest.fixture
def start_study(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., page_rig.Study]]:
    """start_study(**settings) starts a study on the unmodified page.

    At the end no address may have been refused, and every server must still answer.
    """
    studies: list[page_rig.Study] = []
    with contextlib.ExitStack() as stack:

        def start(**settings: Any) -> page_rig.Study:
            study = page_rig.Study(chromium, tmp_path / f"study-{len(studies)}", **settings)
            studies.append(stack.enter_context(study))
            return study

        yield start
        refused = [address for study in studies for address in study.refused]
    assert refused == []
    assert [study.server.text()[-3000:] for study in studies if not study.answered] == []


@pytest.fixture(scope="session")
def pycore_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the page's package with our module in it, put there by the command that users run."""
    package = hostpage.copy_package(tmp_path_factory.mktemp("installed"))
    command = [sys.executable, "-m", "pycore", "interactive-gym", "install", str(package)]
    subprocess.run(command, cwd=ROOT, check=True)
    return package


@pytest.fixture
def start(
    request: pytest.FixtureRequest, start_study: Callable[..., page_rig.Study], pycore_package: Path
) -> Callable[..., page_rig.Study]:
    """start(**settings) starts a study on the page with our module; the test module's GAME has the usual settings."""

    def start(**settings: Any) -> page_rig.Study:
        return start_study(package=pycore_package, **{**request.module.GAME, **settings})

    return start


@pytest.fixture
def coturn(tmp_path: Path) -> Iterator[Coturn]:
    """A TURN server of this test."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(Coturn(tmp_path / "coturn"))
        except Missing as error:
            pytest.skip(str(error))
        yield server
