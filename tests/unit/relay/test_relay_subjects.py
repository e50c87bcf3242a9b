"""A subject id is in the data, and in nothing else that the server shows, writes or says."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from relay_support import OPERATOR, Client, Relay, running

from pycore.cli import cli
from pycore.relay.operating.operator import Operator
from pycore.relay.people.naming import found_in, renamed
from pycore.relay.storage.store import games as tables

ANNA, BERT = "anna-0815 ü", "bert.4711"
QUERIES = ("?PROLIFIC_PID=anna-0815%20%C3%BC&STUDY_ID=x", "?PROLIFIC_PID=bert.4711")
TRACES = ("anna", "0815", "bert", "4711", "PROLIFIC")
ROWS = {"revision": 0, "base": 0, "first": 0, "frames": 1, "last": True, "data": "head\nrow\nend\n"}


async def visited(relay: Relay) -> str:
    """Two people play to the end; a third one waits. All that pages say of themselves is said."""
    people = [await Client(relay.url).connect({"query": query}) for query in (*QUERIES, "?PROLIFIC_PID=bert.47111")]
    game = ""
    for number, client in enumerate(people):
        wish = {"session_id": f"session of {number}", "query": [*QUERIES, "?PROLIFIC_PID=bert.47111"][number]}
        assert (await client.call("join_game", wish))["status"] == "ok"
    for player, client in enumerate(people[:2]):
        game = (await client.get("start_game"))["game_id"]
        own = {"game_id": game, "player_id": player}
        await client.call("pycore_rows", {**own, "episode": 0, **ROWS})
        href = f"https://study.example.org/{QUERIES[player]}"
        failure = {"code": "load", "message": f"{href} at {ANNA if player == 0 else BERT}", "where": "step"}
        assert (await client.call("page_failed", {**failure, "query": QUERIES[player]}))["status"] == "ok"
        assert (await client.call("webrtc_signal", {"type": QUERIES[player]}))["status"] == "error"
        metrics = {"gameId": game, "playerId": player, "end": {"reason": "complete"}}
        await client.call("p2p_session_metrics", {**own, "episode": -1, "metrics": metrics})
        assert (await client.get("outcome"))["outcome"] == "completed"
    shown = []
    for path in (
        "/api/health", "/api/ready", "/api/operator", "/api/watch", "/api/watch/over", f"/api/games/{game}", "/metrics",
        f"/api/watch/{game}?episode=0&from=0", f"/api/watch/{game}",
    ):  # fmt: skip
        status, headers, body = await relay.http(path, OPERATOR)
        assert status in (200, 400), path
        shown.append(f"{path} {headers} {body.decode()}")
    await asyncio.gather(*(client.close() for client in people))
    _, _, body = await relay.http("/api/watch/over", OPERATOR)
    shown.append(body.decode())
    for text in shown:
        assert not [trace for trace in TRACES if trace in text.replace("PROLIFIC_PID=", "")], text
    (state,) = [text for text in shown if text.startswith("/api/operator")]
    assert Operator(OPERATOR).person(ANNA) in state, "whose page failed is known by name"
    return game


@pytest.mark.slow
def test_no_subject_is_in_what_is_watched_measured_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever pages say of themselves; at every level that an operator may ask for."""
    caplog.set_level(logging.INFO)

    async def go(relay: Relay) -> None:
        await visited(relay)

    with running(tmp_path, recruiting={"next": "https://panel.example.org/?who={subject}"}) as relay:
        asyncio.run(go(relay))
    assert "a page failed" in caplog.text
    said = caplog.text.replace("PROLIFIC_PID=", "")
    assert not [trace for trace in TRACES if trace in said], said


@pytest.mark.slow
def test_no_subject_is_in_an_export_with_pseudonyms_and_a_file_that_has_one_is_named(tmp_path: Path) -> None:
    """A page or an environment of a study's own may write into its data whom it knows."""
    games = []

    async def go(relay: Relay) -> None:
        games.append(await visited(relay))
        clients = [await Client(relay.url).connect() for _ in range(2)]
        for number, client in enumerate(clients):
            await client.call("join_game", {"session_id": f"s{number}", "subject_id": (ANNA, BERT)[number]})
        game = (await clients[0].get("start_game"))["game_id"]
        own = {"game_id": game, "player_id": 0, "episode": 0}
        await clients[0].call("p2p_session_metrics", {**own, "metrics": {"who": ANNA}})
        await clients[0].call("pycore_rows", {**own, **ROWS, "data": f"head\n{json.dumps([BERT])}\nend\n"})
        games.append(game)
        await asyncio.gather(*(client.close() for client in clients))

    with running(tmp_path) as relay:
        asyncio.run(go(relay))
        deadline = time.monotonic() + 5
        while len(relay.app.store.read(sa.select(tables.c.game_id))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    clean, named = games
    words = ["data", "--database", f"sqlite:///{tmp_path / 'study.db'}", "--pseudonyms", str(tmp_path / "key")]
    result = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    told = [line for line in result.output.splitlines() if line.startswith("not anonymous: ")]
    assert [Path(line.split()[2]).relative_to(tmp_path / "out").as_posix() for line in told] == [
        f"{named}/metrics-0.json", f"{named}/trajectory-0.jsonl",
    ]  # fmt: skip
    files = [file for file in (tmp_path / "out").rglob("*") if file.is_file() and file.parent.name != named]
    assert {file.name for file in files} >= {"participants.csv", "game.json", "metrics-0.json", "trajectory-1.jsonl"}
    for file in files:
        assert not [trace for trace in TRACES[:4] if trace in file.read_text()], file
    assert CliRunner().invoke(cli, [*words, "--game", clean, "--out", str(tmp_path / "one")]).exit_code == 0


def test_without_a_token_names_cannot_be_made_by_trying_ids() -> None:
    """They are others in each process."""
    assert Operator(None).person(ANNA) != Operator(None).person(ANNA)
    assert Operator(OPERATOR).person(ANNA) == Operator(OPERATOR).person(ANNA)


@given(st.text(min_size=4, max_size=20), st.sampled_from(["{}", "x={}&y", '"{}"', "[{}]", " {} "]))
def test_an_id_is_found_as_a_word_and_is_not_there_afterwards(subject: str, around: str) -> None:
    """As it is and as it stands in JSON."""
    for form in (subject, json.dumps(subject)[1:-1]):
        text = around.format(form)
        assert found_in(text, subject)
        assert not found_in(renamed(text, subject, "#"), subject) or "#" in subject


def test_an_id_that_may_be_a_word_or_a_number_is_one_in_an_address_alone() -> None:
    """And a longer word that has the id in it is another one."""
    assert renamed("1 of 11 at ?PID=1&x=11", "1", "N") == "1 of 11 at ?PID=N&x=11"
    assert renamed("annabel and anna", "anna", "N") == "annabel and N"
