"""`build.py bench --relay`: its players speak as pages do, count rightly, and the search finds what is carried."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from bench import document, relay, relay_load
from bench.rows import row

pytestmark = pytest.mark.tooling


class Wire:
    """What a player has written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.written = b"aborted"


def player() -> tuple[relay_load.Player, Wire, list[tuple[int, int]]]:
    taken: list[tuple[int, int]] = []
    made = relay_load.Player("here:1", "session", taken)
    wire = Wire()
    made.connection_made(wire)
    assert wire.written.startswith(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: here:1\r\n")
    wire.written = b""
    return made, wire, taken


def served(text: str) -> bytes:
    data = text.encode()
    return (bytes((0x81, len(data))) if len(data) < 126 else bytes((0x81, 126)) + len(data).to_bytes(2, "big")) + data


def event(name: str, payload: Any) -> bytes:
    return served("42" + json.dumps([name, payload], separators=(",", ":")))


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_player_joins_plays_and_notes_how_late_inputs_are_however_its_bytes_are_cut(size: int) -> None:
    async def go() -> None:
        made, wire, taken = player()
        assigned = {"player_id": 1, "game_id": "g"}
        other = {"player_id": 0, "action": 123, "frame_number": 1, "timestamp": 5.5}
        said = b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + served('0{"sid":"x"}') + served('40{"sid":"y"}')
        said += event("pyodide_player_assigned", assigned) + event("start_game", {}) + served("2")
        said += event("pyodide_other_player_action", other) + event("pycore_error", {"code": "x"})
        for at in range(0, len(said), size):
            made.data_received(said[at : at + size])
        assert made.connected.done()
        assert made.started.done()
        assert b'40{"session_id": "session"}' in wire.written
        assert b'["join_game",{"session_id":"session"}]' in wire.written
        assert wire.written.endswith(relay_load.frame("3"))
        assert [due for due, _ in taken] == [123]
        assert made.refused == 1
        made.prepare()
        wire.written = b""
        made.act(77, True)
        first, _, second = wire.written.partition(b"]\x81")
        assert json.loads(first.partition(b"42")[2] + b"]") == ["pyodide_player_action", {
            "game_id": "g", "player_id": 1, "sync_epoch": 0, "timestamp": 1_700_000_000_000, "action": 77,
            "frame_number": 0,
        }]  # fmt: skip
        assert b'"target_player_id":0,"type":"pycore"' in second

    asyncio.run(go())


@pytest.mark.parametrize("carried", [1, 39, 40, 41, 97, 500, 5000])
def test_the_search_ends_within_a_tenth_below_what_is_carried(carried: int) -> None:
    asked = []

    def carries(where: Path, games: int, *words: str) -> bool:
        asked.append(games)
        return games <= carried

    with patch.object(relay, "carries", carries):
        found = relay.capacity(Path())
    assert found <= carried
    assert len(asked) < 20
    if carried < relay.MOST:
        assert found >= carried / relay.NARROWED - 1
    assert all(games <= 2 * relay.MOST for games in asked)


def test_a_level_that_was_disturbed_once_is_carried_all_the_same() -> None:
    class Served:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    good = {"delivered": 100, "sent": 100, "p99_ms": 3.0}
    for found, verdict in (
        ([good], True), ([{**good, "p99_ms": 80.0}, good], True), ([{**good, "delivered": 90}] * 2, False)
    ):  # fmt: skip
        with (
            patch.object(relay, "served", lambda *words: Served()),
            patch.object(relay, "load", side_effect=found),
            patch.object(relay, "say"),
        ):
            assert relay.carries(Path(), 10) == verdict


def test_figures_of_a_relay_are_put_into_their_page_and_what_was_not_measured_stays() -> None:
    text = f"before\n{document.BEGIN_RELAY}\n{document.END_RELAY}\nbehind\n"
    once = document.replaced_relay(text, [row("relay.event.us", 50, "µs"), row("relay.memory.mb", 90, "MB")], "Here.")
    again = document.replaced_relay(once, [row("relay.event.us", 40, "µs")], "There.")
    lines = document.lines_of(again)
    assert "| 40 |" in lines["relay.event.us"]
    assert "| 90 |" in lines["relay.memory.mb"]
    assert again.startswith("before\n")
    assert again.endswith("\nbehind\n")
    assert "Here." not in again


def test_the_page_of_figures_has_a_place_for_them() -> None:
    document.between(document.FILE.read_text("utf-8"), document.BEGIN_RELAY, document.END_RELAY)


@pytest.mark.slow
def test_two_games_are_played_and_counted() -> None:
    """A real relay, for a second."""
    with relay.served() as server:
        found = relay.load(server, 2, 1.0)
        assert server.megabytes > 10
    assert found["sockets_left"] == 4
    assert found["refused"] == 0
    assert found["sent"] == 120
    assert 100 <= found["delivered"] <= 140
    assert found["us"] > 0
