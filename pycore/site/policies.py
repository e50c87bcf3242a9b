"""The policies and the predictor of a study in its page: which files they are in, and what the page imports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pycore.factory import POLICY, PREDICTOR, parts_of
from pycore.named import COMPUTED_BY, SCRIPTS
from pycore.settings import PARTNERS, Settings
from pycore.site.failing import SiteFailed


def is_script(policy: str) -> bool:
    """Whether the text that names a policy is the name of a script, which the page loads."""
    return policy.endswith(SCRIPTS)


def without_script(settings: Settings) -> list[str]:
    """The players whose policies one page computes and no script is named for: the study's page has to have them."""
    return [
        player for player, of in settings.policies.items()
        if of["computed_by"] == COMPUTED_BY[1] and not is_script(of["policy"])
    ]  # fmt: skip


class PagePolicies(NamedTuple):
    """What the page has to know of policies, and what it has to have."""

    manifest: dict[str, dict[str, str]]
    """By player: `module` and `factory`, of those that every page computes."""
    predictor: dict[str, str] | None
    """`module` and `factory`; None: there is none."""
    stand_in: dict[str, str] | None
    """The same of what plays on for who is gone."""
    scripts: dict[str, str]
    """By player, the script's name beside the environment, of those that one page computes."""
    files: list[Path]


def policies_of(settings: Mapping[str, Any], game: Path | None) -> PagePolicies:
    """Those of a study's settings. Their files lie in the folder of `game`, the environment's file. Raises SiteFailed,
    ConfigError."""
    files: list[Path] = []

    def beside(place: str, what: str) -> None:
        if game is None:
            raise SiteFailed(f"{what} {place} is a file, and there is none of an environment beside it")
        path = game.resolve().parent / place
        if not path.is_file():
            raise SiteFailed(f"there is no {place} beside {game.name}; {what} is in it")
        if path not in files:
            files.append(path)

    def placed(text: str, default: str, what: str) -> dict[str, str]:
        place, factory = parts_of(text, default)
        if place.endswith(".py"):
            beside(place, what)
            place = ".".join(Path(place).with_suffix("").parts)
        return {"module": place, "factory": factory}

    named = {name: settings[name] for name in (*PARTNERS, "prediction") if name in settings}
    read = Settings.of(named)
    manifest, scripts = {}, {}
    for player, of in read.policies.items():
        what = f"the policy of player {player}"
        if of["computed_by"] == COMPUTED_BY[0]:
            manifest[player] = placed(of["policy"], POLICY, what)
        elif is_script(of["policy"]):  # otherwise it is the page's own function, which its HTML brings along
            beside(of["policy"], what)
            scripts[player] = of["policy"]
    predictor = None if read.predictor is None else placed(read.predictor, PREDICTOR, "the predictor")
    stand_in = None
    if read.stand_in is not None:
        stand_in = placed(read.stand_in["policy"], POLICY, "the policy for who is gone")
    return PagePolicies(manifest, predictor, stand_in, scripts, files)
