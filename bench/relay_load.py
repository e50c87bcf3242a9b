"""Players of a relay, as many as are asked for, in a process of their own: what crosses it, and how late.

Bare sockets: they speak of Engine.IO and of WebSockets what a player by the server does, so that many of them cost less
than the relay. Each sends an input every 1/30 s by a timetable, and says in it when it was due: what a sender could not
get rid of in time counts as late. Latencies are from then until a partner has it.

`python -m bench.relay_load URL[,URL…] GAMES SECONDS`: prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.rows import quantile

RATE = 30
WARM_UP_S = 2.0
START_S = 30.0
"""What games may take to begin."""
_DUE = re.compile(rb'"action":\s?(\d+)')
_HEADS = b"pyodide_other_player_action"


def frame(text: str | bytes, opcode: int = 1) -> bytes:
    """A frame of a client; a mask of zeros is one, too."""
    data = text.encode() if isinstance(text, str) else text
    size = len(data)
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size)) + b"\0\0\0\0" + data
    if size < 65536:
        return bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big") + b"\0\0\0\0" + data
    return bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big") + b"\0\0\0\0" + data


def microseconds() -> int:
    """A clock that all processes share."""
    return time.monotonic_ns() // 1000


class Player(asyncio.Protocol):
    """One page's socket."""

    def __init__(self, host: str, session: str, taken: list[tuple[int, int]], join: bool = True) -> None:
        self._host = host
        self._join = join
        self.head = ""
        self.session = session
        self.taken = taken
        self._buffer = bytearray()
        self._open = False
        self.transport: asyncio.Transport = None  # type: ignore[assignment]
        self.game: dict[str, Any] = {}
        self.connected = asyncio.get_running_loop().create_future()
        self.started = asyncio.get_running_loop().create_future()
        self.closed = False
        self.sent = 0
        self.refused = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        for waits in (self.connected, self.started):
            if not waits.done():
                waits.set_exception(ConnectionError(f"closed: {exc}"))
                waits.exception()  # nobody may wait for it any more, which is no fault

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in buffer[:32]:
                self.transport.abort()
                return
            del buffer[: end + 4]
            self._open = True
        now = microseconds()
        at = 0
        while len(buffer) - at >= 2:
            size = buffer[at + 1] & 0x7F
            head = 2
            if size == 126:
                head, size = 4, int.from_bytes(buffer[at + 2 : at + 4], "big")
            elif size == 127:
                head, size = 10, int.from_bytes(buffer[at + 2 : at + 10], "big")
            if len(buffer) - at < head + size:
                break
            self._frame(buffer[at] & 0x0F, bytes(buffer[at + head : at + head + size]), now)
            at += head + size
        del buffer[:at]

    def _frame(self, opcode: int, data: bytes, now: int) -> None:
        if opcode == 9:
            self.transport.write(frame(data, 10))
        elif opcode == 1 and data[:2] == b"42":
            if _HEADS in data[:40]:
                found = _DUE.search(data)
                if found is not None:
                    self.taken.append((int(found[1]), now))
                return
            event, payload = json.loads(data[2:])[:2]
            if event == "pyodide_player_assigned":
                self.game = payload
            elif event == "start_game" and not self.started.done():
                self.started.set_result(None)
            elif event == "pycore_error":
                self.refused += 1
                if payload.get("event") == "join_game" and payload.get("again_ms"):
                    # A server that has too much to do says when to ask again, and pages do.
                    asyncio.get_running_loop().call_later(payload["again_ms"] / 1000, self.join)
        elif data[:1] == b"0":
            self.transport.write(frame("40" + json.dumps({"session_id": self.session})))
        elif data[:2] == b"40" and not self.connected.done():
            self.connected.set_result(None)
            if self._join:
                self.join()
        elif data == b"2":
            self.transport.write(frame("3"))

    def join(self) -> None:
        """Ask for a game."""
        if not self.closed:
            self.say("join_game", {"session_id": self.session})

    def say(self, event: str, payload: Any) -> None:
        self.transport.write(frame("42" + json.dumps([event, payload], separators=(",", ":"))))

    def prepare(self) -> None:
        """What an input has around its number and its time."""
        said = {"game_id": self.game["game_id"], "player_id": self.game["player_id"], "sync_epoch": 0}
        text = json.dumps(["pyodide_player_action", said], separators=(",", ":"))[:-2]
        self.head = "42" + text + ',"timestamp":1700000000000,"action":'
        target = json.dumps(1 - self.game["player_id"])
        self._signal = frame(
            f'42["webrtc_signal",{{"game_id":"{self.game["game_id"]}","target_player_id":{target},"type":"pycore",'
            f'"payload":"{base64.b64encode(bytes(24)).decode()}"}}]'
        )

    def act(self, due: int, signals: bool) -> None:
        text = f'{self.head}{due},"frame_number":{self.sent}}}]'
        self.sent += 1
        self.transport.write(frame(text) + self._signal if signals else frame(text))


