"""What other tests have by itself is used by the page: it calls and keeps awake, is played by thumbs, and draws as the
study says."""

import json

import pytest

from tests.browser.conftest import phase

pytestmark = [pytest.mark.browser]

ELSEWHERE = """
    window.isHidden = true;
    Object.defineProperty(Document.prototype, 'hidden', { get: () => window.isHidden });
    window.asked = [];
    Object.defineProperty(navigator, 'wakeLock', { value: { request: async (kind) => {
        window.asked.push(kind);
        return { release: async () => { window.asked.push('released'); } };
    } } });
"""
"""A page in a tab that nobody sees, and what it asks of the screen."""


@pytest.mark.long  # in every run: without a browser
def test_who_waits_in_another_tab_is_called_and_the_screen_stays_on_while_the_game_runs(start_relay, open_page):
    relay = start_relay(max_steps=200)
    page = open_page("about:blank")
    page.add_init_script(ELSEWHERE)
    page.goto(f"{relay.url}?autojoin=1")
    phase(page, "waiting")
    title = page.title()
    open_page(f"{relay.url}?autojoin=1")
    phase(page, "connecting", "playing")
    assert page.title() == f"The game begins – {title}"
    assert page.evaluate("asked") == []
    page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function("asked.length > 0")
    assert page.title() == title
    phase(page, "done")
    page.wait_for_function("asked.includes('released')")
    assert page.evaluate("asked") == ["screen", "released"]
    assert page.problems == []


def test_thumbs_on_the_buttons_of_the_page_play(start_relay, open_page):
    """A button that is held is the action of every frame, in what the other page steps as well."""
    relay = start_relay(max_steps=100_000)
    page = open_page(f"{relay.url}?autojoin=1", has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    open_page(f"{relay.url}?autojoin=1")
    phase(page, "playing")
    box = page.locator("#touch button[data-key=ArrowRight]").bounding_box()
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "id": 0}
    thumb = page.context.new_cdp_session(page)
    seat = page.evaluate("pycoreGame.config?.players.indexOf(pycoreGame.myPlayerId) ?? pycoreGame.myPlayerId")
    lines = "pycoreGame.records().trim().split('\\n').slice(-5)"
    actions = f"(seat) => {lines}.map((line) => JSON.parse(line).actions[seat])"
    assert set(page.evaluate(actions, seat)) == {0}
    thumb.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    page.wait_for_function(f"(seat) => ({actions})(seat).every((action) => action === 2)", arg=seat)
    thumb.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function(f"(seat) => ({actions})(seat).every((action) => action === 0)", arg=seat)
    assert page.problems == []


KEEPS_THE_RENDERER = """
const { show } = Renderer.prototype;
Renderer.prototype.show = function (...given) { globalThis.theRenderer = this; return show.apply(this, given); };
"""


def test_the_world_the_pictures_and_the_corrections_of_a_study_are_those_of_its_field(start_relay, open_page):
    relay = start_relay(max_steps=100_000)
    page = open_page("about:blank")
    study = {"world": [300, 100], "smooth_corrections": 0.25, "images": {"ball": {"src": "game/ball.png"}}}

    def manifest(route):
        route.fulfill(json={**route.fetch().json(), **study})

    page.route("**/manifest.json*", manifest)
    page.route("**/demo/canvas.js*", lambda route: route.fulfill(
        body=route.fetch().text() + KEEPS_THE_RENDERER, content_type="text/javascript"))  # fmt: skip
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{relay.url}?autojoin=1")
    open_page(f"{relay.url}?autojoin=1")
    phase(page, "playing")
    page.wait_for_function("window.theRenderer")
    names = ("world", "corrections", "images")
    found = {name: page.evaluate(f"theRenderer.{name}") for name in names}
    images = {"ball": {"src": f"{relay.url}game/ball.png"}}
    assert found == {"world": {"width": 300, "height": 100}, "corrections": 0.25, "images": images}
    # It was asked for while the game was loaded, and again since it does not come.
    assert sum(url.endswith("/game/ball.png") for url in asked) >= 1
    box = page.locator("#canvas").bounding_box()
    assert abs(box["width"] / box["height"] - 3) < 0.05, json.dumps(box)
