"""The page that watches, in Chromium: games that run and that are over, and one as spectators see it, seconds late."""

import asyncio
import contextlib
import json
import threading
import time
import uuid

import pytest

from tests.browser.conftest import Relay, phase
from tests.browser.test_stores_in_page import begun
from tests.unit.relay.relay_support import Client

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
        relay = Relay(core_site, f"sqlite:///{tmp_path / 'data.sqlite'}", SETTINGS, operator_token=TOKEN)
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


def of_record(page, episode, frame):
    """What the record has of a frame, counted from 1: the actions, and the score that the environment says."""
    rows = [json.loads(line) for line in page.evaluate("pycoreGame.records()").splitlines()[1:]]
    (row,) = [each for each in rows if (each.get("episode"), each.get("frame")) == (episode, frame - 1)]
    return row["actions"], row["infos"]["0"]["score"]


def at(page, frame):
    """The slider is set to a frame; what the spectator says of it, and the environment that was drawn has."""
    slide = "(slider, frame) => { slider.value = frame; slider.dispatchEvent(new Event('input')); }"
    page.locator("input[type=range]").evaluate(slide, frame)
    page.wait_for_function(
        "frame => { const { state, environment } = [...pycoreWatch.spectators.values()][0];"
        " return state.shown === frame && environment.t === frame; }", arg=frame,
    )  # fmt: skip
    state = page.evaluate(NEWEST)
    score = page.evaluate("[...pycoreWatch.spectators.values()][0].environment.score.toJs()")
    return state, (state["actions"], score)


@pytest.mark.long  # three pages with Python in them, and a game of three episodes: two minutes where others run
def test_earlier_episodes_of_a_running_game_and_a_game_that_is_over_after_a_restart(core_site, tmp_path, open_page):
    """Frame and score are those of the record, whatever episode is chosen, in the list and with the game's key."""
    database = f"sqlite:///{tmp_path / 'data.sqlite'}"
    settings = {**SETTINGS, "store_every": 1, "max_steps": 240, "num_episodes": 3}
    with contextlib.ExitStack() as stack:
        relay = Relay(core_site, database, settings, operator_token=TOKEN)
        stack.callback(relay.close)
        players = begun(relay, open_page)
        watcher = open_page(f"{relay.url}watch/#token={TOKEN}")
        watcher.wait_for_function(f"({NEWEST})?.episode === 1 && ({NEWEST}).stepped > 10", timeout=90_000)
        # It has gone on with the game, or came late; the first episode is chosen while the second one runs.
        watcher.locator("button.earlier").click()
        watcher.wait_for_function(f"({NEWEST}).episode === 0 && ({NEWEST}).stepped === 240")
        seen, drawn = at(watcher, 100)
        assert (seen["playing"], seen["difference"], seen["frames"]) == (False, None, 240)
        assert watcher.locator("output").inner_text() == "1 · 100 / 240"
        assert drawn == of_record(players[0], 0, 100)
        watcher.locator("button.live").click()
        watcher.wait_for_function(f"({NEWEST}).episode > 0 && ({NEWEST}).playing")
        for page in players:
            phase(page, "done", timeout=90)
            page.wait_for_function("pycoreStatus.stored")
        # The game leaves the list of those that run, and comes into the other one.
        watcher.locator("#over .card").wait_for(timeout=30_000)
        assert watcher.locator("#games .card").count() == 0
        assert watcher.problems == []
        watcher.context.close()
        expected = {frame: of_record(players[0], 1, frame) for frame in (1, 77, 240)}
        for page in players:
            page.context.close()
        relay.close()
        again = Relay(core_site, database, settings, operator_token=TOKEN)
        stack.callback(again.close)
        listed = open_page(f"{again.url}watch/#token={TOKEN}")
        card = listed.locator("#over .card")
        # The last rows as well, once they are old enough to be shown.
        card.filter(has_text="3 episodes, 720 frames").wait_for(timeout=20_000)
        assert "without an end" not in card.inner_text()
        assert [each.partition(": ")[2] for each in card.locator("li").all_inner_texts()] == ["complete"] * 2
        assert listed.evaluate("pycoreWatch.spectators.size") == 0
        card.locator("button.toggle").click()
        alone = open_page(card.locator("a").evaluate("(link) => link.href"))
        for page in (listed, alone):
            # What is over plays from its beginning.
            page.wait_for_function(f"({NEWEST})?.stepped === 240 && ({NEWEST}).shown > 1", timeout=90_000)
            assert page.evaluate(NEWEST)["episode"] == 0
            page.locator("input.episode").fill("2")
            page.locator("input.episode").press("Enter")
            page.wait_for_function(f"({NEWEST}).episode === 1 && ({NEWEST}).ended")
            for frame, of in expected.items():
                assert at(page, frame)[1] == of
            assert (page.evaluate(NEWEST)["difference"], page.problems) == (None, [])
            assert page.locator("button.live").is_hidden()
        assert alone.title() == "A game that is over"
        # From its end it goes on with the next episode, and stops with the last one's.
        alone.locator("button.play").click()
        alone.locator("button.later").click()
        alone.wait_for_function(f"({NEWEST}).episode === 2 && ({NEWEST}).stepped === 240")
        at(alone, 235)
        alone.locator("button.play").click()
        alone.wait_for_function(f"({NEWEST}).shown === 240 && !({NEWEST}).playing")
        card.locator("button.toggle").click()
        assert listed.evaluate("pycoreWatch.spectators.size") == 0


