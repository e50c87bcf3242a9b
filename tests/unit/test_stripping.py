"""Byte code without annotations: the same program on the same lines."""

from __future__ import annotations

import ast
from pathlib import Path

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
    assert found == ["int", "int", "int", "int"]  # two of the named tuple, one of the dataclass, a local one
    assert not [node for node in ast.walk(ast.parse(stripped)) if isinstance(node, ast.arg) and node.annotation]
    assert not [node for node in ast.walk(ast.parse(stripped)) if isinstance(node, ast.FunctionDef) and node.returns]
    assert '"a: b"' in stripped
    assert '"->"' in stripped


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_module_is_the_same_program_on_the_same_lines(path: Path) -> None:
    source = path.read_text("utf-8")
    stripped = without_annotations(source)
    assert stripped.count("\n") == source.count("\n")
    lines = [[node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
             for text in (source, stripped)]  # fmt: skip
    assert set(lines[1]) <= set(lines[0])
    assert ast.dump(_without_bare(stripped)) == ast.dump(_without_bare(source))


def _without_bare(source: str) -> ast.Module:
    """The tree without annotations, without statements that are nothing else, and without `pass`."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
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
    return tree


def test_a_package_keeps_its_headers_and_not_its_description() -> None:
    assert without_description(b"Name: x\nVersion: 1\n\n# Read me\n\nName: y\n") == b"Name: x\nVersion: 1\n"
