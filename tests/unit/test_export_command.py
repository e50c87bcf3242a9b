"""`pycore export`: the tables have what the files have, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from records_support import SETTINGS, changed, forgotten, played, stored  # noqa: F401

from pycore.cli import cli
from pycore.export import cells, parquet
from pycore.export.columns import TABLES
from pycore.export.sources import of_paths
from pycore.export.writing import write

Rows = list[dict[str, str]]


def run(*arguments: str | Path) -> Result:
    """The command's outcome."""
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


def table(folder: Path, name: str) -> Rows:
    """The rows of a table, whose columns are those that are promised."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        rows = list(reader)
    assert list(reader.fieldnames or ()) == [column.name for column in TABLES[name].columns]
    return rows


def exported(tmp_path: Path, *arguments: str | Path) -> Path:
    """The folder of an export that went well."""
    result = run(*arguments, "--csv", tmp_path / "tables")
    assert result.exit_code == 0, result.output
    return tmp_path / "tables"


def without(folder: Path) -> list[str]:
    """Names in a folder: nothing half may be left."""
    return sorted(path.name for path in folder.iterdir())


def test_a_page_that_went_away_in_the_middle_leaves_a_game_that_is_read_and_called_partial(tmp_path: Path) -> None:
    """Its record ends at its last confirmed frame; of what came behind a gap there is a file that nothing reads."""
    game = stored(tmp_path / "game")
    record = game / "trajectory-1.jsonl"
    lines = record.read_text().splitlines(keepends=True)
    record.write_text("".join(lines[:31]))
    (game / "trajectory-1.jsonl.incomplete").write_text("".join([*lines[:31], *lines[41:]]))
    metrics = json.loads((game / "metrics-1.json").read_text())
    so_far = {**metrics, "soFar": True, "episodes": [], "end": {"reason": None}}
    (game / "metrics-1.json").write_text(json.dumps(so_far))
    done = run(game, "--csv", tmp_path / "tables")
    assert (done.exit_code, "lacks parts of it" in done.output) == (1, True)
    sessions = table(tmp_path / "tables", "sessions")
    assert [row["evidence"] for row in sessions] == ["partial"] * 2
    assert [row["exported_record"] for row in sessions] == ["true", "false"]
    reasons = "; ".join(json.loads(sessions[0]["evidence_reasons"]))
    assert "player 1 has 30 of 100 frames, and nothing from episode 0, frame 30 on" in reasons
    assert "the page of player 1 went away in the middle of an episode; its metrics end there" in reasons
    assert "trajectory-1.jsonl.incomplete was not read" in reasons


def test_the_tables_have_what_the_files_have(tmp_path: Path) -> None:
    """Sessions, episodes, frames, rollbacks and paths, and a dictionary of their columns."""
    game = stored(tmp_path / "game", about=True)
    metrics = json.loads((game / "metrics-0.json").read_text())
    metrics["inputs"]["givenToServer"] = 17
    (game / "metrics-0.json").write_text(json.dumps(metrics))
    out = exported(tmp_path, game)
    assert without(out) == ["columns.json", *sorted(f"{name}.csv" for name in TABLES)]
    assert without(tmp_path) == ["game", "tables"]
    sessions = table(out, "sessions")
    assert [row["player"] for row in sessions] == ["0", "1"]
    first = sessions[0]
    assert (first["game_id"], first["seat"], first["subject"], first["seed"]) == ("mesh", "0", "anna", "4")
    assert (first["started"], first["ended"]) == ("1700000000.0", "1700000060.0")
    assert json.loads(first["settings"]) == SETTINGS
    assert (first["evidence"], first["evidence_reasons"], first["end_reason"]) == ("reconciled", "[]", "complete")
    assert (first["record_frames"], first["exported_record"]) == ("100", "true")
    assert int(first["inputs_sent_p2p"]) == metrics["inputs"]["sentViaP2P"]
    assert first["inputs_given_to_server"] == "17"
    assert int(first["rollback_events"]) == metrics["rollbacks"]["count"] > 0
    assert json.loads(first["rtt_ms"]) == metrics["quality"]["rttMs"]
    frames = table(out, "frames")
    lines = [json.loads(line) for line in (game / "trajectory-0.jsonl").read_text().splitlines()]
    rows = [line for line in lines if "frame" in line]
    assert len(frames) == 2 * len(rows) == 200
    for row, line in zip(frames[1::2], rows, strict=True):
        assert (row["episode"], row["frame"], row["player"]) == (str(line["episode"]), str(line["frame"]), "1")
        assert json.loads(row["action"]) == line["actions"][1]
        assert json.loads(row["reward"]) == line["rewards"]["1"]
        assert (row["terminated"], row["truncated"], row["hash"]) == ("false", "false", line.get("hash", ""))
    episodes = table(out, "episodes")
    assert [(row["episode"], row["player"], row["frames"], row["whole"], row["reason"]) for row in episodes] == [
        (episode, player, "50", "true", "max_steps") for episode in "01" for player in "01"
    ]
    assert episodes[3]["final_hash"] == lines[-1]["hash"]
    assert {row["input_delay"] for row in episodes} == {"1"}
    assert int(episodes[3]["total_reward"]) == sum(row["rewards"]["1"] for row in rows if row["episode"] == 1)
    rollbacks = [row for row in table(out, "rollbacks") if row["player"] == "0"]
    assert [int(row["frame"]) for row in rollbacks] == [event["frame"] for event in metrics["rollbacks"]["events"]]
    assert json.loads(rollbacks[0]["actual_action"]) == metrics["rollbacks"]["events"][0]["actualAction"]
    paths = [row for row in table(out, "paths") if row["player"] == "0"]
    assert [row["cause"] for row in paths] == [change["cause"] for change in metrics["pathChanges"]]


def test_rules_say_who_is_excluded_and_leave_nothing_out(tmp_path: Path) -> None:
    """Of a player alone, or of a game for everybody. Without rules the cells are empty; a broken one is refused."""
    game = stored(tmp_path / "game", about=True)
    depths = [json.loads((game / f"metrics-{player}.json").read_text())["rollbacks"]["performed"] for player in "01"]
    most = max(depths)
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([
        {"name": "whole", "metric": "frames", "op": "==", "value": 100},
        {"name": "most", "scope": "player", "metric": "rollbacks", "op": ">=", "value": most},
        {"name": "none", "metric": "desyncs", "op": ">", "value": 0},
    ]))  # fmt: skip
    rows = table(exported(tmp_path, game, "--exclusions", rules), "sessions")
    for row, depth in zip(rows, depths, strict=True):
        names = ["whole", "most"] if depth == most else ["whole"]
        assert (row["excluded"], json.loads(row["excluded_by"])) == ("true", names)
    assert {(row["excluded"], row["excluded_by"]) for row in table(exported(tmp_path, game), "sessions")} == {("", "")}
    rules.write_text('[{"name": "x", "metric": "nothing", "op": ">", "value": 0}]')
    result = run(game, "--csv", tmp_path / "other", "--exclusions", rules)
    assert (result.exit_code, "there is no metric 'nothing'" in result.output) == (2, True)
    assert not (tmp_path / "other").exists()


def test_the_dictionary_explains_every_column(tmp_path: Path) -> None:
    """By name, type, unit and what it is, in the order of the tables."""
    out = exported(tmp_path, stored(tmp_path / "game"))
    explained = json.loads((out / "columns.json").read_text())
    for name, of in explained["tables"].items():
        with (out / f"{name}.csv").open() as stream:
            assert next(csv.reader(stream)) == [column["name"] for column in of["columns"]]
        assert all(column["what"] and column["type"] in explained["cells"] | {"text": 1} for column in of["columns"])
    guide = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    for of in TABLES.values():
        assert [column.name for column in of.columns if f"`{column.name}`" not in guide] == []


def test_the_guide_names_every_column_in_its_order() -> None:
    """One was missing."""
    guide = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")
    listed = guide.partition("| table | a row is | columns |")[2].partition("\n\n")[0]
    rows = [line.split(" | ") for line in listed.splitlines() if line.startswith("| `")]
    named = {name.strip("| `"): re.findall(r"`([^`]+)`", columns) for name, _, columns in rows}
    assert named == {name: [column.name for column in table.columns] for name, table in TABLES.items()}


def test_a_game_that_was_cut_short_says_so(tmp_path: Path) -> None:
    """The longest record is exported; who has less is told."""
    out = exported(tmp_path, stored(tmp_path / "game", leaves=True))
    sessions = table(out, "sessions")
    assert [(row["evidence"], row["record_frames"], row["exported_record"]) for row in sessions] == [
        ("partial", "92", "true"), ("partial", "91", "false")
    ]  # fmt: skip
    assert "player 1 has 91 of 92 frames" in json.loads(sessions[0]["evidence_reasons"])[0]
    assert [(row["frames"], row["whole"]) for row in table(out, "episodes")] == [
        ("50", "true"), ("50", "true"), ("42", "false"), ("41", "false")
    ]  # fmt: skip
    assert len(table(out, "frames")) == 184


def spoilt(change: Callable[[dict[str, Any]], object], tmp_path: Path) -> dict[str, str]:
    """The first row of player 1 in a record with its first line changed."""
    game = tmp_path / "one"
    game.mkdir()
    (game / "trajectory-0.jsonl").write_text(changed(played()[0]["0"], 2, change))
    return table(exported(tmp_path, game / "trajectory-0.jsonl"), "frames")[1]


@pytest.mark.parametrize(
    ("key", "value", "cells"),
    [
        ("rewards", -1.5, {"reward": "-1.5", "reward_json": ""}),
        ("rewards", float("nan"), {"reward": "NaN"}),
        ("rewards", float("-inf"), {"reward": "-Infinity"}),
        ("rewards", 2**53 + 1, {"reward": "", "reward_json": "'9007199254740993"}),
        ("rewards", [1, 2.5], {"reward": "", "reward_json": "[1,2.5]"}),
        ("rewards", "=1+1", {"reward": "", "reward_json": '"=1+1"'}),
        ("infos", {"b": "=x", "n": -1}, {"info": '{"b":"=x","n":-1}'}),
        ("infos", -1, {"info": "-1"}),
        ("infos", 'a\nb,"c"', {"info": '"a\\nb,\\"c\\""'}),
        ("terminations", True, {"terminated": "true"}),
    ],
)
def test_cells_are_as_in_the_record_and_no_formula(tmp_path: Path, key: str, value: Any, cells: dict[str, str]) -> None:
    """Numbers stay numbers, and what a spreadsheet would round or reckon is text."""
    row = spoilt(lambda line: line[key].update({"1": value}), tmp_path)
    assert {name: row[name] for name in cells} == cells


def test_rewards_that_are_vectors_are_summed_by_component(tmp_path: Path) -> None:
    """By the first component of the record's own rewards; a total that a program would round is a text."""
    game = tmp_path / "one"
    game.mkdir()
    lines = played()[0]["0"].splitlines()
    earned = {0: 0, 1: 0}
    for number, text in enumerate(lines):
        line = json.loads(text)
        if "frame" in line:
            earned[line["episode"]] += line["rewards"]["0"]
            line["rewards"] = {"0": [line["rewards"]["0"], 0.5], "1": 2**52}
            lines[number] = json.dumps(line, sort_keys=True, separators=(",", ":"))
    (game / "trajectory-0.jsonl").write_text("\n".join([*lines, ""]))
    rows = table(exported(tmp_path, game / "trajectory-0.jsonl"), "episodes")
    assert [(row["total_reward"], row["total_reward_json"]) for row in rows] == [
        ("", f"[{earned[0]},25.0]"), ("", f"'{50 * 2**52}"), ("", f"[{earned[1]},25.0]"), ("", f"'{50 * 2**52}"),
    ]  # fmt: skip


