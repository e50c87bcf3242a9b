"""A Chromium for the tests and the rehearsal: the one named, one installed, Playwright's, or Debian's package.

In this order, because a browser that is there costs nothing; what has to be downloaded comes last. $PYCORE_CHROMIUM
(or `--chromium`) is obeyed or refused, never silently replaced.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pycore.errors import ConfigError
from pycore.rehearsal import browsers
from pycore.rehearsal.browsers import SETTING, installed, playwrights_own, works
from tools import debian
from tools.process import Failed, Missing, run, say

COMPILER = "PYCORE_WASM"
"""`optimizing`: the pages of tests compile Pyodide as a participant's browser does."""
QUICK = {"chromium": "--js-flags=--liftoff-only", "firefox": "javascript.options.wasm_optimizingjit"}
"""How a browser is told to compile WebAssembly once and quickly. It optimizes what runs often besides, on the same two
cores: a page's Python is ready after half of the processor's time without that, and its ticks cost no more than they
did."""


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


def is_quick() -> bool:
    """Whether tests have their pages compiled quickly: unless $PYCORE_WASM says otherwise."""
    return os.environ.get(COMPILER) != "optimizing"


def options_of(name: str, options: Mapping[str, Any], path: Path, quick: bool) -> dict[str, Any]:
    """What a browser is launched with, where a test wants it launched with `options`."""
    given = dict(options)
    if quick and name == "chromium":
        given["args"] = [*(given.get("args") or ()), QUICK[name]]
    if quick and name == "firefox":
        given["firefox_user_prefs"] = {**(given.get("firefox_user_prefs") or {}), QUICK[name]: False}
    if name == "chromium" and not given.get("channel"):
        given.setdefault("executable_path", str(path))
        # Chromium refuses its sandbox to root, as in containers.
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            given.setdefault("chromium_sandbox", False)
    return given


def use_with_playwright(quick: bool = False) -> Path:
    """Make every `chromium.launch()` of Playwright in this process start the Chromium found here; every browser that is
    started compiles quickly if that is asked for (`QUICK`).

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
            given = options_of(getattr(self, "name", ""), options, path, quick)
            return _original(self, *args, **given)  # type: ignore[operator]

        launch.starts_ours = True  # type: ignore[attr-defined]
        browser_type.launch = launch  # type: ignore[method-assign,assignment]
    return path
