"""What one address has of the processor is not renewed by connecting anew; and whoever sends half of something goes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import logging
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from relay_support import PATIENCE_S, Relay, running

from pycore.relay import Limits
from pycore.relay.transport import engine, sessions
from pycore.relay.transport.quiet import Quiet, Seldom
from pycore.relay.transport.shares import Parts, Share

BESIDE = "127.0.0.2"
"""An address of this machine that no proxy has."""
HANDSHAKE = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTH = b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"
WEBSOCKET = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def opened(relay: Relay, of: str = BESIDE) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    port = int(relay.url.rstrip("/").rpartition(":")[2])
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(of, 0))


async def status(reader: asyncio.StreamReader) -> int:
    return int((await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)).split()[1])


async def asked(relay: Relay, request: bytes, of: str = BESIDE) -> tuple[int, float]:
    """The answer's status, and how long it took, on a connection of its own."""
    reader, writer = await opened(relay, of)
    began = time.monotonic()
    writer.write(request)
    found = await status(reader)
    writer.transport.abort()
    return found, time.monotonic() - began


def test_who_comes_when_a_share_is_used_up_has_its_turn_in_order() -> None:
    """Also where those before it are gone; and who comes then is behind those that wait."""

    async def go() -> None:
        share = Share(rate=1.0, burst=0.05)
        await share.take(0.1)
        came: list[int] = []

        async def one(number: int) -> None:
            await share.take(0.05)
            came.append(number)

        began = time.monotonic()
        tasks = [asyncio.create_task(one(number)) for number in range(4)]
        await asyncio.sleep(0)
        assert not share.is_free
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert came == [0, 2, 3]
        assert time.monotonic() - began >= 0.14
        assert not share.is_idle

    asyncio.run(go())


@pytest.mark.parametrize(
    ("credit_s", "each_s", "most"), [(1.0, 2**-11, 5), (1.0, 2**-14, 33), (1.0, 2**-6, 1), (2**-11, 2**-11, 3)]
)
def test_whoever_waits_has_its_turn_as_soon_as_there_is_credit(credit_s: float, each_s: float, most: int) -> None:
    """In their order, as many in a round as two milliseconds are enough for, and one at least; none without credit."""

    async def go() -> tuple[list[int], list[int]]:
        now = [0.0]
        share = Share(0.5, 1.0, lambda: now[0])
        came: list[int] = []
        by_round: list[int] = []

        def turn(number: int) -> None:
            came.append(number)
            now[0] += each_s
            share.spend(each_s)

        share.spend(1.0 + 2**-11)
        for number in range(60):
            share.wait(functools.partial(turn, number))
        now[0] += 2 * (2**-11 + credit_s)
        while not share.is_free:
            before = len(came)
            await asyncio.sleep(0)
            by_round.append(len(came) - before)
            if came and came[-1] == before - 1:
                now[0] += 2**-12
        return came, [count for count in by_round if count]

    came, by_round = asyncio.run(go())
    assert came == list(range(60))
    assert by_round[0] == most


class Crowd:
    """Addresses of each of which a thousand wait for its share, with turns of a millisecond, by hand-fed time."""

    def __init__(self, addresses: int) -> None:
        self.now = 0.0
        self.came = [0] * addresses
        parts = Parts(lambda: self.now)
        self._shares = [Share(0.5, 1000.0, lambda: self.now, parts) for _ in range(addresses)]

    def wait(self, of: int, times: int = 5000) -> None:
        for _ in range(times):
            self._shares[of].wait(functools.partial(self._turn, of))

    def _turn(self, of: int) -> None:
        self.came[of] += 1
        self.now += 2**-10
        self._shares[of].spend(2**-10)

    async def rounds(self, count: int, length_s: float) -> list[list[int]]:
        """How many of each had a turn in each of so many rounds, which are as long with all else that is in them."""
        found = []
        for _ in range(count):
            before = list(self.came)
            self.now += length_s
            await asyncio.sleep(0)
            found.append([after - then for after, then in zip(self.came, before, strict=True)])
        return found


