"""The page's data file: whatever an environment gives, one row per frame, and nothing shifts."""

from __future__ import annotations

import ast
import importlib.util
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycore.interactive_gym.table import PER_AGENT, EpisodeTable, joined
from pycore.simulation import StepResult
from pycore.values.json import UNRECORDABLE, plain_json

Frame = dict[str, Any]


def table_of(frames: list[Frame], episode: int = 0) -> EpisodeTable:
    """A table that was given these frames."""
    table = EpisodeTable(episode)
    for number, frame in enumerate(frames):
        result = StepResult(
            frame.get("rewards", {}), frame.get("terminateds", {}), frame.get("truncateds", {}),
            frame.get("infos", {}), False,
        ) if "actions" in frame else None  # fmt: skip
        table.add(
            actions=frame.get("actions", {}),
            people=tuple(frame.get("actions", {}).values()),
            result=result,
            focus=frame.get("isFocused", {}),
            guessed=frame.get("wasSpeculative", {}),
            timestamp=1000 + number,
        )
    return table


def columns_of(data: Any, name: str = "") -> dict[str, Any]:
    """As the page's server flattens: dictionaries with dots, empty ones vanish, everything else is a leaf."""
    if not isinstance(data, dict):
        return {name: data}
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat.update(columns_of(value, f"{name}.{key}" if name else str(key)))
    return flat


def rows_of(data: dict[str, Any]) -> int:
    """As many rows as the longest column has: the server pads the others at their end."""
    return max(len(value) if isinstance(value, list) else 1 for value in columns_of(data).values())


agents = st.sampled_from([0, 1, "left", "2"])
leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=3)
infos = st.dictionaries(
    agents, leaves | st.dictionaries(st.sampled_from(["x", "y.z", 3]), leaves, max_size=3), max_size=3
)
frames = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "actions": st.dictionaries(agents, leaves, max_size=4),
            "rewards": st.dictionaries(agents, leaves, max_size=4),
            "terminateds": st.dictionaries(agents, st.booleans(), max_size=4),
            "truncateds": st.dictionaries(agents, st.booleans(), max_size=4),
            "infos": infos,
            "isFocused": st.dictionaries(st.sampled_from(["0", "1"]), st.booleans(), max_size=2),
            "wasSpeculative": st.dictionaries(agents, st.booleans(), max_size=4),
        },
    ),
    min_size=1,
    max_size=12,
)
events = st.lists(st.fixed_dictionaries({"frame": st.integers(0, 20), "predictedAction": leaves}), max_size=40)


@pytest.mark.slow
@given(given_frames=frames, given_events=events)
def test_every_column_is_as_long_as_the_episode_whatever_is_missing(
    given_frames: list[Frame], given_events: list[Any]
) -> None:
    """Agents come and go, infos have any shape, more rollbacks than frames: as many rows as frames, each in its own."""
    data = json.loads(plain_json(table_of(given_frames).export({"0": "ann", "1": None}, given_events)))
    count = len(given_frames)
    assert rows_of(data) == count
    for name, column in columns_of({name: data[name] for name in PER_AGENT}).items():
        assert len(column) == count, name
    assert data["t"] == list(range(count))
    assert data["timestamp"] == [1000 + frame for frame in range(count)]
    assert data["rollbackEvents"] == json.loads(plain_json(given_events[:count]))
    for frame, given_frame in enumerate(given_frames):
        rewards = given_frame.get("rewards", {}) if "actions" in given_frame else {}
        for agent in data["rewards"]:
            value = next((rewards[a] for a in rewards if str(a) == agent), None)
            assert data["rewards"][agent][frame] == json.loads(plain_json(value))


@pytest.mark.slow
@given(given_frames=frames, cut=st.integers(1, 5))
def test_parts_of_an_episode_are_together_the_whole(given_frames: list[Frame], cut: int) -> None:
    """Where a message would be too large for the page's server: no row is lost, none comes twice, none shifts."""
    table = table_of(given_frames)
    whole = table.export({}, [])
    parts = [table.export({}, [], at, min(table.rows, at + cut)) for at in range(0, table.rows, cut)]
    assert all(rows_of(part) == len(part["t"]) for part in parts)
    again = joined(parts)
    assert {name: again[name] for name in whole} == whole


@pytest.mark.slow
@given(episodes=st.lists(frames, min_size=1, max_size=4))
def test_joined_episodes_have_all_rows_and_each_in_its_place(episodes: list[list[Frame]]) -> None:
    """A column that an episode lacks is empty there, not shorter."""
    exports = [table_of(of, number).export({"0": "ann"}, []) for number, of in enumerate(episodes)]
    whole = joined(exports)
    total = sum(len(of) for of in episodes)
    assert rows_of(json.loads(plain_json(whole))) == total
    at = 0
    for number, export in enumerate(exports):
        rows = len(episodes[number])
        assert whole["episode_num"][at : at + rows] == [number] * rows
        for name in PER_AGENT:
            for key, column in whole[name].items():
                assert len(column) == total
                expected = export[name].get(key, [None] * rows)
                assert repr(column[at : at + rows]) == repr(expected)
        at += rows


