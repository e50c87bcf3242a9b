"""Experienced records of real sessions: written by a watcher of the mesh, tick by tick, as a page's bridge does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from pycore.duties import SEND
from pycore.records.experienced import Experienced
from pycore.session.tick import STALLED, STEPPED
from pycore.settings import Settings
from pycore.testing import Conditions, Mesh, Walk
from pycore.testing.pages import Page, Watcher

SETTINGS: dict[str, Any] = {
    "fps": 32, "max_steps": 90, "num_episodes": 2, "hash_interval": 20, "action_space": {"type": "discrete", "n": 6},
    "environment": "walk",
}  # fmt: skip


class Recorder(Watcher):
    """Writes every page's record, and by itself what it sees: the books that the record and the metrics must equal."""

    def __init__(self, every: float = 5.0) -> None:
        self._every = every
        self._records: dict[int, Experienced] = {}
        self._sessions: dict[int, Any] = {}
        self._pending: dict[int, int | None] = {}
        self._told: dict[int, int] = {}
        self.taken: dict[int, list[str]] = {}
        self.stepped: dict[int, list[tuple[int, int, tuple[int, ...], list[int]]]] = {}
        """By seat: episode, frame, actions and guessed seats of every frame that was stepped for the first time."""
        self.stalls: dict[int, int] = {}
        self._due: dict[int, float] = {}

    def polled(self, page: Page, outputs: Sequence[Any]) -> None:
        """What is to be corrected is known now. A page that was loaded again writes another record behind the first,
        which has what was taken away of it."""
        if self._sessions.get(page.seat) is not page.session:
            self._sessions[page.seat] = page.session
            self._records[page.seat] = Experienced(page.session, page.clock())
            self._due[page.seat] = page.clock() + self._every
            self.taken.setdefault(page.seat, [])
            self.stepped[page.seat] = []
            self._told[page.seat] = len(page.news)
        self._pending[page.seat] = page.session.timeline.pending

    def advanced(self, page: Page, flags: int) -> None:
        """A tick is done."""
        seat, session = page.seat, page.session
        record = self._records[seat]
        frames = session.timeline.frames
        if flags & STEPPED:
            frame = session.frame - 1
            slot = frame & frames.mask
            actions = tuple(
                of.decode(encoded) for of, encoded in zip(session.seats, frames.encoded[slot], strict=True)
            )
            guessed = [of for of in range(len(session.seats)) if frames.missing[slot] >> of & 1]
            self.stepped[seat].append((session.episode, frame, actions, guessed))
        if flags & STALLED:
            self.stalls[seat] = self.stalls.get(seat, 0) + 1
        record.ticked(page.clock(), flags, self._pending[seat], page.hidden, 0)
        if page.clock() >= self._due[seat] and not page.session.reason:
            self._due[seat] = page.clock() + self._every
            self.taken[seat].append(record.take(page.clock()))
        news = page.news[self._told.get(seat, 0) :]
        self._told[seat] = len(page.news)
        for event in news:
            if hasattr(event, "news") and event.news != "log":
                record.happened(event, page.clock())

    def text(self, seat: int) -> str:
        """The whole record of one player."""
        return "".join(self.taken[seat]) + self._records[seat].take(0.0)


def run(
    conditions: Conditions,
    *,
    seats: int = 2,
    script: Callable[[Mesh], None] = lambda mesh: None,
    every: float = 5.0,
    until: float = 60.0,
    seed: int = 4,
    play: Callable[[int], Callable[[int, int], int]] = lambda seat: lambda episode, frame: (frame // 3 + seat) % 6,
    watchers: Sequence[Watcher] = (),
    simulation: Callable[[int], Any] | None = None,
    session: dict[str, Any] | None = None,
    **settings: Any,
) -> tuple[Mesh, Recorder]:
    """A mesh that has played, and its recorder."""
    recorder = Recorder(every)
    mesh = Mesh(
        seats, Settings.of({**SETTINGS, **settings}), simulation or (lambda seat: Walk(seats, seed=seed)), play,
        conditions, seed=seed, watchers=(recorder, *watchers), **(session or {}),
    )  # fmt: skip
    script(mesh)
    mesh.run(until)
    return mesh, recorder


def lines_of(text: str) -> list[dict[str, Any]]:
    """A record's lines."""
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


class Carried(Watcher):
    """Counts packets and bytes as the pages give them to their channels."""

    def __init__(self) -> None:
        self.sent: dict[tuple[int, int], list[int]] = {}
        self.came: dict[tuple[int, int], list[int]] = {}

    def polled(self, page: Page, outputs: Sequence[Any]) -> None:
        """What goes out by channels."""
        for duty, to, _seq, payload in outputs:
            if duty == SEND:
                books = self.sent.setdefault((page.seat, to), [0, 0])
                books[0] += 1
                books[1] += len(payload)

    def arrived(self, page: Page, sender: int, data: bytes | None) -> None:
        """What came by channels."""
        if data is not None:
            books = self.came.setdefault((sender, page.seat), [0, 0])
            books[0] += 1
            books[1] += len(data)


