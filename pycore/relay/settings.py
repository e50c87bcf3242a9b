"""Checks a study's settings before anybody waits in front of them.

The settings travel to every page as `scene_metadata` and become the session's `Settings` there; a page that
refuses them does so in front of a participant. So they are refused here, when the relay starts.

A file of settings is one JSON object of them, or what the relay keeps of a game (`game.json`), which has them inside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pycore.actions.codec import action_codec, default_of
from pycore.errors import ActionError, ConfigError, UsageError
from pycore.named import COMPUTED_BY
from pycore.settings import Settings


def who_plays(settings: Mapping[str, Any], players: Sequence[int | str]) -> tuple[list[int | str], list[int | str]]:
    """Of a game's players those for whom no policy plays, and those whose policy the first one's page computes. Raises
    ConfigError for policies of nobody, and where nobody is left."""
    read = Settings.of(settings)
    read.computed(players)
    return read.people(players), [players[seat] for seat in read.computed(players, COMPUTED_BY[1])]


def read_settings(file: Path) -> dict[str, Any]:
    """The settings that a file has, unchecked. Raises `ConfigError`."""
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read the settings {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the settings {file} are not JSON: {error}") from error
    if isinstance(values, dict) and "game_id" in values and isinstance(values.get("settings"), dict):
        values = values["settings"]
    if not isinstance(values, dict):
        raise ConfigError(f"the settings {file} are not a JSON object")
    return values


def check_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings as JSON has them, known to be good: action spaces are in their plain form, and the default
    action of every seat is in its space. Raises `ConfigError`, naming the setting, or the nearest known one."""
    try:
        settings = Settings.of(values)
        # What is given, as the settings have it: an object of gymnasium, or an integer of numpy, is no JSON.
        text = json.dumps({name: getattr(settings, name) for name in values}, allow_nan=False)
    except UsageError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{_culprit(values)} is of the wrong type: {error}") from error
    for seat in range(max(1, len(settings.seats))):
        _check_actions(settings, seat)
    checked: dict[str, Any] = json.loads(text)
    return checked


def _culprit(values: Mapping[str, Any]) -> str:
    """The first setting that is at fault by itself."""
    for name, value in values.items():
        try:
            json.dumps(getattr(Settings.of({name: value}), name), allow_nan=False)
        except UsageError:  # it wants another one beside it
            continue
        except (TypeError, ValueError, RecursionError):
            return name
    return "a setting"


def _check_actions(settings: Settings, seat: int) -> None:
    """A seat needs a codec, and a default action that it can encode."""
    own = settings.seats[seat] if seat < len(settings.seats) else {}
    try:
        codec = action_codec(settings.of_seat(seat, "action_space"))
    except ConfigError as error:
        name = f"seats[{seat}].action_space" if "action_space" in own else "action_space"
        raise ConfigError(f"{name}: {error}") from error
    name = f"seats[{seat}].default_action" if "default_action" in own else "default_action"
    try:
        default_of(codec, settings.of_seat(seat, "default_action"), name)
    except ActionError as error:
        raise ConfigError(str(error)) from error
