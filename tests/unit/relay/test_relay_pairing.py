"""Pairing, seats, the payloads of the start, and who is told when somebody goes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from pathlib import Path

import pytest
from relay_support import OPERATOR, Client, Relay, action, running

from pycore.errors import ConfigError
from pycore.relay import Limits, create_app
from pycore.relay.games.seats import pseudonym
from pycore.relay.lobby import Lobby
from pycore.relay.operating.operator import Operator
from pycore.relay.storage.export import list_games
from pycore.relay.storage.store import DataStore


def test_players_are_paired_in_the_order_of_their_arrival(relay: Relay) -> None:
    """The first two of the queue make a game; the first of them gets the first seat."""

    async def go() -> None:
        async with relay.clients(4) as clients:
            for client in clients:
                await client.call("join_game", {"subject_id": f"subject-{clients.index(client)}"})
            assigned = [await client.get("pyodide_player_assigned") for client in clients]
            assert [one["player_id"] for one in assigned] == [0, 1, 0, 1]
            assert assigned[0]["game_id"] == assigned[1]["game_id"]
            assert assigned[2]["game_id"] == assigned[3]["game_id"] != assigned[0]["game_id"]

    asyncio.run(go())


def test_the_start_has_exactly_the_payloads_of_the_page(relay: Relay) -> None:
    """Names, keys and order of the events at the start are the contract."""

    async def go() -> None:
        async with relay.clients(2) as (one, two):
            reply = await one.call("join_game", {"session_id": "s-one", "subject_id": "anna"})
            assert reply == {"status": "ok", "state": "waiting", "session_id": "s-one"}
            waiting = await one.get("waiting_room")
            assert set(waiting) == {"cur_num_players", "players_needed", "ms_remaining"}
            assert (waiting["cur_num_players"], waiting["players_needed"]) == (1, 1)
            assert 0 < waiting["ms_remaining"] <= 600_000
            await two.call("join_game", None)
            for client, player in ((one, 0), (two, 1)):
                events = await client.until("start_game")
                assert "s-one" not in str(events), "a session id is its player's secret"
                names = [name for name, _ in events]
                assert names == ["pyodide_player_assigned", "pyodide_game_ready", "start_game"]
                assigned, ready, started = (data for _, data in events)
                game = assigned["game_id"]
                seed = assigned["game_seed"]
                assert isinstance(seed, int)
                assert 0 <= seed < 2**32
                assert assigned == {
                    "player_id": player, "game_id": game, "game_seed": seed, "num_players": 2,
                }  # fmt: skip
                assert ready == {
                    "game_id": game,
                    "players": [0, 1],
                    "player_subjects": {
                        "0": "anna" if player == 0 else pseudonym(game, 0),
                        "1": None if player == 1 else pseudonym(game, 1),
                    },
                    "server_authoritative": False,
                    "turn_config": None,
                    "scene_metadata": {"fps": 30, "max_steps": 100, "return_within": 0},
                    "load": 0,
                    "return_within": 0,
                }
                assert started == {"scene_metadata": ready["scene_metadata"], "game_id": game}

    asyncio.run(go())


@pytest.mark.slow
def test_a_game_of_three_takes_the_ids_and_the_seed_that_the_study_gives(tmp_path: Path) -> None:
    """Player ids may be strings; the seed may be fixed for a rehearsal."""

    async def go(relay: Relay) -> None:
        async with relay.clients(3) as clients:
            for client in clients:
                await client.call("join_game", {})
            assigned = [await client.get("pyodide_player_assigned") for client in clients]
            assert [one["player_id"] for one in assigned] == ["a", "b", "c"]
            assert {one["game_seed"] for one in assigned} == {7}
            assert {one["num_players"] for one in assigned} == {3}
            game = assigned[0]["game_id"]
            await clients[1].call("leave_game", {})
            for client in (clients[0], clients[2]):
                gone = await client.get("end_game")
                assert gone == {"message": "Player b left the game.", "player_id": "b"}
            # One player vanishing does not end the others' game.
            await clients[0].call(
                "webrtc_signal",
                {"game_id": game, "target_player_id": "c", "type": "pycore", "payload": "still here"},
            )
            assert (await clients[2].get("webrtc_signal"))["payload"] == "still here"
            assert (await relay.counts(game))["state"] == "playing"

    with running(tmp_path, seats=3, players=["a", "b", "c"], seed=7) as relay:
        asyncio.run(go(relay))


def test_who_leaves_the_waiting_room_is_not_paired(relay: Relay) -> None:
    """Leaving or disconnecting takes one out of the queue at once, and the others see it."""

    async def go() -> None:
        async with relay.clients(3) as (one, two, three):
            await one.call("join_game", {})
            await one.call("leave_game", {})
            gone = await Client(relay.url).connect()
            await gone.call("join_game", {})
            await gone.close()
            # The client is through before the server has noticed.
            for _ in range(200):
                if relay.app.relay.lobby.health()["waiting"] == 0:
                    break
                await asyncio.sleep(0.02)
            await two.call("join_game", {})
            assert (await two.get("waiting_room"))["cur_num_players"] == 1
            await three.call("join_game", {})
            assert (await two.get("pyodide_player_assigned"))["player_id"] == 0
            assert (await three.get("pyodide_player_assigned"))["player_id"] == 1
            await one.quiet("pyodide_player_assigned")

    asyncio.run(go())


def test_joining_twice_is_joining_once(relay: Relay) -> None:
    """A second join_game of a waiting or playing socket takes no second seat."""

    async def go() -> None:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {})
            again = await one.call("join_game", {})
            assert again["state"] == "waiting"
            await one.quiet("pyodide_player_assigned")
            await two.call("join_game", {})
            await one.get("start_game")
            playing = await one.call("join_game", {})
            assert playing["state"] == "playing"
            assert playing["player_id"] == 0
            other = await one.call("join_game", {"session_id": "somebody-else"})
            assert other["code"] == "already_in_game"
            assert (await one.get("pycore_error"))["code"] == "already_in_game"

    asyncio.run(go())


@pytest.mark.slow
def test_a_disconnected_player_is_reported_after_the_grace(relay: Relay) -> None:
    """end_game comes to the others once the grace is over, not before, and the game is over."""

    async def go() -> None:
        async with relay.pair() as ((one, two), game):
            before = time.monotonic()
            await one.close()
            gone = await two.get("end_game")
            assert gone == {"message": "Player 0 lost the connection.", "player_id": 0}
            assert time.monotonic() - before >= 0.4
            assert (await relay.counts(game))["state"] == "over"
            again = await two.call("join_game", {})
            assert again["state"] == "waiting", "after the end one may play again"
            await two.call("leave_game", {})

    asyncio.run(go())


@pytest.mark.slow
def test_a_socket_that_comes_back_in_time_gets_its_seat_and_what_it_missed(relay: Relay) -> None:
    """The seat is bound to the new socket; the others notice nothing; nothing that was sent is lost."""

    async def go() -> None:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {"session_id": "returning"})
            await two.call("join_game", {"session_id": "staying"})
            game = (await two.get("start_game"))["game_id"]
            await one.close()
            await relay.notices(game, 1)
            for frame in range(5):
                await two.call("pyodide_player_action", action(game, 1, frame, frame))
            back = await Client(relay.url).connect()
            reply = await back.call("join_game", {"session_id": "returning"})
            assert reply == {
                "status": "ok",
                "state": "restored",
                "session_id": "returning",
                "game_id": game,
                "player_id": 0,
            }
            assert await back.get("session_restored") == {"game_id": game, "player_id": 0}
            missed = [(await back.get("pyodide_other_player_action"))["frame_number"] for _ in range(5)]
            assert missed == [0, 1, 2, 3, 4]
            await two.call("pyodide_player_action", action(game, 1, 5, 5))
            assert (await back.get("pyodide_other_player_action"))["frame_number"] == 5
            await back.call("pyodide_player_action", action(game, 0, 1, 6))
            assert (await two.get("pyodide_other_player_action"))["player_id"] == 0
            await asyncio.sleep(0.6)  # longer than the grace: it must have been called off
            await two.quiet("end_game")
            await back.close()

    asyncio.run(go())


def test_the_newest_socket_of_a_session_takes_its_seat_over_at_once(relay: Relay) -> None:
    """A change of network leaves a dead socket behind that nobody noticed yet; `auth` is enough to return."""

    async def go() -> None:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {"session_id": "roaming"})
            await two.call("join_game", {})
            game = (await two.get("start_game"))["game_id"]
            back = await Client(relay.url).connect(auth={"session_id": "roaming"})
            assert await back.get("session_restored") == {"game_id": game, "player_id": 0}
            assert (await one.get("pycore_error"))["code"] == "replaced"
            await two.call("pyodide_player_action", action(game, 1, 3, 0))
            assert (await back.get("pyodide_other_player_action"))["action"] == 3
            await two.quiet("end_game")
            await back.close()

    asyncio.run(go())


@pytest.mark.slow
def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    """After the waiting time one is told that nobody came."""

    async def go(relay: Relay) -> None:
        async with relay.clients(1) as (one,):
            await one.call("join_game", {})
            assert (await one.get("pycore_error"))["code"] == "waited_too_long"

    with running(tmp_path, limits=Limits(waiting_s=0.1)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_each_player_gets_turn_credentials_as_coturn_checks_them(tmp_path: Path) -> None:
    """The password is the HMAC-SHA1 of the user name, which begins with its time of expiry."""

    async def go(relay: Relay) -> None:
        async with relay.clients(2) as clients:
            for client in clients:
                await client.call("join_game", {})
            configs = [(await client.get("pyodide_game_ready"))["turn_config"] for client in clients]
        for config in configs:
            assert set(config) == {"username", "credential", "urls", "force_relay"}
            mac = hmac.digest(b"shared", config["username"].encode(), hashlib.sha1)
            assert base64.b64decode(config["credential"]) == mac
            expiry = int(config["username"].split(":")[0])
            assert 3590 < expiry - time.time() <= 3600
            assert config["urls"] == ["turn:turn.example.org:3478"]
            assert config["force_relay"] is True
        assert configs[0]["username"] != configs[1]["username"]

    turn = {"urls": ["turn:turn.example.org:3478"], "secret": "shared", "ttl_s": 3600, "force_relay": True}
    with running(tmp_path, turn=turn) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_only_people_are_waited_for_where_policies_play(tmp_path: Path) -> None:
    """One person and a policy are a game of two, which begins at once; the database knows of whom data comes."""

    async def go(relay: Relay) -> None:
        async with relay.clients(1) as (client,):
            reply = await client.call("join_game", {"session_id": "s-one"})
            assert reply["state"] == "playing"
            events = dict(await client.until("start_game"))
            assigned, ready = events["pyodide_player_assigned"], events["pyodide_game_ready"]
            assert (assigned["player_id"], assigned["num_players"]) == (1, 2)
            assert (ready["players"], ready["player_subjects"]) == ([0, 1], {"1": None})
            assert (await relay.counts(assigned["game_id"]))["players"] == [0, 1]
        deadline = time.monotonic() + 5.0
        while not (found := list_games(DataStore(relay.database))):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert list(found[0].players) == ["1"]

    with running(tmp_path, settings={"policies": {"0": "partner.py"}}) as relay:
        asyncio.run(go(relay))


def test_policies_of_nobody_and_for_everybody_are_refused_at_the_start(tmp_path: Path) -> None:
    """Nobody waits in front of a game that cannot begin."""
    for players, words in (({"7": "p.py"}, "policies has one for player 7"), ({"0": "p.py", "1": "p.py"}, "for all 2")):
        with pytest.raises(ConfigError, match=words):
            create_app(database=f"sqlite:///{tmp_path / 'x.db'}", settings={"policies": players})


@pytest.mark.slow
def test_the_first_page_may_send_inputs_of_the_policy_that_it_computes_for_all(tmp_path: Path) -> None:
    """Nobody else may, and it may send no other player's."""

    async def go(relay: Relay) -> None:
        async with relay.pair(2) as ((one, two), game):
            await one.emit("pyodide_player_action", action(game, 2, 4, 7))
            passed = await two.get("pyodide_other_player_action")
            assert (passed["player_id"], passed["action"], passed["frame_number"]) == (2, 4, 7)
            for client, player in ((two, 2), (one, 1)):
                await client.emit("pyodide_player_action", action(game, player, 4, 8))
                assert (await client.get("pycore_error"))["code"] == "not_your_seat"

    policies = {"2": {"policy": "of the page", "computed_by": "one"}}
    with running(tmp_path, seats=3, settings={"policies": policies}) as relay:
        asyncio.run(go(relay))