@contextlib.contextmanager
def crowd(url, games):
    """So many games of two sockets each, without pages; gives what ends one, by its number."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    clients = []

    def run(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(30)

    async def come():
        for _ in range(2 * games):
            clients.append(await Client(url).connect())
            await clients[-1].call("join_game", {"session_id": uuid.uuid4().hex})

    async def go():
        await asyncio.gather(*(client.close() for client in clients))

    try:
        run(come())
        yield lambda number: run(clients[2 * number].call("leave_game", {}))
    finally:
        run(go())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.mark.long
def test_of_many_running_games_so_many_have_a_picture_and_any_may_be_asked_for(watched, open_page):
    """The newest first; whoever asks for another gets it in another's place, and a place that is free is given away."""
    pictured = "[...document.querySelectorAll('#games .card')].map((card) => !card.querySelector('.view').hidden)"
    with crowd(watched.url, 8) as end:
        page = open_page(f"{watched.url}watch/#token={TOKEN}")

        def becomes(*expected):
            page.wait_for_function(f"expected => JSON.stringify({pictured}) === expected",
                                   arg=json.dumps(expected, separators=(",", ":")), timeout=60_000)  # fmt: skip
            assert page.evaluate("pycoreWatch.spectators.size") == 6

        becomes(*[True] * 6, False, False)
        page.locator("#games .card").nth(7).locator(".toggle").click()
        becomes(*[True] * 5, False, False, True)
        page.locator("#games .card").nth(7).locator(".toggle").click()
        # Its place is given to the newest one without.
        becomes(*[True] * 6, False, False)
        # The newest one ends; of the two that have none the one gets its place that nobody has closed.
        end(7)
        becomes(*[True] * 6, False)
        page.locator("#over .card").wait_for(timeout=30_000)
        assert page.problems == []


@pytest.mark.long
def test_a_game_whose_page_is_loaded_again_is_seen_to_its_end_and_again_when_it_is_over(core_site, tmp_path, open_page):
    """By whoever watched meanwhile, and afterwards from the rows of both loads; every hash is that of the record."""
    settings = {**SETTINGS, "store_every": 1, "max_steps": 600}
    with contextlib.ExitStack() as stack:
        relay = Relay(core_site, f"sqlite:///{tmp_path / 'data.sqlite'}", settings, operator_token=TOKEN)
        stack.callback(relay.close)
        players = begun(relay, open_page)
        watcher = open_page(f"{relay.url}watch/#token={TOKEN}")
        watcher.wait_for_function(f"({NEWEST})?.stepped > 60", timeout=90_000)
        address = watcher.locator("h2 a").evaluate("(link) => link.href")
        players[1].reload()
        during = open_page(address)
        for page in players:
            phase(page, "done", timeout=90)
            page.wait_for_function("pycoreStatus.stored")
        assert players[1].evaluate("pycoreGame.sessionMetrics.load") == 1
        after = open_page(address)
        for page in (during, after):
            page.wait_for_function(f"({NEWEST})?.ended", timeout=90_000)
            state = page.evaluate(NEWEST)
            assert (state["stepped"], state["difference"], state["why"], state["running"]) == (600, None, "", False)
        for frame in (40, 300, 599):
            assert at(after, frame)[1] == of_record(players[0], 0, frame)
        assert after.problems == during.problems == []


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
