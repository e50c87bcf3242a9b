"""Real pages for the tests: a site, a relay that serves it, and Chromium."""

import contextlib
import json
import os
import shutil
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from pycore.install.library import ARCHIVE
from pycore.site.pages import front, shims
from tests.stillness import Stillness
from tools import distributions, wheels
from tools.paths import NEWEST

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
HERE = Path(__file__).parent
PATIENCE = 90
"""Seconds for which a page is waited for: several start at a time, on as few cores as there are, and what is late tells
nothing. Where a time is the law, the test names it."""
PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "pyodide-lock.json")


def link(source: Path, target: Path) -> None:
    """A hard link where the file system allows it: the files are large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def make_site(site: Path, wheel_files: dict[str, Path], game: Path) -> Path:
    """A site from web/, npm's Pyodide, a wheel of these files, and a game."""
    npm = WEB / "node_modules"
    if not (npm / "pyodide-314").is_dir():
        pytest.skip("the npm packages are not installed")
    for path, name in shims():
        (site / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, site / name)
    # What connections do is said on the page alone: to a developer.
    (site / "index.html").write_text(front(view="developer"), "utf-8")
    (site / "vendor").mkdir()
    shutil.copyfile(npm / "socket.io-client/dist/socket.io.esm.min.js", site / "vendor/socket.io.esm.min.js")
    (site / "pyodide").mkdir()
    for name in PYODIDE_FILES:
        link(npm / "pyodide-314" / name, site / "pyodide" / name)
    link(distributions.library_of(NEWEST), site / "pyodide" / ARCHIVE)
    (site / "wheels").mkdir()
    with zipfile.ZipFile(site / "wheels" / "plain.whl", "w") as wheel:
        for name, path in wheel_files.items():
            wheel.write(path, name)
    (site / "game").mkdir()
    shutil.copyfile(game, site / "game" / game.name)
    manifest = {
        "version": "0",
        "pyodide": {"url": "pyodide/", "version": "314"},
        "wheel": "wheels/plain.whl",
        "compiled_wheel": None,
        "game": f"game/{game.name}",
    }
    (site / "manifest.json").write_text(json.dumps(manifest))
    return site


@pytest.fixture(scope="session")
def double_site(tmp_path_factory):
    """A site whose Python side is `double_bridge.py`."""
    empty = tmp_path_factory.mktemp("empty") / "__init__.py"
    empty.write_text("")
    files = {"pycore/__init__.py": empty, "pycore/bridge.py": HERE / "double_bridge.py"}
    site = make_site(tmp_path_factory.mktemp("double"), files, HERE / "double_game.py")
    # A wheel for another Python: its magic number fits none.
    with zipfile.ZipFile(site / "wheels" / "other.whl", "w") as wheel:
        wheel.writestr("pycore/__init__.pyc", b"\0" * 32)
        wheel.writestr("pycore/bridge.pyc", b"\0" * 32)
    return site


@pytest.fixture(scope="session")
def core_site(tmp_path_factory):
    """A site with the core itself, as studies have it, and the small game of these tests."""
    site = make_site(tmp_path_factory.mktemp("core"), {}, HERE / "double_game.py")
    made = wheels.current()
    plain, compiled = made.plain, made.browser(NEWEST)
    for wheel in (plain, compiled):
        link(wheel, site / "wheels" / wheel.name)
    manifest = json.loads((site / "manifest.json").read_text())
    named = {"wheel": f"wheels/{plain.name}", "compiled_wheel": f"wheels/{compiled.name}"}
    (site / "manifest.json").write_text(json.dumps(manifest | named))
    return site


class Relay:
    """A relay in a thread of its own."""

    def __init__(
        self, site: Path, database: str, settings: dict, unchecked: bool = False, seats: int = 2, **more
    ) -> None:
        import uvicorn

        from pycore.relay import create_app

        self.token = more.setdefault("operator_token", "the-operator-of-the-tests")
        # The double plays from the first frame on, or not at all.
        settings_of = {"return_within": 0} if unchecked else settings
        self.app = create_app(database=database, settings=settings_of, site=site, seats=seats, **more)
        if unchecked:
            # The double has settings of its own, which the relay would refuse.
            self.app.relay.lobby.settings = self.app.relay.lobby.pairing.settings = settings
        config = uvicorn.Config(self.app, host="127.0.0.1", port=0, ws="wsproto", log_level="warning")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.server.started:
            assert time.monotonic() < deadline, "the relay does not start"
            time.sleep(0.02)
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"

    def counts(self, game_id: str) -> dict:
        """What the relay counted of a game, as its operator is told."""
        url, headers = f"{self.url}api/games/{game_id}", {"Authorization": f"Bearer {self.token}"}
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return json.load(answer)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture
def start_relay(request, tmp_path):
    """start_relay(**settings) starts a relay for the double's site, start_relay(core=True, ...) for the core's; with
    `limits`, it has those bounds, and with `recruiting` what a study says of its participants."""
    with contextlib.ExitStack() as stack:

        def start(core=False, limits=None, recruiting=None, **settings):
            site = request.getfixturevalue("core_site" if core else "double_site")
            database = f"sqlite:///{tmp_path / 'data.sqlite'}"
            relay = Relay(site, database, settings, unchecked=not core, limits=limits, recruiting=recruiting)
            stack.callback(relay.close)
            return relay

        yield start


@pytest.fixture(scope="session")
def driver():
    """Playwright, of which a process has one at a time."""
    from playwright import sync_api as playwright

    with playwright.sync_playwright() as p:
        yield p


@pytest.fixture(scope="session")
def chromium(driver):
    """One headless Chromium for all tests of this folder."""
    path = os.environ.get("PYCORE_CHROMIUM") or shutil.which("chromium")
    # A name that is not localhost: to a browser, http there is not secure.
    browser = driver.chromium.launch(executable_path=path, args=["--host-resolver-rules=MAP study.test 127.0.0.1"])
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def firefox(driver):
    """One headless Firefox; without one, what needs it is skipped, and it is said how to get one."""
    from pycore.rehearsal.browsers import HOW_FIREFOX, Browser
    from tools import firefox as firefoxes

    path = firefoxes.find()
    if path is None:
        pytest.skip(f"there is no Firefox: {HOW_FIREFOX}")
    browser = Browser(driver, {"firefox": path}).running("firefox")
    yield browser
    browser.close()


@pytest.fixture(params=["chromium", "firefox"])
def engine(request):
    """Each of the two."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def stillness():
    """Whether a page that `open_page` opened stood still while it played."""
    return Stillness()


@pytest.fixture
def open_page(chromium, stillness):
    """open_page(url, browser=…, **context options) opens a page in a context of its own, of Chromium if nothing else is
    said, and collects what goes wrong there."""
    with contextlib.ExitStack() as stack:

        def open_(url, browser=chromium, **options):
            context = browser.new_context(**options)
            context.set_default_timeout(PATIENCE * 1000)
            stack.callback(context.close)
            page = stillness.follow(context.new_page())
            page.problems = []
            page.on("pageerror", lambda error: page.problems.append(f"pageerror: {error}"))
            page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
            page.goto(url)
            return page

        yield open_


def phase(page, *names, timeout=PATIENCE):
    """Wait until the page is in one of these phases; an unexpected end fails at once with its error."""
    page.wait_for_function(
        "names => names.includes(window.pycoreStatus?.phase) || window.pycoreStatus?.phase === 'failed'",
        arg=list(names),
        timeout=timeout * 1000,
    )
    status = page.evaluate("window.pycoreStatus")
    assert status["phase"] in names, status
