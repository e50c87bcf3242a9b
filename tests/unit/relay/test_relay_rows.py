"""Pieces of trajectories reach the database while a game goes on, and come out as records."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from relay_support import Client, Relay, running

from pycore.cli import cli
from pycore.relay import Limits
from pycore.relay.storage.store import DataStore, StoreFailed

DATABASES = ("sqlite", "postgresql")

HEAD = '{"pycore":1,"players":[0,1],"seed":1}\n'


def row(frame: int) -> str:
    return f'{{"actions":[0,1],"episode":0,"frame":{frame},"what":"\u00e4\u2028"}}\n'


def piece(game: str, first: int, stop: int, *, last: bool = False, **more: Any) -> dict[str, Any]:
    """Rows of player 0, from a frame up to another."""
    end = '{"end":0}\n' if last else ""
    data = HEAD + "".join(map(row, range(first, stop))) + end
    return {
        "game_id": game, "player_id": 0, "episode": 0, "revision": 0, "base": 0, "first": first, "frames": stop - first,
        "last": last, "data": data, **more,
    }  # fmt: skip


def packed(payload: dict[str, Any], name: str = "data") -> dict[str, Any]:
    """The same, as pages pack what is longer."""
    text = payload[name] if isinstance(payload[name], str) else json.dumps(payload[name])
    rest = {key: value for key, value in payload.items() if key != name}
    return rest | {"packed": base64.b64encode(zlib.compress(text.encode())).decode()}


def export(relay: Relay, game: str, out: Path) -> tuple[int, str]:
    command = ["data", "--database", relay.database, "--game", game, "--out", str(out)]
    done = CliRunner().invoke(cli, command)
    return done.exit_code, done.output


async def stored(client: Client, *pieces: dict[str, Any]) -> None:
    for each in pieces:
        assert await client.call("pycore_rows", each) == {"status": "ok"}


def test_pieces_in_any_order_twice_and_overlapping_come_out_as_the_record(relay: Relay, tmp_path: Path) -> None:
    """Packed or not; a shorter one that comes late changes nothing, nor does one without the end."""
    async def go() -> str:
        async with relay.pair() as ((one, _), game):
            found = [
                piece(game, 0, 30), packed(piece(game, 30, 60)), piece(game, 25, 40), piece(game, 60, 90, last=True),
                piece(game, 0, 10), piece(game, 60, 90), packed(piece(game, 60, 80)),
            ]  # fmt: skip
            random.Random(3).shuffle(found)
            await stored(one, *found, *found)
            assert (await relay.counts(game))["stored"] == {"metrics": 0, "records": 0, "pieces": 4}
            return game

    game = asyncio.run(go())
    assert export(relay, game, tmp_path)[0] == 0
    assert (tmp_path / "trajectory-0.jsonl").read_text() == HEAD + "".join(map(row, range(90))) + '{"end":0}\n'


def test_of_a_game_that_goes_on_there_is_what_was_stored_so_far(relay: Relay, tmp_path: Path) -> None:
    """A record that ends where the last piece does; nothing is missing in it."""
    async def go() -> str:
        async with relay.pair() as ((one, _), game):
            await stored(one, piece(game, 0, 30), piece(game, 30, 45))
            return game

    game = asyncio.run(go())
    assert export(relay, game, tmp_path)[0] == 0
    assert (tmp_path / "trajectory-0.jsonl").read_text() == HEAD + "".join(map(row, range(45)))
    assert not (tmp_path / "trajectory-0.jsonl.incomplete").exists()


def test_behind_a_missing_piece_nothing_is_read_and_nothing_is_lost(relay: Relay, tmp_path: Path) -> None:
    """The record ends before the gap, a second file has all that is there, and the frames are named."""
    async def go() -> str:
        async with relay.pair() as ((one, two), game):
            await stored(one, piece(game, 0, 30), piece(game, 60, 90, last=True))
            await stored(two, piece(game, 7, 9, player_id=1))
            return game

    game = asyncio.run(go())
    status, said = export(relay, game, tmp_path)
    assert status == 1
    assert "player 0: episode 0 frames 30 to 59 missing" in said
    assert (tmp_path / "trajectory-0.jsonl").read_text() == HEAD + "".join(map(row, range(30)))
    everything = (tmp_path / "trajectory-0.jsonl.incomplete").read_text()
    assert everything == HEAD + "".join(map(row, [*range(30), *range(60, 90)])) + '{"end":0}\n'
    # Without its beginning nothing of a record can be read.
    assert not (tmp_path / "trajectory-1.jsonl").exists()
    assert (tmp_path / "trajectory-1.jsonl.incomplete").read_text() == HEAD + row(7) + row(8)


def test_rows_that_were_taken_back_are_not_in_the_record(relay: Relay, tmp_path: Path) -> None:
    """The next revision says from where on."""
    async def go() -> str:
        async with relay.pair() as ((one, _), game):
            await stored(one, piece(game, 0, 30), piece(game, 20, 23, revision=1, base=20), piece(game, 30, 50))
            return game

    game = asyncio.run(go())
    assert export(relay, game, tmp_path)[0] == 0
    assert (tmp_path / "trajectory-0.jsonl").read_text() == HEAD + "".join(map(row, range(23)))


def test_a_piece_that_is_none_is_refused_by_name(relay: Relay) -> None:
    """Whatever is wrong with it, also when it is packed; a small packet does not unfold into a large one."""
    async def go() -> None:
        async with relay.pair() as ((one, _), game):
            good = piece(game, 3, 6)
            bomb = base64.b64encode(zlib.compress(b"x" * (9 << 20))).decode()
            cut = packed(good)["packed"][:20]
            for change, code in (
                ({"player_id": 1}, "not_your_seat"), ({"first": -1}, "malformed"), ({"frames": 4}, "malformed"),
                ({"base": -1}, "malformed"), ({"last": 1}, "malformed"), ({"data": None}, "malformed"),
                ({"data": good["data"][:-1]}, "malformed"), ({"packed": bomb}, "too_large"),
                ({"packed": 3}, "malformed"),
                ({"packed": cut}, "malformed"), ({"packed": "=?"}, "malformed"), ({"revision": None}, "malformed"),
                ({"packed": base64.b64encode(zlib.compress(b"\xff")).decode()}, "malformed"),
                ({"game_id": "another"}, "foreign_room"), ({"episode": -1}, "malformed"),
            ):  # fmt: skip
                assert (await one.call("pycore_rows", good | change))["code"] == code, change
            assert (await relay.counts(game))["stored"]["pieces"] == 0

    asyncio.run(go())


@pytest.mark.slow
def test_metrics_of_the_middle_of_an_episode_never_replace_those_of_its_end(relay: Relay, tmp_path: Path) -> None:
    """In whatever order they come; before the end the newest count. They may be packed as rows are."""
    def metrics(game: str, value: int, **more: Any) -> dict[str, Any]:
        return {"game_id": game, "player_id": 0, "episode": 0, "metrics": {"value": value}, **more}

    async def go() -> tuple[str, list[Any]]:
        async with relay.pair() as ((one, _), game):
            found = []
            for each in (
                metrics(game, 1, so_far=True), packed(metrics(game, 2, so_far=True), "metrics"), metrics(game, 3),
                metrics(game, 4, so_far=True), packed(metrics(game, 5), "metrics"),
            ):  # fmt: skip
                assert await one.call("p2p_session_metrics", each) == {"status": "ok"}
                export(relay, game, tmp_path)
                found.append(json.loads((tmp_path / "metrics-0.json").read_text())["value"])
            return game, found

    assert asyncio.run(go())[1] == [1, 2, 3, 3, 5]


@pytest.mark.slow
def test_a_piece_that_the_disk_did_not_take_is_not_acknowledged_and_comes_again(tmp_path: Path) -> None:
    """What came is there once, after the disk has room again."""
    with running(tmp_path) as relay:
        put, full = DataStore.put_piece, [True]

        async def failing(self: DataStore, *arguments: Any) -> None:
            if full[0]:
                raise StoreFailed("the database said: database or disk is full")
            await put(self, *arguments)

        relay.app.store.put_piece = failing.__get__(relay.app.store)  # type: ignore[method-assign]

        async def go() -> str:
            async with relay.pair() as ((one, _), game):
                refused = await one.call("pycore_rows", piece(game, 0, 30))
                assert (refused["status"], refused["code"]) == ("error", "disk_full")
                full[0] = False
                await stored(one, piece(game, 0, 30))
                return game

        game = asyncio.run(go())
        assert export(relay, game, tmp_path / "out")[0] == 0
        assert (tmp_path / "out" / "trajectory-0.jsonl").read_text().count("\n") == 31


@pytest.mark.slow
def test_eight_players_that_store_each_second_stay_within_every_bound(tmp_path: Path) -> None:
    """Three stores a second of each, as often as a study may say; twenty seconds of it in one go, too."""
    limits = Limits()
    assert limits.store_rate > 2 * 3
    assert limits.store_burst >= 20 * 3
    with running(tmp_path, seats=8) as relay:
        async def go() -> str:
            async with relay.pair(8) as (clients, game):
                async def player(seat: int) -> None:
                    for second in range(20):
                        first = second * 30
                        await stored(clients[seat], packed(piece(game, first, first + 30, player_id=seat)))
                        seen = {"game_id": game, "player_id": seat, "part": second, "last": False, "data": "x" * 5000}
                        assert await clients[seat].call("pycore_experienced", packed(seen)) == {"status": "ok"}
                        so_far = {"game_id": game, "player_id": seat, "episode": 0, "so_far": True, "metrics": {}}
                        assert await clients[seat].call("p2p_session_metrics", so_far) == {"status": "ok"}

                await asyncio.gather(*map(player, range(8)))
                counts = await relay.counts(game)
                assert counts["events_refused"] == 0
                assert counts["stored"] == {"metrics": 8, "records": 0, "pieces": 160}
                return game

        game = asyncio.run(go())
    database = sqlite3.connect(tmp_path / "study.db")
    sums = database.execute("select player, sum(frames) from pieces where game_id = ? group by player", (game,))
    assert sums.fetchall() == [(str(seat), 600) for seat in range(8)]
