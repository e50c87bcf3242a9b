"""What is passed on, to whom, exactly how; and what is refused while the room goes on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
import socketio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relay_support import OPERATOR, Client, Relay, action, running

from pycore.relay import Limits

EVENTS = (
    "join_game",
    "leave_game",
    "pyodide_player_action",
    "webrtc_signal",
    "p2p_connection_type",
    "p2p_session_metrics",
    "pycore_records",
    "pycore_ping",
    "no_such_event",
)


async def still_works(one: Client, two: Client, game: str, frame: int = 77) -> None:
    """The room goes on: an input and a signal still cross it."""
    assert await one.call("pyodide_player_action", action(game, 0, [frame], frame)) == {"status": "ok"}
    got = await two.get("pyodide_other_player_action", lambda data: data["frame_number"] == frame)
    assert got["action"] == [frame]
    await two.call("webrtc_signal", signal(game, 0, "offer", {"frame": frame}))
    assert (await one.get("webrtc_signal"))["payload"] == {"frame": frame}


def signal(game: str, target: Any, kind: str, payload: Any) -> dict[str, Any]:
    return {"game_id": game, "target_player_id": target, "type": kind, "payload": payload}


def test_an_input_goes_to_every_other_player_with_its_epoch_and_the_servers_time(relay: Relay) -> None:
    """The payload is the seed's plus sync_epoch; the time is the server's, the id the seat's."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game):
            sent = action(game, "0", {"a": [1, 2.5, None]}, 12) | {"sync_epoch": 3, "timestamp": 1}
            await one.call("pyodide_player_action", sent)
            got = await two.get("pyodide_other_player_action")
            assert abs(got.pop("timestamp") - time.time()) < 5
            assert got == {
                "player_id": 0,
                "action": {"a": [1, 2.5, None]},
                "frame_number": 12,
                "sync_epoch": 3,
            }
            assert type(got["player_id"]) is int
            await one.quiet("pyodide_other_player_action")

    asyncio.run(go())


def test_inputs_keep_their_order(relay: Relay) -> None:
    """Two hundred inputs in one burst arrive as they were sent."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game):
            for frame in range(200):
                await one.emit("pyodide_player_action", action(game, 0, frame % 6, frame))
            await one.call("pycore_ping", {})
            got = [(await two.get("pyodide_other_player_action"))["frame_number"] for _ in range(200)]
            assert got == list(range(200))

    asyncio.run(go())


@pytest.mark.slow
def test_a_signal_goes_to_its_target_alone(tmp_path: Path) -> None:
    """In a mesh of three the third player sees nothing of what two say to each other."""

    async def go(relay: Relay) -> None:
        async with relay.pair(3) as ((one, two, three), game):
            for kind in ("offer", "answer", "ice-candidate", "pycore"):
                await one.call("webrtc_signal", signal(game, 2, kind, {"sdp": kind}))
                assert await three.get("webrtc_signal") == {
                    "type": kind, "from_player_id": 0, "game_id": game, "payload": {"sdp": kind},
                }  # fmt: skip
            await two.quiet("webrtc_signal")
            await one.quiet("webrtc_signal")
            for target, code in ((7, "unknown_target"), (0, "unknown_target"), (None, "malformed")):
                assert (await one.call("webrtc_signal", signal(game, target, "offer", 1)))["code"] == code
            assert (await one.call("webrtc_signal", signal(game, 1, "exec", 1)))["code"] == "malformed"

    with running(tmp_path, seats=3) as relay:
        asyncio.run(go(relay))


def test_the_server_counts_what_crossed_it(relay: Relay) -> None:
    """GET /api/games/<id> is the relay's own count, per game and per player."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game):
            before = await relay.counts(game)
            assert (before["inputs_relayed"], before["signals_relayed"]) == (0, 0)
            assert before["stored"] == {"metrics": 0, "records": 0, "pieces": 0}
            for frame in range(3):
                await one.call("pyodide_player_action", action(game, 0, 1, frame))
            await two.call("webrtc_signal", signal(game, 0, "answer", 1))
            await one.call("p2p_session_metrics", {"game_id": game, "player_id": 0, "episode": 0, "metrics": {}})
            after = await relay.counts(game)
            assert after["players"] == [0, 1]
            assert after["connected"] == [0, 1]
            assert after["state"] == "playing"
            assert after["inputs_relayed"] == 3
            assert after["inputs_by_player"] == {"0": 3, "1": 0}
            assert after["signals_relayed"] == 1
            assert after["signals_by_type"] == {"answer": 1}
            assert after["stored"] == {"metrics": 1, "records": 0, "pieces": 0}
            assert (await relay.http("/api/games/none-such", OPERATOR))[0] == 404

    asyncio.run(go())


