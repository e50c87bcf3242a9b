"""The architecture, as a test: who may import whom, and what the core may never touch.

Read from the source with `ast`, so that an import inside a function counts as much as one at the top.
Every rule is also run on sources that break it, because a rule that cannot fail guards nothing.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from syntax import parsed, statements

PACKAGE = Path(__file__).resolve().parents[2] / "pycore"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("version", "errors", "frozen", "distribution", "spaces", "named", "events", "settings", "simulation", "policy",
     "duties", "costs"),
    ("values",),
    ("actions",),
    ("wire", "rollback"),
    ("link",),
    ("session",),
    ("records", "envs"),
    ("bridge", "testing"),
    ("interactive_gym",),
    ("factory",),
    ("audit", "cli", "export", "film", "install", "relay", "rehearsal", "report", "site"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# The package's front re-exports the core; the entry point is the command line's.
RANK["__init__"] = RANK["envs"]
RANK["__main__"] = RANK["cli"]
CORE = frozenset(name for name, rank in RANK.items() if rank <= RANK["session"])

OUTSIDE = frozenset(
    {"audit", "cli", "export", "factory", "film", "install", "relay", "rehearsal", "report", "site", "__main__"}
)
EDGES = "audit, cli, export, factory, film, install, relay, rehearsal, report and site"
BROWSER_ONLY = frozenset({"js", "pyodide", "pyodide_js", "_pyodide"})
CLOCKS_AND_SOCKETS = frozenset(
    """time datetime sched socket socketserver ssl select selectors asyncio threading multiprocessing
    concurrent subprocess signal http urllib xmlrpc ftplib smtplib webbrowser _thread""".split()  # noqa: SIM905
)
# Correctly rounded or exact on every platform; everything else in `math` comes from the C library.
EXACT_MATH = frozenset(
    """floor ceil trunc fabs copysign isfinite isinf isnan gcd lcm isqrt sqrt ldexp frexp modf fmod
    inf nan fsum comb perm factorial""".split()  # noqa: SIM905
)


class Import:
    """One import: `module` is the imported name in full, `typing_only` marks an `if TYPE_CHECKING:` block."""

    __slots__ = ("line", "module", "typing_only")

    def __init__(self, module: str, line: int, typing_only: bool) -> None:
        self.module = module
        self.line = line
        self.typing_only = typing_only


def imports_of(tree: ast.Module, name: str, is_package: bool) -> Iterator[Import]:
    """Every import of the module `name` (dotted, below the package), relative ones resolved."""
    typing_only: set[int] = set()
    for node in statements(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            typing_only.update(id(inner) for statement in node.body for inner in statements(statement))
    for node in statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) in typing_only)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = ["pycore"] if name == "__init__" else ["pycore", *name.split(".")]
                drop = node.level - (1 if is_package else 0)
                parts = parts[: len(parts) - drop] if drop else parts
                base = ".".join([*parts, base] if base else parts)
            for alias in node.names:
                module = f"{base}.{alias.name}" if base else alias.name
                yield Import(module, node.lineno, id(node) in typing_only)


def violations(sources: Mapping[str, str]) -> list[str]:
    """All broken rules in a package given as {dotted module name: source}; packages end in `.__init__`."""
    found: list[str] = []
    names = {name.removesuffix(".__init__") for name in sources}
    graph: dict[str, set[str]] = {}
    for raw_name, source in sources.items():
        is_package = raw_name == "__init__" or raw_name.endswith(".__init__")
        name = raw_name.removesuffix(".__init__")
        head = name.split(".")[0]
        edges = graph.setdefault(name, set())
        if head not in RANK:
            found.append(f"{name}: stands in no layer; give it its place in LAYERS")
            continue
        tree = parsed(source, name)
        for imported in imports_of(tree, name, is_package):
            where = f"{name}:{imported.line}"
            root, _, rest = imported.module.partition(".")
            if root == "pycore":
                if not rest:
                    continue
                target = rest.split(".")[0]
                if target not in RANK or not any(n == target or n.startswith(target + ".") for n in names):
                    found.append(f"{where}: pycore.{rest} is no module; import it from where it is defined")
                elif RANK[target] > RANK[head]:
                    found.append(f"{where}: {head} imports {target}, which is in a layer to its right")
                if not imported.typing_only:
                    deepest = rest if rest in names else rest.rpartition(".")[0]
                    if deepest in names and deepest != name:
                        edges.add(deepest)
            elif root in BROWSER_ONLY:
                if head != "bridge":
                    found.append(f"{where}: imports {root}; only bridge may")
            elif head in OUTSIDE:
                continue
            elif root not in sys.stdlib_module_names:
                found.append(f"{where}: imports {root}; only {EDGES} may leave the standard library")
            elif root in CLOCKS_AND_SOCKETS:
                found.append(f"{where}: imports {root}; only {EDGES} may read a clock or open a socket")
        found.extend(forbidden_uses(tree, name, head))
    found.extend(f"import cycle: {' -> '.join(cycle)}" for cycle in cycles(graph))
    return found


def forbidden_uses(tree: ast.Module, name: str, head: str) -> Iterator[str]:
    """Calls that make the core talk, or make it differ between two machines."""
    # A value's own hash is for dictionaries of this process.
    own = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__hash__"]
    inside = {inner for node in own for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node not in inside:
            if node.func.id in {"print", "input", "breakpoint"} and head not in OUTSIDE:
                yield f"{name}:{node.lineno}: calls {node.func.id}(); only {EDGES} may"
            if node.func.id == "hash" and head in CORE:
                yield f"{name}:{node.lineno}: calls hash(), which differs between processes"
        if head in CORE and isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "math" and node.attr not in EXACT_MATH:
                yield f"{name}:{node.lineno}: uses math.{node.attr}, whose last bit may differ"
        if head in CORE and isinstance(node, ast.ImportFrom) and node.module == "math":
            for alias in node.names:
                if alias.name not in EXACT_MATH:
                    yield f"{name}:{node.lineno}: uses math.{alias.name}, whose last bit may differ"
        iterated: list[ast.expr] = []
        if isinstance(node, ast.For):
            iterated = [node.iter]
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            iterated = [generator.iter for generator in node.generators]
        for expression in iterated:
            is_set = isinstance(expression, ast.Set | ast.SetComp) or (
                isinstance(expression, ast.Call)
                and isinstance(expression.func, ast.Name)
                and expression.func.id in {"set", "frozenset"}
            )
            if is_set and head in CORE:
                yield f"{name}:{node.lineno}: iterates over a set, whose order differs between processes"


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The import cycles of the graph, one per back edge of a depth-first walk."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append([*path[path.index(name) :], name])
            return
        if name in done:
            return
        for target in sorted(graph.get(name, ())):
            visit(target, [*path, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def package_sources() -> dict[str, str]:
    return {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def test_a_page_imports_nothing_that_is_slow_to_import() -> None:
    """Everybody waits for it: dataclasses and named tuples compile their methods, hashlib looks for OpenSSL."""
    code = (
        "import sys, typing, json, random; before = set(sys.modules)\n"
        "import pycore.bridge, pycore.interactive_gym.game\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - {'pycore'}))\n"
        "ours = [vars(module) for name, module in sys.modules.items() if name.partition('.')[0] == 'pycore']\n"
        "made = [thing for names in ours for thing in names.values()]\n"
        "print(*['NamedTuple' for thing in made if typing.NamedTuple in getattr(thing, '__orig_bases__', ())])"
    )
    done = subprocess.run([sys.executable, "-S", "-P", "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent,
                          env={"PYTHONPATH": str(PACKAGE.parent)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    slow = {"dataclasses", "hashlib", "inspect", "pickle", "logging", "asyncio", "datetime", "decimal", "traceback",
            "NamedTuple"}  # fmt: skip
    assert not slow & set(done.stdout.split()), done.stdout


@pytest.mark.slow
def test_the_package_keeps_its_layers() -> None:
    """A module imports only from layers to its left, and only the edges of the package touch the world."""
    sources = package_sources()
    assert {"__init__", "settings", "errors"} <= set(sources), "no package was found, nothing was checked"
    assert violations(sources) == []


BREAKS = [
    ({"settings": "from pycore.session.session import Session", "session.session": ""}, "layer to its right"),
    ({"settings": "from . import session", "session.__init__": ""}, "layer to its right"),
    ({"settings": "def f():\n    import pycore.session", "session.__init__": ""}, "layer to its right"),
    ({"relay.__init__": "", "testing.mesh": "from ..relay import app"}, "layer to its right"),
    ({"wire.one": "from pycore.wire import two", "wire.two": "from .one import Queue"}, "import cycle"),
    ({"wire.one": "from pycore import Session"}, "no module"),
    ({"wonder": ""}, "stands in no layer"),
    ({"session.session": "import js"}, "only bridge"),
    ({"testing.__init__": "from pyodide.ffi import to_js"}, "only bridge"),
    ({"values.canonical": "import numpy"}, "leave the standard library"),
    ({"envs.adapter": "import gymnasium"}, "leave the standard library"),
    ({"session.session": "import time"}, "read a clock"),
    ({"bridge.bridge": "from datetime import datetime"}, "read a clock"),
    ({"records.metrics": "import asyncio"}, "read a clock"),
    ({"session.session": "print(1)"}, "calls print()"),
    ({"rollback.frames": "x = hash('a')"}, "calls hash()"),
    ({"session.timesync": "import math\nx = math.exp(1)"}, "math.exp"),
    ({"session.timesync": "from math import sin"}, "math.sin"),
    ({"link.path": "for x in {1, 2}: pass"}, "iterates over a set"),
    ({"link.path": "x = [y for y in set('ab')]"}, "iterates over a set"),
]


@pytest.mark.parametrize(("sources", "complaint"), BREAKS)
def test_a_broken_rule_is_reported(sources: dict[str, str], complaint: str) -> None:
    """Each rule has a source that breaks it, and says so."""
    found = violations(sources)
    assert len(found) == 1
    assert complaint in found[0]


def test_what_the_rules_allow_passes() -> None:
    """The edges may do what they are there for, and a module may use its left and its equals."""
    assert (
        violations(
            {
                "__init__": "from pycore.session.session import Session",
                "settings": "import math\nx = math.floor(1.5)",
                "version": "",
                "wire.datagram": "from pycore import settings\nfrom .blocks import Block",
                "wire.blocks": "import typing\nif typing.TYPE_CHECKING:\n    from .datagram import D",
                "session.session": "from pycore.wire.datagram import encode\nfrom pycore import version, settings",
                "bridge.bridge": "import json, js\nfrom pyodide.ffi import to_js\nfrom ..session import session",
                "relay.__init__": "import time, socketio\nprint(time.time())\nfrom .store import Store",
                "relay.store": "import sqlalchemy",
                "cli": "import asyncio\nfrom . import relay",
                "__main__": "from .cli import main",
            }
        )
        == []
    )
