"""`pycore rehearse` before a browser is opened, and the site that it makes."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from optional import needs_playwright

from pycore.cli import cli
from pycore.cli.rehearse import show
from pycore.errors import ConfigError
from pycore.rehearsal import Game, Outcome
from pycore.rehearsal.sites import site_of
from pycore.site import Study
from pycore.site.pyodide import NEEDED

ENVIRONMENTS = Path(__file__).resolve().parents[2] / "e2e" / "environments"
MEADOW = str(ENVIRONMENTS / "meadow.py")


def refused(*words: str) -> str:
    """What a wrong call is told; its exit status is 2."""
    done = CliRunner().invoke(cli, ["rehearse", *words])
    assert done.exit_code == 2, done.output
    return done.output


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("nowhere.py",), "there is no file nowhere.py"),
        ((MEADOW, "--players", "3"), "make the environment for 3 agents"),
        ((MEADOW, "--players", "9"), "9 is not in the range"),
        ((MEADOW, "--p2p-cut", "close"), "--p2p-down-at"),
        ((MEADOW, "--p2p-up-at", "3"), "no cut to come back from"),
        ((MEADOW, "--p2p-down-at", "30"), "not before the end"),
        ((MEADOW, "--hide", "1"), "PAGE@FROM-TO"),
        ((MEADOW, "--hide", "2@1-2"), "no page 2"),
        ((MEADOW, "--settings", "nowhere.json"), "cannot read the settings"),
        ((MEADOW, "--policy", "nowhere"), "names no function"),
        pytest.param((MEADOW, "--chromium", "/nowhere/chromium"), "not a browser that starts", marks=needs_playwright),
    ],
)  # fmt: skip
def test_a_wrong_call_is_told_what_to_do(words: tuple[str, ...], what: str) -> None:
    """In one sentence, before anything is built."""
    said = refused(*words)
    assert what in " ".join(said.split())
    assert "Traceback" not in said


@pytest.mark.slow
@needs_playwright
def test_a_rehearsal_takes_the_place_of_the_last_one_in_its_folder(tmp_path: Path) -> None:
    """Also where it then fails: yesterday's verdict would be taken for today's."""
    out = tmp_path / "out"
    out.mkdir()
    for name in ("verdict.json", "trajectory-0.jsonl", "settings.json", "end-page1.png", "notes.txt"):
        (out / name).write_text("{}")
    chromium = tmp_path / "chromium"
    chromium.write_text("#!/bin/sh\necho Chromium 1\n")
    chromium.chmod(0o755)
    refused(MEADOW, "--chromium", str(chromium), "--pyodide", str(tmp_path), "--out", str(out))
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


@needs_playwright
def test_a_verdict_is_told_although_it_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was played for, and only the files are missing."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    outcome = Outcome("g", {}, {}, {}, {}, True, 3.0, None, [], ["two records differ"], [])
    monkeypatch.setattr("pycore.rehearsal.browsers.all_ready", lambda *_: {})
    monkeypatch.setattr("pycore.rehearsal.sites.site_of", lambda *_, **__: tmp_path)
    monkeypatch.setattr("pycore.rehearsal.rehearse", lambda *_, **__: outcome)
    monkeypatch.setattr("pycore.rehearsal.write", full)
    for more in ([], ["--json"]):
        done = CliRunner().invoke(cli, ["rehearse", MEADOW, "--out", str(tmp_path / "out"), *more])
        assert "two records differ" in done.output
        assert "No space left" in done.output
        assert "are in" not in done.output
        assert done.exit_code == 2


@needs_playwright
def test_a_study_beside_the_environment_is_what_is_rehearsed(tmp_path: Path) -> None:
    """As `pycore serve` takes it; what is wrong with it is told."""
    shutil.copy(MEADOW, tmp_path)
    (tmp_path / "study.json").write_text('{"fsp": 20}')
    assert "unknown setting 'fsp'" in refused(str(tmp_path / "meadow.py"), "--chromium", "/nowhere")
    (tmp_path / "study.json").write_text('{"players": 3}')
    assert "make the environment for 3 agents" in " ".join(refused(str(tmp_path / "meadow.py")).split())
    (tmp_path / "other.json").write_text('{"title": "Crumbs"}')
    other = refused(str(tmp_path / "meadow.py"), "--settings", str(tmp_path / "other.json"), "--chromium", "/nowhere")
    assert "not a browser that starts" in other


def test_what_is_wrong_stands_last_and_right_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict is where one looks."""
    wrong = Outcome("g", {}, {}, {}, {}, True, 1.0, None, [], ["the players saw two games"], ["page 0: x: y"] * 9,
                    warnings=["every reward was 0"])  # fmt: skip
    show(wrong)
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[-3:] == ["note: every reward was 0", "reported: page 0: x: y", "WRONG: the players saw two games"]


# --- the site ---


