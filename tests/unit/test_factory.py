"""The text that names an environment's factory is understood, and what is wrong with it is said with the way out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycore.errors import ConfigError
from pycore.factory import find_factory, load_factory, make_with

GAME = """
from beside import NAME
SETTINGS = {"fps": 10}
class Game:
    name = NAME
def make_env():
    return Game()
def make_other():
    return [Game()]
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with factories and one that it imports from beside it; what is imported is forgotten afterwards."""
    (tmp_path / "ourgame.py").write_text(GAME)
    (tmp_path / "beside.py").write_text("NAME = 'here'\n")
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_is_read_with_its_folder_on_the_path(folder: Path) -> None:
    """The function is make_env unless it is named; what it imports from beside it is found."""
    assert load_factory(str(folder / "ourgame.py"))().name == "here"
    assert load_factory(f"{folder / 'ourgame.py'}:make_other")()[0].name == "here"
    found = find_factory(str(folder / "ourgame.py"))
    assert (found.name, found.module.SETTINGS) == ("make_env", {"fps": 10})
    # A class of it can be found again by its module's name, as pickles do.
    assert sys.modules[found.make().__class__.__module__] is found.module


def test_a_module_is_imported_also_from_the_working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m` would have it, but installed modules come first."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    (folder / "tomllib.py").write_text("raise RuntimeError('the wrong one')")
    assert load_factory("ourgame:make_env")().name == "here"
    assert load_factory("ourgame")().name == "here"
    assert load_factory("tomllib:loads")


def test_a_file_named_like_a_module_does_not_replace_it(folder: Path) -> None:
    """json.py is a bad name, and no reason to break everything else."""
    import json

    (folder / "json.py").write_text("def make_env():\n    return 'mine'\n")
    assert load_factory(str(folder / "json.py"))() == "mine"
    assert sys.modules["json"] is json


def test_a_file_that_was_changed_is_read_again(folder: Path) -> None:
    """Two commands of one process are as two processes."""
    assert load_factory(str(folder / "ourgame.py"))().name == "here"
    (folder / "ourgame.py").write_text("def make_env():\n    return 'changed, and longer'\n")
    assert load_factory(str(folder / "ourgame.py"))() == "changed, and longer"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no environment"),
        (":make_env", "names no environment"),
        ("{}/none.py", "there is no file"),
        ("{}", "is a folder"),
        ("{}/text.txt", "is no Python file"),
        ("{}/ourgame.py:make_evn", "did you mean .*ourgame.py:make_env"),
        ("{}/ourgame.py:xyz", "has no xyz; it has Game, make_env, make_other"),
        ("{}/ourgame.py:number", "number in .* is a int; give a function"),
        ("{}/empty.py", "has no make_env; write a function"),
        ("{}/broken.py", "importing .*broken.py raised SyntaxError"),
        ("{}/needs.py", "importing .*needs.py raised ModuleNotFoundError: No module named 'not_there'"),
        ("{}/leaves.py", "importing .*leaves.py raised SystemExit"),
        ("no_such_package.game:make_env", "there is no module no_such_package; is it installed"),
        ("json.no_such:make_env", "there is no module json.no_such"),
    ],
)
def test_what_is_none_is_refused_with_the_way_out(folder: Path, text: str, message: str) -> None:
    """One error, whatever the file does."""
    (folder / "text.txt").write_text("hello")
    (folder / "empty.py").write_text("")
    (folder / "broken.py").write_text("def (")
    (folder / "needs.py").write_text("import not_there")
    (folder / "leaves.py").write_text("raise SystemExit(3)")
    with pytest.raises(ConfigError, match=message):
        load_factory(text.format(folder))


def test_a_factory_that_fails_says_which_and_why(folder: Path) -> None:
    """What it raises is no traceback of ours."""

    def needs(argument: int) -> int:
        return argument

    with pytest.raises(ConfigError, match=r"a:b raised TypeError.*without arguments"):
        make_with(needs, "a:b")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="returned None"):
        make_with(lambda: None, "a:b")


def test_a_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    """Also within the same second and with the same size, which is all that byte code is compared by."""
    file = tmp_path / "again.py"
    for number in range(1, 6):
        file.write_text(f"def make_env():\n    return {number}\n")
        os.utime(file, (1_000_000_000, 1_000_000_000))
        assert load_factory(str(file))() == number
    assert not (tmp_path / "__pycache__").exists()
