"""The page with the core itself: real pages, real channel, real relay, scripted inputs."""

import json

import pytest

from tests.browser.conftest import phase

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

SPACE = {"type": "discrete", "n": 6}

# Actions held for some frames, different on each page; the keyboard is not needed.
SCRIPT = """seed => {
    window.pycoreReadAction = (frame) => Math.floor(Math.abs(Math.sin((Math.floor(frame / 7) + 1) * seed)) * 6) % 6;
}"""

# Every PyProxy and every buffer is registered when it is made and unregistered when it is destroyed.
COUNT_PROXIES = """
    window.proxies = 0;
    const { register, unregister } = FinalizationRegistry.prototype;
    FinalizationRegistry.prototype.register = function (...args) {
        window.proxies += 1;
        return register.apply(this, args);
    };
    FinalizationRegistry.prototype.unregister = function (token) {
        const was = unregister.call(this, token);
        if (was) window.proxies -= 1;
        return was;
    };
"""


def play(relay, open_page):
    pages = []
    for seed in (1.7, 2.9):
        page = open_page("about:blank")
        page.add_init_script(COUNT_PROXIES)
        page.goto(relay.url)
        page.evaluate(SCRIPT, seed)
        phase(page, "start")
        page.locator("#play").click()
        pages.append(page)
    return pages


def metrics(page):
    return page.evaluate("pycoreGame.exportSessionMetrics()")


def assert_same_records(pages, episodes, frames):
    """The canonical records of all pages are the same bytes, complete, and not of standing still."""
    first, second = (page.evaluate("pycoreGame.records()") for page in pages)
    assert first == second
    rows = [row for row in map(json.loads, first.splitlines()) if "actions" in row]
    assert [(row["episode"], row["frame"]) for row in rows] == [(e, f) for e in range(episodes) for f in range(frames)]
    for seat in (0, 1):
        assert len({row["actions"][seat] for row in rows}) >= 3


@pytest.mark.long  # whole sessions in pages (tests/e2e) say the same, and more, in every run
def test_on_a_healthy_link_the_server_sees_no_input_and_both_pages_keep_the_same_records(
    start_relay, open_page, stillness
):
    """By the relay's own count; the trajectories are the same bytes; everything is stored."""
    relay = start_relay(core=True, max_steps=150, num_episodes=2, action_space=SPACE)

    def game():
        pages = play(relay, open_page)
        for page in pages:
            phase(page, "done")
            page.wait_for_function("pycoreStatus.stored")
        assert_same_records(pages, 2, 150)
        return pages

    def by_peer_alone(pages):
        for page in pages:
            inputs = metrics(page)["inputs"]
            assert inputs["sentViaSocketIO"] == 0
            assert inputs["sentViaP2P"] >= 298
        game_id = metrics(pages[0])["gameId"]
        assert relay.counts(game_id)["inputs_relayed"] == 0

    pages = stillness.undisturbed(game, by_peer_alone)
    for page in pages:
        found = metrics(page)
        assert found["connection"]["type"] == "direct"
        assert found["frames"]["total"] == 300
        assert page.problems == []
    stored = relay.counts(metrics(pages[0])["gameId"])
    assert stored["stored"]["metrics"] == 6
    assert stored["stored"]["pieces"] >= 4


@pytest.mark.long  # in every run: the same in the interactive_gym page, and between two engines
def test_a_closed_channel_falls_back_and_comes_back_without_losing_an_input(start_relay, open_page, stillness):
    """close() on the channel: the server carries the inputs until the new channel has proved itself."""
    relay = start_relay(core=True, max_steps=360, action_space=SPACE)

    def game():
        pages = play(relay, open_page)
        for page in pages:
            phase(page, "playing")
        # A machine that is busy elsewhere may have been silent for half a second before.
        pages[0].wait_for_function("pycoreGame.frame > 30 && pycoreGame.p2pHealthy")
        assert pages[0].evaluate("pycoreGame.p2pConnected && pycoreGame.p2pInputSender !== null")
        pages[0].evaluate("pycoreGame.inspectLink().channel.close()")
        pages[0].locator(".badge.socketio").wait_for()
        pages[0].locator(".badge.p2p").wait_for()
        for page in pages:
            phase(page, "done")
        assert_same_records(pages, 1, 360)
        return pages

    def there_and_back(pages):
        for page in pages:
            assert [change["to"] for change in metrics(page)["pathChanges"]] == ["socketio", "p2p"]

    pages = stillness.undisturbed(game, there_and_back)
    for page in pages:
        found = metrics(page)
        assert found["inputs"]["sentViaSocketIO"] > 0
        assert found["inputs"]["sentViaP2P"] > 100
        assert found["quality"]["p2pFallbackTriggered"] is True
        assert page.problems == []


