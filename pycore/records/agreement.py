"""The records of one game against each other, line by line.

Every peer writes the same bytes, so records of one game are the same as far as the shorter one goes. They are read side
by side, one line of each at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pycore.errors import UsageError
from pycore.records.reader import Reading, RecordedEnd, RecordedFrame
from pycore.records.replay import Field, differing, shown

SAME: Final = ("game_id", "seed", "players", "environment", "configuration", "pycore")
"""What the first lines of one game's records have alike; where one differs, they are of two games."""


class NotOneGame(UsageError):
    """Records that were given as those of one game are not."""

    code = "not-one-game"


class Parting(NamedTuple):
    """The first line in which two records of a game differ."""

    line: int
    episode: int
    frame: int
    one: str
    other: str
    fields: list[Field]

    def __str__(self) -> str:
        where = f"episode {self.episode}, frame {self.frame} (line {self.line})"
        named = "; ".join(
            f"{path} is {shown(left)} for {self.one} and {shown(right)} for {self.other}"
            for path, left, right in self.fields
        )
        return f"{where}: {named or f'{self.one} and {self.other} have another text'}"


class Held(NamedTuple):
    """What one record has."""

    rows: int
    """Frames, over all episodes."""
    lengths: tuple[int, ...]
    """Frames by episode."""
    ended: tuple[bool, ...]
    """By episode, whether it has its end."""

    @property
    def whole(self) -> bool:
        """It has at least one episode, and the end of each."""
        return bool(self.ended) and all(self.ended)

    @property
    def stops_at(self) -> tuple[int, int]:
        """Episode and frame from which on it has nothing."""
        if not self.lengths:
            return 0, 0
        return (len(self.lengths), 0) if self.ended[-1] else (len(self.lengths) - 1, self.lengths[-1])


class StoodIn(NamedTuple):
    """From where on something plays in the place of a player who is gone."""

    episode: int
    frame: int
    what: str
    """`default_action` or `policy`."""


class Agreement(NamedTuple):
    """What was found."""

    header: dict[str, Any]
    held: dict[str, Held]
    """By the name of the record."""
    parting: Parting | None
    gone: dict[str, StoodIn]
    """Where something was first played in the place of who was gone, by player."""
    delays: list[list[int]]
    """The input delays of each episode, by seat; older records do not have them."""

    @property
    def longest(self) -> str:
        """The record that has most; of equal ones the first."""
        return max(self.held, key=lambda name: (self.held[name].stops_at, self.held[name].rows))

    @property
    def identical(self) -> bool:
        """No record has more than another, or anything else."""
        held = list(self.held.values())
        return self.parting is None and all(each == held[0] for each in held)


def agree(readings: Mapping[str, Reading]) -> Agreement:
    """Read the records of one game, by name, to their ends.

    Raises RecordError for what cannot be read, NotOneGame for a record of another game.
    """
    same_game(readings)
    running = {name: iter(reading) for name, reading in readings.items()}
    parting: Parting | None = None
    gone: dict[str, StoodIn] = {}
    delays: list[list[int]] = []
    line = 1
    while running:
        line += 1
        items: dict[str, RecordedFrame | RecordedEnd] = {}
        for name in tuple(running):
            item = next(running[name], None)
            if item is None:
                del running[name]
            else:
                items[name] = item
        if parting is None and len(items) > 1:
            parting = _parting(line, items)
        for item in items.values():
            if isinstance(item, RecordedFrame) and item.gone:
                for player, what in item.stand_ins.items():
                    gone.setdefault(player, StoodIn(item.episode, item.frame, what))
            if isinstance(item, RecordedFrame) and item.delays and item.episode == len(delays):
                delays.append(item.values["delays"])
    held = {
        name: Held(sum(reading.lengths), tuple(reading.lengths), tuple(reading.ended))
        for name, reading in readings.items()
    }
    return Agreement(next(iter(readings.values())).header, held, parting, gone, delays)


def same_game(readings: Mapping[str, Reading]) -> None:
    """Raises NotOneGame, with the name of what differs, unless the headers are alike."""
    (first, reading), *others = readings.items()
    for name, other in others:
        for key in (*SAME, *sorted({*reading.header, *other.header} - {*SAME})):
            one, two = shown(reading.header.get(key)), shown(other.header.get(key))
            if one != two:
                raise NotOneGame(
                    f"{other.name or name} is not of the same game as {reading.name or first}: its {key} is {two}, "
                    f"not {one}; give the records of one game, or a folder for each game"
                )


def _parting(line: int, items: Mapping[str, RecordedFrame | RecordedEnd]) -> Parting | None:
    (one, left), *others = items.items()
    for other, right in others:
        if left.text != right.text:
            at = min(_place(left), _place(right))
            fields = differing(json.loads(left.text), json.loads(right.text))
            return Parting(line, *at, one, other, fields)
    return None


def _place(item: RecordedFrame | RecordedEnd) -> tuple[int, int]:
    return item.episode, item.frames if isinstance(item, RecordedEnd) else item.frame
