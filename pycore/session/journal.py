"""What a session notes: its news, its changes of path, what it refused, and the wall time of everything.

Events are news and may be ignored; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pycore.events import Desync, Event, Log, PathChanged
from pycore.frozen import Named
from pycore.link.link import Link
from pycore.rollback.timeline import Timeline
from pycore.session.episode import Episode
from pycore.session.wall import WallClock

MOST_SIGHTS: Final = 1000
MOST_DESYNCS: Final = 100
"""So many are kept, the first."""


class Sight(Named):
    """The page was hidden, or shown again."""

    hidden: bool
    episode: int
    frame: int
    time_ms: float


class Journal:
    """The session's notes. `players` are the ids by seat, `wall_ms` is the wall time at `now`."""

    __slots__ = (
        "_episode",
        "_logged_at",
        "_players",
        "_timeline",
        "_wall",
        "contradictions",
        "desyncs",
        "foreign",
        "malformed",
        "mismatches",
        "news",
        "path_changes",
        "sights",
    )

    def __init__(
        self, players: Sequence[int | str], episode: Episode, timeline: Timeline, now: float, wall_ms: float
    ) -> None:
        self._players = players
        self._episode = episode
        self._timeline = timeline
        self._wall = WallClock(now, wall_ms)
        self._logged_at = -1e9
        self.news: list[Event] = []
        self.path_changes: list[PathChanged] = []
        self.sights: list[Sight] = []
        """When the page was hidden and shown."""
        self.desyncs: list[Desync] = []
        self.malformed = 0
        """Messages that were refused."""
        self.foreign = 0
        """Packets of other sessions."""
        self.contradictions = 0
        """Inputs that came for a frame whose other input stands."""
        self.mismatches = 0
        """Compared hashes that differed."""

    @property
    def frame(self) -> int:
        """The current frame, which changes of path are noted with."""
        return self._timeline.current

    def wall_ms(self, moment: float) -> float:
        """Milliseconds since the epoch at a moment of the session's clock."""
        return self._wall.at(moment)

    def set_wall(self, now: float, wall_ms: float) -> None:
        """The wall time, read anew: it counts from `now` on."""
        self._wall.read(now, wall_ms)

    def name(self, link: Link) -> str:
        """How a peer is called: by the id of its first seat."""
        return str(self._players[link.seat]) if link.seat >= 0 else f"without a seat (peer {link.peer.number})"

    def say(self, event: Event) -> None:
        """Add to the news."""
        self.news.append(event)

    def fetch(self) -> list[Event]:
        """The news since the last call."""
        news = self.news
        self.news = []
        return news

    def refuse(self, link: Link, why: str, now: float) -> None:
        """Count what a peer should not have sent, and log it once a second at most."""
        self.malformed += 1
        if now - self._logged_at >= 1.0:
            self._logged_at = now
            self.say(Log(level="warning", text=f"refused from player {self.name(link)}: {why}"))

    def ignore(self) -> None:
        """Count a packet of another session."""
        self.foreign += 1

    def contradict(self, link: Link, frame: int, now: float) -> None:
        """A second, different input came for a frame."""
        self.contradictions += 1
        self.refuse(link, f"a second, different input for frame {frame}; the first one stands", now)

    def late_input(self, summary: str | None, seat: int, frame: int, encoded: bytes, depth: int) -> None:
        """A mispredicted input came; `summary` is of those that were not logged."""
        if summary is not None:
            self.say(Log(level="info", text=summary))
        recorded = self._timeline.seats[seat].recorded
        player = self._players[seat]
        predicted = self._timeline.predicted

        def text() -> str:
            return (
                f"[GGPO] Late input triggering rollback: player {player}, frame {frame}, "
                f"predicted {recorded(predicted)!r}, actual {recorded(encoded)!r}, depth {depth}"
            )

        self.say(Log(level="info", text=text))

    def seen(self, hidden: bool, now: float) -> None:
        """The page was hidden, or shown again."""
        if len(self.sights) < MOST_SIGHTS:
            self.sights.append(Sight(hidden, self._episode.number, self.frame, self.wall_ms(now)))

    def mismatch(self, seat: int, episode: int, frame: int, own: bytes, theirs: bytes) -> None:
        """Two peers' hashes of a confirmed frame differ."""
        self.mismatches += 1
        self._differs(Desync(seat=seat, episode=episode, frame=frame, own=own.hex(), theirs=theirs.hex()))

    def _differs(self, desync: Desync) -> None:
        if len(self.desyncs) < MOST_DESYNCS:
            self.desyncs.append(desync)
        self.say(desync)

    def ends_differ(self, link: Link, frame: int, theirs: str) -> None:
        """The episode ends with `frame` for somebody, and for another one it does not, though both hold every input."""
        end = self._timeline.end
        own = "plays on" if end is None else f"ends at frame {end}"
        self._differs(
            Desync(seat=link.seat, episode=self._episode.number, frame=frame, own=own, theirs=theirs, what="end")
        )

    def note_changes(self, link: Link, now: float) -> None:
        """Note the link's changes of path."""
        for from_path, to_path, cause in link.paths.fetch_changes():
            change = PathChanged(
                seat=link.seat,
                episode=self._episode.number,
                frame=self.frame,
                from_path=from_path,
                to_path=to_path,
                cause=cause,
                time_ms=self.wall_ms(now),
            )
            self.path_changes.append(change)
            self.say(change)
