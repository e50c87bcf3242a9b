"""What the page has the server store of a session, and when: records in pieces all along, and metrics beside them.

Every `store_every` seconds of play the page is told that something is due, and takes it between two ticks; what is not
taken is due again a second later. At the end of an episode and of the session it takes what is left, with the metrics
of then. What was taken is the page's to keep until the server has it. So a page that is closed loses at most what was
recorded since the last time.

A store is the name of an event and its payload, but for whose it is. Each has a key of its own, by which sending it
twice changes nothing: an episode's piece its first frame, a part of what was seen its number, metrics their episode.
A page that was loaded again has revisions and parts of its own; its metrics replace those of the load before.
What may be megabytes of metrics, the lists of rollback events and of what differed, is listed of the episode alone, and
of the whole session once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pycore.records.experienced import Experienced
from pycore.records.metrics import export_session_metrics, metrics_so_far
from pycore.records.pieces import LONGEST, Pieces
from pycore.records.trajectory import Trajectory
from pycore.session.phases import DONE
from pycore.session.session import Session
from pycore.values.json import to_json

ROWS: Final = "pycore_rows"
SEEN: Final = "pycore_experienced"
METRICS: Final = "p2p_session_metrics"
WHOLE: Final = -1
"""The episode of the metrics of a session that is over."""
NEVER: Final = float("inf")
AGAIN: Final = 1.0
"""Seconds after which the page is told once more."""
PARTS_OF_A_LOAD: Final = 1 << 20
"""Parts of what one load of a page sees, and the number of its first one; the relay knows it, too."""


class Stores:
    """One session's. `figures` gives what only the page knows, for the metrics; `every` is in seconds, 0: only at the
    end of an episode."""

    def __init__(
        self,
        session: Session,
        trajectory: Trajectory,
        experienced: Experienced | None,
        figures: Callable[[], Mapping[str, Any]],
        now: float,
        every: float,
    ) -> None:
        self._session = session
        self._pieces = Pieces(session, trajectory, session.load)
        self._experienced = experienced
        self._figures = figures
        self._every = every or NEVER
        self.due_at = now + self._every
        """When the page is to be told next; looked at in every tick."""
        self._first_part = self._parts = session.load * PARTS_OF_A_LOAD
        self._closed = False
        """That no more is seen was said."""
        self._so_far: set[int] = set()
        """Episodes of which metrics were fetched in their middle, and not at their end."""

    def caught_up(self, episode: int, frames: int) -> None:
        """A page that was loaded again plays from this frame on."""
        self._pieces.caught_up(episode, frames)

    def ask(self, now: float) -> bool:
        """Whether the page is to be told now that something is due."""
        if self._session.phase >= DONE:
            self.due_at = NEVER
            return False
        self.due_at = now + AGAIN
        return True

    def take(self, now: float) -> str:
        """What was recorded since the last time, as a JSON list of stores."""
        self.due_at = now + self._every
        found = self._recorded(now)
        session = self._session
        if found and self._every != NEVER and session.phase < DONE:
            self._so_far.add(session.episode)
            found.append(self._metrics(session.episode, metrics_so_far(session, self._figures()), so_far=True))
        return to_json(found)

    def take_end(self, now: float, episode: int) -> str:
        """The same at the end of an episode, or, `WHOLE`, of the session, with its metrics."""
        self.due_at = now + self._every
        found = self._recorded(now, episode == WHOLE)
        figures = self._figures()
        # What was stored in the middle of an episode that was broken off is replaced, too.
        ended = {episode, *self._so_far} if episode == WHOLE else {episode}
        self._so_far -= ended
        for each in sorted(ended, reverse=True):
            of = None if each == WHOLE else each
            found.append(self._metrics(each, export_session_metrics(self._session, figures, episode=of)))
        return to_json(found)

    def _recorded(self, now: float, last: bool = False) -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = [(ROWS, piece) for piece in self._pieces.take()]
        if self._experienced is None or self._closed:
            return found
        texts = _cut(self._experienced.take(now))
        self._closed = last
        if not texts and last and self._parts > self._first_part:
            # That nothing more will come is said also where the end of an episode took the last of it.
            texts = [""]
        for number, text in enumerate(texts):
            is_last = last and number == len(texts) - 1
            found.append((SEEN, {"part": self._parts, "last": is_last, "data": text}))
            self._parts += 1
        return found

    @staticmethod
    def _metrics(episode: int, metrics: dict[str, Any], *, so_far: bool = False) -> tuple[str, dict[str, Any]]:
        return METRICS, {"episode": episode, "metrics": metrics, **({"so_far": True} if so_far else {})}


def _cut(text: str) -> list[str]:
    """Lines, as many together as a piece may have characters; a longer line is cut."""
    found: list[str] = []
    while text:
        at = text.rfind("\n", 0, LONGEST) + 1 if len(text) > LONGEST else len(text)
        at = at or LONGEST
        found.append(text[:at])
        text = text[at:]
    return found
