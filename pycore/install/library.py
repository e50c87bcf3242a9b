"""Python's standard library for pages, as byte code.

A Pyodide comes with the sources of its library, and a page compiles what it imports at every visit: that is most of
what Python's start takes. Byte code fits one version of Python, so `pycore.site.library` has it made by the right one.
It takes the place of `python_stdlib.zip`, as with Pyodide's own `pyodide py-compile`.

The archive is stored, not deflated: served with gzip as a whole, as the relay does, it has as many bytes as the
sources, and as it is more than three times as many.
"""

from __future__ import annotations

import io
import sys
import zipfile
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from typing import Final

from pycore.errors import UsageError
from pycore.install.bundle import UNCHECKED_HASH, compiled

ARCHIVE: Final = "python_stdlib.zip"


def is_compiled(archive: Path) -> bool:
    """Whether an archive has byte code and no sources. Raises `UsageError` for what is none."""
    try:
        with zipfile.ZipFile(archive) as files:
            return not any(name.endswith(".py") for name in files.namelist())
    except (OSError, zipfile.BadZipFile) as error:
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
            made_of = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            made_of.create_system = 3  # whatever this is
            target.writestr(made_of, data)
    return made.getvalue()
