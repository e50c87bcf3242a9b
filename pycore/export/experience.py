"""The rows of what a participant saw: displayed frames, seconds and events, from an experienced record."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

from pycore.export.rows import Game
from pycore.export.seen import REACH, open_experience
from pycore.records.experienced_reader import Displayed, Experience, Happening, Over, SecondOfPlay


class SeenRow(NamedTuple):
    """One displayed frame, for the player who saw it."""

    game: Game
    player: str
    item: Displayed
    corrected: bool
    """Whether it was corrected after it was shown."""


class SecondRow(NamedTuple):
    """One second of play, for one player."""

    game: Game
    player: str
    item: SecondOfPlay

    @property
    def peers(self) -> dict[str, Any]:
        """By other player."""
        peers: dict[str, Any] = self.item.values["peers"]
        return peers

    @property
    def path(self) -> str | None:
        """Of all links, if it is one."""
        paths = {peer.get("path") for peer in self.peers.values()}
        return paths.pop() if len(paths) == 1 else "mixed" if paths else None

    def largest(self, name: str) -> Any:
        """The largest of a number over the links; None where nobody has it."""
        values = [peer[name] for peer in self.peers.values() if type(peer.get(name)) in (int, float)]
        return max(values, default=None)


class HappeningRow(NamedTuple):
    """One event, for one player; the end is one without a place."""

    game: Game
    player: str
    item: Happening | Over
    event: str
    episode: int | None
    frame: int | None
    other: Any
    """Whom it is about."""
    more: dict[str, Any]


def displayed(game: Game) -> Iterator[SeenRow]:
    """Displayed frames, in the order of the record."""
    for player, path in game.evidence.experienced.items():
        for item, corrected in with_corrections(open_experience(path)):
            yield SeenRow(game, player, item, corrected)


def with_corrections(experience: Experience) -> Iterator[tuple[Displayed, bool]]:
    """Displayed frames, and whether they were corrected. Each waits for its correction as long as one can come."""
    waiting: OrderedDict[tuple[int, int], list[tuple[Displayed, bool]]] = OrderedDict()
    for item in experience:
        if isinstance(item, Displayed):
            waiting.setdefault((item.episode, item.frame), []).append((item, False))
            waiting.move_to_end((item.episode, item.frame))
            if len(waiting) > REACH:
                yield from waiting.popitem(last=False)[1]
        elif isinstance(item, Happening) and item.event == "corrected":
            for frame in range(item.more["from"], item.more["to"] + 1):
                place = item.episode, frame
                if place in waiting:
                    waiting[place] = [(seen, True) for seen, _ in waiting[place]]
    for rows in waiting.values():
        yield from rows


def seconds(game: Game) -> Iterator[SecondRow]:
    """Seconds of play."""
    for player, path in game.evidence.experienced.items():
        for item in open_experience(path):
            if isinstance(item, SecondOfPlay):
                yield SecondRow(game, player, item)


def events(game: Game) -> Iterator[HappeningRow]:
    """Events, the end included."""
    for player, path in game.evidence.experienced.items():
        for item in open_experience(path):
            if isinstance(item, Happening):
                more = {**item.more}
                other = more.pop("player", None)
                yield HappeningRow(game, player, item, item.event, item.episode, item.frame, other, more)
            elif isinstance(item, Over):
                yield HappeningRow(game, player, item, "end", None, None, None, {"reason": item.reason})
