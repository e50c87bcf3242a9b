"""Uploads that come in pieces, as from a page that plays: an input that has to go by its connection waits behind one.

Each piece says where it belongs, and that the next is sent when this one is acknowledged. What is held of all sockets
together is bounded, the largest is given up first, and whoever is given up begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from pycore.relay.fields import Refused, number_of, player_of, shown, text_of
from pycore.relay.limits import Limits

IDLE_S: Final = 60.0
"""An upload of which nothing came for so long is given up."""


@dataclass(slots=True)
class Upload:
    """What has come of one so far."""

    key: tuple[Any, ...]
    came: float
    parts: list[str] = field(default_factory=list)
    length: int = 0


class Uploads:
    """Those of all sockets of this process, one of each."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._of: dict[str, Upload] = {}

    @property
    def length(self) -> int:
        """Characters that are held."""
        return sum([upload.length for upload in self._of.values()])

    def goes_on(self, payload: Any) -> bool:
        """Whether this is a piece, and not the last one. Raises `Refused`."""
        return _is_piece(payload) and sum(self._place(payload)) < payload["of"]

    def take(self, sid: str, payload: dict[str, Any], now: float) -> None:
        """A piece of which more is to come. Raises `Refused`."""
        upload = self._put(sid, payload, now)
        for other in [each for each, of in self._of.items() if now - of.came > IDLE_S]:
            del self._of[other]
        while self.length > self._limits.uploads_chars:
            largest = max(self._of, key=lambda each: self._of[each].length)
            gone = self._of.pop(largest)
            if gone is upload:
                raise _lost()

    def whole(self, sid: str, payload: Any, now: float) -> Any:
        """What was sent at once, as it is; of a last piece what all of them come to. Raises `Refused`."""
        if not _is_piece(payload):
            return payload
        upload = self._put(sid, payload, now)
        del self._of[sid]
        return {**payload, "packed": "".join(upload.parts)}

    def _place(self, payload: dict[str, Any]) -> tuple[int, int]:
        """Where a piece begins, and its length. Raises `Refused`."""
        of = number_of(payload, "of", 1, self._limits.metrics_bytes)
        at = number_of(payload, "at", 0, of - 1)
        text = payload.get("packed")
        if not isinstance(text, str) or not 1 <= len(text) <= of - at:
            raise Refused("malformed", f"`packed` is {shown(text)}; it must be a text of 1 to {of - at} characters")
        return at, len(text)

    def _put(self, sid: str, payload: dict[str, Any], now: float) -> Upload:
        at, length = self._place(payload)
        episode = number_of(payload, "episode", -1, self._limits.episodes)
        game = text_of(payload, "game_id", self._limits)
        key = (game, player_of(payload, "player_id", self._limits), episode, payload["of"])
        if at == 0:
            self._of[sid] = Upload(key, now)
        upload = self._of.get(sid)
        if upload is None or upload.key != key or upload.length != at:
            raise _lost()
        upload.came = now
        upload.parts.append(payload["packed"])
        upload.length += length
        return upload


def _is_piece(payload: Any) -> bool:
    return isinstance(payload, dict) and "of" in payload


def _lost() -> Refused:
    return Refused("store_busy", "what this piece goes on with is not held any more; send it from its beginning")
