"""The steps of `build.py test`: what each runs, and what it needs for that.

A step that cannot run (no Node, no Chromium, an installation that failed) fails with its reason; none is skipped.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tools import chromium, environment, long, node
from tools.paths import BUILD, NODE_MODULES, ROOT, WEB

UNIT = ("tests/unit", "tests/fuzz")
SERVER = ("tests/unit/attacks", "tests/unit/relay")
EDGES = ("tests/unit/audit", "tests/unit/interactive_gym", "tests/unit/rehearsal")
"""Of the unit tests, those that are steps of their own, since they are at work at the same time."""
LAWS = ("tests/property", "tests/oracle")
WITHOUT = "not browser and not e2e"
BYTE_CODE = BUILD / "cache" / "bytecode"
"""Where byte code is kept for whoever wants none beside the sources (PYTHONDONTWRITEBYTECODE)."""


class Counts(NamedTuple):
    """What a step's tests came to; a check that is no test counts as one."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


class Outcome(NamedTuple):
    """How a step ended: its counts, how long it took, and what to show."""

    name: str
    counts: Counts
    seconds: float
    note: str
    output: str


class Step(NamedTuple):
    """A part of the suite: `run` does it; `long` ones only with --all or if named."""

    name: str
    what: str
    run: Callable[[argparse.Namespace], tuple[Counts, str]]
    browser: bool = False
    """Whether it plays in pages, which have the machine for themselves but for what is behind."""
    behind: bool = False
    """Whether it tests nothing by the clock: it has what all others leave of the processors."""
    fast: bool = True
    """Whether it belongs to --fast."""
    long: bool = False


class Broken(Exception):
    """A step failed. Carries its output, and the counts if there were tests."""

    def __init__(self, output: str, counts: Counts | None = None) -> None:
        super().__init__(output)
        self.counts = counts or Counts(failed=1)


def command(words: Sequence[str | Path], live: bool = False, **variables: str) -> tuple[int, str]:
    """Run a command in the project's folder; its status and output (which goes to the terminal instead if `live`)."""
    if live:
        sys.stdout.flush()
    surroundings = {**os.environ, **variables}
    if surroundings.pop("PYTHONDONTWRITEBYTECODE", ""):
        # Without byte code every process compiles whatever it imports anew; here none lies beside the sources.
        surroundings.setdefault("PYTHONPYCACHEPREFIX", str(BYTE_CODE))
    done = subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=None if live else subprocess.PIPE,
        stderr=None if live else subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    return done.returncode, done.stdout or ""


def check(words: Sequence[str | Path]) -> tuple[Counts, str]:
    """A command that is one check."""
    status, output = command(words)
    if status != 0:
        raise Broken(output or f"ended with status {status}")
    return Counts(passed=1), output


def counts_of(report: Path) -> Counts:
    """The counts of a JUnit report, which pytest writes for machines."""
    passed = failed = skipped = 0
    for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        left = int(suite.get("skipped", 0))
        passed += int(suite.get("tests", 0)) - bad - left
        failed += bad
        skipped += left
    return Counts(passed, failed, skipped)


PLAYERS = 2
"""Games in real pages that are played at the same time. On a machine that is half as fast as most, three starve each
other, and what is late fails."""
QUICK = {"PYCORE_HYPOTHESIS": "quick", "PYCORE_EXAMPLES": "0.2x"}
"""Fewer examples of every property: for --fast, coverage, and the floor, whose Python is tested and not the laws."""
HALF = {"PYCORE_EXAMPLES": "0.5x"}  # of the laws in every run: some hundred schedules
ONE_OF_EACH = {"PYCORE_TESTS": "one of each"}
"""Of the tests with parameters the first one each (tests/conftest.py)."""
AS_PEOPLE = {chromium.COMPILER: "optimizing"}
"""Pages whose WebAssembly is compiled as for participants: for parity, and with --all (`tools.chromium.QUICK`)."""
NOTHING: Mapping[str, str] = {}


