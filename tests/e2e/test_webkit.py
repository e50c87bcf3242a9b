"""A game between two WebKits, which have no WebRTC: through the server, from the first input to the stored records."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycore.rehearsal.serving import Relay, address, command, database_url, free_port
from tools import webkit
from tools.examples import example
from tools.paths import ROOT

pytestmark = [
    pytest.mark.e2e,
    # Of selenium, about itself.
    pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning"),
]

LOADING_S = 180.0
GAME_S = 60.0
SCRIPT = "window.pycoreReadAction = (frame) => Math.floor(frame / 9) % 6;"


@pytest.fixture
def pages() -> Iterator[list[Any]]:
    """Two of them; without a WebKit the test is skipped, and it is said how to get one."""
    found = webkit.find()
    if found is None:
        pytest.skip(f"there is no WebKit: {webkit.HOW}")
    with webkit.display(found) as display, webkit.page(found, display) as one, webkit.page(found, display) as two:
        yield [one, two]


def wait(page: Any, what: str, seconds: float) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(page, seconds, 0.2).until(
        lambda driver: driver.execute_script(f"return {what}"),
        f"{what}, at {page.execute_script('return pycoreStatus')}",
    )


def test_two_webkits_play_through_the_server_and_their_records_are_the_same(pages: list[Any], tmp_path: Path) -> None:
    """They are told that they have no peer-to-peer, wait for none, and lose nothing."""
    played = example("volley", 2)
    site = played.build()
    settings = tmp_path / "settings.json"
    settings.write_text('{"max_steps": 150, "num_episodes": 1}', "utf-8")
    database = database_url(tmp_path / "data.sqlite")
    port = free_port()
    url = address("127.0.0.1", port)
    relay = Relay(command("127.0.0.1", port, database, site, settings), url, tmp_path / "relay.log")
    relay.start()
    try:
        for page in pages:
            page.get(f"{url}?autojoin=1")
            page.execute_script(SCRIPT)
        for page in pages:
            wait(page, "pycoreStatus.phase === 'done'", LOADING_S + GAME_S)
            wait(page, "pycoreStatus.stored", GAME_S)
        for page in pages:
            assert page.execute_script("return typeof RTCPeerConnection") == "undefined"
            metrics = page.execute_script("return pycoreGame.exportSessionMetrics()")
            assert metrics["frames"]["total"] == 150
            assert metrics["inputs"]["sentViaP2P"] == metrics["inputs"]["receivedViaP2P"] == 0
            assert metrics["inputs"]["sentViaSocketIO"] >= 150
            assert metrics["sync"]["p2pHashMismatches"] == metrics["sync"]["contradictions"] == 0
    finally:
        relay.stop()
    out = tmp_path / "data"
    for words in (
        ["data", "--database", database, "--out", str(out)],
        ["verify", str(out), "--env", str(played.game.file)],
    ):
        done = subprocess.run([sys.executable, "-m", "pycore", *words], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    one, two = (path.read_bytes() for path in sorted(out.glob("**/trajectory-*.jsonl")))
    assert one == two
    assert one.count(b"\n") >= 150
