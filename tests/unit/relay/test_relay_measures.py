"""What Prometheus is told, and what stands in the log: who waits, what begins and ends, what is refused."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from relay_support import OPERATOR, Client, Relay, action, running

from pycore.relay.games.payloads import Failure
from pycore.relay.operating.measures import Measures
from pycore.relay.operating.noticing import QUIET_S, Noticed
from pycore.relay.operating.operator import Operator
from pycore.relay.operating.says import EVENT, FIELDS, JsonFormatter, say

ROOT = Path(__file__).parents[3]


def samples(text: str) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text) for sample in family.samples
    }  # fmt: skip


async def measured(relay: Relay) -> dict[tuple[str, ...], float]:
    status, headers, body = await relay.http("/metrics", OPERATOR)
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(body.decode())


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    """Events of the log, and their fields."""
    return [(getattr(each, EVENT), getattr(each, FIELDS)) for each in caplog.records if hasattr(each, EVENT)]


@pytest.mark.slow
def test_what_happens_is_counted_and_how_things_are_is_told(tmp_path: Path) -> None:
    """By event, by code of refusal, by how a game began and ended; a stranger's words make no series."""

    async def go(relay: Relay) -> None:
        assert (await relay.http("/metrics"))[0] == 401
        async with relay.pair() as ((one, two), game):
            before = await measured(relay)
            assert before["pycore_sockets",] == 2
            assert before["pycore_games_playing",] == 1
            assert before["pycore_players", "unknown"] == 2
            assert before["pycore_games_started_total", "paired"] == 1
            assert before["pycore_waited_seconds_count",] == 2
            assert before["pycore_ready",] == 1
            for frame in range(5):
                await one.call("pyodide_player_action", action(game, 0, 1, frame))
            for name in ("no_such_event", "another_one"):
                assert (await one.call(name, {}))["code"] == "unknown_event"
            await one.call("webrtc_signal", {"type": "none"})
            whole = {"game_id": game, "player_id": 0, "episode": 0, "metrics": {}}
            assert (await one.call("p2p_session_metrics", whole))["status"] == "ok"
            await two.call("leave_game", {})
            after = await measured(relay)
            assert after["pycore_events_total", "pyodide_player_action"] == 5
            assert after["pycore_events_total", "unknown"] == 2
            assert after["pycore_refusals_total", "unknown_event", "unknown"] == 2
            assert after["pycore_refusals_total", "malformed", "webrtc_signal"] == 1
            assert after["pycore_store_seconds_count", "p2p_session_metrics"] == 1
            assert after["pycore_games_ended_total", "left"] == 1
            assert after["pycore_game_seconds_count",] == 1
            assert after["pycore_games_playing",] == 0
            assert after["pycore_socket_bytes_total", "in"] > before["pycore_socket_bytes_total", "in"] + 300
            assert after["pycore_socket_bytes_total", "out"] > before["pycore_socket_bytes_total", "out"] + 300
            assert after["process_resident_memory_bytes",] > 10e6
            assert not [name for name in after if "no_such_event" in name]

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_the_event_loops_lateness_is_measured(tmp_path: Path) -> None:
    """Whatever holds it up, for as long as it did."""

    async def go(relay: Relay) -> None:
        def stand(sid: str, payload: Any) -> dict[str, Any]:
            time.sleep(0.3)
            return {"status": "ok"}

        relay.app.relay._handlers["pycore_ping"] = stand
        async with relay.clients(1) as (one,):
            await one.call("pycore_ping", {})
            for _ in range(100):
                found = await measured(relay)
                late = found["pycore_loop_lag_seconds_count",] - found["pycore_loop_lag_seconds_bucket", "0.05"]
                if late >= 1:
                    return
                await asyncio.sleep(0.05)
            raise AssertionError(found)

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


