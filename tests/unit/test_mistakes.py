"""What a researcher gets wrong on the first day, and what the commands say to it: a sentence with the place."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from optional import needs_playwright

from pycore.cli import cli
from pycore.cli.told import Mistake, told
from pycore.errors import ConfigError, where_raised
from pycore.export.exclusions import read_rules
from pycore.factory import load_factory
from pycore.settings import Settings
from pycore.site import Study
from pycore.site.keys import unknown_keys

TEMPLATE = Path(__file__).parents[2] / "pycore" / "site" / "template" / "environment.py"


def call(*words: Any) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def said(result: Result, status: int = 2) -> str:
    """What was told, in one line; there was no traceback."""
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def broken(folder: Path, old: str, new: str) -> Path:
    """The template's game with one mistake in it."""
    text = TEMPLATE.read_text("utf-8")
    assert text.count(old) == 1
    file = folder / "environment.py"
    file.write_text(text.replace(old, new), "utf-8")
    return file


def line_of(file: Path, text: str) -> int:
    """Where a text stands in a file, from 1."""
    return next(number for number, line in enumerate(file.read_text("utf-8").splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("random.Random(seed)", "random.Random(sead)", "NameError: name 'sead' is not defined"),
        ("self.planted += 1", "self.planted += None", "TypeError: unsupported operand"),
        ("shown = []", "shown = 1 / 0", "ZeroDivisionError: division by zero"),
        ("self.random.randrange(40, WIDTH - 40)", "self.random.randrange(40, 40)", "ValueError: empty range"),
    ],
)
def test_what_an_environment_raises_is_told_with_its_line_before_anybody_is_served(
    tmp_path: Path, old: str, new: str, what: str
) -> None:
    """In reset, in what it calls, in render; also where the line is in a library that it called."""
    file = broken(tmp_path, old, new)
    text = said(call("serve", file, "--port", "0"))
    assert what in text
    assert f"(environment.py:{line_of(file, new)}) when it was tried out" in text
    assert "--unchecked" in text


def test_what_a_file_of_the_researcher_raises_is_no_fault_of_a_command(tmp_path: Path) -> None:
    """Whichever command it is that calls it; a module that it lacks is not one that pycore lacks."""
    file = broken(tmp_path, "        self.frame = 0\n", "        import no_such_module\n")

    @click.command()
    @told
    def command() -> None:
        load_factory(str(file))().reset(seed=1)

    said_of_it = said(CliRunner().invoke(command))
    assert f"(environment.py:{line_of(file, 'no_such_module')})" in said_of_it
    assert "No module named 'no_such_module'" in said_of_it
    assert "pip install" not in said_of_it


def test_a_place_where_nothing_can_be_is_a_mistake_in_what_was_asked(tmp_path: Path) -> None:
    """A folder where a file should be, for one."""

    with pytest.raises(Mistake, match=r"Is a directory; name another place"):
        told(tmp_path.write_text)("")


