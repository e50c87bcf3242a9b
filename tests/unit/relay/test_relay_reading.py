"""When a WebSocket is read and when it rests, and what becomes of what stands in one read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from pycore.relay import Limits
from pycore.relay.transport.addresses import Addresses
from pycore.relay.transport.frames import client_frame
from pycore.relay.transport.rounds import LONG_S, Rounds
from pycore.relay.transport.shares import Share
from pycore.relay.transport.websocket import WebSocket, websocket_protocol

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CLOSING = b"\x88\x82\x00\x00\x00\x00\x03\xe9"
LONG_WAY = client_frame("2")
"""A packet that is no event, so Engine.IO reads it."""
PAID_S = 0.01
"""How long somebody waits here who has used up what a connection may have."""


class Transport(asyncio.Transport):
    """A connection that knows whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True
        self.closing = False
        self.written: list[bytes] = []

    def pause_reading(self) -> None:
        self.reading = self.reading and self.closing

    def resume_reading(self) -> None:
        self.reading = self.reading or not self.closing

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closing = True

    abort = close


class Line:
    """Who takes the events, but for old ones."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def take(self, texts: list[str], seconds: float) -> int:
        self.taken += texts
        return len(texts)

    def kept(self, texts: list[str]) -> list[str]:
        return [text for text in texts if "old" not in text]

    def may_send(self) -> None:
        pass


class Socket:
    """One that is open. What its application is given it reads when it is told to."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.line = Line()
        self.reads = asyncio.Semaphore(0)
        self.got: list[Any] = []
        self.over = False

    async def open(self, rounds: Rounds | None) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": '40{"sid":"x"}'})
            while await self.reads.acquire() and not self.over:
                self.got.append(await receive())

        limits = Limits()
        kind = websocket_protocol(limits, Addresses(limits))
        if rounds is not None:
            kind.rounds = rounds
        config = uvicorn.Config(app, ws=kind, lifespan="off", log_config=None, ws_ping_interval=None)
        self.end: WebSocket = kind(config, ServerState(), {})
        self.end.connection_made(self.transport)
        self.end.data_received(HANDSHAKE)
        while not self.end.opened:
            await asyncio.sleep(0)
        self.end.line = self.line

    def owes(self) -> None:
        """What it has sent has cost more than it may."""
        self.end.spend(Limits().work_burst + Limits().work_rate * PAID_S)

    async def paid(self) -> None:
        """Wait until that is there again."""
        while self.end._later is not None:
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def opened(rounds: Rounds | None = None) -> AsyncIterator[Socket]:
    """A socket; `rounds` are those of the loop."""
    socket = Socket()
    await socket.open(rounds)
    try:
        yield socket
    finally:
        socket.over = True
        socket.reads.release()
        await asyncio.gather(*socket.end.tasks)


class Long(Rounds):
    """Rounds that are long from their first read on."""

    @property
    def is_long(self) -> bool:
        return super().is_long or True


def event(name: str) -> bytes:
    return client_frame(f'42["{name}",{{}}]')


async def a_round() -> None:
    """What was to be done at the end of this round is done."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_who_is_read_late_in_a_round_is_not_read_again_until_it_is_over() -> None:
    """By the clock of the machine; what has come is carried out, and who was read in time is read on."""

    async def go() -> None:
        async with opened() as socket:
            await a_round()
            socket.end.data_received(event("a"))
            assert socket.transport.reading
            time.sleep(LONG_S)
            socket.end.data_received(event("b"))
            assert not socket.transport.reading
            assert socket.line.taken == ['42["a",{}]', '42["b",{}]']
            await a_round()
            assert socket.transport.reading

    asyncio.run(go())


def test_who_has_to_pay_is_not_read_because_a_round_is_over() -> None:
    """It waited neither when it was read nor when the round began."""

    async def go() -> None:
        async with opened(Long()) as socket:
            socket.end.data_received(event("a"))
            assert not socket.transport.reading
            socket.owes()
            await a_round()
            assert not socket.transport.reading
            await socket.paid()
            await a_round()
            assert socket.transport.reading

    asyncio.run(go())


def test_who_was_paused_because_nobody_takes_what_it_sends_is_not_read_because_a_round_is_over() -> None:
    """It is when it was taken."""

    async def go() -> None:
        async with opened(Long()) as socket:
            socket.end.data_received(LONG_WAY)
            await a_round()
            assert not socket.transport.reading
            socket.reads.release()
            await a_round()
            assert [message["text"] for message in socket.got] == ["2"]
            assert socket.transport.reading

    asyncio.run(go())


def test_who_has_paid_is_read_when_what_it_has_sent_is_taken() -> None:
    """And what came while it waited is carried out at once."""

    async def go() -> None:
        async with opened() as socket:
            socket.end.data_received(LONG_WAY)
            socket.owes()
            socket.end.data_received(event("a"))
            assert socket.line.taken == []
            await socket.paid()
            assert socket.line.taken == ['42["a",{}]']
            assert not socket.transport.reading
            socket.reads.release()
            await a_round()
            assert socket.transport.reading

    asyncio.run(go())


@pytest.mark.parametrize("why", ["rests", "owes", "nobody takes"])
def test_who_is_shut_while_it_is_not_read_can_close_its_end(why: str) -> None:
    """Its close is read, so it is not cut off."""

    async def go() -> None:
        async with opened(Long() if why == "rests" else None) as socket:
            socket.end.data_received(LONG_WAY if why == "nobody takes" else event("a"))
            if why == "owes":
                socket.owes()
            assert not socket.transport.reading
            socket.end.shut(1008, "flood")
            await a_round()
            assert socket.transport.reading
            assert socket.transport.written[-1][:1] == b"\x88"
            socket.end.data_received(CLOSING)
            assert socket.transport.closing

    asyncio.run(go())


def test_who_is_shut_in_a_long_round_can_close_its_end() -> None:
    """What it sent was a flood."""

    async def go() -> None:
        async with opened(Long()) as socket:
            socket.end.data_received(b"\x89\x80\x00\x00\x00\x00" * 300)
            assert socket.transport.written[-1][:1] == b"\x88"
            await a_round()
            assert socket.transport.reading

    asyncio.run(go())


def test_a_connection_that_is_closed_already_can_be_shut() -> None:
    async def go() -> None:
        async with opened() as socket:
            socket.transport.reading = False
            socket.transport.close()
            before = list(socket.transport.written)
            socket.end.shut(1008, "flood")
            assert (socket.transport.reading, socket.transport.written) == (False, before)

    asyncio.run(go())


def test_what_stands_before_a_close_in_one_read_is_carried_out() -> None:
    """As a page sends it that says that it leaves, and goes; and its address pays for it."""

    async def go() -> None:
        async with opened() as socket:
            socket.end.share = share = Share(rate=1e-6, burst=0.0)
            sent = [event(name) for name in ("a", "old", "leave_game")]
            socket.end.data_received(b"".join(sent) + client_frame("41") + client_frame("1") + CLOSING)
            assert socket.transport.closing
            assert socket.line.taken == ['42["a",{}]', '42["leave_game",{}]']
            assert not share.is_free

    asyncio.run(go())


def test_of_what_a_flood_has_sent_nothing_is_carried_out() -> None:
    async def go() -> None:
        async with opened() as socket:
            socket.end.data_received(event("a") + b"\x89\x80\x00\x00\x00\x00" * 300)
            assert socket.line.taken == []

    asyncio.run(go())
