"""Writing wheels: the core as a page takes it, made from this very package; reproducible.

A page needs the core and nothing of what runs beside it (`LEFT_OUT`); only the host page needs the part that speaks
its words (`HOST_PAGE`). `core_wheel` collects that part of the running
package, so that the page's core is the one that its researcher installed. `compiled_wheel` gives the same modules
as byte code for the Python inside the page's Pyodide, because parsing is most of an import's time there: compiled
here if this Python is of that version, otherwise found in a checkout where build.py made it. Byte code lies in one
file (`pycore.install.bundle`), compressed as one: half of what the modules one by one would be.

Every wheel is reproducible: entries sorted, one date, one permission, a RECORD that matches what is inside, and byte
code that carries its source's hash instead of a time (unchecked-hash pycs, PEP 552).
"""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pycore.errors import PycoreError
from pycore.install import bundle
from pycore.install.halves import half_of
from pycore.install.stripping import without_annotations, without_description
from pycore.version import __version__

PACKAGE = Path(__file__).resolve().parents[1]
STARTER = PACKAGE.parent / bundle.BOOTSTRAP
LEFT_OUT = (
    "pycore/relay/", "pycore/testing/", "pycore/install/", "pycore/rehearsal/", "pycore/web/", "pycore/cli/",
    "pycore/audit/", "pycore/export/", "pycore/film/", "pycore/factory/", "pycore/site/",
    "pycore/report/", "pycore/records/agreement.py", "pycore/records/experienced_reader.py",
    "pycore/__main__.py", "pycore/bridge/handed.py", "pycore/interactive_gym/handed.py",
)  # fmt: skip
"""Server, simulator, installer, rehearsal, command line, export, report, the site's making, what compares records, what
the shims have already: a page imports none. What steps a record again stays: a rehearsal has a page do it."""
HOST_PAGE = ("pycore/interactive_gym/",)
"""What only the interactive_gym page imports."""

DATE = (2020, 1, 1, 0, 0, 0)
NAME = f"interactive_gym_pycore-{__version__}"
BUILT = {False: "pages", True: "hostpage"}
"""The folders beside the plain wheel in which build.py keeps the byte-compiled ones, by whether they are for the host
page. Beside it pip would take them: it prefers a wheel for its own Python's version alone, and these have no command in
them."""
TAG = "cp312"
"""The Python inside Pyodide 0.26.2, which both generations of the page load."""

METADATA = f"""Metadata-Version: 2.1
Name: interactive-gym-pycore
Version: {__version__}
Summary: A peer-to-peer-first rollback core for Gymnasium and PettingZoo environments in the browser
License: MIT
Requires-Python: >=3.11
"""
WHEEL = """Wheel-Version: 1.0
Generator: pycore
Root-Is-Purelib: true
Tag: py3-none-any
"""

class WheelFailed(PycoreError):
    """The wheel for the page cannot be made from this installation of pycore."""

    code = "wheel_failed"


def read(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def packed(files: Mapping[str, bytes]) -> bytes:
    """The bytes of a wheel with a new RECORD; the same files give the same bytes."""
    (record,) = (name for name in files if name.endswith(".dist-info/RECORD"))
    lines: list[str] = []
    contents = io.BytesIO()
    with zipfile.ZipFile(contents, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:

        def add(name: str, data: bytes) -> None:
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, data)

        # The metadata comes last, as the format recommends, and RECORD after everything it lists.
        for name in sorted(set(files) - {record}, key=lambda name: (".dist-info/" in name, name)):
            add(name, files[name])
            digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(files[name])}")
        add(record, "\n".join([*lines, f"{record},,", ""]).encode())
    return contents.getvalue()


def write(wheel: Path, files: Mapping[str, bytes]) -> None:
    """Write a wheel in one step: nobody finds half of it under its name."""
    half = half_of(wheel)
    half.write_bytes(packed(files))
    half.replace(wheel)


def browser_part(files: Mapping[str, bytes], *, host_page: bool) -> dict[str, bytes]:
    """The files of a plain wheel that a page needs: any, or the interactive_gym page."""
    dropped = LEFT_OUT if host_page else LEFT_OUT + HOST_PAGE
    kept = {name: data for name, data in files.items() if not name.startswith(dropped)}
    return {name: data for name, data in kept.items() if not name.endswith(("/entry_points.txt", "/py.typed"))}


