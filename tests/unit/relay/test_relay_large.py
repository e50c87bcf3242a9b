"""What is stored, large or fast: read in no time, bounded, and refused before a disk is full."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relay_support import Relay, running

from pycore.relay import Limits
from pycore.relay.fields import Refused
from pycore.relay.games.uploads import read_metrics
from pycore.relay.limits import DEBT_S, TokenBucket
from pycore.relay.partial import Uploads
from pycore.relay.storage.disk import Disk
from pycore.relay.storage.store import DataStore, StoreFailed
from pycore.relay.transport.large import FEW, LARGE, JsonText, arguments_of, is_object
from pycore.relay.transport.wire import Guarded, Unread, read_event

LIMITS = Limits()

# Reading --------------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.slow
@given(st.dictionaries(TEXTS, VALUES, max_size=4), TEXTS, st.integers(-1, 100), TEXTS)
def test_a_large_event_is_read_as_a_small_one_and_its_metrics_stay_text(
    metrics: dict[str, Any], game: str, episode: int, other: str
) -> None:
    payload = {"game_id": game, "player_id": 0, "episode": episode, "metrics": metrics, "unknown": [other]}
    text = json.dumps(["p2p_session_metrics", payload], separators=(",", ":"), ensure_ascii=False)
    arguments = arguments_of(text)
    assert arguments is not None
    (fields,) = arguments
    assert (fields["game_id"], fields["player_id"], fields["episode"]) == (game, 0, episode)
    assert isinstance(fields["metrics"], JsonText)
    assert json.loads(fields["metrics"]) == metrics
    assert "unknown" not in fields
    assert fields["so_far"] is False
    assert fields["session_id"] is None


@given(TEXTS)
def test_a_large_text_comes_to_the_character(data: str) -> None:
    for text in (
        json.dumps(["pycore_rows", {"data": data}]), json.dumps(["pycore_rows", {"data": data}], ensure_ascii=False)
    ):  # fmt: skip
        arguments = arguments_of(text)
        assert arguments is not None
        assert arguments[0]["data"] == data


def packet(metrics: str) -> str:
    return f'2["p2p_session_metrics",{{"game_id":"g","player_id":0,"episode":-1,"metrics":{metrics}}}]'


def test_a_large_piece_is_one_as_a_small_one_is() -> None:
    """Of an upload that comes in pieces, however large a page makes them; what is no piece has nothing of one."""
    piece = {"game_id": "g", "player_id": 0, "episode": 0, "at": 70_000, "of": 200_000, "packed": "A" * 70_000}
    for payload in (piece, {name: value for name, value in piece.items() if name not in ("at", "of")}):
        text = json.dumps(["p2p_session_metrics", payload])
        assert len(text) > LARGE
        arguments = arguments_of(text)
        assert arguments is not None
        assert Uploads(Limits()).goes_on(arguments[0]) is ("of" in payload)
        assert payload.items() <= arguments[0].items()


@pytest.mark.slow
@pytest.mark.parametrize(
    "value",
    ["1,", '"",', "1.5,", "{},", "[],", "true,", '{"a":1},'],
    ids=["integers", "texts", "floats", "objects", "arrays", "words", "pairs"],
)
def test_sixteen_megabytes_of_values_hold_nobody_up(value: str) -> None:
    """As objects of Python they took seconds, and everybody's game stood still."""
    text = packet('{"n":[' + value * (16_000_000 // len(value)) + "1]}")
    began = time.thread_time()
    _, _, (fields,) = read_event(text, LIMITS)
    with pytest.raises(Refused) as refused:
        read_metrics(fields, LIMITS)
    assert refused.value.code == "too_large"
    assert time.thread_time() - began < 0.4


@pytest.mark.parametrize(
    "metrics",
    [
        "[" * 100_000,
        "NaN",
        "[1e999" + ",1" * FEW,
        '{"a":"\ud800"}' + "," * LARGE,
        "{" + '"a":[' * 60_000,
        "x" * 100_000,
    ],
    ids=["nested", "a word", "cut off", "half a pair", "nested objects", "no JSON"],
)
def test_what_is_no_json_is_refused_and_raises_nothing_else(metrics: str) -> None:
    text = packet(metrics + " " * LARGE)
    with pytest.raises((Refused, Unread)) as refused:
        read_metrics(read_event(text, LIMITS)[2][0], LIMITS)
    assert refused.value.code == "malformed"


def test_half_a_pair_is_kept_as_it_came_while_it_is_not_hidden_in_masses() -> None:
    """A page's text may hold one, and JSON has an escape for it."""
    much = "x" * LARGE
    _, _, (fields,) = read_event(packet(json.dumps({"a": "\ud800", "much": much})), LIMITS)
    assert json.loads(read_metrics(fields, LIMITS).data) == {"a": "\ud800", "much": much}
    with pytest.raises(Unread):
        read_event(packet('{"a":"\\ud800","n":[' + "1," * (FEW + 1) + "1]}"), LIMITS)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("{}", True), (' \n{"a": [1]}', True), ("[]", False), ("1", False), ("", False), ('"{}"', False)],
)
def test_metrics_as_text_have_to_be_an_object(text: str, verdict: bool) -> None:
    assert is_object(text) == verdict


