"""Two people in the interactive_gym page, for the benchmark: they come, they play by key scripts, and what is left.

The page has its own multiplayer module or ours; a `Side` is the page with one of the two. What is measured while they
play is `bench.hostpage_games`'s.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Error

from bench import hostpage_figures as figures
from tools.paths import ROOT

sys.path.insert(0, str(ROOT / "tests" / "page"))
import page_records
from page_rig import Participant, Study

SCRIPT = Path(__file__).with_name("hostpage.js")
PATIENCE = 45.0
"""Seconds after which a game that should be over is given up."""
GRACE = 2.0
"""Seconds for data to come after a last word on the screen."""


class Spoiled(Exception):
    """A game that says nothing about what it was played for; it is played again."""


@dataclass
class Side:
    """The page with one of the two modules."""

    name: str
    package: Path | None
    browser: Any
    folder: Path
    people: int = 0
    made: int = 0
    loading: float = 0.0
    """Seconds that it took to come to first frames."""

    @property
    def own_module(self) -> bool:
        return self.package is None

    @contextlib.contextmanager
    def study(self, fps: int, frames: int) -> Iterator[Study]:
        """A study of one episode, for any number of pairs one after the other."""
        self.made += 1
        folder = self.folder / f"{self.name}-{self.made}"
        settings = {"fps": fps, "max_steps": frames, "options": {"generator": "word"}}
        with Study(self.browser, folder, self.package, self.own_module, **settings) as study:
            yield study

    @contextlib.contextmanager
    def pair(self, study: Study, seed: int | None, shaped: bool = False) -> Iterator[list[Participant]]:
        """Two people who play, by key scripts of this seed; in the end they leave.

        Raises `Spoiled` if neither of them gets to the first frame. Chromium can shape only connections that are made
        after it was first told to: with `shaped` it is, and loses other datagrams for each seed.
        """
        self.people += 1
        started = time.monotonic()
        people = [study.participant(f"{name}{self.people}") for name in ("ann", "bob")]
        try:
            try:
                begin(people, seed, shaped)
            except (AssertionError, Error) as error:
                if any(began(who) for who in people):
                    raise
                raise Spoiled(f"it did not begin: {first_line(error)}") from error
            self.loading += time.monotonic() - started
            yield people
        finally:
            for who in people:
                with contextlib.suppress(Error):
                    who.close()


def begin(people: Sequence[Participant], seed: int | None, shaped: bool) -> None:
    """Everybody comes as far as the first frame."""
    for number, who in enumerate(people):
        who.ready()
        who.page.evaluate(SCRIPT.read_text("utf-8"))
        if shaped:
            who.network()
            draws = random.Random(f"{seed} {number}").randrange(200)
            who.page.evaluate("(count) => window.bench.draw(count)", draws)
    for act in (Participant.proceed, Participant.start):
        for who in people:
            act(who)
    for number, who in enumerate(people):
        if seed is not None:
            who.play(seed * 1000 + number)
    for who in people:
        who.playing()


def began(who: Participant) -> bool:
    """Whether somebody came to the first frame."""
    with contextlib.suppress(Error):
        return bool(who.page.evaluate("window.game?.frameNumber > 0"))
    return False


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0]


def until(who: Participant, frame: int, seconds: float = PATIENCE) -> None:
    """Let the game go on to a frame."""
    who.wait(f"window.game.frameNumber >= {frame}", seconds, f"frame {frame}")


def clock(people: Sequence[Participant]) -> float:
    """Milliseconds since the epoch, as the pages have it."""
    return max(who.page.evaluate("window.bench.clock()") for who in people)


def datagrams(who: Participant, way: str, since: float, until: float | None = None) -> list[int]:
    """The marks of the datagrams that a page `sent` or `received` between two times of the pages' clock."""
    given = [way, since] if until is None else [way, since, until]
    return who.page.evaluate("(given) => window.bench.datagrams(...given)", given)


@dataclass
class Outcome:
    """What a game came to, in the order of its people."""

    tables: list[page_records.Table | None]
    """The stored episodes; None: none."""
    ends: list[str]
    """In words."""
    frames: int

    @property
    def files(self) -> list[list[dict[str, Any]] | None]:
        return [None if table is None else table.rows for table in self.tables]

    @property
    def complete(self) -> bool:
        return figures.complete(self.files, self.frames)


def over(study: Study, people: list[Participant], seconds: float = PATIENCE) -> Outcome:
    """Wait until everybody's whole episode is stored, or a last word is on the screen and no more data comes.

    That a file is there says nothing: a game that ends early may store a part of its episode.
    """
    frames = study.game["max_steps"]
    terminal = "window.game?.state === 'done' && window.game.isDone() === false"
    tables: list[page_records.Table | None] = [None] * len(people)
    whole, words, settled = [False] * len(people), [""] * len(people), False
    deadline = time.monotonic() + seconds
    while not all(whole) and time.monotonic() < deadline:
        people[0].sleep(0.1)
        for number, who in enumerate(people):
            if whole[number]:
                continue
            table = tables[number] = stored(study.path(who, "_ep0.csv"))
            whole[number] = table is not None and len(table.rows) >= frames
            if not whole[number] and not words[number] and who.page.evaluate(terminal):
                words[number] = " ".join(who.page.evaluate("document.body.innerText").split())[:80] or "without a word"
        if not settled and all(word or done for word, done in zip(words, whole, strict=True)):
            settled = True
            deadline = min(deadline, time.monotonic() + GRACE)
    ends = []
    for who, table, word in zip(people, tables, words, strict=True):
        rows = "no file" if table is None else f"{len(table.rows)} of {frames} frames stored"
        ends.append(f"{rows}; ended: {word}" if word else f"{rows}; at frame {who.game('frameNumber')}")
    return Outcome(tables, ends, frames)


def stored(path: Path) -> page_records.Table | None:
    """A file of an episode as it is by now; the server may still be at its last line."""
    return page_records.read_csv(path) if path.is_file() and path.read_bytes().endswith(b"\n") else None
