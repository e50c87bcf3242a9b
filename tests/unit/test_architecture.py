"""The picture in docs/architecture.md is true to the imports, and the documents that explain the code exist."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from syntax import parsed
from test_layers import RANK, imports_of, package_sources

from tools import architecture
from tools.paths import ROOT
from tools.process import Failed

pytestmark = pytest.mark.tooling

DOCUMENT = architecture.FILE.read_text(encoding="utf-8")


def drawn(package: Path) -> dict[str, set[str]]:
    """The arrows of the picture of a package, as the document has it."""
    begin, end = architecture.MARKS[package]
    return arrows(DOCUMENT.partition(begin)[2].partition(end)[0])


@functools.cache
def imports_by_package() -> dict[str, set[str]]:
    """Who imports whom, by the first part of a module's name, as the test of the layers reads it."""
    sources = package_sources()
    packages = {name.split(".")[0] for name in sources if "." in name}

    def box(name: str) -> str:
        head = name.split(".")[0]
        return head if head in packages else {"__init__": "pycore", "cli": "cli", "__main__": "cli"}.get(head, "words")

    edges: dict[str, set[str]] = {}
    for raw, source in sources.items():
        name = raw.removesuffix(".__init__")
        into = edges.setdefault(box(name), set())
        for imported in imports_of(parsed(source, name), name, raw.endswith("__init__")):
            root, _, rest = imported.module.partition(".")
            if root == "pycore" and rest:
                into.add(box(rest))
    return {name: targets - {name} for name, targets in edges.items()}


def arrows(text: str) -> dict[str, set[str]]:
    """The arrows of the picture."""
    found: dict[str, set[str]] = {}
    for source, target in re.findall(r"^    (\w+) --> (\w+)$", text, re.MULTILINE):
        found.setdefault(source, set()).add(target)
    return found


def closure(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """For each box everything that its arrows lead to."""
    found = {name: set(targets) for name, targets in edges.items()}
    for _ in edges:
        for name in found:
            found[name] |= {far for near in found[name] for far in found.get(near, ())}
    return {name: targets for name, targets in found.items() if targets}


@pytest.mark.slow
def test_the_picture_is_true_to_the_imports() -> None:
    """Every import follows from the arrows, and every arrow is an import."""
    picture, real = drawn(architecture.PACKAGE), imports_by_package()
    assert picture, "there is no picture"
    assert closure(picture) == closure(real), "python -m tools.architecture --write"
    assert {(s, t) for s in picture for t in picture[s]} <= {(s, t) for s in real for t in real[s]}


def test_the_picture_has_no_circle_and_goes_down() -> None:
    """As the layers say."""
    picture = drawn(architecture.PACKAGE)
    for source, targets in picture.items():
        for target in targets:
            assert RANK.get(source, 99) >= RANK.get(target, 0), (source, target)
            assert source not in closure(picture).get(target, set())


@pytest.mark.slow
def test_the_relay_has_no_circle_and_what_decides_knows_nothing_above_it() -> None:
    """The second picture: every import is an arrow of it, no package and module leads back to itself."""
    picture = closure(drawn(architecture.RELAY))
    assert picture == closure(architecture.graph(architecture.RELAY)), "python -m tools.architecture --write"
    assert [name for name, targets in picture.items() if name in targets] == []
    for decides in ("games", "people", "lobby"):
        assert not picture[decides] & {"server", "storage", "operating", "cluster", "static"}, decides


@pytest.mark.slow
def test_the_document_is_as_the_command_writes_it() -> None:
    """Also what each package is said to be for, which is its docstring's first sentence."""
    for package in architecture.MARKS:
        written = architecture.replaced(DOCUMENT, architecture.written(package), package)
        assert written == DOCUMENT, "python -m tools.architecture --write"
        for name in architecture.graph(package):
            assert len(architecture.purpose(name, package)) > 20, f"{name} does not say what it is for"


def package(root: Path, **sources: str) -> Path:
    for name, source in sources.items():
        path = root / "pycore" / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return root / "pycore"


def test_every_way_of_importing_is_an_arrow(tmp_path: Path) -> None:
    """Absolute, relative, inside a function; arrows that follow from others are left out."""
    made = package(
        tmp_path,
        errors="",
        low__one="import pycore.errors",
        middle__one="def f():\n    from ..low import one",
        high__one="from pycore.middle.one import f\nfrom pycore.low import one\nfrom . import two",
        high__two="from pycore import errors",
        cli="from .high.one import f",
    )
    edges = architecture.graph(made)
    assert edges == {
        "words": set(), "low": {"words"}, "middle": {"low"}, "high": {"middle", "low", "words"}, "cli": {"high"},
    }  # fmt: skip
    assert architecture.reduced(edges) == {
        "words": set(), "low": {"words"}, "middle": {"low"}, "high": {"middle"}, "cli": {"high"},
    }  # fmt: skip


def test_a_circle_is_refused(tmp_path: Path) -> None:
    """There is no picture of one."""
    made = package(tmp_path, a__one="from pycore.b import one", b__one="from pycore.a import one")
    with pytest.raises(Failed, match="circle"):
        architecture.reduced(architecture.graph(made))


def test_the_glossary_says_each_word_once() -> None:
    """A word with two meanings has none."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    heads = re.findall(r"^- ([^:]+):", text, re.MULTILINE)
    words = [word for head in heads for word in re.findall(r"\*\*(.+?)\*\*", head)]
    assert len(words) > 60
    assert sorted({word for word in words if words.count(word) > 1}) == []
    for word in ("seat", "peer", "link", "path", "incarnation", "known frame", "confirmed frame", "topic", "sink"):
        assert word in words


LINKS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]


@pytest.mark.parametrize("document", [*LINKS, *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda path: path.name)
def test_a_link_in_a_document_leads_somewhere(document: Path) -> None:
    """To a file, and to a heading in it where it names one."""
    for target in re.findall(r"\]\(([^)#\s]*(?:#[^)\s]+)?)\)", document.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), f"{document.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{document.name}: {target}; there are {sorted(anchors)}"


LONGEST = 400


def test_a_module_is_one_idea_long() -> None:
    """The style's limit; whoever passes it has a second idea in the file."""
    folders = ("bench/*.py", "pycore/**/*.py", "tools/*.py", "web/*/*.js")
    paths = [path for pattern in folders for path in ROOT.glob(pattern) if "node_modules" not in path.parts]
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in paths}
    assert len(lines) > 150
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}
