"""Studies as a researcher runs them: from the wheel alone, with packages, with a page of their own, by plain http."""

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import Relay

from pycore.site import build
from pycore.site.beginning import begin

ROOT = Path(__file__).resolve().parents[2]
PYODIDE = ROOT / "web" / "node_modules" / "pyodide-314"
SOON = 60_000
"""ms: a page with Pyodide on a machine that does other things as well."""
RAN = "window.pycoreGame && window.pycoreGame.frame > 30"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PYODIDE.is_dir(), reason="the npm packages are not installed"),
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
            site = build(tmp_path / "site", game=game, pyodide=PYODIDE, **given)
            chosen = {"action_space": {"type": "discrete", "n": 2}, "max_steps": 60, **(settings or {})}
            relay = Relay(site, f"sqlite:///{tmp_path / 'data.sqlite'}", chosen, seats=seats)
            stack.callback(relay.close)
            return relay

        yield serve


def stored(database: Path) -> tuple[int, int]:
    """How many records' parts and metrics the database has."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        counts = {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in tables}
    return (
        next(count for name, count in counts.items() if "record" in name),
        next(count for name, count in counts.items() if "metric" in name),
    )


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


def test_a_package_that_does_not_come_is_named_on_the_screen_and_in_the_log(served, open_page, caplog, tmp_path):
    """With what to do; and whoever runs the study reads it as well."""
    wheel = tiny_wheel(tmp_path / "wheels")
    relay = served(PIXELS, packages=[str(wheel)])
    (tmp_path / "site" / "packages" / wheel.name).unlink()
    page = open_page(relay.url)
    page.wait_for_selector("#screen-error:not([hidden])", timeout=SOON)
    assert "The package tinycounts could not be loaded" in page.locator("#error-message").text_content()
    assert "--wheels" in page.locator("#error-advice").text_content()
    deadline = time.monotonic() + 10
    while not (told := [line for line in caplog.messages if "a page failed" in line]):
        assert time.monotonic() < deadline, "the server was not told"
        time.sleep(0.05)
    assert "load-package" in told[0]
    assert "tinycounts" in told[0]


@pytest.mark.parametrize("own", [False, True], ids=["pycore's page", "the page to copy"])
def test_an_environment_that_cannot_be_played_is_said_on_the_screen_and_to_the_server(
    own, served, open_page, caplog, tmp_path
):
    """Not an empty page: the sentence that names what is wrong."""
    page_file = None
    if own:
        page_file = begin(tmp_path / "begun", 1, page=True)[-1]
    relay = served(PIXELS.replace("def reset(self, seed=None, options=None)", "def reset(self)"), page=page_file)
    page = open_page(f"{relay.url}?autojoin=1")
    page.get_by_text("Watched.reset() takes no seed").first.wait_for(timeout=SOON)
    deadline = time.monotonic() + 10
    while not any("a page failed" in line and "takes no seed" in line for line in caplog.messages):
        assert time.monotonic() < deadline, "the server was not told"
        time.sleep(0.05)


def installed(folder: Path) -> Path:
    """A fresh environment with the wheel in it, and behind it what the wheel depends on; its Python."""
    from tools import wheels

    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    purelib = Path(subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip())  # fmt: skip
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(purelib)]
    subprocess.run([*command, str(wheels.current().plain)], check=True)
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


@pytest.mark.slow
@pytest.mark.tooling
@pytest.mark.skipif(os.name == "nt", reason="the folders of an environment are others there")
def test_a_study_is_begun_audited_served_and_played_from_the_wheel_alone(chromium, tmp_path):
    """`pycore new`, `audit`, `serve`, two people by plain http, their data: nothing of the checkout is there."""
    python = installed(tmp_path / "environment")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def pycore(*words: str) -> str:
        done = subprocess.run(
            [str(python), "-P", "-m", "pycore", *words], cwd=tmp_path / "work", env=environment, text=True,
            capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "work").mkdir()
    where = subprocess.check_output([python, "-P", "-c", "import pycore; print(pycore.__file__)"], text=True,
                                    cwd=tmp_path / "work", env=environment)  # fmt: skip
    assert Path(where.strip()).is_relative_to(tmp_path)
    pycore("new", "harvest")
    assert pycore("audit", "harvest/environment.py", "--frames", "60").startswith("fit:")
    settings = tmp_path / "work" / "harvest" / "study.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"num_episodes": 1, "max_steps": 90}))
    server = subprocess.Popen(
        [str(python), "-P", "-m", "pycore", "serve", "harvest/environment.py", "--port", "0",
         "--pyodide", str(PYODIDE)],
        cwd=tmp_path / "work", env=environment, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        first = server.stdout.readline()
        port = re.search(r":(\d+)/", first)
        assert port is not None, first
        url = f"http://study.test:{port[1]}/?autojoin=1"
        with contextlib.ExitStack() as stack:
            pages = []
            for _ in range(2):
                context = chromium.new_context()
                stack.callback(context.close)
                pages.append(context.new_page())
            for page in pages:
                page.goto(url)
            for page in pages:
                page.wait_for_function(RAN, timeout=SOON)
            paths = [page.evaluate("pycoreGame.hud().players.find((player) => !player.you).path") for page in pages]
            assert paths == ["p2p", "p2p"], "peer-to-peer works by plain http"
            for page in pages:
                page.get_by_text("Your data is stored.").wait_for(timeout=SOON)
                assert page.evaluate("pycoreStatus.reports") == []
    finally:
        server.terminate()
        server.wait(20)
    pycore("data", "--out", "data")
    texts = [path.read_bytes() for path in sorted((tmp_path / "work" / "data").rglob("trajectory-*.jsonl"))]
    assert len(texts) == 2
    assert texts[0] == texts[1]
