"""A replay as one page that needs nothing else, written frame by frame; and its pictures, drawn by a Chromium.

The page is `web/replay/`; its modules, and those that they import, are put into it as addresses that hold their text.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from pycore.errors import ConfigError
from pycore.export.writing import beside, put_in_place
from pycore.film.pictures import DATA, Shot
from pycore.install.modules import imports
from pycore.site.pages import web

MOST_FRAMES: Final = 3000
"""So many are shown unless a range is named: 100 s at 30 frames per second."""
MOST_BYTES: Final = 256 * 2**20
"""Of a page's pictures; a browser has to hold them."""


class Page:
    """The page while it is written."""

    def __init__(self, stream: IO[str], about: Mapping[str, Any], most: int | None) -> None:
        self._stream = stream
        self._most = most
        self.shown = 0
        """Frames on the page."""
        self.left_out = 0
        """Frames that found no room."""
        self.bytes = 0
        self.draws = False
        """Whether there is a picture of any frame."""
        before, self._after = _template().split("<!-- record -->")
        stream.write(f"{before}{_inline(json.dumps(about))[:-1]},\"shots\":[")

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another frame."""
        return (self._most is not None and self.shown >= self._most) or self.bytes > MOST_BYTES

    def leave_out(self) -> None:
        """A frame that found no room; it need not be drawn."""
        self.left_out += 1

    def put(self, shot: Shot) -> None:
        """Put a frame on the page."""
        text = _inline(shot.text)
        self._stream.write(f"{',' if self.shown else ''}\n{text}")
        self.shown += 1
        self.bytes += len(text)
        self.draws |= shot.objects or shot.pixels is not None

    def end(self) -> None:
        """Everything is there."""
        note = ""
        if self.left_out:
            note = f"{self.left_out} more frames are not on this page: name a range with --episode, --from and --to."
        self._stream.write(f'\n],"note":{json.dumps(note)}}}{self._after}')


class Pictures:
    """The pictures of a replay, one PNG each, in a folder that is there when all of them are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[tuple[int, str]] = []
        self.written = 0

    def put(self, shot: Shot, index: int) -> None:
        """Take a frame of the page, by its number there; what the environment drew as pixels is written at once."""
        name = f"episode-{shot.episode}-frame-{shot.frame:06}.png"
        if shot.pixels is not None:
            (self._folder / name).write_bytes(shot.pixels)
            self.written += 1
        elif shot.objects:
            self._waiting.append((index, name))

    def forget(self) -> None:
        """There are to be none."""
        for path in self._folder.iterdir():
            path.unlink()

    def draw(self, page_file: Path, chromium: Path | None) -> None:
        """Have the others drawn by the page, in a browser. Raises ConfigError where there is none."""
        if not self._waiting:
            return
        from pycore.rehearsal import browsers

        with browsers.browser(browsers.ready(chromium)) as running:
            page = running.page()
            page.goto(page_file.resolve().as_uri())
            for index, name in self._waiting:
                address = page.evaluate("index => window.pycoreReplay.png(index)", index)
                (self._folder / name).write_bytes(base64.b64decode(address.removeprefix(DATA)))
                self.written += 1
            problems = page.evaluate("window.pycoreReplay.problems")
        if problems:
            raise ConfigError(f"the page cannot draw what the environment lists: {problems[0]}")


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder that takes its place when everything in it is there. Raises ConfigError if there is one already."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(f"{out} is there already; give a new or an empty folder")
    with beside(out) as work:
        yield work
        if any(work.iterdir()):
            put_in_place(work, out)


def _template() -> str:
    folder = web() / "replay"
    return (folder / "viewer.html").read_text("utf-8").replace("<!-- viewer -->", module(folder / "viewer.js"))


def module(path: Path) -> str:
    """A module's source, in which every module that it imports is an address with that one's source in it."""
    source = path.read_text("utf-8")
    for specifier in imports(source)[0]:
        inner = base64.b64encode(module((path.parent / specifier).resolve()).encode()).decode()
        source = source.replace(f"'{specifier}';", f"'data:text/javascript;base64,{inner}';")
    return source


def _inline(text: str) -> str:
    """JSON inside of a page: nothing in it may end the element that it stands in."""
    return text.replace("<", "\\u003c")