def test_a_page_that_failed_before_it_joined_is_told_with_its_subject(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    """By its address: whoever could not load the game is the one to be written to."""

    async def go() -> None:
        async with relay.clients(1) as (one,):
            failure = {"code": "load-package", "message": "numpy", "where": "start"}
            assert await one.call("page_failed", {**failure, "query": "?PROLIFIC_PID=5f3c"}) == {"status": "ok"}
            assert await one.call("page_failed", failure) == {"status": "ok"}

    asyncio.run(go())
    told = [line for line in caplog.messages if "a page failed" in line]
    assert [f"person={Operator(OPERATOR).person('5f3c')}" in line for line in told] == [True, False]
    assert "person=" not in told[1]


@pytest.mark.slow
@pytest.mark.parametrize(("back_after", "kept"), [(14.5, True), (15.5, False)])
def test_a_seat_is_kept_longer_than_a_page_takes_to_load_on_a_slow_phone(back_after: float, kept: bool) -> None:
    """Ten seconds of Pyodide, and what socket.io waits before it tries again; and nothing that was sent meanwhile at 60
    frames a second is lost: an input and two signals a frame."""
    lobby = Lobby(players=[0, 1], settings={"return_within": 0}, limits=Limits())
    for sid in ("one", "two"):
        lobby.connect(sid, {"session_id": sid}, 0.0)
        lobby.join(sid, {}, 0.0, 0.0)
    (room,) = lobby.games.playing()
    lobby.disconnect("one", 10.0)
    sent = 0
    for frame in range(int(back_after * 60)):
        now = 10.0 + frame / 60
        lobby.tick(now, now)
        if room.over:
            break
        payload = {"game_id": room.game_id, "target_player_id": 0, "type": "pycore", "payload": "AA=="}
        for _ in range(2):
            lobby.signal("two", payload, now)
        lobby.action("two", action(room.game_id, 1, frame, frame), now, now)
        sent += 3
    assert room.over is not kept
    found = lobby.connect("one again", {"session_id": "one"}, 10.0 + back_after)
    events = [out.event for out in found]
    # Later too, since the other one may play on with it by a channel; what was sent meanwhile is not kept so long.
    assert events.count("session_restored") == 1
    assert events.count("pyodide_other_player_action") + events.count("webrtc_signal") == (sent if kept else 0)
