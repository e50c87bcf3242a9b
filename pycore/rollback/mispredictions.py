"""Every misprediction with frame and cause, and which of them get a line in the log.

Rollback events are kept as packed rows of 29 bytes, the actions in a table beside them, and become
dictionaries only when they are read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

_EVENT: Final = struct.Struct("<IIBHIId")


class RollbackEvents:
    """Every mispredicted input: which frame, whose, what was used instead, and when it was found out."""

    __slots__ = ("_actions", "_index", "_rows", "count", "last_predicted", "max_frames")

    def __init__(self) -> None:
        self._rows = bytearray()
        self._actions: list[bytes] = []
        self._index: dict[bytes, int] = {}
        self.count = 0
        self.max_frames = 0
        self.last_predicted = b""
        """What was used instead of the input of the newest event."""

    def append(
        self, frame: int, current: int, seat: int, predicted: bytes, actual: bytes, now: float, episode: int
    ) -> None:
        """Note one misprediction; `now` is the session's clock."""
        index = self._index
        p = index.get(predicted)
        if p is None:
            p = self._number(predicted)
        a = index.get(actual)
        if a is None:
            a = self._number(actual)
        self._rows += _EVENT.pack(frame, current, seat, episode, p, a, now)
        self.count += 1
        self.last_predicted = predicted
        if current - frame > self.max_frames:
            self.max_frames = current - frame

    def _number(self, encoded: bytes) -> int:
        self._index[encoded] = number = len(self._actions)
        self._actions.append(encoded)
        return number

    def export(
        self,
        player_of: Callable[[int], str],
        decode: Callable[[bytes], Any],
        wall_ms: Callable[[float], float],
    ) -> Iterator[dict[str, Any]]:
        """The events as S4 spells them; times become milliseconds since the epoch."""
        decoded = [decode(encoded) for encoded in self._actions]
        for frame, current, seat, episode, predicted, actual, now in _EVENT.iter_unpack(self._rows):
            yield {
                "frame": frame,
                "currentFrame": current,
                "rollbackFrames": current - frame,
                "playerId": player_of(seat),
                "predictedAction": decoded[predicted],
                "actualAction": decoded[actual],
                "timestamp": wall_ms(now),
                "episode": episode,
            }


class LateInputLog:
    """Decides which mispredictions get a log line: ten a second at most; the rest of a second is summed up.

    The lines begin as the page's do, so that whoever searches its logs finds them.
    """

    __slots__ = ("_deepest", "_left", "_since", "_suppressed")

    LIMIT: Final = 10

    def __init__(self) -> None:
        self._since = -1e9
        self._left = 0
        self._suppressed = 0
        self._deepest = 0

    def is_due(self, now: float, depth: int) -> bool:
        """Whether the misprediction at hand gets a line of its own, behind the summary if there is one."""
        if self._left and now - self._since < 1.0:
            self._left -= 1
            return True
        if now - self._since >= 1.0:
            self._since = now
            self._left = self.LIMIT - 1
            return True
        self._suppressed += 1
        if depth > self._deepest:
            self._deepest = depth
        return False

    def summary(self) -> str | None:
        """What was suppressed since the last summary."""
        if not self._suppressed:
            return None
        text = (
            f"[GGPO] Late input triggering rollback: {self._suppressed} more within a second, "
            f"up to {self._deepest} frames deep"
        )
        self._suppressed = self._deepest = 0
        return text
