"""What one connection may do, and how it ends; games beside attacks are in tests/unit/attacks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from pathlib import Path

import pytest
from relay_support import Client, Relay, running

from pycore.relay import Limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "attacks"))
from attacks import Gone, Raw, event, frame


def where(relay: Relay) -> tuple[str, int]:
    host, port = relay.url.split("//")[1].strip("/").rsplit(":", 1)
    return host, int(port)


def test_a_flood_ends_the_connection_and_not_only_its_socket(tmp_path: Path) -> None:
    """Whoever is told `flood` had fresh bounds on the same connection before."""

    async def go(relay: Relay) -> None:
        raw = await Raw.open(*where(relay))
        await raw.connect()
        told = b""
        with contextlib.suppress(Gone):
            for _ in range(200):
                await raw.send(event("no_such_event", {}))
                told += await raw.until(b"pycore_error")
        assert b'"code":"flood"' in told
        with pytest.raises(Gone):
            await raw.until(b"never")

    with running(tmp_path, limits=Limits(patience_rate=0.1, patience_burst=20)) as relay:
        asyncio.run(go(relay))


def test_what_a_connection_owes_it_waits_for_and_nothing_is_lost_or_overtaken(tmp_path: Path) -> None:
    """Here an event costs a thousand times what it takes; another connection is answered meanwhile."""

    async def go(relay: Relay) -> None:
        raw, other = await Raw.open(*where(relay)), await Raw.open(*where(relay))
        await raw.connect()
        await other.connect()
        await raw.send(b"".join(frame(b"42%d" % n + b'["pycore_ping",{}]') for n in range(100, 129)))
        told = await raw.until(b"43128[")
        began = time.monotonic()
        await raw.send(frame(b'42129["pycore_ping",{}]'))
        await other.send(frame(b'421["pycore_ping",{}]'))
        await other.until(b"431[")
        beside = time.monotonic() - began
        told += await raw.until(b"43129[")
        took = time.monotonic() - began
        assert [int(number) for number in re.findall(rb"43(1\d\d)\[", told)] == [*range(100, 130)]
        assert took > 0.2 > beside
        raw.close()
        other.close()

    with running(tmp_path, limits=Limits(work_rate=0.0005, work_burst=0.000001)) as relay:
        asyncio.run(go(relay))


@pytest.mark.parametrize("connects", [False, True])
def test_who_says_nothing_is_closed_unless_it_is_a_socket(tmp_path: Path, connects: bool) -> None:
    async def go(relay: Relay) -> None:
        raw = await Raw.open(*where(relay))
        if connects:
            await raw.connect()
            await asyncio.sleep(0.6)
            await raw.send(frame(b"421" + json.dumps(["pycore_ping", {}]).encode()))
            assert b"time_ms" in await raw.until(b"431")
        else:
            with pytest.raises(Gone):
                await raw.until(b"never")
        raw.close()

    with running(tmp_path, limits=Limits(silent_s=0.3)) as relay:
        asyncio.run(go(relay))


def test_more_connections_than_there_may_be_are_closed_and_those_that_are_stay(tmp_path: Path) -> None:
    async def go(relay: Relay) -> None:
        kept = [await Raw.open(*where(relay)) for _ in range(5)]
        for raw in kept:
            await raw.connect()
        with pytest.raises((Gone, ConnectionError)):
            await Raw.open(*where(relay))
        for raw in kept:
            await raw.send(frame(b"421" + json.dumps(["pycore_ping", {}]).encode()))
            assert b"time_ms" in await raw.until(b"431")
            raw.close()

    with running(tmp_path, limits=Limits(connections=5)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_socket_that_takes_nothing_is_closed_and_the_game_of_its_partner_is_told(tmp_path: Path) -> None:
    """What waits for it is bounded meanwhile; the partner sends as before."""

    async def go(relay: Relay) -> None:
        partner = await Client(relay.url).connect()
        await partner.call("join_game", {"session_id": "partner"})
        raw = await Raw.open(*where(relay))
        await raw.connect()
        await raw.send(event("join_game", {"session_id": "deaf"}))
        game = (await partner.get("start_game"))["game_id"]
        # Nothing is read from here on: the system's buffers fill, then the outbox.
        raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
        payload = {"game_id": game, "target_player_id": 1, "type": "offer", "payload": "x" * 60_000}
        deadline = time.monotonic() + 60
        while (await relay.counts(game))["connected"] == [0, 1]:
            for _ in range(20):
                assert (await partner.call("webrtc_signal", payload))["status"] == "ok"
            assert time.monotonic() < deadline, "it was never given up"
        assert (await relay.counts(game))["connected"] == [0]
        assert (await partner.call("pycore_ping", {}))["status"] == "ok"
        await partner.close()
        raw.close()

    limits = Limits(
        outgoing_s=60.0, outgoing_bytes=2_000_000, signal_bytes_rate=1e9, signal_bytes_burst=1e9, signal_rate=1e6,
        signal_burst=1e6, bytes_burst=1e9, grace_s=30.0,
    )  # fmt: skip
    with running(tmp_path, limits=limits) as relay:
        asyncio.run(go(relay))
