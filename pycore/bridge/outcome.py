"""Who won, for the end screen: by the points of all rounds, where they are such that somebody wins.

Rewards are made for learning, and in many games that people play together they say nothing of winning: a page that
called somebody the loser of them would change what is studied. So there is a winner where the environment says a score
for each player in its infos, or where the study says that the most or the least points win.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any, Final

from pycore.records.trajectory import Trajectory

MOST: Final = "most"
LEAST: Final = "least"
NONE: Final = "none"
FURTHEST: Final = 1e300
"""Points that can be added up as floats, over all rounds."""
SAME: Final = 1e-9
"""Points that differ by no more than this share of the largest ones of any round are as many: tenths that were added in
another order differ in their last digit."""


class Rounds:
    """The points of the rounds that are over, by seat. `winner`: `most`, `least`, `none`, or None, as the infos say."""

    def __init__(self, players: Sequence[int | str], me: int, winner: str | None, trajectory: Trajectory) -> None:
        self._players = players
        self._me = me
        self._winner = winner
        self._trajectory = trajectory
        self._points: dict[int, list[float]] = {}

    def ended(self, episode: int, frames: int) -> None:
        """An episode is over, with so many frames: its last row and its rewards are final."""
        if self._winner == NONE or not frames:
            return
        rows = self._trajectory.rows(episode, frames - 1)
        infos = json.loads(rows[-1]).get("infos") if rows else None
        own = infos.get(str(self._players[self._me])) if isinstance(infos, dict) else None
        found = self._by_seat(own.get("score") if isinstance(own, dict) else None)
        if found is None and self._winner is not None:
            found = self._by_seat({str(player): total for player, total in self._trajectory.totals.items()})
        if found is not None:
            self._points[episode] = found

    def _by_seat(self, said: Any) -> list[float] | None:
        """Points of a list by seat, or of a dictionary by player; None where it is neither, or not numbers of all."""
        if isinstance(said, Mapping):
            said = [said.get(str(player)) for player in self._players]
        if not isinstance(said, list) or len(said) != len(self._players) or len(said) < 2:
            return None
        numbers = all(type(value) in (int, float) and -FURTHEST <= value <= FURTHEST for value in said)
        return said if numbers else None

    def outcome(self, episodes: int) -> dict[str, Any] | None:
        """The points of all rounds by seat, the seats that are first, and by how much; None where a round has none, as
        those have that were played before this page was loaded again."""
        if not episodes or any(episode not in self._points for episode in range(episodes)):
            return None
        rounds = list(self._points.values())
        near = SAME * max(abs(of_seat) for each in rounds for of_seat in each)
        points = _alike([fsum(of_seat) for of_seat in zip(*rounds, strict=True)], near)
        ranked = sorted(points, reverse=self._winner != LEAST)
        first = [seat for seat, of_seat in enumerate(points) if of_seat == ranked[0]]
        behind = next((of_seat for of_seat in ranked if of_seat != ranked[0]), ranked[0])
        return {"points": points, "first": first, "by": abs(ranked[0] - behind) if len(first) == 1 else 0}


def _alike(points: list[float], near: float) -> list[float]:
    """The same points, as one number where they are no further apart from the next lower ones."""
    found: dict[float, float] = {}
    lower: float | None = None
    for value in sorted(set(points)):
        found[value] = found[lower] if lower is not None and value - lower <= near else value
        lower = value
    return [found[value] for value in points]
