"""A page that goes says so, beside its socket: the others know at once, and whoever may return does."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from relay_support import Relay, running
from test_relay_return import comes_back, connect, lobby_of, ticks, told

from pycore.relay.lobby import Lobby
from pycore.relay.transport.outgoing import Outgoing

IMMEDIATE_S = 0.5
"""Well below the second after which a seat without a socket is told of by itself."""


def part(lobby: Lobby, number: int, now: float, leaves: bool = False, page: str = "first") -> list[Outgoing]:
    """A player's page says that it goes."""
    return lobby.part(f"session {number}", page, leaves, now, now)


@pytest.mark.parametrize("first", ["word", "socket"])
def test_the_others_know_at_once_that_a_page_goes_in_whichever_order_its_word_and_its_socket_end(first: str) -> None:
    """Once, and it comes back as from any reload."""
    lobby, game = lobby_of(2)
    if first == "socket":
        assert lobby.disconnect("s1", 1.0) == []
    out = part(lobby, 1, 1.1)
    if first == "word":
        out += lobby.disconnect("s1", 1.2)
    assert told(out, "player_away") == [("s0", 1)]
    assert part(lobby, 1, 1.3) == []
    assert told(ticks(lobby, 1.3, 20.0, (0,)), "player_away") == []
    assert told(comes_back(lobby, 1, 20.0, game), "player_back") == [("s0", 1)]


def test_a_word_that_comes_when_the_next_load_is_there_already_moves_nothing() -> None:
    """It speaks of a load that is known to be gone."""
    lobby, game = lobby_of(2)
    lobby.disconnect("s1", 1.0)
    comes_back(lobby, 1, 5.0, game)
    for leaves in (False, True):
        assert part(lobby, 1, 5.1, leaves) == []
    assert not lobby.games.playing()[0].over
    assert lobby.games.playing()[0].seats[1].sid == "s1 second"


def test_a_page_that_goes_and_is_not_back_in_time_is_gone() -> None:
    """Its seat is kept from its word on."""
    lobby, _ = lobby_of(2)
    part(lobby, 1, 1.0)
    out = ticks(lobby, 1.0, 63.0, (0,))
    assert [item.sid for item in out if item.event == "end_game"] == ["s0"]


def test_where_nobody_returns_a_page_that_goes_leaves_and_the_others_are_told_at_once() -> None:
    """Once, though it says so by its socket, too."""
    lobby, _ = lobby_of(2, return_within=0.0)
    out = part(lobby, 1, 1.0, leaves=True)
    assert [(item.sid, item.event) for item in out] == [("s0", "end_game")]
    assert lobby.leave("s1", 1.1, 1.1) == []
    assert part(lobby, 1, 1.2, leaves=True) == []
    assert lobby.games.playing() == []


def test_who_waits_for_a_game_and_goes_waits_no_more() -> None:
    """By polling nothing else would tell it for half a minute, and somebody would be paired with nobody."""
    lobby, _ = lobby_of(2)
    connect(lobby, 5, 2.0)
    lobby.join("s5", {}, 2.0, 2.0)
    assert lobby.health()["waiting"] == 1
    assert part(lobby, 5, 2.5, page="another load") == []
    part(lobby, 5, 3.0)
    assert lobby.health()["waiting"] == 0


@pytest.mark.parametrize(("session", "page"), [("session 0", "other"), ("other", "first"), ("", ""), ("session 1", "")])
def test_who_does_not_know_both_secrets_moves_nothing(session: str, page: str) -> None:
    """The one is the seat's, the other that of the load."""
    lobby, _ = lobby_of(2)
    assert lobby.part(session, page, True, 1.0, 1.0) == []
    assert len(lobby.games.playing()) == 1


async def _post(relay: Relay, body: bytes) -> int:
    async with aiohttp.ClientSession() as http, http.post(f"{relay.url}api/parting", data=body) as reply:
        return reply.status


SETTINGS = {"fps": 30, "max_steps": 100, "return_within": 60}


async def _joined(relay: Relay, clients: list[Any]) -> None:
    for number, client in enumerate(clients):
        await client.sio.disconnect()
        await client.connect({"session_id": f"session {number}", "page": f"page {number}"})
        await client.call("join_game", {})
    for client in clients:
        await client.get("start_game")


@pytest.mark.slow
def test_the_word_goes_by_a_request_of_its_own(tmp_path: Path) -> None:
    """As a browser's beacon sends it: text, whose answer nobody reads."""

    async def play(relay: Relay) -> None:
        async with relay.clients(2) as clients:
            await _joined(relay, clients)
            word = {"session_id": "session 1", "page": "page 1", "leaves": False}
            begun = time.monotonic()
            assert await _post(relay, json.dumps(word).encode()) == 204
            assert (await clients[0].get("player_away"))["player_id"] == 1
            assert time.monotonic() - begun < IMMEDIATE_S

    with running(tmp_path, settings=SETTINGS) as relay:
        asyncio.run(play(relay))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"session_id": 1, "page": "page 1"}', b'{"session_id": "session 1"}',
     b'{"session_id": "session 1", "page": "page 1", "leaves": 1}', b"\xff\xfe", b"[" * 2000,
     json.dumps({"session_id": "session 1", "page": "page 1", "leaves": True, "x": "y" * 5000}).encode()],
)  # fmt: skip
def test_a_request_that_is_no_word_moves_nothing(body: bytes, tmp_path: Path) -> None:
    """And tells nothing."""

    async def play(relay: Relay) -> None:
        async with relay.clients(2) as clients:
            await _joined(relay, clients)
            assert await _post(relay, body) == 204
            await clients[0].quiet("player_away")
            await clients[0].quiet("end_game")

    with running(tmp_path, settings=SETTINGS) as relay:
        asyncio.run(play(relay))


@pytest.mark.parametrize(("code", "known"), [(1001, True), (1000, False)])
def test_a_socket_that_closes_because_its_page_goes_is_told_of_at_once(code: int, known: bool, tmp_path: Path) -> None:
    """Browsers say so with the code of the closing; after another one its page may only have lost its network."""

    async def play(relay: Relay) -> None:
        async with relay.clients(1) as clients, aiohttp.ClientSession() as http:
            (other,) = clients
            await other.call("join_game", {"session_id": "session 0"})
            url = relay.url.replace("http", "ws") + "socket.io/?EIO=4&transport=websocket"
            async with http.ws_connect(url) as raw:
                await raw.send_str('40{"session_id": "session 1", "page": "page 1"}')
                await raw.send_str('42["join_game", {}]')
                await other.get("start_game")
                begun = time.monotonic()
                await raw.close(code=code)
            assert (await other.get("player_away"))["player_id"] == 1
            assert (time.monotonic() - begun < IMMEDIATE_S) == known

    with running(tmp_path, settings=SETTINGS) as relay:
        asyncio.run(play(relay))
