"""The seconds of an experienced record: what happened in each, and how the ways to the others were."""

from __future__ import annotations

from typing import Any

from pycore.distribution import TENTHS
from pycore.session.session import Session


class Second:
    """What happened in the running second."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._number = 0
        self._deepest = 0
        self._before = self._counts()

    def _counts(self) -> dict[str, int]:
        timeline = self._session.timeline
        return {
            "stalls": self._session.stalls,
            "rollbacks": timeline.rollbacks,
            "resimulated": timeline.resimulated,
            "predicted_frames": timeline.guessed,
        }

    def rolled_back(self, depth: int) -> None:
        """A rollback of so many frames."""
        if depth > self._deepest:
            self._deepest = depth

    def end(self, now: float, episode: int, hidden: bool, longest: int) -> dict[str, Any]:
        """What is said of the second that ends now, whose longest tick took so many tenths of a millisecond, if that is
        known; the next one begins."""
        session = self._session
        counts = self._counts()
        said = {
            "second": self._number,
            "time_ms": round(session.wall_ms(now)),
            "episode": episode,
            "frame": session.frame,
            "hidden": hidden,
            **{name: count - self._before[name] for name, count in counts.items()},
            "max_depth": self._deepest,
            "tick_ms_max": None if not longest else round(longest * 1000 / TENTHS, 1),
            "peers": {str(session.players[link.seat]): self._peer(link) for link in session.there if link.seat >= 0},
        }  # fmt: skip
        self._before = counts
        self._number += 1
        self._deepest = 0
        return said

    def _peer(self, link: Any) -> dict[str, Any]:
        flow = link.wire if link.healthy else link.socket
        frames = self._session.timeline.frames
        held = min([frames.held[seat] for seat in link.peer.seats])
        return {
            "rtt_ms": None if flow.rtt is None else round(flow.rtt * 1000, 1),
            "jitter_ms": None if flow.jitter is None else round(flow.jitter * 1000, 1),
            "path": link.path,
            "advantage": round(link.advantage, 2),
            "input_age": max(0, self._session.frame - held),
        }