def test_the_log_has_who_waits_and_what_begins_and_ends(relay: Relay, caplog: pytest.LogCaptureFixture) -> None:
    """Without anybody's id, whose name it is the operator's page shows as well."""
    caplog.set_level(logging.INFO, "pycore.relay")

    async def go() -> str:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {"query": "?PROLIFIC_PID=anna-0815"})
            await two.call("join_game", {"query": "?PROLIFIC_PID=bert-4711"})
            game: str = (await one.get("start_game"))["game_id"]
            _, _, body = await relay.http("/api/watch", OPERATOR)
            (listed,) = [each for each in json.loads(body)["games"] if each["game_id"] == game]
            failure = {"code": "broken", "message": "it broke\x1b[2J", "where": "step", "query": ""}
            assert (await two.call("page_failed", failure))["status"] == "ok"
            await two.call("leave_game", {})
            (started,) = [of for event, of in said(caplog) if event == "game_started" and of["game"] == game]
            people = [player["person"] for player in listed["players"]]
            assert started["people"] == people
            (failed,) = [fields for event, fields in said(caplog) if event == "page_failed"]
            assert failed == {"person": people[1], "where": "step", "code": "broken", "said": "it broke\x1b[2J"}
            return game

    game = asyncio.run(go())
    events = [event for event, fields in said(caplog) if fields.get("game") in (None, game)]
    assert events == ["waiting", "game_started", "page_failed", "game_ended"]
    ended = next(fields for event, fields in said(caplog) if event == "game_ended" and fields["game"] == game)
    assert (ended["how"], ended["gone"]) == ("left", ["1"])
    assert "anna-0815" not in caplog.text
    assert "bert-4711" not in caplog.text


def test_subjects_are_logged_where_that_is_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And only there."""
    caplog.set_level(logging.INFO, "pycore.relay")

    async def go(relay: Relay) -> None:
        async with relay.clients(2) as (one, two):
            await one.call("join_game", {"subject_id": "anna-0815"})
            await two.call("join_game", {})

    with running(tmp_path, log_subjects=True) as relay:
        asyncio.run(go(relay))
    assert [fields["people"] for event, fields in said(caplog) if event == "game_started"] == [["anna-0815"]]


def test_a_game_that_both_finish_is_finished(relay: Relay, caplog: pytest.LogCaptureFixture) -> None:
    """Once, whatever comes later."""
    caplog.set_level(logging.INFO, "pycore.relay")

    async def go() -> str:
        async with relay.pair() as (clients, game):
            for player, client in enumerate(clients):
                whole = {"game_id": game, "player_id": player, "episode": -1, "metrics": {}}
                assert (await client.call("p2p_session_metrics", whole))["status"] == "ok"
            for client in clients:
                await client.call("leave_game", {})
            return game

    game = asyncio.run(go())
    assert [f["how"] for event, f in said(caplog) if event == "game_ended" and f["game"] == game] == ["finished"]


@pytest.mark.slow
def test_what_visits_came_to_is_said_and_counted_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Though a page stores its last metrics again; without the subject's id."""
    caplog.set_level(logging.INFO, "pycore.relay")

    async def go(relay: Relay) -> None:
        async with relay.clients(2) as clients:
            for number, client in enumerate(clients):
                await client.call("join_game", {"subject_id": f"subject-{number}"})
            game = (await clients[0].get("start_game"))["game_id"]
            rows = {"revision": 0, "base": 0, "first": 0, "frames": 1, "last": True, "data": "head\nrow\nend\n"}
            await clients[0].call("pycore_rows", {"game_id": game, "player_id": 0, "episode": 0, **rows})
            end = {"game_id": game, "player_id": 0, "episode": -1, "metrics": {"end": {"reason": "complete"}}}
            for _ in range(3):
                assert (await clients[0].call("p2p_session_metrics", end))["status"] == "ok"
                await clients[0].get("outcome")
            assert (await measured(relay))["pycore_outcomes_total", "completed"] == 1
            (told,) = [fields for event, fields in said(caplog) if event == "outcome"]
            known = Operator(OPERATOR).person("subject-0")
            assert (told["outcome"], told["person"], told["game"], told["player"]) == ("completed", known, game, "0")
        assert "subject-0" not in caplog.text

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


def test_a_flood_of_refusals_is_a_line_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """With how many there were; another kind has a line of its own."""
    caplog.set_level(logging.INFO, "pycore.relay")
    clock = [0.0]
    noticed = Noticed(Measures(), str, lambda: clock[0])
    noticed.knows(["join_game"])
    for second in range(25):
        clock[0] = float(second)
        noticed.event("join_game", "s", [], {"status": "error", "code": "malformed"}, second)
        noticed.event("\x1b[2J", "s", [], {"status": "error", "code": "unknown_event"}, second)
    lines = [(f["refused"], f["code"], f["times"]) for event, f in said(caplog) if event == "refused"]
    per = int(QUIET_S)
    assert lines == [
        ("join_game", "malformed", 1), ("unknown", "unknown_event", 1),
        ("join_game", "malformed", per), ("unknown", "unknown_event", per),
        ("join_game", "malformed", per), ("unknown", "unknown_event", per),
    ]  # fmt: skip


