"""Studies as a researcher runs them: with packages, with a page of their own, by plain http."""

import contextlib
import sqlite3
import time
import zipfile
from pathlib import Path

import pytest
from conftest import Relay

from pycore.site import build
from pycore.site.beginning import begin
from tools import distributions
from tools.paths import NEWEST

SOON = 60_000
"""ms: a page with Pyodide on a machine that does other things as well."""
RAN = "window.pycoreGame && window.pycoreGame.frame > 30"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not NEWEST.source.is_dir(), reason="the npm packages are not installed"),
]

PIXELS = '''
class Dtype:
    name = "uint8"


class Picture:
    """As much of an array as a page asks for: 2 rows of 3 columns, the upper one red, the lower one blue."""

    shape, dtype = (2, 3, 3), Dtype()

    def tobytes(self):
        return bytes([255, 0, 0] * 3 + [0, 0, 255] * 3)


class Watched:
    possible_agents = ["somebody"]

    def action_space(self, agent):
        return {"type": "discrete", "n": 2}

    def reset(self, seed=None, options=None):
        self.agents, self.frame = ["somebody"], 0
        return {"somebody": 0}, {"somebody": {}}

    def step(self, actions):
        self.frame += 1
        done = {"somebody": False}
        return {"somebody": self.frame}, {"somebody": actions["somebody"]}, done, done, {"somebody": {}}

    def render(self):
        return Picture()


def make_env():
    return Watched()
'''


def tiny_wheel(folder: Path) -> Path:
    """A pure wheel with one module, `tinycounts`, that no index has."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "tinycounts-1.2.0-py3-none-any.whl"
    info = "tinycounts-1.2.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tinycounts.py", "STEP = 1\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinycounts\nVersion: 1.2.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


@pytest.fixture
def served(tmp_path):
    """served(source, **for build) builds the site of a one-person game, serves it, and returns the relay."""
    with contextlib.ExitStack() as stack:

        def serve(source, seats=1, settings=None, **given):
            game = tmp_path / "study" / "environment.py"
            game.parent.mkdir(exist_ok=True)
            game.write_text(source)
            site = build(tmp_path / "site", game=game, pyodide=distributions.released(NEWEST), **given)
            chosen = {"action_space": {"type": "discrete", "n": 2}, "max_steps": 60, **(settings or {})}
            relay = Relay(site, f"sqlite:///{tmp_path / 'data.sqlite'}", chosen, seats=seats)
            stack.callback(relay.close)
            return relay

        yield serve


def stored(database: Path) -> tuple[int, int]:
    """Of how many episodes the database has the end, and how many metrics."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        ends = connection.execute("select count(*) from pieces where last").fetchone()[0]
        return ends, connection.execute("select count(*) from session_metrics").fetchone()[0]


def test_the_page_to_copy_stores_and_draws_pixels_by_plain_http(served, open_page, tmp_path):
    """On another host's name, without https: what is copied plays, stores, says so, and shows render()'s array."""
    (own,) = [file for file in begin(tmp_path / "begun", 1, page=True) if file.name == "page.html"]
    relay = served(PIXELS, page=own, title="Pixels")
    page = open_page(relay.url.replace("127.0.0.1", "study.test"))
    assert page.evaluate("[isSecureContext, typeof crypto.randomUUID]") == [False, "undefined"]
    page.wait_for_function(RAN, timeout=SOON)
    assert page.title() == "Pixels"
    colors = page.evaluate(
        "() => { const c = document.getElementById('canvas'), context = c.getContext('2d');"
        "return [0.25, 0.75].map((y) => [...context.getImageData(c.width / 2, c.height * y, 1, 1).data]); }"
    )
    assert colors == [[255, 0, 0, 255], [0, 0, 255, 255]]
    page.get_by_text("Your data is stored.").wait_for(timeout=SOON)
    records, metrics = stored(tmp_path / "data.sqlite")
    assert (records, metrics) == (1, 2), "an episode's records and metrics, and the session's"


