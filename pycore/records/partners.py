"""Policies beside a record: what they do in each of its frames, computed as the pages computed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pycore.actions.codec import action_codec
from pycore.policy import Policy
from pycore.rollback.policies import Policies
from pycore.rollback.seats import Seat
from pycore.settings import Settings
from pycore.simulation import Simulation

__all__ = ["Partners"]


class Partners:
    """Policies that play their seats of one simulation. `policies` are by seat, and their reaction times those of the
    settings."""

    def __init__(
        self,
        simulation: Simulation,
        settings: Settings,
        players: Sequence[int | str],
        policies: Mapping[int, Policy],
        seed: int,
    ) -> None:
        self.seats = sorted(policies)
        played = [
            (
                Seat(
                    seat, None, action_codec(settings.of_seat(seat, "action_space")),
                    settings.of_seat(seat, "default_action"), 0, settings.reaction_time(players[seat]),
                ),
                players[seat],
                policies[seat],
            )
            for seat in self.seats
        ]  # fmt: skip
        self._policies = Policies(simulation, played, seed)

    def begin(self, episode: int) -> None:
        """Another episode."""
        self._policies.begin(episode)

    def act(self, frame: int, actions: list[Any]) -> list[bytes]:
        """Write their actions of a frame into the row, as they are played; returns them encoded, by seat. The
        simulation is in the state before it. Raises PolicyError."""
        encoded = [b""] * len(actions)
        self._policies.act(frame, encoded, actions)
        return encoded
