"""`pycore verify`: the name of the evidence, every reason, and the exit status."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from records_support import SETTINGS, changed, forgotten, of_three, played, stored  # noqa: F401

from pycore.cli import cli

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*arguments: str | Path) -> Result:
    """The command's outcome."""
    return CliRunner().invoke(cli, ["verify", *map(str, arguments)])


def only(result: Result) -> dict[str, Any]:
    """The one game of a command's JSON."""
    (game,) = json.loads(result.stdout)["games"]
    answer: dict[str, Any] = game
    return answer


def test_a_whole_game_is_reconciled(tmp_path: Path) -> None:
    """Its folder alone says so; with its files named, and with its environment, too."""
    game = stored(tmp_path)
    result = run(game)
    assert (result.exit_code, result.stdout) == (0, "reconciled: mesh: 2 records, 100 frames\n")
    files = [game / "trajectory-0.jsonl", game / "trajectory-1.jsonl"]
    result = run(*files, "--metrics", game / "metrics-0.json", "--env", game / "game.py")
    assert (result.exit_code, result.stdout) == (
        0, "reconciled: mesh: 2 records, 100 frames, reproduced by the environment\n"
    )  # fmt: skip
    of = only(run(game, "--json", "--env", game / "game.py"))
    assert (of["status"], of["environment"], of["first_difference"]) == ("reconciled", "true", None)
    assert of["records"]["1"] == {"file": str(files[1]), "frames": 100, "episodes": 2, "whole": True}
    assert of["ends"] == {"0": "complete", "1": "complete"}


def test_settings_that_are_named_and_not_the_games_are_said(tmp_path: Path) -> None:
    """Also where all is true."""
    game = stored(tmp_path / "game")
    own = runpy.run_path(str(game / "game.py"))["SETTINGS"]
    named = tmp_path / "settings.json"
    named.write_text(json.dumps(own | {"hash_interval": 10}))
    told = f"the settings ({named}) are not those of the game, by the digest in its header"
    assert only(run(game, "--env", game / "game.py", "--settings", named, "--json"))["notes"] == [told]
    named.write_text(json.dumps(own))
    assert only(run(game, "--env", game / "game.py", "--settings", named, "--json"))["notes"] == []


def test_who_left_is_named_with_the_frame_and_the_reason(tmp_path: Path) -> None:
    """The records are the same as far as the shorter one goes."""
    result = run(stored(tmp_path, leaves=True))
    assert result.exit_code == 1
    ends = "(player 0: player_left, player 1: no end in its metrics)"
    assert result.stdout.splitlines() == [
        "partial: mesh: 2 records, 92 frames",
        f"  player 1 has 91 of 92 frames, and nothing from episode 1, frame 41 on {ends}",
        f"  episode 1 was broken off after 42 frames {ends}",
    ]


def test_one_record_proves_less(tmp_path: Path) -> None:
    """Whatever it is."""
    result = run(stored(tmp_path) / "trajectory-0.jsonl")
    assert result.exit_code == 1
    assert result.stdout.startswith("single: mesh: 1 record, 100 frames\n  there is no record of player 1")


def test_records_that_differ_are_desynced(tmp_path: Path) -> None:
    """The first frame, and the fields."""
    game = stored(tmp_path)
    file = game / "trajectory-1.jsonl"
    file.write_text(changed(file.read_text(), 62, lambda value: value["rewards"].update({"1": 77})))
    result = run(game)
    assert result.exit_code == 1
    assert result.stdout.startswith("desynced: mesh: 2 records, 100 frames\n  the records differ: episode 1, frame 9")
    assert " for player 0 and 77 for player 1" in result.stdout
    of = only(run(game, "--json"))["first_difference"]
    assert of == {
        "line": 62, "episode": 1, "frame": 9, "between": ["0", "1"], "fields": ["$.rewards['1']"]
    }  # fmt: skip


def test_an_environment_that_gives_something_else_is_told_apart(tmp_path: Path) -> None:
    """The players agree; it is the environment here that is another one."""
    game = stored(tmp_path)
    result = run(game, "--env", f"{game / 'game.py'}:make_other", "--json")
    of = only(result)
    assert result.exit_code == 1
    assert (of["status"], of["environment"], of["environment_difference"]["frame"]) == ("reconciled", "differs", 0)


