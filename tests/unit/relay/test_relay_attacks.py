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
from relay_support import Client, Relay, action, running

from pycore.relay import Limits
from pycore.relay.operating.load import Load

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "attacks"))
from attacks import Gone, Raw, event, frame


def where(relay: Relay) -> tuple[str, int]:
    host, port = relay.url.split("//")[1].strip("/").rsplit(":", 1)
    return host, int(port)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_connections_that_come_faster_than_all_may_are_closed_unread(tmp_path: Path) -> None:
    """Of everybody together, whichever address; those that are there stay."""

    async def go(relay: Relay) -> None:
        first = await Raw.open(*where(relay))
        await first.connect()
        with pytest.raises((Gone, ConnectionError)):
            await Raw.open(*where(relay))
        await first.send(frame(b'421["pycore_ping",{}]'))
        assert b"time_ms" in await first.until(b"431")
        first.close()

    with running(tmp_path, limits=Limits(connect_rate=0.0001, connect_burst=1)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_of_what_comes_in_an_overloaded_round_the_newest_is_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of inputs; what nobody says again is carried out all the same."""
    monkeypatch.setattr(Load, "beat", lambda load, late, used=1.0: None)

    async def go(relay: Relay) -> None:
        raws = [await Raw.open(*where(relay)) for _ in range(2)]
        for number, raw in enumerate(raws):
            await raw.connect()
            await raw.send(event("join_game", {"session_id": f"s{number}"}))
        begun = await raws[0].until(b'"game_id":"')
        while b'["start_game"' not in begun:
            begun += await raws[0].until(b'"game_id":"')
        game = begun.partition(b'["start_game"')[2].split(b'"game_id":"')[1].split(b'"')[0].decode()
        await raws[1].until(b'["start_game"')
        relay.app.relay.load.share = 0.1
        sent = b"".join(event("pyodide_player_action", action(game, 0, 1, number)) for number in range(100))
        await raws[0].send(sent + frame(b'427["pycore_ping",{}]'))
        assert b"time_ms" in await raws[0].until(b"437[")
        await asyncio.sleep(0.3)
        await raws[1].send(frame(b'428["pycore_ping",{}]'))
        told = await raws[1].until(b"438[")
        frames = [int(number) for number in re.findall(rb'"frame_number":(\d+)', told)]
        assert 99 in frames
        assert 1 <= len(frames) <= 50, frames
        assert frames == sorted(frames)
        assert relay.app.relay.load.shed == 100 - len(frames)
        for raw in raws:
            raw.close()

    with running(tmp_path) as relay:
        asyncio.run(go(relay))