def bare(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same files as they are compiled: without annotations and description."""
    found = {}
    for name, data in files.items():
        if name.endswith(".py"):
            data = without_annotations(data.decode()).encode()
        elif name.endswith(".dist-info/METADATA"):
            data = without_description(data)
        found[name] = data
    return found


def tagged(files: Mapping[str, bytes], tag: str) -> dict[str, bytes]:
    """The same files with the wheel's own tag in WHEEL (file name and WHEEL must say the same)."""
    found = dict(files)
    (name,) = (name for name in files if name.endswith(".dist-info/WHEEL"))
    found[name] = found[name].replace(b"Tag: py3-none-any", f"Tag: {tag}-none-any".encode())
    return found


def core_files(package: Path = PACKAGE, *, host_page: bool = True) -> dict[str, bytes]:
    """What the page's wheel has in it: the sources of this package and their metadata. `host_page`: also what only the
    interactive_gym page imports.

    The metadata are the same from a checkout and from an installed package, so that the wheels are, too.
    """
    try:
        sources = {f"pycore/{path.relative_to(package).as_posix()}": path for path in package.rglob("*.py")}
        files = browser_part({name: path.read_bytes() for name, path in sources.items()}, host_page=host_page)
        licence = _licence(package)
    except OSError as error:
        raise WheelFailed(f"cannot read pycore's own files: {error}; install pycore again") from error
    if not {"pycore/__init__.py", "pycore/bridge/__init__.py"} <= set(files):
        raise WheelFailed(f"the sources of pycore are not in {package}; install pycore from its wheel or a checkout")
    info = f"{NAME}.dist-info"
    files[f"{info}/METADATA"] = METADATA.encode()
    files[f"{info}/WHEEL"] = WHEEL.encode()
    files[f"{info}/RECORD"] = b""
    if licence is not None:
        files[f"{info}/licenses/LICENSE"] = licence
    return files


def _licence(package: Path) -> bytes | None:
    places = [package.parent / f"{NAME}.dist-info" / "licenses" / "LICENSE"]
    if (package.parent / "build.py").is_file():  # in site-packages, a LICENSE beside is anybody's
        places.append(package.parent / "LICENSE")
    return next((path.read_bytes() for path in places if path.is_file()), None)


def core_wheel(package: Path = PACKAGE, *, host_page: bool = True) -> tuple[str, bytes]:
    """The wheel of the core for a page: its file name and its bytes."""
    return f"{NAME}-py3-none-any.whl", packed(core_files(package, host_page=host_page))


def compiled_wheel(
    package: Path = PACKAGE, *, tag: str | None = None, host_page: bool = True
) -> tuple[str, bytes] | None:
    """The same byte-compiled for a page's Pyodide, whose Python is `tag` (default: `TAG`); None if nobody here can
    compile for it, or has."""
    tag = TAG if tag is None else tag
    core = core_files(package, host_page=host_page)
    files = bare(tagged(core | {bundle.BOOTSTRAP: STARTER.read_bytes()}, tag))
    sources = sources_of(files)
    name = f"{NAME}-{tag}-none-any.whl"
    if sys.implementation.cache_tag == tag.replace("cp", "cpython-"):
        return name, packed(with_bundle(files, bundle.bundled(sources)))
    root = package.parent
    if (root / "build.py").is_file():
        inside = f"{BUILT[host_page]}/{name}"
        built = sorted((root / "build" / "wheels").glob(f"*/{inside}"))
        for found in (root / "dist" / inside, *built):
            if found.is_file() and is_of(found, sources):
                return name, found.read_bytes()
    return None


def sources_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The modules among the files."""
    return {name: data for name, data in files.items() if name.endswith(".py")}


def with_bundle(files: Mapping[str, bytes], bundled: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same files with the bundle in the place of the modules."""
    return {name: data for name, data in files.items() if not name.endswith(".py")} | dict(bundled)


def is_of(wheel: Path, sources: Mapping[str, bytes]) -> bool:
    """Whether a byte-compiled wheel was made from exactly these sources."""
    try:
        return bundle.is_of(read(wheel), sources)
    except (OSError, zipfile.BadZipFile):
        return False

