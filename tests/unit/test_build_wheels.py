"""The wheels and the site: what is in them, and that the same sources give the same bytes."""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pycore.install.bootstrap import Bundle
from pycore.install.bundle import BOOTSTRAP, FILE
from pycore.install.wheel import HOST_PAGE, LEFT_OUT, bare, core_files
from pycore.relay.static.compressed import beside, is_compressed
from pycore.site import pages
from tools import distributions, site, wheels
from tools.paths import NEWEST, PYODIDES, ROOT, Pyodide

pytestmark = pytest.mark.tooling

HERE = next((pyodide for pyodide in PYODIDES if pyodide.python == sys.version_info[:2]), None)
needs_a_pyodide = pytest.mark.skipif(HERE is None, reason="no Pyodide has a Python of this version")


def modules_in(files: dict[str, bytes]) -> list[str]:
    """The names of the modules in a byte-compiled wheel."""
    return list(Bundle(FILE, files[FILE]).modules)


def module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/").removesuffix("/__init__").replace("/", ".")


@pytest.fixture(scope="session")
def built() -> wheels.Wheels:
    return wheels.current()


# A Pyodide that has to be started compiles for 5 s after every change of a source.
inside_pyodide = pytest.mark.slow


@pytest.fixture(
    scope="session",
    params=[pytest.param(NEWEST, marks=inside_pyodide), *([HERE] if HERE else [])],
    ids=lambda pyodide: pyodide.tag,
)
def pyodide(request: pytest.FixtureRequest) -> Pyodide:
    """One version that is compiled inside Pyodide, and the one that is compiled here."""
    found: Pyodide = request.param
    return found


@pytest.mark.slow
def test_the_plain_wheel_has_every_module_and_the_licence(built: wheels.Wheels) -> None:
    """What is in the package is in the wheel, and nothing else."""
    files = wheels.read(built.plain)
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "pycore").rglob("*.py")}
    assert {name for name in files if name.endswith(".py")} == sources
    assert any(name.endswith("/licenses/LICENSE") for name in files)
    shims = {f"pycore/web/{path.parent.name}/{path.name}" for path, _ in pages.shims(ROOT / "web")}
    assert shims | {f"pycore/web/vendor/{name}" for name in pages.client(ROOT / "web")} <= set(files)
    assert built.plain.name.startswith("interactive_gym_pycore-")


@pytest.mark.slow
def test_what_pip_may_take_from_dist_is_the_plain_wheel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, built: wheels.Wheels, pyodide: Pyodide
) -> None:
    """pip prefers a wheel that is for its Python's version alone, and a page's has neither server nor command."""
    monkeypatch.setattr(wheels, "ROOT", tmp_path)
    monkeypatch.setattr(wheels, "DIST", tmp_path / "dist")
    monkeypatch.setattr(wheels, "PYODIDES", (pyodide,))
    monkeypatch.setattr(wheels, "PAGE_TAG", pyodide.tag)
    monkeypatch.setattr(wheels, "current", lambda: built)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / f"interactive_gym_pycore-0.0.1-{pyodide.tag}-none-any.whl").touch()
    wheels.to_dist()
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.whl")}
    page = built.browser(pyodide).name
    assert there == {f"dist/{built.plain.name}", f"dist/pages/{page}", f"dist/hostpage/{page}"}


@pytest.mark.slow
def test_two_builds_of_the_plain_wheel_have_the_same_bytes(built: wheels.Wheels, tmp_path: Path) -> None:
    """Built again, elsewhere, now."""
    again = wheels.plain_wheel(tmp_path)
    assert again.read_bytes() == built.plain.read_bytes()


@pytest.mark.slow
def test_two_builds_of_a_browser_wheel_have_the_same_bytes(
    built: wheels.Wheels, pyodide: Pyodide, tmp_path: Path
) -> None:
    """Compiled again, elsewhere, now."""
    again = wheels.browser_wheel(built.plain, pyodide, tmp_path)
    assert again.read_bytes() == built.browser(pyodide).read_bytes()


