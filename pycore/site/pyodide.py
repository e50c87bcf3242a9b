"""The Pyodide of a site: a folder that the site gets a copy of, or an address that pages load it from."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pycore.relay.static.compressed import beside, is_compressed
from pycore.site.failing import SiteFailed

USUAL_PYODIDE: Final = "https://cdn.jsdelivr.net/pyodide/v314.0.7/full/"
"""Where pages load Pyodide from unless a folder or another address is named."""
NEEDED: Final = ("pyodide.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
CORE: Final = (*NEEDED, "pyodide.js", "pyodide.asm.js", "pyodide.asm.mjs")
"""What loading takes; a version has `pyodide.asm.js` or, from 314 on, `pyodide.asm.mjs`."""
MICROPIP: Final = "micropip"
_PYTHONS: Final = {"0.26": "cp312", "0.27": "cp312", "0.28": "cp313", "0.29": "cp313", "314.0": "cp314"}
"""The Python inside a Pyodide that is known by its address only."""


class Pyodide(NamedTuple):
    """One Pyodide."""

    url: str
    """For the manifest: an address, or the site's own folder."""
    version: str
    tag: str | None
    """The tag of wheels with byte code for it, as in `cp314`; None if that is not known."""
    folder: Path | None
    packages: Mapping[str, Any] | None
    """The packages of its lock file by name, where that can be read."""

    def wheel_of(self, package: str) -> Path | None:
        """The file of a package that the lock file names; None where it is not in the folder."""
        entry = (self.packages or {}).get(package)
        if entry is None or self.folder is None:
            return None
        file = self.folder / str(entry.get("file_name", ""))
        return file if file.is_file() else None

    def closure(self, package: str) -> list[str]:
        """The package and all that it depends on, by the lock file."""
        found: list[str] = []
        waiting = [package]
        while waiting:
            name = normal(waiting.pop())
            if name not in found and name in (self.packages or {}):
                found.append(name)
                waiting += (self.packages or {})[name].get("depends", [])
        return found


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pyodide_of(place: Path | str | None) -> Pyodide:
    """The Pyodide that was named; None is the usual one. Raises `SiteFailed`."""
    text = USUAL_PYODIDE if place is None else str(place)
    if re.match(r"https?://", text):
        return _at(text if text.endswith("/") else f"{text}/")
    folder = Path(text)
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise SiteFailed(
            f"{folder} is no Pyodide: it has no {missing[0]}; give the folder of an unpacked Pyodide release, or of "
            "npm's package pyodide, or an address"
        )
    try:
        lock = json.loads((folder / "pyodide-lock.json").read_text("utf-8"))
        info, packages = lock["info"], lock["packages"]
        version, python = str(info.get("version") or _version_of(folder)), str(info["python"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SiteFailed(f"{folder / 'pyodide-lock.json'} cannot be read: {type(error).__name__}: {error}") from error
    major, minor = python.split(".")[:2]
    return Pyodide("pyodide/", version, f"cp{major}{minor}", folder, packages)


def bytes_of(pyodide: Pyodide) -> int:
    """What a page fetches of a folder before Python begins, as it is when it is unpacked."""
    assert pyodide.folder is not None
    files = [pyodide.folder / name for name in CORE if name != "pyodide.js"]
    return sum([file.stat().st_size for file in files if file.is_file()])


def _at(url: str) -> Pyodide:
    found = re.search(r"/v?(\d+\.\d+)\.\d+\S*?/", url)
    version = "" if found is None else found[0].strip("/").removeprefix("v")
    return Pyodide(url, version, None if found is None else _PYTHONS.get(found[1]), None, None)


def _version_of(folder: Path) -> str:
    """npm's package says its version in package.json."""
    try:
        return str(json.loads((folder / "package.json").read_text("utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def put(pyodide: Pyodide, packages: list[str], target: Path) -> None:
    """The core files of a folder, its micropip, and the packages that are named, with what they depend on."""
    assert pyodide.folder is not None
    target.mkdir(parents=True)
    for name in CORE:
        source = pyodide.folder / name
        if source.is_file():
            place(source, target / name)
            if is_compressed(source):
                place(beside(source), beside(target / name))
    for package in {name for wanted in (*packages, MICROPIP) for name in pyodide.closure(wanted)}:
        file = pyodide.wheel_of(package)
        if file is not None:
            place(file, target / file.name)


def place(source: Path, target: Path) -> None:
    """The file at another place: a hard link if possible, because the core is 14 MB, otherwise a copy."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
