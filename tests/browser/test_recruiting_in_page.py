"""What a participant sees of being paired: a question, another window, a partner who goes, and where to go then."""

import pytest
import socketio

from tests.browser.conftest import phase

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

ANNA = "?PROLIFIC_PID=anna"
BERT = "?PROLIFIC_PID=bert"


def shown(page, what):
    """The text of something, once it is seen."""
    page.locator(what).wait_for(state="visible")
    return page.locator(what).inner_text()


def join(page):
    phase(page, "start")
    page.locator("#play").click()


def test_people_are_asked_and_their_game_begins_when_all_have_answered(start_relay, open_page):
    """By a button that has the focus; who does not answer is told, and the other one waits again."""
    relay = start_relay(fps=30, max_steps=30, recruiting={"ready_check": 4})
    one, two = (open_page(relay.url) for _ in range(2))
    for page in (one, two):
        join(page)
    for page in (one, two):
        phase(page, "asked")
        assert shown(page, "#waiting-title") == "Are you there?"
        assert page.evaluate("document.activeElement.id") == "ready"
    one.keyboard.press("Enter")
    assert shown(one, "#waiting-title") == "It begins in a moment"
    # The other one does not answer.
    two.wait_for_function("pycoreStatus.phase === 'failed'")
    assert two.evaluate("pycoreStatus.error.code") == "not_ready"
    assert "You did not answer in time" in shown(two, "#error-message")
    phase(one, "waiting")
    assert "You have your place back" in shown(one, "#waiting-note")
    assert not one.locator("#ready").is_visible()
    two.locator("#error-retry").click()
    join(two)
    for page in (one, two):
        phase(page, "asked")
        page.locator("#ready").click()
    for page in (one, two):
        phase(page, "done")
        assert page.problems == []


def test_a_second_window_is_told_and_may_go_on_in_place_of_the_first(start_relay, open_page):
    """In plain words, with one button for it."""
    relay = start_relay(fps=30, max_steps=30)
    one, two = (open_page(f"{relay.url}{ANNA}") for _ in range(2))
    join(one)
    phase(one, "waiting")
    join(two)
    assert "in another window" in shown(two, "#error-message")
    assert one.evaluate("pycoreStatus.phase") == "waiting"
    two.locator("#error-here").click()
    phase(two, "waiting")
    one.wait_for_function("pycoreStatus.phase === 'failed'")
    assert one.evaluate("pycoreStatus.error.code") == "replaced"
    assert not one.locator("#error-here").is_visible()
    other = open_page(f"{relay.url}{BERT}")
    join(other)
    for page in (two, other):
        phase(page, "done")
        assert page.problems == []


@pytest.mark.long  # in every run: without a browser
def test_a_stranger_who_comes_and_goes_costs_a_moment_and_then_everybody_is_sent_on_once(start_relay, open_page):
    """The core itself: a game that did not begin is none, and the next one has an outcome and an address."""
    relay = start_relay(core=True, max_steps=40, recruiting={"next": "http://study.test/{outcome}{subject}"})
    one = open_page(f"{relay.url}{ANNA}")
    join(one)
    phase(one, "waiting")
    stranger = socketio.SimpleClient()
    stranger.connect(relay.url, transports=["websocket"])
    assert stranger.call("join_game", {"session_id": "stranger"})["state"] == "playing"
    stranger.call("leave_game", {})
    stranger.disconnect()
    one.wait_for_function("document.querySelector('#waiting-note')?.hidden === false")
    phase(one, "waiting")
    assert "You have your place back" in shown(one, "#waiting-note")
    two = open_page(f"{relay.url}{BERT}")
    join(two)
    for page, who in ((one, "anna"), (two, "bert")):
        phase(page, "done")
        link = page.locator("#screen-end a.next")
        link.wait_for(state="visible")
        assert link.get_attribute("href") == f"http://study.test/completed{who}"
        assert page.evaluate("pycoreStatus.stored") is True
        assert not page.locator("#again").is_visible()
        assert page.problems == []
    # Loaded again, it is the same word, and no other game.
    one.reload()
    join(one)
    phase(one, "over")
    assert "played to the end" in shown(one, "#over-lead")
    assert one.locator("#screen-over a.next").get_attribute("href") == "http://study.test/completedanna"
    assert relay.app.relay.lobby.health()["waiting"] == 0
