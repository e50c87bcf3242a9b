"""The simulation that a record is stepped with: the researcher's environment, as the page would make one of it.

What hashes cover depends on the action space, so the settings must be those of the game. A record's header has their
digest: of those that are at hand, the ones that fit it are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pycore.actions.codec import ActionCodec, action_codec
from pycore.bridge.game import Game, simulation_of
from pycore.errors import ConfigError
from pycore.export.files import ABOUT, read_about
from pycore.records.reader import RecordError
from pycore.settings import Settings
from pycore.simulation import Simulation
from pycore.site.study import Study
from pycore.values import canonical


class Chosen(NamedTuple):
    """Settings, where they come from, and whether they are those of the game."""

    settings: Settings
    source: str
    fit: bool
    named: bool
    """Whether somebody said that it is these."""

    @property
    def doubt(self) -> str:
        """What is to be said of settings that somebody named and that the game did not have; empty otherwise."""
        if self.fit or not self.named:
            return ""
        return f"the settings ({self.source}) are not those of the game, by the digest in its header"


def settings_for(header: Mapping[str, Any], given: Path | None, module: ModuleType, folder: Path) -> Chosen:
    """The settings of a record: from a file that was given, otherwise those of the game's folder, the environment's
    module or the defaults, whichever fit the digest in the header."""
    if given is not None:
        return _chosen(header, _of(Study.read(given).settings, str(given)), str(given), True)
    at_hand: list[tuple[Mapping[str, Any], str]] = []
    if (folder / ABOUT).is_file():
        at_hand.append((read_about(folder / ABOUT)["settings"], str(folder / ABOUT)))
    own = getattr(module, "SETTINGS", None)
    if own is not None:
        source = f"SETTINGS of {module.__name__}"
        if isinstance(own, Settings):
            own = own.as_dict()
        if not isinstance(own, Mapping):
            raise ConfigError(f"{source} is a {type(own).__name__}; it must be a dictionary of settings")
        at_hand.append((own, source))
    at_hand.append(({}, "the defaults"))
    found = [_chosen(header, _of(values, source), source) for values, source in at_hand]
    return next((each for each in found if each.fit), found[0])


def _chosen(header: Mapping[str, Any], settings: Settings, source: str, named: bool = False) -> Chosen:
    configuration = {**settings.agreed(), "seed": header["seed"], "players": header["players"]}
    return Chosen(settings, source, canonical.digest(configuration).hex() == header.get("configuration"), named)


def simulation_for(
    header: Mapping[str, Any], make: Callable[[], Any], settings: Settings
) -> tuple[Simulation, list[ActionCodec]]:
    """The simulation of a record's players and seed, as a page makes it, and the codecs of the seats."""
    players = header["players"]
    game = Game(
        game_id=str(header.get("game_id")), players=players, me=0, seed=header["seed"], settings=settings, ice={},
        now=0.0, wall_ms=0.0,
    )  # fmt: skip
    codecs = [action_codec(settings.of_seat(seat, "action_space")) for seat in range(len(players))]
    return simulation_of(make(), game), codecs


def _of(values: Mapping[str, Any], source: str) -> Settings:
    try:
        return Settings.of(values)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    except (TypeError, ValueError) as error:
        raise RecordError(1, f"settings of a wrong type: {error}", source) from error
