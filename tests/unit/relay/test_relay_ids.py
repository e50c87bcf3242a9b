"""Ids that a database cannot keep are refused by name, on both databases; all others are kept as they are."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
import sqlalchemy as sa
from conftest import ON_BOTH
from relay_support import PATIENCE_S, Relay

from pycore.relay.storage.store import games

DATABASES = ON_BOTH
UNKEPT = ("a\0b", "\0", "half \ud800 pair")
ODD = ("anna'); DROP TABLE games;--", "Zoë-李-🦊", "%_\\", '"quoted"', " ")


def stores(game: Any, player: Any, session: Any, remote: Any) -> list[tuple[str, dict[str, Any]]]:
    """Everything that is stored by an id."""
    own = {"game_id": game, "player_id": player, "session_id": session}
    return [
        ("p2p_session_metrics", {**own, "episode": 0, "metrics": {}}),
        ("pycore_rows", {**own, "episode": 0, "revision": 0, "base": 0, "first": 0, "frames": 0, "data": "{}\n"}),
        ("pycore_records", {**own, "episode": 0, "part": 0, "parts": 1, "data": "x"}),
        ("pycore_experienced", {**own, "part": 0, "last": True, "data": "x"}),
        ("p2p_connection_type", {**own, "remote_player_id": remote, "type": "direct"}),
    ]


@pytest.mark.parametrize("bad", UNKEPT, ids=ascii)
def test_what_no_database_keeps_is_malformed(relay: Relay, bad: str) -> None:
    """Not a failure of the store, which a page would send again for ever."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game):
            wrong = [
                *stores(bad, 0, None, "1"), *stores(game, bad, None, "1"), *stores(game, 0, bad, "1"),
                stores(game, 0, None, bad)[-1],
                *(("join_game", {name: bad}) for name in ("session_id", "subject_id", "page", "game_id")),
            ]  # fmt: skip
            for event, payload in wrong:
                assert (await two.call(event, payload))["code"] == "malformed", (event, payload)
            for event, payload in stores(game, 0, None, "1"):
                assert (await one.call(event, payload))["status"] == "ok", event

    asyncio.run(go())


@pytest.mark.parametrize("odd", ODD)
def test_every_other_id_is_kept_as_it_is(relay: Relay, odd: str) -> None:
    """In the game's row, as it was given."""

    async def go() -> str:
        async with relay.clients(2) as (one, two):
            assert (await one.call("join_game", {"subject_id": odd}))["status"] == "ok"
            await two.call("join_game", {})
            game: str = (await one.get("start_game"))["game_id"]
            assert (await one.call(*stores(game, 0, None, odd)[-1]))["status"] == "ok"
            return game

    game = asyncio.run(go())
    deadline = time.monotonic() + PATIENCE_S
    while not (found := relay.app.store.read(sa.select(games.c.subjects).where(games.c.game_id == game))):
        assert time.monotonic() < deadline, "the game is not written down"
        time.sleep(0.02)
    assert json.loads(found[0]["subjects"])["0"] == odd
