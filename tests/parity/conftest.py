"""Pyodide in Node and in Chromium, three versions of each, as one fixture: `pyodide`.

pytest-pyodide serves one distribution to one run. Its runners and its server are public, though, so the fixture
makes one of each per version, and a single run covers all. The wheel is served beside the distribution and loaded
with micropip, as the page of a study does it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_pyodide

from tools import chromium, distributions, environment, wheels
from tools.paths import PYODIDES, Pyodide

PLACES = [
    pytest.param((pyodide, runtime), id=f"{pyodide.version}-{runtime}")
    for pyodide in PYODIDES
    for runtime in ("node", "chromium")
]
LOAD_TIMEOUT = 120
"""Seconds for one piece of Python inside; loading takes 3, more on a busy machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def built() -> wheels.Wheels:
    """The wheels of the sources as they are."""
    environment.put_on_path()
    return wheels.current()


@pytest.fixture(scope="session")
def servers(built: wheels.Wheels) -> Iterator[dict[Pyodide, Any]]:
    """One server per distribution, with the wheels in it.

    They are forked, so they start before Playwright does: forking a process with threads may deadlock the child.
    """
    with contextlib.ExitStack() as stack:
        started = {}
        for version in PYODIDES:
            folder = distributions.ensure(version)
            for wheel in (built.plain, built.browser(version)):
                shutil.copyfile(wheel, folder / wheel.name)
                stack.callback((folder / wheel.name).unlink, missing_ok=True)
            started[version] = stack.enter_context(pytest_pyodide.spawn_web_server(folder))
        yield started


@pytest.fixture(scope="session")
def browser(servers: dict[Pyodide, Any]) -> Iterator[Any]:
    """One Chromium for all versions."""
    from playwright.sync_api import sync_playwright

    chromium.use_with_playwright()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch()
        yield browser
        browser.close()


@pytest.fixture(scope="session", params=PLACES)
def pyodide(request: pytest.FixtureRequest, built: wheels.Wheels, servers: dict[Pyodide, Any]) -> Iterator[Any]:
    """A loaded Pyodide (a runner of pytest-pyodide) with the plain wheel installed by micropip."""
    place: tuple[Pyodide, str] = request.param
    version, runtime = place
    host, port, log = servers[version]
    kind: Any = pytest_pyodide.NodeRunner
    browsers = {}
    if runtime == "chromium":
        kind = pytest_pyodide.PlaywrightChromeRunner
        browsers = {"chrome": request.getfixturevalue("browser")}
    folder = distributions.ensure(version)
    runner = kind(server_port=port, server_hostname=host, server_log=log, browsers=browsers, dist_dir=folder)
    runner.set_script_timeout(LOAD_TIMEOUT)
    runner.expected = version
    runner.plain_url = f"{runner.base_url}/{built.plain.name}"
    runner.compiled_url = f"{runner.base_url}/{built.browser(version).name}"
    runner.load_package("micropip")
    runner.run_async(f"import micropip\nawait micropip.install({runner.plain_url!r}, deps=False)")
    yield runner
    runner.quit()