@pytest.mark.parametrize("text", ["{", '{"a":NaN}', "{} {}", '{"a":1e}', "{'a':1}"])
def test_and_json(text: str) -> None:
    with pytest.raises(ValueError):
        is_object(text)


# The disk -------------------------------------------------------------------------------------------------------------


def test_before_a_disk_is_full_nothing_more_is_taken_and_then_it_is_again() -> None:
    free = [1000]
    disk = Disk(Path("/somewhere"), 500, lambda folder: free[0])
    disk.take(100, 0.0)
    disk.take(100, 0.1)
    with pytest.raises(Refused) as refused:
        disk.take(100, 0.2)  # it has not looked again, and counts twice what it took
    assert refused.value.code == "disk_full"
    disk.take(10, 0.3)
    free[0] = 499
    with pytest.raises(Refused):
        disk.take(0, 2.0)
    assert disk.is_full(2.0)
    free[0] = 10_000
    disk.take(100, 4.0)
    assert not disk.is_full(4.0)


def test_whether_a_disk_is_full_is_asked_of_it_though_nobody_stores() -> None:
    """Somebody makes room, or fills it; and it does not say for a while."""
    free = [1000]
    disk = Disk(Path("/somewhere"), 500, lambda folder: free[0])
    assert not disk.is_full(0.0)
    free[0] = 100
    assert not disk.is_full(0.5)
    assert disk.is_full(1.5)
    free[0] = 1000
    assert not disk.is_full(3.0)


def test_another_machines_disk_is_not_looked_at() -> None:
    def fails(folder: Path) -> int:
        raise AssertionError

    Disk(None, 500, fails).take(10**9, 0.0)


def test_a_disk_that_does_not_say_is_not_full() -> None:
    def fails(folder: Path) -> int:
        raise OSError

    disk = Disk(Path("/gone"), 500, fails)
    disk.take(10**9, 0.0)
    assert not disk.is_full(0.0)


def metrics(game: str, player: int, episode: int, text: str) -> dict[str, Any]:
    return {"game_id": game, "player_id": player, "episode": episode, "metrics": {"m": text}}


@pytest.mark.slow
def test_pages_are_told_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, _), game):
            assert (await one.call("p2p_session_metrics", metrics(game, 0, 0, "x")))["status"] == "ok"
            keeping = relay.app.relay.keeping
            keeping.disk = Disk(tmp_path, 500, lambda folder: 499)
            refused = await one.call("p2p_session_metrics", metrics(game, 0, 1, "x"))
            assert (refused["status"], refused["code"]) == ("error", "disk_full")
            keeping.disk = Disk(tmp_path, 500, lambda folder: 10**9)
            assert (await one.call("p2p_session_metrics", metrics(game, 0, 1, "x")))["status"] == "ok"
            assert (await relay.counts(game))["stored"]["metrics"] == 2

    with running(tmp_path) as relay:
        asyncio.run(go(relay))


