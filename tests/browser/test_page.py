"""The page with real Chromium, a real relay, a real DataChannel, and a double in place of the core."""

import json
import re
import sqlite3
import time

import pytest

from tests.browser.conftest import phase

pytestmark = [pytest.mark.browser]


def both(relay, open_page, **options):
    """Two pages that join by themselves."""
    return [open_page(f"{relay.url}?autojoin=1", **options) for _ in range(2)]


def double(page):
    return page.evaluate("pycoreGame.exportSessionMetrics()")


def happenings(metrics):
    return [h["data"]["what"] for h in metrics["double"]["heard"] if h["event"] == "rtc"]


@pytest.mark.long  # in every run: whole sessions in pages (tests/e2e)
def test_two_pages_play_two_episodes_over_a_data_channel_and_store_everything(start_relay, open_page, tmp_path):
    """From loading to the end screen: the channel carries the inputs, the database has metrics and records."""
    relay = start_relay(fps=30, max_steps=60, num_episodes=2, episode_pause=0.5)
    pages = both(relay, open_page)
    for page in pages:
        phase(page, "done")
        page.wait_for_function("pycoreStatus.stored")
        metrics = double(page)
        assert metrics["inputs"]["sentViaP2P"] == 120
        assert metrics["inputs"]["sentViaSocketIO"] == 0
        assert metrics["inputs"]["receivedViaP2P"] > 100
        assert metrics["connection"]["type"] == "direct"
        assert metrics["connection"]["connectionDetails"]["localCandidateType"] == "host"
        assert metrics["double"]["failed"] == []
        assert 0 < metrics["double"]["socketio_rtt"] < 1
        told = {"channel-open", "connection-state", "local-description", "candidate", "type"}
        assert told <= set(happenings(metrics))
        # Over the second channel, in order, whole, and up to the largest size of a chunk.
        chunks = [of["data"] for of in metrics["double"]["heard"] if of["event"] == "chunk"]
        assert chunks == [[16_384, ord("a"), ord("a")], [1, ord("b"), ord("b")], [16_384, ord("c"), ord("c")]]
        assert page.locator("#screen-end").is_visible()
        assert "stored" in page.locator("#end-stored").inner_text()
        assert page.problems == []
    rows = sqlite3.connect(tmp_path / "data.sqlite")
    tables = {name for (name,) in rows.execute("select name from sqlite_master where type = 'table'")}
    counts = {table: rows.execute(f"select count(*) from {table}").fetchone()[0] for table in tables}
    # Two players: episodes 0 and 1 and the session; rows of two episodes.
    assert (counts["session_metrics"], counts["pieces"]) == (6, 4), counts


@pytest.mark.long  # a whole session without a channel is played in every run (tests/e2e)
def test_without_a_channel_the_inputs_go_over_socket_io(start_relay, open_page):
    """The executor of socket.io events carries every input, and the page says so."""
    relay = start_relay(p2p=False, p2p_wait=0.2, max_steps=60)
    pages = both(relay, open_page)
    for page in pages:
        phase(page, "done")
        inputs = double(page)["inputs"]
        assert inputs["sentViaP2P"] == 0
        assert inputs["sentViaSocketIO"] == 60
        assert inputs["receivedViaSocketIO"] > 40


def test_the_keyboard_moves_the_own_disc_on_both_pages(start_relay, open_page):
    """A pressed key arrives in both simulations; a hidden page has no keys down."""
    relay = start_relay(max_steps=100_000)
    first, second = both(relay, open_page)
    for page in (first, second):
        phase(page, "playing")
    first.bring_to_front()
    first.keyboard.down("ArrowUp")
    first.wait_for_function("pycoreGame.hud().score.some((points) => points > 10)")
    second.wait_for_function("pycoreGame.hud().score.some((points) => points > 10)")
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    first.evaluate(hide, True)
    first.wait_for_function("pycoreGame.exportSessionMetrics().double.hidden")
    frame = first.evaluate("pycoreGame.frame")
    score = first.evaluate("pycoreGame.hud().score")
    first.wait_for_function("frame => pycoreGame.frame > frame + 20", arg=frame)
    later = first.evaluate("pycoreGame.hud().score")
    assert sum(later) <= sum(score) + 2
    assert first.evaluate("pycoreGame.p2pHealthy") is True


@pytest.mark.long
def test_the_memory_may_grow_while_the_game_runs(start_relay, open_page):
    """The wasm memory grows again and again; every view is taken anew and no record is lost."""
    relay = start_relay(max_steps=90, grow_until=60)
    pages = [open_page("about:blank") for _ in range(2)]
    for page in pages:
        # Counted at the interface itself: each growth must make the shims take new views.
        page.add_init_script("""
            window.grown = 0;
            const grow = WebAssembly.Memory.prototype.grow;
            WebAssembly.Memory.prototype.grow = function (n) { window.grown += 1; return grow.call(this, n); };
        """)
        page.goto(f"{relay.url}?autojoin=1")
    for page in pages:
        phase(page, "done")
        metrics = double(page)
        assert page.evaluate("grown") >= 3
        assert metrics["inputs"]["sentViaP2P"] == 90
        assert metrics["inputs"]["receivedViaP2P"] >= 80
        assert page.problems == []


