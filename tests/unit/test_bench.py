"""`build.py bench`: the page of figures, two versions beside each other, coverage by package."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from bench import __main__ as bench_command
from bench import against, bytecodes, coverage, document, engine, groups, participant, throttled
from bench.against import Pair
from bench.rows import met, row
from tools.paths import ROOT
from tools.process import Failed, Missing

pytestmark = pytest.mark.tooling

# Bytecodes ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12")
def test_bytecodes_of_a_tick_are_the_same_in_every_count_and_more_where_more_is_done() -> None:
    """That is what they are counted for: the machine has no say in them."""
    first, again = (bytecodes.counted(engine, "tick_with_wire", 8, 40) for _ in range(2))
    assert first == again
    calls = {module: calls for module, (_count, calls) in first.items()}
    assert calls["rollback/timeline.py"] == 4.0  # the own input, the other's, back, and the loop
    assert "wire/datagram.py" in first
    assert "wire/datagram.py" not in bytecodes.counted(engine, "tick_without_wire", 8, 40)
    shallow = bytecodes.counted(engine, "tick_without_wire", 2, 40)
    deep = bytecodes.counted(engine, "tick_without_wire", 8, 40)
    assert shallow["rollback/timeline.py"][0] < deep["rollback/timeline.py"][0]


@pytest.mark.slow
def test_the_core_as_bare_sources_is_the_same_program_without_a_word_about_it() -> None:
    """Every module of it, and no docstring, of a module, a class, a function or a field."""
    tree = ast.parse(groups.bare_sources())
    named = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    assert {"Session", "Timeline", "Bridge", "Experienced"} <= named
    assert "PageGame" not in named  # of the host page
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    assert not [each for body in bodies for each in body if groups._is_text(each)]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.returns is not None]


def test_what_a_rollback_cannot_do_without_is_measured_with_a_rollback_in_every_tick() -> None:
    """Of the depth that was asked for; the first ticks have nothing to go back to."""
    for kind in (engine.resimulation, engine.fused):
        seconds, rollbacks = kind(8, 50)
        assert seconds > 0
        assert rollbacks == engine.WARM_UP + 50 - 8


def test_the_tick_in_one_function_steps_what_a_session_steps() -> None:
    """Both play the same inputs, so a step that one of them leaves out would be seen in the state."""
    sums = []

    class Noted(engine.Sums):
        def __init__(self) -> None:
            super().__init__()
            sums.append(self)

    with patch.object(engine, "Sums", Noted):
        engine.fused(8, 60)
        engine.tick_without_wire(8, 60)
    fused, ours, _theirs = sums
    assert fused.state == ours.state
    assert fused.state[0] == engine.WARM_UP + 60


# The page of figures -------------------------------------------------------------------------------------------------


def test_the_page_of_figures_has_its_table_between_the_markers() -> None:
    """Every line of it is one that the command writes."""
    before, inner, after = document.between(document.FILE.read_text("utf-8"))
    lines = document.lines_of(inner)
    assert {"wheel.core.kb", "wire.bytes_per_frame", "bridge.tick.chromium"} <= set(lines)
    relay = document.between(after, document.BEGIN_RELAY, document.END_RELAY)
    assert not re.search(r"^\| `.*\| [\d.]+ \|", before + relay[0] + relay[2], re.MULTILINE), "a figure outside them"
    assert document.HEAD in inner


OLD = "old\n\n| `a.us` | 1 | µs |  |  |\n| `b` | 2 | B | 3 | met |"
PAGE = f"# Figures\n\n{document.BEGIN}\n\n{OLD}\n\n{document.END}\n\nProse.\n"


def test_measured_figures_replace_the_table_and_nothing_else() -> None:
    """All of it after a whole run; after a part, the other figures stay as they were."""
    found = [row("b", 4, "B", 3), row("c.kb", 117.64, "kB")]
    whole = document.replaced(PAGE, found, "here", whole=True)
    assert whole.startswith(f"# Figures\n\n{document.BEGIN}\n\nhere\n\n| figure ")
    assert whole.endswith(f"{document.END}\n\nProse.\n")
    lines = {"b": "| `b` | 4 | B | 3 | missed |", "c.kb": "| `c.kb` | 117.64 | kB |  |  |"}
    assert document.lines_of(whole) == lines
    part = document.replaced(PAGE, found, "here", whole=False)
    assert document.lines_of(part) == {"a.us": "| `a.us` | 1 | µs |  |  |", **lines}
    assert document.replaced(part, found, "here", whole=False) == part


def test_the_guide_to_the_page_has_its_figures_between_the_markers_too() -> None:
    """And a run of `--page --write` replaces them, with how much faster a rollback is."""
    text = document.PAGE.read_text("utf-8")
    before, inner, after = document.between(text)
    assert "`rollback.ms`" in inner
    rows = [row("page.before.rollback.ms", 30, "ms"), row("page.after.rollback.ms", 1.2, "ms", 1.5)]
    found = document.replaced_page(text, rows, "here.")
    assert document.between(found)[0::2] == (before, after)
    assert "here. A rollback of eight frames is 25 times faster." in found
    assert "| `rollback.ms` | ms | 30 | 1.2 | 1.5, met |" in found


@pytest.mark.parametrize("text", ["", document.BEGIN, f"{document.END}\n{document.BEGIN}", PAGE + document.BEGIN])
def test_a_page_without_its_markers_is_refused(text: str) -> None:
    """Rather than written to the wrong place."""
    with pytest.raises(Failed, match="in this order"):
        document.replaced(text, [row("b", 4, "B")], "here", whole=True)


def typed_figures(text: str, names: set[str]) -> list[str]:
    """Paragraphs, and items of lists, in which a figure of the bench stands as a number."""
    found = []
    for paragraph in re.split(r"\n\s*\n|\n(?=- )", text):
        flat = " ".join(paragraph.split())
        named = {name for name in names if f"`{name}`" in flat}
        bare = re.sub(r"`[^`]*`", "", flat)
        if (
            ("wheel" in flat.lower() and re.search(r"\d ?[kM]B\b", flat))
            or (re.search(r"\bimport(s|ing)?\b", flat) and re.search(r"\d ?ms\b", flat))
            or re.search(r"\d ?µs\b", flat)
            or re.search(r"\d ?(B|bytes) (per|a) (frame|tick|packet)", flat)
            or (named and re.search(r"\d ?(kB|B|ms|bytes|%)", bare))
        ):
            found.append(flat)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "The wheel has 122\nkB.", "Its import takes 60 ms.", "A tick takes 67 µs.", "18.7 bytes per frame",
        "`wheel.import_ms` is 44 ms here.",
    ],
)  # fmt: skip
def test_a_typed_figure_is_found(text: str) -> None:
    """In whatever paragraph it stands."""
    assert typed_figures(f"# Title\n\nFine: 500 ms of silence.\n\n{text}\n", {"wheel.import_ms"}) == [
        " ".join(text.split())
    ]


def test_no_other_document_types_a_figure_that_the_bench_generates() -> None:
    """They name it or link to it: what is typed goes stale."""
    names = set(document.lines_of(document.FILE.read_text("utf-8")))
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    assert len(documents) > 10
    wrong = {
        path.name: found
        for path in documents
        if path != document.FILE and (found := typed_figures(path.read_text("utf-8"), names))
    }
    assert wrong == {}


# Two versions --------------------------------------------------------------------------------------------------------

BENCH = """
import json, sys
from pathlib import Path
from unittest.mock import patch
group, file = sys.argv[2], sys.argv[4]
if group not in {groups}:
    sys.exit(2)
