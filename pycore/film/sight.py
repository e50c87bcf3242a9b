"""What one participant saw of the frames that a page shows: the actions in their pictures, and which were guesses.

The pictures themselves are of the confirmed states. What a wrong guess looked like is not drawn: a record says which
actions a picture had, not what was believed of the frames before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pycore.errors import UsageError
from pycore.export.experience import with_corrections
from pycore.export.seen import open_experience


class Sight:
    """The displayed frames of an experienced record, frame by frame as they are asked for."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        experience = open_experience(path)
        if experience.header["game_id"] != header.get("game_id"):
            raise UsageError(
                f"{path} is of game {experience.header['game_id']}, not of {header.get('game_id')}; give the one of "
                "this game"
            )
        self.player = str(experience.header["player"])
        self._items = with_corrections(experience)
        self._early: dict[tuple[int, int], list[dict[str, Any]]] = {}
        """Frames behind the one that was asked for last."""
        self._newest = (-1, -1)

    def of(self, episode: int, frame: int) -> list[dict[str, Any]]:
        """Every time that a frame was displayed, in order. Frames are asked for in order, too."""
        place = episode, frame
        # A frame may be displayed again, until a later one is.
        while self._newest <= place:
            item, corrected = next(self._items, (None, False))
            if item is None:
                break
            here = item.episode, item.frame
            self._newest = max(self._newest, here)
            if here >= place:
                told = {"shown": item.shown, "guessed": item.predicted, "corrected": corrected}
                self._early.setdefault(here, []).append(told)
        return self._early.pop(place, [])
