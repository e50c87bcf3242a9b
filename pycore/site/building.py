"""Builds the site beside its place and puts it there in one step, so that a running relay never serves half of one."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pycore.install.halves import half_of
from pycore.install.wheel import compiled_wheel, core_wheel
from pycore.relay.static.compressed import GAME, compress
from pycore.site import pages
from pycore.site.failing import SiteFailed
from pycore.site.images import images_of
from pycore.site.packages import plan
from pycore.site.policies import policies_of
from pycore.site.pyodide import Pyodide, bytes_of, put, pyodide_of
from pycore.site.sources import sources_of
from pycore.site.study import Study
from pycore.version import __version__


def build(
    folder: Path,
    *,
    game: Path | None = None,
    factory: str = "make_env",
    settings: Mapping[str, Any] | None = None,
    study: Study | None = None,
    packages: Sequence[str] = (),
    pyodide: Path | str | None = None,
    wheels: Path | None = None,
    more: Sequence[Path] = (),
    page: Path | None = None,
    title: str = "",
    intro: str = "",
    action_mapping: Mapping[str, Any] | None = None,
    say: Callable[[str], object] = lambda line: None,
    finish: Callable[[Path], object] = lambda half: None,
) -> Path:
    """Build the site of an environment into `folder`, which is replaced. Raises `SiteFailed`, `ConfigError`.

    `game`: the Python file whose `factory` makes the environment; without one, the page has a game of its own.
    `settings`: a study's object, whose page part (`pycore.site.study.PAGE`) is used here, or `study`, the same once it
    is read; what is given by its own name here comes before. `packages`: in addition to the study's. `pyodide`: a
    folder that is copied, or an address; default `USUAL_PYODIDE`. `wheels`: a folder of wheels for packages. `more`:
    files and folders beside `game` that no import names. `page`: an HTML file in the place of pycore's own page. `say`
    is told what was done, `finish` is given the folder before it is put in its place.
    """
    study = Study.of(settings or {}) if study is None else study
    source = pyodide_of(pyodide)
    policies = policies_of(study.settings, game)
    sources = sources_of(game, [*more, *policies.files]) if game is not None else None
    images = images_of(study.assets_to_preload)
    loaded = plan([*study.packages, *packages], source, wheels)
    half = half_of(folder)
    shutil.rmtree(half, ignore_errors=True)
    try:
        _page(half, page, study._replace(title=title or study.title, intro=intro or study.intro))
        core = _core(half, source)
        if source.folder is not None:
            put(source, loaded.of_pyodide, half / "pyodide")
        if loaded.wheels:
            (half / "packages").mkdir()
            for name, path in loaded.wheels.items():
                shutil.copyfile(path, half / "packages" / name)
        if sources is not None:
            for name, path in sources.files.items():
                target = half / GAME / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        for name, path in images.files.items():
            (half / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, half / name)
        scripts = policies.scripts.values()
        files = [name for name in sources.files if name not in scripts] if sources is not None else []
        told = {} if source.folder is None else {"bytes": bytes_of(source)}
        manifest: dict[str, Any] = {
            "version": __version__,
            "pyodide": {"url": source.url, "version": source.version, **told},
            **core,
            "packages": [f"packages/{name}" if name in loaded.wheels else name for name in loaded.load],
            "game": f"{GAME}/{files[0]}" if files else None,
            "files": [f"{GAME}/{name}" for name in files[1:]],
            "factory": factory,
            "title": title or study.title,
            "intro": intro or study.intro,
        }
        if policies.manifest:
            manifest["policies"] = policies.manifest
        if policies.scripts:
            manifest["page_policies"] = {player: f"{GAME}/{name}" for player, name in policies.scripts.items()}
        if policies.predictor is not None:
            manifest["predictor"] = policies.predictor
        if policies.stand_in is not None:
            manifest["stand_in"] = policies.stand_in
        mapping = study.action_mapping if action_mapping is None else dict(action_mapping)
        if mapping is not None:
            manifest["action_mapping"] = mapping
        if study.action_names:
            manifest["action_names"] = study.action_names
        if study.smooth_corrections is not None:
            manifest["smooth_corrections"] = study.smooth_corrections
        if images.manifest:
            manifest["images"] = images.manifest
        if study.world is not None:
            manifest["world"] = list(study.world)
        if study.winner is not None:
            manifest["winner"] = study.winner
        if study.ice_servers:
            manifest["ice_servers"] = list(study.ice_servers)
        (half / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        finish(half)
        compress(half)
        exchange(folder, half, folder.with_name(f"{folder.name}.old-{os.getpid()}"))
    except OSError as error:
        raise SiteFailed(f"the site cannot be written to {folder}: {error}") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    say(f"{folder} is built")
    return folder


def exchange(folder: Path, half: Path, old: Path) -> None:
    """Put what was built, `half`, in the place of what was, which is `old` for a moment.

    By renames, since removing a site takes as long as a page needs to ask for a file that is not there any more. Of two
    that build at once one is left, whole.
    """
    shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        folder.replace(old)
    try:
        half.replace(folder)
    except OSError as error:
        # Where another build was faster, its site is as new as ours.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) and not folder.is_dir():
            old.replace(folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _page(half: Path, page: Path | None, study: Study) -> None:
    place = pages.web()
    for path, name in pages.shims(place):
        target = half / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if page is None:
        text = pages.front(
            language=study.language, texts=study.texts, view=study.view, title=study.title, intro=study.intro,
            place=place,
        )  # fmt: skip
        (half / "index.html").write_text(text, "utf-8")
    elif page.is_file():
        shutil.copyfile(page, half / "index.html")
    else:
        raise SiteFailed(f"there is no page {page}")
    (half / "vendor").mkdir()
    for name, path in pages.client(place).items():
        shutil.copyfile(path, half / "vendor" / name)


def _core(half: Path, pyodide: Pyodide) -> dict[str, str | None]:
    """The core's wheels, and what the manifest says of them."""
    (half / "wheels").mkdir()
    name, data = core_wheel(host_page=False)
    (half / "wheels" / name).write_bytes(data)
    compiled = None if pyodide.tag is None else compiled_wheel(tag=pyodide.tag, host_page=False)
    if compiled is not None:
        (half / "wheels" / compiled[0]).write_bytes(compiled[1])
    return {"wheel": f"wheels/{name}", "compiled_wheel": None if compiled is None else f"wheels/{compiled[0]}"}
