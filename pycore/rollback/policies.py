"""The seats that policies play: in every frame that is stepped, their actions are computed from the state before it.

Nobody sends these actions and nobody waits for them. A frame that is stepped again has them computed again, since its
state may be another one; in a run-up they stand as they are, since nothing changed. What a policy draws comes from a
generator that is a pure function of seed, episode, seat and frame, so that a rollback has nothing of it to go back to.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from pycore.errors import PolicyError, described
from pycore.policy import Outlook, Policy
from pycore.rollback.seats import Seat
from pycore.simulation import Contents, Observing, Simulation
from pycore.values import canonical


class Policies:
    """The policies of one session, each with its seat and the id of the player that it is."""

    __slots__ = ("_contents", "_episode", "_observing", "_played", "_random", "_seed", "_simulation")

    def __init__(self, simulation: Simulation, played: Sequence[tuple[Seat, int | str, Policy]], seed: int) -> None:
        self._simulation = simulation
        self._played = tuple(played)
        self._seed = seed
        self._observing: Observing | None = simulation if isinstance(simulation, Observing) else None
        self._contents: Contents | None = simulation if isinstance(simulation, Contents) else None
        self._random = Random()
        self._episode = 0

    def begin(self, episode: int) -> None:
        """Another episode: the generators are others."""
        self._episode = episode

    def act(self, frame: int, encoded: list[bytes], actions: list[Any]) -> None:
        """Write the actions of a frame into its row, encoded and decoded; the simulation is in the state before it.

        Raises PolicyError with the player and the frame, if a policy raises or gives what is no action.
        """
        observing = self._observing
        shown = observing.observations if observing is not None else {}
        state = self._state if self._contents is not None else None
        for seat, player, policy in self._played:
            number = seat.number
            outlook = Outlook(number, player, self._episode, shown.get(player), state)
            try:
                action = policy.act(outlook, frame, self._generator(number, frame))
                encoded[number] = code = seat.codec.encode(action)
            except Exception as error:
                raise PolicyError(
                    f"the policy of player {player} failed in frame {frame} of episode {self._episode}: "
                    f"{described(error)}"
                ) from error
            # As the others would have it, had it come from one of them: a policy may go on using what it gave.
            actions[number] = seat.decode(code)

    def _generator(self, seat: int, frame: int) -> Random:
        random = self._random
        random.seed(int.from_bytes(canonical.digest([self._seed, self._episode, seat, frame]), "big"))
        return random

    def _state(self) -> Any:
        assert self._contents is not None
        return self._contents.contents(self._simulation.save())
