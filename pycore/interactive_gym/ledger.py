"""What of a game's frames is stored: each episode's table and hashes, from the moment a frame is first stepped.

A frame is *marked* when it is stepped for the first time (when, who was guessed, who looked), which a later correction
does not change, and *booked* when it is confirmed, with the actions and results that stand. Only booked frames reach
a file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from pycore.events import Desync
from pycore.interactive_gym.bots import Cast
from pycore.interactive_gym.course import Course
from pycore.interactive_gym.report import EpisodeBooks, Latency, multiplayer_metrics, rollback_events
from pycore.interactive_gym.sizes import LARGEST_MESSAGE, packed
from pycore.interactive_gym.table import EpisodeTable, joined
from pycore.session.confirmed import ConfirmedFrame
from pycore.session.session import Session
from pycore.simulation import StepResult
from pycore.values.json import plain_json

_Mark = tuple[float, int, dict[str, bool]]
"""Of a frame's first step: the wall time in ms, the bits of the seats that were guessed, and who looked."""


class Ledger:
    """The books of one game, and a record of confirmed frames.

    It begins at `began` (s), `began_ms` by the wall clock. `subjects` are the participants' names by player;
    `games_before` counts the games of this scene whose files lie at the server; `logs`: the page logs the frames
    itself, one by one; `moment` says when it is, and who looks now.
    """

    def __init__(
        self,
        session: Session,
        cast: Cast,
        subjects: Mapping[Any, Any],
        began: float,
        began_ms: float,
        games_before: int,
        *,
        logs: bool,
        moment: Callable[[], tuple[float, dict[str, bool]]],
    ) -> None:
        self.latency = Latency()
        self.logs = logs
        self.page_episode = -1
        """The episode that the page is at: it may be behind, when nobody looks at it."""
        self._rows: deque[tuple[int, int, dict[Any, Any], StepResult | None]] = deque()
        """Confirmed frames that the page has not logged yet."""
        self._session = session
        self._moment = moment
        self._cast = cast
        self._subjects = {str(player): name for player, name in subjects.items()}
        self._began = began, began_ms
        self._game = games_before + 1
        self._books: list[EpisodeBooks] = []
        self._marks: list[_Mark] = []
        """Of each frame of this episode, when it was stepped first: the time, who was guessed, who looked."""
        self._desyncs: list[tuple[Desync, float]] = []
        self._parts = 1
        """Messages that the data of the newest episode needs."""

    def begin(self, episode: int) -> None:
        """The frames of an episode are to come."""
        self._books.append(EpisodeBooks(EpisodeTable(episode)))
        self._marks = []

    def mark(self) -> None:
        """The newest frame was stepped; only the first time counts."""
        frame = self._session.timeline.current - 1
        if frame >= len(self._marks):
            frames = self._session.timeline.frames
            self._mark(frames.missing[frame & frames.mask])

    def _mark(self, missing: int) -> None:
        now, focus = self._moment()
        # Not at what the clock makes of it when the frame is confirmed: it may be put right between the two.
        self._marks.append((self._session.wall_ms(now), missing, focus))

    def frame(self, frame: ConfirmedFrame) -> None:
        """Book a confirmed frame."""
        book = self._books[-1]
        if frame.digest is not None:
            book.hashes.append((frame.frame, frame.digest.hex()))
        if frame.frame >= len(self._marks):
            # Confirmed as it is stepped: nobody was guessed.
            self._mark(0)
        self._book(book, frame, self._marks[frame.frame])

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """The episode is complete: the hash of its final state."""
        self._books[-1].hashes.append((frames, digest.hex()))

    def cut(self, episode: int, frames: int) -> None:
        """The episode has so many frames only."""
        book = self._books[-1]
        book.table.cut(frames)
        # What the page's log has already stays there; what it has not yet must not come.
        self._rows = deque(row for row in self._rows if row[0] != episode or row[1] < frames)
        book.hashes = [(frame, digest) for frame, digest in book.hashes if frame < frames]

    def _book(self, book: EpisodeBooks, confirmed: ConfirmedFrame, mark: _Mark) -> None:
        session, cast = self._session, self._cast
        episode, frame, result = book.table.episode, confirmed.frame, confirmed.result
        people = tuple(confirmed.recorded)
        everybody = cast.spread(people, episode, frame)
        actions = dict(zip(cast.agents, everybody, strict=True))
        stepped, missing, looked = mark
        guessed = {agent: bool(missing >> seat & 1) for seat, agent in enumerate(session.players)}
        for bot in cast.agents[len(session.players) :]:
            guessed[bot] = bot in cast.page_bots and bool(missing & 1)
        book.table.add(
            actions=actions,
            people=tuple(everybody[: len(people)]),
            result=result,
            focus=looked,
            guessed=guessed,
            timestamp=round(stepped),
        )
        if self.logs:
            self._rows.append((episode, frame, actions, result))

    @property
    def has_rows(self) -> bool:
        """Whether the page has frames to log of the episode that it is at."""
        return bool(self._rows) and self._rows[0][0] <= self.page_episode

    def next_row(self) -> tuple[int, dict[Any, Any], StepResult | None]:
        """Frame, actions and result of the next of them."""
        return self._rows.popleft()[1:]

    def note_desync(self, desync: Desync, now: float) -> None:
        """Two players' hashes of a state differ."""
        self._desyncs.append((desync, self._session.wall_ms(now)))

    def close(self, now: float) -> list[int | str]:
        """The episode is over; returns what the messages with its data are called, none if there is no data.

        The server makes the files' names of them: …_ep0.csv, …_ep0.part2.csv of what one message cannot hold, and
        …_ep0.game2.csv where the scene is played anew.
        """
        if not self._books:
            return []
        self._verify()
        book = self._books[-1]
        book.ended_ms = self._session.wall_ms(now)
        if not book.table.rows:
            return []
        episode = book.table.episode
        self._divide(episode, book.table.rows)
        name = episode if self._game == 1 else f"{episode}.game{self._game}"
        return [name, *(f"{name}.part{part}" for part in range(2, self._parts + 1))]

    def _divide(self, episode: int, rows: int) -> None:
        """Find out how many messages are enough; rows are not equally long."""
        self._parts = 1
        while True:
            largest = max(packed(self.episode_data(episode, part)) for part in range(self._parts))
            if largest <= LARGEST_MESSAGE or self._parts >= rows:
                return
            self._parts = min(rows, max(self._parts + 1, self._parts * largest // LARGEST_MESSAGE))

    def _verify(self) -> None:
        """Hashes are compared in the order of frames: the number compared says up to which."""
        session = self._session
        compared = [session.hashes_compared_with(link.seat) for link in session.there]
        known = min(compared) if compared else sum(len(book.hashes) for book in self._books)
        for book in self._books:
            book.confirmed = book.table.rows - 1
            count = min(known, len(book.hashes))
            known -= count
            wrong = [desync.frame for desync, _ in self._desyncs if desync.episode == book.table.episode]
            fine = [frame for frame, _ in book.hashes[:count] if not wrong or frame < min(wrong)]
            # State N is that before frame N.
            book.verified = fine[-1] - 1 if fine else -1

    def episode_data(self, episode: int, part: int) -> str:
        """What the page stores of an episode, or of the part of it with this number, as JSON text."""
        table = next(book.table for book in self._books if book.table.episode == episode)
        rows = -(-table.rows // self._parts)
        start, stop = part * rows, min(table.rows, (part + 1) * rows)
        events = rollback_events(self._session, episode)[start:]
        return plain_json(table.export(self._subjects, events, start, stop))

    def session_data(self) -> str:
        """What is stored of all episodes together, as JSON text."""
        tables = [book.table for book in self._books if book.table.rows]
        return plain_json(joined([table.export(self._subjects, ()) for table in tables]))

    def metrics(self, course: Course, now: float) -> str:
        """The page's metrics file, as JSON text."""
        self._verify()
        metrics = multiplayer_metrics(
            self._session,
            [book for book in self._books if book.table.rows],
            now=now,
            began=self._began[0],
            began_ms=self._began[1],
            desyncs=self._desyncs,
            partial=course.ends.partial,
            completed=course.ends.completed,
            latency=self.latency,
            focus=course.presence.focus,
            interruptions=course.presence.interruptions,
        )
        return plain_json(metrics)
