"""What pages stored as their metrics may be anything: it is refused by file and field, or read, and fails nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from records_support import forgotten, of_three, stored  # noqa: F401

from pycore.cli import cli
from pycore.export.shapes import OF_LINKS


def said(*arguments: str | Path) -> tuple[int, str]:
    """Exit status and output of a command."""
    result = CliRunner().invoke(cli, [str(each) for each in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(result.output.split())


def with_metrics(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A game of which one player's metrics are another's idea of them."""
    folder = stored(tmp_path / "game", about=True)
    file = folder / "metrics-0.json"
    metrics = json.loads(file.read_text())
    change(metrics)
    file.write_text(json.dumps(metrics))
    return folder


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "drops that are a number": (lambda of: of.update(drops=1.5), "drops are no list of objects"),
    "desyncs that are true": (lambda of: of.update(desyncs=True), "desyncs are no list of objects"),
    "sights of numbers": (lambda of: of.update(visibility=[1]), "visibility are no list of objects"),
    "an environment that is a text": (lambda of: of.update(environment="=1+1"), "environment is no object"),
    "a link that is a list": (lambda of: of["network"].update({"1": []}), "network of player 1 is no object"),
    "round trips that are true": (lambda of: of["network"]["1"].update(rttMs=True), "rttMs of player 1 is no object"),
    "a median that is a text": (
        lambda of: of["network"]["1"]["rttMs"].update(p50="84"), "p50 in rttMs of player 1 is '84', no number"
    ),
    "a reason that is an object": (lambda of: of["episodes"][0].update(reason={}), "reason in episodes is {}, no text"),
    "an end that is an object": (lambda of: of["end"].update(reason={"a": 1}), "reason in end is {'a': 1}, no text"),
    "a frame that is a text": (
        lambda of: of.update(drops=[{"playerId": "1", "frame": "3"}]), "frame in drops is '3', no int"
    ),
    "a time that is a text": (
        lambda of: of.update(visibility=[{"timestamp": "1"}]), "timestamp in visibility is '1', no number"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_metrics_of_another_shape_are_refused_by_file_and_field(tmp_path: Path, name: str) -> None:
    """By each command alike; it was an exception that named nothing, and of a whole study there were no tables."""
    change, why = WRONG[name]
    folder = with_metrics(tmp_path, change)
    report = ["report", folder, "-o", tmp_path / "r"]
    for command in (["verify", folder], ["export", folder, "--csv", tmp_path / "t"], report):
        status, text = said(*command)
        assert status == 2
        assert f"metrics-0.json: line 1: metrics whose {why}" in text
    assert not (tmp_path / "t").exists()
    assert not (tmp_path / "r").exists()


LATER = ("drops", "desyncs", "visibility", "environment", "network", "predictions")


@pytest.mark.parametrize(
    "change",
    [
        lambda of: of.update(dict.fromkeys(LATER)),
        lambda of: [of.pop(name, None) for name in LATER],
        lambda of: of["network"]["1"].update(dict.fromkeys(OF_LINKS)),
        lambda of: of["quality"].update(stalls=10**310),
        lambda of: of["network"]["1"]["rttMs"].update(p50=10**310),
        lambda of: of["end"].update(reason="\ud800 gone"),
        lambda of: of.update(desyncReports=True),
        lambda of: of.update(desyncReports=[[], {"fields": [1]}, {"fields": [{}], "episode": 0, "frame": 1}, 7]),
        lambda of: of.update(desyncs=[{}], pathChanges=[{}], drops=[{}], visibility=[{}]),
        lambda of: [of["episodes"].append({"episode": episode, "frames": 1}) for episode in (10**12, -(10**12))],
        lambda of: of["rollbacks"].update(depths=[0, -1]),
    ],
    ids=["nulls", "older ones", "a link of nulls", "a count without bounds", "a time without bounds",
         "half a character", "reports that are true", "reports that are none", "rows of nothing",
         "episodes that no study has", "fewer rollbacks than none"],
)  # fmt: skip
def test_what_is_missing_or_beyond_bounds_is_read(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """A number that no float holds, and a text that is no UTF-8, made the report of the study fail."""
    folder = with_metrics(tmp_path, change)
    assert said("verify", folder)[0] in (0, 1)
    assert said("export", folder, "--csv", tmp_path / "t")[0] == 0
    assert said("report", folder, "-o", tmp_path / "r.html")[0] == 0
    assert "</html>" in (tmp_path / "r.html").read_text("utf-8")


@pytest.mark.slow
def test_a_number_that_no_column_holds_is_null_in_parquet(tmp_path: Path) -> None:
    """One page's count without bounds left the study without any table; those of the others are as they were."""
    duckdb = pytest.importorskip("duckdb")

    def change(of: dict[str, Any]) -> None:
        of["quality"].update(stalls=2**70, p2pFallbackFrame=10**310)
        of["pathChanges"].append({"timestamp": 2**70, "episode": "0"})

    folder = with_metrics(tmp_path, change)
    assert said("export", folder, "--parquet", tmp_path / "p")[0] == 0
    rows = duckdb.sql(f"SELECT player, stalls, fallback_frame FROM '{tmp_path / 'p' / 'sessions'}.parquet'").fetchall()
    assert rows[0] == ("0", None, None)
    assert rows[1][1] is not None
    times = duckdb.sql(f"SELECT time_ms, episode FROM '{tmp_path / 'p' / 'paths'}.parquet'").fetchall()
    assert (2.0**70, None) in times


@pytest.mark.parametrize("episode", [-100, 10**12])
def test_a_last_action_in_an_episode_that_there_is_not_is_a_desync(tmp_path: Path, episode: int) -> None:
    """Where the record has somebody gone, and the metrics say something else."""
    folder = of_three(tmp_path / "game", "default_action")
    for player in "01":
        metrics = json.loads((folder / f"metrics-{player}.json").read_text())
        metrics["drops"][0]["episode"] = episode
        (folder / f"metrics-{player}.json").write_text(json.dumps(metrics))
    assert said("verify", folder)[0] == 1


def test_what_the_server_knew_of_a_game_is_refused_or_read(tmp_path: Path) -> None:
    """A subject of somebody who is not among its players has a pseudonym as everybody."""
    folder = stored(tmp_path / "game", about=True)
    about = json.loads((folder / "game.json").read_text())
    for wrong, why in (
        ({"players": "01"}, "players that are no list"), ({"ended": 10**40}, "ended that is 1"),
        ({"started": "today"}, "started that is 'today', no time in seconds"),
    ):  # fmt: skip
        (folder / "game.json").write_text(json.dumps({**about, **wrong}))
        status, text = said("report", folder, "-o", tmp_path / "r.html")
        assert (status, f"game.json: line 1: {why}" in text) == (2, True), text
    endless = {**about, "settings": {**about["settings"], "fps": 1e400}}
    (folder / "game.json").write_text(json.dumps(endless))
    assert said("report", folder, "-o", tmp_path / "r.html")[0] == 0
    (folder / "game.json").write_text(json.dumps({**about, "players": [0]}))
    mapping = tmp_path / "mapping.json"
    assert said("export", folder, "--csv", tmp_path / "t", "--pseudonyms", "--mapping", mapping)[0] == 0
    assert sorted(json.loads(mapping.read_text()).values()) == ["=bob", "anna"]
