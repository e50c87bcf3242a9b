"""The records of one game against each other, line by line.

Every peer writes the same bytes, so records of one game are the same as far as the shorter one goes. They are read side
by side, one line of each at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final, NamedTuple

from pycore.errors import UsageError
from pycore.records.reader import Reading, RecordedEnd, RecordedFrame
from pycore.records.replay import Field, differing, shown
from pycore.session.publication import PLAYER

LONGEST_DELAY: Final = 60
"""In the first frames of an episode, as many as inputs are delayed, nobody plays yet, and nobody is called gone."""
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

    def most_of(self, episode: int) -> tuple[int, bool]:
        """The frames of an episode, and whether it has its end."""
        return (self.lengths[episode], self.ended[episode]) if episode < len(self.lengths) else (0, False)

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
    back: tuple[int, int] | None = None
    """Episode and frame from which on that player played again; None: it never did."""


class Agreement(NamedTuple):
    """What was found."""

    header: dict[str, Any]
    held: dict[str, Held]
    """By the name of the record."""
    parting: Parting | None
    gone: dict[str, StoodIn]
    """From where on something was played in the place of who was gone to the end, by player."""
    away: dict[str, list[StoodIn]]
    """The same of who came back, each time."""
    delays: dict[int, list[int]]
    """By episode the input delays, by seat; older records do not have them, and none has those of what is missing."""

    @property
    def longest(self) -> str:
        """The record that has most; of equal ones the first."""
        return max(self.held, key=lambda name: (self.held[name].stops_at, self.held[name].rows))

    @property
    def holders(self) -> dict[int, str]:
        """By episode of which there is something the record that has most of it, of equal ones the longest: who was
        away for whole episodes may have been there to the end, and the others not."""
        longest = self.longest
        names = [longest, *(name for name in self.held if name != longest)]
        found = {}
        for episode in range(max(len(held.lengths) for held in self.held.values())):
            name = max(names, key=lambda name: self.held[name].most_of(episode))
            if self.held[name].most_of(episode)[0]:
                found[episode] = name
        return found

    @property
    def together(self) -> Held:
        """What the records have together: of each episode what its holder has."""
        holders = self.holders
        most = [
            self.held[holders[episode]].most_of(episode) if episode in holders else (0, False)
            for episode in range(max(holders, default=-1) + 1)
        ]
        lengths = tuple(length for length, _ in most)
        return Held(sum(lengths), lengths, tuple(ended for _, ended in most))

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
    parting: Parting | None = None
    absences = Absences()
    delays: dict[int, list[int]] = {}
    for line, items in enumerate(side_by_side(readings), 2):
        if parting is None and len(items) > 1:
            parting = _parting(line, items)
        for item in items.values():
            if isinstance(item, RecordedFrame):
                absences.see(item)
            if isinstance(item, RecordedFrame) and item.delays:
                delays.setdefault(item.episode, item.values["delays"])
    absences.end()
    held = {
        name: Held(sum(reading.lengths), tuple(reading.lengths), tuple(reading.ended))
        for name, reading in readings.items()
    }
    return Agreement(next(iter(readings.values())).header, held, parting, absences.gone, absences.away, delays)


def side_by_side(readings: Mapping[str, Reading]) -> Iterator[dict[str, RecordedFrame | RecordedEnd]]:
    """What the records have at each place, by name: usually a line of each. Who was away, and came back to a later
    episode, has nothing of the rest of the one before."""
    running = {name: iter(reading) for name, reading in readings.items()}
    items: dict[str, RecordedFrame | RecordedEnd] = {}
    while True:
        for name in [name for name in running if name not in items]:
            item = next(running[name], None)
            if item is None:
                del running[name]
            else:
                items[name] = item
        if not items:
            return
        first = min(map(_place, items.values()))
        here = {name: items.pop(name) for name in tuple(readings) if name in items and _place(items[name]) == first}
        yield here


def joined(readings: Mapping[str, Reading], holders: Mapping[int, str]) -> Iterator[RecordedFrame | RecordedEnd]:
    """The frames and ends of a game, of each episode those of its holder, from records that were opened anew."""
    episodes = {name: groupby(reading, lambda item: item.episode) for name, reading in readings.items()}
    for episode, holder in holders.items():
        for number, items in episodes[holder]:
            if number == episode:
                yield from items
                break


class Absences:
    """Who was gone, and who came back, as the frames of records say it."""

    def __init__(self) -> None:
        self.gone: dict[str, StoodIn] = {}
        self.away: dict[str, list[StoodIn]] = {}
        self._before: dict[str, StoodIn] = {}
        """Who was gone at the end of the episode before: it says so again where it still is."""
        self._place = -1, 0

    def see(self, frame: RecordedFrame) -> None:
        """The next frame, or the same one again."""
        if frame.episode > self._place[0]:
            self._begin(frame.episode)
        new = (frame.episode, frame.frame) > self._place
        self._place = max(self._place, (frame.episode, frame.frame))
        for player, what in frame.stand_ins.items() if new else ():
            if what != PLAYER:
                here = StoodIn(frame.episode, frame.frame, what)
                self.gone.setdefault(player, self._before.pop(player, here))
            elif player in self.gone:
                self._back(player, self.gone.pop(player), (frame.episode, frame.frame))

    def end(self) -> None:
        """There is no more frame."""
        for player, stood in self._before.items():
            if self._place[1] > LONGEST_DELAY:
                self._back(player, stood, (self._place[0], 0))
            else:
                self.gone.setdefault(player, stood)

    def _begin(self, episode: int) -> None:
        # Who was not gone any more in the last episode was back at its beginning.
        for player, stood in self._before.items():
            self._back(player, stood, (self._place[0], 0))
        self._before, self.gone = self.gone, {}

    def _back(self, player: str, stood: StoodIn, place: tuple[int, int]) -> None:
        self.away.setdefault(player, []).append(stood._replace(back=place))


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
