"""What is stored: acknowledged, idempotent, byte for byte; and never a false ok."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from relay_support import Client, Relay, action, running

from pycore.cli import cli
from pycore.relay import Limits
from pycore.relay.fields import Refused
from pycore.relay.partial import Uploads
from pycore.relay.storage.store import StoreFailed

DATABASES = ("sqlite", "postgresql")

METRICS = {
    "gameId": "g", "playerId": "0", "connection": {"type": "direct", "connectionDetails": {}},
    "inputs": {"sentViaP2P": 10, "z": 0.5, "a": -3}, "text": "häß 你好 \u0000 \U0001f600 \\ \" \n",
    "rollbacks": {"events": [{"frame": 3, "predictedAction": None}], "count": 1, "maxFrames": 2},
}  # fmt: skip
LINES = '{"version":1,"game":"g"}\n{"frame":0,"actions":[1,2]}\n{"x":"ü\u2028\\u0000"}\r\n\u0000'


def metrics(game: str, player: int, episode: int, value: Any) -> dict[str, Any]:
    return {"game_id": game, "player_id": player, "episode": episode, "metrics": value}


def record(game: str, player: int, episode: int, part: int, parts: int, data: str) -> dict[str, Any]:
    return {
        "game_id": game, "player_id": player, "episode": episode, "part": part, "parts": parts, "data": data,
    }  # fmt: skip


def export(relay: Relay, game: str, out: Path) -> Any:
    return CliRunner().invoke(cli, ["data", "--database", relay.database, "--game", game, "--out", str(out)])


@pytest.mark.slow
def test_what_comes_out_is_to_the_byte_what_went_in(relay: Relay, tmp_path: Path) -> None:
    """Metrics as text are kept as they are, as an object in JSON.stringify's form; lines in any division."""
    text = json.dumps(METRICS, indent=2)

    async def go() -> str:
        async with relay.pair() as ((one, two), game):
            assert await one.call("p2p_session_metrics", metrics(game, 0, -1, METRICS)) == {"status": "ok"}
            assert await one.call("p2p_session_metrics", metrics(game, 0, 0, {"episode": 0})) == {"status": "ok"}
            assert await two.call("p2p_session_metrics", metrics(game, 1, 0, text)) == {"status": "ok"}
            # Out of order, several episodes, a character cut off nowhere: parts are text.
            parts = [(1, 1, LINES[5:]), (0, 1, LINES[9:]), (1, 0, LINES[:5]), (0, 0, LINES[:9])]
            for episode, part, data in parts:
                assert (await one.call("pycore_records", record(game, 0, episode, part, 2, data)))["status"] == "ok"
            kind = {
                "game_id": game,
                "player_id": 0,
                "connection_type": "direct",
                "details": {"protocol": "udp"},
            }
            assert await one.call("p2p_connection_type", kind) == {"status": "ok"}
            assert (await relay.counts(game))["stored"] == {"metrics": 3, "records": 4, "pieces": 0}
            return game

    game = asyncio.run(go())
    result = export(relay, game, tmp_path)
    assert result.exit_code == 0, result.output
    compact = json.dumps(METRICS, separators=(",", ":"), ensure_ascii=False).encode()
    assert (tmp_path / "metrics-0.json").read_bytes() == compact
    assert (tmp_path / "metrics-0-episode-0.json").read_bytes() == b'{"episode":0}'
    assert (tmp_path / "metrics-1.json").read_bytes() == text.encode()
    assert (tmp_path / "trajectory-0.jsonl").read_bytes() == (LINES + LINES).encode()
    links = json.loads((tmp_path / "connections-0.json").read_bytes())
    assert links[0]["details"] == {"protocol": "udp"}
    assert not (tmp_path / "trajectory-1.jsonl").exists()


