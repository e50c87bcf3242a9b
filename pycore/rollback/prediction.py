"""Predictors: what a player probably does in a frame whose input has not come.

A prediction is anchored at the first missing frame of a player: it is a function of the last action known
without a hole and of the frames since. Every peer may predict as it likes; a wrong prediction costs a
rollback, never the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Predictor(Protocol):
    """Guesses an action."""

    def predict(self, seat: int, last: Any, since: int, frame: int) -> Any:
        """The action of `seat` in `frame`, `since` frames (1 and up) after the one with action `last`."""


class DefaultAction:
    """Always the seat's default action: for games in which a key is rarely held."""

    __slots__ = ("actions",)

    def __init__(self, actions: Sequence[Any]) -> None:
        self.actions = actions
        """By seat."""

    def predict(self, seat: int, last: Any, since: int, frame: int) -> Any:
        """The default action of the seat."""
        return self.actions[seat]
