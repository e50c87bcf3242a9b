"""The files of a study's environment: its module, what that imports from its own folder, and what is named beside.

What is imported is read with `ast`, nothing is run. A module beside the environment counts whatever names it: `import`
in a function, too. Of a package beside it, the whole folder is taken, data files as well. Nothing above the folder is
taken, and nothing hidden.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pycore.site.failing import SiteFailed

IGNORED = ("__pycache__",)
LARGEST = 64 * 2**20
"""Bytes of all files together: every participant downloads them."""


class Sources(NamedTuple):
    """What of a study goes into its pages."""

    files: dict[str, Path]
    """By their names relative to the environment's folder, the environment first."""
    foreign: frozenset[str]
    """Top-level modules that are imported and neither there nor in the standard library."""


def sources_of(game: Path, more: Iterable[Path] = ()) -> Sources:
    """The files of the environment in `game`, and `more` files and folders beside it. Raises `SiteFailed`."""
    if not game.is_file():
        raise SiteFailed(f"there is no file {game}; give the Python file that has make_env()")
    if game.suffix != ".py" or not game.stem.isidentifier():
        raise SiteFailed(f"{game.name} cannot be imported: give a Python file whose name is a word, as environment.py")
    folder = game.resolve().parent
    files: dict[str, Path] = {}
    foreign: set[str] = set()
    waiting = [game.resolve()]
    for extra in more:
        waiting += _named(extra, folder)
    while waiting:
        path = waiting.pop(0)
        name = path.relative_to(folder).as_posix()
        if name in files:
            continue
        files[name] = path
        if path.suffix != ".py":
            continue
        for module in _imports(path):
            beside = _beside(folder, module)
            waiting += beside
            if not beside and module not in sys.stdlib_module_names and module != "pycore":
                foreign.add(module)
    _check(files)
    return Sources(files, frozenset(foreign))


def _named(extra: Path, folder: Path) -> list[Path]:
    """The files of what was named, which lie in the environment's folder."""
    # By its place, as what lies in packages: a link may lead elsewhere.
    place = Path(os.path.abspath(extra))
    found = place.parent.resolve() / place.name
    if not found.exists():
        raise SiteFailed(f"there is no {extra}")
    if not found.is_relative_to(folder) or found == folder:
        raise SiteFailed(f"{extra} does not lie in {folder}, beside the environment; put it there")
    return list(_within(found)) if found.is_dir() else [found]


def _within(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """By their places: what a link leads to is taken as what lies here, once on each way."""
    above |= {folder.resolve()}
    for path in sorted(folder.iterdir()):
        if path.name in IGNORED or path.name.startswith("."):
            continue
        if path.is_dir():
            if path.resolve() not in above:
                yield from _within(path, above)
        elif path.is_file():
            yield path


def _beside(folder: Path, module: str) -> list[Path]:
    """The files of a module or package of that name in the folder."""
    package, single = folder / module, folder / f"{module}.py"
    if (package / "__init__.py").is_file():
        return list(_within(package))
    return [single] if single.is_file() else []


def _imports(path: Path) -> Iterator[str]:
    """The top-level names of what a file imports."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise SiteFailed(f"{path} cannot be read as Python: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                yield node.module.partition(".")[0]


def _check(files: dict[str, Path]) -> None:
    for name in files:
        top = name.partition("/")[0].removesuffix(".py")
        if name.endswith(".py") and (top in sys.stdlib_module_names or top == "pycore"):
            raise SiteFailed(f"{name} has the name of another module, which the page would import; rename it")
    size = sum(path.stat().st_size for path in files.values())
    if size > LARGEST:
        raise SiteFailed(
            f"the environment's files are {size / 2**20:.0f} MB, which every participant would download; at most "
            f"{LARGEST / 2**20:.0f} MB"
        )
