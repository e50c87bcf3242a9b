"""Makes the library of a Pyodide byte code (`pycore.install.library`): by the Python inside it, under Node, or by the
one that runs this, where that is of the same version."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from pycore.errors import UsageError
from pycore.install.halves import half_of
from pycore.install.library import ARCHIVE, of_byte_code

TIMEOUT_S: Final = 600.0

_NODE: Final = """
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
const [folder, pycore, archive, made] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(resolve(folder, "pyodide.mjs")).href);
const pyodide = await loadPyodide({ indexURL: join(resolve(folder), "/") });
pyodide.FS.mkdirTree("/given/pycore");
pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: pycore }, "/given/pycore");
pyodide.FS.writeFile("/given.zip", await readFile(archive));
pyodide.runPython(`
import sys
sys.path.insert(0, "/given")
from pycore.install.library import of_byte_code
with open("/given.zip", "rb") as given, open("/made.zip", "wb") as made:
    made.write(of_byte_code(given.read()))
`);
await writeFile(made, pyodide.FS.readFile("/made.zip"));
"""


def compile_library(pyodide: Path, python: tuple[int, int], target: Path, node: str | Path | None = None) -> None:
    """Write the library of a Pyodide, in which this `python` is, as byte code to `target`; that may be the archive
    itself. `node`: the Node that runs it, if it is not the one on the path. Raises `UsageError`."""
    archive = pyodide / ARCHIVE
    if python == sys.version_info[:2]:
        made = _here(archive)
    else:
        made = _under_node(pyodide, archive, node or shutil.which("node"))
    half = half_of(target)
    try:
        half.write_bytes(made)
        half.replace(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error


def _here(archive: Path) -> bytes:
    try:
        return of_byte_code(archive.read_bytes())
    except (OSError, zipfile.BadZipFile, SyntaxError, ValueError) as error:
        raise UsageError(f"{archive} cannot be compiled: {error}") from error


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
