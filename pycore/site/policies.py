"""The policies and the predictor of a study in its page: which files they are in, and what the page imports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pycore.factory import POLICY, PREDICTOR, parts_of
from pycore.settings import COMPUTED_BY, Settings
from pycore.site.failing import SiteFailed


class PagePolicies(NamedTuple):
    """What the page has to know of policies, and what it has to have."""

    manifest: dict[str, dict[str, str]]
    """By player: `module` and `factory`, of those that every page computes."""
    predictor: dict[str, str] | None
    """`module` and `factory`; None: there is none."""
    files: list[Path]


def policies_of(settings: Mapping[str, Any], game: Path | None) -> PagePolicies:
    """Those of a study's settings. Their files lie in the folder of `game`, the environment's file. Raises SiteFailed,
    ConfigError."""
    files: list[Path] = []

    def placed(text: str, default: str, what: str) -> dict[str, str]:
        place, factory = parts_of(text, default)
        if place.endswith(".py"):
            if game is None:
                raise SiteFailed(f"{what} {text} is a file, and there is none of an environment beside it")
            path = game.resolve().parent / place
            if not path.is_file():
                raise SiteFailed(f"there is no {place} beside {game.name}; {what} is in it")
            if path not in files:
                files.append(path)
            place = ".".join(Path(place).with_suffix("").parts)
        return {"module": place, "factory": factory}

    named = {name: settings[name] for name in ("policies", "prediction") if name in settings}
    read = Settings.of(named)
    manifest = {
        player: placed(of["policy"], POLICY, f"the policy of player {player}")
        for player, of in read.policies.items()
        if of["computed_by"] == COMPUTED_BY[0]  # otherwise it is the page's own function, which its HTML brings along
    }
    predictor = None if read.predictor is None else placed(read.predictor, PREDICTOR, "the predictor")
    return PagePolicies(manifest, predictor, files)
