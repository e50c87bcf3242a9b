"""A bus carries words between processes, in memory and by a real broker, and what it loses comes again."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pycore.cli import cli
from pycore.errors import UsageError
from pycore.relay import serve
from pycore.relay.app import create_app
from pycore.relay.bus import bus_of
from pycore.relay.bus.calls import Bus
from pycore.relay.bus.memory import Hub, MemoryBus
from pycore.relay.cluster.ways import Ways
from tools.nats import Nats
from tools.process import Missing

pytestmark = pytest.mark.slow  # several processes in one, each with its loop and its database


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """A private broker; where none is to be had, the tests that need it say so."""
    pytest.importorskip("nats", reason="the client of NATS is not installed")
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(Nats("nats", tmp_path_factory.mktemp("nats")))
        except Missing as error:
            pytest.skip(str(error))
        yield server


@pytest.fixture(params=["memory", "nats"])
def bus(request: pytest.FixtureRequest) -> Callable[[], Bus]:
    """Makes buses that reach each other."""
    if request.param == "memory":
        hub = Hub()
        return lambda: MemoryBus(hub)
    server: Nats = request.getfixturevalue("nats")
    return lambda: bus_of(server.url)


class Process:
    """One process: what it heard, and what it was told to be void."""

    def __init__(self, name: str, bus: Bus) -> None:
        self.got: list[tuple[str, Any]] = []
        self.void: list[str] = []
        self._came = asyncio.Event()
        self.ways = Ways(name, bus, self._heard, lambda item: {"echo": item}, self.void.append)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Process:
        await self.ways.open()
        self._task = asyncio.create_task(self.ways.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await self.ways.close()

    def _heard(self, process: str, item: dict[str, Any]) -> None:
        self.got.append((process, item["n"]))
        self._came.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.got) < count:
                self._came.clear()
                await self._came.wait()


def test_words_arrive_in_order_and_questions_are_answered(bus: Callable[[], Bus]) -> None:
    """By several processes, to each other; who is not there answers nothing."""

    async def go() -> None:
        async with Process("one", bus()) as one, Process("two", bus()) as two:
            for number in range(300):
                one.ways.send("two", {"n": number})
                two.ways.send("one", {"n": -number})
            await one.until(300)
            await two.until(300)
            assert two.got == [("one", number) for number in range(300)]
            assert one.got == [("two", -number) for number in range(300)]
            assert await one.ways.ask("two", {"a": "ü"}, 2.0) == {"echo": {"a": "ü"}}
            assert await one.ways.ask("nobody", {}, 0.1) is None

    asyncio.run(go())


def test_a_broker_that_is_away_costs_time_and_nothing_else(nats: Nats) -> None:
    """It is killed and begins again: all that was said meanwhile arrives, once and in order."""

    async def go() -> None:
        async with Process("one", bus_of(nats.url)) as one, Process("two", bus_of(nats.url)) as two:
            one.ways.send("two", {"n": 0})
            await two.until(1)
            nats.end(signal.SIGKILL)
            for number in range(1, 50):
                one.ways.send("two", {"n": number})
                await asyncio.sleep(0.01)
            assert len(two.got) < 50
            nats.start()
            one.ways.send("two", {"n": 50})
            await two.until(51)
            assert two.got == [("one", number) for number in range(51)]
            assert not two.void

    asyncio.run(go())


def test_in_memory_too() -> None:
    """A hub that is away, and one that loses every other word."""

    async def go() -> None:
        hub = Hub()
        async with Process("one", MemoryBus(hub)) as one, Process("two", MemoryBus(hub)) as two:
            hub.away = True
            one.ways.send("two", {"n": 0})
            await asyncio.sleep(0.1)
            hub.away, count = False, 0

            def loses(process: str, message: str) -> bool:
                nonlocal count
                count += 1
                return count % 2 == 0

            hub.loses = loses
            for number in range(1, 20):
                one.ways.send("two", {"n": number})
                await asyncio.sleep(0.01)
            await two.until(20)
            assert two.got == [("one", number) for number in range(20)]
            assert count > 20

    asyncio.run(go())


def test_without_a_broker_nothing_begins() -> None:
    """It is said where none is, without the password; and what is no bus at all is refused."""
    pytest.importorskip("nats", reason="the client of NATS is not installed")
    for url, said in (("nats://me:secret@127.0.0.1:9", "no NATS at nats://127.0.0.1:9"), ("kafka://x:1", "none that")):
        with pytest.raises(UsageError, match=said) as caught:
            asyncio.run(bus_of(url).open("p", lambda text: None))
        assert "secret" not in str(caught.value)


def test_a_server_whose_broker_is_away_says_so_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In a sentence for whoever started it, and without a traceback."""
    pytest.importorskip("nats", reason="the client of NATS is not installed")
    app = create_app(database=f"sqlite:///{tmp_path}/x.db", settings={}, bus=bus_of("nats://me:secret@127.0.0.1:9"))
    with pytest.raises(UsageError, match="no NATS at nats://127"):
        serve.run(app, serve.bind("127.0.0.1", 0), ready=print)
    assert "Traceback" not in caplog.text
    assert "secret" not in caplog.text


def test_a_bus_needs_a_database_that_all_reach() -> None:
    """SQLite is one machine's; and without a broker nothing starts."""
    done = CliRunner().invoke(cli, ["relay", "--port", "0", "--bus", "nats://127.0.0.1:9"])
    assert done.exit_code == 2
    assert "give --database postgresql+psycopg://" in " ".join(done.output.split())