def pytest(
    python: Path | str,
    folders: Sequence[str],
    marks: str,
    options: argparse.Namespace,
    live: bool = False,
    much: Mapping[str, str] = NOTHING,
    workers: int = 1,
    without: Sequence[str] = (),
) -> tuple[Counts, str]:
    """One run of pytest on the folders but those `without`, or on those of their tests that the arguments name.

    `much`: the variables that say how many examples and tests; who calls build.py has the last word.
    """
    present = [folder for folder in folders if any((ROOT / folder).rglob("test_*.py"))]
    if not present:
        raise Broken(f"no tests in {', '.join(folders)}")
    named = [word for word in options.pytest_arguments if (ROOT / word.partition("::")[0]).exists()]
    if named:
        present = [word for word in named if word.startswith(tuple(folders)) and not word.startswith(tuple(without))]
        if not present:
            return Counts(), "none of the named tests belongs here"
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary) / "report.xml"
        words: list[str | Path] = [python, "-m", "pytest", "-q", *present, f"--junit-xml={report}"]
        words += [f"--ignore={folder}" for folder in without]
        if marks:
            words += ["-m", marks]
        if workers > 1:
            words += ["-n", str(workers), "--dist", "worksteal"]
        words += [word for word in options.pytest_arguments if word not in named]
        variables = {name: value for name, value in much.items() if name not in os.environ}
        status, output = command(words, live=live, **variables)
        counts = counts_of(report) if report.is_file() else None
    if status == 5 and options.pytest_arguments:  # nothing collected: the arguments chose tests of other steps
        return Counts(), output
    if status != 0 or counts is None:
        # pytest may fail without a failed test: an error in a conftest, a wrong argument, a crash.
        bad = counts if counts and counts.failed else Counts(counts.passed if counts else 0, 1)
        raise Broken(output or f"pytest ended with status {status}", bad)
    return counts, output


def lint(_: argparse.Namespace) -> tuple[Counts, str]:
    return check([sys.executable, "-m", "ruff", "check", "."])


def types(_: argparse.Namespace) -> tuple[Counts, str]:
    return check([sys.executable, "-m", "mypy"])


def javascript(_: argparse.Namespace) -> tuple[Counts, str]:
    node_path, _npm = node.ensure_node()
    node.ensure_packages()
    if not (WEB / "tsconfig.json").is_file():
        raise Broken("web/tsconfig.json is not there")
    return check([node_path, NODE_MODULES / "typescript" / "bin" / "tsc", "-p", WEB])


def unit(options: argparse.Namespace) -> tuple[Counts, str]:
    node.ensure_packages()  # the wheel's and the oracle's tests use Node
    return pytest(sys.executable, UNIT, marks_of(options), options, much=much_of(options), without=SERVER + EDGES)


def edges(options: argparse.Namespace) -> tuple[Counts, str]:
    node.ensure_packages()
    return pytest(sys.executable, EDGES, marks_of(options), options, much=much_of(options))


def server(options: argparse.Namespace) -> tuple[Counts, str]:
    # Most of what these tests take is waiting; with --fast all others wait for the unit tests.
    workers = 1 if options.fast else 2
    return pytest(sys.executable, SERVER, marks_of(options), options, much=much_of(options), workers=workers)


def much_of(options: argparse.Namespace) -> Mapping[str, str]:
    """How many examples and tests; who has arguments for pytest says which tests."""
    if not options.fast:
        return NOTHING
    return QUICK if options.pytest_arguments else {**QUICK, **ONE_OF_EACH}


def marks_of(options: argparse.Namespace) -> str:
    """What is long repeats what is tested; with --all it is in the part `examples`, with more of them."""
    return f"{WITHOUT} and not slow and not long" if options.fast else f"{WITHOUT} and not long"


def laws(options: argparse.Namespace) -> tuple[Counts, str]:
    node.ensure_packages()
    much = much_of(options) if options.fast or options.all else HALF
    return pytest(sys.executable, LAWS, marks_of(options), options, much=much)


