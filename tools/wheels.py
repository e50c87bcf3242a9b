"""The wheels: a plain one for everybody, and byte-compiled ones for the Pythons inside the supported Pyodides.

The plain `py3-none-any` wheel is what `python -m build` makes: all of pycore, for indexes, servers and micropip.

A browser wheel is the same without the parts that never run in a page (`LEFT_OUT`), compiled, because parsing is
most of an import's time there. There are two kinds: for pages in general, and for the interactive_gym page, which has
in addition what speaks its words. Which parts these are, how they are
compiled and how a wheel is written is in `pycore.install`, which makes the wheel for a host page as well. Byte code
fits one minor version of Python only: that of the Python that runs this is made here, the others by the Python inside
their own Pyodide under Node, so no foreign interpreter has to be installed. Annotations are taken out before
(`pycore.install.stripping`), a twentieth.

Every wheel is reproducible: entries sorted, one date, one permission, byte code that carries its source's hash instead
of a time, and a RECORD that matches what is inside.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pycore.install.bundle import BOOTSTRAP, bundled
from pycore.install.halves import half_of
from pycore.install.wheel import BUILT, bare, sources_of, tagged, with_bundle
from pycore.install.wheel import TAG as PAGE_TAG
from pycore.install.wheel import browser_part as browser_part
from pycore.install.wheel import read as read
from pycore.install.wheel import write as write
from tools import node
from tools.paths import BUILD, DIST, PYODIDES, ROOT, WEB, Pyodide
from tools.process import run, say, size

EPOCH = 1_577_836_800
"""2020-01-01, the date of every file in every wheel, unless $SOURCE_DATE_EPOCH says otherwise."""

COMPILER = ROOT / "tools" / "compile_in_pyodide.mjs"
HOOK = ROOT / "tools" / "hatch_build.py"


def sources_hash() -> str:
    """The hash of everything that decides what is in the wheels."""
    digest = hashlib.sha256()
    folders = ("core", "demo", "watch", "interactive_gym", "replay")
    web = (path for folder in folders for path in (WEB / folder).iterdir())
    files = [*sorted((ROOT / "pycore").rglob("*")), *sorted(web)]
    files += [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "LICENSE", WEB / "package-lock.json", HOOK]
    for path in [*files, Path(__file__), COMPILER]:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    digest.update(repr((sys.version_info[:2], PYODIDES)).encode())
    return digest.hexdigest()


def plain_wheel(folder: Path) -> Path:
    """Build the plain wheel into `folder`."""
    node.ensure_packages()
    folder.mkdir(parents=True, exist_ok=True)
    epoch = os.environ.get("SOURCE_DATE_EPOCH", str(EPOCH))
    # -P, because build.py in the current folder would be taken for the package of that name.
    command: list[str | Path] = [sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation"]
    run([*command, "--outdir", folder, ROOT], cwd=ROOT, env={"SOURCE_DATE_EPOCH": epoch})
    (wheel,) = folder.glob("*-py3-none-any.whl")
    return wheel


def bundled_in(pyodide: Pyodide, plain: Path, sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """The bundle of the sources for the Python inside a Pyodide, made by that Python under Node."""
    node_path, _ = node.ensure_node()
    with tempfile.TemporaryDirectory() as temporary:
        given, made = Path(temporary) / "sources.json", Path(temporary) / "bundled.json"
        given.write_text(json.dumps({name: data.decode() for name, data in sources.items()}), "utf-8")
        run([node_path, COMPILER, pyodide.source, plain, given, made], timeout=300)
        return {name: base64.b64decode(data) for name, data in json.loads(made.read_text("utf-8")).items()}


def browser_wheel(plain: Path, pyodide: Pyodide, folder: Path, *, host_page: bool = False) -> Path:
    """Make the byte-compiled wheel for a Pyodide from the plain one."""
    every = read(plain)
    files = browser_part(every, host_page=host_page) | {BOOTSTRAP: every[BOOTSTRAP]}
    files = bare(tagged(files, pyodide.tag))
    sources = sources_of(files)
    here = pyodide.python == sys.version_info[:2]
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / plain.name.replace("py3-none-any", f"{pyodide.tag}-none-any")
    write(wheel, with_bundle(files, bundled(sources) if here else bundled_in(pyodide, plain, sources)))
    return wheel


class Wheels:
    """The wheels of one state of the sources, built when first asked for and kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def plain(self) -> Path:
        """The plain wheel."""
        for wheel in self.folder.glob("*-py3-none-any.whl"):
            return wheel
        with tempfile.TemporaryDirectory() as temporary:
            built = plain_wheel(Path(temporary))
            self.folder.mkdir(parents=True, exist_ok=True)
            half = half_of(self.folder / built.name)
            shutil.copyfile(built, half)
            return half.replace(self.folder / built.name)

    def browser(self, pyodide: Pyodide, *, host_page: bool = False) -> Path:
        """The byte-compiled wheel for one Pyodide, for pages in general or for the interactive_gym page."""
        folder = self.folder / BUILT[host_page]
        for wheel in folder.glob(f"*-{pyodide.tag}-none-any.whl"):
            return wheel
        node.ensure_packages()
        return browser_wheel(self.plain, pyodide, folder, host_page=host_page)


def current() -> Wheels:
    """The wheels of the sources as they are now. Those of the last states are kept, so that going back is quick."""
    kept = BUILD / "wheels"
    folder = kept / sources_hash()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    folder.touch()
    for old in sorted(kept.iterdir(), key=lambda path: path.stat().st_mtime)[:-6]:
        shutil.rmtree(old, ignore_errors=True)
    return Wheels(folder)


def to_dist() -> Wheels:
    """`build.py wheel`: the wheels in dist/, with their sizes; in dist/ itself only the one that pip may take."""
    wheels = current()
    made = [(wheels.plain, "plain: indexes, servers, micropip", DIST)]
    pages = DIST / BUILT[False]
    made += [(wheels.browser(pyodide), f"byte-compiled for Pyodide {pyodide.version}", pages) for pyodide in PYODIDES]
    page = next(pyodide for pyodide in PYODIDES if pyodide.tag == PAGE_TAG)
    kept = DIST / BUILT[True]
    made += [(wheels.browser(page, host_page=True), "the same for the interactive_gym page", kept)]
    for folder in (DIST, pages, kept):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("interactive_gym_pycore-*.whl"):
            old.unlink()
    for wheel, what, folder in made:
        shutil.copyfile(wheel, folder / wheel.name)
        say(f"{folder.relative_to(ROOT).as_posix()}/{wheel.name}  {size(wheel)}  {what}")
    return wheels