Spoil = Callable[[dict[str, Any]], object]
GONE = "is no longer held"
REPORT = {
    "episode": 0, "frame": 60, "playerId": "0", "fields": [{"path": "state.ball.x", "own": "3", "theirs": "7"}],
    "lacks": f"the state of player 0 {GONE}", "state": None,
}  # fmt: skip
"""As a player's metrics have it."""


@pytest.mark.parametrize(
    ("spoil", "status", "reason"),
    [
        (lambda of: of["sync"].update(p2pHashMismatches=2), "desynced", "player 1 counted 2 hashes that differed"),
        (
            lambda of: of.update(sync={**of["sync"], "p2pHashMismatches": 2}, desyncReports=[REPORT]),
            "desynced",
            f"differed; at frame 60 of episode 0: state.ball.x is 3 here and 7 there; the state of player 0 {GONE}",
        ),
        (
            lambda of: of.update(sync={**of["sync"], "p2pHashMismatches": 2}, desyncReports=[{"fields": 5}, 7]),
            "desynced",
            "player 1 counted 2 hashes that differed",
        ),
        (lambda of: of["end"].update(reason="desync"), "desynced", "for player 1 the session ended by a desync"),
        (lambda of: of["episodes"][0].update(frames=49), "partial", "50 frames of episode 0, and 49 by the metrics"),
        (lambda of: of["episodes"][0].update(reason="done"), "partial", "episode 0 did not end alike (player 0: max"),
        (lambda of: of["episodes"].pop(), "partial", "the metrics of player 1 have no episode 1"),
        (
            lambda of: of["episodes"].append({"episode": 2, "frames": 9, "reason": "player_left"}),
            "partial",
            "player 1 has nothing of episode 2",
        ),
        (lambda of: of["inputs"].update(sentViaP2P=7), "partial", "player 1 sent 7 inputs, player 0 received 1"),
    ],
)
def test_metrics_that_say_something_else_are_told(tmp_path: Path, spoil: Spoil, status: str, reason: str) -> None:
    """Hashes, frames, reasons, and what was sent and received."""
    game = stored(tmp_path)
    file = game / "metrics-1.json"
    metrics = json.loads(file.read_text())
    spoil(metrics)
    file.write_text(json.dumps(metrics))
    result = run(game)
    assert result.exit_code == 1
    assert result.stdout.startswith(status)
    assert reason in result.stdout


def test_every_folder_is_a_game_of_its_own(tmp_path: Path) -> None:
    """Metrics of states in between are not those of the session; a record without its parts is named."""
    stored(tmp_path / "a")
    b = stored(tmp_path / "b")
    (b / "metrics-0-episode-0.json").write_text("{}")
    (b / "trajectory-1.jsonl").rename(b / "trajectory-1.jsonl.incomplete")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "reconciled: mesh: 2 records, 100 frames",
        "single: mesh: 1 record, 100 frames",
        "  there is no record of player 1",
        "  trajectory-1.jsonl.incomplete was not read: the database lacks parts of it",
    ]


def test_a_game_of_another_environment_does_not_keep_the_others_from_being_stepped(tmp_path: Path) -> None:
    """In a folder of two studies; where none can be stepped, the call was a mistake."""
    of_three(tmp_path / "study" / "a", "default_action")
    b = stored(tmp_path / "study" / "b")
    none = b / "none.py"
    none.write_text("from pycore.errors import ConfigError\ndef make_env():\n    raise ConfigError('no environment')\n")
    result = run(tmp_path / "study", "--env", EXAMPLES / "volley.py", "--json")
    games = json.loads(result.stdout)["games"]
    assert (result.exit_code, [game["environment"] for game in games]) == (1, ["not stepped", "differs"])
    assert games[0]["reasons"][-1].startswith("it was not stepped again: Volley has 2 agents to be played")
    result = run(tmp_path / "study", "--env", none)
    assert (result.exit_code, result.output.count("it was not stepped again: ")) == (2, 2)
    result = run(b, "--env", none)
    assert (result.exit_code, result.output.startswith("Error: ")) == (2, True)


