"""A report's files, whole or not at all: the page, the figures beside it, and the pseudonyms."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pycore.errors import ConfigError
from pycore.export.pseudonyms import Pseudonyms
from pycore.export.writing import beside, new_file
from pycore.report import page
from pycore.report.study import Study


def write(study: Study, title: str, out: Path, figures: Path | None, pseudonyms: Pseudonyms | None) -> list[Path]:
    """Write the page, and the figures if there is a folder for them; returns what was written."""
    text = page.render(study, title)
    written = [out]
    try:
        with contextlib.ExitStack() as stack:
            made: list[Path] = []
            if figures is not None:
                from pycore.report import figures as drawing

                made = drawing.draw(study, stack.enter_context(beside(figures)))
            file = stack.enter_context(new_file(out))
            file.stream.write(text)
            file.stream.flush()
            if pseudonyms is not None:
                pseudonyms.write()
            if figures is not None:
                figures.mkdir(exist_ok=True)
                for name in drawing.files():
                    (figures / name).unlink(missing_ok=True)  # one of an earlier report, of which there is nothing now
                written += [path.replace(figures / path.name) for path in made]
            file.keep()
    except OSError as error:
        raise ConfigError(f"cannot write the report: {error}") from error
    return written
