"""The site: a folder that the relay serves, with everything the page needs and nothing from elsewhere.

::

    build/site/
      index.html                      the demo page; the rest of it is in demo/
      core/, demo/                    the shims and the page, as they are in web/
      vendor/                         socket.io's client as an ES module
      pyodide/                        the newest Pyodide, micropip, and a lock file of what is there and of pycore
      wheels/                         pycore, plain and byte-compiled for that Pyodide
      game/volley.py                  the example
      manifest.json                   where these are; the only thing that the loader knows by name
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tools import distributions, node, wheels
from tools.paths import NEWEST, NODE_MODULES, ROOT, SITE, WEB
from tools.process import Missing, Stopwatch, say

PARTS = ("core", "demo")
"""The folders of web/ that this page is made of; the third is for another page, and nothing of it is shipped."""
FRONT = "demo/index.html"
KINDS = frozenset((".html", ".css", ".js", ".svg", ".png", ".ico"))
VENDOR = ("socket.io.esm.min.js", "socket.io.esm.min.js.map")
GAME = ROOT / "examples" / "volley.py"


def shims(web: Path = WEB) -> Iterator[tuple[Path, str]]:
    """The page's own files and their names in the site, where the front page stands above its folder."""
    for part in PARTS:
        for path in sorted((web / part).iterdir()):
            name = f"{part}/{path.name}"
            if path.suffix in KINDS and not path.name.startswith("."):
                yield path, "index.html" if name == FRONT else name


def build(folder: Path = SITE) -> Path:
    """Build the site beside its place and put it there in one step, so that a running relay never serves half of one.

    Unchanged files are hard links to the caches, so a warm build copies a few hundred kilobytes.
    """
    watch = Stopwatch()
    node.ensure_packages()
    built = wheels.current()
    compiled = built.browser(NEWEST)
    half = folder.with_name(f"{folder.name}.half-{os.getpid()}")
    shutil.rmtree(half, ignore_errors=True)
    for path, name in shims():
        target = half / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for needed in (WEB / FRONT, GAME):
        if not needed.is_file():
            raise Missing(f"{needed.relative_to(ROOT)} is not there; the site does not work without it")
    (half / "vendor").mkdir()
    for name in VENDOR:
        shutil.copyfile(NODE_MODULES / "socket.io-client" / "dist" / name, half / "vendor" / name)
    (half / "wheels").mkdir()
    # Where the byte code does not fit, a plain one takes its place, which has as little of other pages.
    wheels.write(half / "wheels" / built.plain.name, wheels.browser_part(wheels.read(built.plain), host_page=False))
    shutil.copyfile(compiled, half / "wheels" / compiled.name)
    pyodide = half / "pyodide"
    distributions.copy_core(NEWEST, pyodide)
    (micropip,) = distributions.fetch([distributions.micropip_for(NEWEST)], NEWEST.python)
    shutil.copyfile(micropip, pyodide / micropip.name)
    lock(half, pyodide / micropip.name, half / "wheels" / built.plain.name, half / "wheels" / compiled.name)
    (half / "game").mkdir()
    shutil.copyfile(GAME, half / "game" / GAME.name)
    manifest = {
        "version": compiled.name.split("-")[1],
        "pyodide": {"url": "pyodide/", "version": NEWEST.version},
        "wheel": f"wheels/{built.plain.name}",
        "compiled_wheel": f"wheels/{compiled.name}",
        "game": f"game/{GAME.name}",
        "title": "Beach volley",
        "intro": "A short game for two: keep the ball off the sand on your side of the net. You play with another "
        "person, each on your own screen.",
    }
    (half / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    half.replace(folder)
    say(f"{folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder} is built ({watch})")
    return folder


def lock(site: Path, micropip: Path, plain: Path, compiled: Path) -> None:
    """The lock file: micropip and pycore, so that `loadPackage("interactive-gym-pycore")` works as well.

    The command refuses wheels tagged `cp314`, so pycore's entry is made from the plain wheel and then pointed at
    the compiled one, as `pyodide py-compile` does with a folder that has a lock file.
    """
    packages = distributions.locked(NEWEST, [micropip], micropip.parent)
    # Pyodide resolves file names against its own folder; pycore's wheels lie in the one beside it.
    ours = distributions.locked(NEWEST, [plain], site, url="../")
    (entry,) = ours.values()
    entry["file_name"] = entry["file_name"].replace(plain.name, compiled.name)
    entry["sha256"] = hashlib.sha256(compiled.read_bytes()).hexdigest()
    distributions.write_lock(NEWEST, packages | ours, site / "pyodide" / "pyodide-lock.json")
