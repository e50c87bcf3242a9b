"""`pycore export --psych-ds`: a data set that says by itself what it is, and does not say who took part."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psych_ds
import pytest
from click.testing import CliRunner, Result
from records_support import forgotten, stored  # noqa: F401

from pycore.cli import cli
from pycore.export.columns import TABLES
from tools.paths import NODE_MODULES


def run(*arguments: str | Path) -> Result:
    """The command's outcome."""
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


def exported(tmp_path: Path, *arguments: str | Path) -> Path:
    """The data set of one game."""
    result = run(stored(tmp_path / "game", about=True), "--psych-ds", tmp_path / "set", *arguments)
    assert result.exit_code == 0, result.output
    return tmp_path / "set"


def description(folder: Path) -> dict[str, Any]:
    """What the data set says of itself."""
    value: dict[str, Any] = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
    return value


def test_an_export_is_a_valid_data_set(tmp_path: Path) -> None:
    """By the rules of the specification, whatever the environment is called."""
    out = exported(tmp_path)
    assert psych_ds.lacks(out) == []
    assert len(list((out / "data").iterdir())) == len(TABLES)
    assert "| `study-" in (out / "README.md").read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_csv(tmp_path: Path) -> None:
    """To the byte, and whether or not CSV was asked for too."""
    out = exported(tmp_path, "--csv", tmp_path / "csv", "--subjects")
    for name in TABLES:
        (file,) = (out / "data").glob(f"*_description-{name}_data.csv")
        assert file.read_bytes() == (tmp_path / "csv" / f"{name}.csv").read_bytes()
    again = run(tmp_path / "game", "--psych-ds", tmp_path / "again", "--subjects")
    assert again.exit_code == 0, again.output
    for file in (out / "data").iterdir():
        assert (tmp_path / "again" / "data" / file.name).read_bytes() == file.read_bytes()


def test_every_variable_has_the_meaning_of_its_columns(tmp_path: Path) -> None:
    """One that is something else in another table has both meanings, with their tables."""
    variables = {each["name"]: each for each in description(exported(tmp_path))["variableMeasured"]}
    assert set(variables) == {column.name for table in TABLES.values() for column in table.columns}
    assert len(variables) == len(description(tmp_path / "set")["variableMeasured"])
    for name, table in TABLES.items():
        for column in table.columns:
            said = variables[column.name]["description"]
            assert column.what in said
            if said != f"{column.what} ({column.type})":
                assert f"in {name}" in said or f"and {name}" in said
    assert variables["rollback_max_frames"]["unitText"] == "frames"
    assert "unitText" not in variables["game_id"]


def test_subjects_are_pseudonyms_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    """No file names one; without a file for the mapping nobody can undo it."""
    result = run(stored(tmp_path / "game", about=True), "--psych-ds", tmp_path / "set", "--csv", tmp_path / "csv")
    assert result.exit_code == 0, result.output
    assert "which subject each of them is was not kept" in result.output
    files = [path for out in ("set", "csv") for path in (tmp_path / out).rglob("*") if path.is_file()]
    texts = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert "anna" not in texts
    assert "P001" in texts
    assert sorted(path.name for path in tmp_path.iterdir()) == ["csv", "game", "set"]
    kept = run(tmp_path / "game", "--psych-ds", tmp_path / "kept", "--mapping", tmp_path / "mapping.json")
    assert kept.exit_code == 0, kept.output
    assert json.loads((tmp_path / "mapping.json").read_text())["P001"] == "anna"
    named = run(tmp_path / "game", "--psych-ds", tmp_path / "named", "--subjects")
    assert named.exit_code == 0, named.output
    assert "anna" in next((tmp_path / "named" / "data").glob("*sessions*")).read_text(encoding="utf-8")


