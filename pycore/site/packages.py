"""The packages that an environment needs in the page, and where each of them comes from.

A package is a name ("numpy"), a requirement ("pettingzoo==1.25") or the path of a wheel. In the page, Pyodide's own
packages are loaded from where Pyodide is, wheels from the site, and everything else from the Python Package Index by
micropip. With a folder of wheels nothing has to come from the index: what is found there is put into the site, and what
these wheels need, if it is there as well.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from email.parser import Parser
from pathlib import Path
from typing import Final, NamedTuple

from pycore.site.failing import SiteFailed
from pycore.site.pyodide import MICROPIP, Pyodide, normal
from pycore.site.versions import fits, is_final, order_of, satisfies

_REQUIREMENT: Final = re.compile(
    r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*((?:[<>=!~]=?|===).+)?"
)
_WHEEL: Final = re.compile(r"([^-]+)-([^-]+)(?:-\d[^-]*)?-([^-]+)-([^-]+)-([^-]+)\.whl")


class Plan(NamedTuple):
    """What the site gets and what the page loads."""

    load: list[str]
    """For the manifest, in order: names of wheels in packages/, names, requirements."""
    wheels: dict[str, Path]
    """The wheels to be put into packages/, by file name."""
    of_pyodide: list[str]
    """Names that Pyodide's own lock file has."""


def plan(packages: Iterable[str], pyodide: Pyodide, folder: Path | None = None) -> Plan:
    """Where each package comes from. `folder` has wheels. Raises `SiteFailed`, naming the package."""
    there = _wheels_in(folder, pyodide.tag)
    wheels: dict[str, Path] = {}
    names: list[str] = []
    settled: set[str] = set()
    waiting = [(package, "") for package in dict.fromkeys(packages)]
    while waiting:
        package, wanted_by = waiting.pop(0)
        if package.endswith(".whl"):
            file = Path(package)
            if not file.is_file():
                raise SiteFailed(f"there is no wheel {package}")
            _must_fit(file, pyodide.tag)
        else:
            name, rule = _read(package)
            if wanted_by and name in settled:
                continue  # a page has one version of each
            # A wheel that is needed, and none of them as it should be, is better than none.
            chosen = _best(there.get(name, ()), rule) or (_best(there.get(name, ()), "") if wanted_by else None)
            if chosen is None:
                if not wanted_by or name in (pyodide.packages or {}):
                    names.append(name if wanted_by else package)
                    settled.add(name)
                continue
            file = chosen
        settled.add(normal(file.name.partition("-")[0]))
        if file.name not in wheels:
            wheels[file.name] = file
            waiting += [(needed, file.name) for needed in _needs(file)]
    ordered = list(dict.fromkeys(names))
    for package in ordered:
        _must_come(package, pyodide, folder)
    # Pyodide's own come first: a wheel may import them while it is installed.
    return Plan([*ordered, *wheels], wheels, [name for name in ordered if normal(name) in (pyodide.packages or {})])


def _must_come(package: str, pyodide: Pyodide, folder: Path | None) -> None:
    """A page with its own copy of Pyodide has only what is in that folder; say so now, and not to a participant."""
    if pyodide.folder is None:
        return
    name, rule = _read(package)
    known = name in (pyodide.packages or {})
    absent = [each for each in pyodide.closure(name) if pyodide.wheel_of(each) is None]
    if known and absent:
        raise SiteFailed(
            f"{package} is one of Pyodide's packages, and {pyodide.folder} does not have the file of {absent[0]}: give "
            "the folder of a full Pyodide release, its wheel's folder by --wheels, or leave out --pyodide, so that "
            "pages load from the usual address"
        )
    if (not known or rule) and pyodide.wheel_of(MICROPIP) is None:
        where = f"{folder} has no wheel of it that fits" if folder is not None else "no --wheels folder is given"
        raise SiteFailed(
            f"{package} would come from the package index by micropip, which {pyodide.folder} does not have, and "
            f"{where}: download its wheel (pip download --no-deps {name}) and name its folder by --wheels"
        )


def _read(package: str) -> tuple[str, str]:
    """The normal name, and the rule for its version."""
    found = _REQUIREMENT.fullmatch(package.strip())
    if found is None:
        raise SiteFailed(f"{package!r} is no package: give a name as numpy, a requirement, or the path of a wheel")
    return normal(found[1]), (found[3] or "").replace(" ", "")


def _wheels_in(folder: Path | None, tag: str | None) -> Mapping[str, list[tuple[str, Path]]]:
    """Versions and files of the wheels that a page can take, by normal name."""
    found: dict[str, list[tuple[str, Path]]] = {}
    if folder is None:
        return found
    if not folder.is_dir():
        raise SiteFailed(f"there is no folder {folder} of wheels")
    for file in sorted(folder.glob("*.whl")):
        match = _WHEEL.fullmatch(file.name)
        if match is not None and fits(match[3], match[4], match[5], tag):
            found.setdefault(normal(match[1]), []).append((match[2], file))
    return found


def _must_fit(file: Path, tag: str | None) -> None:
    match = _WHEEL.fullmatch(file.name)
    if match is None or not fits(match[3], match[4], match[5], None):
        raise SiteFailed(f"{file.name} is no wheel that a page can take: it must end in -none-any.whl or -wasm32.whl")
    if not fits(match[3], match[4], match[5], tag):
        raise SiteFailed(f"{file.name} is a wheel for another Python than the page's, which is {tag}")


def _best(found: Iterable[tuple[str, Path]], rule: str) -> Path | None:
    """The newest one that is asked for; what comes before a release only where there is nothing else."""
    fitting = [(is_final(version), order_of(version), file) for version, file in found if satisfies(version, rule)]
    return max(fitting)[2] if fitting else None


def _needs(file: Path) -> list[str]:
    """What a wheel needs, by name and version, but for extras."""
    try:
        with zipfile.ZipFile(file) as archive:
            (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            headers = Parser().parsestr(archive.read(metadata).decode("utf-8", errors="replace"), headersonly=True)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SiteFailed(f"{file} is no wheel: {error}") from error
    needed = []
    for line in headers.get_all("Requires-Dist") or ():
        requirement, _, marker = str(line).partition(";")
        # Older ones have the versions in brackets. Of an address only the name is of use here.
        found = _REQUIREMENT.match(re.sub(r"[()]", "", requirement).strip())
        if found is not None and "extra" not in marker:
            needed.append(found[1] + (found[3] or ""))
    return needed
