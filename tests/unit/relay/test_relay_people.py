"""People over real sockets: what a partner is sent of them, and how they get a game."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from relay_support import Client, Relay, action, running

SUBJECT = "ANNA-0815-prolific"
SESSION = "the secret session of anna"


class Listener(Client):
    """A partner who keeps every byte that comes to it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.received: list[str] = []
        take: Any = self.sio.eio._receive_packet

        async def kept(packet: Any) -> None:
            data = packet.data
            self.received.append(data if isinstance(data, str) else json.dumps(data, default=repr))
            await take(packet)

        self.sio.eio._receive_packet = kept


@pytest.mark.slow
def test_no_byte_that_a_partner_is_sent_has_a_subject_id_or_a_session(tmp_path: Path) -> None:
    """From the waiting room to the end, over a return, another window, stores and every event that is passed on."""
    query = f"?PROLIFIC_PID={SUBJECT}&x=1"

    async def go(relay: Relay) -> None:
        partner = Listener(relay.url)
        await partner.connect()
        anna = await Client(relay.url).connect({"session_id": SESSION, "page": "1", "query": query})
        wish = {"session_id": SESSION, "query": query, "subject_id": SUBJECT}
        assert (await anna.call("join_game", wish))["state"] == "waiting"
        await partner.call("join_game", {"session_id": "p", "query": "?PROLIFIC_PID=partner"})
        for client in (anna, partner):
            await client.call("ready", {})
        game = (await partner.get("start_game"))["game_id"]
        told = (await anna.get("pyodide_game_ready"))["player_subjects"]
        assert told["0"] == SUBJECT
        await anna.call("pyodide_player_action", action(game, 0, 1, 0))
        signal = {"game_id": game, "target_player_id": 1, "type": "pycore", "payload": "AA=="}
        await anna.call("webrtc_signal", signal)
        of = {"game_id": game, "player_id": 0}
        await anna.call("p2p_connection_type", {**of, "connection": {"type": "direct", "subject": SUBJECT}})
        await anna.call("p2p_session_metrics", {**of, "episode": 0, "metrics": {"subject": SUBJECT}})
        await anna.call("page_failed", {"code": "x", "message": SUBJECT, "where": "game", "query": query})
        # Another window, in the place of the first, and then the first one's data.
        again = await Client(relay.url).connect({"session_id": "other", "page": "2", "query": query})
        assert (await again.call("join_game", {"session_id": "other", "query": query}))["code"] == "elsewhere"
        moved = await again.call("join_game", {"session_id": "other", "query": query, "take_over": True})
        assert moved["state"] == "restored"
        late = {**of, "session_id": SESSION, "episode": 0, "metrics": {"subject": SUBJECT, "n": 1}}
        late_page = await Client(relay.url).connect({"session_id": "x", "page": "3"})
        assert await late_page.call("p2p_session_metrics", late) == {"status": "ok"}
        await again.close()
        await partner.get("player_away")
        back = await Client(relay.url).connect({"session_id": "other", "page": "4", "query": query})
        assert (await back.call("join_game", {"session_id": "other", "query": query}))["state"] == "restored"
        await partner.get("player_back")
        await back.call("leave_game", {})
        await partner.get("end_game")
        assert len(partner.received) > 8
        for text in partner.received:
            for secret in (SUBJECT, SUBJECT.lower(), SESSION, "PROLIFIC"):
                assert secret not in text
        await asyncio.gather(*(client.close() for client in (partner, anna, late_page, back)))

    settings = {"return_within": 30, "store_every": 5}
    with running(tmp_path, settings=settings, recruiting={"ready_check": 20}) as relay:
        asyncio.run(go(relay))


def test_a_page_is_asked_and_answers(tmp_path: Path) -> None:
    """By an event, and an acknowledgement that says whether anybody had asked."""

    async def go(relay: Relay) -> None:
        async with relay.clients(2) as (one, two):
            assert await one.call("ready", {}) == {"status": "ok", "asked": False}
            for client in (one, two):
                await client.call("join_game", {})
            assert await one.get("ready_check") == {"ms_remaining": 20_000, "players": 2}
            assert await one.call("ready", None) == {"status": "ok", "asked": True}
            await one.quiet("start_game")
            await two.call("ready", {})
            assert (await one.get("start_game"))["game_id"] == (await two.get("start_game"))["game_id"]

    with running(tmp_path, recruiting={"ready_check": 20}) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_round_trips_are_measured_over_the_socket(tmp_path: Path) -> None:
    """A page sends back what it is asked; two who are near each other then play."""

    async def go(relay: Relay) -> None:
        async with relay.clients(2) as (one, two):
            for client in (one, two):
                await client.call("join_game", {})
            for client in (one, two):
                await client.get("pycore_echo")
                await client.emit("pycore_echo", {})
            await one.get("start_game")
            await two.get("start_game")

    with running(tmp_path, recruiting={"matcher": "latency"}) as relay:
        asyncio.run(go(relay))