def test_two_agents_whose_ids_read_alike_share_a_column_and_lengthen_none() -> None:
    """0 and "0" are one name in a file's header; the last one stands."""
    table = table_of([{"actions": {0: 1, "0": 2}, "infos": {"a": {"b.c": 1}, "a.b": {"c": 2}}}] * 3)
    data = table.export({}, [])
    assert data["actions"] == {"0": [2, 2, 2]}
    assert data["infos"] == {"a.b.c": [2, 2, 2]}


def test_an_info_that_json_cannot_spell_costs_no_row() -> None:
    """Objects, bytes, tuples as keys, numpy's own not-a-number: a text or nothing in that cell, the rest as it is."""
    numpy = pytest.importorskip("numpy")
    info = {
        "object": object(), "bytes": b"x", "set": {2, 1}, "keys": {(1, 2): 3}, "nan": numpy.float32("nan"),
        "array": numpy.array([1.0, math.inf]), "count": numpy.int64(7), "fine": 1, "mixed": {1, "a"},
        "deep": [{"x": [object()]}],
    }  # fmt: skip
    data = json.loads(plain_json(table_of([{"actions": {0: 1}, "infos": {0: info}}]).export({}, [])))
    assert {name.removeprefix("0."): column[0] for name, column in data["infos"].items()} == {
        "object": UNRECORDABLE, "bytes": UNRECORDABLE, "set": [1, 2], "keys": {"(1, 2)": 3}, "nan": None,
        "array": [1.0, "inf"], "count": 7, "fine": 1, "mixed": [1, "a"], "deep": [{"x": [UNRECORDABLE]}],
    }  # fmt: skip


def test_infinity_and_not_a_number_never_reach_the_pages_parser() -> None:
    """JavaScript's parser refuses both; a CSV has an empty cell and a text."""
    table = table_of([{"actions": {0: 1}, "rewards": {0: value}} for value in (math.nan, math.inf, -math.inf, 0.1)])
    text = plain_json(table.export({}, []))
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["rewards"] == {"0": [None, "inf", "-inf", 0.1]}


def _servers_function() -> Callable[[dict[str, Any]], Any]:
    """The function of mug's server that makes the file, taken out of its source: importing the server starts it."""
    flatten_dict = pytest.importorskip("flatten_dict")
    pandas = pytest.importorskip("pandas")
    spec = importlib.util.find_spec("mug")
    if spec is None or spec.origin is None:
        pytest.skip("mug is not installed here")
    tree = ast.parse((Path(spec.origin).parent / "server" / "app.py").read_text(encoding="utf-8"))
    wanted = [node for node in tree.body if getattr(node, "name", "") == "_game_data_to_dataframe"]
    assert wanted, "mug's server makes its files elsewhere"
    namespace: dict[str, Any] = {"flatten_dict": flatten_dict, "pd": pandas}
    exec(compile(ast.Module(wanted, []), "mug.server.app", "exec"), namespace)
    function: Callable[[dict[str, Any]], Any] = namespace["_game_data_to_dataframe"]
    return function


@pytest.mark.slow
def test_the_servers_own_function_makes_one_row_per_frame_of_it() -> None:
    """msgpack, flatten_dict and pandas as on mug's server, over many episodes of any shape; and it flattens as here."""
    to_dataframe = _servers_function()
    msgpack = pytest.importorskip("msgpack")
    rng = random.Random(3)
    for _ in range(60):
        frames = []
        for _ in range(rng.randrange(1, 9)):
            living = rng.sample([0, 1, "bot"], rng.randrange(4))
            frames.append(
                {
                    "actions": dict.fromkeys((0, 1), rng.randrange(5)),
                    "rewards": {agent: rng.choice([0.5, math.nan, -math.inf]) for agent in living},
                    "terminateds": dict.fromkeys(living, False),
                    "infos": {agent: {key: [1, {"a": 2}] for key in rng.sample("xyz", 2)} for agent in living},
                    "isFocused": {"0": True, "1": False},
                    "wasSpeculative": {0: True, 1: False},
                }
            )
        events = [{"frame": number, "playerId": "1"} for number in range(rng.randrange(20))]
        data = json.loads(plain_json(table_of(frames).export({"0": "ann", "1": "bob"}, events)))
        frame = to_dataframe(msgpack.unpackb(msgpack.packb(data)))
        assert frame["player_subjects.0"].notna().tolist() == [True] + [False] * (len(frames) - 1)
        assert len(frame) == len(frames) == rows_of(data)
        assert list(frame["t"]) == list(range(len(frames)))
        assert set(frame.columns) == set(columns_of(data))
        for number, given_frame in enumerate(frames):
            for agent in (0, 1, "bot"):
                column = f"infos.{agent}.x"
                if column in frame.columns:
                    there = "x" in given_frame["infos"].get(agent, {})
                    assert isinstance(frame[column][number], list) is there