def floor(options: argparse.Namespace) -> tuple[Counts, str]:
    if sys.version_info[:2] == environment.FLOOR:
        return Counts(), "the main environment is on 3.11 already"
    python = environment.ensure_floor()
    if python is None:
        return Counts(), "no Python 3.11 on this machine, so the floor was not tested"
    marks = f"{WITHOUT} and not slow and not long and not tooling"
    much = QUICK if options.all else {**QUICK, **ONE_OF_EACH}
    return pytest(python, UNIT + LAWS, marks, options, much=much)


def parity(options: argparse.Namespace) -> tuple[Counts, str]:
    from tools import distributions

    chromium.ensure(options.chromium)
    distributions.ensure_all()
    return pytest(sys.executable, ["tests/parity"], "", options, much=AS_PEOPLE)


def pages_of(options: argparse.Namespace) -> Mapping[str, str]:
    """How the pages of tests are compiled."""
    return AS_PEOPLE if options.all else NOTHING


def browser(options: argparse.Namespace) -> tuple[Counts, str]:
    from tools import site

    chromium.ensure(options.chromium)
    site.build()
    marks = "" if options.all else "not long"
    return pytest(sys.executable, ["tests/browser"], marks, options, live=True, much=pages_of(options), workers=PLAYERS)


def e2e(options: argparse.Namespace) -> tuple[Counts, str]:
    from tools import coturn, firefox, site, webkit

    chromium.ensure(options.chromium)
    # Not while a test waits for them; without them those tests say why they are left out.
    firefox.find()
    webkit.find()
    coturn.find()
    site.build()
    marks = "" if options.all else "not long"
    # The tutorial is one test and the longest of all: it comes first, so that nobody waits for it at the end.
    folders = ["tests/tutorial", "tests/e2e"]
    return pytest(sys.executable, folders, marks, options, live=True, much=pages_of(options), workers=PLAYERS)


def page(options: argparse.Namespace, marks: str = "not long") -> tuple[Counts, str]:
    """Games in the real page."""
    from tools import coturn, distributions, firefox

    chromium.ensure(options.chromium)
    distributions.ensure_all()
    # Not while a test waits for them.
    firefox.find()
    coturn.find()
    return pytest(sys.executable, ["tests/page"], marks, options, live=True, much=pages_of(options), workers=PLAYERS)


def lengthy(part: long.Long) -> Step:
    """A part of what is long, as a step."""

    def run(_: argparse.Namespace) -> tuple[Counts, str]:
        status, output = long.perform(part, command)
        if status != 0:
            raise Broken(output or f"ended with status {status}")
        return Counts(passed=1), output

    return Step(part.name, part.what, run, fast=False, long=True)


# Of those that are behind, what is soon over comes first: whoever has broken it need not wait for it.
STEPS = (
    Step("server", "unit tests of the relay, and attacks on it", server),
    Step("unit", "other unit tests, and the corpus of the fuzzer", unit),
    Step("edges", "unit tests of the audit, the rehearsal and the interactive_gym page's part", edges),
    Step("lint", "ruff", lint, behind=True),
    Step("js", "tsc, with checkJs, on web/", javascript, behind=True),
    Step("types", "mypy --strict", types, behind=True),
    Step("laws", "property tests, and the comparison with the oracle", laws, behind=True),
    Step("floor", "one of each of them on Python 3.11, if present; all with --all", floor, behind=True, fast=False),
    Step("parity", "the same digests on CPython and on three Pyodides", parity, behind=True, fast=False),
    Step("browser", "the shims in a headless Chromium", browser, browser=True, fast=False),
    Step("e2e", "whole sessions in two pages, and the tutorial", e2e, browser=True, fast=False),
    Step("page", "the real interactive_gym page, with its server", page, browser=True, fast=False),
    Step("games", "more games in that page", partial(page, marks="long"), browser=True, fast=False, long=True),
    *(lengthy(part) for part in long.PARTS),
)