def test_a_package_comes_from_a_folder_of_wheels_without_an_index(served, open_page, tmp_path):
    """The site has the wheel, and the page installs it before the game imports it."""
    tiny_wheel(tmp_path / "wheels")
    source = PIXELS.replace("class Dtype", "import tinycounts\n\n\nclass Dtype").replace(
        "self.frame += 1", "self.frame += tinycounts.STEP"
    )
    relay = served(source, packages=["tinycounts"], wheels=tmp_path / "wheels")
    asked = []
    page = open_page("about:blank")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{relay.url}?autojoin=1")
    page.wait_for_function(RAN, timeout=SOON)
    assert page.locator("li[data-step=packages]").text_content() == "Packages"
    assert [url for url in asked if not url.startswith((relay.url, "data:", "blob:", "ws:"))] == []


@pytest.mark.long
def test_a_package_that_does_not_come_is_named_on_the_screen_and_in_the_log(served, open_page, caplog, tmp_path):
    """With what to do; and whoever runs the study reads it as well."""
    wheel = tiny_wheel(tmp_path / "wheels")
    relay = served(PIXELS, packages=[str(wheel)])
    (tmp_path / "site" / "packages" / wheel.name).unlink()
    page = open_page(relay.url)
    page.wait_for_selector("#screen-error:not([hidden])", timeout=SOON)
    assert page.locator("#error-message").text_content() == "Something went wrong.", "a participant loads no packages"
    details = page.locator("#error-details pre").text_content()
    assert "The package tinycounts could not be loaded" in details
    assert "--wheels" in details
    deadline = time.monotonic() + 10
    while not (told := [line for line in caplog.messages if "a page failed" in line]):
        assert time.monotonic() < deadline, "the server was not told"
        time.sleep(0.05)
    assert "load-package" in told[0]
    assert "tinycounts" in told[0]


@pytest.mark.parametrize(
    "own",
    [pytest.param(False, id="pycore's page"), pytest.param(True, id="the page to copy", marks=pytest.mark.long)],
)
def test_an_environment_that_cannot_be_played_is_said_on_the_screen_and_to_the_server(
    own, served, open_page, caplog, tmp_path
):
    """Not an empty page: the sentence that names what is wrong."""
    page_file = None
    if own:
        page_file = begin(tmp_path / "begun", 1, page=True)[-1]
    relay = served(PIXELS.replace("def reset(self, seed=None, options=None)", "def reset(self)"), page=page_file)
    page = open_page(f"{relay.url}?autojoin=1&details")
    page.get_by_text("Watched.reset() takes no seed").first.wait_for(timeout=SOON)
    deadline = time.monotonic() + 10
    while not any("a page failed" in line and "takes no seed" in line for line in caplog.messages):
        assert time.monotonic() < deadline, "the server was not told"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("own", "how"),
    [
        pytest.param(False, "broken", id="broken, pycore's page"),
        pytest.param(True, "gone", id="gone, the page to copy"),
        pytest.param(False, "gone", id="gone, pycore's page", marks=pytest.mark.long),
        pytest.param(True, "broken", id="broken, the page to copy", marks=pytest.mark.long),
    ],
)
def test_a_module_of_the_page_that_does_not_come_is_said_on_the_screen(own, how, served, open_page, tmp_path):
    """Everything else that is said comes from a module: it would be "Loading…" for ever."""
    relay = served(PIXELS, page=begin(tmp_path / "begun", 1, page=True)[-1] if own else None)
    page = open_page("about:blank")
    answer = {"status": 404} if how == "gone" else {"body": "export const (", "content_type": "text/javascript"}
    page.route("**/core/bridge.js", lambda route: route.fulfill(**answer))
    page.goto(relay.url)
    page.get_by_text("This page could not be loaded completely").wait_for(timeout=20_000)
