"""Two real pages play through nginx and through HAProxy, with the files of deploy/ and with TLS."""

import contextlib

import pytest

from tests.browser.conftest import phase
from tools.process import Missing
from tools.proxies import Haproxy, Nginx, replaced

pytestmark = [pytest.mark.browser, pytest.mark.tooling, pytest.mark.long]

FRAMES = 240
SPACE = {"type": "discrete", "n": 6}


NONE = """
globalThis.WebSocket = class {
  constructor() { setTimeout(() => this.onerror?.(new Event('error')), 10); }
  close() {}
};
"""
"""A network that lets no WebSocket through."""


@contextlib.contextmanager
def before(relay, kind, folder):
    """A proxy of this kind before a relay; without one the test is skipped, and it is said why."""
    port = int(relay.url.rstrip("/").rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        try:
            proxy = stack.enter_context(kind(folder / "proxy", port))
        except Missing as error:
            pytest.skip(str(error))
        yield proxy


def played_and_stored(one, other):
    """Two pages have come to the end, with one record, and the server has it."""
    for page in (one, other):
        phase(page, "done", timeout=120)
        page.wait_for_function("pycoreStatus.stored")
    assert one.evaluate("pycoreGame.records()") == other.evaluate("pycoreGame.records()")


@pytest.mark.parametrize("kind", [Nginx, Haproxy], ids=["nginx", "haproxy"])
@pytest.mark.parametrize("way", ["p2p", "by the server", "by requests"])
def test_two_pages_play_through_a_proxy_with_tls(kind, way, start_relay, open_page, tmp_path):
    """To the end, with the same records, stored, whether their inputs pass it or not."""
    p2p = way == "p2p"
    relay = start_relay(core=True, max_steps=FRAMES, action_space=SPACE, p2p=p2p)
    with before(relay, kind, tmp_path) as proxy:
        pages = [open_page("about:blank", ignore_https_errors=True) for _ in range(2)]
        asked = []
        for seat, page in enumerate(pages):
            page.on("websocket", lambda socket: asked.append(socket.url))
            if way == "by requests":
                page.add_init_script(NONE)
            page.add_init_script(f"window.pycoreReadAction = (frame) => Math.floor(frame / {5 + seat}) % 6;")
            page.goto(f"{proxy.url}?autojoin=1")
        played_and_stored(*pages)
        game = pages[0].evaluate("pycoreGame.gameId")
        counts = relay.counts(game)
        # Where this machine stands still, some of what goes peer-to-peer goes by the server for a while.
        assert (counts["inputs_relayed"] >= 2 * FRAMES) is (not p2p)
        assert (asked == []) is (way == "by requests")
        assert pages[0].evaluate("window.isSecureContext")
        for page in pages:
            assert page.problems == []


class UnderAPath(Nginx):
    """The file that is delivered, changed as the guide says."""

    def configured(self):
        """With the study under a path."""
        by = "proxy_pass         http://pycore;\n"
        return replaced(
            super().configured(),
            (f"location / {{\n        {by}", f"location /studies/one/ {{\n        {by.replace(';', '/;')}"),
            (
                f"location /socket.io/ {{\n        {by}",
                f"location /studies/one/socket.io/ {{\n        {by.replace(';', '/socket.io/;')}",
            ),
        )

    @property
    def url(self):
        """Where the study is."""
        return f"{super().url}studies/one/"


@pytest.mark.parametrize("way", ["by the server", "by requests"])
def test_two_pages_play_under_a_path_and_are_watched_there(way, start_relay, open_page, tmp_path):
    """A laboratory has one name for all of its studies."""
    relay = start_relay(core=True, max_steps=FRAMES, action_space=SPACE, p2p=False)
    with before(relay, UnderAPath, tmp_path) as proxy:
        pages = [open_page("about:blank", ignore_https_errors=True) for _ in range(2)]
        for page in pages:
            if way == "by requests":
                page.add_init_script(NONE)
            page.goto(f"{proxy.url}?autojoin=1")
        played_and_stored(*pages)
        for page in pages:
            kept = page.evaluate("indexedDB.databases().then((found) => found.map(({ name }) => name))")
            # Another study under this name has another one.
            assert kept == ["pycore /studies/one/"]
            page.goto("about:blank")
        watch = open_page(f"{proxy.url}watch/#token={relay.token}", ignore_https_errors=True)
        watch.locator("#over .card").wait_for(timeout=30_000)
        for page in (*pages, watch):
            assert page.problems == []
