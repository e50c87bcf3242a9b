"""Browsers that are on this machine, and pages in them, each in a context of its own.

$PYCORE_CHROMIUM and $PYCORE_FIREFOX, or what a caller names, are obeyed or refused, never silently replaced. Playwright
is imported when a page is opened, so that nothing else of pycore needs it. It drives the Firefox that people have by
WebDriver BiDi, which it calls the channel `moz-firefox`; its versions 1.65.0 to 1.65.2 fail to.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from pycore.errors import ConfigError

CHROMIUM: Final = "chromium"
FIREFOX: Final = "firefox"
WEBKIT: Final = "webkit"
"""Whoever rehearses in one brings it along: on most systems nobody has one, and none is driven here."""
ENGINES: Final = (CHROMIUM, FIREFOX)
SETTING: Final = "PYCORE_CHROMIUM"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MAC_APPS: Final = ("Chromium", "Google Chrome", "Microsoft Edge")
WINDOWS_PATHS: Final = (
    r"Chromium\Application\chrome.exe",
    r"Google\Chrome\Application\chrome.exe",
    r"Microsoft\Edge\Application\msedge.exe",
)
FIREFOX_SETTING: Final = "PYCORE_FIREFOX"
FIREFOX_NAMES: Final = ("firefox-esr", "firefox")
FIREFOX_PREFERENCES: Final[dict[str, bool | int | str]] = {
    # Playwright keeps every tab awake; a participant's hidden tab has its timers throttled.
    "dom.min_background_timeout_value": 1000,
    "dom.min_background_timeout_value_without_budget_throttling": 1000,
    "dom.timeout.enable_budget_timer_throttling": True,
    "layout.testing.top-level-always-active": False,
    # A TURN server on this machine is no participant's, and Firefox would not ask one.
    "media.peerconnection.ice.loopback": True,
}
START_TIMEOUT: Final = 60.0
"""Seconds until a browser must have said its version."""
HOW: Final = (
    "install chromium or google-chrome, or run: python -m playwright install chromium; or name a browser with "
    f"--chromium or ${SETTING}"
)
HOW_FIREFOX: Final = (
    f"install firefox or firefox-esr (Debian: apt-get install firefox-esr), or name one by ${FIREFOX_SETTING}"
)
UNOPENED: Final = f"{WEBKIT} is not opened by this command; it opens {' and '.join(ENGINES)}"
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


def installed_firefoxes() -> Iterator[Path]:
    """Where a Firefox may be installed."""
    for name in FIREFOX_NAMES:
        if found := shutil.which(name):
            yield Path(found)
    if sys.platform == "darwin":
        for root in (Path("/Applications"), Path.home() / "Applications"):
            yield root / "Firefox.app" / "Contents" / "MacOS" / "firefox"
    if os.name == "nt":
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            if root_name := os.environ.get(variable):
                yield Path(root_name) / r"Mozilla Firefox\firefox.exe"


def find_firefox() -> Path | None:
    """A Firefox that is already on this machine, or None; ConfigError for a named one that does not start."""
    if named := os.environ.get(FIREFOX_SETTING):
        path = shutil.which(named) or named
        if not works(path):
            raise ConfigError(f"{named} (from ${FIREFOX_SETTING}) is not a browser that starts")
        return Path(path)
    return next((path for path in installed_firefoxes() if works(path)), None)


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


def all_ready(engines: Collection[str], chromium: str | Path | None = None) -> dict[str, Path]:
    """Where each of these engines is, or ConfigError with what to install."""
    if WEBKIT in engines:
        raise ConfigError(UNOPENED)
    found = {CHROMIUM: ready(chromium)} if CHROMIUM in engines or chromium else {}
    if FIREFOX in engines:
        if (path := find_firefox()) is None:
            raise ConfigError(f"there is no Firefox: {HOW_FIREFOX}")
        found[FIREFOX] = path
    return found


class Pages(Protocol):
    """Opens pages for a rehearsal."""

    def page(self, engine: str) -> Any:
        """A new page of a person of its own: Playwright's, or what has of it as much as a rehearsal uses."""


class Browser:
    """Running browsers, one of each engine that was asked for; every page is a participant of its own."""

    def __init__(self, playwright: Any, paths: Mapping[str, Path | None]) -> None:
        self._playwright = playwright
        self._paths = paths
        self._running: dict[str, Any] = {}

    def page(self, engine: str = CHROMIUM) -> Any:
        """A new page in a context of its own. ConfigError for a browser that does not start."""
        return self.running(engine).new_context(viewport={"width": 960, "height": 720}).new_page()

    def running(self, engine: str) -> Any:
        """The driver's own object of that engine, which is started if it is not running."""
        if engine not in self._running:
            self._running[engine] = self._launch(engine)
        return self._running[engine]

    def _launch(self, engine: str) -> Any:
        if engine not in ENGINES:
            raise ConfigError(UNOPENED)
        path = self._paths.get(engine)
        if path is None and engine == FIREFOX:
            path = find_firefox()
        program = None if path is None else str(path)
        try:
            if engine == FIREFOX:
                return self._playwright.firefox.launch(
                    channel="moz-firefox", executable_path=program, firefox_user_prefs=FIREFOX_PREFERENCES
                )
            return self._playwright.chromium.launch(executable_path=program)
        except Exception as error:
            how = HOW_FIREFOX if engine == FIREFOX else HOW
            raise ConfigError(f"{path or engine.title()} does not start: {_first(error)}; {how}") from error

    def close(self) -> None:
        """End them all."""
        for running in self._running.values():
            running.close()


@contextlib.contextmanager
def browser(chromium: Path | None, firefox: Path | None = None) -> Iterator[Browser]:
    """Headless browsers (None: Playwright's own, or the one that is found)."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise ConfigError(EXTRA) from error
    with sync_playwright() as playwright:
        opened = Browser(playwright, {CHROMIUM: chromium, FIREFOX: firefox})
        try:
            yield opened
        finally:
            opened.close()


def _first(error: Exception) -> str:
    """The first line that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
