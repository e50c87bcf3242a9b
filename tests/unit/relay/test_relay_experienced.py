"""What participants saw reaches the database in parts; the subject comes from the page's address."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from relay_support import OPERATOR, Client, Relay, running

from pycore.bridge.handed import CORE
from pycore.cli import cli
from pycore.relay import Limits
from pycore.relay.games.payloads import subject_of
from pycore.relay.games.seats import pseudonym
from pycore.relay.operating.operator import Operator
from pycore.settings import SUBJECT_FROM


def export(relay: Relay, game: str, out: Path) -> int:
    command = ["data", "--database", relay.database, "--game", game, "--out", str(out)]
    return CliRunner().invoke(cli, command).exit_code


def test_parts_come_out_in_order_and_to_the_byte(relay: Relay, tmp_path: Path) -> None:
    """However they came, and though one came twice."""
    async def go() -> str:
        async with relay.pair() as ((one, _), game):
            for part, data, last in ((2, "c\u2028\n", True), (0, "a\n", False), (1, "?", False), (1, "b\n", False)):
                sent = {"game_id": game, "player_id": 0, "part": part, "last": last, "data": data}
                assert await one.call("pycore_experienced", sent) == {"status": "ok"}
            return game

    game = asyncio.run(go())
    assert export(relay, game, tmp_path) == 0
    assert (tmp_path / "experienced-0.jsonl").read_bytes() == "a\nb\nc\u2028\n".encode()


def test_a_missing_part_is_told_by_name_and_exit_status(relay: Relay, tmp_path: Path) -> None:
    """The file is called incomplete; one without its last part is not: its session was aborted."""
    async def go() -> str:
        async with relay.pair() as ((one, two), game):
            for part in (0, 2):
                await one.call("pycore_experienced", {"game_id": game, "player_id": 0, "part": part, "data": "x\n"})
            await two.call("pycore_experienced", {"game_id": game, "player_id": 1, "part": 0, "data": "y\n"})
            return game

    game = asyncio.run(go())
    assert export(relay, game, tmp_path) == 1
    assert (tmp_path / "experienced-0.jsonl.incomplete").read_bytes() == b"x\nx\n"
    assert (tmp_path / "experienced-1.jsonl").read_bytes() == b"y\n"


def test_nobody_stores_for_another_player(relay: Relay) -> None:
    """And what is malformed is refused by name."""
    async def go() -> None:
        async with relay.pair() as ((one, _), game):
            mine = {"game_id": game, "player_id": 0, "part": 0, "data": "x"}
            for change, code in (
                ({"player_id": 1}, "not_your_seat"), ({"part": -1}, "malformed"), ({"data": 3}, "malformed"),
                ({"last": "yes"}, "malformed"), ({"data": "x" * 300_000}, "too_large"),
            ):  # fmt: skip
                assert (await one.call("pycore_experienced", mine | change))["code"] == code

    asyncio.run(go())


def test_a_ping_is_answered_with_the_servers_clock(relay: Relay) -> None:
    """Milliseconds since the epoch, between sending and receiving."""
    async def go() -> None:
        async with relay.clients(1) as (one,):
            before = time.time() * 1000
            reply = await one.call("pycore_ping", {})
            assert before <= reply["time_ms"] <= time.time() * 1000

    asyncio.run(go())


def test_the_subject_in_the_address_is_that_of_the_game_and_no_partner_is_told(tmp_path: Path) -> None:
    """By the names that the study chose; game.json has it."""
    async def go(relay: Relay) -> str:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {"query": "?PROLIFIC_PID=no&code=abc%20d&x=1"})
            await two.call("join_game", {"query": "?code=second"})
            told = [await client.get("pyodide_game_ready") for client in (one, two)]
            game = str(told[0]["game_id"])
            assert told[0]["player_subjects"] == {"0": "abc d", "1": pseudonym(game, 1)}
            assert told[1]["player_subjects"] == {"0": pseudonym(game, 0), "1": "second"}
            return game

    with running(tmp_path, settings={"subject_from": ["code"]}) as relay:
        game = asyncio.run(go(relay))
    assert export(relay, game, tmp_path / "out") == 0
    assert json.loads((tmp_path / "out" / "game.json").read_text())["subjects"] == {"0": "abc d", "1": "second"}


def test_of_the_usual_names_the_first_with_a_value_counts() -> None:
    """What is empty, too long or no text is passed over."""
    limits = Limits()
    found = {
        query: subject_of(query, SUBJECT_FROM, limits)
        for query in (
            "", "?", "?autojoin=1", "?PROLIFIC_PID=5f", "?subject=s&PROLIFIC_PID=5f", "?PROLIFIC_PID=&subject=s",
            "?PROLIFIC_PID=%00", f"?subject={'x' * 200}", "?participant_id=%C3%A4",
        )
    }  # fmt: skip
    assert list(found.values()) == [None, None, None, "5f", "5f", "s", None, None, "ä"]


def test_a_name_in_the_address_counts_however_it_is_written() -> None:
    """Services write it in capitals, with and without underscores; a value is kept as it came."""
    found = {
        query: subject_of(query, SUBJECT_FROM, Limits())
        for query in (
            "?workerId=A1", "?workerid=A1", "?WORKER_ID=A1", "?SONA_ID=17", "?sona-id=17", "?participantId=p",
            "?Subject=S", "?prolific_pid=5f&PROLIFIC_PID=other", "?assignmentId=3&workerId=A1&hitId=9", "?workersid=A1",
            "?id=A1", "?subject=%3Cb%3EA%3C%2Fb%3E", "?subject=%20A+1%20",
        )
    }  # fmt: skip
    assert list(found.values()) == [
        "A1", "A1", "A1", "17", "17", "p", "S", "5f", "A1", None, None, "<b>A</b>", "A 1",
    ]  # fmt: skip


@pytest.mark.slow
def test_the_subject_is_known_of_a_page_that_says_its_address_with_its_first_word_alone(tmp_path: Path) -> None:
    """A page need not say it again when it asks for a game: what it says then without an address changes nothing."""
    async def go(relay: Relay) -> str:
        one, two = Client(relay.url), Client(relay.url)
        try:
            await one.connect({"session_id": "first", "query": "?PROLIFIC_PID=5f3c"})
            await two.connect({"session_id": "second", "query": "?x=1"})
            await one.call("join_game", {"session_id": "first"})
            await two.call("join_game", {"session_id": "second"})
            told = [await client.get("pyodide_game_ready") for client in (one, two)]
            assert [each["player_subjects"][own] for each, own in zip(told, "01", strict=True)] == ["5f3c", None]
            return str(told[0]["game_id"])
        finally:
            await asyncio.gather(one.close(), two.close())

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


def test_the_longest_address_that_a_page_says_is_taken_and_read(relay: Relay, caplog: pytest.LogCaptureFixture) -> None:
    """With a session id beside it, and however much JSON makes of it."""
    subject = "?subject=s&x="
    address = subject + "\\" * (CORE["SERVER"]["address_characters"] - len(subject))

    async def go() -> None:
        client = await Client(relay.url).connect({"session_id": "0" * 36, "query": address})
        try:
            await client.call("page_failed", {"code": "load-package", "message": "numpy", "where": "start"})
        finally:
            await client.close()

    asyncio.run(go())
    assert [line for line in caplog.messages if f"a page failed person={Operator(OPERATOR).person('s')}" in line]
