"""What a page stores all along: of one that is killed in mid-episode the server has all but the last seconds."""

import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pycore.export.evidence import evidence_of
from pycore.export.files import games_of
from tests.browser.conftest import phase

pytestmark = [pytest.mark.browser]

ENV = f"{Path(__file__).parent / 'double_game.py'}:make_env"
SETTINGS = {"fps": 30, "max_steps": 3000, "store_every": 1, "action_space": {"type": "discrete", "n": 6}}


def pycore(*words):
    """The command, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pycore", *map(str, words)], capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def begun(relay, open_page):
    """Two pages that play."""
    pages = [open_page("about:blank") for _ in range(2)]
    for seat, page in enumerate(pages):
        page.add_init_script(f"window.pycoreReadAction = (frame) => Math.floor(frame / {5 + seat}) % 6;")
        page.goto(f"{relay.url}?autojoin=1")
    for page in pages:
        phase(page, "playing", timeout=90)
    return pages


def kill(page):
    """The renderer dies: nothing of the page runs any more, no unload handler either."""
    with contextlib.suppress(Exception):  # it is gone before it answers
        page.goto("chrome://crash", timeout=5000)


@pytest.mark.long  # in every run: without a browser
def test_of_pages_that_are_killed_the_server_has_all_but_the_last_seconds(start_relay, open_page, tmp_path):
    """Its files are read as every record is: said to be partial, the same for both players, and true when stepped."""
    relay = start_relay(core=True, **SETTINGS)
    pages = begun(relay, open_page)
    pages[0].wait_for_function("pycoreGame.frame > 150")
    shown = [page.evaluate("pycoreGame.bridge.frame") for page in pages]
    for page in pages:
        kill(page)
    time.sleep(0.5)
    rows = sqlite3.connect(tmp_path / "data.sqlite")
    for player in ("0", "1"):
        stored = rows.execute("select max(first + frames) from pieces where player = ?", (player,)).fetchone()[0]
        # A second of frames, and what was not confirmed yet.
        assert stored >= min(shown) - 30 - 15
        so_far = rows.execute("select so_far, data from session_metrics where player = ?", (player,)).fetchall()
        assert [mark for mark, _ in so_far] == [1]
        assert json.loads(so_far[0][1])["soFar"] is True
        assert rows.execute("select count(*) from experienced where player = ?", (player,)).fetchone()[0] >= 3
    database = f"sqlite:///{tmp_path / 'data.sqlite'}"
    status, said = pycore("data", "--database", database, "--out", tmp_path / "study")
    assert status == 0, said
    (game,) = games_of([tmp_path / "study"])
    evidence = evidence_of(game)
    assert evidence.status == "partial"
    assert len(evidence.records) == 2
    assert evidence.agreement.parting is None
    status, said = pycore("verify", tmp_path / "study", "--env", ENV)
    assert status == 1, said
    assert "partial" in said
    assert "broken off" in said
    for path in game.records:
        status, said = pycore("replay", path, "--env", ENV)
        assert status == 0, said
    status, said = pycore("export", tmp_path / "study", "--csv", tmp_path / "tables")
    assert status == 0, said
    assert (tmp_path / "tables" / "frames.csv").read_text().count("\n") > 100
