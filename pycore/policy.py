"""Policies: what plays a seat, or says what a person probably does, from what it is shown of a frame.

A policy with a seat is computed by every peer, each for itself, so it must be a pure function of what it is given: what
it sees, the frame, and a generator that is new in every frame and the same for all. It keeps nothing from one call to
the next; then a rollback needs nothing of it, and all peers have the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from random import Random

__all__ = ["Outlook", "Policy", "Predictor"]


class Outlook:
    """What a policy sees of the state before a frame, from its seat: read, do not change, do not keep. With a reaction
    time it is the state before an earlier frame. A predictor is shown copies, which are made when it asks."""

    __slots__ = ("_look", "_observation", "_state", "episode", "player", "seat")

    def __init__(
        self,
        seat: int,
        player: int | str,
        episode: int,
        observation: Any = None,
        state: Callable[[], Any] | None = None,
        look: Callable[[int | str], Any] | None = None,
    ) -> None:
        self.seat = seat
        self.player = player
        """The player's id."""
        self.episode = episode
        """From 0."""
        self._observation = observation
        self._state = state
        self._look = look
        """Gives a player's observation when it is asked for."""

    @property
    def observation(self) -> Any:
        """What the environment shows this player of the state; None where it shows nothing. A policy gets it as the
        environment made it, a predictor a copy."""
        return self._observation if self._look is None else self._look(self.player)

    @property
    def state(self) -> Any:
        """The whole state in plain values, as the hashes have it: ``{"env": …}`` of an environment. It costs a save;
        None where the simulation does not tell (`pycore.Contents`)."""
        return None if self._state is None else self._state()


class Policy(Protocol):
    """Plays a seat."""

    def act(self, outlook: Outlook, frame: int, random: Random) -> Any:
        """The action of a frame, one of the seat's action space. `random` gives the same to every peer, in this frame
        and for this seat alone. It is called again for a frame that is stepped again."""


class Predictor(Protocol):
    """Guesses an action."""

    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        """The action of the player of the `outlook` in `frame`, `since` frames (1 and up) after the one with action
        `last`. What it is shown is a copy. What it raises, or gives that is no action, counts as the last action again.
        """
