"""What is public is typed and documented, and the documents teach nothing else.

Public are the names that `pycore` and the packages below offer: their `__all__`, or, where a package offers modules,
every name in those without an underscore.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from syntax import parsed

import pycore

ROOT = Path(pycore.__file__).parents[1]
PUBLIC = (
    "pycore", "pycore.envs", "pycore.records", "pycore.testing", "pycore.values", "pycore.relay",
    "pycore.relay.matching", "pycore.bridge", "pycore.wire", "pycore.rehearsal",
)  # fmt: skip
MODULES = ("pycore.values", "pycore.wire")
"""Packages that offer modules."""


def offered(name: str) -> dict[str, Any]:
    """The public names of a package, and what they stand for."""
    package = importlib.import_module(name)
    if name not in MODULES:
        return {f"{name}.{public}": getattr(package, public) for public in package.__all__}
    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{name}."):
        inner = importlib.import_module(module.name)
        found[module.name] = inner
        for public, value in vars(inner).items():
            if not public.startswith("_") and getattr(value, "__module__", None) == module.name:
                found[f"{module.name}.{public}"] = value
    return found


def faults(path: str, value: Any) -> Iterator[str]:
    """What a public name lacks."""
    if isinstance(value, ModuleType):
        if not inspect.getdoc(value):
            yield f"{path}: no docstring"
    elif inspect.isclass(value):
        if not vars(value).get("__doc__"):
            yield f"{path}: no docstring"
        generated = hasattr(value, "__dataclass_fields__") or hasattr(value, "_fields") or is_protocol(value)
        for name, member in vars(value).items():
            inner = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
            if name == "__init__" and not generated and inspect.isfunction(inner):
                yield from untyped(f"{path}.__init__", inner)
            elif not name.startswith("_") and inspect.isfunction(inner):
                yield from untyped(f"{path}.{name}", inner)
                if not inspect.getdoc(getattr(value, name)):
                    yield f"{path}.{name}: no docstring"
    elif inspect.isfunction(value):
        yield from untyped(path, value)
        if not inspect.getdoc(value):
            yield f"{path}: no docstring"
    elif path.rpartition(".")[2] not in annotated():
        yield f"{path}: a constant without a type"


def is_protocol(value: type) -> bool:
    return bool(getattr(value, "_is_protocol", False))


def untyped(path: str, function: Any) -> Iterator[str]:
    """What a function's signature leaves open."""
    signature = inspect.signature(function)
    for number, (name, parameter) in enumerate(signature.parameters.items()):
        method = "." in function.__qualname__.rpartition("<locals>.")[2]
        if parameter.annotation is parameter.empty and not (number == 0 and method and name in ("self", "cls")):
            yield f"{path}: {name} has no type"
    if signature.return_annotation is signature.empty:
        yield f"{path}: its result has no type"


@functools.cache
def annotated() -> frozenset[str]:
    """The names of the package that are constants with a type, or aliases of types with a docstring below."""
    found = {"__version__"}
    for file in sorted((ROOT / "pycore").rglob("*.py")):
        body = parsed(file.read_text(encoding="utf-8"), file.name).body
        for number, node in enumerate(body):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and number + 1 < len(body):
                following = body[number + 1]
                if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                    found.add(node.targets[0].id)
    return frozenset(found)


@pytest.mark.slow
@pytest.mark.parametrize("package", PUBLIC)
def test_everything_public_is_typed_and_documented(package: str) -> None:
    """Every name has a docstring, every signature is whole, every constant has a type."""
    names = offered(package)
    assert names
    assert [fault for path, value in names.items() for fault in faults(path, value)] == []


@pytest.mark.slow
def test_what_is_not_typed_or_documented_is_found() -> None:
    """Each part of the rule can fail."""

    class Bare:
        def __init__(self, x):  # type: ignore[no-untyped-def]
            self.x = x

        def act(self, y: int):  # type: ignore[no-untyped-def]
            return y

        @property
        def whole(self) -> int:
            """Fine."""
            return 1

    def loose(x, y: int = 1) -> int:  # type: ignore[no-untyped-def]
        """Fine."""
        return y

    assert list(faults("Bare", Bare)) == [
        "Bare: no docstring", "Bare.__init__: x has no type", "Bare.__init__: its result has no type",
        "Bare.act: its result has no type", "Bare.act: no docstring",
    ]  # fmt: skip
    assert list(faults("loose", loose)) == ["loose: x has no type"]
    assert list(faults("somewhere.WHATEVER", 3)) == ["somewhere.WHATEVER: a constant without a type"]


# What the documents teach --------------------------------------------------------------------------------------------

GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "howto").glob("*.md"))]
INTERNAL = ("architecture.md",)
"""For whoever changes pycore: it speaks of all rooms."""


def taught(text: str) -> set[str]:
    """The modules that the examples of a document import, and the names that they import from each."""
    found: set[str] = set()
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        for module, names in re.findall(r"^\s*from (pycore[\w.]*) import ([\w, ]+)", block, re.MULTILINE):
            found |= {f"{module}:{name.strip()}" for name in names.split(",")}
        found |= {f"{module}:" for module in re.findall(r"^\s*import (pycore[\w.]*)", block, re.MULTILINE)}
    return found


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_a_guide_teaches_no_private_path(guide: Path) -> None:
    """What its examples import is offered where they import it from."""
    for path in sorted(taught(guide.read_text(encoding="utf-8"))):
        module, name = path.split(":")
        assert module in PUBLIC, f"{guide.name} imports {path}"
        if name:
            names = {public.removeprefix(f"{module}.").split(".")[0] for public in offered(module)}
            assert name in names, f"{guide.name} imports {path}, which {module} does not offer"


@pytest.mark.parametrize("guide", [guide for guide in GUIDES if guide.name not in INTERNAL], ids=lambda path: path.name)
def test_a_guide_names_no_private_module(guide: Path) -> None:
    """Also in its prose: `pycore.name` is a public package, or a name in one."""
    runs = {"pycore.interactive_gym", "pycore.install", "pycore.db"}
    for path in re.findall(r"`(pycore(?:\.\w+)+)", guide.read_text(encoding="utf-8")):
        packages = [name for name in PUBLIC if f"{path}.".startswith(f"{name}.")]
        known = runs | set(PUBLIC) | set(offered(max(packages, key=len)))
        assert path in known, f"{guide.name}: {path}"
