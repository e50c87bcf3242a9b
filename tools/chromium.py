"""A Chromium for the tests and the rehearsal: the one named, one installed, Playwright's, or Debian's package.

In this order, because a browser that is there costs nothing; what has to be downloaded comes last. $PYCORE_CHROMIUM
(or `--chromium`) is obeyed or refused, never silently replaced.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import debian
from tools.process import Failed, Missing, is_windows, run, say

SETTING = "PYCORE_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MAC_APPS = ("Chromium", "Google Chrome", "Microsoft Edge")
WINDOWS_PATHS = (
    r"Chromium\Application\chrome.exe",
    r"Google\Chrome\Application\chrome.exe",
    r"Microsoft\Edge\Application\msedge.exe",
)


def works(path: str | Path) -> bool:
    """Whether this is a browser that starts. On Windows it opens a window when asked, so there it is believed."""
    if not Path(path).is_file():
        return False
    if is_windows():
        return True
    try:
        return any(character.isdigit() for character in run([path, "--version"], timeout=60))
    except Failed:
        return False


def installed() -> Iterator[Path]:
    """Where a browser of this family may be installed."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            yield Path(found)
    if sys.platform == "darwin":
        for root in (Path("/Applications"), Path.home() / "Applications"):
            for name in MAC_APPS:
                yield root / f"{name}.app" / "Contents" / "MacOS" / name
    if is_windows():
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            root_name = os.environ.get(variable)
            if root_name:
                for tail in WINDOWS_PATHS:
                    yield Path(root_name) / tail


def playwrights_own() -> Path | None:
    """The browser that Playwright downloaded earlier, if Playwright is there and has one."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.is_file() else None


def find(explicit: str | None = None) -> Path | None:
    """A Chromium that is already on this machine, or None. An explicit one that does not work raises `Missing`."""
    explicit = explicit or os.environ.get(SETTING)
    if explicit:
        path = shutil.which(explicit) or explicit
        if not works(path):
            raise Missing(f"{explicit} (from --chromium or ${SETTING}) is not a browser that starts")
        return Path(path)
    for candidate in installed():
        if works(candidate):
            return candidate
    own = playwrights_own()
    return own if own and works(own) else None


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
