"""What the session of a simulated page publishes, kept to be judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pycore.session.confirmed import ConfirmedFrame

if TYPE_CHECKING:
    from pycore.testing.pages import Page


class Published(NamedTuple):
    """What one load of a page published, by episode."""

    rows: list[list[tuple[bytes, ...]]]
    rewards: list[list[Any]]
    finals: list[bytes | None]
    hashes: list[dict[int, bytes]]
    stood_in: list[dict[int, str]]
    """Where another plays a seat from a frame on: what is recorded of it, by frame."""
    delays: Sequence[tuple[int, ...]]
    """The input delays with which it began each, by seat."""

    @property
    def frames(self) -> int:
        """Frames of all episodes."""
        return sum(len(rows) for rows in self.rows)


class Record:
    """What a page's session publishes, put down in the page's own lists."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def frame(self, frame: ConfirmedFrame) -> None:
        """A confirmed frame, in order."""
        page = self._page
        while len(page.rows) <= frame.episode:
            page.rows.append([])
            page.rewards.append([])
            page.finals.append(None)
            page.hashes.append({})
            page.stood_in.append({})
        rows = page.rows[frame.episode]
        if frame.frame != len(rows):
            raise AssertionError(f"seat {page.seat} published frame {frame.frame} behind {len(rows)} frames")
        rows.append(frame.actions)
        page.rewards[frame.episode].append(None if frame.result is None else frame.result.rewards)
        if frame.gone:
            page.stood_in[frame.episode][frame.frame] = frame.gone
        if frame.digest is not None:
            page.hashes[frame.episode][frame.frame] = frame.digest

    def end(self, episode: int, frames: int, digest: bytes) -> None:
        """An episode is complete."""
        self._page.finals[episode] = digest

    def cut(self, episode: int, frames: int) -> None:
        """What was published beyond is taken back."""
        if episode < len(self._page.rows):
            del self._page.rows[episode][frames:]
            del self._page.rewards[episode][frames:]
            self._page.finals[episode] = None
            for of in (self._page.hashes[episode], self._page.stood_in[episode]):
                for frame in [frame for frame in of if frame >= frames]:
                    del of[frame]