def cpu_s(pid: int) -> float:
    """What a process has used of a processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def play(
    url: str, games: int, seconds: float, signals: bool = False, rate: float = RATE, pids: Sequence[int] = ()
) -> dict[str, Any]:
    """Everybody joins, then all send for so long. What is counted is what was due behind the warm-up. `pids`: of the
    server's processes, whose cost is taken meanwhile. Nothing is sent if not all games begin."""
    loop = asyncio.get_running_loop()
    servers = [urlsplit(each) for each in url.split(",")]
    taken: list[tuple[int, int]] = []
    players: list[Player] = []
    for number in range(2 * games):
        session = f"load {os.getpid()} {number}"
        where = servers[number % len(servers)]
        _, player = await loop.create_connection(
            lambda session=session, where=where: Player(where.netloc, session, taken), where.hostname, where.port
        )
        players.append(player)
        await asyncio.wait_for(player.connected, 30)
    await asyncio.wait([player.started for player in players], timeout=START_S)
    begun = sum(player.started.done() and player.started.exception() is None for player in players)
    if begun < len(players):
        nothing = float("inf")
        return {
            "games": games, "begun": begun // 2, "sockets_left": sum(not player.closed for player in players),
            "sent": round(2 * games * rate * seconds), "delivered": 0, "p50_ms": nothing, "p95_ms": nothing,
            "p99_ms": nothing, "worst_ms": nothing, "behind_s": 0.0, "us": 0.0,
            "refused": sum(player.refused for player in players),
        }  # fmt: skip
    for player in players:
        player.prepare()
    taken.clear()
    gc.collect()
    gc.disable()
    begin = time.monotonic() + 0.05
    period = 1 / rate
    last = begin + WARM_UP_S + seconds
    # In the order in which they are due: each has its own phase.
    step = period / len(players)
    first = microseconds() + round((begin - time.monotonic()) * 1e6)
    count = 0
    used: float | None = None
    while True:
        now = time.monotonic()
        if used is None and now >= begin + WARM_UP_S:
            used = sum(map(cpu_s, pids))
        while begin + count * step <= now:
            players[count % len(players)].act(first + round(count * step * 1e6), signals)
            count += 1
            if count % 256 == 0:
                break
        if now >= last:
            break
        # Less than a millisecond is none to some loops, and they would spin.
        await asyncio.sleep(max(0.001, min(0.002, begin + count * step - time.monotonic())))
    until = microseconds()
    cost = sum(map(cpu_s, pids)) - (used or 0.0)
    begun = until - round(seconds * 1e6)
    alive = sum(not player.closed for player in players)
    # What came within the window, whenever it was due: a rate. How late it was, of what was due in it.
    await asyncio.sleep(0.2)
    came = [(due, at) for due, at in taken if begun <= at < until]
    late = sorted((at - due) / 1000 for due, at in came) or [float("inf")]
    behind = (time.monotonic() - last) - 0.2
    for player in players:
        player.transport.abort()
    await asyncio.sleep(0.05)
    return {
        "games": games, "begun": games, "sockets_left": alive,
        "sent": round(2 * games * rate * seconds), "delivered": len(came),
        "p50_ms": quantile(late, 0.5), "p95_ms": quantile(late, 0.95), "p99_ms": quantile(late, 0.99),
        "worst_ms": late[-1], "behind_s": round(behind, 3), "refused": sum(player.refused for player in players),
        "us": round(1e6 * cost / max(1, len(came)), 2),
    }  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """Play, and say what came of it."""
    top = argparse.ArgumentParser(prog="relay_load", description=__doc__)
    top.add_argument("url")
    top.add_argument("games", type=int)
    top.add_argument("seconds", type=float)
    top.add_argument("--signals", action="store_true", help="a signal beside each input, as pages send them")
    top.add_argument("--pid", type=int, action="append", default=[], help="of the server, for what an event costs it")
    options = top.parse_args(arguments)
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    print(json.dumps(asyncio.run(play(options.url, options.games, options.seconds, options.signals, pids=options.pid))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