def test_what_the_researcher_says_stands_in_the_description(tmp_path: Path) -> None:
    """Title, authors, licence; the study's name in the files' names comes from the title."""
    about = {"name": "Volley, 2nd wave", "author": [{"@type": "Person", "name": "A"}], "license": "CC0"}
    (tmp_path / "about.json").write_text(json.dumps(about))
    out = exported(tmp_path, "--about", tmp_path / "about.json")
    said = description(out)
    assert {name: said[name] for name in about} == about
    assert said["description"].startswith("1 game of ")
    assert (out / "data" / "study-Volley2ndwave_description-frames_data.csv").is_file()
    assert psych_ds.lacks(out) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--psych-ds", "{}/game"], "may have been edited; give a new or an empty folder"),
        (["--psych-ds", "{}/s", "--csv", "{}/s"], "are both"),
        (["--psych-ds", "{}/s", "--subjects", "--pseudonyms"], "give one of the two"),
        (["--csv", "{}/s", "--subjects"], "are for --psych-ds"),
        (["--csv", "{}/s", "--about", "{}/game/game.json"], "are for --psych-ds"),
        (["--psych-ds", "{}/s", "--about", "{}/none.json"], "cannot read"),
        (["--psych-ds", "{}/s", "--about", "{}/game/game.py"], "is not JSON"),
        (["--psych-ds", "{}/s", "--about", "{}/wrong.json"], "'variableMeasured', which the export writes itself"),
        (["--psych-ds", "{}/s", "--about", "{}/empty.json"], "it must be a text"),
    ],
)
def test_a_mistake_in_the_call_is_told_and_nothing_is_written(tmp_path: Path, words: list[str], message: str) -> None:
    """Status 2."""
    stored(tmp_path / "game", about=True)
    (tmp_path / "wrong.json").write_text('{"variableMeasured": []}')
    (tmp_path / "empty.json").write_text('{"name": ""}')
    before = sorted(tmp_path.iterdir())
    result = run(tmp_path / "game", *(word.format(tmp_path) for word in words))
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n", " ")
    assert sorted(tmp_path.iterdir()) == before


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = description(folder)
    change(value)
    (folder / "dataset_description.json").write_text(json.dumps(value))


BREAKS: list[tuple[Callable[[Path], object], str]] = [
    (lambda out: (out / "dataset_description.json").unlink(), "dataset_description.json: FileNotFoundError"),
    (lambda out: _edit(out, lambda value: value.pop("@type")), "@type"),
    (lambda out: _edit(out, lambda value: value.pop("description")), "no description"),
    (lambda out: _edit(out, lambda value: value["variableMeasured"].pop(0)), "has game_id, which is no variable"),
    (lambda out: _edit(out, lambda value: value["variableMeasured"].append("x")), "the variable x is in no file"),
    (lambda out: shutil.rmtree(out / "data"), "no file in data/"),
    (lambda out: (out / "data" / "frames.csv").write_text("game_id\n1\n"), "the name frames.csv"),
    (lambda out: (out / "data" / "game-1_data.csv").write_text("game_id\n1\n"), "the keyword game-1"),
    (lambda out: (out / "data" / "study-1_data.csv").write_text("game_id\n1,2\n"), "study-1_data.csv, row 2"),
    (lambda out: (out / "data" / "study-1_data.csv").write_text("seat,seat\n1,2\n"), "the header of study-1_data.csv"),
    (lambda out: (out / "README.md").unlink(), "no README"),
]


@pytest.mark.parametrize(("spoil", "message"), BREAKS, ids=[message for _, message in BREAKS])
def test_the_rules_find_what_is_wrong(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    """A rule that finds nothing guards nothing."""
    out = exported(tmp_path)
    spoil(out)
    assert any(message in lack for lack in psych_ds.lacks(out))


def validator() -> list[str]:
    """The command of Psych-DS's own validator, where it is installed."""
    given = os.environ.get("PYCORE_PSYCHDS")
    if given:
        return shlex.split(given)
    package = NODE_MODULES / "psychds-validator"
    node = shutil.which("node")
    return [node, str(package / "cli.js")] if node and (package / "cli.js").is_file() else []


def test_the_validator_of_psych_ds_finds_no_error(tmp_path: Path) -> None:
    """`npm install psychds-validator`, or PYCORE_PSYCHDS with the command that runs it."""
    command = validator()
    if not command:
        pytest.skip("psychds-validator is not installed (npm install psychds-validator, or PYCORE_PSYCHDS=COMMAND)")
    done = subprocess.run([*command, "--json", str(exported(tmp_path))], capture_output=True, text=True, timeout=120)
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert found["valid"], done.stdout
