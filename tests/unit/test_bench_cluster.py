"""`build.py bench --cluster`: a level that does not begin is not carried, and a fault is tried where it is one."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from test_bench_relay import event, player

from bench import cluster, relay, relay_load
from bench.cluster import GAMES, Level
from tools.process import Failed

pytestmark = pytest.mark.tooling

GOOD = {"begun": 10, "delivered": 100, "sent": 100, "p99_ms": 3.0, "busy": 0.5}


class Server:
    """One that is begun again before each try."""

    def __init__(self, *playing: int) -> None:
        self.relays = [SimpleNamespace(playing=lambda count=count: count) for count in playing]
        self.renewed = 0

    def renew(self) -> None:
        self.renewed += 1


@pytest.mark.parametrize(
    ("found", "carried", "tries", "busy"),
    [
        ([GOOD], True, 1, 0.5),
        ([{**GOOD, "p99_ms": 80.0}, {**GOOD, "busy": 0.9}], True, 2, 0.9),
        ([{**GOOD, "delivered": 90}] * 2, False, 2, 0.0),
        ([{**GOOD, "begun": 9, "delivered": 0, "p99_ms": float("inf")}] * 2, False, 2, 0.0),
    ],
)
def test_every_try_has_processes_that_have_done_nothing_else(
    found: list[dict[str, Any]], carried: bool, tries: int, busy: float
) -> None:
    """One of two is enough; what was in use is said of the one that passed."""
    server: Any = Server(0, 0, 0)
    level = Level(server)
    with patch.object(cluster, "load", side_effect=found), patch.object(cluster, "say"):
        assert level.carried(10) is carried
    assert (server.renewed, level.busy) == (tries, busy)


def test_the_owner_that_is_killed_has_all_games_and_half_of_their_sockets() -> None:
    """A third process has none of the sockets: to kill it would show nothing."""
    for playing, side in (((GAMES, 0, 0), 0), ((0, GAMES, 0), 1)):
        server: Any = Server(*playing)
        assert cluster._owner(server) == (side, server.relays[side])
    for playing in ((0, 0, GAMES), (GAMES - 1, 1, 0)):
        other: Any = Server(*playing)
        with pytest.raises(Failed, match="no process has"):
            cluster._owner(other)


def test_a_player_asks_again_when_the_server_says_so() -> None:
    """As pages do; what has no such time is no reason to."""

    async def go() -> None:
        made, wire, _ = player()
        made.data_received(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        wire.written = b""
        made.data_received(event("pycore_error", {"code": "server_busy", "event": "join_game", "again_ms": 10}))
        made.data_received(event("pycore_error", {"code": "study_closed", "event": "join_game"}))
        assert wire.written == b""
        async with asyncio.timeout(5):
            while not wire.written:
                await asyncio.sleep(0.005)
        assert wire.written == relay_load.frame('42["join_game",{"session_id":"session"}]')
        await asyncio.sleep(0.03)
        assert wire.written.count(b"join_game") == 1

    asyncio.run(go())


@pytest.mark.slow
def test_games_that_do_not_begin_are_none_that_are_carried() -> None:
    """A real relay, which has room for one."""
    with relay.served(relay.ROOT, "--limit", "rooms=1") as server, patch.object(relay_load, "START_S", 0.5):
        found = asyncio.run(relay_load.play(server.url, 2, 0.5))
    assert (found["games"], found["begun"], found["delivered"]) == (2, 1, 0)
    assert found["p99_ms"] == float("inf")
