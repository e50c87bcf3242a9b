"""The pictures of pycore's packages in docs/architecture.md: `python -m tools.architecture --write` draws them anew.

Who imports whom is read from the sources with `ast`. An arrow that follows from others is left out (who imports
`session` has all that `session` has), because nobody reads a picture of ninety arrows. The modules beside the packages
are one box, `words`: settings, events, errors and protocols, of which everything may speak. A second picture is of the
relay, whose modules beside its packages are a box each. The test tests/unit/test_architecture.py compares the document
with the imports.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tools.paths import ROOT
from tools.process import Failed

PACKAGE = ROOT / "pycore"
RELAY = PACKAGE / "relay"
FILE = ROOT / "docs" / "architecture.md"
BEGIN = "<!-- written by: python -m tools.architecture --write -->"
END = "<!-- end of what is written -->"
MARKS = {PACKAGE: (BEGIN, END), RELAY: tuple(line.replace("-->", "of the relay -->") for line in (BEGIN, END))}
"""Between which lines the picture of each package stands."""

WORDS = "words"
FRONT = "pycore"
"""What `import pycore` gives: the public names."""

Graph = dict[str, set[str]]


def dotted(package: Path) -> str:
    """A package as it is imported: `pycore`, or `pycore` and one in it."""
    return package.name if package.name == FRONT else f"{FRONT}.{package.name}"


def box(module: str, package: Path = PACKAGE) -> str:
    """The box of a module, given by its dotted name below a package: the package there that it is in, or what the
    module is beside the packages: of pycore one of two boxes, of another package one of its own."""
    head = module.split(".")[0]
    if head in ("", "__init__"):
        return package.name
    if (package / head).is_dir() or package.name != FRONT:
        return head
    return "cli" if head in ("cli", "__main__") else WORDS


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """All statements of a module, those inside others as well: most nodes are parts of expressions."""
    waiting: list[ast.AST] = [tree]
    for node in waiting:
        yield node
        for name in ("body", "orelse", "handlers", "finalbody", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                waiting += inner


def imported(tree: ast.Module, module: str, is_package: bool, package: str = FRONT) -> Iterator[str]:
    """The dotted names, below a package, of what a module imports from it; imports inside functions count."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            parts = [*package.split("."), *module.split(".")]
            home = parts if is_package and module != "__init__" else parts[:-1]
            base = home[: len(home) - (node.level - 1)]
            found = [".".join([*base, *([node.module] if node.module else []), alias.name]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.removeprefix(f"{package}.") for name in found if name.startswith(f"{package}."))


def graph(package: Path = PACKAGE) -> Graph:
    """The boxes, and for each which others it imports."""
    edges: Graph = {}
    for path in sorted(package.rglob("*.py")):
        module = ".".join(path.relative_to(package).with_suffix("").parts)
        is_package = path.name == "__init__.py"
        name = module.removesuffix(".__init__")
        source = box(name, package)
        into = edges.setdefault(source, set())
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        into |= {box(target, package) for target in imported(tree, name, is_package, dotted(package))} - {source}
    return edges


def reach(edges: Mapping[str, set[str]], start: str) -> set[str]:
    """Everything that can be got to from a box; itself only by a circle."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for target in edges.get(waiting.pop(), ()):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


def reduced(edges: Mapping[str, set[str]]) -> Graph:
    """The same without the arrows that follow from others. Refuses a circle, of which there must be none."""
    for name in edges:
        if name in reach(edges, name):
            raise Failed(f"pycore.{name} is in a circle of imports; there is no picture of that")
    return {
        name: {target for target in targets if not any(target in reach(edges, other) for other in targets - {target})}
        for name, targets in edges.items()
    }


def heights(edges: Mapping[str, set[str]]) -> dict[str, int]:
    """How many boxes lie one above the other below each."""
    known: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in known:
            known[name] = 1 + max((height(target) for target in edges.get(name, ())), default=-1)
        return known[name]

    for name in edges:
        height(name)
    return known


def purpose(name: str, package: Path = PACKAGE) -> str:
    """What a box is for: the first sentence of its docstring."""
    if name == WORDS:
        alone = [path.stem for path in sorted(package.glob("*.py")) if box(path.stem, package) == WORDS]
        return f"Beside the packages, what all may speak of: {', '.join(f'`{module}`' for module in alone)}."
    path = package / name / "__init__.py" if (package / name).is_dir() else package / f"{name}.py"
    if name == package.name:
        path = package / "__init__.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    sentence = re.match(r"(.+?)(?:\.(?=\s|$)|\n\n|$)", text, re.DOTALL)
    flat = " ".join(sentence[1].split()) if sentence else ""
    return f"{flat}."


def written(package: Path = PACKAGE) -> str:
    """What stands between the markers: the picture, and what each box is for, from above to below."""
    edges = graph(package)
    few, high = reduced(edges), heights(edges)
    order = sorted(edges, key=lambda name: (-high[name], name))
    arrows = [f"    {name} --> {target}" for name in order for target in sorted(few[name])]
    inside = dotted(package)
    names = {name: inside if name == package.name else name if name == WORDS else f"{inside}.{name}" for name in order}
    rows = [f"| `{names[name]}` | {purpose(name, package)} |" for name in order]
    picture = "\n".join(["```mermaid", "graph TD", *arrows, "```"])
    return f"\n\n{picture}\n\n| | |\n|---|---|\n" + "\n".join(rows) + "\n\n"


def replaced(text: str, inner: str, package: Path = PACKAGE) -> str:
    """The document with this between a package's markers."""
    begin, end = MARKS[package]
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise Failed(f"{FILE.name} must have these two lines once, in this order:\n{begin}\n{end}")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}{inner}{end}{rest.partition(end)[2]}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="architecture", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"draw them into {FILE.relative_to(ROOT)}")
    if parser.parse_args().write:
        text = FILE.read_text("utf-8")
        for package in MARKS:
            text = replaced(text, written(package), package)
        FILE.write_text(text, encoding="utf-8")
    else:
        print("\n\n".join(written(package).strip() for package in MARKS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
