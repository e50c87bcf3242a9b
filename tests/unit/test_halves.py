"""What takes its place once it is whole, where several make it at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pycore.install.halves import half_of
from pycore.site import library
from tools import distributions
from tools.paths import NEWEST, Pyodide

AT_ONCE = 4


def by_all(make: Callable[[], object]) -> list[object]:
    """What several threads make, which begin together."""
    begins = threading.Barrier(AT_ONCE)

    def one(_: int) -> object:
        begins.wait(10)
        return make()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_each_thread_has_a_name_of_its_own_beside_the_place(tmp_path: Path) -> None:
    """Whoever shared one took the other one's away, or put half of it in place."""
    names = by_all(lambda: half_of(tmp_path / "made.zip"))
    assert len({*names}) == AT_ONCE
    assert all(isinstance(name, Path) and name.parent == tmp_path for name in names)
    assert half_of(tmp_path / "made.zip") != half_of(tmp_path / "other.zip")


def test_a_library_that_several_compile_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_under_node", lambda pyodide, archive, node: b"byte code" * 1000)
    target = tmp_path / "library.zip"
    by_all(lambda: library.compile_library(tmp_path, (0, 0), target, "node"))
    assert target.read_bytes() == b"byte code" * 1000
    assert [*tmp_path.iterdir()] == [target]


@pytest.mark.parametrize("make", [distributions.released, distributions.ensure])
def test_a_pyodide_that_several_steps_need_is_made_by_each_and_found_by_all(
    make: Callable[[Pyodide], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps of the tests that began together took each other's files away."""
    copied = threading.Barrier(AT_ONCE)
    kept = tmp_path / "library.zip"
    kept.write_bytes(b"byte code")

    def copy_core(pyodide: Pyodide, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "python_stdlib.zip").write_bytes(kept.read_bytes())
        copied.wait(10)

    monkeypatch.setattr(distributions, "DISTRIBUTIONS", tmp_path / "made")
    monkeypatch.setattr(distributions, "library_of", lambda pyodide: kept)
    monkeypatch.setattr(distributions, "copy_core", copy_core)
    monkeypatch.setattr(distributions, "fetch", lambda pins, python: [])
    monkeypatch.setattr(distributions, "locked", lambda pyodide, wheels, base: {})
    monkeypatch.setattr(distributions.node, "ensure_packages", lambda: None)
    (tmp_path / "made").mkdir()
    (folder,) = {*by_all(lambda: make(NEWEST))}
    assert isinstance(folder, Path)
    assert (folder / "python_stdlib.zip").read_bytes() == b"byte code"
    assert (folder / "pyodide-lock.json").is_file()
    assert [*(tmp_path / "made").iterdir()] == [folder]
