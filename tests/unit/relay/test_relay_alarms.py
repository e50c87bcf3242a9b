"""An operator is told that something is wrong, once it has lasted; again if it lasts on; and when it is over."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from relay_support import running

from pycore.errors import ConfigError
from pycore.relay import Limits
from pycore.relay.operating import alarms as module
from pycore.relay.operating.alarms import AFTER_S, AGAIN_S, Alarms, check_address, telling
from pycore.relay.operating.readiness import Readiness
from pycore.relay.overview import Overview
from pycore.relay.storage.store import StoreFailed

FAULT = {"database": "nothing can be stored: it is locked"}


def test_a_fault_is_told_when_it_has_lasted_and_when_it_is_over() -> None:
    """Once each, however often one looks."""
    of = Alarms()
    told = []
    for second in range(200):
        told += [(second, one.fault, one.over) for one in of.look(float(second), FAULT if 10 <= second < 100 else {})]
    after = int(AFTER_S)
    assert told == [(10 + after, "database", False), (100 + after, "database", True)]


def test_what_is_over_before_it_is_told_is_not_told_and_what_comes_and_goes_is_told_once() -> None:
    """A restart of the database; a load that is high every other second."""
    of = Alarms()
    assert [one for second in range(300) for one in of.look(float(second), FAULT if second % 40 < 20 else {})] == []
    of = Alarms()
    told = [
        (second, one.over)
        for second in range(400) for one in of.look(float(second), FAULT if second < 40 or second % 20 < 10 else {})
    ]  # fmt: skip
    assert told == [(AFTER_S, False)]


def test_a_fault_that_lasts_is_told_again_after_some_hours() -> None:
    """Whoever was asleep is awake then."""
    of = Alarms()
    told = [now for now in range(0, int(3 * AGAIN_S), 60) for _ in of.look(float(now), FAULT)]
    assert len(told) == 3
    (over,) = [*of.look(told[-1] + 60.0, {}), *of.look(told[-1] + 60 + AFTER_S, {})]
    assert over.over
    assert over.text == f"database: over, after {(told[-1] + 60) / 60:.0f} minutes"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.org/secret", "secret", "https://", "http://[secret", "file:///secret", "https://x.org/secret key",
        "https://x.org/secr\xe9t", "https://x.org/secret\x7f",
        "https://x..org/secret", f"https://{'x' * 70}.org/secret", "https://x%20y.org/secret",
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    """It has a key in it."""
    with pytest.raises(ConfigError, match="https") as refused:
        check_address(url)
    assert "secret" not in str(refused.value)
    assert check_address(" https://chat.example.org/hooks/KEY\n") == "https://chat.example.org/hooks/KEY"


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]], list[int]]]:
    """An address, what came there, and with what it answers: 200 when nothing is said, and 0 is no answer of HTTP."""
    came: list[dict[str, Any]] = []
    answers: list[int] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = answers.pop(0) if answers else 200
            if status == 200:
                came.append(body)
            if not status:
                self.wfile.write(b"what?\r\n\r\n")
                return
            self.send_response(status)
            self.send_header("Location", self.path)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hooks/s3cret", came, answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_is_sent_until_it_is_taken(
    hook: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also by who sends it on to another address. And whoever reads the log does not learn where to."""
    url, came, answers = hook
    answers += [500, 301, 0]
    monkeypatch.setattr(module, "AFTER_S", 0.0)

    async def faults() -> Mapping[str, str]:
        return FAULT

    async def go() -> None:
        async with telling(url, faults, look_s=0.01):
            for _ in range(500):
                if came:
                    return
                await asyncio.sleep(0.01)
            raise AssertionError("nothing was sent")

    asyncio.run(go())
    (body,) = came
    assert body["text"].endswith(": nothing can be stored: it is locked")
    assert (body["fault"], body["state"]) == ("database", "wrong")
    assert len([one for one in caplog.records if "could not be sent" in one.getMessage()]) == 3
    assert "s3cret" not in caplog.text


@pytest.mark.slow
def test_a_server_tells_what_is_wrong_with_it(hook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, from its start on."""
    url, came, _ = hook
    monkeypatch.setattr(module, "AFTER_S", 0.0)
    # More than any disk has has to stay free.
    with running(tmp_path, limits=Limits(free_bytes=1 << 60), alarm_url=url):
        for _ in range(500):
            if came:
                break
            threading.Event().wait(0.01)
    assert [body["fault"] for body in came] == ["disk_full"]
    assert "the disk is full" in came[0]["text"]


@pytest.mark.slow
def test_what_is_wrong_is_said_by_a_word_and_nobody_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer, a process that is busy, games without data; ending is none."""

    async def refuses() -> None:
        raise StoreFailed("the database is locked")

    with running(tmp_path) as relay:

        async def go() -> None:
            app = relay.app
            # It stays as it is told to be.
            monkeypatch.setattr(app.relay.load, "beat", lambda late, used: None)
            overview = Overview(app.relay, None, app.measures, None)  # type: ignore[arg-type]
            assert await overview.faults(app.readiness) == {}
            async with relay.pair() as (_, game):
                app.relay.lobby.games.room(game).started_wall -= 1000.0  # type: ignore[union-attr]
                app.relay.load.busy = app.relay.lobby.door.busy = True
                readiness = Readiness(refuses)
                readiness.hold("draining", lambda: True)
                found = await overview.faults(readiness)
            assert set(found) == {"database", "busy", "without_data"}
            assert found["database"] == "nothing can be stored: the database is locked"
            assert found["without_data"].endswith("nothing: 1")

        asyncio.run(go())