def test_the_fields_of_a_desync_are_in_the_sessions(tmp_path: Path) -> None:
    """Path, own value, the other's; of all reports; empty where there is none."""
    game = stored(tmp_path / "game")
    metrics = json.loads((game / "metrics-0.json").read_text())
    field = {"path": "state.ball.x", "own": "3", "theirs": "7"}
    metrics["desyncReports"] = [{"episode": episode, "fields": [field]} for episode in (0, 1)] + [{"fields": []}]
    (game / "metrics-0.json").write_text(json.dumps(metrics))
    rows = table(exported(tmp_path, game), "sessions")
    assert json.loads(rows[0]["desync_fields"]) == [["state.ball.x", "3", "7"]] * 2
    assert rows[1]["desync_fields"] == ""


def test_no_text_begins_as_a_formula(tmp_path: Path) -> None:
    """Subject ids, names of agents, games and environments are anybody's texts."""
    game = stored(tmp_path / "game", about=True)
    assert table(exported(tmp_path, game), "sessions")[1]["subject"] == "'=bob"
    row = spoilt(lambda line: line["rewards"].update({"@SUM(A1)": 1}), tmp_path)
    assert row["player"] == "1"
    assert table(tmp_path / "tables", "frames")[2]["player"] == "'@SUM(A1)"