def test_metrics_that_come_in_pieces_are_whole_when_the_last_one_is_acknowledged(relay: Relay, tmp_path: Path) -> None:
    """So that inputs of a page that plays wait behind one piece. What does not go on with what came is sent anew."""
    text = json.dumps(METRICS)
    packed = base64.b64encode(zlib.compress(text.encode())).decode()

    def piece(game: str, start: int, stop: int | None = None, player: int = 0) -> dict[str, Any]:
        of = {"game_id": game, "player_id": player, "episode": 0, "at": start, "of": len(packed)}
        return of | {"packed": packed[start:stop]}

    async def go() -> str:
        async with relay.pair() as ((one, two), game):
            lost = await one.call("p2p_session_metrics", piece(game, 40, 80))
            assert (lost["status"], lost["code"]) == ("error", "store_busy")
            assert await one.call("p2p_session_metrics", piece(game, 0, 40)) == {"status": "ok"}
            assert await two.call("p2p_session_metrics", piece(game, 0, 50, player=1)) == {"status": "ok"}
            assert (await one.call("p2p_session_metrics", piece(game, 50)))["code"] == "store_busy"
            assert (await relay.counts(game))["stored"]["metrics"] == 0
            assert await one.call("p2p_session_metrics", piece(game, 40, 70)) == {"status": "ok"}
            assert await one.call("p2p_session_metrics", piece(game, 70)) == {"status": "ok"}
            assert await two.call("p2p_session_metrics", piece(game, 50, player=1)) == {"status": "ok"}
            assert (await relay.counts(game))["stored"]["metrics"] == 2
            assert (await one.call("p2p_session_metrics", piece(game, 70)))["code"] == "store_busy"
            for wrong in ({"at": -1}, {"of": 3}, {"packed": ""}, {"packed": 7}, {"of": 2**40}, {"player_id": [[]]}):
                answer = await one.call("p2p_session_metrics", piece(game, 0, 40) | wrong)
                assert (answer["status"], answer["code"]) == ("error", "malformed"), wrong
            return game

    game = asyncio.run(go())
    assert export(relay, game, tmp_path).exit_code == 0
    assert (tmp_path / "metrics-0.json").read_text() == text
    assert (tmp_path / "metrics-1.json").read_text() == text


def test_what_is_held_of_uploads_is_bounded_and_the_largest_is_given_up_first() -> None:
    """Nobody fills the memory with what is never whole, nor keeps others from storing."""
    uploads = Uploads(Limits(uploads_chars=100))

    def piece(at: int, length: int) -> dict[str, Any]:
        return {"game_id": "g", "player_id": 0, "episode": 0, "at": at, "of": 1000, "packed": "x" * length}

    uploads.take("large", piece(0, 60), 1.0)
    uploads.take("small", piece(0, 30), 2.0)
    uploads.take("other", piece(0, 30), 3.0)
    assert uploads.length == 60
    with pytest.raises(Refused, match="not held any more"):
        uploads.take("large", piece(60, 10), 4.0)
    uploads.take("small", piece(30, 30), 5.0)
    with pytest.raises(Refused, match="not held any more"):
        uploads.take("huge", piece(0, 101), 6.0)
    # Nothing comes any more of that one.
    uploads.take("other", piece(30, 5), 66.0)
    assert uploads.length == 35


def test_storing_again_changes_nothing_and_the_last_write_wins(relay: Relay, tmp_path: Path) -> None:
    """The key is (game, player, episode[, part]); another division into parts replaces the earlier."""

    async def go() -> str:
        async with relay.pair() as ((one, _), game):
            for value in (1, 1, 2):
                await one.call("p2p_session_metrics", metrics(game, 0, 0, {"value": value}))
            for part, data in enumerate("abc"):
                await one.call("pycore_records", record(game, 0, 0, part, 3, data))
            for part, data in ((0, "AB"), (1, "x"), (1, "C")):
                await one.call("pycore_records", record(game, 0, 0, part, 2, data))
            assert (await relay.counts(game))["stored"] == {"metrics": 1, "records": 2, "pieces": 0}
            return game

    game = asyncio.run(go())
    export(relay, game, tmp_path)
    assert (tmp_path / "metrics-0.json").read_bytes() == b'{"value":2}'
    assert (tmp_path / "trajectory-0.jsonl").read_bytes() == b"ABC"


