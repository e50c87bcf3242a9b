"""A replay whose true lines, page and pictures are written while it runs, and kept if all of it is true."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pycore.actions.codec import ActionCodec
from pycore.export.writing import new_file
from pycore.film import viewer
from pycore.film.pictures import Filmed
from pycore.film.sight import Sight
from pycore.records.partners import Partners
from pycore.records.reader import Reading, RecordedEnd, RecordedFrame
from pycore.records.replay import Replay
from pycore.simulation import Simulation


class Outputs(NamedTuple):
    """What is wanted; None: not that."""

    lines: Path | None
    """The verified lines, as a record."""
    html: Path | None
    frames: Path | None
    """A folder of pictures."""
    chromium: Path | None
    """The browser that draws them; None: one that is found."""
    experienced: Path | None
    """What a participant saw, for the page."""
    unbounded: bool
    """Whether a range was named, so that every frame of it is shown."""


def filmed(
    done: Replay,
    items: Iterable[RecordedFrame | RecordedEnd],
    reading: Reading,
    simulation: Simulation,
    codecs: Sequence[ActionCodec],
    wanted: Outputs,
    fps: int,
    partners: Partners | None = None,
) -> viewer.Page | None:
    """Run a replay and write what is wanted; the page, if there is one. `reading` has the record's header."""
    header = reading.header
    with contextlib.ExitStack() as stack:
        lines = None if wanted.lines is None else stack.enter_context(new_file(wanted.lines))
        if lines is not None:
            lines.stream.write(reading.header_text + "\n")
        film: Filmed | None = None
        page: viewer.Page | None = None
        pictures: viewer.Pictures | None = None
        sight: Sight | None = None
        if wanted.html is not None or wanted.frames is not None:
            if wanted.frames is not None:
                pictures = viewer.Pictures(stack.enter_context(viewer.new_folder(wanted.frames)))
            # The pictures are drawn by the page, also where nobody asked for it.
            place = wanted.html or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "replay.html"
            file = stack.enter_context(new_file(place))
            film = Filmed(simulation, header["players"])
            title = f"{header.get('environment') or 'game'} {header.get('game_id')}"
            players = [str(player) for player in header["players"]]
            sight = None if wanted.experienced is None else Sight(wanted.experienced, header)
            about = {"title": title, "fps": fps, "players": players, "seenBy": None if sight is None else sight.player}
            page = viewer.Page(file.stream, about, None if wanted.unbounded else viewer.MOST_FRAMES)
        for item in done.run(items, simulation if film is None else film, codecs, partners):
            if lines is not None:
                lines.stream.write(item.text + "\n")
            if film is None or page is None or isinstance(item, RecordedEnd):
                continue
            if page.is_full:
                page.leave_out()
                continue
            shot = film.shot(item, None if sight is None else sight.of(item.episode, item.frame))
            if pictures is not None:
                pictures.put(shot, page.shown)
            page.put(shot)
        true = done.difference is None and done.frames > 0
        if page is not None:
            page.end()
            file.stream.flush()
            if true and pictures is not None:
                pictures.draw(file.path, wanted.chromium)
            elif pictures is not None:
                pictures.forget()
            if true:
                file.keep()
        if lines is not None and true:
            lines.keep()
    return page
