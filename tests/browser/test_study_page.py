"""The operator's page in Chromium: who waits, what stores nothing, what failed; the study closed and opened again."""

import asyncio
import threading
from pathlib import Path

import pytest

from pycore.site.wording import worded
from tests.browser.conftest import PATIENCE, Relay
from tests.unit.relay.relay_support import Client

pytestmark = [pytest.mark.browser]

TOKEN = "operators-token"
SETTINGS = {"fps": 30, "max_steps": 9000, "store_every": 2, "environment": "double"}
AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE = "<b onmouseover=alert(1)>\u202ebold</b>"


class Visitors:
    """Participants without a page, who come and go from a thread of their own."""

    def __init__(self, url):
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._here = []

    def run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def joins(self, subject):
        """One more who wants to play."""

        async def go():
            client = await Client(self._url).connect()
            self._here.append(client)
            return client, await client.call("join_game", {"query": f"?PROLIFIC_PID={subject}"})

        return self.run(go())

    def close(self):
        for client in self._here:
            self.run(client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


@pytest.fixture
def studied(core_site, tmp_path):
    """A relay, and visitors of it."""
    relay = Relay(core_site, f"sqlite:///{tmp_path / 'data.sqlite'}", SETTINGS, operator_token=TOKEN)
    visitors = Visitors(relay.url)
    yield relay, visitors
    visitors.close()
    relay.close()


def says(page, name, text):
    """Wait until a list has that text."""
    page.locator(f"#{name} li", has_text=text).first.wait_for(timeout=PATIENCE * 1000)


def test_the_operator_sees_how_the_study_is_closes_it_and_opens_it(studied, open_page):
    """Who waits is asked about first, and told; everything that comes from pages is text; axe finds nothing."""
    relay, visitors = studied
    page = open_page(f"{relay.url}watch/#token={TOKEN}", viewport={"width": 1200, "height": 900})
    says(page, "waits", "Nobody.")
    assert page.locator("#study-state").inner_text().startswith("The study is open")
    playing, _ = visitors.joins("anna")
    visitors.joins("bert")
    visitors.run(playing.call("page_failed", {"code": "broken", "message": HOSTILE, "where": "step"}))
    visitors.run(playing.call("no_such_event", {}))
    # A game of some time ago of which nothing has come.
    (room,) = relay.app.relay.lobby.games.playing()
    room.started_wall -= 100
    waiting, _ = visitors.joins("cleo")
    says(page, "waits", "0 min")
    says(page, "without", "nothing of 2 players (0, 1)")
    says(page, "refusals", "unknown_event: 1")
    says(page, "outcomes", "None since")
    relay.app.measures.outcomes["waited_in_vain"] += 2
    says(page, "outcomes", "waited_in_vain: 2")
    says(page, "failures", HOSTILE)
    assert page.locator("#failures b").count() == 0
    assert "cleo" not in page.content()

    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.locator("#study-toggle").click()
    assert "One person who waits is sent away" in asked[0]
    assert relay.app.relay.lobby.door.is_open
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#study-toggle").click()
    page.locator("#study-state", has_text="The study is closed").wait_for()
    assert visitors.run(waiting.get("pycore_error"))["code"] == "study_closed"
    assert visitors.joins("dora")[1]["code"] == "study_closed"
    page.add_script_tag(path=str(AXE))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert len(found["passes"]) > 10, "axe has looked at nothing"
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    # By the keyboard alone.
    page.locator("#study-toggle").focus()
    page.keyboard.press("Enter")
    page.locator("#study-state", has_text="The study is open").wait_for()
    assert visitors.joins("emil")[1]["state"] == "waiting"
    assert page.problems == []


def test_who_comes_to_a_closed_study_reads_that_it_is(studied, open_page):
    """In plain words, with what to do."""
    relay, _ = studied
    relay.app.relay.lobby.door.is_open = False
    page = open_page(f"{relay.url}?autojoin=1")
    page.wait_for_selector("#screen-error:not([hidden])", timeout=60_000)
    texts = worded("en", {})
    assert page.locator("#error-message").text_content() == texts["error.study_closed"]
    assert texts["advice.study_closed"] in page.locator("#screen-error").inner_text()