def test_a_claimed_identity_is_refused(relay: Relay) -> None:
    """The sender is who the socket is: nothing under another's id, nothing into a foreign game."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game), relay.pair() as ((three, four), other):
            stored = {"game_id": game, "player_id": 1, "episode": 0}
            attempts = [
                (one, "pyodide_player_action", action(game, 1, 5, 0), "not_your_seat"),
                (one, "pyodide_player_action", action(other, 0, 5, 0), "foreign_room"),
                (one, "webrtc_signal", signal(other, 1, "offer", 1), "foreign_room"),
                (one, "p2p_session_metrics", stored | {"metrics": {}}, "not_your_seat"),
                (three, "p2p_session_metrics", stored | {"metrics": {}}, "foreign_room"),
                (one, "pycore_records", stored | {"part": 0, "parts": 1, "data": "x"}, "not_your_seat"),
                (one, "p2p_connection_type", stored | {"connection_type": "direct"}, "not_your_seat"),
            ]
            for client, event, payload, code in attempts:
                assert (await client.call(event, payload))["code"] == code
                error = await client.get("pycore_error")
                assert set(error) == {"code", "message", "event"}
                assert (error["code"], error["event"]) == (code, event)
            await two.quiet("pyodide_other_player_action")
            await four.quiet("pyodide_other_player_action")
            assert (await relay.counts(game))["inputs_relayed"] == 0
            assert (await relay.counts(game))["stored"] == {"metrics": 0, "records": 0, "pieces": 0}
            await still_works(one, two, game)

    asyncio.run(go())


def test_who_is_in_no_game_sends_nothing_into_one(relay: Relay) -> None:
    """Knowing a game's id is not being in it."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game), relay.clients(1) as (stranger,):
            reply = await stranger.call("pyodide_player_action", action(game, 0, 1, 0))
            assert reply["code"] == "not_in_game"
            reply = await stranger.call("webrtc_signal", signal(game, 0, "offer", 1))
            assert reply["code"] == "not_in_game"
            await one.quiet("webrtc_signal")
            await two.quiet("pyodide_other_player_action")

    asyncio.run(go())


@pytest.mark.slow
def test_what_is_too_large_is_refused_by_name(relay: Relay) -> None:
    """Each bounded field just above its limit is refused, and at its limit accepted."""
    limits = Limits()

    async def go() -> None:
        async with relay.pair() as ((one, two), game):
            fits = "x" * (limits.action_bytes - 2)
            assert (await one.call("pyodide_player_action", action(game, 0, fits, 1)))["status"] == "ok"
            assert (await two.get("pyodide_other_player_action"))["action"] == fits
            fits = "x" * (limits.signal_bytes - 2)
            assert (await one.call("webrtc_signal", signal(game, 1, "offer", fits)))["status"] == "ok"
            assert (await two.get("webrtc_signal"))["payload"] == fits
            record = {"game_id": game, "player_id": 0, "episode": 0, "part": 0, "parts": 1}
            fits = "x" * limits.record_bytes
            assert (await one.call("pycore_records", record | {"data": fits}))["status"] == "ok"
            owner = {"game_id": game, "player_id": 0, "episode": 0}
            attempts: list[tuple[str, Any]] = [
                ("pyodide_player_action", action(game, 0, "x" * (limits.action_bytes - 1), 2)),
                ("pyodide_player_action", action(game, 0, "x" * 1_000_000, 2)),
                ("webrtc_signal", signal(game, 1, "offer", "x" * (limits.signal_bytes - 1))),
                ("webrtc_signal", signal(game, 1, "offer", "x" * 5_000_000)),
                ("pycore_records", record | {"data": fits + "x"}),
                ("p2p_session_metrics", owner | {"metrics": {"m": "x" * limits.metrics_bytes}}),
                ("p2p_connection_type", owner | {"details": "x" * limits.connection_bytes}),
            ]
            for event, payload in attempts:
                assert (await one.call(event, payload))["code"] == "too_large", event
                assert (await one.get("pycore_error"))["event"] == event
            reply = await one.call("pycore_records", record | {"parts": limits.record_parts + 1, "data": ""})
            assert reply["code"] == "malformed"
            await two.quiet("webrtc_signal")
            await still_works(one, two, game)

    asyncio.run(go())


@pytest.mark.slow
def test_a_flood_is_refused_and_then_cut_off_while_the_others_play_on(tmp_path: Path) -> None:
    """The bucket empties, refusals follow; who goes on regardless loses the socket, nobody else anything."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, two), game), relay.pair() as ((three, four), other):
            for frame in range(60):
                await one.emit("pyodide_player_action", action(game, 0, 1, frame))
            error = await one.get("pycore_error")
            assert (error["code"], error["event"]) == ("too_frequent", "pyodide_player_action")
            accepted = (await relay.counts(game))["inputs_relayed"]
            assert 20 <= accepted < 40
            await asyncio.sleep(0.3)
            await still_works(one, two, game)  # the bucket has filled up again
            with contextlib.suppress(socketio.exceptions.SocketIOError):  # it may be closed before the last
                for frame in range(300):
                    await one.emit("pyodide_player_action", action(game, 0, 1, frame))
            assert (await one.get("pycore_error", lambda data: data["code"] == "flood"))["code"] == "flood"
            assert (await two.get("end_game"))["player_id"] == 0
            await still_works(three, four, other)

    limits = Limits(input_rate=10, input_burst=20, patience_rate=10, patience_burst=100, grace_s=0.2)
    with running(tmp_path, limits=limits) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_ordinary_play_at_60_fps_is_never_too_frequent(relay: Relay) -> None:
    """Ten seconds of inputs at once, as after a change of path, pass the default limits."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game):
            for frame in range(600):
                await one.emit("pyodide_player_action", action(game, 0, 1, frame))
            await one.quiet("pycore_error")
            assert (await relay.counts(game))["inputs_relayed"] == 600
            await two.quiet("pycore_error")

    asyncio.run(go())