def test_a_fault_of_ours_stays_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is to be reported, and nobody else can mend it."""
    from pycore.site import beginning

    monkeypatch.setattr(beginning, "begin", json.loads)
    assert isinstance(call("new", "{").exception, (json.JSONDecodeError, TypeError))


def test_the_line_of_an_exception_is_the_users_and_not_a_librarys(tmp_path: Path) -> None:
    """One that is installed counts where there is no other; pycore's own and Python's never do."""
    sources = {"mine": "import installed\ndef run():\n    installed.run()\n", "installed": "def run():\n    int('x')\n"}
    places = {"mine": tmp_path / "mine.py", "installed": tmp_path / "site-packages" / "installed.py"}
    modules: dict[str, dict[str, Any]] = {"mine": {}, "installed": {}}
    modules["mine"]["installed"] = type("installed", (), modules["installed"])
    for name in ("installed", "mine"):
        text = sources[name].replace("import installed\n", "\n")
        exec(compile(text, str(places[name]), "exec"), modules[name])
        modules["mine"]["installed"] = type("installed", (), {"run": staticmethod(modules["installed"]["run"])})

    def place(function: Any, *, own: bool = False) -> str:
        # The line of this very test is a user's as well: it is left out.
        with pytest.raises(Exception) as raised:
            function()
        error = raised.value
        assert error.__traceback__ is not None
        return where_raised(error.with_traceback(error.__traceback__.tb_next), own=own)

    assert place(modules["mine"]["run"]) == "mine.py:3"
    assert place(modules["installed"]["run"]) == "installed.py:2"
    assert place(modules["installed"]["run"], own=True) == ""
    assert place(lambda: json.loads("{")).startswith("test_mistakes.py:")
    assert where_raised(ValueError()) == ""


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"fsp": 30}, "unknown setting 'fsp'; did you mean 'fps'?"),
        ({"titel": "Tag"}, "unknown setting 'titel'; did you mean 'title'?"),
        ({"action_maping": {}}, "did you mean 'action_mapping'?"),
        ({"zzz": 1}, "known are title, intro"),
    ],
)
def test_a_misspelt_name_in_study_json_is_told_with_the_one_that_was_meant(values: dict[str, Any], what: str) -> None:
    """Those of the page included."""
    with pytest.raises(ConfigError) as refused:
        Study.of(values)
    assert what in str(refused.value)


def test_a_number_in_quotes_is_told_to_be_no_number() -> None:
    """Its limits alone would not say what is wrong with it."""
    with pytest.raises(ConfigError, match="fps is '30'; it must be a number between 1 and 240, without quotes"):
        Settings.of({"fps": "30"})
    with pytest.raises(ConfigError, match="fps is 500; it must lie between 1 and 240"):
        Settings.of({"fps": 500})


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ({"metric": "rtt_p50", "op": ">", "value": 1}, "there is no metric 'rtt_p50'; did you mean 'rtt_ms_p50'?"),
        ({"metric": "stalls", "op": ">", "valu": 1}, "has 'valu'; did you mean 'value'?"),
    ],
)
def test_a_misspelt_metric_is_told_with_the_one_that_was_meant(tmp_path: Path, rule: Any, what: str) -> None:
    """A list of forty would be read by nobody."""
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([{"name": "slow", **rule}]))
    with pytest.raises(ConfigError) as refused:
        read_rules(file)
    assert what in str(refused.value)


def test_a_key_that_no_keyboard_has_is_told_with_the_one_that_was_meant() -> None:
    """Nobody could press it, and the game would seem dead; what a browser calls a key is none of them."""
    right = ["ArrowLeft", "ArrowLeft,ArrowUp", "a", "A", " ", ",", "Enter", "F1", "ä", "Shift", "ArrowLeft, w"]
    assert list(unknown_keys(right)) == []
    assert list(unknown_keys(["Gamepad:0", "Gamepad:LeftX-,Gamepad:16"])) == []
    assert list(unknown_keys(["Gamepad:LeftX"])) == [
        "action_mapping: no part of a gamepad is called 'Gamepad:LeftX'; did you mean 'Gamepad:LeftX-'?"
    ]
    meant = {"ArowDown": "ArrowDown", "Space": " ", "up": "ArrowUp", "KeyW": "w", "Digit1": "1", "Esc": "Escape"}
    for key, name in meant.items():
        (text,) = unknown_keys(["a", f"ArrowLeft,{key}"])
        assert text.endswith(f"no key is called {key!r}, so nobody can press it; did you mean {name!r}?")


def test_a_new_study_says_what_to_type_next_also_in_a_folder_with_a_space(tmp_path: Path) -> None:
    """The three steps in their order; the line can be pasted."""
    done = call("new", tmp_path / "my study")
    assert done.exit_code == 0
    lines = [line.strip() for line in done.output.splitlines()]
    assert f"next: cd '{tmp_path / 'my study'}'" in lines
    assert [line.split()[1] for line in lines if line.startswith("pycore ")] == ["audit", "rehearse", "serve"]


@needs_playwright
def test_ctrl_c_says_so_leaves_no_empty_folder_and_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1 would be one."""
    from pycore import rehearsal
    from pycore.rehearsal import browsers, sites

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(browsers, "ready", lambda chromium: "chromium")
    monkeypatch.setattr(sites, "site_of", lambda *_, **__: tmp_path)
    monkeypatch.setattr(rehearsal, "rehearse", interrupted)
    out = tmp_path / "out"
    shutil.copy(TEMPLATE, tmp_path / "environment.py")
    text = said(call("rehearse", tmp_path / "environment.py", "--out", out), 130)
    assert "stopped by Ctrl-C" in text
    assert "Error" not in text
    assert not out.exists()


def test_the_modules_of_a_page_do_not_wait_for_what_only_mistakes_need() -> None:
    """Names are compared with difflib, which takes its time to import."""
    import subprocess

    code = "import sys, pycore.settings; print('difflib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
