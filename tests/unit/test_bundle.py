"""A package from one file of byte code: what it imports, from where, and what an error in it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pycore.install.bootstrap import Bundle
from pycore.install.bundle import BOOTSTRAP, FILE, bundled, digest, is_of
from pycore.install.wheel import STARTER, core_files

SOURCES = {
    BOOTSTRAP: STARTER.read_bytes(),
    "pycore/__init__.py": b'"""Doc."""\nfrom pycore.inner.deep import VALUE\nassert not VALUE\n',
    "pycore/inner/__init__.py": b"HERE = __name__\n",
    "pycore/inner/deep.py": b"from . import HERE\nVALUE = HERE\n",
    "pycore/broken.py": b"\n\ndef fails(\n    number,\n):\n    return (1 /\n        number)\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bundle of these sources is unpacked, and two modules that are not in it."""
    for name, data in bundled(SOURCES).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "pycore" / "beside.py").write_text("PLACE = 'folder'\n")
    other = tmp_path / "other" / "pycore"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("WHO = 'other'\n")
    (other / "own.py").write_text("")
    return tmp_path


def run(folder: Path, code: str) -> str:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return done.stdout + done.stderr


def test_modules_and_packages_come_from_the_bundle_and_the_rest_from_the_folder(folder: Path) -> None:
    code = (
        "import pycore, pycore.beside, pycore.inner.deep as deep\n"
        "print(pycore.VALUE, pycore.__doc__, pycore.beside.PLACE, deep.__spec__.origin, deep.__package__)"
    )
    assert run(folder, code).split() == [
        "pycore.inner",
        "None",
        "folder",
        f"{folder}/{FILE}/pycore.inner.deep",
        "pycore.inner",
    ]
    assert "No module named 'pycore.nowhere'" in run(folder, "import pycore.nowhere")


def test_an_error_names_file_and_line(folder: Path) -> None:
    """The line of the statement's part that failed, as in the source."""
    text = run(folder, "from pycore.broken import fails\nfails(0)")
    assert 'File "pycore/broken.py", line 6, in fails' in text
    assert "ZeroDivisionError" in text


def test_another_pycore_that_is_imported_later_has_nothing_of_it(folder: Path) -> None:
    """Nor the other way round: a second bundle is served by its own finder."""
    code = (
        "import pycore\n"
        "for name in [name for name in sys.modules if name.split('.')[0] == 'pycore']: del sys.modules[name]\n"
        "sys.path.insert(0, sys.path[0] + '/other')\n"
        "import pycore, pycore.own\n"
        "try: import pycore.inner\n"
        "except ImportError: print(pycore.WHO, 'has no inner')"
    )
    assert run(folder, code).strip() == "other has no inner"


def test_the_same_sources_give_the_same_bytes_and_are_known_by_them() -> None:
    files = bundled(SOURCES)
    assert files == bundled(dict(reversed(list(SOURCES.items()))))
    assert is_of(files, SOURCES)
    for name in SOURCES:
        assert not is_of(files, {**SOURCES, name: SOURCES[name] + b"\n"})
    assert not is_of(files, {**SOURCES, "pycore/more.py": b""})
    assert not is_of({}, SOURCES)
    assert digest({"a": b"bc"}) != digest({"ab": b"c"})


def test_nothing_is_found_for_whoever_does_not_look_in_the_file() -> None:
    bundle = Bundle("here", bundled(SOURCES)[FILE])
    assert sorted(bundle.modules) == ["pycore", "pycore.broken", "pycore.inner", "pycore.inner.deep"]
    assert bundle.find_spec("pycore.inner") is None
    assert bundle.find_spec("pycore.inner", ["elsewhere"]) is None
    assert bundle.find_spec("pycore.nowhere", ["here"]) is None
    spec = bundle.find_spec("pycore.inner", ["here", "elsewhere"])
    assert spec is not None
    assert spec.submodule_search_locations == ["here"]


@pytest.mark.slow
def test_the_same_sources_give_the_same_bytes_whatever_else_a_process_has_compiled() -> None:
    """Which texts are interned, and which objects have a second reference, is of the process and not of the sources."""
    sources = {name: data for name, data in core_files().items() if name.endswith(".py")}
    sources[BOOTSTRAP] = STARTER.read_bytes()
    first = bundled(sources)
    held = [compile(data, name, "exec") for name, data in sources.items()]
    assert bundled(sources) == first
    assert len(held) > 100
