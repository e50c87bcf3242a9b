"""What takes long, for `build.py test --all`: many more examples of every law, schedules by the thousand, fuzzing.

Each part is a command that finds faults by itself and leaves figures about what it did: a JSON object of numbers, or
pytest's own report. They are gathered in build/long.json and printed, because "no fault was found" says nothing
without how much was tried.
"""

from __future__ import annotations

import json
import sys
import time
import xml.etree.ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tools.paths import BUILD, ROOT

FOLDER = BUILD / "long"
FILE = BUILD / "long.json"

FUZZ_PACKETS = 1_000_000
FUZZ_CHUNKS = 100_000
RETURNS = 2_500
SHORT = 500
EXAMPLES = {"PYCORE_HYPOTHESIS": "thorough", "PYCORE_EXAMPLES": "8x"}
"""Of every property: 1,000 where a test leaves it to the profile, eight times as many as usual where it does not."""


class Long(NamedTuple):
    """One part: its name, what it is, its command, and the variables that make it long."""

    name: str
    what: str
    words: Callable[[Path], list[str]]
    """The command, which writes its figures to the file given."""
    variables: Mapping[str, str] = {}


def examples(file: Path) -> list[str]:
    tests = ["tests/unit", "tests/property", "tests/oracle", "tests/fuzz"]
    marks = "not browser and not e2e and not tooling"
    return [sys.executable, "-m", "pytest", "-q", *tests, "-m", marks, f"--junit-xml={file}"]


def schedules(file: Path) -> list[str]:
    # What was stopped goes on, and what is done for these sources is not done again.
    state = file.with_name("schedules.state")
    return [sys.executable, "-m", "tests.property.long", "--state", str(state), "--json", str(file)]


def returns(file: Path) -> list[str]:
    state = file.with_name("returns.state")
    words = ["--returns", "--schedules", str(RETURNS), "--state", str(state), "--json", str(file)]
    return [sys.executable, "-m", "tests.property.long", *words]


def short(file: Path) -> list[str]:
    state = file.with_name("short.state")
    words = ["--short", "--returns", "--schedules", str(SHORT), "--state", str(state), "--json", str(file)]
    return [sys.executable, "-m", "tests.property.long", *words]


def fuzz(file: Path) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.fuzz_session", "--count", str(FUZZ_PACKETS), "--json", str(file)]


def chunks(file: Path) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.fuzz_stream", "--count", str(FUZZ_CHUNKS), "--json", str(file)]


def settling(file: Path) -> list[str]:
    return [sys.executable, "-m", "tests.property.settling", "4", "2", "1", "--json", str(file)]


def reopening(file: Path) -> list[str]:
    return [sys.executable, "-m", "tests.property.reopening", "3", "2", "--json", str(file)]


def browsers(file: Path) -> list[str]:
    return [sys.executable, str(ROOT / "build.py"), "browsers", "--json", str(file)]


def hour(file: Path) -> list[str]:
    return [sys.executable, "-m", "tests.property.hour", "--json", str(file)]


PARTS = (
    Long("examples", "every property with many examples", examples, EXAMPLES),
    Long("schedules", "the laws over 10,000 random schedules; it goes on where it was stopped", schedules),
    Long("returns", f"the laws over {RETURNS:,} more, in which whoever is interrupted is played for", returns),
    Long("short", f"the same over {SHORT:,} of many short episodes, at any rate of frames", short),
    Long("settling", "every order of drops and words among four peers, of whom two go", settling),
    Long("reopening", "every order in which a player comes back, goes again and another one goes", reopening),
    Long("hour", "an hour of play with two and with eight: nothing grows", hour),
    Long("browsers", "every scenario in every browser, and between two", browsers),
    Long("fuzz", f"{FUZZ_PACKETS:,} mutated and random packets into sessions of two to five", fuzz),
    Long("chunks", f"{FUZZ_CHUNKS:,} mutated chunks of streams", chunks),
)


def figures_of(file: Path) -> dict[str, float]:
    """The figures that a part left: numbers of a JSON object, nested ones by path, or counts of a JUnit report."""
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8")
    if text.lstrip().startswith("<"):
        suites = list(xml.etree.ElementTree.fromstring(text).iter("testsuite"))
        tests = sum(int(suite.get("tests", 0)) for suite in suites)
        return {"tests": tests, "failed": sum(int(s.get("failures", 0)) + int(s.get("errors", 0)) for s in suites)}
    return dict(flattened(json.loads(text)))


def flattened(value: Any, path: str = "") -> list[tuple[str, float]]:
    """Every number of nested objects, by its dotted path; whatever else there is, is for people to read."""
    if isinstance(value, bool):
        return [(path, int(value))]
    if isinstance(value, int | float):
        return [(path, value)]
    if isinstance(value, dict):
        return [pair for name, inner in value.items() for pair in flattened(inner, f"{path}.{name}" if path else name)]
    return []


def perform(part: Long, command: Callable[..., tuple[int, str]]) -> tuple[int, str]:
    """Run a part by `command`, keep its figures, return its status and output."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / part.name
    file.unlink(missing_ok=True)
    begun = time.monotonic()
    status, output = command(part.words(file), **part.variables)
    keep(part.name, {"seconds": round(time.monotonic() - begun, 1), "status": status, **figures_of(file)})
    return status, output


def keep(name: str, figures: Mapping[str, float]) -> None:
    """Put a part's figures into the file of all of them."""
    kept = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps({**kept, name: figures}, indent=1) + "\n", encoding="utf-8")


def table(names: set[str]) -> str:
    """The figures of these parts, as they lie in the file."""
    kept = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    lines = [(f"{name}.{what}", value) for name, of in kept.items() if name in names for what, value in of.items()]
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join(f"{name:{width}}  {value:>12,.10g}" for name, value in lines)
