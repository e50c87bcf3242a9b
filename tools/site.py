"""The examples' sites: what `pycore.site` makes, with the newest Pyodide, micropip, and a lock file of what is there.

What only a checkout has is here: npm's Pyodide, wheels byte-compiled for it whatever Python runs this, and a lock file
that names pycore.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from pycore.bridge.handed import DEMO
from pycore.factory import DEFAULT
from pycore.install.halves import half_of
from pycore.relay.static.compressed import compress
from pycore.site import Study
from pycore.site import build as build_site
from tools import distributions, node, wheels
from tools.paths import BUILD, NEWEST, ROOT, SITE
from tools.process import Missing, Stopwatch, say

GAME = ROOT / "examples" / "volley.py"
STUDY = Study(
    {},
    title="Beach volley",
    intro="A short game for two: keep the ball off the sand on your side of the net. You play with another person, "
    "each on your own screen.",
    action_mapping=DEMO["KEYS"]["usual"],
    action_names={"ArrowUp": "jump"},
    # Whoever opens this is trying pycore out.
    view="developer",
)


def build(folder: Path = SITE, game: Path = GAME, factory: str = DEFAULT, study: Study = STUDY) -> Path:
    """Build the site of an example, beach volley unless another one is said."""
    watch = Stopwatch()
    node.ensure_packages()
    if not game.is_file():
        raise Missing(f"{game.relative_to(ROOT)} is not there; the site does not work without it")
    wheels.current().browser(NEWEST)  # where `pycore.install` finds it
    build_site(folder, game=game, factory=factory, study=study, pyodide=distribution(), finish=lock)
    say(f"{folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder} is built ({watch})")
    return folder


def distribution() -> Path:
    """The newest Pyodide with micropip, as a folder: links, since npm's has no wheels."""
    (micropip,) = distributions.fetch([distributions.micropip_for(NEWEST)], NEWEST.python)
    kind = distributions.library_of(NEWEST).stem
    folder = BUILD / "pyodide-for-sites" / f"{micropip.stem}-{kind}"
    if folder.is_dir():
        return folder
    half = half_of(folder)
    shutil.rmtree(half, ignore_errors=True)
    distributions.copy_core(NEWEST, half)
    for file in (micropip, NEWEST.source / "package.json"):
        distributions.place(file, half / file.name)
    packages = distributions.locked(NEWEST, [half / micropip.name], half)
    distributions.write_lock(NEWEST, packages, half / "pyodide-lock.json")
    compress(half)  # once, for all sites
    try:
        half.replace(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(half)  # somebody else has made it meanwhile, and takes links from it
    return folder


def lock(site: Path) -> None:
    """Name pycore in the site's lock file, so that `loadPackage("interactive-gym-pycore")` works as well.

    The command refuses wheels tagged `cp314`, so pycore's entry is made from the plain wheel and then pointed at
    the compiled one, as `pyodide py-compile` does with a folder that has a lock file.
    """
    manifest = json.loads((site / "manifest.json").read_text("utf-8"))
    plain, compiled = site / manifest["wheel"], site / manifest["compiled_wheel"]
    file = site / "pyodide" / "pyodide-lock.json"
    packages = json.loads(file.read_text("utf-8"))["packages"]
    # Pyodide resolves file names against its own folder; pycore's wheels lie in the one beside it.
    ours = distributions.locked(NEWEST, [plain], site, url="../")
    (entry,) = ours.values()
    entry["file_name"] = entry["file_name"].replace(plain.name, compiled.name)
    entry["sha256"] = hashlib.sha256(compiled.read_bytes()).hexdigest()
    # The lock file is a link to that of all sites.
    file.unlink()
    distributions.write_lock(NEWEST, packages | ours, file)
