"""A site that is built again while pages ask for its files, and by two at once."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from pycore.site import SiteFailed, build, building

GAME = "def make_env():\n    return None\n"


@pytest.fixture
def game(tmp_path: Path) -> Path:
    file = tmp_path / "game.py"
    file.write_text(GAME, "utf-8")
    return file


@pytest.mark.slow
def test_no_file_is_removed_before_the_new_site_stands(
    game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removing takes as long as a page needs to ask."""
    site = build(tmp_path / "site", game=game)
    removed: list[bool] = []
    rmtree = shutil.rmtree

    def watched(folder: Path, *given: Any, **more: Any) -> None:
        if folder.is_dir():
            removed.append((site / "game" / "game.py").is_file())
        rmtree(folder, *given, **more)

    monkeypatch.setattr(building.shutil, "rmtree", watched)
    game.write_text(GAME + "NEW = 1\n", "utf-8")
    build(site, game=game)
    assert removed == [True]
    assert (site / "game" / "game.py").read_text("utf-8") == GAME + "NEW = 1\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("site")] == ["site"]


def test_of_two_that_build_at_once_one_site_stands_whole(game: Path, tmp_path: Path) -> None:
    failed: list[BaseException] = []
    site = tmp_path / "site"
    start = threading.Barrier(2)

    def work(number: int) -> None:
        # As two processes: each has a folder of its own beside the site.
        half, old = tmp_path / f"half-{number}", tmp_path / f"old-{number}"
        try:
            for _ in range(200):
                half.mkdir()
                (half / "index.html").write_text(str(number), "utf-8")
                start.wait(10)
                building.exchange(site, half, old)
                shutil.rmtree(half, ignore_errors=True)
        except BaseException as error:
            failed.append(error)

    both = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(30)
    assert failed == []
    assert (site / "index.html").read_text("utf-8") in ("0", "1")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["site"]


@pytest.mark.slow
def test_a_site_that_cannot_take_its_place_leaves_the_old_one(
    game: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = build(tmp_path / "site", game=game)
    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if ".half-" in path.name:
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SiteFailed, match="No space left"):
        build(site, game=game)
    assert (site / "game" / "game.py").is_file()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("site")] == ["site"]
