"""Networks and servers that do not let everybody in: a proxy without WebSockets, a server that is full."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import socket
import threading
import time

import pytest

from pycore.relay import Limits
from tests.browser.conftest import PATIENCE


class WithoutWebSockets:
    """A proxy that answers whoever asks for a WebSocket with 403, as some do, or not at all (`silent`), or opens it and
    passes nothing (`deaf`); and passes on all else."""

    def __init__(self, port: int, kind: str = "refuses") -> None:
        self.refused = 0
        self._kind = kind
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                chunk = client.recv(65536)
                if not chunk:
                    return
                head += chunk
            if b"\r\nupgrade: websocket\r\n" in head.lower():
                self.refused += 1
                if self._kind == "refuses":
                    client.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    return
                if self._kind == "deaf":
                    client.sendall(_opened(head))
                while client.recv(65536):
                    pass
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                server.sendall(head)
                threading.Thread(target=_copy, args=(server, client), daemon=True).start()
                _copy(client, server)


def _opened(head: bytes) -> bytes:
    """The answer that opens the WebSocket that was asked for."""
    (key,) = re.findall(rb"(?i)sec-websocket-key: (\S+)", head)
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    return upgrade + b"sec-websocket-accept: " + accept + b"\r\n\r\n"


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def phase(page, name, timeout=PATIENCE):
    page.wait_for_function(f"pycoreStatus.phase === {name!r}", timeout=timeout * 1000)


# What passes nothing is found out by the same time limit as what does not answer.
@pytest.mark.parametrize(
    "kind",
    [pytest.param("silent", marks=pytest.mark.long), pytest.param("deaf", marks=pytest.mark.long), "refuses"],
)
@pytest.mark.long  # in every run: without a browser
def test_behind_a_proxy_without_websockets_a_game_is_played_by_requests(start_relay, open_page, kind):
    """Two players, one of them behind it; to the end, and stored. Also where it says nothing of what does not pass:
    such a page asked for a WebSocket for ever."""
    relay = start_relay(core=True, fps=20, max_steps=60, num_episodes=1, p2p=False, hash_interval=20)
    proxy = WithoutWebSockets(relay.server.servers[0].sockets[0].getsockname()[1], kind)
    try:
        pages = [open_page(f"{url}?autojoin=1") for url in (relay.url, proxy.url)]
        for page in pages:
            phase(page, "done", timeout=90)
        assert proxy.refused > 0
        names = "performance.getEntriesByType('resource').map(({ name }) => name)"
        direct, behind = (sum("transport=polling" in name for name in page.evaluate(names)) for page in pages)
        assert direct == 0
        assert behind > 20
        records = [page.evaluate("pycoreGame.records()") for page in pages]
        assert records[0] == records[1]
        assert records[0].count("\n") > 60
    finally:
        proxy.close()


def test_who_finds_no_place_is_told_and_takes_the_one_that_becomes_free(start_relay, open_page):
    """Without anybody's doing, and the notice goes when it is not true any more."""
    relay = start_relay(core=True, limits=Limits(sockets=1), fps=20)
    first = open_page(relay.url)
    phase(first, "start")
    second = open_page(relay.url)
    phase(second, "start")
    second.locator("#notice", has_text="All places are taken").wait_for()
    first.close()
    second.wait_for_function("document.getElementById('notice').textContent === ''", timeout=15_000)
    assert relay.app.relay.lobby.health()["sockets"] == 1


