"""A WebKit for the tests: Debian's WebKitGTK with its WebDriver, on a display of its own.

It is the nearest to Safari that Linux has, and has no WebRTC: its pages play through the server alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tools import debian

HOW: Final = "install WebKitGTK's driver and a virtual display (Debian: apt-get install webkit2gtk-driver xvfb)"
BROWSERS: Final = ("libexec", "lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu")


class WebKit(NamedTuple):
    """The programs that it needs."""

    driver: Path
    browser: Path
    display: Path


def _installed() -> WebKit | None:
    driver, display = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
    places = [place for root in BROWSERS for place in sorted(Path("/usr", root).glob("webkit2gtk-4.*/MiniBrowser"))]
    if driver is None or display is None or not places:
        return None
    return WebKit(Path(driver), places[-1], Path(display))


def find() -> WebKit | None:
    """It, installed if need be and possible."""
    found = _installed()
    if found is None and debian.install("webkit2gtk-driver") and debian.install("xvfb"):
        found = _installed()
    return found


@contextlib.contextmanager
def display(webkit: WebKit) -> Iterator[str]:
    """A virtual display of 1280 × 900; its name, as in `:99`."""
    ours, its = os.pipe()
    words = [str(webkit.display), "-displayfd", str(its), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    process = subprocess.Popen(words, pass_fds=[its], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(its)
    try:
        with open(ours, encoding="ascii") as said:
            # Of a display that ends without a word this is empty, and the browser says that it has none.
            yield f":{said.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def page(webkit: WebKit, on: str) -> Iterator[Any]:
    """A selenium driver of a browser with one page, of its own profile."""
    from selenium import webdriver
    from selenium.webdriver.webkitgtk.options import Options
    from selenium.webdriver.webkitgtk.service import Service

    options = Options()
    options.binary_location = str(webkit.browser)
    options.add_argument("--automation")
    service = Service(str(webkit.driver), env={**os.environ, "DISPLAY": on, "WEBKIT_DISABLE_COMPOSITING_MODE": "1"})
    driver = webdriver.WebKitGTK(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()