def test_what_belongs_to_another_game_is_refused_by_name(tmp_path: Path) -> None:
    """Game, seed and configuration of records, the game of metrics and of what the server knew."""
    for key, value in (("game_id", "other"), ("seed", 5), ("configuration", "00")):
        game = stored(tmp_path / key)
        file = game / "trajectory-1.jsonl"
        file.write_text(changed(file.read_text(), 1, lambda header, key=key, value=value: header.update({key: value})))
        result = run(game)
        assert result.exit_code == 2
        assert f"{file} is not of the same game as {game / 'trajectory-0.jsonl'}: its {key} is" in result.stdout
    game = stored(tmp_path / "metrics")
    metrics = json.loads((game / "metrics-1.json").read_text())
    (game / "metrics-1.json").write_text(json.dumps(metrics | {"gameId": "other"}))
    assert "metrics-1.json is of game other, not of mesh" in run(game).stdout
    (game / "metrics-1.json").write_text(json.dumps(metrics | {"playerId": 0}))
    assert "has metrics of player 0, which another file has too" in run(game).stdout
    (game / "metrics-1.json").write_text(json.dumps(metrics | {"playerId": 7}))
    assert "metrics of player 7, who is none of 0, 1" in run(game).stdout
    one = tmp_path / "copies"
    one.mkdir()
    (one / "trajectory-0.jsonl").write_text(played()[0]["0"])
    result = run(game / "trajectory-0.jsonl", one / "trajectory-0.jsonl")
    assert "are both called a record of player 0" in result.stdout


def test_what_cannot_be_read_is_refused_with_file_line_and_reason(tmp_path: Path) -> None:
    """The other games are verified all the same."""
    stored(tmp_path / "b")
    game = stored(tmp_path / "a")
    file = game / "trajectory-1.jsonl"
    file.write_text(file.read_text()[:-30])
    result = run(tmp_path)
    assert result.exit_code == 2
    assert result.stdout.splitlines() == [
        f"refused: {game}",
        f"  {file}: line 103: cut off: it has no line end",
        "reconciled: mesh: 2 records, 100 frames",
    ]
    (game / "metrics-0.json").write_text('{\n"gameId": "mesh",\n')
    file.write_text(played()[0]["1"])
    assert f"{game / 'metrics-0.json'}: line 3: no JSON" in run(game).stdout
    (game / "metrics-0.json").write_text('{"gameId": "mesh"}')
    assert "metrics-0.json: line 1: no metrics of a session" in run(game).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.jsonl"], "there is no file none.jsonl"),
        (["{}/text.txt"], "is neither a record (.jsonl) nor metrics (.json) nor a folder"),
        (["{}/empty"], "has no trajectory-*.jsonl and no metrics-*.json"),
        (["{}", "--settings", "x.json"], "give --env too"),
        (["{}", "--env", "none.py"], "there is no file none.py"),
    ],
)
def test_a_mistake_in_the_call_is_told_with_the_way_out(tmp_path: Path, words: list[str], message: str) -> None:
    """Status 2."""
    stored(tmp_path)
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    result = run(*(word.format(tmp_path) for word in words))
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n", " ")


@pytest.mark.parametrize(("on_drop", "frames"), [("default_action", 100), ("end", None)])
def test_where_one_of_three_was_gone_it_is_said_who_and_where(tmp_path: Path, on_drop: str, frames: int | None) -> None:
    """The others' records are whole and the same, and the environment gives them again."""
    game = of_three(tmp_path, on_drop)
    drops = [json.loads((game / f"metrics-{seat}.json").read_text())["drops"] for seat in range(3)]
    assert drops[2] == []
    ((drop,), (other,)) = drops[:2]
    assert (drop["playerId"], drop["cause"], drop["episode"]) == ("2", "left", 1)
    assert (other["episode"], other["frame"]) == (drop["episode"], drop["frame"])
    result = run(game, "--env", game / "game.py")
    first, *reasons = result.stdout.splitlines()
    total = 50 + drop["frame"] + 1 if frames is None else frames
    assert first == f"partial: mesh: 3 records, {total} frames, reproduced by the environment"
    assert f"  player 2 was gone (left): its last action is of frame {drop['frame']} in episode 1" in reasons
    assert [reason for reason in reasons if "did not end alike" in reason or "inputs were sent" in reason] == []
    assert (game / "trajectory-0.jsonl").read_bytes() == (game / "trajectory-1.jsonl").read_bytes()
    metrics = game / "metrics-1.json"
    metrics.write_text(metrics.read_text().replace(f'"frame": {drop["frame"]}, "inputsB', '"frame": 1, "inputsB'))
    assert run(game).stdout.startswith("desynced:")
    assert "the others do not agree on the last action of player 2" in run(game).stdout
