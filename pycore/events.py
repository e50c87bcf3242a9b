"""News of a session: what a page or a study may want to know, and may ignore.

Duties (what must be sent) are the outputs of `poll`, never events.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Log:
    """A line for the log."""

    news = "log"
    level: str
    """`info`, `warning` or `error`."""
    text: str


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


@dataclass(frozen=True, kw_only=True)
class Desync:
    """A confirmed state differs between two peers."""

    news = "desync"
    seat: int
    episode: int
    frame: int
    own: str
    theirs: str


@dataclass(frozen=True, kw_only=True)
class PeerStatus:
    """A player is hidden, interrupted, or back."""

    news = "peer"
    seat: int
    status: str
    """`present`, `hidden` or `interrupted`."""


Event = Log | PhaseChanged | PathChanged | EpisodeEnded | SessionEnded | Desync | PeerStatus