@pytest.mark.parametrize("addresses", [1, 4])
@pytest.mark.parametrize(("round_s", "part"), [(0.3, 31), (0.05, 6), (0.001, 2), (30.0, 103)])
def test_who_waits_for_a_share_has_a_part_of_a_long_round(round_s: float, part: int, addresses: int) -> None:
    """A tenth, which several addresses have together, and two milliseconds each at least. No round is longer than a
    second for that, and a short one has few again."""

    async def go() -> None:
        crowd = Crowd(addresses)
        for of in range(addresses):
            crowd.wait(of)
        await crowd.rounds(3, round_s)
        for found in await crowd.rounds(10, round_s):
            assert all(max(2, part // addresses) <= of <= max(3, part // addresses + 4) for of in found)
        await crowd.rounds(3, 0.0)
        assert all(of <= 3 for found in await crowd.rounds(10, 0.0) for of in found)

    asyncio.run(go())


@pytest.mark.slow
def test_many_addresses_that_begin_to_wait_at_once_make_no_round_much_longer() -> None:
    """However few waited in the round before."""

    async def go() -> None:
        crowd = Crowd(50)
        crowd.wait(0)
        await crowd.rounds(3, 1.0)
        for of in range(1, 50):
            crowd.wait(of)
        found = [sum(of) for of in await crowd.rounds(3, 1.0)]
        assert 100 <= max(found) <= 50 * 3 + 110, found

    asyncio.run(go())


def test_a_long_round_that_is_over_for_long_gives_nobody_more() -> None:
    async def go() -> None:
        crowd = Crowd(1)
        crowd.wait(0, 300)
        assert max(of for [of] in await crowd.rounds(20, 0.3)) > 20
        assert sum(crowd.came) == 300
        crowd.now += 60.0
        crowd.wait(0)
        assert all(of <= 3 for [of] in await crowd.rounds(10, 0.0))

    asyncio.run(go())


@pytest.mark.slow
def test_what_an_address_asks_for_is_bounded_by_whichever_connections(tmp_path: Path) -> None:
    """It waits, and is answered all the same; another address does not."""

    async def go(relay: Relay) -> None:
        took = [await asked(relay, HEALTH) for _ in range(4)]
        assert [found for found, _ in took] == [200] * 4
        assert sum(seconds for _, seconds in took) > 0.5, took
        assert (await asked(relay, HEALTH, "127.0.0.3"))[1] < 0.25

    with running(tmp_path, limits=Limits(address_work_rate=0.001, address_work_burst=0.0003)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
@pytest.mark.parametrize("polls", [False, True])
def test_a_new_socket_does_not_renew_what_its_address_may_have(tmp_path: Path, polls: bool) -> None:
    """What one has sent is owed by the next one; with a WebSocket and by polling."""

    async def go(relay: Relay) -> None:
        share = relay.app.addresses.share(BESIDE)
        assert share is not None
        reader, writer = await opened(relay)
        if polls:
            writer.write(HANDSHAKE)
            head = await asyncio.wait_for(reader.readuntil(b'"sid":"'), PATIENCE_S)
            sid = (await asyncio.wait_for(reader.readuntil(b'"'), PATIENCE_S))[:-1].decode()
            assert b" 200 " in head
            body = b"40" + b"\x1e6" + b"," * 10_000
            writer.write(
                f"POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body
            )
        else:
            writer.write(WEBSOCKET)
            await status(reader)
            packet = b'42["webrtc_signal",{"type":"offer","payload":[' + b"1," * 4000 + b"1]}]"
            mask = b"\x81\xfe" + len(packet).to_bytes(2, "big") + b"\x00" * 4
            writer.write(b"\x81\x82\x00\x00\x00\x0040" + (mask + packet) * 20)
        await asyncio.sleep(0.5)
        assert not share.is_free
        writer.transport.abort()
        assert (await asked(relay, WEBSOCKET))[1] > 0.5

    with running(tmp_path, limits=Limits(address_work_rate=0.001, address_work_burst=0.0015)) as relay:
        asyncio.run(go(relay))


async def polled(relay: Relay, method: str, query: str, data: bytes = b"") -> bytes:
    """One request of a client that polls."""
    url = f"{relay.url}socket.io/?EIO=4&transport=polling{query}"
    async with aiohttp.ClientSession() as http, http.request(method, url, data=data) as reply:
        assert reply.status == 200
        return await reply.read()


@pytest.mark.slow
def test_sessions_made_by_requests_are_counted_and_go_when_nobody_connects_them(tmp_path: Path) -> None:
    """Of one address, and in all."""

    async def go(relay: Relay) -> None:
        there = relay.app.relay.sio.eio.sockets
        assert [(await asked(relay, HANDSHAKE))[0] for _ in range(5)] == [200, 200, 200, 401, 401]
        assert [(await asked(relay, HANDSHAKE, "127.0.0.3"))[0] for _ in range(3)] == [200, 200, 401]
        assert len(there) == 5
        for _ in range(200):
            if not there:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("they stay")
        # One that is connected stays, and by then the others have made room.
        sid = json.loads((await polled(relay, "GET", ""))[1:])["sid"]
        await polled(relay, "POST", f"&sid={sid}", b"40")
        await asyncio.sleep(1.5)
        assert list(there) == [sid]

    with running(tmp_path, limits=Limits(address_connections=3, connections=5, silent_s=0.5)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_session_whose_end_takes_too_long_counts_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an address that may have two the next one is taken."""
    monkeypatch.setattr(sessions, "LINGER_S", 0.05)

    async def never(session: str) -> None:
        await asyncio.sleep(60.0)

    async def go(relay: Relay) -> None:
        assert [(await asked(relay, HANDSHAKE))[0] for _ in range(3)] == [200, 200, 401]
        for _ in range(100):
            await asyncio.sleep(0.05)
            if not relay.app.relay.sio.eio.sockets:
                break
        assert (await asked(relay, HANDSHAKE))[0] == 200

    with running(tmp_path, limits=Limits(address_connections=2, silent_s=0.3)) as relay:
        monkeypatch.setattr(relay.app.relay.sio.eio, "disconnect", never)
        asyncio.run(go(relay))


@pytest.mark.slow
@pytest.mark.parametrize("body", [b"6", b"2", b"42[]\x1e0", b"4" + b"x" * 30_000])
def test_a_request_that_ends_its_session_is_answered_though_nobody_polls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """By a packet that no client sends, or one that is too large. It was open for good: four hundred of them, and their
    address was let in no more, a school for one; and what they held was never freed."""
    monkeypatch.setattr(engine, "LINGER_S", 0.1)

    async def go(relay: Relay) -> None:
        for _ in range(2):
            sid = json.loads((await polled(relay, "GET", ""))[1:])["sid"]
            await polled(relay, "POST", f"&sid={sid}", b"40")
            reader, writer = await opened(relay)
            head = f"POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            assert await status(reader) == 400
            writer.close()
            assert sid not in relay.app.relay.sio.eio.sockets
        assert relay.app.addresses.asks(BESIDE)

    with running(tmp_path, limits=Limits(address_connections=1, metrics_bytes=10_000)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_socket_that_polled_first_goes_on_by_its_websocket(tmp_path: Path) -> None:
    """Its client does not connect it again."""

    async def go(relay: Relay) -> None:
        sid = json.loads((await polled(relay, "GET", ""))[1:])["sid"]
        await polled(relay, "POST", f"&sid={sid}", b"40")
        assert (await polled(relay, "GET", f"&sid={sid}")).startswith(b"40")
        reader, writer = await opened(relay)
        writer.write(WEBSOCKET.replace(b"=websocket ", f"=websocket&sid={sid} ".encode()))
        assert await status(reader) == 101
        for text, answer in ((b"2probe", b"3probe"), (b"5", b"")):
            writer.write(bytes((0x81, 0x80 | len(text))) + bytes(4) + text)
            await asyncio.wait_for(reader.readuntil(answer), PATIENCE_S) if answer else None
        await asyncio.sleep(3.5)  # what is shut is cut off after two seconds
        text = b'421["pycore_ping",{}]'
        writer.write(bytes((0x81, 0x80 | len(text))) + bytes(4) + text)
        await asyncio.wait_for(reader.readuntil(b'431[{"status":"ok"'), PATIENCE_S)
        writer.close()

    with running(tmp_path, limits=Limits(silent_s=0.5)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"", b"GET /api/hea"),
        (HEALTH, b"GET /api/hea"),
        (HEALTH, b"POST /api/parting HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n{"),
        (b"", b"POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n"),
    ],
)
def test_a_connection_with_half_a_request_is_closed(tmp_path: Path, first: bytes, rest: bytes) -> None:
    """Whichever request of it that is, and whichever half."""

    async def go(relay: Relay) -> None:
        reader, writer = await opened(relay)
        if first:
            writer.write(first)
            assert await status(reader) == 200
        writer.write(rest)

        async def end() -> None:
            while await reader.read(1000):
                pass

        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(end(), 5)
        writer.close()

    with running(tmp_path, limits=Limits(silent_s=0.5)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_who_goes_before_a_body_is_there_and_who_speaks_no_http_fill_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A line of a kind once in a while."""

    async def go(relay: Relay) -> None:
        for head in (b"POST /api/parting", b"POST /socket.io/?EIO=4&transport=polling"):
            for _ in range(5):
                _, writer = await opened(relay)
                writer.write(head + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n")
                await asyncio.sleep(0.05)
                writer.close()
        for _ in range(5):
            _, writer = await opened(relay)
            writer.write(b"\x16\x03\x01 no http\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.close()
        await asyncio.sleep(0.2)

    with running(tmp_path) as relay:
        asyncio.run(go(relay))
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == ["Invalid HTTP request received."]


def test_what_strangers_cause_is_said_once_in_a_while_with_how_often(caplog: pytest.LogCaptureFixture) -> None:
    """Each kind by itself; a library's lines too, but for those that are no warnings."""
    now = [0.0]
    quiet = Quiet(10.0, lambda: now[0])
    log = logging.getLogger("pycore.relay")
    for second in range(12):
        now[0] = float(second)
        quiet.warn(log, "a", "a was closed: %s", "x")
        quiet.warn(log, "b", "b was closed")
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "a was closed: x", "b was closed", "a was closed: x (10 times)", "b was closed (10 times)"
    ]  # fmt: skip
    seldom = Seldom(Quiet(10.0, lambda: now[0]))

    def record(level: int, **more: Any) -> logging.LogRecord:
        return logging.LogRecord("x", level, "", 0, "a line", (), more.get("exc_info"))

    assert [seldom.filter(record(logging.WARNING)) for _ in range(3)] == [True, False, False]
    assert all(seldom.filter(record(logging.INFO)) for _ in range(3))
    error = ValueError("another")
    assert seldom.filter(record(logging.ERROR, exc_info=(ValueError, error, None)))