def test_a_line_end_of_any_kind_in_a_text_is_no_end_of_a_row(tmp_path: Path) -> None:
    """Before Python 3.13 a carriage return stood without quotes, and programs read two rows."""
    stream = io.StringIO()
    put = cells.rows_to(stream)
    for row in (["a\rb", "c"], ["d\r", "\n"], ["e,f", 'g"'], ["h\r\n", ""]):
        put(row)
    assert stream.getvalue() == '"a\rb",c\n"d\r","\n"\n"e,f","g"""\n"h\r\n",\n'


def test_agents_that_nobody_plays_have_rows_of_their_own(tmp_path: Path) -> None:
    """Without seat and action."""
    row = spoilt(lambda line: line["rewards"].update({"bot": 7}), tmp_path)
    assert row["player"] == "1"
    bot = table(tmp_path / "tables", "frames")[2]
    assert (bot["player"], bot["seat"], bot["action"], bot["reward"], bot["terminated"]) == ("bot", "", "", "7", "")


def renamed(game: Path, game_id: str, started: float, subjects: dict[str, Any]) -> None:
    """The same files as those of another game."""
    for file in (*game.glob("trajectory-*.jsonl"), *game.glob("metrics-*.json"), game / "game.json"):
        file.write_text(file.read_text().replace('"mesh"', f'"{game_id}"'))
    about = json.loads((game / "game.json").read_text())
    (game / "game.json").write_text(json.dumps(about | {"started": started, "subjects": subjects}))


