"""The wheels: a plain one for everybody, and byte-compiled ones for the Pythons inside the supported Pyodides.

The plain `py3-none-any` wheel is what `python -m build` makes: all of pycore, for indexes, servers and micropip.

A browser wheel is the same without the parts that never run in a page (`LEFT_OUT`), compiled, because parsing is
most of an import's time there. There are two kinds: for pages in general, and for the interactive_gym page, which has
in addition what speaks its words. Which parts these are and how a wheel is written is in `pycore.install.wheel`, which
makes the wheel for a host page as well. Byte code fits one minor version of Python only. pyodide-build compiles for
the Python that runs this; the other versions are compiled inside their own Pyodide under Node, so no foreign
interpreter has to be installed.

Byte code is twice as large as its source, and participants wait for it. So it has no docstrings (`-OO`; with them go
the asserts, which the core uses for type checkers only) and no column numbers (`-X no_debug_ranges`), which nobody
could use without the source: 69 kB instead of 108 for 4,000 lines. It has no annotations either
(`pycore.install.stripping`), a twentieth. Line numbers stay, for error reports.

Every wheel is reproducible: entries sorted, one date, one permission, unchecked-hash byte code (which carries the
source's hash instead of its time), and a RECORD that matches what is inside (pyodide-build leaves the old one).
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

from pycore.install.wheel import BUILT, bare, tagged
from pycore.install.wheel import TAG as PAGE_TAG
from pycore.install.wheel import browser_part as browser_part
from pycore.install.wheel import read as read
from pycore.install.wheel import write as write
from tools import node
from tools.paths import BUILD, DIST, PYODIDES, ROOT, WEB, Pyodide
from tools.process import Failed, run, say, size

EPOCH = 1_577_836_800
"""2020-01-01, the date of every file in every wheel, unless $SOURCE_DATE_EPOCH says otherwise."""

SMALL = {"PYTHONOPTIMIZE": "2", "PYTHONNODEBUGRANGES": "1"}
"""Settings of the interpreter that compiles; the same in compile_in_pyodide.mjs."""

UNCHECKED_HASH = (1).to_bytes(4, "little")
COMPILER = ROOT / "tools" / "compile_in_pyodide.mjs"


def sources_hash() -> str:
    """The hash of everything that decides what is in the wheels."""
    digest = hashlib.sha256()
    files = [*sorted((ROOT / "pycore").rglob("*")), *sorted(WEB.glob("*/*.js"))]
    files += [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "LICENSE"]
    for path in [*files, Path(__file__), COMPILER]:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    digest.update(repr((sys.version_info[:2], PYODIDES)).encode())
    return digest.hexdigest()


def plain_wheel(folder: Path) -> Path:
    """Build the plain wheel into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    epoch = os.environ.get("SOURCE_DATE_EPOCH", str(EPOCH))
    # -P, because build.py in the current folder would be taken for the package of that name.
    command: list[str | Path] = [sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation"]
    run([*command, "--outdir", folder, ROOT], cwd=ROOT, env={"SOURCE_DATE_EPOCH": epoch})
    (wheel,) = folder.glob("*-py3-none-any.whl")
    return wheel


def compiled_here(plain: Path, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The byte code of the modules for the Python that runs this, made by pyodide-build."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / plain.name
        write(source, files)
        # With SOURCE_DATE_EPOCH set, py_compile puts the source's hash in the place of its time.
        settings = {"SOURCE_DATE_EPOCH": str(EPOCH), **SMALL}
        run([sys.executable, "-P", "-m", "pyodide_cli", "py-compile", "--silent", "--keep", source], env=settings)
        (compiled,) = Path(temporary).glob("*-cp*.whl")
        return {name: data for name, data in read(compiled).items() if name.endswith(".pyc")}


def compiled_in(pyodide: Pyodide, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The byte code of the modules for the Python inside a Pyodide, made by that Python under Node."""
    node_path, _ = node.ensure_node()
    with tempfile.TemporaryDirectory() as temporary:
        sources = Path(temporary) / "sources.json"
        output = Path(temporary) / "compiled.json"
        sources.write_text(json.dumps({n: d.decode() for n, d in files.items() if n.endswith(".py")}), "utf-8")
        run([node_path, COMPILER, pyodide.source, sources, output], timeout=300)
        compiled = json.loads(output.read_text("utf-8"))
    return {name: base64.b64decode(data) for name, data in compiled.items()}


def unchecked(byte_code: bytes) -> bytes:
    """Byte code with the header of an unchecked-hash pyc (PEP 552), so that no import looks for the source."""
    if not byte_code[4] & 1:
        raise Failed("the byte code carries a time instead of its source's hash, so it would not be reproducible")
    # The hash stays as it is: its key is the magic number, so only the Python that compiled can compute it.
    return byte_code[:4] + UNCHECKED_HASH + byte_code[8:]


def browser_wheel(plain: Path, pyodide: Pyodide, folder: Path, *, host_page: bool = False) -> Path:
    """Make the byte-compiled wheel for a Pyodide from the plain one."""
    files = bare(tagged(browser_part(read(plain), host_page=host_page), pyodide.tag))
    here = pyodide.python == sys.version_info[:2]
    byte_code = compiled_here(plain, files) if here else compiled_in(pyodide, files)
    sources = {name for name in files if name.endswith(".py")}
    if {f"{name}c" for name in sources} != set(byte_code):
        raise Failed(f"compiling for Python {pyodide.python} gave other files than there are sources")
    contents = {name: data for name, data in files.items() if name not in sources}
    contents |= {f"{name}c": unchecked(byte_code[f"{name}c"]) for name in sources}
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / plain.name.replace("py3-none-any", f"{pyodide.tag}-none-any")
    write(wheel, contents)
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
            half = self.folder / f"{built.name}.half-{os.getpid()}"
            shutil.copyfile(built, half)
            return half.replace(self.folder / built.name)

    def browser(self, pyodide: Pyodide, *, host_page: bool = False) -> Path:
        """The byte-compiled wheel for one Pyodide, for pages in general or for the interactive_gym page."""
        folder = self.folder / BUILT if host_page else self.folder
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
    """`build.py wheel`: the wheels in dist/, with their sizes."""
    wheels = current()
    made = [(wheels.plain, "plain: indexes, servers, micropip", DIST)]
    made += [(wheels.browser(pyodide), f"byte-compiled for Pyodide {pyodide.version}", DIST) for pyodide in PYODIDES]
    page = next(pyodide for pyodide in PYODIDES if pyodide.tag == PAGE_TAG)
    kept = DIST / BUILT
    made += [(wheels.browser(page, host_page=True), "the same for the interactive_gym page", kept)]
    kept.mkdir(parents=True, exist_ok=True)
    for old in (*DIST.glob("interactive_gym_pycore-*.whl"), *kept.glob("interactive_gym_pycore-*.whl")):
        old.unlink()
    for wheel, what, folder in made:
        shutil.copyfile(wheel, folder / wheel.name)
        say(f"{folder.relative_to(ROOT).as_posix()}/{wheel.name}  {size(wheel)}  {what}")
    return wheels
