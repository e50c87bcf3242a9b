"""News of a session: what a page or a study may want to know, and may ignore.

Duties (what must be sent) are the outputs of `poll`, never events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Log:
    """A line for the log. `text` may be a function that makes it: many lines are never read."""

    __slots__ = ("_text", "level")

    news = "log"

    def __init__(self, *, level: str, text: str | Callable[[], str]) -> None:
        self.level = level
        """`info`, `warning` or `error`."""
        self._text = text

    @property
    def text(self) -> str:
        """The line."""
        if not isinstance(self._text, str):
            self._text = self._text()
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Log) and (self.level, self.text) == (other.level, other.text)

    def __hash__(self) -> int:
        raise TypeError("a line of the log has no hash")

    def __repr__(self) -> str:
        return f"Log(level={self.level!r}, text={self.text!r})"


@dataclass(frozen=True, kw_only=True)
class PhaseChanged:
    """The session entered another phase."""

    news = "phase"
    phase: str
    episode: int


@dataclass(frozen=True, kw_only=True)
class PathChanged:
    """A link goes another way from now on."""

    news = "path"
    seat: int
    episode: int
    frame: int
    from_path: str | None
    to_path: str
    cause: str
    time_ms: float
    """Wall time, milliseconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class EpisodeEnded:
    """An episode is final: its records are complete."""

    news = "episode-end"
    episode: int
    frames: int
    reason: str
    """`done` (the environment), `max_steps`, `stop`, `player_left`, or the code of what went wrong."""


@dataclass(frozen=True, kw_only=True)
class SessionEnded:
    """Nothing more will be stepped."""

    news = "done"
    reason: str
    """`complete`, `stop`, `player_left`, or the code of what went wrong."""
    text: str
    seat: int | None = None
    """Whose leaving or silence ended it, where it was somebody's."""


@dataclass(frozen=True, kw_only=True)
class Desync:
    """What is confirmed differs between two peers: a hash, or the end of an episode."""

    news = "desync"
    seat: int
    episode: int
    frame: int
    own: str
    """The hash, or in words what happens here."""
    theirs: str
    what: str = "state"
    """`state` (and rows), or `end`."""


@dataclass(frozen=True, kw_only=True)
class PeerStatus:
    """A player is hidden, interrupted, or back."""

    news = "peer"
    seat: int
    status: str
    """`present`, `hidden` or `interrupted`."""


Event = Log | PhaseChanged | PathChanged | EpisodeEnded | SessionEnded | Desync | PeerStatus
"""Any news of a session."""
