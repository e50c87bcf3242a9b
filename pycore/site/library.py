"""Python's standard library for pages, as byte code.

A Pyodide comes with the sources of its library, and a page compiles what it imports at every visit: that is most of
what Python's start takes. Byte code fits one version of Python, so it is made by the Python inside that Pyodide, under
Node, or by the one that runs this, where that is of the same version. What is made takes the place of
`python_stdlib.zip`, which is how Pyodide's own `pyodide py-compile` does it.

The archive is stored, not deflated: served with gzip as a whole, as the relay does, it is smaller than the sources are,
and as it is more than three times as large.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from typing import Final

from pycore.errors import UsageError
from pycore.install.bundle import UNCHECKED_HASH, compiled

ARCHIVE: Final = "python_stdlib.zip"
TIMEOUT_S: Final = 600.0

_NODE: Final = """
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
const [folder, pycore, archive, made] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")).href);
const pyodide = await loadPyodide({ indexURL: join(resolve(folder), "/") });
pyodide.FS.mkdirTree("/home/given/pycore");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: pycore }, "/home/given/pycore");
pyodide.FS.writeFile("/given.zip", await readFile(archive));
pyodide.runPython(`
import sys
sys.path.insert(0, "/home/given")
from pycore.site.library import of_byte_code
with open("/given.zip", "rb") as given, open("/made.zip", "wb") as made:
    made.write(of_byte_code(given.read()))
`);
await writeFile(made, pyodide.FS.readFile("/made.zip"));
"""


def is_compiled(archive: Path) -> bool:
    """Whether an archive has byte code and no sources. Raises `UsageError` for what is none."""
    try:
        with zipfile.ZipFile(archive) as files:
            return not any(name.endswith(".py") for name in files.namelist())
    except zipfile.BadZipFile as error:
        raise UsageError(f"{archive} is no archive: {error}") from error


def of_byte_code(archive: bytes) -> bytes:
    """The archive with byte code of the Python that runs this in the place of its sources: without docstrings, asserts
    and columns. The same archive gives the same bytes."""
    home = f"/lib/python{sys.version_info[0]}{sys.version_info[1]}.zip"
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as given, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as target:
        for entry in sorted(given.infolist(), key=lambda each: each.filename):
            name, data = entry.filename, given.read(entry)
            if name.endswith(".py"):
                data = MAGIC_NUMBER + UNCHECKED_HASH + source_hash(data) + compiled(f"{home}/{name}", data)
                name += "c"
            target.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
    return made.getvalue()


def compile_library(pyodide: Path, python: tuple[int, int], target: Path, node: str | Path | None = None) -> None:
    """Write the library of a Pyodide, in which this `python` is, as byte code to `target`; that may be the archive
    itself. `node`: the Node that runs it, if it is not the one on the path. Raises `UsageError`."""
    archive = pyodide / ARCHIVE
    if python == sys.version_info[:2]:
        made = of_byte_code(archive.read_bytes())
    else:
        made = _under_node(pyodide, archive, node or shutil.which("node"))
    half = target.with_name(f"{target.name}.half-{os.getpid()}")
    try:
        half.write_bytes(made)
        half.replace(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error


def _under_node(pyodide: Path, archive: Path, node: str | Path | None) -> bytes:
    if node is None:
        raise UsageError(
            "Node is not on the path, and this Python is not of that Pyodide's version: one of the two is needed"
        )
    with tempfile.TemporaryDirectory(prefix="pycore-library-") as temporary:
        work = Path(temporary)
        (work / "run.mjs").write_text(_NODE, "utf-8")
        package = Path(__file__).resolve().parents[1]
        words = [str(node), *map(str, (work / "run.mjs", pyodide.resolve(), package, archive.resolve(), work / "made"))]
        try:
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise UsageError(f"the library was not compiled within {TIMEOUT_S:.0f} s") from None
        if done.returncode != 0:
            # Node shows the line of Pyodide's source in which it was thrown, which is all of the source.
            lines = [line for line in done.stderr.splitlines() if line.strip() and len(line) < 1000]
            raise UsageError("the library was not compiled: " + "\n".join(lines[-5:]))
        return (work / "made").read_bytes()
