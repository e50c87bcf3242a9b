"""Checks a study's settings before anybody waits in front of them.

The settings travel to every page as `scene_metadata` and become the session's `Settings` there; a page that
refuses them does so in front of a participant. So they are refused here, when the relay starts.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pycore.errors import ConfigError, UsageError
from pycore.settings import Settings


def check_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings, known to be good; raises `ConfigError`, naming the nearest known setting."""
    known = list(Settings.fields)
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise ConfigError(f"unknown setting {name!r}{hint}")
    try:
        Settings.of(values)
        text = json.dumps(dict(values), allow_nan=False)
    except UsageError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"a setting is of the wrong type: {error}") from error
    checked: dict[str, Any] = json.loads(text)
    return checked
