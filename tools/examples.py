"""The examples that `build.py demo` plays: beach volley for two, tag for groups of two to eight."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pycore.rehearsal import Game
from pycore.site import Study
from tools import site
from tools.paths import ROOT, SITE
from tools.process import Missing
from tools.volley import VOLLEY

EXAMPLES: Final = ROOT / "examples"
COUNTS: Final = ("two", "three", "four", "five", "six", "seven", "eight")


@dataclass(frozen=True)
class Example:
    """An example for so many players: its game, what its page says, and where its site is built."""

    name: str
    game: Game
    study: Study
    folder: Path

    def build(self) -> Path:
        """Build its site."""
        assert self.game.file is not None
        return site.build(self.folder, self.game.file, self.game.factory, self.study)


def example(name: str | None, seats: int | None) -> Example:
    """The example of that name for so many; None: what fits the other, volley for two. Raises Missing."""
    name = name or ("volley" if seats in (None, 2) else "tag")
    if name == "volley":
        if seats not in (None, 2):
            raise Missing(f"beach volley is for 2, not for {seats}; --example tag is for 2 to 8")
        return Example(name, VOLLEY, site.STUDY, SITE)
    seats = seats or 3
    study = Study.read(EXAMPLES / "tag.json")._replace(view="developer")
    game = Game.of(f"{EXAMPLES / 'tag.py'}:for_{COUNTS[seats - 2]}", study.settings)
    return Example(name, game, study, SITE.with_name(f"site-tag-{seats}"))