@pytest.mark.slow
def test_stores_of_one_key_do_not_overtake_each_other(relay: Relay, tmp_path: Path) -> None:
    """Eight stores under way at once leave the last one behind."""

    async def go() -> str:
        async with relay.pair() as ((one, _), game):
            for round_ in range(5):
                replies = await asyncio.gather(
                    *(one.call("p2p_session_metrics", metrics(game, 0, 0, {"n": 10 * round_ + n})) for n in range(8))
                )
                assert {reply["status"] for reply in replies} == {"ok"}
            return game

    game = asyncio.run(go())
    export(relay, game, tmp_path)
    assert (tmp_path / "metrics-0.json").read_bytes() == b'{"n":47}'


@pytest.mark.slow
def test_a_full_disk_gives_an_error_and_never_an_ok(tmp_path: Path) -> None:
    """SQLite's own limit of pages stands for the disk."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, two), game):
            big = "x" * 200_000
            replies = [await one.call("pycore_records", record(game, 0, 0, part, 9, big)) for part in range(9)]
            kept = [reply for reply in replies if reply["status"] == "ok"]
            failed = [reply for reply in replies if reply["status"] == "error"]
            assert kept
            assert failed
            assert {reply["code"] for reply in failed} == {"disk_full"}
            assert "full" in failed[0]["message"]
            assert (await relay.counts(game))["stored"]["records"] == len(kept)
            await one.call("pyodide_player_action", action(game, 0, 4, 9))
            await two.get("pyodide_other_player_action")

    with running(tmp_path) as relay:
        import sqlalchemy as sa

        def limit(connection: Any, *rest: Any) -> None:
            connection.exec_driver_sql("PRAGMA max_page_count=200")

        sa.event.listen(relay.app.store._engine, "begin", limit)
        asyncio.run(go(relay))


@pytest.mark.slow
def test_broken_tables_never_look_like_a_success(tmp_path: Path) -> None:
    """A database that lost its tables answers each store with store_failed, and HTTP with 503."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, _), game):
            with sqlite3.connect(tmp_path / "study.db") as other:
                other.execute("DROP TABLE session_metrics")
            other.close()
            reply = await one.call("p2p_session_metrics", metrics(game, 0, 0, {}))
            assert reply["code"] == "store_failed"
            assert await one.call("pycore_records", record(game, 0, 0, 0, 1, "x")) == {"status": "ok"}
            assert (await relay.http(f"/api/games/{game}", relay.token))[0] == 503

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


def test_metrics_of_an_ended_game_are_taken_from_a_later_socket_of_the_session(relay: Relay) -> None:
    """The session id says whose game it was: by `auth`, or in the payload; another's says nothing."""

    async def go() -> None:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {"session_id": "late-one"})
            await two.call("join_game", {"session_id": "late-two"})
            game = (await two.get("start_game"))["game_id"]
            await one.call("leave_game", {})
            await two.get("end_game")
            assert await one.call("p2p_session_metrics", metrics(game, 0, 0, {})) == {"status": "ok"}
            await one.close()
            await two.close()
            assert (await relay.counts(game))["state"] == "over"
        later = await Client(relay.url).connect(auth={"session_id": "late-one"})
        assert await later.call("p2p_session_metrics", metrics(game, 0, -1, {})) == {"status": "ok"}
        wrong = await later.call("p2p_session_metrics", metrics(game, 1, -1, {}))
        assert wrong["code"] == "not_your_seat"
        await later.close()
        plain = await Client(relay.url).connect()
        data = record(game, 1, 0, 0, 1, "x")
        assert (await plain.call("pycore_records", data))["code"] == "foreign_room"
        assert (await plain.call("pycore_records", data | {"session_id": "guess"}))["code"] == "foreign_room"
        assert await plain.call("pycore_records", data | {"session_id": "late-two"}) == {"status": "ok"}
        await plain.close()
        assert (await relay.counts(game))["stored"] == {"metrics": 2, "records": 1, "pieces": 0}

    asyncio.run(go())


