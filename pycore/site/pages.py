"""The files of the page that are not Python: an installed pycore has them inside, a checkout in web/.

Socket.io's client is not ours. It comes from npm: into the wheel when that is built, into a checkout with the other npm
packages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pycore.site.failing import SiteFailed
from pycore.site.wording import USUAL, direction, worded

PACKAGE = Path(__file__).resolve().parents[1]
PARTS = ("core", "demo", "watch")
"""The folders of web/ that a site is made of; the others are for other pages, and nothing of them is shipped."""
FRONT = "demo/index.html"
KINDS = frozenset((".html", ".css", ".js", ".svg", ".png", ".ico"))
CLIENT = "socket.io.esm.min.js"
LICENCE = "socket.io.LICENSE"


def web() -> Path:
    """Where this pycore has the files of its page."""
    for place in (PACKAGE / "web", PACKAGE.parent / "web"):
        if (place / FRONT).is_file():
            return place
    raise SiteFailed(f"this pycore has no {FRONT}: install it from its wheel (pip install --force-reinstall)")


def shims(place: Path | None = None) -> Iterator[tuple[Path, str]]:
    """The page's own files and their names in the site, but for the front page, which is written for each study."""
    place = web() if place is None else place
    for part in PARTS:
        for path in sorted((place / part).iterdir()):
            name = f"{part}/{path.name}"
            if path.suffix in KINDS and not path.name.startswith(".") and name != FRONT:
                yield path, name


def front(
    *, language: str = USUAL, texts: Mapping[str, Any] | None = None, view: str = "participant", title: str = "",
    intro: str = "", place: Path | None = None,
) -> str:  # fmt: skip
    """The front page with all that it says, so that nobody sees another language first. Raises ConfigError."""
    import jinja2  # most of what reads a study writes no page

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader((web() if place is None else place) / "demo"), autoescape=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    said = worded(language, texts or {})
    said |= {name: text for name, text in (("start.title", title), ("start.intro", intro)) if text}
    return environment.get_template("index.html").render(
        said=said, language=language, direction=direction(language), view=view
    )


def client(place: Path | None = None) -> dict[str, Path]:
    """Socket.io's client and its licence, by their names in vendor/."""
    place = web() if place is None else place
    npm = place / "node_modules" / "socket.io-client"
    for found in (
        {CLIENT: place / "vendor" / CLIENT, LICENCE: place / "vendor" / LICENCE},
        {CLIENT: npm / "dist" / CLIENT, LICENCE: npm / "LICENSE"},
    ):
        if all(path.is_file() for path in found.values()):
            return found
    raise SiteFailed(
        f"socket.io's client, {CLIENT}, is not in {place}: install pycore from its wheel, or run "
        "`python3 build.py env` in the checkout, which installs the npm packages"
    )
