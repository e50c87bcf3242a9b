"""Every misprediction with frame and cause, and which of them get a line in the log.

Rollback events are kept as packed rows of 29 bytes and become dictionaries only when they are read. The actions stand
in a table beside them, each once. Of small action spaces that table stays small; of large actions it holds what the
bound allows, 40 bytes for each event in all, and later ones are exported as `OMITTED`: the trajectory has them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, Final

from pycore.settings import MAX_SEATS
from pycore.values.json import to_json

_EVENT: Final = struct.Struct("<IIBHIId")
_pack: Final = _EVENT.pack
EVENT_BYTES: Final = 40
"""What an event may take, its share of the table of actions included."""
FREE_BYTES: Final = 65_536
"""What the table may take however few events there are."""
ROW_BYTES: Final = 33
"""What a row of 29 bytes takes where the array has just grown: an eighth more."""
ENTRY_BYTES: Final = 240
"""What an action costs in the table beside its own bytes: key, number, and its places in two lists and in a dictionary
that has just grown."""
OMITTED: Final = "<larger than these events may hold: see the trajectory>"
_NOT_KEPT: Final = 0xFFFFFFFF
LISTED: Final = 4 * 1_048_576
"""Characters of JSON that a list of events may take: half of what the relay takes of a session's metrics. Half an
hour of two analogue axes over 100 ms, where nearly every guess is wrong, was 9 MiB, of which nothing was stored."""
PLAIN: Final = 200
"""Characters of an event beside its actions, at most but for the player's name."""


class RollbackEvents:
    """Every mispredicted input: which frame, whose, what was used instead, and when it was found out."""

    __slots__ = ("_actions", "_index", "_rows", "_seats", "_spent", "max_frames")

    def __init__(self) -> None:
        self._rows = bytearray()
        self._actions: list[bytes] = []
        self._seats: list[int] = []
        """Whose codec reads the action of the same index."""
        self._index: list[dict[bytes, int]] = [{} for _ in range(MAX_SEATS)]
        self._spent = 0
        """Bytes that the table takes."""
        self.max_frames = 0
        """The deepest rollback, in frames."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._rows) // _EVENT.size

    def count_in(self, only: int) -> int:
        """How many there are in one episode."""
        return sum([row[3] == only for row in _EVENT.iter_unpack(self._rows)])

    def append(
        self, frame: int, current: int, seat: int, predicted: bytes, actual: bytes, now: float, episode: int
    ) -> None:
        """Note one misprediction; `now` is the session's clock."""
        index = self._index[seat]
        try:
            p = index[predicted]
        except KeyError:
            p = self._number(seat, predicted)
        try:
            a = index[actual]
        except KeyError:
            a = self._number(seat, actual)
        self._rows += _pack(frame, current, seat, episode, p, a, now)
        if current - frame > self.max_frames:
            self.max_frames = current - frame

    def _number(self, seat: int, encoded: bytes) -> int:
        cost = ENTRY_BYTES + len(encoded)
        if self._spent + cost > FREE_BYTES + (self.count + 1) * (EVENT_BYTES - ROW_BYTES):
            return _NOT_KEPT
        self._spent += cost
        self._index[seat][encoded] = number = len(self._actions)
        self._actions.append(encoded)
        self._seats.append(seat)
        return number

    def export(
        self,
        player_of: Callable[[int], str],
        decode: Callable[[int, bytes], Any],
        wall_ms: Callable[[float], float],
        only: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The events by the names of the metrics; times become milliseconds since the epoch.

        `decode` reads an action of a seat, `only` is the episode if not all are asked for. Those that come behind
        `LISTED` characters of JSON are left out.
        """
        room = LISTED
        decoded = [decode(seat, encoded) for seat, encoded in zip(self._seats, self._actions, strict=True)]
        lengths = [len(to_json(action)) for action in decoded]
        for frame, current, seat, episode, predicted, actual, now in _EVENT.iter_unpack(self._rows):
            if only is not None and episode != only:
                continue
            room -= PLAIN + sum([len(OMITTED) if of == _NOT_KEPT else lengths[of] for of in (predicted, actual)])
            if room < 0:
                return
            yield {
                "frame": frame,
                "currentFrame": current,
                "rollbackFrames": current - frame,
                "playerId": player_of(seat),
                "predictedAction": OMITTED if predicted == _NOT_KEPT else decoded[predicted],
                "actualAction": OMITTED if actual == _NOT_KEPT else decoded[actual],
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
