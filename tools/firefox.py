"""A Firefox for the tests and the rehearsal: the one named, one installed, or Debian's package."""

from __future__ import annotations

import os
from pathlib import Path

from pycore.errors import ConfigError
from pycore.rehearsal.browsers import FIREFOX_SETTING, HOW_FIREFOX, find_firefox
from tools import debian
from tools.process import Missing


def find() -> Path | None:
    """A Firefox, installed if need be and possible. One that was named and does not start raises `Missing`."""
    try:
        found = find_firefox()
        if found is None and debian.install("firefox-esr"):
            found = find_firefox()
    except ConfigError as error:
        raise Missing(str(error)) from error
    if found is not None:
        os.environ[FIREFOX_SETTING] = str(found)
    return found


def ensure() -> Path:
    """The same, or `Missing`; the setting is put into the environment for child processes."""
    if (found := find()) is None:
        raise Missing(f"no Firefox: {HOW_FIREFOX}")
    return found