def test_pseudonyms_follow_the_order_in_which_games_began(tmp_path: Path) -> None:
    """No table has a subject id; the mapping is a file elsewhere, and is kept to in the next export."""
    for name, started, subjects in (("a", 20.0, {"0": "carl", "1": "anna"}), ("b", 10.0, {"0": "bea", "1": "anna"})):
        stored(tmp_path / "games" / name, about=True)
        renamed(tmp_path / "games" / name, name, started, subjects)
    mapping = tmp_path / "secret" / "mapping.json"
    out = exported(tmp_path, tmp_path / "games", "--pseudonyms", "--mapping", mapping)
    assert [(row["game_id"], row["subject"]) for row in table(out, "sessions")] == [
        ("b", "P001"), ("b", "P002"), ("a", "P003"), ("a", "P002")
    ]  # fmt: skip
    assert json.loads(mapping.read_text()) == {"P001": "bea", "P002": "anna", "P003": "carl"}
    for file in out.iterdir():
        assert not any(name in file.read_text() for name in ("anna", "bea", "carl")), file
    renamed(tmp_path / "games" / "b", "b", 10.0, {"0": "zoe", "1": "anna"})
    out = exported(tmp_path, tmp_path / "games", "--pseudonyms", "--mapping", mapping)
    assert [row["subject"] for row in table(out, "sessions")] == ["P004", "P002", "P003", "P002"]
    assert mapping.stat().st_mode & 0o077 == 0


