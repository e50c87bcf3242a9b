"""News of a session: what a page or a study may want to know, and may ignore.

Duties (what must be sent) are the outputs of `poll`, never events.
"""

from __future__ import annotations

from collections.abc import Callable

from pycore.frozen import Frozen


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


class PhaseChanged(Frozen):
    """The session entered another phase."""

    news = "phase"
    phase: str
    episode: int


class PathChanged(Frozen):
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


class EpisodeEnded(Frozen):
    """An episode is final: its records are complete."""

    news = "episode-end"
    episode: int
    frames: int
    reason: str
    """`done` (the environment), `max_steps`, `stop`, `player_left`, or the code of what went wrong."""


class DelaysChanged(Frozen):
    """From this episode on inputs are delayed otherwise, as somebody proposed whose machine is slow, or whose page."""

    news = "input-delay"
    episode: int
    frames: list[int]
    """By seat."""
    before: list[int]


class SessionEnded(Frozen):
    """Nothing more will be stepped."""

    news = "done"
    reason: str
    """`complete`, `stop`, `player_left`, or the code of what went wrong."""
    text: str
    seat: int | None = None
    """Whose leaving or silence ended it, where it was somebody's."""


class Desync(Frozen):
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


class DesyncReported(Frozen):
    """What differs between two peers where their hashes did first, in an episode; or why nobody can say."""

    news = "desync-report"
    seat: int
    episode: int
    frame: int
    """Of the hash: it covers the state before this frame, and the rows since the hash before."""
    differences: list[list[str]]
    """The first fields that differ, each as its path and its two values in words: ours, theirs. Rows come first, then
    the state: ``rows[41].rewards['0']``, ``state.ball.x``."""
    lacks: str = ""
    """What the report lacks, and why; empty: nothing."""


class PeerStatus(Frozen):
    """A player is hidden, interrupted, away, on the way back, there, or gone for good."""

    news = "peer"
    seat: int
    status: str
    """`present`, `hidden`, `interrupted`, `away` (its connection to the server is lost, or its page is loaded again,
    and its seat is kept), `returning` (its page was loaded again, and steps what was played) or `gone`."""


class PlayerGone(Frozen):
    """Of a player who is gone, all others have agreed on the last action."""

    news = "gone"
    seat: int
    episode: int
    frame: int
    """The last frame of the episode with an action of its own; -1: there is none."""
    cause: str
    """`left` (the server or the player's page said so), `silent` (the relay or a majority decided), `returned` (its
    page was loaded again) or `error` (its environment failed)."""
    on_drop: str
    """What follows, as the settings have it."""


class Returned(Frozen):
    """A player whose page was loaded again plays on."""

    news = "returned"
    seat: int
    episode: int
    frame: int
    """Up to this frame everything was confirmed before its page was loaded; -1: nothing was."""
    load: int
    """How often its page was loaded again in this game."""


class CaughtUp(Frozen):
    """This page was loaded again, and has stepped what was played without it."""

    news = "caught-up"
    episode: int
    frames: int
    """So many frames of it were stepped again, or for the first time, and never shown."""


News = (
    PhaseChanged | PathChanged | EpisodeEnded | DelaysChanged | SessionEnded | Desync | DesyncReported | PeerStatus
    | PlayerGone | Returned | CaughtUp
)  # fmt: skip
"""News that is no line of the log."""

Event = Log | News
"""Any news of a session."""
