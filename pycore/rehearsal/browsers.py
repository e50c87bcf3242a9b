"""A Chromium that is on this machine, and pages in it, each in a context of its own.

$PYCORE_CHROMIUM, or what a caller names, is obeyed or refused, never silently replaced. Playwright is imported when a
page is opened, so that nothing else of pycore needs it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from pycore.errors import ConfigError

SETTING: Final = "PYCORE_CHROMIUM"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MAC_APPS: Final = ("Chromium", "Google Chrome", "Microsoft Edge")
WINDOWS_PATHS: Final = (
    r"Chromium\Application\chrome.exe",
    r"Google\Chrome\Application\chrome.exe",
    r"Microsoft\Edge\Application\msedge.exe",
)
START_TIMEOUT: Final = 60.0
"""Seconds until a browser must have said its version."""
HOW: Final = (
    "install chromium or google-chrome, or run: python -m playwright install chromium; or name a browser with "
    f"--chromium or ${SETTING}"
)
EXTRA: Final = "playwright is not installed; a rehearsal needs: pip install 'interactive-gym-pycore[rehearse]'"


def works(path: str | Path) -> bool:
    """Whether this is a browser that starts. On Windows it opens a window when asked, so there it is believed."""
    if not Path(path).is_file():
        return False
    if os.name == "nt":
        return True
    try:
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=START_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.returncode == 0 and any(character.isdigit() for character in said.stdout)


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
    if os.name == "nt":
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


def find(explicit: str | Path | None = None, own: Callable[[], Path | None] = playwrights_own) -> Path | None:
    """A Chromium that is already on this machine, or None; ConfigError for a named one that does not start."""
    named = explicit or os.environ.get(SETTING)
    if named:
        path = shutil.which(named) or named
        if not works(path):
            raise ConfigError(f"{named} (from --chromium or ${SETTING}) is not a browser that starts")
        return Path(path)
    for candidate in installed():
        if works(candidate):
            return candidate
    found = own()
    return found if found and works(found) else None


def ready(explicit: str | Path | None = None) -> Path:
    """The same, or ConfigError with what to install; so that nothing is built before it is known."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError as error:
        raise ConfigError(EXTRA) from error
    found = find(explicit)
    if found is None:
        raise ConfigError(f"there is no Chromium: {HOW}")
    return found


class Browser:
    """A running browser; every page of it is a participant of its own."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    def page(self) -> Any:
        """A new page in a context of its own."""
        return self._browser.new_context(viewport={"width": 960, "height": 720}).new_page()


@contextlib.contextmanager
def browser(chromium: Path | None) -> Iterator[Browser]:
    """A headless browser (None: Playwright's own)."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise ConfigError(EXTRA) from error
    with sync_playwright() as playwright:
        try:
            running = playwright.chromium.launch(executable_path=None if chromium is None else str(chromium))
        except Exception as error:
            raise ConfigError(f"{chromium or 'Chromium'} does not start: {_first(error)}; {HOW}") from error
        try:
            yield Browser(running)
        finally:
            running.close()


def _first(error: Exception) -> str:
    """The first line that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