def test_strangers_who_come_and_go_fill_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """What is not said is counted, and said when there is room again."""
    caplog.set_level(logging.INFO, "pycore.relay")
    clock = [0.0]
    noticed = Noticed(Measures(), str, clock=lambda: clock[0])
    for number in range(1000):
        noticed.event("join_game", f"s{number}", [], {"status": "ok", "state": "waiting"}, 0.0)
    clock[0] = 1.0
    for number in range(1000, 1011):
        noticed.event("join_game", f"s{number}", [], {"status": "ok", "state": "waiting"}, 0.0)
    lines = [(event, fields.get("times")) for event, fields in said(caplog)]
    assert lines == [("waiting", None)] * 300 + [("unsaid", 700)] + [("waiting", None)] * 10


def test_a_page_that_fails_again_and_again_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """What is not said is counted in the next line that is."""
    caplog.set_level(logging.INFO, "pycore.relay")
    clock = [0.0]
    noticed = Noticed(Measures(), str, clock=lambda: clock[0])
    for _ in range(1000):
        noticed.page_failed(None, Failure("code", "message", "game", ""))
    clock[0] = 1.0
    noticed.page_failed(None, Failure("code", "message", "game", ""))
    lines = [fields.get("unsaid") for event, fields in said(caplog) if event == "page_failed"]
    assert lines == [None] * 50 + [950]


def line_of(formatter: logging.Formatter, **fields: Any) -> str:
    """A line of the log with these fields."""
    written: list[str] = []
    log = logging.Logger("of the test")
    handler = logging.Handler()
    handler.emit = lambda record: written.append(formatter.format(record))  # type: ignore[method-assign]
    log.addHandler(handler)
    say(log, logging.INFO, "page_failed", "a page failed", **fields)
    (line,) = written
    return line


def test_a_line_of_json_is_one_object_whatever_a_stranger_wrote() -> None:
    """Names of events and fields are where they are expected; no control character is in it."""
    hostile = '\x1b[2J\n{"event": "x"} \u202e \x9b31m'
    line = line_of(JsonFormatter(), said=hostile, times=3, none=None)
    assert line.isascii()
    assert line.isprintable()
    found = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert found == {
        "level": "info", "event": "page_failed", "message": "a page failed", "said": hostile, "times": 3,
    }  # fmt: skip


def test_a_line_of_text_has_its_fields_behind_the_sentence() -> None:
    """What is no plain word is quoted."""
    formatter = logging.Formatter("%(levelname)s %(message)s")
    shown = line_of(formatter, game="ab12", said='two "words"', waited_s=[1.5, 0.0])
    assert shown == 'INFO a page failed game=ab12 said="two \\"words\\"" waited_s=1.5,0'


def test_what_has_no_name_and_what_was_raised_are_objects_too() -> None:
    """Every line is one."""
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        raised = sys.exc_info()
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "it %s", ("failed",), raised)
    found = json.loads(JsonFormatter().format(record))
    assert (found["event"], found["level"], found["message"]) == ("log", "error", "it failed")
    assert "ValueError" in found["traceback"]


@pytest.mark.slow
def test_the_command_logs_json_and_has_metrics_at_an_address_of_their_own(tmp_path: Path) -> None:
    """Which has nothing else; it ends with the server, with status 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        beside = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "pycore", "relay", "--port", "0", "--metrics-address", f"127.0.0.1:{beside}",
        "--log", "json", "--log-level", "info",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split(" on ")[1].strip()

        async def play() -> None:
            one, two = await Client(url).connect(), await Client(url).connect()
            await one.call("join_game", {})
            await two.call("join_game", {})
            await one.close()
            await two.close()

        asyncio.run(play())
        with urllib.request.urlopen(f"http://127.0.0.1:{beside}/metrics", timeout=5) as answer:
            assert samples(answer.read().decode())["pycore_games_started_total", "paired"] == 1
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{beside}/api/operator", timeout=5)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=15)
        assert process.returncode == 0, log
    finally:
        process.kill()
        process.communicate()
    assert "game_started" in [json.loads(line)["event"] for line in log.splitlines()]