print("measured")
log = Path("{log}")
log.write_text(log.read_text() + "{name} " if log.exists() else "{name} ")
if group == "broken":
    sys.exit(1)
Path(file).write_text(json.dumps([{{"name": group + ".us", "value": {value}, "unit": "µs", "goal": None}}]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose last commit and whose working tree measure differently."""
    root = tmp_path / "project"
    (root / "bench").mkdir(parents=True)
    (root / "bench" / "__init__.py").touch()
    (root / ".gitignore").write_text("build/\n")

    def version(name: str, value: int, groups: set[str]) -> None:
        body = BENCH.format(name=name, value=value, groups=groups, log=tmp_path / "log")
        (root / "bench" / "__main__.py").write_text(body, encoding="utf-8")

    version("old", 40, {"engine", "gone", "broken"})
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    version("new", 30, {"engine", "fresh"})
    return root


@pytest.mark.slow
def test_two_versions_are_measured_in_turns(project: Path, tmp_path: Path) -> None:
    """Each by its own benchmark, the first one alternating; a group that only one has is shown as such."""
    pairs, failed = against.measure("HEAD", ["engine", "gone", "fresh"], 2, project, project / "build")
    assert failed == []
    assert [(pair.name, pair.then, pair.now, pair.ratio()) for pair in pairs] == [
        ("engine.us", [40, 40], [30, 30], 0.75),
        ("gone.us", [40, 40], [], None),
        ("fresh.us", [], [30, 30], None),
    ]
    assert (tmp_path / "log").read_text().split()[:4] == ["old", "new", "new", "old"]
    shown = against.table(pairs, "HEAD").splitlines()
    assert shown[1].split() == ["engine.us", "40.00", "30.00", "µs", "0.75", "0.75"]
    assert shown[3].split() == ["fresh.us", "–", "30.00", "µs", "–", "–"]
    found = json.loads(against.as_json(pairs))
    assert found[0]["then"] == {"value": 40, "best": 40, "samples": [40, 40]}
    assert found[2]["then"] is None


@pytest.mark.slow
def test_the_other_versions_folder_is_gone_afterwards(project: Path) -> None:
    """Also when something failed; what was borrowed stays whole."""
    kept = project / "build" / "cache"
    kept.mkdir(parents=True)
    (kept / "wheel").write_text("x")
    with pytest.raises(Failed, match="broken in"):
        against.measure("HEAD", ["broken"], 1, project, project / "build")
    pairs, failed = against.measure("HEAD", ["broken", "engine"], 3, project, project / "build")
    assert [(pair.name, len(pair.then), len(pair.now)) for pair in pairs] == [("engine.us", 3, 3)]
    assert len(failed) == 1
    assert list((project / "build" / "against").iterdir()) == []
    assert (kept / "wheel").read_text() == "x"
    done = subprocess.run(["git", "worktree", "list"], cwd=project, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 1


def test_other_npm_packages_than_ours_are_not_borrowed(project: Path, tmp_path: Path) -> None:
    """An installation there would write through the link."""
    other = tmp_path / "other"
    for place, lock in ((project, "1"), (other, "2")):
        (place / "web").mkdir(parents=True)
        (place / "web" / "package-lock.json").write_text(lock)
    (project / "web" / "node_modules").mkdir()
    against.borrow(other, project)
    assert not (other / "web" / "node_modules").exists()
    (other / "web" / "package-lock.json").write_text("1")
    against.borrow(other, project)
    assert (other / "web" / "node_modules").is_symlink()


def test_a_revision_that_is_none_is_refused(project: Path) -> None:
    with pytest.raises(Missing, match="rev-parse"):
        against.measure("nothing-here", ["engine"], 1, project, project / "build")


def test_the_best_of_several_rounds_is_compared_as_well() -> None:
    """One disturbed round moves neither the median nor the best."""
    pair = Pair("x", "µs", [10, 11, 50], [20, 22, 21])
    assert pair.ratio() == pytest.approx(21 / 11)
    assert pair.ratio(min) == 2


# Coverage ------------------------------------------------------------------------------------------------------------


def test_coverage_is_counted_by_package() -> None:
    """Lines, not the mean of files; modules beside the packages are pycore's own."""

    def file(covered: int, there: int) -> dict[str, dict[str, int]]:
        return {"summary": {"covered_lines": covered, "num_statements": there}}

    files = {
        "pycore/__init__.py": file(1, 1), "pycore/link/link.py": file(90, 100),
        "/somewhere/pycore/link/flow.py": file(10, 100), "pycore\\wire\\__init__.py": file(0, 0),
    }  # fmt: skip
    found = {line["name"]: line["value"] for line in coverage.rows_of({"files": files})}
    assert found == {
        "coverage.lines": round(100 * 101 / 201, 2),
        "coverage.link.lines": 50,
        "coverage.pycore.lines": 100,
        "coverage.wire.lines": 0,
    }


def test_every_group_that_is_offered_can_be_measured() -> None:
    """The names stand where nothing heavy has to be imported."""
    assert list(groups.GROUPS) == list(bench_command.GROUPS)
    assert set(against.ONCE) <= set(against.COMPARED) <= set(groups.GROUPS)
    assert bench_command.chosen(["engine", "wire"], bench_command.GROUPS) == [
        "engine.cpython", "engine.hash", "engine.pyodide", "wire",
    ]  # fmt: skip
    assert bench_command.chosen(["wire,generators"], bench_command.GROUPS) == ["generators", "wire"]


def test_the_figures_of_a_participant_have_these_names() -> None:
    """Whoever compares versions goes by them, and the list of figures tells what each is."""
    visits = {participant.FAST: [(4.0, 7_000_000)] * 3, participant.SLOW_PHONE: [(20.0, 7_000_000)] * 3}
    found = participant.figures(visits, [(2.0, 6000)] * 3, 250.0, 30.0, 24.0)
    found += [each for rate in throttled.RATES for each in throttled.figures(rate, 99.0, 1, 60.0)]
    of_rate = ("ticks_on_time_pct", "partner_stalls", "pictures_per_s")
    asked = [f"cpu{rate}.{what}" for rate in (1, 4, 6, 10) for what in of_rate]
    asked += ["start.mb", "start.s_fast", "start.s_slow_phone", "render.us", "software.pictures_per_s"]
    names = {each["name"]: each for each in found}
    assert {f"participant.{name}" for name in asked} <= names.keys()
    assert names["participant.start.mb"]["value"] == 7
    assert [met(names[f"participant.{name}"]) for name in ("render.us", "software.pictures_per_s")] == [True, True]
    assert met(names["participant.software.webkit.pictures_per_s"])
    without = participant.figures(visits, [(2.0, 6000)] * 3, 250.0, 30.0, None)
    assert {of["name"] for of in without} == {name for name in names if "webkit" not in name and ".cpu" not in name}
    told = document.FILE.read_text("utf-8").partition(document.END)[2]
    assert [name for name in names if f"{name.rpartition('.')[2]}`" not in told] == []


def test_a_group_that_fails_loses_no_figure_of_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """They are shown and written, the table keeps what was not measured, and the status is that of a failure."""

    def fails() -> list[dict]:
        raise Failed("no Chromium")

    page = tmp_path / "figures.md"
    page.write_text(PAGE, encoding="utf-8")
    monkeypatch.setattr(document, "FILE", page)
    monkeypatch.setattr(document, "conditions", lambda: "here")
    monkeypatch.setattr(bench_command, "GROUPS", ("bridge", "wire"))
    monkeypatch.setattr(groups, "GROUPS", {"bridge": fails, "wire": lambda: [row("b", 4, "B", 3)]})
    monkeypatch.setattr("sys.argv", ["bench", "--write"])
    assert bench_command.main() == 1
    assert "- bridge could not be measured: no Chromium" in capsys.readouterr().out
    assert list(document.lines_of(page.read_text("utf-8"))) == ["a.us", "b"]


# A slow page ----------------------------------------------------------------------------------------------------------


def test_a_tick_is_on_time_within_half_a_period_and_one_that_did_not_come_is_late() -> None:
    """A page of 20 frames a second that stands for 200 ms of a second, and is otherwise 20 ms late at most."""
    ticks = [0.0, 50, 120, 170, 370, 420, 470, 520]
    assert throttled.on_time([float(at) for at in range(0, 1001, 50)], 1000, 20) == 100.0
    assert throttled.on_time(ticks, 1000, 20) == 100 * 6 / 20
    assert throttled.on_time([], 1000, 20) == throttled.on_time([5.0], 1000, 20) == 0.0
