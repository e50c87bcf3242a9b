"""Policies that this page computes for all: what they see, and what they did last, which is sent as our inputs are.

The page's own function answers when it likes. Its action is for the frames that are fixed from then on, until it gives
another one, as a key that is held; the seat's default action stands before the first, and in each episode until there
is something to see: a policy with a reaction time is shown what is so many frames old, as this page believes it now.
"""

from __future__ import annotations

from typing import Any

from pycore.errors import ActionError
from pycore.named import COMPUTED_BY
from pycore.session.phases import PLAYING
from pycore.session.session import Session
from pycore.simulation import Observing
from pycore.values.json import plain_json


class Sent:
    """The seats beside our own whose actions come from the page."""

    def __init__(self, session: Session) -> None:
        self._session = session
        named = session.settings.computed(session.players, COMPUTED_BY[1])
        own = [seat for seat in sorted(named) if session.seats[seat].owner == session.me]
        self._place = {str(session.players[seat]): place for place, seat in enumerate(own)}
        self._seats = [session.seats[seat] for seat in own]
        self._actions = [seat.default_action for seat in self._seats]

    def row(self, action: Any) -> Any:
        """What is played in our seats: our action, and theirs behind it."""
        if not self._actions:
            return action
        frame = self._session.frame
        pairs = zip(self._seats, self._actions, strict=True)
        return [action, *[seat.default_action if frame < seat.reaction else held for seat, held in pairs]]

    def take(self, data: dict[str, Any]) -> None:
        """A policy answered: `player` and `action`. An action that is none is logged, and the last one stays."""
        place = self._place[str(data["player"])]
        codec = self._seats[place].codec
        try:
            self._actions[place] = codec.decode(codec.encode(data["action"]))
        except ActionError as error:
            self._session.log(f"the policy of player {data['player']} gave no action: {error}", "error")

    def sights(self) -> str:
        """What each of them is shown now, as JSON by player: `observation`, the `frame` that is stepped next and its
        `episode`; no player where nothing is played, and none within its reaction time."""
        session = self._session
        simulation = session.simulation
        if not self._place or session.phase != PLAYING or not isinstance(simulation, Observing):
            return "{}"
        frame = session.frame
        return plain_json({
            player: {"observation": self._seen(place, frame), "frame": frame, "episode": session.episode}
            for player, place in self._place.items()
            if frame >= self._seats[place].reaction
        })

    def _seen(self, place: int, frame: int) -> Any:
        player = self._player(place)
        reaction = self._seats[place].reaction
        if not reaction:
            simulation: Any = self._session.simulation
            return simulation.observations.get(player)
        policies = self._session.timeline.policies
        assert policies is not None
        return policies.seen(player, frame - reaction)

    def _player(self, place: int) -> int | str:
        player: int | str = self._session.players[self._seats[place].number]
        return player
