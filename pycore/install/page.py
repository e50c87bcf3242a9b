"""The host page: where it is below a path, and which generation of it.

pycore takes the place of one module of the page, so it must know what that module's neighbours expect. It knows two
generations: multi-user-gymnasium 0.1.3, by the hash of the module; and the interactive_gym package of January 2026,
whose released wheel has no page, by what its files export and import. Everything else is refused: a page that
almost fits fails in front of participants.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pycore.errors import UsageError

MODULE = "pyodide_multiplayer_game.js"
KEPT = f"{MODULE}.before-pycore"
MARK = "// @pycore-installed "
"""How the file that takes the module's place begins; the version follows."""

RELEASES = {"70fdc1e964e5e99b572ceaf6a3c2069e34d623b59de826b60c68eb97d42053f4": "0.1.3"}
"""SHA-256 of the module, with line ends as released, and the release of multi-user-gymnasium that it is from."""

DISTRIBUTIONS = {"mug": "multi_user_gymnasium", "interactive_gym": "interactive_gym"}
"""The packages that have the page, and the names of their distributions."""

NEIGHBOURS = ("pyodide_remote_game.js", "ui_utils.js", "phaser_gym_graphics.js", "index.js")
LATER = ("registerTickCallback", "storeFrameData")
"""What 0.1.3 asks of the module and the page of January 2026 does not know."""

KNOWN = "pycore knows multi-user-gymnasium 0.1.3 and the interactive_gym package of January 2026"
RELEASED = "pip install --force-reinstall --no-deps multi-user-gymnasium==0.1.3"


class PageNotFound(UsageError):
    """There is no page below the path, or more than one."""

    code = "page_not_found"


class PageRefused(UsageError):
    """The page is none that pycore knows; the message says why, and what to do."""

    code = "page_refused"


class Place(NamedTuple):
    """Where a page is: `folder` with symbolic links followed, `seen` as it was found below the path."""

    folder: Path
    seen: Path


class Kind(NamedTuple):
    """Which page it is: `generation` is "0.1.3" or "seed"; `title` names it for people, with its version if known."""

    generation: str
    title: str


def find(path: Path) -> Place:
    """The one folder below `path` that has the page's module. Raises `PageNotFound`."""
    if not path.is_dir():
        raise PageNotFound(
            f"{path} is {'no folder' if path.exists() else 'not there'}; "
            "name the installed mug or interactive_gym package, its site-packages, a checkout or a copy"
        )
    found: dict[Path, Place] = {}
    left: dict[Path, Place] = {}
    for seen, names in _folders(path):
        place = Place(seen.resolve(), seen)
        if MODULE in names:
            found.setdefault(place.folder, place)
        elif KEPT in names:  # the page's package was removed, or the module was lost
            left.setdefault(place.folder, place)
    found = found or left
    if len(found) > 1:
        listed = "\n".join(f"  {place.seen}" for place in found.values())
        raise PageNotFound(f"{len(found)} folders below {path} have a {MODULE}; name one of them:\n{listed}")
    if not found:
        raise PageNotFound(
            f"no {MODULE} below {path}; pip install 'multi-user-gymnasium[server]==0.1.3' brings one "
            "(the released interactive_gym package has no page: use a checkout of it)"
        )
    return next(iter(found.values()))


def _folders(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """All folders below, through symbolic links as well, each once."""
    visited: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        folders.sort()
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        yield Path(folder), names


def is_ours(module: bytes) -> bool:
    """Whether this is the file that pycore puts in the module's place."""
    return module.startswith(MARK.encode())


def missing_neighbours(folder: Path, needed: frozenset[str] = frozenset()) -> list[str]:
    """The page's other modules that are not there, of those that every page has and those that pycore imports."""
    return [name for name in sorted({*NEIGHBOURS, *needed}) if not (folder / name).is_file()]


def recognise(place: Place, original: bytes, needed: frozenset[str] = frozenset()) -> Kind:
    """Which page it is whose own module is `original`. Raises `PageRefused`."""
    missing = missing_neighbours(place.folder, needed)
    if missing:
        raise PageRefused(
            f"{place.folder} has {MODULE} and lacks {', '.join(missing)}, so it is not the whole page; "
            "name the package itself, or a full copy of it"
        )
    versions = _versions(place)
    later = {version for name, version in versions if name == "mug" and version not in RELEASES.values()}
    if later:
        raise PageRefused(f"the page is multi-user-gymnasium {', '.join(sorted(later))}; {KNOWN}")
    # A checkout on Windows may have other line ends than the release.
    release = RELEASES.get(hashlib.sha256(original.replace(b"\r\n", b"\n")).hexdigest())
    if release is not None:
        return Kind(release, f"multi-user-gymnasium {release}")
    if any(name == "mug" for name, _ in versions):
        raise PageRefused(
            f"the {MODULE} of this multi-user-gymnasium 0.1.3 is not the released one, and its changes would be out "
            f"of use; to install pycore nevertheless, put the released file there: {RELEASED}"
        )
    why = _not_seed(place.folder, original)
    if why:
        raise PageRefused(f"this page is not known ({why}); {KNOWN}")
    known = sorted({version for name, version in versions if name == "interactive_gym"})
    return Kind("seed", f"interactive_gym {' or '.join(known)}" if known else "interactive_gym, seed generation")


def _versions(place: Place) -> set[tuple[str, str]]:
    """What the package around the page says of itself: (package, version), from its metadata and its source."""
    found: set[tuple[str, str]] = set()
    for start in (place.folder, place.seen.absolute()):
        package = next((folder for folder in (start, *start.parents) if folder.name in DISTRIBUTIONS), None)
        if package is None:
            continue
        distribution = DISTRIBUTIONS[package.name]
        for info in package.parent.glob(f"{distribution}-*.dist-info"):
            found.add((package.name, info.name.removesuffix(".dist-info").partition("-")[2]))
        front = package / "__init__.py"
        if front.is_file():
            text = front.read_text(encoding="utf-8", errors="replace")
            for version in re.findall(r"""^__version__\s*=\s*['"]([^'"]+)['"]""", text, re.MULTILINE):
                found.add((package.name, version))
    return found


def _not_seed(folder: Path, original: bytes) -> str:
    """Why this is not the page of January 2026; empty if it is."""
    texts = {name: (folder / name).read_text(encoding="utf-8", errors="replace") for name in NEIGHBOURS}
    module = original.decode("utf-8", errors="replace")
    for name in LATER:
        for file, text in {MODULE: module, **texts}.items():
            if re.search(rf"\b{name}\b", text):
                return f"{file} has {name}, which only later ones have"
    if not _exports(module, "MultiplayerPyodideGame"):
        return f"{MODULE} exports no MultiplayerPyodideGame"
    if not _exports(texts["pyodide_remote_game.js"], "RemoteGame"):
        return "pyodide_remote_game.js exports no RemoteGame"
    if not re.search(rf"""\bfrom\s*['"][^'"]*/{re.escape(MODULE)}""", texts["index.js"]):
        return f"index.js does not import {MODULE}"
    return ""


def _exports(source: str, name: str) -> bool:
    return re.search(rf"\bexport\s+(?:class\s+{name}\b|\{{[^}}]*\b{name}\b)", source) is not None
