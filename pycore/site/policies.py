"""The policies of a study in its page: which files they are in, and what the page imports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pycore.factory import POLICY, parts_of
from pycore.settings import COMPUTED_BY, Settings
from pycore.site.failing import SiteFailed


class PagePolicies(NamedTuple):
    """What the page has to know of policies, and what it has to have."""

    manifest: dict[str, dict[str, str]]
    """By player: `module` and `factory`, of those that every page computes."""
    files: list[Path]


def policies_of(settings: Mapping[str, Any], game: Path | None) -> PagePolicies:
    """The policies of a study's settings. Their files lie in the folder of `game`, the environment's file. Raises
    SiteFailed, ConfigError."""
    manifest: dict[str, dict[str, str]] = {}
    files: list[Path] = []
    for player, of in Settings.of({"policies": settings.get("policies", {})}).policies.items():
        if of["computed_by"] != COMPUTED_BY[0]:
            continue  # the page's own function, which its HTML brings along
        place, factory = parts_of(of["policy"], POLICY)
        if place.endswith(".py"):
            if game is None:
                raise SiteFailed(f"the policy {of['policy']} is a file, and there is none of an environment beside it")
            path = game.resolve().parent / place
            if not path.is_file():
                raise SiteFailed(f"there is no {place} beside {game.name}; the policy of player {player} is in it")
            files.append(path)
            place = ".".join(Path(place).with_suffix("").parts)
        manifest[player] = {"module": place, "factory": factory}
    return PagePolicies(manifest, files)
