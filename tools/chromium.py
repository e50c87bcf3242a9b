"""A Chromium for the tests and the rehearsal: the one named, one installed, Playwright's, or Debian's package.

In this order, because a browser that is there costs nothing; what has to be downloaded comes last. $PYCORE_CHROMIUM
(or `--chromium`) is obeyed or refused, never silently replaced.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pycore.errors import ConfigError
from pycore.rehearsal import browsers
from pycore.rehearsal.browsers import SETTING, installed, playwrights_own, works
from tools import debian
from tools.process import Failed, Missing, run, say


def find(explicit: str | None = None) -> Path | None:
    """A Chromium that is already on this machine, or None. An explicit one that does not work raises `Missing`."""
    try:
        return browsers.find(explicit, playwrights_own)
    except ConfigError as error:
        raise Missing(str(error)) from error


def download() -> Path | None:
    """Playwright's own Chromium."""
    say("no Chromium found; trying Playwright's download")
    try:
        run([sys.executable, "-m", "playwright", "install", "chromium"], timeout=600)
    except Failed as error:
        say(f"that did not work: {debian.gist(error)}")
        return None
    own = playwrights_own()
    if own and not works(own):
        say("it was downloaded, but libraries of the system that it needs are missing")
        return None
    return own


def from_debian() -> Path | None:
    """Debian's package, where that can be installed."""
    if not debian.install("chromium"):
        return None
    return next((path for path in installed() if works(path)), None)


def ensure(explicit: str | None = None) -> Path:
    """A Chromium, obtained if need be; the setting is put into the environment for child processes."""
    path = find(explicit) or download() or from_debian()
    if path is None:
        raise Missing(
            "No Chromium. Install chromium or google-chrome, or name one with --chromium or "
            f"${SETTING}; Playwright's download and, for root on Debian, the package chromium were tried."
        )
    os.environ[SETTING] = str(path)
    return path


def use_with_playwright() -> Path:
    """Make every `chromium.launch()` of Playwright in this process start the Chromium found here.

    Playwright knows no setting for it (it ignores environment variables), and pytest-pyodide launches the browser
    itself, so `BrowserType.launch` is wrapped. A test that names an executable keeps its own.
    """
    from playwright.async_api import BrowserType as AsyncBrowserType
    from playwright.sync_api import BrowserType

    path = ensure()
    for browser_type in (BrowserType, AsyncBrowserType):
        original = browser_type.launch
        if getattr(original, "starts_ours", False):
            continue

        def launch(self: object, *args: object, _original: object = original, **options: object) -> object:
            if getattr(self, "name", "") == "chromium" and not options.get("channel"):
                options.setdefault("executable_path", str(path))
                # Chromium refuses its sandbox to root, as in containers.
                if hasattr(os, "geteuid") and os.geteuid() == 0:
                    options.setdefault("chromium_sandbox", False)
            return _original(self, *args, **options)  # type: ignore[operator]

        launch.starts_ours = True  # type: ignore[attr-defined]
        browser_type.launch = launch  # type: ignore[method-assign,assignment]
    return path
