"""One game as the page describes it: read from its JSON once, and checked.

The page names players by their ids; a seat is the index in the list of players, sorted as the page sorts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycore.actions.codec import action_codec, default_of
from pycore.bridge.seats import seat_order
from pycore.envs import RNGS, ParallelEnvAdapter
from pycore.errors import ConfigError
from pycore.frozen import Frozen
from pycore.link.negotiation import ice_configuration
from pycore.settings import Settings
from pycore.simulation import Simulation


class Game(Frozen):
    """What a bridge has to know of a game. `players` are in the order of seats, `me` is the own one."""

    game_id: str
    players: list[int | str]
    me: int
    seed: int
    settings: Settings
    ice: dict[str, Any]
    """The connections' RTCConfiguration."""
    now: float
    wall_ms: float
    joined_ms: float | None = None
    """The wall time at which the player asked for a game, where the page says so."""
    load: int = 0
    """How often the page was loaded again in this game."""
    winner: str | None = None
    """Whose points win, where the study says it: `most`, `least` or `none`."""

    @property
    def default_actions(self) -> list[Any]:
        """The default action of each seat, as the environment is given it. Raises ConfigError, ActionError."""
        found = []
        for seat in range(len(self.players)):
            codec = action_codec(self.settings.of_seat(seat, "action_space"))
            found.append(codec.decode(default_of(codec, self.settings.of_seat(seat, "default_action"))))
        return found

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Game:
        """The game of a page's JSON: `game_id`, `players`, `player_id`, `seed`, `settings`, `turn_config`,
        `ice_servers`, `now` (s), `wall_ms` (the wall time then), `joined_ms` (when the player asked for a game),
        `load` (how often the page was loaded again in it) and `winner` (`most`, `least` or `none`)."""
        players = seat_order(config["players"])
        return cls(
            game_id=str(config["game_id"]),
            players=players,
            me=[str(player) for player in players].index(str(config["player_id"])),
            seed=int(config.get("seed") or 0),
            settings=Settings.of(config.get("settings") or {}),
            ice=ice_configuration(config.get("turn_config"), config.get("ice_servers")),
            now=float(config["now"]),
            wall_ms=float(config["wall_ms"]),
            joined_ms=None if config.get("joined_ms") is None else float(config["joined_ms"]),
            load=int(config.get("load") or 0),
            winner=config.get("winner"),
        )


def rngs_of(env: Any) -> Any:
    """The generators that an environment's state does not hold: `rngs` of its metadata, otherwise all."""
    metadata = getattr(env, "metadata", None)
    return metadata.get("rngs", RNGS) if isinstance(metadata, dict) else RNGS


def simulation_of(env: Any, game: Game, rngs: Any = None) -> Simulation:
    """What the session steps: the environment itself where it has a simulation's duties, otherwise an adapter."""
    # Who is guessed is shown as well: with its observation of the state that a rollback goes back to.
    others = [player for seat, player in enumerate(game.players) if seat != game.me]
    # A policy with a reaction time is shown what is held of earlier frames, and what is held needs no snapshot.
    settings = game.settings
    at_once = [player for player in settings.policies if not settings.reaction_time(player)]
    # Whoever may be gone is shown to the policy that plays on.
    anybody = game.players if settings.stand_in is not None and not settings.stand_in_reaction else ()
    observed = tuple(dict.fromkeys([*at_once, *(others if settings.predictor is not None else ()), *anybody]))
    if isinstance(env, ParallelEnvAdapter):
        shown = {*map(str, settings.policies), *map(str, observed)}
        unseen = [player for player in game.players if str(player) in shown and player not in env.players]
        if unseen:
            raise ConfigError(
                f"the adapter's players are {list(env.players)!r}, and a policy or predictor is to see what player "
                f"{unseen[0]!r} does: name them as the game does, {game.players!r}"
            )
        env.observe(observed)
    if isinstance(env, Simulation):
        return env
    adapter = ParallelEnvAdapter(
        env, game.players, seed=game.seed, rngs=rngs_of(env) if rngs is None else rngs, observed=observed
    )
    adapter.check(default_actions=game.default_actions)
    return adapter
