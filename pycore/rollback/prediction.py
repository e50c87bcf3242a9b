"""Predictors: what a player probably does in a frame whose input has not come.

A prediction is anchored at the first missing frame of a player: it is a function of the last action known
without a hole, of the frames since, and of what the player sees of the state before the frame. Every peer may predict
as it likes; a wrong prediction costs a rollback, never the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycore.errors import described
from pycore.policy import Outlook, Predictor
from pycore.rollback.frames import Frames
from pycore.rollback.seats import Seat
from pycore.simulation import Contents, Observing, Resumable, Simulation


class DefaultAction:
    """Always the seat's default action: for games in which a key is rarely held."""

    __slots__ = ("actions",)

    def __init__(self, actions: Sequence[Any]) -> None:
        self.actions = actions
        """By seat."""

    def predict(self, outlook: Outlook, last: Any, since: int, frame: int) -> Any:
        """The default action of the seat."""
        return self.actions[outlook.seat]


class Guessing:
    """The predictor of one session with what it is shown, kept apart from the game: it may do as it likes."""

    __slots__ = (
        "_contents", "_episode", "_observing", "_players", "_predictor", "_resumable", "_seats", "_simulation",
        "failed", "failure",
    )  # fmt: skip

    def __init__(
        self, simulation: Simulation, seats: Sequence[Seat], players: Sequence[int | str], predictor: Predictor
    ) -> None:
        self._simulation = simulation
        self._seats = tuple(seats)
        self._players = tuple(players)
        self._predictor = predictor
        self._observing: Observing | None = simulation if isinstance(simulation, Observing) else None
        self._contents: Contents | None = simulation if isinstance(simulation, Contents) else None
        ours = type(predictor) is DefaultAction
        self._resumable: Resumable | None = simulation if not ours and isinstance(simulation, Resumable) else None
        self._episode = 0
        self.failed = [0] * len(self._seats)
        """By seat, how often it raised, or gave what is no action of it."""
        self.failure = ""
        """What the first of these was."""

    def begin(self, episode: int) -> None:
        """Another episode."""
        self._episode = episode

    @property
    def name(self) -> str:
        """What the metrics call it: the name of its class, or `default_action`."""
        name = type(self._predictor).__name__
        return "default_action" if name == "DefaultAction" else name

    def guess(self, seat: int, encoded: bytes, since: int, frame: int) -> tuple[bytes, Any]:
        """The action of a seat in a frame, encoded and decoded; the simulation is in the state before it. `encoded` is
        the last known action, of `since` frames before."""
        codec = self._seats[seat].codec
        player = self._players[seat]
        state = None if self._contents is None else self._state
        outlook = Outlook(seat, player, self._episode, None, state, self._look)
        try:
            # An action of its own: what it does to it must not be done to the input, which is known.
            action = self._predictor.predict(outlook, codec.decode(encoded), since, frame)
            encoded = codec.encode(action)
        except Exception as error:  # a bad guess costs a rollback, never the game
            self.failed[seat] += 1
            self.failure = self.failure or described(error)
        if self._resumable is not None:
            # What it drew from a generator that the environment draws from, too, does not count.
            self._resumable.resume()
        return encoded, codec.decode(encoded)

    def _look(self, player: int | str) -> Any:
        if self._observing is None:
            return None
        import copy  # who looks at nothing pays for nothing

        return copy.deepcopy(self._observing.observations.get(player))

    def _state(self) -> Any:
        assert self._contents is not None
        import copy

        return copy.deepcopy(self._contents.contents(self._simulation.save()))


def guesses_of(frames: Frames, guessing: Guessing | None, lacking: int, frame: int) -> list[tuple[int, bytes, Any]]:
    """Seat, encoded and decoded action for every seat whose bit is set, anchored at its last known frame. Nothing
    `guessing`: it does that again."""
    guesses = []
    for seat in frames.seats_of[lacking]:
        held = frames.held[seat]
        slot = held & frames.mask
        action = frames.actions[slot][seat]
        encoded = frames.encoded[slot][seat]
        if guessing is not None:
            encoded, action = guessing.guess(seat, encoded, frame - held, frame)
        guesses.append((seat, encoded, action))
    return guesses