def test_pseudonyms_hide_nothing_where_players_are_called_by_their_subject(tmp_path: Path) -> None:
    """Then every table would say it. A participant whose number is that of the seat is not called by it."""
    game = stored(tmp_path / "game", about=True)
    renamed(game, "mesh", 1.0, {"0": "0", "1": "bob"})
    out = exported(tmp_path, game, "--pseudonyms", "--mapping", tmp_path / "map.json")
    assert [row["subject"] for row in table(out, "sessions")] == ["P001", "P002"]
    shutil.rmtree(out)
    (tmp_path / "map.json").unlink()
    about = json.loads((game / "game.json").read_text())
    (game / "game.json").write_text(json.dumps({**about, "players": ["0", "1"]}))
    result = run(game, "--csv", tmp_path / "tables", "--pseudonyms", "--mapping", tmp_path / "map.json")
    assert result.exit_code == 2
    assert "is called by the subject id" in result.output.replace("\n", " ")
    assert without(tmp_path) == ["game"]


def test_what_cannot_be_read_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    """Neither tables nor mapping; what was there before stays as it was."""
    stored(tmp_path / "games" / "a", about=True)
    bad = stored(tmp_path / "games" / "b", about=True)
    renamed(bad, "other", 2e9, {"0": "anna", "1": "bob"})
    words = (tmp_path / "games", "--csv", tmp_path / "tables", "--pseudonyms", "--mapping", tmp_path / "map.json")
    assert run(*words).exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "tables").iterdir()}
    mapping = (tmp_path / "map.json").read_bytes()
    file = bad / "trajectory-1.jsonl"
    text = file.read_text()
    cases = [
        (text[:-9], f"{file}: line 103: cut off"),
        (text.replace('"frame":9,', '"frame":8,'), f"{file}: line 11: frame 8 of episode 0, not frame 9"),
        (text.replace('"seed":4', '"seed":5'), f"{file} is not of the same game as {bad / 'trajectory-0.jsonl'}"),
        (text.replace('"other"', '"mesh"'), "its game_id is"),
    ]
    renamed(bad, "other", 2e9, {"0": "dora", "1": "emil"})
    for broken, message in cases:
        file.write_text(broken)
        result = run(*words)
        assert result.exit_code == 2, result.output
        assert message in result.output.replace("\n", " "), result.output
        assert {path: path.read_bytes() for path in (tmp_path / "tables").iterdir()} == before
        assert (tmp_path / "map.json").read_bytes() == mapping
        assert without(tmp_path) == ["games", "map.json", "tables"]


def test_a_game_is_exported_once(tmp_path: Path) -> None:
    """Two folders of one game are a mistake; its files named one by one belong together, and so do those of others."""
    a, b = stored(tmp_path / "games" / "a", about=True), stored(tmp_path / "games" / "b", about=True)
    result = run(tmp_path / "games", "--csv", tmp_path / "tables")
    assert result.exit_code == 2
    assert f"game mesh is in {a} and in {b}" in result.output.replace("\n", " ")
    renamed(b, "other", 1.8e9, {})
    files = [folder / f"{kind}" for folder in (a, b) for kind in ("trajectory-0.jsonl", "metrics-0.json")]
    out = exported(tmp_path, *files, a / "trajectory-1.jsonl")
    assert [(row["game_id"], row["evidence"]) for row in table(out, "sessions")] == [
        ("mesh", "reconciled"), ("mesh", "reconciled"), ("other", "single"), ("other", "single")
    ]  # fmt: skip


