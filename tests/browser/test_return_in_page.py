"""Real pages that are loaded again in mid-game, or whose renderer dies: they come back, and the data are whole."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pycore.export.evidence import evidence_of
from pycore.export.files import games_of
from pycore.records import Displayed, Experience
from tests.browser.conftest import phase

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

ENV = f"{Path(__file__).parent / 'double_game.py'}:make_env"
SETTINGS = {"fps": 30, "max_steps": 600, "store_every": 1, "action_space": {"type": "discrete", "n": 6}}
PICTURES = os.environ.get("PYCORE_PICTURES")
"""A folder for what the pages show meanwhile, to be looked at."""


def pycore(*words):
    """The command, and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pycore", *map(str, words)], capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def begun(relay, open_page):
    """Two pages that play; the second one's Python may be made to come late."""
    pages = [open_page("about:blank") for _ in range(2)]
    for seat, page in enumerate(pages):
        page.add_init_script(script(seat))
        page.goto(f"{relay.url}?autojoin=1")
    for page in pages:
        phase(page, "playing", timeout=90)
    return pages


def script(seat):
    """What a page's player does."""
    return f"window.pycoreReadAction = (frame) => Math.floor(frame / {5 + seat}) % 6;"


def restored(page, url):
    """A renderer dies, with no handler of its page run, and the browser opens the tab again with what that had kept."""
    kept = page.evaluate("Object.entries(sessionStorage)")
    with contextlib.suppress(Exception):  # it is gone before it answers
        page.goto("chrome://crash", timeout=5000)
    tab = page.context.new_page()
    keep = f"for (const [name, value] of {json.dumps(kept)}) sessionStorage.setItem(name, value);"
    tab.add_init_script(script(1) + keep)
    tab.goto(url)
    return tab


def slow_python(page, seconds):
    """From here on Python comes so many seconds late, as over a slow line."""
    def late(route):
        time.sleep(seconds)
        route.continue_()

    page.route("**/pyodide.asm.wasm", late)


def picture(name, *pages):
    if PICTURES:
        for number, page in enumerate(pages):
            page.screenshot(path=f"{PICTURES}/{name}-{number}.png")


def stored_game(tmp_path):
    """What the server has of the game, as files, and the evidence of it."""
    database = f"sqlite:///{tmp_path / 'data.sqlite'}"
    status, said = pycore("data", "--database", database, "--out", tmp_path / "study")
    assert status == 0, said
    (game,) = games_of([tmp_path / "study"])
    return game, evidence_of(game)

IN_EVERY_RUN = [("reload", "chromium"), ("closing", "firefox")]


def announced(relay, seats):
    """From now on, in a thread: when the server lost the socket of one of these seats, and when it told others."""
    found = {}

    def look():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and "told" not in found:
            for seat in seats:
                if seat.sid is None or seat.announced:
                    found.setdefault("lost", time.monotonic())
                if seat.announced:
                    found["told"] = time.monotonic()
            time.sleep(0.005)

    thread = threading.Thread(target=look)
    thread.start()
    return found, thread


@pytest.mark.parametrize(
    ("how", "engine"),
    [
        pytest.param(how, engine, marks=[] if (how, engine) in IN_EVERY_RUN else pytest.mark.long)
        for how in ("reload", "navigation", "closing")
        for engine in ("chromium", "firefox")
    ],
    indirect=["engine"],
)
def test_the_others_know_at_once_that_a_page_goes_in_every_browser(start_relay, open_page, engine, how):
    """Firefox closes the socket before the page can say a word by it; a lost socket alone would take a second."""
    relay = start_relay(core=True, **SETTINGS)
    pages = [open_page(f"{relay.url}?autojoin=1", browser=engine) for _ in range(2)]
    warned = []
    pages[0].on("console", lambda message: warned.append(message.text) if message.type == "warning" else None)
    for page in pages:
        phase(page, "playing", timeout=90)
    (room,) = relay.app.relay.lobby.games.playing()
    found, thread = announced(relay, room.seats)
    if how == "reload":
        pages[1].reload(wait_until="commit")
    elif how == "navigation":
        pages[1].goto(f"{relay.url}api/health")
    else:
        pages[1].close()
    thread.join(35)
    assert found["told"] - found["lost"] < 0.5
    assert not room.over
    # That the other end is closed is no fault.
    pages[0].wait_for_timeout(500)
    assert [text for text in warned if "[WebRTC]" in text] == []


