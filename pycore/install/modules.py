"""Which of pycore's ES modules a page needs: the entry and all that it imports, by its own import statements.

Read with regular expressions instead of a JavaScript parser, which Python does not have. What makes that safe: the
modules are pycore's own, comments (where JSDoc names types by `import('…')`) and regular expressions are removed
first, and a module that is named and not there is an error here instead of a blank page later.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pycore.errors import PycoreError

PACKAGE = Path(__file__).resolve().parents[1]
ENTRY = "interactive_gym/entry.js"

# A regular expression literal stands only where a value may begin; `a / b` is a division.
_TOKEN = re.compile(
    r"""(?P<dropped>//[^\n]*|/\*.*?\*/
        |(?:(?<=[(,=:\[!&|?{};+*%~^<>\n])|(?<=return))[ \t]*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\[\n])+/)
        |'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`""",
    re.DOTALL | re.VERBOSE,
)
_STATIC = re.compile(
    r"""(?<![\w$.])(?:import(?:[\w\s$*{},]*?\bfrom)?|export\s*[*{][\w\s$*{},]*?\bfrom)\s*(['"])([^'"\n]+)\1"""
)
_DYNAMIC = re.compile(r"""(?<![\w$.])import\s*\(\s*(['"`])([^'"`$\n]+)\1\s*[,)]""")


class ModulesMissing(PycoreError):
    """This pycore lacks a module that the page needs."""

    code = "modules_missing"


class Modules(NamedTuple):
    """What a page gets: `files` by name, and the page's own modules that they import, by name."""

    files: dict[str, bytes]
    host: frozenset[str]
    """Without them the page does not start."""


def imports(source: str) -> tuple[list[str], list[str]]:
    """The relative specifiers of a module's static and of its dynamic imports, as far as they are literals."""
    code = _TOKEN.sub(lambda found: " " if found["dropped"] else found[0], source)
    static = [name for _, name in _STATIC.findall(code) if name.startswith(".")]
    dynamic = [name for _, name in _DYNAMIC.findall(code) if name.startswith(".")]
    return static, dynamic


def folder() -> Path:
    """Where this pycore has its ES modules: inside the installed package, or in the checkout."""
    for place in (PACKAGE / "web", PACKAGE.parent / "web"):
        if (place / ENTRY).is_file():
            return place
    raise ModulesMissing(
        f"this pycore has no {ENTRY} (looked in {PACKAGE / 'web'} and {PACKAGE.parent / 'web'}); "
        "install pycore from its wheel, or run this in a checkout"
    )


def collect(web: Path | None = None) -> Modules:
    """The entry and everything that it imports inside its folder; what it imports outside belongs to the page."""
    web = (folder() if web is None else web).resolve()
    files: dict[str, bytes] = {}
    host: set[str] = set()
    waiting = [(web / ENTRY, "the page")]
    while waiting:
        path, wanted_by = waiting.pop()
        name = path.relative_to(web).as_posix()
        if name in files:
            continue
        try:
            files[name] = path.read_bytes()
        except OSError as error:
            raise ModulesMissing(f"{path}, which {wanted_by} imports, cannot be read: {error.strerror}") from error
        static, dynamic = imports(files[name].decode())
        for specifier in [*static, *dynamic]:
            target = (path.parent / specifier).resolve()
            if target.is_relative_to(web):
                waiting.append((target, name))
            elif specifier in static:
                host.add(target.relative_to(web.parent).as_posix())
    return Modules(dict(sorted(files.items())), frozenset(host))
