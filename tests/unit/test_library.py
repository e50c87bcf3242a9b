"""Python's library for pages as byte code: what it does is the same, and what cannot be made changes nothing."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import traceback
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pycore.cli import cli
from pycore.cli.serve import with_sources
from pycore.errors import UsageError
from pycore.install.library import ARCHIVE, is_compiled, of_byte_code
from pycore.site.library import compile_library
from tools import distributions, node
from tools.paths import NEWEST

SOURCES = {
    "stock_of_a_test/__init__.py": '"""A docstring."""\nfrom stock_of_a_test.shelf import most\nKINDS = 3\n',
    "stock_of_a_test/shelf.py": "def most(kinds):\n    return max(kinds)\n\n\ndef fails():\n    raise KeyError(7)\n",
    "stock_of_a_test/notes.txt": "as it is",
}
VERSION = ".".join(map(str, sys.version_info[:3]))


def archive(files: dict[str, str]) -> bytes:
    """A library as a Pyodide has it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in files.items():
            target.writestr(name, text)
    return made.getvalue()


def pyodide(folder: Path, python: str = VERSION) -> Path:
    """A folder that looks like a Pyodide."""
    folder.mkdir()
    for name in ("pyodide.mjs", "pyodide.asm.wasm"):
        (folder / name).write_text("")
    lock = {"info": {"python": python, "version": "314.0.7"}, "packages": {}}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    (folder / ARCHIVE).write_bytes(archive(SOURCES))
    return folder


def asked(folder: Path) -> Result:
    """`pycore pyodide`."""
    return CliRunner().invoke(cli, ["pyodide", str(folder)])


def test_modules_of_byte_code_are_what_their_sources_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for docstrings; the other files, and the lines of errors, are as before."""
    file = tmp_path / "made.zip"
    file.write_bytes(of_byte_code(archive(SOURCES)))
    assert is_compiled(file)
    with zipfile.ZipFile(file) as files:
        assert sorted(files.namelist()) == [
            "stock_of_a_test/__init__.pyc", "stock_of_a_test/notes.txt", "stock_of_a_test/shelf.pyc",
        ]  # fmt: skip
        assert files.read("stock_of_a_test/notes.txt") == b"as it is"
    monkeypatch.syspath_prepend(str(file))
    import stock_of_a_test  # type: ignore[import-not-found]

    assert (stock_of_a_test.__doc__, stock_of_a_test.KINDS, stock_of_a_test.most([1, 4])) == (None, 3, 4)
    with pytest.raises(KeyError) as raised:
        stock_of_a_test.shelf.fails()
    last = traceback.extract_tb(raised.tb)[-1]
    assert (last.filename.endswith(".zip/stock_of_a_test/shelf.py"), last.lineno) == (True, 6)


def test_the_same_sources_give_the_same_bytes_in_whatever_order_they_lie() -> None:
    """Caches go by them."""
    assert of_byte_code(archive(SOURCES)) == of_byte_code(archive(dict(reversed(SOURCES.items()))))


def test_the_command_keeps_the_sources_and_does_it_once(tmp_path: Path) -> None:
    """And what was compressed of the sources is gone."""
    folder = pyodide(tmp_path / "pyodide")
    (folder / f"{ARCHIVE}.gz").write_bytes(b"of the sources")
    done = asked(folder)
    assert done.exit_code == 0, done.output
    assert is_compiled(folder / ARCHIVE)
    assert (folder / f"{ARCHIVE}.sources").read_bytes() == archive(SOURCES)
    assert sorted(path.name for path in folder.iterdir()) == [
        "pyodide-lock.json", "pyodide.asm.wasm", "pyodide.mjs", ARCHIVE, f"{ARCHIVE}.sources",
    ]  # fmt: skip
    made = (folder / ARCHIVE).read_bytes()
    again = asked(folder)
    assert (again.exit_code, again.output) == (0, f"{folder / ARCHIVE} is byte code already\n")
    assert (folder / ARCHIVE).read_bytes() == made


def test_without_node_and_with_another_python_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is needed is said."""
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = pyodide(tmp_path / "pyodide", "3.99.0")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = asked(folder)
    assert done.exit_code == 2
    assert "Node is not on the path" in done.output
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_no_pyodide_is_refused_by_name(tmp_path: Path) -> None:
    """Whatever is missing, or broken."""
    done = asked(tmp_path)
    assert done.exit_code == 2
    assert "no Pyodide" in done.output
    folder = pyodide(tmp_path / "pyodide")
    (folder / ARCHIVE).write_bytes(b"half of it")
    done = asked(folder)
    assert done.exit_code == 2
    assert f"{folder / ARCHIVE} is no archive" in done.output


def test_a_study_that_is_served_with_sources_says_what_would_be_faster(tmp_path: Path) -> None:
    """And with byte code, or a Pyodide elsewhere, says nothing."""
    folder = pyodide(tmp_path / "pyodide")
    (said,) = with_sources(str(folder))
    assert f"`pycore pyodide {folder}`" in said
    assert asked(folder).exit_code == 0
    for none in (str(folder), None, "https://example.org/pyodide/", str(tmp_path)):
        assert with_sources(none) == []


@pytest.mark.tooling
def test_a_library_that_does_not_compile_says_why(tmp_path: Path) -> None:
    """It is no Pyodide that Node could run."""
    folder = pyodide(tmp_path / "pyodide", "3.99.0")
    (folder / "pyodide.mjs").write_text("export const loadPyodide = () => { throw new Error('it is none'); };")
    with pytest.raises(UsageError, match="it is none"):
        compile_library(folder, (3, 99), tmp_path / "made.zip", node.ensure_node()[0])
    assert not (tmp_path / "made.zip").exists()


@pytest.mark.slow
@pytest.mark.tooling
def test_a_pyodide_starts_with_it_and_has_every_module_that_it_had(tmp_path: Path) -> None:
    """The newest one, under Node."""
    node.ensure_packages()
    made = distributions.library_of(NEWEST)
    with zipfile.ZipFile(NEWEST.source / ARCHIVE) as sources, zipfile.ZipFile(made) as codes:
        assert {name.removesuffix("c") for name in codes.namelist()} == set(sources.namelist())
    program = tmp_path / "start.mjs"
    program.write_text(
        f"const {{ loadPyodide }} = await import({json.dumps((NEWEST.source / 'pyodide.mjs').as_uri())});\n"
        f"const pyodide = await loadPyodide({{ stdLibURL: {json.dumps(str(made))} }});\n"
        "console.log(pyodide.runPython(`import json, decimal, statistics\n"
        "json.dumps([json.__file__[-4:], str(decimal.Decimal('0.1') * 3), statistics.median([3, 1, 2])])`));\n"
    )
    done = subprocess.run([node.ensure_node()[0], program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == [".pyc", "0.3", 2]
