"""A study's file, study.json: the settings of its sessions, and beside them what its page is told.

One JSON object has both. The settings (`pycore.settings.Settings`) are the relay's, which hands them to every page; the
page's part goes into the site. `Study.of` tells them apart, and refuses what neither knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pycore.errors import ConfigError, nearest
from pycore.relay.settings import read_settings
from pycore.settings import MAX_SEATS, Settings

PAGE: Final = ("title", "intro", "action_mapping", "packages", "players", "ice_servers")
"""The names in a study's file that are no settings of a session."""


class Study(NamedTuple):
    """What a study's file says."""

    settings: dict[str, Any]
    """For the relay, as they were given: it checks them."""
    title: str = ""
    intro: str = ""
    action_mapping: dict[str, Any] | None = None
    """Actions by key, or by several joined with commas; None: the page's own."""
    packages: tuple[str, ...] = ()
    """What the environment imports beyond the standard library: names, requirements, or paths of wheels."""
    players: int | None = None
    """People per game; None: as many as the environment has agents."""
    ice_servers: tuple[Any, ...] = ()
    """STUN and TURN servers, as RTCPeerConnection takes them."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Study:
        """The study of a JSON object. Raises ConfigError, naming the value."""
        for name in values:
            if name not in PAGE and name not in Settings.fields:
                raise ConfigError(f"unknown setting {name!r}; {nearest(name, [*PAGE, *Settings.fields])}")
        page = {name: values[name] for name in PAGE if name in values}
        for name in ("title", "intro"):
            _be(isinstance(page.get(name, ""), str), name, page, "a text")
        mapping = page.get("action_mapping")
        _be(mapping is None or (isinstance(mapping, Mapping) and bool(mapping)), "action_mapping", page,
            'an object of actions by key, as {"ArrowLeft": 1, "ArrowRight": 2}')  # fmt: skip
        packages = page.get("packages", ())
        _be(isinstance(packages, (list, tuple)) and all(isinstance(name, str) and name for name in packages),
            "packages", page, 'a list of names, as ["numpy", "pettingzoo"]')  # fmt: skip
        players = page.get("players")
        _be(players is None or (type(players) is int and 1 <= players <= MAX_SEATS), "players", page,
            f"a number from 1 to {MAX_SEATS}")  # fmt: skip
        servers = page.get("ice_servers", ())
        _be(isinstance(servers, (list, tuple)), "ice_servers", page, 'a list, as [{"urls": "stun:stun.example.org"}]')
        return cls(
            settings={name: value for name, value in values.items() if name not in PAGE},
            title=page.get("title", ""),
            intro=page.get("intro", ""),
            action_mapping=None if mapping is None else dict(mapping),
            packages=tuple(packages),
            players=players,
            ice_servers=tuple(servers),
        )

    @classmethod
    def read(cls, file: Path) -> Study:
        """The study of a file. Wheels that it names by a relative path lie relative to it. Raises ConfigError."""
        study = cls.of(read_settings(file))
        return study._replace(packages=tuple(_beside(file, package) for package in study.packages))


def _beside(file: Path, package: str) -> str:
    return str(file.parent / package) if package.endswith(".whl") else package


def _be(right: bool, name: str, page: Mapping[str, Any], what: str) -> None:
    if not right:
        raise ConfigError(f"{name} is {page[name]!r:.80}; it must be {what}")
