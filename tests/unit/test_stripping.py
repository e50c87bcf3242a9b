"""Byte code without annotations: the same program on the same lines."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from pycore.install.stripping import without_annotations, without_description

PACKAGE = Path(__file__).resolve().parents[2] / "pycore"

SOURCE = """
from __future__ import annotations
LIMIT: Final[int] = 3
found: list[int]

class Plain:
    x: int
    y: int = 2
    def f(self, ä: "str, ->" = "a: b", *rest: int, k: dict[str,
          int] | None = None, **more: Any) -> Callable[[int], tuple[
        int, str]]:
        z: int = 3
        return lambda q: (z, "->")
    async def g(self) -> None: ...

class Row(NamedTuple):
    a: int
    b: int = 4

class Spot(Named):
    d: int

@dataclass(frozen=True)
class Data:
    c: int = 1

def last(
    a,
    b: int,
) -> int:
    raise ValueError(a)
"""


def test_annotations_are_gone_and_what_is_made_of_them_stays() -> None:
    stripped = without_annotations(SOURCE)
    found = [ast.unparse(node.annotation) for node in ast.walk(ast.parse(stripped)) if isinstance(node, ast.AnnAssign)]
    assert found == ["int"] * 5  # three of the named tuples, one of the dataclass, a local one
    assert not [node for node in ast.walk(ast.parse(stripped)) if isinstance(node, ast.arg) and node.annotation]
    assert not [node for node in ast.walk(ast.parse(stripped)) if isinstance(node, ast.FunctionDef) and node.returns]
    assert '"a: b"' in stripped
    assert '"->"' in stripped


MODULES = [
    pytest.param(path, id=path.relative_to(PACKAGE).as_posix(), marks=[pytest.mark.slow] if number % 4 else [])
    for number, path in enumerate(sorted(PACKAGE.rglob("*.py")))
]


@pytest.mark.slow
@pytest.mark.parametrize("path", MODULES)
def test_every_module_is_the_same_program_on_the_same_lines(path: Path) -> None:
    source = path.read_text("utf-8")
    stripped = without_annotations(source)
    assert stripped.count("\n") == source.count("\n")
    (kept, before), (left, after) = _without_bare(source), _without_bare(stripped)
    assert after <= before
    assert _alike(left, kept) or ast.dump(left) == ast.dump(kept)  # to dump takes longer, but shows where


def _alike(one: Any, two: Any) -> bool:
    """Whether two trees are the same but for their places."""
    if one is two:
        return True
    if type(one) is not type(two):
        return False
    if isinstance(one, list):
        return len(one) == len(two) and all(map(_alike, one, two))
    if isinstance(one, ast.AST):
        return all(_alike(getattr(one, name, None), getattr(two, name, None)) for name in one._fields)
    return bool(one == two)


def _without_bare(source: str) -> tuple[ast.Module, set[int]]:
    """The tree without annotations, without statements that are nothing else, and without `pass`; the lines of calls.

    An annotation's calls count as well.
    """
    tree = ast.parse(source)
    calls = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            calls.add(node.lineno)
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = []
            for statement in body:
                if isinstance(statement, ast.AnnAssign):
                    if statement.value is not None:
                        kept.append(ast.Assign([statement.target], statement.value))
                elif not isinstance(statement, ast.Pass):
                    kept.append(statement)
            node.body = kept  # type: ignore[attr-defined]
    return tree, calls


def test_a_package_keeps_its_headers_and_not_its_description() -> None:
    assert without_description(b"Name: x\nVersion: 1\n\n# Read me\n\nName: y\n") == b"Name: x\nVersion: 1\n"