def test_of_files_of_several_folders_each_has_what_its_server_knew(tmp_path: Path) -> None:
    """As a shell spells `study/*/trajectory-*`: of all games but the first subjects and settings were lost."""
    for name, started in (("a", 10.0), ("b", 20.0), ("c", 30.0)):
        stored(tmp_path / name, about=True)
        renamed(tmp_path / name, name, started, {"0": f"anna-{name}"})
    (tmp_path / "c" / "game.json").unlink()
    files = sorted(tmp_path.glob("*/trajectory-*")) + sorted(tmp_path.glob("*/metrics-*"))
    rows = table(exported(tmp_path, *files), "sessions")
    assert [(row["game_id"], row["subject"], row["started"]) for row in rows if row["player"] == "0"] == [
        ("a", "anna-a", "10.0"), ("b", "anna-b", "20.0"), ("c", "", "")
    ]  # fmt: skip
    assert {row["evidence"] for row in rows} == {"reconciled"}


def test_a_record_whose_parts_are_missing_is_left_out_and_told(tmp_path: Path) -> None:
    """Status 1, as in `pycore data`."""
    game = stored(tmp_path / "game")
    (game / "trajectory-1.jsonl").rename(game / "trajectory-1.jsonl.incomplete")
    result = run(game, "--csv", tmp_path / "tables", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert (said["games"], said["frames"], said["statuses"]) == (1, 100, {"single": 1})
    assert "incomplete: mesh: trajectory-1.jsonl.incomplete was left out" in result.stderr
    assert len(table(tmp_path / "tables", "frames")) == 200


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{}/game"], "say where the tables go"),
        (["--csv", "{}/t"], "give the files or folders of games, or --database"),
        (["{}/game", "--database", "sqlite:///x.db", "--csv", "{}/t"], "and not both"),
        (["--database", "sqlite:///{}/none.db", "--csv", "{}/t"], "there is no database file"),
        (["{}/game", "--game", "g", "--csv", "{}/t"], "--game is one of a database"),
        (["{}/game", "--csv", "{}/t", "--parquet", "{}/t"], "--csv and --parquet are both"),
        (["{}/game", "--csv", "{}/t", "--pseudonyms"], "belong together"),
        (["{}/game", "--csv", "{}/t", "--mapping", "x"], "belong together"),
        (["{}/game", "--csv", "{}/t", "--pseudonyms", "--mapping", "{}/t/map.json"], "beside the tables"),
        (["{}/game", "--csv", "{}/t", "--pseudonyms", "--mapping", "{}/game/game.py"], "is not JSON"),
        (["{}/game", "--csv", "{}/t", "--pseudonyms", "--mapping", "{}/game/game.json"], "no mapping of pseudonyms"),
        (["{}/game", "--csv", "{}/game"], "has 'game.json' in it, which no export writes"),
        (["{}/game", "--csv", "{}/game/game.py"], "is no folder"),
        (["{}/none.jsonl", "--csv", "{}/t"], "there is no file"),
    ],
)
def test_a_mistake_in_the_call_is_told_with_the_way_out(tmp_path: Path, words: list[str], message: str) -> None:
    """Status 2, and nothing is written."""
    stored(tmp_path / "game", about=True)
    result = run(*(word.format(tmp_path) for word in words))
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n", " ")
    assert without(tmp_path) == ["game"]


@pytest.mark.slow
def test_the_database_of_a_relay_is_exported(tmp_path: Path) -> None:
    """As its files are: records in parts, metrics, and what the server knew."""
    import asyncio

    from pycore.relay.storage.store import DataStore

    url = f"sqlite:///{tmp_path / 'study.db'}"
    texts, metrics = played()

    async def fill(store: DataStore) -> None:
        row = {"game_id": "mesh", "started": 1.7e9, "ended": 1.7e9 + 60, "seed": 4, "players": "[0, 1]"}
        subjects = json.dumps({"0": "anna", "1": None})
        await store.put_game({**row, "subjects": subjects, "settings": json.dumps(SETTINGS)})
        for player, text in texts.items():
            half = len(text) // 2
            await store.put_record("mesh", player, 0, 0, 2, text[:half], 1.7e9)
            await store.put_record("mesh", player, 0, 1, 2, text[half:], 1.7e9)
            await store.put_metrics("mesh", player, -1, json.dumps(metrics[player]), 1.7e9)

    store = DataStore(url)
    asyncio.run(fill(store))
    store.close()
    out = exported(tmp_path, "--database", url)
    sessions = table(out, "sessions")
    assert [(row["subject"], row["evidence"], row["ended"]) for row in sessions] == [
        ("anna", "reconciled", "1700000060.0"), ("", "reconciled", "1700000060.0")
    ]  # fmt: skip
    direct = exported(tmp_path / "direct", stored(tmp_path / "game", about=True))
    assert (out / "frames.csv").read_bytes() == (direct / "frames.csv").read_bytes()
    assert without(tmp_path)[:3] == ["direct", "game", "study.db"]


