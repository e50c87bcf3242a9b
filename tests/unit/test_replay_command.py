"""`pycore replay`: true, not true, or a mistake in the call; and what it says of each."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from records_support import changed, forgotten, played, stored  # noqa: F401

from pycore.cli import cli


def run(*arguments: str | Path) -> Result:
    """The command's outcome; what an environment prints is not in its output."""
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)])


@pytest.fixture
def game(tmp_path: Path) -> Path:
    """A folder with the files of a game and its environment."""
    return stored(tmp_path / "game")


def said(result: Result) -> dict[str, Any]:
    """The JSON of a command."""
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_a_true_record_is_said_to_be_true(game: Path) -> None:
    """The settings are those of the environment's module, which fit the header's digest."""
    result = run(game / "trajectory-0.jsonl", "--env", game / "game.py")
    assert (result.exit_code, result.stdout) == (
        0, f"true: {game / 'trajectory-0.jsonl'}: 100 frames, 6 hashes\n"
    )  # fmt: skip
    of = said(run(game / "trajectory-0.jsonl", "--env", game / "game.py", "--json"))
    assert (of["true"], of["frames"], of["hashes"], of["episodes"], of["difference"]) == (True, 100, 6, 2, None)
    assert of["settings"] == {"source": "SETTINGS of game", "those_of_the_game": True}


def test_what_differs_is_named_with_its_fields(game: Path) -> None:
    """Status 1, also as JSON."""
    file = game / "trajectory-0.jsonl"
    file.write_text(changed(file.read_text(), 10, lambda value: value["rewards"].update({"1": 77})))
    result = run(file, "--env", game / "game.py")
    assert result.exit_code == 1
    assert f"differs: {file}: episode 0, frame 8: $.rewards['1'] is 77, here " in result.stdout
    assert "the same before it: 8 frames, 0 hashes" in result.stdout
    of = said(run(file, "--env", game / "game.py", "--json"))
    assert of["difference"]["fields"][0]["path"] == "$.rewards['1']"
    assert of["difference"]["fields"][0]["recorded"] == "77"


def test_another_environment_is_not_the_one_that_was_played(game: Path) -> None:
    """By the first row; where rows are alike, by the first hash."""
    result = run(game / "trajectory-0.jsonl", "--env", f"{game / 'game.py'}:make_other")
    assert result.exit_code == 1
    assert "episode 0, frame 0" in result.stdout


def test_wrong_settings_are_suspected_where_a_hash_differs(game: Path, tmp_path: Path) -> None:
    """Hashes cover actions as they are encoded, so they depend on the action space."""
    other = tmp_path / "settings.json"
    other.write_text('{"action_space": {"type": "any"}}')
    result = run(game / "trajectory-0.jsonl", "--env", game / "game.py", "--settings", other)
    assert result.exit_code == 1
    assert "the state before frame 20 has another hash here" in result.stdout
    assert "are not those of the game" in result.stdout


def test_settings_that_are_named_and_not_the_games_are_said_where_all_is_true(game: Path, tmp_path: Path) -> None:
    """What they would change is not tried then, such as who else plays; those of the game are not spoken of."""
    own = runpy.run_path(str(game / "game.py"))["SETTINGS"]
    named = tmp_path / "settings.json"
    for change, told in (({"hash_interval": 10}, True), ({}, False)):
        named.write_text(json.dumps(own | change))
        words = [game / "trajectory-0.jsonl", "--env", game / "game.py", "--settings", named]
        result = run(*words)
        assert (result.exit_code, "true: " in result.stdout) == (0, True)
        assert (f"note: the settings ({named}) are not those of the game" in result.stdout) is told


def test_the_settings_of_the_folder_are_taken_where_they_fit(tmp_path: Path) -> None:
    """What the server knew stands beside the records; a module of another study has other settings."""
    game = stored(tmp_path / "game", about=True)
    source = (game / "game.py").read_text()
    (game / "game.py").write_text(source.replace('"max_steps": 50', '"max_steps": 60'))
    of = said(run(game / "trajectory-0.jsonl", "--env", game / "game.py", "--json"))
    assert of["settings"] == {"source": str(game / "game.json"), "those_of_the_game": True}
    (game / "game.py").write_text(source)
    about = json.loads((game / "game.json").read_text())
    (game / "game.json").write_text(json.dumps(about | {"settings": {}}))
    of = said(run(game / "trajectory-0.jsonl", "--env", game / "game.py", "--json"))
    assert of["settings"]["source"] == "SETTINGS of game"


