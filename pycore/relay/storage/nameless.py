"""Keeps forgotten who was forgotten: a server that has the game in its memory writes it down as it knew it.

Who was forgotten is nobody in the game's row. A seat's subject never changes otherwise, so where a row has none and
what is to be written has one, that one is left out, and so is what the seat would be known again by.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
KNOWN_BY = ("session", "page")
"""What a seat is known again by."""


def is_nameless(subjects: str | None, player: str) -> bool:
    """Whether the player of a game with these subjects, as the database has them, is nobody; None: no such game."""
    return subjects is not None and json.loads(subjects).get(player, "") is None


def kept_nameless(subjects: str | None, row: Row, seats: Sequence[Row]) -> tuple[Row, Sequence[Row]]:
    """A game's row and its seats', as they may be written over what the database has."""
    if subjects is None or subjects == row["subjects"]:
        return row, seats
    new = json.loads(row["subjects"])
    lost = {player for player, subject in new.items() if subject is not None and is_nameless(subjects, player)}
    if not lost:
        return row, seats
    left = {player: None if player in lost else subject for player, subject in new.items()}
    return {**row, "subjects": json.dumps(left)}, [
        {name: value for name, value in seat.items() if seat["player"] not in lost or name not in KNOWN_BY}
        for seat in seats
    ]