@pytest.mark.slow
def test_a_browser_wheel_has_the_core_compiled_and_no_server(built: wheels.Wheels, pyodide: Pyodide) -> None:
    """Every module of the core as byte code; no source, no relay, no command line."""
    files = wheels.read(built.browser(pyodide))
    assert {name for name in files if ".dist-info/" not in name} == {"pycore/__init__.pyc", FILE}
    modules = set(modules_in(files))
    assert {"pycore", "pycore.settings", "pycore.errors"} <= modules
    assert not [name for name in modules if "relay" in name or "cli" in name or "__main__" in name]
    plain = {name for name in wheels.read(built.plain) if name.endswith(".py")}
    left_out = {name for name in plain if module(name) not in modules}
    assert left_out == {name for name in plain if name.startswith(LEFT_OUT + HOST_PAGE)}


@pytest.mark.slow
@pytest.mark.parametrize("host_page", [False, True])
def test_no_module_of_a_pages_wheel_imports_one_that_is_left_out(host_page: bool) -> None:
    """At its top, in a function, or under a condition that is ever true."""
    files = {name: data for name, data in core_files(host_page=host_page).items() if name.endswith(".py")}
    there = {module(name) for name in files}
    missing = []
    looked = 0
    for name, source in files.items():
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                node.body.clear()
        for node in ast.walk(tree):
            asked = [part.name for part in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                asked = [node.module]
            ours = [target for target in asked if target.partition(".")[0] == "pycore"]
            looked += len(ours)
            missing += [f"{name}: {target}" for target in ours if target not in there]
    assert looked > 300
    assert missing == []


@inside_pyodide
def test_the_host_pages_wheel_has_what_speaks_its_words_in_addition(built: wheels.Wheels) -> None:
    """And nothing else: the installer compiles the same part of the package."""
    page = set(modules_in(wheels.read(built.browser(NEWEST, host_page=True))))
    more = page - set(modules_in(wheels.read(built.browser(NEWEST))))
    assert "pycore.interactive_gym.game" in more
    assert not [name for name in more if not name.startswith(tuple(module(folder) for folder in HOST_PAGE))]
    assert page == {module(name) for name in core_files() if name.endswith(".py")}


@pytest.mark.slow
def test_byte_code_carries_the_hash_of_its_source_and_no_time(built: wheels.Wheels, pyodide: Pyodide) -> None:
    """An unchecked-hash pyc (PEP 552)."""
    sources = bare(wheels.read(built.plain))
    data = wheels.read(built.browser(pyodide))["pycore/__init__.pyc"]
    assert data[4:8] == b"\x01\x00\x00\x00"
    # The key of the hash is the magic number, so only the same Python can compute it again.
    if data[:4] == importlib.util.MAGIC_NUMBER:
        assert data[8:16] == importlib.util.source_hash(sources[BOOTSTRAP])


def test_the_record_matches_the_contents(built: wheels.Wheels, pyodide: Pyodide) -> None:
    """Each file with its hash and size; the tag of the file name stands in WHEEL."""
    wheel = built.browser(pyodide)
    files = wheels.read(wheel)
    (record,) = (name for name in files if name.endswith("/RECORD"))
    rows = [row.rsplit(",", 2) for row in files[record].decode().splitlines()]
    assert {row[0] for row in rows} == set(files)
    for name, digest, size in rows:
        if name != record:
            expected = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
            assert (digest, int(size)) == (f"sha256={expected}", len(files[name]))
    (metadata,) = (data for name, data in files.items() if name.endswith("/WHEEL"))
    assert f"Tag: {pyodide.tag}-none-any" in metadata.decode()
    assert wheel.name.endswith(f"-{pyodide.tag}-none-any.whl")


@pytest.mark.slow
@needs_a_pyodide
def test_a_browser_wheel_imports_here_without_its_sources(built: wheels.Wheels, tmp_path: Path) -> None:
    """The byte code for a Pyodide is good for this Python too, which has the same version."""
    assert HERE is not None
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import pycore.settings, pycore.errors\n"
        "print(pycore.settings.__spec__.origin, bool(pycore.errors.__doc__))"
    )
    with zipfile.ZipFile(built.browser(HERE)) as wheel:
        wheel.extractall(tmp_path)
    command = [sys.executable, "-I", "-S", "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    file, documented = done.stdout.split()
    assert file == f"{tmp_path}/{FILE}/pycore.settings"
    assert documented == "False"  # docstrings are left out


@pytest.mark.slow
def test_changed_sources_are_other_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache follows the sources and the list of Pyodides."""
    before = wheels.sources_hash()
    assert wheels.sources_hash() == before
    monkeypatch.setattr(wheels, "PYODIDES", PYODIDES[:-1])
    assert wheels.sources_hash() != before


def test_a_downloaded_wheel_must_be_the_pinned_one(tmp_path: Path) -> None:
    """A file with other bytes under the right name is not taken from the cache."""
    pin = distributions.MICROPIP
    file = tmp_path / pin.file
    assert not distributions.is_intact(file, pin)
    file.write_bytes(b"something else")
    assert not distributions.is_intact(file, pin)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site.build(tmp_path_factory.mktemp("site") / "site")


@inside_pyodide
def test_the_site_has_all_that_its_manifest_names(folder: Path) -> None:
    """The loader knows the manifest's name and nothing else."""
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["pyodide"]["version"] == NEWEST.version
    for name in (manifest["wheel"], manifest["compiled_wheel"], manifest["game"], "index.html"):
        assert (folder / name).is_file(), name
    for name in ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"):
        assert (folder / manifest["pyodide"]["url"] / name).is_file(), name
    assert (folder / "vendor" / "socket.io.esm.min.js").is_file()
    assert not (folder / "node_modules").exists()
    for wheel in (manifest["wheel"], manifest["compiled_wheel"]):
        assert not [name for name in wheels.read(folder / wheel) if "interactive_gym/" in name or "relay" in name]
    assert not (folder / "package.json").exists()


@inside_pyodide
def test_a_first_visit_is_as_large_as_the_documents_say(folder: Path) -> None:
    """What the page fetches when nothing is in its cache, to a twentieth: compressed where that was done ahead, a third
    of it as it is."""
    manifest = json.loads((folder / "manifest.json").read_text())
    spared = {manifest["wheel"], "pyodide/pyodide.js", "vendor/socket.io.LICENSE"}
    spared |= {path.relative_to(folder).as_posix() for path in (folder / "pyodide").glob("*.whl")}
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".gz"]
    fetched = [path for path in files if path.relative_to(folder).as_posix() not in spared]
    size = sum((beside(path) if is_compressed(path) else path).stat().st_size for path in fetched)
    assert 0.3 < size / sum(path.stat().st_size for path in fetched) < 0.4
    for path in fetched:
        assert not is_compressed(path) or gzip.decompress(beside(path).read_bytes()) == path.read_bytes()
    said = {
        name: re.findall(r"first visit loads [^.]*?about ([\d.]+) MB", " ".join((ROOT / name).read_text().split()))
        for name in ("README.md", "docs/running.md")
    }
    assert said["docs/running.md"]
    for name, sizes in said.items():
        for each in sizes:
            assert float(each) * 1e6 == pytest.approx(size, rel=0.05), name


@inside_pyodide
def test_the_lock_file_of_the_site_names_only_what_is_there(folder: Path) -> None:
    """Every entry's file exists and has its hash, pycore's compiled wheel among them."""
    lock = json.loads((folder / "pyodide" / "pyodide-lock.json").read_text())
    assert set(lock["packages"]) == {"micropip", "interactive-gym-pycore"}
    for entry in lock["packages"].values():
        file = folder / "pyodide" / entry["file_name"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == entry["sha256"]
    assert NEWEST.tag in lock["packages"]["interactive-gym-pycore"]["file_name"]


@inside_pyodide
def test_building_the_site_again_changes_nothing(folder: Path) -> None:
    """Idempotent: the same names and the same bytes."""

    def contents() -> dict[str, str]:
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
            if path.is_file()
        }

    before = contents()
    assert len(before) > 15
    site.build(folder)
    assert contents() == before
    assert [path.name for path in folder.parent.iterdir()] == ["site"]
