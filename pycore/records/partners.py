"""Policies beside a record: what they do in each of its frames, computed as the pages computed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pycore.actions.codec import action_codec
from pycore.policy import Policy
from pycore.rollback.policies import Policies, StandIn
from pycore.rollback.seats import Seat
from pycore.settings import Settings
from pycore.simulation import Simulation

__all__ = ["Partners"]


class Partners:
    """Policies that play their seats of one simulation. `policies` are by seat, and their reaction times those of the
    settings; `stand_in` is the one that plays on for who is gone."""

    def __init__(
        self,
        simulation: Simulation,
        settings: Settings,
        players: Sequence[int | str],
        policies: Mapping[int, Policy],
        seed: int,
        stand_in: Policy | None = None,
    ) -> None:
        self._own = sorted(policies)
        self.seats = self._own
        """Those that they play now."""
        self._players = [str(player) for player in players]
        self._seats = [
            Seat(
                seat, None, action_codec(settings.of_seat(seat, "action_space")),
                settings.of_seat(seat, "default_action"), 0, settings.reaction_time(player),
            )
            for seat, player in enumerate(players)
        ]  # fmt: skip
        played = [(self._seats[seat], players[seat], policies[seat]) for seat in self._own]
        gone = None if stand_in is None else StandIn(stand_in, settings.stand_in_reaction, players)
        self._policies = Policies(simulation, played, seed, stand_in=gone)

    def begin(self, episode: int) -> None:
        """Another episode."""
        self.seats = self._own
        self._policies.begin(episode)

    def take_over(self, player: str, frame: int) -> None:
        """A player is gone: from this frame of the episode on the stand-in plays, if there is one."""
        seat = self._players.index(player)
        if self._policies.take_over(self._seats[seat], frame):
            self.seats = sorted([*self.seats, seat])

    def act(self, frame: int, actions: list[Any]) -> list[bytes]:
        """Write their actions of a frame into the row, as they are played; returns them encoded, by seat. The
        simulation is in the state before it. Raises PolicyError."""
        encoded = [b""] * len(actions)
        self._policies.act(frame, encoded, actions)
        return encoded