def test_a_range_is_verified_and_written(game: Path, tmp_path: Path) -> None:
    """The lines of the range with the header in front, as they were recorded."""
    file, out = game / "trajectory-0.jsonl", tmp_path / "range.jsonl"
    words = (file, "--env", game / "game.py", "--episode", "1", "--from", "5", "--to", "7", "--out", out)
    result = run(*words)
    assert (result.exit_code, result.stdout) == (0, f"true: {file}: 3 frames, 0 hashes\n")
    lines = file.read_text().splitlines()
    assert out.read_text().splitlines() == [lines[0], *lines[57:60]]
    file.write_text(changed(file.read_text(), 59, lambda value: value["rewards"].update({"1": 77})))
    out.write_text("of before")
    assert run(*words).exit_code == 1
    assert out.read_text() == "of before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["game", "range.jsonl"]


def test_an_adapted_environment_is_stepped_as_the_page_steps_it(tmp_path: Path) -> None:
    """The demo's game, by its adapter."""
    from pycore.envs import ParallelEnvAdapter
    from pycore.records import Trajectory, trajectory_text
    from pycore.settings import Settings
    from pycore.testing import Conditions, Mesh

    volley = Path(__file__).parents[2] / "examples" / "volley.py"
    from examples.volley import make_env

    mesh = Mesh(
        2, Settings(max_steps=90, action_space={"type": "discrete", "n": 6}),
        lambda seat: ParallelEnvAdapter(make_env(), [0, 1], seed=3, rngs=()),
        lambda seat: lambda episode, frame: (frame // 7 + seat) % 6, Conditions(delay=0.05), seed=3,
    )  # fmt: skip
    kept = Trajectory()
    mesh.peers[0].session.add_sink(kept)
    mesh.run(60.0)
    file = tmp_path / "trajectory-0.jsonl"
    file.write_text(trajectory_text(mesh.peers[0].session, kept))
    result = run(file, "--env", volley)
    assert (result.exit_code, result.stdout) == (0, f"true: {file}: 90 frames, 3 hashes\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "3"], "give --episode too"),
        (["--episode", "0", "--from", "9", "--to", "3"], "--from 9 comes after --to 3"),
        (["--episode", "7"], "has no such frame; frames by episode: 0 has 50, 1 has 50"),
        (["--episode", "1", "--from", "50"], "has no such frame"),
        (["--settings", "none.json"], "cannot read the settings none.json"),
        (["--out", "no/such/folder/x"], "cannot write to no/such/folder/x"),
    ],
)
def test_a_mistake_in_the_call_is_told_with_the_way_out(game: Path, words: list[str], message: str) -> None:
    """Status 2."""
    result = run(game / "trajectory-0.jsonl", "--env", game / "game.py", *words)
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n", " ")


def test_what_is_no_record_is_refused_with_file_line_and_reason(game: Path, tmp_path: Path) -> None:
    """Truncated, binary, foreign, not there; nothing is written."""
    text = played()[0]["0"]
    out = tmp_path / "out.jsonl"
    cases: list[tuple[bytes, str]] = [
        (text[:-40].encode(), "line 103: cut off: it has no line end"),
        (text.replace('"frame":30', '"frame":31').encode(), "line 32: frame 31 of episode 0, not frame 30"),
        (b"\x00\xff" * 50 + b"\n", "line 1: no UTF-8"),
        (b"", "line 1: the record is empty"),
        (b'{"name": "x"}\n', "line 1: this is no trajectory of version 1"),
        (text.replace("\n", "\r\n").encode(), "line 1: not spelled as records are"),
    ]
    file = game / "bad.jsonl"
    for data, message in cases:
        file.write_bytes(data)
        result = run(file, "--env", game / "game.py", "--out", out)
        assert result.exit_code == 2, result.output
        assert f"{file}: {message}" in result.output.replace("\n", " "), result.output
        assert not out.exists()
    assert "cannot read" in run(game / "none.jsonl", "--env", game / "game.py").output
