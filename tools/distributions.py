"""Pyodide distributions that work without a CDN: the core files of npm's package and a lock file of what is there.

npm's package has no wheels in it, not even micropip, and its `pyodide-lock.json` names hundreds that are elsewhere.
A distribution here has the core files, a few pure wheels from the package index, pinned by hash, and a lock file
that `pyodide lockfile add-wheels` made from exactly these. Python's library is byte code in it: each page would compile
it anew, and tests open hundreds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pycore.install import bundle
from pycore.install import library as stock
from pycore.install.halves import half_of
from pycore.site import library
from tools import node
from tools.paths import CACHE, CONSTRAINTS, DISTRIBUTIONS, PYODIDES, Pyodide
from tools.process import Failed, Missing, run, say

CORE = ("pyodide.mjs", "pyodide.js", "pyodide.asm.js", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
"""The files that loading needs; a version has `pyodide.asm.js` or, from 314, `pyodide.asm.mjs`."""

PLACING = threading.Lock()
"""Held by the one step that puts a folder in the place of another one."""


class Wheel(NamedTuple):
    """A pure wheel on the package index."""

    name: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}-py3-none-any.whl"


MICROPIP = Wheel("micropip", "0.11.1", "768de165adb8e66906039d8fec4127a57f522dfdf8e6fbff877a4616941ecfd3")
MICROPIP_026 = Wheel("micropip", "0.6.0", "d6ebd9581a2f446141f782f813c3b9a41efdebedddd9d2e0cc11b2cee3d23761")
# What pytest-pyodide's run_in_pyodide imports inside; without them in the lock file it asks a CDN.
TESTING = (
    Wheel("iniconfig", "2.3.1", "9121e2c1fdb355232495be3194c8dfe87ccc2d5dee45947b78e68f499790d7a7"),
    Wheel("packaging", "26.3", "d7193f7c8e4e93f444fde0262bf90af30e16fa0ad0ad44cb553c87339b23cd1c"),
    Wheel("pluggy", "1.7.0", "7dd7b0d8832ba3cb632c306926ded123429211b83641b35dc5c41ad2d34f9bec"),
    Wheel("pygments", "2.21.0", "2363c69b61c4a97c838da3b130dcd6468f4848992b21a82f2a63ec34377137d9"),
    Wheel("pytest", "9.1.1", "37a86b45efb9a47a61a36449063e8e18d0cab3161329fc099eb21783169c4f0c"),
    Wheel("tblib", "3.2.2", "26bdccf339bcce6a88b2b5432c988b266ebbe63a4e593f6b578b1d2e723d2b76"),
)


def micropip_for(pyodide: Pyodide) -> Wheel:
    """The micropip that Pyodide 0.26 was released with imports there; 0.9 asks `pyodide.http` for later names."""
    return MICROPIP if pyodide.python >= (3, 13) else MICROPIP_026


def is_intact(path: Path, wheel: Wheel) -> bool:
    """Whether the downloaded file is the pinned one."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == wheel.sha256


def fetch(wheels: Iterable[Wheel], python: tuple[int, int]) -> list[Path]:
    """The wheels as files in the cache, by pip, which checks their hashes."""
    wanted = list(wheels)
    CACHE.mkdir(parents=True, exist_ok=True)
    absent = [wheel for wheel in wanted if not is_intact(CACHE / wheel.file, wheel)]
    if absent:
        say(f"downloading {', '.join(f'{wheel.name} {wheel.version}' for wheel in absent)}")
        with tempfile.TemporaryDirectory() as temporary:
            pins = Path(temporary) / "pins.txt"
            pins.write_text("".join(f"{w.name}=={w.version} --hash=sha256:{w.sha256}\n" for w in absent), "utf-8")
            pip: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
            pip.append("--disable-pip-version-check")
            only = ["--no-deps", "--only-binary", ":all:", "--python-version", f"{python[0]}.{python[1]}"]
            try:
                run([*pip, *only, "--require-hashes", "--dest", temporary, "--requirement", pins], attempts=3)
            except Failed as error:
                raise Missing(f"{error}\n\nThe pinned wheels could not be downloaded.") from error
            for wheel in absent:
                half = half_of(CACHE / wheel.file)
                shutil.copyfile(Path(temporary) / wheel.file, half)
                half.replace(CACHE / wheel.file)
    return [CACHE / wheel.file for wheel in wanted]