@pytest.mark.long  # in every run: a place that becomes free is taken
def test_who_finds_all_games_taken_plays_when_one_is_over(start_relay, open_page):
    """The page asks again by itself, and is at no end."""
    relay = start_relay(limits=Limits(rooms=1, again_s=0.5), max_steps=100_000)
    first = [open_page(f"{relay.url}?autojoin=1") for _ in range(2)]
    for page in first:
        phase(page, "playing")
    later = [open_page(f"{relay.url}?autojoin=1") for _ in range(2)]
    # Whichever asks last makes them two.
    until = time.monotonic() + PATIENCE
    taken = [page.locator("#notice", has_text="All places are taken") for page in later]
    while not any(notice.is_visible() for notice in taken):
        assert time.monotonic() < until
        later[0].wait_for_timeout(50)
    assert {page.evaluate("pycoreStatus.phase") for page in later} == {"waiting"}
    for page in first:
        page.context.close()
    for page in later:
        phase(page, "playing")


NOTICES = """() => {
    const notice = document.getElementById('notice');
    window.notices = [];
    new MutationObserver(() => notices.push(notice.textContent)).observe(notice, { childList: true, attributes: true });
}"""
"""Everything that the line for connection problems says from now on, each of which a screen reader reads aloud."""


def test_what_is_said_of_a_server_that_is_away_in_a_game_is_said_once(start_relay, open_page):
    relay = start_relay(max_steps=100_000)
    page, _ = [open_page(f"{relay.url}?autojoin=1") for _ in range(2)]
    phase(page, "playing")
    page.evaluate(NOTICES)
    relay.close()
    page.locator("#notice", has_text="The game goes on").wait_for()
    # It is asked for again meanwhile, again and again.
    page.wait_for_timeout(4000)
    said = page.evaluate("notices")
    assert 1 <= len(said) <= 2, said
    assert len(set(said)) == 1


@pytest.mark.long  # in every run: the same in Node
def test_a_connection_that_the_server_ended_in_a_game_is_made_again(start_relay, open_page):
    """socket.io leaves it at that; what the page says of it is true."""
    relay = start_relay(max_steps=100_000)
    page, _ = [open_page(f"{relay.url}?autojoin=1") for _ in range(2)]
    phase(page, "playing")
    sio, loop = relay.app.relay.sio, relay.server.servers[0].get_loop()
    for sid in list(relay.app.relay.lobby._connections):
        asyncio.run_coroutine_threadsafe(sio.disconnect(sid), loop).result(10)
    page.locator("#notice", has_text="No connection to the server").wait_for()
    page.wait_for_function("document.getElementById('notice').textContent === ''", timeout=15_000)
    assert page.evaluate("pycoreStatus.phase") == "playing"


@pytest.mark.long  # in every run: the same in Node
@pytest.mark.parametrize(
    ("state", "notice"),
    [("busy", "as much to do as it can"), ("draining", "about to be started")],
)
def test_while_no_games_begin_a_page_waits_and_asks_again_by_itself(start_relay, open_page, state, notice):
    """Nobody has to press anything, and who waits is not told that something failed."""
    relay = start_relay(core=True, limits=Limits(again_s=0.5), fps=20)
    door = relay.app.relay.lobby.door
    pages = [open_page(f"{relay.url}?autojoin=1")]
    phase(pages[0], "waiting")
    pages[0].wait_for_function("document.getElementById('notice').textContent === ''")
    if state == "draining":
        relay.server.servers[0].get_loop().call_soon_threadsafe(relay.app.relay.drain)
        pages[0].locator("#notice", has_text=notice).wait_for()
    else:
        relay.app.relay.load.beat = lambda *late: None  # what it measures itself says nothing here
        relay.app.relay.load.busy = True
    pages.append(open_page(f"{relay.url}?autojoin=1"))
    pages[1].locator("#notice", has_text=notice).wait_for()
    pages[1].evaluate(NOTICES)
    pages[1].wait_for_timeout(1500)
    assert pages[1].evaluate("notices") == [], "it was asked for again, and the same is not said anew"
    assert [page.evaluate("pycoreStatus.phase") for page in pages] == ["waiting", "waiting"]
    door.draining = relay.app.relay.load.busy = False
    for page in pages:
        phase(page, "playing")
        page.wait_for_function("document.getElementById('notice').textContent === ''")