@pytest.mark.long  # in every run: that the bridge tells it (tests/unit)
def test_an_action_too_large_to_be_sent_is_said_over_the_picture_and_the_game_goes_on(start_relay, open_page):
    """To the player who acted, and for a few seconds; both pages keep the same records."""
    relay = start_relay(core=True, max_steps=300, action_space={"type": "any"})
    pages = play(relay, open_page)
    for page in pages:
        phase(page, "playing")
    acting, other = pages
    acting.wait_for_function("pycoreGame.frame > 20")
    acting.evaluate("""() => {
        const read = window.pycoreReadAction;
        let left = 5;
        window.pycoreReadAction = (frame) => (left-- > 0 ? 'x'.repeat(1200) : read(frame));
    }""")
    word = acting.locator("#stall", has_text="What you did is too large to be sent")
    word.wait_for()
    assert "too large to be sent" in acting.locator("#live").text_content()
    assert "too large" not in other.locator("#stall").text_content()
    word.wait_for(state="hidden", timeout=10_000)
    for page in pages:
        phase(page, "done")
    assert_same_records(pages, 1, 300)
    (problem,) = acting.problems
    assert problem.startswith("the action takes 12")
    assert other.problems == []


@pytest.mark.parametrize("p2p", [True, pytest.param(False, marks=pytest.mark.long)])
def test_the_partner_of_a_page_whose_environment_raises_reads_that_it_failed(start_relay, open_page, p2p):
    """By the page itself, before the server can say that somebody has left; then its links are closed."""
    relay = start_relay(core=True, max_steps=100_000, action_space=SPACE, p2p=p2p, p2p_wait=2.0)
    broken, other = play(relay, open_page)
    for page in (broken, other):
        phase(page, "playing")
    broken.wait_for_function("pycoreGame.frame > 20")
    broken.evaluate("() => { pycoreGame.bridge.proxy._owned.step = undefined; }")
    phase(broken, "failed")
    phase(other, "done")
    assert other.locator("#end-lead").inner_text() == "The other player’s page has failed, so the game ended early."
    assert metrics(broken)["end"]["reason"] == "error"
    assert metrics(other)["end"]["reason"] == "player_left"
    broken.wait_for_function("pycoreGame.failed")
    assert broken.evaluate("pycoreGame.inspectLink().connection") is None
    if p2p:
        # What the other one answers by the server goes to nobody who has left the game.
        assert broken.evaluate("pycoreGame.state().settled") is True
    assert "TypeError" in broken.evaluate("pycoreStatus.error.code")
    broken.wait_for_function("pycoreStatus.stored || pycoreStatus.pending === 0")
    assert other.problems == []


@pytest.mark.long
def test_after_a_machine_slept_the_page_has_the_wall_time_again(start_relay, open_page):
    """An hour that only the wall clock knows of, as after a sleep; what the session notes then has the right time."""
    relay = start_relay(core=True, max_steps=100_000, action_space=SPACE)
    pages = play(relay, open_page)
    slept = pages[0]
    for page in pages:
        phase(page, "playing")
    slept.wait_for_function("pycoreGame.frame > 30 && pycoreGame.p2pHealthy")
    with slept.expect_console_message(lambda message: "s off where it should be" in message.text):
        slept.evaluate("() => { const now = Date.now; Date.now = () => now.call(Date) + 3_600_000; }")
    slept.evaluate("pycoreGame.inspectLink().channel.close()")
    changed = "pycoreGame.exportSessionMetrics().pathChanges.length > 0"
    for page in pages:
        page.wait_for_function(changed)
    noted, there = (page.evaluate("pycoreGame.exportSessionMetrics().pathChanges[0].timestamp") for page in pages)
    assert abs(noted - slept.evaluate("Date.now()")) < 20_000
    assert abs(noted - there - 3_600_000) < 10_000


def test_the_tick_leaves_no_proxy_behind(start_relay, open_page):
    """Hundreds of ticks with rendering and HUD: as many proxies as before."""
    relay = start_relay(core=True, max_steps=100_000, action_space=SPACE)
    pages = play(relay, open_page)
    for page in pages:
        phase(page, "playing")
        page.wait_for_function("pycoreGame.frame > 60")
    before = [page.evaluate("[pycoreGame.frame, proxies]") for page in pages]
    assert all(proxies > 0 for _, proxies in before)
    for page, (frame, proxies) in zip(pages, before, strict=True):
        page.wait_for_function("frame => pycoreGame.frame > frame + 240", arg=frame)
        assert page.evaluate("proxies") <= proxies + 1
