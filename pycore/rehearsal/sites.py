"""The site of a rehearsal: the page with the game's environment in it, as `pycore serve` makes it for a study."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

from pycore.errors import ConfigError
from pycore.factory import DEFAULT
from pycore.rehearsal.game import Game
from pycore.settings import PARTNERS
from pycore.site import Study, build

ENTRY = "rehearsed"
"""The module that stands for an environment that is in a package."""
INSTALLED = frozenset({"site-packages", "dist-packages"})


def site_of(
    game: Game,
    folder: Path,
    study: Study | None = None,
    *,
    packages: Sequence[str] = (),
    wheels: Path | None = None,
    more: Sequence[Path] = (),
    pyodide: Path | str | None = None,
    page: Path | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> Path:
    """Build the site of a game into a new folder in `folder`.

    `study` is what else the study's file says; `packages` come in addition to its own, and to what their wheels in the
    folder `wheels` need; `more` are files and folders beside the environment; `page` is one of
    the study's own, in the place of pycore's. Raises ConfigError, SiteFailed.
    """
    study = Study({}) if study is None else study
    named = {name: game.settings[name] for name in (*PARTNERS, "prediction") if name in game.settings}
    settings = {**study.settings, **named}
    study = study._replace(settings=settings, packages=(*study.packages, *packages), title=study.title or game.name)
    file, factory = _file(game, folder, study.packages)
    return build(
        folder / "site", game=file, factory=factory, study=study, pyodide=pyodide, wheels=wheels, more=more, page=page,
        say=say,
    )  # fmt: skip


def _file(game: Game, folder: Path, packages: Sequence[str]) -> tuple[Path, str]:
    """The file with the function that makes the environment; one that imports it, if it is in a package."""
    if game.file is not None:
        return game.file, game.factory
    entry = folder / ENTRY / f"{ENTRY}.py"
    entry.parent.mkdir(parents=True)
    entry.write_text(f"from {game.module} import {game.factory} as make_env\n", encoding="utf-8")
    top = game.module.partition(".")[0]
    root = _root(top)
    if INSTALLED.isdisjoint(root.parts):
        # It lies in the working folder, or where the Python path leads: the site gets what is there.
        if root.is_dir():
            shutil.copytree(root, entry.parent / top, ignore=shutil.ignore_patterns("__pycache__", ".*"))
            (entry.parent / top / "__init__.py").touch()
        else:
            shutil.copyfile(root, entry.parent / root.name)
    elif not packages:
        known = packages_distributions().get(top, [top])
        raise ConfigError(
            f"{game.module} is installed in this Python, and the page has none of it: say what it loads, "
            f"--packages {','.join(sorted(set(known)))}, and with --wheels a folder of wheels for what is not to come "
            "from the index"
        )
    return entry, DEFAULT


def _root(top: str) -> Path:
    """The file or folder of a top-level module that was imported."""
    module = sys.modules[top]
    paths = getattr(module, "__path__", None)
    return Path(next(iter(paths)) if paths else str(module.__file__)).resolve()