def test_a_page_that_is_loaded_again_and_one_that_crashes_come_back_and_the_data_are_whole(
    start_relay, open_page, tmp_path
):
    """Twice in one game. The records are the same bytes for both, true when stepped, without a frame missing or
    twice; what the page did not show is told."""
    relay = start_relay(core=True, **SETTINGS)
    stays, back = begun(relay, open_page)
    back.wait_for_function("pycoreGame.frame > 120")
    slow_python(back, 2.5)
    # Whose page was quicker has the first seat.
    displayed, player = back.evaluate("[pycoreGame.frame, String(pycoreGame.myPlayerId)]")
    back.reload(wait_until="commit")
    back.locator("h1", has_text="You are coming back to your game").wait_for()
    assert not back.locator("#play").is_visible()
    stays.locator("#stall", has_text="’s page is reloading. The game waits until it is back.").wait_for()
    picture("reloading", stays, back)
    phase(back, "playing")
    assert back.evaluate("pycoreStatus.load") == 1
    stays.locator("#stall", has_text=" is back.").wait_for()
    picture("back", stays, back)
    stays.wait_for_function("pycoreGame.frame > 300")
    back = restored(back, relay.url)
    phase(back, "playing")
    assert back.evaluate("pycoreStatus.load") == 2
    for page in (stays, back):
        phase(page, "done")
        page.wait_for_function("pycoreStatus.stored")
        picture("end", stays, back)
    assert stays.evaluate("pycoreGame.records()") == back.evaluate("pycoreGame.records()")
    ends = stays.evaluate("pycoreGame.exportSessionMetrics()")
    assert [each["load"] for each in ends["returns"]] == [1, 2]
    assert ends["pathChanges"][-1]["to"] == "p2p", "a page that came back is reached directly again"
    assert stays.problems == []

    game, evidence = stored_game(tmp_path)
    assert (evidence.status, evidence.reasons) == ("reconciled", [])
    assert evidence.agreement.identical
    one, other = (path.read_bytes() for path in game.records)
    assert one == other == stays.evaluate("pycoreGame.records()").encode()
    frames = [json.loads(line)["frame"] for line in one.decode().splitlines() if '"actions"' in line]
    assert frames == list(range(600))
    (seen,) = [path for path in game.experienced if path.name == f"experienced-{player}.jsonl"]
    shown = [item for item in Experience(seen.read_text().splitlines()) if isinstance(item, Displayed)]
    assert {item.load for item in shown} == {0, 1, 2}
    # A page that is loaded again loses nothing of what it showed; one that crashes has its last second only in memory.
    assert max(item.frame for item in shown if item.load == 0) >= displayed - 1
    assert 0 <= evidence.seen[player].unseen < 200
    assert len({item.frame for item in shown}) + evidence.seen[player].unseen == 600
    status, said = pycore("verify", tmp_path / "study", "--env", ENV)
    assert status == 0, said


@pytest.mark.long
def test_what_a_page_had_not_stored_when_it_was_loaded_again_is_stored_by_its_next_load(
    start_relay, open_page, tmp_path
):
    """It has no time to wait for the server, or for a database: its tab keeps it."""
    relay = start_relay(core=True, **{**SETTINGS, "max_steps": 300, "store_every": 600})
    stays, back = begun(relay, open_page)
    back.wait_for_function("pycoreGame.frame > 90")
    displayed, player = back.evaluate("[pycoreGame.frame, String(pycoreGame.myPlayerId)]")
    back.reload(wait_until="commit")
    for page in (stays, back):
        phase(page, "done", timeout=90)
        page.wait_for_function("pycoreStatus.stored")
    game, _ = stored_game(tmp_path)
    (seen,) = [path for path in game.experienced if path.name == f"experienced-{player}.jsonl"]
    shown = [item for item in Experience(seen.read_text().splitlines()) if isinstance(item, Displayed)]
    assert max(item.frame for item in shown if item.load == 0) >= displayed - 1


@pytest.mark.long
def test_a_page_that_comes_back_too_late_is_told_so_and_may_play_another_game(start_relay, open_page):
    """Its seat was kept for two seconds, and it took longer."""
    relay = start_relay(core=True, **{**SETTINGS, "max_steps": 3000, "return_within": 2, "dropped_after": 2})
    stays, back = begun(relay, open_page)
    slow_python(back, 4)
    back.reload(wait_until="commit")
    back.locator("h1", has_text="You are coming back to your game").wait_for()
    phase(stays, "done")
    phase(back, "start")
    back.locator("#start-intro", has_text="Your game has ended meanwhile. You can play a new one.").wait_for()
    picture("too-late", stays, back)
    assert back.evaluate("[pycoreStatus.notBack, sessionStorage.length]") == ["over", 0]
    back.locator("#play").click()
    phase(back, "waiting")


@pytest.mark.long
def test_a_tab_that_the_browser_copies_takes_the_game_over_and_the_first_one_is_told(start_relay, open_page):
    """The copy has what the tab kept; the newest page holds the seat."""
    relay = start_relay(core=True, **{**SETTINGS, "max_steps": 3000})
    stays, first = begun(relay, open_page)
    with first.context.expect_page() as opened:
        first.evaluate("void window.open(location.href)")
    copy = opened.value
    copy.wait_for_function("window.pycoreStatus?.phase === 'playing'", timeout=60_000)
    phase(first, "failed")
    assert first.evaluate("pycoreStatus.error.code") == "replaced"
    first.locator("#error-message", has_text="The game was opened in another window").wait_for()
    picture("copied", stays, first, copy)
    frame = copy.evaluate("pycoreGame.frame")
    stays.wait_for_function("frame => pycoreGame.frame > frame + 60", arg=frame)
    stays.evaluate("pycoreGame.requestStop()")
    for page in (stays, copy):
        phase(page, "done")
    assert stays.evaluate("pycoreGame.records()") == copy.evaluate("pycoreGame.records()")
