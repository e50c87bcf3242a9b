"""The door: which Python and which browser it takes, when an installation counts as complete, its arguments."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

import build
from pycore.version import __version__
from tools import chromium, environment, long, node, steps, suite
from tools.paths import NODE_MODULES, ROOT
from tools.process import Failed, Missing, run

pytestmark = pytest.mark.tooling

posix_only = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


def script(path: Path, body: str) -> Path:
    """An executable that stands in for a program of the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fake_python(path: Path, version: str) -> Path:
    """Answers the probe as a Python of this version would."""
    return script(path, f'echo "{version.replace(".", " ")} {path}"')


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on the PATH and no pyenv; returns the folder that is on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.delenv("PYCORE_PYTHON", raising=False)
    monkeypatch.delenv(chromium.SETTING, raising=False)
    return folder


# Interpreters ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_this_python_works_as_an_interpreter() -> None:
    """The probe tells the truth about a real Python."""
    found = environment.probe(sys.executable)
    assert found is not None
    assert found.version == sys.version_info[:3]


@posix_only
def test_python_313_is_preferred_to_312(bare: Path) -> None:
    """3.13 first, also when 3.12 is on the PATH as well."""
    fake_python(bare / "python3.12", "3.12.9")
    fake_python(bare / "python3.13", "3.13.1")
    assert environment.best_interpreter() == ((3, 13, 1), bare / "python3.13")


@posix_only
def test_a_name_on_the_path_that_does_not_work_is_passed_over(bare: Path, tmp_path: Path) -> None:
    """pyenv's stand-in for an inactive version only prints an error; the real one under its root is taken."""
    script(bare / "python3.13", 'echo "pyenv: python3.13: command not found" >&2; exit 127')
    real = fake_python(tmp_path / "pyenv/versions/3.13.4/bin/python", "3.13.4")
    assert environment.best_interpreter() == ((3, 13, 4), real)


@posix_only
def test_the_newest_patch_under_pyenv_is_taken(bare: Path, tmp_path: Path) -> None:
    """By number, not by text: 3.13.10 is newer than 3.13.9."""
    for version in ("3.13.9", "3.13.10", "3.13.2"):
        fake_python(tmp_path / f"pyenv/versions/{version}/bin/python", version)
    assert environment.best_interpreter().version == (3, 13, 10)


@posix_only
def test_a_python_that_lies_about_its_name_is_passed_over(bare: Path) -> None:
    """What counts is the version that it reports."""
    fake_python(bare / "python3.13", "3.10.1")
    fake_python(bare / "python3.12", "3.12.2")
    assert environment.best_interpreter().version == (3, 12, 2)


def test_without_another_python_the_running_one_is_taken(bare: Path) -> None:
    """A bare machine with one Python is enough."""
    assert environment.best_interpreter().version == sys.version_info[:3]


