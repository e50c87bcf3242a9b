"""What is alive is not looked through again and again, and what is gone is freed at once."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from relay_support import Relay, running

from pycore.relay.operating import garbage
from pycore.relay.operating.garbage import Garbage
from pycore.relay.transport.websocket import WebSocket

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "attacks"))
from attacks import Raw


class Circle:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def games() -> Iterator[list[int]]:
    """The games that go on; the interpreter collects nothing by itself."""
    gc.disable()
    yield []
    gc.enable()
    gc.unfreeze()


@pytest.mark.slow
@pytest.mark.parametrize("connects", [False, True])
def test_a_connection_that_ended_is_freed_without_looking_for_garbage(tmp_path: Path, connects: bool) -> None:
    def there_are() -> int:
        return sum(isinstance(one, WebSocket) for one in gc.get_objects())

    async def go(relay: Relay) -> None:
        host, port = relay.url.split("//")[1].strip("/").rsplit(":", 1)
        raws = [await Raw.open(host, int(port)) for _ in range(5)]
        for raw in raws:
            if connects:
                await raw.connect()
        assert there_are() == 5
        for raw in raws:
            raw.close()

    with running(tmp_path) as relay:
        gc.collect()
        gc.disable()
        try:
            asyncio.run(go(relay))
            deadline = time.monotonic() + 5
            while there_are():
                assert time.monotonic() < deadline, f"{there_are()} are left"
                time.sleep(0.02)
        finally:
            gc.enable()


@pytest.mark.slow
def test_what_a_collection_found_alive_is_passed_over_from_then_on(games: list[int]) -> None:
    games.append(1)
    of = Garbage(lambda: len(games))
    of.begin()
    try:
        alive = [Circle() for _ in range(1000)]
        before = gc.get_freeze_count()
        of.look(1.0)
        assert gc.get_freeze_count() == before
        gc.collect()
        of.look(2.0)
        assert gc.get_freeze_count() >= before + len(alive)
    finally:
        of.end()
    assert gc.get_freeze_count() == 0


@pytest.mark.slow
def test_everything_is_looked_through_when_nothing_has_gone_on_for_a_minute(games: list[int]) -> None:
    """Circles that were put aside and are not needed any more stay as long as games go on."""
    games.append(1)
    of = Garbage(lambda: len(games))
    of.begin()
    try:
        circle = Circle()
        gone = weakref.ref(circle)
        gc.collect()
        of.look(1.0)
        del circle
        gc.collect()
        for now in (100.0, 200.0):
            of.look(now)
        assert gone() is not None
        games.clear()
        of.look(200.0 + garbage.QUIET_S - 1.0)
        assert gone() is not None
        of.look(200.0 + garbage.QUIET_S)
        assert gone() is None
    finally:
        of.end()


@pytest.mark.slow
def test_everything_is_looked_through_when_as_much_again_was_put_aside(
    games: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is never quiet does not grow for ever."""
    games.append(1)
    of = Garbage(lambda: len(games))
    of.begin()
    try:
        circle = Circle()
        gone = weakref.ref(circle)
        gc.collect()
        of.look(1.0)
        del circle
        monkeypatch.setattr(garbage, "GROWN", 2000 - gc.get_freeze_count())
        kept = [Circle() for _ in range(3000)]
        of.look(2.0)
        assert gone() is not None
        gc.collect()
        of.look(3.0)
        of.look(4.0)
        assert gone() is None
        assert kept
    finally:
        of.end()