def test_an_exception_in_python_is_shown_and_the_records_can_still_be_saved(start_relay, open_page):
    """The loop ends visibly with the error's code; the other player is told."""
    relay = start_relay(max_steps=100_000, raise_at=40)
    pages = both(relay, open_page)
    for page in pages:
        page.wait_for_function("['done', 'failed'].includes(pycoreStatus.phase)")
    assert sorted(page.evaluate("pycoreStatus.phase") for page in pages) == ["done", "failed"]
    page, other = sorted(pages, key=lambda page: page.evaluate("pycoreStatus.phase === 'done'"))
    heard = [heard["event"] for heard in double(other)["double"]["heard"]]
    # By its channel, before the server says that somebody has left.
    assert [event for event in heard if event in ("broke", "end_game")][:1] == ["broke"]
    assert "end_game" in heard
    assert page.evaluate("pycoreStatus.error.code") == "python-RuntimeError"
    assert "told to fail" in page.locator("#error-message").inner_text()
    with page.expect_download() as download:
        page.locator("#error-save").click()
    lines = download.value.path().read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(40))
    page.wait_for_function("pycoreStatus.stored")
    assert "Your data is stored" in page.locator("#error-stored").inner_text()
    assert page.locator("#error-unsent").is_hidden()


@pytest.mark.long  # in every run: what was never acknowledged is sent at the next visit
def test_what_the_server_never_takes_of_a_game_that_failed_is_said_kept_and_deleted_when_asked(start_relay, open_page):
    """Nobody reads that it will be sent, and nothing of a game that another window plays is deleted with it."""
    relay = start_relay(max_steps=100_000, raise_at=40)
    relay.app.relay._handlers["p2p_session_metrics"] = lambda sid, payload: {
        "status": "error", "code": "foreign_room", "message": "not yours",
    }  # fmt: skip
    pages = both(relay, open_page)
    for page in pages:
        page.wait_for_function("['done', 'failed'].includes(pycoreStatus.phase)")
    page, _ = sorted(pages, key=lambda page: page.evaluate("pycoreStatus.phase === 'done'"))
    page.wait_for_function("pycoreStatus.pending === 1 && pycoreStatus.refused === 1")
    assert "did not take 1 of the data sets" in page.locator("#error-stored").inner_text()
    with page.expect_download() as download:
        page.locator("#error-unsent").click()
    assert len(json.loads(download.value.path().read_text())) == 1
    kept(page, 1)
    page.goto(relay.url)
    phase(page, "start")
    page.locator("#start-leftover-text", has_text="could not be stored").wait_for()
    # Another window of this browser plays meanwhile.
    held = "name => new Promise((got) => navigator.locks.request(name, () => (got(), new Promise(() => {}))))"
    item = json.loads(download.value.path().read_text())[0]["data"]
    playing = page.context.new_page()
    playing.goto(f"{relay.url}demo/style.css")
    playing.evaluate(held, f"pycore {json.dumps([item['game_id'], item['player_id']], separators=(',', ':'))}")
    page.locator("#leftover-discard").click()
    page.wait_for_timeout(200)
    kept(page, 1)
    playing.close()
    deadline = time.monotonic() + 30
    while page.evaluate("navigator.locks.query().then(({ held }) => held.length)"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    page.locator("#leftover-discard").click()
    page.locator("#start-leftover").wait_for(state="hidden")
    kept(page, 0)


KEPT = """async () => {
    const open = indexedDB.open('pycore', 1);
    const database = await new Promise((resolve) => { open.onsuccess = () => resolve(open.result); });
    const count = database.transaction('outbox').objectStore('outbox').count();
    const found = await new Promise((resolve) => { count.onsuccess = () => resolve(count.result); });
    database.close();
    return found;
}"""
"""How many stores the browser's database has."""


def kept(page, wanted):
    """Wait until the database has so many. `wait_for_function` takes a promise for true, and waits for nothing."""
    deadline = time.monotonic() + 30
    while (found := page.evaluate(KEPT)) != wanted:
        assert time.monotonic() < deadline, f"{found} stores instead of {wanted}"
        page.wait_for_timeout(50)


def test_a_store_that_the_server_never_acknowledged_is_sent_at_the_next_visit(start_relay, open_page, chromium):
    """What IndexedDB kept from a visit reaches the server in the next one."""
    relay = start_relay(max_steps=30)
    pages = both(relay, open_page)
    # The server is deaf to stores for the whole first visit.
    keep = relay.app.relay._handlers.pop("p2p_session_metrics")
    relay.app.relay._handlers["p2p_session_metrics"] = lambda sid, payload: {
        "status": "error", "code": "store_failed", "message": "the disk is full",
    }
    page = pages[0]
    phase(page, "done")
    page.wait_for_function("pycoreStatus.pending === 2")
    assert page.evaluate("pycoreStatus.stored") is False
    assert "on its way" in page.locator("#end-stored").inner_text()
    game_id = page.evaluate("pycoreGame.gameId")
    # The other page would send its own as soon as it can.
    pages[1].context.close()
    assert relay.counts(game_id)["stored"]["metrics"] == 0
    # The page counts what it has; only what has come to the database outlives it.
    kept(page, 2)
    # The visit ends before the server can store again.
    page.goto("about:blank")
    relay.app.relay._handlers["p2p_session_metrics"] = keep
    page.goto(relay.url)
    phase(page, "start")
    kept(page, 0)
    stored = relay.counts(game_id)["stored"]
    assert stored["metrics"] == 2, stored


def test_a_wheel_compiled_for_another_python_is_replaced_by_the_plain_one(double_site, start_relay, open_page):
    """The loader notices and goes on; the console has a warning, not an error."""
    relay = start_relay()
    manifest = json.loads((double_site / "manifest.json").read_text())
    page = open_page("about:blank")
    page.route("**/manifest.json", lambda route: route.fulfill(json=manifest | {"compiled_wheel": "wheels/other.whl"}))
    # The site's own manifest does not name it, so the relay has no such file for strangers.
    page.route("**/other.whl", lambda route: route.fulfill(path=double_site / "wheels" / "other.whl"))
    warnings = []
    page.on("console", lambda m: warnings.append(m.text) if m.type == "warning" else None)
    page.goto(relay.url)
    phase(page, "start")
    assert any("other.whl" in text for text in warnings)
    assert page.problems == []


def test_a_missing_file_is_named_with_a_code_and_advice(start_relay, open_page):
    """Loading that fails ends in the error screen, not in an eternal bar."""
    relay = start_relay()
    page = open_page("about:blank")
    page.route("**/game/double_game.py", lambda route: route.fulfill(status=404))
    page.goto(relay.url)
    page.wait_for_function("window.pycoreStatus?.phase === 'failed'")
    assert page.evaluate("pycoreStatus.error.code") == "load-status"
    assert "404" in page.locator("#error-message").inner_text()
    assert page.locator("#screen-error").is_visible()


@pytest.mark.long
def test_playing_again_starts_a_new_game_and_leaves_nothing_of_the_old_one(start_relay, open_page):
    """The second game of a page has its own id, its own link and its own books."""
    relay = start_relay(max_steps=30)
    pages = both(relay, open_page)
    first = []
    for page in pages:
        phase(page, "done")
        page.wait_for_function("pycoreStatus.stored")
        first.append(page.evaluate("pycoreGame.gameId"))
        page.locator("#again").click()
    for page in pages:
        page.wait_for_function("pycoreStatus.phase === 'done' && pycoreStatus.stored")
        assert page.evaluate("pycoreGame.gameId") not in first
        assert double(page)["frames"]["total"] == 30
        assert page.problems == []


def test_who_plays_again_a_moment_after_the_other_is_not_stopped_by_the_end_of_the_old_game(start_relay, open_page):
    """The server's word that the other left the old game is under way while this page asks for a new one."""
    relay = start_relay(max_steps=30)
    two = open_page(relay.url)
    held = None

    def between(page_side):
        server_side = page_side.connect_to_server()
        page_side.on_message(lambda text: server_side.send(text) if held is None else held.append((server_side, text)))

    two.route_web_socket(re.compile("socket.io"), between)
    two.goto(f"{relay.url}?autojoin=1")
    one = open_page(f"{relay.url}?autojoin=1")
    for page in (one, two):
        phase(page, "done")
        page.wait_for_function("pycoreStatus.stored && pycoreGame.state().settled")
    old = one.evaluate("pycoreGame.gameId")
    held = []
    two.locator("#again").click()
    two.wait_for_function("pycoreStatus.phase === 'waiting'")
    one.locator("#again").click()
    two.wait_for_timeout(500)
    assert [text for _, text in held if "leave_game" in text]
    late, held = held, None
    for server_side, text in late:
        server_side.send(text)
    for page in (one, two):
        page.wait_for_function(f"pycoreStatus.phase === 'failed' || (window.pycoreGame?.gameId ?? '{old}') !== '{old}'")
        assert page.evaluate("pycoreStatus.error") is None
