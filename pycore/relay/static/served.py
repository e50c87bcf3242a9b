"""Which files of a site folder anybody may have: what a page is made of, and what its manifest names.

A study is often run in the folder where it was written. Its database, its settings, its exported data, keys and
notes lie there too, and a server that gives away whatever lies in a folder gives them away as well. So a file is served

- if it is of a kind that pages are made of, `KINDS`: markup, scripts, styles, pictures, sound, fonts; or
- if the manifest names it (the environment and what it needs, wheels, packages), or the folder that it lies in
  (Pyodide); or
- if it lies in `assets/`, where a page of one's own puts what is of no such kind,

and never if a part of its name begins with a dot, or is `__pycache__`, or if it is a database, wherever it lies; nor if
it is a page that pycore makes of a study's data, a report or a replay, which says so in its head.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

MANIFEST: Final = "manifest.json"
KINDS: Final = frozenset((
    ".html", ".htm", ".xhtml", ".css", ".js", ".mjs", ".wasm", ".webmanifest",
    ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg", ".ico", ".bmp",
    ".mp3", ".ogg", ".oga", ".opus", ".wav", ".m4a", ".aac", ".flac", ".mp4", ".webm", ".ogv",
    ".woff", ".woff2", ".ttf", ".otf", ".onnx", ".glb", ".gltf", ".license",
))  # fmt: skip
OPEN: Final = ("assets",)
"""Folders of which everything is served that is not kept back."""
PAGES: Final = (".html", ".htm", ".xhtml")
PRIVATE: Final = b'<meta name="pycore-private"'
HEAD_BYTES: Final = 2048
"""Within which a page made of data says that it is one."""
DATABASES: Final = (".db", ".sqlite", ".sqlite3", ".db3", ".duckdb")
JOURNALS: Final = ("-wal", "-shm", "-journal")


class Served:
    """What of one site folder is served. The manifest is read anew when it has changed."""

    def __init__(self, site: Path) -> None:
        self._site = Path(os.path.realpath(site))
        self._known: tuple[tuple[int, int] | None, frozenset[str], tuple[str, ...]] = (None, frozenset(), ())

    def allows(self, path: str) -> bool:
        """Whether anybody may have the file at a path of the site, as it is asked for."""
        asked = PurePosixPath(path.replace(os.sep, "/"))
        try:
            really = PurePosixPath(Path(os.path.realpath(self._site / asked)).relative_to(self._site).as_posix())
        except ValueError:
            return False
        # A link is what it leads to.
        return self._may(asked) and (really == asked or self._may(really)) and not self._is_of_data(really)

    def _is_of_data(self, path: PurePosixPath) -> bool:
        if path.suffix.lower() not in PAGES:
            return False
        try:
            with (self._site / path).open("rb") as file:
                return PRIVATE in file.read(HEAD_BYTES)
        except OSError:
            return False  # a folder, or no file

    def _may(self, path: PurePosixPath) -> bool:
        if is_kept_back(path):
            return False
        if path.suffix.lower() in KINDS or path.parts[0] in OPEN or str(path) == MANIFEST:
            return True
        files, folders = self._named()
        return str(path) in files or str(path).startswith(folders)

    def _named(self) -> tuple[frozenset[str], tuple[str, ...]]:
        """Files and folders that the manifest names."""
        file = self._site / MANIFEST
        try:
            found = file.stat()
            stamp = found.st_mtime_ns, found.st_size
            if stamp != self._known[0]:
                manifest = json.loads(file.read_text("utf-8"))
                folder = [f"{name}/" for name in _within([(manifest.get("pyodide") or {}).get("url")])]
                self._known = stamp, frozenset(_within(_files(manifest))), tuple(folder)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return frozenset(), ()
        return self._known[1:]


def is_kept_back(path: PurePosixPath) -> bool:
    """Whether a file is nobody's, whatever folder it lies in."""
    if not path.parts or any(part.startswith(".") or part == "__pycache__" for part in path.parts):
        return True
    name = path.name.lower()
    for journal in JOURNALS:
        name = name.removesuffix(journal)
    # Also copies: pycore.db.before-0004, study.sqlite.old
    return any(f"{name}.".find(f"{kind}.") > 0 for kind in DATABASES)


def _files(manifest: dict[str, Any]) -> list[Any]:
    """What the manifest names as a file; packages that come from elsewhere among them."""
    one = [manifest.get(name) for name in ("wheel", "compiled_wheel", "game")]
    many = [*(manifest.get("packages") or ()), *(manifest.get("files") or ())]
    return [*one, *many, *(manifest.get("page_policies") or {}).values()]


def _within(names: Iterable[Any]) -> Iterator[str]:
    """Those that lie in the site, as paths there; `./` is everything, and nobody means that."""
    for name in names:
        if isinstance(name, str) and "://" not in name and PurePosixPath(name).parts:
            yield str(PurePosixPath(name))
