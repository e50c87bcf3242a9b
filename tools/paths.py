"""Where things lie, and which versions of the browser's Python the project promises to run on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "web"
NODE_MODULES = WEB / "node_modules"
BUILD = ROOT / "build"
DIST = ROOT / "dist"
SITE = BUILD / "site"
CACHE = BUILD / "cache"
DISTRIBUTIONS = BUILD / "pyodide"
ENVIRONMENT = ROOT / ".venv"
FLOOR_ENVIRONMENT = ROOT / ".venv-3.11"
CONSTRAINTS = ROOT / "tools" / "constraints.txt"


class Pyodide(NamedTuple):
    """A supported Pyodide: its `version`, its name in web/package.json and the Python in it."""

    version: str
    alias: str
    python: tuple[int, int]

    @property
    def source(self) -> Path:
        """The folder that npm unpacked."""
        return NODE_MODULES / self.alias

    @property
    def tag(self) -> str:
        """The wheel tag of code compiled for it, as in `cp313`."""
        return f"cp{self.python[0]}{self.python[1]}"


PYODIDES = (
    Pyodide("0.26.2", "pyodide-026", (3, 12)),  # what the interactive_gym page loads
    Pyodide("0.29.5", "pyodide-029", (3, 13)),
    Pyodide("314.0.7", "pyodide-314", (3, 14)),
)
NEWEST = PYODIDES[-1]