@pytest.fixture
def pyodide(tmp_path: Path) -> Path:
    """As much of a Pyodide's folder as is looked at."""
    folder = tmp_path / "pyodide"
    folder.mkdir()
    for name in (*NEEDED, "pyodide.asm.mjs"):
        (folder / name).write_text("")
    lock = {"info": {"version": "314.0.7", "python": "3.14.2"}, "packages": {}}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    return folder


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a package in it."""
    folder = tmp_path / "at"
    (folder / "meadows" / "data").mkdir(parents=True)
    (folder / "meadows" / "__init__.py").write_text("")
    shutil.copy(MEADOW, folder / "meadows" / "green.py")
    (folder / "meadows" / "data" / "map.txt").write_text("x")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "meadows"]:
        del sys.modules[name]


def manifest(site: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((site / "manifest.json").read_text())
    return found


@pytest.mark.slow
def test_the_page_of_a_file_has_that_file(tmp_path: Path, pyodide: Path) -> None:
    """And the study's title and keys; otherwise the environment's name."""
    game = Game.of(MEADOW)
    site = site_of(game, tmp_path / "one", pyodide=pyodide)
    assert (manifest(site)["game"], manifest(site)["factory"]) == ("game/meadow.py", "make_env")
    assert manifest(site)["title"] == "meadow_v0"
    study = Study({}, title="Crumbs", action_mapping={"ArrowUp": [1, 1]})
    said = manifest(site_of(game, tmp_path / "two", study, pyodide=pyodide))
    assert (said["title"], said["action_mapping"]) == ("Crumbs", {"ArrowUp": [1, 1]})


@pytest.mark.slow
def test_the_page_is_told_of_a_script_and_has_the_studys_own_html(tmp_path: Path, pyodide: Path) -> None:
    """The script is served; Python does not get it. The page takes the place of pycore's."""
    shutil.copy(MEADOW, tmp_path)
    (tmp_path / "net.js").write_text("export const makePolicy = () => () => [0, 0];")
    (tmp_path / "own.html").write_text("<p>a page of the study's own</p>")
    study = Study({"policies": {"1": {"policy": "net.js", "computed_by": "one"}}})
    game = Game.of(str(tmp_path / "meadow.py"), study.settings)
    site = site_of(game, tmp_path / "site", study, pyodide=pyodide, page=tmp_path / "own.html")
    said = manifest(site)
    assert (said["page_policies"], said["files"]) == ({"1": "game/net.js"}, [])
    assert (site / "game" / "net.js").read_bytes() == (tmp_path / "net.js").read_bytes()
    assert (site / "index.html").read_text() == "<p>a page of the study's own</p>"
    assert "page_policies" not in manifest(site_of(Game.of(MEADOW), tmp_path / "none", pyodide=pyodide))


@needs_playwright
def test_a_policy_that_no_page_would_have_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    """It would do nothing, and the rehearsal would say that all is right."""
    study = tmp_path / "study.json"
    study.write_text('{"policies": {"1": {"policy": "net, March", "computed_by": "one"}}}')
    said = " ".join(refused(MEADOW, "--settings", str(study)).split())
    assert "one page computes the policy of player 1, 'net, March', which is no script" in said
    given = refused(MEADOW, "--settings", str(study), "--page", "own.html", "--chromium", "/nowhere")
    assert "not a browser that starts" in given


@pytest.mark.slow
def test_a_package_in_the_working_folder_goes_along_whole(at: Path, tmp_path: Path, pyodide: Path) -> None:
    """Its data too; the page imports it by its name, also where it needs no __init__.py here."""
    (at / "meadows" / "__init__.py").unlink()
    site = site_of(Game.of("meadows.green:make_env"), tmp_path / "new", pyodide=pyodide)
    files = {path.relative_to(site / "game").as_posix() for path in (site / "game").rglob("*") if path.is_file()}
    assert files == {"rehearsed.py", "meadows/__init__.py", "meadows/green.py", "meadows/data/map.txt"}
    assert (site / "game" / "rehearsed.py").read_text() == "from meadows.green import make_env as make_env\n"
    assert manifest(site)["factory"] == "make_env"


@pytest.mark.slow
def test_an_installed_package_has_to_be_named(at: Path, tmp_path: Path, pyodide: Path) -> None:
    """The page has nothing of this Python; what to say stands in the message."""
    installed = tmp_path / "site-packages"
    shutil.move(at / "meadows", installed / "meadows")
    sys.path.insert(0, str(installed))
    try:
        with pytest.raises(ConfigError, match="--packages meadows"):
            site_of(Game.of("meadows.green:make_env"), tmp_path / "new", pyodide=pyodide)
    finally:
        sys.path.remove(str(installed))


def test_help_names_every_option_of_the_guide() -> None:
    """And the guide every option."""
    guide = (Path(__file__).resolve().parents[3] / "docs" / "rehearsal.md").read_text(encoding="utf-8")
    command = cli.commands["rehearse"]
    options = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
    assert {name for name in options if name.startswith("--") and name not in guide} == set()
