"""The folder of a new study: the files of template/, with the study's name and its number of players."""

from __future__ import annotations

import shutil
from pathlib import Path

from pycore.factory import STUDY
from pycore.install.halves import half_of
from pycore.site.failing import SiteFailed

TEMPLATE = Path(__file__).with_name("template")
FILES = ("environment.py", STUDY, "README.md")
PAGE = "page.html"
"""Only on request: most studies have pycore's own page."""


def begin(folder: Path, players: int = 2, page: bool = False) -> list[Path]:
    """Make the folder, all of it or none; its files. Raises `SiteFailed` if anything is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SiteFailed(f"{folder} is there already; nothing is overwritten: give another name, or an empty folder")
    half = half_of(folder)
    names = [*FILES, *([PAGE] if page else [])]
    try:
        half.mkdir(parents=True)
        for name in names:
            text = (TEMPLATE / name).read_text("utf-8")
            (half / name).write_text(_fitted(name, text, folder.resolve().name, players), "utf-8")
        if folder.exists():
            folder.rmdir()
        half.replace(folder)
    except OSError as error:
        raise SiteFailed(f"{folder} cannot be made: {error.strerror or error}") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return [folder / name for name in names]


def _fitted(file: str, text: str, name: str, players: int) -> str:
    if file == "environment.py":
        return text.replace("PLAYERS = 2\n", f"PLAYERS = {players}\n")
    if file == STUDY:
        return text.replace('"players": 2,', f'"players": {players},')
    return text.replace("# NAME\n", f"# {name}\n").replace("in PLAYERS windows", f"in {players} windows")