@pytest.mark.slow
def test_an_ended_game_is_forgotten_but_the_database_knows_its_counts_and_owners(tmp_path: Path) -> None:
    """After the retention a store is still taken, and the counts of the game can be asked for."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, two), game):
            await one.call("pyodide_player_action", action(game, 0, 1, 0))
            await one.call("leave_game", {})
            await two.get("end_game")
            for _ in range(100):
                if relay.app.relay.lobby.health()["games_remembered"] == 0:
                    break
                await asyncio.sleep(0.02)
            assert await two.call("p2p_session_metrics", metrics(game, 1, 0, {})) == {"status": "ok"}
            assert (await two.call("p2p_session_metrics", metrics(game, 0, 0, {})))["code"] == "not_your_seat"
            counts = await relay.counts(game)
            assert (counts["state"], counts["inputs_relayed"]) == ("over", 1)
            assert counts["stored"] == {"metrics": 1, "records": 0, "pieces": 0}

    with running(tmp_path, limits=Limits(retention_s=0.05, grace_s=0.1)) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_game_has_ended_when_everybody_stored_a_session_that_is_over(tmp_path: Path) -> None:
    """Though the pages stand open, and the relay is stopped before they go; an episode's metrics end nothing."""
    import time

    async def go(relay: Relay) -> tuple[str, list[Any]]:
        async with relay.pair() as ((one, two), game):
            found = []
            for client, player, episode in ((one, 0, 0), (one, 0, -1), (two, 1, 0), (one, 0, -1), (two, 1, -1)):
                assert await client.call("p2p_session_metrics", metrics(game, player, episode, {})) == {"status": "ok"}
                await asyncio.sleep(0.1)
                found.append(ended(game))
            assert (await relay.counts(game))["state"] == "playing"
            await one.call("leave_game", {})
            await asyncio.sleep(0.1)
            assert (await relay.counts(game))["state"] == "over"
            return game, found

    def ended(game: str) -> Any:
        assert export(relay, game, tmp_path / "out").exit_code == 0
        return json.loads((tmp_path / "out" / "game.json").read_bytes())["ended"]

    before = time.time()
    with running(tmp_path) as relay:
        game, found = asyncio.run(go(relay))
        assert found[:4] == [None] * 4
        assert before < found[4] < time.time()
    assert ended(game) == found[4]


@pytest.mark.slow
def test_a_relay_that_is_stopped_writes_down_what_it_counted(tmp_path: Path) -> None:
    """The next relay on the same database still knows what crossed the last one."""
    games = []

    async def play(relay: Relay) -> None:
        async with relay.pair() as ((one, _), game):
            await one.call("pyodide_player_action", action(game, 0, 1, 0))
            games.append(game)

    async def ask(relay: Relay) -> None:
        counts = await relay.counts(games[0])
        assert (counts["state"], counts["inputs_relayed"], counts["players"]) == ("stopped", 1, [0, 1])

    with running(tmp_path) as relay:
        asyncio.run(play(relay))
    with running(tmp_path) as relay:
        asyncio.run(ask(relay))


@pytest.mark.slow
def test_what_a_relay_did_not_get_before_it_died_the_next_one_takes_from_its_owner_alone(tmp_path: Path) -> None:
    """The page keeps it until the next visit; the session id says whose it is, and its digest is what is kept."""
    games: list[str] = []

    async def play(relay: Relay) -> None:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {"session_id": "secret-one"})
            await two.call("join_game", {"session_id": "secret-two"})
            games.append((await two.get("start_game"))["game_id"])

    async def visit(relay: Relay) -> None:
        async with relay.clients(1) as (later,):
            data = record(games[0], 1, 0, 0, 1, "x")
            for session in ({}, {"session_id": "guess"}):
                assert (await later.call("pycore_records", data | session))["code"] == "foreign_room"
            wrong = await later.call("pycore_records", data | {"session_id": "secret-one"})
            assert wrong["code"] == "not_your_seat"
            other = record("another", 1, 0, 0, 1, "x") | {"session_id": "secret-two"}
            assert (await later.call("pycore_records", other))["code"] == "foreign_room"
            mine = data | {"session_id": "secret-two"}
            assert [(await later.call("pycore_records", mine))["status"] for _ in range(3)] == ["ok", "ok", "error"]
            assert (await relay.counts(games[0]))["stored"] == {"metrics": 0, "records": 1, "pieces": 0}

    with running(tmp_path) as relay:
        asyncio.run(play(relay))
    with running(tmp_path, limits=Limits(stored_bytes=2)) as relay:
        asyncio.run(visit(relay))
    assert b"secret-two" not in (tmp_path / "study.db").read_bytes()