def test_a_python_that_was_named_is_taken_or_refused(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$PYCORE_PYTHON is never silently replaced."""
    monkeypatch.setenv("PYCORE_PYTHON", sys.executable)
    assert environment.best_interpreter().version == sys.version_info[:3]
    monkeypatch.setenv("PYCORE_PYTHON", str(bare / "nothing"))
    with pytest.raises(Missing, match="PYCORE_PYTHON"):
        environment.best_interpreter()


# Environments ---------------------------------------------------------------------------------------------------


@pytest.fixture
def installations(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Records what pip would install, and installs nothing."""
    calls: list[list[str]] = []
    monkeypatch.setattr(environment, "pip_install", lambda folder, wanted: calls.append(list(wanted)))
    return calls


@pytest.fixture
def here() -> environment.Interpreter:
    found = environment.probe(getattr(sys, "_base_executable", None) or sys.executable)
    assert found is not None
    return found


@pytest.mark.slow
def test_an_environment_is_made_once_and_updated_when_its_pins_change(
    tmp_path: Path, installations: list[list[str]], here: environment.Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stamp decides: nothing is done while it fits; a change of the pins installs into the same environment."""
    folder = tmp_path / "env"
    python = environment.ensure(folder, here, ["test"])
    assert python.is_file()
    (folder / "mark").touch()
    environment.ensure(folder, here, ["test"])
    assert len(installations) == 1
    monkeypatch.setattr(environment, "requirements", lambda extras: ["another==1"])
    environment.ensure(folder, here, ["test"])
    assert installations[1] == ["another==1"]
    assert (folder / "mark").is_file()
    # The project itself is importable from anywhere.
    code = "import pycore; print(pycore.__file__)"
    assert str(ROOT / "pycore") in run([python, "-c", code], cwd=tmp_path)

    # Interrupted: no stamp is left, and the next time begins from nothing.
    def interrupted(folder: Path, wanted: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "requirements", lambda extras: ["third==1"])
    monkeypatch.setattr(environment, "pip_install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.ensure(folder, here, ["test"])
    assert environment.read_stamp(folder) is None
    monkeypatch.setattr(environment, "pip_install", lambda folder, wanted: None)
    environment.ensure(folder, here, ["test"])
    assert environment.read_stamp(folder) is not None
    assert not (folder / "mark").exists()


def test_the_stamp_changes_with_everything_that_decides_the_contents(here: environment.Interpreter) -> None:
    """Interpreter, requirements, constraints; the order of the requirements does not matter."""
    base = environment.stamp_of(here, ["a", "b"], "c")
    other = environment.Interpreter((3, 99, 0), here.path)
    assert environment.stamp_of(here, ["b", "a"], "c") == base
    changed = [
        environment.stamp_of(other, ["a", "b"], "c"),
        environment.stamp_of(here, ["a", "b2"], "c"),
        environment.stamp_of(here, ["a", "b"], "d"),
    ]
    assert base not in changed
    assert len(set(changed)) == 3


def test_every_requirement_of_the_tools_is_pinned_exactly() -> None:
    """pyproject.toml pins what the project uses to build and test, and the constraints pin everything else."""
    for wanted in environment.requirements(["test", "browser", "page", "dev"]):
        assert "==" in wanted.partition(";")[0], wanted
    lines = environment.CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    assert all("==" in line.partition(";")[0] for line in pins)
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in pins}
    relay = [wanted.partition(">=")[0].lower() for wanted in environment.requirements(["relay"])]
    assert set(relay) <= pinned


def test_a_failed_command_says_what_it_was_and_what_it_printed() -> None:
    """The message is enough to act on."""
    with pytest.raises(Failed, match=r"(?s)status 7.*over here"):
        run([sys.executable, "-c", "print('over here'); raise SystemExit(7)"])


def test_a_command_that_may_fail_for_the_network_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three attempts, and the third result counts."""
    monkeypatch.setattr("tools.process.PAUSES", (0.0,))
    log = tmp_path / "log"
    code = f"p = {str(log)!r}; open(p, 'a').write('x'); n = len(open(p).read()); raise SystemExit(n < 3)"
    run([sys.executable, "-c", code], attempts=3)
    assert log.read_text() == "xxx"


# Node and Chromium ----------------------------------------------------------------------------------------------


@posix_only
def test_an_old_node_does_not_count(bare: Path) -> None:
    """The version decides, and something that is no Node has none."""
    assert node.major_version(str(script(bare / "node", "echo v18.2.0"))) == 18 < node.OLDEST
    assert node.major_version(str(script(bare / "broken", "exit 1"))) == 0
    assert node.major_version(None) == 0


def test_the_npm_lock_names_no_registry_and_pins_everything() -> None:
    """The packages come from whichever registry the machine uses, and their hashes are checked."""
    lock = (ROOT / "web" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock
    assert "registry" not in lock
    assert lock.count('"integrity"') >= 15
    package = (ROOT / "web" / "package.json").read_text(encoding="utf-8")
    assert "^" not in package
    assert "~" not in package


@posix_only
def test_an_installed_chromium_is_found_and_a_broken_one_passed_over(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapper that only says "install the snap" is no browser."""
    monkeypatch.setattr(chromium, "playwrights_own", lambda: None)
    assert chromium.find() is None
    script(bare / "chromium-browser", "echo 'please install the snap'")
    chrome = script(bare / "google-chrome", "echo Google Chrome 140.0.1")
    assert chromium.find() == chrome
    best = script(bare / "chromium", "echo Chromium 140.0.2")
    assert chromium.find() == best


def test_the_browsers_of_tests_compile_quickly_unless_they_are_to_be_as_peoples(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Beside what a test wants itself."""
    chrome = tmp_path / "chromium"
    given = chromium.options_of("chromium", {"args": ["--lang=de"], "executable_path": "other"}, chrome, True)
    assert given["args"] == ["--lang=de", "--js-flags=--liftoff-only"]
    assert given["executable_path"] == "other"
    assert chromium.options_of("firefox", {"firefox_user_prefs": {"a": 1}}, chrome, True) == {
        "firefox_user_prefs": {"a": 1, "javascript.options.wasm_optimizingjit": False}
    }
    usual = chromium.options_of("chromium", {}, chrome, False)
    assert "args" not in usual
    assert usual["executable_path"] == str(chrome)
    for value, quick in (("", True), ("optimizing", False)):
        monkeypatch.setenv(chromium.COMPILER, value)
        assert chromium.is_quick() is quick


@posix_only
def test_a_named_chromium_is_taken_or_refused(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """--chromium wins over the setting, the setting over what is installed; a wrong one is an error."""
    script(bare / "chromium", "echo Chromium 1")
    mine = script(tmp_path / "mine", "echo Chromium 2")
    other = script(tmp_path / "other", "echo Chromium 3")
    monkeypatch.setenv(chromium.SETTING, str(mine))
    assert chromium.find() == mine
    assert chromium.find(str(other)) == other
    with pytest.raises(Missing, match="nothing-here"):
        chromium.find(str(tmp_path / "nothing-here"))


@posix_only
def test_without_any_chromium_it_is_said_what_to_do(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the ways out."""
    for name in ("playwrights_own", "download", "from_debian"):
        monkeypatch.setattr(chromium, name, lambda: None)
    with pytest.raises(Missing, match="--chromium"):
        chromium.ensure()


# Arguments ------------------------------------------------------------------------------------------------------


def test_every_option_of_the_rehearsal_is_understood() -> None:
    """The options by their documented names, with their types."""
    line = (
        "demo --selfplay 2 --seconds 20 --out there --latency 80 --loss 5 --p2p-down-at 5 --p2p-up-at 10 "
        "--p2p-cut close --socketio-only --input-delay 2 --seed 7 --host 0.0.0.0 --port 9 --database x.sqlite"
    )
    options = build.parser().parse_args(line.split())
    assert (options.selfplay, options.seconds, options.out) == (2, 20.0, Path("there"))
    assert (options.latency, options.loss, options.p2p_down_at, options.p2p_up_at) == (80.0, 5.0, 5.0, 10.0)
    assert (options.p2p_cut, options.socketio_only, options.input_delay, options.seed) == ("close", True, 2, 7)
    assert (options.host, options.port, options.database) == ("0.0.0.0", 9, "x.sqlite")


@pytest.mark.parametrize(
    "line",
    ["", "test --fast --all", "dance",
     "demo --selfplay 0", "demo --selfplay 1", "demo --selfplay 9", "demo --seats 9", "demo --example chess",
     "demo --loss 101", "demo --latency -1", "demo --p2p-cut gently", "test --fats",
     "demo --selfplay 2 --seconds nan", "demo --selfplay 2 --input-delay -1", "demo --selfplay 2 --input-delay 61"],
)  # fmt: skip
def test_wrong_arguments_are_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With status 2 and a usage line, before anything is installed."""
    with pytest.raises(SystemExit) as error:
        build.main(line.split())
    assert error.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("--latency 50", "add --selfplay 2"), ("--p2p-down-at 3", "add --selfplay 2"),
        ("--selfplay 3 --example volley", "is for two"), ("--seats 4 --example volley", "is for two"),
        ("--selfplay 3 --seats 3", "leave out --seats"), ("--selfplay 2 --settings a.json", "--settings"),
        ("--selfplay 2 --host 0.0.0.0", "--host"), ("--selfplay 2 --p2p-up-at 5", "add --p2p-down-at"),
        ("--selfplay 2 --p2p-cut close", "add --p2p-down-at"),
        ("--selfplay 2 --socketio-only --p2p-down-at 5", "no peer-to-peer to cut"),
        ("--selfplay 2 --socketio-only --loss 5", "those of peer-to-peer"),
        ("--selfplay 2 --seconds 5 --p2p-down-at 5", "not before the end"),
        ("--selfplay 2 --p2p-down-at 5 --p2p-up-at 5", "not between"),
        ("--selfplay 2 --seconds 9 --p2p-down-at 5 --p2p-up-at 9", "not between"),
    ],
)  # fmt: skip
def test_options_of_the_demo_that_would_do_nothing_are_refused(
    line: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cut that never comes would pass for a failover that works."""
    with pytest.raises(SystemExit) as error:
        build.main(["demo", *line.split()])
    assert error.value.code == 2
    assert what in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    ["", "--host 0.0.0.0 --settings a.json --port 1", "--selfplay 2", "--selfplay 8", "--seats 8 --example tag",
     "--selfplay 2 --example tag", "--selfplay 2 --socketio-only",
     "--selfplay 2 --seconds 9 --p2p-down-at 0 --p2p-up-at 5 --p2p-cut close --input-delay 0"],
)  # fmt: skip
def test_options_of_the_demo_that_belong_together_are_taken(line: str) -> None:
    """Nothing else is refused."""
    assert build.contradiction(build.parser().parse_args(["demo", *line.split()])) == ""


@pytest.mark.parametrize("line", ["--page --against HEAD", "--against HEAD --write"])
def test_a_bench_does_one_thing(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two versions' figures are not this one's to write down."""
    with pytest.raises(SystemExit) as error:
        build.main(["bench", *line.split()])
    assert error.value.code == 2
    assert "--against compares" in capsys.readouterr().err


def test_arguments_after_two_dashes_are_pytests() -> None:
    """The first -- divides; later ones belong to pytest."""
    assert build.split(["test", "--fast", "--", "-k", "x", "--", "y"]) == (["test", "--fast"], ["-k", "x", "--", "y"])
    assert build.split(["test"]) == (["test"], [])


@pytest.mark.slow
def test_help_works_on_a_bare_python_without_installing_anything(tmp_path: Path) -> None:
    """Isolated from this environment's packages; nothing is made, not even the environment."""
    python = environment.probe(getattr(sys, "_base_executable", None) or sys.executable)
    assert python is not None
    done = subprocess.run(
        [python.path, "-I", "-S", ROOT / "build.py", "--help"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 0
    for task in ("demo", "test", "wheel", "site", "bench", "env", "clean"):
        assert task in done.stdout


# The suite ------------------------------------------------------------------------------------------------------


def options_of(line: str) -> argparse.Namespace:
    return build.parser().parse_args(line.split())


def test_fast_leaves_out_what_takes_long_and_all_adds_it() -> None:
    """The names of the steps, in order; no step is in none of the three."""
    every = [step.name for step in suite.STEPS]
    assert [step.name for step in suite.chosen(options_of("test --all"))] == every
    lengthy = {"games", *(part.name for part in long.PARTS)}
    assert {"schedules", "returns", "browsers", "fuzz"} <= lengthy
    assert [step.name for step in suite.chosen(options_of("test"))] == [n for n in every if n not in lengthy]
    fast = [step.name for step in suite.chosen(options_of("test --fast"))]
    assert fast == ["server", "unit", "edges", "lint", "js", "types", "laws"]
    assert [step.name for step in suite.chosen(options_of("test --only fuzz"))] == ["fuzz"]
    assert [step.name for step in suite.chosen(options_of("test --only js,lint"))] == ["lint", "js"]
    with pytest.raises(Missing, match="no step dance"):
        suite.chosen(options_of("test --only dance"))


def said_commands() -> list[str]:
    """What the documents, and the modules of the benchmarks, tell whoever reads them to type."""
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    texts = [file.read_text("utf-8") for file in (*documents, *(ROOT / "bench").glob("*.py"))]
    said = [found for text in texts for found in re.findall(r"(?:python3 |`)build\.py ([a-z][^`#\n\"]*)", text)]
    return sorted({re.sub(r"[\[\]]|-->|[;:)].*", "", line).strip() for line in said})


def test_what_the_documents_say_to_type_is_taken() -> None:
    """Every option that stands there; `bench --mesh` was none for a while."""
    lines = said_commands()
    assert {"demo", "test --fast", "bench --mesh"} <= set(lines)
    for line in lines:
        mine, _ = build.split(line.split())
        try:
            build.parser().parse_args(mine)
        except SystemExit as error:
            raise AssertionError(f"build.py {line}") from error


def steps_that(*endings: object) -> tuple[steps.Step, ...]:
    """Steps that end so: counts are returned, exceptions raised."""

    def ending(what: object) -> steps.Step:
        def act(options: argparse.Namespace) -> tuple[steps.Counts, str]:
            if isinstance(what, Exception):
                raise what
            assert isinstance(what, steps.Counts)
            return what, "fine"

        return steps.Step("step", "a step", act)

    return tuple(ending(what) for what in endings)


@pytest.mark.parametrize(
    ("endings", "status", "line"),
    [
        ([steps.Counts(5, 0, 1), steps.Counts(1)], 0, "6 passed, 0 failed, 1 skipped"),
        ([steps.Counts(5), steps.Broken("bad", steps.Counts(2, 3))], 1, "7 passed, 3 failed"),
        ([steps.Counts(5), Missing("no Chromium")], 1, "5 passed, 1 failed"),
        ([steps.Counts(5), ZeroDivisionError("a bug of the suite")], 1, "5 passed, 1 failed"),
        ([steps.Counts()], 1, "0 passed, 0 failed"),
    ],
)
def test_the_end_of_the_suite_is_honest(
    endings: list[object],
    status: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 0 only if something passed and nothing failed; a step that could not run has failed."""
    monkeypatch.setattr(suite, "STEPS", steps_that(*endings))
    assert suite.main(options_of("test")) == status
    out = capsys.readouterr().out
    assert line in out.strip().splitlines()[-1]
    for ending in endings:
        if isinstance(ending, Exception):
            assert str(ending) in out


def test_what_tests_nothing_by_the_clock_goes_on_behind_the_pages_with_what_they_leave(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its processes come last where a thread can ask for it; how it ended is told with the others."""
    play, played = threading.Event(), threading.Event()
    nice = [sys.executable, "-c", "import os; print(os.nice(0))"]

    def pages(options: argparse.Namespace) -> tuple[steps.Counts, str]:
        assert play.wait(20), "the laws wait for the pages"
        played.set()
        return steps.Counts(1), steps.command(nice)[1]

    def laws(options: argparse.Namespace) -> tuple[steps.Counts, str]:
        play.set()
        assert played.wait(20), "the pages wait for the laws"
        return steps.Counts(2), steps.command(nice)[1]

    made = (steps.Step("laws", "", laws, behind=True), steps.Step("pages", "", pages, browser=True))
    monkeypatch.setattr(suite, "STEPS", made)
    assert suite.main(options_of("test")) == 0
    told = capsys.readouterr().out
    last = 19 if sys.platform == "linux" else os.nice(0)
    assert re.search(rf"== pages: passed .*\n{os.nice(0)}\n", told)
    assert re.search(rf"== laws: passed .*\n{last}\n", told)
    assert told.endswith("3 passed, 0 failed, 0 skipped in " + told.rpartition(" in ")[2])


@pytest.mark.slow
def test_pytest_failures_reach_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real pytest runs: failures, errors and skips are counted, and a run that collects nothing is no success."""
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "more").mkdir()
    (tests / "more" / "test_more.py").touch()
    (tests / "test_some.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 0\n"
        "@pytest.mark.skip\ndef test_left(): pass\n"
        "def test_error(nothing): pass\n"
    )
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    options = options_of("test")
    options.pytest_arguments = ["-p", "no:cacheprovider"]
    with pytest.raises(steps.Broken) as error:
        steps.pytest(sys.executable, ["tests"], "", options)
    assert error.value.counts == steps.Counts(1, 2, 1)
    options.pytest_arguments += ["-k", "good"]
    assert steps.pytest(sys.executable, ["tests"], "", options)[0] == steps.Counts(1, 0, 0)
    options.pytest_arguments = ["-p", "no:cacheprovider", "tests/test_some.py::test_good"]
    assert steps.pytest(sys.executable, ["tests"], "", options)[0] == steps.Counts(1, 0, 0)
    assert steps.pytest(sys.executable, ["tests/more"], "", options)[0] == steps.Counts()
    options.pytest_arguments = []
    with pytest.raises(steps.Broken):
        steps.pytest(sys.executable, ["tests"], "nosuchmark", options)
    with pytest.raises(steps.Broken, match="no tests"):
        steps.pytest(sys.executable, ["elsewhere"], "", options)


@pytest.mark.slow
def test_a_step_that_passed_says_why_it_left_tests_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A count alone tells nobody what was not tried, and whether it should have been."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_some.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "@pytest.mark.skip(reason='there is no moon')\ndef test_left(): pass\n"
    )
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    options = options_of("test")
    options.pytest_arguments = ["-p", "no:cacheprovider", "-ra"]
    counts, output = steps.pytest(sys.executable, ["tests"], "", options)
    suite.report(steps.Outcome("some", counts, 1.0, "", output))
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith("SKIPPED") and "there is no moon" in line for line in told)
    assert told[-1].startswith("1 passed, 1 skipped")


def test_the_packages_of_web_are_installed_for_this_lock_file() -> None:
    """What the other tests rely on."""
    assert (NODE_MODULES / "pyodide-314" / "pyodide.asm.wasm").is_file()


def test_every_unit_test_belongs_to_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one step leaves out, another runs; a test that is named runs where it belongs."""
    runs: list[list[str]] = []

    def spy(words: Sequence[object], live: bool = False, **variables: str) -> tuple[int, str]:
        runs.append([str(word) for word in words])
        return 5, "nothing"

    monkeypatch.setattr(steps, "command", spy)
    monkeypatch.setattr(steps.node, "ensure_packages", lambda: None)
    options = options_of("test --fast")
    options.pytest_arguments = ["-x"]
    for step in (steps.unit, steps.server, steps.edges):
        step(options)
    folders = [word for run in runs[1:] for word in run if word.startswith("tests/")]
    assert [f"--ignore={folder}" for folder in folders] == [word for word in runs[0] if word.startswith("--ignore")]
    assert all((ROOT / folder).is_dir() for folder in folders)
    options.pytest_arguments = ["tests/unit/relay/test_relay_cli.py"]
    runs.clear()
    for step in (steps.unit, steps.edges):
        assert step(options)[1] == "none of the named tests belongs here"
    steps.server(options)
    assert "tests/unit/relay/test_relay_cli.py" in runs[0]


def collected(marks: str, **variables: str) -> list[str]:
    """The tests that a run of pytest would take of a module here, which has one of everything."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", marks, "tests/unit/test_build.py"]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    return [line for line in done.stdout.splitlines() if "::" in line]


@pytest.mark.slow
def test_the_floor_has_one_of_each_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test, with the first of its parameters that the marks leave; with --all, all of them."""
    every = collected("not slow")
    names = list(dict.fromkeys(line.partition("[")[0] for line in every))
    found = collected("not slow", **steps.ONE_OF_EACH)
    assert [line.partition("[")[0] for line in found] == names
    assert set(found) < set(every)
    given: list[dict[str, str]] = []
    monkeypatch.setattr(steps, "command", lambda words, live=False, **variables: given.append(variables) or (5, ""))
    monkeypatch.setattr(steps.environment, "ensure_floor", lambda: Path(sys.executable))
    for line in ("test", "test --all"):
        options = options_of(line)
        options.pytest_arguments = ["-x"]
        steps.floor(options)
    assert [variables.get("PYCORE_TESTS") for variables in given] == ["one of each", None]


def test_between_two_edits_one_of_each_test_is_enough_unless_it_is_said_which(monkeypatch: pytest.MonkeyPatch) -> None:
    """All steps of it alike; the whole has all of them."""
    given: list[dict[str, str]] = []
    monkeypatch.setattr(steps, "command", lambda words, live=False, **variables: given.append(variables) or (5, ""))
    monkeypatch.setattr(steps.node, "ensure_packages", lambda: None)
    monkeypatch.delenv("PYCORE_TESTS", raising=False)
    for line, arguments, tests in (
        ("test --fast", [], "one of each"), ("test --fast", ["-k", "silence"], None), ("test", [], None),
    ):  # fmt: skip
        given.clear()
        options = options_of(line)
        options.pytest_arguments = arguments
        for step in (steps.unit, steps.server, steps.edges, steps.laws):
            with contextlib.suppress(steps.Broken):
                step(options)
        assert [variables.get("PYCORE_TESTS") for variables in given] == [tests] * 4


# What is long ----------------------------------------------------------------------------------------------------


def test_what_is_long_leaves_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each part what it counted, how long it took and how it ended; a part that failed is no success."""
    monkeypatch.setattr(long, "FOLDER", tmp_path / "long")
    monkeypatch.setattr(long, "FILE", tmp_path / "long.json")

    def part(name: str, wrote: str, status: int = 0) -> long.Long:
        code = f"import sys, pathlib; pathlib.Path(sys.argv[1]).write_text({wrote!r}); sys.exit({status})"
        return long.Long(name, name, lambda file: [sys.executable, "-c", code, str(file)])

    counted = part("counted", '{"schedules": 5000, "standing": {"longest": 1.5}, "note": "x", "fine": true}')
    assert steps.lengthy(counted).run(options_of("test --all"))[0] == steps.Counts(1)
    tests = part("tests", '<testsuites><testsuite tests="9" failures="1" errors="1"/></testsuites>', 1)
    with pytest.raises(steps.Broken):
        steps.lengthy(tests).run(options_of("test --all"))
    kept = json.loads((tmp_path / "long.json").read_text())
    assert kept["counted"].pop("seconds") >= 0
    assert kept["counted"] == {"status": 0, "schedules": 5000, "standing.longest": 1.5, "fine": 1}
    assert (kept["tests"]["tests"], kept["tests"]["failed"], kept["tests"]["status"]) == (9, 2, 1)
    shown = long.table({"counted"})
    assert "counted.schedules" in shown
    assert "5,000" in shown
    assert "tests." not in shown


@pytest.mark.parametrize("part", long.PARTS, ids=lambda part: part.name)
def test_each_long_part_writes_where_it_is_told(part: long.Long, tmp_path: Path) -> None:
    """Its command names the file, and begins with this Python."""
    words = part.words(tmp_path / "f")
    assert words[0] == sys.executable
    assert any(str(tmp_path / "f") in word for word in words)


# The project's own papers -------------------------------------------------------------------------------------------


def test_the_citation_names_this_version_and_these_authors() -> None:
    """As version.py and pyproject.toml do."""
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.findall(r"^version: (.+)$", text, re.MULTILINE) == [__version__]
    assert re.findall(r"^  - name: (.+)$", text, re.MULTILINE) == [author["name"] for author in project["authors"]]
    assert re.findall(r"^license: (.+)$", text, re.MULTILINE) == [project["license"]]


def test_ci_runs_what_the_readme_says_and_needs_no_secrets() -> None:
    """One command, of this repository, under a time limit."""
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert re.findall(r"run: (\.ci/\S+)", text) == [".ci/run"]
    assert "secrets." not in text
    assert "contents: read" in text
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "build.py test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "build.py test" in (ROOT / "README.md").read_text(encoding="utf-8")