@pytest.mark.slow
def test_a_stranger_fills_no_disk_in_an_hour(tmp_path: Path) -> None:
    """What one socket stores in a short time is bounded, whatever it says of games; it may go on a little later."""

    async def go(relay: Relay) -> None:
        async with relay.pair() as ((one, _), game):
            codes = []
            for number in range(6):
                reply = await one.call("p2p_session_metrics", metrics(game, 0, number, "x" * 100_000))
                codes.append(reply.get("code"))
            assert codes[:3] == [None] * 3
            assert codes[3:] == ["store_busy"] * 3
            assert (await relay.counts(game))["stored"]["metrics"] == 3

    with running(tmp_path, limits=Limits(store_bytes_rate=10.0, store_bytes_burst=250_000.0)) as relay:
        asyncio.run(go(relay))


def test_what_is_owed_is_paid_before_anything_passes() -> None:
    bucket = TokenBucket(10.0, 100.0)
    assert bucket.take(0.0, 0.0)
    bucket.spend(0.0, 250.0)
    assert bucket.owed(0.0) == DEBT_S, "and no more"
    assert not bucket.take(DEBT_S - 0.1, 0.0)
    assert bucket.take(DEBT_S + 0.1, 0.0)


# The lock -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_many_stores_behind_a_lock_wait_once_for_it_all_together(tmp_path: Path) -> None:
    """In series the eighth would wait eight times as long, and those behind it longer than a page waits."""
    file = tmp_path / "study.db"
    store = DataStore(f"sqlite:///{file}?timeout=0.3")

    async def put(number: int) -> str:
        try:
            await store.put_metrics("game", "0", number, "{}", 0.0)
            return "ok"
        except StoreFailed:
            return "failed"

    async def go() -> None:
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert await asyncio.gather(*(put(number) for number in range(20))) == ["failed"] * 20
        assert 0.3 <= time.monotonic() - began < 3.0, "20 in series take six seconds"
        holder.execute("ROLLBACK")
        holder.close()
        assert await asyncio.gather(*(put(number) for number in range(20))) == ["ok"] * 20

    try:
        asyncio.run(go())
    finally:
        store.close()
    assert sqlite3.connect(file).execute("SELECT count(*) FROM session_metrics").fetchone() == (20,)


def test_one_store_that_is_wrong_fails_alone(tmp_path: Path) -> None:
    """It waited for nothing, so it says nothing about those behind it."""
    store = DataStore(f"sqlite:///{tmp_path / 'study.db'}")

    async def go() -> None:
        wrong: Any = object()
        done = await asyncio.gather(
            store.put_metrics("game", "0", 0, wrong, 0.0), store.put_metrics("game", "0", 1, "{}", 0.0),
            return_exceptions=True,
        )  # fmt: skip
        assert isinstance(done[0], StoreFailed)
        assert done[1] is None

    try:
        asyncio.run(go())
    finally:
        store.close()


def test_an_event_has_few_levels_more_than_its_field_may_have_but_metrics_have_any() -> None:
    """What is deeper is no event of a page's, and is read by nobody else."""
    for levels in (1, LIMITS.depth):
        text = json.dumps(["webrtc_signal", {"payload": nested(levels)}])
        assert read_event("2" + text, LIMITS)[2] == [{"payload": nested(levels)}]
    with pytest.raises(Unread, match="not JSON"):
        read_event("2" + json.dumps(["webrtc_signal", {"payload": nested(100)}]), LIMITS)
    read_event("2" + json.dumps(["webrtc_signal", {"payload": "[" * 1000}]), LIMITS)
    read_event("2" + json.dumps(["p2p_session_metrics", {"metrics": {"of": nested(100)}}]), LIMITS)
    with pytest.raises(ValueError, match="nested"):
        Guarded.loads(json.dumps({"session_id": nested(100)}))
    assert Guarded.loads('{"session_id":"[[[[[[[[[["}') == {"session_id": "[" * 10}


def nested(levels: int) -> list[Any]:
    """A list in a list in a list."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value