def locked(pyodide: Pyodide, wheels: Iterable[Path], base: Path, url: str | None = None) -> dict[str, Any]:
    """The lock file entries of these wheels by package name, made by `pyodide lockfile add-wheels`.

    `base` is the folder that the file names are relative to; `url` is put in front of them. Entries are cached by
    what is in the wheels, because the command takes a second.
    """
    files = list(wheels)
    parts = [pyodide.version, url or "", *(str(file.relative_to(base)) for file in files)]
    parts += [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    cached = CACHE / f"lock-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}.json"
    if not cached.is_file():
        with tempfile.TemporaryDirectory() as temporary:
            empty, full = Path(temporary) / "empty.json", Path(temporary) / "full.json"
            empty.write_text(json.dumps({"info": info_of(pyodide), "packages": {}}), "utf-8")
            command = Path(sys.executable).with_name("pyodide")
            if command.is_file():
                options: list[str | Path] = ["--input", empty, "--output", full, "--base-path", base]
                run([command, "lockfile", "add-wheels", *options, *(["--wheel-url", url] if url else []), *files])
            else:  # Python 3.11, where the command is not to be had but its library is
                add_wheels(empty, full, files, base, url)
            packages = json.loads(full.read_text("utf-8"))["packages"]
        CACHE.mkdir(parents=True, exist_ok=True)
        half = half_of(cached)
        half.write_text(json.dumps(packages), "utf-8")
        half.replace(cached)
    found: dict[str, Any] = json.loads(cached.read_text("utf-8"))
    return found


def add_wheels(source: Path, target: Path, wheels: Iterable[Path], base: Path, url: str | None) -> None:
    """What `pyodide lockfile add-wheels` does."""
    from pyodide_lock import PyodideLockSpec
    from pyodide_lock.utils import add_wheels_to_spec

    spec = add_wheels_to_spec(
        PyodideLockSpec.from_json(source), [wheel.resolve() for wheel in wheels], base_path=base.resolve(),
        base_url=url or "",
    )  # fmt: skip
    spec.to_json(target)


def info_of(pyodide: Pyodide) -> dict[str, Any]:
    """What a lock file says of the Pyodide it is for. It must stay: Pyodide compares its own version with it."""
    info: dict[str, Any] = json.loads((pyodide.source / "pyodide-lock.json").read_text("utf-8"))["info"]
    return info


def write_lock(pyodide: Pyodide, packages: Mapping[str, Any], target: Path) -> None:
    """Write a lock file that names these packages and no others."""
    lock = {"info": info_of(pyodide), "packages": packages}
    target.write_text(json.dumps(lock, indent=1, sort_keys=True), "utf-8")


def library_of(pyodide: Pyodide) -> Path:
    """Its Python's library as byte code, which is made once."""
    parts = [Path(module.__file__ or "").read_bytes() for module in (stock, bundle)]
    parts.append((pyodide.source / stock.ARCHIVE).read_bytes())
    made = CACHE / f"library-{pyodide.version}-{hashlib.sha256(b''.join(parts)).hexdigest()[:16]}.zip"
    if not made.is_file():
        say(f"compiling the library of Python {pyodide.python[0]}.{pyodide.python[1]} for pages")
        CACHE.mkdir(parents=True, exist_ok=True)
        library.compile_library(pyodide.source, pyodide.python, made, node.ensure_node()[0])
    return made


def copy_core(pyodide: Pyodide, folder: Path) -> None:
    """The core files of a Pyodide, as links where the file system has them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in CORE:
        source = library_of(pyodide) if name == stock.ARCHIVE else pyodide.source / name
        if source.is_file():
            place(source, folder / name)


def released(pyodide: Pyodide) -> Path:
    """npm's package as it was released, but for Python's library, as whoever serves a study has it."""
    node.ensure_packages()
    folder = DISTRIBUTIONS / f"{pyodide.version}-{library_of(pyodide).stem}"
    if not folder.is_dir():
        half = half_of(folder)
        shutil.rmtree(half, ignore_errors=True)
        copy_core(pyodide, half)
        for name in ("pyodide-lock.json", "package.json"):
            place(pyodide.source / name, half / name)
        try:
            half.replace(folder)
        except OSError:
            if not folder.is_dir():
                raise
            shutil.rmtree(half)  # somebody else has made it meanwhile
    return folder


def place(source: Path, target: Path) -> None:
    """The file at another place: a hard link if possible, because the core is 14 MB, otherwise a copy."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def stamp_of(pyodide: Pyodide, wheels: Iterable[Wheel]) -> str:
    parts = [repr(pyodide), repr(list(wheels)), Path(__file__).read_text("utf-8"), CONSTRAINTS.read_text("utf-8")]
    parts.append(library_of(pyodide).name)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ensure(pyodide: Pyodide) -> Path:
    """The test distribution of one Pyodide."""
    node.ensure_packages()
    folder = DISTRIBUTIONS / pyodide.version
    pins = [micropip_for(pyodide), *TESTING]
    stamp = folder / "stamp"
    if stamp.is_file() and stamp.read_text("ascii") == stamp_of(pyodide, pins):
        return folder
    files = fetch(pins, pyodide.python)
    half = half_of(folder)
    shutil.rmtree(half, ignore_errors=True)
    copy_core(pyodide, half)
    local = [Path(shutil.copy(file, half / file.name)) for file in files]
    write_lock(pyodide, locked(pyodide, local, half), half / "pyodide-lock.json")
    (half / "stamp").write_text(stamp_of(pyodide, pins), "ascii")
    with PLACING:
        if stamp.is_file() and stamp.read_text("ascii") == (half / "stamp").read_text("ascii"):
            shutil.rmtree(half)  # another step has made it meanwhile, and takes files from it
        else:
            shutil.rmtree(folder, ignore_errors=True)
            half.replace(folder)
    return folder


def ensure_all() -> dict[str, Path]:
    """The test distributions by version."""
    return {pyodide.version: ensure(pyodide) for pyodide in PYODIDES}
