"""Who writes what: a field is written by its own class alone, and no class inherits another one's.

Read from the source with `ast`. Whoever wants to know how a field changes reads one class; what others want of it,
they ask for by a method. The rules are also run on sources that break them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from syntax import parsed

PACKAGE = Path(__file__).resolve().parents[2] / "pycore"
CORE = ("session", "link", "wire", "rollback")
BASES = frozenset({"object", "Protocol", "NamedTuple", "Exception", "Frozen", "Named"})


def sources() -> Iterator[tuple[str, str]]:
    """Every module of the core's four packages: name and source."""
    for package in CORE:
        for path in sorted((PACKAGE / package).rglob("*.py")):
            yield path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")


def targets_of(node: ast.AST) -> list[ast.expr]:
    """What a statement binds, taken apart."""
    if isinstance(node, (ast.Assign, ast.Delete)):
        found = list(node.targets)
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.For, ast.comprehension, ast.NamedExpr)):
        found = [node.target]
    elif isinstance(node, ast.withitem):
        found = [node.optional_vars] if node.optional_vars is not None else []
    else:
        found = []
    flat: list[ast.expr] = []
    while found:
        target = found.pop()
        if isinstance(target, (ast.Tuple, ast.List)):
            found.extend(target.elts)
        elif isinstance(target, ast.Starred):
            found.append(target.value)
        else:
            flat.append(target)
    return flat


def foreign_writes(name: str, source: str) -> list[str]:
    """Assignments to attributes of anything but `self`, and calls that hide one."""
    found = []
    for node in ast.walk(parsed(source, name)):
        for target in targets_of(node):
            if isinstance(target, ast.Attribute):
                owner = target.value
                if not (isinstance(owner, ast.Name) and owner.id == "self"):
                    found.append(f"{name}:{target.lineno}: writes {ast.unparse(target)}")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr", "object.__setattr__"):
            found.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    return found


def inheritance(name: str, source: str) -> list[str]:
    """Classes with a base that holds fields or behaviour of its own."""
    return [
        f"{name}:{node.lineno}: class {node.name} inherits {ast.unparse(base)}"
        for node in ast.walk(parsed(source, name))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if ast.unparse(base) not in BASES
    ]


def dictionaries(name: str, source: str) -> list[str]:
    """Where the fields of an object are reached for as a dictionary."""
    return [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(parsed(source, name))
        if isinstance(node, ast.Attribute) and node.attr == "__dict__"
    ]


@pytest.mark.slow
def test_a_field_is_written_by_its_own_class_alone() -> None:
    """No exceptions: what is to change elsewhere is a method there."""
    assert [text for name, source in sources() for text in foreign_writes(name, source)] == []


@pytest.mark.slow
def test_no_class_of_the_core_inherits_another_one() -> None:
    """Protocols and named tuples aside: parts are put together, not derived."""
    assert [text for name, source in sources() for text in inheritance(name, source)] == []


def test_nobody_reaches_for_the_fields_as_a_dictionary() -> None:
    """It would be a way around."""
    assert [text for name, source in sources() for text in dictionaries(name, source)] == []


def test_all_four_packages_are_looked_at() -> None:
    """A rule over no files holds always."""
    seen = {name.split("/")[0] for name, _ in sources()}
    assert seen == set(CORE)
    assert sum(1 for _ in sources()) > 30


@pytest.mark.parametrize(
    "line",
    [
        "link.flush = True",
        "link.peer.over = True",
        "self.link.flush = True",
        "link.count += 1",
        "link.seat: int = 1",
        "a, link.b = 1, 2",
        "[*link.rest] = 1, 2",
        "for link.at in (): pass",
        "with open(x) as link.file: pass",
        "del link.flush",
        "setattr(link, 'flush', True)",
        "object.__setattr__(link, 'flush', True)",
    ],
)
def test_every_way_to_write_a_field_of_another_class_is_found(line: str) -> None:
    """Plain, deep, augmented, annotated, taken apart, in a loop, deleted, by a call."""
    assert len(foreign_writes("m", f"def f(self, link, x):\n    {line}\n")) == 1


@pytest.mark.parametrize("line", ["self.flush = True", "flush = link.flush", "link.row[3] = 1", "self.row[1].x"])
def test_what_is_no_such_write_is_none(line: str) -> None:
    """The own fields, reading, and items of a list."""
    assert foreign_writes("m", f"def f(self, link):\n    {line}\n") == []


def test_a_class_that_inherits_another_is_found() -> None:
    """By name, also out of a module."""
    assert len(inheritance("m", "class A(B): pass\nclass C(m.D): pass\nclass E(Protocol): pass\nclass F: pass")) == 2