def test_without_duckdb_the_command_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read or written."""
    import sys

    monkeypatch.setitem(sys.modules, "duckdb", None)
    result = run(stored(tmp_path / "game"), "--parquet", tmp_path / "p", "--csv", tmp_path / "c")
    assert result.exit_code == 2
    assert "pip install 'interactive-gym-pycore[study]'" in result.output.replace("\n", " ")
    assert without(tmp_path) == ["game"]


@pytest.mark.slow
def test_parquet_has_the_same_rows_with_types(tmp_path: Path) -> None:
    """Numbers are numbers, texts are without apostrophes, nothing is null."""
    duckdb = pytest.importorskip("duckdb")
    game = stored(tmp_path / "game", about=True)
    text = changed(played()[0]["0"], 2, lambda line: line["rewards"].update({"1": float("nan")}))
    text = changed(text, 3, lambda line: line["infos"].update({"1": "'a\nb"}))
    for player in "01":
        (game / f"trajectory-{player}.jsonl").write_text(text)
    result = run(game, "--parquet", tmp_path / "p", "--csv", tmp_path / "c")
    assert result.exit_code == 0, result.output
    assert without(tmp_path / "p") == ["columns.json", *sorted(f"{name}.parquet" for name in TABLES)]
    for name, of in TABLES.items():
        found = duckdb.sql(f"SELECT * FROM '{tmp_path / 'p' / name}.parquet'")
        assert found.columns == [column.name for column in of.columns]
        assert [str(kind) for kind in found.types] == [parquet.TYPES[column.type] for column in of.columns]
        assert len(found.fetchall()) == len(table(tmp_path / "c", name))
    subjects = duckdb.sql(f"SELECT subject FROM '{tmp_path / 'p' / 'sessions'}.parquet'").fetchall()
    assert subjects == [("anna",), ("=bob",)]
    rows = duckdb.sql(f"SELECT reward, info, hash, truncated FROM '{tmp_path / 'p' / 'frames'}.parquet'").fetchall()
    assert str(rows[1][0]) == "nan"
    assert rows[3][1:] == (json.dumps("'a\nb"), None, False)
    only = run(game, "--parquet", tmp_path / "q")
    assert only.exit_code == 0, only.output
    assert without(tmp_path) == ["c", "game", "p", "q"]


@pytest.mark.slow
def test_a_long_record_is_exported_in_bounded_memory(tmp_path: Path) -> None:
    """What is held does not grow with the frames."""
    flags = '"terminations":{"0":false},"truncations":{"0":false}}'
    with (tmp_path / "trajectory-0.jsonl").open("w") as stream:
        stream.write('{"game_id":"long","players":[0],"pycore":1,"seed":1}\n')
        for frame in range(10_000):
            stream.write(f'{{"actions":[1],"episode":0,"frame":{frame},"infos":{{}},"rewards":{{"0":1}},{flags}\n')
    tracemalloc.start()
    try:
        done = write(of_paths([tmp_path / "trajectory-0.jsonl"]), tmp_path / "tables")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert done.frames == 10_000
    # The files that are open take some 140 kB each; the rows would take several times the bound.
    assert peak < 2_000_000