def sent(value: str) -> str:
    """The packet of an input that is right but for its action, given as text; GAME is the game's id."""
    fields = '"game_id":"GAME","player_id":0,"frame_number":1,"sync_epoch":0,"action":' + value
    return '2["pyodide_player_action",{' + fields + "}]"


BROKEN = {
    "not an array": '2{"a":1}',
    "no event": "2[]",
    "event is no text": "2[[]]",
    "the server's own handler": '2["disconnect","x"]',
    "the other own handler": '2["connect",{}]',
    "no JSON": '2["pycore_ping",{]',
    "two payloads": '2["pycore_ping",{},{}]',
    "not a number": sent("NaN"),
    "infinite": sent("-Infinity"),
    "beyond a double": sent("[1e999]"),
    "nested": sent("[" * 1500 + "]" * 1500),
    "nested a little": sent("[" * 70 + "]" * 70),
    "nested beyond the size": sent("[" * 20_000 + "]" * 20_000),
    "an integer too long to read": sent("9" * 5000),
    "attachments": '51000000000-["pycore_ping",{"_placeholder":true,"num":0}]',
    "a lone surrogate": '2["webrtc_signal",{"game_id":"\\ud800","target_player_id":1,"type":"offer"}]',
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_packet_is_refused_and_the_room_goes_on(relay: Relay, name: str) -> None:
    """What is not even an event comes back as a pycore_error; the same socket goes on playing."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game):
            await one.raw(sent("0").replace("GAME", game))
            assert (await two.get("pyodide_other_player_action"))["action"] == 0, "unbroken, it passes"
            await one.raw(BROKEN[name].replace("GAME", game))
            error = await one.get("pycore_error")
            assert error["code"] in ("malformed", "too_large", "foreign_room")
            await two.quiet("pyodide_other_player_action")
            await still_works(one, two, game)
            await two.quiet("pycore_error")

    asyncio.run(go())


@pytest.mark.parametrize("message", ["", "x", "9", "4", "40/x,{}", "4" + "4" * 99, b"\x00\x01", b"", "b!!!", "4{}"])
def test_a_broken_frame_costs_at_most_its_own_socket(relay: Relay, message: str | bytes) -> None:
    """Below socket.io too, a broken message ends nothing but the connection that sent it."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game), relay.clients(1) as (stranger,):
            socket = stranger.sio.eio.ws
            await (socket.send_bytes if isinstance(message, bytes) else socket.send_str)(message)
            await still_works(one, two, game)

    asyncio.run(go())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = (
    "game_id", "player_id", "target_player_id", "session_id", "subject_id", "type", "payload", "action",
    "frame_number", "sync_epoch", "episode", "part", "parts", "data", "metrics", "remote_player_id",
)  # fmt: skip


@pytest.mark.slow
def test_no_payload_of_any_event_hurts_the_server_or_the_room(relay: Relay) -> None:
    """Any JSON value, and any object that is almost right: an answer each time, and the room still relays."""
    loop = asyncio.new_event_loop()
    asked = {"ok": 0, "error": 0}
    context = relay.pair()
    (one, two), game = loop.run_until_complete(context.__aenter__())
    stranger = loop.run_until_complete(Client(relay.url).connect())

    right: dict[str, Any] = {
        "game_id": game, "player_id": 0, "target_player_id": 1, "type": "pycore", "payload": 1, "action": 1,
        "frame_number": 1, "sync_epoch": 0, "episode": 0, "part": 0, "parts": 1, "data": "", "metrics": {},
    }  # fmt: skip
    almost = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=2).map(lambda wrong: right | wrong)

    @settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(EVENTS), JSON | almost)
    def any_payload(event: str, payload: Any) -> None:
        async def go() -> None:
            # Who leaves is gone, and nobody could tell afterwards whether the room still works.
            reply = await (stranger if event == "leave_game" else one).call(event, payload)
            asked[reply["status"]] += 1
            assert reply["status"] == "ok" or set(reply) == {"status", "code", "message"}
            assert reply.get("code") != "internal"

        loop.run_until_complete(go())

    try:
        any_payload()
        loop.run_until_complete(still_works(one, two, game, 999))
        assert asked["ok"] > 5, asked
        assert asked["error"] > 5, asked
    finally:
        loop.run_until_complete(stranger.close())
        loop.run_until_complete(context.__aexit__(None, None, None))
        loop.close()
