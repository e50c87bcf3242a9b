"""What the rows of the experienced records' tables are made of: displayed frames, seconds and events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

from pycore.export.rows import NOTHING, Game
from pycore.export.seen import open_experience
from pycore.records.experienced_reader import REACH, Displayed, Experience, Happening, Item, SecondOfPlay


class DisplayedRow(NamedTuple):
    """One displayed frame, for the player who saw it."""

    game: Game
    player: str
    item: Displayed
    corrected: bool
    """Whether it was corrected after it was shown."""


class SecondRow(NamedTuple):
    """One second, for one player."""

    game: Game
    player: str
    item: SecondOfPlay

    def of(self, name: str) -> Any:
        """A value of the line."""
        return self.item.values.get(name)

    def largest(self, name: str) -> Any:
        """Of all other players."""
        peers = self.item.values["peers"].values()
        return max((peer[name] for peer in peers if type(peer.get(name)) in (int, float)), default=None)

    @property
    def path(self) -> str | None:
        """That of all links, or `mixed`."""
        paths = {peer.get("path") for peer in self.item.values["peers"].values()}
        return paths.pop() if len(paths) == 1 else "mixed" if paths else None


class HappeningRow(NamedTuple):
    """One event, for one player."""

    game: Game
    player: str
    event: str
    time_ms: int
    episode: Any
    frame: Any
    other: Any
    more: dict[str, Any]
    load: int


def _items(game: Game) -> Iterator[tuple[str, Item]]:
    for player, path in game.evidence.experienced.items():
        for item in open_experience(path):
            yield player, item


def displayed(game: Game) -> Iterator[DisplayedRow]:
    """Every displayed frame."""
    for player, path in game.evidence.experienced.items():
        for item, corrected in with_corrections(open_experience(path)):
            yield DisplayedRow(game, player, item, corrected)


def with_corrections(experience: Experience) -> Iterator[tuple[Displayed, bool]]:
    """Displayed frames, and whether they were corrected. Each waits for its correction as long as one can come."""
    waiting: OrderedDict[tuple[int, int], list[tuple[Displayed, bool]]] = OrderedDict()
    load = 0
    for item in experience:
        if experience.load != load:
            # What another load corrects was on another screen.
            load = experience.load
            for rows in waiting.values():
                yield from rows
            waiting.clear()
        if isinstance(item, Displayed):
            place = item.episode, item.frame
            waiting.setdefault(place, []).append((item, False))
            waiting.move_to_end(place)
            if len(waiting) > REACH:
                yield from waiting.popitem(last=False)[1]
        elif isinstance(item, Happening) and item.event == "corrected":
            for frame in range(item.more["from"], item.more["to"] + 1):
                seen = waiting.get((item.episode, frame), [])
                seen[:] = [(each, True) for each, _ in seen]
    for rows in waiting.values():
        yield from rows


def seconds(game: Game) -> Iterator[SecondRow]:
    """Every second."""
    for player, item in _items(game):
        if isinstance(item, SecondOfPlay):
            yield SecondRow(game, player, item)


def events(game: Game) -> Iterator[HappeningRow]:
    """Every event, and the end."""
    for player, item in _items(game):
        if isinstance(item, Happening):
            more = {**item.more}
            other = more.pop("player", None)
            place = item.episode, item.frame
            yield HappeningRow(game, player, item.event, item.time_ms, *place, other, more, item.load)
        elif not isinstance(item, (Displayed, SecondOfPlay)):
            more = {"reason": item.reason}
            yield HappeningRow(game, player, "end", item.time_ms, NOTHING, NOTHING, None, more, item.load)
