"""The page that watches, in Chromium: the running games, and a game as a spectator sees it, some seconds late."""

import contextlib
import time

import pytest

from tests.browser.conftest import Relay, phase
from tests.browser.test_stores_in_page import begun

pytestmark = [pytest.mark.browser]

TOKEN = "operators-token"
LATE = 2
SETTINGS = {
    "fps": 30, "max_steps": 9000, "store_every": LATE, "environment": "double",
    "action_space": {"type": "discrete", "n": 6},
}  # fmt: skip
NEWEST = "[...pycoreWatch.spectators.values()][0]?.state"


@pytest.fixture
def watched(core_site, tmp_path):
    """A relay of the core's site whose games can be watched."""
    with contextlib.ExitStack() as stack:
        relay = Relay(core_site, f"sqlite:///{tmp_path / 'data.sqlite'}", SETTINGS, watch_token=TOKEN)
        stack.callback(relay.close)
        yield relay


def shown(page):
    """The state of the page's spectator, once it shows something."""
    page.wait_for_function(f"({NEWEST})?.stepped > 30", timeout=90_000)
    return page.evaluate(NEWEST)


def test_a_spectator_sees_what_was_confirmed_some_seconds_before_and_the_past_by_a_slider(watched, open_page):
    """What is drawn has been compared with the record; the players notice nothing of it, nor of its end."""
    players = begun(watched, open_page)
    watcher = open_page(f"{watched.url}watch/#token={TOKEN}")
    shown(watcher)
    watcher.wait_for_function("document.querySelectorAll('td.good').length === 2")
    for _ in range(3):
        # First what is seen, then what is played: the game goes on meanwhile, which is on the safe side.
        seen = watcher.evaluate(NEWEST)
        confirmed = players[0].evaluate("pycoreGame.hud().confirmed")
        assert seen["came"] <= confirmed - (LATE - 0.5) * 30 + 15
        assert (seen["difference"], seen["why"]) == (None, "")
        assert seen["hashes"] >= seen["stepped"] // 30 - 1
        time.sleep(0.3)
    slider = watcher.locator("input[type=range]")
    slider.evaluate("(slider) => { slider.value = 10; slider.dispatchEvent(new Event('input')); }")
    watcher.wait_for_function(f"({NEWEST}).shown === 10")
    before = watcher.evaluate(NEWEST)["stepped"]
    watcher.wait_for_function(f"({NEWEST}).stepped > {before} + 20")
    assert watcher.evaluate(NEWEST)["shown"] == 10
    assert watcher.locator("output").inner_text().startswith("1 · 10 /")
    watcher.locator("button.live").click()
    watcher.wait_for_function(f"({NEWEST}).shown > 30")
    # By the server for a while, if a page of this machine stood still.
    row = watcher.locator("tbody tr", has_text="p2p").first.inner_text().split("\t")
    assert row[:3] == ["0", "playing", "1"]
    assert row[4:6] == ["1", "p2p"]
    assert watcher.problems == []
    # A spectator whose page stands, and one that goes away in the middle: nobody who plays waits for either.
    watcher.evaluate("() => { const until = Date.now() + 3000; while (Date.now() < until); }")
    watcher.context.close()
    players[0].evaluate("pycoreGame.requestStop()")
    for page in players:
        phase(page, "done", timeout=90)
        page.wait_for_function("pycoreStatus.stored")
        assert page.problems == []
    first, second = (page.evaluate("pycoreGame.records()") for page in players)
    assert first == second


@pytest.mark.long
def test_with_the_key_of_a_game_that_game_is_seen_and_nothing_else(watched, open_page):
    """Its address is what the list offers for spectators; a wrong one says so."""
    players = begun(watched, open_page)
    listed = open_page(f"{watched.url}watch/#token={TOKEN}", viewport={"width": 400, "height": 800})
    link = listed.locator("h2 a")
    link.wait_for(timeout=30_000)
    address = link.evaluate("(link) => link.href")
    assert TOKEN not in address
    # Nothing is wider than the screen but what scrolls by itself.
    assert listed.evaluate("document.documentElement.scrollWidth") <= 400
    listed.context.close()
    alone = open_page(address)
    assert shown(alone)["difference"] is None
    assert alone.locator("table").count() == 0
    wrong = open_page(address.replace("key=", "key=x"))
    refused = "document.querySelector('.told')?.textContent.includes('give the key of this game')"
    wrong.wait_for_function(refused, timeout=90_000)
    nothing = open_page(f"{watched.url}watch/")
    assert "lacks the token" in nothing.locator("#problem").inner_text()
    for page in players:
        page.context.close()
