"""What keeps people in a game by the browser's own means, in real pages."""

import pytest

from tests.browser.conftest import phase

pytestmark = [pytest.mark.browser]


@pytest.mark.parametrize("engine", ["chromium", pytest.param("firefox", marks=pytest.mark.long)], indirect=True)
def test_who_is_about_to_leave_a_game_that_runs_is_asked_and_may_stay(start_relay, open_page, engine):
    """The browser asks, whoever has pressed something here. Before the game, and behind it, nobody is held up."""
    relay = start_relay(max_steps=150)
    page = open_page(relay.url, browser=engine)
    phase(page, "start")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.locator("#play").click()
    phase(page, "waiting")
    open_page(f"{relay.url}?autojoin=1", browser=engine)
    phase(page, "playing")
    page.keyboard.down("ArrowUp")
    page.evaluate("window.here = true; setTimeout(() => location.reload(), 0)")
    page.wait_for_timeout(300)
    frame = page.evaluate("window.here && pycoreGame.frame")
    page.wait_for_function("frame => window.here && pycoreGame.frame > frame", arg=frame)
    assert asked == ["beforeunload"]
    phase(page, "done")
    page.wait_for_function("pycoreStatus.stored")
    page.reload()
    phase(page, "start")
    assert asked == ["beforeunload"]
    assert page.problems == []