@pytest.mark.parametrize(
    "value", [None, 1, [], "no json", "[]", "1", '{"a":NaN}', "\ud800"], ids=lambda value: ascii(value)
)
def test_metrics_that_are_no_object_are_refused(relay: Relay, value: Any) -> None:
    """Neither as a value nor as a text."""

    async def go() -> None:
        async with relay.pair() as ((one, _), game):
            assert (await one.call("p2p_session_metrics", metrics(game, 0, 0, value)))["code"] == "malformed"

    asyncio.run(go())


@pytest.mark.slow
def test_one_player_cannot_fill_the_disk(tmp_path: Path) -> None:
    """What a player stores of a game is bounded in all, repeats included."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, two), game):
            replies = [await one.call("pycore_records", record(game, 0, 0, 0, 1, "x" * 300)) for _ in range(4)]
            assert [reply.get("code") for reply in replies] == [None, None, None, "too_large"]
            assert (await two.call("pycore_records", record(game, 1, 0, 0, 1, "x")))["status"] == "ok"

    with running(tmp_path, limits=Limits(stored_bytes=1000)) as relay:
        asyncio.run(go(relay))


def test_an_incomplete_trajectory_is_named_so(relay: Relay, tmp_path: Path) -> None:
    """A missing part is told by the file's name, the message and the exit status."""

    async def go() -> str:
        async with relay.pair() as ((one, _), game):
            await one.call("pycore_records", record(game, 0, 0, 0, 3, "a"))
            await one.call("pycore_records", record(game, 0, 0, 2, 3, "c"))
            return game

    game = asyncio.run(go())
    result = export(relay, game, tmp_path)
    assert result.exit_code == 1
    assert f"game {game}, player 0: episode 0 part 1 missing" in result.output
    assert not (tmp_path / "trajectory-0.jsonl").exists()
    assert (tmp_path / "trajectory-0.jsonl.incomplete").read_bytes() == b"ac"


def test_no_network_address_reaches_the_database(tmp_path: Path) -> None:
    """As the text for ethics boards says: neither those of the sockets nor those that pages tell each other."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, two), game):
            candidate = {"candidate": "candidate:1 1 udp 2113 203.0.113.7 50000 typ host", "sdpMid": "0"}
            signal = {"game_id": game, "target_player_id": 1, "type": "ice-candidate", "payload": candidate}
            assert (await one.call("webrtc_signal", signal))["status"] == "ok"
            assert "203.0.113.7" in json.dumps(await two.get("webrtc_signal")), "the partner's page needs it"
            kind = {"localCandidateType": "host", "remoteCandidateType": "srflx", "protocol": "udp"}
            link = {"game_id": game, "player_id": 0, "remote_player_id": 1, "connection_type": "direct"}
            assert (await one.call("p2p_connection_type", {**link, "details": kind}))["status"] == "ok"
            for player, client in enumerate((one, two)):
                assert (await client.call("pycore_records", record(game, player, 0, 0, 1, "x\n")))["status"] == "ok"

    with running(tmp_path) as relay:
        asyncio.run(go(relay))
        files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    files += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"srflx" in data for data in files), "the kind of the connection is stored"
    for address in (b"203.0.113.7", b"127.0.0.1"):
        assert not any(address in data for data in files), address


def test_how_a_link_is_connected_is_no_data_of_a_game(tmp_path: Path) -> None:
    """A page of one's own that stores nothing else was no game without data, and nobody heard of it; nor is what the
    database refused."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as (pages, game):
            room = relay.app.relay.lobby.games.room(game)
            assert room is not None
            link = {"game_id": game, "player_id": 0, "type": "direct"}
            assert (await pages[0].call("p2p_connection_type", link))["status"] == "ok"
            assert [seat.stored for seat in room.seats] == [False, False]
            said = metrics(game, 0, 0, {})
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(relay.app.store, "put_metrics", refused)
                assert (await pages[0].call("p2p_session_metrics", said))["code"] == "store_failed"
            assert [seat.stored for seat in room.seats] == [False, False]
            assert (await pages[0].call("p2p_session_metrics", said))["status"] == "ok"
            assert [seat.stored for seat in room.seats] == [True, False]

    async def refused(*_: Any) -> None:
        raise StoreFailed("the database is locked")

    with running(tmp_path) as relay:
        asyncio.run(go(relay))
