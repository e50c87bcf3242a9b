"""What a session and all its links have in common: who plays, which episode, what has to be said and was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pycore.actions.codec import ActionCodec
from pycore.duties import Output
from pycore.events import Desync, Event, Log, PathChanged
from pycore.link.link import Link
from pycore.rollback.mispredictions import LateInputLog
from pycore.rollback.timeline import Timeline
from pycore.session.hashes import HashExchange
from pycore.session.timesync import TimeSync
from pycore.settings import Settings
from pycore.wire import datagram

STATUS_HIDDEN: Final = 1
OVER_ASKS: Final = 10.0
"""How long a session that is over asks the others whether they know."""
HEADROOM: Final = 160
"""Bytes of a datagram that are kept free of inputs, for header, receipts and blocks."""


class Links:
    """The state that sending and taking in share, and the course of an episode through it."""

    __slots__ = (
        "_answers",
        "_budget",
        "_compared",
        "_latency_probe_at",
        "_logged_at",
        "_new_packets",
        "_others",
        "_out",
        "_own",
        "_period",
        "_room",
        "_said",
        "_wall0",
        "agreed",
        "ask_until",
        "codec",
        "contradictions",
        "dispatched",
        "episode",
        "foreign",
        "game_id",
        "hash_mismatches",
        "hashes",
        "hidden",
        "initial",
        "late_inputs",
        "link_of",
        "links",
        "malformed",
        "me",
        "news",
        "open_for_inputs",
        "over",
        "path_changes",
        "players",
        "settings",
        "socket_up",
        "stepped_at",
        "stop_frame",
        "tag",
        "timeline",
        "timesync",
    )

    def __init__(
        self,
        *,
        settings: Settings,
        timeline: Timeline,
        codec: ActionCodec,
        game_id: str,
        players: Sequence[int | str],
        me: int,
        tag: int,
        now: float,
        wall_ms: float,
    ) -> None:
        self.settings = settings
        self.timeline = timeline
        self.codec = codec
        self.game_id = game_id
        self.players = list(players)
        self.me = me
        self.tag = tag
        self.links = [Link(seat, now) for seat in range(len(players)) if seat != me]
        self.link_of = {link.seat: link for link in self.links}
        self.hashes = {link.seat: HashExchange() for link in self.links}
        self.timesync = TimeSync()
        self.stepped_at = now
        """When the current frame became the current one."""
        self.late_inputs = LateInputLog()
        self.news: list[Event] = []
        self.episode = 0
        self.open_for_inputs = False
        """Whether the frames of `episode` are set up, so that inputs can be taken in."""
        self.dispatched = -1
        """Last frame for which our own input is fixed."""
        self.initial: bytes | None = None
        """Hash of our initial state once we are ready for the episode."""
        self.agreed: dict[str, Any] = {}
        self.stop_frame: int | None = None
        self.over = False
        """Whether our session is over, which the others are told until they say the same."""
        self.ask_until = now
        self.hidden = False
        self.socket_up = False
        self.malformed = 0
        self.foreign = 0
        self.contradictions = 0
        self.hash_mismatches = 0
        self.path_changes: list[PathChanged] = []
        self._wall0 = wall_ms - now * 1000.0
        self._out: list[Output] = []
        self._own = [b""] * timeline.frames.size
        """Our own inputs by slot of the ring, once more in a row of their own: most of a packet is a slice of it."""
        self._others = tuple(link.seat for link in self.links)
        self._answers: list[tuple[Link, int, float, str]] = []
        self._new_packets: dict[int, tuple[int, int, int]] = {}
        self._compared = dict.fromkeys(self.link_of, 0)
        self._said: dict[int, int] = {}
        self._latency_probe_at = now
        self._logged_at = -1e9
        self._budget = settings.datagram_bytes - HEADROOM
        self._room = settings.datagram_bytes - datagram.HEADER_BYTES - 5 * len(self.links)
        self._period = settings.period

    # -- the course of an episode ---------------------------------------------------------------------------

    def begin(self, initial: bytes) -> None:
        """Our frames are set up and our initial state is hashed: we are ready."""
        delay = self.settings.input_delay
        for link in self.links:
            link.begin(delay, self.timeline.frames.size)
        self.dispatched = delay - 1
        self.initial = initial
        self.open_for_inputs = True

    def leave(self) -> None:
        """The episode is final: whatever says the next episode's number is the receipt for all of it."""
        self.episode += 1
        self.open_for_inputs = False
        self.initial = None
        self.dispatched = self.settings.input_delay - 1
        for link in self.links:
            self._compared[link.seat] += self.hashes[link.seat].compared
            self.hashes[link.seat] = HashExchange()
            link.begin(self.settings.input_delay, self.timeline.frames.size)
            link.peer_ready = {e: payload for e, payload in link.peer_ready.items() if e >= self.episode}

    def end(self, now: float) -> None:
        """Our session is over, which is said at once."""
        self.over = True
        self.ask_until = now + OVER_ASKS
        for link in self.links:
            link.socket_control_at = -1e9

    def stop_at(self, frame: int) -> None:
        """End the episode with this frame at the latest, and say so before any further input goes out: whoever had
        our inputs but not the word could step beyond."""
        if self.stop_frame is None or frame < self.stop_frame:
            self.stop_frame = frame
            for link in self.links:
                link.socket_control_at = -1e9

    def wall_ms(self, now: float) -> float:
        """Milliseconds since the epoch, from the one wall time that came in at the start."""
        return self._wall0 + now * 1000.0

    # -- what is noted ----------------------------------------------------------------------------------------

    def _note_changes(self, link: Link, now: float) -> None:
        for from_path, to_path, cause in link.changes:
            change = PathChanged(
                seat=link.seat,
                episode=self.episode,
                frame=self.timeline.current,
                from_path=from_path,
                to_path=to_path,
                cause=cause,
                time_ms=self.wall_ms(now),
            )
            self.path_changes.append(change)
            self.news.append(change)
        link.changes.clear()

    def refuse(self, link: Link, why: str, now: float) -> None:
        """Count what a peer should not have sent, and log it once a second at most."""
        self.malformed += 1
        if now - self._logged_at >= 1.0:
            self._logged_at = now
            self.news.append(Log(level="warning", text=f"refused from player {self.players[link.seat]}: {why}"))

    def report_mismatch(self, seat: int, frame: int, own: bytes, theirs: bytes) -> None:
        """Two peers' hashes of a confirmed state differ."""
        self.hash_mismatches += 1
        self.news.append(Desync(seat=seat, episode=self.episode, frame=frame, own=own.hex(), theirs=theirs.hex()))

    @property
    def fallback_frame(self) -> int | None:
        """Frame at which the first fallback of the session came into force, whichever link's."""
        first = min((link.first_fallback for link in self.links if link.first_fallback), default=None)
        return None if first is None else first[1]

    def hashes_compared(self, seat: int) -> int:
        """States compared with a player over the session."""
        return self._compared[seat] + self.hashes[seat].compared
