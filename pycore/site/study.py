"""A study's file, study.json: the settings of its sessions, and beside them what its page is told.

One JSON object has all. The settings (`pycore.settings.Settings`) are the relay's, which hands them to every page; the
page's part goes into the site; how people are paired, and the relay's bounds, are its own alone. `Study.of` tells them
apart, and refuses what none of them knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pycore.errors import ConfigError, nearest
from pycore.relay.limits import limits_of
from pycore.relay.matching import beside
from pycore.relay.people.recruiting import RECRUITING, Recruiting
from pycore.relay.settings import read_settings
from pycore.settings import MAX_SEATS, Settings
from pycore.site.images import placed
from pycore.site.keys import singles
from pycore.site.wording import USUAL, worded

PAGE: Final = (
    "title", "intro", "action_mapping", "action_names", "packages", "players", "ice_servers", "language", "texts",
    "view", "winner", "smooth_corrections", "assets_to_preload", "world",
)  # fmt: skip
"""The names in a study's file that are no settings of a session."""
LIMITS: Final = "limits"
SERVER: Final = (*RECRUITING, LIMITS)
"""The names that are the relay's alone."""
VIEWS: Final = ("participant", "developer")
WINNERS: Final = ("most", "least", "none")


class Study(NamedTuple):
    """What a study's file says."""

    settings: dict[str, Any]
    """For the relay, as they were given: it checks them."""
    title: str = ""
    intro: str = ""
    action_mapping: dict[str, Any] | None = None
    """Actions by key, or by several joined with commas; None: the page's own."""
    action_names: dict[str, str] = {}  # noqa: RUF012 - a named tuple's default is never written to
    """What the keys of the mapping do, in a word each: {"ArrowUp": "jump"}."""
    packages: tuple[str, ...] = ()
    """What the environment imports beyond the standard library: names, requirements, or paths of wheels."""
    players: int | None = None
    """People per game; None: as many as the environment has agents."""
    ice_servers: tuple[Any, ...] = ()
    """STUN and TURN servers, as RTCPeerConnection takes them."""
    language: str = USUAL
    """In which the page speaks."""
    texts: dict[str, Any] = {}  # noqa: RUF012
    """Texts of the page by name, in the place of pycore's (`pycore.site.wording`)."""
    view: str = VIEWS[0]
    """What the page shows: to a `participant` the game alone, to a `developer` connections and rollbacks, too."""
    smooth_corrections: float | None = None
    """Seconds within which what a rollback has corrected is seen in full, 0 to 1; None: the page's own, 0.1."""
    assets_to_preload: tuple[dict[str, Any], ...] = ()
    """The pictures that sprites show (`pycore.site.images`)."""
    world: tuple[float, float] | None = None
    """Width and height of the picture, in the units of its objects; None: 600 and 400."""
    recruiting: dict[str, Any] = {}  # noqa: RUF012
    """How people are paired, and where they go afterwards (`pycore.relay.people.recruiting`), as it was given."""
    limits: dict[str, float] = {}  # noqa: RUF012
    """Bounds of the relay (`pycore.relay.Limits`), by name, where the call that starts it sets none."""
    winner: str | None = None
    """Whose points win: `most`, `least` or `none`. None: most, where the environment says a score by player."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Study:
        """The study of a JSON object. Raises ConfigError, naming the value."""
        for name in values:
            if name not in PAGE and name not in SERVER and name not in Settings.fields:
                raise ConfigError(f"unknown setting {name!r}; {nearest(name, [*PAGE, *SERVER, *Settings.fields])}")
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
        texts = page.get("texts", {})
        _be(isinstance(texts, Mapping), "texts", page,
            'an object of texts by name, as {"start.play": "Begin"}, or the name of a file with one')  # fmt: skip
        language = page.get("language", USUAL)
        worded(language, texts)
        _be(page.get("view", VIEWS[0]) in VIEWS, "view", page, "'participant' or 'developer'")
        smooth = page.get("smooth_corrections")
        _be(smooth is None or (type(smooth) in (int, float) and 0 <= smooth <= 1), "smooth_corrections", page,
            "seconds, from 0 (a correction is seen at once) to 1")  # fmt: skip
        _be(page.get("winner") in (None, *WINNERS), "winner", page, "'most', 'least' or 'none'")
        assets = page.get("assets_to_preload", ())
        _be(isinstance(assets, (list, tuple)) and all(isinstance(spec, Mapping) for spec in assets),
            "assets_to_preload", page,
            'a list, as [{"object_type": "img_spec", "name": "ball", "img_path": "ball.png"}]')  # fmt: skip
        world = page.get("world")
        _be(world is None or (isinstance(world, (list, tuple)) and len(world) == 2
            and all(type(side) in (int, float) and 0 < side < 1e5 for side in world)), "world", page,
            "a width and a height, as [600, 400]")  # fmt: skip
        recruiting = {name: values[name] for name in RECRUITING if name in values}
        return cls(
            settings={name: value for name, value in values.items() if name not in (*PAGE, *SERVER)},
            title=page.get("title", ""),
            intro=page.get("intro", ""),
            action_mapping=None if mapping is None else dict(mapping),
            action_names=_named(page, mapping),
            packages=tuple(packages),
            players=players,
            ice_servers=tuple(servers),
            language=language,
            texts=dict(texts),
            view=page.get("view", VIEWS[0]),
            smooth_corrections=smooth,
            winner=page.get("winner"),
            assets_to_preload=tuple(map(dict, assets)),
            world=None if world is None else (world[0], world[1]),
            recruiting=recruiting,
            limits=limits_of("limits.", values.get(LIMITS, {})),
        )

    @classmethod
    def read(cls, file: Path) -> Study:
        """The study of a file. What it names by a relative path, wheels and a file of texts, lies relative to it.
        Raises ConfigError."""
        values = dict(read_settings(file))
        if isinstance(values.get("texts"), str):
            values["texts"] = read_settings(file.parent / values["texts"])
        study = cls.of(values)
        if "matcher" in study.recruiting:
            study.recruiting["matcher"] = beside(file.parent, study.recruiting["matcher"])
        Recruiting.of(study.recruiting)
        return study._replace(
            packages=tuple(_beside(file, package) for package in study.packages),
            assets_to_preload=placed(study.assets_to_preload, file.parent),
        )


def _beside(file: Path, package: str) -> str:
    return str(file.parent / package) if package.endswith(".whl") else package


def _named(page: Mapping[str, Any], mapping: Mapping[str, Any] | None) -> dict[str, str]:
    """What the keys do. A name for a key that nothing is mapped to would never be read."""
    names = page.get("action_names", {})
    _be(isinstance(names, Mapping) and all(isinstance(name, str) for name in names.values()), "action_names", page,
        'an object of words by key, as {"ArrowUp": "jump"}')  # fmt: skip
    if names and mapping is None:
        raise ConfigError("action_names says what keys do, and there is no action_mapping that has them")
    keys = singles(mapping or ())
    for key in names:
        if key not in keys:
            raise ConfigError(f"action_names has {key!r}, which is no key of the action_mapping; {nearest(key, keys)}")
    return dict(names)


def _be(right: bool, name: str, page: Mapping[str, Any], what: str) -> None:
    if not right:
        raise ConfigError(f"{name} is {page[name]!r:.80}; it must be {what}")
