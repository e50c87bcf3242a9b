"""`pycore pyodide`: a Pyodide that has its library as byte code, so that pages need not compile it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pycore.cli.told import told
from pycore.errors import UsageError


@click.command("pyodide", short_help="Make the Pyodide in a folder start faster.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@told
def pyodide(folder: Path) -> None:
    """Put byte code in the place of the sources of Python's library in DIR, a folder with a Pyodide.

    A page compiles at every visit what it imports of them, which is most of what Python's start takes. DIR is then
    what `pycore serve --pyodide DIR` is given. Takes half a minute, and Node, unless Python is of the same version here
    as in that Pyodide. The sources are kept beside it, as python_stdlib.zip.sources.
    """
    from pycore.install.library import ARCHIVE, is_compiled
    from pycore.relay.static.compressed import beside
    from pycore.site.library import compile_library
    from pycore.site.pyodide import place, pyodide_of

    found = pyodide_of(folder)
    assert found.tag is not None
    archive = folder / ARCHIVE
    if is_compiled(archive):
        click.echo(f"{archive} is byte code already")
        return
    kept, made = (archive.with_name(f"{ARCHIVE}.{name}") for name in ("sources", "byte-code"))
    before = archive.stat().st_size
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} cannot be written to")
    compile_library(folder, (int(found.tag[2]), int(found.tag[3:])), made)
    try:
        place(archive, kept)
        made.replace(archive)
        beside(archive).unlink(missing_ok=True)
    except OSError as error:
        made.unlink(missing_ok=True)
        raise UsageError(f"{folder} cannot be written to: {error.strerror or error}") from error
    click.echo(
        f"{archive}: {before / 1e6:.1f} MB of sources are {archive.stat().st_size / 1e6:.1f} MB of byte code, "
        f"which pycore's server sends compressed; the sources are {kept.name}"
    )
